//! Stored text, made harmless before it meets a message. What people typed may hold line breaks, which forge
//! headers and lines of plain text, marks that turn the reading direction of what follows, and addresses that a
//! mail program would make a link of. Templates are given these types and no plain `String`, so that none can
//! forget.

use std::fmt;

/// More of a name than this tells nobody more.
const NAME_LENGTH: usize = 80;
const TEXT_LENGTH: usize = 500;
const SUBJECT_LENGTH: usize = 250;

/// Invisible characters that change how the text after them is shown.
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn breaks_line(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

fn cut(text: &str, length: usize) -> String {
    match text.char_indices().nth(length) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text.to_owned(),
    }
}

/// One line of text from somebody who is trusted with a program: its name, an address, a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line(String);

impl Line {
    pub fn new(text: &str) -> Self {
        Self::at_most(text, NAME_LENGTH)
    }

    /// A subject that somebody who is trusted with a program wrote, with names in it.
    pub fn subject(text: &str) -> Self {
        Self::at_most(text, SUBJECT_LENGTH)
    }

    fn at_most(text: &str, length: usize) -> Self {
        let spaced: String =
            text.chars().filter(|c| !turns_direction(*c)).map(|c| if breaks_line(c) { ' ' } else { c }).collect();
        Self(cut(&spaced.split_whitespace().collect::<Vec<_>>().join(" "), length))
    }

    /// A name that anybody may have typed into a form with somebody else's address: no mail program finds a link
    /// in it.
    pub fn of_anybody(name: &str) -> Self {
        let Self(line) = Self::new(&name.replace("://", " "));
        let mut out = String::with_capacity(line.len());
        let mut rest = line.chars().peekable();
        while let Some(c) = rest.next() {
            out.push(c);
            if c == '.' && rest.peek().is_some_and(|next| next.is_alphanumeric()) {
                out.push(' ');
            }
        }
        Self(out)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A few lines, such as the reason for a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words(Vec<String>);

impl Words {
    /// `None` where there is nothing to read in it.
    pub fn new(text: &str) -> Option<Self> {
        Self::at_most(text, TEXT_LENGTH)
    }

    /// The paragraphs of a text as long as it is: what an empty line parts.
    pub fn paragraphs(text: &str) -> Vec<Self> {
        let text = text.replace("\r\n", "\n");
        text.split("\n\n").filter_map(|paragraph| Self::at_most(paragraph, usize::MAX)).collect()
    }

    fn at_most(text: &str, length: usize) -> Option<Self> {
        let lines = cut(text, length);
        let clean = |line: &str| {
            let kept = line.chars().filter(|c| !turns_direction(*c)).map(|c| if breaks_line(c) { ' ' } else { c });
            kept.collect::<String>().trim().to_owned()
        };
        let lines: Vec<String> = lines.lines().map(clean).filter(|line| !line.is_empty()).collect();
        (!lines.is_empty()).then_some(Self(lines))
    }

    pub fn lines(&self) -> &[String] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_that_reads_in_its_own_direction() {
        assert_eq!(Line::new("A\r\nBcc: x@y.z\t\u{202e}b\u{2028}c").as_str(), "A Bcc: x@y.z b c");
        assert_eq!(Line::new("שלום").as_str(), "שלום");
        let long = Line::new(&"n".repeat(200));
        assert_eq!((long.as_str().chars().count(), long.as_str().ends_with('…')), (81, true));
    }

    #[test]
    fn anybodys_name_is_no_link() {
        for (name, shown) in [
            ("Win at https://evil.example/x", "Win at https evil. example/x"),
            ("www.evil.example", "www. evil. example"),
            ("J.R.R. Tolkien", "J. R. R. Tolkien"),
            ("Dr. No", "Dr. No"),
        ] {
            assert_eq!(Line::of_anybody(name).as_str(), shown);
        }
    }

    #[test]
    fn words_keep_their_lines() {
        let words = Words::new(" Own order.\r\n\r\n\u{202e}See the terms ").unwrap();
        assert_eq!(words.lines(), ["Own order.", "See the terms"]);
        assert_eq!(Words::new(" \n "), None);
        let paragraphs = Words::paragraphs("One\r\ntwo\r\n\r\n \n\n\u{202e}Three");
        assert_eq!(paragraphs.iter().map(Words::lines).collect::<Vec<_>>(), [vec!["One", "two"], vec!["Three"]]);
    }
}
