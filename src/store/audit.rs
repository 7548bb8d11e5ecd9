//! Who did what, when, before → after. Only ever added to.

use super::{Error, Tx, execute, fetch_all, fetch_optional, row};
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
    pub struct Entry {
        pub id: Id<AuditRow>,
        pub actor: String,
        pub action: String,
        pub subject: String,
        pub before: Option<String>,
        pub after: Option<String>,
        pub reason: Option<String>,
        pub created_at: Time,
    }
}

/// What of the log is looked at; empty words are everything.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// The noun that an action begins with: `commission`.
    pub about: String,
    /// The public id of what it happened to.
    pub subject: String,
    /// Only what is older than this row.
    pub before: Option<Id<AuditRow>>,
}

impl Filter {
    /// Everything that happened to one thing.
    pub fn of(subject: String) -> Self {
        Self { subject, ..Self::default() }
    }
}

macro_rules! entries {
    ($rest:literal) => {
        concat!("SELECT id, actor, action, subject, before, after, reason, created_at FROM audit_log ", $rest)
    };
}

/// A page of a program's log, newest first.
pub async fn page(tx: &mut Tx, program: ProgramId, filter: &Filter, limit: i64) -> Result<Vec<Entry>, Error> {
    let before = filter.before.unwrap_or(Id::new(i64::MAX));
    if !filter.subject.is_empty() {
        return fetch_all!(
            Entry,
            tx,
            entries!("WHERE subject = $1 AND program_id = $2 AND id < $3 ORDER BY id DESC LIMIT $4"),
            &filter.subject,
            program,
            before,
            limit
        );
    }
    fetch_all!(
        Entry,
        tx,
        entries!("WHERE program_id = $1 AND id < $2 AND action LIKE $3 ORDER BY id DESC LIMIT $4"),
        program,
        before,
        if filter.about.is_empty() { "%".to_owned() } else { format!("{}.%", filter.about) },
        limit
    )
}

row! {
    /// What a message tells of a deed.
    #[derive(Debug)]
    pub struct Deed {
        pub action: String,
        pub subject: String,
        pub after: Option<String>,
        pub reason: Option<String>,
    }
}

pub async fn by_id(tx: &mut Tx, id: Id<AuditRow>) -> Result<Option<Deed>, Error> {
    fetch_optional!(Deed, tx, "SELECT action, subject, after, reason FROM audit_log WHERE id = $1", id)
}
