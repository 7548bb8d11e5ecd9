//! What every answer has in common: a request id, a time limit, a catch for panics, and the headers that
//! keep a browser from being used against its user.

use std::{
    borrow::Cow,
    panic::AssertUnwindSafe,
    pin::{Pin, pin},
    sync::LazyLock,
    time::Duration,
};

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use futures_util::FutureExt as _;
use tokio::{
    select,
    time::{Instant, sleep, timeout},
};

use super::{failure::Failure, health, input};
use crate::{
    app::App,
    domain::id::{Id, Kind},
};

/// Every request is answered within 10 s of its body, whatever the database does.
const REQUEST_TIME: Duration = Duration::from_secs(8);
/// But for what moves thousands of rows in one transaction while the database is well, which is asked once in a while.
const LONG_TIME: Duration = Duration::from_mins(1);
const PULSE: Duration = Duration::from_secs(1);
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Names a request in its answer and in the log.
enum AnyRequest {}

impl Kind for AnyRequest {
    const PREFIX: &'static str = "req_";
    const FIELD: &'static str = "requestId";
    const NOUN: &'static str = "request";
}

pub struct RequestId(Id<AnyRequest>);

impl RequestId {
    pub fn new(app: &App) -> Self {
        Self(app.ids.next(app.clock.now()))
    }
}

/// On a request whose body may be larger than others': so many bytes. The page says itself when it is larger still.
#[derive(Debug, Clone, Copy)]
pub struct Room(pub usize);

/// On a request whose body was larger than its [`Room`], and is left out.
#[derive(Debug, Clone, Copy)]
pub struct TooLarge;

/// Whether what is asked for moves a payout's thousands of lines, together or not at all. By the address, so that every
/// other request, clicks among them, pays nothing for it.
fn takes_time(request: &Request) -> bool {
    let Some((_, below)) = request.uri().path().rsplit_once("/payouts") else { return false };
    let below: Vec<&str> = below.split('/').collect();
    *request.method() == Method::POST && matches!(below[..], [""] | ["", _, "status" | "results"])
}

/// The request with its body read, so that the time to answer begins when it has arrived.
///
/// # Errors
/// 413, 408, or 400 when it breaks off.
async fn arrived(request: Request) -> Result<Request, Failure> {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(request);
    }
    let (mut parts, body) = request.into_parts();
    let Some(Room(limit)) = parts.extensions.get().copied() else {
        let body = input::read(&parts.headers, body).await?;
        return Ok(Request::from_parts(parts, Body::from(body)));
    };
    let body = match input::read_up_to(limit, &parts.headers, body).await {
        Err(failure) if failure.status == StatusCode::PAYLOAD_TOO_LARGE => {
            parts.extensions.insert(TooLarge);
            Body::empty()
        }
        body => Body::from(body?),
    };
    Ok(Request::from_parts(parts, body))
}

/// What comes of the work in time: a minute where it may be long, as long as the database is well.
async fn in_time<T, W>(
    mut work: Pin<&mut impl Future<Output = T>>,
    may_be_long: bool,
    is_well: impl Fn() -> W,
) -> Option<T>
where
    W: Future<Output = bool>,
{
    if let Ok(done) = timeout(REQUEST_TIME, &mut work).await {
        return Some(done);
    }
    if may_be_long { Box::pin(in_long_time(work, is_well)).await } else { None }
}

async fn in_long_time<T, W>(mut work: Pin<&mut impl Future<Output = T>>, is_well: impl Fn() -> W) -> Option<T>
where
    W: Future<Output = bool>,
{
    let until = Instant::now() + LONG_TIME.saturating_sub(REQUEST_TIME);
    while Instant::now() < until {
        let beat = async {
            let is_well = matches!(timeout(PULSE, is_well()).await, Ok(true));
            if is_well {
                sleep(PULSE).await;
            }
            is_well
        };
        select! {
            done = &mut work => return Some(done),
            is_well = beat => if !is_well { break },
        }
    }
    None
}

/// The answer, unless the body does not arrive or the handler takes too long or panics.
///
/// # Errors
/// As [`arrived`]; 500 after a panic, 503 when it took too long.
pub async fn handle<W>(app: &App, request: Request, inner: impl FnOnce(Request) -> W) -> Result<Response, Failure>
where
    W: Future<Output = Response>,
{
    let request = arrived(request).await?;
    let may_be_long = takes_time(&request);
    let answer = pin!(AssertUnwindSafe(inner(request)).catch_unwind());
    match in_time(answer, may_be_long, || health::is_ready(app)).await {
        Some(Ok(response)) => Ok(response),
        Some(Err(panic)) => {
            let said =
                panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
            tracing::error!(panic = said.unwrap_or("?"), "a handler panicked");
            Err(Failure::internal())
        }
        None => Err(Failure::unavailable()),
    }
}

/// The failure's message; one of ours names the request, so that the log can be searched for it.
pub fn message<'f>(failure: &'f Failure, id: &RequestId) -> Cow<'f, str> {
    if !failure.status.is_server_error() {
        return Cow::Borrowed(&failure.message);
    }
    tracing::error!(request_id = %id.0, status = failure.status.as_u16(), "answered with an error");
    Cow::Owned(format!("{} (request {})", failure.message, id.0))
}

/// For what a browser shows as it is or not at all: JSON, redirects, files.
const NO_PAGE: &str = "default-src 'none'; frame-ancestors 'none'";
const PAGE: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; \
                      font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

fn common_headers(policy: &'static str) -> HeaderMap {
    // With room for an answer's own.
    let mut headers = HeaderMap::with_capacity(16);
    let mut set = |name: HeaderName, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
    set(header::CONTENT_SECURITY_POLICY, policy);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    // Not no-referrer: a browser then sends `Origin: null` with our own forms.
    set(header::REFERRER_POLICY, "same-origin");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    set(HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()");
    headers
}

/// Adds the headers that every answer carries.
pub fn secured(mut response: Response, app: &App, id: &RequestId) -> Response {
    static ON_PAGES: LazyLock<HeaderMap> = LazyLock::new(|| common_headers(PAGE));
    static ELSEWHERE: LazyLock<HeaderMap> = LazyLock::new(|| common_headers(NO_PAGE));
    let headers = response.headers_mut();
    let is_page = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    // Made once and copied, which is less work than to look for a place for each.
    let common = if is_page { ON_PAGES.clone() } else { ELSEWHERE.clone() };
    let own = std::mem::replace(headers, common);
    headers.extend(own);
    if app.config.is_https() {
        let https_only = HeaderValue::from_static("max-age=31536000; includeSubDomains");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, https_only);
    }
    if let Ok(id) = HeaderValue::from_str(id.0.shown().as_str()) {
        headers.insert(REQUEST_ID, id);
    }
    response
}

/// Refuses what another site makes a signed-in browser send: by `Sec-Fetch-Site`, and where a browser does
/// not send that (plain http), by `Origin`. With neither, an unsafe request is not a browser's form.
///
/// # Errors
/// 403.
pub fn same_site(app: &App, method: &Method, headers: &HeaderMap) -> Result<(), Failure> {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let allowed = match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => origin == app.config.base_url.origin().ascii_serialization(),
        (None, None) => false,
    };
    if allowed { Ok(()) } else { Err(Failure::forbidden("This form was sent from another site")) }
}

/// For addresses outside both trees: plain answers with the same guards.
pub async fn front<W>(app: &App, request: Request, inner: impl FnOnce(Request) -> W) -> Response
where
    W: Future<Output = Response>,
{
    let id = RequestId::new(app);
    let mut response = handle(app, request, inner).await.unwrap_or_else(Failure::into_response);
    if let Some(failure) = response.extensions_mut().remove::<Failure>() {
        *response.body_mut() = Body::from(message(&failure, &id).into_owned());
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        // That of the empty body it had.
        headers.remove(header::CONTENT_LENGTH);
        headers.extend(failure.header);
    }
    secured(response, app, &id)
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    async fn worked(seconds: u64, may_be_long: bool, well_for: u64) -> (bool, u64) {
        let since = Instant::now();
        let is_well = || ready(since.elapsed() < Duration::from_secs(well_for));
        let done = in_time(pin!(sleep(Duration::from_secs(seconds))), may_be_long, is_well).await;
        (done.is_some(), since.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn long_work_goes_on_while_the_database_is_well() {
        assert_eq!(worked(7, false, 99).await, (true, 7));
        assert_eq!(worked(9, false, 99).await, (false, 8));
        assert_eq!(worked(59, true, 99).await, (true, 59));
        assert_eq!(worked(61, true, 99).await, (false, 60));
        // A database that went before or since is no reason to wait.
        assert_eq!(worked(59, true, 3).await, (false, 8));
        assert_eq!(worked(59, true, 20).await, (false, 20));
        let work = pin!(sleep(Duration::from_secs(59)));
        let hangs = in_time(work, true, pending);
        let since = Instant::now();
        assert!(hangs.await.is_none() && since.elapsed().as_secs() == 9);
    }

    #[test]
    fn only_a_whole_payout_may_be_long() {
        let asked = |method: Method, path: &str| {
            takes_time(&Request::builder().method(method).uri(path).body(Body::empty()).unwrap())
        };
        for path in ["/payouts", "/payouts/pay_1/status", "/m/acme/payouts", "/m/acme/payouts/pay_1/results"] {
            assert!(asked(Method::POST, path) && !asked(Method::GET, path), "{path}");
        }
        let line = "/payouts/pay_1/lines/pline_1/status";
        for path in ["/referrals/track", "/commissions/c/status", "/payouts/request", "/m/acme/payouts/new", line] {
            assert!(!asked(Method::POST, path), "{path}");
        }
    }
}
