//! Amounts, moments and words as people and tools write them.

use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, UtcOffset};

use super::table::plain;
use crate::domain::{Issue, money::Currency, time::Time};

/// Reads an amount in the currency's own units, or in minor ones; in minor units.
///
/// # Errors
/// Less than nothing, another currency, too many decimals, or what can be read in two ways.
pub fn amount(text: &str, currency: Currency, is_minor: bool) -> Result<i64, Issue> {
    let (digits, is_negative) = bare(text, currency)?;
    if is_negative {
        return Err(Issue::new("must not be negative: a refund belongs to the row of its sale"));
    }
    if is_minor {
        let whole = digits.strip_suffix(".0").or(digits.strip_suffix(".00")).unwrap_or(&digits);
        let minor = whole.parse::<i64>().map_err(|_| Issue::new("must be a whole number of minor units"))?;
        return currency.amount(&currency.of(minor).to_string()).map(|money| money.minor);
    }
    currency.amount(&marked(&digits, currency)?).map(|money| money.minor)
}

/// Currencies that are written with `$`; which of them, only a column or letters beside it say.
const DOLLARS: [&str; 24] = [
    "USD", "CAD", "AUD", "NZD", "SGD", "HKD", "TWD", "MXN", "BRL", "ARS", "CLP", "COP", "UYU", "JMD", "TTD", "BBD",
    "BSD", "BZD", "BMD", "KYD", "FJD", "XCD", "NAD", "LRD",
];

/// Without the currency's name and signs around it, and without spaces.
fn bare(text: &str, currency: Currency) -> Result<(String, bool), Issue> {
    let other = |said: &str| Issue::from(format!("is in {said}, but the program counts in {}", currency.code()));
    let mut digits = String::new();
    let (mut letters, mut is_negative) = (String::new(), false);
    for c in text.chars().filter(|c| !c.is_whitespace()) {
        match c {
            '-' | '\u{2212}' | '(' => is_negative = true,
            '€' if currency.code() != "EUR" => return Err(other("EUR")),
            '£' if currency.code() != "GBP" => return Err(other("GBP")),
            '$' if !DOLLARS.contains(&currency.code()) => return Err(other("$")),
            '¥' if !["JPY", "CNY"].contains(&currency.code()) => return Err(other("¥")),
            ')' | '+' | '$' | '€' | '£' | '¥' => {}
            '\'' | '’' => digits.push('\''),
            '.' | ',' => digits.push(c),
            c if c.is_ascii_digit() => digits.push(c),
            c if c.is_ascii_alphabetic() => letters.push(c.to_ascii_uppercase()),
            _ => return Err(Issue::new("must be a number")),
        }
    }
    // `US$ 5`, `A$5`: which dollars they are is said by the column of the currency.
    let is_dollars = text.contains('$') && currency.code().starts_with(&letters);
    if !letters.is_empty() && letters != currency.code() && !is_dollars {
        let is_currency = letters.len() == 3 && Currency::parse(&letters).is_ok();
        return Err(if is_currency { other(&letters) } else { Issue::new("must be a number") });
    }
    if digits.bytes().any(|byte| byte.is_ascii_digit()) {
        Ok((digits, is_negative))
    } else {
        Err(Issue::new("must be a number"))
    }
}

/// The same with a point before the decimals and nothing between thousands.
fn marked(digits: &str, currency: Currency) -> Result<String, Issue> {
    let decimals = usize::from(currency.exponent());
    let marks: Vec<(usize, char)> = digits.char_indices().filter(|(_, c)| !c.is_ascii_digit()).collect();
    let Some(&(last, mark)) = marks.last() else { return Ok(digits.to_owned()) };
    let after = digits.len() - last - 1;
    let is_only = marks.len() == 1;
    let has_others = marks.iter().any(|(_, other)| *other != mark);
    // Several of one kind are between thousands; a comma or an apostrophe before three digits alone is, too.
    let is_decimal = match (is_only, has_others) {
        (_, true) => mark != '\'',
        (true, false) if mark == '\'' => false,
        (true, false) if after == 3 && decimals == 3 && mark == '.' => true,
        (true, false) if after == 3 && (mark == '.' || decimals == 3) => {
            return Err(Issue::new("can be read in two ways: write the decimals too, and nothing between thousands"));
        }
        (true, false) => after != 3,
        (false, false) => false,
    };
    let (whole, fraction) = if is_decimal { (&digits[..last], &digits[last + 1..]) } else { (digits, "") };
    let mut groups = whole.split(|c: char| !c.is_ascii_digit());
    let first = groups.next().unwrap_or_default();
    let is_grouped = whole.bytes().all(|byte| byte.is_ascii_digit())
        || ((1..=3).contains(&first.len()) && groups.all(|group| group.len() == 3));
    if !is_grouped {
        return Err(Issue::new("must be a number"));
    }
    let whole: String = whole.chars().filter(char::is_ascii_digit).collect();
    let whole = if whole.is_empty() { "0" } else { whole.as_str() };
    Ok(if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") })
}

/// Which comes first in a date such as 03/04/2026, as far as a column's other dates tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Unknown,
    DayFirst,
    MonthFirst,
}

impl Order {
    /// From the dates of a column: a number above twelve is no month.
    pub fn of<'a>(cells: impl Iterator<Item = &'a str>) -> Self {
        let mut found = Self::Unknown;
        for (first, second) in cells.filter_map(ambiguous) {
            let told = match (first > 12, second > 12) {
                (true, false) => Self::DayFirst,
                (false, true) => Self::MonthFirst,
                _ => continue,
            };
            if found != Self::Unknown && found != told {
                // They contradict each other: then none of them tells.
                return Self::Unknown;
            }
            found = told;
        }
        found
    }
}

/// Day and month of a date that does not say by itself which is which.
fn ambiguous(text: &str) -> Option<(u32, u32)> {
    let date = text.split([' ', ',', 'T']).next()?;
    let mut parts = date.split(['/', '-']);
    let (first, second, year) = (parts.next()?, parts.next()?, parts.next()?);
    if first.len() > 2 || year.len() != 4 {
        return None;
    }
    Some((first.parse().ok()?, second.parse().ok()?))
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

#[derive(Default)]
struct Parts {
    year: Option<i32>,
    month: Option<u8>,
    day: Option<u8>,
    clock: Option<(u8, u8, u8)>,
    is_afternoon: Option<bool>,
    offset: Option<UtcOffset>,
}

/// Reads a day or a moment; where no time zone is named, in UTC.
///
/// # Errors
/// What is none, or a day that can be read as another one.
pub fn moment(text: &str, order: Order) -> Result<Time, Issue> {
    let issue = || Issue::new("must be a date such as 2026-03-31");
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        let number: i64 = text.parse().map_err(|_| issue())?;
        return match text.len() {
            10 => Ok(Time::from_ms(number * 1_000)),
            13 => Ok(Time::from_ms(number)),
            8 => Time::parse_date(&format!("{}-{}-{}", &text[..4], &text[4..6], &text[6..])),
            _ => Err(issue()),
        };
    }
    let mut parts = Parts::default();
    for word in words(text) {
        parts.take(&word, order).map_err(|told| told.unwrap_or_else(issue))?;
    }
    parts.time().ok_or_else(issue)
}

/// Day, time and zone apart, also where a T is between them.
fn words(text: &str) -> Vec<String> {
    let mut spaced = String::new();
    let mut before = ' ';
    let mut letters = text.chars().peekable();
    while let Some(c) = letters.next() {
        let is_between = c == 'T' && before.is_ascii_digit() && letters.peek().is_some_and(char::is_ascii_digit);
        spaced.push(if is_between || c == ',' { ' ' } else { c });
        before = c;
    }
    spaced.split_whitespace().map(str::to_lowercase).collect()
}

impl Parts {
    /// `Err(None)`: this is no word of a date.
    fn take(&mut self, word: &str, order: Order) -> Result<(), Option<Issue>> {
        let set = |place: &mut Option<u8>, value: u8| if place.replace(value).is_none() { Ok(()) } else { Err(None) };
        let word = word.trim_end_matches('.');
        if word.contains(':') && !word.starts_with(['+', '-']) {
            return self.take_clock(word).ok_or(None);
        }
        match word {
            "am" | "pm" => {
                self.is_afternoon = Some(word == "pm");
                return Ok(());
            }
            "utc" | "gmt" | "z" => {
                self.offset = Some(UtcOffset::UTC);
                return Ok(());
            }
            "at" | "mon" | "tue" | "wed" | "thu" | "fri" | "sat" | "sun" => return Ok(()),
            _ => {}
        }
        if word.starts_with(['+', '-']) {
            self.offset = Some(offset(word).ok_or(None)?);
            return Ok(());
        }
        if word.len() >= 3
            && word.bytes().all(|byte| byte.is_ascii_alphabetic())
            && let Some(month) = MONTHS.iter().position(|month| word.starts_with(month))
        {
            return set(&mut self.month, u8::try_from(month + 1).unwrap_or(0));
        }
        let number = word.trim_end_matches("st").trim_end_matches("nd").trim_end_matches("rd").trim_end_matches("th");
        if number.bytes().all(|byte| byte.is_ascii_digit()) {
            return match number.len() {
                1 | 2 => set(&mut self.day, number.parse().map_err(|_| None)?),
                4 if self.year.is_none() => {
                    self.year = number.parse().ok();
                    Ok(())
                }
                _ => Err(None),
            };
        }
        self.take_day(word, order)
    }

    fn take_day(&mut self, word: &str, order: Order) -> Result<(), Option<Issue>> {
        let between = word.chars().find(|c| matches!(c, '-' | '/' | '.')).ok_or(None)?;
        let three: Vec<&str> = word.split(between).collect();
        let [first, second, third] = three[..] else { return Err(None) };
        if self.year.is_some() || self.day.is_some() || self.month.is_some() {
            return Err(None);
        }
        if between != '.' && second.bytes().all(|byte| byte.is_ascii_alphabetic()) && second.len() >= 3 {
            // 31-Mar-2026
            let month = MONTHS.iter().position(|month| second.starts_with(month)).ok_or(None)?;
            (self.day, self.month) = (first.parse().ok(), u8::try_from(month + 1).ok());
            self.year = Some(third).filter(|year| year.len() == 4).and_then(|year| year.parse().ok());
            return Ok(());
        }
        let number = |text: &str| text.parse::<u8>().map_err(|_| None);
        if first.len() == 4 {
            (self.year, self.month, self.day) = (first.parse().ok(), Some(number(second)?), Some(number(third)?));
            return Ok(());
        }
        if third.len() != 4 {
            return Err(None);
        }
        let (first, second) = (number(first)?, number(second)?);
        let is_day_first = match (between, order) {
            ('.', _) | (_, Order::DayFirst) => true,
            (_, Order::MonthFirst) => false,
            _ if first > 12 => true,
            _ if second > 12 || first == second => false,
            _ => {
                let why = format!(
                    "can be read in two ways: write it as {third}-{second:02}-{first:02} or {third}-{first:02}-{second:02}"
                );
                return Err(Some(Issue::from(why)));
            }
        };
        let (day, month) = if is_day_first { (first, second) } else { (second, first) };
        (self.year, self.month, self.day) = (third.parse().ok(), Some(month), Some(day));
        Ok(())
    }

    /// `14:05`, `14:05:06.789`, `2:05pm`, `14:05:06+02:00`, `14:05Z`.
    fn take_clock(&mut self, word: &str) -> Option<()> {
        let mut clock = word;
        if let Some(rest) = clock.strip_suffix('z') {
            (clock, self.offset) = (rest, Some(UtcOffset::UTC));
        }
        for (suffix, is_afternoon) in [("am", false), ("pm", true)] {
            if let Some(rest) = clock.strip_suffix(suffix) {
                (clock, self.is_afternoon) = (rest, Some(is_afternoon));
            }
        }
        if let Some(sign) = clock.find(['+', '-']) {
            self.offset = Some(offset(&clock[sign..])?);
            clock = &clock[..sign];
        }
        let mut numbers = clock.split(':');
        let (hour, minute) = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
        let second = match numbers.next() {
            Some(second) => second.split('.').next()?.parse().ok()?,
            None => 0,
        };
        (numbers.next().is_none() && self.clock.replace((hour, minute, second)).is_none()).then_some(())
    }

    fn time(&self) -> Option<Time> {
        let date = Date::from_calendar_date(self.year?, Month::try_from(self.month?).ok()?, self.day?).ok()?;
        if !(1970..=2100).contains(&date.year()) {
            return None;
        }
        let (hour, minute, second) = self.clock.unwrap_or((0, 0, 0));
        let hour = match self.is_afternoon {
            Some(_) if !(1..=12).contains(&hour) => return None,
            Some(true) => hour % 12 + 12,
            Some(false) => hour % 12,
            None => hour,
        };
        let clock = time::Time::from_hms(hour, minute, second).ok()?;
        let at = PrimitiveDateTime::new(date, clock).assume_offset(self.offset.unwrap_or(UtcOffset::UTC));
        Some(Time::from_ms(OffsetDateTime::unix_timestamp(at) * 1_000))
    }
}

/// `+02:00`, `-0530`, `+2`.
fn offset(text: &str) -> Option<UtcOffset> {
    let is_west = text.starts_with('-');
    let digits: String = text[1..].chars().filter(|c| *c != ':').collect();
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes): (i8, i8) = match digits.len() {
        1 | 2 => (digits.parse().ok()?, 0),
        4 => (digits[..2].parse().ok()?, digits[2..].parse().ok()?),
        _ => return None,
    };
    let sign = if is_west { -1 } else { 1 };
    UtcOffset::from_hms(sign * hours, sign * minutes, 0).ok()
}

/// Whether a cell says yes, or no; neither where it says something else.
pub fn yes(text: &str) -> Option<bool> {
    match plain(text).as_str() {
        "yes" | "y" | "true" | "t" | "1" | "x" => Some(true),
        "no" | "n" | "false" | "f" | "0" => Some(false),
        _ => None,
    }
}
