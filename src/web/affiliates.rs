//! Affiliates: the list, one of them, a new one, a changed one.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    body::{Fields, Node, Value},
    caller::{ManagesAffiliates, Reads},
    failure::Failure,
    input::{FromFields, Input, PathId, Query},
    once,
    reply::Reply,
};
use crate::{
    app::App,
    domain::{
        affiliate::{self, ConversionRate, PaymentMethod, Status},
        code::Code,
        email::Email,
        id::{self, AffiliateId, ProgramId},
        money::{Currency, Money},
        text,
        time::Time,
    },
    flows::{
        affiliates::{self, Edit, NewAffiliate},
        payment_details,
    },
    secret::SecretKey,
    store::{
        self, Tx,
        affiliates::{Details, Summary},
    },
};

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AffiliateSummary)]
pub struct Row {
    #[schema(value_type = String, example = "aff_0e2x4b8m6n0pq")]
    pub id: AffiliateId,
    pub email: String,
    pub name: String,
    pub status: Status,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Time,
    #[schema(value_type = f64, example = 1250.75)]
    pub total_earnings: Money,
    #[schema(value_type = f64, example = 350.25)]
    pub pending_earnings: Money,
    #[schema(value_type = f64, example = 900.50)]
    pub paid_earnings: Money,
    #[schema(value_type = f64, example = 0.1201)]
    pub conversion_rate: ConversionRate,
    pub click_count: i64,
    pub conversion_count: i64,
}

impl Row {
    fn new(summary: Summary, currency: Currency) -> Self {
        Self {
            id: summary.id,
            email: summary.email,
            name: summary.name,
            status: summary.status,
            created_at: summary.created_at,
            total_earnings: currency.of(summary.unpaid_minor + summary.paid_minor),
            pending_earnings: currency.of(summary.unpaid_minor),
            paid_earnings: currency.of(summary.paid_minor),
            conversion_rate: ConversionRate::of(summary.conversions, summary.clicks),
            click_count: summary.clicks,
            conversion_count: summary.conversions,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Affiliate)]
pub struct Whole {
    #[serde(flatten)]
    pub row: Row,
    pub referral_code: String,
    pub payment_method: Option<PaymentMethod>,
    pub payment_details: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = AffiliateList)]
pub struct Index {
    pub affiliates: Vec<Row>,
    pub total: i64,
    pub limit: i64,
    pub offset: i64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = AffiliateEnvelope)]
pub struct Show {
    pub affiliate: Whole,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JoinedAffiliate {
    #[schema(value_type = String)]
    id: AffiliateId,
    email: String,
    name: String,
    status: Status,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    referral_code: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = CreatedAffiliate)]
pub struct Created {
    affiliate: JoinedAffiliate,
}

async fn whole(
    tx: &mut Tx,
    secret: &SecretKey,
    (program, currency): (ProgramId, Currency),
    id: AffiliateId,
) -> Result<Show, Failure> {
    let unknown = || Failure::not_found("affiliate");
    let summary = store::affiliates::summary(tx, program, id).await?.ok_or_else(unknown)?;
    let details: Details = store::affiliates::details(tx, program, id).await?.ok_or_else(unknown)?;
    Ok(Show {
        affiliate: Whole {
            row: Row::new(summary, currency),
            referral_code: details.referral_code,
            payment_method: details.payment_method,
            payment_details: match &details.sealed_details {
                Some(sealed) => Some(payment_details::open(secret, id, sealed)?),
                None => None,
            },
        },
    })
}

/// List affiliates, newest first.
#[utoipa::path(get, operation_id = "listAffiliates", path = "/affiliates", tag = "Affiliates",
    params(super::openapi::Window, ("status" = Option<Status>, Query, description = "Only affiliates of this status")),
    responses((status = 200, description = "A page of affiliates", body = super::openapi::Envelope<Index>), super::openapi::Errors))]
pub async fn index(me: Reads, State(app): State<App>, query: Query) -> Result<Reply, Failure> {
    let window = query.window()?;
    let status = query.parsed("status", Status::parse)?;

    let mut tx = app.db.ask().await?;
    let (page, total) = store::affiliates::page(&mut tx, me.program.id, status, window.limit, window.offset).await?;

    let affiliates = page.into_iter().map(|summary| Row::new(summary, me.program.currency)).collect();
    Ok(Reply::data(Index { affiliates, total, limit: window.limit, offset: window.offset }))
}

/// Get one affiliate with its code and payment method.
#[utoipa::path(get, operation_id = "getAffiliate", path = "/affiliates/{id}", tag = "Affiliates", params(("id" = String, Path, example = "aff_123456")),
    responses((status = 200, description = "The affiliate", body = super::openapi::Envelope<Show>), super::openapi::Errors))]
pub async fn show(me: Reads, State(app): State<App>, PathId(id): PathId<id::Affiliate>) -> Result<Reply, Failure> {
    let mut tx = app.db.read().await?;
    let show = whole(&mut tx, &app.secret, (me.program.id, me.program.currency), id).await?;
    Ok(Reply::data(show))
}

/// Create an affiliate. They are active at once.
#[utoipa::path(post, operation_id = "createAffiliate", path = "/affiliates", tag = "Affiliates", params(super::openapi::IdempotencyKey),
    request_body = super::openapi::NewAffiliate,
    responses((status = 201, description = "The affiliate, active", body = super::openapi::Envelope<Created>), super::openapi::Errors))]
pub async fn create(
    me: ManagesAffiliates,
    State(app): State<App>,
    input: Input<NewAffiliate>,
) -> Result<Reply, Failure> {
    let new = input.value;
    once::write(&app, me.act(&app), input.once, move |tx, act| {
        Box::pin(async move {
            let joined = affiliates::create(tx, &act, &new).await?;
            let affiliate = JoinedAffiliate {
                id: joined.id,
                email: new.email.as_str().to_owned(),
                name: new.name,
                status: Status::Active,
                created_at: joined.id.time(),
                referral_code: joined.referral_code,
            };
            Ok(Reply::created(format!("/affiliates/{}", joined.id), Created { affiliate }))
        })
    })
    .await
}

/// Change an affiliate. What is left out stays; `null` clears what may be empty.
#[utoipa::path(patch, operation_id = "updateAffiliate", path = "/affiliates/{id}", tag = "Affiliates", params(("id" = String, Path, example = "aff_123456")),
    request_body = super::openapi::EditAffiliate,
    responses((status = 200, description = "The affiliate as changed", body = super::openapi::Envelope<Show>), super::openapi::Errors))]
pub async fn update(
    me: ManagesAffiliates,
    State(app): State<App>,
    PathId(id): PathId<id::Affiliate>,
    input: Input<Edit>,
) -> Result<Reply, Failure> {
    let (edit, act) = (input.value, me.act(&app));
    app.db
        .write(move |tx| {
            Box::pin(async move {
                affiliates::edit(tx, &act, id, edit).await?;
                let show = whole(tx, &act.secret, (act.program.id, act.program.currency), id).await?;
                Ok(Reply::data(show))
            })
        })
        .await
}

impl FromFields for NewAffiliate {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Failure> {
        Ok(Self {
            email: fields.parsed("email", Email::parse)?.ok_or_else(|| super::body::required("email"))?,
            name: name(fields.required_text("name")?)?,
            code: fields.parsed("referralCode", Code::parse)?,
            custom_fields: custom_fields(fields)?.unwrap_or_else(|| "{}".into()),
        })
    }
}

impl FromFields for Edit {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Failure> {
        for field in ["name", "email", "status", "referralCode"] {
            if matches!(fields.given(field), Some(Node { value: Value::Null, .. })) {
                return Err(Failure::field(field, "must not be empty"));
            }
        }
        let payment_details = fields.text("paymentDetails")?.map(details).transpose()?;
        Ok(Self {
            name: fields.text("name")?.map(name).transpose()?,
            email: fields.parsed("email", Email::parse)?,
            status: fields.parsed("status", Status::parse)?,
            code: fields.parsed("referralCode", Code::parse)?,
            payment_method: cleared(fields, "paymentMethod", fields.parsed("paymentMethod", PaymentMethod::parse)?),
            payment_details: cleared(fields, "paymentDetails", payment_details),
            custom_fields: cleared(fields, "customFields", custom_fields(fields)?)
                .map(|given| given.unwrap_or_else(|| "{}".into())),
            // The reference's affiliates have none: it is the portal's to set.
            minimum: None,
        })
    }
}

/// `None` for a field left out, `Some(None)` for `null`.
#[expect(clippy::option_option, reason = "a patch says of a field: nothing, that it is empty, or what it is")]
fn cleared<T>(fields: &Fields<'_>, name: &str, value: Option<T>) -> Option<Option<T>> {
    fields.given(name).map(|_| value)
}

fn name(given: &str) -> Result<String, Failure> {
    text::name(given).map_err(|issue| Failure::field("name", issue.0))?;
    Ok(given.to_owned())
}

fn details(given: &str) -> Result<String, Failure> {
    text::bounded(given, 1, 500).map_err(|issue| Failure::field("paymentDetails", issue.0))?;
    Ok(given.to_owned())
}

fn custom_fields(fields: &Fields<'_>) -> Result<Option<String>, Failure> {
    let Some(object) = fields.object("customFields")? else { return Ok(None) };
    affiliate::custom_fields(object.fields.len(), object.raw.len())
        .map_err(|issue| Failure::field("customFields", issue.0))?;
    Ok(Some(object.raw.to_owned()))
}
