//! Text that people typed: stored as given, within bounds, without control characters.

use super::Issue;

/// # Errors
/// A control character (U+0000–001F but newline and tab, U+007F).
pub fn printable(text: &str) -> Result<(), Issue> {
    // None of them is part of a longer character. Without stopping at the first, so that many are looked at at once.
    let is_control = |byte: u8| byte != b'\n' && byte != b'\t' && matches!(byte, 0..=0x1f | 0x7f);
    let found = text.bytes().fold(false, |found, byte| found | is_control(byte));
    if found { Err(Issue::new("must not contain control characters")) } else { Ok(()) }
}

/// Text of `min` to `max` characters.
///
/// # Errors
/// Another length, or control characters.
pub fn bounded(text: &str, min: usize, max: usize) -> Result<(), Issue> {
    printable(text)?;
    if (min..=max).contains(&text.chars().count()) {
        return Ok(());
    }
    Err(Issue::from(if min == 0 {
        format!("must be at most {max} characters")
    } else {
        format!("must be {min} to {max} characters")
    }))
}

/// A person's or program's name: 1 to 200 characters, not only spaces.
///
/// # Errors
/// Anything else.
pub fn name(text: &str) -> Result<(), Issue> {
    bounded(text, 1, 200)?;
    if text.trim().is_empty() { Err(Issue::new("must not be only spaces")) } else { Ok(()) }
}

/// The first `max` characters.
pub fn cut(text: &str, max: usize) -> &str {
    if text.len() <= max {
        return text;
    }
    text.char_indices().nth(max).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_characters_not_bytes() {
        assert!(bounded(&"é".repeat(32), 1, 32).is_ok());
        assert!(bounded(&"é".repeat(33), 1, 32).is_err());
        assert_eq!(cut("ééé", 2), "éé");
        assert_eq!(cut("ab", 2), "ab");
    }

    #[test]
    fn newline_and_tab_are_not_control_here() {
        assert!(printable("a\n\tb").is_ok());
        for text in ["a\0", "\r", "\u{1b}[1m", "\u{7f}"] {
            assert!(printable(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_name_is_not_only_spaces() {
        assert!(name(" J ").is_ok());
        assert!(name("").is_err());
        assert!(name(" \t").is_err());
    }
}
