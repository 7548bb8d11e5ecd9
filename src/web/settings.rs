//! The program's settings, a page for each part, and what a change changed.

use std::sync::Arc;

use askama::Template;
use axum::extract::{FromRequestParts, State};

use super::{
    audit::Told, caller::Configures, failure::Failure, filters, form::Form, input::path_parameter, look, reply::Reply,
    shell::Notice,
};
use crate::{
    app::App,
    domain::{
        look::Look,
        money::Rate,
        program::{self, Program},
        text,
    },
    flows::{Refusal, programs},
    store::{audit, looks},
};

/// One page of settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Basics,
    Commission,
    Tracking,
}

pub struct PathPart(Part);

impl FromRequestParts<App> for PathPart {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, app: &App) -> Result<Self, Failure> {
        let part = match path_parameter(parts, app, "part").await?.as_str() {
            "basics" => Part::Basics,
            "commission" => Part::Commission,
            "tracking" => Part::Tracking,
            _ => return Err(Failure::no_route()),
        };
        Ok(Self(part))
    }
}

#[derive(Template)]
#[template(path = "settings/index.html")]
struct Index {
    program: Arc<Program>,
    look: Look,
    /// Where its logo is.
    logo: Option<String>,
    changes: Vec<Told>,
}

/// How many changes the first page tells.
const LATEST: i64 = 5;

/// `GET /m/{program}/settings`
pub async fn index(me: Configures, State(app): State<App>) -> Result<Reply, Failure> {
    let mut tx = app.db.read().await?;
    let filter = audit::Filter::of(me.program.id.to_string());
    let latest = audit::page(&mut tx, me.program.id, &filter, LATEST).await?;
    let changes = Told::of(&mut tx, latest).await?;
    let look = looks::of(&mut tx, me.program.id).await?;
    let logo = look::Brand::new(&me.program.slug, &look).logo;
    Ok(Reply::page(Index { program: Arc::clone(&me.program), look, logo, changes }))
}

#[derive(Template)]
#[template(path = "settings/part.html")]
struct Page {
    slug: String,
    link_base: String,
    part: Part,
    form: Form,
}

impl Page {
    fn new(app: &App, program: &Program, part: Part, form: Form) -> Self {
        let slug = program.slug.clone();
        Self { link_base: format!("{}r/{slug}/", app.config.base_url), slug, part, form }
    }

    fn title(&self) -> &'static str {
        match self.part {
            Part::Basics => "Basics",
            Part::Commission => "Commission",
            Part::Tracking => "Links and attribution",
        }
    }
}

/// `GET /m/{program}/settings/{part}`
pub async fn show(me: Configures, State(app): State<App>, PathPart(part): PathPart) -> Result<Reply, Failure> {
    let program = &me.program;
    let landing_url = program.landing_url.as_ref().map_or("", url::Url::as_str);
    let form = Form::of(&[
        ("name", &program.name),
        ("commission", &program.rate.to_string()),
        ("attribution_days", &program.attribution_days.to_string()),
        ("landing_url", landing_url),
        ("domains", &program.domains.join(", ")),
    ]);
    Ok(Reply::page(Page::new(&app, program, part, form)))
}

/// `POST /m/{program}/settings/{part}`
pub async fn update(
    me: Configures,
    State(app): State<App>,
    PathPart(part): PathPart,
    mut form: Form,
) -> Result<Reply, Failure> {
    let Some(after) = read(&me.program, part, &mut form) else {
        return Ok(Reply::invalid(Page::new(&app, &me.program, part, form)));
    };
    let act = me.act(&app);
    let changed = app
        .db
        .write::<_, Refusal, _>(move |tx| Box::pin(async move { programs::change(tx, &act, &after).await }))
        .await?;
    let told = program::Difference::told(&changed);
    Ok(Reply::done(format!("/m/{}/settings", me.program.slug), Notice::done(told)))
}

/// The program as the form would have it.
fn read(before: &Program, part: Part, form: &mut Form) -> Option<Program> {
    let mut after = before.clone();
    match part {
        Part::Basics => after.name = form.read("name", |name| text::name(name).map(|()| name.to_owned()))?,
        Part::Commission => after.rate = form.read("commission", Rate::parse)?,
        Part::Tracking => {
            let days = form.read("attribution_days", |days| {
                days.parse()
                    .map_err(|_| crate::domain::Issue::new("must be a number"))
                    .and_then(program::attribution_days)
            });
            let domains = form.read("domains", program::domains);
            after.landing_url = form.read_filled("landing_url", program::landing_url);
            (after.attribution_days, after.domains) = (days?, domains?);
        }
    }
    form.is_good().then_some(after)
}
