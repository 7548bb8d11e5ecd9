//! Tax: what programs say of themselves and ask for, what affiliates say, and who may have their invoices written.

use super::{Error, Tx, execute, fetch_all, fetch_optional, ledger::LedgerEntry, payout_lines::stayed_paid, row};
use crate::domain::{
    Issue,
    country::Country,
    id::{AffiliateId, Id, ProgramId},
    tax::{
        Form, Profile, Signed,
        exchange::Rates,
        settings::{Asks, Business, Settings},
        vat::VatId,
    },
    time::Time,
};

fn corrupt(issue: Issue) -> Error {
    Error::Corrupt(issue.0.into_owned())
}

row! {
    pub struct SettingsRow {
        pub name: Option<String>,
        pub address: Option<String>,
        pub country: Option<String>,
        pub vat_id: Option<String>,
        pub asks: Asks,
        pub from_minor: i64,
        pub self_billing: bool,
        pub prefix: String,
        pub exchange: String,
        pub exchange_on: Option<Time>,
    }
}

pub async fn settings(tx: &mut Tx, program: ProgramId) -> Result<Settings, Error> {
    let found = fetch_optional!(
        SettingsRow,
        tx,
        "SELECT name, address, country, vat_id, asks, from_minor, self_billing, prefix, exchange, exchange_on
         FROM tax_settings WHERE program_id = $1",
        program
    )?;
    let Some(row) = found else { return Ok(Settings::default()) };
    let business = match (row.name, row.address, row.country) {
        (Some(name), Some(address), Some(country)) => {
            let country = Country::parse(&country).map_err(corrupt)?;
            let vat_id = row.vat_id.map(|id| VatId::parse(&id, country)).transpose().map_err(corrupt)?;
            Some(Business { name, address, country, vat_id })
        }
        _ => None,
    };
    let exchange = match row.exchange_on {
        Some(on) => Rates::read(&row.exchange, on).map_err(corrupt)?,
        None => Rates::default(),
    };
    Ok(Settings {
        business,
        asks: row.asks,
        from_minor: row.from_minor,
        self_billing: row.self_billing,
        prefix: row.prefix,
        exchange,
    })
}

pub async fn save_settings(tx: &mut Tx, program: ProgramId, settings: &Settings, now: Time) -> Result<(), Error> {
    let business = settings.business.as_ref();
    execute!(
        tx,
        "INSERT INTO tax_settings (program_id, name, address, country, vat_id, asks, from_minor, self_billing, prefix,
           updated_at, exchange, exchange_on)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         ON CONFLICT (program_id) DO UPDATE SET name = excluded.name, address = excluded.address,
           country = excluded.country, vat_id = excluded.vat_id, asks = excluded.asks, from_minor = excluded.from_minor,
           self_billing = excluded.self_billing, prefix = excluded.prefix, updated_at = excluded.updated_at,
           exchange = excluded.exchange, exchange_on = excluded.exchange_on",
        program,
        business.map(|business| business.name.as_str()),
        business.map(|business| business.address.as_str()),
        business.map(|business| business.country.code()),
        business.and_then(|business| business.vat_id.as_ref()).map(VatId::as_str),
        settings.asks,
        settings.from_minor,
        settings.self_billing,
        &settings.prefix,
        now,
        settings.exchange.to_string(),
        settings.exchange.on()
    )
    .map(drop)
}

/// A profile as its columns say it.
pub(super) fn profile_of(
    country: &str,
    is_company: bool,
    signed: (Option<Form>, Option<Time>, Option<Time>),
) -> Result<Profile, Error> {
    let form = match signed {
        (Some(form), Some(on), checked_at) => Some(Signed { form, on, is_checked: checked_at.is_some() }),
        _ => None,
    };
    Ok(Profile { country: Country::parse(country).map_err(corrupt)?, is_company, form })
}

row! {
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct ProfileRow {
        pub is_company: bool,
        pub country: String,
        /// Name, address and numbers.
        pub sealed: String,
        /// Basis points.
        pub vat_bps: Option<i64>,
        pub form: Option<Form>,
        pub signed_at: Option<Time>,
        pub checked_at: Option<Time>,
    }
}

impl ProfileRow {
    /// # Errors
    /// A country that is none.
    pub fn profile(&self) -> Result<Profile, Error> {
        profile_of(&self.country, self.is_company, (self.form, self.signed_at, self.checked_at))
    }
}

pub async fn profile(tx: &mut Tx, affiliate: AffiliateId) -> Result<Option<ProfileRow>, Error> {
    fetch_optional!(
        ProfileRow,
        tx,
        "SELECT is_company, country, sealed, vat_bps, form, signed_at, checked_at FROM tax_profiles WHERE affiliate_id = $1",
        affiliate
    )
}

pub async fn save_profile(tx: &mut Tx, affiliate: AffiliateId, row: &ProfileRow, now: Time) -> Result<(), Error> {
    execute!(
        tx,
        "INSERT INTO tax_profiles (affiliate_id, is_company, country, sealed, vat_bps, form, signed_at, checked_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (affiliate_id) DO UPDATE SET is_company = excluded.is_company, country = excluded.country,
           sealed = excluded.sealed, vat_bps = excluded.vat_bps, form = excluded.form, signed_at = excluded.signed_at,
           checked_at = excluded.checked_at, updated_at = excluded.updated_at",
        affiliate,
        row.is_company,
        &row.country,
        &row.sealed,
        row.vat_bps,
        row.form,
        row.signed_at,
        row.checked_at,
        now
    )
    .map(drop)
}

row! {
    pub struct FactsRow {
        pub affiliate_id: AffiliateId,
        pub is_company: Option<bool>,
        pub country: Option<String>,
        pub form: Option<Form>,
        pub signed_at: Option<Time>,
        pub checked_at: Option<Time>,
        pub paid_minor: i64,
    }
}

/// What decides whether a form is in the way of a payment.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    pub affiliate: AffiliateId,
    pub profile: Option<Profile>,
    /// What they were paid since, but for what came back, and what open payouts will pay. Minor units.
    pub paid: i64,
}

/// Of the program's affiliates above one id and up to another, in the order of their ids.
pub async fn facts(
    tx: &mut Tx,
    program: ProgramId,
    (above, last): (AffiliateId, AffiliateId),
    since: Time,
) -> Result<Vec<Facts>, Error> {
    let rows = fetch_all!(
        FactsRow,
        tx,
        concat!(
            "SELECT a.id AS affiliate_id, p.is_company, p.country, p.form, p.signed_at, p.checked_at,
                CAST(COALESCE((SELECT -SUM(e.amount_minor) FROM ledger_entries e
                   LEFT JOIN payout_lines l ON l.id = e.payout_line_id
                   WHERE e.affiliate_id = a.id AND e.id >= $4 AND ",
            stayed_paid!(),
            "), 0)
                  + COALESCE((SELECT SUM(l.amount_minor) FROM payout_lines l
                      WHERE l.affiliate_id = a.id AND l.status = 'open'), 0) AS BIGINT) AS paid_minor
         FROM affiliates a LEFT JOIN tax_profiles p ON p.affiliate_id = a.id
         WHERE a.program_id = $1 AND a.id > $2 AND a.id <= $3 ORDER BY a.id"
        ),
        program,
        above,
        last,
        Id::<LedgerEntry>::first_at(since)
    )?;
    let facts = rows.into_iter().map(|row| {
        let signed = (row.form, row.signed_at, row.checked_at);
        let profile = match (row.country, row.is_company) {
            (Some(country), Some(is_company)) => Some(profile_of(&country, is_company, signed)?),
            _ => None,
        };
        Ok(Facts { affiliate: row.affiliate_id, profile, paid: row.paid_minor })
    });
    facts.collect()
}

/// An agreement has no public id; its own says when it was made.
#[derive(Debug)]
pub enum AgreementRow {}

row! {
    #[derive(Debug, Clone, Copy)]
    pub struct Agreement {
        pub id: Id<AgreementRow>,
        pub version: i64,
    }
}

/// The one that holds.
pub async fn agreement(tx: &mut Tx, affiliate: AffiliateId) -> Result<Option<Agreement>, Error> {
    fetch_optional!(
        Agreement,
        tx,
        "SELECT id, version FROM self_billing_agreements WHERE affiliate_id = $1 AND withdrawn_at IS NULL",
        affiliate
    )
}

pub async fn agree(tx: &mut Tx, affiliate: AffiliateId, new: Agreement) -> Result<(), Error> {
    execute!(
        tx,
        "INSERT INTO self_billing_agreements (id, affiliate_id, version) VALUES ($1, $2, $3)",
        new.id,
        affiliate,
        new.version
    )
    .map(drop)
}

/// Ends the one that holds; whether there was one.
pub async fn withdraw(tx: &mut Tx, affiliate: AffiliateId, now: Time) -> Result<bool, Error> {
    let ended = execute!(
        tx,
        "UPDATE self_billing_agreements SET withdrawn_at = $2 WHERE affiliate_id = $1 AND withdrawn_at IS NULL",
        affiliate,
        now
    )?;
    Ok(ended > 0)
}
