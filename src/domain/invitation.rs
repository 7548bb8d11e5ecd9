//! People to invite, as they are pasted: one a line.

use super::{email::Email, text};

/// As many as are invited at once.
pub const MOST: usize = 200;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitee {
    /// The line that names them, from 1.
    pub line: usize,
    pub name: String,
    pub email: Email,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    pub line: usize,
    pub issue: String,
}

/// Reads `Name <mail>`, `Name, mail` or an address alone, one a line; empty lines are skipped.
///
/// # Errors
/// Every line that is not one, and every address named twice.
pub fn people(pasted: &str) -> Result<Vec<Invitee>, Vec<BadLine>> {
    let (mut people, mut bad): (Vec<Invitee>, Vec<BadLine>) = (Vec::new(), Vec::new());
    for (number, text) in pasted.lines().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
        let line = number + 1;
        match person(text.trim(), line) {
            Ok(new) => match people.iter().find(|known| known.email.key() == new.email.key()) {
                Some(first) => {
                    bad.push(BadLine { line, issue: format!("names the same address as line {}", first.line) });
                }
                None => people.push(new),
            },
            Err(issue) => bad.push(BadLine { line, issue }),
        }
        if people.len() > MOST {
            return Err(vec![BadLine { line, issue: format!("is one too many: at most {MOST} at once") }]);
        }
    }
    if bad.is_empty() { Ok(people) } else { Err(bad) }
}

fn person(text: &str, line: usize) -> Result<Invitee, String> {
    let (name, address) = match text.rsplit_once('<') {
        Some((name, rest)) => {
            (name, rest.strip_suffix('>').ok_or_else(|| "has a < without a > at its end".to_owned())?)
        }
        None => text.rsplit_once([',', ';', '\t']).unwrap_or(("", text)),
    };
    let name = name.trim().trim_matches('"').trim();
    let shown = text::cut(text, 60);
    let email = Email::parse(address).map_err(|_| format!("has no valid e-mail address: {shown}"))?;
    if !name.is_empty() {
        text::name(name).map_err(|issue| format!("has a name that {issue}: {shown}"))?;
    }
    Ok(Invitee { line, name: name.to_owned(), email })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_ways_to_name_somebody() {
        let read = people(
            "Ada Marlowe <ada@example.com>\n\n bo@example.com \r\n\"Chi, Dr.\" <c@example.com>\nDan, d@example.com",
        )
        .unwrap();
        let shown: Vec<_> = read.iter().map(|one| (one.line, one.name.as_str(), one.email.as_str())).collect();
        assert_eq!(
            shown,
            [
                (1, "Ada Marlowe", "ada@example.com"),
                (3, "", "bo@example.com"),
                (4, "Chi, Dr.", "c@example.com"),
                (5, "Dan", "d@example.com")
            ]
        );
    }

    #[test]
    fn every_bad_line_is_named() {
        let bad = people("a@example.com\nnobody\nA@EXAMPLE.com\nX <y@example.com").unwrap_err();
        let lines: Vec<_> = bad.iter().map(|bad| bad.line).collect();
        assert_eq!(lines, [2, 3, 4]);
        assert_eq!(bad[1].issue, "names the same address as line 1");
    }

    #[test]
    fn there_is_an_end() {
        let many: Vec<_> = (0..=MOST).map(|n| format!("a{n}@example.com")).collect();
        assert_eq!(people(&many.join("\n")).unwrap_err().len(), 1);
    }
}
