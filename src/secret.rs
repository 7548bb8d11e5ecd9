//! The installation's secret: 32 bytes from the settings or from a file of its own, used for keyed hashes.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::domain::Issue;

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
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| issue())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| issue())?;
        }
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
}
