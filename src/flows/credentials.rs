//! What lets a person in, asked for, changed and told about: password, address, links by mail.

use std::sync::Arc;

use super::{
    Actor, Refusal,
    mails::{self, NewMail},
    one_time_links::{self as links, NewLink},
};
use crate::{
    domain::{
        email::Email,
        id::{AccountId, Id, Ids},
        key::hash,
        message::Kind,
        one_time_link::Purpose,
        time::Time,
    },
    secret::SecretKey,
    store::{Error, Tx, accounts, audit, one_time_links, sessions},
};

/// A person doing something to their own account.
#[derive(Debug, Clone)]
pub struct By {
    pub account: AccountId,
    pub now: Time,
    pub ids: Arc<Ids>,
    pub secret: Arc<SecretKey>,
}

impl By {
    /// Writes it down; the row's id, raw, for the mail that tells of it.
    pub(super) async fn record(&self, tx: &mut Tx, action: &str) -> Result<i64, Error> {
        self.record_change(tx, action, None, None).await
    }

    async fn record_change(
        &self,
        tx: &mut Tx,
        action: &str,
        before: Option<&str>,
        after: Option<&str>,
    ) -> Result<i64, Error> {
        let id: Id<audit::AuditRow> = self.ids.next(self.now);
        let (actor, subject) = (Actor::Account(self.account).to_string(), self.account.to_string());
        let event =
            audit::Event { program: None, actor: &actor, action, subject: &subject, before, after, reason: None };
        audit::record(tx, id, event).await?;
        Ok(id.raw())
    }

    pub(super) async fn tell(&self, tx: &mut Tx, kind: Kind, cause: i64, to: &Email) -> Result<(), Error> {
        let mail = NewMail { kind, cause, to, program: None, account: Some(self.account), affiliate: None };
        mails::enqueue(tx, &self.ids, self.now, mail).await.map(drop)
    }
}

/// An address as stored, which was good when it came.
fn address(stored: &str) -> Result<Email, Error> {
    Email::parse(stored).map_err(|issue| Error::Corrupt(format!("an e-mail address: {issue}")))
}

/// Mails a link to sign in or to set a new password, if the address has an account.
///
/// # Errors
/// The database's.
pub async fn send_link(
    tx: &mut Tx,
    ids: &Arc<Ids>,
    secret: &Arc<SecretKey>,
    now: Time,
    purpose: Purpose,
    email: &Email,
) -> Result<(), Error> {
    let Some(account) = accounts::by_email(tx, email).await? else { return Ok(()) };
    let by = By { account: account.id, now, ids: Arc::clone(ids), secret: Arc::clone(secret) };
    let to = address(&account.email)?;
    one_time_links::withdraw(tx, purpose, account.id, now).await?;
    let link = NewLink { account: Some(account.id), ..NewLink::to(purpose, &to) };
    let link = links::create(tx, ids, secret, now, link).await?;
    let kind = if purpose == Purpose::ResetPassword { Kind::ResetPassword } else { Kind::SignInLink };
    by.tell(tx, kind, link.raw(), &to).await
}

/// Stores a new password and ends every other session; `this` is the one to keep.
///
/// # Errors
/// The database's.
pub async fn change_password(tx: &mut Tx, by: &By, password_hash: &str, this: &str) -> Result<(), Refusal> {
    let account = accounts::by_id(tx, by.account).await?.ok_or(Refusal::NotFound("account"))?;
    accounts::set_password(tx, by.account, password_hash, by.now).await?;
    sessions::delete_of(tx, by.account, this).await?;
    for purpose in [Purpose::SignIn, Purpose::ResetPassword] {
        one_time_links::withdraw(tx, purpose, by.account, by.now).await?;
    }
    let cause = by.record(tx, "account.password_changed").await?;
    Ok(by.tell(tx, Kind::PasswordChanged, cause, &address(&account.email)?).await?)
}

/// Uses a link for a new password up; whose it was, for the one caller who does.
///
/// # Errors
/// The database's.
pub async fn reset_password(
    tx: &mut Tx,
    ids: &Arc<Ids>,
    secret: &Arc<SecretKey>,
    now: Time,
    token: &str,
    password_hash: &str,
) -> Result<Option<AccountId>, Refusal> {
    let link = one_time_links::use_up(tx, Purpose::ResetPassword, &hash(token), now).await?;
    let Some(account) = link.and_then(|link| link.account_id) else { return Ok(None) };
    let by = By { account, now, ids: Arc::clone(ids), secret: Arc::clone(secret) };
    change_password(tx, &by, password_hash, "").await?;
    Ok(Some(account))
}

/// Sends a link to the new address. Where another account has it nothing is sent, and nobody is told which.
///
/// # Errors
/// The database's.
pub async fn ask_for_email(tx: &mut Tx, by: &By, email: &Email) -> Result<(), Refusal> {
    one_time_links::withdraw(tx, Purpose::ConfirmEmail, by.account, by.now).await?;
    if accounts::by_email(tx, email).await?.is_some_and(|other| other.id != by.account) {
        return Ok(());
    }
    let link = NewLink { account: Some(by.account), ..NewLink::to(Purpose::ConfirmEmail, email) };
    let link = links::create(tx, &by.ids, &by.secret, by.now, link).await?;
    Ok(by.tell(tx, Kind::ConfirmEmail, link.raw(), email).await?)
}

/// Uses the link at the new address up: the account has that address now, and the old one is told.
///
/// # Errors
/// When the link is no longer good, or another account has the address by now.
pub async fn confirm_email(
    tx: &mut Tx,
    ids: &Arc<Ids>,
    secret: &Arc<SecretKey>,
    now: Time,
    token: &str,
) -> Result<Email, Refusal> {
    let gone = || Refusal::NotFound("link");
    let link = one_time_links::use_up(tx, Purpose::ConfirmEmail, &hash(token), now).await?.ok_or_else(gone)?;
    let (account, email) = (link.account_id.ok_or_else(gone)?, address(link.email.as_deref().ok_or_else(gone)?)?);
    let by = By { account, now, ids: Arc::clone(ids), secret: Arc::clone(secret) };
    let before = accounts::by_id(tx, account).await?.ok_or_else(gone)?.email;
    if !accounts::set_email(tx, account, &email, now).await? {
        return Err(Refusal::field("email", "belongs to another account by now"));
    }
    // Links in the old mailbox open nothing any more.
    for purpose in [Purpose::SignIn, Purpose::ResetPassword] {
        one_time_links::withdraw(tx, purpose, account, now).await?;
    }
    let cause = by.record_change(tx, "account.email_changed", Some(&before), Some(email.as_str())).await?;
    by.tell(tx, Kind::EmailChanged, cause, &address(&before)?).await?;
    Ok(email)
}
