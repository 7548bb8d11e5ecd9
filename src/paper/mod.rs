//! What is handed on as paper: statements, remittance advice and self-billing invoices, as PDF. Data in, bytes out:
//! no figure is made here that the rows on the same page do not add up to.
//!
//! Each is PDF/A-2u, which tax offices and archives take, with its fonts inside and its text searchable.

mod invoice;
mod remittance;
mod sheet;
mod statement;
mod typeface;

use jiff::{Timestamp, tz::TimeZone};

pub use invoice::invoice;
pub use remittance::{Item, Remittance, remittance};
pub use statement::{Kind, Movement, Statement, statement};

use crate::domain::{
    locale::NumberStyle,
    money::{Currency, Money},
    time::Time,
};

/// How its reader has numbers and days.
#[derive(Debug, Clone)]
pub struct Reader {
    pub numbers: NumberStyle,
    pub zone: TimeZone,
}

impl Reader {
    fn money(&self, amount: Money) -> String {
        self.numbers.money(amount)
    }

    /// `3 Mar 2026`
    fn day(&self, time: Time) -> String {
        let moment = Timestamp::from_millisecond(time.ms());
        moment.map_or_else(
            |_| time.date(),
            |moment| moment.to_zoned_datetime(self.zone.clone()).strftime("%-d %b %Y").to_string(),
        )
    }
}

/// The sum, as money.
fn sum(currency: Currency, amounts: impl Iterator<Item = i64>) -> Money {
    currency.of(amounts.sum())
}

/// Who is named on paper.
#[derive(Debug, Clone, Copy)]
pub struct Party<'a> {
    pub name: &'a str,
    /// In lines.
    pub address: &'a str,
    pub email: Option<&'a str>,
    pub vat_id: Option<&'a str>,
}

impl Party<'_> {
    fn lines(&self) -> Vec<String> {
        let rest = self.address.lines().map(str::to_owned).chain(self.email.map(str::to_owned));
        let vat = self.vat_id.map(|id| format!("VAT ID {id}"));
        std::iter::once(self.name.to_owned()).chain(rest).chain(vat).filter(|line| !line.trim().is_empty()).collect()
    }
}

/// The file could not be made: a fault of ours, never of what was given.
#[derive(Debug, thiserror::Error)]
#[error("paper: {0}")]
pub struct Unprintable(String);

#[cfg(test)]
mod tests;
