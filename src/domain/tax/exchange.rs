//! VAT in the money of the state that it is owed to. An invoice may be in any currency, but it must say the VAT in the
//! national one too (Council Directive 2006/112/EC, article 230), at the rate of the day on which it becomes due
//! (article 91).

use std::fmt;

use crate::domain::{
    Issue,
    country::Country,
    decimal,
    money::{Currency, Decimal, Money, proportion},
    time::Time,
};

/// Decimals that a rate is kept with.
const PLACES: u8 = 6;
const ONE: i64 = 1_000_000;
/// For so long a rate counts. Most states take the last one that their bank or the European Central Bank published, and
/// some one for the whole month.
const COUNTS_DAYS: i64 = 31;
/// As many as a program keeps.
const MOST: usize = 20;

/// In what currency VAT of that country is stated, where that is known: in the European Union, in the United Kingdom
/// (VAT Notice 700, section 7.7), in Norway (Bokføringsforskriften § 5-1-1).
pub fn national(of: Country) -> Option<Currency> {
    let code = match of.code().as_str() {
        "CZ" => "CZK",
        "DK" => "DKK",
        "HU" => "HUF",
        "PL" => "PLN",
        "RO" => "RON",
        "SE" => "SEK",
        "GB" => "GBP",
        "NO" => "NOK",
        _ if of.is_in_the_union() => "EUR",
        _ => return None,
    };
    Currency::parse(code).ok()
}

/// How much of another currency one unit of the program's is, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate(i64);

impl Rate {
    pub const fn from_millionths(millionths: i64) -> Self {
        Self(millionths)
    }

    pub const fn millionths(self) -> i64 {
        self.0
    }

    fn of(self, amount: Money, currency: Currency) -> Money {
        let unit = |currency: Currency| 10_i64.pow(u32::from(currency.exponent()));
        currency.of(proportion(amount.minor, self.0 * unit(currency), ONE * unit(amount.currency)))
    }
}

/// `4.2567`
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Decimal::new(self.0, PLACES).as_str().trim_end_matches('0').trim_end_matches('.'))
    }
}

/// The same VAT in another currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stated {
    pub amount: Money,
    pub rate: Rate,
    /// The day of the rate.
    pub on: Time,
}

impl Stated {
    /// As a credit note has it.
    #[must_use]
    pub const fn negated(self) -> Self {
        Self { amount: self.amount.with(-self.amount.minor), ..self }
    }
}

/// The rates that a program goes by, all of one day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rates {
    rates: Vec<(Currency, Rate)>,
    on: Option<Time>,
}

/// Why VAT cannot be stated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "an invoice must state its VAT in {} too, and {} for it: enter today’s under Settings, Tax and invoices",
    .currency.code(),
    .of.map_or_else(|| "there is no exchange rate".to_owned(), |day| format!("the exchange rate of {} is too old", day.date()))
)]
pub struct NoRate {
    currency: Currency,
    of: Option<Time>,
}

impl Rates {
    /// Reads lines such as `PLN 4.2567`: so much is one unit of the program's currency on that day.
    ///
    /// # Errors
    /// Other lines, a currency twice, the program's own, or too many.
    pub fn parse(text: &str, on: Time, own: Currency) -> Result<Self, Issue> {
        let read = Self::read(text, on)?;
        if read.rates.iter().any(|(currency, _)| *currency == own) {
            return Err(Issue::from(format!("must be of other currencies: the program counts in {}", own.code())));
        }
        Ok(read)
    }

    /// Reads what [`fmt::Display`] writes.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn read(text: &str, on: Time) -> Result<Self, Issue> {
        let mut rates: Vec<(Currency, Rate)> = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let wrong = || Issue::from(format!("must be lines such as “PLN 4.2567”, not “{line}”"));
            let (code, rate) = line.split_once(char::is_whitespace).ok_or_else(wrong)?;
            let currency = Currency::parse(code).map_err(|_| wrong())?;
            let rate = decimal::parse(rate.trim(), PLACES.into()).map_err(|_| wrong())?;
            if rate == 0 {
                return Err(wrong());
            }
            if rates.iter().any(|(known, _)| *known == currency) {
                return Err(Issue::from(format!(
                    "must name each currency once, and {} is there twice",
                    currency.code()
                )));
            }
            rates.push((currency, Rate(rate)));
        }
        if rates.len() > MOST {
            return Err(Issue::new("must be at most 20 lines"));
        }
        let on = (!rates.is_empty()).then_some(on);
        Ok(Self { rates, on })
    }

    /// The day of all of them, where there are any.
    pub const fn on(&self) -> Option<Time> {
        self.on
    }

    /// VAT that is owed in that country, in its own currency; `None` where the amount is so already, or where no
    /// other is asked for.
    ///
    /// # Errors
    /// When there is no rate for it, or only one of long ago.
    pub fn state(&self, vat: Money, country: Country, now: Time) -> Result<Option<Stated>, NoRate> {
        let Some(currency) = national(country).filter(|currency| *currency != vat.currency) else { return Ok(None) };
        let found = self.rates.iter().find(|(known, _)| *known == currency).map(|(_, rate)| *rate);
        match (found, self.on) {
            (Some(rate), Some(on)) if on.plus_days(COUNTS_DAYS) > now => {
                Ok(Some(Stated { amount: rate.of(vat, currency), rate, on }))
            }
            (Some(_), of) => Err(NoRate { currency, of }),
            (None, _) => Err(NoRate { currency, of: None }),
        }
    }
}

/// The lines that [`Rates::parse`] reads.
impl fmt::Display for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rates.iter().enumerate().try_for_each(|(place, (currency, rate))| {
            let between = if place == 0 { "" } else { "\n" };
            write!(f, "{between}{} {rate}", currency.code())
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn currency(code: &str) -> Currency {
        Currency::parse(code).unwrap()
    }

    fn day(text: &str) -> Time {
        Time::parse_date(text).unwrap()
    }

    #[test]
    fn rates_are_lines() {
        let read = |text: &str| Rates::parse(text, day("2026-11-02"), currency("EUR"));
        let rates = read(" PLN 4.2567\r\n\nhuf  400\n").unwrap();
        assert_eq!((rates.to_string().as_str(), rates.on()), ("PLN 4.2567\nHUF 400", Some(day("2026-11-02"))));
        assert_eq!(read("").unwrap(), Rates::default());
        for wrong in ["PLN", "PLN 0", "PLN -1", "PLN x", "ZZZ 1", "EUR 1", "PLN 1\npln 2", "4.2 PLN"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        let codes = "AED AUD BRL CAD CHF CLP CNY COP CZK DKK EGP GBP HKD HUF IDR ILS INR ISK JPY KRW KWD";
        let lines: Vec<_> = codes.split(' ').map(|code| format!("{code} 1")).collect();
        assert!(read(&lines[1..].join("\n")).is_ok() && read(&lines.join("\n")).is_err());
    }

    #[test]
    fn vat_is_stated_where_it_is_owed() {
        let rates = Rates::parse("PLN 4.2567\nHUF 400.5\nEUR 0.92", day("2026-11-02"), currency("USD")).unwrap();
        let now = day("2026-11-20");
        let stated = |minor, country: &str| {
            let stated = rates.state(currency("USD").of(minor), Country::parse(country).unwrap(), now);
            stated.map(|stated| stated.map(|stated| format!("{} {}", stated.amount.currency.code(), stated.amount)))
        };
        assert_eq!(stated(2_300, "PL"), Ok(Some("PLN 97.90".into())));
        assert_eq!(stated(-2_300, "PL"), Ok(Some("PLN -97.90".into())));
        assert_eq!(stated(1_870, "IE"), Ok(Some("EUR 17.20".into())));
        assert_eq!(stated(1, "HU"), Ok(Some("HUF 4.01".into())));
        assert_eq!(stated(100, "US"), Ok(None));
        let refused = stated(100, "SE").unwrap_err().to_string();
        assert!(refused.contains("in SEK too, and there is no exchange rate"), "{refused}");
        let own = rates.state(currency("PLN").of(5), Country::parse("PL").unwrap(), now);
        assert_eq!(own, Ok(None));
        let old = rates.state(currency("USD").of(5), Country::parse("PL").unwrap(), day("2026-12-03"));
        assert!(old.unwrap_err().to_string().contains("of 2026-11-02 is too old"));
    }

    #[test]
    fn every_member_has_its_currency() {
        let of = |code: &str| national(Country::parse(code).unwrap()).map(Currency::code);
        let all = Country::all();
        let members: Vec<_> = all.iter().map(|(code, _)| Country::parse(code).unwrap()).collect();
        assert!(members.iter().filter(|country| country.is_in_the_union()).all(|country| national(*country).is_some()));
        // Bulgaria's since 2026.
        assert_eq!(
            (of("BG"), of("DE"), of("PL"), of("GB"), of("US")),
            (Some("EUR"), Some("EUR"), Some("PLN"), Some("GBP"), None)
        );
    }

    proptest! {
        #[test]
        fn rates_are_read_as_they_are_written(millionths in 1_i64..=999_999_999_999) {
            let text = format!("PLN {}", Rate(millionths));
            let rates = Rates::parse(&text, day("2026-11-02"), currency("EUR")).unwrap();
            prop_assert_eq!(rates.to_string(), text);
            prop_assert_eq!(rates.rates[0].1.millionths(), millionths);
        }
    }
}
