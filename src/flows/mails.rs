//! Mails are enqueued in the transaction of their cause and written when they are sent.

use crate::{
    domain::{
        email::Email,
        id::{AccountId, AffiliateId, Ids, ProgramId},
        message::Kind,
        time::Time,
    },
    store::{
        Error, Tx, jobs,
        mails::{self, MailId, NewRow},
    },
};

/// The kind of a mail's job; its key is the mail's id.
pub const JOB: &str = "mail";

#[derive(Debug, Clone, Copy)]
pub struct NewMail<'a> {
    pub kind: Kind,
    /// The id of the row that causes it, raw: the one-time link that it carries, the commission, the audit row.
    /// The same kind for the same cause is sent once, however often it is enqueued.
    pub cause: i64,
    pub to: &'a Email,
    /// Whose name it carries; without one the portal's.
    pub program: Option<ProgramId>,
    /// Whom it is for, and whose wishes decide about what is not essential.
    pub account: Option<AccountId>,
    pub affiliate: Option<AffiliateId>,
}

/// Enqueues the mail, to be sent as soon as the caller's transaction is on disk; `false` where its cause has one.
///
/// # Errors
/// The database's.
pub async fn enqueue(tx: &mut Tx, ids: &Ids, now: Time, new: NewMail<'_>) -> Result<bool, Error> {
    let id: MailId = ids.next(now);
    let row = NewRow {
        id,
        kind: new.kind,
        cause: new.cause,
        to: new.to.as_str(),
        program: new.program,
        account: new.account,
        affiliate: new.affiliate,
    };
    if !mails::create(tx, row).await? {
        return Ok(false);
    }
    jobs::enqueue(tx, ids.next(now), JOB, &id.raw().to_string(), now).await?;
    Ok(true)
}
