//! Commissions: what each sale earned, and the negative lines that take back what was paid.

use super::{Error, Tx, execute, fetch_all, fetch_one, fetch_optional, row};
use crate::domain::{
    affiliate,
    commission::{Kind, Status},
    id::{AffiliateId, BatchId, CommissionId, ConversionId, PayoutLineId, ProgramId, RefundId},
    time::Time,
};

row! {
    /// Read together with its sale and the affiliate's status. Amounts in minor units.
    #[derive(Debug, Clone)]
    pub struct Commission {
        pub id: CommissionId,
        pub affiliate_id: AffiliateId,
        pub affiliate_status: affiliate::Status,
        /// An adjustment comes of no sale.
        pub conversion_id: Option<ConversionId>,
        pub order_id: Option<String>,
        pub kind: Kind,
        pub amount_minor: i64,
        pub original_minor: i64,
        pub rate_bps: i64,
        pub status: Status,
        pub reason: Option<String>,
        /// The line of a payout that holds it or paid it.
        pub payout_line_id: Option<PayoutLineId>,
        pub refund_id: Option<RefundId>,
        pub created_at: Time,
        pub updated_at: Time,
        pub approved_at: Option<Time>,
        pub paid_at: Option<Time>,
        pub payable_at: Time,
        pub sale_minor: i64,
        pub explanation: Option<String>,
        pub held_for: Option<String>,
    }
}

#[derive(Debug)]
pub struct NewCommission<'a> {
    pub id: CommissionId,
    pub program: ProgramId,
    pub affiliate: AffiliateId,
    pub conversion: Option<ConversionId>,
    pub kind: Kind,
    pub amount: i64,
    pub rate_bps: i64,
    pub status: Status,
    pub refund: Option<RefundId>,
    pub reason: Option<&'a str>,
    pub payable_at: Time,
    /// JSON.
    pub explanation: Option<String>,
    /// The signals that hold it for review.
    pub held_for: Option<String>,
}

pub async fn create(tx: &mut Tx, new: &NewCommission<'_>) -> Result<(), Error> {
    let approved_at = (new.status == Status::Approved).then(|| new.id.time());
    execute!(
        tx,
        "INSERT INTO commissions (id, program_id, affiliate_id, conversion_id, kind, amount_minor, original_minor,
           rate_bps, status, refund_id, created_at, updated_at, approved_at, explanation, reason, payable_at, held_for)
         VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8, $9, $10, $10, $11, $12, $13, $14, $15)",
        new.id,
        new.program,
        new.affiliate,
        new.conversion,
        new.kind,
        new.amount,
        new.rate_bps,
        new.status,
        new.refund,
        new.id.time(),
        approved_at,
        &new.explanation,
        new.reason,
        new.payable_at,
        &new.held_for
    )
    .map(drop)
}

macro_rules! commission {
    ($rest:literal) => {
        concat!(
            "SELECT c.id, c.affiliate_id, CASE WHEN a.blocked_as = 'rejected' THEN 'pending' ELSE a.status END AS affiliate_status, c.conversion_id, s.order_id, c.kind,
                    c.amount_minor, c.original_minor, c.rate_bps, c.status, c.reason,
                    c.payout_line_id, c.refund_id, c.created_at, c.updated_at, c.approved_at,
                    c.paid_at, c.payable_at, COALESCE(s.amount_minor, 0) AS sale_minor, c.explanation, c.held_for
             FROM commissions c LEFT JOIN conversions s ON s.id = c.conversion_id JOIN affiliates a ON a.id = c.affiliate_id ",
            $rest
        )
    };
}

pub async fn by_id(tx: &mut Tx, program: ProgramId, id: CommissionId) -> Result<Option<Commission>, Error> {
    fetch_optional!(Commission, tx, commission!("WHERE c.id = $1 AND +c.program_id = $2"), id, program)
}

/// The commission that a sale earned, as opposed to the lines that took some of it back.
pub async fn of_sale(tx: &mut Tx, program: ProgramId, sale: ConversionId) -> Result<Option<Commission>, Error> {
    fetch_optional!(
        Commission,
        tx,
        commission!("WHERE c.conversion_id = $1 AND +c.program_id = $2 AND c.kind = 'sale'"),
        sale,
        program
    )
}

/// The line of its own by which a refund took back what was paid, where it made one.
pub async fn of_refund(tx: &mut Tx, refund: RefundId, sale: ConversionId) -> Result<Option<CommissionId>, Error> {
    let row = fetch_optional!(
        (CommissionId,),
        tx,
        "SELECT id FROM commissions WHERE conversion_id = $2 AND refund_id = $1 AND kind = 'reversal'",
        refund,
        sale
    )?;
    Ok(row.map(|(id,)| id))
}

/// What the lines of their own by which the sale's refunds took back come to, in minor units.
pub async fn refund_lines(tx: &mut Tx, sale: ConversionId) -> Result<i64, Error> {
    let (sum,) = fetch_one!(
        (i64,),
        tx,
        "SELECT CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT) FROM commissions
         WHERE conversion_id = $1 AND kind IN ('reversal', 'restoration') AND status <> 'rejected'",
        sale
    )?;
    Ok(sum)
}

/// A page of a program's commissions, newest first.
pub async fn page(
    tx: &mut Tx,
    program: ProgramId,
    of: Option<AffiliateId>,
    status: Option<Status>,
    limit: i64,
    offset: i64,
) -> Result<Vec<Commission>, Error> {
    match (of, status) {
        (None, None) => fetch_all!(
            Commission,
            tx,
            commission!("WHERE c.program_id = $1 ORDER BY c.id DESC LIMIT $2 OFFSET $3"),
            program,
            limit,
            offset
        ),
        (None, Some(status)) => fetch_all!(
            Commission,
            tx,
            commission!("WHERE c.program_id = $1 AND c.status = $4 ORDER BY c.id DESC LIMIT $2 OFFSET $3"),
            program,
            limit,
            offset,
            status
        ),
        (Some(affiliate), None) => fetch_all!(
            Commission,
            tx,
            commission!("WHERE c.affiliate_id = $4 AND c.program_id = $1 ORDER BY c.id DESC LIMIT $2 OFFSET $3"),
            program,
            limit,
            offset,
            affiliate
        ),
        (Some(affiliate), Some(status)) => fetch_all!(
            Commission,
            tx,
            commission!(
                "WHERE c.affiliate_id = $4 AND c.program_id = $1 AND c.status = $5 ORDER BY c.id DESC LIMIT $2 OFFSET $3"
            ),
            program,
            limit,
            offset,
            affiliate,
            status
        ),
    }
}

/// Commissions above an id that approve themselves: their hold is over, no signal holds them, their affiliate is active, and they are at most
/// that much, where there is a most.
pub async fn due(
    tx: &mut Tx,
    program: ProgramId,
    (now, most): (Time, Option<i64>),
    above: CommissionId,
    limit: i64,
) -> Result<Vec<CommissionId>, Error> {
    let rows = fetch_all!(
        (CommissionId,),
        tx,
        "SELECT c.id FROM commissions c JOIN affiliates a ON a.id = c.affiliate_id
         WHERE c.program_id = $1 AND c.status = 'pending' AND c.id > $4 AND c.payable_at <= $2 AND c.amount_minor <= $3
           AND c.held_for IS NULL AND a.status = 'active'
         ORDER BY c.id LIMIT $5",
        program,
        now,
        most.unwrap_or(i64::MAX),
        above,
        limit
    )?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// How many commissions of a program wait for a decision, counted up to `most`.
pub async fn count_pending(tx: &mut Tx, program: ProgramId, most: i64) -> Result<i64, Error> {
    let (count,) = fetch_one!(
        (i64,),
        tx,
        "SELECT COUNT(*) FROM (SELECT id FROM commissions WHERE program_id = $1 AND status = 'pending' LIMIT $2) AS waiting",
        program,
        most
    )?;
    Ok(count)
}

/// How many are held for review, counted up to `most`.
pub async fn count_held(tx: &mut Tx, program: ProgramId, most: i64) -> Result<i64, Error> {
    let (count,) = fetch_one!(
        (i64,),
        tx,
        "SELECT COUNT(*) FROM (SELECT id FROM commissions
           WHERE program_id = $1 AND status = 'pending' AND held_for IS NOT NULL LIMIT $2) AS held",
        program,
        most
    )?;
    Ok(count)
}

/// Keeps others from moving these until the transaction ends, in the one order that everybody keeps to:
/// commissions, then the totals of their affiliates, each by id. Without it, deciding several would meet
/// half-way with somebody who decides one of them, or counts clicks of the same affiliates.
pub async fn lock(tx: &mut Tx, program: ProgramId, ids: &[CommissionId]) -> Result<(), Error> {
    let Tx::Postgres(pg) = tx else {
        // On SQLite whoever writes is alone.
        return Ok(());
    };
    let ids: Vec<i64> = ids.iter().map(|id| id.raw()).collect();
    for sql in [
        "SELECT id FROM commissions WHERE program_id = $1 AND id = ANY($2) ORDER BY id FOR NO KEY UPDATE",
        "SELECT affiliate_id FROM affiliate_totals
         WHERE affiliate_id IN (SELECT affiliate_id FROM commissions WHERE program_id = $1 AND id = ANY($2))
         ORDER BY affiliate_id FOR NO KEY UPDATE",
    ] {
        sqlx::query(sql).bind(program).bind(&ids).execute(pg.raw()).await?;
    }
    Ok(())
}

#[derive(Debug, Clone, Copy)]
pub struct Move<'a> {
    pub from: Status,
    pub to: Status,
    pub reason: Option<&'a str>,
    pub at: Time,
    /// What somebody decided in one go in the browser.
    pub batch: Option<BatchId>,
}

/// Moves it if it is still where the decision saw it; the amount that moved, of the one caller who did.
pub async fn set_status(tx: &mut Tx, id: CommissionId, change: Move<'_>) -> Result<Option<i64>, Error> {
    let approved_at = (change.to != Status::Rejected).then_some(change.at);
    let paid_at = (change.to == Status::Paid).then_some(change.at);
    let row = fetch_optional!(
        (i64,),
        tx,
        "UPDATE commissions SET status = $3, reason = $4, updated_at = $5, batch_id = $8,
           approved_at = COALESCE(CASE WHEN status = 'rejected' THEN NULL ELSE approved_at END, $6), paid_at = $7
         WHERE id = $1 AND status = $2 AND payout_line_id IS NULL RETURNING amount_minor",
        id,
        change.from,
        change.to,
        change.reason,
        change.at,
        approved_at,
        paid_at,
        change.batch
    )?;
    Ok(row.map(|(amount,)| amount))
}

/// Takes a refund's part off an unpaid commission (or, where negative, gives it back), if it is still of that status
/// and in no payout; whether it was.
pub async fn lower(tx: &mut Tx, id: CommissionId, status: Status, by: i64, now: Time) -> Result<bool, Error> {
    let lowered = execute!(
        tx,
        "UPDATE commissions SET amount_minor = amount_minor - $3, updated_at = $4 WHERE id = $1 AND status = $2 AND payout_line_id IS NULL",
        id,
        status,
        by,
        now
    )?;
    Ok(lowered == 1)
}
