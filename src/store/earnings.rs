//! What an affiliate's own pages show of their money: where it stands, how it moved, what made it, and what
//! was paid. Every question reads one affiliate's rows by an index, or counters.

use super::{Error, Tx, fetch_all, fetch_one, fetch_optional, ledger::LedgerEntry, row};
use crate::domain::{
    affiliate::PaymentMethod,
    commission::{Entry, Kind, Status},
    id::{AffiliateId, CommissionId, Id, PayoutLineId, ProgramId},
    locale::NumberStyle,
    time::Time,
};

row! {
    /// Amounts in minor units.
    #[derive(Debug, Clone)]
    pub struct Standing {
        pub name: String,
        pub code: String,
        pub payment_method: Option<PaymentMethod>,
        /// Sealed.
        pub sealed_details: Option<String>,
        pub created_at: Time,
        pub clicks: i64,
        pub conversions: i64,
        pub pending_count: i64,
        pub approved_count: i64,
        pub paid_count: i64,
        pub pending_minor: i64,
        pub approved_minor: i64,
        pub paid_minor: i64,
    }
}

pub async fn standing(tx: &mut Tx, program: ProgramId, affiliate: AffiliateId) -> Result<Option<Standing>, Error> {
    fetch_optional!(
        Standing,
        tx,
        "SELECT a.name, c.code, a.payment_method, a.payment_details AS sealed_details, a.created_at, t.clicks, t.conversions,
                t.pending_count, t.approved_count, t.paid_count, t.pending_minor, t.approved_minor, t.paid_minor
         FROM affiliates a JOIN affiliate_totals t ON t.affiliate_id = a.id
         JOIN codes c ON c.affiliate_id = a.id AND c.is_current
         WHERE a.id = $1 AND +a.program_id = $2",
        affiliate,
        program
    )
}

row! {
    /// Whom paper is made out to, and how they read: what their account says, where they have one.
    #[derive(Debug, Clone)]
    pub struct Addressee {
        pub name: String,
        pub email: String,
        pub code: String,
        pub created_at: Time,
        pub number_style: Option<NumberStyle>,
        pub time_zone: Option<String>,
    }
}

pub async fn addressee(tx: &mut Tx, program: ProgramId, affiliate: AffiliateId) -> Result<Option<Addressee>, Error> {
    fetch_optional!(
        Addressee,
        tx,
        "SELECT a.name, a.email, c.code, a.created_at, p.number_style, p.time_zone
         FROM affiliates a JOIN codes c ON c.affiliate_id = a.id AND c.is_current
         LEFT JOIN accounts p ON p.id = a.account_id
         WHERE a.id = $1 AND +a.program_id = $2",
        affiliate,
        program
    )
}

row! {
    #[derive(Debug, Clone, Copy)]
    pub struct Day {
        pub day: i64,
        pub clicks: i64,
        pub earned_minor: i64,
    }
}

/// The days since that one on which anything happened, oldest first.
pub async fn days(tx: &mut Tx, affiliate: AffiliateId, since: i64) -> Result<Vec<Day>, Error> {
    fetch_all!(
        Day,
        tx,
        "SELECT day, clicks, earned_minor FROM affiliate_days WHERE affiliate_id = $1 AND day >= $2 ORDER BY day",
        affiliate,
        since
    )
}

row! {
    /// How money moved from one moment to another, in minor units as the ledger has them: what was taken back
    /// or paid is negative.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Sums {
        pub opening: i64,
        pub earned: i64,
        pub reversed: i64,
        pub adjusted: i64,
        pub paid: i64,
    }
}

impl Sums {
    pub const fn closing(&self) -> i64 {
        self.opening + self.earned + self.reversed + self.adjusted + self.paid
    }
}

/// In one statement, so that the figures are of one moment and add up.
pub async fn sums(tx: &mut Tx, affiliate: AffiliateId, (from, to): (Time, Time)) -> Result<Sums, Error> {
    fetch_one!(
        Sums,
        tx,
        "SELECT CAST(COALESCE(SUM(CASE WHEN id < $2 THEN amount_minor ELSE 0 END), 0) AS BIGINT) AS opening,
                CAST(COALESCE(SUM(CASE WHEN id >= $2 AND kind = 'earn' THEN amount_minor ELSE 0 END), 0) AS BIGINT) AS earned,
                CAST(COALESCE(SUM(CASE WHEN id >= $2 AND kind = 'reverse' THEN amount_minor ELSE 0 END), 0) AS BIGINT) AS reversed,
                CAST(COALESCE(SUM(CASE WHEN id >= $2 AND kind = 'adjust' THEN amount_minor ELSE 0 END), 0) AS BIGINT) AS adjusted,
                CAST(COALESCE(SUM(CASE WHEN id >= $2 AND kind IN ('pay', 'unpay') THEN amount_minor ELSE 0 END), 0) AS BIGINT) AS paid
         FROM ledger_entries WHERE affiliate_id = $1 AND id < $3",
        affiliate,
        Id::<LedgerEntry>::first_at(from),
        Id::<LedgerEntry>::first_at(to)
    )
}

row! {
    #[derive(Debug, Clone)]
    pub struct Movement {
        pub id: Id<LedgerEntry>,
        pub kind: Entry,
        pub amount_minor: i64,
        pub commission_id: Option<CommissionId>,
        pub payout_line_id: Option<PayoutLineId>,
        pub order_id: Option<String>,
        pub is_refund: bool,
        pub created_at: Time,
        /// Of the commission that moved.
        pub reason: Option<String>,
    }
}

/// Entries from a moment on and below an id, newest first; of one kind, where `kind` names one.
pub async fn movements(
    tx: &mut Tx,
    affiliate: AffiliateId,
    kind: &str,
    (from, below): (Time, Id<LedgerEntry>),
    limit: i64,
) -> Result<Vec<Movement>, Error> {
    fetch_all!(
        Movement,
        tx,
        "SELECT e.id, e.kind, e.amount_minor, e.commission_id, e.payout_line_id, s.order_id, e.refund_id IS NOT NULL AS is_refund, e.created_at, c.reason
         FROM ledger_entries e LEFT JOIN commissions c ON c.id = e.commission_id LEFT JOIN conversions s ON s.id = c.conversion_id
         WHERE e.affiliate_id = $1 AND e.id >= $2 AND e.id < $3
           AND ($4 = '' OR e.kind = $4 OR ($4 = 'pay' AND e.kind = 'unpay'))
         ORDER BY e.id DESC LIMIT $5",
        affiliate,
        Id::<LedgerEntry>::first_at(from),
        below,
        kind,
        limit
    )
}

row! {
    #[derive(Debug, Clone)]
    pub struct Earned {
        pub id: CommissionId,
        pub kind: Kind,
        pub amount_minor: i64,
        pub rate_bps: i64,
        pub status: Status,
        pub reason: Option<String>,
        pub created_at: Time,
        pub approved_at: Option<Time>,
        pub paid_at: Option<Time>,
        pub payable_at: Time,
        pub is_in_payout: bool,
        pub order_id: Option<String>,
        pub sale_minor: i64,
        pub refunded_minor: i64,
        /// JSON as given.
        pub customer: Option<String>,
        pub explanation: Option<String>,
    }
}

/// Commissions `c` as their affiliate sees them; at another amount than they have now, where one is named with the
/// rows that it comes from.
macro_rules! earned {
    ($rest:literal) => {
        earned!("c.amount_minor", "commissions c", $rest)
    };
    ($amount:literal, $commissions:literal, $rest:literal) => {
        concat!(
            "SELECT c.id, c.kind, ",
            $amount,
            " AS amount_minor, c.rate_bps, c.status, c.reason, c.created_at, c.approved_at, c.paid_at,
                    c.payable_at, c.payout_line_id IS NOT NULL AS is_in_payout, s.order_id, COALESCE(s.amount_minor, 0) AS sale_minor, COALESCE(s.refunded_minor, 0) AS refunded_minor, s.customer, c.explanation
             FROM ",
            $commissions,
            " LEFT JOIN conversions s ON s.id = c.conversion_id ",
            $rest
        )
    };
}

/// Commissions from a moment on and below an id, newest first; of one status, where `status` names one.
pub async fn commissions(
    tx: &mut Tx,
    affiliate: AffiliateId,
    status: &str,
    (from, below): (Time, CommissionId),
    limit: i64,
) -> Result<Vec<Earned>, Error> {
    fetch_all!(
        Earned,
        tx,
        earned!(
            "WHERE c.affiliate_id = $1 AND c.id >= $2 AND c.id < $3 AND ($4 = '' OR c.status = $4)
             ORDER BY c.id DESC LIMIT $5"
        ),
        affiliate,
        CommissionId::first_at(from),
        below,
        status,
        limit
    )
}

/// The affiliate's commissions of one order, newest first.
pub async fn of_order(
    tx: &mut Tx,
    program: ProgramId,
    affiliate: AffiliateId,
    order: &str,
) -> Result<Vec<Earned>, Error> {
    fetch_all!(
        Earned,
        tx,
        earned!("WHERE s.program_id = $1 AND s.order_id = $2 AND c.affiliate_id = $3 ORDER BY c.id DESC LIMIT 100"),
        program,
        order,
        affiliate
    )
}

row! {
    #[derive(Debug, Clone, Copy)]
    pub struct Payment {
        /// Counted from 1970 in the reader's time zone.
        pub day: i64,
        pub count: i64,
        pub amount: i64,
    }
}

/// What was paid without a payout, by day, newest first; days begin `offset` milliseconds before those of UTC.
pub async fn payments(tx: &mut Tx, affiliate: AffiliateId, offset: i64, limit: i64) -> Result<Vec<Payment>, Error> {
    fetch_all!(
        Payment,
        tx,
        "SELECT (paid_at + $2) / 86400000 AS day, COUNT(*) AS count, CAST(SUM(amount_minor) AS BIGINT) AS amount
         FROM commissions WHERE affiliate_id = $1 AND paid_at IS NOT NULL AND payout_line_id IS NULL
         GROUP BY (paid_at + $2) / 86400000 ORDER BY 1 DESC LIMIT $3",
        affiliate,
        offset,
        limit
    )
}

row! {
    #[derive(Debug, Clone, Copy)]
    pub struct PaidSum {
        pub count: i64,
        pub amount: i64,
    }
}

/// How much was paid without a payout from one moment to another, in how many commissions.
pub async fn paid_sum(tx: &mut Tx, affiliate: AffiliateId, (from, to): (Time, Time)) -> Result<PaidSum, Error> {
    fetch_one!(
        PaidSum,
        tx,
        "SELECT COUNT(*) AS count, CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT) AS amount
         FROM commissions WHERE affiliate_id = $1 AND paid_at IS NOT NULL AND payout_line_id IS NULL AND paid_at >= $2 AND paid_at < $3",
        affiliate,
        from,
        to
    )
}

/// What was paid without a payout from one moment to another, newest payment first.
pub async fn paid_between(
    tx: &mut Tx,
    affiliate: AffiliateId,
    (from, to): (Time, Time),
    limit: i64,
) -> Result<Vec<Earned>, Error> {
    fetch_all!(
        Earned,
        tx,
        earned!(
            "WHERE c.affiliate_id = $1 AND c.paid_at IS NOT NULL AND c.payout_line_id IS NULL AND c.paid_at >= $2 AND c.paid_at < $3
             ORDER BY c.paid_at DESC, c.id DESC LIMIT $4"
        ),
        affiliate,
        from,
        to,
        limit
    )
}

/// What a payout's line holds or held, newest first, at the amounts of then.
pub async fn of_payout_line(
    tx: &mut Tx,
    affiliate: AffiliateId,
    line: PayoutLineId,
    limit: i64,
) -> Result<Vec<Earned>, Error> {
    fetch_all!(
        Earned,
        tx,
        earned!(
            "h.amount_minor",
            "(SELECT id AS held_id, amount_minor FROM commissions WHERE payout_line_id = $2
              UNION ALL SELECT commission_id AS held_id, amount_minor FROM payout_releases WHERE payout_line_id = $2) h
             JOIN commissions c ON c.id = h.held_id",
            "WHERE c.affiliate_id = $1 ORDER BY c.id DESC LIMIT $3"
        ),
        affiliate,
        line,
        limit
    )
}

pub async fn one(tx: &mut Tx, affiliate: AffiliateId, id: CommissionId) -> Result<Option<Earned>, Error> {
    fetch_optional!(Earned, tx, earned!("WHERE c.id = $2 AND c.affiliate_id = $1"), affiliate, id)
}

/// The other lines of the same sale: a commission's reversals, a reversal's commission.
pub async fn beside(tx: &mut Tx, affiliate: AffiliateId, id: CommissionId) -> Result<Vec<Earned>, Error> {
    fetch_all!(
        Earned,
        tx,
        earned!(
            "WHERE c.conversion_id = (SELECT conversion_id FROM commissions WHERE id = $2) AND c.affiliate_id = $1
               AND c.id <> $2 ORDER BY c.id LIMIT 100"
        ),
        affiliate,
        id
    )
}
