//! One affiliate: figures, commissions, codes, customers, notes, what happened, and what can be changed.

use askama::Template;
use axum::{extract::State, response::Response};
use jiff::tz::TimeZone;

use super::{account, actor, affiliates::Row, queue::Row as Commission};
use crate::{
    app::App,
    domain::{
        affiliate::{OwnRate, own_since, rate_at},
        id::{self, AffiliateId, GroupId, Id},
        money::{Money, Rate},
        period::Period,
        program::Program,
        role::Permission,
        rules, text,
        time::Time,
    },
    flows::{affiliates as flow, payment_details},
    store::{
        self, audit,
        coupons::{self, Coupon},
        groups::{self, Group},
        queue::{self, Filter, Only, Sums},
        roster::{self, Customer, Note},
        volume::{self, Hold},
    },
    web::{
        caller::{Caller, Configures, ManagesAffiliates, Reads},
        failure::Failure,
        filters,
        form::Form,
        input::{PathId, Query},
        paper,
        reply::Reply,
        shell::Notice,
        tax::Card,
    },
};

const TABS: [(&str, &str); 6] = [
    ("", "Overview"),
    ("commissions", "Commissions"),
    ("links", "Links & coupons"),
    ("customers", "Customers"),
    ("notes", "Notes"),
    ("activity", "Activity"),
];
/// As many as a page shows.
const MOST_COUPONS: i64 = 200;

struct Link {
    code: String,
    address: String,
    is_current: bool,
    since: Time,
}

struct Event {
    at: Time,
    what: String,
    by: String,
    changes: Option<String>,
}

#[derive(Template)]
#[template(path = "merchant/affiliate.html")]
pub(super) struct Show {
    slug: String,
    row: Row,
    tab: &'static str,
    sums: Sums,
    has_account: bool,
    payment_details: Option<String>,
    /// The least that is paid out to them, where it is their own.
    minimum: Option<Money>,
    commissions: Vec<Commission>,
    links: Vec<Link>,
    coupons: Vec<Coupon>,
    customers: Vec<Customer>,
    notes: Vec<Note>,
    events: Vec<Event>,
    form: Form,
    /// What a sale earns now, the program's own, and what is to come, soonest first.
    rate: Rate,
    program_rate: Rate,
    coming: Vec<(Time, Rate)>,
    /// The rules that hold for them.
    rules: Vec<rules::Told>,
    /// Those that are in use, for whoever may choose, and the one that they are in.
    groups: Vec<Group>,
    group: Option<GroupId>,
    statements: Vec<(Period, &'static str)>,
    tax: Card,
    may_manage: bool,
    may_configure: bool,
}

/// Where their links and coupons are.
pub(super) fn links(program: &Program, id: AffiliateId) -> String {
    format!("/m/{}/affiliates/{id}?tab=links", program.slug)
}

impl Show {
    fn path(&self) -> String {
        format!("/m/{}/affiliates/{}", self.slug, self.row.line.id)
    }

    fn status_in_words(&self) -> &'static str {
        match self.row.line.status.as_str() {
            "active" => "Earns, and can be paid",
            "pending" => "Counts, but nothing can be approved before you activate them",
            _ => "Earns nothing more; what was earned stays theirs",
        }
    }
}

pub async fn show(
    me: Reads,
    State(app): State<App>,
    PathId(id): PathId<id::Affiliate>,
    query: Query,
) -> Result<Reply, Failure> {
    let tab = query.get("tab").unwrap_or_default();
    let tab = TABS.iter().map(|(word, _)| *word).find(|word| *word == tab).ok_or_else(Failure::no_route)?;
    Ok(Reply::page(page(&app, &me, id, tab, Form::default()).await?))
}

/// `GET /m/{program}/affiliates/{id}/statement.pdf`: as they have it themselves.
pub async fn statement(
    me: Reads,
    State(app): State<App>,
    PathId(id): PathId<id::Affiliate>,
    query: Query,
) -> Result<Response, Failure> {
    paper::statement(&app, &me.program, id, &query).await
}

/// The periods that a statement is asked of most.
fn statements(now: Time) -> Vec<(Period, &'static str)> {
    let month = Period::month_of(now, &TimeZone::UTC);
    let all = [(month.step(-1), "Last month"), (Some(month), "This month"), (month.year(), "This year")];
    all.into_iter().filter_map(|(period, words)| Some((period?, words))).collect()
}

pub(super) async fn page(
    app: &App,
    me: &Caller,
    id: AffiliateId,
    tab: &'static str,
    form: Form,
) -> Result<Show, Failure> {
    let (program, currency, now) = (me.program.id, me.program.currency, app.clock.now());
    let mut tx = app.db.read().await?;
    let unknown = || Failure::not_found("affiliate");
    let line = roster::one(&mut tx, program, id).await?.ok_or_else(unknown)?;
    let details = store::affiliates::details(&mut tx, program, id).await?.ok_or_else(unknown)?;
    let own = store::rates::of(&mut tx, id).await?;
    let to_come = own.iter().filter(|own| own.starts_at > now);
    let mut coming: Vec<_> = to_come.map(|own| (own.starts_at, own.rate.unwrap_or(me.program.rate))).collect();
    coming.reverse();
    let group = groups::of_affiliate(&mut tx, id).await?;
    let whose = (id, group.as_ref().map(|group| group.id));
    let needs = rules::Needs::of(&me.program.rules, me.program.caps, whose, now);
    let so_far = volume::so_far(&mut tx, id, needs, now, Hold::Loosely).await?;
    let has_own = own_since(&own, now).is_some();
    let mut groups =
        if me.grants.allow(Permission::Settings) { groups::of(&mut tx, program).await? } else { Vec::new() };
    groups.retain(|group| group.archived_at.is_none());
    let mut show = Show {
        rate: rate_at(me.program.rate, &own, now),
        program_rate: me.program.rate,
        coming,
        rules: rules::told_to(&me.program.rules, whose, has_own, so_far, now, currency),
        groups,
        statements: statements(now),
        tax: Card { may_check: me.grants.allow(Permission::Payouts), ..Card::of(&mut tx, app, program, id).await? },
        group: group.map(|group| group.id),
        may_configure: me.grants.allow(Permission::Settings),
        slug: me.program.slug.clone(),
        row: Row::new(line, currency),
        tab,
        sums: queue::sums(&mut tx, program, Some(id)).await?,
        has_account: roster::has_account(&mut tx, id).await?,
        payment_details: opened(app, id, details.sealed_details.as_deref())?,
        minimum: details.minimum_minor.map(|minor| currency.of(minor)),
        commissions: Vec::new(),
        links: Vec::new(),
        coupons: Vec::new(),
        customers: Vec::new(),
        notes: Vec::new(),
        events: Vec::new(),
        form,
        may_manage: me.grants.allow(Permission::Affiliates),
    };
    match tab {
        "" | "commissions" => {
            let filter = Filter { status: None, only: Only::Affiliate(id) };
            let limit = if tab.is_empty() { 6 } else { 50 };
            let lines = queue::page(&mut tx, program, filter, Id::new(i64::MAX), limit).await?;
            show.commissions = lines.into_iter().map(|line| Commission::new(line, currency, now)).collect();
        }
        "links" => {
            for code in roster::codes(&mut tx, program, id).await? {
                let address = app.config.base_url.join(&format!("r/{}/{}", me.program.slug, code.code));
                let address = address.map(String::from).unwrap_or_default();
                show.links.push(Link { address, code: code.code, is_current: code.is_current, since: code.created_at });
            }
            show.coupons = coupons::page(&mut tx, program, Some(id), MOST_COUPONS, 0).await?;
        }
        "customers" => show.customers = roster::customers(&mut tx, id, 100).await?,
        "notes" => show.notes = roster::notes(&mut tx, id).await?,
        _ => {
            for row in audit::page(&mut tx, program, &audit::Filter::of(id.to_string()), 100).await? {
                let by = actor(&mut tx, &row.actor).await?;
                let what = sentence(&row.action);
                let changes = changes(row.before.as_deref(), row.after.as_deref());
                show.events.push(Event { at: row.created_at, what, by, changes });
            }
        }
    }
    Ok(show)
}

/// `affiliate.changed` is `Affiliate changed`.
fn sentence(action: &str) -> String {
    let words = action.replace(['.', '_'], " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// What differs between two states as the log keeps them: `status: pending → active`.
fn changes(before: Option<&str>, after: Option<&str>) -> Option<String> {
    let read = |text: Option<&str>| serde_json::from_str::<serde_json::Value>(text?).ok();
    let (before, after) = (read(before)?, read(after)?);
    let word = |value: Option<&serde_json::Value>| match value {
        None | Some(serde_json::Value::Null) => "none".to_owned(),
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let fields = after.as_object()?.iter().filter(|(name, value)| before.get(name.as_str()) != Some(value));
    let told: Vec<_> = fields
        .map(|(name, value)| format!("{name}: {} → {}", word(before.get(name.as_str())), word(Some(value))))
        .collect();
    (!told.is_empty()).then(|| told.join(", "))
}

/// Payment details as they were given.
pub(super) fn opened(app: &App, id: AffiliateId, sealed: Option<&str>) -> Result<Option<String>, Failure> {
    Ok(sealed.map(|sealed| payment_details::open(&app.secret, id, sealed)).transpose()?)
}

/// Another rate for what they sell from a day on.
pub async fn set_rate(
    me: Configures,
    State(app): State<App>,
    PathId(id): PathId<id::Affiliate>,
    mut form: Form,
) -> Result<Reply, Failure> {
    let now = app.clock.now();
    let rate = form.read_filled("rate", Rate::parse);
    let from = form.read_filled("from", Time::parse_date).unwrap_or(now);
    // A day that has begun begins now.
    let starts_at = if from.day() == now.day() { now } else { from };
    if form.is_good() {
        let (act, own) = (me.act(&app), OwnRate { starts_at, rate });
        let done = app.db.write(move |tx| Box::pin(async move { flow::set_rate(tx, &act, id, own).await })).await;
        match done {
            Ok(()) => {
                let rate = rate.unwrap_or(me.program.rate);
                let notice = Notice::done(format!("Sales from {} on earn {rate}.", starts_at.date()));
                return Ok(Reply::done(format!("/m/{}/affiliates/{id}", me.program.slug), notice));
            }
            Err(refusal) => form.refused(refusal)?,
        }
    }
    Ok(Reply::invalid(page(&app, &me, id, "", form).await?))
}

pub async fn note(
    me: ManagesAffiliates,
    State(app): State<App>,
    PathId(id): PathId<id::Affiliate>,
    mut form: Form,
) -> Result<Reply, Failure> {
    let by = account(&me).ok_or_else(Failure::no_route)?;
    let text = form.read("text", |text| text::bounded(text, 1, 2_000).map(|()| text.to_owned()));
    let Some(text) = text else { return Ok(Reply::invalid(page(&app, &me, id, "notes", form).await?)) };
    let (note, program) = (me.act(&app).id(), me.program.id);
    let kept = app.db.write(move |tx| {
        Box::pin(async move {
            roster::one(tx, program, id).await?.ok_or_else(|| Failure::not_found("affiliate"))?;
            Ok::<_, Failure>(roster::add_note(tx, note, id, by, &text).await?)
        })
    });
    kept.await?;
    let to = format!("/m/{}/affiliates/{id}?tab=notes", me.program.slug);
    Ok(Reply::done(to, Notice::done("Note added. Only your team sees it.")))
}

#[cfg(test)]
mod tests {
    use super::changes;

    #[test]
    fn only_what_differs_is_told() {
        let (before, after) = (r#"{"status":"pending","name":"A"}"#, r#"{"status":"active","name":"A"}"#);
        assert_eq!(changes(Some(before), Some(after)).unwrap(), "status: pending → active");
        assert_eq!(changes(None, Some(after)), None);
        assert_eq!(changes(Some("x"), Some(after)), None);
    }
}
