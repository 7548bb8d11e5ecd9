//! Self-billing invoices: what must be on one, what it comes to, and what both sides agree to beforehand. The merchant
//! writes it for the affiliate; its number is of the program's own series, without gaps. What takes one back is a
//! credit note, an invoice of the same series that names the one it amends (article 219).
//!
//! A commission is what is paid, and VAT is in it. On top, VAT would be money that no commission made: a payout would
//! no longer be the sum of what it holds, and an affiliate who registers would cost the merchant more from one day to
//! the next. So the invoice's total is what was paid, to the cent, and it says what part of that is VAT.
//!
//! Council Directive 2006/112/EC, articles 219, 224 and 226.

use super::{
    Issue,
    money::{Currency, Money, Rate, proportion},
    tax::exchange::Stated,
    time::Time,
};

/// Article 226 (10a) asks for the word.
pub const WORDS: &str = "Self-billing invoice";
pub const CREDIT_NOTE: &str = "Self-billing credit note";

/// What an affiliate agrees to, by version: the last is offered, and earlier ones stay what was agreed to then.
/// Article 224 asks for an agreement beforehand and for a way in which each invoice is accepted.
const AGREEMENTS: [&[&str]; 1] = [&[
    "The program writes the invoices for your commissions, in your name and on your behalf. You write none yourself for the same commissions.",
    "Each payment to you makes one invoice on the day it is marked as paid. You find it with your payouts. It counts as accepted unless you object to the program in writing within 14 days.",
    "An invoice comes to exactly what you are paid. Where you owe VAT on it, the VAT is part of that amount and the invoice says how much it is; the program pays none on top.",
    "A payment that does not arrive or is taken back makes a credit note over the same amount.",
    "You keep your legal name, address and VAT ID up to date here, and say so when you stop being registered for VAT.",
    "Either side can end this at any time, for the payments that follow.",
]];

/// The version that is offered.
pub const VERSION: i64 = 1;

/// The paragraphs of that version.
pub fn agreement(version: i64) -> &'static [&'static str] {
    let place = usize::try_from(version - 1).ok();
    place.and_then(|place| AGREEMENTS.get(place)).copied().unwrap_or_default()
}

/// What stands before the numbers of a series. It ends with no digit: otherwise `SB1` and 2 would be `SB` and 12.
///
/// # Errors
/// Anything but 1 to 12 letters, digits, `-` and `/` with a letter, `-` or `/` at the end.
pub fn prefix(text: &str) -> Result<String, Issue> {
    let is_right = (1..=12).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-/".contains(&byte))
        && !text.ends_with(|last: char| last.is_ascii_digit());
    if is_right {
        return Ok(text.to_owned());
    }
    Err(Issue::new("must be 1 to 12 letters, digits, - or /, and end with no digit, such as SB-"))
}

/// A number of the series as it is written.
pub fn label(prefix: &str, number: i64) -> String {
    format!("{prefix}{number}")
}

/// The VAT that is in an amount, in minor units: rounded once, of the whole.
pub fn included(rate: Rate, paid: Money) -> i64 {
    proportion(paid.minor, rate.basis_points(), Rate::MAX + rate.basis_points())
}

#[derive(Debug, Clone, Copy)]
pub struct Invoice<'a> {
    pub number: &'a str,
    pub issued_on: Time,
    /// The day of the agreement that lets the customer write it.
    pub agreed_on: Time,
    /// The first moment of what it is for, and the first after it.
    pub from: Time,
    pub until: Time,
    /// The affiliate, and the merchant.
    pub supplier: Party<'a>,
    pub customer: Party<'a>,
    pub currency: Currency,
    pub lines: &'a [Line<'a>],
    pub vat: Vat<'a>,
    /// As shown: `pay_…`.
    pub payout: Option<&'a str>,
    /// Of a credit note: the invoice that it takes back. Its lines have a minus.
    pub corrects: Option<Corrected<'a>>,
}

#[derive(Debug, Clone, Copy)]
pub struct Corrected<'a> {
    pub number: &'a str,
    pub issued_on: Time,
}

#[derive(Debug, Clone, Copy)]
pub struct Party<'a> {
    pub name: &'a str,
    /// In lines, without the country.
    pub address: &'a str,
    /// ISO 3166, two letters.
    pub country: &'a str,
    pub vat_id: Option<&'a str>,
}

#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    pub what: &'a str,
    /// Minor units; what was taken back has a minus.
    pub net: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vat<'a> {
    /// Minor units, of the whole; and where the law asks for it, in the money of the state that it is owed to.
    Charged { rate: Rate, minor: i64, stated: Option<Stated> },
    /// The customer owes it, in their own country.
    ReverseCharge,
    /// Why there is none: a small business's exemption, a supplier outside the EU.
    None(&'a str),
}

impl<'a> Vat<'a> {
    /// What the law asks an invoice to say of it.
    pub fn words(self) -> Option<&'a str> {
        match self {
            Self::Charged { .. } => None,
            Self::ReverseCharge => Some(
                "Reverse charge: VAT is to be accounted for by the recipient (article 196, Directive 2006/112/EC).",
            ),
            Self::None(why) => Some(why).filter(|why| !why.trim().is_empty()),
        }
    }
}

/// Minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    pub net: i64,
    pub vat: i64,
    pub gross: i64,
}

/// What is missing of an invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    #[error("the invoice has no number")]
    Number,
    #[error("the affiliate has no name and address on file")]
    Supplier,
    #[error("the program has no name and address on file")]
    Customer,
    #[error("the affiliate has no VAT ID on file")]
    SupplierVatId,
    #[error("the program has no VAT ID on file")]
    CustomerVatId,
    #[error("it must say why there is no VAT")]
    Exemption,
    #[error("there is nothing to invoice")]
    Lines,
    #[error("the affiliate agreed to self-billing only after that day")]
    Agreement,
}

impl Invoice<'_> {
    pub fn totals(&self) -> Totals {
        let net = self.lines.iter().map(|line| line.net).sum();
        let vat = match self.vat {
            Vat::Charged { minor, .. } => minor,
            Vat::ReverseCharge | Vat::None(_) => 0,
        };
        Totals { net, vat, gross: net + vat }
    }

    /// Everything that must be found before it may be issued.
    pub fn missing(&self) -> Vec<Missing> {
        let is_nobody =
            |party: &Party<'_>| [party.name, party.address, party.country].iter().any(|text| text.trim().is_empty());
        let needs_supplier_id = !matches!(self.vat, Vat::None(_));
        [
            (self.number.trim().is_empty(), Missing::Number),
            (is_nobody(&self.supplier), Missing::Supplier),
            (is_nobody(&self.customer), Missing::Customer),
            (needs_supplier_id && self.supplier.vat_id.is_none(), Missing::SupplierVatId),
            (self.vat == Vat::ReverseCharge && self.customer.vat_id.is_none(), Missing::CustomerVatId),
            (matches!(self.vat, Vat::None(why) if why.trim().is_empty()), Missing::Exemption),
            (self.lines.is_empty(), Missing::Lines),
            (self.agreed_on > self.issued_on, Missing::Agreement),
        ]
        .into_iter()
        .filter_map(|(is_missing, what)| is_missing.then_some(what))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn invoice<'a>(code: &str, lines: &'a [Line<'a>], vat: Vat<'a>) -> Invoice<'a> {
        let party = Party { name: "Anna", address: "Main Street 1", country: "DE", vat_id: Some("DE123456789") };
        let day = |text| Time::parse_date(text).unwrap();
        Invoice {
            number: "SB-1",
            issued_on: day("2026-04-01"),
            agreed_on: day("2026-01-01"),
            from: day("2026-03-01"),
            until: day("2026-04-01"),
            supplier: party,
            customer: party,
            currency: Currency::parse(code).unwrap(),
            lines,
            vat,
            payout: None,
            corrects: None,
        }
    }

    #[test]
    fn vat_is_part_of_what_was_paid() {
        let rate = Rate::parse("19%").unwrap();
        let of = |code: &str, paid| included(rate, Currency::parse(code).unwrap().of(paid));
        assert_eq!((of("EUR", 11_900), of("EUR", 10_000), of("EUR", -10_000)), (1_900, 1_597, -1_597));
        assert_eq!((of("JPY", 119), of("EUR", 1)), (19, 0));
        let lines = [Line { what: "Commission", net: 8_403 }];
        let totals = invoice("EUR", &lines, Vat::Charged { rate, minor: of("EUR", 10_000), stated: None }).totals();
        assert_eq!(totals, Totals { net: 8_403, vat: 1_597, gross: 10_000 });
        let totals = invoice("JPY", &lines, Vat::ReverseCharge).totals();
        assert_eq!(totals, Totals { net: 8_403, vat: 0, gross: 8_403 });
    }

    #[test]
    fn a_number_can_be_read_in_one_way() {
        for right in ["SB-", "a", "2026-SB-", "Acme/"] {
            assert_eq!(prefix(right).as_deref(), Ok(right));
        }
        for wrong in ["", "SB1", "SB -", "SÉ-", "ABCDEFGHIJKL-"] {
            assert!(prefix(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_offered_words_are_kept() {
        assert_eq!(usize::try_from(VERSION), Ok(AGREEMENTS.len()));
        assert!(!agreement(VERSION).is_empty() && agreement(0).is_empty() && agreement(VERSION + 1).is_empty());
    }

    #[test]
    fn what_the_law_asks_for() {
        use Missing::{Agreement, Customer, CustomerVatId, Exemption, Lines, Number, Supplier, SupplierVatId};
        let lines = [Line { what: "Sale", net: 1 }];
        let whole = invoice("EUR", &lines, Vat::ReverseCharge);
        assert_eq!(whole.missing(), []);
        assert!(whole.vat.words().unwrap().starts_with("Reverse charge"));
        let nobody = Party { name: "Anna", address: " ", country: "DE", vat_id: None };
        let bare = Invoice {
            supplier: nobody,
            customer: nobody,
            agreed_on: whole.until.plus_days(1),
            number: "",
            lines: &[],
            ..whole
        };
        assert_eq!(bare.missing(), [Number, Supplier, Customer, SupplierVatId, CustomerVatId, Lines, Agreement]);
        assert_eq!(Invoice { vat: Vat::None(""), ..whole }.missing(), [Exemption]);
        let small = Vat::None("No VAT: small business, § 19 UStG");
        assert_eq!(Invoice { vat: small, supplier: Party { vat_id: None, ..whole.supplier }, ..whole }.missing(), []);
    }

    proptest! {
        /// Whatever the rate: net and VAT are what was paid, and the VAT is the rate of the net but for one minor unit.
        #[test]
        fn net_and_vat_are_what_was_paid(paid in -1_000_000_i64..1_000_000, points in 0..=Rate::MAX) {
            let (rate, currency) = (Rate::from_basis_points(points), Currency::parse("USD").unwrap());
            let vat = included(rate, currency.of(paid));
            let lines = [Line { what: "Commission", net: paid - vat }];
            let totals = invoice("USD", &lines, Vat::Charged { rate, minor: vat, stated: None }).totals();
            prop_assert_eq!(totals.gross, paid);
            prop_assert!((rate.of(currency.of(totals.net)).minor - vat).abs() <= 1);
        }
    }
}
