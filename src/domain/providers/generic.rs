//! A merchant's own server: signed as Standard Webhooks says, in words of ours. Amounts are numbers in the currency's
//! own decimals, as everywhere in the API, and read from their text. README has an example.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Bind, Call, Customer, Effect, Event, Evidence, Mode, Product, Reading, Sale, UNKNOWN, Unsigned, signature,
};
use crate::domain::{money::Currency, time::Time};

pub const EVENTS: &[&str] = &[
    "sale",
    "lead",
    "customer.bound",
    "refund",
    "refund.failed",
    "dispute.opened",
    "dispute.won",
    "dispute.lost",
    "subscription.ended",
    "coupon.gone",
];

/// The message's id.
///
/// # Errors
/// Why it is not to be believed.
pub fn verify(call: &Call<'_>, secrets: &[String], now: Time) -> Result<String, Unsigned> {
    let keys: Vec<_> = secrets.iter().filter_map(|secret| signature::key_of(secret)).collect();
    signature::standard(call, &keys, now)
}

#[derive(Deserialize)]
struct Told {
    r#type: String,
    #[serde(default)]
    test: bool,
    #[serde(default)]
    data: Data,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Data {
    order_id: Option<String>,
    refund_id: Option<String>,
    dispute_id: Option<String>,
    subscription_id: Option<String>,
    amount: Option<Box<RawValue>>,
    currency: Option<String>,
    click_id: Option<String>,
    referral_code: Option<String>,
    coupon: Option<String>,
    code: Option<String>,
    customer: Person,
    recurring: bool,
    products: Vec<Line>,
    occurred_at: Option<String>,
    ended_at: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Person {
    id: Option<String>,
    email: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Line {
    id: Option<String>,
    name: Option<String>,
    quantity: Option<i64>,
    amount: Option<Box<RawValue>>,
}

pub fn read(body: &str) -> Option<Event> {
    let Told { r#type: kind, test, data } = serde_json::from_str(body).ok()?;
    let mode = if test { Mode::Test } else { Mode::Live };
    let named = [&data.refund_id, &data.dispute_id, &data.order_id, &data.subscription_id, &data.code];
    let object = named.into_iter().find_map(Clone::clone);
    let reading = match effect(&kind, data) {
        Ok(effect) => Reading::one(effect),
        Err(why) => Reading::Ignored(why.into()),
    };
    Some(Event { id: None, kind, object, mode, reading })
}

fn moment(text: Option<&String>) -> Result<Option<Time>, String> {
    let Some(text) = text else { return Ok(None) };
    let moment: jiff::Timestamp =
        text.parse().map_err(|_| "A time in it is not RFC 3339, such as 2026-03-01T12:00:00Z.".to_owned())?;
    Ok(Some(Time::from_ms(moment.as_millisecond())))
}

/// Minor units; all of it where nothing is named.
fn amount(data: &Data) -> Result<i64, String> {
    let Some(amount) = &data.amount else { return Ok(i64::MAX) };
    let currency = currency(data)?;
    currency.amount(amount.get()).map(|money| money.minor).map_err(|issue| format!("Its amount {issue}."))
}

fn currency(data: &Data) -> Result<Currency, String> {
    let code = data.currency.as_deref().ok_or("It names no currency.")?;
    Currency::parse(code).map_err(|issue| format!("Its currency {issue}."))
}

fn order(id: &str) -> String {
    format!("order:{id}")
}

fn subscription(data: &Data) -> Option<String> {
    data.subscription_id.as_ref().map(|id| format!("subscription:{id}"))
}

fn bind(data: &Data) -> Result<Bind, String> {
    Ok(Bind {
        evidence: Evidence {
            click: data.click_id.clone(),
            code: data.referral_code.clone(),
            hint: None,
            coupons: data.coupon.iter().cloned().collect(),
        },
        customer: Customer {
            object: data.customer.id.as_ref().map(|id| format!("customer:{id}")),
            own_id: data.customer.id.clone(),
            email: data.customer.email.clone(),
        },
        subscription: subscription(data),
        occurred_at: moment(data.occurred_at.as_ref())?,
    })
}

/// What it does, or why it does nothing.
fn effect(kind: &str, data: Data) -> Result<Effect, String> {
    let missing = |name: &str| format!("It lacks data.{name}.");
    let of = || data.order_id.as_deref().map(|id| vec![order(id)]).ok_or_else(|| missing("orderId"));
    let refund = || data.refund_id.clone().ok_or_else(|| missing("refundId"));
    let dispute = || data.dispute_id.clone().ok_or_else(|| missing("disputeId"));
    Ok(match kind {
        "sale" => Effect::Sale(Box::new(sale(data)?)),
        "lead" | "customer.bound" => {
            let bind = bind(&data)?;
            if bind.evidence.is_none() {
                return Err("No click and no referral code came with it.".into());
            }
            if kind == "lead" { Effect::Lead(bind) } else { Effect::Bind(bind) }
        }
        "refund" => Effect::Refund { key: refund()?, of: of()?, amount: amount(&data)? },
        "refund.failed" => {
            let amount = if data.amount.is_some() { amount(&data)? } else { 0 };
            Effect::RefundFailed { key: refund()?, of: of()?, amount }
        }
        "dispute.opened" => Effect::DisputeOpened { key: dispute()?, of: of()?, amount: amount(&data)? },
        "dispute.won" => Effect::DisputeWon { key: dispute()?, of: of()? },
        "dispute.lost" => Effect::DisputeLost { key: dispute()?, of: of()?, amount: amount(&data)? },
        "subscription.ended" => Effect::SubscriptionEnded {
            subscription: subscription(&data).ok_or_else(|| missing("subscriptionId"))?,
            at: moment(data.ended_at.as_ref())?,
        },
        "coupon.gone" => Effect::CouponGone { codes: vec![data.code.ok_or_else(|| missing("code"))?] },
        _ => return Err(UNKNOWN.into()),
    })
}

fn sale(data: Data) -> Result<Sale, String> {
    let currency = currency(&data)?;
    if data.amount.is_none() {
        return Err("It lacks data.amount.".into());
    }
    let (paid, bind) = (amount(&data)?, bind(&data)?);
    let key = data.order_id.clone().filter(|id| (1..=255).contains(&id.chars().count()));
    let key = key.ok_or("It lacks data.orderId, 1 to 255 characters.")?;
    let products = data.products.into_iter().map(|line| Product {
        amount: line.amount.and_then(|amount| currency.amount(amount.get()).ok()).map(|money| money.minor),
        id: line.id,
        name: line.name,
        quantity: line.quantity,
    });
    Ok(Sale {
        objects: vec![order(&key)],
        key,
        amount: paid,
        paid,
        currency,
        evidence: bind.evidence,
        customer: bind.customer,
        subscription: bind.subscription,
        is_recurring: data.recurring,
        products: products.collect(),
        occurred_at: bind.occurred_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(body: &str) -> Reading {
        read(body).unwrap().reading
    }

    fn why(body: &str) -> String {
        match reading(body) {
            Reading::Ignored(why) => why.into_owned(),
            Reading::Effects(effects) => panic!("{effects:?}"),
        }
    }

    #[test]
    fn amounts_are_read_from_their_text() {
        let body = r#"{"type":"sale","data":{"orderId":"o-1","amount":0.30000000000000004,"currency":"usd"}}"#;
        let Reading::Effects(effects) = reading(body) else { panic!() };
        let [Effect::Sale(sale)] = &effects[..] else { panic!("{effects:?}") };
        assert_eq!((sale.amount, sale.paid, sale.key.as_str()), (30, 30, "o-1"));
    }

    #[test]
    fn what_is_wrong_is_said_by_its_name() {
        for (body, part) in [
            (r#"{"type":"sale","data":{"orderId":"o","currency":"USD"}}"#, "data.amount"),
            (r#"{"type":"sale","data":{"orderId":"o","amount":1.001,"currency":"USD"}}"#, "at most 2 decimals"),
            (r#"{"type":"sale","data":{"orderId":"o","amount":-1,"currency":"USD"}}"#, "negative"),
            (r#"{"type":"sale","data":{"amount":1,"currency":"USD"}}"#, "data.orderId"),
            (r#"{"type":"sale","data":{"orderId":"o","amount":1}}"#, "currency"),
            (r#"{"type":"refund","data":{"orderId":"o"}}"#, "data.refundId"),
            (r#"{"type":"subscription.ended","data":{"subscriptionId":"s","endedAt":"today"}}"#, "RFC 3339"),
            (r#"{"type":"lead","data":{}}"#, "No click"),
            (r#"{"type":"other"}"#, "nothing here"),
        ] {
            assert!(why(body).contains(part), "{body}: {}", why(body));
        }
        assert_eq!(read("{}"), None);
        assert_eq!(read(r#"{"type":"sale","data":1}"#), None);
    }
}
