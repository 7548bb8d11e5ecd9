//! Rules of what sales earn. One is added and ended, never changed.

use super::{Error, Tx, execute, fetch_all, row};
use crate::domain::{
    id::{AffiliateId, GroupId, ProgramId, RuleId},
    money::Rate,
    rules::{Pays, Rule, Sales, Scope},
    time::Time,
    volume::Tiers,
};

row! {
    pub struct Row {
        pub id: RuleId,
        pub name: String,
        pub affiliate_id: Option<AffiliateId>,
        pub group_id: Option<GroupId>,
        pub products: String,
        pub sales: Sales,
        pub rate_bps: Option<i64>,
        pub flat_minor: Option<i64>,
        pub months: Option<i64>,
        pub payments: Option<i64>,
        pub first_days: Option<i64>,
        pub first_sales: Option<i64>,
        pub tiers: Option<String>,
        pub starts_at: Time,
        pub ends_at: Option<Time>,
    }
}

impl From<Row> for Rule {
    fn from(row: Row) -> Self {
        let share = |points| Pays::Share(Rate::from_basis_points(points));
        Self {
            id: row.id,
            name: row.name,
            scope: match (row.affiliate_id, row.group_id) {
                (Some(affiliate), _) => Scope::Affiliate(affiliate),
                (None, Some(group)) => Scope::Group(group),
                (None, None) => Scope::Everybody,
            },
            products: serde_json::from_str(&row.products).unwrap_or_default(),
            sales: row.sales,
            pays: row.flat_minor.map_or_else(|| share(row.rate_bps.unwrap_or(0)), Pays::Flat),
            months: row.months,
            payments: row.payments,
            first_days: row.first_days,
            first_sales: row.first_sales,
            tiers: row.tiers.as_deref().and_then(Tiers::from_json),
            starts_at: row.starts_at,
            ends_at: row.ends_at,
        }
    }
}

/// A program's rules, oldest first, with those that have ended.
pub async fn of(tx: &mut Tx, program: ProgramId) -> Result<Vec<Rule>, Error> {
    let rows = fetch_all!(
        Row,
        tx,
        "SELECT id, name, affiliate_id, group_id, products, sales, rate_bps, flat_minor, months, payments,
                first_days, first_sales, tiers, starts_at, ends_at
         FROM commission_rules WHERE program_id = $1 ORDER BY id",
        program
    )?;
    Ok(rows.into_iter().map(Rule::from).collect())
}

pub async fn create(tx: &mut Tx, program: ProgramId, rule: &Rule) -> Result<(), Error> {
    let (affiliate, group) = rule.scope.columns();
    let (rate, flat) = match rule.pays {
        Pays::Share(rate) => (Some(rate.basis_points()), None),
        Pays::Flat(minor) => (None, Some(minor)),
    };
    execute!(
        tx,
        "INSERT INTO commission_rules (id, program_id, name, affiliate_id, products, sales, rate_bps, flat_minor, months, payments, starts_at, ends_at, group_id,
           first_days, first_sales, tiers)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        rule.id,
        program,
        &rule.name,
        affiliate,
        serde_json::Value::from(rule.products.clone()).to_string(),
        rule.sales,
        rate,
        flat,
        rule.months,
        rule.payments,
        rule.starts_at,
        rule.ends_at,
        group,
        rule.first_days,
        rule.first_sales,
        rule.tiers.as_ref().map(Tiers::to_json)
    )
    .map(drop)
}

/// Ends the rule at that moment; `false` where it has ended by then.
pub async fn end(tx: &mut Tx, program: ProgramId, id: RuleId, at: Time) -> Result<bool, Error> {
    let ended = execute!(
        tx,
        "UPDATE commission_rules SET ends_at = $3 WHERE id = $1 AND +program_id = $2 AND (ends_at IS NULL OR ends_at > $3)",
        id,
        program,
        at
    )?;
    Ok(ended == 1)
}
