//! Programs and their keys being made and changed.

use super::{Act, Change, Refusal, announcements};
use crate::{
    domain::{
        attribution::Touch,
        id::{AccountId, KeyId, ProgramId},
        key::{Scope, Secret},
        money::Currency,
        program::{DEFAULT_ATTRIBUTION_DAYS, DEFAULT_RATE, Difference, Program, differences},
        role::Role,
        rules,
        signals::Settings,
        time::Time,
        volume::Caps,
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

/// Stores the settings of `program`, a changed copy of `act.program`; what differs.
///
/// # Errors
/// The database's.
pub async fn change(tx: &mut Tx, act: &Act, program: &Program) -> Result<Vec<Difference>, Refusal> {
    let differences = differences(&act.program, program);
    if differences.is_empty() {
        return Ok(differences);
    }
    programs::update(tx, program, act.now).await?;
    let (before, after) = Difference::in_words(&differences);
    let change = Change { before: Some(&before), after: Some(&after), reason: None };
    act.audit(tx, "program.changed", act.program.id, change).await?;
    announce(tx, act, program).await?;
    Ok(differences)
}

/// Tells affiliates where they earn something else from now on. A rule for every sale of everybody stands before the
/// program's rate, which touches nobody then.
async fn announce(tx: &mut Tx, act: &Act, after: &Program) -> Result<(), Refusal> {
    let (before, currency) = (&act.program, after.currency);
    let mut told = Vec::new();
    if before.rate != after.rate && !before.rules.iter().any(|rule| rule.decides_all(act.now)) {
        told.push(format!("{} of each sale instead of {}", after.rate, before.rate));
    }
    if before.caps != after.caps {
        told.push(format!("{} instead of {}", after.caps.in_words(currency), before.caps.in_words(currency)));
    }
    if told.is_empty() {
        return Ok(());
    }
    announcements::announce(tx, act, rules::Scope::Everybody, &told.join("; "), act.now).await
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
    revoke(tx, act, id, prefix).await
}

/// Revokes one key. One that is revoked already stays so.
///
/// # Errors
/// When the program has no such key.
pub async fn revoke_key_by_id(tx: &mut Tx, act: &Act, id: KeyId) -> Result<(), Refusal> {
    let all = keys::list(tx, act.program.id).await?;
    let key = all.into_iter().find(|key| key.id == id).ok_or(Refusal::NotFound("key"))?;
    if key.revoked_at.is_some() {
        return Ok(());
    }
    revoke(tx, act, id, &key.prefix).await
}

async fn revoke(tx: &mut Tx, act: &Act, id: KeyId, prefix: &str) -> Result<(), Refusal> {
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
        rules: Vec::new(),
        signals: Settings::default(),
        caps: Caps::default(),
        touch: Touch::Last,
        bound_days: None,
        coupon_wins: true,
        new_customers_only: false,
        hold_days: 0,
        landing_url: None,
        domains: Vec::new(),
    }
}
