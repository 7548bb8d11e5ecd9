//! The program that a key belongs to.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::{caller::Reads, failure::Failure, reply::Reply};
use crate::{
    app::App,
    domain::{id::ProgramId, program::Program},
};

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Program)]
pub struct Settings {
    #[schema(value_type = String, example = "prog_0e2x4b8m6n0pq")]
    id: ProgramId,
    slug: String,
    name: String,
    #[schema(example = "USD")]
    currency: &'static str,
    #[schema(example = "20%")]
    commission: String,
    attribution_days: i64,
    landing_url: Option<String>,
    domains: Vec<String>,
    /// What stands before an affiliate's code in their link.
    link_base: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ProgramEnvelope)]
pub struct Show {
    program: Settings,
}

/// Get the program's settings.
#[utoipa::path(get, operation_id = "getProgram", path = "/program", tag = "Program",
    responses((status = 200, description = "The program", body = super::openapi::Envelope<Show>), super::openapi::Errors))]
pub async fn show(me: Reads, State(app): State<App>) -> Result<Reply, Failure> {
    let Program { id, slug, name, currency, rate, attribution_days, landing_url, domains, .. } = &*me.program;
    let program = Settings {
        id: *id,
        name: name.clone(),
        currency: currency.code(),
        commission: rate.to_string(),
        attribution_days: *attribution_days,
        landing_url: landing_url.as_ref().map(ToString::to_string),
        domains: domains.clone(),
        link_base: format!("{}r/{slug}/", app.config.base_url),
        slug: slug.clone(),
    };
    Ok(Reply::data(Show { program }))
}
