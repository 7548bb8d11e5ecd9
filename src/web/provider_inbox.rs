//! The inbox of what payment providers told: each event, what it did, why not, and once more.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;

use super::{
    caller::{Decides, Reads},
    failure::Failure,
    filters,
    input::{PathId, Query},
    reply::Reply,
    shell::Notice,
};
use crate::{
    app::App,
    domain::{
        id::{self, Id, ProviderEventId},
        providers::{Provider, State as Outcome},
        role::Permission,
    },
    flows::provider_events::{self as flow, Did},
    store::{
        Error,
        provider_events::{self, BODY_DAYS, Event},
    },
};

/// Rows of a page.
const ROWS: i64 = 50;

const STATES: [(&str, &str); 6] = [
    ("", "Any"),
    ("failed", "Needs a look"),
    ("waiting", "Waiting"),
    ("received", "Received"),
    ("done", "Done"),
    ("ignored", "Ignored"),
];

/// An event as a row shows it.
pub struct Row {
    pub event: Event,
    pub did: Vec<Did>,
}

impl Row {
    pub fn new(event: Event) -> Self {
        // Written by this program; a newer one may have written more.
        let did = serde_json::from_str(&event.did).unwrap_or_default();
        Self { event, did }
    }

    /// The event's kind in pieces between which a line may break.
    pub fn kind(&self) -> impl Iterator<Item = &str> {
        self.event.kind.split_inclusive(['.', '_'])
    }

    pub fn state(&self) -> (&'static str, &'static str) {
        match self.event.state {
            Outcome::Received => ("", "Received"),
            Outcome::Done => ("ok", "Done"),
            Outcome::Waiting => ("warn", "Waiting"),
            Outcome::Ignored => ("", "Ignored"),
            Outcome::Failed => ("bad", "Needs a look"),
        }
    }

    /// What became of it, in a sentence.
    pub fn summary(&self) -> &str {
        match (&self.event.why, self.did.last()) {
            (Some(why), _) => why,
            (None, Some(did)) => &did.words,
            (None, None) => "Will be looked at in a moment.",
        }
    }
}

#[derive(Template)]
#[template(path = "payments/events.html")]
struct Index {
    slug: String,
    provider: Option<Provider>,
    state: Option<Outcome>,
    rows: Vec<Row>,
    is_first: bool,
    /// The last one shown, where there are older ones.
    older: Option<ProviderEventId>,
}

impl Index {
    fn is_narrowed(&self) -> bool {
        self.provider.is_some() || self.state.is_some()
    }

    fn is_state(&self, word: &str) -> bool {
        self.state.map_or("", Outcome::as_str) == word
    }

    /// The filter, as a part of an address.
    fn query(&self) -> String {
        let provider = self.provider.map_or("", Provider::as_str);
        let state = self.state.map_or("", Outcome::as_str);
        format!("provider={provider}&state={state}")
    }
}

/// `GET /m/{program}/payments/events`
pub async fn index(me: Reads, State(app): State<App>, query: Query) -> Result<Reply, Failure> {
    let word = |name: &str| query.get(name).filter(|word| !word.is_empty());
    let read = |issue: crate::domain::Issue, name: &'static str| Failure::field(name, issue.0);
    let provider = word("provider").map(Provider::parse).transpose().map_err(|issue| read(issue, "provider"))?;
    let state = word("state").map(Outcome::parse).transpose().map_err(|issue| read(issue, "state"))?;
    let before = word("before").map(super::failure::id::<id::ProviderEvent>).transpose()?;

    let (mut tx, from) = (app.db.read().await?, before.unwrap_or(Id::new(i64::MAX)));
    let mut page = provider_events::page(&mut tx, me.program.id, provider, state, from, ROWS + 1).await?;
    let has_more = i64::try_from(page.len()).unwrap_or(0) > ROWS;
    page.truncate(usize::try_from(ROWS).unwrap_or(0));
    let older = page.last().filter(|_| has_more).map(|last| last.id);
    Ok(Reply::page(Index {
        slug: me.program.slug.clone(),
        provider,
        state,
        rows: page.into_iter().map(Row::new).collect(),
        is_first: before.is_none(),
        older,
    }))
}

#[derive(Template)]
#[template(path = "payments/event.html")]
struct Show {
    slug: String,
    row: Row,
    /// As it came, for those who may see it and as long as it is kept.
    body: Option<String>,
    is_kept: bool,
    may_see: bool,
    may_run: bool,
}

/// `GET /m/{program}/payments/events/{id}`
pub async fn show(me: Reads, State(app): State<App>, PathId(id): PathId<id::ProviderEvent>) -> Result<Reply, Failure> {
    let mut tx = app.db.read().await?;
    let event = provider_events::by_id(&mut tx, id).await?.filter(|event| event.program_id == me.program.id);
    let event = event.ok_or_else(|| Failure::not_found("event"))?;
    let body = provider_events::body(&mut tx, id).await?;
    // It tells of people: who pays sees it, as they see how affiliates are paid.
    let may_see = me.grants.allow(Permission::Payouts);
    let is_kept = body.is_some();
    Ok(Reply::page(Show {
        slug: me.program.slug.clone(),
        row: Row::new(event),
        body: body.filter(|_| may_see).map(|body| pretty(&body)),
        is_kept,
        may_see,
        may_run: is_kept && me.grants.allow(Permission::Commissions),
    }))
}

fn pretty(body: &str) -> String {
    let value: Option<serde_json::Value> = serde_json::from_str(body).ok();
    value.and_then(|value| serde_json::to_string_pretty(&value).ok()).unwrap_or_else(|| body.to_owned())
}

/// `POST /m/{program}/payments/events/{id}/run`
pub async fn run(me: Decides, State(app): State<App>, PathId(id): PathId<id::ProviderEvent>) -> Result<Reply, Failure> {
    let event = provider_events::by_id(&mut *app.db.read().await?, id).await?;
    event.filter(|event| event.program_id == me.program.id).ok_or_else(|| Failure::not_found("event"))?;
    let (ids, secret, now) = (Arc::clone(&app.ids), Arc::clone(&app.secret), app.clock.now());
    let looked = app
        .db
        .write::<_, Error, _>(move |tx| Box::pin(async move { flow::look(tx, &ids, &secret, now, id).await }))
        .await?;
    let notice = match looked {
        None => Notice::problem("It cannot run again: what came is no longer kept."),
        Some(outcome) => {
            let words = outcome.why.map(String::from).or_else(|| outcome.did.last().map(|did| did.words.clone()));
            Notice::done(format!("It ran again. {}", words.unwrap_or_default()))
        }
    };
    Ok(Reply::done(format!("/m/{}/payments/events/{id}", me.program.slug), notice))
}
