//! Own static files, embedded in the binary, under names that change with their content.

use std::sync::LazyLock;

use axum::{
    extract::{Request, State},
    http::{HeaderValue, header},
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

/// The stylesheet's parts, in the order in which they give way to each other; the font's own address is
/// known only here.
const STYLES: &str = concat!(
    include_str!("../../static/css/tokens.css"),
    include_str!("../../static/css/base.css"),
    include_str!("../../static/css/shell.css"),
    include_str!("../../static/css/parts.css"),
    include_str!("../../static/css/tables.css"),
    include_str!("../../static/css/pages.css"),
    include_str!("../../static/css/affiliate.css"),
    include_str!("../../static/css/merchant.css"),
    include_str!("../../static/css/print.css"),
);

/// One request for both.
const SCRIPTS: &str =
    concat!(include_str!("../../static/vendor/htmx-4.0.1.min.js"), "\n", include_str!("../../static/app.js"));

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let font = asset("inter", "woff2", "font/woff2", include_bytes!("../../static/inter.woff2"));
    let styles = STYLES.replace("url(inter.woff2)", &format!("url({})", font.path));
    vec![
        asset("app", "css", "text/css; charset=utf-8", styles.leak().as_bytes()),
        asset("app", "js", "text/javascript; charset=utf-8", SCRIPTS.as_bytes()),
        asset("icons", "svg", "image/svg+xml", include_bytes!("../../static/icons.svg")),
        asset("favicon", "svg", "image/svg+xml", include_bytes!("../../static/favicon.svg")),
        font,
    ]
});

/// Where each file is.
#[derive(Debug)]
pub struct Names {
    pub styles: &'static str,
    pub script: &'static str,
    pub icons: &'static str,
    pub favicon: &'static str,
    pub font: &'static str,
}

static NAMES: LazyLock<Names> = LazyLock::new(|| {
    let at = |index: usize| ASSETS[index].path.as_str();
    Names { styles: at(0), script: at(1), icons: at(2), favicon: at(3), font: at(4) }
});

pub fn names() -> &'static Names {
    &NAMES
}

/// Serves the file of this very content; every other name is unknown.
pub async fn show(State(_): State<App>, request: Request) -> Result<Response, Failure> {
    let path = request.uri().path();
    let asset = ASSETS.iter().find(|asset| asset.path == path).ok_or_else(Failure::no_route)?;
    let mut response = asset.bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    Ok(response)
}
