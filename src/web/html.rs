//! The portal's face: pages, redirects and error pages for browsers with a session.

use askama::Template;
use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tower_sessions::Session;

use super::{assets, caller::Caller, failure::Failure, guard, input, reply::Reply};
use crate::{
    app::App,
    domain::{id::AccountId, key::Scope},
    flows::Actor,
    store::{accounts, programs},
};

/// What every page shows around its own content.
#[derive(Debug, Clone, Default)]
pub struct Shell {
    /// The program's name and slug, on a merchant's page.
    pub program: Option<(String, String)>,
    pub is_signed_in: bool,
    pub stylesheet: &'static str,
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    status: u16,
    message: &'a str,
}

/// The session's account, if somebody is signed in.
///
/// # Errors
/// 503 when nobody can tell: a database that is away signs nobody out.
pub async fn account(session: &Session) -> Result<Option<AccountId>, Failure> {
    let found = session.get::<i64>(ACCOUNT).await.map_err(|error| {
        tracing::warn!(%error, "a session cannot be read");
        Failure::unavailable()
    })?;
    Ok(found.map(AccountId::new))
}

pub const ACCOUNT: &str = "account";

/// Guards the portal and gives what its handlers say the form of pages.
pub async fn front(State(app): State<App>, session: Session, request: Request, next: Next) -> Response {
    let id = guard::RequestId::new(&app);
    let wanted = request.uri().path().to_owned();
    let admitted = match guard::same_site(&app, request.method(), request.headers()) {
        Ok(()) => account(&session).await,
        Err(failure) => Err(failure),
    };
    let is_signed_in = matches!(admitted, Ok(Some(_)));
    let mut shell = Shell { program: None, is_signed_in, stylesheet: assets::stylesheet() };
    let response = match admitted {
        Ok(_) => guard::handle(request, next).await,
        Err(failure) => Err(failure),
    };
    let response = response.unwrap_or_else(Failure::into_response);
    if let Some(Caller { program, .. }) = response.extensions().get::<Caller>() {
        shell.program = Some((program.name.clone(), program.slug.clone()));
    }
    guard::secured(represent(response, &shell, &id, &wanted), &app, &id)
}

fn represent(mut response: Response, shell: &Shell, id: &guard::RequestId, wanted: &str) -> Response {
    let values = ("shell", Box::new(shell.clone()) as Box<dyn std::any::Any>);
    if let Some(reply) = response.extensions_mut().remove::<Reply>() {
        return match reply {
            Reply::Show(page) | Reply::Created { at: None, page } => match page.html(&values) {
                Some(Ok(markup)) => html(StatusCode::OK, markup),
                Some(Err(error)) => {
                    tracing::error!(%error, "a page cannot be rendered");
                    failed(&Failure::internal(), &values, id)
                }
                None => failed(&Failure::no_route(), &values, id),
            },
            Reply::Created { at: Some(to), .. } | Reply::Go(to) => see_other(&to),
            Reply::Replayed { .. } => failed(&Failure::internal(), &values, id),
        };
    }
    if let Some(failure) = response.extensions_mut().remove::<Failure>() {
        if failure.status == StatusCode::UNAUTHORIZED {
            let next = form_urlencoded::Serializer::new(String::new()).append_pair("next", wanted).finish();
            return see_other(&format!("/login?{next}"));
        }
        return failed(&failure, &values, id);
    }
    response
}

fn failed(failure: &Failure, values: &dyn askama::Values, id: &guard::RequestId) -> Response {
    let message = guard::message(failure, id);
    let page = ErrorPage { status: failure.status.as_u16(), message: &message };
    html(failure.status, page.render_with_values(values).unwrap_or_else(|_| message.to_string()))
}

fn html(status: StatusCode, markup: String) -> Response {
    let mut response = (status, markup).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    response
}

/// A page outside the portal's tree, where nobody is signed in.
///
/// # Errors
/// 500 when it cannot be rendered.
pub fn alone(page: impl Template) -> Result<Response, Failure> {
    let shell = Shell { program: None, is_signed_in: false, stylesheet: assets::stylesheet() };
    let values = ("shell", Box::new(shell) as Box<dyn std::any::Any>);
    let markup = page.render_with_values(&values).map_err(|error| {
        tracing::error!(%error, "a page cannot be rendered");
        Failure::internal()
    })?;
    Ok(html(StatusCode::OK, markup))
}

fn see_other(to: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let to = HeaderValue::try_from(to).unwrap_or_else(|_| HeaderValue::from_static("/"));
    response.headers_mut().insert(header::LOCATION, to);
    response
}

/// Lets the members of the path's program pass, as callers of the shared handlers. To everybody else the
/// program does not exist.
pub async fn members(State(app): State<App>, session: Session, request: Request, next: Next) -> Response {
    match member(&app, &session, request).await {
        Ok((caller, mut request)) => {
            request.extensions_mut().insert(caller.clone());
            let mut response = next.run(request).await;
            response.extensions_mut().insert(caller);
            response
        }
        Err(failure) => failure.into_response(),
    }
}

async fn member(app: &App, session: &Session, request: Request) -> Result<(Caller, Request), Failure> {
    let account = account(session).await?.ok_or_else(|| Failure::unauthenticated("Sign in first"))?;
    let (mut parts, body) = request.into_parts();
    let slug = input::path_parameter(&mut parts, app, "program").await?;
    let mut tx = app.db.read().await?;
    let program = programs::by_slug(&mut tx, &slug).await?.ok_or_else(Failure::no_route)?;
    let role = accounts::role(&mut tx, account, program.id).await?.ok_or_else(Failure::no_route)?;
    let scope = if role == "viewer" { Scope::Read } else { Scope::Full };
    let caller = Caller { program: program.into(), actor: Actor::Account(account), scope };
    Ok((caller, Request::from_parts(parts, body)))
}

/// The signed-in account.
pub struct SignedIn(pub AccountId);

impl FromRequestParts<App> for SignedIn {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, _: &App) -> Result<Self, Failure> {
        let session = parts.extensions.get::<Session>().cloned().ok_or_else(Failure::internal)?;
        account(&session).await?.map(Self).ok_or_else(|| Failure::unauthenticated("Sign in first"))
    }
}
