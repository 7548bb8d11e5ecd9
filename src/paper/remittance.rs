//! Which commissions a payment is for: what its receiver puts beside the line on their bank's statement.

use super::{
    Party, Reader, Unprintable,
    sheet::{Column, Sheet},
    sum,
};
use crate::domain::{affiliate::PaymentMethod, money::Currency, time::Time};

#[derive(Debug, Clone, Copy)]
pub struct Remittance<'a> {
    pub program: &'a str,
    pub payer: Party<'a>,
    pub affiliate: Party<'a>,
    /// As shown: `pay_…`, and the line's own, which the payment itself carries.
    pub payout: &'a str,
    pub line: &'a str,
    pub paid_on: Time,
    pub method: PaymentMethod,
    /// As [`crate::domain::payment::masked`] shows them: paper gets about.
    pub details: &'a str,
    pub currency: Currency,
    /// What the payment is made of; what was taken back has a minus.
    pub items: &'a [Item<'a>],
}

#[derive(Debug, Clone, Copy)]
pub struct Item<'a> {
    pub at: Time,
    pub id: &'a str,
    pub what: &'a str,
    /// Minor units.
    pub amount: i64,
}

const COLUMNS: [Column; 4] = [
    Column { title: "Day", width: 64, is_figure: false },
    Column { title: "What", width: 179, is_figure: false },
    Column { title: "Number", width: 140, is_figure: false },
    Column { title: "Amount", width: 100, is_figure: true },
];

pub fn remittance(of: &Remittance<'_>, reader: &Reader) -> Result<Vec<u8>, Unprintable> {
    let total = reader.money(sum(of.currency, of.items.iter().map(|item| item.amount)));
    let mut sheet = Sheet::new("Remittance advice", &format!("{} · {}", of.program, of.line))?;
    sheet.said(&format!("{total} {}, {}", of.method.in_words(), reader.day(of.paid_on)));
    sheet.space(14);
    sheet.beside(("From", &of.payer.lines()), ("To", &of.affiliate.lines()));
    sheet.space(16);
    sheet.fact("Payout", of.payout);
    sheet.fact("Payment reference", of.line);
    sheet.fact("Paid on", &reader.day(of.paid_on));
    sheet.fact("Paid to", &format!("{} {}", of.method.label(), of.details));
    sheet.space(16);
    sheet.heading("What it pays");
    sheet.head(&COLUMNS);
    for item in of.items {
        let amount = reader.money(of.currency.of(item.amount));
        sheet.row(&COLUMNS, &[&reader.day(item.at), item.what, item.id, &amount]);
    }
    sheet.total(&COLUMNS, &["", "Total", "", &total]);
    sheet.finish(of.paid_on)
}
