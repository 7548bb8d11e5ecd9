//! What a refund takes back: always from the whole so far, never piece by piece, so that refunding all
//! of a sale in any number of parts takes back exactly its commission.

use super::money::proportion;

/// What has happened to a sale so far, in minor units.
#[derive(Debug, Clone, Copy)]
pub struct Sale {
    pub amount: i64,
    pub commission: i64,
    pub refunded: i64,
    pub reversed: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refund {
    pub amount: i64,
    pub commission_reversed: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("must be more than 0")]
    Nothing,
    #[error("must not be more than what is left to refund")]
    MoreThanLeft,
    #[error("the conversion is already refunded in full")]
    NothingLeft,
}

/// # Errors
/// When `amount` (all that is left, where none is named) is 0 or more than is left.
pub fn decide(sale: Sale, amount: Option<i64>) -> Result<Refund, Refusal> {
    let left = sale.amount - sale.refunded;
    let amount = match amount {
        Some(0) => return Err(Refusal::Nothing),
        None if left == 0 => return Err(Refusal::NothingLeft),
        Some(amount) if amount > left => return Err(Refusal::MoreThanLeft),
        named => named.unwrap_or(left),
    };
    let reversed = proportion(sale.commission, sale.refunded + amount, sale.amount);
    Ok(Refund { amount, commission_reversed: reversed - sale.reversed })
}

/// What of the commission comes back when a refund of that amount comes to nothing: it failed, or its dispute was
/// won. From the whole so far again, so that what is left taken is what is left refunded.
pub fn restore(sale: Sale, amount: i64) -> i64 {
    sale.reversed - proportion(sale.commission, sale.refunded - amount, sale.amount)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn all_that_is_left_when_no_amount_is_named() {
        let sale = Sale { amount: 9_999, commission: 2_000, refunded: 5_000, reversed: 1_000 };
        assert_eq!(decide(sale, None), Ok(Refund { amount: 4_999, commission_reversed: 1_000 }));
        assert_eq!(decide(sale, Some(5_000)), Err(Refusal::MoreThanLeft));
        assert_eq!(decide(sale, Some(0)), Err(Refusal::Nothing));
        let gone = Sale { refunded: 9_999, ..sale };
        assert_eq!(decide(gone, None), Err(Refusal::NothingLeft));
    }

    proptest! {
        #[test]
        fn any_split_takes_back_exactly_the_commission(amount in 1i64..1_000_000, points in 0i64..=10_000, cuts in prop::collection::vec(1i64..100_000, 0..12)) {
            let commission = proportion(amount, points, 10_000);
            let mut sale = Sale { amount, commission, refunded: 0, reversed: 0 };
            for part in cuts.into_iter().map(Some).chain([None]) {
                if let Ok(refund) = decide(sale, part) {
                    prop_assert!(refund.commission_reversed >= 0);
                    sale.refunded += refund.amount;
                    sale.reversed += refund.commission_reversed;
                }
            }
            prop_assert_eq!((sale.refunded, sale.reversed), (amount, commission));
        }

        #[test]
        fn what_comes_back_leaves_what_the_others_took(amount in 1i64..1_000_000, points in 0i64..=10_000, cuts in prop::collection::vec(1i64..100_000, 1..8)) {
            let commission = proportion(amount, points, 10_000);
            let mut sale = Sale { amount, commission, refunded: 0, reversed: 0 };
            let mut parts = Vec::new();
            for part in cuts {
                if let Ok(refund) = decide(sale, Some(part)) {
                    sale.refunded += refund.amount;
                    sale.reversed += refund.commission_reversed;
                    parts.push(refund.amount);
                }
            }
            for part in parts {
                let back = restore(sale, part);
                prop_assert!(back >= 0);
                sale.refunded -= part;
                sale.reversed -= back;
                prop_assert_eq!(sale.reversed, proportion(commission, sale.refunded, amount));
            }
            prop_assert_eq!((sale.refunded, sale.reversed), (0, 0));
        }
    }
}
