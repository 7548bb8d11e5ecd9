//! The API reference, read out of the OpenAPI document: what a page shows of each operation.

use std::sync::LazyLock;

use serde_json::{Map, Value};

/// Operations about one thing.
pub struct Section {
    pub name: String,
    pub about: String,
    pub operations: Vec<Operation>,
}

pub struct Operation {
    /// `listAffiliates`
    pub id: String,
    pub method: String,
    /// Below `/v1`: `/affiliates/{id}`.
    pub path: String,
    /// Its first sentence.
    pub title: String,
    pub about: String,
    pub parameters: Vec<Field>,
    pub body: Vec<Field>,
    /// What the whole body is about.
    pub body_about: String,
    /// A body as it is sent, where there is one.
    pub example: Option<Value>,
    /// Status and body of a good answer.
    pub answer: (String, String),
    /// Status and words of the others.
    pub errors: Vec<(String, String)>,
}

pub struct Field {
    pub name: String,
    /// `path`, `query`, `header` or `body`.
    pub place: &'static str,
    pub kind: String,
    pub is_required: bool,
    pub about: String,
    pub limits: String,
}

/// Every operation, in the document's order of tags.
pub fn sections() -> &'static [Section] {
    static SECTIONS: LazyLock<Vec<Section>> = LazyLock::new(|| {
        let document = serde_json::to_value(crate::web::document()).unwrap_or_default();
        Reader { document: &document }.sections()
    });
    &SECTIONS
}

/// Stops at what refers to itself.
const DEPTH: usize = 8;

struct Reader<'d> {
    document: &'d Value,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

impl<'d> Reader<'d> {
    fn sections(&self) -> Vec<Section> {
        let tags = self.document["tags"].as_array().into_iter().flatten();
        let section = |tag: &Value| Section {
            name: text(&tag["name"]),
            about: text(&tag["description"]),
            operations: entries(&self.document["paths"])
                .flat_map(|(path, item)| entries(item).map(move |(method, operation)| (path, method, operation)))
                .filter(|(_, _, operation)| operation["tags"][0] == tag["name"])
                .map(|(path, method, operation)| self.operation(path, method, operation))
                .collect(),
        };
        tags.map(section).collect()
    }

    fn operation(&self, path: &str, method: &str, operation: &'d Value) -> Operation {
        let summary = text(&operation["summary"]);
        let (title, more) = summary.split_once(". ").unwrap_or((&summary, ""));
        let more = [more, operation["description"].as_str().unwrap_or_default()];
        let schema = self.resolve(&operation["requestBody"]["content"]["application/json"]["schema"]);
        let body = self.fields(schema);
        let mut answers: Vec<_> = entries(&operation["responses"]).collect();
        answers.sort_by_key(|(status, _)| status.as_str());
        let (good, bad): (Vec<_>, Vec<_>) = answers.into_iter().partition(|(status, _)| status.starts_with('2'));
        let answer = good.first().map_or_else(Default::default, |(status, answer)| {
            let example = self.example(&answer["content"]["application/json"]["schema"], DEPTH);
            ((*status).clone(), serde_json::to_string_pretty(&example).unwrap_or_default())
        });
        Operation {
            id: text(&operation["operationId"]),
            method: method.to_uppercase(),
            path: path.to_owned(),
            title: title.trim_end_matches('.').to_owned(),
            about: more.join(" ").trim().to_owned(),
            parameters: self.parameters(operation),
            example: (!body.is_empty()).then(|| self.example(schema, DEPTH)),
            body_about: text(&schema["description"]),
            body,
            answer,
            errors: bad.into_iter().map(|(status, answer)| (status.clone(), text(&answer["description"]))).collect(),
        }
    }

    fn resolve(&self, schema: &'d Value) -> &'d Value {
        let name = schema["$ref"].as_str().and_then(|at| at.rsplit('/').next());
        name.map_or(schema, |name| &self.document["components"]["schemas"][name])
    }

    fn parameters(&self, operation: &'d Value) -> Vec<Field> {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let field = |parameter: &'d Value| {
            let place = match parameter["in"].as_str() {
                Some("path") => "path",
                Some("header") => "header",
                _ => "query",
            };
            let about = text(&parameter["description"]);
            let required = parameter["required"].as_bool().unwrap_or(false);
            self.field(&text(&parameter["name"]), place, &parameter["schema"], required, about)
        };
        parameters.map(field).collect()
    }

    fn fields(&self, schema: &'d Value) -> Vec<Field> {
        let required =
            |name: &String| schema["required"].as_array().is_some_and(|all| all.contains(&name.as_str().into()));
        entries(&schema["properties"])
            .map(|(name, schema)| self.field(name, "body", schema, required(name), text(&schema["description"])))
            .collect()
    }

    fn field(&self, name: &str, place: &'static str, schema: &'d Value, is_required: bool, about: String) -> Field {
        let alternatives = || schema["oneOf"].as_array().into_iter().chain(schema["anyOf"].as_array()).flatten();
        let real = alternatives().find(|one| one["type"] != "null").unwrap_or(schema);
        let real = self.resolve(real);
        Field { name: name.to_owned(), place, kind: kind(real), is_required, about, limits: limits(real) }
    }

    /// A value of the schema: its own examples where it has them.
    fn example(&self, schema: &'d Value, depth: usize) -> Value {
        let schema = self.resolve(schema);
        if let Some(example) = schema.get("example").or_else(|| schema["examples"].get(0)) {
            return example.clone();
        }
        let parts = ["allOf", "oneOf", "anyOf"].iter().find_map(|word| Some((*word, schema[word].as_array()?)));
        match parts {
            _ if depth == 0 => Value::Null,
            Some(("allOf", parts)) => {
                let whole = parts.iter().filter_map(|part| match self.example(part, depth - 1) {
                    Value::Object(fields) => Some(fields),
                    _ => None,
                });
                Value::Object(whole.flatten().collect())
            }
            Some((_, parts)) => {
                let real = parts.iter().find(|part| part["type"] != "null").unwrap_or(&Value::Null);
                self.example(real, depth - 1)
            }
            None => self.plain(schema, depth),
        }
    }

    fn plain(&self, schema: &'d Value, depth: usize) -> Value {
        if let Some(word) = schema["enum"].get(0) {
            return word.clone();
        }
        match word(schema) {
            "object" if schema["properties"].is_object() => {
                let of = |(name, schema): (&String, &'d Value)| match known(name) {
                    Some(example) if word(self.resolve(schema)) == "string" => (name.clone(), example.into()),
                    _ => (name.clone(), self.example(schema, depth - 1)),
                };
                Value::Object(entries(&schema["properties"]).map(of).collect::<Map<_, _>>())
            }
            "object" => Value::Object(Map::new()),
            "array" => Value::Array(vec![self.example(&schema["items"], depth - 1)]),
            "integer" => 20.into(),
            "number" => serde_json::json!(20.0),
            "boolean" => true.into(),
            "string" if schema["format"] == "date-time" => "2026-06-18T14:25:30Z".into(),
            "string" => "text".into(),
            _ => Value::Null,
        }
    }
}

/// What fields of these names look like, where their schema gives no example.
fn known(name: &str) -> Option<&'static str> {
    Some(match name {
        "affiliateId" => "aff_0e2x4b8m6n0pq",
        "clickId" => "click_0e2x4b8m6n0pq",
        "commissionId" => "comm_0e2x4b8m6n0pq",
        "conversionId" => "conv_0e2x4b8m6n0pq",
        "email" | "paymentDetails" => "affiliate@example.com",
        "landingUrl" => "https://shop.example/",
        "linkBase" => "https://portal.example/r/acme/",
        "message" => "Invalid affiliate ID format",
        "name" => "John Doe",
        "orderId" => "order_123456",
        "reason" => "The order was cancelled",
        "referralCode" => "JOHNDOE10",
        "refundId" => "refund_1",
        "sentence" => "20% of USD 99.99 is USD 20.00",
        "slug" => "acme",
        _ => return None,
    })
}

/// The type's word, of those that are not null.
fn word(schema: &Value) -> &str {
    let many = || schema["type"].as_array()?.iter().filter_map(Value::as_str).find(|word| *word != "null");
    schema["type"].as_str().or_else(many).unwrap_or_default()
}

fn kind(schema: &Value) -> String {
    match (word(schema), schema["format"].as_str()) {
        ("array", _) => "list".into(),
        ("string", Some("date-time")) => "time".into(),
        (word, _) => word.into(),
    }
}

fn limits(schema: &Value) -> String {
    let mut said = Vec::new();
    if let Some(words) = schema["enum"].as_array() {
        said.push(format!("one of {}", words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")));
    }
    let range = |least: &str, most: &str, of: &str| match (&schema[least], &schema[most]) {
        (Value::Null, Value::Null) => None,
        (least, Value::Null) => Some(format!("at least {least}{of}")),
        (Value::Null, most) => Some(format!("at most {most}{of}")),
        (least, most) => Some(format!("{least} to {most}{of}")),
    };
    said.extend(range("minLength", "maxLength", " characters"));
    said.extend(range("minItems", "maxItems", " items"));
    said.extend(range("minimum", "maximum", ""));
    if !schema["default"].is_null() {
        said.push(format!("{} unless given", schema["default"]));
    }
    said.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(id: &str) -> &'static Operation {
        sections().iter().flat_map(|section| &section.operations).find(|operation| operation.id == id).unwrap()
    }

    #[test]
    fn every_operation_of_the_document_is_shown_once() {
        let document = serde_json::to_value(crate::web::document()).unwrap();
        let described = entries(&document["paths"]).flat_map(|(_, item)| entries(item)).count();
        let shown: Vec<_> = sections().iter().flat_map(|section| &section.operations).collect();
        assert_eq!(shown.len(), described);
        assert!(shown.iter().all(|operation| !operation.title.is_empty() && !operation.answer.0.is_empty()));
    }

    #[test]
    fn fields_say_what_they_take() {
        let create = operation("createAffiliate");
        let email = create.body.iter().find(|field| field.name == "email").unwrap();
        assert!(email.is_required);
        assert_eq!((email.kind.as_str(), email.limits.as_str()), ("string", "at most 254 characters"));
        assert_eq!(create.example.as_ref().unwrap()["name"], "John Doe");
        let list = operation("listAffiliates");
        let status = list.parameters.iter().find(|field| field.name == "status").unwrap();
        assert_eq!(status.limits, "one of active, pending, blocked");
        assert!(list.answer.1.contains("\"totalEarnings\""), "{}", list.answer.1);
    }
}
