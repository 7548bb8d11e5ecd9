//! Self-billing invoices: what must be on one, and what it comes to. The merchant writes it for the affiliate, who
//! agreed to that beforehand; its number is of the merchant's own series for that affiliate, without gaps.
//!
//! Council Directive 2006/112/EC, articles 224 and 226.

use super::{
    money::{Currency, Rate},
    time::Time,
};

/// Article 226 (10a) asks for them.
pub const WORDS: &str = "Self-billing invoice";

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
    Charged(Rate),
    /// The customer owes it, in their own country.
    ReverseCharge,
    /// Why there is none: a small business's exemption, a supplier outside the EU.
    None(&'a str),
}

impl<'a> Vat<'a> {
    /// What the law asks an invoice to say of it.
    pub fn words(self) -> Option<&'a str> {
        match self {
            Self::Charged(_) => None,
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
    /// VAT is rounded once, of the whole.
    pub fn totals(&self) -> Totals {
        let net = self.lines.iter().map(|line| line.net).sum();
        let vat = match self.vat {
            Vat::Charged(rate) => rate.of(self.currency.of(net)).minor,
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
        }
    }

    #[test]
    fn vat_is_of_the_whole() {
        let lines =
            [Line { what: "Sale", net: 1_003 }, Line { what: "Refund", net: -3 }, Line { what: "Sale", net: 3 }];
        let rate = Rate::parse("19%").unwrap();
        assert_eq!(invoice("EUR", &lines, Vat::Charged(rate)).totals(), Totals { net: 1_003, vat: 191, gross: 1_194 });
        assert_eq!(invoice("JPY", &lines, Vat::ReverseCharge).totals(), Totals { net: 1_003, vat: 0, gross: 1_003 });
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
        #[test]
        fn gross_is_net_and_vat(nets in prop::collection::vec(-100_000_i64..1_000_000, 1..20), points in 0..=Rate::MAX) {
            let lines: Vec<_> = nets.iter().map(|net| Line { what: "Sale", net: *net }).collect();
            let totals = invoice("USD", &lines, Vat::Charged(Rate::from_basis_points(points))).totals();
            prop_assert_eq!(totals.net, nets.iter().sum::<i64>());
            prop_assert_eq!(totals.gross, totals.net + totals.vat);
        }
    }
}
