//! Refunds of sales, each named by the merchant's own refund id where there is one.

use super::{Error, Tx, execute, fetch_all, fetch_one, fetch_optional, row};
use crate::domain::{
    id::{ConversionId, ProgramId, RefundId},
    time::Time,
};

row! {
    #[derive(Debug, Clone)]
    pub struct Refund {
        pub id: RefundId,
        pub conversion_id: ConversionId,
        pub refund_key: Option<String>,
        pub amount_minor: i64,
        pub reversed_minor: i64,
        pub reason: Option<String>,
        pub created_at: Time,
        /// When it came to nothing: it failed, or its dispute was won.
        pub restored_at: Option<Time>,
        /// How much commission that gave back.
        pub restored_minor: i64,
    }
}

/// Records the refund; `false` where the program has one of that key.
pub async fn create(tx: &mut Tx, program: ProgramId, refund: &Refund) -> Result<bool, Error> {
    let made = execute!(
        tx,
        "INSERT INTO refunds (id, program_id, conversion_id, refund_key, amount_minor, reversed_minor, reason, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (program_id, refund_key) DO NOTHING",
        refund.id,
        program,
        refund.conversion_id,
        &refund.refund_key,
        refund.amount_minor,
        refund.reversed_minor,
        &refund.reason,
        refund.created_at
    )?;
    Ok(made == 1)
}

pub async fn by_key(tx: &mut Tx, program: ProgramId, key: &str) -> Result<Option<Refund>, Error> {
    fetch_optional!(
        Refund,
        tx,
        "SELECT id, conversion_id, refund_key, amount_minor, reversed_minor, reason, created_at, restored_at, restored_minor
         FROM refunds WHERE program_id = $1 AND refund_key = $2",
        program,
        key
    )
}

pub async fn by_id(tx: &mut Tx, program: ProgramId, id: RefundId) -> Result<Option<Refund>, Error> {
    fetch_optional!(
        Refund,
        tx,
        "SELECT id, conversion_id, refund_key, amount_minor, reversed_minor, reason, created_at, restored_at, restored_minor
         FROM refunds WHERE id = $1 AND +program_id = $2",
        id,
        program
    )
}

/// A sale's refunds, oldest first.
pub async fn of_sale(tx: &mut Tx, sale: ConversionId) -> Result<Vec<Refund>, Error> {
    fetch_all!(
        Refund,
        tx,
        "SELECT id, conversion_id, refund_key, amount_minor, reversed_minor, reason, created_at, restored_at, restored_minor
         FROM refunds WHERE conversion_id = $1 ORDER BY id LIMIT 100",
        sale
    )
}

/// How much commission a sale's refunds have taken back and not given back so far, in minor units.
pub async fn reversed(tx: &mut Tx, sale: ConversionId) -> Result<i64, Error> {
    let (sum,) = fetch_one!(
        (i64,),
        tx,
        "SELECT CAST(COALESCE(SUM(reversed_minor - restored_minor), 0) AS BIGINT) FROM refunds WHERE conversion_id = $1",
        sale
    )?;
    Ok(sum)
}

/// Marks the refund as having come to nothing, once; whether this was it.
pub async fn restore(tx: &mut Tx, id: RefundId, given_back: i64, now: Time) -> Result<bool, Error> {
    let restored = execute!(
        tx,
        "UPDATE refunds SET restored_at = $2, restored_minor = $3 WHERE id = $1 AND restored_at IS NULL",
        id,
        now,
        given_back
    )?;
    Ok(restored == 1)
}
