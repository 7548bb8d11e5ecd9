//! The second step of signing in: begun, confirmed by a first code, used, ended.

use super::{Refusal, credentials::By};
use crate::{
    domain::{
        email::Email,
        key::hex,
        message::Kind,
        two_step::{self, RECOVERY_CODES, SECRET_BYTES},
    },
    secret::SecretKey,
    store::{Error, Tx, accounts, two_steps},
};

fn purpose(by: &By) -> String {
    format!("two-step {}", by.account)
}

/// The secret of the account, opened.
pub fn opened(by: &By, sealed: &str) -> Option<Vec<u8>> {
    by.secret.open(&purpose(by), sealed)
}

fn code_hash(secret: &SecretKey, by: &By, code: &str) -> String {
    hex(&secret.hash("recovery code", &format!("{}:{}", by.account, two_step::folded(code))))
}

/// Begins with a new secret, which does nothing until a code confirms it.
///
/// # Errors
/// When it is on already.
pub async fn begin(tx: &mut Tx, by: &By) -> Result<(), Refusal> {
    let secret: [u8; SECRET_BYTES] = rand::random();
    let sealed = by.secret.seal(&purpose(by), &secret).ok_or_else(|| Error::Corrupt("a secret to seal".into()))?;
    if two_steps::begin(tx, by.account, &sealed, by.now).await? {
        Ok(())
    } else {
        Err(Refusal::field("code", "is not needed: two-step sign-in is on already"))
    }
}

/// Turns it on by a first code; the recovery codes, which are told here and never again.
///
/// # Errors
/// When the code is not one of now.
pub async fn confirm(tx: &mut Tx, by: &By, code: &str) -> Result<Vec<String>, Refusal> {
    let begun = two_steps::of(tx, by.account).await?.filter(|found| found.confirmed_at.is_none());
    let begun = begun.ok_or(Refusal::NotFound("two-step sign-in that was begun"))?;
    let secret = opened(by, &begun.sealed_secret).ok_or(Refusal::NotFound("two-step sign-in that was begun"))?;
    let wrong = || Refusal::field("code", "is not the one that the app shows now");
    let step = two_step::step(&secret, code, by.now).ok_or_else(wrong)?;
    if !two_steps::confirm(tx, by.account, &begun.sealed_secret, step, by.now).await? {
        return Err(wrong());
    }
    tell(tx, by, "account.two_step_on").await?;
    new_codes(tx, by).await
}

/// Writes it down and tells the person, who may not be the one who did it.
async fn tell(tx: &mut Tx, by: &By, action: &str) -> Result<(), Error> {
    let cause = by.record(tx, action).await?;
    let to = accounts::by_id(tx, by.account).await?.and_then(|account| Email::parse(&account.email).ok());
    match to {
        Some(to) => by.tell(tx, Kind::TwoStepChanged, cause, &to).await,
        None => Ok(()),
    }
}

/// Replaces the recovery codes.
///
/// # Errors
/// When two-step sign-in is off.
pub async fn renew_codes(tx: &mut Tx, by: &By) -> Result<Vec<String>, Refusal> {
    if !two_steps::is_on(tx, by.account).await? {
        return Err(Refusal::NotFound("two-step sign-in"));
    }
    by.record(tx, "account.recovery_codes_renewed").await?;
    new_codes(tx, by).await
}

async fn new_codes(tx: &mut Tx, by: &By) -> Result<Vec<String>, Refusal> {
    two_steps::forget_recovery_codes(tx, by.account).await?;
    let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| two_step::recovery_code(rand::random)).collect();
    for code in &codes {
        two_steps::add_recovery_code(tx, by.account, &code_hash(&by.secret, by, code)).await?;
    }
    Ok(codes)
}

/// Uses up a code of the app or of paper; whether it was good. None is good twice.
///
/// # Errors
/// The database's.
pub async fn use_code(tx: &mut Tx, by: &By, code: &str) -> Result<bool, Error> {
    let Some(found) = two_steps::of(tx, by.account).await?.filter(|found| found.confirmed_at.is_some()) else {
        return Ok(false);
    };
    let secret = opened(by, &found.sealed_secret);
    if let Some(step) = secret.and_then(|secret| two_step::step(&secret, code, by.now)) {
        return two_steps::use_step(tx, by.account, step).await;
    }
    let used = two_steps::use_recovery_code(tx, by.account, &code_hash(&by.secret, by, code), by.now).await?;
    if used {
        by.record(tx, "account.recovery_code_used").await?;
    }
    Ok(used)
}

/// Turns it off.
///
/// # Errors
/// The database's.
pub async fn end(tx: &mut Tx, by: &By) -> Result<(), Refusal> {
    if two_steps::end(tx, by.account).await? {
        tell(tx, by, "account.two_step_off").await?;
    }
    Ok(())
}
