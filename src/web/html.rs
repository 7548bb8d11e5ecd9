//! The portal's face: pages, redirects and error pages for browsers with a session.

use askama::Template;
use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tower_sessions::Session;

use super::{
    caller::Caller,
    earner::Earner,
    failure::Failure,
    filters, guard, input, look,
    reply::{Page, Reply},
    shell::{Notice, Shell},
    sign_in, upload,
};
use crate::{
    app::App,
    domain::id::AccountId,
    flows::Actor,
    store::{accounts, programs},
};

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    status: u16,
    message: &'a str,
}

/// The session's account.
pub const ACCOUNT: &str = "account";
/// The session's [`Notice`] for the next page.
const NOTICE: &str = "notice";

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

/// What is at an address of no page: where it only ends in a slash too many, the way to the one without.
///
/// # Errors
/// 404 everywhere else.
pub async fn nowhere(method: Method, uri: Uri) -> Result<Reply, Failure> {
    let path = uri.path().trim_end_matches('/');
    let may_go = matches!(method, Method::GET | Method::HEAD) && path.len() < uri.path().len();
    let to = sign_in::local(path).filter(|_| may_go).ok_or_else(Failure::no_route)?;
    Ok(Reply::Go(uri.query().map_or_else(|| to.to_owned(), |query| format!("{to}?{query}"))))
}

/// A request as far as its answer's form depends on it.
struct Asked {
    path: String,
    /// With its query.
    wanted: String,
    is_get: bool,
    /// By htmx, which follows redirects by itself and would put a sign-in page into the middle of another.
    is_partial: bool,
    /// The page that it was sent from, where that is one of this portal's.
    came_from: Option<String>,
}

impl Asked {
    fn new(app: &App, request: &Request) -> Self {
        let (uri, headers) = (request.uri(), request.headers());
        Self {
            path: uri.path().to_owned(),
            wanted: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
            is_get: matches!(*request.method(), Method::GET | Method::HEAD),
            is_partial: headers.get("hx-request").is_some_and(|value| value == "true"),
            came_from: came_from(app, headers),
        }
    }
}

/// The page that a form was on, where that is one of this portal's.
pub fn came_from(app: &App, headers: &HeaderMap) -> Option<String> {
    let from = url::Url::parse(headers.get(header::REFERER)?.to_str().ok()?).ok()?;
    let is_ours = from.origin() == app.config.base_url.origin();
    is_ours.then(|| from[url::Position::BeforePath..url::Position::AfterQuery].to_owned())
}

/// Guards the portal and gives what its handlers say the form of pages.
pub async fn front(State(app): State<App>, session: Session, mut request: Request, next: Next) -> Response {
    let id = guard::RequestId::new(&app);
    let asked = Asked::new(&app, &request);
    let admitted = match guard::same_site(&app, request.method(), request.headers()) {
        Ok(()) => account(&session).await,
        Err(failure) => Err(failure),
    };
    let account = admitted.as_ref().ok().copied().flatten();
    if account.is_some() && upload::takes_files(&asked.path) {
        request.extensions_mut().insert(guard::Room(upload::LIMIT));
    }
    let response = match admitted {
        Ok(_) => guard::handle(&app, request, |request| next.run(request)).await,
        Err(failure) => Err(failure),
    };
    let response = response.unwrap_or_else(Failure::into_response);
    guard::secured(represent(response, &app, &session, account, &asked, &id).await, &app, &id)
}

async fn represent(
    mut response: Response,
    app: &App,
    session: &Session,
    account: Option<AccountId>,
    asked: &Asked,
    id: &guard::RequestId,
) -> Response {
    let extensions = response.extensions_mut();
    let (reply, failure) = (extensions.remove::<Reply>(), extensions.remove::<Failure>());
    let (caller, earner) = (extensions.remove::<Caller>(), extensions.remove::<Earner>());
    let of = extensions.remove::<look::Of>();
    let around = async || {
        let mut shell = Shell::at(&asked.path);
        let public = asked.path.strip_prefix("/p/").and_then(|rest| rest.split('/').next());
        if let Some(slug) = of.as_ref().map(|of| of.0.as_str()).or(public) {
            shell.brand = look::Brand::of(app, slug).await;
        }
        if let Some(account) = account {
            // A page that only lacks what stands around it is still worth showing.
            let mine = shell.clone().of(app, account, caller, earner).await;
            shell = mine.unwrap_or_else(|_| Shell { is_signed_in: true, ..shell });
            if asked.is_get {
                shell.notice = session.remove::<Notice>(NOTICE).await.ok().flatten();
            }
        }
        shell
    };
    match (reply, failure) {
        (Some(Reply::Show(page) | Reply::Created { at: None, page }), _) => {
            show(StatusCode::OK, &*page, around().await, id)
        }
        (Some(Reply::Secret(page)), _) => {
            let mut response = show(StatusCode::OK, &*page, around().await, id);
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        (Some(Reply::Invalid(page)), _) => show(StatusCode::UNPROCESSABLE_ENTITY, &*page, around().await, id),
        (Some(Reply::Created { at: Some(to), .. } | Reply::Go(to)), _) => see_other(&to),
        (Some(Reply::Done { to, notice }), _) => {
            if session.insert(NOTICE, notice).await.is_err() {
                tracing::warn!("a notice cannot be kept for the next page");
            }
            see_other(to.as_deref().or(asked.came_from.as_deref()).unwrap_or("/"))
        }
        (Some(Reply::Replayed { .. }), _) => failed(&Failure::internal(), around().await, id),
        (None, Some(failure)) if failure.status == StatusCode::UNAUTHORIZED => sign_in_first(asked),
        (None, Some(failure)) => failed(&failure, around().await, id),
        (None, None) => response,
    }
}

fn show(status: StatusCode, page: &dyn Page, shell: Shell, id: &guard::RequestId) -> Response {
    let values = ("shell", Box::new(shell.clone()) as Box<dyn std::any::Any>);
    match page.html(&values) {
        Some(Ok(markup)) => html(status, markup),
        Some(Err(error)) => {
            tracing::error!(%error, "a page cannot be rendered");
            failed(&Failure::internal(), shell, id)
        }
        None => failed(&Failure::no_route(), shell, id),
    }
}

fn failed(failure: &Failure, shell: Shell, id: &guard::RequestId) -> Response {
    let message = guard::message(failure, id);
    let page = ErrorPage { status: failure.status.as_u16(), message: &message };
    let values = ("shell", Box::new(shell) as Box<dyn std::any::Any>);
    let mut response = html(failure.status, page.render_with_values(&values).unwrap_or_else(|_| message.to_string()));
    if let Some((name, value)) = &failure.header {
        response.headers_mut().insert(name, value.clone());
    }
    response
}

fn sign_in_first(asked: &Asked) -> Response {
    let wanted = if asked.is_get { Some(asked.wanted.as_str()) } else { asked.came_from.as_deref() };
    let next = form_urlencoded::Serializer::new(String::new()).append_pair("next", wanted.unwrap_or("/")).finish();
    let to = format!("/login?{next}");
    if !asked.is_partial {
        return see_other(&to);
    }
    let mut response = StatusCode::UNAUTHORIZED.into_response();
    if let Ok(to) = HeaderValue::try_from(to) {
        response.headers_mut().insert(HeaderName::from_static("hx-redirect"), to);
    }
    response
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
    let values = ("shell", Box::new(Shell::default()) as Box<dyn std::any::Any>);
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
    let caller =
        Caller { program: program.into(), actor: Actor::Account(account), grants: role.grants(), role: Some(role) };
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
