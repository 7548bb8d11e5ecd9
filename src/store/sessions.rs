//! Browser sessions. The id is hashed at rest, and saving only ever changes a session that is still there:
//! a request that outlives signing out brings nothing back.

use super::{Error, Tx, execute, fetch_all, fetch_optional, row};
use crate::domain::{id::AccountId, time::Time};

/// A session ends this long after it began, however much it is used, and this long after it was last used.
pub const ABSOLUTE_DAYS: i64 = 30;
const IDLE_DAYS: i64 = 7;
/// How often a session's use is written down.
const SEEN_EVERY_SECONDS: i64 = 3_600;

row! {
    pub struct Session {
        pub data: String,
        pub expires_at: Time,
        pub last_seen_at: Time,
    }
}

/// Makes the session; `false` where the id is taken.
pub async fn create(tx: &mut Tx, id_hash: &str, data: &str, now: Time, expires: Time) -> Result<bool, Error> {
    let made = execute!(
        tx,
        "INSERT INTO sessions (id_hash, data, created_at, last_seen_at, expires_at) VALUES ($1, $2, $3, $3, $4)
         ON CONFLICT (id_hash) DO NOTHING",
        id_hash,
        data,
        now,
        expires
    )?;
    Ok(made == 1)
}

pub async fn load(tx: &mut Tx, id_hash: &str, now: Time) -> Result<Option<Session>, Error> {
    fetch_optional!(
        Session,
        tx,
        "SELECT data, expires_at, last_seen_at FROM sessions WHERE id_hash = $1 AND expires_at > $2 AND last_seen_at > $3",
        id_hash,
        now,
        now.plus_days(-IDLE_DAYS)
    )
}

impl Session {
    pub fn is_due_to_be_seen(&self, now: Time) -> bool {
        self.last_seen_at.plus_seconds(SEEN_EVERY_SECONDS) <= now
    }
}

pub async fn seen(tx: &mut Tx, id_hash: &str, now: Time) -> Result<(), Error> {
    execute!(tx, "UPDATE sessions SET last_seen_at = $2 WHERE id_hash = $1", id_hash, now).map(drop)
}

pub async fn save(
    tx: &mut Tx,
    id_hash: &str,
    account: Option<AccountId>,
    data: &str,
    now: Time,
    expires: Time,
) -> Result<(), Error> {
    execute!(
        tx,
        "UPDATE sessions SET account_id = $2, data = $3, last_seen_at = $4,
           expires_at = CASE WHEN $5 < created_at + $6 THEN $5 ELSE created_at + $6 END
         WHERE id_hash = $1",
        id_hash,
        account,
        data,
        now,
        expires,
        ABSOLUTE_DAYS * 86_400_000
    )
    .map(drop)
}

pub async fn delete(tx: &mut Tx, id_hash: &str) -> Result<(), Error> {
    execute!(tx, "DELETE FROM sessions WHERE id_hash = $1", id_hash).map(drop)
}

row! {
    /// One of an account's sessions.
    #[derive(Debug)]
    pub struct Listed {
        pub id_hash: String,
        pub data: String,
        pub created_at: Time,
        pub last_seen_at: Time,
    }
}

/// The account's sessions that are good, the one used last first; at most a hundred.
pub async fn of_account(tx: &mut Tx, account: AccountId, now: Time) -> Result<Vec<Listed>, Error> {
    fetch_all!(
        Listed,
        tx,
        "SELECT id_hash, data, created_at, last_seen_at FROM sessions
         WHERE account_id = $1 AND expires_at > $2 AND last_seen_at > $3 ORDER BY last_seen_at DESC, id_hash LIMIT 100",
        account,
        now,
        now.plus_days(-IDLE_DAYS)
    )
}

/// Ends one of the account's sessions; whether it was one of theirs.
pub async fn delete_one_of(tx: &mut Tx, account: AccountId, id_hash: &str) -> Result<bool, Error> {
    Ok(execute!(tx, "DELETE FROM sessions WHERE account_id = $1 AND id_hash = $2", account, id_hash)? == 1)
}

/// Ends all of the account's sessions but that one, which may be none.
pub async fn delete_of(tx: &mut Tx, account: AccountId, but: &str) -> Result<u64, Error> {
    execute!(tx, "DELETE FROM sessions WHERE account_id = $1 AND id_hash <> $2", account, but)
}

pub async fn forget(tx: &mut Tx, now: Time) -> Result<u64, Error> {
    execute!(tx, "DELETE FROM sessions WHERE expires_at <= $1 OR last_seen_at <= $2", now, now.plus_days(-IDLE_DAYS))
}
