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
const MAX_NET_DAYS: i64 = 90;

/// How a program pays, but for the hold, which every sale needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Minor units; less than that waits for more.
    pub minimum: i64,
    pub schedule: Schedule,
    /// Of a monthly schedule: so many days after a month's end, for what was payable then (NET-30 and the like).
    pub net_days: i64,
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
            net_days: 0,
            schedule_since: 0,
            may_request: false,
            auto_approve: false,
            auto_approve_most: None,
            methods: PaymentMethod::ALL.to_vec(),
            payer: None,
        }
    }
}

/// A payout of the schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Its day's beginning, UTC.
    pub on: Time,
    /// It is for what was payable by then; without one, for everything at its moment.
    pub until: Option<Time>,
}

impl Settings {
    /// The days after a month's end, where payouts are of a month.
    fn net(&self) -> Option<i64> {
        Some(self.net_days).filter(|days| *days > 0 && self.schedule == Schedule::Monthly)
    }

    /// When payouts are prepared, in words.
    pub fn prepared(&self) -> String {
        match self.net() {
            None => self.schedule.label().into(),
            Some(1) => "1 day after every month’s end, for that month".into(),
            Some(days) => format!("{days} days after every month’s end, for that month"),
        }
    }

    /// The payout that falls due on that day, if one does.
    fn due(&self, day: i64) -> Option<Due> {
        // The first of a month is one day after the month before.
        let first = day - self.net().map_or(0, |days| days - 1);
        let start = |day| Time::from_ms(0).plus_days(day);
        let until = self.net().map(|_| start(first).plus_seconds(-1));
        self.schedule.is_due(first).then_some(Due { on: start(day), until })
    }

    /// What fell due last, today or before, but not before there was this schedule.
    pub fn last_due(&self, today: i64) -> Option<Due> {
        (self.schedule_since.max(today - 31)..=today).rev().find_map(|day| self.due(day))
    }

    /// What falls due next after today.
    pub fn next_due(&self, today: i64) -> Option<Due> {
        (today + 1..=today + 31).find_map(|day| self.due(day))
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
            ("Payouts", settings.prepared()),
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
/// Anything but 0 to 90.
pub fn net_days(text: &str) -> Result<i64, Issue> {
    let days = text.trim().parse().ok().filter(|days| (0..=MAX_NET_DAYS).contains(days));
    days.ok_or(Issue::new("must be 0 to 90 days"))
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

    fn is_due(self, day: i64) -> bool {
        // 1970-01-05 was a Monday.
        let (is_monday, week) = ((day - 4).rem_euclid(7) == 0, (day - 4).div_euclid(7));
        match self {
            Self::None => false,
            Self::Weekly => is_monday,
            Self::Fortnightly => is_monday && week.rem_euclid(2) == 0,
            Self::Monthly => Time::from_ms(0).plus_days(day).date().ends_with("-01"),
        }
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
        let of =
            |schedule, since, net_days| Settings { schedule, schedule_since: since, net_days, ..Settings::default() };
        let (last, next) = (
            |settings: &Settings, today| settings.last_due(today).map(|due| due.on.day()),
            |settings: &Settings, today| settings.next_due(today).map(|due| due.on.day()),
        );
        let monthly = of(Schedule::Monthly, 0, 0);
        assert_eq!((last(&monthly, monday), next(&monthly, sunday)), (Some(sunday), Some(day("2026-04-01"))));
        assert_eq!(last(&of(Schedule::Monthly, monday, 0), monday), None);
        assert!(monthly.next_due(sunday).is_some_and(|due| due.until.is_none()));
        let weekly = of(Schedule::Weekly, 0, 0);
        assert_eq!((last(&weekly, monday), next(&weekly, monday)), (Some(monday), Some(monday + 7)));
        let none = of(Schedule::None, 0, 0);
        assert_eq!((none.last_due(monday), none.next_due(monday)), (None, None));
        // Net-30: February's is paid on the 30th of March, and March's on the 30th of April.
        let later = of(Schedule::Monthly, 0, 30);
        assert_eq!(next(&later, monday), Some(day("2026-03-30")));
        let due = later.next_due(day("2026-03-30")).unwrap();
        let until = due.until.map(|until| until.to_string());
        assert_eq!((due.on.day(), until.as_deref()), (day("2026-04-30"), Some("2026-03-31T23:59:59Z")));
        assert_eq!(later.prepared(), "30 days after every month’s end, for that month");
        // Of other schedules it means nothing.
        let weekly = of(Schedule::Weekly, 0, 30);
        assert_eq!((next(&weekly, sunday), weekly.prepared().as_str()), (Some(monday), "Every Monday"));
    }
}
