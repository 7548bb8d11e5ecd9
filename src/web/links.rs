//! Affiliates' links: a click counted, and on to the merchant. Whatever happens here, the visitor arrives.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    extract::{FromRequestParts, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use tokio::time::{timeout, timeout_at};
use url::Url;

use super::{
    client::{self, Peer},
    destinations,
    failure::Failure,
    input::{self, Query, path_parameter},
    link_cookie,
    referrals::{URL_LENGTH, USER_AGENT_LENGTH},
    visits::{self, Visit, Visitor},
};
use crate::{
    app::App,
    domain::{
        code::Code,
        id::ClickId,
        program::{self, Program},
        tracking,
    },
    store::{self, programs},
};

/// How long a visitor waits in all before they go on without their click.
pub(super) const PATIENCE: Duration = Duration::from_millis(900);

/// A followed link: which, and by whom.
pub struct Followed {
    program: String,
    code: String,
    /// A look ahead, by a browser, a crawler or a HEAD, is not a click.
    is_click: bool,
    source_url: Option<String>,
    visitor: Visitor,
}

impl FromRequestParts<App> for Followed {
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
        let visitor = Visitor {
            ip: client::address(app, headers, parts.extensions.get::<Peer>().copied()),
            user_agent: text("user-agent", USER_AGENT_LENGTH),
            cookie: None,
        };
        Ok(Self {
            program,
            code,
            is_click: parts.method == Method::GET && !is_ahead && !visitor.is_crawler(),
            source_url: text("referer", URL_LENGTH),
            visitor,
        })
    }
}

/// `GET /r/{program}/{code}`
pub async fn follow(
    State(app): State<App>,
    query: Query,
    headers: HeaderMap,
    mut visit: Followed,
) -> Result<Response, Failure> {
    let until = tokio::time::Instant::now() + PATIENCE;
    let program = known_program(&app, &visit.program).await?.ok_or_else(|| Failure::not_found("program"))?;
    let own = if query.get("to").is_none() { destinations::of(&app, &program, &visit.code).await } else { None };
    visit.visitor.cookie = link_cookie::read(&app, &program, &headers);
    let counting = click(&app, &program, visit, tracking::landing(None, query.pairs()));
    let counted = timeout_at(until, counting).await.unwrap_or_else(|_| {
        tracing::warn!("a visitor went on without their click: the database did not answer in time");
        Counted::Nothing
    });
    // Nobody's link leads nowhere in particular.
    let wanted = query.get("to").or(own.as_deref()).filter(|_| !matches!(counted, Counted::Nobodys));
    let destination = program.destination(wanted).map_or_else(|| own_page(&app, &program), Ok)?;
    Ok(match counted {
        Counted::Click(click) => {
            let cookie = link_cookie::set(&app, &program, click, false);
            redirect(program::with_click(destination, click).as_str(), cookie)
        }
        Counted::Nothing | Counted::Nobodys => redirect(destination.as_str(), None),
    })
}

/// What became of a followed link.
enum Counted {
    Click(ClickId),
    /// The code is unknown or blocked.
    Nobodys,
    /// It was no visitor's, or the database is away.
    Nothing,
}

async fn click(app: &App, program: &Arc<Program>, visit: Followed, landing: Option<String>) -> Counted {
    let Ok(code) = Code::parse(&visit.code) else { return Counted::Nobodys };
    if !visit.is_click {
        return Counted::Nothing;
    }
    let (visitor, visit) = (visit.visitor, Visit { code, source_url: visit.source_url, landing });
    let counting = async {
        let Some(click) = visits::count(app, program, &visitor, visit).await? else { return Ok(Counted::Nobodys) };
        let first = visits::first(app, program, visitor.cookie).await?;
        Ok::<_, store::Error>(Counted::Click(first.unwrap_or(click)))
    };
    match counting.await {
        Ok(counted) => counted,
        Err(error) => {
            tracing::warn!(%error, "a visitor went on without their click");
            Counted::Nothing
        }
    }
}

/// Makes all programs known, so that a visitor arrives also while the database is away from the first moment on.
///
/// # Errors
/// The database's.
pub async fn know_programs(app: &App) -> Result<(), store::Error> {
    let since = Instant::now();
    let mut tx = app.db.read().await?;
    for program in programs::all(&mut tx).await? {
        app.caches.programs.put(program.slug.clone(), Arc::new(program), since);
    }
    Ok(())
}

/// The program, believed for half a second; and for longer than that while the database is away, because a
/// visitor must arrive all the same.
pub(super) async fn known_program(app: &App, slug: &str) -> Result<Option<Arc<Program>>, store::Error> {
    let slug = slug.to_owned();
    if let Some(known) = app.caches.programs.get(&slug) {
        return Ok(Some(known));
    }
    let since = Instant::now();
    let look_up = Box::pin(async {
        let mut tx = app.db.read().await?;
        programs::by_slug(&mut tx, &slug).await
    });
    let found = match timeout(PATIENCE / 3, look_up).await {
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
