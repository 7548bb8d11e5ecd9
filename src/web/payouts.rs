//! Payouts through the API: looked at before, made, and told how they went.

use axum::extract::{FromRequestParts, State};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    body::{Fields, Node, Value},
    caller::{Pays, Reads},
    failure::{self, Failure},
    input::{FromFields, Input, PathId, Query, path_parameter},
    once,
    reply::Reply,
};
use crate::{
    app::App,
    domain::{
        Issue,
        affiliate::PaymentMethod,
        id::{self, AffiliateId, PayoutId, PayoutLineId},
        key::hex,
        money::{Currency, Money},
        payment,
        payout::{LineStatus, Status},
        role::Permission,
        text,
        time::Time,
    },
    flows::{
        payment_details, payout_decisions,
        payouts::{self, Choice},
    },
    secret::SecretKey,
    store::{
        Error,
        payout_lines::{self, Line},
        payouts as stored,
    },
};

/// As many affiliates as a preview names on either side.
const NAMED: usize = 100;
/// As many affiliates as one payout may be limited to.
const CHOSEN: usize = 1_000;

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Payout)]
pub struct Row {
    #[schema(value_type = String, example = "pay_0e2x4b8m6n0pq")]
    id: PayoutId,
    status: Status,
    #[schema(example = "USD")]
    currency: &'static str,
    /// The sum of its lines.
    #[schema(value_type = f64, example = 1250.40)]
    amount: Money,
    line_count: i64,
    /// Only those who are paid this way.
    method: Option<PaymentMethod>,
    /// It holds what was payable by then.
    #[schema(value_type = String, format = DateTime)]
    until: Time,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    /// When the last of its lines was paid, failed or cancelled.
    #[schema(value_type = Option<String>, format = DateTime)]
    closed_at: Option<Time>,
}

impl From<stored::Payout> for Row {
    fn from(found: stored::Payout) -> Self {
        Self {
            id: found.id,
            status: found.status,
            currency: found.currency.code(),
            amount: found.currency.of(found.amount_minor),
            line_count: found.line_count,
            method: found.method,
            until: found.until_at,
            created_at: found.created_at,
            closed_at: found.closed_at,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PayoutLine)]
pub struct LineRow {
    #[schema(value_type = String, example = "pline_0e2x4b8m6n0pq")]
    id: PayoutLineId,
    #[schema(value_type = String)]
    affiliate_id: AffiliateId,
    name: String,
    email: String,
    status: LineStatus,
    method: PaymentMethod,
    /// As they were when the payout was made; masked for a caller who may only read.
    payment_details: String,
    #[schema(value_type = f64)]
    amount: Money,
    commission_count: i64,
    /// Why it failed or was cancelled.
    reason: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    paid_at: Option<Time>,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
}

impl LineRow {
    fn new(line: Line, secret: &SecretKey, currency: Currency, may_pay: bool) -> Result<Self, Error> {
        let details = payment_details::open(secret, line.affiliate_id, &line.sealed_details)?;
        Ok(Self {
            id: line.id,
            affiliate_id: line.affiliate_id,
            name: line.name,
            email: line.email,
            status: line.status,
            method: line.method,
            payment_details: if may_pay { details } else { payment::masked(&details) },
            amount: currency.of(line.amount_minor),
            commission_count: line.commission_count,
            reason: line.reason,
            paid_at: line.paid_at,
            updated_at: line.updated_at,
        })
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = PayoutList)]
pub struct Index {
    payouts: Vec<Row>,
    total: i64,
    limit: i64,
    offset: i64,
}

/// A payout with a page of its lines.
#[derive(Serialize, ToSchema)]
#[schema(as = PayoutEnvelope)]
pub struct Show {
    payout: Row,
    lines: Vec<LineRow>,
    /// Of the payout's lines.
    total: i64,
    limit: i64,
    offset: i64,
}

/// List payouts, newest first.
#[utoipa::path(get, operation_id = "listPayouts", path = "/payouts", tag = "Payouts",
    params(super::openapi::Window, ("status" = Option<Status>, Query, description = "Only payouts of this status")),
    responses((status = 200, description = "A page of payouts", body = super::openapi::Envelope<Index>), super::openapi::Errors))]
pub async fn index(me: Reads, State(app): State<App>, query: Query) -> Result<Reply, Failure> {
    let window = query.window()?;
    let status = query.parsed("status", Status::parse)?;

    let mut tx = app.db.read().await?;
    let page = stored::page(&mut tx, me.program.id, status, window.limit, window.offset).await?;
    let total = stored::count(&mut tx, me.program.id, status).await?;

    let payouts = page.into_iter().map(Row::from).collect();
    Ok(Reply::data(Index { payouts, total, limit: window.limit, offset: window.offset }))
}

/// Get one payout with a page of its lines.
#[utoipa::path(get, operation_id = "getPayout", path = "/payouts/{id}", tag = "Payouts",
    params(super::openapi::Window, ("id" = String, Path, example = "pay_0e2x4b8m6n0pq")),
    responses((status = 200, description = "The payout", body = super::openapi::Envelope<Show>), super::openapi::Errors))]
pub async fn show(
    me: Reads,
    State(app): State<App>,
    PathId(id): PathId<id::Payout>,
    query: Query,
) -> Result<Reply, Failure> {
    let window = query.window()?;
    let mut tx = app.db.read().await?;
    let payout = stored::by_id(&mut tx, me.program.id, id).await?.ok_or_else(|| Failure::not_found("payout"))?;
    let lines = payout_lines::page(&mut tx, id, window.limit, window.offset).await?;
    let may_pay = me.grants.allow(Permission::Payouts);
    Ok(Reply::data(whole(payout, lines, &app.secret, may_pay, (window.limit, window.offset))?))
}

fn whole(
    payout: stored::Payout,
    lines: Vec<Line>,
    secret: &SecretKey,
    may_pay: bool,
    (limit, offset): (i64, i64),
) -> Result<Show, Error> {
    let currency = payout.currency;
    let lines =
        lines.into_iter().map(|line| LineRow::new(line, secret, currency, may_pay)).collect::<Result<_, _>>()?;
    let total = payout.line_count;
    Ok(Show { payout: payout.into(), lines, total, limit, offset })
}

pub struct New {
    until: Option<Time>,
    method: Option<PaymentMethod>,
    only: Vec<AffiliateId>,
}

impl FromFields for New {
    const OPTIONAL: bool = true;

    fn from_fields(fields: &Fields<'_>) -> Result<Self, Failure> {
        let only = match fields.array("affiliateIds")? {
            None => Vec::new(),
            Some((items, _)) if items.is_empty() || items.len() > CHOSEN => {
                return Err(Failure::field("affiliateIds", "must be 1 to 1000 affiliate ids"));
            }
            Some((items, _)) => items.iter().map(affiliate).collect::<Result<_, _>>()?,
        };
        Ok(Self {
            until: fields.parsed("until", Time::parse_date)?,
            method: fields.parsed("method", PaymentMethod::parse)?,
            only,
        })
    }
}

fn affiliate(item: &Node<'_>) -> Result<AffiliateId, Failure> {
    let Value::Text(text) = &item.value else { return Err(Failure::field("affiliateIds", "must be strings")) };
    AffiliateId::parse(text).map_err(|issue| Failure::field("affiliateIds", issue.0))
}

/// The end of a day, or now, where the day is not over.
///
/// # Errors
/// A day that has not begun: what is on hold until then is on hold.
pub fn until(day: Option<Time>, now: Time) -> Result<Time, Issue> {
    match day {
        None => Ok(now),
        Some(day) if day > now => Err(Issue::new("must not be in the future")),
        Some(day) => Ok(day.plus_days(1).plus_seconds(-1).min(now)),
    }
}

/// What a payout would be.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PayoutPreview)]
pub struct Preview {
    #[schema(value_type = f64)]
    amount: Money,
    line_count: i64,
    /// The first hundred.
    lines: Vec<PreviewLine>,
    /// The first hundred of those with something payable who are not in it.
    left_out: Vec<PreviewLine>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PayoutPreviewLine)]
pub struct PreviewLine {
    #[schema(value_type = String)]
    affiliate_id: AffiliateId,
    #[schema(value_type = f64)]
    amount: Money,
    method: Option<PaymentMethod>,
    /// Why they are not in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// Make a payout: it holds everything payable until the money went out. `dryRun=true` tells what it would be.
#[utoipa::path(post, operation_id = "createPayout", path = "/payouts", tag = "Payouts",
    params(super::openapi::IdempotencyKey, ("dryRun" = Option<bool>, Query, description = "Write nothing; answer what the payout would be")),
    request_body = Option<super::openapi::NewPayout>,
    responses(
        (status = 201, description = "The payout", body = super::openapi::Envelope<Show>),
        (status = 200, description = "What the payout would be (`dryRun=true`)", body = super::openapi::Envelope<Preview>),
        super::openapi::Errors))]
pub async fn create(me: Pays, State(app): State<App>, query: Query, input: Input<New>) -> Result<Reply, Failure> {
    let (act, New { until: day, method, only }) = (me.act(&app), input.value);
    let until = until(day, act.now).map_err(|issue| Failure::field("until", issue.0))?;
    let choice = Choice { until, method, only, without: Vec::new() };
    if query.get("dryRun") == Some("true") {
        return Ok(Reply::data(preview(&app, &me, choice).await?));
    }
    let token = format!("api:{}", hex(&rand::random::<[u8; 16]>()));
    once::write(&app, act, input.once, move |tx, act| {
        Box::pin(async move {
            let (payout, _) = payouts::make(tx, &act, &choice, &token, None).await?;
            let window = (20, 0);
            let lines = payout_lines::page(tx, payout.id, window.0, window.1).await?;
            Ok(Reply::created(format!("/payouts/{}", payout.id), whole(payout, lines, &act.secret, true, window)?))
        })
    })
    .await
}

async fn preview(app: &App, me: &Pays, choice: Choice) -> Result<Preview, Failure> {
    let (act, currency) = (me.act(app), me.program.currency);
    let seen = app.db.snapshot(move |tx| {
        Box::pin(async move {
            let (mut lines, mut left_out) = (Vec::new(), Vec::new());
            let sum = payouts::preview(tx, &act, &choice, |found, admitted| {
                let list = if admitted.is_ok() { &mut lines } else { &mut left_out };
                if list.len() < NAMED {
                    list.push(PreviewLine {
                        affiliate_id: found.affiliate_id,
                        amount: currency.of(found.net()),
                        method: found.method,
                        reason: admitted.err().map(|why| why.to_string()),
                    });
                }
            });
            let sum = sum.await?;
            Ok(Preview { amount: currency.of(sum.amount), line_count: sum.count, lines, left_out })
        })
    });
    Ok(seen.await?)
}

pub struct NewStatus {
    status: LineStatus,
    reason: Option<String>,
}

impl FromFields for NewStatus {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Failure> {
        let status =
            LineStatus::parse(fields.required_text("status")?).ok().filter(|status| *status != LineStatus::Open);
        let reason = match fields.text("reason")? {
            None => None,
            Some(given) => {
                text::bounded(given, 0, 500).map_err(|issue| Failure::field("reason", issue.0))?;
                Some(given.to_owned())
            }
        };
        let status = status.ok_or_else(|| Failure::field("status", "must be one of paid, failed, cancelled"))?;
        Ok(Self { status, reason })
    }
}

/// Say how a whole payout went: every open line becomes `paid` or `failed`. `cancelled` gives everything back that it
/// holds, also what was paid, by counter-entries.
#[utoipa::path(post, operation_id = "updatePayoutStatus", path = "/payouts/{id}/status", tag = "Payouts",
    params(super::openapi::IdempotencyKey, ("id" = String, Path, example = "pay_0e2x4b8m6n0pq")),
    request_body = super::openapi::NewPayoutStatus,
    responses((status = 200, description = "The payout as it is now", body = super::openapi::Envelope<Show>), super::openapi::Errors))]
pub async fn decide(
    me: Pays,
    State(app): State<App>,
    PathId(id): PathId<id::Payout>,
    input: Input<NewStatus>,
) -> Result<Reply, Failure> {
    let (act, new) = (me.act(&app), input.value);
    once::write(&app, act, input.once, move |tx, act| {
        Box::pin(async move {
            let (payout, _) = payout_decisions::decide_all(tx, &act, id, new.status, new.reason.as_deref()).await?;
            let window = (20, 0);
            let lines = payout_lines::page(tx, id, window.0, window.1).await?;
            Ok(Reply::data(whole(payout, lines, &act.secret, true, window)?))
        })
    })
    .await
}

/// The line that an address names.
pub struct PathLine(pub PayoutLineId);

impl FromRequestParts<App> for PathLine {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, app: &App) -> Result<Self, Failure> {
        failure::id::<id::PayoutLine>(&path_parameter(parts, app, "line").await?).map(Self)
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = PayoutLineEnvelope)]
pub struct ShowLine {
    line: LineRow,
}

/// Say how one line went.
#[utoipa::path(post, operation_id = "updatePayoutLineStatus", path = "/payouts/{id}/lines/{line}/status", tag = "Payouts",
    params(super::openapi::IdempotencyKey, ("id" = String, Path, example = "pay_0e2x4b8m6n0pq"), ("line" = String, Path, example = "pline_0e2x4b8m6n0pq")),
    request_body = super::openapi::NewPayoutStatus,
    responses((status = 200, description = "The line as it is now", body = super::openapi::Envelope<ShowLine>), super::openapi::Errors))]
pub async fn decide_line(
    me: Pays,
    State(app): State<App>,
    PathId(id): PathId<id::Payout>,
    PathLine(line): PathLine,
    input: Input<NewStatus>,
) -> Result<Reply, Failure> {
    let (act, new) = (me.act(&app), input.value);
    once::write(&app, act, input.once, move |tx, act| {
        Box::pin(async move {
            let line = payout_decisions::decide_line(tx, &act, (id, line), new.status, new.reason.as_deref()).await?;
            Ok(Reply::data(ShowLine { line: LineRow::new(line, &act.secret, act.program.currency, true)? }))
        })
    })
    .await
}
