//! What takes several steps: called by handlers, jobs and the command line alike, always inside one
//! transaction that the caller opened.

pub mod accounts;
pub mod adjustments;
pub mod affiliates;
pub mod announcements;
pub mod applications;
pub mod claims;
pub mod commissions;
pub mod conversions;
pub mod coupons;
pub mod credentials;
pub mod decisions;
pub mod groups;
pub mod holds;
pub mod imports;
pub mod invitations;
pub mod invoices;
pub mod joining;
pub mod leads;
pub mod links;
pub mod looks;
pub mod mail_texts;
pub mod mails;
pub mod one_time_links;
pub mod payment_details;
pub mod payout_decisions;
pub mod payouts;
pub mod programs;
pub mod provider_connections;
pub mod provider_effects;
pub mod provider_events;
mod provider_sales;
pub mod provider_settlement;
pub mod refunds;
pub mod rules;
pub mod tax;
pub mod team;
pub mod tracking;
pub mod two_steps;

use std::{borrow::Cow, fmt, sync::Arc};

use crate::{
    domain::{
        Issue, attribution,
        id::{AccountId, Id, Ids, KeyId, Kind},
        program::Program,
        providers::Provider,
        time::Time,
    },
    secret::SecretKey,
    store::{self, Tx, audit},
};

/// Who does something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    Key(KeyId),
    Account(AccountId),
    CommandLine,
    /// The program itself, when its settings say so.
    Schedule,
    /// A payment provider, by an event of its.
    Provider(Provider),
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(id) => write!(f, "key:{id}"),
            Self::Account(id) => write!(f, "account:{id}"),
            Self::Schedule => f.write_str("schedule"),
            Self::CommandLine => f.write_str("command line"),
            Self::Provider(provider) => write!(f, "provider:{provider}"),
        }
    }
}

/// One thing done in one program: by whom, when, and where its ids come from.
#[derive(Debug, Clone)]
pub struct Act {
    pub program: Arc<Program>,
    pub actor: Actor,
    pub now: Time,
    pub ids: Arc<Ids>,
    pub secret: Arc<SecretKey>,
}

/// What the audit log keeps of a change.
#[derive(Debug, Default)]
pub struct Change<'a> {
    pub before: Option<&'a str>,
    pub after: Option<&'a str>,
    pub reason: Option<&'a str>,
}

impl Act {
    pub fn id<K>(&self) -> Id<K> {
        self.ids.next(self.now)
    }

    async fn audit<K: Kind>(
        &self,
        tx: &mut Tx,
        action: &str,
        subject: Id<K>,
        change: Change<'_>,
    ) -> Result<(), store::Error> {
        self.deed(tx, action, subject, change).await.map(drop)
    }

    /// The same; the audit row's id, for what the deed causes.
    async fn deed<K: Kind>(
        &self,
        tx: &mut Tx,
        action: &str,
        subject: Id<K>,
        change: Change<'_>,
    ) -> Result<Id<audit::AuditRow>, store::Error> {
        let id = self.id();
        let event = audit::Event {
            program: Some(self.program.id),
            actor: &self.actor.to_string(),
            action,
            subject: &subject.to_string(),
            before: change.before,
            after: change.after,
            reason: change.reason,
        };
        audit::record(tx, id, event).await?;
        Ok(id)
    }
}

/// Why something was not done. Nothing was stored then.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("{field} {issue}")]
    Field { field: &'static str, issue: Issue },
    #[error("no such {0}")]
    NotFound(&'static str),
    /// A sale is nobody's.
    #[error(transparent)]
    Credit(#[from] attribution::Refusal),
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Refusal {
    pub fn field(field: &'static str, issue: impl Into<Cow<'static, str>>) -> Self {
        Self::Field { field, issue: Issue(issue.into()) }
    }
}
