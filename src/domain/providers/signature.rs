//! Whether a call comes from whom it says: HMAC-SHA256 over the bytes as they came, compared in constant time, with
//! any of several secrets, so that one can be replaced while the other still signs.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::domain::time::Time;

/// A call as it came.
pub struct Call<'a> {
    pub body: &'a [u8],
    /// A header by its lower-case name.
    pub header: &'a dyn Fn(&str) -> Option<&'a str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsigned {
    #[error("The call is not signed")]
    Missing,
    #[error("The signature cannot be read")]
    Malformed,
    #[error("The signature is too old, or from the future; is the clock right?")]
    Stale,
    #[error("The signature does not match: was it made with the signing secret of this connection?")]
    Wrong,
}

/// How far a signature's time may be from ours.
const TOLERANCE_SECONDS: i64 = 300;

/// # Errors
/// When the time, in Unix seconds, is further away than that.
pub fn is_recent(seconds: &str, now: Time) -> Result<(), Unsigned> {
    let seconds: i64 = seconds.parse().map_err(|_| Unsigned::Malformed)?;
    let apart = now.ms().div_euclid(1_000).abs_diff(seconds);
    if apart <= TOLERANCE_SECONDS.unsigned_abs() { Ok(()) } else { Err(Unsigned::Stale) }
}

/// # Errors
/// When no secret makes one of the signatures from these parts.
pub fn matches<'k>(
    keys: impl IntoIterator<Item = &'k [u8]>,
    parts: &[&[u8]],
    given: &[Vec<u8>],
) -> Result<(), Unsigned> {
    if given.is_empty() {
        return Err(Unsigned::Malformed);
    }
    // Every pair is looked at: how long it takes does not tell which one was near.
    let mut is_right = false;
    for key in keys {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { continue };
        for part in parts {
            mac.update(part);
        }
        for signature in given {
            is_right |= mac.clone().verify_slice(signature).is_ok();
        }
    }
    if is_right { Ok(()) } else { Err(Unsigned::Wrong) }
}

/// Standard Webhooks: `webhook-id`, `webhook-timestamp` and a list of `v1,` signatures in base64; the message's id.
///
/// # Errors
/// Why it is not to be believed.
pub fn standard(call: &Call<'_>, keys: &[Vec<u8>], now: Time) -> Result<String, Unsigned> {
    let header = |name: &str| (call.header)(name).ok_or(Unsigned::Missing);
    let (id, time, list) = (header("webhook-id")?, header("webhook-timestamp")?, header("webhook-signature")?);
    if id.is_empty() || id.len() > 200 {
        return Err(Unsigned::Malformed);
    }
    is_recent(time, now)?;
    let given: Vec<_> = list
        .split(' ')
        .filter_map(|one| one.strip_prefix("v1,"))
        .filter_map(|signature| STANDARD.decode(signature).ok())
        .collect();
    let parts: [&[u8]; 5] = [id.as_bytes(), b".", time.as_bytes(), b".", call.body];
    matches(keys.iter().map(Vec::as_slice), &parts, &given)?;
    Ok(id.to_owned())
}

/// The bytes behind `whsec_` and base64.
pub fn key_of(secret: &str) -> Option<Vec<u8>> {
    STANDARD.decode(secret.strip_prefix("whsec_")?).ok()
}

/// A secret for a merchant's own server.
pub fn new_secret(random: [u8; 24]) -> String {
    format!("whsec_{}", STANDARD.encode(random))
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::domain::key::hex;

    pub const NOW: Time = Time::from_ms(1_772_366_400_000);
    pub const SECONDS: i64 = 1_772_366_400;

    pub fn mac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().to_vec()
    }

    pub fn hex_mac(key: &[u8], text: &str) -> String {
        hex(&mac(key, &[text.as_bytes()]))
    }

    pub fn with<T>(headers: &[(&str, &str)], body: &[u8], check: impl FnOnce(&Call<'_>) -> T) -> T {
        let header = |name: &str| headers.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
        check(&Call { body, header: &header })
    }

    #[test]
    fn the_standard_webhooks_example_is_right() {
        // From the specification's own test vector.
        let (secret, body) = ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", br#"{"test": 2432232314}"#);
        let now = Time::from_ms(1_614_265_330_000);
        let headers = [
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ];
        let keys = [key_of(secret).unwrap()];
        let read = with(&headers, body, |call| standard(call, &keys, now));
        assert_eq!(read.as_deref(), Ok("msg_p5jXN8AQM9LWM0D4loKWxJek"));
        assert_eq!(with(&headers, b"{}", |call| standard(call, &keys, now)), Err(Unsigned::Wrong));
        let late = now.plus_seconds(301);
        assert_eq!(with(&headers, body, |call| standard(call, &keys, late)), Err(Unsigned::Stale));
        assert_eq!(with(&headers[..2], body, |call| standard(call, &keys, now)), Err(Unsigned::Missing));
    }

    #[test]
    fn one_of_several_signatures_and_secrets_is_enough() {
        let key = b"new";
        let parts: [&[u8]; 5] = [b"m", b".", b"1772366400", b".", b"{}"];
        let list = format!("v1,AAAA v2,x v1,{} nonsense", STANDARD.encode(mac(key, &parts)));
        let headers = [("webhook-id", "m"), ("webhook-timestamp", "1772366400"), ("webhook-signature", list.as_str())];
        let keys = [b"old".to_vec(), key.to_vec()];
        assert!(with(&headers, b"{}", |call| standard(call, &keys, NOW)).is_ok());
        assert_eq!(with(&headers, b"{}", |call| standard(call, &keys[..1], NOW)), Err(Unsigned::Wrong));
        let hollow = [("webhook-id", "m"), ("webhook-timestamp", "1772366400"), ("webhook-signature", "v1,é")];
        assert_eq!(with(&hollow, b"{}", |call| standard(call, &keys, NOW)), Err(Unsigned::Malformed));
    }

    #[test]
    fn a_new_secret_is_a_key() {
        let secret = new_secret([7; 24]);
        assert_eq!(key_of(&secret).as_deref(), Some(&[7; 24][..]));
        assert_eq!(key_of("whsec_é"), None);
    }
}
