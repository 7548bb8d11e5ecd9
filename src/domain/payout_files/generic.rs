//! Everything of a run's lines as one table, with two empty columns that say what came of each when it is read back.

use super::{Line, Run};
use crate::domain::csv::{Table, text};

const COLUMNS: [&str; 12] =
    ["payout", "line", "name", "email", "method", "details", "amount", "currency", "date", "note", "status", "reason"];

pub fn write(run: &Run<'_>, lines: &[&Line<'_>]) -> Vec<u8> {
    let mut table = Table::new(&COLUMNS);
    for line in lines {
        table.row(&[
            run.id.to_owned(),
            line.id.to_owned(),
            text(line.name),
            text(line.email),
            line.method.as_str().to_owned(),
            text(line.details),
            run.currency.of(line.amount).to_string(),
            run.currency.code().to_owned(),
            run.execute_on.date(),
            text(line.note),
            String::new(),
            String::new(),
        ]);
    }
    table.bytes()
}
