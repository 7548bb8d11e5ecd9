//! Coming in by a link that was sent to one's address, whether it confirms an application or accepts an
//! invitation: with a new account, or as the account that has this address.

use super::{Act, Actor, Change, Refusal};
use crate::{
    domain::{
        email::Email,
        id::{AccountId, AffiliateId},
        one_time_link::Purpose,
        time::Time,
    },
    store::{
        Tx, accounts,
        one_time_links::{self, Link},
    },
};

/// As whom somebody comes in.
#[derive(Debug)]
pub enum Who {
    /// Signed in.
    Account(AccountId),
    /// With a password of their own, as an argon2 hash in PHC form.
    New { password_hash: String },
}

/// Somebody is in.
#[derive(Debug, Clone, Copy)]
pub struct In {
    pub account: AccountId,
    pub affiliate: AffiliateId,
    pub is_active: bool,
}

/// Uses the link up.
///
/// # Errors
/// When it is used up already, or never was one.
pub(super) async fn use_link(
    tx: &mut Tx,
    purpose: Purpose,
    token_hash: &str,
    now: Time,
) -> Result<(Link, Email), Refusal> {
    let link = one_time_links::use_up(tx, purpose, token_hash, now).await?.ok_or(Refusal::NotFound("link"))?;
    let email = link.email.as_deref().and_then(|email| Email::parse(email).ok());
    let email = email.ok_or(Refusal::NotFound("link"))?;
    Ok((link, email))
}

/// The account of that address that comes in, and what it does from here on as its own.
///
/// # Errors
/// When the address has an account and this is not it.
pub(super) async fn account(
    tx: &mut Tx,
    act: Act,
    email: &Email,
    name: &str,
    who: Who,
) -> Result<(AccountId, Act), Refusal> {
    match who {
        Who::Account(id) => {
            let known = accounts::by_email(tx, email).await?;
            if known.is_none_or(|known| known.id != id) {
                return Err(Refusal::field("email", "is not the address of the account that is signed in"));
            }
            Ok((id, Act { actor: Actor::Account(id), ..act }))
        }
        Who::New { password_hash } => {
            let id: AccountId = act.id();
            let act = Act { actor: Actor::Account(id), ..act };
            if !accounts::create(tx, id, email, name, Some(&password_hash)).await? {
                return Err(Refusal::field("email", "has an account already: sign in to go on"));
            }
            act.audit(tx, "account.created", id, Change::default()).await?;
            Ok((id, act))
        }
    }
}
