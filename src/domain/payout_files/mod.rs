//! Files that pay a run: what a bank or a provider takes, which lines each of them cannot carry and why, and reading
//! back what came of it. Plain functions of a run's lines; a format to a file.
//!
//! A file never changes a line's amount or currency: what it cannot carry whole, it leaves out.

pub mod results;
pub mod sepa;

mod generic;
mod paypal;
mod wise;

use super::{
    affiliate::{PaymentMethod, words},
    bank::Account,
    money::Currency,
    time::Time,
};

/// A run as its files need it.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    pub program: &'a str,
    /// As shown: `pay_…`.
    pub id: &'a str,
    pub currency: Currency,
    /// The day it is to be paid.
    pub execute_on: Time,
    pub lines: &'a [Line<'a>],
}

#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// As shown: `pline_…`. Files carry it, so that what came of the line is found again.
    pub id: &'a str,
    pub name: &'a str,
    pub email: &'a str,
    pub method: PaymentMethod,
    /// As [`super::payment::details`] keeps them.
    pub details: &'a str,
    /// Minor units, above zero.
    pub amount: i64,
    pub note: &'a str,
}

words! {
    Format as PayoutFileFormat { Paypal = "paypal", Wise = "wise", Sepa = "sepa", Generic = "csv" }
    "must be one of paypal, wise, sepa, csv"
}

impl Format {
    pub const ALL: [Self; 4] = [Self::Paypal, Self::Wise, Self::Sepa, Self::Generic];

    pub const fn label(self) -> &'static str {
        match self {
            Self::Paypal => "PayPal payouts",
            Self::Wise => "Wise batch",
            Self::Sepa => "SEPA credit transfer",
            Self::Generic => "Spreadsheet",
        }
    }

    /// The most lines that one file may have.
    const fn most(self) -> usize {
        match self {
            Self::Paypal => paypal::MOST,
            Self::Wise => wise::MOST,
            Self::Sepa | Self::Generic => usize::MAX,
        }
    }

    fn carries(self, line: &Line<'_>, currency: Currency) -> Result<(), Why> {
        match self {
            Self::Paypal => paypal::carries(line, currency),
            Self::Wise => wise::carries(line),
            Self::Sepa => sepa::carries(line, currency),
            Self::Generic => Ok(()),
        }
    }
}

/// Why a file cannot carry a line, to follow the affiliate's name: `… is paid by Wise`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    #[error("is paid {}", .0.in_words())]
    Method(PaymentMethod),
    #[error("is paid in {}, which {} does not take", .1.code(), .0.label())]
    Currency(Format, Currency),
    #[error("has an amount with decimals, which PayPal does not take in {}", .0.code())]
    NotWhole(Currency),
    #[error("has more to get than one transfer may carry")]
    TooMuch,
    #[error("has an account number that is no IBAN")]
    NoIban,
    #[error("has an account in {0}, outside the SEPA area")]
    OutsideSepa(String),
    #[error("has no name that can be written in Latin letters")]
    NoName,
    #[error("has an address that a spreadsheet would take for a formula")]
    Formula,
}

#[derive(Debug)]
pub struct LeftOut<'a> {
    pub line: &'a Line<'a>,
    pub why: Why,
}

/// Which lines go into which file of a format, decided before anything is written.
#[derive(Debug)]
pub struct Plan<'a> {
    run: Run<'a>,
    format: Format,
    /// A file each: providers bound how many lines one may have.
    parts: Vec<Vec<&'a Line<'a>>>,
    pub left_out: Vec<LeftOut<'a>>,
}

/// The account that a run is paid from.
#[derive(Debug, Clone, Copy)]
pub struct Payer<'a> {
    pub name: &'a str,
    pub account: &'a Account,
}

pub struct File {
    pub name: String,
    pub media_type: &'static str,
    pub bytes: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unwritable {
    #[error("there is no such file of this run")]
    NoSuchPart,
    #[error("the account that the run is paid from is not known yet")]
    NoPayer,
    #[error("the file could not be written")]
    Failed,
}

impl<'a> Plan<'a> {
    pub fn of(format: Format, run: Run<'a>) -> Self {
        let mut carried = Vec::new();
        let mut left_out = Vec::new();
        for line in run.lines {
            match format.carries(line, run.currency) {
                Ok(()) => carried.push(line),
                Err(why) => left_out.push(LeftOut { line, why }),
            }
        }
        let parts = carried.chunks(format.most()).map(<[_]>::to_vec).collect();
        Self { run, format, parts, left_out }
    }

    /// How many files it takes; none where no line can be carried.
    pub fn files(&self) -> usize {
        self.parts.len()
    }

    /// How many lines they carry, and their sum in minor units.
    pub fn carried(&self) -> (usize, i64) {
        let lines = self.parts.iter().flatten();
        lines.fold((0, 0), |(count, sum), line| (count + 1, sum + line.amount))
    }

    /// The `part`th file, from 0. Only SEPA's says who pays, and when it was made.
    ///
    /// # Errors
    /// No such part, or no payer where one is needed.
    pub fn write(&self, part: usize, payer: Option<Payer<'_>>, now: Time) -> Result<File, Unwritable> {
        let lines = self.parts.get(part).ok_or(Unwritable::NoSuchPart)?;
        let bytes = match self.format {
            Format::Paypal => paypal::write(&self.run, lines),
            Format::Wise => wise::write(&self.run, lines),
            Format::Generic => generic::write(&self.run, lines),
            Format::Sepa => {
                sepa::write(&self.run, lines, payer.ok_or(Unwritable::NoPayer)?, now).map_err(|_| Unwritable::Failed)?
            }
        };
        let (kind, media_type) = match self.format {
            Format::Sepa => ("xml", "application/xml"),
            _ => ("csv", "text/csv; charset=utf-8"),
        };
        let of = if self.files() > 1 { format!("-{}-of-{}", part + 1, self.files()) } else { String::new() };
        Ok(File { name: format!("{}-{}{of}.{kind}", self.run.id, self.format), media_type, bytes })
    }
}

/// On one line, as some readers of CSV take no other.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
