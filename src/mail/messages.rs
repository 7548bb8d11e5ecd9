//! Every message: what it is told, and its three templates in `templates/mail/`.

use askama::Template;
use url::Url;

use super::inert::{Line, Words};
use crate::domain::money::Coded;

/// What every message has around its own words.
#[derive(Debug, Clone)]
pub struct Shell {
    /// The program's name, or the portal's: also the sender's.
    pub sender: Line,
    /// Whom it greets.
    pub name: Option<Line>,
    /// Where somebody stops mails like this one; what is essential has none.
    pub unsubscribe: Option<Url>,
    /// The program's own words: instead of the subject, and before the text.
    pub subject: Option<Line>,
    pub opening: Vec<Words>,
}

/// A message in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub subject: String,
    pub text: String,
    pub html: String,
}

macro_rules! messages {
    ($($(#[$meta:meta])* $name:ident($subject:literal, $text:literal, $html:literal) { $($field:ident: $type:ty),* $(,)? })*) => { $(
        $(#[$meta])*
        #[derive(Debug)]
        pub struct $name {
            pub shell: Shell,
            $(pub $field: $type),*
        }

        impl $name {
            /// # Errors
            /// The template's.
            pub fn write(&self) -> askama::Result<Written> {
                #[derive(Template)]
                #[template(path = $subject, escape = "none")]
                struct Subject<'m> { m: &'m $name }
                #[derive(Template)]
                #[template(path = $text, escape = "none")]
                struct Text<'m> { m: &'m $name }
                #[derive(Template)]
                #[template(path = $html)]
                struct Html<'m> { m: &'m $name }

                let subject = match &self.shell.subject {
                    Some(own) => own.to_string(),
                    None => Subject { m: self }.render()?,
                };
                Ok(Written {
                    subject: subject.trim().to_owned(),
                    text: Text { m: self }.render()?,
                    html: Html { m: self }.render()?,
                })
            }
        }
    )* };
}

messages! {
    SignInLink("mail/sign_in_link.subject", "mail/sign_in_link.txt", "mail/sign_in_link.html") {
        url: Url, lifetime: String,
    }
    ResetPassword("mail/reset_password.subject", "mail/reset_password.txt", "mail/reset_password.html") {
        url: Url, lifetime: String,
    }
    ConfirmEmail("mail/confirm_email.subject", "mail/confirm_email.txt", "mail/confirm_email.html") {
        url: Url, lifetime: String, address: Line,
    }
    /// To the address before.
    EmailChanged("mail/email_changed.subject", "mail/email_changed.txt", "mail/email_changed.html") {
        address: Line,
    }
    PasswordChanged("mail/password_changed.subject", "mail/password_changed.txt", "mail/password_changed.html") {
        forgot: Url,
    }
    TeamInvitation("mail/team_invitation.subject", "mail/team_invitation.txt", "mail/team_invitation.html") {
        url: Url, lifetime: String, role: Line,
    }
    AffiliateInvitation("mail/affiliate_invitation.subject", "mail/affiliate_invitation.txt", "mail/affiliate_invitation.html") {
        url: Url, lifetime: String, rate: String, days: i64,
    }
    ConfirmApplication("mail/confirm_application.subject", "mail/confirm_application.txt", "mail/confirm_application.html") {
        url: Url, lifetime: String,
    }
    ApplicationReceived("mail/application_received.subject", "mail/application_received.txt", "mail/application_received.html") {}
    ApplicationApproved("mail/application_approved.subject", "mail/application_approved.txt", "mail/application_approved.html") {
        home: Url, link: Url, rate: String,
    }
    ApplicationRejected("mail/application_rejected.subject", "mail/application_rejected.txt", "mail/application_rejected.html") {
        reason: Option<Words>,
    }
    NewCommission("mail/new_commission.subject", "mail/new_commission.txt", "mail/new_commission.html") {
        earnings: Url, amount: Coded, sale: Coded, is_pending: bool,
    }
    CommissionRejected("mail/commission_rejected.subject", "mail/commission_rejected.txt", "mail/commission_rejected.html") {
        earnings: Url, amount: Coded, sale: Coded, reason: Option<Words>,
    }
    ClaimAnswered("mail/claim_answered.subject", "mail/claim_answered.txt", "mail/claim_answered.html") {
        what: Line, is_accepted: bool, amount: Option<Coded>, answer: Option<Words>, claims: Url,
    }
    PaymentDetailsChanged("mail/payment_details_changed.subject", "mail/payment_details_changed.txt", "mail/payment_details_changed.html") {
        settings: Url,
    }
    PayoutPaid("mail/payout_paid.subject", "mail/payout_paid.txt", "mail/payout_paid.html") {
        payout: Url, amount: Coded, way: &'static str, commissions: i64, invoice: Option<Line>,
    }
    /// For those who pay.
    PayoutDue("mail/payout_due.subject", "mail/payout_due.txt", "mail/payout_due.html") {
        payouts: Url, amount: Coded,
    }
    PayoutFailed("mail/payout_failed.subject", "mail/payout_failed.txt", "mail/payout_failed.html") {
        settings: Url, amount: Coded, way: &'static str, reason: Option<Words>, credit_note: Option<Line>,
    }
    TwoStepChanged("mail/two_step_changed.subject", "mail/two_step_changed.txt", "mail/two_step_changed.html") {
        is_on: bool, account: Url,
    }
    RateChanged("mail/rate_changed.subject", "mail/rate_changed.txt", "mail/rate_changed.html") {
        text: Option<Words>, from: Line, home: Url,
    }
    /// What waits in a program, for those who may do something about it.
    WeeklyDigest("mail/weekly_digest.subject", "mail/weekly_digest.txt", "mail/weekly_digest.html") {
        commissions: i64, sum: Coded, applications: i64, first: Url, commissions_at: Url, applications_at: Url,
    }
}
