//! Where an affiliate is paid, as the database keeps it: sealed, so that who reads a backup cannot. A payout's line
//! keeps the sealed text of its affiliate.

use crate::{domain::id::AffiliateId, secret::SecretKey, store::Error};

fn purpose(affiliate: AffiliateId) -> String {
    format!("payment details {affiliate}")
}

/// # Errors
/// Text larger than any here.
pub fn seal(secret: &SecretKey, affiliate: AffiliateId, details: &str) -> Result<String, Error> {
    let sealed = secret.seal(&purpose(affiliate), details.as_bytes());
    sealed.ok_or_else(|| Error::Corrupt("payment details to seal".into()))
}

/// # Errors
/// What was sealed with another secret, or for somebody else.
pub fn open(secret: &SecretKey, affiliate: AffiliateId, sealed: &str) -> Result<String, Error> {
    let opened = secret.open(&purpose(affiliate), sealed).and_then(|bytes| String::from_utf8(bytes).ok());
    opened.ok_or_else(|| Error::Corrupt(format!("payment details of {affiliate}: sealed with another secret key")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{id::Id, key::hex};

    #[test]
    fn one_affiliates_details_do_not_open_as_anothers() {
        let secret = SecretKey::new([7; 32]);
        let iban = "DE89370400440532013000";
        let sealed = seal(&secret, Id::new(1), iban).unwrap();
        assert!(!sealed.contains(iban) && !sealed.contains(&hex(b"3704")));
        assert_eq!(open(&secret, Id::new(1), &sealed).unwrap(), iban);
        assert!(open(&secret, Id::new(2), &sealed).is_err());
        assert!(open(&SecretKey::new([8; 32]), Id::new(1), &sealed).is_err());
    }
}
