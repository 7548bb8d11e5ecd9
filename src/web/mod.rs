//! The whole route table, and what stands around it.
//!
//! Two trees: `/v1` means bearer key and JSON, the portal means session and markup. A resource's handler
//! serves both; the tree's `front` layer gives what it said its form.

mod affiliates;
mod assets;
mod body;
pub mod caches;
pub mod caller;
mod commissions;
mod conversions;
pub mod failure;
mod guard;
mod health;
mod html;
mod input;
mod json;
mod links;
mod once;
pub mod openapi;
mod program;
mod referrals;
pub mod reply;
pub mod server;
mod sessions;
mod setup;
mod sign_in;

use std::sync::LazyLock;

use axum::{
    Router,
    middleware::from_fn_with_state,
    routing::{get, post},
};
use tower_http::compression::CompressionLayer;
use utoipa::OpenApi as _;
use utoipa_axum::{router::OpenApiRouter, routes};

use self::failure::Failure;
pub use self::html::Shell;
use crate::app::App;

/// Everything under `/v1`, routes and document in one: a route that is not described cannot be mounted.
fn api() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::Document::openapi())
        .routes(routes!(affiliates::index, affiliates::create))
        .routes(routes!(affiliates::show, affiliates::update))
        .routes(routes!(referrals::track))
        .routes(routes!(referrals::convert))
        .routes(routes!(commissions::index))
        .routes(routes!(commissions::decide_many))
        .routes(routes!(commissions::show))
        .routes(routes!(commissions::decide))
        .routes(routes!(conversions::index))
        .routes(routes!(conversions::show))
        .routes(routes!(conversions::refund))
        .routes(routes!(program::show))
        .routes(routes!(openapi::show))
}

/// A merchant's pages, below `/m/{program}`: handlers that `/v1` has too.
fn merchant() -> Router<App> {
    Router::new().route("/affiliates", get(affiliates::index)).route("/commissions", get(commissions::index))
}

fn portal(app: &App) -> Router<App> {
    Router::new()
        .nest("/m/{program}", merchant().layer(from_fn_with_state(app.clone(), html::members)))
        .route("/", get(sign_in::home))
        .route("/home", get(sign_in::home))
        .route("/login", get(sign_in::show).post(sign_in::create))
        .route("/login/link/{token}", get(sign_in::link).post(sign_in::use_link))
        .route("/logout", post(sign_in::destroy))
        .route("/setup", get(setup::show).post(setup::create))
        .route("/p/{program}", get(links::page))
        .fallback(async || Failure::no_route())
        .method_not_allowed_fallback(async || Failure::wrong_method())
        .layer(from_fn_with_state(app.clone(), html::front))
        .layer(sessions::layer(app))
        .layer(CompressionLayer::new())
}

/// No key, no session.
fn public(app: &App) -> Router<App> {
    Router::new()
        .route("/r/{program}/{code}", get(links::follow))
        .route("/healthz", get(health::up))
        .route("/readyz", get(health::ready))
        .route("/static/{file}", get(assets::show).layer(CompressionLayer::new()))
        .method_not_allowed_fallback(async || Failure::wrong_method())
        .layer(from_fn_with_state(app.clone(), guard::front))
}

pub fn router(app: App) -> Router {
    let v1: Router<App> = Router::from(api())
        .fallback(async || Failure::no_route())
        .method_not_allowed_fallback(async || Failure::wrong_method())
        .layer(from_fn_with_state(app.clone(), json::front));
    // Nesting leaves `/v1/` itself to the portal, which would answer it with a page.
    let bare = v1.clone().with_state::<()>(app.clone());
    Router::new().nest("/v1", v1).route_service("/v1/", bare).merge(public(&app)).merge(portal(&app)).with_state(app)
}

/// The OpenAPI document.
pub fn document() -> utoipa::openapi::OpenApi {
    api().into_openapi()
}

/// The document as it is served and printed.
pub fn document_json() -> &'static String {
    static JSON: LazyLock<String> = LazyLock::new(|| document().to_pretty_json().unwrap_or_default());
    &JSON
}
