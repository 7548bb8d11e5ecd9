//! Paper, read back by Poppler's `pdftotext`: words and sums as somebody sees them.

use std::{io::Write as _, process::Command};

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::domain::{
    affiliate::PaymentMethod,
    money::Rate,
    self_billing::{self, Corrected, Invoice, Vat},
};

fn reader() -> Reader {
    Reader { numbers: NumberStyle::Comma, zone: TimeZone::UTC }
}

fn day(text: &str) -> Time {
    Time::parse_date(text).unwrap()
}

fn currency(code: &str) -> Currency {
    Currency::parse(code).unwrap()
}

/// The text of a PDF's pages, laid out as on paper.
fn pages(pdf: &[u8]) -> Vec<String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(pdf).unwrap();
    let output = Command::new("pdftotext").arg("-layout").arg(file.path()).arg("-").output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap().replace('\u{a0}', " ");
    text.trim_end_matches('\u{c}').split('\u{c}').map(str::to_owned).collect()
}

/// Words as they follow each other, whatever line they stand on.
fn words(page: &str) -> String {
    page.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The rows that begin with these words, with single spaces.
fn rows(pages: &[String], beginning: &str) -> Vec<String> {
    let lines = pages.iter().flat_map(|page| page.lines());
    lines
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|l| l.starts_with(beginning))
        .collect()
}

const PAYER: Party<'static> =
    Party { name: "Acme GmbH", address: "Straße 1\n10115 Berlin", email: None, vat_id: Some("DE123456789") };

const AFFILIATE: Party<'static> = Party {
    name: "Łukasz Ελένη Наталья 李明",
    address: "ul. Długa 5\nWarszawa",
    email: Some("l@example.com"),
    vat_id: None,
};

fn made(code: &str, opening: i64, movements: &[Movement<'_>]) -> Vec<u8> {
    let of = Statement {
        program: "Acme",
        payer: PAYER,
        affiliate: AFFILIATE,
        from: day("2026-03-01"),
        until: day("2026-04-01"),
        made_on: day("2026-04-02"),
        currency: currency(code),
        opening,
        movements,
    };
    statement(&of, &reader()).unwrap()
}

#[test]
fn a_statement_says_it_all() {
    let moved = |kind, cause, amount| Movement { at: day("2026-03-05"), kind, cause, amount };
    let pdf = made(
        "USD",
        -1_000,
        &[
            moved(Kind::Earned, "Order 1042", 123_450),
            moved(Kind::TakenBack, "Refund of order 1041", -2_000),
            moved(Kind::Paid, "Payout pay_06yq8jr7n0000", -100_000),
            moved(Kind::Earned, "Order 1043", 50),
        ],
    );
    let pages = pages(&pdf);
    assert_eq!(pages.len(), 1);
    for said in [
        "Statement",
        "1 Mar 2026 to 31 Mar 2026, in USD, as of 2 Apr 2026",
        "Acme GmbH",
        "Łukasz Ελένη Наталья LiMing",
        "VAT ID DE123456789",
    ] {
        assert!(words(&pages[0]).contains(said), "{said}\n{}", pages[0]);
    }
    assert_eq!(rows(&pages, "Balance at the beginning"), ["Balance at the beginning of 1 Mar 2026 USD -10.00"]);
    assert_eq!(rows(&pages, "Earned"), ["Earned USD 1,235.00"]);
    assert_eq!(rows(&pages, "Taken back"), ["Taken back USD -20.00"]);
    assert_eq!(rows(&pages, "Balance at the end"), ["Balance at the end of 31 Mar 2026 USD 205.00"]);
    assert_eq!(rows(&pages, "5 Mar 2026 Paid"), ["5 Mar 2026 Paid Payout pay_06yq8jr7n0000 USD -1,000.00 USD 204.50"]);
    assert_eq!(rows(&pages, "Closing"), ["Closing USD 205.00"]);
    assert!(pages[0].contains("Page 1 of 1"));
    assert_eq!(made("USD", 0, &[]), made("USD", 0, &[]), "the same paper is the same file");
}

#[test]
fn long_statements_go_on_overleaf() {
    let moved = Movement { at: day("2026-03-05"), kind: Kind::Earned, cause: "Order", amount: 7 };
    for (code, closing) in [("JPY", "JPY 2,101"), ("KWD", "KWD 2.101")] {
        let pages = pages(&made(code, 1, &vec![moved; 300]));
        assert!(pages.len() > 5);
        for (place, page) in pages.iter().enumerate() {
            assert!(page.contains(&format!("Page {} of {}", place + 1, pages.len())));
            assert!(page.contains("Cause"), "the columns are named on every page");
        }
        assert_eq!(rows(&pages, "5 Mar 2026 Earned").len(), 300);
        assert_eq!(rows(&pages, "Closing"), [format!("Closing {closing}")]);
    }
}

#[test]
fn a_remittance_adds_up() {
    let item = |id, what, amount| Item { at: day("2026-03-05"), id, what, amount };
    let of = Remittance {
        program: "Acme",
        payer: PAYER,
        affiliate: AFFILIATE,
        payout: "pay_06yq8jr7n0000",
        line: "pline_06yq8jr7n0001",
        paid_on: day("2026-04-01"),
        method: PaymentMethod::Bank,
        details: "•••• 3000",
        currency: currency("EUR"),
        items: &[item("comm_1", "Order 1042", 2_000), item("comm_2", "Refund of order 1041", -500)],
    };
    let pages = pages(&remittance(&of, &reader()).unwrap());
    assert!(pages[0].contains("EUR 15.00 by bank transfer, 1 Apr 2026"));
    assert_eq!(rows(&pages, "Paid to"), ["Paid to Bank transfer •••• 3000"]);
    assert_eq!(rows(&pages, "5 Mar 2026 Refund"), ["5 Mar 2026 Refund of order 1041 comm_2 EUR -5.00"]);
    assert_eq!(rows(&pages, "Total"), ["Total EUR 15.00"]);
}

fn billed(vat: Vat<'_>) -> Vec<String> {
    billed_or_credited(vat, 1, None)
}

fn billed_or_credited(vat: Vat<'_>, sign: i64, corrects: Option<Corrected<'_>>) -> Vec<String> {
    let party = |name, country, vat_id| self_billing::Party { name, address: "Main Street 1\nTown", country, vat_id };
    let of = Invoice {
        number: "SB-2026-0007",
        issued_on: day("2026-04-01"),
        agreed_on: day("2026-01-15"),
        from: day("2026-03-01"),
        until: day("2026-04-01"),
        supplier: party("Anna Müller", "FR", Some("FR12345678901")),
        customer: party("Acme GmbH", "DE", Some("DE123456789")),
        currency: currency("EUR"),
        lines: &[self_billing::Line { what: "Commissions of March", net: sign * 100_050 }],
        vat,
        payout: Some("pay_06yq8jr7n0000"),
        corrects,
    };
    assert_eq!(of.missing(), []);
    pages(&invoice(&of, &reader()).unwrap())
}

#[test]
fn an_invoice_has_the_words_of_the_law() {
    let pages = billed(Vat::ReverseCharge);
    for said in [
        "Self-billing invoice",
        "SB-2026-0007",
        "Reverse charge: VAT",
        "VAT ID FR12345678901",
        "VAT ID DE123456789",
        "15 Jan 2026",
    ] {
        assert!(words(&pages[0]).contains(said), "{said}\n{}", pages[0]);
    }
    assert_eq!(rows(&pages, "Total"), ["Total EUR 1,000.50"]);
    let pages = billed(Vat::Charged { rate: Rate::parse("19%").unwrap(), minor: 19_010, stated: None });
    assert_eq!(rows(&pages, "Net EUR"), ["Net EUR 1,000.50"]);
    assert_eq!(rows(&pages, "VAT 19%"), ["VAT 19% EUR 190.10"]);
    assert_eq!(rows(&pages, "Total"), ["Total EUR 1,190.60"]);
    let invoice = Corrected { number: "SB-2026-0006", issued_on: day("2026-03-15") };
    let pages = billed_or_credited(Vat::ReverseCharge, -1, Some(invoice));
    assert!(words(&pages[0]).starts_with("Self-billing credit note"), "{}", pages[0]);
    assert_eq!(rows(&pages, "Takes back"), ["Takes back invoice SB-2026-0006 of 15 Mar 2026"]);
    assert_eq!(rows(&pages, "Total"), ["Total EUR -1,000.50"]);
    assert!(billed(Vat::None("Outside the scope of EU VAT."))[0].contains("Outside the scope"));
}

#[test]
fn any_script_can_be_read() {
    let typeface = typeface::Typeface::new().unwrap();
    for (typed, printed) in [
        ("Zoe\u{308} Çelik", "Zoë Çelik"),
        ("שלום", "slvm"),
        ("日本", "RiBen"),
        ("a\tb\u{0}c\nd", "a b c d"),
        ("1\u{a0}000 −5 €", "1\u{a0}000 -5 €"),
    ] {
        assert_eq!(typeface.printable(typed), printed);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_text_is_printed(cause in "\\PC{0,300}", amount in -1_000_000_000_000_i64..1_000_000_000_000) {
        let moved = Movement { at: day("2026-03-05"), kind: Kind::Adjusted, cause: &cause, amount };
        let pdf = made("EUR", 0, &[moved]);
        prop_assert!(pdf.starts_with(b"%PDF-"));
    }

    #[test]
    fn lines_fit_their_column(text in "\\PC{0,120}", width in 30_i32..400) {
        let typeface = typeface::Typeface::new().unwrap();
        for line in typeface.wrapped(&text, typeface::Weight::Bold, 9, typeface::points(width)) {
            prop_assert!(typeface.width(&line, typeface::Weight::Bold, 9) <= typeface::points(width), "{line}");
        }
    }
}
