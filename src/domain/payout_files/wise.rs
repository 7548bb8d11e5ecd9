//! Wise's batch file of payments to e-mail addresses: a header whose names must not change, at most 1 000 transfers.
//! Wise asks each recipient for their account by mail.
//! <https://wise.com/help/articles/2663302/how-do-i-fill-in-my-batch-template>

use super::{Line, Run, Why, one_line};
use crate::domain::{
    affiliate::PaymentMethod,
    csv::{Table, is_formula, text},
};

pub const MOST: usize = 1_000;

const COLUMNS: [&str; 8] = [
    "name",
    "recipientEmail",
    "paymentReference",
    "receiverType",
    "amountCurrency",
    "amount",
    "sourceCurrency",
    "targetCurrency",
];

pub fn carries(line: &Line<'_>) -> Result<(), Why> {
    if line.method != PaymentMethod::Wise {
        return Err(Why::Method(line.method));
    }
    // With an apostrophe before it, it would be somebody else's.
    if is_formula(line.details) { Err(Why::Formula) } else { Ok(()) }
}

pub fn write(run: &Run<'_>, lines: &[&Line<'_>]) -> Vec<u8> {
    let mut table = Table::new(&COLUMNS);
    for line in lines {
        table.row(&[
            text(&one_line(line.name)),
            line.details.to_owned(),
            line.id.to_owned(),
            "PRIVATE".to_owned(),
            // They get exactly this; the fee is the payer's.
            "target".to_owned(),
            run.currency.of(line.amount).to_string(),
            run.currency.code().to_owned(),
            run.currency.code().to_owned(),
        ]);
    }
    table.bytes()
}
