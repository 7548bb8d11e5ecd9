//! Accounts: made on the command line or at set-up.

use super::{Act, Change, Refusal, programs};
use crate::{
    domain::{
        email::Email,
        id::{AccountId, Ids},
        key::{Secret, hash},
        time::Time,
    },
    store::{Error, Tx, accounts, audit},
};

#[derive(Debug)]
pub struct NewAccount {
    pub email: Email,
    pub name: String,
    /// An argon2 hash in PHC form.
    pub password_hash: Option<String>,
}

/// # Errors
/// When the address has an account.
pub async fn create(tx: &mut Tx, ids: &Ids, now: Time, new: &NewAccount) -> Result<AccountId, Refusal> {
    let id = ids.next(now);
    if !accounts::create(tx, id, &new.email, &new.name, new.password_hash.as_deref()).await? {
        return Err(Refusal::field("email", "has an account already"));
    }
    let event = audit::Event {
        program: None,
        actor: "command line",
        action: "account.created",
        subject: &id.to_string(),
        before: None,
        after: None,
        reason: None,
    };
    audit::record(tx, ids.next(now), event).await?;
    Ok(id)
}

/// The address under which the first account and program are made, while there is no account: its token.
///
/// # Errors
/// The database's.
pub async fn setup_token(tx: &mut Tx, now: Time) -> Result<Option<Secret>, Error> {
    if accounts::any(tx).await? {
        return Ok(None);
    }
    let secret = Secret::generate(rand::random);
    accounts::set_setup_token(tx, &hash(secret.as_str()), now).await?;
    Ok(Some(secret))
}

/// Uses the set-up address up: makes the first account, and its program from `act`.
///
/// # Errors
/// When the address was used meanwhile, or what was filled in is taken.
pub async fn set_up(tx: &mut Tx, act: Act, token: &str, new: &NewAccount) -> Result<AccountId, Refusal> {
    if !accounts::use_setup_token(tx, &hash(token)).await? {
        return Err(Refusal::NotFound("set-up address"));
    }
    let id: AccountId = act.id();
    let act = Act { actor: super::Actor::Account(id), ..act };
    if !accounts::create(tx, id, &new.email, &new.name, new.password_hash.as_deref()).await? {
        return Err(Refusal::field("email", "has an account already"));
    }
    programs::create(tx, &act, id).await?;
    act.audit(tx, "account.created", id, Change::default()).await?;
    Ok(id)
}
