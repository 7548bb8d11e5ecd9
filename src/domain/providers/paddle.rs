//! Paddle Billing: `Paddle-Signature`, transactions and adjustments. Amounts are text in minor units.
//!
//! Facts: developer.paddle.com/webhooks/signature-verification, …/webhooks/transactions/transaction-completed,
//! …/webhooks/adjustments/adjustment-created and -updated.

use serde_json::Value;

use super::{
    Bind, Call, Effect, Event, Evidence, Mode, Product, Reading, Sale, UNKNOWN, Unsigned,
    json::{all, customer, evidence, id, items, moment, whole, word},
    signature::{is_recent, matches},
};
use crate::domain::{key::unhex, money::Currency, time::Time};

pub const EVENTS: &[&str] = &[
    "transaction.completed",
    "adjustment.created",
    "adjustment.updated",
    "subscription.created",
    "subscription.canceled",
    "discount.updated",
];

/// `ts=…;h1=…` over time and body; `h1` may come several times while a secret is replaced.
///
/// # Errors
/// Why it is not to be believed.
pub fn verify(call: &Call<'_>, secrets: &[String], now: Time) -> Result<(), Unsigned> {
    let header = (call.header)("paddle-signature").ok_or(Unsigned::Missing)?;
    let values = |name: &'static str| {
        header.split(';').filter_map(|pair| pair.trim().split_once('=')).filter(move |(key, _)| *key == name)
    };
    let (_, time) = values("ts").next().ok_or(Unsigned::Malformed)?;
    is_recent(time, now)?;
    let given: Vec<_> = values("h1").filter_map(|(_, signature)| unhex(signature)).collect();
    matches(secrets.iter().map(String::as_bytes), &[time.as_bytes(), b":", call.body], &given)
}

pub fn read(event: &Value) -> Option<Event> {
    let (kind, data) = (word(&event["event_type"])?, &event["data"]);
    if !data.is_object() {
        return None;
    }
    let reading = match kind.as_str() {
        "transaction.completed" => transaction(data),
        "transaction.payment_failed" => Reading::ignored("Nothing was paid."),
        "transaction.paid" => Reading::ignored("transaction.completed tells the sale, with its final amounts."),
        "adjustment.created" | "adjustment.updated" => adjustment(data),
        "subscription.created" => Reading::bind(subscriber(data), data["status"] == "trialing"),
        "subscription.canceled" => match word(&data["id"]) {
            Some(subscription) => {
                let at = moment(&data["canceled_at"]).or_else(|| moment(&event["occurred_at"]));
                Reading::one(Effect::SubscriptionEnded { subscription, at })
            }
            None => Reading::ignored("It names no subscription."),
        },
        "discount.updated" if matches!(data["status"].as_str(), Some("archived" | "expired")) => {
            Reading::one(Effect::CouponGone { codes: all([word(&data["code"]), word(&data["id"])]) })
        }
        "discount.updated" => Reading::ignored("The discount still holds."),
        _ => Reading::ignored(UNKNOWN),
    };
    Some(Event { id: word(&event["event_id"]), kind, object: word(&data["id"]), mode: Mode::Unsaid, reading })
}

const ODD: &str = "It names no amount or no known currency.";

/// What was paid without tax: Paddle's tax is not the merchant's to share.
fn without_tax(totals: &Value) -> Option<i64> {
    Some(whole(&totals["total"])? - whole(&totals["tax"]).unwrap_or(0))
}

/// The discount's id, and its word where that is told.
fn coupons(data: &Value) -> Vec<String> {
    all([word(&data["discount"]["code"]), word(&data["discount_id"]), word(&data["discount"]["id"])])
}

fn transaction(data: &Value) -> Reading {
    let totals = &data["details"]["totals"];
    let code = [&data["currency_code"], &totals["currency_code"]].into_iter().find_map(Value::as_str);
    let currency = code.and_then(|code| Currency::parse(code).ok());
    let (Some(key), Some(currency), Some(amount)) = (word(&data["id"]), currency, without_tax(totals)) else {
        return Reading::ignored(ODD);
    };
    if amount <= 0 {
        return Reading::ignored("Nothing was paid.");
    }
    let metadata = [&data["custom_data"]];
    let lines = items(&data["details"]["line_items"]).map(|line| Product {
        id: id(&line["product"]).or_else(|| word(&line["price_id"])),
        name: word(&line["product"]["name"]),
        quantity: whole(&line["quantity"]),
        amount: without_tax(&line["totals"]),
    });
    Reading::one(Effect::Sale(Box::new(Sale {
        objects: vec![key.clone()],
        key,
        amount,
        paid: amount,
        currency,
        evidence: Evidence { coupons: coupons(data), ..evidence(&metadata) },
        customer: customer(id(&data["customer_id"]), &metadata, &data["customer"]["email"]),
        subscription: word(&data["subscription_id"]),
        is_recurring: matches!(data["origin"].as_str(), Some("subscription_recurring" | "subscription_update")),
        products: lines.collect(),
        occurred_at: moment(&data["billed_at"]).or_else(|| moment(&data["created_at"])),
    })))
}

fn adjustment(data: &Value) -> Reading {
    let (Some(key), Some(transaction)) = (word(&data["id"]), word(&data["transaction_id"])) else {
        return Reading::ignored("It names no transaction.");
    };
    let of = vec![transaction.clone()];
    // A chargeback and what takes it back are two adjustments: their transaction is what they share.
    let dispute = format!("chargeback:{transaction}");
    let Some(amount) = without_tax(&data["totals"]) else { return Reading::ignored(ODD) };
    match (data["action"].as_str(), data["status"].as_str()) {
        (Some("refund"), Some("pending_approval")) => {
            Reading::ignored("Waits for Paddle's approval; Paddle tells again.")
        }
        (Some("refund"), Some("rejected")) => Reading::ignored("Paddle did not approve it: nothing was refunded."),
        (Some("refund" | "credit"), Some("reversed")) => Reading::one(Effect::RefundFailed { key, of, amount }),
        (Some("refund" | "credit"), Some("approved")) => Reading::one(Effect::Refund { key, of, amount }),
        (Some("chargeback"), Some("approved")) => Reading::one(Effect::DisputeOpened { key: dispute, of, amount }),
        (Some("chargeback"), Some("reversed")) | (Some("chargeback_reverse"), Some("approved")) => {
            Reading::one(Effect::DisputeWon { key: dispute, of })
        }
        (Some("chargeback_warning" | "chargeback_warning_reverse"), _) => {
            Reading::ignored("Only a warning: no money has moved.")
        }
        _ => Reading::ignored(UNKNOWN),
    }
}

fn subscriber(data: &Value) -> Bind {
    let metadata = [&data["custom_data"]];
    Bind {
        evidence: Evidence { coupons: coupons(data), ..evidence(&metadata) },
        customer: customer(id(&data["customer_id"]), &metadata, &Value::Null),
        subscription: word(&data["id"]),
        occurred_at: moment(&data["created_at"]),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::signature::tests::{NOW, SECONDS, hex_mac, with},
        *,
    };

    #[test]
    fn the_signature_is_of_time_and_body_with_a_colon() {
        let (body, secrets) = (r#"{"event_id":"evt_1"}"#, ["pdl_a".to_owned()]);
        let good = hex_mac(b"pdl_a", &format!("{SECONDS}:{body}"));
        let checked = |header: &str, now| {
            with(&[("paddle-signature", header)], body.as_bytes(), |call| verify(call, &secrets, now))
        };
        assert_eq!(checked(&format!("ts={SECONDS};h1={good}"), NOW), Ok(()));
        assert_eq!(checked(&format!("ts={SECONDS};h1={};h1={good}", "00".repeat(32)), NOW), Ok(()));
        assert_eq!(checked(&format!("ts={SECONDS};h1={good}"), NOW.plus_seconds(301)), Err(Unsigned::Stale));
        let dotted = hex_mac(b"pdl_a", &format!("{SECONDS}.{body}"));
        assert_eq!(checked(&format!("ts={SECONDS};h1={dotted}"), NOW), Err(Unsigned::Wrong));
        assert_eq!(checked(&format!("ts={SECONDS},h1={good}"), NOW), Err(Unsigned::Malformed));
        assert_eq!(with(&[], b"{}", |call| verify(call, &secrets, NOW)), Err(Unsigned::Missing));
    }
}
