//! The OpenAPI document: what it describes is what is served, and the other way round.

use std::collections::BTreeSet;

use offshoot::domain::key::Scope;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    Answer, Api, Database, Site,
    process::{printed, run},
};

fn document(served: &Answer) -> &Value {
    assert_eq!(served.status, 200);
    assert_eq!(served.header("content-type"), "application/json");
    &served.json
}

/// Every described operation: path, method in capitals, and what is said of it.
fn operations(document: &Value) -> Vec<(&str, String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let methods = paths.iter().flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(|(method, said)| (path.as_str(), method.to_uppercase(), said))
    });
    methods.collect()
}

#[tokio::test]
async fn served_without_a_key_and_printed_by_the_program() {
    let site = Site::start().await;
    let served = Api::new(site.address, "").get("/openapi.json").await;
    assert_eq!(document(&served)["openapi"], "3.1.0");
    let output = run(&Database::new().await, &["openapi"]);
    assert_eq!(printed(&output), served.text.trim_end());
    for api in [&site.api, &site.key(Scope::Track).await, &Api::new(site.address, "ofs_wrong")] {
        assert_eq!(api.get("/openapi.json").await.text, served.text);
    }
}

#[tokio::test]
async fn every_described_operation_is_mounted_and_every_mounted_one_described() {
    let site = Site::start().await;
    let served = site.api.get("/openapi.json").await;
    let operations = operations(document(&served));
    assert!(operations.len() >= 15, "{}", operations.len());
    for path in operations.iter().map(|(path, ..)| path).collect::<BTreeSet<_>>() {
        // A method that nobody has is answered with those that the path has.
        let address = path.replace("{id}", "x");
        let brew = site.api.request(Method::from_bytes(b"BREW").unwrap(), &address).send().await.unwrap();
        let answer = Answer::of(brew).await;
        answer.fails(405, "invalid_request", None);
        let mounted: BTreeSet<String> =
            answer.header("allow").split(',').filter(|method| *method != "HEAD").map(str::to_owned).collect();
        let described: BTreeSet<String> =
            operations.iter().filter(|(of, ..)| of == path).map(|(_, method, _)| method.clone()).collect();
        assert_eq!(mounted, described, "{path}");
    }
}

/// A route that the document does not know could only be mounted past `routes!`, which takes both from one
/// place.
#[test]
fn nothing_is_mounted_past_the_document() {
    let source = include_str!("../../src/web/mod.rs");
    let api = source.split_once("fn api()").unwrap().1.split_once("\n}").unwrap().0;
    assert!(api.contains(".routes(routes!("));
    for past in [".route(", ".merge(", ".nest(", ".route_service(", ".nest_service("] {
        assert!(!api.contains(past), "{past}");
    }
}

#[tokio::test]
async fn every_operation_is_named_once_and_every_answer_said() {
    let site = Site::start().await;
    let served = site.api.get("/openapi.json").await;
    let document = document(&served);
    let mut names = BTreeSet::new();
    for (path, method, said) in operations(document) {
        let name = said["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has no name"));
        assert!(names.insert(name.to_owned()), "{name} names two operations");
        assert!(said["summary"].is_string(), "{name}");
        for (status, response) in said["responses"].as_object().unwrap() {
            let text = response["description"].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{name} {status} needs a description");
            let schema = &response["content"]["application/json"]["schema"];
            assert!(schema.is_object(), "{name} {status} has no schema");
            if !status.starts_with('2') {
                assert_eq!(schema["$ref"], "#/components/schemas/ErrorEnvelope", "{name} {status}");
            }
        }
        let (is_open, is_get) = (path == "/openapi.json", method == "GET");
        assert!(
            is_open || ["400", "401", "403", "404", "429", "500"].iter().all(|s| said["responses"].get(s).is_some())
        );
        assert_eq!(said.get("security").is_some(), is_open, "{name} needs a key unless it is this document");
        assert_eq!(said.get("requestBody").is_none(), is_get, "{name}");
        let places = path.matches('{').count();
        let parameters = said["parameters"].as_array().cloned().unwrap_or_default();
        let in_path = parameters.iter().filter(|p| p["in"] == "path" && p["required"] == true).count();
        assert_eq!(in_path, places, "{name}");
        let has_key = parameters.iter().any(|p| p["name"] == "Idempotency-Key" && p["in"] == "header");
        assert_eq!(has_key, method == "POST", "{name}");
    }
    assert_eq!(document["components"]["securitySchemes"]["key"]["scheme"], "bearer");
}

#[tokio::test]
async fn every_reference_is_resolvable() {
    fn references<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str));
                fields.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let site = Site::start().await;
    let served = site.api.get("/openapi.json").await;
    let mut found = Vec::new();
    references(document(&served), &mut found);
    assert!(found.len() > 100, "{}", found.len());
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(served.json.pointer(pointer).is_some_and(Value::is_object), "{reference} leads nowhere");
    }
}

/// What is wrong with the value by the schema: as much of JSON Schema as the document uses.
fn wrong(document: &Value, schema: &Value, value: &Value, at: &str) -> Option<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return wrong(document, document.pointer(&reference[1..])?, value, at);
    }
    if let Some(ways) = schema["oneOf"].as_array() {
        let fits = ways.iter().any(|way| wrong(document, way, value, at).is_none());
        return (!fits).then(|| format!("{at} fits none"));
    }
    if let Some(words) = schema["enum"].as_array() {
        return (!words.contains(value)).then(|| format!("{at} is {value}"));
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => vec![],
    };
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let fits = types.is_empty() || types.contains(&is) || (is == "integer" && types.contains(&"number"));
    if !fits {
        return Some(format!("{at} is {is}, not {types:?}"));
    }
    match value {
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(n, item)| wrong(document, &schema["items"], item, &format!("{at}[{n}]"))),
        Value::Object(fields) => {
            let (known, required) = members(document, schema);
            let missing = required.iter().find(|name| !fields.contains_key(**name));
            missing.map(|name| format!("{at}.{name} is missing")).or_else(|| {
                fields.iter().find_map(|(name, value)| match known.iter().find(|(known, _)| known == name) {
                    None => Some(format!("{at}.{name} is not described")),
                    Some((_, schema)) => wrong(document, schema, value, &format!("{at}.{name}")),
                })
            })
        }
        _ => None,
    }
}

type Members<'d> = (Vec<(&'d str, &'d Value)>, Vec<&'d str>);

/// An object's properties and the required ones, those of what it joins included.
fn members<'d>(document: &'d Value, schema: &'d Value) -> Members<'d> {
    if let Some(reference) = schema["$ref"].as_str() {
        return members(document, document.pointer(&reference[1..]).unwrap());
    }
    let mut all: Members<'d> = (Vec::new(), Vec::new());
    for part in schema["allOf"].as_array().into_iter().flatten() {
        let (known, required) = members(document, part);
        all.0.extend(known);
        all.1.extend(required);
    }
    all.0.extend(schema["properties"].as_object().into_iter().flatten().map(|(name, schema)| (name.as_str(), schema)));
    all.1.extend(schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str));
    all
}

#[tokio::test]
async fn answers_are_as_described() {
    let site = Site::start().await;
    let served = site.api.get("/openapi.json").await;
    let document = document(&served);
    let affiliate = site.affiliate("described").await;
    let conversion = site.api.sale("described", "10", "o-1").await;
    let conversion = conversion.data()["conversionId"].as_str().unwrap();
    let commission = site.api.newest_commission(&affiliate).await;
    let made = site.api.post("/coupons", &json!({ "affiliateId": affiliate, "code": "FIRST" })).await;
    let coupon = made.data()["coupon"]["id"].as_str().unwrap();
    let paid_by = json!({ "paymentMethod": "bank", "paymentDetails": "DE89370400440532013000" });
    site.api.patch(&format!("/affiliates/{affiliate}"), &paid_by).await;
    let bonus = json!({ "amount": 5, "reason": "A bonus" });
    site.api.post(&format!("/affiliates/{affiliate}/adjustments"), &bonus).await;
    let made = site.api.post("/payouts", &json!({})).await;
    let payout = made.data()["payout"]["id"].as_str().unwrap();
    let line = made.data()["lines"][0]["id"].as_str().unwrap();
    let mut seen = BTreeSet::new();
    for (method, path, id, body) in [
        ("POST", "/affiliates/{id}/adjustments", affiliate.as_str(), bonus),
        ("GET", "/affiliates/{id}/balance", &affiliate, Value::Null),
        ("POST", "/payouts?dryRun=true", "", Value::Null),
        ("POST", "/payouts", "", json!({ "method": "bank" })),
        ("POST", "/payouts", "", json!({ "method": "bank" })),
        ("GET", "/payouts", "", Value::Null),
        ("GET", "/payouts/{id}", payout, Value::Null),
        ("POST", "/payouts/{id}/lines/{line}/status", payout, json!({ "status": "failed", "reason": "Closed" })),
        ("POST", "/payouts/{id}/status", payout, json!({ "status": "paid" })),
        ("POST", "/payouts/{id}/status", payout, json!({ "status": "failed" })),
        ("POST", "/coupons", "", json!({ "affiliateId": affiliate, "code": "SECOND" })),
        ("PATCH", "/coupons/{id}", coupon, json!({ "status": "archived" })),
        ("GET", "/coupons", "", Value::Null),
        ("GET", "/coupons/{id}", coupon, Value::Null),
        ("POST", "/affiliates", "", json!({ "email": "n@example.com", "name": "N" })),
        ("PATCH", "/affiliates/{id}", affiliate.as_str(), json!({ "paymentMethod": "bank" })),
        ("POST", "/referrals/track", "", json!({ "referralCode": "described" })),
        ("POST", "/referrals/convert", "", json!({ "referralCode": "described", "amount": 1 })),
        ("POST", "/referrals/convert", "", json!({ "referralCode": "described", "amount": "1" })),
        ("POST", "/conversions/{id}/refunds", conversion, json!({ "amount": 1 })),
        ("PUT", "/commissions/{id}/status", &commission, json!({ "status": "approved" })),
        ("POST", "/commissions/status", "", json!({ "ids": [commission, "comm_1", "x"], "status": "paid" })),
        ("GET", "/affiliates", "", Value::Null),
        ("GET", "/affiliates/{id}", &affiliate, Value::Null),
        ("GET", "/affiliates/{id}", "aff_1", Value::Null),
        ("GET", "/commissions", "", Value::Null),
        ("GET", "/commissions/{id}", &commission, Value::Null),
        ("GET", "/conversions", "", Value::Null),
        ("GET", "/conversions/{id}", conversion, Value::Null),
        ("GET", "/program", "", Value::Null),
    ] {
        let mut request = site.api.request(method.parse().unwrap(), &path.replace("{id}", id).replace("{line}", line));
        if !body.is_null() {
            request = request.json(&body);
        }
        let answer = Answer::of(request.send().await.unwrap()).await;
        let path = path.split('?').next().unwrap_or_default();
        let responses = &document["paths"][path][method.to_lowercase()]["responses"];
        let schema = &responses[answer.status.as_str()]["content"]["application/json"]["schema"];
        assert!(schema.is_object(), "{method} {path} {} is not described", answer.status);
        assert_eq!(wrong(document, schema, &answer.json, "answer"), None, "{method} {path}: {}", answer.text);
        seen.insert((path, method));
    }
    let all: BTreeSet<_> = operations(document).into_iter().map(|(path, method, _)| (path, method)).collect();
    let unseen: Vec<_> = all.iter().filter(|(path, method)| !seen.contains(&(*path, method.as_str()))).collect();
    assert_eq!(unseen, [&("/openapi.json", "GET".to_owned())]);
}
