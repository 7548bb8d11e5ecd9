//! Another password, another e-mail address.

use askama::Template;
use axum::extract::State;
use tower_sessions::Session;

use super::{
    confirm::{self, Confirmed},
    failure::Failure,
    filters,
    form::Form,
    html::SignedIn,
    input::PathToken,
    reply::Reply,
    session,
    shell::Notice,
};
use crate::{
    app::App,
    domain::{Issue, email::Email, id::AccountId, key::hash, one_time_link::Purpose},
    flows::{Refusal, credentials},
    password,
    store::{accounts, one_time_links},
};

#[derive(Template)]
#[template(path = "account/password.html")]
struct Password {
    email: String,
    has_one: bool,
    form: Form,
}

async fn account(app: &App, me: AccountId) -> Result<accounts::Account, Failure> {
    accounts::by_id(&mut *app.db.read().await?, me).await?.ok_or_else(Failure::no_route)
}

/// `GET /account/password`
pub async fn password(SignedIn(me): SignedIn, State(app): State<App>) -> Result<Reply, Failure> {
    let account = account(&app, me).await?;
    let has_one = account.password_hash.is_some();
    Ok(Reply::page(Password { email: account.email, has_one, form: Form::default() }))
}

/// `POST /account/password`
pub async fn change_password(
    SignedIn(me): SignedIn,
    State(app): State<App>,
    session: Session,
    mut form: Form,
) -> Result<Reply, Failure> {
    let account = account(&app, me).await?;
    let given = form.get("password").to_owned();
    let mut own: Vec<String> = {
        let mut tx = app.db.read().await?;
        accounts::memberships(&mut tx, me).await?.into_iter().map(|at| at.name).collect()
    };
    own.push(account.email.clone());
    if let Err(Issue(issue)) = password::check_for(&given, &own.iter().map(String::as_str).collect::<Vec<_>>()) {
        form.wrong("password", issue);
    } else if !confirm::is_password(&app, me, form.get("current")).await? {
        form.wrong("current", "is not right");
    }
    if !form.is_good() {
        let has_one = account.password_hash.is_some();
        return Ok(Reply::invalid(Password { email: account.email, has_one, form }));
    }
    let password_hash = password::hash(given).await.ok_or_else(Failure::unavailable)?;
    let (by, this) = (app.by(me), session::id_hash(&session));
    let changed = app
        .db
        .write(move |tx| Box::pin(async move { credentials::change_password(tx, &by, &password_hash, &this).await }));
    changed.await?;
    session::confirm(&session, app.clock.now()).await?;
    let notice = Notice::done("Your new password is set. Every other session was signed out.");
    Ok(Reply::done("/account", notice))
}

#[derive(Template)]
#[template(path = "account/email.html")]
struct Change {
    email: String,
    form: Form,
}

/// `GET /account/email`
pub async fn email(SignedIn(me): SignedIn, _: Confirmed, State(app): State<App>) -> Result<Reply, Failure> {
    Ok(Reply::page(Change { email: account(&app, me).await?.email, form: Form::default() }))
}

/// `POST /account/email`
pub async fn change_email(
    SignedIn(me): SignedIn,
    _: Confirmed,
    State(app): State<App>,
    mut form: Form,
) -> Result<Reply, Failure> {
    let before = account(&app, me).await?.email;
    let new = form.read("email", Email::parse);
    if new.as_ref().is_some_and(|new| new.as_str() == before) {
        form.wrong("email", "is your address already");
    }
    let Some(new) = new.filter(|_| form.is_good()) else {
        return Ok(Reply::invalid(Change { email: before, form }));
    };
    // Each of these mails somebody who may be a stranger.
    super::throttle::mail_to_stranger(&app, me)?;
    let words = format!("Open the link that we sent to {}. Until then, nothing changes.", new.as_str());
    let by = app.by(me);
    let asked = app.db.write(move |tx| Box::pin(async move { credentials::ask_for_email(tx, &by, &new).await }));
    asked.await?;
    Ok(Reply::done("/account", Notice::done(words)))
}

#[derive(Template)]
#[template(path = "account/confirm_email.html")]
struct ConfirmEmail {
    token: String,
    /// Where the link still works.
    email: Option<String>,
    issue: Option<String>,
}

/// `GET /confirm/{token}`: only shows a button, as all links in mails do.
pub async fn show_email(State(app): State<App>, PathToken(token): PathToken) -> Result<Reply, Failure> {
    let mut tx = app.db.read().await?;
    let link = one_time_links::good(&mut tx, Purpose::ConfirmEmail, &hash(&token), app.clock.now()).await?;
    Ok(Reply::page(ConfirmEmail { token, email: link.and_then(|link| link.email), issue: None }))
}

/// `POST /confirm/{token}`
pub async fn confirm_email(State(app): State<App>, PathToken(token): PathToken) -> Result<Reply, Failure> {
    let (ids, secret, now, used) = (app.ids.clone(), app.secret.clone(), app.clock.now(), token.clone());
    let confirmed = app
        .db
        .write(move |tx| Box::pin(async move { credentials::confirm_email(tx, &ids, &secret, now, &used).await }));
    match confirmed.await {
        Ok(email) => {
            let words = format!("Your e-mail address is {} now.", email.as_str());
            Ok(Reply::done("/account", Notice::done(words)))
        }
        Err(Refusal::NotFound(_)) => Ok(Reply::page(ConfirmEmail { token, email: None, issue: None })),
        Err(Refusal::Field { issue, .. }) => {
            Ok(Reply::invalid(ConfirmEmail { token, email: None, issue: Some(issue.0.into_owned()) }))
        }
        // Two accounts took the address at once, and the other was first.
        Err(Refusal::Store(error)) if error.is_unique_violation() => {
            let issue = Some("belongs to another account by now".to_owned());
            Ok(Reply::invalid(ConfirmEmail { token, email: None, issue }))
        }
        Err(other) => Err(other.into()),
    }
}
