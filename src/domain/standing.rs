//! Where an affiliate stands, as people say it. The API knows active, pending and blocked and nothing else; the
//! portal tells apart why somebody is pending or blocked, and here is decided which word is shown and which
//! moves there are.

use super::{
    Issue,
    affiliate::{Status, words},
};

words! {
    /// Why an affiliate is blocked, where the portal did it.
    BlockedAs as AffiliateBlockedAs { Paused = "paused", Rejected = "rejected", Removed = "removed" }
    "must be one of paused, rejected, removed"
}

/// What decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    pub status: Status,
    pub blocked_as: Option<BlockedAs>,
    /// Came by an application, whatever became of it.
    pub has_applied: bool,
    /// Has an invitation that is neither accepted nor withdrawn.
    pub is_invited: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Applied,
    Invited,
    Active,
    Paused,
    Rejected,
    Removed,
    /// Set to pending through the API.
    Pending,
    /// Blocked through the API.
    Blocked,
}

impl Facts {
    pub const fn standing(self) -> Standing {
        match (self.status, self.blocked_as) {
            (Status::Blocked, Some(BlockedAs::Paused)) => Standing::Paused,
            (Status::Blocked, Some(BlockedAs::Rejected)) => Standing::Rejected,
            (Status::Blocked, Some(BlockedAs::Removed)) => Standing::Removed,
            (Status::Blocked, None) => Standing::Blocked,
            (Status::Pending, _) if self.has_applied => Standing::Applied,
            (Status::Active | Status::Pending, _) if self.is_invited => Standing::Invited,
            (Status::Pending, _) => Standing::Pending,
            (Status::Active, _) => Standing::Active,
        }
    }

    /// The status after a move, and why it is blocked, where it is.
    ///
    /// # Errors
    /// Why there is no such move from here.
    pub fn after(self, change: Move) -> Result<(Status, Option<BlockedAs>), Issue> {
        let here = Self { is_invited: false, ..self }.standing();
        let is_legal = match change {
            // Not from rejected, so that of two decisions at once one counts: who thinks again reopens first.
            Move::Approve | Move::Reject => matches!(here, Standing::Applied | Standing::Pending),
            Move::Reopen => self.has_applied && matches!(here, Standing::Active | Standing::Rejected),
            Move::Pause => matches!(here, Standing::Active),
            Move::Resume => matches!(here, Standing::Paused | Standing::Removed | Standing::Blocked),
            Move::Remove => !matches!(here, Standing::Removed | Standing::Rejected),
        };
        if is_legal {
            Ok(change.leads_to())
        } else {
            Err(Issue::from(format!("is {} already, from where it cannot be {}", here.word(), change.done())))
        }
    }
}

/// What a merchant may do about an affiliate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    Approve,
    Reject,
    /// Takes the decision about an application back.
    Reopen,
    Pause,
    Resume,
    Remove,
}

impl Move {
    pub const ALL: [Self; 6] = [Self::Approve, Self::Reject, Self::Reopen, Self::Pause, Self::Resume, Self::Remove];

    const fn leads_to(self) -> (Status, Option<BlockedAs>) {
        match self {
            Self::Approve | Self::Resume => (Status::Active, None),
            Self::Reject => (Status::Blocked, Some(BlockedAs::Rejected)),
            Self::Reopen => (Status::Pending, None),
            Self::Pause => (Status::Blocked, Some(BlockedAs::Paused)),
            Self::Remove => (Status::Blocked, Some(BlockedAs::Removed)),
        }
    }

    /// What happened, as the audit log says it: `approved`.
    pub const fn done(self) -> &'static str {
        match self {
            Self::Approve => "approved",
            Self::Reject => "rejected",
            Self::Reopen => "reopened",
            Self::Pause => "paused",
            Self::Resume => "resumed",
            Self::Remove => "removed",
        }
    }

    /// Whether the affiliate is told a reason.
    pub const fn has_reason(self) -> bool {
        matches!(self, Self::Reject | Self::Pause | Self::Remove)
    }
}

impl Standing {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Invited => "invited",
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Rejected => "rejected",
            Self::Removed => "removed",
            Self::Pending => "pending",
            Self::Blocked => "blocked",
        }
    }

    pub const fn label(self) -> &'static str {
        match self {
            Self::Applied => "Applied",
            Self::Invited => "Invited",
            Self::Active => "Active",
            Self::Paused => "Paused",
            Self::Rejected => "Rejected",
            Self::Removed => "Removed",
            Self::Pending => "Pending",
            Self::Blocked => "Blocked",
        }
    }

    /// A class of badges and notes.
    pub const fn tone(self) -> &'static str {
        match self {
            Self::Active => "ok",
            Self::Applied | Self::Pending | Self::Paused => "warn",
            Self::Invited => "info",
            Self::Rejected | Self::Removed | Self::Blocked => "bad",
        }
    }

    /// What it means, for a merchant.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Applied => "Waits for your answer. Clicks and sales count; commissions can be approved afterwards.",
            Self::Invited => "Was sent a link and has not accepted it yet.",
            Self::Active => "Links work, clicks count, sales earn.",
            Self::Paused => "Links lead to your site but nothing counts until you resume.",
            Self::Rejected => "Their application was turned down. Nothing counts.",
            Self::Removed => "No longer in the program. What was earned before is still owed.",
            Self::Pending => {
                "Set to pending through the API: clicks and sales count, commissions cannot be approved yet."
            }
            Self::Blocked => "Blocked through the API. Nothing counts.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(status: Status, blocked_as: Option<BlockedAs>) -> Facts {
        Facts { status, blocked_as, has_applied: false, is_invited: false }
    }

    #[test]
    fn a_word_for_every_state() {
        let shown = |facts: Facts| facts.standing().word();
        assert_eq!(shown(facts(Status::Active, None)), "active");
        assert_eq!(shown(facts(Status::Pending, None)), "pending");
        assert_eq!(shown(Facts { has_applied: true, ..facts(Status::Pending, None) }), "applied");
        assert_eq!(shown(Facts { has_applied: true, ..facts(Status::Active, None) }), "active");
        assert_eq!(shown(Facts { is_invited: true, ..facts(Status::Active, None) }), "invited");
        assert_eq!(shown(facts(Status::Blocked, None)), "blocked");
        for why in [BlockedAs::Paused, BlockedAs::Rejected, BlockedAs::Removed] {
            let blocked = Facts { is_invited: true, has_applied: true, ..facts(Status::Blocked, Some(why)) };
            assert_eq!(shown(blocked), why.as_str());
        }
    }

    #[test]
    fn which_moves_there_are() {
        use Move::{Approve, Pause, Reject, Remove, Reopen, Resume};
        let moves = |facts: Facts| Move::ALL.into_iter().filter(|to| facts.after(*to).is_ok()).collect::<Vec<_>>();
        let applied = Facts { has_applied: true, ..facts(Status::Pending, None) };
        assert_eq!(moves(applied), [Approve, Reject, Remove]);
        assert_eq!(moves(facts(Status::Active, None)), [Pause, Remove]);
        assert_eq!(moves(Facts { is_invited: true, ..facts(Status::Active, None) }), [Pause, Remove]);
        assert_eq!(moves(Facts { has_applied: true, ..facts(Status::Active, None) }), [Reopen, Pause, Remove]);
        assert_eq!(moves(facts(Status::Blocked, Some(BlockedAs::Paused))), [Resume, Remove]);
        assert_eq!(moves(facts(Status::Blocked, Some(BlockedAs::Removed))), [Resume]);
        assert_eq!(moves(facts(Status::Blocked, None)), [Resume, Remove]);
        let rejected = Facts { has_applied: true, ..facts(Status::Blocked, Some(BlockedAs::Rejected)) };
        assert_eq!(moves(rejected), [Reopen]);
    }

    #[test]
    fn a_refusal_says_where_they_stand() {
        let rejected = facts(Status::Blocked, Some(BlockedAs::Rejected));
        let issue = rejected.after(Move::Reject).unwrap_err();
        assert_eq!(issue.0, "is rejected already, from where it cannot be rejected");
    }
}
