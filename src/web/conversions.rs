//! Conversions beyond the reference: listed, shown with their evidence, refunded.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    body::Fields,
    caller::{Decides, Reads},
    failure::Failure,
    input::{FromFields, Input, PathId, Query, Window},
    once,
    reply::Reply,
};
use crate::{
    app::App,
    domain::{
        attribution::By,
        id::{self, AffiliateId, ClickId, ConversionId, RefundId},
        money::{Currency, Money},
        text,
        time::Time,
    },
    flows::refunds::{self, NewRefund},
    store::{self, conversions::Conversion, refunds::Refund, totals},
};

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Conversion)]
pub struct Row {
    #[schema(value_type = String, example = "conv_xyz789")]
    id: ConversionId,
    #[schema(value_type = String)]
    affiliate_id: AffiliateId,
    referral_code: String,
    #[schema(value_type = Option<String>)]
    click_id: Option<ClickId>,
    order_id: Option<String>,
    #[schema(value_type = f64)]
    amount: Money,
    #[schema(value_type = f64)]
    commission: Money,
    #[schema(value_type = f64)]
    refunded_amount: Money,
    /// Which evidence decided: `click`, `code` or `code_after_expired_click`.
    attributed_by: &'static str,
    /// Whether the click and the code named different affiliates.
    conflict: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
}

impl Row {
    fn new(sale: Conversion, currency: Currency) -> Self {
        let by: By = sale.attributed_by;
        Self {
            id: sale.id,
            affiliate_id: sale.affiliate_id,
            referral_code: sale.referral_code,
            click_id: sale.click_id,
            order_id: sale.order_id,
            amount: currency.of(sale.amount_minor),
            commission: currency.of(sale.commission_minor),
            refunded_amount: currency.of(sale.refunded_minor),
            attributed_by: by.as_str(),
            conflict: sale.conflict,
            created_at: sale.created_at,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = ConversionList)]
pub struct Index {
    conversions: Vec<Row>,
    total: i64,
    limit: i64,
    offset: i64,
}

impl Index {
    fn new(page: impl IntoIterator<Item = Conversion>, total: i64, window: Window, currency: Currency) -> Self {
        let conversions = page.into_iter().map(|sale| Row::new(sale, currency)).collect();
        Self { conversions, total, limit: window.limit, offset: window.offset }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = ConversionEnvelope)]
pub struct Show {
    conversion: Row,
}

/// List conversions, newest first.
#[utoipa::path(get, operation_id = "listConversions", path = "/conversions", tag = "Conversions",
    params(super::openapi::Window, ("affiliateId" = Option<String>, Query, description = "Only this affiliate's"),
        ("orderId" = Option<String>, Query, description = "Only the sale of this order")),
    responses((status = 200, description = "A page of conversions", body = super::openapi::Envelope<Index>), super::openapi::Errors))]
pub async fn index(me: Reads, State(app): State<App>, query: Query) -> Result<Reply, Failure> {
    let window = query.window()?;
    let of = query.id::<id::Affiliate>()?;

    let mut tx = app.db.read().await?;
    if let Some(order) = query.get("orderId") {
        let found = store::conversions::by_order(&mut tx, me.program.id, order).await?;
        let found = found.filter(|sale| of.is_none_or(|affiliate| affiliate == sale.affiliate_id));
        let total = i64::from(found.is_some());
        let page = found.into_iter().filter(|_| window.offset == 0);
        return Ok(Reply::data(Index::new(page, total, window, me.program.currency)));
    }
    let page = store::conversions::page(&mut tx, me.program.id, of, window.limit, window.offset).await?;
    let total = totals::conversions(&mut tx, me.program.id, of).await?;

    Ok(Reply::data(Index::new(page, total, window, me.program.currency)))
}

/// Get one conversion with the evidence that credited it.
#[utoipa::path(get, operation_id = "getConversion", path = "/conversions/{id}", tag = "Conversions", params(("id" = String, Path, example = "conv_xyz789")),
    responses((status = 200, description = "The conversion", body = super::openapi::Envelope<Show>), super::openapi::Errors))]
pub async fn show(me: Reads, State(app): State<App>, PathId(id): PathId<id::Conversion>) -> Result<Reply, Failure> {
    let mut tx = app.db.read().await?;
    let found = store::conversions::by_id(&mut tx, me.program.id, id).await?;
    let found = found.ok_or_else(|| Failure::not_found("conversion"))?;
    Ok(Reply::data(Show { conversion: Row::new(found, me.program.currency) }))
}

pub struct GivenRefund {
    /// The number's own text.
    amount: Option<String>,
    key: Option<String>,
    reason: Option<String>,
}

impl FromFields for GivenRefund {
    const OPTIONAL: bool = true;

    fn from_fields(fields: &Fields<'_>) -> Result<Self, Failure> {
        let bounded = |name: &'static str, min: usize, max: usize| -> Result<Option<String>, Failure> {
            let Some(given) = fields.text(name)? else { return Ok(None) };
            text::bounded(given, min, max).map_err(|issue| Failure::field(name, issue.0))?;
            Ok(Some(given.to_owned()))
        };
        Ok(Self {
            amount: fields.number("amount")?.map(str::to_owned),
            key: bounded("refundId", 1, 255)?,
            reason: bounded("reason", 0, 500)?,
        })
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Refund)]
pub struct Refunded {
    #[schema(value_type = String, example = "ref_0e2x4b8m6n0pq")]
    id: RefundId,
    #[schema(value_type = String)]
    conversion_id: ConversionId,
    order_id: Option<String>,
    #[schema(value_type = f64)]
    amount: Money,
    /// What it took back of the commission.
    #[schema(value_type = f64)]
    commission_reversed: Money,
    /// The merchant's own id of the refund.
    refund_id: Option<String>,
    reason: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
}

impl Refunded {
    fn new(refund: Refund, sale: Conversion, currency: Currency) -> Self {
        Self {
            id: refund.id,
            conversion_id: refund.conversion_id,
            order_id: sale.order_id,
            amount: currency.of(refund.amount_minor),
            commission_reversed: currency.of(refund.reversed_minor),
            refund_id: refund.refund_key,
            reason: refund.reason,
            created_at: refund.created_at,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = RefundEnvelope)]
pub struct ShowRefund {
    refund: Refunded,
}

/// Refund a conversion, in part or all that is left. The same `refundId` again answers as it first did.
#[utoipa::path(post, operation_id = "createRefund", path = "/conversions/{id}/refunds", tag = "Conversions",
    params(super::openapi::IdempotencyKey, ("id" = String, Path, example = "conv_xyz789")),
    request_body = Option<super::openapi::NewRefund>,
    responses(
        (status = 201, description = "The recorded refund", body = super::openapi::Envelope<ShowRefund>),
        (status = 200, description = "The refund was recorded before", body = super::openapi::Envelope<ShowRefund>),
        super::openapi::Errors))]
pub async fn refund(
    me: Decides,
    State(app): State<App>,
    PathId(conversion): PathId<id::Conversion>,
    input: Input<GivenRefund>,
) -> Result<Reply, Failure> {
    let (currency, given) = (me.program.currency, input.value);
    let amount = given.amount.map(|text| currency.amount(&text)).transpose();
    let amount = amount.map_err(|issue| Failure::field("amount", issue.0))?.map(|money| money.minor);
    let new = NewRefund { conversion, amount, key: given.key, reason: given.reason };
    once::write(&app, me.act(&app), input.once, move |tx, act| {
        Box::pin(async move {
            let (refund, sale, is_new) = refunds::record(tx, &act, new).await?;
            let at = format!("/conversions/{}", sale.id);
            let show = ShowRefund { refund: Refunded::new(refund, sale, currency) };
            Ok(if is_new { Reply::created(at, show) } else { Reply::data(show) })
        })
    })
    .await
}
