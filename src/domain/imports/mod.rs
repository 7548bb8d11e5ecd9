//! Affiliates and sales from another tool, read from the table that it exports: which column is what, and of each row
//! what it says or every reason why it says nothing that could be used. Nothing is guessed where two readings differ by
//! money or by days.
//!
//! The tools document what they import and what their APIs answer, and hardly what they export. So a column is known by
//! several spellings: those of the help pages, of the API's fields, and what people write in a table of their own.

pub mod affiliates;
mod cells;
mod sale_columns;
pub mod sales;
pub mod table;
pub mod tool;

#[cfg(test)]
mod tests;

use super::{affiliate::words, text::cut};

words! {
    /// What a file has a row for each of.
    Kind as ImportKind { Affiliates = "affiliates", Sales = "sales" }
    "must be one of affiliates, sales"
}

impl Kind {
    /// `1 affiliate`, `12 sales`.
    pub const fn noun(self, count: i64) -> &'static str {
        match (self, count) {
            (Self::Affiliates, 1) => "affiliate",
            (Self::Affiliates, _) => "affiliates",
            (Self::Sales, 1) => "sale",
            (Self::Sales, _) => "sales",
        }
    }
}

words! {
    /// Open: looked at, nothing is written. Running: confirmed, and being written.
    Status as ImportStatus { Open = "open", Running = "running", Done = "done" }
    "must be one of open, running, done"
}

/// More rows are refused: their dry run would keep somebody waiting.
pub const MOST_ROWS: usize = 20_000;
/// Bytes of a file.
pub const MOST_BYTES: usize = 4 * 1024 * 1024;
/// As much of a wrong cell as is shown.
const SHOWN: usize = 80;

/// Why a cell is of no use, as a sentence that follows its column's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bad {
    /// Of the file, from 1, as an editor counts.
    pub line: i64,
    /// As the file calls it; empty for the row as a whole.
    pub column: String,
    pub value: String,
    pub why: String,
}

impl Bad {
    pub fn new(line: i64, column: &str, value: &str, why: impl Into<String>) -> Self {
        Self { line, column: column.to_owned(), value: cut(value, SHOWN).to_owned(), why: why.into() }
    }
}

/// What a file says.
#[derive(Debug)]
pub struct Sheet<R> {
    pub rows: Vec<R>,
    /// All that is wrong, in the order of the lines; a row may have several.
    pub bad: Vec<Bad>,
    /// Which columns are read, and as what.
    pub used: Vec<(String, &'static str)>,
    pub unused: Vec<String>,
}

/// Of how many rows something is wrong.
pub fn rows_of(bad: &[Bad]) -> i64 {
    let mut lines: Vec<_> = bad.iter().map(|bad| bad.line).collect();
    lines.sort_unstable();
    lines.dedup();
    i64::try_from(lines.len()).unwrap_or(i64::MAX)
}

/// Whose file it is, by the names of its columns.
pub fn guess(text: &str, kind: Kind) -> tool::Tool {
    let is_known = match kind {
        Kind::Affiliates => affiliates::is_known,
        Kind::Sales => sale_columns::is_known,
    };
    let names: Option<Vec<String>> =
        table::headers(text, is_known).map(|(_, headers)| headers.iter().map(|name| table::plain(name)).collect());
    tool::Tool::guess(&names.unwrap_or_default())
}
