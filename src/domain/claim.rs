//! A claim: an affiliate misses a sale, and the merchant answers, once.

use super::{Issue, affiliate::words, time::Time};

words! {
    Status as ClaimStatus { Open = "open", Accepted = "accepted", Declined = "declined" }
    "must be one of open, accepted, declined"
}

impl Status {
    pub const fn label(self) -> &'static str {
        match self {
            Self::Open => "Open",
            Self::Accepted => "Accepted",
            Self::Declined => "Declined",
        }
    }

    /// A badge's class.
    pub const fn tone(self) -> &'static str {
        match self {
            Self::Open => "warn",
            Self::Accepted => "ok",
            Self::Declined => "bad",
        }
    }
}

/// An affiliate's claims within 24 hours at most.
pub const MOST_A_DAY: i64 = 5;
pub const WORDS_LENGTH: usize = 1_000;
pub const ANSWER_LENGTH: usize = 500;
/// How long ago a sale may be that somebody misses.
const OLDEST_DAYS: i64 = 400;

/// Reads the day of a missing sale.
///
/// # Errors
/// What is no date, lies ahead or too long ago.
pub fn day(text: &str, now: Time) -> Result<i64, Issue> {
    let day = Time::parse_date(text)?.day();
    // Somewhere it is tomorrow already.
    if day > now.day() + 1 {
        return Err(Issue::new("must not be in the future"));
    }
    if day < now.day() - OLDEST_DAYS {
        return Err(format!("must be within the last {OLDEST_DAYS} days").into());
    }
    Ok(day)
}

/// A moment of that day which is on it nearly everywhere.
pub const fn noon(day: i64) -> Time {
    Time::from_ms(0).plus_days(day).plus_seconds(12 * 3_600)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_sale_was_not_long_ago() {
        let now = Time::parse_date("2026-03-01").unwrap();
        assert_eq!(day("2026-03-01", now), Ok(now.day()));
        assert!(day("2026-03-02", now).is_ok() && day("2025-03-01", now).is_ok());
        for text in ["2026-03-03", "2020-01-01", "yesterday", "", "2026-02-30"] {
            assert!(day(text, now).is_err(), "{text}");
        }
    }
}
