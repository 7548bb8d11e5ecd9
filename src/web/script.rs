//! `GET /t.js`: the script for merchants' own sites, the same for every program, so that it may lie in any cache.

use std::sync::LazyLock;

use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};

use crate::{app::App, domain::key::hex};

const SCRIPT: &str = include_str!("../../static/t.js");
/// Weak, because it is the same script in whatever encoding it travels.
static TAG: LazyLock<String> = LazyLock::new(|| format!("W/\"{}\"", hex(&Sha256::digest(SCRIPT)[..8])));

pub async fn show(State(_): State<App>, headers: HeaderMap) -> Response {
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_known = known.split(',').any(|tag| tag.trim() == *TAG);
    let mut response = if is_known { StatusCode::NOT_MODIFIED.into_response() } else { SCRIPT.into_response() };
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
    set(header::CONTENT_TYPE, "text/javascript; charset=utf-8");
    set(header::CACHE_CONTROL, "public, max-age=3600, stale-while-revalidate=86400");
    // Any site may load it: there is nothing in it.
    set(HeaderName::from_static("cross-origin-resource-policy"), "cross-origin");
    set(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    if let Ok(tag) = HeaderValue::from_str(&TAG) {
        headers.insert(header::ETAG, tag);
    }
    response
}
