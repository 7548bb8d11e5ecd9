//! Affiliates: created, listed, shown, changed.

use serde_json::json;

use crate::support::Site;

#[tokio::test]
async fn the_references_own_example() {
    let site = Site::start().await;
    let made = site.api.post("/affiliates", &json!({ "email": "affiliate@example.com", "name": "John Doe" })).await;
    assert_eq!(made.status, 201);
    let affiliate = &made.data()["affiliate"];
    assert_eq!(affiliate["referralCode"], "JOHNDOE10");
    assert_eq!(affiliate["createdAt"], "2026-03-01T12:00:00Z");
    site.check_ledger().await;
}

#[tokio::test]
async fn twenty_creations_of_one_address_make_one_affiliate() {
    let site = Site::start().await;
    let create = |_| {
        let api = site.api.clone();
        async move { api.post("/affiliates", &json!({ "email": "One@example.com", "name": "One" })).await }
    };
    let answers = futures_util::future::join_all((0..20).map(create)).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    answers.iter().filter(|answer| answer.status != 201).for_each(|answer| answer.refuses("email"));
    assert_eq!(site.api.get("/affiliates").await.data()["total"], 1);
    site.check_ledger().await;
}
