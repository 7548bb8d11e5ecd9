//! Asked again: what matters most is done only by somebody who gave a password or a code within the last ten
//! minutes. A handler says so by [`Confirmed`] in its signature, after the extractor that tells who may.

use askama::Template;
use axum::{
    extract::{FromRequestParts, OriginalUri, State},
    http::{Method, Uri, request::Parts},
    response::{IntoResponse as _, Response},
};
use tower_sessions::Session;

use super::{
    challenge,
    failure::Failure,
    filters,
    form::Form,
    html::{self, SignedIn},
    input::Query,
    reply::Reply,
    session,
    sign_in::local,
    throttle,
};
use crate::{
    app::App,
    domain::id::AccountId,
    password,
    store::{accounts, two_steps},
};

/// Somebody who proved lately who they are. Others are sent to do so and come back: to the page they asked for,
/// or, after a form, to the page that the form is on.
#[derive(Debug)]
pub struct Confirmed;

impl FromRequestParts<App> for Confirmed {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let checked = async {
            let session = parts.extensions.get::<Session>().ok_or_else(Failure::internal)?;
            html::account(session).await?.ok_or_else(|| Failure::unauthenticated("Sign in first"))?;
            session::is_confirmed(session, app.clock.now()).await
        };
        match checked.await {
            Ok(true) => Ok(Self),
            Ok(false) => Err(Reply::Go(format!("/confirm?{}", wanted(parts, app))).into_response()),
            Err(failure) => Err(failure.into_response()),
        }
    }
}

fn wanted(parts: &Parts, app: &App) -> String {
    let whole = |uri: &Uri| uri.path_and_query().map(ToString::to_string);
    let next = if matches!(parts.method, Method::GET | Method::HEAD) {
        parts.extensions.get::<OriginalUri>().map_or_else(|| whole(&parts.uri), |uri| whole(&uri.0))
    } else {
        html::came_from(app, &parts.headers)
    };
    let next = next.unwrap_or_else(|| "/".into());
    form_urlencoded::Serializer::new(String::new()).append_pair("next", &next).finish()
}

#[derive(Template)]
#[template(path = "confirm.html")]
struct Confirm {
    next: String,
    email: String,
    has_password: bool,
    has_two_steps: bool,
    form: Form,
}

async fn page(app: &App, account: AccountId, next: String, form: Form) -> Result<Confirm, Failure> {
    let mut tx = app.db.read().await?;
    let has_two_steps = two_steps::is_on(&mut tx, account).await?;
    let account = accounts::by_id(&mut tx, account).await?.ok_or_else(Failure::no_route)?;
    Ok(Confirm { next, email: account.email, has_password: account.password_hash.is_some(), has_two_steps, form })
}

pub async fn show(SignedIn(me): SignedIn, State(app): State<App>, query: Query) -> Result<Reply, Failure> {
    let next = query.get("next").unwrap_or_default().to_owned();
    Ok(Reply::page(page(&app, me, next, Form::default()).await?))
}

pub async fn create(
    SignedIn(me): SignedIn,
    State(app): State<App>,
    session: Session,
    mut form: Form,
) -> Result<Reply, Failure> {
    let (by_code, name) = if form.filled("code").is_some() { (true, "code") } else { (false, "password") };
    let is_right = if by_code {
        challenge::is_right(&app, me, form.get("code")).await?
    } else {
        is_password(&app, me, form.get("password")).await?
    };
    if !is_right {
        form.wrong(name, "is not right");
        let next = form.get("next").to_owned();
        return Ok(Reply::invalid(page(&app, me, next, form).await?));
    }
    session::confirm(&session, app.clock.now()).await?;
    Ok(Reply::Go(local(form.get("next")).unwrap_or("/").to_owned()))
}

/// Whether that is the account's password.
///
/// # Errors
/// 429 after too many that were not; the database's.
pub async fn is_password(app: &App, account: AccountId, given: &str) -> Result<bool, Failure> {
    throttle::confirmation(app, account, async {
        let stored = accounts::by_id(&mut *app.db.read().await?, account).await?.and_then(|found| found.password_hash);
        Ok(password::verify(given.to_owned(), stored).await)
    })
    .await
}
