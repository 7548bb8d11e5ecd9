//! An affiliate's states and how they are paid.

use super::{
    Issue,
    money::{Decimal, Rate},
    time::Time,
};

macro_rules! words {
    ($(#[$meta:meta])* $name:ident as $schema:ident { $($variant:ident = $word:literal),* $(,)? } $issue:literal) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, utoipa::ToSchema)]
        #[schema(as = $schema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($variant),* }

        impl $name {
            /// # Errors
            /// Any other word.
            pub fn parse(word: &str) -> Result<Self, $crate::domain::Issue> {
                match word { $($word => Ok(Self::$variant),)* _ => Err($crate::domain::Issue::new($issue)) }
            }

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use words;

words! {
    /// Active: earns. Pending: counted and credited, not yet approvable. Blocked: refused.
    Status as AffiliateStatus { Active = "active", Pending = "pending", Blocked = "blocked" }
    "must be one of active, pending, blocked"
}

words! {
    PaymentMethod as PaymentMethod { Paypal = "paypal", Wise = "wise", Bank = "bank", Other = "other" }
    "must be one of paypal, wise, bank, other"
}

/// Bounds of the merchant's own fields on an affiliate.
pub const CUSTOM_FIELDS_KEYS: usize = 50;
pub const CUSTOM_FIELDS_BYTES: usize = 10_240;

/// # Errors
/// More keys or bytes (as sent) than an affiliate may carry.
pub fn custom_fields(keys: usize, bytes: usize) -> Result<(), Issue> {
    if keys > CUSTOM_FIELDS_KEYS {
        return Err(Issue::new("must have at most 50 keys"));
    }
    if bytes > CUSTOM_FIELDS_BYTES {
        return Err(Issue::new("must be at most 10240 bytes"));
    }
    Ok(())
}

/// A rate that an affiliate has instead of the program's, from a moment on; `None` is the program's again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnRate {
    pub starts_at: Time,
    pub rate: Option<Rate>,
}

/// What a sale of that moment earns: the latest own rate that had begun by then, or else the program's.
pub fn rate_at(program: Rate, own: &[OwnRate], at: Time) -> Rate {
    let begun = own.iter().filter(|own| own.starts_at <= at).max_by_key(|own| own.starts_at);
    begun.and_then(|own| own.rate).unwrap_or(program)
}

/// Since when they earn what they earn now, where that is a rate of their own.
pub fn own_since(own: &[OwnRate], now: Time) -> Option<Time> {
    let begun = own.iter().filter(|own| own.starts_at <= now).max_by_key(|own| own.starts_at);
    begun.filter(|own| own.rate.is_some()).map(|own| own.starts_at)
}

/// `conversions / clicks` in ten-thousandths, rounded half up; 0 without clicks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConversionRate(i64);

impl ConversionRate {
    pub fn of(conversions: i64, clicks: i64) -> Self {
        Self(super::money::proportion(conversions, 10_000, clicks))
    }
}

/// As short as it is exact: `0.1201`, `0.5`, `0`.
fn shortest(decimal: &Decimal) -> &str {
    decimal.as_str().trim_end_matches('0').trim_end_matches('.')
}

impl std::fmt::Display for ConversionRate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(shortest(&Decimal::new(self.0, 4)))
    }
}

impl serde::Serialize for ConversionRate {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        super::money::number(shortest(&Decimal::new(self.0, 4)), serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_references_rate() {
        let shown = |conversions, clicks| ConversionRate::of(conversions, clicks).to_string();
        assert_eq!(shown(221, 1840), "0.1201");
        assert_eq!(shown(3, 0), "0");
        assert_eq!(shown(1, 2), "0.5");
        assert_eq!(shown(30, 1), "30");
    }

    #[test]
    fn the_rate_at_the_time_of_the_sale_decides() {
        let (program, own) = (Rate::from_basis_points(2_000), Rate::from_basis_points(3_500));
        let at = Time::from_ms;
        let rates = [
            OwnRate { starts_at: at(200), rate: None },
            OwnRate { starts_at: at(100), rate: Some(own) },
            OwnRate { starts_at: at(300), rate: Some(Rate::from_basis_points(0)) },
        ];
        let earned = |ms| rate_at(program, &rates, at(ms)).basis_points();
        assert_eq!([99, 100, 199, 200, 299, 300].map(earned), [2_000, 3_500, 3_500, 2_000, 2_000, 0]);
        assert_eq!(rate_at(program, &[], at(0)), program);
    }

    #[test]
    fn words_are_read_as_they_are_written() {
        for status in [Status::Active, Status::Pending, Status::Blocked] {
            assert_eq!(Status::parse(status.as_str()), Ok(status));
        }
        assert!(Status::parse("Active").is_err());
    }
}
