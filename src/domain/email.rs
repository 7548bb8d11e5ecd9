//! E-mail addresses: plausible, echoed as given, compared lower-cased.

use std::fmt;

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

fn is_local(local: &str) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
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
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
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
        for text in ["a@b.co", " John.Doe+x@Example.com ", "ü@bücher.example", "a'b@x-y.example"] {
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
    fn compared_without_case_and_masked_in_logs() {
        let email = Email::parse("John@Example.com").unwrap();
        assert_eq!(email.key(), "john@example.com");
        assert_eq!(format!("{email:?}"), "J…@Example.com");
    }
}
