//! How much of a payment is taken back, from all that is known of its refunds and disputes: in whatever order and
//! however often that was told, the same facts come to the same sum.

use crate::domain::{affiliate::words, money::proportion};

words! {
    /// One refund; all refunds so far; a dispute.
    Kind as ReversalKind { Refund = "refund", SoFar = "so_far", Dispute = "dispute" }
    "must be one of refund, so_far, dispute"
}

/// One thing that is known to take money back, in what the provider counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fact {
    pub kind: Kind,
    pub amount: i64,
    /// A failed refund and a won dispute do not hold; once they do not, they never do again.
    pub holds: bool,
}

/// A payment as the provider counts it, and as the program does: minor units.
#[derive(Debug, Clone, Copy)]
pub struct Payment {
    pub paid: i64,
    pub amount: i64,
}

/// What of the payment's amount is to be taken back.
///
/// What is told "so far" covers single refunds, also those that failed later: only what goes beyond them counts.
pub fn taken_back(payment: Payment, facts: &[Fact]) -> i64 {
    let sum = |kind: Kind, only_holding: bool| {
        let of = facts.iter().filter(|fact| fact.kind == kind && (fact.holds || !only_holding));
        of.fold(0_i64, |sum, fact| sum.saturating_add(fact.amount.max(0)))
    };
    let so_far = facts.iter().filter(|fact| fact.kind == Kind::SoFar).map(|fact| fact.amount).max().unwrap_or(0);
    let untold = (so_far - sum(Kind::Refund, false)).max(0);
    let all = sum(Kind::Refund, true).saturating_add(untold).saturating_add(sum(Kind::Dispute, true));
    proportion(payment.amount, all.min(payment.paid), payment.paid)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PAID: Payment = Payment { paid: 11_900, amount: 10_000 };

    fn fact(kind: Kind, amount: i64, holds: bool) -> Fact {
        Fact { kind, amount, holds }
    }

    #[test]
    fn tax_is_refunded_with_its_share_and_counted_in_nothing() {
        assert_eq!(taken_back(PAID, &[fact(Kind::Refund, 1_190, true)]), 1_000);
        assert_eq!(taken_back(PAID, &[fact(Kind::Refund, 99_999, true)]), 10_000);
        assert_eq!(taken_back(PAID, &[]), 0);
    }

    #[test]
    fn a_refund_told_alone_and_in_the_sum_counts_once() {
        let both = [fact(Kind::Refund, 1_190, true), fact(Kind::SoFar, 1_190, true)];
        assert_eq!(taken_back(PAID, &both), 1_000);
        let more = [fact(Kind::Refund, 1_190, true), fact(Kind::SoFar, 2_380, true)];
        assert_eq!(taken_back(PAID, &more), 2_000);
    }

    #[test]
    fn what_failed_or_was_won_gives_back() {
        let failed = [fact(Kind::Refund, 1_190, false), fact(Kind::SoFar, 1_190, true)];
        assert_eq!(taken_back(PAID, &failed), 0);
        assert_eq!(taken_back(PAID, &[fact(Kind::Dispute, 11_900, true)]), 10_000);
        assert_eq!(taken_back(PAID, &[fact(Kind::Dispute, 11_900, false)]), 0);
    }

    #[test]
    fn a_refund_inside_a_dispute_does_not_take_twice() {
        let both = [fact(Kind::Refund, 5_950, true), fact(Kind::Dispute, 11_900, true)];
        assert_eq!(taken_back(PAID, &both), 10_000);
    }

    proptest! {
        #[test]
        fn never_less_than_nothing_nor_more_than_all(
            amount in 0i64..1_000_000, tax in 0i64..300_000,
            facts in prop::collection::vec((0usize..3, 0i64..2_000_000, any::<bool>()), 0..8),
        ) {
            let kinds = [Kind::Refund, Kind::SoFar, Kind::Dispute];
            let facts: Vec<_> = facts.into_iter().map(|(kind, amount, holds)| fact(kinds[kind], amount, holds)).collect();
            let taken = taken_back(Payment { paid: amount + tax, amount }, &facts);
            prop_assert!((0..=amount).contains(&taken));
        }
    }
}
