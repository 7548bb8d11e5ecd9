//! Programs and their settings.

use super::{Error, Tx, execute, fetch_all, fetch_one, fetch_optional, row};
use crate::domain::{
    attribution::Touch,
    id::ProgramId,
    money::{Currency, Rate},
    program::{self, Program},
    signals,
    time::Time,
    volume::Caps,
};

row! {
    pub struct ProgramRow {
        pub id: ProgramId,
        pub slug: String,
        pub name: String,
        pub currency: Currency,
        pub rate_bps: i64,
        pub attribution_days: i64,
        pub landing_url: Option<String>,
        pub domains: String,
        pub touch: Touch,
        pub bound_days: Option<i64>,
        pub coupon_wins: bool,
        pub new_customers_only: bool,
        pub hold_days: i64,
        pub ads_allowed: bool,
        pub banned_referrers: String,
        pub hourly_sales: Option<i64>,
        pub customer_cap_minor: Option<i64>,
        pub month_cap_minor: Option<i64>,
    }
}

impl TryFrom<ProgramRow> for Program {
    type Error = Error;

    fn try_from(row: ProgramRow) -> Result<Self, Error> {
        let corrupt = |issue: crate::domain::Issue| Error::Corrupt(format!("program {}: {issue}", row.slug));
        Ok(Self {
            id: row.id,
            name: row.name,
            currency: row.currency,
            rate: Rate::from_basis_points(row.rate_bps),
            attribution_days: row.attribution_days,
            rules: Vec::new(),
            signals: signals::Settings {
                ads_allowed: row.ads_allowed,
                banned_referrers: program::domains(&row.banned_referrers).map_err(corrupt)?,
                hourly_sales: row.hourly_sales,
            },
            caps: Caps { customer: row.customer_cap_minor, month: row.month_cap_minor },
            touch: row.touch,
            bound_days: row.bound_days,
            coupon_wins: row.coupon_wins,
            new_customers_only: row.new_customers_only,
            hold_days: row.hold_days,
            landing_url: row.landing_url.as_deref().map(program::landing_url).transpose().map_err(corrupt)?,
            domains: program::domains(&row.domains).map_err(corrupt)?,
            slug: row.slug.clone(),
        })
    }
}

fn landing(program: &Program) -> Option<&str> {
    program.landing_url.as_ref().map(url::Url::as_str)
}

/// Makes the program; `false` where the slug is taken.
pub async fn create(tx: &mut Tx, program: &Program) -> Result<bool, Error> {
    let made = execute!(
        tx,
        "INSERT INTO programs (id, slug, name, currency, rate_bps, attribution_days, landing_url, domains, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) ON CONFLICT (slug) DO NOTHING",
        program.id,
        &program.slug,
        &program.name,
        program.currency,
        program.rate.basis_points(),
        program.attribution_days,
        landing(program),
        program.domains.join(","),
        program.id.time()
    )?;
    Ok(made == 1)
}

/// Stores the settings that may change; slug and currency stay.
pub async fn update(tx: &mut Tx, program: &Program, now: Time) -> Result<(), Error> {
    execute!(
        tx,
        "UPDATE programs SET name = $2, rate_bps = $3, attribution_days = $4, landing_url = $5, domains = $6, updated_at = $7,
           touch = $8, bound_days = $9, coupon_wins = $10, new_customers_only = $11,
           ads_allowed = $12, banned_referrers = $13, hourly_sales = $14, hold_days = $15,
           customer_cap_minor = $16, month_cap_minor = $17
         WHERE id = $1",
        program.id,
        &program.name,
        program.rate.basis_points(),
        program.attribution_days,
        landing(program),
        program.domains.join(","),
        now,
        program.touch,
        program.bound_days,
        program.coupon_wins,
        program.new_customers_only,
        program.signals.ads_allowed,
        program.signals.banned_referrers.join(","),
        program.signals.hourly_sales,
        program.hold_days,
        program.caps.customer,
        program.caps.month
    )
    .map(drop)
}

macro_rules! program {
    ($rest:literal) => {
        concat!(
            "SELECT id, slug, name, currency, rate_bps, attribution_days, landing_url, domains,
                    touch, bound_days, coupon_wins, new_customers_only, hold_days,
                    ads_allowed, banned_referrers, hourly_sales, customer_cap_minor, month_cap_minor FROM programs ",
            $rest
        )
    };
}

/// The program with its rules.
async fn whole(tx: &mut Tx, row: Option<ProgramRow>) -> Result<Option<Program>, Error> {
    let Some(row) = row else { return Ok(None) };
    let rules = super::rules::of(tx, row.id).await?;
    Ok(Some(Program { rules, ..row.try_into()? }))
}

pub async fn by_slug(tx: &mut Tx, slug: &str) -> Result<Option<Program>, Error> {
    let row = fetch_optional!(ProgramRow, tx, program!("WHERE slug = $1"), slug)?;
    whole(tx, row).await
}

pub async fn by_id(tx: &mut Tx, id: ProgramId) -> Result<Option<Program>, Error> {
    let row = fetch_optional!(ProgramRow, tx, program!("WHERE id = $1"), id)?;
    whole(tx, row).await
}

/// All programs, without their rules.
pub async fn all(tx: &mut Tx) -> Result<Vec<Program>, Error> {
    fetch_all!(ProgramRow, tx, program!("ORDER BY id"))?.into_iter().map(Program::try_from).collect()
}

pub async fn any(tx: &mut Tx) -> Result<bool, Error> {
    let (any,) = fetch_one!((bool,), tx, "SELECT EXISTS (SELECT id FROM programs)")?;
    Ok(any)
}
