//! Amounts in integer minor units with their currency, rates in basis points, and the one rounding rule.

use std::fmt;

use super::{Issue, decimal};

/// An ISO 4217 currency and how many decimals it is written with.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency {
    code: &'static str,
    exponent: u8,
}

impl Currency {
    /// # Errors
    /// When the code is not one of ISO 4217's, or the currency has no minor unit (gold, say).
    pub fn parse(code: &str) -> Result<Self, Issue> {
        let unknown = || Issue::new("must be an ISO 4217 currency code such as USD");
        let known = iso_currency::Currency::from_code(&code.to_ascii_uppercase()).ok_or_else(unknown)?;
        let exponent = known.exponent().and_then(|e| u8::try_from(e).ok()).ok_or_else(unknown)?;
        Ok(Self { code: known.code(), exponent })
    }

    pub const fn code(self) -> &'static str {
        self.code
    }

    pub const fn exponent(self) -> u8 {
        self.exponent
    }

    pub const fn of(self, minor: i64) -> Money {
        Money { minor, currency: self }
    }

    /// With its code: for mails, records and reasons.
    pub const fn coded(self, minor: i64) -> Coded {
        Coded(self.of(minor))
    }

    /// Reads a JSON number's own text.
    ///
    /// # Errors
    /// As [`decimal::parse`].
    pub fn amount(self, text: &str) -> Result<Money, Issue> {
        Ok(self.of(decimal::parse(text, self.exponent.into())?))
    }

    /// Reads an amount by which something is corrected: one with a minus sign takes off.
    ///
    /// # Errors
    /// As [`decimal::parse`], and nothing at all.
    pub fn signed(self, text: &str) -> Result<Money, Issue> {
        let (sign, digits) = match text.strip_prefix(['-', '−']) {
            Some(digits) => (-1, digits),
            None => (1, text),
        };
        let amount = self.amount(digits)?;
        if amount.minor == 0 {
            return Err(Issue::new("must not be zero"));
        }
        Ok(self.of(sign * amount.minor))
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code)
    }
}

/// An amount of one currency. Sums of money are made in minor units, where they are exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Money {
    pub minor: i64,
    pub currency: Currency,
}

impl Money {
    #[must_use]
    pub const fn with(self, minor: i64) -> Self {
        self.currency.of(minor)
    }
}

/// The currency's own decimals, no grouping, no code: `20.00`, `-5.10`, `500`, `1.250`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Decimal::new(self.minor, self.currency.exponent).as_str())
    }
}

/// An amount with its code: `USD 20.00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coded(Money);

impl fmt::Display for Coded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0.currency.code(), self.0)
    }
}

/// A JSON number with the currency's own decimals; JSON only.
impl serde::Serialize for Money {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        number(Decimal::new(self.minor, self.currency.exponent).as_str(), serializer)
    }
}

/// Units of `10^-places` as text, in place: a list writes eighty of them.
pub struct Decimal {
    /// Filled from its end. 20 digits, a point, a sign, and zeros before the point.
    text: [u8; 48],
    start: usize,
}

impl Decimal {
    pub fn new(units: i64, places: u8) -> Self {
        let mut made = Self { text: [b'0'; 48], start: 48 };
        let (mut rest, mut digits) = (units.unsigned_abs(), 0);
        while rest > 0 || digits <= places.min(20) {
            if digits == places && places > 0 {
                made.push(b'.');
            }
            // A remainder by ten is a digit.
            made.push(b'0' + u8::try_from(rest % 10).unwrap_or(0));
            rest /= 10;
            digits += 1;
        }
        if units < 0 {
            made.push(b'-');
        }
        made
    }

    fn push(&mut self, byte: u8) {
        self.start -= 1;
        self.text[self.start] = byte;
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.text[self.start..]).unwrap_or_default()
    }
}

/// What a `serde_json::value::RawValue` calls itself when it is serialised.
pub const RAW: &str = "$serde_json::private::RawValue";

/// Writes a number's text as it stands, which no float type of serde's could; JSON only. As a raw value, which
/// cannot be made of text without reading it again as JSON.
pub fn number<S: serde::Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    let mut raw = serializer.serialize_struct(RAW, 1)?;
    serde::ser::SerializeStruct::serialize_field(&mut raw, RAW, text)?;
    serde::ser::SerializeStruct::end(raw)
}

/// A share in basis points: 2000 is 20 %.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate(i64);

impl Rate {
    pub const MAX: i64 = 10_000;

    pub const fn from_basis_points(points: i64) -> Self {
        Self(points)
    }

    pub const fn basis_points(self) -> i64 {
        self.0
    }

    /// Reads `20%`, `12.5%` or `20`.
    ///
    /// # Errors
    /// When it is not a percentage from 0 to 100 with at most two decimals.
    pub fn parse(text: &str) -> Result<Self, Issue> {
        let issue = || Issue::new("must be a percentage from 0 to 100 with at most two decimals, such as 20%");
        let number = text.trim().trim_end_matches('%').trim_end();
        let points = decimal::parse(number, 2).map_err(|_| issue())?;
        if points > Self::MAX { Err(issue()) } else { Ok(Self(points)) }
    }

    #[must_use]
    pub fn of(self, amount: Money) -> Money {
        amount.with(proportion(amount.minor, self.0, Self::MAX))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 100, self.0 % 100) {
            (whole, 0) => write!(f, "{whole}%"),
            (whole, part) if part % 10 == 0 => write!(f, "{whole}.{}%", part / 10),
            (whole, part) => write!(f, "{whole}.{part:02}%"),
        }
    }
}

/// `value × part / whole`, rounded half away from zero. The only place where money is rounded.
pub fn proportion(value: i64, part: i64, whole: i64) -> i64 {
    if whole == 0 {
        return 0;
    }
    let product = i128::from(value) * i128::from(part);
    let (divisor, negative) = (i128::from(whole).abs(), (product < 0) != (whole < 0));
    let rounded = (product.abs() * 2 + divisor) / (divisor * 2);
    let signed = if negative { -rounded } else { rounded };
    i64::try_from(signed).unwrap_or(if negative { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn currency(code: &str) -> Currency {
        Currency::parse(code).unwrap()
    }

    #[test]
    fn exponents_are_the_currencys_own() {
        for (code, exponent) in [("USD", 2), ("JPY", 0), ("KWD", 3), ("CLP", 0), ("ISK", 0), ("UGX", 0), ("TND", 3)] {
            assert_eq!(currency(code).exponent(), exponent, "{code}");
        }
        assert!(Currency::parse("XAU").is_err());
        assert!(Currency::parse("ZZZ").is_err());
    }

    #[test]
    fn written_with_the_currencys_decimals() {
        assert_eq!(currency("USD").of(2_000).to_string(), "20.00");
        assert_eq!(currency("USD").of(-5).to_string(), "-0.05");
        assert_eq!(currency("USD").of(0).to_string(), "0.00");
        assert_eq!(currency("USD").of(100).to_string(), "1.00");
        assert_eq!(currency("JPY").of(0).to_string(), "0");
        assert_eq!(currency("USD").of(i64::MIN).to_string(), "-92233720368547758.08");
        assert_eq!(currency("JPY").of(500).to_string(), "500");
        assert_eq!(currency("KWD").of(1_250).to_string(), "1.250");
        assert_eq!(serde_json::to_string(&currency("USD").of(90_050)).unwrap(), "900.50");
    }

    #[test]
    fn the_references_example() {
        let sale = currency("USD").amount("99.99").unwrap();
        assert_eq!(Rate::parse("20%").unwrap().of(sale).to_string(), "20.00");
    }

    #[test]
    fn halves_go_away_from_zero() {
        assert_eq!(proportion(5, 1, 10), 1);
        assert_eq!(proportion(-5, 1, 10), -1);
        assert_eq!(proportion(4, 1, 10), 0);
        assert_eq!(proportion(972_990, 8_500, 10_000), 827_042);
        assert_eq!(proportion(1, 1, 0), 0);
    }

    #[test]
    fn rates_are_read_and_shown() {
        for (text, points, shown) in
            [("20%", 2_000, "20%"), ("12.5 %", 1_250, "12.5%"), ("0.05", 5, "0.05%"), ("100%", 10_000, "100%")]
        {
            let rate = Rate::parse(text).unwrap();
            assert_eq!((rate.basis_points(), rate.to_string().as_str()), (points, shown));
        }
        for text in ["", "%", "101%", "-1%", "1.234%", "twenty"] {
            assert!(Rate::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn print_and_read_round_trip(minor in 0..=decimal::MAX_UNITS, code in prop::sample::select(vec!["JPY", "USD", "KWD"])) {
            let money = currency(code).of(minor);
            prop_assert_eq!(currency(code).amount(&money.to_string()), Ok(money));
        }

        #[test]
        fn rounding_is_nearest_and_symmetric(value in 0..=decimal::MAX_UNITS, points in 0..=Rate::MAX) {
            let rounded = i128::from(proportion(value, points, Rate::MAX));
            let exact = i128::from(value) * i128::from(points);
            prop_assert!((rounded * 10_000 - exact).abs() * 2 <= 10_000);
            prop_assert_eq!(proportion(-value, points, Rate::MAX), -proportion(value, points, Rate::MAX));
            prop_assert!(rounded <= i128::from(value));
        }
    }
}
