//! How a program pays, and on which days.

use crate::domain::{
    Issue,
    affiliate::{PaymentMethod, words},
    bank::Account,
    money::Currency,
    payment,
    program::Difference,
    time::Time,
};

words! {
    Schedule as PayoutSchedule {
        None = "none", Weekly = "weekly", Fortnightly = "fortnightly", Monthly = "monthly",
    }
    "must be one of none, weekly, fortnightly, monthly"
}

const MAX_HOLD_DAYS: i64 = 365;

/// How a program pays, but for the hold, which every sale needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Minor units; less than that waits for more.
    pub minimum: i64,
    pub schedule: Schedule,
    /// Days since 1970: what fell due before is not prepared.
    pub schedule_since: i64,
    pub may_request: bool,
    /// Whether commissions approve themselves when their hold is over and nothing speaks against it.
    pub auto_approve: bool,
    /// Minor units; above it a person decides.
    pub auto_approve_most: Option<i64>,
    /// The ways that affiliates may choose.
    pub methods: Vec<PaymentMethod>,
    /// The account that is paid from, for files that say it.
    pub payer: Option<Payer>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payer {
    pub name: String,
    pub account: Account,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            minimum: 0,
            schedule: Schedule::None,
            schedule_since: 0,
            may_request: false,
            auto_approve: false,
            auto_approve_most: None,
            methods: PaymentMethod::ALL.to_vec(),
            payer: None,
        }
    }
}

/// What a change of how a program pays changes.
pub fn differences(before: &Settings, after: &Settings, currency: Currency) -> Vec<Difference> {
    let amount = |minor: i64| currency.coded(minor).to_string();
    let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
    let words = |settings: &Settings| {
        let methods: Vec<_> = settings.methods.iter().map(|method| method.label()).collect();
        [
            ("Minimum", amount(settings.minimum)),
            ("Payouts", settings.schedule.label().to_owned()),
            ("Affiliates may ask", yes(settings.may_request)),
            ("Approve after the hold", yes(settings.auto_approve)),
            ("A person decides above", settings.auto_approve_most.map_or("no amount".into(), amount)),
            ("Payment methods", methods.join(", ")),
            (
                "Paid from",
                settings.payer.as_ref().map_or("no account".into(), |payer| {
                    format!("{}, {}", payer.name, payment::masked(payer.account.iban()))
                }),
            ),
        ]
    };
    Difference::between(words(before), words(after))
}

/// # Errors
/// Anything but 0 to 365.
pub fn hold_days(text: &str) -> Result<i64, Issue> {
    let days = text.trim().parse().ok().filter(|days| (0..=MAX_HOLD_DAYS).contains(days));
    days.ok_or(Issue::new("must be 0 to 365 days"))
}

impl Schedule {
    pub const ALL: [Self; 4] = [Self::None, Self::Weekly, Self::Fortnightly, Self::Monthly];

    pub const fn label(self) -> &'static str {
        match self {
            Self::None => "When somebody makes a payout",
            Self::Weekly => "Every Monday",
            Self::Fortnightly => "Every second Monday",
            Self::Monthly => "On the first of every month",
        }
    }

    /// Whether a payout falls due on that day, counted from 1970.
    pub fn is_due(self, day: i64) -> bool {
        // 1970-01-05 was a Monday.
        let (is_monday, week) = ((day - 4).rem_euclid(7) == 0, (day - 4).div_euclid(7));
        match self {
            Self::None => false,
            Self::Weekly => is_monday,
            Self::Fortnightly => is_monday && week.rem_euclid(2) == 0,
            Self::Monthly => Time::from_ms(0).plus_days(day).date().ends_with("-01"),
        }
    }

    /// The day on or before which a payout fell due last, not before `since`.
    pub fn last_due(self, today: i64, since: i64) -> Option<i64> {
        (since.max(today - 31)..=today).rev().find(|day| self.is_due(*day))
    }

    /// The day after today on which a payout falls due next.
    pub fn next_due(self, today: i64) -> Option<i64> {
        (today + 1..=today + 31).find(|day| self.is_due(*day))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_name_their_days() {
        let day = |text: &str| Time::parse_date(text).unwrap().day();
        // 2026-03-02 was a Monday.
        let (sunday, monday) = (day("2026-03-01"), day("2026-03-02"));
        assert!(Schedule::Weekly.is_due(monday) && !Schedule::Weekly.is_due(sunday));
        assert!(Schedule::Monthly.is_due(sunday) && !Schedule::Monthly.is_due(monday));
        let fortnights: Vec<_> = (0..4).filter(|week| Schedule::Fortnightly.is_due(monday + 7 * week)).collect();
        assert!(fortnights == [0, 2] || fortnights == [1, 3], "{fortnights:?}");
        assert_eq!(Schedule::Monthly.last_due(monday, 0), Some(sunday));
        assert_eq!(Schedule::Monthly.last_due(monday, monday), None);
        assert_eq!(Schedule::Weekly.last_due(monday, 0), Some(monday));
        assert_eq!(Schedule::Monthly.next_due(sunday), Some(day("2026-04-01")));
        assert_eq!(Schedule::Weekly.next_due(monday), Some(monday + 7));
        assert_eq!((Schedule::None.last_due(monday, 0), Schedule::None.next_due(monday)), (None, None));
    }
}
