//! Signing in and out, and the page after it.

use askama::Template;
use axum::extract::State;
use tower_sessions::Session;

use super::{
    failure::Failure,
    html::{self, SignedIn},
    input::{Form, PathToken, Query},
    reply::Reply,
};
use crate::{
    app::App,
    domain::{email::Email, id::AccountId, key::hash, money::Money, one_time_link::Purpose},
    password,
    store::{self, accounts, one_time_links},
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
        return Ok(Reply::Go("/home".into()));
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
        return Ok(Reply::page(SignIn {
            email: form.get("email").to_owned(),
            next: form.get("next").to_owned(),
            error,
        }));
    };
    start(&session, id).await?;
    Ok(Reply::Go(local(form.get("next")).unwrap_or("/home").to_owned()))
}

async fn start(session: &Session, account: AccountId) -> Result<(), Failure> {
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
    let is_good = one_time_links::good(&mut tx, Purpose::SignIn, &hash(&token), app.clock.now()).await?.is_some();
    Ok(Reply::page(Link { token, is_good }))
}

pub async fn use_link(State(app): State<App>, session: Session, PathToken(token): PathToken) -> Result<Reply, Failure> {
    let now = app.clock.now();
    let (token, used) = (token.clone(), hash(&token));
    let link = app
        .db
        .write(move |tx| Box::pin(async move { one_time_links::use_up(tx, Purpose::SignIn, &used, now).await }))
        .await
        .map_err(|error: store::Error| Failure::from(error))?;
    let Some(account) = link.and_then(|link| link.account_id) else {
        return Ok(Reply::page(Link { token, is_good: false }));
    };
    start(&session, account).await?;
    Ok(Reply::Go("/home".into()))
}

/// One program that the account earns in.
struct Earning {
    program: String,
    status: &'static str,
    unpaid: Money,
    paid: Money,
}

#[derive(Template)]
#[template(path = "home.html")]
struct Home {
    name: String,
    earnings: Vec<Earning>,
}

/// A merchant's program, or what an affiliate has earned.
pub async fn home(State(app): State<App>, me: SignedIn) -> Result<Reply, Failure> {
    let mut tx = app.db.read().await?;
    if let Some(slug) = accounts::home(&mut tx, me.0).await? {
        return Ok(Reply::Go(format!("/m/{slug}/affiliates")));
    }
    let account = accounts::by_id(&mut tx, me.0).await?.ok_or_else(Failure::no_route)?;
    let earnings = store::affiliates::of_account(&mut tx, me.0).await?.into_iter().map(|row| Earning {
        status: row.status.as_str(),
        unpaid: row.currency.of(row.unpaid_minor),
        paid: row.currency.of(row.paid_minor),
        program: row.program,
    });
    Ok(Reply::page(Home { name: account.name, earnings: earnings.collect() }))
}

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
