//! What a program says of itself for the tax office, and what it asks its affiliates for.

use super::{Asked, exchange::Rates, threshold, vat::VatId};
use crate::domain::{Issue, affiliate::words, country::Country, money::Currency, program::Difference};

words! {
    /// From what sum of a calendar year on a form must be there. First: before the first payment. Reported: what a
    /// payer in the United States must report in that year. Amount: a sum of the program's own.
    Asks as TaxFormsAsked { Nobody = "none", First = "first", Reported = "reported", Amount = "amount" }
    "must be one of none, first, reported, amount"
}

/// The merchant, as the law knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Business {
    pub name: String,
    /// In lines, without the country.
    pub address: String,
    pub country: Country,
    pub vat_id: Option<VatId>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub business: Option<Business>,
    pub asks: Asks,
    /// Minor units, where the sum is the program's own.
    pub from_minor: i64,
    /// Whether affiliates may have their invoices written.
    pub self_billing: bool,
    pub prefix: String,
    /// For VAT that must be stated in another currency too.
    pub exchange: Rates,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            business: None,
            asks: Asks::Nobody,
            from_minor: 0,
            self_billing: false,
            prefix: "SB-".into(),
            exchange: Rates::default(),
        }
    }
}

impl Settings {
    /// What cannot be, field by field, as the form calls them.
    pub fn problems(&self, currency: Currency) -> Vec<(&'static str, Issue)> {
        let is_american = self.business.as_ref().is_some_and(|business| business.country.is_the_states());
        let is_asking = self.asks != Asks::Nobody;
        [
            (self.self_billing && self.business.is_none(), "legal_name", "must be given: it stands on every invoice"),
            (is_asking && !is_american, "forms", "are for a business in the United States: nobody else needs them"),
            (
                self.asks == Asks::Reported && currency.code() != "USD",
                "forms",
                "can follow what must be reported in USD only: name a sum",
            ),
        ]
        .into_iter()
        .filter(|(is_wrong, ..)| *is_wrong)
        .map(|(_, field, issue)| (field, Issue::new(issue)))
        .collect()
    }

    /// What is asked for in that year; `None` where nothing is.
    pub fn asked(&self, year: i16) -> Option<Asked> {
        let payer = self.business.as_ref()?.country;
        let from = match self.asks {
            Asks::Nobody => return None,
            Asks::First => 0,
            Asks::Reported => threshold(year).cents,
            Asks::Amount => self.from_minor,
        };
        Some(Asked { payer, from })
    }
}

impl Asks {
    pub const fn label(self) -> &'static str {
        match self {
            Self::Nobody => "No form",
            Self::First => "Before the first payment",
            Self::Reported => "Once a year’s payments must be reported",
            Self::Amount => "From a sum of the year’s payments on",
        }
    }
}

/// What a change of these settings changes.
pub fn differences(before: &Settings, after: &Settings, currency: Currency) -> Vec<Difference> {
    let words = |settings: &Settings| {
        let business = settings.business.as_ref();
        let of = |part: fn(&Business) -> String| business.map_or("none".into(), part);
        [
            ("Legal name", of(|business| business.name.clone())),
            ("Address", of(|business| business.address.replace('\n', ", "))),
            ("Country", of(|business| business.country.name().into())),
            ("VAT ID", of(|business| business.vat_id.as_ref().map_or("none".into(), |id| id.as_str().into()))),
            (
                "Tax forms",
                match settings.asks {
                    Asks::Amount => format!("from {} on", currency.coded(settings.from_minor)),
                    other => other.label().to_lowercase(),
                },
            ),
            ("Self-billing", if settings.self_billing { "offered" } else { "not offered" }.into()),
            ("Invoice numbers", format!("{}1, …", settings.prefix)),
            (
                "Exchange rates for VAT",
                settings.exchange.on().map_or("none".into(), |day| {
                    format!("{} on {}", settings.exchange.to_string().replace('\n', ", "), day.date())
                }),
            ),
        ]
    };
    Difference::between(words(before), words(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn business(code: &str) -> Business {
        let country = Country::parse(code).unwrap();
        Business { name: "Acme".into(), address: "Street 1".into(), country, vat_id: None }
    }

    #[test]
    fn only_who_needs_a_form_asks_for_one() {
        let (usd, eur) = (Currency::parse("USD").unwrap(), Currency::parse("EUR").unwrap());
        let of = |code, asks| Settings { business: Some(business(code)), asks, ..Settings::default() };
        assert!(of("US", Asks::Reported).problems(usd).is_empty());
        assert_eq!(of("US", Asks::Reported).problems(eur)[0].0, "forms");
        assert_eq!(of("DE", Asks::First).problems(usd)[0].0, "forms");
        let nobody = Settings { self_billing: true, ..Settings::default() };
        assert_eq!(nobody.problems(usd)[0].0, "legal_name");
        assert!(Settings::default().problems(eur).is_empty());
    }

    #[test]
    fn sums_are_of_their_year() {
        let settings =
            Settings { business: Some(business("US")), asks: Asks::Reported, from_minor: 5, ..Settings::default() };
        let from = |settings: &Settings, year| settings.asked(year).map(|asked| asked.from);
        assert_eq!((from(&settings, 2025), from(&settings, 2026)), (Some(60_000), Some(200_000)));
        assert_eq!(from(&Settings { asks: Asks::First, ..settings.clone() }, 2026), Some(0));
        assert_eq!(from(&Settings { asks: Asks::Amount, ..settings.clone() }, 2026), Some(5));
        assert_eq!(from(&Settings { asks: Asks::Nobody, ..settings }, 2026), None);
    }

    #[test]
    fn a_change_is_told() {
        let usd = Currency::parse("USD").unwrap();
        let after =
            Settings { business: Some(business("US")), asks: Asks::Amount, from_minor: 60_000, ..Settings::default() };
        let told = Difference::told(&differences(&Settings::default(), &after, usd));
        assert!(
            told.contains("Tax forms: no form → from USD 600.00 on") && told.contains("Country: none → United"),
            "{told}"
        );
    }
}
