//! API keys: stored as a hash, listed by what can be told without it.

use super::{Error, Tx, execute, fetch_all, fetch_one, fetch_optional, row};
use crate::domain::{
    id::{KeyId, ProgramId},
    key::{Scope, Secret, hash},
    time::Time,
};

row! {
    /// What a request with the key needs to know.
    #[derive(Debug, Clone)]
    pub struct Key {
        pub id: KeyId,
        pub program_id: ProgramId,
        pub scope: Scope,
        pub expires_at: Option<Time>,
        pub last_used_at: Option<Time>,
    }
}

row! {
    pub struct Listed {
        pub id: KeyId,
        pub prefix: String,
        pub last_four: String,
        pub scope: Scope,
        pub name: String,
        pub created_at: Time,
        pub expires_at: Option<Time>,
        pub revoked_at: Option<Time>,
        pub last_used_at: Option<Time>,
    }
}

#[derive(Debug)]
pub struct NewKey<'a> {
    pub id: KeyId,
    pub program: ProgramId,
    pub name: &'a str,
    pub scope: Scope,
    pub secret: &'a Secret,
    pub expires_at: Option<Time>,
}

pub async fn create(tx: &mut Tx, new: NewKey<'_>) -> Result<(), Error> {
    execute!(
        tx,
        "INSERT INTO api_keys (id, program_id, name, prefix, last_four, hash, scope, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        new.id,
        new.program,
        new.name,
        new.secret.prefix(),
        new.secret.last_four(),
        hash(new.secret.as_str()),
        new.scope,
        new.id.time(),
        new.expires_at
    )
    .map(drop)
}

/// The key that is not revoked and has this hash. The caller holds its expiry against the time.
pub async fn by_hash(tx: &mut Tx, hash: &str) -> Result<Option<Key>, Error> {
    fetch_optional!(
        Key,
        tx,
        "SELECT id, program_id, scope, expires_at, last_used_at FROM api_keys WHERE hash = $1 AND revoked_at IS NULL",
        hash
    )
}

pub async fn list(tx: &mut Tx, program: ProgramId) -> Result<Vec<Listed>, Error> {
    fetch_all!(
        Listed,
        tx,
        "SELECT id, prefix, last_four, scope, name, created_at, expires_at, revoked_at, last_used_at FROM api_keys
         WHERE program_id = $1 ORDER BY id DESC",
        program
    )
}

pub async fn name(tx: &mut Tx, id: KeyId) -> Result<Option<String>, Error> {
    Ok(fetch_optional!((String,), tx, "SELECT name FROM api_keys WHERE id = $1", id)?.map(|(name,)| name))
}

/// The program's working keys with this prefix as listed.
pub async fn with_prefix(tx: &mut Tx, program: ProgramId, prefix: &str) -> Result<Vec<KeyId>, Error> {
    let rows = fetch_all!(
        (KeyId,),
        tx,
        "SELECT id FROM api_keys WHERE program_id = $1 AND prefix = $2 AND revoked_at IS NULL",
        program,
        prefix
    )?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

pub async fn revoke(tx: &mut Tx, id: KeyId, now: Time) -> Result<(), Error> {
    execute!(tx, "UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL", id, now).map(drop)
}

pub async fn touch(tx: &mut Tx, id: KeyId, now: Time) -> Result<(), Error> {
    execute!(tx, "UPDATE api_keys SET last_used_at = $2 WHERE id = $1", id, now).map(drop)
}

/// Whether the program has a key that was not revoked.
pub async fn any(tx: &mut Tx, program: ProgramId) -> Result<bool, Error> {
    let (any,) = fetch_one!(
        (bool,),
        tx,
        "SELECT EXISTS (SELECT id FROM api_keys WHERE program_id = $1 AND revoked_at IS NULL)",
        program
    )?;
    Ok(any)
}
