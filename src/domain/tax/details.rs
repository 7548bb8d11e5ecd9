//! What a tax profile says of a person, which is sealed in the database: as whom they are paid, and their numbers.

use serde::{Deserialize, Serialize};

use super::{Profile, vat::VatId};
use crate::domain::{Issue, country::Country, money::Rate, text};

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// As the law knows them.
    pub name: String,
    /// In lines, without the country.
    pub address: String,
    pub tax_id: Option<String>,
    pub vat_id: Option<String>,
}

/// A whole profile.
#[derive(Clone, PartialEq, Eq)]
pub struct Whole {
    pub profile: Profile,
    pub details: Details,
    /// What they charge at home; `None` of somebody with a VAT number is a small business, which charges none.
    pub vat_rate: Option<Rate>,
}

impl Whole {
    /// Their number, as the country they are in has it.
    pub fn vat_id(&self) -> Option<VatId> {
        self.details.vat_id.as_ref().and_then(|id| VatId::parse(id, self.profile.country).ok())
    }

    /// What a signed form says: with anything else, it says so no longer (instructions for Form W-8BEN, "change in
    /// circumstances").
    pub fn is_who_signed(&self, before: &Self) -> bool {
        let who = |whole: &Self| {
            let Details { name, address, tax_id, .. } = whole.details.clone();
            (whole.profile.country, whole.profile.is_company, name, address, tax_id)
        };
        who(self) == who(before)
    }
}

/// # Errors
/// Anything but 3 to 500 characters in at most 6 lines.
pub fn address(typed: &str) -> Result<String, Issue> {
    let lines: Vec<_> = typed.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let address = lines.join("\n");
    text::bounded(&address, 3, 500)?;
    if lines.len() > 6 {
        return Err(Issue::new("must be at most 6 lines"));
    }
    Ok(address)
}

/// A taxpayer's number: in the United States nine digits (SSN, ITIN or EIN), elsewhere what has that shape at all.
///
/// # Errors
/// Another shape.
pub fn tax_id(typed: &str, country: Country) -> Result<String, Issue> {
    text::bounded(typed, 1, 40)?;
    let compact: String = typed.chars().filter(|c| !c.is_whitespace() && !".-/".contains(*c)).collect();
    if country.is_the_states() {
        let is_right = compact.len() == 9 && compact.bytes().all(|byte| byte.is_ascii_digit());
        return if is_right { Ok(compact) } else { Err(Issue::new("must be nine digits (SSN, ITIN or EIN)")) };
    }
    let is_right = (4..=20).contains(&compact.len()) && compact.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_right { Ok(compact.to_ascii_uppercase()) } else { Err(Issue::new("must be 4 to 20 letters and digits")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn country(code: &str) -> Country {
        Country::parse(code).unwrap()
    }

    #[test]
    fn numbers_have_a_shape() {
        assert_eq!(tax_id("123-45-6789", country("US")).unwrap(), "123456789");
        assert_eq!(tax_id("12/345/67890", country("DE")).unwrap(), "1234567890");
        for (wrong, code) in [("12345678", "US"), ("12345678a", "US"), ("", "DE"), ("abc", "DE"), ("12é4", "DE")] {
            assert!(tax_id(wrong, country(code)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_address_is_a_few_lines() {
        assert_eq!(address(" Main Street 1 \r\n\r\n 10115 Berlin ").unwrap(), "Main Street 1\n10115 Berlin");
        for wrong in ["", "  \n ", "a\nb\nc\nd\ne\nf\ng", "a\0bc"] {
            assert!(address(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_form_is_of_who_signed_it() {
        let details = Details {
            name: "Anna".into(),
            address: "Street 1".into(),
            tax_id: None,
            vat_id: Some("DE123456789".into()),
        };
        let profile = Profile { country: country("DE"), is_company: false, form: None };
        let whole = Whole { profile, details, vat_rate: None };
        let mut other = whole.clone();
        other.details.vat_id = None;
        assert!(whole.is_who_signed(&other) && whole.vat_id().is_some());
        other.details.name = "Ben".into();
        assert!(!whole.is_who_signed(&other));
    }
}
