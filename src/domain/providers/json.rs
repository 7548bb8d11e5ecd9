//! Looking into a provider's JSON: what is missing or of another type is not there.

use serde_json::Value;

use super::{Customer, Evidence};
use crate::domain::time::Time;

/// Text, or a number as text; nothing where it is empty.
pub fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The id of an object that stands there as its id or whole.
pub fn id(value: &Value) -> Option<String> {
    word(value).or_else(|| word(&value["id"]))
}

/// A whole number, or one as text.
pub fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

pub fn seconds(value: &Value) -> Option<Time> {
    value.as_i64().map(|seconds| Time::from_ms(seconds.saturating_mul(1_000)))
}

pub fn moment(value: &Value) -> Option<Time> {
    let moment: jiff::Timestamp = value.as_str()?.parse().ok()?;
    Some(Time::from_ms(moment.as_millisecond()))
}

/// `kind:id`, where there is an id.
pub fn object(kind: &str, value: &Value) -> Option<String> {
    id(value).map(|id| format!("{kind}:{id}"))
}

fn first(of: &[&Value], names: &[&str]) -> Option<String> {
    of.iter().find_map(|metadata| names.iter().find_map(|name| word(&metadata[*name])))
}

/// What merchants put into the fields that are theirs: of the first that has it.
pub fn evidence(metadata: &[&Value]) -> Evidence {
    Evidence {
        click: first(metadata, &["click_id", "clickId", "offshoot_click"]),
        code: first(metadata, &["referral_code", "referralCode", "affiliate_code", "ref", "via"]),
        ..Evidence::default()
    }
}

/// The merchant's own id of the customer, from the same fields.
pub fn own_id(metadata: &[&Value]) -> Option<String> {
    first(metadata, &["customer_id", "customerId", "user_id", "userId"])
}

pub fn customer(object: Option<String>, metadata: &[&Value], email: &Value) -> Customer {
    Customer { object, own_id: own_id(metadata), email: word(email) }
}

pub fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

pub fn all(ids: impl IntoIterator<Item = Option<String>>) -> Vec<String> {
    let mut known = Vec::new();
    for id in ids.into_iter().flatten() {
        if !known.contains(&id) {
            known.push(id);
        }
    }
    known
}
