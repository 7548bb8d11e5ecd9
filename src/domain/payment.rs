//! How an affiliate is paid: what may be filled in for each way, and what is shown of it afterwards.

use super::{Issue, affiliate::PaymentMethod, email::Email, text};

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
/// number for a bank (what looks like an IBAN must be one), anything for another way.
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
    let compact: String = given.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_uppercase();
    let starts_as_iban = compact.len() > 4
        && compact.bytes().take(2).all(|b| b.is_ascii_uppercase())
        && compact.bytes().skip(2).take(2).all(|b| b.is_ascii_digit())
        && compact.bytes().all(|b| b.is_ascii_alphanumeric());
    if starts_as_iban {
        return if is_iban(&compact) {
            Ok(compact)
        } else {
            Err(Issue::new("looks like an IBAN with a mistake in it"))
        };
    }
    if compact.bytes().filter(u8::is_ascii_digit).count() < 4 {
        return Err(Issue::new("must have an IBAN or an account number"));
    }
    Ok(given.to_owned())
}

/// ISO 13616: the check digits make the number 1 modulo 97.
fn is_iban(compact: &str) -> bool {
    if !(15..=34).contains(&compact.len()) {
        return false;
    }
    let (head, tail) = compact.split_at(4);
    let digits = tail.bytes().chain(head.bytes()).fold(0_u32, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        letter => (rest * 100 + u32::from(letter - b'A') + 10) % 97,
    });
    digits == 1
}

/// What is shown of payment details: an address's first letters, or the last four of anything long enough.
pub fn masked(details: &str) -> String {
    if let Some(email) = masked_email(details) {
        return email;
    }
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
        assert_eq!(details(Bank, "021000021 / 1234567").unwrap(), "021000021 / 1234567");
        assert_eq!(details(Other, "in coffee").unwrap(), "in coffee");
        for (method, wrong) in [
            (Paypal, "anna"),
            (Wise, ""),
            (Bank, "DE89 3704 0044 0532 0130 01"),
            (Bank, "DE89"),
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
        assert_eq!(masked("1234567"), "••••");
        assert_eq!(masked(""), "••••");
    }
}
