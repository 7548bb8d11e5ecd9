//! What an affiliate sees of a customer: enough to tell two apart, too little to know who they are.

use super::{look::Visibility, payment::masked_email};

/// A customer as the merchant described them, a JSON object's text, in the affiliate's eyes: `j•••@s•••.com`,
/// or a name's first letters, unless the program shows more or less; nothing where there is neither.
pub fn seen(json: &str, visibility: Visibility) -> Option<String> {
    let customer: serde_json::Value = serde_json::from_str(json).ok()?;
    let text =
        |key: &str| customer.get(key).and_then(serde_json::Value::as_str).map(str::trim).filter(|t| !t.is_empty());
    if visibility == Visibility::Shown {
        return text("email").or(text("name")).map(str::to_owned);
    }
    match (text("email"), text("name")) {
        _ if visibility == Visibility::Hidden => None,
        (Some(email), _) => masked_email(email),
        (None, Some(name)) => {
            let firsts = name.split_whitespace().filter_map(|word| word.chars().next()).take(2);
            Some(firsts.map(|first| format!("{first}.")).collect::<Vec<_>>().join(" "))
        }
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Visibility, seen};

    #[test]
    fn nobody_is_recognised() {
        let shown = |json: &str| seen(json, Visibility::Masked);
        assert_eq!(shown(r#"{"email":"jane.doe@shop.example","name":"Jane Doe"}"#).unwrap(), "j•••@s•••.example");
        assert_eq!(shown(r#"{"name":"Jane Mary Doe"}"#).unwrap(), "J. M.");
        assert_eq!(shown(r#"{"name":"محمد علي"}"#).unwrap(), "م. ع.");
        for nothing in [r#"{"id":"c1"}"#, r#"{"email":7}"#, r#"{"email":"nonsense"}"#, "", "[]", "{"] {
            assert_eq!(shown(nothing), None, "{nothing}");
        }
        let jane = r#"{"email":"jane@shop.example","name":"Jane Doe"}"#;
        assert_eq!(seen(jane, Visibility::Hidden), None);
        assert_eq!(seen(jane, Visibility::Shown).unwrap(), "jane@shop.example");
        assert_eq!(seen(r#"{"name":"Jane Doe"}"#, Visibility::Shown).unwrap(), "Jane Doe");
    }
}
