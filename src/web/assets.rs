//! Own static files, embedded in the binary, under names that change with their content.

use std::sync::LazyLock;

use axum::{
    extract::State,
    http::{HeaderValue, Request, header},
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};

use super::failure::Failure;
use crate::{app::App, domain::key::hex};

struct Asset {
    path: String,
    kind: &'static str,
    bytes: &'static [u8],
}

fn asset(name: &str, extension: &str, kind: &'static str, bytes: &'static [u8]) -> Asset {
    let hash = hex(&Sha256::digest(bytes)[..6]);
    Asset { path: format!("/static/{name}-{hash}.{extension}"), kind, bytes }
}

static STYLESHEET: LazyLock<Asset> =
    LazyLock::new(|| asset("app", "css", "text/css; charset=utf-8", include_bytes!("../../static/app.css")));

pub fn stylesheet() -> &'static str {
    &STYLESHEET.path
}

/// Serves the file of this very content; every other name is unknown.
pub async fn show(State(_): State<App>, request: Request<axum::body::Body>) -> Result<Response, Failure> {
    let asset = Some(&*STYLESHEET).filter(|asset| asset.path == request.uri().path()).ok_or_else(Failure::no_route)?;
    let mut response = asset.bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    Ok(response)
}
