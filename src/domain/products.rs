//! The lines of a sale, as far as the merchant told.

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{decimal, money::Currency};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    pub id: String,
    pub sku: String,
    /// What it is called, or else its id.
    pub name: String,
    /// Of all its pieces, in minor units.
    pub total: i64,
    pub quantity: i64,
}

impl Product {
    pub fn is_one_of(&self, named: &[String]) -> bool {
        let is = |word: &str| !word.is_empty() && named.iter().any(|name| name.eq_ignore_ascii_case(word));
        is(&self.id) || is(&self.sku)
    }
}

/// Reads the products of a conversion's body, a JSON array's text: each with the `price` of one piece, or the `amount`
/// of the line. Lines with neither that can be read are left out: what they say is the merchant's own business.
pub fn read(json: &str, currency: Currency) -> Vec<Product> {
    let lines: Vec<Box<RawValue>> = serde_json::from_str(json).unwrap_or_default();
    lines.iter().filter_map(|line| product(serde_json::from_str(line.get()).ok()?, currency)).collect()
}

/// A line as it was told; money as its own text, so that it never is a binary float.
#[derive(Deserialize)]
struct Told {
    id: Option<Value>,
    sku: Option<Value>,
    name: Option<Value>,
    price: Option<Box<RawValue>>,
    amount: Option<Box<RawValue>>,
    quantity: Option<i64>,
}

fn product(told: Told, currency: Currency) -> Option<Product> {
    let word = |given: Option<Value>| match given {
        Some(Value::String(text)) => text,
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let money = |given: Option<Box<RawValue>>| decimal::parse(given?.get(), currency.exponent().into()).ok();
    let quantity = Some(told.quantity.unwrap_or(1)).filter(|count| (1..=1_000_000).contains(count))?;
    let total = money(told.amount).or_else(|| money(told.price)?.checked_mul(quantity))?;
    let (id, sku) = (word(told.id), word(told.sku));
    let name = [word(told.name), sku.clone(), id.clone()].into_iter().find(|word| !word.is_empty());
    Some(Product { id, sku, name: name.unwrap_or_default(), total, quantity })
}

/// Each line with its part of the sale's amount in minor units. Where prices and amount differ, by a discount or by
/// shipping, every line bears its part of the difference, and the parts are the amount to the cent. Empty where no
/// line has a price.
pub fn lines<'a>(amount: i64, products: &'a [Product]) -> Vec<(Option<&'a Product>, i64)> {
    let sum: i128 = products.iter().map(|product| i128::from(product.total)).sum();
    if sum <= 0 {
        return Vec::new();
    }
    // By sums so far, so that no cent is lost or made on the way.
    let (mut so_far, mut given) = (0_i128, 0_i64);
    let part = |product: &'a Product| {
        so_far += i128::from(product.total);
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
        let mug = Product { id: "7".into(), sku: "MUG".into(), name: "Mug".into(), total: 2_500, quantity: 2 };
        for told in [
            r#"[{"id":7,"sku":"MUG","name":"Mug","price":12.5,"quantity":2}]"#,
            r#"[{"id":"7","sku":"MUG","name":"Mug","amount":25.00,"quantity":2}]"#,
        ] {
            assert_eq!(read(told), std::slice::from_ref(&mug));
        }
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
        fn the_parts_are_the_amount(amount in 0i64..1_000_000, totals in prop::collection::vec(0i64..100_000, 1..20)) {
            let product = |total| Product { id: String::new(), sku: String::new(), name: String::new(), total, quantity: 1 };
            let products: Vec<_> = totals.into_iter().map(product).collect();
            let lines = lines(amount, &products);
            if products.iter().any(|product| product.total > 0) {
                prop_assert_eq!(lines.iter().map(|(_, part)| part).sum::<i64>(), amount);
                prop_assert!(lines.iter().all(|(_, part)| *part >= 0));
            } else {
                prop_assert!(lines.is_empty());
            }
        }
    }
}
