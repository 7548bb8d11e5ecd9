//! Tables as CSV files that a spreadsheet may open without running anything.

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};

use super::failure::Failure;
pub use crate::domain::csv::text;

/// The most rows of a file.
pub const MOST: i64 = 20_000;

/// As many of the rows as a file holds, and whether there are more; asked for one row more than that.
pub fn cut<T>(mut rows: Vec<T>) -> (Vec<T>, bool) {
    let most = usize::try_from(MOST).unwrap_or(usize::MAX);
    let is_cut = rows.len() > most;
    rows.truncate(most);
    (rows, is_cut)
}

pub struct Sheet {
    csv: csv::Writer<Vec<u8>>,
    columns: usize,
}

impl Sheet {
    pub fn new(columns: &[&str]) -> Result<Self, Failure> {
        let csv = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
        let mut sheet = Self { csv, columns: columns.len() };
        sheet.write(columns)?;
        Ok(sheet)
    }

    /// Cells as they are: numbers, dates and words of this program; what people typed goes through [`text`].
    pub fn row(&mut self, cells: &[String]) -> Result<(), Failure> {
        self.write(cells)
    }

    /// The last row of a file that does not hold everything says so.
    pub fn end(&mut self, is_cut: bool) -> Result<(), Failure> {
        if !is_cut {
            return Ok(());
        }
        let mut cells = vec![String::new(); self.columns];
        cells[0] =
            format!("There are more: this file holds the first {MOST} rows. Narrow what is listed for the rest.");
        self.write(&cells)
    }

    fn write<T: AsRef<[u8]>>(&mut self, cells: &[T]) -> Result<(), Failure> {
        self.csv.write_record(cells).map_err(|_| Failure::internal())
    }

    /// The file, for download under that name.
    pub fn download(self, name: &str) -> Result<Response, Failure> {
        download(self.csv.into_inner().map_err(|_| Failure::internal())?, name)
    }
}

/// A table that is made, for download under that name.
pub fn download(bytes: Vec<u8>, name: &str) -> Result<Response, Failure> {
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(header::CONTENT_DISPOSITION, attachment(name)?);
    Ok(response)
}

/// # Errors
/// When the name is no header's text.
pub fn attachment(name: &str) -> Result<HeaderValue, Failure> {
    HeaderValue::try_from(format!("attachment; filename=\"{name}\"")).map_err(|_| Failure::internal())
}
