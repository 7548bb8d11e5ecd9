//! Links that work once: what they are for and how long they are good.

use std::fmt;

use super::affiliate::words;

words! {
    Purpose as LinkPurpose {
        SignIn = "sign_in",
        ResetPassword = "reset_password",
        ConfirmEmail = "confirm_email",
        TeamInvitation = "team_invitation",
        AffiliateInvitation = "affiliate_invitation",
        ConfirmApplication = "confirm_application",
    }
    "must be the purpose of a link"
}

impl Purpose {
    /// How long such a link is good.
    pub const fn minutes(self) -> i64 {
        const DAY: i64 = 24 * 60;
        match self {
            Self::SignIn => 15,
            Self::ResetPassword => 60,
            Self::ConfirmEmail => DAY,
            Self::TeamInvitation => 7 * DAY,
            Self::ConfirmApplication => 3 * DAY,
            Self::AffiliateInvitation => 14 * DAY,
        }
    }

    /// The same in words: `15 minutes`, `30 days`.
    pub fn lifetime(self) -> String {
        match self.minutes() {
            60 => "1 hour".into(),
            minutes if minutes < 120 => format!("{minutes} minutes"),
            minutes if minutes <= 24 * 60 => format!("{} hours", minutes / 60),
            minutes => format!("{} days", minutes / (24 * 60)),
        }
    }

    /// Where such a link leads, below the base URL; its token follows.
    pub const fn path(self) -> &'static str {
        match self {
            Self::SignIn => "login/link/",
            Self::ResetPassword => "forgot/",
            Self::ConfirmEmail => "confirm/",
            Self::TeamInvitation => "invitations/team/",
            Self::AffiliateInvitation => "invitations/affiliate/",
            Self::ConfirmApplication => "applications/confirm/",
        }
    }
}

/// What a link carries in clear. Never written to a log or a database.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_in_words() {
        assert_eq!(Purpose::SignIn.lifetime(), "15 minutes");
        assert_eq!(Purpose::ResetPassword.lifetime(), "1 hour");
        assert_eq!(Purpose::ConfirmEmail.lifetime(), "24 hours");
        assert_eq!(Purpose::TeamInvitation.lifetime(), "7 days");
        assert_eq!(format!("{:?}", Token::new("x".into())), "Token(…)");
    }
}
