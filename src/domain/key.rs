//! API keys: what they look like and what they may do.

use std::fmt;

use sha2::{Digest, Sha256};

use super::{
    affiliate::words,
    role::{Grants, Permission},
};

pub const PREFIX: &str = "ofs_";
const RANDOM_LENGTH: usize = 40;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// How much of a key a list shows, so that it can be told from others.
const SHOWN: usize = PREFIX.len() + 8;

words! {
    /// Full: everything. Read: every GET. Track: the two tracking POSTs.
    Scope as KeyScope { Full = "full", Read = "read", Track = "track" }
    "must be one of full, read, track"
}

impl Scope {
    pub const fn grants(self) -> Grants {
        use Permission::{Affiliates, Commissions, Payouts, Read, Track};
        match self {
            Self::Full => Grants::of(&[Read, Track, Affiliates, Commissions, Payouts]),
            Self::Read => Grants::of(&[Read]),
            Self::Track => Grants::of(&[Track]),
        }
    }
}

/// A key in clear. It is shown once, when it is made, and never written to a log.
pub struct Secret(String);

impl Secret {
    /// 40 random characters of 62: 238 bits.
    pub fn generate(mut random: impl FnMut() -> u32) -> Self {
        let mut pick = || loop {
            // Whole multiples of 62 only, so that every character is as likely.
            let draw = random() & 63;
            if let Some(byte) = ALPHABET.get(draw as usize) {
                break char::from(*byte);
            }
        };
        let mut text = PREFIX.to_owned();
        text.extend((0..RANDOM_LENGTH).map(|_| pick()));
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn prefix(&self) -> &str {
        &self.0[..SHOWN]
    }

    pub fn last_four(&self) -> &str {
        &self.0[self.0.len() - 4..]
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A random token's hash at rest. A fast hash is enough for more than 128 bits of chance.
pub fn hash(token: &str) -> String {
    hex(&Sha256::digest(token.as_bytes()))
}

pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// The bytes of hex digits in either case; `None` of anything else.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| if let [high, low] = *pair { Some(digit(high)? << 4 | digit(low)?) } else { None }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_long_random_and_silent() {
        let mut n = 0u32;
        let secret = Secret::generate(|| {
            n = n.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            n >> 8
        });
        assert!(secret.as_str().starts_with("ofs_") && secret.as_str().len() >= 36);
        assert!(secret.as_str().starts_with(secret.prefix()) && secret.as_str().ends_with(secret.last_four()));
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert_eq!(hash("abc").len(), 64);
    }
}
