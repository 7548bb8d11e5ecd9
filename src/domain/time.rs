//! Moments in Unix milliseconds, days in UTC, and their one written form.

use std::fmt;

use time::OffsetDateTime;

const DAY_MS: i64 = 86_400_000;

/// Unix milliseconds. Shown in whole seconds, RFC 3339, UTC, `Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

impl Time {
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    pub const fn ms(self) -> i64 {
        self.0
    }

    /// Days since 1970-01-01, UTC.
    pub const fn day(self) -> i64 {
        self.0.div_euclid(DAY_MS)
    }

    /// The day alone: `2023-06-18`.
    pub fn date(self) -> String {
        self.to_string().chars().take(10).collect()
    }

    #[must_use]
    pub const fn plus_days(self, days: i64) -> Self {
        Self(self.0.saturating_add(days.saturating_mul(DAY_MS)))
    }

    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1_000)))
    }
}

/// RFC 3339 in whole seconds, in place: a list writes one for each row. `None` outside the years 0 to 9999.
fn shown(time: Time) -> Option<[u8; 20]> {
    let moment = OffsetDateTime::from_unix_timestamp(time.0.div_euclid(1_000)).ok()?;
    let (year, month, day) = moment.to_calendar_date();
    let (hour, minute, second) = moment.to_hms();
    let year = u16::try_from(year).ok().filter(|year| *year < 10_000)?;
    let (century, year) = (u8::try_from(year / 100).ok()?, u8::try_from(year % 100).ok()?);
    let mut text = *b"0000-00-00T00:00:00Z";
    let parts = [(0, century), (2, year), (5, month.into()), (8, day), (11, hour), (14, minute), (17, second)];
    for (place, number) in parts {
        text[place] += number / 10;
        text[place + 1] += number % 10;
    }
    Some(text)
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = shown(*self).ok_or(fmt::Error)?;
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl serde::Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = shown(*self).ok_or_else(|| serde::ser::Error::custom("a time outside the years 0 to 9999"))?;
        serializer.serialize_str(std::str::from_utf8(&text).map_err(serde::ser::Error::custom)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_seconds_in_utc() {
        assert_eq!(Time::from_ms(1_687_098_330_999).to_string(), "2023-06-18T14:25:30Z");
        assert_eq!(Time::from_ms(0).to_string(), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn days_are_counted_from_1970() {
        assert_eq!(Time::from_ms(DAY_MS - 1).day(), 0);
        assert_eq!(Time::from_ms(DAY_MS).day(), 1);
        assert_eq!(Time::from_ms(-1).day(), -1);
    }
}
