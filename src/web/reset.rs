//! A forgotten password: a link by mail, and a new one in its place.

use askama::Template;
use axum::extract::State;
use tower_sessions::Session;

use super::{
    client::Client,
    failure::Failure,
    filters,
    form::Form,
    input::PathToken,
    reply::Reply,
    shell::Notice,
    sign_in::{self, Proof, let_in},
};
use crate::{
    app::App,
    domain::{Issue, key::hash, one_time_link::Purpose},
    flows::credentials,
    password,
    store::{accounts, one_time_links},
};

#[derive(Template)]
#[template(path = "forgot.html")]
struct Forgot {
    form: Form,
}

pub async fn ask() -> Result<Reply, Failure> {
    Ok(Reply::page(Forgot { form: Form::default() }))
}

pub async fn send(State(app): State<App>, client: Client, mut form: Form) -> Result<Reply, Failure> {
    let sent = sign_in::mail(&app, &client, Purpose::ResetPassword, form.get("email")).await?;
    Ok(sent.unwrap_or_else(|| {
        form.wrong("email", "must be a valid e-mail address");
        Reply::invalid(Forgot { form })
    }))
}

#[derive(Template)]
#[template(path = "reset.html")]
struct Reset {
    token: String,
    /// Whose password it will be; nobody's where the link no longer works.
    email: Option<String>,
    form: Form,
}

async fn owner(app: &App, token: &str) -> Result<Option<String>, Failure> {
    let mut tx = app.db.read().await?;
    let link = one_time_links::good(&mut tx, Purpose::ResetPassword, &hash(token), app.clock.now()).await?;
    let Some(account) = link.and_then(|link| link.account_id) else { return Ok(None) };
    Ok(accounts::by_id(&mut tx, account).await?.map(|account| account.email))
}

pub async fn show(State(app): State<App>, PathToken(token): PathToken) -> Result<Reply, Failure> {
    let email = owner(&app, &token).await?;
    Ok(Reply::page(Reset { token, email, form: Form::default() }))
}

pub async fn create(
    State(app): State<App>,
    session: Session,
    client: Client,
    PathToken(token): PathToken,
    mut form: Form,
) -> Result<Reply, Failure> {
    let Some(email) = owner(&app, &token).await? else {
        return Ok(Reply::page(Reset { token, email: None, form: Form::default() }));
    };
    // Read as it is: the spaces around a password are part of it.
    let given = form.get("password").to_owned();
    if let Err(Issue(issue)) = password::check_for(&given, &[&email]) {
        form.wrong("password", issue);
        return Ok(Reply::invalid(Reset { token, email: Some(email), form }));
    }
    let password_hash = password::hash(given).await.ok_or_else(Failure::unavailable)?;
    let (ids, secret, now, used) = (app.ids.clone(), app.secret.clone(), app.clock.now(), token.clone());
    let reset = app.db.write(move |tx| {
        Box::pin(async move { credentials::reset_password(tx, &ids, &secret, now, &used, &password_hash).await })
    });
    let Some(account) = reset.await? else {
        return Ok(Reply::page(Reset { token, email: None, form: Form::default() }));
    };
    let notice = Notice::done("Your new password is set. Every other session was signed out.");
    let_in(&app, &session, &client, account, Proof::Password, "/", Some(notice)).await
}
