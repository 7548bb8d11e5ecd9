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
        attribution::Touch,
        look::Look,
        money::Rate,
        program::{self, Program},
        text, tracking,
        volume::{self, Caps},
    },
    flows::{self, Refusal, programs},
    store::{self, audit, looks},
};

const TOUCHES: [(&str, &str); 2] = [
    ("last", "The last affiliate who brought the customer"),
    ("first", "The first affiliate who brought the customer"),
];
const COUPONS: [(&str, &str); 2] = [("before", "Before a link"), ("after", "Only where there is no link")];

/// One page of settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Basics,
    Commission,
    Tracking,
    Attribution,
}

pub struct PathPart(Part);

impl FromRequestParts<App> for PathPart {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, app: &App) -> Result<Self, Failure> {
        let part = match path_parameter(parts, app, "part").await?.as_str() {
            "basics" => Part::Basics,
            "commission" => Part::Commission,
            "tracking" => Part::Tracking,
            "attribution" => Part::Attribution,
            _ => return Err(Failure::no_route()),
        };
        Ok(Self(part))
    }
}

#[derive(Template)]
#[template(path = "settings/index.html")]
struct Index {
    program: Arc<Program>,
    tracking: tracking::Settings,
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
    let tracking = store::tracking::settings(&mut tx, me.program.id).await?;
    let look = looks::of(&mut tx, me.program.id).await?;
    let logo = look::Brand::new(&me.program.slug, &look).logo;
    Ok(Reply::page(Index { program: Arc::clone(&me.program), tracking, look, logo, changes }))
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
            Part::Attribution => "Who is credited",
        }
    }
}

/// `GET /m/{program}/settings/{part}`
pub async fn show(me: Configures, State(app): State<App>, PathPart(part): PathPart) -> Result<Reply, Failure> {
    let program = &me.program;
    let landing_url = program.landing_url.as_ref().map_or("", url::Url::as_str);
    let tracking = store::tracking::settings(&mut *app.db.read().await?, program.id).await?;
    let shown = |cap: Option<i64>| cap.map_or(String::new(), |minor| program.currency.of(minor).to_string());
    let form = Form::of(&[
        ("name", &program.name),
        ("commission", &program.rate.to_string()),
        ("customer_cap", &shown(program.caps.customer)),
        ("month_cap", &shown(program.caps.month)),
        ("attribution_days", &program.attribution_days.to_string()),
        ("landing_url", landing_url),
        ("touch", program.touch.as_str()),
        ("bound_days", &program.bound_days.map_or(String::new(), |days| days.to_string())),
        ("coupons", if program.coupon_wins { "before" } else { "after" }),
        ("new_customers_only", if program.new_customers_only { "yes" } else { "" }),
        ("domains", &program.domains.join(", ")),
        ("parameters", &tracking.parameters.join(", ")),
        ("consent", if tracking.needs_consent { "yes" } else { "" }),
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
    let tracking = read_tracking(part, &mut form);
    if !form.is_good() {
        return Ok(Reply::invalid(Page::new(&app, &me.program, part, form)));
    }
    let act = me.act(&app);
    let changed = app
        .db
        .write::<_, Refusal, _>(move |tx| {
            Box::pin(async move {
                let mut changed = programs::change(tx, &act, &after).await?;
                if let Some(tracking) = tracking {
                    changed.extend(flows::tracking::change(tx, &act, &tracking).await?);
                }
                Ok(changed)
            })
        })
        .await?;
    app.caches.sites.forget(&me.program.id);
    let told = program::Difference::told(&changed);
    Ok(Reply::done(format!("/m/{}/settings", me.program.slug), Notice::done(told)))
}

/// What the site's script may do, as the form would have it; of a form that does not ask, nothing.
fn read_tracking(part: Part, form: &mut Form) -> Option<tracking::Settings> {
    if part != Part::Tracking || !form.has("parameters") {
        return None;
    }
    let parameters = form.read("parameters", tracking::parameters)?;
    Some(tracking::Settings { parameters, needs_consent: form.is_checked("consent") })
}

/// The program as the form would have it.
fn read(before: &Program, part: Part, form: &mut Form) -> Option<Program> {
    let mut after = before.clone();
    match part {
        Part::Basics => after.name = form.read("name", |name| text::name(name).map(|()| name.to_owned()))?,
        Part::Commission => {
            let rate = form.read("commission", Rate::parse);
            let mut most = |field| form.read(field, |text| volume::cap(text, before.currency));
            let (customer, month) = (most("customer_cap"), most("month_cap"));
            (after.rate, after.caps) = (rate?, Caps { customer: customer?, month: month? });
        }
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
        Part::Attribution => {
            let touch = form.read("touch", Touch::parse);
            let bound_days = form.read("bound_days", program::bound_days);
            after.coupon_wins = form.read("coupons", |word| match word {
                "before" => Ok(true),
                "after" => Ok(false),
                _ => Err(crate::domain::Issue::new("must be one of before, after")),
            })?;
            after.new_customers_only = form.is_checked("new_customers_only");
            (after.touch, after.bound_days) = (touch?, bound_days?);
        }
    }
    form.is_good().then_some(after)
}
