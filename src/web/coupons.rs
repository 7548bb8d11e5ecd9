//! Coupons through the API: each credits its affiliate without any click.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    body::{self, Fields},
    caller::{ManagesAffiliates, Reads},
    failure::Failure,
    input::{FromFields, Input, PathId, Query},
    once,
    reply::Reply,
};
use crate::{
    app::App,
    domain::{
        Issue,
        code::Code,
        id::{self, AffiliateId, CouponId},
        time::Time,
    },
    flows::{Refusal, coupons},
    store::{self, coupons::Coupon},
};

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Coupon)]
pub struct Row {
    #[schema(value_type = String, example = "coup_0e2x4b8m6n0pq")]
    id: CouponId,
    #[schema(value_type = String)]
    affiliate_id: AffiliateId,
    #[schema(example = "SUMMER10")]
    code: String,
    /// active or archived.
    status: &'static str,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
}

impl From<Coupon> for Row {
    fn from(found: Coupon) -> Self {
        let status = if found.archived_at.is_some() { "archived" } else { "active" };
        Self { id: found.id, affiliate_id: found.affiliate_id, code: found.code, status, created_at: found.created_at }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = CouponList)]
pub struct Index {
    coupons: Vec<Row>,
    total: i64,
    limit: i64,
    offset: i64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = CouponEnvelope)]
pub struct Show {
    coupon: Row,
}

/// List coupons, newest first.
#[utoipa::path(get, operation_id = "listCoupons", path = "/coupons", tag = "Coupons",
    params(super::openapi::Window, ("affiliateId" = Option<String>, Query, description = "Only this affiliate's")),
    responses((status = 200, description = "A page of coupons", body = super::openapi::Envelope<Index>), super::openapi::Errors))]
pub async fn index(me: Reads, State(app): State<App>, query: Query) -> Result<Reply, Failure> {
    let window = query.window()?;
    let of = query.id::<id::Affiliate>()?;

    let mut tx = app.db.read().await?;
    let page = store::coupons::page(&mut tx, me.program.id, of, window.limit, window.offset).await?;
    let total = store::coupons::count(&mut tx, me.program.id, of).await?;

    let coupons = page.into_iter().map(Row::from).collect();
    Ok(Reply::data(Index { coupons, total, limit: window.limit, offset: window.offset }))
}

/// Get one coupon.
#[utoipa::path(get, operation_id = "getCoupon", path = "/coupons/{id}", tag = "Coupons", params(("id" = String, Path, example = "coup_0e2x4b8m6n0pq")),
    responses((status = 200, description = "The coupon", body = super::openapi::Envelope<Show>), super::openapi::Errors))]
pub async fn show(me: Reads, State(app): State<App>, PathId(id): PathId<id::Coupon>) -> Result<Reply, Failure> {
    let mut tx = app.db.read().await?;
    let found = store::coupons::by_id(&mut tx, me.program.id, id).await?;
    Ok(Reply::data(Show { coupon: found.ok_or_else(|| Failure::not_found("coupon"))?.into() }))
}

pub struct New {
    affiliate: AffiliateId,
    code: Code,
}

impl FromFields for New {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Failure> {
        Ok(Self {
            affiliate: super::failure::id::<id::Affiliate>(fields.required_text("affiliateId")?)?,
            code: fields.parsed("code", Code::parse)?.ok_or_else(|| body::required("code"))?,
        })
    }
}

/// Give a coupon of your shop to an affiliate.
#[utoipa::path(post, operation_id = "createCoupon", path = "/coupons", tag = "Coupons", params(super::openapi::IdempotencyKey),
    request_body = super::openapi::NewCoupon,
    responses((status = 201, description = "The coupon", body = super::openapi::Envelope<Show>), super::openapi::Errors))]
pub async fn create(me: ManagesAffiliates, State(app): State<App>, input: Input<New>) -> Result<Reply, Failure> {
    let (act, New { affiliate, code }) = (me.act(&app), input.value);
    once::write(&app, act, input.once, move |tx, act| {
        Box::pin(async move {
            let made = coupons::create(tx, &act, affiliate, &code).await?;
            Ok(Reply::created(format!("/coupons/{}", made.id), Show { coupon: made.into() }))
        })
    })
    .await
}

pub struct Changed {
    is_archived: Option<bool>,
}

impl FromFields for Changed {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Failure> {
        let is_archived = fields.parsed("status", |word| match word {
            "active" => Ok(false),
            "archived" => Ok(true),
            _ => Err(Issue::new("must be one of active, archived")),
        })?;
        Ok(Self { is_archived })
    }
}

/// Archive a coupon, so that it credits nobody, or take it up again.
#[utoipa::path(patch, operation_id = "updateCoupon", path = "/coupons/{id}", tag = "Coupons", params(("id" = String, Path, example = "coup_0e2x4b8m6n0pq")),
    request_body = super::openapi::CouponStatus,
    responses((status = 200, description = "The coupon as it is now", body = super::openapi::Envelope<Show>), super::openapi::Errors))]
pub async fn update(
    me: ManagesAffiliates,
    State(app): State<App>,
    PathId(id): PathId<id::Coupon>,
    input: Input<Changed>,
) -> Result<Reply, Failure> {
    let Some(is_archived) = input.value.is_archived else { return show(Reads(me.0), State(app), PathId(id)).await };
    let act = me.act(&app);
    let changed = app
        .db
        .write::<_, Refusal, _>(move |tx| {
            Box::pin(async move { coupons::set_archived(tx, &act, id, is_archived).await })
        })
        .await?;
    Ok(Reply::data(Show { coupon: changed.into() }))
}
