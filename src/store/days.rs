//! What a whole program did, day by day: sums over its affiliates' days.

use super::{Error, Tx, fetch_all, fetch_one, row};
use crate::domain::id::{AffiliateId, ProgramId};

row! {
    /// Amounts in minor units.
    #[derive(Debug, Clone, Copy, Default)]
    pub struct Day {
        pub day: i64,
        pub clicks: i64,
        pub conversions: i64,
        pub sales_minor: i64,
        pub earned_minor: i64,
    }
}

/// The days from `first` to `last` on which anything happened. It reads a row for each affiliate and day, so
/// days that are over are worth remembering. (SQLite takes the tables of a CROSS JOIN in their order: by day.)
pub async fn of_program(tx: &mut Tx, program: ProgramId, first: i64, last: i64) -> Result<Vec<Day>, Error> {
    fetch_all!(
        Day,
        tx,
        "SELECT d.day, CAST(SUM(d.clicks) AS BIGINT) AS clicks, CAST(SUM(d.conversions) AS BIGINT) AS conversions,
                CAST(SUM(d.sales_minor) AS BIGINT) AS sales_minor, CAST(SUM(d.earned_minor) AS BIGINT) AS earned_minor
         FROM affiliate_days d CROSS JOIN affiliates a
         WHERE a.id = d.affiliate_id AND d.day BETWEEN $2 AND $3 AND a.program_id = $1 GROUP BY d.day ORDER BY d.day",
        program,
        first,
        last
    )
}

/// An affiliate's days from `first` to `last` on which anything happened.
pub async fn of_affiliate(tx: &mut Tx, affiliate: AffiliateId, first: i64, last: i64) -> Result<Vec<Day>, Error> {
    fetch_all!(
        Day,
        tx,
        "SELECT day, clicks, conversions, sales_minor, earned_minor FROM affiliate_days
         WHERE affiliate_id = $1 AND day BETWEEN $2 AND $3 ORDER BY day",
        affiliate,
        first,
        last
    )
}

/// How many affiliates joined from one id to before another; ids carry their time.
pub async fn joined(tx: &mut Tx, program: ProgramId, from: AffiliateId, before: AffiliateId) -> Result<i64, Error> {
    let (count,) = fetch_one!(
        (i64,),
        tx,
        "SELECT COUNT(*) FROM affiliates WHERE program_id = $1 AND id >= $2 AND id < $3",
        program,
        from,
        before
    )?;
    Ok(count)
}

row! {
    /// A program's figures since it began, and what keeps money from being paid.
    #[derive(Debug, Clone, Copy)]
    pub struct Standing {
        pub clicks: i64,
        pub conversions: i64,
        pub pending: i64,
        pub pending_minor: i64,
        pub approved: i64,
        pub approved_minor: i64,
        pub paid: i64,
        /// Affiliates with approved money and no way to be paid, and that money.
        pub unpayable: i64,
        pub unpayable_minor: i64,
    }
}

pub async fn standing(tx: &mut Tx, program: ProgramId) -> Result<Standing, Error> {
    fetch_one!(
        Standing,
        tx,
        "SELECT CAST(COALESCE(SUM(t.clicks), 0) AS BIGINT) AS clicks,
                CAST(COALESCE(SUM(t.conversions), 0) AS BIGINT) AS conversions,
                CAST(COALESCE(SUM(t.pending_count), 0) AS BIGINT) AS pending,
                CAST(COALESCE(SUM(t.pending_minor), 0) AS BIGINT) AS pending_minor,
                CAST(COALESCE(SUM(t.approved_count), 0) AS BIGINT) AS approved,
                CAST(COALESCE(SUM(t.approved_minor), 0) AS BIGINT) AS approved_minor,
                CAST(COALESCE(SUM(t.paid_count), 0) AS BIGINT) AS paid,
                CAST(COALESCE(SUM(CASE WHEN t.approved_minor > 0 AND a.payment_method IS NULL THEN 1 ELSE 0 END), 0) AS BIGINT) AS unpayable,
                CAST(COALESCE(SUM(CASE WHEN t.approved_minor > 0 AND a.payment_method IS NULL THEN t.approved_minor ELSE 0 END), 0) AS BIGINT) AS unpayable_minor
         FROM affiliate_totals t JOIN affiliates a ON a.id = t.affiliate_id WHERE t.program_id = $1",
        program
    )
}

row! {
    #[derive(Debug, Clone)]
    pub struct Top {
        pub id: AffiliateId,
        pub name: String,
        pub conversions: i64,
        pub sales_minor: i64,
    }
}

/// The affiliates that sold most, of those that sold at all.
pub async fn top(tx: &mut Tx, program: ProgramId, limit: i64) -> Result<Vec<Top>, Error> {
    fetch_all!(
        Top,
        tx,
        "SELECT a.id, a.name, t.conversions, t.sales_minor
         FROM (SELECT affiliate_id, conversions, sales_minor FROM affiliate_totals
               WHERE program_id = $1 AND sales_minor > 0 ORDER BY sales_minor DESC, affiliate_id LIMIT $2) t
         JOIN affiliates a ON a.id = t.affiliate_id ORDER BY t.sales_minor DESC, a.id",
        program,
        limit
    )
}
