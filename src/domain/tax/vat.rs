//! VAT: the shape of each country's numbers, and who owes it of a service between two businesses.

use crate::domain::{
    Issue,
    affiliate::words,
    country::Country,
    money::{Money, Rate},
    self_billing::{self, Vat},
    text,
};

/// A VAT number with its country's letters, without spaces or dots: `DE123456789`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VatId(String);

/// `9` is a digit, `A` a letter, `*` either; anything else itself. After the country's letters. As VIES takes them
/// (<https://ec.europa.eu/taxation_customs/vies/>), and of the neighbours.
const SHAPES: [(&str, &[&str]); 32] = [
    ("AT", &["U99999999"]),
    ("BE", &["0999999999", "1999999999"]),
    ("BG", &["999999999", "9999999999"]),
    ("CH", &["E999999999", "E999999999MWST", "E999999999TVA", "E999999999IVA"]),
    ("CY", &["99999999A"]),
    ("CZ", &["99999999", "999999999", "9999999999"]),
    ("DE", &["999999999"]),
    ("DK", &["99999999"]),
    ("EE", &["999999999"]),
    ("EL", &["999999999"]),
    ("ES", &["*9999999*"]),
    ("FI", &["99999999"]),
    ("FR", &["**999999999"]),
    ("GB", &["999999999", "999999999999", "GD999", "HA999"]),
    ("HR", &["99999999999"]),
    ("HU", &["99999999"]),
    ("IE", &["9*99999A", "9999999AA"]),
    ("IT", &["99999999999"]),
    ("LT", &["999999999", "999999999999"]),
    ("LU", &["99999999"]),
    ("LV", &["99999999999"]),
    ("MT", &["99999999"]),
    ("NL", &["*********B99"]),
    ("NO", &["999999999", "999999999MVA"]),
    ("PL", &["9999999999"]),
    ("PT", &["999999999"]),
    ("RO", &["99", "999", "9999", "99999", "999999", "9999999", "99999999", "999999999", "9999999999"]),
    ("SE", &["999999999999"]),
    ("SI", &["99999999"]),
    ("SK", &["9999999999"]),
    ("SM", &["99999"]),
    ("XI", &["999999999", "999999999999", "GD999", "HA999"]),
];

impl VatId {
    /// Reads the number of a business in that country, with or without the country's letters before it. A country whose
    /// numbers are not known here may have any of 4 to 20 letters and digits.
    ///
    /// # Errors
    /// Another shape.
    pub fn parse(typed: &str, country: Country) -> Result<Self, Issue> {
        text::bounded(typed.trim(), 1, 40)?;
        let compact: String = typed
            .chars()
            .filter(|c| !c.is_whitespace() && !".-/".contains(*c))
            .collect::<String>()
            .to_ascii_uppercase();
        // Greece has its own letters here, and Northern Ireland another's.
        let code = country.code();
        let prefixes: &[&str] = match code.as_str() {
            "GR" => &["EL", "GR"],
            "GB" => &["GB", "XI"],
            own => &[own],
        };
        let found = prefixes.iter().find(|prefix| compact.starts_with(**prefix));
        let (prefix, number) = found.map_or((prefixes[0], &*compact), |prefix| (*prefix, &compact[prefix.len()..]));
        let prefix = if prefix == "GR" { "EL" } else { prefix };
        let is_right = match SHAPES.iter().find(|(known, _)| *known == prefix) {
            Some((_, shapes)) => shapes.iter().any(|shape| is_of(number, shape)),
            None => (4..=20).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_alphanumeric()),
        };
        if is_right {
            Ok(Self(format!("{prefix}{number}")))
        } else {
            Err(Issue::from(format!("is no VAT number of {}", country.name())))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_of(number: &str, shape: &str) -> bool {
    number.len() == shape.len()
        && number.bytes().zip(shape.bytes()).all(|(byte, wanted)| match wanted {
            b'9' => byte.is_ascii_digit(),
            b'A' => byte.is_ascii_uppercase(),
            b'*' => byte.is_ascii_alphanumeric(),
            own => byte == own,
        })
}

/// A business as VAT sees it.
#[derive(Debug, Clone, Copy)]
pub struct Business<'a> {
    pub country: Country,
    pub vat_id: Option<&'a VatId>,
}

words! {
    /// Who owes the VAT of what the supplier does for the customer (Directive 2006/112/EC, articles 44 and 196).
    /// Domestic: the supplier, at the rate of their country, and somebody must say which. Not registered: the supplier
    /// has no number, so they are no business for VAT, or a small one. Outside scope: one of the two is outside the Union.
    Treatment as VatTreatment {
        Domestic = "domestic", ReverseCharge = "reverse_charge", NotRegistered = "not_registered",
        OutsideScope = "outside_scope",
    }
    "must be one of domestic, reverse_charge, not_registered, outside_scope"
}

pub fn treatment(supplier: Business<'_>, customer: Business<'_>) -> Treatment {
    let are_in_the_union = supplier.country.is_in_the_union() && customer.country.is_in_the_union();
    match supplier.vat_id {
        None => Treatment::NotRegistered,
        Some(_) if supplier.country == customer.country => Treatment::Domestic,
        // Without a number, the customer counts as a consumer, whom the supplier charges their own country's VAT.
        Some(_) if are_in_the_union && customer.vat_id.is_none() => Treatment::Domestic,
        Some(_) if are_in_the_union => Treatment::ReverseCharge,
        Some(_) => Treatment::OutsideScope,
    }
}

impl Treatment {
    /// As an invoice over what was paid has it, at the rate that the supplier charges in their country; one who
    /// names none is exempt there. Across borders that exemption does not reach.
    pub fn on_invoice(self, rate: Option<Rate>, paid: Money) -> Vat<'static> {
        match self {
            Self::Domestic => match rate {
                Some(rate) => Vat::Charged { rate, minor: self_billing::included(rate, paid), stated: None },
                None => Vat::None("No VAT: the supplier is exempt from VAT as a small business."),
            },
            Self::ReverseCharge => Vat::ReverseCharge,
            Self::NotRegistered => Vat::None("No VAT: the supplier is not registered for VAT."),
            Self::OutsideScope => Vat::None("No VAT: the service is supplied where the customer is established."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::Currency;

    fn country(code: &str) -> Country {
        Country::parse(code).unwrap()
    }

    fn read(typed: &str, code: &str) -> Option<String> {
        VatId::parse(typed, country(code)).ok().map(|id| id.as_str().to_owned())
    }

    #[test]
    fn numbers_have_their_countrys_shape() {
        for (typed, code, kept) in [
            ("DE 123 456 789", "DE", "DE123456789"),
            ("123456789", "DE", "DE123456789"),
            ("atu12345678", "AT", "ATU12345678"),
            ("BE 0123.456.789", "BE", "BE0123456789"),
            ("EL123456789", "GR", "EL123456789"),
            ("GR123456789", "GR", "EL123456789"),
            ("ESX1234567R", "ES", "ESX1234567R"),
            ("FRK7399859412", "FR", "FRK7399859412"),
            ("IE6433435OA", "IE", "IE6433435OA"),
            ("NL123456789B01", "NL", "NL123456789B01"),
            ("XI123456789", "GB", "XI123456789"),
            ("CHE-123.456.789 MWST", "CH", "CHE123456789MWST"),
            ("29ABCDE1234F1Z5", "IN", "IN29ABCDE1234F1Z5"),
        ] {
            assert_eq!(read(typed, code).as_deref(), Some(kept), "{typed}");
        }
        for (typed, code) in [
            ("DE12345678", "DE"),
            ("FR12345678901", "DE"),
            ("ATU1234567", "AT"),
            ("BE2123456789", "BE"),
            ("", "DE"),
            ("DE", "DE"),
            ("IN1", "IN"),
            ("DE12345678é", "DE"),
        ] {
            assert_eq!(read(typed, code), None, "{typed}");
        }
        assert!(SHAPES.iter().all(|(code, _)| matches!(*code, "EL" | "XI") || Country::parse(code).is_ok()));
    }

    #[test]
    fn who_owes_the_vat() {
        let id = VatId::parse("DE123456789", country("DE")).unwrap();
        let business = |code, has_id: bool| Business { country: country(code), vat_id: has_id.then_some(&id) };
        for (supplier, customer, expected) in [
            (("DE", true), ("DE", true), Treatment::Domestic),
            (("DE", true), ("DE", false), Treatment::Domestic),
            (("FR", true), ("DE", true), Treatment::ReverseCharge),
            (("FR", true), ("DE", false), Treatment::Domestic),
            (("FR", false), ("DE", true), Treatment::NotRegistered),
            (("FR", true), ("US", true), Treatment::OutsideScope),
            (("US", true), ("FR", true), Treatment::OutsideScope),
            (("GB", true), ("GB", true), Treatment::Domestic),
        ] {
            let found = treatment(business(supplier.0, supplier.1), business(customer.0, customer.1));
            assert_eq!(found, expected, "{supplier:?} for {customer:?}");
        }
        let (rate, paid) = (Rate::parse("19%").unwrap(), Currency::parse("EUR").unwrap().of(11_900));
        assert_eq!(Treatment::Domestic.on_invoice(Some(rate), paid), Vat::Charged { rate, minor: 1_900, stated: None });
        assert!(Treatment::Domestic.on_invoice(None, paid).words().unwrap().contains("exempt"));
        assert_eq!(Treatment::ReverseCharge.on_invoice(Some(rate), paid), Vat::ReverseCharge);
        assert!(Treatment::NotRegistered.on_invoice(Some(rate), paid).words().is_some());
    }
}
