//! Polar: Standard Webhooks headers; orders, which tell how much of them is refunded so far.
//!
//! Facts: polar.sh/docs (webhook endpoints and events) and Polar's own libraries: the key is the secret's text as it
//! is shown, `whsec_` and base64 only where another tool made it; amounts of refunds are without tax.

use serde_json::Value;

use super::{
    Bind, Call, Effect, Event, Evidence, Mode, Product, Reading, Sale, UNKNOWN, Unsigned,
    json::{all, customer, evidence, items, moment, object, whole, word},
    signature,
};
use crate::domain::{money::Currency, time::Time};

pub const EVENTS: &[&str] = &[
    "order.paid",
    "order.updated",
    "order.refunded",
    "subscription.created",
    "subscription.active",
    "subscription.revoked",
];

/// The message's id.
///
/// # Errors
/// Why it is not to be believed.
pub fn verify(call: &Call<'_>, secrets: &[String], now: Time) -> Result<String, Unsigned> {
    let keys =
        secrets.iter().flat_map(|secret| std::iter::once(secret.clone().into_bytes()).chain(signature::key_of(secret)));
    signature::standard(call, &keys.collect::<Vec<_>>(), now)
}

pub fn read(event: &Value) -> Option<Event> {
    let (kind, data) = (word(&event["type"])?, &event["data"]);
    if !data.is_object() {
        return None;
    }
    let reading = match kind.as_str() {
        "order.paid" => order(data),
        "order.created" => Reading::ignored("order.paid tells when it is paid."),
        "order.refunded" | "order.updated" => so_far(data),
        "refund.created" | "refund.updated" => {
            Reading::ignored("order.refunded tells how much of the order is refunded.")
        }
        "subscription.created" | "subscription.active" => Reading::bind(subscriber(data), data["status"] == "trialing"),
        "subscription.canceled" => {
            Reading::ignored("It runs to the end of what is paid; subscription.revoked tells when it ends.")
        }
        "subscription.revoked" => match object("subscription", &data["id"]) {
            Some(subscription) => {
                let at = moment(&data["ended_at"]).or_else(|| moment(&event["timestamp"]));
                Reading::one(Effect::SubscriptionEnded { subscription, at })
            }
            None => Reading::ignored("It names no subscription."),
        },
        _ => Reading::ignored(UNKNOWN),
    };
    let noun = kind.split('.').next().unwrap_or_default();
    Some(Event { id: None, object: object(noun, &data["id"]), mode: Mode::Unsaid, kind, reading })
}

const ODD: &str = "It names no amount or no known currency.";

fn order(data: &Value) -> Reading {
    let currency = data["currency"].as_str().and_then(|code| Currency::parse(code).ok());
    let amount = whole(&data["net_amount"]).or_else(|| whole(&data["amount"]));
    let (Some(key), Some(currency), Some(amount)) = (word(&data["id"]), currency, amount) else {
        return Reading::ignored(ODD);
    };
    if amount <= 0 {
        return Reading::ignored("Nothing was paid.");
    }
    let (buyer, metadata) = (&data["customer"], [&data["metadata"], &data["subscription"]["metadata"]]);
    let mut by = customer(object("customer", &data["customer_id"]), &metadata, &buyer["email"]);
    by.own_id = word(&buyer["external_id"]).or(by.own_id);
    let mut products: Vec<_> = items(&data["items"])
        .map(|item| Product {
            id: word(&data["product_id"]),
            name: word(&item["label"]),
            quantity: None,
            amount: whole(&item["amount"]),
        })
        .collect();
    if products.is_empty() && data["product"].is_object() {
        let (id, name) = (word(&data["product"]["id"]), word(&data["product"]["name"]));
        products.push(Product { id, name, quantity: None, amount: None });
    }
    Reading::one(Effect::Sale(Box::new(Sale {
        objects: all([object("order", &data["id"])]),
        key,
        amount,
        paid: amount,
        currency,
        evidence: Evidence {
            coupons: all([word(&data["discount"]["code"]), word(&data["discount_id"])]),
            ..evidence(&metadata)
        },
        customer: by,
        subscription: object("subscription", &data["subscription_id"]),
        is_recurring: matches!(data["billing_reason"].as_str(), Some("subscription_cycle" | "subscription_update")),
        products,
        occurred_at: moment(&data["created_at"]),
    })))
}

fn so_far(data: &Value) -> Reading {
    let amount = whole(&data["refunded_amount"]).filter(|amount| *amount > 0);
    match (object("order", &data["id"]), amount) {
        (Some(key), Some(amount)) => Reading::one(Effect::RefundedSoFar { of: vec![key.clone()], key, amount }),
        _ => Reading::ignored("Nothing of the order is refunded; order.paid tells when it is paid."),
    }
}

fn subscriber(data: &Value) -> Bind {
    let metadata = [&data["metadata"]];
    let mut by = customer(object("customer", &data["customer_id"]), &metadata, &data["customer"]["email"]);
    by.own_id = word(&data["customer"]["external_id"]).or(by.own_id);
    Bind {
        evidence: evidence(&metadata),
        customer: by,
        subscription: object("subscription", &data["id"]),
        occurred_at: moment(&data["created_at"]),
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};

    use super::{
        super::signature::tests::{NOW, SECONDS, mac, with},
        *,
    };

    #[test]
    fn the_key_is_the_text_of_the_secret() {
        let (secret, body, time) = ("polar_whs_abc", b"{}", SECONDS.to_string());
        let parts: [&[u8]; 5] = [b"msg_1", b".", time.as_bytes(), b".", body];
        let signature = format!("v1,{}", STANDARD.encode(mac(secret.as_bytes(), &parts)));
        let headers =
            [("webhook-id", "msg_1"), ("webhook-timestamp", time.as_str()), ("webhook-signature", signature.as_str())];
        let checked = |secret: &str, now| with(&headers, body, |call| verify(call, &[secret.to_owned()], now));
        assert_eq!(checked(secret, NOW).as_deref(), Ok("msg_1"));
        assert_eq!(checked("polar_whs_abd", NOW), Err(Unsigned::Wrong));
        assert_eq!(checked(secret, NOW.plus_seconds(301)), Err(Unsigned::Stale));
    }
}
