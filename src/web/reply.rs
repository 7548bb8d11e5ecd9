//! What happened, said once. The tree a request came through decides how it looks: markup or JSON.

use std::sync::Arc;

use askama::Template;
use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::{json_text, shell::Notice};

/// Anything that is data, and markup where a person may see it.
pub trait Page: Send + Sync {
    /// Appends the object that `/v1` answers under `data`.
    fn json(&self, out: &mut String) -> serde_json::Result<()>;
    /// The whole page; `None` where there is no such page.
    fn html(&self, values: &dyn askama::Values) -> Option<askama::Result<String>>;
}

struct View<T>(T);

impl<T: Template + Serialize + Send + Sync> Page for View<T> {
    fn json(&self, out: &mut String) -> serde_json::Result<()> {
        json_text::append(out, &self.0)
    }

    fn html(&self, values: &dyn askama::Values) -> Option<askama::Result<String>> {
        Some(self.0.render_with_values(values))
    }
}

struct Data<T>(T);

impl<T: Serialize + Send + Sync> Page for Data<T> {
    fn json(&self, out: &mut String) -> serde_json::Result<()> {
        json_text::append(out, &self.0)
    }

    fn html(&self, _: &dyn askama::Values) -> Option<askama::Result<String>> {
        None
    }
}

struct Markup<T>(T);

impl<T: Template + Send + Sync> Page for Markup<T> {
    fn json(&self, out: &mut String) -> serde_json::Result<()> {
        out.push_str("null");
        Ok(())
    }

    fn html(&self, values: &dyn askama::Values) -> Option<askama::Result<String>> {
        Some(self.0.render_with_values(values))
    }
}

#[derive(Clone)]
pub enum Reply {
    Show(Arc<dyn Page>),
    /// `at` is the resource's path in the portal and below `/v1` alike, without the program; what has no
    /// address of its own has none.
    Created {
        at: Option<String>,
        page: Arc<dyn Page>,
    },
    /// An earlier answer to the same `Idempotency-Key`, whole.
    Replayed {
        status: StatusCode,
        location: Option<String>,
        body: String,
    },
    /// A page that holds a secret, shown this once and kept by nobody. In the portal only.
    Secret(Arc<dyn Page>),
    /// A form again, with what is wrong with it. In the portal only.
    Invalid(Arc<dyn Page>),
    /// Somewhere else, in the portal only.
    Go(String),
    /// Done; on the next page, which is the one that the form was on unless another is named, `notice`
    /// says so. In the portal only.
    Done {
        to: Option<String>,
        notice: Notice,
    },
}

impl Reply {
    /// A page that is both.
    pub fn show(page: impl Template + Serialize + Send + Sync + 'static) -> Self {
        Self::Show(Arc::new(View(page)))
    }

    /// Data that only programs ask for.
    pub fn data(data: impl Serialize + Send + Sync + 'static) -> Self {
        Self::Show(Arc::new(Data(data)))
    }

    /// A page that only browsers have.
    pub fn page(page: impl Template + Send + Sync + 'static) -> Self {
        Self::Show(Arc::new(Markup(page)))
    }

    /// A page that holds a secret.
    pub fn secret(page: impl Template + Send + Sync + 'static) -> Self {
        Self::Secret(Arc::new(Markup(page)))
    }

    /// The form again, with its errors.
    pub fn invalid(page: impl Template + Send + Sync + 'static) -> Self {
        Self::Invalid(Arc::new(Markup(page)))
    }

    /// Done, and on to that page.
    pub fn done(to: impl Into<String>, notice: Notice) -> Self {
        Self::Done { to: Some(to.into()), notice }
    }

    /// Done, and back to the page that the form was on.
    pub fn done_here(notice: Notice) -> Self {
        Self::Done { to: None, notice }
    }

    pub fn created(at: String, data: impl Serialize + Send + Sync + 'static) -> Self {
        Self::Created { at: Some(at), page: Arc::new(Data(data)) }
    }

    pub fn recorded(data: impl Serialize + Send + Sync + 'static) -> Self {
        Self::Created { at: None, page: Arc::new(Data(data)) }
    }
}

/// The status stands until the tree's front gives the reply its form: a forgotten one is loud.
impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
