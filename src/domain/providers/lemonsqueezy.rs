//! Lemon Squeezy: `X-Signature` over the body, orders and subscription invoices. Ids are numbers of their kind's own.
//!
//! Facts: docs.lemonsqueezy.com/help/webhooks (signing requests, event types, example payloads); the objects' fields
//! as in its own JavaScript library. The first payment of a subscription is told twice, as an order and as an invoice
//! whose reason is `initial`: the order counts. Which discount it was is told by no event.

use serde_json::Value;

use super::{
    Bind, Call, Effect, Event, Mode, Product, Reading, Sale, UNKNOWN, Unsigned,
    json::{all, customer, evidence, moment, object, whole, word},
    signature::matches,
};
use crate::domain::{key::unhex, money::Currency};

pub const EVENTS: &[&str] = &[
    "order_created",
    "order_refunded",
    "subscription_created",
    "subscription_payment_success",
    "subscription_payment_refunded",
    "subscription_expired",
];

/// Without a time: a call that is sent again is told by its content, which is the event's id here.
///
/// # Errors
/// Why it is not to be believed.
pub fn verify(call: &Call<'_>, secrets: &[String]) -> Result<(), Unsigned> {
    let header = (call.header)("x-signature").ok_or(Unsigned::Missing)?;
    let given: Vec<_> = unhex(header.trim()).into_iter().filter(|bytes| !bytes.is_empty()).collect();
    matches(secrets.iter().map(String::as_bytes), &[call.body], &given)
}

pub fn read(event: &Value) -> Option<Event> {
    let (meta, data) = (&event["meta"], &event["data"]);
    let (kind, attributes) = (word(&meta["event_name"])?, &data["attributes"]);
    if !attributes.is_object() {
        return None;
    }
    let is_test = [&meta["test_mode"], &attributes["test_mode"]].into_iter().find_map(Value::as_bool);
    let mode = match is_test {
        Some(true) => Mode::Test,
        Some(false) => Mode::Live,
        None => Mode::Unsaid,
    };
    let reading = match kind.as_str() {
        "order_created" => order(meta, data),
        "order_refunded" => so_far(data, "order", None),
        "subscription_created" => subscription(meta, data),
        "subscription_payment_success" => invoice(meta, data),
        "subscription_payment_refunded" => so_far(data, "invoice", first_of(attributes)),
        "subscription_expired" => match object("subscription", &data["id"]) {
            Some(subscription) => {
                Reading::one(Effect::SubscriptionEnded { subscription, at: moment(&attributes["ends_at"]) })
            }
            None => Reading::ignored("It names no subscription."),
        },
        "subscription_cancelled" => {
            Reading::ignored("It runs to the end of what is paid; subscription_expired tells when it ends.")
        }
        _ => Reading::ignored(UNKNOWN),
    };
    let told = match data["type"].as_str() {
        Some("orders") => object("order", &data["id"]),
        Some("subscriptions") => object("subscription", &data["id"]),
        Some("subscription-invoices") => object("invoice", &data["id"]),
        _ => word(&data["id"]),
    };
    Some(Event { id: None, kind, object: told, mode, reading })
}

/// The first payment of a subscription: an order and an invoice at once.
fn first(subscription: &Value) -> Option<String> {
    object("first payment of", subscription)
}

fn first_of(invoice: &Value) -> Option<String> {
    if invoice["billing_reason"] == "initial" { first(&invoice["subscription_id"]) } else { None }
}

/// What a sale of that order or invoice is called.
pub fn order_of(object: &str) -> Option<String> {
    let (kind, id) = object.split_once(':').filter(|(kind, _)| matches!(*kind, "order" | "invoice"))?;
    Some(format!("lemonsqueezy_{kind}_{id}"))
}

/// The order or invoice of a sale that is called that, or of the bare number of an order.
pub fn object_of(order: &str) -> Option<String> {
    let Some(named) = order.strip_prefix("lemonsqueezy_") else { return Some(format!("order:{order}")) };
    named.split_once('_').map(|(kind, id)| format!("{kind}:{id}"))
}

const ODD: &str = "It names no amount or no known currency.";

/// A sale from what orders and invoices have in common.
fn sale(kind: &str, meta: &Value, data: &Value) -> Result<Sale, Reading> {
    let (attributes, odd) = (&data["attributes"], || Reading::ignored(ODD));
    let id = word(&data["id"]).ok_or_else(odd)?;
    let currency = attributes["currency"].as_str().and_then(|code| Currency::parse(code).ok()).ok_or_else(odd)?;
    let paid = whole(&attributes["total"]).ok_or_else(odd)?;
    if paid <= 0 {
        return Err(Reading::ignored("Nothing was paid."));
    }
    if attributes["status"].as_str().is_some_and(|status| !matches!(status, "paid" | "refunded" | "partial_refund")) {
        return Err(Reading::ignored("Not paid yet."));
    }
    let metadata = [&meta["custom_data"]];
    Ok(Sale {
        key: format!("lemonsqueezy_{kind}_{id}"),
        objects: vec![format!("{kind}:{id}")],
        amount: paid - whole(&attributes["tax"]).unwrap_or(0),
        paid,
        currency,
        evidence: evidence(&metadata),
        customer: customer(object("customer", &attributes["customer_id"]), &metadata, &attributes["user_email"]),
        subscription: object("subscription", &attributes["subscription_id"]),
        is_recurring: false,
        products: Vec::new(),
        occurred_at: moment(&attributes["created_at"]),
    })
}

fn order(meta: &Value, data: &Value) -> Reading {
    let item = &data["attributes"]["first_order_item"];
    match sale("order", meta, data) {
        Ok(sale) => {
            let product = Product {
                id: word(&item["product_id"]),
                name: word(&item["product_name"]),
                quantity: whole(&item["quantity"]),
                amount: None,
            };
            let products = if item.is_object() { vec![product] } else { Vec::new() };
            Reading::one(Effect::Sale(Box::new(Sale { products, ..sale })))
        }
        Err(ignored) => ignored,
    }
}

fn invoice(meta: &Value, data: &Value) -> Reading {
    if let Some(first) = first_of(&data["attributes"]) {
        return Reading::one(Effect::Same(all([object("invoice", &data["id"]), Some(first)])));
    }
    match sale("invoice", meta, data) {
        Ok(sale) => Reading::one(Effect::Sale(Box::new(Sale { is_recurring: true, ..sale }))),
        Err(ignored) => ignored,
    }
}

fn subscription(meta: &Value, data: &Value) -> Reading {
    let (attributes, metadata) = (&data["attributes"], [&meta["custom_data"]]);
    let mut effects = Vec::new();
    let same = all([object("order", &attributes["order_id"]), first(&data["id"])]);
    if same.len() == 2 {
        effects.push(Effect::Same(same));
    }
    let bind = Bind {
        evidence: evidence(&metadata),
        customer: customer(object("customer", &attributes["customer_id"]), &metadata, &attributes["user_email"]),
        subscription: object("subscription", &data["id"]),
        occurred_at: moment(&attributes["created_at"]),
    };
    if !bind.evidence.is_none() {
        effects.push(if attributes["status"] == "on_trial" { Effect::Lead(bind) } else { Effect::Bind(bind) });
    }
    if effects.is_empty() {
        Reading::ignored("No click and no referral code came with it.")
    } else {
        Reading::Effects(effects)
    }
}

/// All that is refunded of an order or invoice by now.
fn so_far(data: &Value, kind: &str, also: Option<String>) -> Reading {
    let attributes = &data["attributes"];
    let amount = whole(&attributes["refunded_amount"]).filter(|amount| *amount > 0);
    // Before refunds could be partial there was only whether.
    let amount = amount.or_else(|| whole(&attributes["total"]).filter(|_| attributes["refunded"] == true));
    let (Some(key), Some(amount)) = (object(kind, &data["id"]), amount) else { return Reading::ignored(ODD) };
    Reading::one(Effect::RefundedSoFar { of: all([Some(key.clone()), also]), key, amount })
}

#[cfg(test)]
mod tests {
    use super::{
        super::signature::tests::{hex_mac, with},
        *,
    };

    #[test]
    fn the_signature_is_of_the_body_alone() {
        let (body, secrets) = ("{}", ["old".to_owned(), "secret".to_owned()]);
        let checked =
            |signature: &str| with(&[("x-signature", signature)], body.as_bytes(), |call| verify(call, &secrets));
        assert_eq!(checked(&hex_mac(b"secret", body)), Ok(()));
        assert_eq!(checked(&hex_mac(b"secret", body).to_uppercase()), Ok(()));
        assert_eq!(checked(&hex_mac(b"other", body)), Err(Unsigned::Wrong));
        for odd in ["", "zz", "abc"] {
            assert_eq!(checked(odd), Err(Unsigned::Malformed), "{odd}");
        }
        assert_eq!(with(&[], b"{}", |call| verify(call, &secrets)), Err(Unsigned::Missing));
    }
}
