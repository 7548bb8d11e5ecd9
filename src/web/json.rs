//! The JSON face: the envelope of the reference around everything under `/v1`.

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use serde::Serialize;

use super::{caches::Lane, caller, failure::Failure, guard, reply::Reply};
use crate::{app::App, domain::bucket::Allowance};

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The one path under `/v1` that needs no key. One that is sent is counted all the same.
const OPEN: &str = "/openapi.json";

/// Admits the request by its key, then gives what came of it the form of the reference.
pub async fn front<W>(app: &App, mut request: Request, inner: impl FnOnce(Request) -> W) -> Response
where
    W: Future<Output = Response>,
{
    let id = guard::RequestId::new(app);
    let mut allowance = None;
    let is_open = request.uri().path() == OPEN;
    let admitted = admit(app, &mut request, &mut allowance).await;
    let admitted = if is_open && allowance.is_none() { Ok(()) } else { admitted };
    let response = match admitted {
        Ok(()) => guard::handle(app, request, inner).await,
        Err(failure) => Err(failure),
    };
    let response = response.map_or_else(|failure| error(&failure, &id), |response| represent(response, &id));
    let mut response = guard::secured(response, app, &id);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(Allowance { limit, remaining, reset, .. }) = allowance {
        headers.insert(LIMIT, limit.into());
        headers.insert(REMAINING, remaining.into());
        headers.insert(RESET, reset.into());
    }
    response
}

async fn admit(app: &App, request: &mut Request, allowance: &mut Option<Allowance>) -> Result<(), Failure> {
    let caller = caller::by_key(app, request.headers()).await?;
    let is_tracking = request.method() == Method::POST && caller::TRACKING.contains(&request.uri().path());
    let lane = if is_tracking { Lane::Tracking } else { Lane::General };
    if let caller::Caller { actor: crate::flows::Actor::Key(key), .. } = &caller {
        *allowance = app.caches.limits.take(*key, lane, app.config.rate_limit);
    }
    if let Some(retry_after) = allowance.and_then(|allowance| allowance.retry_after) {
        return Err(Failure::limited(retry_after));
    }
    request.extensions_mut().insert(caller);
    Ok(())
}

/// A successful answer as bytes, before it is one: what an `Idempotency-Key` keeps.
pub struct Answer {
    pub status: StatusCode,
    pub location: Option<String>,
    pub body: String,
}

/// # Errors
/// When the page cannot be written as JSON.
pub fn answer(reply: &Reply) -> Result<Answer, Failure> {
    let (status, location, page) = match reply {
        Reply::Show(page) => (StatusCode::OK, None, page),
        Reply::Created { at, page } => (StatusCode::CREATED, at.as_ref().map(|at| format!("/v1{at}")), page),
        Reply::Replayed { status, location, body } => {
            return Ok(Answer { status: *status, location: location.clone(), body: body.clone() });
        }
        Reply::Go(_) | Reply::Invalid(_) | Reply::Secret(_) | Reply::Done { .. } => return Err(Failure::internal()),
    };
    let mut body = String::with_capacity(512);
    body.push_str(r#"{"success":true,"data":"#);
    page.json(&mut body).map_err(|_| Failure::internal())?;
    body.push('}');
    Ok(Answer { status, location, body })
}

fn represent(mut response: Response, id: &guard::RequestId) -> Response {
    if let Some(reply) = response.extensions_mut().remove::<Reply>() {
        return match answer(&reply) {
            Ok(answer) => {
                let replayed = matches!(reply, Reply::Replayed { .. });
                let mut response = json(answer.status, answer.body);
                if let Some(location) = answer.location.and_then(|at| HeaderValue::try_from(at).ok()) {
                    response.headers_mut().insert(header::LOCATION, location);
                }
                if replayed {
                    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
                }
                response
            }
            Err(failure) => error(&failure, id),
        };
    }
    if let Some(failure) = response.extensions_mut().remove::<Failure>() {
        let allow = response.headers_mut().remove(header::ALLOW);
        let mut response = error(&failure, id);
        if let Some(allow) = allow {
            response.headers_mut().insert(header::ALLOW, allow);
        }
        return response;
    }
    debug_assert!(
        response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json"),
        "/v1 answers JSON and nothing else"
    );
    response
}

fn json(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn error(failure: &Failure, id: &guard::RequestId) -> Response {
    #[derive(Serialize)]
    struct Envelope<'a> {
        success: bool,
        error: Error<'a>,
    }
    #[derive(Serialize)]
    struct Error<'a> {
        code: super::failure::Code,
        message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        details: Option<&'a super::failure::Details>,
    }
    let message = guard::message(failure, id);
    let error = Error { code: failure.code, message: &message, details: failure.details.as_ref() };
    let body = serde_json::to_vec(&Envelope { success: false, error }).unwrap_or_default();
    let mut response = json(failure.status, body);
    if let Some((name, value)) = &failure.header {
        response.headers_mut().insert(name, value.clone());
    }
    response
}
