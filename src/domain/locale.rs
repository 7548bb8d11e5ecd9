//! How people like to read: numbers grouped in their way, light or dark.

use super::{affiliate::words, money::Money};

words! {
    /// Named by what stands between thousands: `1,234.50`, `1.234,50`, `1 234,50`, `1’234.50`.
    NumberStyle as NumberStyle { Comma = "comma", Point = "point", Space = "space", Apostrophe = "apostrophe" }
    "must be one of comma, point, space, apostrophe"
}

words! {
    Theme as Theme { System = "system", Light = "light", Dark = "dark" }
    "must be one of system, light, dark"
}

const NO_BREAK_SPACE: char = '\u{a0}';
const MINUS: char = '\u{2212}';

impl NumberStyle {
    pub const ALL: [Self; 4] = [Self::Comma, Self::Point, Self::Space, Self::Apostrophe];

    /// What stands between thousands, and before the decimals.
    pub const fn marks(self) -> (char, char) {
        match self {
            Self::Comma => (',', '.'),
            Self::Point => ('.', ','),
            Self::Space => (NO_BREAK_SPACE, ','),
            Self::Apostrophe => ('\u{2019}', '.'),
        }
    }

    /// A plain number, `-1234.50`, as people of this style write it.
    fn decimal(self, plain: &str) -> String {
        let (thousands, point) = self.marks();
        let digits = plain.trim_start_matches('-');
        let (whole, part) = digits.split_once('.').map_or((digits, None), |(whole, part)| (whole, Some(part)));
        let mut shown = String::with_capacity(plain.len() + plain.len() / 3 + 2);
        if plain.starts_with('-') {
            shown.push(MINUS);
        }
        for (place, digit) in whole.chars().enumerate() {
            if place > 0 && (whole.len() - place).is_multiple_of(3) {
                shown.push(thousands);
            }
            shown.push(digit);
        }
        if let Some(part) = part {
            shown.push(point);
            shown.push_str(part);
        }
        shown
    }

    /// `1,840`
    pub fn number(self, number: i64) -> String {
        self.decimal(&number.to_string())
    }

    /// `USD 1,234.50`: the code first, because `$` is twenty currencies'.
    pub fn money(self, amount: Money) -> String {
        format!("{}{NO_BREAK_SPACE}{}", amount.currency.code(), self.decimal(&amount.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::Currency;

    #[test]
    fn amounts_are_written_as_their_reader_would() {
        let dollars = |minor| Currency::parse("USD").unwrap().of(minor);
        let shown = |style: NumberStyle| style.money(dollars(-123_456_789)).replace(NO_BREAK_SPACE, "_");
        assert_eq!(shown(NumberStyle::Comma), "USD_−1,234,567.89");
        assert_eq!(shown(NumberStyle::Point), "USD_−1.234.567,89");
        assert_eq!(shown(NumberStyle::Space), "USD_−1_234_567,89");
        assert_eq!(shown(NumberStyle::Apostrophe), "USD_−1’234’567.89");
        assert_eq!(NumberStyle::Comma.money(dollars(5)), "USD\u{a0}0.05");
        assert_eq!(NumberStyle::Comma.money(Currency::parse("JPY").unwrap().of(1_000)), "JPY\u{a0}1,000");
        assert_eq!(NumberStyle::Comma.number(999), "999");
        assert_eq!(NumberStyle::Comma.number(i64::MIN), "−9,223,372,036,854,775,808");
    }
}
