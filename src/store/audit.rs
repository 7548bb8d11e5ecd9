//! Who did what, when, before → after. Only ever added to.

use super::{Error, Tx, execute, fetch_all, row};
use crate::domain::{
    id::{Id, ProgramId},
    time::Time,
};

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
    /// What the log says happened.
    #[derive(Debug, Clone)]
    pub struct Logged {
        pub actor: String,
        pub action: String,
        pub before: Option<String>,
        pub after: Option<String>,
        pub reason: Option<String>,
        pub created_at: Time,
    }
}

/// What happened to one thing of a program, newest first.
pub async fn of_subject(tx: &mut Tx, program: ProgramId, subject: &str, limit: i64) -> Result<Vec<Logged>, Error> {
    fetch_all!(
        Logged,
        tx,
        "SELECT actor, action, before, after, reason, created_at FROM audit_log
         WHERE subject = $1 AND program_id = $2 ORDER BY id DESC LIMIT $3",
        subject,
        program,
        limit
    )
}
