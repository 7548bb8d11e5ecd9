//! First answers to an `Idempotency-Key`, kept in the transaction of what they answered.

use super::{Error, Tx, execute, fetch_optional, row};
use crate::domain::{id::ProgramId, time::Time};

row! {
    pub struct Kept {
        pub fingerprint: String,
        pub status: i64,
        pub location: Option<String>,
        pub body: String,
    }
}

/// Claims the key for this transaction; `false` where an earlier answer is kept. On PostgreSQL this waits
/// for another transaction that holds the key.
pub async fn claim(tx: &mut Tx, program: ProgramId, key: &str, fingerprint: &str, now: Time) -> Result<bool, Error> {
    execute!(
        tx,
        "DELETE FROM idempotency WHERE program_id = $1 AND key = $2 AND created_at <= $3",
        program,
        key,
        oldest(now)
    )?;
    let claimed = execute!(
        tx,
        "INSERT INTO idempotency (program_id, key, fingerprint, status, body, created_at)
         VALUES ($1, $2, $3, 0, '', $4) ON CONFLICT (program_id, key) DO NOTHING",
        program,
        key,
        fingerprint,
        now
    )?;
    Ok(claimed == 1)
}

pub async fn kept(tx: &mut Tx, program: ProgramId, key: &str, now: Time) -> Result<Option<Kept>, Error> {
    fetch_optional!(
        Kept,
        tx,
        "SELECT fingerprint, status, location, body FROM idempotency
         WHERE program_id = $1 AND key = $2 AND created_at > $3",
        program,
        key,
        oldest(now)
    )
}

pub async fn keep(
    tx: &mut Tx,
    program: ProgramId,
    key: &str,
    status: i64,
    location: Option<&str>,
    body: &str,
) -> Result<(), Error> {
    execute!(
        tx,
        "UPDATE idempotency SET status = $3, location = $4, body = $5 WHERE program_id = $1 AND key = $2",
        program,
        key,
        status,
        location,
        body
    )
    .map(drop)
}

fn oldest(now: Time) -> Time {
    now.plus_days(-1)
}

/// Deletes answers older than a day.
pub async fn forget(tx: &mut Tx, now: Time) -> Result<u64, Error> {
    execute!(tx, "DELETE FROM idempotency WHERE created_at <= $1", oldest(now))
}
