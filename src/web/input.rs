//! What a request sent, read into types. Every extractor's rejection is a [`Failure`].

use std::time::Duration;

use axum::{
    extract::{FromRequest, FromRequestParts, OriginalUri, Request},
    http::{HeaderMap, Method, StatusCode, header, request::Parts},
};
use bytes::{Bytes, BytesMut};
use futures_util::FutureExt as _;
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use tokio::time::timeout;

use super::{body::Fields, failure::Failure, once::Once};
use crate::{
    app::App,
    domain::id::{Id, Kind},
};

pub const BODY_LIMIT: usize = 256 * 1024;
/// How much more is read and dropped before the answer, so that a client that is still sending hears it.
const DRAINED: usize = 8 * 1024 * 1024;
const BODY_TIME: Duration = Duration::from_secs(20);

/// The one path parameter, an id.
pub struct PathId<K>(pub Id<K>);

impl<K: Kind> FromRequestParts<App> for PathId<K> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let id = path_parameter(parts, app, "id").await?;
        super::failure::id::<K>(&id).map(Self)
    }
}

/// A parameter of the matched path. One that does not decode is as good as malformed.
pub async fn path_parameter(parts: &mut Parts, app: &App, name: &str) -> Result<String, Failure> {
    let params = axum::extract::RawPathParams::from_request_parts(parts, app).await;
    let value = params.ok().and_then(|all| all.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned()));
    Ok(value.unwrap_or_default())
}

/// The query's parameters, decoded. Unknown ones are ignored; of one given twice the last counts.
pub struct Query(Vec<(String, String)>);

impl FromRequestParts<App> for Query {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Failure> {
        let query = parts.uri.query().unwrap_or_default();
        Ok(Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect()))
    }
}

impl Query {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All of them, in their order.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// Every value of a parameter that may come several times.
    pub fn all<'q>(&'q self, name: &'q str) -> impl Iterator<Item = &'q str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// # Errors
    /// 400 naming the parameter when `parse` refuses it.
    pub fn parsed<T>(
        &self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, crate::domain::Issue>,
    ) -> Result<Option<T>, Failure> {
        self.get(name).map(|text| parse(text).map_err(|issue| Failure::field(name, issue.0))).transpose()
    }

    /// A switch.
    ///
    /// # Errors
    /// 400 for anything but `true` and `false`, once: a wish to try must never be taken for the deed.
    pub fn boolean(&self, name: &'static str) -> Result<bool, Failure> {
        let mut all = self.all(name);
        match (all.next(), all.next()) {
            (None, _) | (Some("false"), None) => Ok(false),
            (Some("true"), None) => Ok(true),
            _ => Err(Failure::field(name, "must be true or false")),
        }
    }

    /// A filter by id.
    ///
    /// # Errors
    /// 400 in the reference's words.
    pub fn id<K: Kind>(&self) -> Result<Option<Id<K>>, Failure> {
        self.get(K::FIELD).map(super::failure::id::<K>).transpose()
    }

    /// `limit` and `offset` of a list.
    ///
    /// # Errors
    /// 400 naming the one that is not a 64-bit integer or too small.
    pub fn window(&self) -> Result<Window, Failure> {
        let integer = |name: &'static str, least: i64, default: i64| match self.get(name) {
            None => Ok(default),
            Some(text) => match text.parse::<i64>() {
                Ok(number) if number >= least => Ok(number),
                _ => Err(Failure::field(name, format!("must be an integer of at least {least}"))),
            },
        };
        Ok(Window { limit: integer("limit", 1, 20)?.min(100), offset: integer("offset", 0, 0)? })
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Window {
    pub limit: i64,
    pub offset: i64,
}

/// What a body is read into.
pub trait FromFields: Sized {
    /// Whether leaving the body out is the same as sending `{}`.
    const OPTIONAL: bool = false;

    /// # Errors
    /// 400 naming the field.
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Failure>;
}

/// A JSON body, and the promise of the `Idempotency-Key` that came with it.
pub struct Input<T> {
    pub value: T,
    pub once: Option<Once>,
}

impl<T: FromFields> FromRequest<App> for Input<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &App) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        let body = read(&parts.headers, body).await?;
        if body.is_empty() && T::OPTIONAL {
            let once = once(&parts, &body)?;
            return Ok(Self { value: T::from_fields(&Fields::parse(b"{}")?)?, once });
        }
        if !is_json(&parts.headers) {
            return Err(Failure::not_json());
        }
        let value = T::from_fields(&Fields::parse(&body)?)?;
        Ok(Self { value, once: once(&parts, &body)? })
    }
}

fn once(parts: &Parts, body: &Bytes) -> Result<Option<Once>, Failure> {
    if parts.method != Method::POST {
        return Ok(None);
    }
    let target = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |uri| &uri.0);
    Once::read(&parts.headers, target, body)
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}

/// Reads the whole body, if it is small enough and arrives in time.
///
/// # Errors
/// 413 or 408; 400 when it breaks off.
pub async fn read(headers: &HeaderMap, body: axum::body::Body) -> Result<Bytes, Failure> {
    read_up_to(BODY_LIMIT, headers, body).await
}

/// The same of a body that may have so many bytes.
///
/// # Errors
/// As [`read`].
pub async fn read_up_to(limit: usize, headers: &HeaderMap, mut body: axum::body::Body) -> Result<Bytes, Failure> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) && headers.contains_key(header::EXPECT) {
        // The client asks before it sends, so it can be told before.
        return Err(Failure::too_large());
    }
    let collect = async {
        let mut whole = BytesMut::new();
        let mut seen = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Failure::invalid("The body broke off"))?;
            let Ok(data) = frame.into_data() else { continue };
            seen += data.len();
            if whole.is_empty() && body.is_end_stream() && seen <= limit {
                return Ok(data);
            }
            if seen <= limit {
                whole.extend_from_slice(&data);
            } else if seen > DRAINED {
                break;
            }
        }
        if seen > limit { Err(Failure::too_large()) } else { Ok(whole.freeze()) }
    };
    let mut collect = std::pin::pin!(collect);
    // Mostly it came together with the head, and there is nothing to time.
    if let Some(read) = collect.as_mut().now_or_never() {
        return read;
    }
    timeout(BODY_TIME, collect).await.unwrap_or_else(|_| Err(Failure::too_slow()))
}

/// A header's text, if it is text.
pub fn header_text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// For the status of a stored answer.
pub fn status(code: i64) -> StatusCode {
    u16::try_from(code).ok().and_then(|code| StatusCode::from_u16(code).ok()).unwrap_or(StatusCode::OK)
}

/// Owned text, cut to what is stored.
pub fn cut(text: Option<&str>, max: usize) -> Option<String> {
    text.map(|text| crate::domain::text::cut(text, max).to_owned())
}

/// The one path parameter, a one-time token.
pub struct PathToken(pub String);

impl FromRequestParts<App> for PathToken {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        path_parameter(parts, app, "token").await.map(Self)
    }
}
