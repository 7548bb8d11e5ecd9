//! SEPA credit transfers as ISO 20022's pain.001.001.09, in the subset of the European Payments Council's
//! customer-to-bank guidelines (EPC132-08): euro, IBANs, and the letters that every bank takes.

use std::io;

use quick_xml::{
    Writer,
    events::{BytesDecl, BytesText, Event},
};

use super::{Format, Line, Payer, Run, Why};
use crate::domain::{affiliate::PaymentMethod, bank::Account, money::Currency, time::Time};

const NAMESPACE: &str = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09";
/// 999 999 999.99
const MOST: i64 = 99_999_999_999;
const LONGEST_ID: usize = 35;
const LONGEST_NAME: usize = 70;
const LONGEST_TEXT: usize = 140;

/// Countries of the schemes' geographical scope (EPC409-09) by the letters of their IBANs.
const AREA: [&str; 42] = [
    "AD", "AL", "AT", "BE", "BG", "CH", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GB", "GI", "GR", "HR", "HU",
    "IE", "IS", "IT", "LI", "LT", "LU", "LV", "MC", "MD", "ME", "MK", "MT", "NL", "NO", "PL", "PT", "RO", "RS", "SE",
    "SI", "SK", "SM", "VA",
];

pub fn carries(line: &Line<'_>, currency: Currency) -> Result<(), Why> {
    if line.method != PaymentMethod::Bank {
        return Err(Why::Method(line.method));
    }
    if currency.code() != "EUR" {
        return Err(Why::Currency(Format::Sepa, currency));
    }
    let account = account(line).ok_or(Why::NoIban)?;
    if !AREA.contains(&account.country()) {
        return Err(Why::OutsideSepa(account.country().to_owned()));
    }
    if line.amount > MOST {
        return Err(Why::TooMuch);
    }
    if text(line.name, LONGEST_NAME).is_empty() { Err(Why::NoName) } else { Ok(()) }
}

fn account(line: &Line<'_>) -> Option<Account> {
    Account::parse(line.details).ok().flatten()
}

type Xml = Writer<Vec<u8>>;

/// One payment instruction for all lines: one debit, one day.
pub fn write(run: &Run<'_>, lines: &[&Line<'_>], payer: Payer<'_>, now: Time) -> io::Result<Vec<u8>> {
    let mut xml = Writer::new_with_indent(Vec::new(), b' ', 2);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    xml.create_element("Document").with_attribute(("xmlns", NAMESPACE)).write_inner_content(|xml| {
        within(xml, "CstmrCdtTrfInitn", |xml| {
            group_header(xml, run, lines, payer, now)?;
            within(xml, "PmtInf", |xml| {
                leaf(xml, "PmtInfId", &id(run.id))?;
                leaf(xml, "PmtMtd", "TRF")?;
                leaf(xml, "BtchBookg", "true")?;
                totals(xml, run, lines)?;
                within(xml, "PmtTpInf", |xml| within(xml, "SvcLvl", |xml| leaf(xml, "Cd", "SEPA")))?;
                // Banks refuse a day that has gone by.
                let day = if run.execute_on < now { now } else { run.execute_on };
                within(xml, "ReqdExctnDt", |xml| leaf(xml, "Dt", &day.date()))?;
                within(xml, "Dbtr", |xml| leaf(xml, "Nm", &text(payer.name, LONGEST_NAME)))?;
                iban(xml, "DbtrAcct", payer.account)?;
                debtor_agent(xml, payer.account)?;
                leaf(xml, "ChrgBr", "SLEV")?;
                lines.iter().try_for_each(|line| transfer(xml, run, line))
            })
        })
    })?;
    Ok(xml.into_inner())
}

/// The same run makes the same message id, so that a bank that was sent it twice refuses the second.
fn group_header(xml: &mut Xml, run: &Run<'_>, lines: &[&Line<'_>], payer: Payer<'_>, now: Time) -> io::Result<()> {
    within(xml, "GrpHdr", |xml| {
        leaf(xml, "MsgId", &id(run.id))?;
        leaf(xml, "CreDtTm", &now.to_string())?;
        totals(xml, run, lines)?;
        within(xml, "InitgPty", |xml| leaf(xml, "Nm", &text(payer.name, LONGEST_NAME)))
    })
}

fn totals(xml: &mut Xml, run: &Run<'_>, lines: &[&Line<'_>]) -> io::Result<()> {
    leaf(xml, "NbOfTxs", &lines.len().to_string())?;
    leaf(xml, "CtrlSum", &run.currency.of(lines.iter().map(|line| line.amount).sum()).to_string())
}

fn transfer(xml: &mut Xml, run: &Run<'_>, line: &Line<'_>) -> io::Result<()> {
    let account = account(line).ok_or(io::ErrorKind::InvalidInput)?;
    within(xml, "CdtTrfTxInf", |xml| {
        within(xml, "PmtId", |xml| leaf(xml, "EndToEndId", &id(line.id)))?;
        within(xml, "Amt", |xml| {
            let amount = run.currency.of(line.amount).to_string();
            let instructed = xml.create_element("InstdAmt").with_attribute(("Ccy", run.currency.code()));
            instructed.write_text_content(BytesText::new(&amount)).map(|_| ())
        })?;
        if let Some(bic) = account.bic() {
            within(xml, "CdtrAgt", |xml| within(xml, "FinInstnId", |xml| leaf(xml, "BICFI", bic)))?;
        }
        within(xml, "Cdtr", |xml| leaf(xml, "Nm", &text(line.name, LONGEST_NAME)))?;
        iban(xml, "CdtrAcct", &account)?;
        let said = text(line.note, LONGEST_TEXT);
        let said = if said.is_empty() { text(&format!("{} {}", run.program, run.id), LONGEST_TEXT) } else { said };
        within(xml, "RmtInf", |xml| leaf(xml, "Ustrd", &said))
    })
}

fn iban(xml: &mut Xml, name: &str, account: &Account) -> io::Result<()> {
    within(xml, name, |xml| within(xml, "Id", |xml| leaf(xml, "IBAN", account.iban())))
}

/// It must be there; where its BIC is not known, the guidelines have words for that.
fn debtor_agent(xml: &mut Xml, account: &Account) -> io::Result<()> {
    within(xml, "DbtrAgt", |xml| {
        within(xml, "FinInstnId", |xml| match account.bic() {
            Some(bic) => leaf(xml, "BICFI", bic),
            None => within(xml, "Othr", |xml| leaf(xml, "Id", "NOTPROVIDED")),
        })
    })
}

fn within(xml: &mut Xml, name: &str, content: impl FnOnce(&mut Xml) -> io::Result<()>) -> io::Result<()> {
    xml.create_element(name).write_inner_content(content).map(|_| ())
}

fn leaf(xml: &mut Xml, name: &str, text: &str) -> io::Result<()> {
    xml.create_element(name).write_text_content(BytesText::new(text)).map(|_| ())
}

fn id(shown: &str) -> String {
    text(shown, LONGEST_ID)
}

/// In the letters of SEPA (EPC217-08), and never with a slash first or last or two of them together.
pub fn text(typed: &str, longest: usize) -> String {
    let mut kept = String::with_capacity(typed.len());
    for letter in any_ascii::any_ascii(typed).chars() {
        let letter = match letter {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '?' | ':' | '(' | ')' | '.' | ',' | '\'' | '+' => letter,
            '/' if !kept.ends_with('/') => '/',
            '/' => continue,
            '&' => '+',
            '_' => '-',
            _ => ' ',
        };
        if letter != ' ' || !kept.ends_with(' ') {
            kept.push(letter);
        }
    }
    let is_edge = |letter: char| letter == ' ' || letter == '/';
    let kept = kept.trim_start_matches(is_edge);
    kept[..kept.len().min(longest)].trim_end_matches(is_edge).to_owned()
}
