//! An affiliate's balance through the API, and what is added to it by hand.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    body::{self, Fields},
    caller::{Pays, Reads},
    failure::Failure,
    input::{FromFields, Input, PathId},
    once,
    reply::Reply,
};
use crate::{
    app::App,
    domain::{
        id::{self, AffiliateId, CommissionId},
        money::Money,
        text,
        time::Time,
    },
    flows::adjustments,
    store::payouts,
};

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Balance)]
pub struct Row {
    #[schema(value_type = String)]
    affiliate_id: AffiliateId,
    #[schema(example = "USD")]
    currency: &'static str,
    /// What is owed and not yet paid: pending and approved.
    #[schema(value_type = f64)]
    balance: Money,
    #[schema(value_type = f64)]
    pending: Money,
    #[schema(value_type = f64)]
    approved: Money,
    /// Of the approved: what may be paid now.
    #[schema(value_type = f64)]
    payable: Money,
    /// Of the approved: what waits for its hold to end.
    #[schema(value_type = f64)]
    on_hold: Money,
    /// Of the approved: what an open payout holds.
    #[schema(value_type = f64)]
    in_payout: Money,
    #[schema(value_type = f64)]
    paid: Money,
}

#[derive(Serialize, ToSchema)]
#[schema(as = BalanceEnvelope)]
pub struct Show {
    balance: Row,
}

/// Get an affiliate's balance.
#[utoipa::path(get, operation_id = "getBalance", path = "/affiliates/{id}/balance", tag = "Payouts",
    params(("id" = String, Path, example = "aff_123456")),
    responses((status = 200, description = "Where the affiliate's money stands", body = super::openapi::Envelope<Show>), super::openapi::Errors))]
pub async fn show(me: Reads, State(app): State<App>, PathId(id): PathId<id::Affiliate>) -> Result<Reply, Failure> {
    let mut tx = app.db.read().await?;
    let found = payouts::balance(&mut tx, me.program.id, id, app.clock.now()).await?;
    let found = found.ok_or_else(|| Failure::not_found("affiliate"))?;

    let money = |minor| me.program.currency.of(minor);
    Ok(Reply::data(Show {
        balance: Row {
            affiliate_id: id,
            currency: me.program.currency.code(),
            balance: money(found.pending_minor + found.approved_minor),
            pending: money(found.pending_minor),
            approved: money(found.approved_minor),
            payable: money(found.payable_minor),
            on_hold: money(found.approved_minor - found.payable_minor - found.in_payout_minor),
            in_payout: money(found.in_payout_minor),
            paid: money(found.paid_minor),
        },
    }))
}

pub struct New {
    /// The number's own text.
    amount: String,
    reason: String,
}

impl FromFields for New {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Failure> {
        let reason = fields.required_text("reason")?;
        text::bounded(reason, 1, 500).map_err(|issue| Failure::field("reason", issue.0))?;
        let amount = fields.number("amount")?.ok_or_else(|| body::required("amount"))?;
        Ok(Self { amount: amount.to_owned(), reason: reason.to_owned() })
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Adjustment {
    /// A commission of the kind `adjustment`.
    #[schema(value_type = String)]
    id: CommissionId,
    #[schema(value_type = String)]
    affiliate_id: AffiliateId,
    #[schema(value_type = f64)]
    amount: Money,
    reason: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
}

#[derive(Serialize, ToSchema)]
#[schema(as = AdjustmentEnvelope)]
pub struct ShowAdjustment {
    adjustment: Adjustment,
}

/// Add an amount to an affiliate's balance, or (negative) take it off. It is paid, or netted, with the next payout.
#[utoipa::path(post, operation_id = "createAdjustment", path = "/affiliates/{id}/adjustments", tag = "Payouts",
    params(super::openapi::IdempotencyKey, ("id" = String, Path, example = "aff_123456")),
    request_body = super::openapi::NewAdjustment,
    responses((status = 201, description = "The adjustment", body = super::openapi::Envelope<ShowAdjustment>), super::openapi::Errors))]
pub async fn adjust(
    me: Pays,
    State(app): State<App>,
    PathId(affiliate): PathId<id::Affiliate>,
    input: Input<New>,
) -> Result<Reply, Failure> {
    let New { amount, reason } = input.value;
    let amount = me.program.currency.signed(&amount).map_err(|issue| Failure::field("amount", issue.0))?;
    once::write(&app, me.act(&app), input.once, move |tx, act| {
        Box::pin(async move {
            let id = adjustments::create(tx, &act, affiliate, amount.minor, &reason).await?;
            let adjustment = Adjustment { id, affiliate_id: affiliate, amount, reason, created_at: id.time() };
            Ok(Reply::created(format!("/commissions/{id}"), ShowAdjustment { adjustment }))
        })
    })
    .await
}
