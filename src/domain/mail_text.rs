//! A program's own words in the mails that its affiliates get: a subject of its own, and what stands before the
//! product's text. Figures, links and what the law wants said stay the product's.

use std::borrow::Cow;

use super::{Issue, message::Kind, program::Difference, text};

/// The mails to affiliates, in the order in which settings show them. Those that guard an account or confirm an
/// address are nobody's to reword.
pub const KINDS: [Kind; 10] = [
    Kind::AffiliateInvitation,
    Kind::ApplicationReceived,
    Kind::ApplicationApproved,
    Kind::ApplicationRejected,
    Kind::NewCommission,
    Kind::CommissionRejected,
    Kind::ClaimAnswered,
    Kind::RateChanged,
    Kind::PayoutPaid,
    Kind::PayoutFailed,
];

/// The most characters of a text.
pub const BODY_LENGTH: usize = 2_000;
pub const SUBJECT_LENGTH: usize = 150;

/// What stands for a recipient who has no name.
const NOBODY: &str = "there";
const NAME: &str = "name";
const PROGRAM: &str = "program";

/// What a program says itself in one kind of mail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailText {
    pub subject: Option<String>,
    pub body: Option<String>,
}

/// The kind of that name, where programs have words in it.
pub fn kind(word: &str) -> Option<Kind> {
    KINDS.into_iter().find(|kind| kind.as_str() == word)
}

/// What a merchant calls the mail, and when it goes out.
pub const fn label(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::AffiliateInvitation => ("Invitation", "When you invite somebody."),
        Kind::ApplicationReceived => ("Application received", "When somebody has applied and waits."),
        Kind::ApplicationApproved => ("Application approved", "When somebody is in."),
        Kind::ApplicationRejected => ("Application rejected", "When you turn somebody down."),
        Kind::NewCommission => ("New commission", "When an affiliate earns something."),
        Kind::CommissionRejected => ("Commission rejected", "When you reject what they earned."),
        Kind::ClaimAnswered => ("Claim answered", "When you answer a claim of a missing sale."),
        Kind::RateChanged => ("Rate changed", "When you announce what they will earn."),
        Kind::PayoutPaid => ("Paid out", "When a payment is on its way to them."),
        Kind::PayoutFailed => ("Payment failed", "When a payment did not reach them."),
        _ => ("", ""),
    }
}

/// What `text` holds: plain words, and the names between braces.
enum Piece<'t> {
    Plain(&'t str),
    Named(&'t str),
}

/// Takes the text apart. A brace without its other, or around a line break, is a brace.
fn pieces(mut rest: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    while let Some(start) = rest.find('{') {
        let after = &rest[start + 1..];
        let end = after.find(['{', '}', '\n']).filter(|end| after[*end..].starts_with('}'));
        if let Some(end) = end {
            found.extend([Piece::Plain(&rest[..start]), Piece::Named(&after[..end])]);
            rest = &after[end + 1..];
        } else {
            found.push(Piece::Plain(&rest[..=start]));
            rest = after;
        }
    }
    found.push(Piece::Plain(rest));
    found
}

fn known(text: &str) -> Result<(), Issue> {
    for piece in pieces(text) {
        if let Piece::Named(name) = piece
            && !matches!(name, NAME | PROGRAM)
        {
            let name = text::cut(name, 40);
            return Err(Issue::from(format!("must not have {{{name}}} in it: there are {{name}} and {{program}}")));
        }
    }
    Ok(())
}

/// # Errors
/// Another length, more than a line, or a placeholder that there is none of.
pub fn subject(given: &str) -> Result<String, Issue> {
    text::bounded(given, 1, SUBJECT_LENGTH)?;
    if given.contains(['\n', '\t', '\u{2028}', '\u{2029}']) {
        return Err(Issue::new("must be one line"));
    }
    known(given).map(|()| given.to_owned())
}

/// # Errors
/// A longer text, or a placeholder that there is none of.
pub fn body(given: &str) -> Result<String, Issue> {
    let given = given.replace("\r\n", "\n");
    text::bounded(&given, 1, BODY_LENGTH)?;
    known(&given).map(|()| given)
}

/// The text for that recipient. What is put in is not looked at again: a name may hold braces.
pub fn filled(text: &str, name: Option<&str>, program: &str) -> String {
    pieces(text)
        .into_iter()
        .map(|piece| match piece {
            Piece::Plain(plain) => Cow::Borrowed(plain),
            Piece::Named(NAME) => Cow::Borrowed(name.unwrap_or(NOBODY)),
            Piece::Named(PROGRAM) => Cow::Borrowed(program),
            Piece::Named(other) => Cow::Owned(format!("{{{other}}}")),
        })
        .collect()
}

/// What a change of words changes.
pub fn differences(before: &MailText, after: &MailText) -> Vec<Difference> {
    let word = |side: &Option<String>| side.clone().unwrap_or_else(|| "none".into());
    let subject = |text: &MailText| text.subject.clone().unwrap_or_else(|| "the usual one".into());
    Difference::between(
        [("Subject", subject(before)), ("Your words", word(&before.body))],
        [("Subject", subject(after)), ("Your words", word(&after.body))],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_once() {
        let text = "Hi {name}, {program} {x} { {name {program}} }";
        assert_eq!(filled(text, Some("{program}"), "Acme"), "Hi {program}, Acme {x} { {name Acme} }");
        assert_eq!(filled("Hi {name}", None, "Acme"), "Hi there");
    }

    #[test]
    fn an_unknown_placeholder_is_named() {
        let issue = body("Dear {first_name},").unwrap_err();
        assert!(issue.0.contains("{first_name}"), "{issue:?}");
        assert!(subject("{amount} for you").is_err() && subject("{} ").is_err());
        assert!(subject("a\nb").is_err() && subject("").is_err() && subject(&"é".repeat(151)).is_err());
        assert_eq!(subject("{name}: welcome to {program}"), Ok("{name}: welcome to {program}".into()));
        assert_eq!(body("a\r\n\r\n{ b"), Ok("a\n\n{ b".into()));
        assert!(body(&"é".repeat(2_001)).is_err());
    }

    #[test]
    fn each_mail_has_a_name() {
        for each in KINDS {
            assert_eq!(kind(each.as_str()), Some(each));
            assert!(!label(each).0.is_empty() && !label(each).1.is_empty());
        }
        assert_eq!(kind("sign_in_link"), None);
    }
}
