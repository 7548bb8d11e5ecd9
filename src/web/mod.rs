//! The whole route table, and what stands around it.
//!
//! Two trees: `/v1` means bearer key and JSON, the portal means session and markup. A resource's handler
//! serves both; the tree's `front` gives what it said its form.

mod account;
mod affiliate;
mod affiliates;
mod applicants;
mod application_settings;
mod applications;
mod assets;
mod audit;
mod balances;
mod body;
pub mod caches;
pub mod caller;
mod challenge;
mod chart;
mod claims;
mod client;
mod commissions;
mod confirm;
mod conversions;
mod coupons;
mod credentials;
mod csv;
mod desk;
mod destinations;
mod docs;
mod earner;
pub mod failure;
mod filters;
mod form;
mod groups;
mod guard;
mod health;
mod home;
mod hooks;
mod html;
mod imports;
mod input;
mod invitations;
mod invoices;
mod joining;
mod json;
mod json_text;
mod keys;
mod link_cookie;
mod links;
mod look;
mod mail_texts;
pub mod menu;
mod once;
pub mod openapi;
mod paper;
mod payments;
mod payouts;
mod program;
mod provider_inbox;
mod public;
mod qr;
mod referrals;
pub mod reply;
mod reset;
mod rules;
mod script;
mod search;
pub mod server;
mod session;
mod sessions;
mod settings;
mod setup;
pub mod shell;
mod sign_in;
mod site;
mod sites;
mod standing;
mod tax;
mod tax_settings;
mod team;
mod team_invitation;
mod throttle;
mod tracking;
mod trees;
mod two_step;
mod unsubscribe;
mod upload;
mod visits;

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
pub use self::{links::know_programs, trees::Trees};
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
        .routes(routes!(coupons::index, coupons::create))
        .routes(routes!(coupons::show, coupons::update))
        .routes(routes!(payouts::index, payouts::create))
        .routes(routes!(payouts::show))
        .routes(routes!(payouts::decide))
        .routes(routes!(payouts::decide_line))
        .routes(routes!(balances::show))
        .routes(routes!(balances::adjust))
        .routes(routes!(program::show))
        .routes(routes!(openapi::show))
}

/// A router, and its routes as words, so that a test can ask for a line on who may do each.
macro_rules! pages {
    ($(#[$meta:meta])* $name:ident as $words:ident $(.route($path:literal, $methods:expr))*) => {
        $(#[$meta])*
        fn $name() -> Router<App> {
            Router::new()$(.route($path, $methods))*
        }

        /// The routes of the same name: each path with its methods and handlers.
        pub const $words: &[(&str, &str)] = &[$(($path, stringify!($methods))),*];
    };
}

pages! {
    /// A merchant's pages, below `/m/{program}`: handlers that `/v1` has too. Each method has its line in
    /// `tests/it/page_access.rs`.
    merchant as MERCHANT
        .route("/affiliates", get(desk::affiliates::index))
        .route("/affiliates/export", get(desk::affiliates::export))
        .route("/affiliates/columns", post(desk::affiliates::choose))
        .route("/affiliates/status", get(desk::affiliates::ask).post(desk::affiliates::set))
        .route("/affiliates/group", post(groups::assign))
        .route("/affiliates/{id}", get(desk::affiliate::show))
        .route("/affiliates/{id}/statement.pdf", get(desk::affiliate::statement))
        .route("/affiliates/{id}/tax-form", post(desk::tax::check))
        .route("/affiliates/{id}/edit", get(desk::affiliate_edit::edit).post(desk::affiliate_edit::update))
        .route("/affiliates/{id}/rates", post(desk::affiliate::set_rate))
        .route("/affiliates/{id}/notes", post(desk::affiliate::note))
        .route("/affiliates/{id}/coupons", post(desk::coupons::create))
        .route("/coupons/{id}/archive", post(desk::coupons::archive))
        .route("/coupons/{id}/restore", post(desk::coupons::restore))
        .route("/", get(desk::home::show))
        .route("/commissions", get(desk::queue::index))
        .route("/commissions/decision", get(desk::decisions::new).post(desk::decisions::create))
        .route("/commissions/decided", get(desk::decisions::index))
        .route("/commissions/decided/{id}/undo", post(desk::decisions::undo))
        .route("/commissions/{id}", get(desk::commission::show))
        .route("/commissions/{id}/refunds", post(desk::commission::refund))
        .route("/payouts", get(desk::payouts::index).post(desk::payout_preview::create))
        .route("/payouts/new", get(desk::payout_preview::new))
        .route("/payouts/confirm", get(desk::payout_preview::ask))
        .route("/payouts/reconciliation", get(desk::reconciliation::show))
        .route("/payouts/years/{year}", get(desk::years::file))
        .route("/payouts/invoices", get(desk::invoices::index))
        .route("/payouts/invoices/{id}/invoice.pdf", get(desk::invoices::file))
        .route("/payouts/{id}", get(desk::payouts::show))
        .route("/payouts/{id}/status", post(desk::payouts::decide))
        .route("/payouts/{id}/results", post(desk::payout_files::results))
        .route("/payouts/{id}/files", get(desk::payout_files::index))
        .route("/payouts/{id}/files/{format}", get(desk::payout_files::download))
        .route("/payouts/{id}/lines/{line}", get(desk::payouts::line).post(desk::payouts::decide_line))
        .route("/payouts/{id}/lines/{line}/advice.pdf", get(desk::payouts::advice))
        .route("/affiliates/{id}/view", post(affiliate::viewing::start))
        .route("/affiliates/{id}/view/end", post(affiliate::viewing::end))
        .route("/claims", get(claims::index))
        .route("/claims/{id}", get(claims::show))
        .route("/claims/{id}/acceptance", post(claims::accept))
        .route("/claims/{id}/refusal", post(claims::decline))
        .route("/settings", get(settings::index))
        .route("/rules", get(rules::index).post(rules::create))
        .route("/groups", get(groups::index).post(groups::create))
        .route("/groups/{id}", get(groups::show).post(groups::change))
        .route("/groups/{id}/archive", post(groups::archive))
        .route("/groups/{id}/restore", post(groups::restore))
        .route("/rules/{id}/end", post(rules::end))
        .route("/settings/{part}", get(settings::show).post(settings::update))
        .route("/site", get(site::show))
        .route("/site/check", get(site::check).post(site::start_check))
        .route("/site/check/sale", post(site::test_sale))
        .route("/site/allowed", post(site::allow))
        .route("/keys", get(keys::index).post(keys::create))
        .route("/keys/{id}/revocation", post(keys::revoke))
        .route("/payments", get(payments::index))
        .route("/payments/{provider}", get(payments::show).post(payments::connect))
        .route("/payments/{provider}/disconnection", post(payments::disconnect))
        .route("/payments/events", get(provider_inbox::index))
        .route("/payments/events/{id}", get(provider_inbox::show))
        .route("/payments/events/{id}/run", post(provider_inbox::run))
        .route("/audit", get(audit::index))
        .route("/audit/export", get(audit::export))
        .route("/search", get(search::index))
        .route("/affiliates/invite", get(invitations::show).post(invitations::send))
        .route("/affiliates/{id}/invitation", post(invitations::invite_affiliate))
        .route("/invitations/{id}/mail", post(invitations::send_again))
        .route("/invitations/{id}/withdrawal", post(invitations::withdraw))
        .route("/affiliates/import", get(imports::affiliates).post(imports::choose_affiliates))
        .route("/sales/import", get(imports::sales).post(imports::choose_sales))
        .route("/imports/{id}", get(imports::look::show).post(imports::look::confirm))
        .route("/imports/{id}/rows.csv", get(imports::look::bad_rows))
        .route("/imports/{id}/discard", post(imports::look::discard))
        .route("/applications", get(applications::index))
        .route("/applications/{id}", get(applications::show))
        .route("/applications/{id}/approval", post(applications::approve))
        .route("/applications/{id}/rejection", post(applications::reject))
        .route("/applications/{id}/reopening", post(applications::reopen))
        .route("/settings/mails", get(mail_texts::index))
        .route("/settings/mails/{kind}", get(mail_texts::show).post(mail_texts::save))
        .route("/settings/mails/{kind}/test", post(mail_texts::test))
        .route("/settings/tax", get(tax_settings::show).post(tax_settings::save))
        .route("/settings/look", get(look::show).post(look::save))
        .route("/settings/applications", get(application_settings::show).post(application_settings::save))
        .route("/team", get(team::index))
        .route("/team/invite", get(team::invite).post(team::send_invitation))
        .route("/team/invitations/resend", post(team::resend))
        .route("/team/invitations/withdraw", post(team::withdraw))
        .route("/team/leave", get(team::ask_to_leave).post(team::leave))
        .route("/team/{id}", get(team::show).post(team::change_role))
        .route("/team/{id}/remove", post(team::remove))
}

/// An affiliate's pages.
fn affiliate() -> Router<App> {
    use affiliate::{claims, earning, earnings, invoices, links, payouts, settings, tax};
    Router::new()
        .route("/home", get(home::show))
        .route("/links", get(links::index).post(links::create))
        .route("/links/{id}", post(links::rename))
        .route("/links/{id}/archive", post(links::archive))
        .route("/links/{id}/restore", post(links::restore))
        .route("/links/{code}/qr.svg", get(links::picture))
        .route("/earnings", get(earnings::index))
        .route("/earnings.csv", get(earnings::file))
        .route("/earnings/statement", get(earnings::statement))
        .route("/earnings/statement.pdf", get(earnings::statement_file))
        .route("/earnings/claims", get(claims::index).post(claims::create))
        .route("/earnings/{id}", get(earning::show))
        .route("/payouts", get(payouts::index))
        .route("/payouts/request", post(payouts::ask))
        .route("/payouts/invoices", get(invoices::index))
        .route("/payouts/invoices/{id}/invoice.pdf", get(invoices::file))
        .route("/payouts/{which}", get(payouts::show))
        .route("/payouts/{which}/advice.pdf", get(payouts::advice))
        .route("/settings", get(settings::show))
        .route("/settings/payment", get(settings::ask_how).post(settings::pay_by))
        .route("/settings/payment/removal", post(settings::forget_how))
        .route("/settings/profile", post(settings::rename))
        .route("/settings/tax", get(tax::show).post(tax::save))
        .route("/settings/self-billing", get(tax::show_agreement).post(tax::agree))
        .route("/settings/self-billing/withdrawal", post(tax::withdraw))
}

fn portal(app: &App) -> Router<App> {
    Router::new()
        .nest("/m/{program}", merchant().layer(from_fn_with_state(app.clone(), html::members)))
        .merge(affiliate().layer(from_fn_with_state(app.clone(), earner::admit)))
        .route("/", get(sign_in::start))
        .route("/login", get(sign_in::show).post(sign_in::create))
        .route("/login/link", post(sign_in::send_link))
        .route("/login/code", get(challenge::show).post(challenge::create))
        .route("/forgot", get(reset::ask).post(reset::send))
        .route("/forgot/{token}", get(reset::show).post(reset::create))
        .route("/account", get(account::show).post(account::update))
        .route("/account/mails", post(account::choose_mails))
        .route("/account/sessions/end", post(account::end_session))
        .route("/account/sessions/end-all", post(account::end_sessions))
        .route("/account/password", get(credentials::password).post(credentials::change_password))
        .route("/account/email", get(credentials::email).post(credentials::change_email))
        .route("/account/two-step", get(two_step::show).post(two_step::confirm))
        .route("/account/two-step/begin", post(two_step::begin))
        .route("/account/two-step/codes", post(two_step::renew))
        .route("/account/two-step/end", post(two_step::end))
        .route("/invitations/team/{token}", get(team_invitation::show).post(team_invitation::accept))
        .route("/confirm/{token}", get(credentials::show_email).post(credentials::confirm_email))
        .route("/confirm", get(confirm::show).post(confirm::create))
        .route("/login/link/{token}", get(sign_in::link).post(sign_in::use_link))
        .route("/logout", post(sign_in::destroy))
        .route("/switch", post(sign_in::switch))
        .route("/setup", get(setup::show).post(setup::create))
        .route("/p/{program}", get(public::page))
        .route("/p/{program}/terms", get(public::terms))
        .route("/p/{program}/apply", get(public::apply).post(public::send))
        .route("/p/{program}/apply/sent", get(public::sent))
        .route("/applications/confirm/{token}", get(joining::confirmation).post(joining::confirm))
        .route("/invitations/affiliate/{token}", get(joining::invitation).post(joining::accept))
        .route("/docs/api", get(docs::show))
        .fallback(html::nowhere)
        .method_not_allowed_fallback(async || Failure::wrong_method())
        .layer(from_fn_with_state(app.clone(), html::front))
        .layer(sessions::layer(app))
        .layer(CompressionLayer::new())
}

/// What affiliates share: no key, no session, and nothing around it that takes time.
fn links() -> Router<App> {
    Router::new()
        .route("/r/{program}/{code}", get(links::follow))
        .method_not_allowed_fallback(async || Failure::wrong_method())
}

/// No key, no session.
fn public() -> Router<App> {
    Router::new()
        .route("/t.js", get(script::show).layer(CompressionLayer::new()))
        .route("/t/click", post(tracking::click).options(tracking::preflight))
        .route("/t/lead", post(tracking::lead).options(tracking::preflight))
        .route("/hooks/{program}/{provider}", post(hooks::receive))
        .route("/unsubscribe/{token}", get(unsubscribe::show).post(unsubscribe::create))
        .route("/healthz", get(health::up))
        .route("/readyz", get(health::ready))
        .route("/brand/{program}/{file}", get(look::file))
        .route("/static/{file}", get(assets::show).layer(CompressionLayer::new()))
        .method_not_allowed_fallback(async || Failure::wrong_method())
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
