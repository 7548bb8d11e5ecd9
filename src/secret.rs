//! The installation's secret: 32 bytes from the settings or from a file of its own, used for keyed hashes and
//! to seal what must be read again but not by whoever reads the database.

use std::fmt;

use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit as _, Payload},
};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::domain::{
    Issue,
    key::{hex, unhex},
};

/// Bytes of a sealed text's nonce: random ones never meet.
const NONCE: usize = 24;

/// Holds the hash with the key already in it, to go on from.
pub struct SecretKey(Hmac<Sha256>);

impl SecretKey {
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Hmac::new_from_slice(&bytes).expect("HMAC takes a key of any length"))
    }

    /// Reads 64 hex digits.
    ///
    /// # Errors
    /// Anything else.
    pub fn parse(text: &str) -> Result<Self, Issue> {
        let issue = || Issue::new("must be 64 hex digits");
        if text.len() != 64 || !text.is_ascii() {
            return Err(issue());
        }
        let bytes = unhex(text).and_then(|bytes| bytes.try_into().ok()).ok_or_else(issue)?;
        Ok(Self::new(bytes))
    }

    /// A hash that only this installation can make. `purpose` keeps the same text under two uses apart.
    pub fn hash(&self, purpose: &str, text: &str) -> [u8; 32] {
        let mut mac = self.0.clone();
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// The first 64 bits of [`Self::hash`].
    pub fn short_hash(&self, purpose: &str, text: &str) -> i64 {
        let hash = self.hash(purpose, text);
        i64::from_be_bytes(std::array::from_fn(|byte| hash[byte]))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        // A key of its own: what a keyed hash shows tells nothing about what is sealed.
        XChaCha20Poly1305::new(&self.hash("seal", "").into())
    }

    /// Encrypts for the database. What is sealed opens with the same `purpose` only, which also names the row
    /// where it belongs: `two-step acct_…`. `None` only where the text is larger than any here.
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> Option<String> {
        let nonce: [u8; NONCE] = rand::random();
        let sealed =
            self.cipher().encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: purpose.as_bytes() }).ok()?;
        Some(hex(&nonce) + &hex(&sealed))
    }

    /// What was sealed; `None` where it was sealed for another purpose, with another secret, or changed.
    pub fn open(&self, purpose: &str, sealed: &str) -> Option<Vec<u8>> {
        let bytes = unhex(sealed)?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE>()?;
        self.cipher().decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: purpose.as_bytes() }).ok()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purposes_and_secrets_keep_hashes_apart() {
        let (one, two) = (SecretKey::new([1; 32]), SecretKey::new([2; 32]));
        assert_eq!(one.short_hash("ip", "x"), one.short_hash("ip", "x"));
        assert_ne!(one.short_hash("ip", "x"), one.short_hash("mail", "x"));
        assert_ne!(one.short_hash("ip", "x"), two.short_hash("ip", "x"));
        assert!(SecretKey::parse(&"0a".repeat(32)).is_ok());
        assert!(SecretKey::parse("short").is_err() && SecretKey::parse(&"zz".repeat(32)).is_err());
    }

    #[test]
    fn what_is_sealed_opens_with_the_same_secret_for_the_same_purpose() {
        let (one, two) = (SecretKey::new([1; 32]), SecretKey::new([2; 32]));
        let sealed = one.seal("two-step a", b"words").unwrap();
        assert_eq!(one.open("two-step a", &sealed).as_deref(), Some(&b"words"[..]));
        assert_ne!(one.seal("two-step a", b"words").unwrap(), sealed, "nobody sees that two are the same");
        let changed = format!("{}{}", &sealed[..sealed.len() - 1], if sealed.ends_with('0') { '1' } else { '0' });
        for wrong in
            [two.open("two-step a", &sealed), one.open("two-step b", &sealed), one.open("two-step a", &changed)]
        {
            assert_eq!(wrong, None);
        }
        assert_eq!(one.open("two-step a", "00"), None);
        assert_eq!(one.open("two-step a", "é"), None);
    }
}
