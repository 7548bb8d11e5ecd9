//! Programs and their keys being made and changed.

use super::{Act, Change, Refusal};
use crate::{
    domain::{
        id::{AccountId, ProgramId},
        key::{Scope, Secret},
        money::Currency,
        program::{DEFAULT_ATTRIBUTION_DAYS, DEFAULT_RATE, Program},
        role::Role,
        time::Time,
    },
    store::{Tx, accounts, keys, programs, totals},
};

/// Makes `act.program`, owned by the account.
///
/// # Errors
/// When the slug is taken.
pub async fn create(tx: &mut Tx, act: &Act, owner: AccountId) -> Result<(), Refusal> {
    if !programs::create(tx, &act.program).await? {
        return Err(Refusal::field("slug", "is already taken"));
    }
    totals::start_program(tx, act.program.id).await?;
    accounts::join(tx, owner, act.program.id, Role::Owner, act.now).await?;
    Ok(act.audit(tx, "program.created", act.program.id, Change::default()).await?)
}

/// Stores the settings of `after`, a changed copy of `act.program`.
///
/// # Errors
/// The database's.
pub async fn change(tx: &mut Tx, act: &Act, after: &Program) -> Result<(), Refusal> {
    programs::update(tx, after, act.now).await?;
    let words = |program: &Program| {
        let landing = program.landing_url.as_ref().map_or("", |url| url.as_str());
        format!(
            "name {}, commission {}, attribution days {}, landing page {landing}, domains {}",
            program.name,
            program.rate,
            program.attribution_days,
            program.domains.join(", ")
        )
    };
    let (before, after_words) = (words(&act.program), words(after));
    let change = Change { before: Some(&before), after: Some(&after_words), reason: None };
    Ok(act.audit(tx, "program.changed", act.program.id, change).await?)
}

/// Makes a key; the secret is shown once, here.
///
/// # Errors
/// The database's.
pub async fn create_key(
    tx: &mut Tx,
    act: &Act,
    name: &str,
    scope: Scope,
    expires_at: Option<Time>,
) -> Result<Secret, Refusal> {
    let (id, secret) = (act.id(), Secret::generate(rand::random));
    let new = keys::NewKey { id, program: act.program.id, name, scope, secret: &secret, expires_at };
    keys::create(tx, new).await?;
    let after = format!("{name}, {scope}, {}", secret.prefix());
    act.audit(tx, "key.created", id, Change { after: Some(&after), ..Change::default() }).await?;
    Ok(secret)
}

/// Revokes the program's one working key with this prefix as listed.
///
/// # Errors
/// When there is none, or (of a shortened prefix) more than one.
pub async fn revoke_key(tx: &mut Tx, act: &Act, prefix: &str) -> Result<(), Refusal> {
    let found = keys::with_prefix(tx, act.program.id, prefix).await?;
    let [id] = found[..] else {
        return Err(if found.is_empty() {
            Refusal::NotFound("key")
        } else {
            Refusal::field("prefix", "stands for more than one key")
        });
    };
    keys::revoke(tx, id, act.now).await?;
    Ok(act.audit(tx, "key.revoked", id, Change { before: Some(prefix), ..Change::default() }).await?)
}

/// A program with the product's default settings.
pub fn new(id: ProgramId, slug: String, name: String, currency: Currency) -> Program {
    Program {
        id,
        slug,
        name,
        currency,
        rate: DEFAULT_RATE,
        attribution_days: DEFAULT_ATTRIBUTION_DAYS,
        landing_url: None,
        domains: Vec::new(),
    }
}
