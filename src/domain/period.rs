//! Stretches of the calendar that a statement covers: a month, a quarter, a year, or everything; and what
//! the address calls them.

use std::fmt;

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::{Issue, time::Time};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    Month { year: i16, month: i8 },
    Quarter { year: i16, quarter: i8 },
    Year { year: i16 },
    All,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

impl Period {
    /// `2026-03`, `2026-q1`, `2026` or `all`.
    ///
    /// # Errors
    /// When the text is none of these, or the year is not of four digits.
    pub fn parse(text: &str) -> Result<Self, Issue> {
        let issue = || Issue::new("must be a month such as 2026-03, a quarter such as 2026-q1, a year or all");
        if text == "all" {
            return Ok(Self::All);
        }
        let (year, rest) = text.split_at_checked(4).ok_or_else(issue)?;
        if !year.bytes().all(|b| b.is_ascii_digit()) {
            return Err(issue());
        }
        let year = year.parse().ok().filter(|year| (2000..=9998).contains(year)).ok_or_else(issue)?;
        match rest.strip_prefix('-') {
            None if rest.is_empty() => Ok(Self::Year { year }),
            Some("q1") => Ok(Self::Quarter { year, quarter: 1 }),
            Some("q2") => Ok(Self::Quarter { year, quarter: 2 }),
            Some("q3") => Ok(Self::Quarter { year, quarter: 3 }),
            Some("q4") => Ok(Self::Quarter { year, quarter: 4 }),
            Some(month) if month.len() == 2 => {
                let month = month.parse().ok().filter(|month| (1..=12).contains(month)).ok_or_else(issue)?;
                Ok(Self::Month { year, month })
            }
            _ => Err(issue()),
        }
    }

    /// The month that the moment is in.
    pub fn month_of(moment: Time, zone: &TimeZone) -> Self {
        let date = date_of(moment, zone);
        Self::Month { year: date.year(), month: date.month() }
    }

    /// The quarter or the year around it.
    #[must_use]
    pub const fn quarter(self) -> Option<Self> {
        match self {
            Self::Month { year, month } => Some(Self::Quarter { year, quarter: (month - 1) / 3 + 1 }),
            Self::Quarter { .. } => Some(self),
            Self::Year { .. } | Self::All => None,
        }
    }

    #[must_use]
    pub const fn year(self) -> Option<Self> {
        match self {
            Self::Month { year, .. } | Self::Quarter { year, .. } | Self::Year { year } => Some(Self::Year { year }),
            Self::All => None,
        }
    }

    /// The one after it (`by` 1) or before it (`by` −1), of the same length.
    #[must_use]
    pub fn step(self, by: i16) -> Option<Self> {
        let turn = |year: i16, part: i8, parts: i16| {
            let count = i32::from(year) * i32::from(parts) + i32::from(part) - 1 + i32::from(by);
            let (year, part) = (count.div_euclid(parts.into()), count.rem_euclid(parts.into()) + 1);
            Some((i16::try_from(year).ok()?, i8::try_from(part).ok()?))
        };
        match self {
            Self::Month { year, month } => turn(year, month, 12).map(|(year, month)| Self::Month { year, month }),
            Self::Quarter { year, quarter } => {
                turn(year, quarter, 4).map(|(year, quarter)| Self::Quarter { year, quarter })
            }
            Self::Year { year } => Some(Self::Year { year: year + by }),
            Self::All => None,
        }
    }

    /// From its first moment to the first after it, as its days are counted in `zone`.
    pub fn range(self, zone: &TimeZone) -> (Time, Time) {
        let day =
            |year: i16, month: i8| Date::new(year, month, 1).map_or(Time::from_ms(0), |date| start_of(date, zone));
        let next = |year: i16, month: i8| if month > 12 { day(year + 1, month - 12) } else { day(year, month) };
        match self {
            Self::Month { year, month } => (day(year, month), next(year, month + 1)),
            Self::Quarter { year, quarter } => (day(year, quarter * 3 - 2), next(year, quarter * 3 + 1)),
            Self::Year { year } => (day(year, 1), day(year + 1, 1)),
            Self::All => (Time::from_ms(0), Time::from_ms(i64::MAX)),
        }
    }

    /// `March 2026`, `January to March 2026`, `2026`, `All time`.
    pub fn label(self) -> String {
        let name = |month: i8| usize::try_from(month - 1).ok().and_then(|at| MONTHS.get(at)).copied().unwrap_or("");
        match self {
            Self::Month { year, month } => format!("{} {year}", name(month)),
            Self::Quarter { year, quarter } => format!("{} to {} {year}", name(quarter * 3 - 2), name(quarter * 3)),
            Self::Year { year } => year.to_string(),
            Self::All => "All time".into(),
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Month { year, month } => write!(f, "{year}-{month:02}"),
            Self::Quarter { year, quarter } => write!(f, "{year}-q{quarter}"),
            Self::Year { year } => write!(f, "{year}"),
            Self::All => f.write_str("all"),
        }
    }
}

/// The day that the moment is in.
pub fn date_of(moment: Time, zone: &TimeZone) -> Date {
    let timestamp = Timestamp::from_millisecond(moment.ms()).unwrap_or(Timestamp::UNIX_EPOCH);
    timestamp.to_zoned_datetime(zone.clone()).date()
}

/// The day's first moment.
pub fn start_of(date: Date, zone: &TimeZone) -> Time {
    let start = date.to_zoned_datetime(zone.clone());
    Time::from_ms(start.map_or(0, |start| start.timestamp().as_millisecond()))
}

/// The same moment of the day as many months later, in UTC; the last of a month that is too short.
pub fn plus_months(moment: Time, months: i64) -> Time {
    let start =
        Timestamp::from_millisecond(moment.ms()).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned_datetime(TimeZone::UTC);
    let later = jiff::Span::new().try_months(months).ok().and_then(|span| start.checked_add(span).ok());
    later.map_or(Time::from_ms(i64::MAX), |later| Time::from_ms(later.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_read_as_it_is_written_and_nothing_else_is() {
        for text in ["2026-03", "2026-q4", "2026", "all"] {
            assert_eq!(Period::parse(text).unwrap().to_string(), text);
        }
        for text in [
            "",
            "2026-",
            "2026-13",
            "2026-00",
            "2026-q5",
            "2026-3",
            "1999",
            "20260",
            "ALL",
            "２０２６",
            "-026-01",
            "+026",
        ] {
            assert!(Period::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn periods_meet_without_a_gap_across_years_and_changes_of_the_clock() {
        for zone in ["UTC", "Europe/Berlin", "Pacific/Apia", "America/Sao_Paulo"] {
            let zone = TimeZone::get(zone).unwrap();
            for text in ["2025-11", "2025-q3", "2025"] {
                let mut period = Period::parse(text).unwrap();
                for _ in 0..8 {
                    let next = period.step(1).unwrap();
                    assert_eq!(period.range(&zone).1, next.range(&zone).0, "{period} {next}");
                    assert_eq!(next.step(-1), Some(period));
                    period = next;
                }
            }
        }
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let (start, end) = Period::parse("2026-03").unwrap().range(&berlin);
        assert_eq!(
            (start.to_string(), end.to_string()),
            ("2026-02-28T23:00:00Z".into(), "2026-03-31T22:00:00Z".into())
        );
        assert_eq!(Period::month_of(start, &berlin).to_string(), "2026-03");
        assert_eq!(Period::month_of(start, &TimeZone::UTC).to_string(), "2026-02");
    }

    #[test]
    fn they_are_named_as_people_say_them() {
        let label = |text: &str| Period::parse(text).unwrap().label();
        assert_eq!(label("2026-03"), "March 2026");
        assert_eq!(label("2026-q4"), "October to December 2026");
        assert_eq!(Period::parse("2026-05").unwrap().quarter().unwrap().to_string(), "2026-q2");
    }

    #[test]
    fn months_later_is_the_same_day_or_the_last_one() {
        let date = |text: &str| Time::parse_date(text).unwrap();
        assert_eq!(plus_months(date("2026-01-31"), 1), date("2026-02-28"));
        assert_eq!(plus_months(date("2026-03-15"), 12), date("2027-03-15"));
        assert_eq!(plus_months(date("2026-03-15"), i64::MAX), Time::from_ms(i64::MAX));
    }
}
