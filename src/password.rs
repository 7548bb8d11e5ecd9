//! Passwords: hashed with argon2id on the blocking pool, a few at a time, because each takes 19 MiB and
//! tens of milliseconds.

use std::sync::LazyLock;

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::{sync::Semaphore, task::spawn_blocking};

use crate::domain::{Issue, text};

static AT_ONCE: Semaphore = Semaphore::const_new(2);

/// What an unknown account's password is held against, so that it takes as long as a known one's.
static DUMMY: LazyLock<String> = LazyLock::new(|| hash_now("nobody has this password").unwrap_or_default());

/// Those that many people have, in small letters. Its first lines, which no password is like, name its source.
const COMMON: &str = include_str!("common_passwords.txt");

/// # Errors
/// Fewer than 12 or more than 256 characters, or one of the common ones. No rules of composition.
pub fn check(password: &str) -> Result<(), Issue> {
    if !(12..=256).contains(&password.chars().count()) {
        return Err(Issue::new("must be 12 to 256 characters"));
    }
    text::printable(password)?;
    let lower = password.to_lowercase();
    if COMMON.lines().any(|common| common == lower) {
        return Err(Issue::new("is one that many people use; take one that is yours alone"));
    }
    Ok(())
}

/// The same for somebody in particular: `own` is what others know of them, such as their e-mail address and the
/// names of their programs.
///
/// # Errors
/// As [`check`], or one of `own`.
pub fn check_for(password: &str, own: &[&str]) -> Result<(), Issue> {
    check(password)?;
    let folded = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
    let folded_password = folded(password);
    if own.iter().any(|word| !word.is_empty() && folded(word) == folded_password) {
        return Err(Issue::new("must not be your e-mail address or the name of your program"));
    }
    Ok(())
}

fn hash_now(password: &str) -> Option<String> {
    Some(Argon2::default().hash_password(password.as_bytes()).ok()?.to_string())
}

/// The password's hash in PHC form; `None` if the machine could not make one.
pub async fn hash(password: String) -> Option<String> {
    let _turn = AT_ONCE.acquire().await.ok()?;
    spawn_blocking(move || hash_now(&password)).await.ok()?
}

/// Whether the password is the one hashed. Takes as long where there is no hash.
pub async fn verify(password: String, stored: Option<String>) -> bool {
    let Ok(_turn) = AT_ONCE.acquire().await else { return false };
    let check = move || {
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| DUMMY.clone());
        let parsed = PasswordHash::new(&stored);
        let right = parsed.is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok());
        known && right
    };
    spawn_blocking(check).await.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_of_a_known_account() {
        let stored = hash("correct horse battery".into()).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(verify("correct horse battery".into(), Some(stored.clone())).await);
        assert!(!verify("wrong horse battery".into(), Some(stored)).await);
        assert!(!verify("nobody has this password".into(), None).await);
    }

    #[test]
    fn long_enough_and_not_everybodys() {
        assert!(check("four small words here").is_ok() && check(&"é".repeat(256)).is_ok());
        assert!(check("short").is_err() && check(&"a".repeat(257)).is_err());
        for common in ["password1234", "QWERTYqwerty", "aaaaaaaaaaaa", "123456789012"] {
            assert!(check(common).is_err(), "{common}");
        }
    }

    #[test]
    fn not_what_everybody_knows_of_you() {
        let own = ["mara@example.com", "The Acme Company", ""];
        for known in ["mara@example.com", "MARA@EXAMPLE.COM", "the-acme-company"] {
            assert!(check_for(known, &own).is_err(), "{known}");
        }
        assert!(check_for("mara@example.com and more", &own).is_ok());
    }
}
