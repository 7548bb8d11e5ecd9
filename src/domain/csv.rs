//! CSV files that a spreadsheet may open without running anything.

/// What somebody typed, so that no spreadsheet takes it for a formula: an apostrophe goes before it.
/// The rule is OWASP's: <https://owasp.org/www-community/attacks/CSV_Injection>.
pub fn text(cell: &str) -> String {
    if is_formula(cell) { format!("'{cell}") } else { cell.to_owned() }
}

/// Whether a spreadsheet could take it for a formula.
pub fn is_formula(cell: &str) -> bool {
    // Some programs skip spaces before they look, and read the wide forms alike.
    let first = cell.trim_start().chars().next();
    matches!(first, Some('=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠')) || cell.starts_with(['\t', '\r', '\n'])
}

/// A table of `N` columns in memory, RFC 4180.
pub struct Table<const N: usize>(csv::Writer<Vec<u8>>);

impl<const N: usize> Table<N> {
    pub fn new(columns: &[&str; N]) -> Self {
        let mut table = Self::bare();
        table.row(&columns.map(str::to_owned));
        table
    }

    /// Without names above its columns.
    pub fn bare() -> Self {
        Self(csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new()))
    }

    /// Cells as they are; what people typed goes through [`text`].
    pub fn row(&mut self, cells: &[String; N]) {
        // Memory takes everything, and rows are of one length by their type.
        let _ = self.0.write_record(cells);
    }

    pub fn bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn formulas_are_text() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\r=1", "＝1", "\n@x"] {
            assert_eq!(text(formula), format!("'{formula}"));
        }
        for plain in ["", "A-1", "1=1", "O'Neil", "a\n=b", "<script>"] {
            assert_eq!(text(plain), plain);
        }
    }
}
