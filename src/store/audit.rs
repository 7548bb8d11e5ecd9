//! Who did what, when, before → after. Only ever added to.

use super::{Error, Tx, execute, fetch_optional, row};
use crate::domain::id::{Id, ProgramId};

/// An audit row has no public id.
#[derive(Debug)]
pub enum AuditRow {}

#[derive(Debug)]
pub struct Event<'a> {
    pub program: Option<ProgramId>,
    /// `key:key_…`, `account:acct_…` or `command line`.
    pub actor: &'a str,
    /// A noun and what happened to it: `commission.approved`.
    pub action: &'a str,
    /// The public id of what it happened to.
    pub subject: &'a str,
    pub before: Option<&'a str>,
    pub after: Option<&'a str>,
    pub reason: Option<&'a str>,
}

pub async fn record(tx: &mut Tx, id: Id<AuditRow>, event: Event<'_>) -> Result<(), Error> {
    execute!(
        tx,
        "INSERT INTO audit_log (id, program_id, actor, action, subject, before, after, reason, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        id,
        event.program,
        event.actor,
        event.action,
        event.subject,
        event.before,
        event.after,
        event.reason,
        id.time()
    )
    .map(drop)
}

row! {
    /// What a message tells of a deed.
    #[derive(Debug)]
    pub struct Deed {
        pub subject: String,
        pub reason: Option<String>,
    }
}

pub async fn by_id(tx: &mut Tx, id: Id<AuditRow>) -> Result<Option<Deed>, Error> {
    fetch_optional!(Deed, tx, "SELECT subject, reason FROM audit_log WHERE id = $1", id)
}
