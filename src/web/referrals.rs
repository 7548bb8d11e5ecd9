//! Tracking: clicks and conversions as a merchant's server reports them.

use std::{borrow::Cow, net::IpAddr, sync::Arc};

use axum::extract::State;
use futures_util::future::BoxFuture;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    body::{self, Fields},
    caller::Tracks,
    failure::Failure,
    input::{self, FromFields, Input, Query},
    once::{self, Once},
    reply::Reply,
    sites,
};
use crate::{
    app::App,
    domain::{
        attribution,
        code::Code,
        id::{AffiliateId, Click, ClickId, ConversionId},
        money::{Currency, Money},
        text,
        time::Time,
    },
    flows::{
        Act, Refusal,
        conversions::{self, Customer, Decided, Sale},
    },
    store::{
        Tx,
        clicks::{self, NewClick, Outcome},
        conversions::Conversion,
    },
};

/// Longer addresses and browser names are cut, not refused.
pub const URL_LENGTH: usize = 2_048;
pub const USER_AGENT_LENGTH: usize = 512;

pub struct Track {
    code: String,
    source_url: Option<String>,
    user_agent: Option<String>,
    ip_address: Option<IpAddr>,
}

impl FromFields for Track {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Failure> {
        Ok(Self {
            code: fields.required_text("referralCode")?.to_owned(),
            source_url: input::cut(fields.text("sourceUrl")?, URL_LENGTH),
            user_agent: input::cut(fields.text("userAgent")?, USER_AGENT_LENGTH),
            ip_address: fields.text("ipAddress")?.and_then(|ip| ip.trim().parse().ok()),
        })
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tracked {
    #[schema(value_type = String, example = "click_abcdef12345")]
    click_id: ClickId,
    #[schema(example = "JOHNDOE10")]
    referral_code: String,
    #[schema(value_type = String, example = "aff_123456")]
    affiliate_id: AffiliateId,
    #[schema(value_type = String, format = DateTime)]
    timestamp: Time,
}

impl Track {
    /// # Errors
    /// 404 for a code that cannot be one.
    fn click(self, act: &Act) -> Result<NewClick, Failure> {
        let code = Code::parse(&self.code).map_err(|_| unknown_code())?;
        Ok(NewClick {
            id: act.id(),
            program: act.program.id,
            code_key: code.key(),
            source_url: self.source_url,
            landing: None,
            user_agent: self.user_agent,
            ip_hash: self.ip_address.map(|ip| act.secret.short_hash("ip", &ip.to_canonical().to_string())),
        })
    }
}

fn unknown_code() -> Failure {
    Failure::not_found("referral code")
}

fn tracked(click: ClickId, outcome: Outcome) -> Result<Reply, Failure> {
    match outcome {
        Outcome::Recorded { affiliate, code } => Ok(Reply::recorded(Tracked {
            click_id: click,
            referral_code: code,
            affiliate_id: affiliate,
            timestamp: click.time(),
        })),
        Outcome::UnknownCode => Err(unknown_code()),
        Outcome::Blocked => Err(Failure::field("referralCode", "the affiliate is blocked")),
    }
}

/// Record a click.
#[utoipa::path(post, operation_id = "trackClick", path = "/referrals/track", tag = "Referrals", params(super::openapi::IdempotencyKey),
    request_body = super::openapi::Track,
    responses((status = 201, description = "The recorded click", body = super::openapi::Envelope<Tracked>), super::openapi::Errors))]
pub async fn track(me: Tracks, State(app): State<App>, input: Input<Track>) -> Result<Reply, Failure> {
    let act = me.act(&app);
    let click = input.value.click(&act)?;
    let id = click.id;
    match input.once {
        None => tracked(id, app.db.click(click).await?),
        promise => {
            once::write(&app, act, promise, move |tx, _| {
                Box::pin(async move { tracked(id, clicks::record(tx, click).await?) })
            })
            .await
        }
    }
}

pub struct Convert {
    click: Option<ClickId>,
    code: Option<String>,
    coupon: Option<String>,
    is_renewal: bool,
    /// Amounts are in the program's own; another one is a mistake and not a rate of exchange.
    currency: Option<String>,
    /// The number's own text: how many decimals it may have is the program's to say.
    amount: String,
    order: Option<String>,
    customer: Option<Customer>,
    products: Option<String>,
}

impl FromFields for Convert {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Failure> {
        let click = fields.text("clickId")?.map(super::failure::id::<Click>).transpose()?;
        let order = fields.text("orderId")?.map(order_id).transpose()?;
        let customer = fields.object("customer")?.map(|object| Customer {
            json: object.raw.to_owned(),
            id: object.word("id").filter(|id| (1..=255).contains(&id.len())).map(Cow::into_owned),
            email: object.word("email").map(Cow::into_owned),
        });
        Ok(Self {
            click,
            code: fields.text("referralCode")?.map(str::to_owned),
            coupon: fields.text("couponCode")?.map(str::to_owned),
            is_renewal: fields.boolean("renewal")?.unwrap_or(false),
            currency: fields.text("currency")?.map(str::to_owned),
            amount: fields.number("amount")?.ok_or_else(|| body::required("amount"))?.to_owned(),
            order,
            customer,
            products: fields.array("products")?.map(|(_, raw)| raw.to_owned()),
        })
    }
}

impl Convert {
    /// A click, a code or a coupon; or, where the sale follows another one, the customer it is of. An e-mail address
    /// alone, which the reference's own example carries with every sale, takes the place of none of them.
    fn names_somebody(&self) -> bool {
        let has_customer = self.customer.as_ref().is_some_and(|customer| customer.id.is_some() || self.is_renewal);
        self.click.is_some() || self.code.is_some() || self.coupon.is_some() || has_customer
    }
}

fn order_id(given: &str) -> Result<String, Failure> {
    text::bounded(given, 1, 255).map_err(|issue| Failure::field("orderId", issue.0))?;
    Ok(given.to_owned())
}

/// A conversion as the reference answers it: as it was first recorded, whatever has happened since.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Converted {
    /// `null` for a dry run.
    #[schema(value_type = Option<String>, example = "conv_xyz789")]
    conversion_id: Option<ConversionId>,
    #[schema(value_type = String, example = "aff_123456")]
    affiliate_id: AffiliateId,
    #[schema(example = "JOHNDOE10")]
    referral_code: String,
    #[schema(value_type = f64, example = 99.99)]
    amount: Money,
    #[schema(value_type = f64, example = 20.00)]
    commission: Money,
    #[schema(example = "order_123456")]
    order_id: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    timestamp: Time,
}

impl Converted {
    pub fn new(sale: Conversion, id: Option<ConversionId>, currency: Currency) -> Self {
        Self {
            conversion_id: id,
            affiliate_id: sale.affiliate_id,
            referral_code: sale.referral_code,
            amount: currency.of(sale.amount_minor),
            commission: currency.of(sale.commission_minor),
            order_id: sale.order_id,
            timestamp: sale.created_at,
        }
    }
}

/// Record a conversion. The same order again answers as it first did.
#[utoipa::path(post, operation_id = "recordConversion", path = "/referrals/convert", tag = "Referrals",
    params(super::openapi::IdempotencyKey, ("dryRun" = Option<bool>, Query, description = "Answer without recording anything")),
    request_body = super::openapi::Convert,
    responses(
        (status = 201, description = "The recorded conversion", body = super::openapi::Envelope<Converted>),
        (status = 200, description = "The order was recorded before, or nothing was because this is a dry run", body = super::openapi::Envelope<Converted>),
        super::openapi::Errors))]
pub async fn convert(
    me: Tracks,
    State(app): State<App>,
    query: Query,
    input: Input<Convert>,
) -> Result<Reply, Failure> {
    let (act, given) = (me.act(&app), input.value);
    if !given.names_somebody() {
        return Err(Refusal::from(attribution::Refusal::NoEvidence).into());
    }
    if given.currency.is_some_and(|code| !code.eq_ignore_ascii_case(me.program.currency.code())) {
        let issue = format!("must be {}, the program's currency, or left out", me.program.currency.code());
        return Err(Failure::field("currency", issue));
    }
    let is_dry_run = query.boolean("dryRun")?;
    let amount = me.program.currency.amount(&given.amount).map_err(|issue| Failure::field("amount", issue.0))?;
    let sale = Sale {
        click: given.click,
        code: given.code,
        coupon: given.coupon,
        amount,
        order: given.order,
        customer: given.customer,
        products: given.products,
        is_renewal: given.is_renewal,
        bought_at: None,
    };
    if let Some(code) = sites::stand_in(&app, &me.program, sale.click).await? {
        let sale = Sale { click: None, code: Some(code), ..sale };
        return Box::pin(preview(&app, &act, input.once.as_ref(), &sale)).await;
    }
    if is_dry_run {
        return Box::pin(preview(&app, &act, input.once.as_ref(), &sale)).await;
    }
    record(&app, act, input.once, sale).await
}

async fn record(app: &App, act: Act, promise: Option<Once>, sale: Sale) -> Result<Reply, Failure> {
    let Some(promise) = promise else {
        let (act, sale) = (Arc::new(act), Arc::new(sale));
        return app.db.write_together(move |tx| recorded(tx, Arc::clone(&act), Arc::clone(&sale))).await;
    };
    Box::pin(once::write(app, act, Some(promise), move |tx, act| recorded(tx, act, Arc::new(sale)))).await
}

fn recorded(tx: &mut Tx, act: Arc<Act>, sale: Arc<Sale>) -> BoxFuture<'_, Result<Reply, Failure>> {
    Box::pin(async move {
        let (recorded, is_new) = conversions::record(tx, &act, &sale).await?;
        let id = recorded.id;
        let converted = Converted::new(recorded, Some(id), act.program.currency);
        Ok(if is_new { Reply::created(format!("/conversions/{id}"), converted) } else { Reply::data(converted) })
    })
}

async fn preview(app: &App, act: &Act, promise: Option<&Once>, sale: &Sale) -> Result<Reply, Failure> {
    let mut tx = app.db.read().await?;
    once::unused(&mut tx, act, promise).await?;
    let converted = match conversions::decide(&mut tx, act, sale).await? {
        Decided::Known(known) => {
            let id = known.id;
            Converted::new(known, Some(id), act.program.currency)
        }
        Decided::New(new) => Converted::new(new.conversion, None, act.program.currency),
    };
    Ok(Reply::data(converted))
}
