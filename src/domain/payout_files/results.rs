//! What came of a run, read from the file that a bank or a provider gives back: `PayPal`'s report, Wise's, or our own
//! table with its status filled in. Rows are known by a line's id in any cell; columns by their usual names.
//!
//! Nothing is guessed. A row that names no line, or says another amount, is listed and changes nothing.

use std::collections::{HashMap, HashSet};

use super::{Line, Run, one_line};
use crate::domain::{payout::LineStatus, text::cut};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Paid,
    Failed(String),
    /// Still on its way, or not said.
    Unknown,
}

/// What an outcome is to a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning<'a> {
    Nothing,
    Paid,
    /// For that reason.
    Failed(&'a str),
    AlreadySo,
    /// Somebody said otherwise before, and that stands.
    Otherwise,
}

impl Outcome {
    /// What it is to a line that stands there. Only what is open is moved.
    pub fn meaning(&self, now: LineStatus) -> Meaning<'_> {
        match (self, now) {
            (Self::Unknown, _) => Meaning::Nothing,
            (Self::Paid, LineStatus::Open) => Meaning::Paid,
            (Self::Failed(reason), LineStatus::Open) => Meaning::Failed(reason),
            (Self::Paid, LineStatus::Paid) | (Self::Failed(_), LineStatus::Failed | LineStatus::Cancelled) => {
                Meaning::AlreadySo
            }
            (Self::Paid, LineStatus::Failed | LineStatus::Cancelled) | (Self::Failed(_), LineStatus::Paid) => {
                Meaning::Otherwise
            }
        }
    }
}

#[derive(Debug)]
pub struct Results<'a> {
    /// Every line of the run, in its order.
    pub lines: Vec<Told<'a>>,
    pub problems: Vec<Problem>,
}

/// What the table says of a line, and in which row first.
#[derive(Debug)]
pub struct Told<'a> {
    pub line: &'a Line<'a>,
    pub row: u64,
    pub outcome: Outcome,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Problem {
    /// As a spreadsheet counts, from 1.
    pub row: u64,
    pub why: RowIssue,
}

/// Why a row says nothing, to follow its number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowIssue {
    #[error("there is no column called “status”")]
    NoStatusColumn,
    #[error("this is no row of a table")]
    Unreadable,
    #[error("names no line of this payout")]
    NoLine,
    #[error("names several lines")]
    SeveralLines,
    #[error("says “{0}”, which is no known status")]
    Status(String),
    #[error("says an amount of {said}, but the line is of {due}")]
    Amount { said: String, due: String },
    #[error("says the currency {0}")]
    Currency(String),
    #[error("says something else of a line than an earlier row")]
    Contradiction,
    #[error("says something else of a line that is marked as {0} already")]
    Otherwise(LineStatus),
}

const LONGEST_REASON: usize = 500;
/// Rows above the header: a title, the day of the report.
const MOST_ABOVE: usize = 20;

/// Lower-case, letters and digits only.
const STATUS: [&str; 8] = [
    "status",
    "paymentstatus",
    "payoutstatus",
    "transactionstatus",
    "transferstatus",
    "itemstatus",
    "payoutitemstatus",
    "state",
];
const REASON: [&str; 8] = [
    "reason",
    "failurereason",
    "statusreason",
    "reasonforfailure",
    "error",
    "errormessage",
    "errorsmessage",
    "message",
];
const AMOUNT: [&str; 5] = ["amount", "payoutamount", "amountvalue", "targetamount", "grossamount"];
const CURRENCY: [&str; 4] = ["currency", "payoutcurrency", "targetcurrency", "grosscurrency"];

struct Columns {
    status: usize,
    reason: Option<usize>,
    amount: Option<usize>,
    currency: Option<usize>,
}

/// Reads a table of text, whatever of comma, semicolon or tab is between its cells.
pub fn read<'a>(table: &str, run: Run<'a>) -> Results<'a> {
    let lines = run.lines.iter().map(|line| Told { line, row: 0, outcome: Outcome::Unknown });
    let mut results = Results { lines: lines.collect(), problems: vec![] };
    // One mark at the end of a row, by which they are counted.
    let table = table.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let Some((columns, rows)) = [b',', b';', b'\t'].into_iter().find_map(|between| open(&table, between)) else {
        results.problems.push(Problem { row: 1, why: RowIssue::NoStatusColumn });
        return results;
    };
    let places: HashMap<&str, usize> = run.lines.iter().enumerate().map(|(place, line)| (line.id, place)).collect();
    let mut contradicted = HashSet::new();
    for (row, read) in rows {
        let said = read.ok_or(RowIssue::Unreadable).and_then(|cells| understood(&cells, &columns, &places, &run));
        match said {
            Ok((_, Outcome::Unknown)) => {}
            Ok((place, outcome)) => {
                let told = &mut results.lines[place];
                let is_first = told.outcome == Outcome::Unknown && !contradicted.contains(&place);
                if is_first {
                    (told.row, told.outcome) = (row, outcome);
                } else if told.outcome != outcome {
                    // Whatever later rows say, nothing is known of it.
                    contradicted.insert(place);
                    told.outcome = Outcome::Unknown;
                    results.problems.push(Problem { row, why: RowIssue::Contradiction });
                }
            }
            Err(why) => results.problems.push(Problem { row, why }),
        }
    }
    results
}

/// The columns and the rows below them, if it is a table with a status between such marks.
#[expect(clippy::type_complexity, reason = "a row that cannot be read is none")]
fn open(table: &str, between: u8) -> Option<(Columns, Vec<(u64, Option<csv::StringRecord>)>)> {
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(between).from_reader(table.as_bytes());
    let mut rows = reader.records().map(|read| match read {
        Ok(cells) => (cells.position().map_or(0, csv::Position::line), Some(cells)),
        Err(broken) => (broken.position().map_or(0, csv::Position::line), None),
    });
    let columns = rows.by_ref().take(MOST_ABOVE).find_map(|(_, cells)| columns(&cells?))?;
    Some((
        columns,
        rows.filter(|(_, cells)| cells.as_ref().is_none_or(|cells| cells.iter().any(|c| !c.trim().is_empty())))
            .collect(),
    ))
}

fn columns(cells: &csv::StringRecord) -> Option<Columns> {
    let names: Vec<String> = cells.iter().map(plain).collect();
    // The names in the order in which they are meant, not that of the file.
    let column = |known: &[&str]| known.iter().find_map(|known| names.iter().position(|name| name == known));
    Some(Columns {
        status: column(&STATUS)?,
        reason: column(&REASON),
        amount: column(&AMOUNT),
        currency: column(&CURRENCY),
    })
}

fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase()
}

fn understood(
    cells: &csv::StringRecord,
    columns: &Columns,
    places: &HashMap<&str, usize>,
    run: &Run<'_>,
) -> Result<(usize, Outcome), RowIssue> {
    let place = place(cells, places)?;
    let filled = |column: Option<usize>| {
        column
            .and_then(|column| cells.get(column))
            .map(|cell| cell.trim().trim_start_matches('\''))
            .filter(|c| !c.is_empty())
    };
    if let Some(said) = filled(columns.currency).filter(|said| !said.eq_ignore_ascii_case(run.currency.code())) {
        return Err(RowIssue::Currency(cut(said, 20).to_owned()));
    }
    let due = run.currency.of(run.lines[place].amount);
    if let Some(said) = filled(columns.amount).filter(|said| amount(said, run) != Some(due.minor)) {
        return Err(RowIssue::Amount { said: cut(said, 40).to_owned(), due: due.to_string() });
    }
    let said = filled(Some(columns.status)).unwrap_or_default();
    let reason = filled(columns.reason).unwrap_or(said);
    outcome(said, reason).map(|outcome| (place, outcome)).ok_or_else(|| RowIssue::Status(cut(said, 40).to_owned()))
}

/// The line that the row names in any of its cells, also as banks write it: `PLINE-…`.
fn place(cells: &csv::StringRecord, places: &HashMap<&str, usize>) -> Result<usize, RowIssue> {
    let mut found = None;
    for cell in cells {
        for word in cell.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-') {
            let Some(&place) = places.get(word.to_ascii_lowercase().replace('-', "_").as_str()) else { continue };
            if found.is_some_and(|earlier| earlier != place) {
                return Err(RowIssue::SeveralLines);
            }
            found = Some(place);
        }
    }
    found.ok_or(RowIssue::NoLine)
}

/// Money that went out is written with a minus by some; thousands are apart by commas or spaces, decimals by either mark.
fn amount(said: &str, run: &Run<'_>) -> Option<i64> {
    let digits: String = said.trim_start_matches(['-', '\u{2212}']).chars().filter(|c| !c.is_whitespace()).collect();
    let decimals = usize::from(run.currency.exponent());
    let plain = match digits.rfind([',', '.']) {
        Some(mark) if decimals > 0 && digits.len() - mark - 1 <= decimals => {
            format!("{}.{}", digits[..mark].replace([',', '.'], ""), &digits[mark + 1..])
        }
        _ => digits.replace(',', ""),
    };
    run.currency.amount(&plain).ok().map(|amount| amount.minor)
}

/// The words of <https://developer.paypal.com/docs/api/payments.payouts-batch/v1/> and of
/// <https://docs.wise.com/api-docs/guides/send-money/tracking-transfers>, and what people write in a table.
fn outcome(status: &str, reason: &str) -> Option<Outcome> {
    let failed = || Outcome::Failed(cut(&one_line(reason), LONGEST_REASON).to_owned());
    Some(match plain(status).as_str() {
        "paid"
        | "success"
        | "successful"
        | "succeeded"
        | "complete"
        | "completed"
        | "sent"
        | "outgoingpaymentsent"
        | "executed"
        | "settled"
        | "done"
        | "yes" => Outcome::Paid,
        "failed" | "failure" | "returned" | "refunded" | "fundsrefunded" | "reversed" | "blocked" | "denied"
        | "rejected" | "cancelled" | "canceled" | "bouncedback" | "chargedback" | "expired" | "error" | "no" => {
            failed()
        }
        ""
        | "pending"
        | "unclaimed"
        | "onhold"
        | "hold"
        | "new"
        | "created"
        | "processing"
        | "inprogress"
        | "scheduled"
        | "incomingpaymentwaiting"
        | "incomingpaymentinitiated"
        | "fundsconverted"
        | "waitingforfunds"
        | "waiting" => Outcome::Unknown,
        _ => return None,
    })
}
