//! How an affiliate is paid: what may be filled in for each way, and what is shown of it afterwards.

use super::{Issue, affiliate::PaymentMethod, bank::Account, email::Email, text};

impl PaymentMethod {
    pub const ALL: [Self; 4] = [Self::Paypal, Self::Wise, Self::Bank, Self::Other];

    pub const fn label(self) -> &'static str {
        match self {
            Self::Paypal => "PayPal",
            Self::Wise => "Wise",
            Self::Bank => "Bank transfer",
            Self::Other => "Another way",
        }
    }

    /// `by PayPal`, after `is paid`.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Other => "in another way",
            known => known.in_a_sentence(),
        }
    }

    /// `by PayPal`, after `pays you`.
    pub const fn in_a_sentence(self) -> &'static str {
        match self {
            Self::Paypal => "by PayPal",
            Self::Wise => "by Wise",
            Self::Bank => "by bank transfer",
            Self::Other => "in the way you named",
        }
    }
}

/// The details as they are kept, if they can be right: an e-mail address for `PayPal` and Wise, an account
/// number for a bank (what looks like an IBAN must be one, and may have its BIC beside it), anything for another way.
///
/// # Errors
/// What is wrong with them, to follow the field's label.
pub fn details(method: PaymentMethod, given: &str) -> Result<String, Issue> {
    let given = given.trim();
    text::bounded(given, 1, 500)?;
    match method {
        PaymentMethod::Paypal | PaymentMethod::Wise => Email::parse(given).map(|email| email.as_str().to_owned()),
        PaymentMethod::Bank => bank(given),
        PaymentMethod::Other => Ok(given.to_owned()),
    }
}

fn bank(given: &str) -> Result<String, Issue> {
    if let Some(account) = Account::parse(given)? {
        return Ok(account.to_string());
    }
    if given.bytes().filter(u8::is_ascii_digit).count() < 4 {
        return Err(Issue::new("must have an IBAN or an account number"));
    }
    Ok(given.to_owned())
}

/// What is shown of payment details: an address's first letters, or the last four of anything long enough.
pub fn masked(details: &str) -> String {
    if let Some(email) = masked_email(details) {
        return email;
    }
    let account = Account::parse(details).ok().flatten();
    let details = account.as_ref().map_or(details, Account::iban);
    let letters: Vec<char> = details.chars().filter(|c| c.is_alphanumeric()).collect();
    if letters.len() < 8 {
        return "••••".into();
    }
    format!("•••• {}", letters[letters.len() - 4..].iter().collect::<String>())
}

/// `j•••@e•••.com`, if it is an address.
pub fn masked_email(address: &str) -> Option<String> {
    let email = Email::parse(address).ok()?;
    let (local, domain) = email.as_str().rsplit_once('@')?;
    let (_, top) = domain.rsplit_once('.')?;
    Some(format!("{}•••@{}•••.{top}", local.chars().next()?, domain.chars().next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_right_is_refused() {
        use PaymentMethod::{Bank, Other, Paypal, Wise};
        assert_eq!(details(Paypal, " a@example.com ").unwrap(), "a@example.com");
        assert_eq!(details(Bank, "de89 3704 0044 0532 0130 00").unwrap(), "DE89370400440532013000");
        assert_eq!(details(Bank, "DE89 3704 0044 0532 0130 00 / cobadeff").unwrap(), "DE89370400440532013000 COBADEFF");
        assert_eq!(details(Bank, "021000021 / 1234567").unwrap(), "021000021 / 1234567");
        assert_eq!(details(Other, "in coffee").unwrap(), "in coffee");
        for (method, wrong) in [
            (Paypal, "anna"),
            (Wise, ""),
            (Bank, "DE89 3704 0044 0532 0130 01"),
            (Bank, "DE89"),
            (Bank, "DE89370400440532013000 BNPAFRPP"),
            (Bank, "my bank"),
            (Other, "a\u{0}b"),
        ] {
            assert!(details(method, wrong).is_err(), "{method} {wrong}");
        }
    }

    #[test]
    fn little_is_shown() {
        assert_eq!(masked("anna@example.co.uk"), "a•••@e•••.uk");
        assert_eq!(masked("DE89370400440532013000"), "•••• 3000");
        assert_eq!(masked("DE89370400440532013000 COBADEFFXXX"), "•••• 3000");
        assert_eq!(masked("1234567"), "••••");
        assert_eq!(masked(""), "••••");
    }
}
