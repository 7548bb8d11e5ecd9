//! How values look on a page, in the reader's own way: askama finds these by the module's name.

#![expect(
    clippy::inline_always,
    clippy::trivially_copy_pass_by_ref,
    clippy::unnecessary_wraps,
    clippy::unused_self,
    reason = "how `filter_fn` makes filters"
)]

use std::fmt::Display;

use askama::{Values, filters::Safe};
use jiff::{Timestamp, tz::TimeZone};

use super::shell::Shell;
use crate::domain::{locale::NumberStyle, money::Money, time::Time};

/// The page's shell, or a guest's where there is none.
fn reading<T>(values: &dyn Values, look: impl FnOnce(&Shell) -> T) -> T {
    match askama::get_value::<Shell>(values, "shell") {
        Ok(shell) => look(shell),
        Err(_) => look(&Shell::default()),
    }
}

fn style(values: &dyn Values) -> NumberStyle {
    reading(values, |shell| shell.number_style)
}

/// `USD 1,234.50`
#[askama::filter_fn]
pub fn money(amount: &Money, values: &dyn Values) -> askama::Result<String> {
    Ok(style(values).money(*amount))
}

/// What is taken off, with its sign: `USD −40.00`.
#[askama::filter_fn]
pub fn minus(amount: &Money, values: &dyn Values) -> askama::Result<String> {
    Ok(style(values).money(amount.with(amount.minor.saturating_neg())))
}

/// `1,840`
#[askama::filter_fn]
pub fn number(number: &i64, values: &dyn Values) -> askama::Result<String> {
    Ok(style(values).number(*number))
}

/// `12 %` of a whole, with one decimal below ten; a dash where there is nothing to divide by.
#[askama::filter_fn]
pub fn share(part: &i64, _: &dyn Values, whole: i64) -> askama::Result<String> {
    if whole == 0 {
        return Ok("–".into());
    }
    let tenths = crate::domain::money::proportion(*part, 1_000, whole);
    Ok(if tenths < 100 { format!("{}.{}%", tenths / 10, tenths % 10) } else { format!("{}%", (tenths + 5) / 10) })
}

fn zoned(time: Time, zone: &TimeZone) -> Option<jiff::ZonedDateTime> {
    Timestamp::from_millisecond(time.ms()).ok().map(|moment| moment.to_zoned_datetime(zone.clone()))
}

/// The day alone, in the reader's time zone: `3 Mar 2026`.
#[askama::filter_fn]
pub fn day(time: &Time, values: &dyn Values) -> askama::Result<String> {
    Ok(reading(values, |shell| in_words(*time, &shell.zone, "%-d %b %Y")))
}

/// Day and minute, in the reader's time zone: `3 Mar 2026, 14:05`.
#[askama::filter_fn]
pub fn moment(time: &Time, values: &dyn Values) -> askama::Result<String> {
    Ok(reading(values, |shell| in_words(*time, &shell.zone, "%-d %b %Y, %H:%M")))
}

pub fn in_words(time: Time, zone: &TimeZone, format: &str) -> String {
    zoned(time, zone).map_or_else(|| time.to_string(), |moment| moment.strftime(format).to_string())
}

/// A day counted from 1970: `3 Mar`.
pub fn short_day(day: i64) -> String {
    in_words(Time::from_ms(day * 86_400_000), &TimeZone::UTC, "%-d %b")
}

/// An icon of the sprite. It says nothing that the words beside it do not.
#[askama::filter_fn]
pub fn icon(name: &str, values: &dyn Values) -> askama::Result<Safe<String>> {
    let sprite = reading(values, |shell| shell.assets.icons);
    Ok(Safe(format!("<svg class=\"icon\" aria-hidden=\"true\"><use href=\"{sprite}#{name}\"/></svg>")))
}

/// The colour of a status; the word beside it says the same.
#[askama::filter_fn]
pub fn tone(status: &dyn Display, _: &dyn Values) -> askama::Result<&'static str> {
    Ok(match status.to_string().as_str() {
        "active" | "approved" | "paid" => "ok",
        "pending" | "scheduled" => "warn",
        "blocked" | "rejected" | "failed" => "bad",
        _ => "",
    })
}

/// A field's name as words, where a list of errors leads to it: `landing_url` is `Landing url`.
#[askama::filter_fn]
pub fn label_of(field: &str, _: &dyn Values) -> askama::Result<String> {
    let words = field.replace('_', " ");
    let mut letters = words.chars();
    Ok(letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_the_readers() {
        let late = Time::from_ms(1_772_406_000_000); // 2026-03-01T23:00:00Z
        assert_eq!(in_words(late, &TimeZone::UTC, "%-d %b %Y, %H:%M"), "1 Mar 2026, 23:00");
        assert_eq!(in_words(late, &TimeZone::get("Europe/Berlin").unwrap(), "%-d %b %Y, %H:%M"), "2 Mar 2026, 00:00");
        assert_eq!(short_day(late.day()), "1 Mar");
    }
}
