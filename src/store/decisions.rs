//! Batches of decisions: what somebody approved, rejected or paid in one go, and how it was before.

use super::{Error, Tx, execute, fetch_all, fetch_optional, row};
use crate::domain::{
    commission::Status,
    id::{AccountId, BatchId, CommissionId, ProgramId},
    time::Time,
};

#[derive(Debug)]
pub struct NewBatch<'a> {
    pub id: BatchId,
    pub program: ProgramId,
    pub account: AccountId,
    pub action: Status,
    pub reason: Option<&'a str>,
    pub count: i64,
    pub sum: i64,
    pub at: Time,
}

/// Opens the batch, or adds to one that is decided in several steps.
pub async fn add(tx: &mut Tx, new: &NewBatch<'_>) -> Result<(), Error> {
    execute!(
        tx,
        "INSERT INTO decision_batches (id, program_id, account_id, action, reason, count, sum_minor, made_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (id) DO UPDATE SET count = decision_batches.count + excluded.count,
           sum_minor = decision_batches.sum_minor + excluded.sum_minor",
        new.id,
        new.program,
        new.account,
        new.action,
        new.reason,
        new.count,
        new.sum,
        new.at
    )
    .map(drop)
}

row! {
    /// A commission as it was before its batch, and how much it was when it moved.
    #[derive(Debug, Clone)]
    pub struct Before {
        pub commission_id: CommissionId,
        pub from_status: Status,
        pub from_reason: Option<String>,
        pub from_approved_at: Option<Time>,
        pub amount_minor: i64,
    }
}

pub async fn add_move(tx: &mut Tx, batch: BatchId, before: &Before) -> Result<(), Error> {
    execute!(
        tx,
        "INSERT INTO decision_moves (batch_id, commission_id, from_status, from_reason, from_approved_at, amount_minor)
         VALUES ($1, $2, $3, $4, $5, $6)",
        batch,
        before.commission_id,
        before.from_status,
        &before.from_reason,
        before.from_approved_at,
        before.amount_minor
    )
    .map(drop)
}

/// A batch's commissions as they were, newest first.
pub async fn moves(tx: &mut Tx, batch: BatchId) -> Result<Vec<Before>, Error> {
    fetch_all!(
        Before,
        tx,
        "SELECT commission_id, from_status, from_reason, from_approved_at, amount_minor FROM decision_moves
         WHERE batch_id = $1 ORDER BY commission_id DESC",
        batch
    )
}

row! {
    #[derive(Debug, Clone)]
    pub struct Batch {
        pub id: BatchId,
        pub action: Status,
        pub reason: Option<String>,
        pub count: i64,
        pub sum_minor: i64,
        pub made_at: Time,
        pub undone_at: Option<Time>,
        /// Who decided.
        pub name: String,
        /// Something of it is still where it was put, and not on its way out.
        pub can_be_undone: bool,
    }
}

macro_rules! batch {
    ($rest:literal) => {
        concat!(
            "SELECT b.id, b.action, b.reason, b.count, b.sum_minor, b.made_at, b.undone_at, a.name,
                    b.undone_at IS NULL AND b.action <> 'paid' AND EXISTS (SELECT 1 FROM commissions c
                      WHERE c.batch_id = b.id AND c.status <> 'paid' AND c.payout_line_id IS NULL) AS can_be_undone
             FROM decision_batches b JOIN accounts a ON a.id = b.account_id ",
            $rest
        )
    };
}

/// A program's batches, newest first.
pub async fn page(tx: &mut Tx, program: ProgramId, limit: i64) -> Result<Vec<Batch>, Error> {
    fetch_all!(Batch, tx, batch!("WHERE b.program_id = $1 ORDER BY b.id DESC LIMIT $2"), program, limit)
}

pub async fn by_id(tx: &mut Tx, program: ProgramId, id: BatchId) -> Result<Option<Batch>, Error> {
    fetch_optional!(Batch, tx, batch!("WHERE b.id = $1 AND +b.program_id = $2"), id, program)
}

/// Marks the batch as taken back; `false` where it was before.
pub async fn undone(tx: &mut Tx, id: BatchId, now: Time) -> Result<bool, Error> {
    Ok(execute!(tx, "UPDATE decision_batches SET undone_at = $2 WHERE id = $1 AND undone_at IS NULL", id, now)? == 1)
}

/// Puts a commission back where its batch found it, if it is still where the batch put it; the amount that
/// moved, of the one caller who did.
pub async fn restore(
    tx: &mut Tx,
    batch: BatchId,
    before: &Before,
    from: Status,
    now: Time,
) -> Result<Option<i64>, Error> {
    let row = fetch_optional!(
        (i64,),
        tx,
        "UPDATE commissions SET status = $4, reason = $5, approved_at = $6, updated_at = $7, batch_id = NULL
         WHERE id = $1 AND batch_id = $2 AND status = $3 AND status <> 'paid' AND payout_line_id IS NULL
         RETURNING amount_minor",
        before.commission_id,
        batch,
        from,
        before.from_status,
        &before.from_reason,
        before.from_approved_at,
        now
    )?;
    Ok(row.map(|(amount,)| amount))
}

/// Whether the commission is where this batch put it.
pub async fn is_untouched(tx: &mut Tx, batch: BatchId, commission: CommissionId) -> Result<bool, Error> {
    let row = fetch_optional!(
        (CommissionId,),
        tx,
        "SELECT id FROM commissions WHERE id = $1 AND batch_id = $2",
        commission,
        batch
    )?;
    Ok(row.is_some())
}
