//! Stripe: `Stripe-Signature`, and events of API versions before and after 2025-03-31 (basil), in which an invoice no
//! longer names its payment and `invoice_payment.paid` does.
//!
//! Facts: docs.stripe.com/webhooks/signature, docs.stripe.com/api/events/types, docs.stripe.com/currencies,
//! docs.stripe.com/changelog/acacia/2024-10-28/refund-webhook-update.

use serde_json::Value;

use super::{
    Bind, Call, Effect, Event, Evidence, Mode, Product, Reading, Sale, UNKNOWN, Unsigned,
    json::{all, customer, evidence, id, items, seconds, whole, word},
    signature::{is_recent, matches},
};
use crate::domain::{
    key::unhex,
    money::{Currency, proportion},
    time::Time,
};

pub const EVENTS: &[&str] = &[
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "customer.subscription.created",
    "customer.subscription.deleted",
    "invoice.paid",
    "invoice_payment.paid",
    "charge.refunded",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
    "charge.dispute.closed",
    "coupon.deleted",
    "promotion_code.updated",
];

/// `t=…,v1=…`, where `v1` may come several times and `v0` does not count.
///
/// # Errors
/// Why it is not to be believed.
pub fn verify(call: &Call<'_>, secrets: &[String], now: Time) -> Result<(), Unsigned> {
    let header = (call.header)("stripe-signature").ok_or(Unsigned::Missing)?;
    let values = |name: &'static str| {
        header.split(',').filter_map(|pair| pair.trim().split_once('=')).filter(move |(key, _)| *key == name)
    };
    let (_, time) = values("t").next().ok_or(Unsigned::Malformed)?;
    is_recent(time, now)?;
    let given: Vec<_> = values("v1").filter_map(|(_, signature)| unhex(signature)).collect();
    matches(secrets.iter().map(String::as_bytes), &[time.as_bytes(), b".", call.body], &given)
}

pub fn read(event: &Value) -> Option<Event> {
    let (kind, object) = (word(&event["type"])?, &event["data"]["object"]);
    if word(&event["object"]).is_some_and(|what| what != "event") || !object.is_object() {
        return None;
    }
    let reading = match kind.as_str() {
        "checkout.session.completed" | "checkout.session.async_payment_succeeded" => session(object),
        "customer.subscription.created" if object["status"] == "trialing" => Reading::bind(subscriber(object), true),
        "customer.subscription.created" => Reading::ignored("Not a trial: its first invoice is the sale."),
        "customer.subscription.deleted" => ended(object, &event["created"]),
        "invoice.paid" => invoice(object),
        "invoice_payment.paid" => same(object),
        "charge.refunded" => refunded(object),
        "refund.created" | "refund.updated" | "refund.failed" | "charge.refund.updated" => refund(object),
        "charge.dispute.created"
        | "charge.dispute.updated"
        | "charge.dispute.funds_withdrawn"
        | "charge.dispute.funds_reinstated"
        | "charge.dispute.closed" => dispute(&kind, object),
        "coupon.deleted" => coupon_gone([word(&object["id"]), None]),
        "promotion_code.updated" if object["active"] == false => {
            coupon_gone([word(&object["code"]), word(&object["id"])])
        }
        "promotion_code.updated" => Reading::ignored("The code is still active."),
        _ => Reading::ignored(UNKNOWN),
    };
    let mode = match event["livemode"] {
        Value::Bool(true) => Mode::Live,
        Value::Bool(false) => Mode::Test,
        _ => Mode::Unsaid,
    };
    Some(Event { id: word(&event["id"]), kind, object: word(&object["id"]), mode, reading })
}

/// Minor units of ISO 4217: Stripe counts some currencies in others of its own.
fn minor(amount: i64, currency: Currency) -> i64 {
    const WHOLE: [&str; 14] =
        ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF"];
    const THOUSANDTHS: [&str; 5] = ["BHD", "JOD", "KWD", "OMR", "TND"];
    let decimals = match currency.code() {
        code if WHOLE.contains(&code) || code == "XPF" => 0,
        code if THOUSANDTHS.contains(&code) => 3,
        _ => 2,
    };
    let unit = |decimals: u8| 10_i64.pow(u32::from(decimals));
    proportion(amount, unit(currency.exponent()), unit(decimals))
}

fn currency(object: &Value) -> Option<Currency> {
    Currency::parse(object["currency"].as_str()?).ok()
}

fn amount(object: &Value, field: &str) -> Option<i64> {
    Some(minor(whole(&object[field])?, currency(object)?))
}

const ODD: &str = "It names no amount or no known currency.";

fn session(session: &Value) -> Reading {
    let metadata = [&session["metadata"]];
    let hint = word(&session["client_reference_id"]);
    let evidence = Evidence { hint, coupons: coupons(session), ..evidence(&metadata) };
    let email = match &session["customer_details"]["email"] {
        Value::Null => &session["customer_email"],
        email => email,
    };
    let customer = customer(id(&session["customer"]), &metadata, email);
    match session["mode"].as_str() {
        Some("subscription") => {
            let subscription = id(&session["subscription"]);
            let occurred_at = seconds(&session["created"]);
            Reading::bind(Bind { evidence, customer, subscription, occurred_at }, false)
        }
        Some("payment") if session["payment_status"] == "paid" => {
            let (Some(currency), Some(paid)) = (currency(session), amount(session, "amount_total")) else {
                return Reading::ignored(ODD);
            };
            if paid <= 0 {
                return Reading::ignored("Nothing was paid.");
            }
            let tax = minor(whole(&session["total_details"]["amount_tax"]).unwrap_or(0), currency);
            let (payment, own) = (id(&session["payment_intent"]), id(&session["id"]));
            let Some(key) = payment.clone().or_else(|| own.clone()) else { return Reading::ignored(ODD) };
            Reading::one(Effect::Sale(Box::new(Sale {
                key,
                objects: all([payment, own, id(&session["invoice"])]),
                amount: paid - tax,
                paid,
                currency,
                evidence,
                customer,
                subscription: None,
                is_recurring: false,
                products: products(&session["line_items"]["data"], currency),
                occurred_at: seconds(&session["created"]),
            })))
        }
        Some("payment") if session["payment_status"] == "unpaid" => {
            Reading::ignored("Not paid yet; Stripe tells again when it is.")
        }
        Some("payment") => Reading::ignored("Nothing was to be paid."),
        _ => Reading::ignored("Only saves a way to pay."),
    }
}

fn subscriber(subscription: &Value) -> Bind {
    let metadata = [&subscription["metadata"]];
    Bind {
        evidence: Evidence { coupons: coupons(subscription), ..evidence(&metadata) },
        customer: customer(id(&subscription["customer"]), &metadata, &Value::Null),
        subscription: id(&subscription["id"]),
        occurred_at: seconds(&subscription["created"]),
    }
}

fn ended(subscription: &Value, told: &Value) -> Reading {
    let at = ["ended_at", "canceled_at"].iter().find_map(|field| seconds(&subscription[*field]));
    match id(&subscription["id"]) {
        Some(id) => Reading::one(Effect::SubscriptionEnded { subscription: id, at: at.or_else(|| seconds(told)) }),
        None => Reading::ignored("It names no subscription."),
    }
}

fn invoice(invoice: &Value) -> Reading {
    let reason = invoice["billing_reason"].as_str().unwrap_or_default();
    if reason != "subscription" && !reason.starts_with("subscription_") {
        return Reading::ignored("Not an invoice of a subscription: what its checkout tells is the sale.");
    }
    let (Some(key), Some(currency)) = (word(&invoice["id"]), currency(invoice)) else { return Reading::ignored(ODD) };
    let (Some(paid), Some(total)) = (amount(invoice, "amount_paid"), amount(invoice, "total")) else {
        return Reading::ignored(ODD);
    };
    if paid <= 0 || total <= 0 {
        return Reading::ignored("Nothing was paid.");
    }
    let without_tax = amount(invoice, "total_excluding_tax").unwrap_or_else(|| {
        let taxes = items(&invoice["total_taxes"]).chain(items(&invoice["total_tax_amounts"]));
        let tax = whole(&invoice["tax"]).unwrap_or_else(|| taxes.filter_map(|tax| whole(&tax["amount"])).sum());
        total - minor(tax, currency)
    });
    let details = [&invoice["subscription_details"], &invoice["parent"]["subscription_details"]];
    let metadata = [&invoice["metadata"], &details[0]["metadata"], &details[1]["metadata"]];
    let payments = items(&invoice["payments"]["data"]).map(|one| &one["payment"]);
    let payments = payments.flat_map(|payment| [id(&payment["payment_intent"]), id(&payment["charge"])]);
    let named = [Some(key.clone()), id(&invoice["payment_intent"]), id(&invoice["charge"])];
    let subscription = id(&invoice["subscription"]).or_else(|| id(&details[1]["subscription"]));
    Reading::one(Effect::Sale(Box::new(Sale {
        objects: all(named.into_iter().chain(payments)),
        key,
        // Of an invoice that was paid in part from a balance, the part that was paid.
        amount: proportion(without_tax, paid, total),
        paid,
        currency,
        evidence: Evidence { coupons: coupons(invoice), ..evidence(&metadata) },
        customer: customer(id(&invoice["customer"]), &metadata, &invoice["customer_email"]),
        subscription,
        is_recurring: reason != "subscription_create",
        products: products(&invoice["lines"]["data"], currency),
        occurred_at: seconds(&invoice["status_transitions"]["paid_at"]).or_else(|| seconds(&invoice["created"])),
    })))
}

/// Of each discount the promotion code's word where it is told, its id, and the coupon's.
fn coupons(of: &Value) -> Vec<String> {
    let names = |discount: &Value| {
        let code = &discount["promotion_code"];
        [word(&code["code"]), id(code), id(&discount["coupon"]), id(&discount["source"]["coupon"])]
    };
    all(items(&of["discounts"]).chain([&of["discount"]]).flat_map(names))
}

fn products(lines: &Value, currency: Currency) -> Vec<Product> {
    let product = |line: &Value| {
        let price = [&line["pricing"]["price_details"]["product"], &line["price"]["product"]];
        Product {
            id: price.iter().find_map(|product| id(product)),
            name: word(&line["description"]),
            quantity: whole(&line["quantity"]),
            amount: whole(&line["amount"]).map(|amount| minor(amount, currency)),
        }
    };
    items(lines).map(product).collect()
}

fn same(payment: &Value) -> Reading {
    let inner = &payment["payment"];
    let objects = all([id(&payment["invoice"]), id(&inner["payment_intent"]), id(&inner["charge"])]);
    if objects.len() < 2 { Reading::ignored("It names no payment.") } else { Reading::one(Effect::Same(objects)) }
}

/// What a refund or a dispute is of.
fn of(object: &Value) -> Vec<String> {
    all([id(&object["charge"]), id(&object["payment_intent"]), id(&object["invoice"])])
}

fn refunded(charge: &Value) -> Reading {
    let (Some(key), Some(amount)) = (word(&charge["id"]), amount(charge, "amount_refunded")) else {
        return Reading::ignored(ODD);
    };
    let of = all([Some(key.clone()), id(&charge["payment_intent"]), id(&charge["invoice"])]);
    Reading::one(Effect::RefundedSoFar { key, of, amount })
}

fn refund(refund: &Value) -> Reading {
    let (Some(key), of) = (word(&refund["id"]), of(refund)) else { return Reading::ignored(ODD) };
    if of.is_empty() {
        return Reading::ignored("It names no payment.");
    }
    match (refund["status"].as_str(), amount(refund, "amount")) {
        (Some("failed" | "canceled"), amount) => {
            Reading::one(Effect::RefundFailed { key, of, amount: amount.unwrap_or(0) })
        }
        (_, Some(amount)) => Reading::one(Effect::Refund { key, of, amount }),
        _ => Reading::ignored(ODD),
    }
}

fn dispute(kind: &str, dispute: &Value) -> Reading {
    let (Some(key), of) = (word(&dispute["id"]), of(dispute)) else { return Reading::ignored(ODD) };
    let status = dispute["status"].as_str().unwrap_or_default();
    if status.starts_with("warning_") {
        return Reading::ignored("Only a warning: no money has moved.");
    }
    if of.is_empty() {
        return Reading::ignored("It names no payment.");
    }
    let Some(amount) = amount(dispute, "amount") else { return Reading::ignored(ODD) };
    Reading::one(match (kind, status) {
        ("charge.dispute.funds_reinstated", _) | (_, "won") => Effect::DisputeWon { key, of },
        ("charge.dispute.closed", _) | (_, "lost") => Effect::DisputeLost { key, of, amount },
        _ => Effect::DisputeOpened { key, of, amount },
    })
}

fn coupon_gone(names: [Option<String>; 2]) -> Reading {
    let codes = all(names);
    if codes.is_empty() { Reading::ignored("It names no code.") } else { Reading::one(Effect::CouponGone { codes }) }
}

#[cfg(test)]
mod tests {
    use super::{
        super::signature::tests::{NOW, SECONDS, hex_mac, with},
        *,
    };

    fn checked(header: &str, body: &str, secrets: &[&str], now: Time) -> Result<(), Unsigned> {
        let secrets: Vec<_> = secrets.iter().map(|secret| (*secret).to_owned()).collect();
        with(&[("stripe-signature", header)], body.as_bytes(), |call| verify(call, &secrets, now))
    }

    #[test]
    fn the_signature_is_of_time_and_body() {
        let body = r#"{"id":"evt_1"}"#;
        let good = hex_mac(b"whsec_a", &format!("{SECONDS}.{body}"));
        let header = format!("t={SECONDS},v1={good},v0=00");
        assert_eq!(checked(&header, body, &["whsec_a"], NOW), Ok(()));
        assert_eq!(checked(&header, body, &["whsec_b", "whsec_a"], NOW), Ok(()));
        assert_eq!(checked(&header, body, &["whsec_b"], NOW), Err(Unsigned::Wrong));
        assert_eq!(checked(&header, body, &[], NOW), Err(Unsigned::Wrong));
        assert_eq!(checked(&header, "{}", &["whsec_a"], NOW), Err(Unsigned::Wrong));
        assert_eq!(checked(&header, body, &["whsec_a"], NOW.plus_seconds(300)), Ok(()));
        for late in [301, -301] {
            assert_eq!(checked(&header, body, &["whsec_a"], NOW.plus_seconds(late)), Err(Unsigned::Stale));
        }
        let rotated = format!("t={SECONDS},v1={},v1={good}", "ab".repeat(32));
        assert_eq!(checked(&rotated, body, &["whsec_a"], NOW), Ok(()));
        for odd in
            ["", "t=x", &format!("t={SECONDS}"), &format!("t={SECONDS},v1=zz"), &format!("t={SECONDS},v0={good}")]
        {
            assert_eq!(checked(odd, body, &["whsec_a"], NOW), Err(Unsigned::Malformed), "{odd}");
        }
        assert_eq!(with(&[], b"{}", |call| verify(call, &[], NOW)), Err(Unsigned::Missing));
        // In base64, as another provider would.
        let base64 = format!("t={SECONDS},v1=g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(checked(&base64, body, &["whsec_a"], NOW), Err(Unsigned::Malformed));
    }

    #[test]
    fn some_currencies_are_counted_in_units_of_stripes_own() {
        let of = |code: &str, amount| minor(amount, Currency::parse(code).unwrap());
        assert_eq!(of("USD", 1_050), 1_050);
        assert_eq!(of("JPY", 500), 500);
        assert_eq!(of("KWD", 1_250), 1_250);
        assert_eq!(of("ISK", 50_000), 500);
        assert_eq!(of("UGX", 50_000), 500);
        assert_eq!(of("MGA", 500), 50_000);
    }
}
