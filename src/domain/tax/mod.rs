//! What an affiliate says of themselves for the tax office, and what follows from it: which form must be on file
//! before they are paid, whether it still holds, and what of a year's payments is reported.
//!
//! It says what the law's own words decide and no more; it is no advice.

pub mod details;
pub mod exchange;
pub mod settings;
pub mod vat;
pub mod year;

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::{
    affiliate::{PaymentMethod, words},
    country::Country,
    time::Time,
};

words! {
    /// Of the Internal Revenue Service.
    Form as TaxForm { W9 = "w9", W8ben = "w8ben", W8benE = "w8ben_e" }
    "must be one of w9, w8ben, w8ben_e"
}

impl Form {
    pub const fn label(self) -> &'static str {
        match self {
            Self::W9 => "W-9",
            Self::W8ben => "W-8BEN",
            Self::W8benE => "W-8BEN-E",
        }
    }

    /// The first day on which a form signed then holds no more. A W-9 holds until something changes; the others to
    /// the end of the third calendar year after the one they were signed in (instructions for Form W-8BEN).
    pub fn lapses_on(self, signed_on: Time) -> Option<Time> {
        match self {
            Self::W9 => None,
            Self::W8ben | Self::W8benE => Time::parse_date(&format!("{}-01-01", year(signed_on) + 4)).ok(),
        }
    }
}

/// The first moment of a calendar year. In UTC, as the years of all totals are.
pub fn start_of_year(time: Time) -> Time {
    Time::parse_date(&format!("{:04}-01-01", year(time))).unwrap_or(time)
}

/// In UTC.
pub fn year(time: Time) -> i16 {
    date(time).year()
}

fn date(time: Time) -> Date {
    Timestamp::from_millisecond(time.ms()).unwrap_or_default().to_zoned_datetime(TimeZone::UTC).date()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    pub country: Country,
    /// A company and not a person: another form.
    pub is_company: bool,
    pub form: Option<Signed>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed {
    pub form: Form,
    pub on: Time,
    /// Whether the payer has it and has looked at it: until then it is the affiliate's word.
    pub is_checked: bool,
}

/// Where an affiliate's form stands, to follow `tax form: `.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Standing {
    #[error("not needed")]
    NotNeeded,
    #[error("{} on file", .0.label())]
    OnFile(Form),
    #[error("{} is signed, but nobody has checked it yet", .0.label())]
    Unchecked(Form),
    #[error("{} is missing", .0.label())]
    Missing(Form),
    /// Nobody knows whose form it would be.
    #[error("tax details are missing")]
    Unknown,
    #[error("{} must be signed again", .0.label())]
    Lapsed(Form),
}

impl Standing {
    /// Whether they may be paid.
    pub const fn is_enough(self) -> bool {
        matches!(self, Self::NotNeeded | Self::OnFile(_))
    }
}

/// The form of somebody there.
pub fn form_of(country: Country, is_company: bool) -> Form {
    match (country.is_the_states(), is_company) {
        (true, _) => Form::W9,
        (false, false) => Form::W8ben,
        (false, true) => Form::W8benE,
    }
}

/// Whose form a payer needs: only one in the United States asks for any.
pub fn standing(payer: Country, profile: Option<&Profile>, now: Time) -> Standing {
    if !payer.is_the_states() {
        return Standing::NotNeeded;
    }
    let Some(profile) = profile else { return Standing::Unknown };
    let needed = form_of(profile.country, profile.is_company);
    match profile.form.filter(|signed| signed.form == needed) {
        None => Standing::Missing(needed),
        Some(signed) if needed.lapses_on(signed.on).is_some_and(|day| now >= day) => Standing::Lapsed(needed),
        Some(signed) if !signed.is_checked => Standing::Unchecked(needed),
        Some(_) => Standing::OnFile(needed),
    }
}

/// What a program asks for: who pays, and from what sum of a calendar year on, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    pub payer: Country,
    pub from: i64,
}

impl Asked {
    /// What keeps this payment back, after what was paid in the year already: a form that is not there, once the
    /// year's payments would come to the sum.
    pub fn in_the_way(self, profile: Option<&Profile>, paid: i64, net: i64, now: Time) -> Option<Standing> {
        if paid.saturating_add(net) < self.from {
            return None;
        }
        Some(standing(self.payer, profile, now)).filter(|standing| !standing.is_enough())
    }
}

/// From what sum of a calendar year on a payer in the United States files a 1099-NEC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threshold {
    /// Cents of US dollars.
    pub cents: i64,
    /// Years after 2026 follow prices, and each is published when it has come: until it is in the table, the last one.
    pub is_published: bool,
}

/// From that year on; newest first. One Big Beautiful Bill Act (Pub. L. 119-21), section 70433.
const THRESHOLDS: [(i16, i64); 2] = [(2026, 200_000), (i16::MIN, 60_000)];

pub fn threshold(year: i16) -> Threshold {
    let cents = THRESHOLDS.iter().find(|(from, _)| year >= *from).map_or(0, |(_, cents)| *cents);
    Threshold { cents, is_published: year <= THRESHOLDS[0].0 }
}

/// What is reported of a year's payments in US dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reported {
    /// Cents that this payer paid and reports, where they reach the threshold.
    pub by_payer: i64,
    /// Cents that went through a settlement organisation, which reports them itself (1099-K).
    pub by_processor: i64,
    pub is_due: bool,
}

/// Payments in dollars of one calendar year, to one affiliate of a payer in the United States.
pub fn reported(profile: Option<&Profile>, year: i16, paid: &[(PaymentMethod, i64)]) -> Reported {
    let sum = |is_processor: bool| -> i64 {
        paid.iter()
            .filter(|(method, _)| (*method == PaymentMethod::Paypal) == is_processor)
            .map(|(_, cents)| cents)
            .sum()
    };
    let (by_payer, by_processor) = (sum(false), sum(true));
    let is_american = profile.is_none_or(|profile| profile.country.is_the_states());
    Reported { by_payer, by_processor, is_due: is_american && by_payer >= threshold(year).cents }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn country(code: &str) -> Country {
        Country::parse(code).unwrap()
    }

    fn day(text: &str) -> Time {
        Time::parse_date(text).unwrap()
    }

    fn profile(code: &str, is_company: bool, form: Option<(Form, &str)>) -> Profile {
        let form = form.map(|(form, on)| Signed { form, on: day(on), is_checked: true });
        Profile { country: country(code), is_company, form }
    }

    #[test]
    fn whose_form_is_needed() {
        let (states, now) = (country("US"), day("2026-04-01"));
        let of = |profile: Profile| standing(states, Some(&profile), now);
        assert_eq!(standing(country("DE"), None, now), Standing::NotNeeded);
        assert_eq!(standing(states, None, now), Standing::Unknown);
        assert_eq!(of(profile("US", true, None)), Standing::Missing(Form::W9));
        assert_eq!(of(profile("DE", false, Some((Form::W9, "2026-01-01")))), Standing::Missing(Form::W8ben));
        assert_eq!(of(profile("DE", true, Some((Form::W8ben, "2026-01-01")))), Standing::Missing(Form::W8benE));
        assert_eq!(of(profile("DE", true, Some((Form::W8benE, "2026-01-01")))), Standing::OnFile(Form::W8benE));
        assert_eq!(of(profile("US", false, Some((Form::W9, "1999-01-01")))), Standing::OnFile(Form::W9));
        assert!(!Standing::Lapsed(Form::W8ben).is_enough() && Standing::NotNeeded.is_enough());
        assert_eq!(Standing::Missing(Form::W8benE).to_string(), "W-8BEN-E is missing");
    }

    #[test]
    fn an_affiliates_word_is_not_enough() {
        let told = profile("US", false, Some((Form::W9, "2026-01-01")));
        let form = told.form.map(|signed| Signed { is_checked: false, ..signed });
        let found = standing(country("US"), Some(&Profile { form, ..told }), day("2026-04-01"));
        assert!(found == Standing::Unchecked(Form::W9) && !found.is_enough());
    }

    #[test]
    fn a_form_is_in_the_way_from_a_sum_on() {
        let (asked, now) = (Asked { payer: country("US"), from: 200_000 }, day("2026-04-01"));
        let nobody = |paid, net| asked.in_the_way(None, paid, net, now);
        assert_eq!((nobody(0, 199_999), nobody(150_000, 49_999)), (None, None));
        assert_eq!(nobody(150_000, 50_000), Some(Standing::Unknown));
        let signed = profile("US", false, Some((Form::W9, "2026-01-01")));
        assert_eq!(asked.in_the_way(Some(&signed), 0, 900_000, now), None);
        assert_eq!(Asked { payer: country("DE"), from: 0 }.in_the_way(None, 0, 1, now), None);
        assert_eq!(start_of_year(day("2026-04-01")), day("2026-01-01"));
    }

    #[test]
    fn some_forms_lapse() {
        let of = profile("FR", false, Some((Form::W8ben, "2022-09-30")));
        let at = |now| standing(country("US"), Some(&of), day(now));
        assert_eq!(at("2025-12-31"), Standing::OnFile(Form::W8ben));
        assert_eq!(at("2026-01-01"), Standing::Lapsed(Form::W8ben));
    }

    #[test]
    fn thresholds_are_dated() {
        for (year, cents, is_published) in
            [(2024, 60_000, true), (2025, 60_000, true), (2026, 200_000, true), (2027, 200_000, false)]
        {
            assert_eq!(threshold(year), Threshold { cents, is_published }, "{year}");
        }
    }

    #[test]
    fn what_a_processor_paid_it_reports() {
        use PaymentMethod::{Bank, Paypal, Wise};
        let american = profile("US", false, None);
        let paid = [(Bank, 150_000), (Wise, 49_999), (Paypal, 900_000)];
        let reported = |profile: &Profile, year, paid: &[_]| reported(Some(profile), year, paid);
        assert_eq!(
            reported(&american, 2026, &paid),
            Reported { by_payer: 199_999, by_processor: 900_000, is_due: false }
        );
        assert!(reported(&american, 2025, &paid).is_due);
        assert!(reported(&american, 2026, &[(Bank, 200_000)]).is_due);
        assert!(!reported(&profile("DE", false, None), 2026, &[(Bank, 200_000)]).is_due);
    }
}
