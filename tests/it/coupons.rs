//! Coupons of the merchant's shop that belong to affiliates.

use serde_json::json;

use crate::support::{
    Site,
    browser::{account, account_of, signed_in, texts},
};

#[tokio::test]
async fn coupons_are_made_listed_archived_and_taken_up_again() {
    let site = Site::start().await;
    let (one, two) = (site.affiliate("one").await, site.affiliate("two").await);
    let made = site.api.post("/coupons", &json!({ "affiliateId": one, "code": "SAVE10" })).await;
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.data()["coupon"]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        made.text,
        format!(
            r#"{{"success":true,"data":{{"coupon":{{"id":"{id}","affiliateId":"{one}","code":"SAVE10","status":"active","createdAt":"2026-03-01T12:00:00Z"}}}}}}"#
        )
    );
    assert_eq!(made.header("location"), format!("/v1/coupons/{id}"));
    site.api.post("/coupons", &json!({ "affiliateId": two, "code": "TWO" })).await;

    let list = site.api.get("/coupons?limit=1").await;
    assert_eq!((&list.data()["total"], &list.data()["coupons"][0]["code"]), (&json!(2), &json!("TWO")));
    let of_one = site.api.get(&format!("/coupons?affiliateId={one}")).await;
    assert_eq!((&of_one.data()["total"], &of_one.data()["coupons"][0]["id"]), (&json!(1), &json!(id)));

    let path = format!("/coupons/{id}");
    let archived = site.api.patch(&path, &json!({ "status": "archived" })).await;
    assert_eq!(archived.data()["coupon"]["status"], "archived");
    assert_eq!(site.api.get(&path).await.data()["coupon"]["status"], "archived");
    let sale = json!({ "couponCode": "save10", "amount": 1 });
    site.api.post("/referrals/convert", &sale).await.fails(404, "resource_not_found", None);
    site.api.patch(&path, &json!({ "status": "active" })).await;
    assert_eq!(site.api.post("/referrals/convert", &sale).await.data()["referralCode"], "one");
    let changes = site.database.number("SELECT COUNT(*) FROM audit_log WHERE action LIKE 'coupon.%'").await;
    assert_eq!(changes, 4, "each change once");
}

#[tokio::test]
async fn what_cannot_be_a_coupon_is_refused() {
    let site = Site::start().await;
    let one = site.affiliate("one").await;
    site.affiliate("two").await;
    site.api.post("/coupons", &json!({ "affiliateId": one, "code": "SAVE10" })).await;
    for (body, field) in [
        (json!({ "affiliateId": one }), "code"),
        (json!({ "code": "X10" }), "affiliateId"),
        (json!({ "affiliateId": "nobody", "code": "X10" }), "affiliateId"),
        (json!({ "affiliateId": one, "code": "a b" }), "code"),
        (json!({ "affiliateId": one, "code": "save10" }), "code"),
        // It would credit one affiliate by code and another by coupon.
        (json!({ "affiliateId": one, "code": "TWO" }), "code"),
    ] {
        site.api.post("/coupons", &body).await.refuses(field);
    }
    let unknown = json!({ "affiliateId": "aff_0000000000001", "code": "X10" });
    site.api.post("/coupons", &unknown).await.fails(404, "resource_not_found", None);
    let (_, theirs) = site.another_program("other").await;
    let foreign =
        theirs.post("/coupons", &json!({ "affiliateId": theirs.affiliate("theirs").await, "code": "SAVE10" })).await;
    assert_eq!(foreign.status, 201);
    let path = format!("/coupons/{}", foreign.data()["coupon"]["id"].as_str().unwrap());
    site.api.get(&path).await.fails(404, "resource_not_found", None);
    site.api.patch(&path, &json!({ "status": "archived" })).await.fails(404, "resource_not_found", None);
    site.api.get("/coupons/nonsense").await.refuses("couponId");
    assert_eq!(site.database.number("SELECT COUNT(*) FROM coupons").await, 2);
}

#[tokio::test]
async fn a_merchant_gives_a_coupon_and_its_affiliate_reads_it() {
    let site = Site::start().await;
    let (one, two) = (site.affiliate("one").await, site.affiliate("two").await);
    account(&site, "mara@example.com", true).await;
    account_of(&site, &one, "anna@example.com").await;
    let (owner, anna) = (signed_in(&site, "mara@example.com").await, signed_in(&site, "anna@example.com").await);
    let of_one = format!("/m/acme/affiliates/{one}");
    let page = format!("{of_one}?tab=links");
    assert!(texts(&owner.get(&page).await, ".empty").concat().contains("No coupons yet"));
    assert_eq!(texts(&anna.get("/links").await, "#coupons").len(), 0);

    let given = owner.post(&format!("{of_one}/coupons"), &[("code", "SAVE10")]).await;
    assert_eq!((given.status.as_u16(), given.header("location")), (303, page.as_str()), "{given:?}");
    let shown = owner.get(&page).await;
    assert!(texts(&shown, "#notice p")[0].starts_with("SAVE10 is theirs."), "{shown:?}");
    assert_eq!(texts(&shown, "tbody tr"), ["SAVE10Active1 Mar 2026Archive SAVE10"]);
    let links = anna.get("/links").await;
    assert_eq!(texts(&links, "#coupons"), ["Your coupon"]);
    assert!(links.text.contains(r#"value="SAVE10" readonly aria-label="Coupon SAVE10""#), "{links:?}");

    // Somebody's already, somebody else's code, and no code at all.
    for (of, code) in [(&two, "save10"), (&one, "TWO"), (&one, "<b>"), (&one, "")] {
        let refused = owner.post(&format!("/m/acme/affiliates/{of}/coupons"), &[("code", code)]).await;
        assert_eq!((refused.status.as_u16(), texts(&refused, "#issues li").len()), (422, 1), "{code}: {refused:?}");
    }
    let nobody = owner.post("/m/acme/affiliates/aff_0000000000001/coupons", &[("code", "X10")]).await;
    assert_eq!(nobody.status, 404);
    assert_eq!(anna.post(&format!("{of_one}/coupons"), &[("code", "MINE")]).await.status, 404);

    let list = site.api.get("/coupons").await;
    let coupon = format!("/m/acme/coupons/{}", list.data()["coupons"][0]["id"].as_str().unwrap());
    assert_eq!(list.data()["total"], 1);
    assert_eq!(anna.post(&format!("{coupon}/archive"), &[]).await.status, 404);
    let sale = json!({ "couponCode": "SAVE10", "amount": 1 });
    assert_eq!(owner.post(&format!("{coupon}/archive"), &[]).await.header("location"), page);
    let shown = owner.get(&page).await;
    assert_eq!(texts(&shown, "tbody tr"), ["SAVE10Archived1 Mar 2026Restore SAVE10"]);
    assert!(shown.text.contains(&format!(r#"action="{coupon}/restore""#)));
    assert_eq!(texts(&anna.get("/links").await, "#coupons").len(), 0);
    site.api.post("/referrals/convert", &sale).await.fails(404, "resource_not_found", None);
    assert_eq!(owner.post(&format!("{coupon}/restore"), &[]).await.status, 303);
    assert_eq!(site.api.post("/referrals/convert", &sale).await.data()["referralCode"], "one");
    let changes = site.database.number("SELECT COUNT(*) FROM audit_log WHERE action LIKE 'coupon.%'").await;
    assert_eq!(changes, 3, "each change once");
    site.check_ledger().await;
}
