//! `PayPal` Payouts' bulk file: no header, one currency, at most 5 000 rows of recipient, amount, currency, reference,
//! note and wallet.
//! <https://www.paypal.com/us/cshelp/article/what-format-should-i-use-for-my-payouts-file-ts1535>

use super::{Line, Run, Why, one_line};
use crate::domain::{
    affiliate::PaymentMethod,
    csv::{Table, is_formula, text},
    money::Currency,
    payout_files::Format,
    text::cut,
};

pub const MOST: usize = 5_000;
const LONGEST_NOTE: usize = 4_000;

/// <https://developer.paypal.com/reference/currency-codes/>
const CURRENCIES: [&str; 24] = [
    "AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD", "HUF", "ILS", "JPY", "MXN", "MYR", "NOK",
    "NZD", "PHP", "PLN", "SEK", "SGD", "THB", "TWD", "USD",
];

/// Those of which it takes whole units only, whatever ISO 4217 says.
const WHOLE: [&str; 3] = ["HUF", "JPY", "TWD"];

pub fn carries(line: &Line<'_>, currency: Currency) -> Result<(), Why> {
    if line.method != PaymentMethod::Paypal {
        return Err(Why::Method(line.method));
    }
    if !CURRENCIES.contains(&currency.code()) {
        return Err(Why::Currency(Format::Paypal, currency));
    }
    if WHOLE.contains(&currency.code()) && line.amount % 10_i64.pow(currency.exponent().into()) != 0 {
        return Err(Why::NotWhole(currency));
    }
    // With an apostrophe before it, it would be somebody else's.
    if is_formula(line.details) { Err(Why::Formula) } else { Ok(()) }
}

pub fn write(run: &Run<'_>, lines: &[&Line<'_>]) -> Vec<u8> {
    let mut table = Table::bare();
    for line in lines {
        table.row(&[
            line.details.to_owned(),
            run.currency.of(line.amount).to_string(),
            run.currency.code().to_owned(),
            line.id.to_owned(),
            text(cut(&one_line(line.note), LONGEST_NOTE)),
            "PAYPAL".to_owned(),
        ]);
    }
    table.bytes()
}
