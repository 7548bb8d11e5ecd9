//! The second step of signing in: a sealed secret for each account that has one, and recovery codes.

use super::{Error, Tx, execute, fetch_one, fetch_optional, row};
use crate::domain::{id::AccountId, time::Time};

row! {
    #[derive(Debug)]
    pub struct TwoStep {
        pub sealed_secret: String,
        pub last_step: i64,
        pub confirmed_at: Option<Time>,
    }
}

pub async fn of(tx: &mut Tx, account: AccountId) -> Result<Option<TwoStep>, Error> {
    fetch_optional!(
        TwoStep,
        tx,
        "SELECT sealed_secret, last_step, confirmed_at FROM two_steps WHERE account_id = $1",
        account
    )
}

/// Whether signing in takes a second step.
pub async fn is_on(tx: &mut Tx, account: AccountId) -> Result<bool, Error> {
    let (on,) = fetch_one!(
        (bool,),
        tx,
        "SELECT EXISTS (SELECT account_id FROM two_steps WHERE account_id = $1 AND confirmed_at IS NOT NULL)",
        account
    )?;
    Ok(on)
}

/// Begins anew with a secret that is not confirmed yet; `false` where a confirmed one is in its place.
pub async fn begin(tx: &mut Tx, account: AccountId, sealed_secret: &str, now: Time) -> Result<bool, Error> {
    let begun = execute!(
        tx,
        "INSERT INTO two_steps (account_id, sealed_secret, created_at) VALUES ($1, $2, $3)
         ON CONFLICT (account_id) DO UPDATE SET sealed_secret = excluded.sealed_secret, created_at = excluded.created_at
         WHERE two_steps.confirmed_at IS NULL",
        account,
        sealed_secret,
        now
    )?;
    Ok(begun == 1)
}

/// Confirms the secret by its first code; `true` for the one caller who does.
pub async fn confirm(
    tx: &mut Tx,
    account: AccountId,
    sealed_secret: &str,
    step: i64,
    now: Time,
) -> Result<bool, Error> {
    let confirmed = execute!(
        tx,
        "UPDATE two_steps SET confirmed_at = $4, last_step = $3
         WHERE account_id = $1 AND sealed_secret = $2 AND confirmed_at IS NULL",
        account,
        sealed_secret,
        step,
        now
    )?;
    Ok(confirmed == 1)
}

/// Uses the code of that step up; `true` for the one caller who does.
pub async fn use_step(tx: &mut Tx, account: AccountId, step: i64) -> Result<bool, Error> {
    let used = execute!(
        tx,
        "UPDATE two_steps SET last_step = $2 WHERE account_id = $1 AND last_step < $2 AND confirmed_at IS NOT NULL",
        account,
        step
    )?;
    Ok(used == 1)
}

/// Uses a recovery code up; `true` for the one caller who does.
pub async fn use_recovery_code(tx: &mut Tx, account: AccountId, code_hash: &str, now: Time) -> Result<bool, Error> {
    let used = execute!(
        tx,
        "UPDATE recovery_codes SET used_at = $3 WHERE account_id = $1 AND code_hash = $2 AND used_at IS NULL",
        account,
        code_hash,
        now
    )?;
    Ok(used == 1)
}

pub async fn add_recovery_code(tx: &mut Tx, account: AccountId, code_hash: &str) -> Result<(), Error> {
    execute!(tx, "INSERT INTO recovery_codes (account_id, code_hash) VALUES ($1, $2)", account, code_hash).map(drop)
}

pub async fn forget_recovery_codes(tx: &mut Tx, account: AccountId) -> Result<(), Error> {
    execute!(tx, "DELETE FROM recovery_codes WHERE account_id = $1", account).map(drop)
}

/// How many recovery codes are left.
pub async fn recovery_codes_left(tx: &mut Tx, account: AccountId) -> Result<i64, Error> {
    let (left,) = fetch_one!(
        (i64,),
        tx,
        "SELECT COUNT(*) FROM recovery_codes WHERE account_id = $1 AND used_at IS NULL",
        account
    )?;
    Ok(left)
}

/// Ends it; whether there was one.
pub async fn end(tx: &mut Tx, account: AccountId) -> Result<bool, Error> {
    forget_recovery_codes(tx, account).await?;
    Ok(execute!(tx, "DELETE FROM two_steps WHERE account_id = $1", account)? == 1)
}
