//! Signing in and out, and the page after it.

use askama::Template;
use axum::extract::State;
use tower_sessions::Session;

use super::{
    earner,
    failure::Failure,
    filters,
    form::Form,
    html,
    input::{PathToken, Query},
    reply::Reply,
};
use crate::{
    app::App,
    domain::{email::Email, id::AccountId, key::hash},
    password,
    store::{self, accounts},
};

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn {
    email: String,
    next: String,
    error: Option<&'static str>,
}

pub async fn show(query: Query, session: Session) -> Result<Reply, Failure> {
    if html::account(&session).await?.is_some() {
        return Ok(Reply::Go("/".into()));
    }
    let next = query.get("next").unwrap_or_default().to_owned();
    Ok(Reply::page(SignIn { email: String::new(), next, error: None }))
}

/// The same answer, as slowly, for an unknown address and a wrong password.
pub async fn create(State(app): State<App>, session: Session, form: Form) -> Result<Reply, Failure> {
    let account = match Email::parse(form.get("email")) {
        Ok(email) => accounts::by_email(&mut *app.db.read().await?, &email).await?,
        Err(_) => None,
    };
    let (id, stored) = account.map_or((None, None), |account| (Some(account.id), account.password_hash));
    let is_right = password::verify(form.get("password").to_owned(), stored).await;

    let Some(id) = id.filter(|_| is_right) else {
        let error = Some("This e-mail address and password do not belong together.");
        return Ok(Reply::invalid(SignIn {
            email: form.get("email").to_owned(),
            next: form.get("next").to_owned(),
            error,
        }));
    };
    start_session(&session, id).await?;
    Ok(Reply::Go(local(form.get("next")).unwrap_or("/").to_owned()))
}

/// Signs the account in.
///
/// # Errors
/// When the session cannot be kept.
pub async fn start_session(session: &Session, account: AccountId) -> Result<(), Failure> {
    // A new id at sign-in: one that somebody planted before is worth nothing.
    let failed = |error: tower_sessions::session::Error| {
        tracing::warn!(%error, "a session cannot be kept");
        Failure::unavailable()
    };
    session.cycle_id().await.map_err(failed)?;
    session.insert(html::ACCOUNT, account.raw()).await.map_err(failed)
}

/// The path, if it stays in this portal.
fn local(next: &str) -> Option<&str> {
    let base = url::Url::parse("http://portal.invalid/").ok()?;
    let stays = next.starts_with('/') && base.join(next).is_ok_and(|url| url.origin() == base.origin());
    stays.then_some(next).filter(|next| !next.chars().any(|c| c.is_control() || c == '\\'))
}

pub async fn destroy(session: Session) -> Result<Reply, Failure> {
    session.flush().await.map_err(|_| Failure::unavailable())?;
    Ok(Reply::Go("/login".into()))
}

#[derive(Template)]
#[template(path = "sign_in_link.html")]
struct Link {
    token: String,
    is_good: bool,
}

/// Only shows a button: what opens links in mails must not use them up.
pub async fn link(State(app): State<App>, PathToken(token): PathToken) -> Result<Reply, Failure> {
    let mut tx = app.db.read().await?;
    let is_good = accounts::sign_in_link(&mut tx, &hash(&token), app.clock.now()).await?.is_some();
    Ok(Reply::page(Link { token, is_good }))
}

pub async fn use_link(State(app): State<App>, session: Session, PathToken(token): PathToken) -> Result<Reply, Failure> {
    let now = app.clock.now();
    let (token, used) = (token.clone(), hash(&token));
    let account = app
        .db
        .write(move |tx| Box::pin(async move { accounts::use_sign_in_link(tx, &used, now).await }))
        .await
        .map_err(|error: store::Error| Failure::from(error))?;
    let Some(account) = account else { return Ok(Reply::page(Link { token, is_good: false })) };
    start_session(&session, account).await?;
    Ok(Reply::Go("/".into()))
}

/// To the program that the account works for, or to what it earns, or to a word on how to come by either.
pub async fn start(State(app): State<App>, session: Session) -> Result<Reply, Failure> {
    let Some(account) = html::account(&session).await? else { return Ok(Reply::Go("/login".into())) };
    let mut tx = app.db.read().await?;
    if let Some(at) = accounts::memberships(&mut tx, account).await?.first() {
        return Ok(Reply::Go(format!("/m/{}", at.slug)));
    }
    if store::affiliates::of_account(&mut tx, account).await?.is_empty() {
        return Ok(Reply::page(Nowhere));
    }
    Ok(Reply::Go("/".into()))
}

/// `POST /switch`: to another program that the account earns in.
pub async fn switch(_: html::SignedIn, session: Session, form: Form) -> Result<Reply, Failure> {
    let keep = session.insert(earner::CHOSEN, form.get("program")).await;
    keep.map_err(|_| Failure::unavailable())?;
    let _ = session.remove_value(earner::VIEWED).await.map_err(|_| Failure::unavailable())?;
    Ok(Reply::Go("/home".into()))
}

#[derive(Template)]
#[template(path = "nowhere.html")]
struct Nowhere;

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn next_stays_here() {
        assert_eq!(local("/m/acme/affiliates?status=active"), Some("/m/acme/affiliates?status=active"));
        for next in ["", "//e.test", "/\\e.test", "https:e", "https://e.test", "javascript:x", "/\te", "\\\\e", "e"] {
            assert_eq!(local(next), None, "{next}");
        }
    }
}
