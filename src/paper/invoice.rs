//! A self-billing invoice, or the credit note that takes one back: the merchant writes it, the affiliate is the supplier.

use super::{
    Party, Reader, Unprintable,
    sheet::{Column, INNER, Sheet},
};
use crate::domain::self_billing::{self, Invoice, Vat};

const COLUMNS: [Column; 2] = [
    Column { title: "What", width: INNER - 120, is_figure: false },
    Column { title: "Net", width: 120, is_figure: true },
];

pub fn invoice(of: &Invoice<'_>, reader: &Reader) -> Result<Vec<u8>, Unprintable> {
    let money = |minor: i64| reader.money(of.currency.of(minor));
    let totals = of.totals();
    let title = if of.corrects.is_some() { self_billing::CREDIT_NOTE } else { self_billing::WORDS };
    let mut sheet = Sheet::new(title, &format!("{title} {} · {}", of.number, of.supplier.name))?;
    sheet.said(&format!("Number {}, issued on {}", of.number, reader.day(of.issued_on)));
    sheet.space(14);
    sheet.beside(("Supplier", &lines(&of.supplier)), ("Customer, who issues this invoice", &lines(&of.customer)));
    sheet.space(16);
    let noun = if of.corrects.is_some() { "Credit note" } else { "Invoice" };
    sheet.fact(&format!("{noun} number"), of.number);
    sheet.fact(&format!("{noun} date"), &reader.day(of.issued_on));
    of.corrects.iter().for_each(|invoice| {
        sheet.fact("Takes back invoice", &format!("{} of {}", invoice.number, reader.day(invoice.issued_on)));
    });
    let (from, last) = (reader.day(of.from), reader.day(of.until.plus_seconds(-1)));
    sheet.fact("Supplied", &if from == last { from } else { format!("{from} to {last}") });
    of.payout.iter().for_each(|payout| sheet.fact("Payout", payout));
    sheet.space(16);
    sheet.head(&COLUMNS);
    for line in of.lines {
        sheet.row(&COLUMNS, &[line.what, &money(line.net)]);
    }
    sheet.row(&COLUMNS, &["Net", &money(totals.net)]);
    let rate = match of.vat {
        Vat::Charged { rate, .. } => format!("VAT {rate}"),
        Vat::ReverseCharge => "VAT (reverse charge)".to_owned(),
        Vat::None(_) => "VAT".to_owned(),
    };
    sheet.row(&COLUMNS, &[&rate, &money(totals.vat)]);
    sheet.total(&COLUMNS, &["Total", &money(totals.gross)]);
    sheet.space(16);
    if let Vat::Charged { stated: Some(stated), .. } = of.vat {
        sheet.said(&format!(
            "VAT in {}: {}, at {} for one {} ({}).",
            stated.amount.currency.code(),
            reader.money(stated.amount),
            stated.rate,
            of.currency.code(),
            reader.day(stated.on)
        ));
    }
    of.vat.words().iter().for_each(|words| sheet.said(words));
    sheet.said(&format!(
        "Self-billing: issued by the customer in the name and on behalf of the supplier, under their agreement of {}.",
        reader.day(of.agreed_on)
    ));
    sheet.finish(of.issued_on)
}

fn lines(party: &self_billing::Party<'_>) -> Vec<String> {
    let address = format!("{}\n{}", party.address, party.country);
    Party { name: party.name, address: &address, email: None, vat_id: party.vat_id }.lines()
}
