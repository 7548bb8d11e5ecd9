//! What went wrong, said once: the only type that knows statuses and error codes.

use std::borrow::Cow;

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{
    domain::{
        Issue,
        id::{Id, Kind},
    },
    flows::Refusal,
    store,
};

/// The reference's six error codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    AuthenticationError,
    PermissionDenied,
    ResourceNotFound,
    InvalidRequest,
    RateLimitExceeded,
    ServerError,
}

#[derive(Debug, Clone, serde::Serialize, utoipa::ToSchema)]
pub struct Details {
    #[schema(example = "affiliateId")]
    pub field: Cow<'static, str>,
    #[schema(example = "must be a string beginning with 'aff_'")]
    pub issue: Cow<'static, str>,
}

#[derive(Debug, Clone)]
pub struct Failure {
    pub status: StatusCode,
    pub code: Code,
    pub message: Cow<'static, str>,
    pub details: Option<Details>,
    pub header: Option<(HeaderName, HeaderValue)>,
}

impl Failure {
    fn new(status: StatusCode, code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, message: message.into(), details: None, header: None }
    }

    fn with(mut self, name: HeaderName, value: impl Into<HeaderValue>) -> Self {
        self.header = Some((name, value.into()));
        self
    }

    /// No key, or one that is not good.
    pub fn unauthenticated(message: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, Code::AuthenticationError, message)
            .with(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    pub fn forbidden(message: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, Code::PermissionDenied, message)
    }

    pub fn not_found(noun: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, Code::ResourceNotFound, format!("No such {noun}"))
    }

    pub fn no_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, Code::ResourceNotFound, "There is nothing at this address")
    }

    /// The router adds `Allow`.
    pub fn wrong_method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, Code::InvalidRequest, "This address does not take this method")
    }

    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Code::InvalidRequest, message)
    }

    pub fn field(field: impl Into<Cow<'static, str>>, issue: impl Into<Cow<'static, str>>) -> Self {
        let (field, issue) = (field.into(), issue.into());
        let message = format!("Invalid {field}: {issue}");
        Self { details: Some(Details { field, issue }), ..Self::invalid(message) }
    }

    /// An id that is none, in the reference's own words.
    pub fn malformed_id<K: Kind>(issue: Issue) -> Self {
        Self { message: format!("Invalid {} ID format", K::NOUN).into(), ..Self::field(K::FIELD, issue.0) }
    }

    pub fn too_large() -> Self {
        let message = "The body is larger than 256 KiB";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, Code::InvalidRequest, message)
    }

    pub fn not_json() -> Self {
        let message = "The body must be sent with Content-Type: application/json";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::InvalidRequest, message)
    }

    pub fn too_slow() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, Code::InvalidRequest, "The body did not arrive in time")
            .with(header::CONNECTION, HeaderValue::from_static("close"))
    }

    pub fn still_running() -> Self {
        Self::field("Idempotency-Key", "belongs to a request that is still running; try again")
            .with(header::RETRY_AFTER, 1)
    }

    pub fn limited(retry_after: i64) -> Self {
        let message = "Too many requests; try again later";
        Self::new(StatusCode::TOO_MANY_REQUESTS, Code::RateLimitExceeded, message)
            .with(header::RETRY_AFTER, retry_after)
    }

    /// Too many attempts at something that a person does by hand.
    pub fn too_many(retry_after: i64) -> Self {
        let wait = match (retry_after + 59) / 60 {
            0 | 1 => "a minute".to_owned(),
            minutes => format!("{minutes} minutes"),
        };
        let message = format!("Too many attempts. Nothing was changed; try again in {wait}");
        Self::new(StatusCode::TOO_MANY_REQUESTS, Code::RateLimitExceeded, message)
            .with(header::RETRY_AFTER, retry_after)
    }

    /// The cause is for the log only; `web::guard` adds the request's id.
    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, Code::ServerError, "Something went wrong on our side")
    }

    pub fn unavailable() -> Self {
        let message = "The service is not available at the moment; try again";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, Code::ServerError, message).with(header::RETRY_AFTER, 1)
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        if error.is_passing() {
            tracing::warn!(%error, "the database is not available");
            Self::unavailable()
        } else {
            tracing::error!(%error, "the database refused");
            Self::internal()
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Field { field, issue } => Self::field(field, issue.0),
            Refusal::NotFound(noun) => Self::not_found(noun),
            Refusal::Credit(refusal) => Self::field(refusal.field(), refusal.to_string()),
            Refusal::Store(error) => error.into(),
        }
    }
}

/// Reads an id out of a path, a query or a body.
///
/// # Errors
/// 400 in the reference's words.
pub fn id<K: Kind>(text: &str) -> Result<Id<K>, Failure> {
    Id::parse(text).map_err(Failure::malformed_id::<K>)
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
