//! The API reference as a page, made from the same document that `/v1/openapi.json` serves.

mod reference;
mod samples;

use askama::Template;
use axum::extract::State;

use self::{
    reference::{Operation, Section},
    samples::Language,
};
use super::{failure::Failure, filters, input::Query, reply::Reply};
use crate::app::App;

#[derive(Template)]
#[template(path = "docs/api.html")]
struct Reference {
    base: String,
    language: Language,
    sections: &'static [Section],
}

impl Reference {
    fn sample(&self, operation: &Operation) -> String {
        samples::sample(self.language, &self.base, operation)
    }
}

/// `GET /docs/api?lang=curl`
pub async fn show(State(app): State<App>, query: Query) -> Result<Reply, Failure> {
    let language = query.get("lang").and_then(Language::parse).unwrap_or(Language::Curl);
    Ok(Reply::page(Reference { base: app.config.base_url.to_string(), language, sections: reference::sections() }))
}
