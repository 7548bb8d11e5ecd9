//! A commission's states and the moves between them.

use super::{affiliate, affiliate::words};

words! {
    Status as CommissionStatus { Pending = "pending", Approved = "approved", Paid = "paid", Rejected = "rejected" }
    "must be one of pending, approved, paid, rejected"
}

words! {
    /// A sale's commission, the negative line that takes back what was already paid, the one that gives it back, or
    /// what a merchant added or took off by hand.
    Kind as CommissionKind { Sale = "sale", Reversal = "reversal", Restoration = "restoration", Adjustment = "adjustment" }
    "must be one of sale, reversal, restoration, adjustment"
}

/// What happens to a commission whose status somebody sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It has that status already.
    Nothing,
    Move {
        from: Status,
        to: Status,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("must be one of approved, paid, rejected")]
    NotADecision,
    #[error("a paid commission is final; corrections are new entries")]
    PaidIsFinal,
    #[error("a rejected commission can only be approved")]
    RejectedCanOnlyBeApproved,
    #[error("the affiliate is pending; activate the affiliate first")]
    AffiliateIsPending,
    #[error("the commission is in an open payout and can only be changed there")]
    InOpenPayout,
    #[error("a refund's own line stays; correct it by an adjustment")]
    LineOfRefund,
    #[error("a refund has taken part of it back by a line of its own; correct the rest by an adjustment")]
    PartTakenBack,
}

/// The facts that a decision rests on.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    pub status: Status,
    pub affiliate: affiliate::Status,
    pub in_open_payout: bool,
    pub kind: Kind,
    /// Lines of its own by which refunds took back, and were undone, come to something.
    pub has_refund_lines: bool,
}

impl Facts {
    /// A sale's commission that no refund and no payout has touched.
    pub const fn untouched(status: Status, affiliate: affiliate::Status) -> Self {
        Self { status, affiliate, in_open_payout: false, kind: Kind::Sale, has_refund_lines: false }
    }
}

/// # Errors
/// Why the commission cannot have that status now.
pub fn decide(facts: Facts, wanted: Status) -> Result<Decision, Refusal> {
    if wanted == Status::Pending {
        return Err(Refusal::NotADecision);
    }
    if wanted == facts.status {
        return Ok(Decision::Nothing);
    }
    match (facts.status, wanted) {
        (Status::Paid, _) => return Err(Refusal::PaidIsFinal),
        (Status::Rejected, Status::Paid) => return Err(Refusal::RejectedCanOnlyBeApproved),
        _ => {}
    }
    if facts.in_open_payout {
        return Err(Refusal::InOpenPayout);
    }
    if wanted == Status::Rejected {
        // Each alone would take back twice what the other took, or give it back twice.
        match facts.kind {
            Kind::Reversal | Kind::Restoration => return Err(Refusal::LineOfRefund),
            Kind::Sale if facts.has_refund_lines => return Err(Refusal::PartTakenBack),
            Kind::Sale | Kind::Adjustment => {}
        }
    }
    if facts.affiliate == affiliate::Status::Pending && wanted != Status::Rejected {
        return Err(Refusal::AffiliateIsPending);
    }
    Ok(Decision::Move { from: facts.status, to: wanted })
}

/// The kind and sign of the ledger entry that a move makes, if it makes one: a commission earns when it
/// is recorded, so approving moves no money; rejecting takes the earning back, approving again gives it.
pub fn entry(from: Status, to: Status) -> Option<(Entry, i64)> {
    match (from, to) {
        (_, Status::Paid) => Some((Entry::Pay, -1)),
        (_, Status::Rejected) => Some((Entry::Reverse, -1)),
        (Status::Rejected, _) => Some((Entry::Earn, 1)),
        _ => None,
    }
}

/// What a batch of decisions did to a commission, and what has become of it since.
#[derive(Debug, Clone, Copy)]
pub struct Undoing {
    pub from: Status,
    pub to: Status,
    pub now: Status,
    /// Nobody has moved it since the batch did.
    pub is_untouched: bool,
    pub in_open_payout: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Stays {
    #[error("it was paid, and that is final")]
    Paid,
    #[error("somebody has decided it again since")]
    MovedSince,
    #[error("it is in an open payout by now")]
    InOpenPayout,
}

/// Taking a decision back puts the commission where it was before, which is no move that a key or a person
/// could make otherwise: `pending` is nobody's decision. [`entry`] holds for it as for every other move.
///
/// # Errors
/// Why it stays where it is.
pub fn undo(facts: Undoing) -> Result<(Status, Status), Stays> {
    if facts.now == Status::Paid {
        return Err(Stays::Paid);
    }
    if !facts.is_untouched || facts.now != facts.to {
        return Err(Stays::MovedSince);
    }
    if facts.in_open_payout {
        return Err(Stays::InOpenPayout);
    }
    Ok((facts.to, facts.from))
}

words! {
    /// How money moves. A balance is the sum of entries: what is owed and not yet paid.
    Entry as EntryKind { Earn = "earn", Reverse = "reverse", Adjust = "adjust", Pay = "pay", Unpay = "unpay" }
    "must be one of earn, reverse, adjust, pay, unpay"
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [Status; 4] = [Status::Pending, Status::Approved, Status::Paid, Status::Rejected];

    fn facts(status: Status) -> Facts {
        Facts::untouched(status, affiliate::Status::Active)
    }

    #[test]
    fn the_legal_moves_and_no_others() {
        let mut legal = Vec::new();
        for from in ALL {
            for to in ALL {
                if let Ok(Decision::Move { from, to }) = decide(facts(from), to) {
                    legal.push(format!("{from}>{to}"));
                }
            }
        }
        assert_eq!(
            legal,
            [
                "pending>approved",
                "pending>paid",
                "pending>rejected",
                "approved>paid",
                "approved>rejected",
                "rejected>approved"
            ]
        );
    }

    #[test]
    fn the_same_again_changes_nothing_and_pending_is_never_a_decision() {
        for status in [Status::Approved, Status::Paid, Status::Rejected] {
            assert_eq!(decide(facts(status), status), Ok(Decision::Nothing));
        }
        for status in ALL {
            assert_eq!(decide(facts(status), Status::Pending), Err(Refusal::NotADecision));
        }
    }

    #[test]
    fn a_pending_affiliates_commission_can_only_be_rejected() {
        let waiting = Facts { affiliate: affiliate::Status::Pending, ..facts(Status::Pending) };
        assert_eq!(decide(waiting, Status::Approved), Err(Refusal::AffiliateIsPending));
        assert_eq!(decide(waiting, Status::Paid), Err(Refusal::AffiliateIsPending));
        assert!(decide(waiting, Status::Rejected).is_ok());
    }

    #[test]
    fn an_open_payout_holds_its_commissions() {
        let held = Facts { in_open_payout: true, ..facts(Status::Approved) };
        assert_eq!(decide(held, Status::Rejected), Err(Refusal::InOpenPayout));
        assert_eq!(decide(held, Status::Approved), Ok(Decision::Nothing));
    }

    #[test]
    fn what_a_refund_took_back_is_not_taken_back_again() {
        let partly = Facts { has_refund_lines: true, ..facts(Status::Approved) };
        assert_eq!(decide(partly, Status::Rejected), Err(Refusal::PartTakenBack));
        assert!(decide(partly, Status::Paid).is_ok());
        for kind in [Kind::Reversal, Kind::Restoration] {
            let line = Facts { kind, ..facts(Status::Approved) };
            assert_eq!(decide(line, Status::Rejected), Err(Refusal::LineOfRefund));
            assert!(decide(line, Status::Paid).is_ok());
        }
        assert!(decide(Facts { kind: Kind::Adjustment, ..facts(Status::Approved) }, Status::Rejected).is_ok());
    }

    #[test]
    fn what_is_paid_moved_or_in_a_payout_is_not_undone() {
        let done = Undoing {
            from: Status::Pending,
            to: Status::Approved,
            now: Status::Approved,
            is_untouched: true,
            in_open_payout: false,
        };
        assert_eq!(undo(done), Ok((Status::Approved, Status::Pending)));
        assert_eq!(undo(Undoing { now: Status::Paid, to: Status::Paid, ..done }), Err(Stays::Paid));
        assert_eq!(undo(Undoing { now: Status::Paid, ..done }), Err(Stays::Paid));
        assert_eq!(undo(Undoing { now: Status::Rejected, ..done }), Err(Stays::MovedSince));
        assert_eq!(undo(Undoing { is_untouched: false, ..done }), Err(Stays::MovedSince));
        assert_eq!(undo(Undoing { in_open_payout: true, ..done }), Err(Stays::InOpenPayout));
    }

    /// What the entries of a commission of that status sum up to.
    fn owed(status: Status, amount: i64) -> i64 {
        if matches!(status, Status::Pending | Status::Approved) { amount } else { 0 }
    }

    proptest! {
        /// Deciding and undoing in any order, with refunds in between, the entries are what the status says.
        #[test]
        fn undoing_restores_the_books(first in -10_000i64..10_000, steps in prop::collection::vec((0usize..6, 0i64..500), 0..40)) {
            let (mut amount, mut status, mut entries) = (first, Status::Pending, first);
            let mut batch: Option<(Status, Status)> = None;
            for (step, less) in steps {
                match step {
                    0..4 => if let Ok(Decision::Move { from, to }) = decide(facts(status), ALL[step]) {
                        entries += entry(from, to).map_or(0, |(_, sign)| sign * amount);
                        (status, batch) = (to, Some((from, to)));
                    },
                    4 => if let Some((from, to)) = batch.take() {
                        let undoing = Undoing { from, to, now: status, is_untouched: true, in_open_payout: false };
                        match undo(undoing) {
                            Ok((now, before)) => {
                                entries += entry(now, before).map_or(0, |(_, sign)| sign * amount);
                                status = before;
                                prop_assert_eq!(status, from);
                            }
                            Err(stays) => prop_assert_eq!((stays, status), (Stays::Paid, Status::Paid)),
                        }
                    },
                    _ => if status != Status::Paid {
                        amount -= less;
                        if status != Status::Rejected { entries -= less; }
                    },
                }
                prop_assert_eq!(entries, owed(status, amount));
            }
        }
    }
}
