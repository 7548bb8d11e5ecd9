//! A file's bytes as rows of cells: whatever of UTF-8, UTF-16 or Windows-1252 it is written in, and whatever of comma,
//! semicolon or tab is between its cells.

use std::collections::HashMap;

use encoding_rs::{UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::{Bad, MOST_ROWS};

/// Why a file cannot be read at all, to follow “The file”.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("is a spreadsheet: save it as CSV and choose that")]
    Spreadsheet,
    #[error("is not text: choose a CSV file")]
    NotText,
    #[error("has no rows")]
    Empty,
    #[error("has no column whose name is known; its first line must name them, such as {0}")]
    NoColumns(&'static str),
    #[error("has no column for {what}: call it {name}")]
    Missing { what: &'static str, name: &'static str },
    #[error("has two columns called “{0}”: rename the one that is not meant")]
    Twice(String),
    #[error("has more than {MOST_ROWS} rows: split it")]
    TooLong,
}

/// # Errors
/// When it is no text.
pub fn text(bytes: &[u8]) -> Result<String, Unreadable> {
    // A zip, as newer spreadsheets are, or the container of older ones.
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\xD0\xCF\x11\xE0") {
        return Err(Unreadable::Spreadsheet);
    }
    let decoded = if let Some((encoding, mark)) =
        encoding_rs::Encoding::for_bom(bytes).filter(|(encoding, _)| *encoding == UTF_16LE || *encoding == UTF_16BE)
    {
        let (text, has_errors) = encoding.decode_without_bom_handling(&bytes[mark..]);
        if has_errors {
            return Err(Unreadable::NotText);
        }
        text.into_owned()
    } else if let Ok(text) = std::str::from_utf8(bytes) {
        text.trim_start_matches('\u{feff}').to_owned()
    } else {
        // What spreadsheets write on many desks in Europe. Each of its bytes means something.
        WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned()
    };
    if decoded.contains('\0') {
        return Err(Unreadable::NotText);
    }
    // One mark at the end of a line, by which they are counted.
    Ok(decoded.replace("\r\n", "\n").replace('\r', "\n"))
}

pub struct Row {
    pub line: i64,
    cells: Vec<String>,
}

pub struct Table {
    headers: Vec<String>,
    /// The same as [`plain`] has them.
    names: Vec<String>,
    pub rows: Vec<Row>,
    pub bad: Vec<Bad>,
    used: Vec<(usize, &'static str)>,
}

/// Letters and digits only, in lower case: how two spellings of one column are told to be one.
pub fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The names of the columns, of whichever separator makes most of them known.
pub fn headers(text: &str, is_known: impl Fn(&str) -> bool) -> Option<(u8, Vec<String>)> {
    let first = |between: u8| {
        let mut reader = reader(text, between);
        let mut cells = csv::StringRecord::new();
        reader.read_record(&mut cells).ok().filter(|found| *found)?;
        let headers: Vec<String> = cells.iter().map(|cell| cell.trim().to_owned()).collect();
        let known = headers.iter().filter(|header| is_known(&plain(header))).count();
        Some((known, headers.len(), between, headers))
    };
    let best = [b',', b';', b'\t'].into_iter().filter_map(first).max_by_key(|(known, columns, ..)| (*known, *columns));
    best.filter(|(known, ..)| *known > 0).map(|(_, _, between, headers)| (between, headers))
}

fn reader(text: &str, between: u8) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(between).from_reader(text.as_bytes())
}

impl Table {
    /// # Errors
    /// When there is no known column, no row below, or too many.
    pub fn open(text: &str, is_known: impl Fn(&str) -> bool, such_as: &'static str) -> Result<Self, Unreadable> {
        if text.trim().is_empty() {
            return Err(Unreadable::Empty);
        }
        let (between, headers) = headers(text, is_known).ok_or(Unreadable::NoColumns(such_as))?;
        let names = headers.iter().map(|header| plain(header)).collect();
        let mut table = Self { headers, names, rows: Vec::new(), bad: Vec::new(), used: Vec::new() };
        for read in reader(text, between).records().skip(1) {
            match read {
                Ok(cells) => table.take(text, &cells),
                Err(broken) => {
                    let line = broken.position().map_or(0, csv::Position::line);
                    table.bad.push(Bad::new(number(line), "", "", "This is no row of a table."));
                }
            }
            if table.rows.len() + table.bad.len() > MOST_ROWS {
                return Err(Unreadable::TooLong);
            }
        }
        if table.rows.is_empty() && table.bad.is_empty() {
            return Err(Unreadable::Empty);
        }
        Ok(table)
    }

    fn take(&mut self, text: &str, cells: &csv::StringRecord) {
        if cells.iter().all(|cell| cell.trim().is_empty()) {
            return;
        }
        let line = line_of(text, cells);
        let (columns, is_odd) = (self.headers.len(), |cell: &str| cell.contains('\n'));
        let why = if cells.iter().skip(columns).any(|cell| !cell.trim().is_empty()) {
            Some(format!(
                "The row has {} cells below {columns} columns: put a cell with a separator in it between quotation marks.",
                cells.len()
            ))
        } else if cells.len() < columns && cells.iter().any(is_odd) {
            Some("A quotation mark opens a cell and none closes it.".to_owned())
        } else {
            None
        };
        match why {
            Some(why) => self.bad.push(Bad::new(line, "", cells.get(0).unwrap_or_default(), why)),
            None => self.rows.push(Row { line, cells: cells.iter().map(str::to_owned).collect() }),
        }
    }

    /// The column of one of these names, the first of them first.
    ///
    /// # Errors
    /// When there are two of that name.
    pub fn column(&mut self, what: &'static str, known: &[&str]) -> Result<Option<usize>, Unreadable> {
        for name in known {
            let mut places = (0..self.names.len()).filter(|place| self.names[*place] == *name);
            let Some(place) = places.next() else { continue };
            if places.next().is_some() {
                return Err(Unreadable::Twice(self.headers[place].clone()));
            }
            if self.used.iter().all(|(used, _)| *used != place) {
                self.used.push((place, what));
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    pub fn header(&self, place: usize) -> &str {
        self.headers.get(place).map_or("", String::as_str)
    }

    /// Which columns are read, as what, and which are not.
    pub fn told(&self) -> (Vec<(String, &'static str)>, Vec<String>) {
        let mut used = self.used.clone();
        used.sort_unstable();
        let unused = (0..self.headers.len()).filter(|place| used.iter().all(|(known, _)| known != place));
        let unused = unused.map(|place| self.headers[place].clone()).filter(|header| !header.is_empty());
        (used.iter().map(|(place, what)| (self.headers[*place].clone(), *what)).collect(), unused.collect())
    }
}

impl Row {
    /// The cell, where it says anything. Spreadsheets and we ourselves put an apostrophe before what could be a formula.
    pub fn get(&self, place: Option<usize>) -> Option<&str> {
        let cell = self.cells.get(place?)?.trim();
        let cell = cell.strip_prefix('\'').filter(|rest| crate::domain::csv::is_formula(rest)).unwrap_or(cell).trim();
        let says_nothing = ["", "-", "–", "null", "nil", "n/a", "none"].contains(&cell.to_lowercase().as_str());
        (!says_nothing).then_some(cell)
    }
}

/// A record's position is where its reading began, which may be at empty lines before it.
fn line_of(text: &str, cells: &csv::StringRecord) -> i64 {
    let Some(position) = cells.position() else { return 0 };
    let start = usize::try_from(position.byte()).unwrap_or(usize::MAX);
    let rest = text.as_bytes().get(start..).unwrap_or_default();
    let empty = rest.iter().take_while(|byte| **byte == b'\n').count();
    number(position.line()) + i64::try_from(empty).unwrap_or(0)
}

fn number(line: u64) -> i64 {
    i64::try_from(line).unwrap_or(i64::MAX)
}

/// What may be named once in a file, and on which line it was.
#[derive(Default)]
pub struct Once(HashMap<String, i64>);

impl Once {
    /// The line of an earlier row that named it.
    pub fn earlier(&mut self, key: String, line: i64) -> Option<i64> {
        match self.0.entry(key) {
            std::collections::hash_map::Entry::Occupied(known) => Some(*known.get()).filter(|known| *known != line),
            std::collections::hash_map::Entry::Vacant(free) => {
                free.insert(line);
                None
            }
        }
    }
}
