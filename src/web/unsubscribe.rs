//! Stopping mails from the mail itself: no session, because the link is what proves whose mails they are.

use askama::Template;
use axum::{extract::State, response::Response};

use super::{failure::Failure, filters, form::Form, html, input::PathToken};
use crate::{
    app::App,
    domain::message::Kind,
    flows::mails::read_unsubscribe_token,
    store::{self, mail_preferences},
};

#[derive(Template)]
#[template(path = "unsubscribe.html")]
struct Unsubscribe<'a> {
    token: &'a str,
    kind: &'static str,
    step: Step,
}

/// What the page shows.
#[derive(PartialEq, Eq)]
enum Step {
    Asking,
    Stopped,
    Resumed,
}

/// The mails in words, as they follow "no more".
fn in_words(kind: Kind) -> &'static str {
    match kind {
        Kind::NewCommission => "mails about new commissions",
        Kind::CommissionRejected => "mails about rejected commissions",
        Kind::PayoutPaid => "mails about payments",
        Kind::RateChanged => "mails about changes of what you earn",
        Kind::WeeklyDigest => "weekly summaries",
        _ => "mails like this one",
    }
}

/// Only shows a button: what opens links in mails must not press it.
pub async fn show(State(app): State<App>, PathToken(token): PathToken) -> Result<Response, Failure> {
    let (_, kind) = read_unsubscribe_token(&app.secret, &token).ok_or_else(Failure::no_route)?;
    html::alone(Unsubscribe { token: &token, kind: in_words(kind), step: Step::Asking })
}

/// From the page's button, or from a mail program without any page (RFC 8058).
pub async fn create(State(app): State<App>, PathToken(token): PathToken, form: Form) -> Result<Response, Failure> {
    let (by, kind) = read_unsubscribe_token(&app.secret, &token).ok_or_else(Failure::no_route)?;
    let (is_wanted, now) = (form.get("again") == "yes", app.clock.now());
    let set = app.db.write(move |tx| Box::pin(mail_preferences::set(tx, by, kind, is_wanted, now)));
    set.await.map_err(|error: store::Error| Failure::from(error))?;
    let step = if is_wanted { Step::Resumed } else { Step::Stopped };
    html::alone(Unsubscribe { token: &token, kind: in_words(kind), step })
}
