//! JSON bodies, read strictly: every number keeps its own text, a name given twice is an error, and what
//! is wrong is said with the field's name.

use std::{borrow::Cow, fmt};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::failure::Failure;
use crate::domain::text;

/// The body itself is 1.
const MAX_DEPTH: usize = 64;
const MAX_NUMBER: usize = 64;

/// One value, and its own text.
#[derive(Debug)]
pub struct Node<'a> {
    pub value: Value<'a>,
    pub raw: &'a str,
}

#[derive(Debug)]
pub enum Value<'a> {
    Null,
    Bool(bool),
    Number(&'a str),
    Text(Cow<'a, str>),
    Array(Vec<Node<'a>>),
    Object(Vec<(String, Node<'a>)>),
}

/// A body's fields. Unknown ones are ignored, once they are known to be sound.
#[derive(Debug)]
pub struct Fields<'a>(Vec<(String, Node<'a>)>);

struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

/// Why a value is not sound: not JSON at all, or JSON that is not taken.
enum Unsound {
    Syntax,
    Issue(&'static str),
}

impl From<serde_json::Error> for Unsound {
    fn from(_: serde_json::Error) -> Self {
        Self::Syntax
    }
}

fn entries(raw: &str) -> Result<Vec<(String, &RawValue)>, Unsound> {
    let Entries(entries) = serde_json::from_str(raw)?;
    let mut names: Vec<&str> = entries.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Unsound::Issue("must not name the same field twice"));
    }
    Ok(entries)
}

fn node(raw: &RawValue, depth: usize) -> Result<Node<'_>, Unsound> {
    let raw = raw.get();
    let first = raw.as_bytes().first();
    if depth > MAX_DEPTH && matches!(first, Some(b'{' | b'[')) {
        return Err(Unsound::Issue("must not be nested deeper than 64"));
    }
    let value = match first {
        Some(b'{') => {
            let mut fields = Vec::new();
            for (name, raw) in entries(raw)? {
                if text::printable(&name).is_err() {
                    return Err(Unsound::Issue("must not contain control characters"));
                }
                fields.push((name, node(raw, depth + 1)?));
            }
            Value::Object(fields)
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(raw)?;
            Value::Array(items.into_iter().map(|raw| node(raw, depth + 1)).collect::<Result<_, _>>()?)
        }
        Some(b'"') => {
            // Without escapes, what was sound JSON stands there as it is meant.
            let text = match raw.get(1..raw.len() - 1) {
                Some(text) if !text.as_bytes().contains(&b'\\') => Cow::Borrowed(text),
                _ => Cow::Owned(serde_json::from_str(raw)?),
            };
            if text::printable(&text).is_err() {
                return Err(Unsound::Issue("must not contain control characters"));
            }
            Value::Text(text)
        }
        Some(b'n') => Value::Null,
        Some(b't') => Value::Bool(true),
        Some(b'f') => Value::Bool(false),
        _ if raw.len() > MAX_NUMBER => return Err(Unsound::Issue("must not have more than 64 characters")),
        _ => Value::Number(raw),
    };
    Ok(Node { value, raw })
}

fn bad_json() -> Failure {
    Failure::invalid("The body is not valid JSON")
}

impl<'a> Fields<'a> {
    /// # Errors
    /// 400: not a JSON object (naming no field), or unsound within a field (naming it).
    pub fn parse(body: &'a [u8]) -> Result<Self, Failure> {
        let body = std::str::from_utf8(body).map_err(|_| bad_json())?;
        let is_object = body.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('{');
        if !is_object {
            let _: &RawValue = serde_json::from_str(body).map_err(|_| bad_json())?;
            return Err(Failure::invalid("The body must be a JSON object"));
        }
        let entries = entries(body).map_err(|unsound| match unsound {
            Unsound::Syntax => bad_json(),
            Unsound::Issue(issue) => Failure::invalid(format!("The body {issue}")),
        })?;
        let mut fields = Vec::with_capacity(entries.len());
        for (name, raw) in entries {
            if text::printable(&name).is_err() {
                return Err(Failure::invalid("Field names must not contain control characters"));
            }
            match node(raw, 2) {
                Ok(node) => fields.push((name, node)),
                Err(Unsound::Syntax) => return Err(bad_json()),
                Err(Unsound::Issue(issue)) => return Err(Failure::field(text::cut(&name, 64).to_owned(), issue)),
            }
        }
        Ok(Self(fields))
    }

    /// The field's value, `null` too.
    pub fn given(&self, name: &str) -> Option<&Node<'a>> {
        self.0.iter().find(|(field, _)| field == name).map(|(_, node)| node)
    }

    /// The field's value; `null` is the same as leaving it out.
    pub fn get(&self, name: &str) -> Option<&Node<'a>> {
        self.given(name).filter(|node| !matches!(node.value, Value::Null))
    }

    /// # Errors
    /// 400 naming the field when it is there and not a string.
    pub fn text(&self, name: &'static str) -> Result<Option<&str>, Failure> {
        match self.get(name).map(|node| &node.value) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(_) => Err(Failure::field(name, "must be a string")),
        }
    }

    /// # Errors
    /// 400 naming the field when it is missing or not a string.
    pub fn required_text(&self, name: &'static str) -> Result<&str, Failure> {
        self.text(name)?.ok_or_else(|| required(name))
    }

    /// A string that `parse` reads.
    ///
    /// # Errors
    /// 400 naming the field when it is not a string or `parse` refuses it.
    pub fn parsed<T>(
        &self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, crate::domain::Issue>,
    ) -> Result<Option<T>, Failure> {
        self.text(name)?.map(|text| parse(text).map_err(|issue| Failure::field(name, issue.0))).transpose()
    }

    /// # Errors
    /// 400 naming the field when it is there and neither true nor false.
    pub fn boolean(&self, name: &'static str) -> Result<Option<bool>, Failure> {
        match self.get(name).map(|node| &node.value) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(_) => Err(Failure::field(name, "must be true or false")),
        }
    }

    /// A number's own text.
    ///
    /// # Errors
    /// 400 naming the field when it is there and not a number.
    pub fn number(&self, name: &'static str) -> Result<Option<&'a str>, Failure> {
        match self.get(name).map(|node| &node.value) {
            None => Ok(None),
            Some(Value::Number(text)) => Ok(Some(text)),
            Some(_) => Err(Failure::field(name, "must be a number")),
        }
    }

    /// An object's fields and own text.
    ///
    /// # Errors
    /// 400 naming the field when it is there and not an object.
    pub fn object(&self, name: &'static str) -> Result<Option<Object<'_>>, Failure> {
        match self.get(name) {
            None => Ok(None),
            Some(Node { value: Value::Object(fields), raw }) => Ok(Some(Object { fields, raw })),
            Some(_) => Err(Failure::field(name, "must be an object")),
        }
    }

    /// An array's items and own text.
    ///
    /// # Errors
    /// 400 naming the field when it is there and not an array.
    pub fn array(&self, name: &'static str) -> Result<Option<(&[Node<'a>], &'a str)>, Failure> {
        match self.get(name) {
            None => Ok(None),
            Some(Node { value: Value::Array(items), raw }) => Ok(Some((items, raw))),
            Some(_) => Err(Failure::field(name, "must be an array")),
        }
    }
}

#[derive(Debug)]
pub struct Object<'a> {
    pub fields: &'a [(String, Node<'a>)],
    pub raw: &'a str,
}

impl<'a> Object<'a> {
    /// A string's text or a number's, where the field is one.
    pub fn word(&self, name: &str) -> Option<Cow<'a, str>> {
        let (_, node) = self.fields.iter().find(|(field, _)| field == name)?;
        match &node.value {
            Value::Text(text) => Some(text.clone()),
            Value::Number(text) => Some(Cow::Borrowed(text)),
            _ => None,
        }
    }
}

pub fn required(name: &'static str) -> Failure {
    Failure::field(name, "is required")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(body: &str) -> Failure {
        Fields::parse(body.as_bytes()).unwrap_err()
    }

    fn named(body: &str) -> Option<String> {
        failure(body).details.map(|details| details.field.into_owned())
    }

    #[test]
    fn bad_json_as_a_whole_names_no_field() {
        for body in [
            "",
            "{",
            "{\"a\":",
            "{\"a\":1,}",
            "{\"a\":NaN}",
            "{\"a\":01}",
            "[1]",
            "\"x\"",
            "null",
            "{} x",
            "{\"a\":\"\\ud800\"}",
            "{'a':1}",
        ] {
            assert_eq!(named(body), None, "{body}");
        }
        assert!(Fields::parse(b"{\"a\":\"\xff\"}").is_err());
    }

    #[test]
    fn unsound_values_are_named_wherever_they_are() {
        assert_eq!(named(r#"{"a":1,"a":2}"#), None);
        assert_eq!(named(r#"{"x":{"a":1,"a":2}}"#).as_deref(), Some("x"));
        assert_eq!(named(r#"{"x":[{"y":"\u0000"}]}"#).as_deref(), Some("x"));
        assert_eq!(named(r#"{"x":{"\u0001":1}}"#).as_deref(), Some("x"));
        assert_eq!(named(&format!(r#"{{"x":{}}}"#, "1".repeat(65))).as_deref(), Some("x"));
    }

    #[test]
    fn depth_is_counted_from_the_body() {
        let nested = |depth: usize| format!("{{\"x\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
        assert!(Fields::parse(nested(64).as_bytes()).is_ok());
        assert_eq!(named(&nested(65)).as_deref(), Some("x"));
        assert_eq!(named(&nested(20_000)).as_deref(), Some("x"));
    }

    #[test]
    fn a_number_keeps_its_text() {
        let fields = Fields::parse(br#"{"amount": 0.30000000000000004, "big": 1e400, "n": null}"#).unwrap();
        assert_eq!(fields.number("amount").unwrap(), Some("0.30000000000000004"));
        assert_eq!(fields.number("big").unwrap(), Some("1e400"));
        assert_eq!(fields.number("n").unwrap(), None);
        assert!(fields.text("amount").is_err());
    }
}
