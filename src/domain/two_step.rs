//! The second step of signing in: codes of six digits that an app on a phone shows (RFC 6238), and codes on
//! paper for when the phone is lost.

use totp_rs::{Builder, Secret, Totp};

use super::time::Time;

pub const SECRET_BYTES: usize = 20;
/// How many recovery codes somebody is given at once.
pub const RECOVERY_CODES: usize = 10;
/// Without letters and digits that look alike.
const ALPHABET: &[u8; 32] = b"23456789abcdefghjkmnpqrstuvwxyz0";

/// Thirty seconds, six digits, SHA-1: what every app knows. A code holds a step longer on either side.
fn totp(secret: &[u8]) -> Totp {
    Builder::new().with_secret(Secret::new(secret.into())).build_noncompliant()
}

/// The step whose code this is, if it is one of now.
pub fn step(secret: &[u8], code: &str, now: Time) -> Option<i64> {
    let digits: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    if digits.len() != 6 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let seconds = u64::try_from(now.ms().div_euclid(1_000)).ok()?;
    totp(secret).check(&digits, seconds).and_then(|step| i64::try_from(step).ok())
}

/// The code of that moment, as the app shows it.
pub fn code(secret: &[u8], at: Time) -> String {
    totp(secret).generate(u64::try_from(at.ms().div_euclid(1_000)).unwrap_or_default()).to_string()
}

/// The secret to type in, in groups of four.
pub fn in_words(secret: &[u8]) -> String {
    let text = Secret::new(secret.into()).to_base32();
    text.as_bytes().chunks(4).map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ")
}

/// What the picture says to the app.
pub fn address(secret: &[u8], email: &str) -> String {
    let text = Secret::new(secret.into()).to_base32();
    let email: String = form_urlencoded::byte_serialize(email.as_bytes()).collect::<String>().replace('+', "%20");
    format!("otpauth://totp/Offshoot:{email}?secret={text}&issuer=Offshoot")
}

/// A recovery code: ten characters of 32, 50 bits.
pub fn recovery_code(mut random: impl FnMut() -> u8) -> String {
    let mut half = || (0..5).map(|_| char::from(ALPHABET[usize::from(random() & 31)])).collect::<String>();
    let first = half();
    format!("{first}-{}", half())
}

/// A recovery code however it was typed.
pub fn folded(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"12345678901234567890";

    /// The last six of the eight digits in RFC 6238, appendix B.
    #[test]
    fn codes_are_the_standards() {
        for (seconds, code) in [(59, "287082"), (1_111_111_109, "081804"), (2_000_000_000, "279037")] {
            assert_eq!(super::code(SECRET, Time::from_ms(seconds * 1_000)), code);
            assert_eq!(step(SECRET, code, Time::from_ms(seconds * 1_000)), Some(seconds / 30));
        }
    }

    #[test]
    fn a_code_holds_for_a_step_on_either_side() {
        let at = |seconds: i64| step(SECRET, "081 804", Time::from_ms(seconds * 1_000));
        let own = 1_111_111_109 / 30;
        assert_eq!((at(1_111_111_109 + 30), at(1_111_111_109 - 30)), (Some(own), Some(own)));
        assert_eq!((at(1_111_111_109 + 90), at(1_111_111_109 - 60)), (None, None));
        for wrong in ["", "08180", "0818040", "08180a", "٠٨١٨٠٤"] {
            assert_eq!(step(SECRET, wrong, Time::from_ms(1_111_111_109_000)), None, "{wrong}");
        }
    }

    #[test]
    fn what_the_app_is_told() {
        assert_eq!(
            address(SECRET, "a+b@x.example"),
            "otpauth://totp/Offshoot:a%2Bb%40x.example?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Offshoot"
        );
        assert!(in_words(SECRET).starts_with("GEZD GNBV "));
    }

    #[test]
    fn recovery_codes_are_read_as_people_type_them() {
        let mut n = 0;
        let code = recovery_code(|| {
            n = u8::wrapping_add(n, 37);
            n
        });
        assert_eq!(code.len(), 11);
        assert_eq!(folded(&code.to_uppercase().replace('-', " ")), folded(&code));
    }
}
