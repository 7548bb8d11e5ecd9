//! Accounts at banks: an IBAN, and the bank's BIC where somebody gave it.

use std::fmt;

use iban::{Iban, IbanLike as _, ParseIbanError};

use super::Issue;

/// Kept as its text: `DE89370400440532013000`, or `DE89370400440532013000 COBADEFFXXX`.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    iban: String,
    bic: Option<String>,
}

impl Account {
    /// # Errors
    /// Which of the two is wrong.
    pub fn new(iban: &str, bic: Option<&str>) -> Result<Self, Issue> {
        let iban = compact(iban);
        if !is_iban(&iban) {
            return Err(Issue::new("looks like an IBAN with a mistake in it"));
        }
        let Some(bic) = bic.map(compact).filter(|bic| !bic.is_empty()) else {
            return Ok(Self { iban, bic: None });
        };
        if !is_bic(&bic) {
            return Err(Issue::new("must have a BIC of 8 or 11 characters"));
        }
        let account = Self { iban, bic: Some(bic) };
        if account.is_of_one_country() {
            Ok(account)
        } else {
            Err(Issue::new("has an IBAN and a BIC of different countries"))
        }
    }

    /// Reads what somebody typed: an IBAN with or without spaces, a BIC before or after it, labels between them.
    /// Nothing where it is an account number of another kind.
    ///
    /// # Errors
    /// As [`Self::new`], where it looks like an IBAN.
    pub fn parse(text: &str) -> Result<Option<Self>, Issue> {
        let upper = text.to_ascii_uppercase();
        let words: Vec<&str> = upper
            .split(|c: char| c.is_whitespace() || ",;:/|".contains(c))
            .filter(|word| !matches!(*word, "" | "IBAN" | "BIC" | "SWIFT"))
            .collect();
        let whole = words.concat();
        if is_iban(&whole) {
            return Ok(Some(Self { iban: whole, bic: None }));
        }
        // No group of an IBAN's digits has the shape of a BIC, which has letters for its country.
        let bic = words.iter().copied().find(|word| is_bic(word));
        let rest = words.iter().copied().filter(|word| Some(*word) != bic).collect::<String>();
        if starts_as_iban(&rest) { Self::new(&rest, bic).map(Some) } else { Ok(None) }
    }

    pub fn iban(&self) -> &str {
        &self.iban
    }

    pub fn bic(&self) -> Option<&str> {
        self.bic.as_deref()
    }

    /// ISO 3166, two letters.
    pub fn country(&self) -> &str {
        &self.iban[..2]
    }

    fn is_of_one_country(&self) -> bool {
        let Some(bank) = self.bic.as_deref().map(|bic| &bic[4..6]) else { return true };
        bank == self.country() || country_of_ibans(bank) == self.country()
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iban)?;
        self.bic.iter().try_for_each(|bic| write!(f, " {bic}"))
    }
}

/// An account in a log: its country and last digits.
impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…{}", self.country(), &self.iban[self.iban.len() - 4..])
    }
}

fn compact(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_uppercase()
}

fn starts_as_iban(compact: &str) -> bool {
    compact.len() > 4
        && compact.bytes().all(|b| b.is_ascii_alphanumeric())
        && compact.bytes().take(2).all(|b| b.is_ascii_uppercase())
        && compact.bytes().skip(2).take(2).all(|b| b.is_ascii_digit())
}

/// ISO 13616: the country's own length and shape, and check digits that make it 1 modulo 97. A country that joined
/// the registry after the library was made has its check digits alone.
fn is_iban(compact: &str) -> bool {
    starts_as_iban(compact)
        && match Iban::try_from(compact) {
            Ok(read) => read.electronic_str() == compact,
            Err(ParseIbanError::UnknownCountry(_)) => compact.len() >= 15,
            Err(_) => false,
        }
}

/// ISO 9362: four letters of the bank, two of its country, two of its place, three of a branch or none.
fn is_bic(compact: &str) -> bool {
    let bytes = compact.as_bytes();
    matches!(bytes.len(), 8 | 11)
        && bytes[..6].iter().all(u8::is_ascii_uppercase)
        && bytes[6..].iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// Places whose banks have their own country in the BIC and another's in the IBAN.
fn country_of_ibans(bank: &str) -> &str {
    match bank {
        "GG" | "IM" | "JE" => "GB",
        "BL" | "GF" | "GP" | "MF" | "MQ" | "NC" | "PF" | "PM" | "RE" | "TF" | "WF" | "YT" => "FR",
        "AX" => "FI",
        own => own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        Account::parse(text).unwrap().map(|account| account.to_string())
    }

    #[test]
    fn read_as_people_write_them() {
        let both = Some("DE89370400440532013000 COBADEFFXXX".to_owned());
        for text in [
            "DE89370400440532013000 COBADEFFXXX",
            "de89 3704 0044 0532 0130 00, cobadeffxxx",
            "IBAN: DE89 3704 0044 0532 0130 00\nBIC: COBADEFFXXX",
            "COBADEFFXXX / DE89370400440532013000",
        ] {
            assert_eq!(read(text), both, "{text}");
        }
        assert_eq!(read(" GB29 NWBK 6016 1331 9268 19 ").as_deref(), Some("GB29NWBK60161331926819"));
        assert_eq!(read("NO9386011117947").as_deref(), Some("NO9386011117947"));
        assert_eq!(read("MT84MALT011000012345MTLCAST001S").as_deref(), Some("MT84MALT011000012345MTLCAST001S"));
        for other in ["021000021 / 1234567", "COBADEFF 1234567", "my bank", ""] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn kept_text_is_read_back() {
        for text in ["DE89370400440532013000", "FR1420041010050500013M02606 PSSTFRPPPAR"] {
            let account = Account::parse(text).unwrap().unwrap();
            assert_eq!(account.to_string(), text);
            assert_eq!(Account::new(account.iban(), account.bic()).unwrap(), account);
        }
    }

    #[test]
    fn mistakes_are_told() {
        for wrong in [
            "DE89370400440532013001",             // a digit
            "DE8937040044053201300",              // a digit too few
            "GB29NWBK601613319268190",            // one too many
            "DE89NWBK60161331926819",             // another country's shape
            "DE89370400440532013000 BNPAFRPPXXX", // a bank of elsewhere
        ] {
            assert!(Account::parse(wrong).is_err(), "{wrong}");
        }
        for bic in ["COBADEF", "COBADEFFXX", "C0BADEFF", "COBA1EFF"] {
            assert!(Account::new("DE89370400440532013000", Some(bic)).is_err(), "{bic}");
        }
    }

    #[test]
    fn a_bic_may_name_a_part_of_the_country() {
        assert!(Account::new("GB29NWBK60161331926819", Some("NWBKGGSP")).is_ok());
        assert!(Account::new("FR1420041010050500013M02606", Some("BNPARERX")).is_ok());
        assert!(Account::new("FR1420041010050500013M02606", Some("NWBKGGSP")).is_err());
    }
}
