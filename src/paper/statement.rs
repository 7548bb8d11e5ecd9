//! What moved on an affiliate's balance in a period: where it began, every movement with its cause, where it ended.

use super::{
    Party, Reader, Unprintable,
    sheet::{Column, INNER, Sheet},
    sum,
};
use crate::domain::{money::Currency, time::Time};

#[derive(Debug, Clone, Copy)]
pub struct Statement<'a> {
    pub program: &'a str,
    pub payer: Party<'a>,
    pub affiliate: Party<'a>,
    /// The first moment of the period, and the first after it.
    pub from: Time,
    pub until: Time,
    pub made_on: Time,
    pub currency: Currency,
    /// Minor units, at the beginning of the period.
    pub opening: i64,
    /// Oldest first.
    pub movements: &'a [Movement<'a>],
}

#[derive(Debug, Clone, Copy)]
pub struct Movement<'a> {
    pub at: Time,
    pub kind: Kind,
    /// `Order 1042`, `Refund of order 1042`, `Payout pay_…`, an adjustment's reason.
    pub cause: &'a str,
    /// Minor units, with its sign.
    pub amount: i64,
}

/// In the order in which they are summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Earned,
    TakenBack,
    Adjusted,
    Paid,
    NotPaid,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Earned, Self::TakenBack, Self::Adjusted, Self::Paid, Self::NotPaid];

    const fn label(self) -> &'static str {
        match self {
            Self::Earned => "Earned",
            Self::TakenBack => "Taken back",
            Self::Adjusted => "Adjusted",
            Self::Paid => "Paid",
            Self::NotPaid => "Payment returned",
        }
    }
}

impl Statement<'_> {
    pub fn closing(&self) -> i64 {
        self.opening + self.movements.iter().map(|moved| moved.amount).sum::<i64>()
    }
}

const COLUMNS: [Column; 5] = [
    Column { title: "Day", width: 64, is_figure: false },
    Column { title: "What", width: 80, is_figure: false },
    Column { title: "Cause", width: 159, is_figure: false },
    Column { title: "Amount", width: 90, is_figure: true },
    Column { title: "Balance", width: 90, is_figure: true },
];

const TOTALS: [Column; 2] = [
    Column { title: "Total", width: INNER - 120, is_figure: false },
    Column { title: "Amount", width: 120, is_figure: true },
];

pub fn statement(of: &Statement<'_>, reader: &Reader) -> Result<Vec<u8>, Unprintable> {
    let money = |minor: i64| reader.money(of.currency.of(minor));
    let (from, last) = (reader.day(of.from), reader.day(of.until.plus_seconds(-1)));
    let mut sheet = Sheet::new("Statement", &format!("{} · statement for {}", of.program, of.affiliate.name))?;
    sheet.said(&format!("{from} to {last}, in {}, as of {}", of.currency.code(), reader.day(of.made_on)));
    sheet.space(14);
    sheet.beside(("From", &of.payer.lines()), ("For", &of.affiliate.lines()));
    sheet.space(16);

    sheet.heading("In this period");
    sheet.head(&TOTALS);
    sheet.row(&TOTALS, &[&format!("Balance at the beginning of {from}"), &money(of.opening)]);
    for kind in Kind::ALL {
        let mut moved = of.movements.iter().filter(|moved| moved.kind == kind).map(|moved| moved.amount).peekable();
        if moved.peek().is_some() {
            sheet.row(&TOTALS, &[kind.label(), &reader.money(sum(of.currency, moved))]);
        }
    }
    sheet.total(&TOTALS, &[&format!("Balance at the end of {last}"), &money(of.closing())]);
    sheet.space(16);

    sheet.heading("Every movement");
    if of.movements.is_empty() {
        sheet.said("Nothing moved in this period.");
        return sheet.finish(of.made_on);
    }
    sheet.head(&COLUMNS);
    sheet.row(&COLUMNS, &["", "Opening", "", "", &money(of.opening)]);
    let mut balance = of.opening;
    for moved in of.movements {
        balance += moved.amount;
        let cells = [&*reader.day(moved.at), moved.kind.label(), moved.cause, &money(moved.amount), &money(balance)];
        sheet.row(&COLUMNS, &cells);
    }
    sheet.total(&COLUMNS, &["", "Closing", "", "", &money(balance)]);
    sheet.finish(of.made_on)
}
