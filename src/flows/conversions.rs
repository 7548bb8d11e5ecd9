//! Recording sales: once each, credited by the evidence that came with them.

use super::{Act, Refusal, mails};
use crate::{
    domain::{
        affiliate,
        attribution::{self, By, Click, Named},
        code::Code,
        commission::{Entry, Kind, Status},
        id::{ClickId, Id},
        message,
        money::{Money, Rate},
    },
    store::{
        Tx, clicks, codes,
        commissions::{self, NewCommission},
        conversions::{self, Conversion, NewConversion},
        customers, ledger, rates, totals,
    },
};

/// A sale as it was reported.
#[derive(Debug)]
pub struct Sale {
    pub click: Option<ClickId>,
    /// As sent: one that is malformed is unknown.
    pub code: Option<String>,
    pub amount: Money,
    pub order: Option<String>,
    pub customer: Option<Customer>,
    /// JSON as given.
    pub products: Option<String>,
}

#[derive(Debug)]
pub struct Customer {
    /// JSON as given.
    pub json: String,
    pub identity: Option<Identity>,
}

/// By what the merchant knows the customer; the first of these that there is.
#[derive(Debug)]
pub enum Identity {
    Id(String),
    Email(String),
}

impl Identity {
    /// As it is stored: an address only as a keyed hash.
    pub fn key(&self, act: &Act) -> String {
        match self {
            Self::Id(id) => format!("id:{id}"),
            Self::Email(email) => {
                let hash = act.secret.hash("customer e-mail", &email.trim().to_lowercase());
                format!("email:{}", crate::domain::key::hex(&hash))
            }
        }
    }
}

pub enum Decided {
    /// The order was recorded before.
    Known(Conversion),
    /// With the rate that it earns by.
    New(Conversion, Rate),
}

/// What recording the sale would do. Writes nothing.
///
/// # Errors
/// When the evidence names nobody who can be credited, or the order is known with another amount or
/// affiliate.
pub async fn decide(tx: &mut Tx, act: &Act, sale: &Sale) -> Result<Decided, Refusal> {
    if sale.click.is_none() && sale.code.is_none() {
        return Err(refused(attribution::Refusal::NoEvidence));
    }
    if let Some(order) = &sale.order
        && let Some(known) = conversions::by_order(tx, act.program.id, order).await?
    {
        return same_again(tx, act, sale, known).await.map(Decided::Known);
    }
    let click = click(tx, act, sale).await?;
    let days = act.program.attribution_days;
    let code = match code(tx, act, sale).await {
        // Only a valid code stands in for a click that is too old, so it is the click that is refused.
        Err(Refusal::NotFound(_)) if click.as_ref().is_some_and(|click| !click.is_within(days, act.now)) => None,
        found => found?,
    };
    let credit = attribution::decide(click, code, days, act.now).map_err(refused)?;
    let rate = if credit.to.has_own_rate {
        let own = rates::of(tx, credit.to.affiliate).await?;
        affiliate::rate_at(act.program.rate, &own, act.now)
    } else {
        act.program.rate
    };
    let sale = Conversion {
        id: Id::new(0),
        affiliate_id: credit.to.affiliate,
        click_id: sale.click,
        order_id: sale.order.clone(),
        amount_minor: sale.amount.minor,
        commission_minor: rate.of(sale.amount).minor,
        referral_code: credit.to.code,
        attributed_by: credit.by,
        conflict: credit.conflict,
        refunded_minor: 0,
        created_at: act.now,
    };
    Ok(Decided::New(sale, rate))
}

/// Records the sale and what it earned; the conversion, and whether it is new.
///
/// # Errors
/// As [`decide`].
pub async fn record(tx: &mut Tx, act: &Act, sale: Sale) -> Result<(Conversion, bool), Refusal> {
    let (mut conversion, rate) = match decide(tx, act, &sale).await? {
        Decided::Known(known) => return Ok((known, false)),
        Decided::New(conversion, rate) => (conversion, rate),
    };
    conversion.id = act.id();
    conversion.created_at = conversion.id.time();
    let customer_id = customer(tx, act, &sale, &conversion).await?;
    let row = NewConversion {
        conversion,
        program: act.program.id,
        customer_id,
        customer: sale.customer.as_ref().map(|customer| customer.json.clone()),
        products: sale.products.clone(),
    };
    if !conversions::create(tx, &row).await? {
        // Somebody recorded the order at this very moment: theirs is the first answer.
        let order = sale.order.as_deref().unwrap_or_default();
        let known = conversions::by_order(tx, act.program.id, order).await?;
        let known = known.ok_or(Refusal::NotFound("conversion"))?;
        return same_again(tx, act, &sale, known).await.map(|known| (known, false));
    }
    earn(tx, act, &row.conversion, rate).await?;
    Ok((row.conversion, true))
}

async fn earn(tx: &mut Tx, act: &Act, sale: &Conversion, rate: Rate) -> Result<(), Refusal> {
    let commission = NewCommission {
        id: act.id(),
        program: act.program.id,
        affiliate: sale.affiliate_id,
        conversion: sale.id,
        kind: Kind::Sale,
        amount: sale.commission_minor,
        rate_bps: rate.basis_points(),
        status: Status::Pending,
        refund: None,
    };
    commissions::create(tx, &commission).await?;
    let entry = ledger::NewEntry {
        id: act.id(),
        program: act.program.id,
        affiliate: sale.affiliate_id,
        currency: act.program.currency,
        kind: Entry::Earn,
        amount: sale.commission_minor,
        commission: commission.id,
        refund: None,
    };
    ledger::post(tx, &entry).await?;
    let day = sale.id.time().day();
    totals::count_conversion(tx, sale.affiliate_id, day, sale.amount_minor, sale.commission_minor).await?;
    if sale.commission_minor > 0 {
        let (kind, cause) = (message::Kind::NewCommission, commission.id.raw());
        mails::enqueue_for_affiliate(tx, act, sale.affiliate_id, kind, cause).await?;
    }
    Ok(())
}

/// The recorded order, if what came now is that same sale: whatever has become of affiliate or click since.
async fn same_again(tx: &mut Tx, act: &Act, sale: &Sale, known: Conversion) -> Result<Conversion, Refusal> {
    if known.amount_minor != sale.amount.minor {
        return Err(Refusal::field("orderId", "is already recorded with another amount"));
    }
    let is_same = if sale.click.is_some() && sale.click == known.click_id {
        true
    } else {
        let (click, code) = (click(tx, act, sale).await?, code(tx, act, sale).await?);
        let named = |by: Option<Named>| by.is_some_and(|by| by.affiliate == known.affiliate_id);
        let code_decides = click.is_none() || known.attributed_by == By::CodeAfterExpiredClick;
        named(click.map(|click| click.by)) || (code_decides && named(code))
    };
    if is_same { Ok(known) } else { Err(Refusal::field("orderId", "is already recorded for another affiliate")) }
}

async fn click(tx: &mut Tx, act: &Act, sale: &Sale) -> Result<Option<Click>, Refusal> {
    let Some(id) = sale.click else { return Ok(None) };
    let unknown = Refusal::NotFound("click");
    let Some(affiliate) = clicks::affiliate(tx, act.program.id, id).await? else { return Err(unknown) };
    let by = codes::named_by_id(tx, act.program.id, affiliate).await?;
    Ok(Some(Click { id, by: by.ok_or(unknown)? }))
}

async fn code(tx: &mut Tx, act: &Act, sale: &Sale) -> Result<Option<Named>, Refusal> {
    let Some(text) = &sale.code else { return Ok(None) };
    let unknown = || Refusal::NotFound("referral code");
    let code = Code::parse(text).map_err(|_| unknown())?;
    codes::owner(tx, act.program.id, &code).await?.ok_or_else(unknown).map(Some)
}

async fn customer(
    tx: &mut Tx,
    act: &Act,
    sale: &Sale,
    conversion: &Conversion,
) -> Result<Option<Id<customers::Customer>>, Refusal> {
    let identity = match sale.customer.as_ref().and_then(|customer| customer.identity.as_ref()) {
        None => return Ok(None),
        Some(identity) => identity.key(act),
    };
    let found = customers::find_or_create(tx, act.id(), act.program.id, &identity, conversion.affiliate_id).await?;
    Ok(found)
}

fn refused(refusal: attribution::Refusal) -> Refusal {
    let field = match refusal {
        attribution::Refusal::Blocked { by_click: false } => "referralCode",
        _ => "clickId",
    };
    Refusal::field(field, refusal.to_string())
}
