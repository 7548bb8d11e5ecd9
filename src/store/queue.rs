//! What stands in the queue of commissions: filtered by status and by one thing more, read in pages by key,
//! and counted from the totals, so that no page reads more rows than it shows.

use super::{Error, Tx, fetch_all, fetch_one, fetch_optional, row};
use crate::domain::{
    affiliate,
    commission::{Kind, Status},
    id::{AffiliateId, BatchId, CommissionId, ConversionId, ProgramId},
    time::Time,
};

/// What the queue is narrowed to, besides a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Only {
    All,
    Affiliate(AffiliateId),
    Sale(ConversionId),
    One(CommissionId),
    /// What was decided in one go.
    Batch(BatchId),
    /// What signals hold for review, of everybody or of one affiliate.
    Held(Option<AffiliateId>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filter {
    pub status: Option<Status>,
    pub only: Only,
}

impl Filter {
    fn status(self) -> &'static str {
        self.status.map_or("", Status::as_str)
    }
}

row! {
    /// A commission with what a person needs to decide it. Amounts in minor units.
    #[derive(Debug, Clone)]
    pub struct Line {
        pub id: CommissionId,
        pub affiliate_id: AffiliateId,
        pub affiliate_name: String,
        pub affiliate_status: affiliate::Status,
        pub order_id: Option<String>,
        pub kind: Kind,
        pub amount_minor: i64,
        pub original_minor: i64,
        pub rate_bps: i64,
        pub status: Status,
        pub reason: Option<String>,
        pub is_in_payout: bool,
        pub created_at: Time,
        pub paid_at: Option<Time>,
        pub payable_at: Time,
        pub sale_minor: i64,
        pub explanation: Option<String>,
        pub held_for: Option<String>,
    }
}

macro_rules! line {
    ($which:literal) => {
        concat!(
            "SELECT c.id, c.affiliate_id, a.name AS affiliate_name, CASE WHEN a.blocked_as = 'rejected' THEN 'pending' ELSE a.status END AS affiliate_status, s.order_id, c.kind,
                    c.amount_minor, c.original_minor, c.rate_bps, c.status, c.reason,
                    c.payout_line_id IS NOT NULL AS is_in_payout, c.created_at, c.paid_at, c.payable_at,
                    COALESCE(s.amount_minor, 0) AS sale_minor, c.explanation, c.held_for
             FROM commissions c LEFT JOIN conversions s ON s.id = c.conversion_id JOIN affiliates a ON a.id = c.affiliate_id
             WHERE c.program_id = $1 AND ",
            $which,
            " AND c.id <= $3 ORDER BY c.id DESC LIMIT $4"
        )
    };
}

macro_rules! amount {
    ($which:literal) => {
        concat!(
            "SELECT c.id, c.amount_minor FROM commissions c WHERE c.program_id = $1 AND ",
            $which,
            " AND c.id <= $3 ORDER BY c.id DESC LIMIT $4"
        )
    };
}

/// One text for each way to narrow the queue; where a status is all there is, the index leads with it.
macro_rules! matching {
    ($row:ty, $text:ident, $tx:expr, $program:expr, $filter:expr, $newest:expr, $limit:expr) => {{
        let (status, newest, limit) = ($filter.status(), $newest, $limit);
        match $filter.only {
            Only::All if $filter.status.is_none() => {
                fetch_all!($row, $tx, $text!("c.status <> $2"), $program, status, newest, limit)
            }
            Only::All => fetch_all!($row, $tx, $text!("c.status = $2"), $program, status, newest, limit),
            Only::Affiliate(id) => fetch_all!(
                $row,
                $tx,
                $text!("c.affiliate_id = $5 AND ($2 = '' OR c.status = $2)"),
                $program,
                status,
                newest,
                limit,
                id
            ),
            Only::Sale(id) => fetch_all!(
                $row,
                $tx,
                $text!("c.conversion_id = $5 AND ($2 = '' OR c.status = $2)"),
                $program,
                status,
                newest,
                limit,
                id
            ),
            Only::One(id) => fetch_all!(
                $row,
                $tx,
                $text!("c.id = $5 AND ($2 = '' OR c.status = $2)"),
                $program,
                status,
                newest,
                limit,
                id
            ),
            // With the index of those alone.
            Only::Held(of) => fetch_all!(
                $row,
                $tx,
                $text!("c.held_for IS NOT NULL AND c.status = $2 AND ($5 = 0 OR c.affiliate_id = $5)"),
                $program,
                status,
                newest,
                limit,
                of.map_or(0, crate::domain::id::Id::raw)
            ),
            Only::Batch(id) => fetch_all!(
                $row,
                $tx,
                $text!(
                    "c.id IN (SELECT commission_id FROM decision_moves WHERE batch_id = $5) AND ($2 = '' OR c.status = $2)"
                ),
                $program,
                status,
                newest,
                limit,
                id
            ),
        }
    }};
}

/// A page, newest first, of what is not newer than `newest`.
pub async fn page(
    tx: &mut Tx,
    program: ProgramId,
    filter: Filter,
    newest: CommissionId,
    limit: i64,
) -> Result<Vec<Line>, Error> {
    matching!(Line, line, tx, program, filter, newest, limit)
}

/// Which match, and what each is: newest first, of what is not newer than `newest`.
pub async fn amounts(
    tx: &mut Tx,
    program: ProgramId,
    filter: Filter,
    newest: CommissionId,
    limit: i64,
) -> Result<Vec<(CommissionId, i64)>, Error> {
    matching!((CommissionId, i64), amount, tx, program, filter, newest, limit)
}

row! {
    /// How many commissions there are of each status, and what they are together.
    #[derive(Debug, Clone, Copy)]
    pub struct Sums {
        pub pending: i64,
        pub approved: i64,
        pub paid: i64,
        pub rejected: i64,
        pub pending_minor: i64,
        pub approved_minor: i64,
        pub paid_minor: i64,
    }
}

macro_rules! sums {
    ($where:literal) => {
        concat!(
            "SELECT CAST(COALESCE(SUM(pending_count), 0) AS BIGINT) AS pending,
                    CAST(COALESCE(SUM(approved_count), 0) AS BIGINT) AS approved,
                    CAST(COALESCE(SUM(paid_count), 0) AS BIGINT) AS paid,
                    CAST(COALESCE(SUM(rejected_count), 0) AS BIGINT) AS rejected,
                    CAST(COALESCE(SUM(pending_minor), 0) AS BIGINT) AS pending_minor,
                    CAST(COALESCE(SUM(approved_minor), 0) AS BIGINT) AS approved_minor,
                    CAST(COALESCE(SUM(paid_minor), 0) AS BIGINT) AS paid_minor
             FROM affiliate_totals WHERE program_id = $1",
            $where
        )
    };
}

/// Of a program, or of one of its affiliates.
pub async fn sums(tx: &mut Tx, program: ProgramId, of: Option<AffiliateId>) -> Result<Sums, Error> {
    match of {
        None => fetch_one!(Sums, tx, sums!(""), program),
        Some(affiliate) => fetch_one!(Sums, tx, sums!(" AND affiliate_id = $2"), program, affiliate),
    }
}

/// The sale of that order.
pub async fn sale(tx: &mut Tx, program: ProgramId, order: &str) -> Result<Option<ConversionId>, Error> {
    let row = fetch_optional!(
        (ConversionId,),
        tx,
        "SELECT id FROM conversions WHERE program_id = $1 AND order_id = $2",
        program,
        order
    )?;
    Ok(row.map(|(id,)| id))
}

row! {
    #[derive(Debug, Clone)]
    pub struct Found {
        pub id: AffiliateId,
        pub name: String,
        pub email: String,
    }
}

/// Affiliates whose name or e-mail contains the text, or whose code it is; `like` is the text in lower case
/// between `%`, `key` the text as a code's key.
pub async fn affiliates(
    tx: &mut Tx,
    program: ProgramId,
    like: &str,
    key: &str,
    limit: i64,
) -> Result<Vec<Found>, Error> {
    fetch_all!(
        Found,
        tx,
        "SELECT a.id, a.name, a.email FROM affiliates a
         WHERE a.program_id = $1 AND (LOWER(a.name) LIKE $2 ESCAPE '!' OR a.email_key LIKE $2 ESCAPE '!'
           OR a.id IN (SELECT affiliate_id FROM codes WHERE program_id = $1 AND code_key = $3))
         ORDER BY a.id DESC LIMIT $4",
        program,
        like,
        key,
        limit
    )
}
