//! How to call an operation, in the languages that integrators write.

use serde_json::Value;

use super::reference::Operation;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    Curl,
    JavaScript,
    Python,
    Php,
    Rust,
}

impl Language {
    pub const ALL: [Self; 5] = [Self::Curl, Self::JavaScript, Self::Python, Self::Php, Self::Rust];

    /// In the page's address.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Curl => "curl",
            Self::JavaScript => "javascript",
            Self::Python => "python",
            Self::Php => "php",
            Self::Rust => "rust",
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Curl => "curl",
            Self::JavaScript => "JavaScript",
            Self::Python => "Python",
            Self::Php => "PHP",
            Self::Rust => "Rust",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.word() == word)
    }
}

/// A call that can be pasted, but for the key.
pub fn sample(language: Language, base: &str, operation: &Operation) -> String {
    let url = format!("{base}v1{}", operation.path.replace("{id}", &example_id(operation)));
    let body = operation.example.as_ref().map(|body| serde_json::to_string_pretty(body).unwrap_or_default());
    let method = operation.method.as_str();
    match language {
        Language::Curl => curl(method, &url, body.as_deref()),
        Language::JavaScript => javascript(method, &url, body.as_deref()),
        Language::Python => python(method, &url, operation.example.as_ref()),
        Language::Php => php(method, &url, body.as_deref()),
        Language::Rust => rust(method, &url, body.as_deref()),
    }
}

fn example_id(operation: &Operation) -> String {
    let prefix = match operation.path.split('/').nth(1) {
        Some("affiliates") => "aff_",
        Some("conversions") => "conv_",
        _ => "comm_",
    };
    format!("{prefix}0e2x4b8m6n0pq")
}

fn indented(text: &str, by: usize) -> String {
    text.replace('\n', &format!("\n{}", " ".repeat(by)))
}

fn curl(method: &str, url: &str, body: Option<&str>) -> String {
    let method = if method == "GET" { String::new() } else { format!("-X {method} ") };
    let body = body.map_or_else(String::new, |body| {
        format!(" \\\n  -H 'Content-Type: application/json' \\\n  -d '{}'", body.replace('\'', "'\\''"))
    });
    format!("curl {method}{url} \\\n  -H \"Authorization: Bearer $OFFSHOOT_KEY\"{body}")
}

fn javascript(method: &str, url: &str, body: Option<&str>) -> String {
    let (kind, body) = body.map_or_else(Default::default, |body| {
        let body = format!(",\n  body: JSON.stringify({})", indented(body, 2));
        (",\n    'Content-Type': 'application/json'", body)
    });
    format!(
        "const response = await fetch('{url}', {{\n  method: '{method}',\n  headers: {{\n    \
         Authorization: `Bearer ${{process.env.OFFSHOOT_KEY}}`{kind}\n  }}{body}\n}})\nconst {{ success, data, error }} = await response.json()"
    )
}

fn python(method: &str, url: &str, body: Option<&Value>) -> String {
    let json = body.map_or_else(String::new, |body| format!("\n    json={},", indented(&python_value(body, 0), 4)));
    format!(
        "import os, requests\n\nresponse = requests.request(\n    \"{method}\",\n    \"{url}\",\n    \
         headers={{\"Authorization\": f\"Bearer {{os.environ['OFFSHOOT_KEY']}}\"}},{json}\n)\nresponse.raise_for_status()\ndata = response.json()[\"data\"]"
    )
}

/// JSON's three words are others in Python.
fn python_value(value: &Value, depth: usize) -> String {
    let pad = " ".repeat(4 * (depth + 1));
    let close = " ".repeat(4 * depth);
    match value {
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Array(items) if !items.is_empty() => {
            let items: Vec<_> = items.iter().map(|item| format!("{pad}{},\n", python_value(item, depth + 1))).collect();
            format!("[\n{}{close}]", items.concat())
        }
        Value::Object(fields) if !fields.is_empty() => {
            let field =
                |(name, value): (&String, &Value)| format!("{pad}\"{name}\": {},\n", python_value(value, depth + 1));
            format!("{{\n{}{close}}}", fields.iter().map(field).collect::<String>())
        }
        other => other.to_string(),
    }
}

fn php(method: &str, url: &str, body: Option<&str>) -> String {
    let (kind, body) = body.map_or_else(Default::default, |body| {
        let body = format!("\n    CURLOPT_POSTFIELDS => <<<'JSON'\n{body}\nJSON,");
        (", 'Content-Type: application/json'", body)
    });
    format!(
        "<?php\n$call = curl_init('{url}');\ncurl_setopt_array($call, [\n    CURLOPT_CUSTOMREQUEST => '{method}',\n    \
         CURLOPT_HTTPHEADER => ['Authorization: Bearer ' . getenv('OFFSHOOT_KEY'){kind}],\n    CURLOPT_RETURNTRANSFER => true,{body}\n]);\n\
         $answer = json_decode(curl_exec($call), true);"
    )
}

fn rust(method: &str, url: &str, body: Option<&str>) -> String {
    let verb = method.to_lowercase();
    let json = body.map_or_else(String::new, |body| format!("\n    .json(&serde_json::json!({}))", indented(body, 4)));
    format!(
        "let answer: serde_json::Value = reqwest::Client::new()\n    .{verb}(\"{url}\")\n    \
         .bearer_auth(std::env::var(\"OFFSHOOT_KEY\")?){json}\n    .send()\n    .await?\n    .json()\n    .await?;"
    )
}

#[cfg(test)]
mod tests {
    use super::{super::reference::sections, *};

    #[test]
    fn every_operation_can_be_called_from_every_language() {
        for operation in sections().iter().flat_map(|section| &section.operations) {
            for language in Language::ALL {
                let code = sample(language, "https://portal.example/", operation);
                assert!(code.contains("https://portal.example/v1/"), "{code}");
                assert!(code.contains("OFFSHOOT_KEY") && !code.contains("{id}"), "{code}");
                assert_eq!(
                    code.contains("body")
                        || code.contains("json=")
                        || code.contains(".json(&")
                        || code.contains("-d '")
                        || code.contains("POSTFIELDS"),
                    operation.example.is_some(),
                    "{code}"
                );
            }
        }
    }

    #[test]
    fn python_has_words_of_its_own() {
        assert_eq!(
            python_value(&serde_json::json!({"a": [true, null], "b": {}}), 0),
            "{\n    \"a\": [\n        True,\n        None,\n    ],\n    \"b\": {},\n}"
        );
    }
}
