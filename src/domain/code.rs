//! Referral codes and slugs: what stands in a link.

use unicode_normalization::UnicodeNormalization as _;

use super::Issue;

/// A referral code: 3–32 of `A–Z a–z 0–9 - _`, kept as typed, the same code in any case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code(String);

impl Code {
    /// # Errors
    /// Another length or another character.
    pub fn parse(text: &str) -> Result<Self, Issue> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if (3..=32).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Issue::new("must be 3 to 32 letters, digits, hyphens or underscores"))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn into_string(self) -> String {
        self.0
    }

    /// What two spellings of one code share.
    pub fn key(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

/// The codes to try for a name, in order: John Doe gives `JOHNDOE10`, `JOHNDOE11`, …; after the tens,
/// longer and random ones, so that the thousandth John Doe needs no thousand tries.
pub fn suggestions(name: &str, mut random: impl FnMut() -> u32) -> impl Iterator<Item = Code> {
    // Letters without their accents: Élise gives ELISE10.
    let letters: String = name.nfd().filter(char::is_ascii_alphanumeric).take(20).collect();
    let base = if letters.is_empty() { "AFFILIATE".to_owned() } else { letters.to_ascii_uppercase() };
    let numbers = (10..20).chain((3..=9).flat_map(|digits| [digits; 4]).map(move |digits| {
        let span = 10u32.pow(digits) - 10u32.pow(digits - 1);
        10u32.pow(digits - 1) + random() % span
    }));
    numbers.map(move |number| Code(format!("{base}{number}")))
}

/// A program's name in addresses: 2–40 of `a–z 0–9 -`, not beginning or ending with a hyphen.
///
/// # Errors
/// Anything else.
pub fn slug(text: &str) -> Result<(), Issue> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if (2..=40).contains(&text.len()) && text.bytes().all(allowed) && !text.starts_with('-') && !text.ends_with('-') {
        Ok(())
    } else {
        Err(Issue::new("must be 2 to 40 lower-case letters, digits or inner hyphens"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_kept_as_typed_and_matched_in_any_case() {
        let code = Code::parse("JohnDoe-1_0").unwrap();
        assert_eq!((code.as_str(), code.key().as_str()), ("JohnDoe-1_0", "johndoe-1_0"));
        for text in ["", "ab", "a b", "abc!", "äbc", &"x".repeat(33)] {
            assert!(Code::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn suggestions_begin_as_the_reference_shows() {
        let codes: Vec<String> = suggestions("John Doe", || 7).map(Code::into_string).take(11).collect();
        assert_eq!(
            (codes[0].as_str(), codes[1].as_str(), codes[10].as_str()),
            ("JOHNDOE10", "JOHNDOE11", "JOHNDOE107")
        );
    }

    #[test]
    fn every_suggestion_is_a_code() {
        for name in ["李雷", "", "Ω", &"Maximiliane".repeat(20), "J"] {
            for code in suggestions(name, || u32::MAX) {
                assert!(Code::parse(code.as_str()).is_ok(), "{code:?}");
            }
        }
    }
}
