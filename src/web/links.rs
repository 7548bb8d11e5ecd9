//! Affiliates' links: a click counted, and on to the merchant. Whatever happens here, the visitor arrives.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    extract::{FromRequestParts, State},
    http::{HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use tokio::time::timeout;
use url::Url;

use super::{
    client::{self, Peer},
    destinations,
    failure::Failure,
    input::{self, Query, path_parameter},
    referrals::{URL_LENGTH, USER_AGENT_LENGTH},
};
use crate::{
    app::App,
    domain::{
        code::Code,
        id::ClickId,
        program::{self, Program},
    },
    store::{
        self,
        clicks::{NewClick, Outcome},
        programs,
    },
};

/// How long a visitor waits for the click to be stored before they go on without it.
pub(super) const PATIENCE: Duration = Duration::from_millis(900);

/// A followed link: which, and by whom.
pub struct Visit {
    program: String,
    code: String,
    /// A look ahead, by a browser or a HEAD, is not a click.
    is_click: bool,
    source_url: Option<String>,
    user_agent: Option<String>,
    ip: Option<IpAddr>,
}

impl FromRequestParts<App> for Visit {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let mut program = path_parameter(parts, app, "program").await?;
        if program.is_empty() {
            // A code that does not decode hides both; the program's short name needs no decoding.
            parts.uri.path().split('/').nth(2).unwrap_or_default().clone_into(&mut program);
        }
        let code = path_parameter(parts, app, "code").await?;
        let headers = &parts.headers;
        let is_ahead = input::header_text(headers, "sec-purpose").is_some_and(|purpose| purpose.contains("prefetch"));
        let text = |name: &str, max: usize| {
            let text = String::from_utf8_lossy(headers.get(name)?.as_bytes()).replace(|c: char| c.is_control(), " ");
            input::cut(Some(&text), max)
        };
        Ok(Self {
            program,
            code,
            is_click: parts.method == Method::GET && !is_ahead,
            source_url: text("referer", URL_LENGTH),
            user_agent: text("user-agent", USER_AGENT_LENGTH),
            ip: client::address(app, headers, parts.extensions.get::<Peer>().copied()),
        })
    }
}

/// `GET /r/{program}/{code}`
pub async fn follow(State(app): State<App>, query: Query, visit: Visit) -> Result<Response, Failure> {
    let program = match known_program(&app, &visit.program).await {
        Ok(found) => found.ok_or_else(|| Failure::not_found("program"))?,
        Err(error) => return Err(error.into()),
    };
    let own = if query.get("to").is_none() { destinations::of(&app, &program, &visit.code).await } else { None };
    let destination = program.destination(query.get("to").or(own.as_deref()));
    let destination = destination.map_or_else(|| own_page(&app, &program), Ok)?;
    match click(&app, &program, visit).await {
        Some(click) => Ok(redirect(program::with_click(destination, click).as_str(), cookie(&app, &program, click))),
        None => Ok(redirect(destination.as_str(), None)),
    }
}

/// The recorded click, if the code is good and the database answers in time.
async fn click(app: &App, program: &Program, visit: Visit) -> Option<ClickId> {
    let code = Code::parse(&visit.code).ok().filter(|_| visit.is_click)?;
    let id = app.ids.next(app.clock.now());
    let new = NewClick {
        id,
        program: program.id,
        code_key: code.key(),
        source_url: visit.source_url,
        user_agent: visit.user_agent,
        ip_hash: visit.ip.map(|ip| app.secret.short_hash("ip", &ip.to_canonical().to_string())),
    };
    match timeout(PATIENCE, app.db.click(new)).await {
        Ok(Ok(Outcome::Recorded { .. })) => Some(id),
        Ok(Ok(Outcome::UnknownCode | Outcome::Blocked)) => None,
        Ok(Err(error)) => {
            tracing::warn!(%error, "a visitor went on without their click");
            None
        }
        Err(_) => {
            tracing::warn!("a visitor went on without their click: the database did not answer in time");
            None
        }
    }
}

/// The program, believed for half a second; and for longer than that while the database is away, because a
/// visitor must arrive all the same.
async fn known_program(app: &App, slug: &str) -> Result<Option<Arc<Program>>, store::Error> {
    let slug = slug.to_owned();
    if let Some(known) = app.caches.programs.get(&slug) {
        return Ok(Some(known));
    }
    let since = Instant::now();
    let look_up = async {
        let mut tx = app.db.read().await?;
        programs::by_slug(&mut tx, &slug).await
    };
    let found = match timeout(PATIENCE / 2, look_up).await {
        Ok(Ok(found)) => found.map(Arc::new),
        failed => {
            let stale = app.caches.programs.stale(&slug);
            let error = match failed {
                Ok(Err(error)) => error,
                _ => store::Error::Unavailable("no answer in time".into()),
            };
            return stale.map(Some).ok_or(error);
        }
    };
    if let Some(program) = &found {
        app.caches.programs.put(slug, Arc::clone(program), since);
    }
    Ok(found)
}

/// Where a link leads while the merchant has named no landing page.
fn own_page(app: &App, program: &Program) -> Result<Url, Failure> {
    app.config.base_url.join(&format!("p/{}", program.slug)).map_err(|_| Failure::internal())
}

fn cookie(app: &App, program: &Program, click: ClickId) -> Option<HeaderValue> {
    let (prefix, secure) = if app.config.is_https() { ("__Host-", "; Secure") } else { ("", "") };
    let seconds = program.attribution_days * 86_400;
    let cookie =
        format!("{prefix}offshoot_{}={click}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}", program.slug);
    HeaderValue::try_from(cookie).ok()
}

fn redirect(to: &str, cookie: Option<HeaderValue>) -> Response {
    let mut response = StatusCode::FOUND.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(to) = HeaderValue::try_from(to) {
        headers.insert(header::LOCATION, to);
    }
    if let Some(cookie) = cookie {
        headers.insert(header::SET_COOKIE, cookie);
    }
    response
}

pub struct ProgramSlug(pub String);

impl FromRequestParts<App> for ProgramSlug {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        path_parameter(parts, app, "program").await.map(Self)
    }
}
