//! A program's mails with sample figures in them, to look at before anybody gets one.

use url::Url;

use super::{
    Error,
    inert::{Line, Words},
    messages::{
        AffiliateInvitation, ApplicationApproved, ApplicationReceived, ApplicationRejected, ClaimAnswered,
        CommissionRejected, NewCommission, PayoutFailed, PayoutPaid, RateChanged, Shell, Written,
    },
};
use crate::domain::{
    affiliate::PaymentMethod,
    mail_text::{self, MailText},
    message::Kind,
    one_time_link::Purpose,
    program::Program,
};

impl Shell {
    /// Says what the program says itself, to the one whom it greets.
    pub fn speak(&mut self, text: &MailText) {
        let name = self.name.as_ref().map(Line::as_str);
        let filled = |text: &String| mail_text::filled(text, name, self.sender.as_str());
        let subject = text.subject.as_ref().map(|subject| Line::subject(&filled(subject)));
        let opening = text.body.as_ref().map(|body| Words::paragraphs(&filled(body))).unwrap_or_default();
        (self.subject, self.opening) = (subject.filter(|line| !line.as_str().is_empty()), opening);
    }
}

/// That kind of mail with those words, as it would go to somebody of that name.
///
/// # Errors
/// A template's, or that of an address that cannot be built.
pub fn write(
    base: &Url,
    program: &Program,
    kind: Kind,
    text: &MailText,
    name: Option<&Line>,
) -> Result<Written, Error> {
    let at = |path: &str| base.join(path);
    // Whole units, so that the figure looks right in a currency without cents too.
    let amount = |units: i64| program.currency.coded(units * 10_i64.pow(u32::from(program.currency.exponent())));
    let reason = || Words::new("(the reason that you give)");
    let rate = program.rate.to_string();
    let mut shell = Shell {
        sender: Line::new(&program.name),
        name: name.cloned(),
        unsubscribe: None,
        subject: None,
        opening: Vec::new(),
    };
    shell.speak(text);
    let written = match kind {
        Kind::AffiliateInvitation => {
            let (url, lifetime) = (at("invitations/affiliate/sample")?, Purpose::AffiliateInvitation.lifetime());
            AffiliateInvitation { shell, url, lifetime, rate, days: program.attribution_days }.write()
        }
        Kind::ApplicationApproved => {
            let link = at(&format!("r/{}/sample", program.slug))?;
            ApplicationApproved { shell, home: at("home")?, link, rate }.write()
        }
        Kind::ApplicationRejected => ApplicationRejected { shell, reason: reason() }.write(),
        Kind::NewCommission => {
            let (amount, sale) = (amount(20), amount(100));
            NewCommission { shell, earnings: at("earnings")?, amount, sale, is_pending: true }.write()
        }
        Kind::CommissionRejected => {
            let (amount, sale) = (amount(20), amount(100));
            CommissionRejected { shell, earnings: at("earnings")?, amount, sale, reason: reason() }.write()
        }
        Kind::ClaimAnswered => {
            let (what, claims) = (Line::new("A-1001"), at("earnings/claims")?);
            let answer = Words::new("(the answer that you give)");
            ClaimAnswered { shell, what, is_accepted: true, amount: Some(amount(20)), answer, claims }.write()
        }
        Kind::RateChanged => {
            let (text, from) = (Words::new("(what you announce)"), Line::new("2027-01-01"));
            RateChanged { shell, text, from, home: at("home")? }.write()
        }
        Kind::PayoutPaid => {
            let (payout, way) = (at("payouts")?, PaymentMethod::Paypal.in_a_sentence());
            PayoutPaid { shell, payout, amount: amount(120), way, commissions: 6, invoice: None }.write()
        }
        Kind::PayoutFailed => {
            let (settings, way) = (at("settings")?, PaymentMethod::Paypal.in_a_sentence());
            PayoutFailed { shell, settings, amount: amount(120), way, reason: reason(), credit_note: None }.write()
        }
        _ => ApplicationReceived { shell }.write(),
    };
    Ok(written?)
}
