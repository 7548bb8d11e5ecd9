//! Signing in and out, and the page after it.

use askama::Template;
use axum::extract::State;
use tower_sessions::Session;

use super::{
    client::Client,
    earner,
    failure::Failure,
    filters,
    form::Form,
    html,
    input::{PathToken, Query},
    reply::Reply,
    session,
    shell::Notice,
    throttle::{self, Attempt},
};
use crate::{
    app::App,
    domain::{email::Email, id::AccountId, key::hash, one_time_link::Purpose},
    flows::credentials,
    password,
    store::{self, accounts, one_time_links, two_steps},
};

/// Where the browser that asked for a link wanted to go.
const WANTED: &str = "wanted";

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn {
    email: String,
    next: String,
    error: Option<&'static str>,
}

pub async fn show(query: Query, session: Session) -> Result<Reply, Failure> {
    let next = query.get("next").unwrap_or_default().to_owned();
    if html::account(&session).await?.is_some() {
        return Ok(Reply::Go(local(&next).unwrap_or("/").to_owned()));
    }
    Ok(Reply::page(SignIn { email: String::new(), next, error: None }))
}

/// The same answer, as slowly, for an unknown address and a wrong password.
pub async fn create(State(app): State<App>, session: Session, client: Client, form: Form) -> Result<Reply, Failure> {
    let counted = throttle::count(&app, Attempt::SignIn, &client, form.get("email"))?;
    let account = match Email::parse(form.get("email")) {
        Ok(email) => accounts::by_email(&mut *app.db.read().await?, &email).await?,
        Err(_) => None,
    };
    let stored = account.as_ref().and_then(|account| account.password_hash.clone());
    let is_right = password::verify(form.get("password").to_owned(), stored).await;

    let Some(account) = account.filter(|_| is_right) else {
        let error = Some("This e-mail address and password do not belong together.");
        return Ok(Reply::invalid(SignIn {
            email: form.get("email").to_owned(),
            next: form.get("next").to_owned(),
            error,
        }));
    };
    counted.succeeded(&app);
    let_in(&app, &session, &client, account.id, Proof::Password, form.get("next"), None).await
}

/// How somebody showed who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    Password,
    /// A link in their mail; as good as a password only where there is none.
    Mail,
}

/// Signs the account in, or asks for its second step first; then on to `next`, with that notice.
///
/// # Errors
/// When the session cannot be kept.
pub async fn let_in(
    app: &App,
    session: &Session,
    client: &Client,
    account: AccountId,
    proof: Proof,
    next: &str,
    notice: Option<Notice>,
) -> Result<Reply, Failure> {
    let mut tx = app.db.read().await?;
    let account = accounts::by_id(&mut tx, account).await?.ok_or_else(Failure::no_route)?;
    let takes_two = two_steps::is_on(&mut tx, account.id).await?;
    drop(tx);
    if takes_two {
        session::owe_second_step(app, session, &account, notice).await?;
        let next = form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
        return Ok(Reply::Go(format!("/login/code?{next}")));
    }
    let is_proof = proof == Proof::Password || account.password_hash.is_none();
    session::start(app, session, client, account.id, is_proof.then(|| app.clock.now())).await?;
    let to = local(next).unwrap_or("/").to_owned();
    Ok(match notice {
        Some(notice) => Reply::done(to, notice),
        None => Reply::Go(to),
    })
}

/// The path, if it stays in this portal.
pub fn local(next: &str) -> Option<&str> {
    let base = url::Url::parse("http://portal.invalid/").ok()?;
    let stays = next.starts_with('/') && base.join(next).is_ok_and(|url| url.origin() == base.origin());
    stays.then_some(next).filter(|next| !next.chars().any(|c| c.is_control() || c == '\\'))
}

pub async fn destroy(session: Session) -> Result<Reply, Failure> {
    session.flush().await.map_err(|_| Failure::unavailable())?;
    Ok(Reply::Go("/login".into()))
}

#[derive(Template)]
#[template(path = "mail_sent.html")]
struct MailSent {
    email: String,
    minutes: String,
    is_reset: bool,
}

/// `POST /login/link`: a link by mail. The same answer whether there is such an account or not.
pub async fn send_link(State(app): State<App>, session: Session, client: Client, form: Form) -> Result<Reply, Failure> {
    let Some(reply) = mail(&app, &client, Purpose::SignIn, form.get("email")).await? else {
        return Ok(Reply::invalid(SignIn {
            email: form.get("email").to_owned(),
            next: form.get("next").to_owned(),
            error: Some("Enter your e-mail address first, such as name@example.com."),
        }));
    };
    if let Some(next) = local(form.get("next")) {
        session.insert(WANTED, next).await.map_err(|_| Failure::unavailable())?;
    }
    Ok(reply)
}

/// Sends a link and says so; nothing where the address can be nobody's. The mail is made after the answer, so that
/// its time tells nothing either.
///
/// # Errors
/// 429, or the database's.
pub async fn mail(app: &App, client: &Client, purpose: Purpose, address: &str) -> Result<Option<Reply>, Failure> {
    let Ok(email) = Email::parse(address) else { return Ok(None) };
    let _ = throttle::count(app, Attempt::Link, client, address)?;
    // Where the database is away, nobody is told that a mail is on its way.
    accounts::by_email(&mut *app.db.read().await?, &email).await?;
    let page = MailSent {
        email: email.as_str().to_owned(),
        minutes: purpose.lifetime(),
        is_reset: purpose == Purpose::ResetPassword,
    };
    let app = app.clone();
    tokio::spawn(async move {
        let (ids, secret, now) = (app.ids.clone(), app.secret.clone(), app.clock.now());
        let sent = app.db.write::<_, store::Error, _>(move |tx| {
            Box::pin(async move { credentials::send_link(tx, &ids, &secret, now, purpose, &email).await })
        });
        if let Err(error) = sent.await {
            tracing::warn!(%error, "a link could not be mailed");
        }
    });
    Ok(Some(Reply::page(page)))
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

pub async fn use_link(
    State(app): State<App>,
    session: Session,
    client: Client,
    PathToken(token): PathToken,
) -> Result<Reply, Failure> {
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
    let wanted: Option<String> = session.remove(WANTED).await.map_err(|_| Failure::unavailable())?;
    let_in(&app, &session, &client, account, Proof::Mail, wanted.as_deref().unwrap_or("/"), None).await
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
    Ok(Reply::Go("/home".into()))
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
