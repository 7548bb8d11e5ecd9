//! What an affiliate has sold before a sale, and what hangs on it: rates that grow with it, and the most that is
//! earned by a customer or in a month. Sales and earnings count as they were recorded: what a refund took back
//! moves nobody down, and makes no room again.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::{
    Issue,
    affiliate::words,
    decimal,
    money::{Currency, Rate},
    period::Period,
    rules::Pays,
    time::Time,
};

/// Sales, and their sum in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Volume {
    pub sales: i64,
    pub minor: i64,
}

/// What is known of an affiliate's sales before the one that is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SoFar {
    pub ever: Volume,
    /// In the calendar month, UTC.
    pub month: Volume,
    /// What the month's sales earned, in minor units.
    pub month_earned: i64,
}

/// The first day of the month that the moment is in, UTC.
pub fn month_of(at: Time) -> i64 {
    Period::month_of(at, &TimeZone::UTC).range(&TimeZone::UTC).0.day()
}

words! {
    /// By what tiers are climbed.
    Measure as TierMeasure { Count = "count", Amount = "amount" }
    "must be one of count, amount"
}

words! {
    /// Over which time sales count.
    Span as TierSpan { Month = "month", Ever = "ever" }
    "must be one of month, ever"
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// After how many sales, or minor units of them.
    pub after: i64,
    /// Basis points or minor units, as its rule pays.
    pub pays: i64,
}

/// What a rule pays instead once enough was sold. As JSON it is stored with the rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tiers {
    pub by: Measure,
    pub of: Span,
    /// At least one, by what they come after.
    pub steps: Vec<Step>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    by: String,
    of: String,
    steps: Vec<Step>,
}

const MOST_STEPS: usize = 10;

/// Where an affiliate stands below the next tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    pub done: i64,
    pub all: i64,
    /// `7 of 10 sales this month: 3 more to 25%`.
    pub words: String,
}

impl Tiers {
    pub fn to_json(&self) -> String {
        let stored = Stored { by: self.by.to_string(), of: self.of.to_string(), steps: self.steps.clone() };
        serde_json::to_string(&stored).unwrap_or_default()
    }

    pub fn from_json(json: &str) -> Option<Self> {
        let stored: Stored = serde_json::from_str(json).ok()?;
        let (by, of) = (Measure::parse(&stored.by).ok()?, Span::parse(&stored.of).ok()?);
        Some(Self { by, of, steps: stored.steps }).filter(|tiers| !tiers.steps.is_empty())
    }

    /// Reads a step a line, `10: 25%`, as the rule pays.
    ///
    /// # Errors
    /// Naming the line that is none, or stands where it cannot.
    pub fn read_steps(text: &str, by: Measure, like: Pays, currency: Currency) -> Result<Vec<Step>, Issue> {
        let mut steps: Vec<Step> = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let issue = |why: &str| Issue::from(format!("{why}; “{line}” does not"));
            let (after, pays) = line.split_once([':', '=']).ok_or_else(|| issue("must be lines such as 10: 25%"))?;
            let after = match by {
                Measure::Count => {
                    decimal::parse(after.trim(), 0).map_err(|_| issue("must begin with a whole number"))?
                }
                Measure::Amount => currency.amount(after.trim()).map_err(|_| issue("must begin with an amount"))?.minor,
            };
            let pays = match like {
                Pays::Share(_) => Rate::parse(pays.trim()).map_err(|_| issue("must end with a rate"))?.basis_points(),
                Pays::Flat(_) => currency.amount(pays.trim()).map_err(|_| issue("must end with an amount"))?.minor,
            };
            if after < 1 || steps.last().is_some_and(|last| last.after >= after) {
                return Err(issue("must come after more and more, line by line"));
            }
            steps.push(Step { after, pays });
        }
        match steps.len() {
            0 => Err(Issue::new("must have a line, such as 10: 25%")),
            count if count > MOST_STEPS => Err(Issue::new("must have at most 10 lines")),
            _ => Ok(steps),
        }
    }

    fn done(&self, so_far: &SoFar) -> i64 {
        let volume = match self.of {
            Span::Month => so_far.month,
            Span::Ever => so_far.ever,
        };
        match self.by {
            Measure::Count => volume.sales,
            Measure::Amount => volume.minor,
        }
    }

    /// The step that a sale is priced by after those before it; none below the first.
    pub fn reached(&self, so_far: &SoFar) -> Option<Step> {
        let done = self.done(so_far);
        self.steps.iter().rev().find(|step| done >= step.after).copied()
    }

    /// `10 sales`, `USD 500.00 of sales`.
    fn amount(&self, amount: i64, currency: Currency) -> String {
        match self.by {
            Measure::Count => format!("{amount} sale{}", if amount == 1 { "" } else { "s" }),
            Measure::Amount => format!("{} of sales", currency.coded(amount)),
        }
    }

    const fn span(&self) -> &'static str {
        match self.of {
            Span::Month => " in a month",
            Span::Ever => "",
        }
    }

    /// `25% after 10 sales in a month, 30% after 50`.
    pub fn in_words(&self, like: Pays, currency: Currency) -> String {
        let told = |step: &Step| {
            format!("{} after {}", like.of(step.pays).in_words(currency), self.amount(step.after, currency))
        };
        format!("{}{}", self.steps.iter().map(told).collect::<Vec<_>>().join(", "), self.span())
    }

    /// Why a sale is priced by that step: `12 sales came before in the month, and after 10 it is 25%`.
    pub fn because(&self, step: Step, so_far: &SoFar, like: Pays, currency: Currency) -> String {
        let (done, after) = (self.amount(self.done(so_far), currency), self.amount(step.after, currency));
        let when = if self.of == Span::Month { " this month" } else { "" };
        format!("after {after}{when} it is {}, and there were {done}", like.of(step.pays).in_words(currency))
    }

    /// How far it is to the next step; none at the top.
    pub fn progress(&self, so_far: &SoFar, like: Pays, currency: Currency) -> Option<Progress> {
        let done = self.done(so_far);
        let next = self.steps.iter().find(|step| done < step.after)?;
        let left = self.amount(next.after - done, currency);
        let left = match self.by {
            Measure::Count => left.replacen(" sale", " more sale", 1),
            Measure::Amount => left.replacen(" of", " more of", 1),
        };
        let when = if self.of == Span::Month { " this month" } else { "" };
        let words = format!("{left}{when} to {}", like.of(next.pays).in_words(currency));
        Some(Progress { done, all: next.after, words })
    }
}

/// The most that is earned, in minor units; where there is none, nothing is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Caps {
    /// By one customer in total.
    pub customer: Option<i64>,
    /// By one affiliate in a calendar month.
    pub month: Option<i64>,
}

impl Caps {
    pub fn is_none(&self) -> bool {
        self.customer.is_none() && self.month.is_none()
    }

    /// What may be earned of an amount, and why not all of it. A customer who is not known has no cap.
    pub fn cut(
        self,
        amount: i64,
        customer_earned: Option<i64>,
        month_earned: i64,
        currency: Currency,
    ) -> (i64, Option<String>) {
        let of = |cap: Option<i64>, earned: i64| cap.map(|cap| (cap, (cap - earned).max(0)));
        let customer = customer_earned.and_then(|earned| of(self.customer, earned));
        let month = of(self.month, month_earned);
        let most = |minor| format!("{} is the most", currency.coded(minor));
        match (customer, month) {
            (Some((cap, left)), other) if left < amount && other.is_none_or(|(_, most)| left <= most) => {
                (left, Some(format!("{} for a customer", most(cap))))
            }
            (_, Some((cap, left))) if left < amount => (left, Some(format!("{} for a month", most(cap)))),
            _ => (amount, None),
        }
    }

    /// For settings and for affiliates: `At most USD 50.00 by a customer, and USD 500.00 in a month`.
    pub fn in_words(&self, currency: Currency) -> String {
        let amount = |minor| currency.coded(minor).to_string();
        match (self.customer.map(amount), self.month.map(amount)) {
            (None, None) => "no limit".into(),
            (Some(customer), None) => format!("at most {customer} by a customer"),
            (None, Some(month)) => format!("at most {month} in a month"),
            (Some(customer), Some(month)) => format!("at most {customer} by a customer, and {month} in a month"),
        }
    }
}

/// Reads the most that is earned; empty is no limit.
///
/// # Errors
/// What is no amount above nothing.
pub fn cap(text: &str, currency: Currency) -> Result<Option<i64>, Issue> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    match currency.amount(text.trim())?.minor {
        0 => Err(Issue::new("must be more than nothing, or empty")),
        minor => Ok(Some(minor)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd() -> Currency {
        Currency::parse("USD").unwrap()
    }

    const SHARE: Pays = Pays::Share(Rate::from_basis_points(2_000));

    fn tiers(by: Measure, of: Span, text: &str) -> Tiers {
        Tiers { by, of, steps: Tiers::read_steps(text, by, SHARE, usd()).unwrap() }
    }

    #[test]
    fn a_tier_is_reached_after_so_many_and_told_until_the_next() {
        let tiers = tiers(Measure::Count, Span::Month, "10: 25%\n\n 50 = 30% ");
        assert_eq!(tiers.in_words(SHARE, usd()), "25% after 10 sales, 30% after 50 sales in a month");
        assert_eq!(Tiers::from_json(&tiers.to_json()), Some(tiers.clone()));
        for (sales, reached, words) in [
            (0, None, Some("10 more sales this month to 25%")),
            (9, None, Some("1 more sale this month to 25%")),
            (10, Some(2_500), Some("40 more sales this month to 30%")),
            (49, Some(2_500), Some("1 more sale this month to 30%")),
            (50, Some(3_000), None),
        ] {
            let so_far = SoFar { month: Volume { sales, minor: 0 }, ..SoFar::default() };
            assert_eq!(tiers.reached(&so_far).map(|step| step.pays), reached, "{sales}");
            assert_eq!(tiers.progress(&so_far, SHARE, usd()).map(|next| next.words).as_deref(), words, "{sales}");
        }
    }

    #[test]
    fn sums_of_all_time_climb_too() {
        let tiers = tiers(Measure::Amount, Span::Ever, "500: 25%");
        let so_far = SoFar { ever: Volume { sales: 3, minor: 45_000 }, ..SoFar::default() };
        let next = tiers.progress(&so_far, SHARE, usd()).unwrap();
        assert_eq!((next.done, next.all), (45_000, 50_000));
        assert_eq!(next.words, "USD 50.00 more of sales to 25%");
    }

    #[test]
    fn steps_are_refused_that_lead_nowhere() {
        for text in ["", "x", "10", "10: x", "0: 25%", "10: 101%", "10: 25%\n10: 30%", "10: 25%\n5: 30%", "1.5: 2%"] {
            assert!(Tiers::read_steps(text, Measure::Count, SHARE, usd()).is_err(), "{text}");
        }
        let many: Vec<_> = (1..=11).map(|after| format!("{after}: 1%")).collect();
        assert!(Tiers::read_steps(&many.join("\n"), Measure::Count, SHARE, usd()).is_err());
        let flat = Tiers::read_steps("10: 2.50", Measure::Count, Pays::Flat(100), usd()).unwrap();
        assert_eq!(flat, [Step { after: 10, pays: 250 }]);
    }

    #[test]
    fn the_tighter_cap_cuts() {
        let caps = Caps { customer: Some(100), month: Some(150) };
        let cut = |amount, customer, month| caps.cut(amount, customer, month, usd());
        assert_eq!(cut(60, Some(0), 0), (60, None));
        assert_eq!(cut(60, Some(50), 0), (50, Some("USD 1.00 is the most for a customer".into())));
        assert_eq!(cut(60, Some(50), 140), (10, Some("USD 1.50 is the most for a month".into())));
        assert_eq!(cut(60, Some(500), 500), (0, Some("USD 1.00 is the most for a customer".into())));
        assert_eq!(cut(60, None, 0), (60, None), "nobody knows the customer");
        assert_eq!(Caps::default().cut(60, Some(1_000), 1_000, usd()), (60, None));
    }

    #[test]
    fn a_month_begins_on_its_first_day() {
        let at = Time::parse_date("2026-03-31").unwrap().plus_seconds(86_399);
        assert_eq!(month_of(at), Time::parse_date("2026-03-01").unwrap().day());
        assert_eq!(month_of(at.plus_seconds(1)), Time::parse_date("2026-04-01").unwrap().day());
    }
}
