//! E-mail addresses: plausible, echoed as given, compared lower-cased.

use std::{collections::HashSet, fmt, sync::LazyLock};

use unicode_normalization::char::is_combining_mark;

use super::{Issue, text};

#[derive(Clone, PartialEq, Eq)]
pub struct Email(String);

impl Email {
    /// # Errors
    /// When the trimmed text cannot be an address one could send to.
    pub fn parse(text: &str) -> Result<Self, Issue> {
        let address = text.trim();
        text::bounded(address, 1, 254)?;
        let issue = || Issue::new("must be a valid e-mail address");
        let (local, domain) = address.rsplit_once('@').ok_or_else(issue)?;
        if is_local(local) && is_domain(domain) { Ok(Self(address.to_owned())) } else { Err(issue()) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What two spellings of one address share.
    pub fn key(&self) -> String {
        self.0.to_lowercase()
    }
}

/// What the spellings of one mailbox share: upper and lower case, what is after a plus sign (which nearly every server
/// leaves out, and none gives to somebody else), and where the provider says that they mean nothing, dots.
pub fn mailbox(address: &str) -> String {
    let address = address.trim().to_lowercase();
    let Some((local, domain)) = address.rsplit_once('@') else { return address };
    let local = local.split_once('+').map_or(local, |(before, _)| before);
    match domain {
        "gmail.com" | "googlemail.com" => format!("{}@gmail.com", local.replace('.', "")),
        "proton.me" | "protonmail.com" | "pm.me" => format!("{}@proton.me", local.replace(['.', '-', '_'], "")),
        "icloud.com" | "me.com" | "mac.com" => format!("{local}@icloud.com"),
        _ => format!("{local}@{domain}"),
    }
}

/// Who gives addresses away for ten minutes: the list of <https://github.com/FGRibreau/mailchecker> (MIT), which its
/// crate carries. Looked up by hash, because the crate's own check compares all of them.
static DISPOSABLE: LazyLock<HashSet<&'static str>> = LazyLock::new(|| mailchecker::blacklist().into_iter().collect());

/// The domain of that list that the address is at or below, if it is at one.
pub fn disposable(address: &str) -> Option<&'static str> {
    let (_, domain) = address.trim().rsplit_once('@')?;
    let domain = domain.to_ascii_lowercase();
    let mut at = domain.as_str();
    loop {
        if let Some(known) = DISPOSABLE.get(at) {
            return Some(known);
        }
        at = at.split_once('.')?.1;
    }
}

/// Many scripts write letters in several characters, and so does a Mac what is one elsewhere.
fn is_letter(c: char) -> bool {
    c.is_alphanumeric() || is_combining_mark(c)
}

fn is_local(local: &str) -> bool {
    let allowed = |c: char| is_letter(c) || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    !local.is_empty()
        && local.chars().count() <= 64
        && local.chars().all(allowed)
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
}

fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.chars().count() <= 63
            && label.chars().all(|c| is_letter(c) || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    domain.contains('.') && domain.split('.').all(is_label)
}

/// An address in a log: enough to recognise, not enough to write to.
impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.0.chars().next().unwrap_or('?');
        let domain = self.0.rsplit_once('@').map_or("", |(_, domain)| domain);
        write!(f, "{first}…@{domain}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plausible_addresses() {
        for text in [
            "a@b.co",
            " John.Doe+x@Example.com ",
            "ü@bücher.example",
            "a'b@x-y.example",
            "jose\u{301}@example.com",
            "ผู้ใช้@ทดสอบ.ไทย",
        ] {
            assert_eq!(Email::parse(text).unwrap().as_str(), text.trim());
        }
    }

    #[test]
    fn implausible_addresses() {
        for text in [
            "",
            " ",
            "a",
            "@b.co",
            "a@",
            "a@b",
            "a b@c.de",
            "a@b..c",
            ".a@b.co",
            "a.@b.co",
            "a@-b.co",
            "a@b@c.de",
            "a@b.co\nBcc: x@y.z",
            "<a@b.co>",
            "a@b.co.",
        ] {
            assert!(Email::parse(text).is_err(), "{text:?}");
        }
        assert!(Email::parse(&format!("{}@b.co", "a".repeat(65))).is_err());
        assert!(Email::parse(&format!("a@{}.co", "b.".repeat(200))).is_err());
    }

    #[test]
    fn one_mailbox_has_many_spellings() {
        for (one, other) in [
            ("Jo.Smith+shop@GMail.com", "josmith@googlemail.com"),
            ("a-b_c@proton.me", "abc@pm.me"),
            ("jo@me.com", "JO@icloud.com"),
            (" jo+x+y@shop.example", "jo@shop.example"),
        ] {
            assert_eq!(mailbox(one), mailbox(other));
        }
        assert_ne!(mailbox("jo.smith@shop.example"), mailbox("josmith@shop.example"));
    }

    #[test]
    fn throwaway_addresses_are_known_with_what_is_below_them() {
        assert_eq!(disposable("x@Mailinator.com "), Some("mailinator.com"));
        assert_eq!(disposable("x@a.b.mailinator.com"), Some("mailinator.com"));
        for address in ["x@gmail.com", "x@notmailinator.example", "x@com", "x", "", "@", "x@büro.example"] {
            assert_eq!(disposable(address), None, "{address}");
        }
    }

    #[test]
    fn compared_without_case_and_masked_in_logs() {
        let email = Email::parse("John@Example.com").unwrap();
        assert_eq!(email.key(), "john@example.com");
        assert_eq!(format!("{email:?}"), "J…@Example.com");
    }
}
