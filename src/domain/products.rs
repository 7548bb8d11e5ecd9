//! The lines of a sale, as far as the merchant told.

use serde_json::Value;

use super::{decimal, money::Currency};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    pub id: String,
    pub sku: String,
    /// What it is called, or else its id.
    pub name: String,
    /// Of one piece, in minor units.
    pub price: i64,
    pub quantity: i64,
}

impl Product {
    pub fn is_one_of(&self, named: &[String]) -> bool {
        let is = |word: &str| !word.is_empty() && named.iter().any(|name| name.eq_ignore_ascii_case(word));
        is(&self.id) || is(&self.sku)
    }
}

/// Reads the products of a conversion's body, a JSON array's text. Lines without a price that can be read are left
/// out: what they say is the merchant's own business.
pub fn read(json: &str, currency: Currency) -> Vec<Product> {
    let Ok(Value::Array(items)) = serde_json::from_str(json) else { return Vec::new() };
    items.iter().filter_map(|item| product(item, currency)).collect()
}

fn product(item: &Value, currency: Currency) -> Option<Product> {
    let word = |name: &str| match item.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let price = decimal::parse(&item.get("price")?.as_number()?.to_string(), currency.exponent().into()).ok()?;
    let quantity = match item.get("quantity") {
        None | Some(Value::Null) => 1,
        Some(given) => given.as_i64().filter(|count| (1..=1_000_000).contains(count))?,
    };
    let (id, sku) = (word("id"), word("sku"));
    let name = [word("name"), sku.clone(), id.clone()].into_iter().find(|word| !word.is_empty()).unwrap_or_default();
    Some(Product { id, sku, name, price, quantity })
}

/// Each line with its part of the sale's amount in minor units. Where prices and amount differ, by a discount or by
/// shipping, every line bears its part of the difference, and the parts are the amount to the cent. Empty where no
/// line has a price.
pub fn lines(amount: i64, products: &[Product]) -> Vec<(Option<&Product>, i64)> {
    let price = |product: &Product| i128::from(product.price) * i128::from(product.quantity);
    let sum: i128 = products.iter().map(price).sum();
    if sum <= 0 {
        return Vec::new();
    }
    // By sums so far, so that no cent is lost or made on the way.
    let (mut so_far, mut given) = (0_i128, 0_i64);
    let part = |product| {
        so_far += price(product);
        let up_to = i64::try_from(i128::from(amount) * so_far / sum).unwrap_or(amount);
        let part = up_to - given;
        given = up_to;
        (Some(product), part)
    };
    products.iter().map(part).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn usd() -> Currency {
        Currency::parse("USD").unwrap()
    }

    #[test]
    fn products_as_shops_send_them() {
        let read = |json| read(json, usd());
        let mug = Product { id: "7".into(), sku: "MUG".into(), name: "Mug".into(), price: 1_250, quantity: 2 };
        assert_eq!(
            read(r#"[{"id":7,"sku":"MUG","name":"Mug","price":12.5,"quantity":2}]"#),
            std::slice::from_ref(&mug)
        );
        assert!(mug.is_one_of(&["mug".into()]) && mug.is_one_of(&["7".into()]) && !mug.is_one_of(&["Mugs".into()]));
        for unreadable in [
            "",
            "{}",
            "[1]",
            r#"[{"id":"a"}]"#,
            r#"[{"price":"12"}]"#,
            r#"[{"price":-1}]"#,
            r#"[{"price":1,"quantity":0}]"#,
        ] {
            assert_eq!(read(unreadable), [], "{unreadable}");
        }
    }

    proptest! {
        #[test]
        fn the_parts_are_the_amount(amount in 0i64..1_000_000, prices in prop::collection::vec((0i64..100_000, 1i64..9), 1..20)) {
            let product = |(price, quantity)| Product { id: String::new(), sku: String::new(), name: String::new(), price, quantity };
            let products: Vec<_> = prices.into_iter().map(product).collect();
            let lines = lines(amount, &products);
            if products.iter().any(|product| product.price > 0) {
                prop_assert_eq!(lines.iter().map(|(_, part)| part).sum::<i64>(), amount);
                prop_assert!(lines.iter().all(|(_, part)| *part >= 0));
            } else {
                prop_assert!(lines.is_empty());
            }
        }
    }
}
