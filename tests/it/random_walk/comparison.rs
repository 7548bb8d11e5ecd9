//! The walk's model beside what the server shows.

use std::collections::{BTreeMap, HashMap};

use serde_json::json;

use super::Walk;
use crate::support::Answer;

impl Walk {
    pub async fn compare(&self) {
        let model = &self.model;
        for (who, affiliate) in model.affiliates.iter().enumerate() {
            let shown = self.api.get(&format!("/affiliates/{}", affiliate.id)).await;
            let (unpaid, paid) = (model.sum(who, &["pending", "approved"]), model.sum(who, &["paid"]));
            for (field, minor) in
                [("totalEarnings", unpaid + paid), ("pendingEarnings", unpaid), ("paidEarnings", paid)]
            {
                let text = format!(r#""{field}":{},"#, model.decimal(minor));
                assert!(shown.text.contains(&text), "{text} is not in {}", shown.text);
            }
            let sales = model.sales.iter().filter(|sale| sale.affiliate == who).count();
            let shown = &shown.data()["affiliate"];
            assert_eq!((&shown["clickCount"], &shown["conversionCount"]), (&json!(affiliate.clicks), &json!(sales)));
            assert_eq!(shown["status"], affiliate.status);
        }
        for status in ["active", "pending", "blocked"] {
            let expected = model.affiliates.iter().filter(|affiliate| affiliate.status == status).count();
            assert_eq!(self.api.get(&format!("/affiliates?status={status}")).await.data()["total"], expected);
        }
        self.compare_lines().await;
        self.compare_payouts().await;
    }

    /// Every row of the list, page by page, and each status's total.
    async fn compare_lines(&self) {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let mut expected: HashMap<&str, String> = HashMap::new();
        for line in &self.model.lines {
            *counts.entry(line.status).or_default() += 1;
            expected.insert(&line.id, format!("{} {}", line.status, self.model.decimal(line.amount)));
        }
        for status in ["pending", "approved", "paid", "rejected"] {
            let list = self.api.get(&format!("/commissions?status={status}&limit=1")).await;
            assert_eq!(list.data()["total"], counts.get(status).copied().unwrap_or(0), "{status}");
        }
        let mut seen = 0;
        loop {
            let list = self.api.get(&format!("/commissions?limit=100&offset={seen}")).await;
            assert_eq!(list.data()["total"], expected.len());
            let rows = rows(&list);
            seen += rows.len();
            for (id, row) in &rows {
                assert_eq!(expected.get(id.as_str()), Some(row), "{id}");
            }
            if rows.is_empty() {
                break;
            }
        }
        assert_eq!(seen, expected.len());
        assert_eq!(self.api.get("/conversions?limit=1").await.data()["total"], self.model.sales.len());
    }
}

/// Each row's id, and its status and amount as they were written.
fn rows(list: &Answer) -> Vec<(String, String)> {
    let texts = list.text.split(r#"{"id":""#).skip(1);
    let row = |text: &str| {
        let after = |name: &str| text.split(name).nth(1).unwrap().split([',', '"']).next().unwrap().to_owned();
        let id = text.split('"').next().unwrap().to_owned();
        (id, format!("{} {}", after(r#""status":""#), after(r#""amount":"#)))
    };
    texts.map(row).collect()
}
