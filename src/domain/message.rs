//! The messages that people are sent.

use super::affiliate::words;

words! {
    /// What a mail says. Its words are in `templates/mail/`.
    Kind as MailKind {
        SignInLink = "sign_in_link",
        ResetPassword = "reset_password",
        ConfirmEmail = "confirm_email",
        EmailChanged = "email_changed",
        PasswordChanged = "password_changed",
        TeamInvitation = "team_invitation",
        AffiliateInvitation = "affiliate_invitation",
        ConfirmApplication = "confirm_application",
        ApplicationReceived = "application_received",
        ApplicationApproved = "application_approved",
        ApplicationRejected = "application_rejected",
        NewCommission = "new_commission",
        CommissionRejected = "commission_rejected",
        ClaimAnswered = "claim_answered",
        PaymentDetailsChanged = "payment_details_changed",
        PayoutPaid = "payout_paid",
        PayoutDue = "payout_due",
        PayoutFailed = "payout_failed",
        TwoStepChanged = "two_step_changed",
        RateChanged = "rate_changed",
        WeeklyDigest = "weekly_digest",
        MailTest = "mail_test",
    }
    "must be the name of a message"
}

impl Kind {
    /// Those that a person may do without, in the order in which settings show them.
    pub const OPTIONAL: [Self; 5] =
        [Self::NewCommission, Self::PayoutPaid, Self::CommissionRejected, Self::RateChanged, Self::WeeklyDigest];

    /// Whether it is sent whatever somebody prefers: what was asked for, or what a thief would rather have unsaid.
    pub fn is_essential(self) -> bool {
        !Self::OPTIONAL.contains(&self)
    }
}

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn what_guards_an_account_cannot_be_turned_off() {
        for kind in [Kind::SignInLink, Kind::PasswordChanged, Kind::EmailChanged, Kind::PaymentDetailsChanged] {
            assert!(kind.is_essential());
        }
        for kind in Kind::OPTIONAL {
            assert!(!kind.is_essential());
            assert_eq!(Kind::parse(kind.as_str()), Ok(kind));
        }
    }
}
