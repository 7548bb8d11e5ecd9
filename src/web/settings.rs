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
        Issue,
        affiliate::PaymentMethod,
        attribution::Touch,
        bank::Account,
        look::Look,
        money::{Money, Rate},
        payout,
        program::{self, Program},
        signals, tax, text, tracking,
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
    Payouts,
    Review,
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
            "payouts" => Part::Payouts,
            "review" => Part::Review,
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
    payouts: payout::Settings,
    minimum: Money,
    tax: tax::settings::Settings,
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
    let payouts = store::payouts::settings(&mut tx, me.program.id).await?;
    let minimum = me.program.currency.of(payouts.minimum);
    let tax = store::tax::settings(&mut tx, me.program.id).await?;
    let look = looks::of(&mut tx, me.program.id).await?;
    let logo = look::Brand::new(&me.program.slug, &look).logo;
    Ok(Reply::page(Index { program: Arc::clone(&me.program), tracking, look, payouts, minimum, tax, logo, changes }))
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
    fn schedules() -> [(&'static str, &'static str); 4] {
        payout::Schedule::ALL.map(|schedule| (schedule.as_str(), schedule.label()))
    }

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
            Part::Payouts => "Payouts",
            Part::Review => "Held for review",
        }
    }
}

/// `GET /m/{program}/settings/{part}`
pub async fn show(me: Configures, State(app): State<App>, PathPart(part): PathPart) -> Result<Reply, Failure> {
    let program = &me.program;
    let landing_url = program.landing_url.as_ref().map_or("", url::Url::as_str);
    let mut tx = app.db.read().await?;
    let tracking = store::tracking::settings(&mut tx, program.id).await?;
    let payouts = store::payouts::settings(&mut tx, program.id).await?;
    let most = payouts.auto_approve_most.map_or(String::new(), |most| program.currency.of(most).to_string());
    let (payer, account) =
        payouts.payer.as_ref().map_or_else(Default::default, |payer| (payer.name.clone(), payer.account.to_string()));
    let yes = |is: bool| if is { "yes" } else { "" };
    let mut values = vec![
        ("hold_days", program.hold_days.to_string()),
        ("minimum", program.currency.of(payouts.minimum).to_string()),
        ("schedule", payouts.schedule.to_string()),
        ("net_days", if payouts.net_days == 0 { String::new() } else { payouts.net_days.to_string() }),
        ("may_request", yes(payouts.may_request).into()),
        ("auto_approve", yes(payouts.auto_approve).into()),
        ("auto_approve_most", most),
        ("name_on_the_account", payer),
        ("IBAN", account),
    ];
    values.extend(payouts.methods.iter().map(|method| ("methods", method.to_string())));
    let (rate, days) = (program.rate.to_string(), program.attribution_days.to_string());
    let bound_days = program.bound_days.map_or(String::new(), |days| days.to_string());
    let (domains, parameters) = (program.domains.join(", "), tracking.parameters.join(", "));
    let banned = program.signals.banned_referrers.join(", ");
    let hourly = program.signals.hourly_sales.map_or(String::new(), |most| most.to_string());
    let cap = |cap: Option<i64>| cap.map_or(String::new(), |minor| program.currency.of(minor).to_string());
    let (customer_cap, month_cap) = (cap(program.caps.customer), cap(program.caps.month));
    let mut form = vec![
        ("name", program.name.as_str()),
        ("commission", &rate),
        ("customer_cap", &customer_cap),
        ("month_cap", &month_cap),
        ("attribution_days", &days),
        ("landing_url", landing_url),
        ("touch", program.touch.as_str()),
        ("bound_days", &bound_days),
        ("coupons", if program.coupon_wins { "before" } else { "after" }),
        ("new_customers_only", if program.new_customers_only { "yes" } else { "" }),
        ("ads_allowed", yes(program.signals.ads_allowed)),
        ("banned_referrers", &banned),
        ("hourly_sales", &hourly),
        ("domains", &domains),
        ("parameters", &parameters),
        ("consent", if tracking.needs_consent { "yes" } else { "" }),
    ];
    form.extend(values.iter().map(|(name, value)| (*name, value.as_str())));
    let form = Form::of(&form);
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
    let payouts = if part == Part::Payouts { read_payouts(&me.program, &mut form) } else { None };
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
                if let Some(payouts) = payouts {
                    changed.extend(flows::payouts::change_settings(tx, &act, &payouts).await?);
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

/// How it pays, as the form would have it.
fn read_payouts(program: &Program, form: &mut Form) -> Option<payout::Settings> {
    let minimum = form.read("minimum", |text| program.currency.amount(text));
    let schedule = form.read("schedule", payout::Schedule::parse);
    let net_days = form.read_filled("net_days", payout::net_days).unwrap_or_default();
    if net_days > 0 && schedule != Some(payout::Schedule::Monthly) {
        form.wrong("net_days", "goes with monthly payouts only");
    }
    let most = form.read_filled("auto_approve_most", |text| program.currency.amount(text));
    let methods: Vec<_> = PaymentMethod::ALL.into_iter().filter(|method| form.is("methods", method.as_str())).collect();
    if methods.is_empty() {
        form.wrong("methods", "must be one at least");
    }
    let payer = if form.filled("name_on_the_account").is_some() || form.filled("IBAN").is_some() {
        let name = form.read("name_on_the_account", |name| text::bounded(name, 1, 70).map(|()| name.to_owned()));
        let account = form.read("IBAN", |text| {
            Account::parse(text)?.ok_or(Issue::new("must be valid, with the BIC behind it if you like"))
        });
        name.zip(account).map(|(name, account)| payout::Payer { name, account })
    } else {
        None
    };
    if !form.is_good() {
        return None;
    }
    Some(payout::Settings {
        minimum: minimum?.minor,
        schedule: schedule?,
        schedule_since: 0,
        net_days,
        may_request: form.is_checked("may_request"),
        auto_approve: form.is_checked("auto_approve"),
        auto_approve_most: most.map(|money| money.minor),
        methods,
        payer,
    })
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
                days.parse().map_err(|_| Issue::new("must be a number")).and_then(program::attribution_days)
            });
            let domains = form.read("domains", program::domains);
            after.landing_url = form.read_filled("landing_url", program::landing_url);
            (after.attribution_days, after.domains) = (days?, domains?);
        }
        Part::Payouts => after.hold_days = form.read("hold_days", payout::hold_days)?,
        Part::Review => {
            let banned_referrers = form.read("banned_referrers", signals::banned_referrers);
            let hourly_sales = form.read("hourly_sales", signals::hourly_sales);
            let ads_allowed = form.is_checked("ads_allowed");
            after.signals =
                signals::Settings { ads_allowed, banned_referrers: banned_referrers?, hourly_sales: hourly_sales? };
        }
        Part::Attribution => {
            let touch = form.read("touch", Touch::parse);
            let bound_days = form.read("bound_days", program::bound_days);
            after.coupon_wins = form.read("coupons", |word| match word {
                "before" => Ok(true),
                "after" => Ok(false),
                _ => Err(Issue::new("must be one of before, after")),
            })?;
            after.new_customers_only = form.is_checked("new_customers_only");
            (after.touch, after.bound_days) = (touch?, bound_days?);
        }
    }
    form.is_good().then_some(after)
}
