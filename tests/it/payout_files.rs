//! SEPA files, by libxml2: valid against ISO 20022's own schema whatever the names in them, and summed from the file.

use std::{path::Path, process::Command};

use offshoot::domain::{
    affiliate::PaymentMethod,
    bank::Account,
    money::Currency,
    payout_files::{Format, Line, Payer, Plan, Run},
    time::Time,
};
use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};

const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vendor/pain.001.001.09.xsd");

fn xmllint(arguments: &[&str], file: &Path) -> Result<String, String> {
    let output = Command::new("xmllint").args(["--nonet"]).args(arguments).arg(file).output().unwrap();
    let said = |bytes| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(said(output.stdout)) } else { Err(said(output.stderr)) }
}

fn is_valid(file: &Path) -> Result<String, String> {
    xmllint(&["--noout", "--schema", SCHEMA], file)
}

/// The value of an `XPath` in the file's own namespace.
fn value(expression: &str, file: &Path) -> String {
    let named = expression.replace("//", "//*[local-name()='").replace('!', "']");
    xmllint(&["--xpath", &named], file).unwrap().trim().to_owned()
}

fn line<'a>(name: &'a str, details: &'a str, amount: i64, note: &'a str) -> Line<'a> {
    let id = "pline_06yq8jr7n0001";
    Line { id, name, email: "anna@example.com", method: PaymentMethod::Bank, details, amount, note }
}

fn written(lines: &[Line<'_>], payer: &Account, into: &Path) {
    let run = Run {
        program: "Äcme & <Söhne>",
        id: "pay_06yq8jr7n0000",
        currency: Currency::parse("EUR").unwrap(),
        execute_on: Time::parse_date("2026-04-01").unwrap(),
        lines,
    };
    let plan = Plan::of(Format::Sepa, run);
    assert_eq!((plan.files(), plan.left_out.len()), (1, 0));
    let payer = Payer { name: "Äcme & Söhne GmbH", account: payer };
    let file = plan.write(0, Some(payer), Time::parse_date("2026-03-31").unwrap()).unwrap();
    assert_eq!(file.name, "pay_06yq8jr7n0000-sepa.xml");
    std::fs::write(into, file.bytes).unwrap();
}

#[test]
fn a_banks_schema_takes_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run.xml");
    let lines = [
        line("Anna Müller", "DE89370400440532013000", 123_456, "Your commissions of March"),
        line("Ελένη", "GR1601101250000000012300695 ETHNGRAA", 1, ""),
        line("O'Neil & <Sons>", "GB29NWBK60161331926819 NWBKGB2LXXX", 99_999_999_999, "]]>"),
    ];
    let payer = Account::new("FR1420041010050500013M02606", Some("PSSTFRPPPAR")).unwrap();
    written(&lines, &payer, &file);
    is_valid(&file).unwrap();
    assert_eq!(value("count(//CdtTrfTxInf!)", &file), "3");
    assert_eq!(value("string((//NbOfTxs!)[1])", &file), "3");
    assert_eq!(value("string((//NbOfTxs!)[2])", &file), "3");
    assert_eq!(value("string((//CtrlSum!)[1])", &file), "1000001234.56");
    assert_eq!(value("string((//CtrlSum!)[2])", &file), "1000001234.56");
    assert_eq!(value("string((//InstdAmt!)[2])", &file), "0.01");
    assert_eq!(value("string((//InstdAmt!)[2]/@Ccy)", &file), "EUR");
    assert_eq!(value("string(//MsgId!)", &file), "pay-06yq8jr7n0000");
    assert_eq!(value("string((//EndToEndId!)[1])", &file), "pline-06yq8jr7n0001");
    assert_eq!(value("string(//DbtrAgt!)", &file), "PSSTFRPPPAR");
    assert_eq!(value("count(//CdtrAgt!)", &file), "2");
    assert_eq!(value("string(//ReqdExctnDt!)", &file), "2026-04-01");
    assert_eq!(value("string((//Ustrd!)[1])", &file), "Your commissions of March");
    assert_eq!(value("string((//Ustrd!)[2])", &file), "Acme + Sohne pay-06yq8jr7n0000");

    // Where the payer's BIC is not known.
    written(&lines, &Account::new("DE89370400440532013000", None).unwrap(), &file);
    is_valid(&file).unwrap();
    assert!(value("string(//DbtrAgt!)", &file).contains("NOTPROVIDED"));

    // The schema does look: a file with a currency of four letters is none.
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("Ccy=\"EUR\"", "Ccy=\"EURO\"")).unwrap();
    assert!(is_valid(&file).unwrap_err().contains("EURO"));
}

#[test]
fn whatever_people_are_called() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run.xml");
    let mut runner = TestRunner::deterministic();
    let mut draw = |pattern: &'static str| pattern.new_tree(&mut runner).unwrap().current();
    // Letters of any script after one of ours, so that there is a name at all.
    let typed: Vec<(String, String)> = (0..2_000).map(|_| (draw("x\\PC{0,100}"), draw("\\PC{0,200}"))).collect();
    let lines: Vec<Line<'_>> = typed
        .iter()
        .zip(1_i64..)
        .map(|((name, note), place)| line(name, "DE89370400440532013000 COBADEFF", place * 7_919, note))
        .collect();
    written(&lines, &Account::new("DE89370400440532013000", None).unwrap(), &file);
    is_valid(&file).unwrap();
    let total: i64 = lines.iter().map(|line| line.amount).sum();
    assert_eq!(value("string(//CtrlSum!)", &file).replace('.', ""), total.to_string());
    let amounts = xmllint(&["--xpath", "//*[local-name()='InstdAmt']/text()"], &file).unwrap();
    let read: i64 = amounts.lines().map(|amount| amount.trim().replace('.', "").parse::<i64>().unwrap()).sum();
    assert_eq!((read, amounts.lines().count()), (total, 2_000));
}
