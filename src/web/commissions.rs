//! Commissions: the list, one of them explained, and their decisions.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    body::{Fields, Value},
    caller::{Decides, Reads},
    failure::{self, Details, Failure},
    input::{FromFields, Input, PathId, Query},
    once,
    reply::Reply,
};
use crate::{
    app::App,
    domain::{
        commission::{Kind, Status},
        id::{self, AffiliateId, CommissionId, ConversionId, PayoutLineId, RefundId},
        money::{Currency, Money, Rate},
        rules,
        signals::{self, Signal},
        text,
        time::Time,
    },
    flows::commissions,
    store::{self, commissions::Commission, ledger, totals},
};

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CommissionSummary)]
pub struct Row {
    #[schema(value_type = String, example = "comm_456789")]
    pub id: CommissionId,
    #[schema(value_type = String)]
    pub affiliate_id: AffiliateId,
    pub order_id: Option<String>,
    #[schema(value_type = f64, example = 20.00)]
    pub amount: Money,
    pub status: Status,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Time,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub paid_at: Option<Time>,
    #[schema(value_type = f64, example = 99.99)]
    pub conversion_amount: Money,
}

impl Row {
    fn new(found: &Commission, currency: Currency) -> Self {
        Self {
            id: found.id,
            affiliate_id: found.affiliate_id,
            order_id: found.order_id.clone(),
            amount: currency.of(found.amount_minor),
            status: found.status,
            created_at: found.created_at,
            paid_at: found.paid_at,
            conversion_amount: currency.of(found.sale_minor),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = CommissionList)]
pub struct Index {
    pub commissions: Vec<Row>,
    pub total: i64,
    pub limit: i64,
    pub offset: i64,
}

/// After a decision, as the reference answers it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Decided {
    #[schema(value_type = String)]
    id: CommissionId,
    #[schema(value_type = String)]
    affiliate_id: AffiliateId,
    order_id: Option<String>,
    #[schema(value_type = f64)]
    amount: Money,
    status: Status,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
    #[schema(value_type = Option<String>, format = DateTime)]
    paid_at: Option<Time>,
    #[schema(value_type = f64)]
    conversion_amount: Money,
}

impl Decided {
    fn new(found: &Commission, currency: Currency) -> Self {
        Self {
            id: found.id,
            affiliate_id: found.affiliate_id,
            order_id: found.order_id.clone(),
            amount: currency.of(found.amount_minor),
            status: found.status,
            created_at: found.created_at,
            updated_at: found.updated_at,
            paid_at: found.paid_at,
            conversion_amount: currency.of(found.sale_minor),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = DecidedCommission)]
pub struct Decision {
    commission: Decided,
}

/// List commissions, newest first.
#[utoipa::path(get, operation_id = "listCommissions", path = "/commissions", tag = "Commissions",
    params(super::openapi::Window,
        ("affiliateId" = Option<String>, Query, description = "Only this affiliate's"),
        ("status" = Option<Status>, Query, description = "Only commissions of this status")),
    responses((status = 200, description = "A page of commissions", body = super::openapi::Envelope<Index>), super::openapi::Errors))]
pub async fn index(me: Reads, State(app): State<App>, query: Query) -> Result<Reply, Failure> {
    let window = query.window()?;
    let (of, status) = (query.id::<id::Affiliate>()?, query.parsed("status", Status::parse)?);

    let mut tx = app.db.read().await?;
    let page = store::commissions::page(&mut tx, me.program.id, of, status, window.limit, window.offset).await?;
    let total = totals::commissions(&mut tx, me.program.id, of).await?.of(status);

    let commissions = page.iter().map(|found| Row::new(found, me.program.currency)).collect();
    Ok(Reply::data(Index { commissions, total, limit: window.limit, offset: window.offset }))
}

/// What made the amount, and how the money moved since.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    kind: Kind,
    #[schema(value_type = f64)]
    pub(super) conversion_amount: Money,
    /// The rate as it was then, in percent, or the rules that made the amount.
    #[schema(example = "20%")]
    pub(super) rate: String,
    /// As first recorded, rounded once, half away from zero.
    #[schema(value_type = f64)]
    pub(super) original_amount: Money,
    #[schema(value_type = f64)]
    pub(super) reversed_amount: Money,
    /// The same in a sentence.
    pub(super) sentence: String,
    /// What holds it for review until somebody approves it; empty where nothing does.
    pub(super) held_for: Vec<Held>,
    entries: Vec<Entry>,
}

/// A signal about a sale that a person should look at.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = HoldingSignal)]
pub struct Held {
    signal: signals::Kind,
    /// The same in a sentence.
    #[schema(example = "The customer’s e-mail address is the affiliate’s own.")]
    pub(super) sentence: String,
}

impl From<&Signal> for Held {
    fn from(signal: &Signal) -> Self {
        Self { signal: signal.kind, sentence: signal.in_words() }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LedgerEntry)]
pub struct Entry {
    /// earn, reverse, adjust, pay or unpay.
    kind: &'static str,
    #[schema(value_type = f64)]
    amount: Money,
    #[schema(value_type = Option<String>)]
    refund_id: Option<RefundId>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Commission)]
pub struct Whole {
    #[serde(flatten)]
    decided: Decided,
    /// An adjustment comes of no sale.
    #[schema(value_type = Option<String>)]
    conversion_id: Option<ConversionId>,
    reason: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    approved_at: Option<Time>,
    /// From when on it may be paid, once it is approved.
    #[schema(value_type = String, format = DateTime)]
    payable_at: Time,
    /// The line of a payout that holds it or paid it.
    #[schema(value_type = Option<String>)]
    payout_line_id: Option<PayoutLineId>,
    explanation: Explanation,
}

#[derive(Serialize, ToSchema)]
#[schema(as = CommissionEnvelope)]
pub struct Show {
    commission: Whole,
}

/// Get one commission with its explanation.
#[utoipa::path(get, operation_id = "getCommission", path = "/commissions/{id}", tag = "Commissions", params(("id" = String, Path, example = "comm_456789")),
    responses((status = 200, description = "The commission, explained", body = super::openapi::Envelope<Show>), super::openapi::Errors))]
pub async fn show(me: Reads, State(app): State<App>, PathId(id): PathId<id::Commission>) -> Result<Reply, Failure> {
    let mut tx = app.db.read().await?;
    let found = store::commissions::by_id(&mut tx, me.program.id, id).await?;
    let found = found.ok_or_else(|| Failure::not_found("commission"))?;
    let entries = ledger::of_commission(&mut tx, id).await?;

    let currency = me.program.currency;
    let commission = Whole {
        decided: Decided::new(&found, currency),
        conversion_id: found.conversion_id,
        approved_at: found.approved_at,
        payable_at: found.payable_at,
        payout_line_id: found.payout_line_id,
        explanation: explain(&found, entries, currency),
        reason: found.reason,
    };
    Ok(Reply::data(Show { commission }))
}

/// What made the amount; the affiliate's own page says the same.
pub(super) fn explain(found: &Commission, entries: Vec<ledger::Posted>, currency: Currency) -> Explanation {
    let (sale, original) = (currency.of(found.sale_minor), currency.of(found.original_minor));
    let (rate, reversed) =
        (Rate::from_basis_points(found.rate_bps), original.with(found.original_minor - found.amount_minor));
    let code = currency.code();
    let sentence = match found.kind {
        Kind::Sale => {
            let parts = rules::read_parts(found.explanation.as_deref());
            let made =
                if parts.is_empty() { format!("{rate} of {code} {sale}") } else { rules::in_words(&parts, currency) };
            let back = format!("; refunds took back {code} {reversed}");
            format!("{made} is {code} {original}{}", if reversed.minor == 0 { "" } else { &back })
        }
        Kind::Reversal => {
            let taken = original.with(-found.original_minor);
            format!("a refund took back {code} {taken} of a commission that was already paid or in a payout")
        }
        Kind::Adjustment => match found.reason.as_deref() {
            Some(reason) => format!("{code} {original} by hand: {reason}"),
            None => format!("{code} {original} by hand"),
        },
        Kind::Restoration => format!("a refund came to nothing, which gives back {code} {original}"),
    };
    let entry = |posted: ledger::Posted| Entry {
        kind: posted.kind.as_str(),
        amount: currency.of(posted.amount_minor),
        refund_id: posted.refund_id,
        created_at: posted.created_at,
    };
    Explanation {
        kind: found.kind,
        conversion_amount: sale,
        rate: rules::in_short(found.explanation.as_deref(), rate),
        original_amount: original,
        reversed_amount: reversed,
        sentence,
        held_for: signals::read(found.held_for.as_deref()).iter().map(Held::from).collect(),
        entries: entries.into_iter().map(entry).collect(),
    }
}

pub struct NewStatus {
    status: Status,
    reason: Option<String>,
}

fn status(fields: &Fields<'_>) -> Result<Status, Failure> {
    let issue = "must be one of approved, paid, rejected";
    let word = fields.required_text("status")?;
    Status::parse(word).ok().filter(|status| *status != Status::Pending).ok_or_else(|| Failure::field("status", issue))
}

fn reason(fields: &Fields<'_>) -> Result<Option<String>, Failure> {
    let Some(given) = fields.text("reason")? else { return Ok(None) };
    text::bounded(given, 0, 500).map_err(|issue| Failure::field("reason", issue.0))?;
    Ok(Some(given.to_owned()))
}

impl FromFields for NewStatus {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Failure> {
        Ok(Self { status: status(fields)?, reason: reason(fields)? })
    }
}

/// Approve, pay or reject a commission.
#[utoipa::path(put, operation_id = "updateCommissionStatus", path = "/commissions/{id}/status", tag = "Commissions", params(("id" = String, Path, example = "comm_456789")),
    request_body = super::openapi::NewStatus,
    responses((status = 200, description = "The commission as it is now", body = super::openapi::Envelope<Decision>), super::openapi::Errors))]
pub async fn decide(
    me: Decides,
    State(app): State<App>,
    PathId(id): PathId<id::Commission>,
    input: Input<NewStatus>,
) -> Result<Reply, Failure> {
    let (act, new) = (me.act(&app), input.value);
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let found = commissions::set_status(tx, &act, id, new.status, new.reason.as_deref()).await?;
                Ok(Reply::data(Decision { commission: Decided::new(&found, act.program.currency) }))
            })
        })
        .await
}

/// The most commissions that one call decides.
const AT_ONCE: usize = 100;

pub struct NewStatuses {
    ids: Vec<String>,
    new: NewStatus,
}

impl FromFields for NewStatuses {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Failure> {
        let (items, _) = fields.array("ids")?.ok_or_else(|| super::body::required("ids"))?;
        if items.is_empty() || items.len() > AT_ONCE {
            return Err(Failure::field("ids", "must be 1 to 100 commission ids"));
        }
        let text = |item: &super::body::Node<'_>| match &item.value {
            Value::Text(text) => Ok(text.clone().into_owned()),
            _ => Err(Failure::field("ids", "must be strings")),
        };
        let ids = items.iter().map(text).collect::<Result<_, _>>()?;
        Ok(Self { ids, new: NewStatus::from_fields(fields)? })
    }
}

#[derive(Serialize, ToSchema)]
pub struct Results {
    results: Vec<Outcome>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = CommissionOutcome)]
pub struct Outcome {
    id: String,
    success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    commission: Option<Decided>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<OutcomeError>,
}

#[derive(Serialize, ToSchema)]
pub struct OutcomeError {
    code: failure::Code,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
}

/// Decide many commissions at once: one result each, in order. Those that cannot be decided stay as they are.
#[utoipa::path(post, operation_id = "updateCommissionStatuses", path = "/commissions/status", tag = "Commissions", params(super::openapi::IdempotencyKey),
    request_body = super::openapi::NewStatuses,
    responses((status = 200, description = "One result for each id, in order", body = super::openapi::Envelope<Results>), super::openapi::Errors))]
pub async fn decide_many(me: Decides, State(app): State<App>, input: Input<NewStatuses>) -> Result<Reply, Failure> {
    let NewStatuses { ids, new } = input.value;
    once::write(&app, me.act(&app), input.once, move |tx, act| {
        Box::pin(async move {
            let known: Vec<CommissionId> = ids.iter().filter_map(|id| CommissionId::parse(id).ok()).collect();
            store::commissions::lock(tx, act.program.id, &known).await?;
            let mut results = Vec::with_capacity(ids.len());
            for given in ids {
                let outcome = match failure::id::<id::Commission>(&given) {
                    Ok(id) => commissions::decide(tx, &act, id, new.status, new.reason.as_deref(), None)
                        .await
                        .map_err(Failure::from),
                    Err(failure) => Err(failure),
                };
                let (commission, failure) = match outcome {
                    Ok(decided) => (Some(Decided::new(&decided.now, act.program.currency)), None),
                    // What the database could not do is not this commission's fault: all of it fails.
                    Err(failure) if failure.status.is_server_error() => return Err(failure),
                    Err(failure) => (None, Some(failure)),
                };
                let error =
                    failure.map(|f| OutcomeError { code: f.code, message: f.message.into_owned(), details: f.details });
                results.push(Outcome { id: given, success: error.is_none(), commission, error });
            }
            Ok(Reply::data(Results { results }))
        })
    })
    .await
}
