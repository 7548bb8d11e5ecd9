//! Mails: a row for each cause, without words, and what became of it.

use super::{Error, Tx, execute, fetch_optional, row};
use crate::domain::{
    id::{AccountId, AffiliateId, Id, ProgramId},
    message::Kind,
    time::Time,
};

/// A mail has no public id.
#[derive(Debug)]
pub enum MailRow {}

pub type MailId = Id<MailRow>;

row! {
    #[derive(Debug, Clone)]
    pub struct Mail {
        pub id: MailId,
        pub kind: Kind,
        pub cause_id: i64,
        pub program_id: Option<ProgramId>,
        pub account_id: Option<AccountId>,
        pub affiliate_id: Option<AffiliateId>,
        pub to_email: String,
        pub created_at: Time,
        pub attempts: i64,
    }
}

#[derive(Debug)]
pub struct NewRow<'a> {
    pub id: MailId,
    pub kind: Kind,
    pub cause: i64,
    pub to: &'a str,
    pub program: Option<ProgramId>,
    pub account: Option<AccountId>,
    pub affiliate: Option<AffiliateId>,
}

/// Records the mail; `false` where its cause has one already.
pub async fn create(tx: &mut Tx, new: NewRow<'_>) -> Result<bool, Error> {
    let made = execute!(
        tx,
        "INSERT INTO mails (id, kind, cause_id, program_id, account_id, affiliate_id, to_email, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (kind, cause_id) DO NOTHING",
        new.id,
        new.kind,
        new.cause,
        new.program,
        new.account,
        new.affiliate,
        new.to,
        new.id.time()
    )?;
    Ok(made == 1)
}

/// The mail, while it waits to be sent.
pub async fn waiting(tx: &mut Tx, id: MailId) -> Result<Option<Mail>, Error> {
    fetch_optional!(
        Mail,
        tx,
        "SELECT id, kind, cause_id, program_id, account_id, affiliate_id, to_email, created_at, attempts FROM mails
         WHERE id = $1 AND sent_at IS NULL AND dropped_at IS NULL AND failed_at IS NULL",
        id
    )
}

/// The server has it, or it is in the outbox.
pub async fn sent(tx: &mut Tx, id: MailId, now: Time) -> Result<(), Error> {
    execute!(
        tx,
        "UPDATE mails SET sent_at = $2, attempts = attempts + 1, last_error = NULL WHERE id = $1 AND sent_at IS NULL",
        id,
        now
    )
    .map(drop)
}

/// It no longer applies, for that reason.
pub async fn dropped(tx: &mut Tx, id: MailId, reason: &str, now: Time) -> Result<(), Error> {
    execute!(tx, "UPDATE mails SET dropped_at = $2, last_error = $3 WHERE id = $1", id, now, reason).map(drop)
}

/// It was tried and will be again.
pub async fn postponed(tx: &mut Tx, id: MailId, error: &str) -> Result<(), Error> {
    execute!(tx, "UPDATE mails SET attempts = attempts + 1, last_error = $2 WHERE id = $1", id, error).map(drop)
}

/// It was tried and will not be again.
pub async fn failed(tx: &mut Tx, id: MailId, error: &str, now: Time) -> Result<(), Error> {
    execute!(
        tx,
        "UPDATE mails SET failed_at = $2, attempts = attempts + 1, last_error = $3 WHERE id = $1",
        id,
        now,
        error
    )
    .map(drop)
}
