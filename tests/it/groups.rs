//! Groups of affiliates: made, filled, named again, put away, and what a rule for one does.

use serde_json::json;

use crate::support::{
    Site,
    browser::{Browser, PASSWORD, account, texts},
};

async fn open() -> (Site, Browser) {
    let site = Site::start().await;
    account(&site, "mara@example.com", true).await;
    let browser = Browser::at(site.address);
    browser.sign_in("mara@example.com", PASSWORD).await;
    (site, browser)
}

/// Makes a group; its id.
pub async fn group(site: &Site, browser: &Browser, name: &str) -> String {
    let made = browser.post("/m/acme/groups", &[("name", name)]).await;
    assert_eq!(made.status, 303, "{made:?}");
    let raw = site.database.number("SELECT MAX(id) FROM affiliate_groups").await;
    offshoot::domain::id::GroupId::new(raw).to_string()
}

async fn members(site: &Site) -> i64 {
    site.database.number("SELECT CAST(SUM(members) AS BIGINT) FROM affiliate_groups").await
}

#[tokio::test]
async fn a_rule_for_a_group_comes_between_the_affiliates_and_everybodys() {
    let (site, browser) = open().await;
    for code in ["ann", "ben", "cyd"] {
        site.affiliate(code).await;
    }
    let ids: Vec<String> = {
        let list = site.api.get("/affiliates").await;
        list.data()["affiliates"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    let partners = group(&site, &browser, "Partners").await;
    let [cyd, ben, ann] = ids.as_slice() else { panic!("three affiliates") };
    let moved =
        browser.post("/m/acme/affiliates/group", &[("group", &partners), ("id", ann), ("id", ben), ("id", ann)]).await;
    assert_eq!(moved.status, 303, "{moved:?}");
    assert_eq!(members(&site).await, 2);

    for fields in [
        [("name", "All"), ("pays", "10%"), ("affiliate", ""), ("group", "")],
        [("name", "Partners"), ("pays", "15%"), ("affiliate", ""), ("group", partners.as_str())],
        [("name", "Ben"), ("pays", "40%"), ("affiliate", "ben"), ("group", "")],
    ] {
        let made = browser
            .post("/m/acme/rules", &[&fields[..], &[("kind", "share"), ("sales", "all"), ("products", "")]].concat())
            .await;
        assert_eq!(made.status, 303, "{made:?}");
    }
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    for (code, earned) in [("ann", "15.0"), ("ben", "40.0"), ("cyd", "10.0")] {
        let made = site.api.post("/referrals/convert", &json!({ "referralCode": code, "amount": 100 })).await;
        assert_eq!(made.data()["commission"].to_string(), earned, "{code}");
    }
    let tried = browser.get("/m/acme/rules?affiliate=cyd&amount=100&product=&sale=first").await;
    assert!(texts(&tried, "[role=status]").join(" ").contains("“Partners” is for another group"), "{tried:?}");
    assert!(texts(&tried, "td").join(" ").contains("Group Partners"));

    // Out of the group, sales from now on earn what everybody's do.
    browser.post("/m/acme/affiliates/group", &[("group", "none"), ("id", ann)]).await;
    let made = site.api.post("/referrals/convert", &json!({ "referralCode": "ann", "amount": 100 })).await;
    assert_eq!(made.data()["commission"].to_string(), "10.0");
    assert_eq!(members(&site).await, 1);
    let listed = browser.get(&format!("/m/acme/affiliates?group={partners}")).await;
    assert_eq!(texts(&listed, "tbody th a"), ["ben"]);
    let file = browser.get(&format!("/m/acme/affiliates/export?group={partners}")).await;
    assert!(file.text.contains(ben.as_str()) && !file.text.contains(cyd.as_str()), "{}", file.text);
    let told = "SELECT COUNT(*) FROM audit_log WHERE action = 'affiliate.group_changed'";
    assert_eq!(site.database.number(told).await, 3);
    site.check_ledger().await;
}

#[tokio::test]
async fn a_group_is_named_again_and_put_away_only_when_nothing_hangs_on_it() {
    let (site, browser) = open().await;
    let ann = site.affiliate("ann").await;
    let gold = group(&site, &browser, "<b>Gold</b>").await;
    let silver = group(&site, &browser, "Silver").await;
    for name in ["", "  ", "silver", &"x".repeat(81)] {
        let refused = browser.post("/m/acme/groups", &[("name", name)]).await;
        assert_eq!(refused.status, 422, "{name}");
        let renamed = browser.post(&format!("/m/acme/groups/{gold}"), &[("name", name)]).await;
        assert_eq!(renamed.status, 422, "{name}");
    }
    assert_eq!(site.database.number("SELECT COUNT(*) FROM affiliate_groups").await, 2);
    let page = browser.get("/m/acme/groups").await;
    assert!(!page.text.contains("<b>Gold</b>"), "it is inert");
    // Its own name in other letters is no other name.
    let renamed = browser.post(&format!("/m/acme/groups/{silver}"), &[("name", "SILVER")]).await;
    assert_eq!(renamed.status, 303);

    browser.post("/m/acme/affiliates/group", &[("group", &gold), ("id", &ann)]).await;
    let shown = browser.get(&format!("/m/acme/affiliates/{ann}")).await;
    assert!(texts(&shown, "dl.facts dd").iter().any(|text| text == "<b>Gold</b>"), "{shown:?}");
    assert_eq!(browser.post(&format!("/m/acme/groups/{gold}/archive"), &[]).await.status, 422);
    browser.post("/m/acme/affiliates/group", &[("group", "none"), ("id", &ann)]).await;
    let rule =
        [("name", "Gold"), ("pays", "30%"), ("kind", "share"), ("sales", "all"), ("products", ""), ("group", &gold)];
    assert_eq!(browser.post("/m/acme/rules", &rule).await.status, 303);
    assert_eq!(browser.post(&format!("/m/acme/groups/{gold}/archive"), &[]).await.status, 422);
    assert_eq!(browser.post(&format!("/m/acme/groups/{silver}/archive"), &[]).await.status, 303);

    // Nobody comes into one that is archived, and no rule is made for it.
    let refused = browser.post("/m/acme/affiliates/group", &[("group", &silver), ("id", &ann)]).await;
    assert_eq!(refused.status, 303);
    assert_eq!(members(&site).await, 0);
    let refused = browser.post("/m/acme/rules", &[&rule[..5], &[("group", silver.as_str())]].concat()).await;
    assert_eq!(refused.status, 422);
    let both = browser.post("/m/acme/rules", &[&rule[..], &[("affiliate", "ann")]].concat()).await;
    assert_eq!(both.status, 422);
    assert_eq!(browser.post(&format!("/m/acme/groups/{silver}/restore"), &[]).await.status, 303);
    browser.post("/m/acme/affiliates/group", &[("group", &silver), ("id", &ann)]).await;
    assert_eq!(members(&site).await, 1);
    site.check_ledger().await;
}

#[tokio::test]
async fn another_programs_groups_and_affiliates_do_not_exist() {
    let (site, browser) = open().await;
    let ann = site.affiliate("ann").await;
    let gold = group(&site, &browser, "Gold").await;
    site.another_program("other").await;
    let other = "UPDATE affiliate_groups SET program_id = (SELECT MAX(id) FROM programs)";
    site.database.execute(other).await.unwrap();
    for path in [format!("/m/acme/groups/{gold}/archive"), format!("/m/acme/groups/{gold}/restore")] {
        assert_eq!(browser.post(&path, &[]).await.status, 404, "{path}");
    }
    assert_eq!(browser.post(&format!("/m/acme/groups/{gold}"), &[("name", "Mine")]).await.status, 404);
    assert_eq!(browser.post("/m/acme/affiliates/group", &[("group", &gold), ("id", &ann)]).await.status, 404);
    let unknown = "aff_0000000000000";
    assert_eq!(browser.post("/m/acme/affiliates/group", &[("group", "none"), ("id", unknown)]).await.status, 404);
    assert_eq!(browser.post("/m/acme/affiliates/group", &[("group", "gold"), ("id", &ann)]).await.status, 400);
    assert_eq!(members(&site).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_move_the_same_affiliates_at_once_leave_the_counts_right() {
    let (site, browser) = open().await;
    let mut ids = Vec::new();
    for number in 0..6 {
        ids.push(site.affiliate(&format!("code{number}")).await);
    }
    let groups = [group(&site, &browser, "Gold").await, group(&site, &browser, "Silver").await];
    let other = Browser::at(site.address);
    other.sign_in("mara@example.com", PASSWORD).await;
    for round in 0..4 {
        let mut forms = [&groups[round % 2], &groups[(round + 1) % 2]].map(|group| {
            let mut form = vec![("group", group.as_str())];
            form.extend(ids.iter().map(|id| ("id", id.as_str())));
            form
        });
        forms[1][1..].reverse();
        let (one, two) = tokio::join!(
            browser.post("/m/acme/affiliates/group", &forms[0]),
            other.post("/m/acme/affiliates/group", &forms[1])
        );
        assert_eq!((one.status.as_u16(), two.status.as_u16()), (303, 303));
        assert_eq!(members(&site).await, 6);
    }
    site.check_ledger().await;
}

/// Who a payout would leave out, and why.
async fn left_out(site: &Site) -> Vec<(String, String)> {
    let seen = site.api.post("/payouts?dryRun=true", &json!({})).await;
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let left = seen.data()["leftOut"].as_array().unwrap().iter();
    left.map(|left| (text(&left["affiliateId"]), text(&left["reason"]))).collect()
}

#[tokio::test]
async fn a_groups_own_terms_come_before_the_programs_and_an_affiliates_own_before_those() {
    let (site, browser) = open().await;
    let gold = group(&site, &browser, "Gold").await;
    let mut ids = Vec::new();
    for code in ["ann", "ben"] {
        let id = site.affiliate(code).await;
        let by = json!({ "paymentMethod": "paypal", "paymentDetails": format!("{code}@example.com") });
        assert_eq!(site.api.patch(&format!("/affiliates/{id}"), &by).await.status, 200);
        ids.push(id);
    }
    let [ann, ben] = ids.as_slice() else { panic!("two affiliates") };
    browser.post("/m/acme/affiliates/group", &[("group", &gold), ("id", ann)]).await;

    let terms = format!("/m/acme/groups/{gold}");
    let shown = browser.get(&terms).await;
    assert!(texts(&shown, ".hint").join(" ").contains("the program’s, none"), "{shown:?}");
    for (field, wrong, said) in
        [("hold_days", "366", "0 to 365"), ("hold_days", "-1", "0 to 365"), ("minimum", "1.001", "2 decimals")]
    {
        let refused = browser.post(&terms, &[("name", "Gold"), (field, wrong)]).await;
        assert_eq!(refused.status, 422, "{field} {wrong}");
        assert!(texts(&refused, ".issue").concat().contains(said), "{:?}", texts(&refused, ".issue"));
    }
    let saved = browser.post(&terms, &[("name", "Gold"), ("hold_days", "30"), ("minimum", "50")]).await;
    assert_eq!(saved.status, 303);
    let page = browser.get("/m/acme/groups").await;
    let told = texts(&page, "#notice p").concat();
    assert!(told.contains("Hold: the program’s → 30 days; Minimum: the program’s → USD 50.00"), "{told}");
    assert_eq!(texts(&page, "tbody td[data-label=Hold]"), ["30 days"]);

    for (code, id) in [("ann", ann), ("ben", ben)] {
        assert_eq!(site.api.sale(code, "100.00", code).await.status, 201);
        let commission = site.api.newest_commission(id).await;
        assert_eq!(site.api.decide(&commission, "approved").await.status, 200);
    }
    let payable = async |id: &str| {
        let balance = site.api.get(&format!("/affiliates/{id}/balance")).await;
        balance.data()["balance"]["payable"].to_string()
    };
    assert_eq!((payable(ann).await.as_str(), payable(ben).await.as_str()), ("0.0", "20.0"));
    site.advance_seconds(30 * 86_400);
    browser.sign_in("mara@example.com", PASSWORD).await;
    assert_eq!(payable(ann).await, "20.0");
    assert_eq!(left_out(&site).await, [(ann.clone(), "below the minimum".to_owned())]);

    let edit = format!("/m/acme/affiliates/{ann}/edit");
    let hints = texts(&browser.get(&edit).await, ".hint").concat();
    assert!(hints.contains("the group’s, USD 50.00"), "{hints}");
    let fields = [
        ("name", "ann"),
        ("email", "ann@example.com"),
        ("referralCode", "ann"),
        ("paymentMethod", "paypal"),
        ("paymentDetails", "ann@example.com"),
    ];
    let save = async |minimum: &str| browser.post(&edit, &[&fields[..], &[("minimum", minimum)]].concat()).await.status;
    assert_eq!(save("x").await, 422);
    assert_eq!(save("20").await, 303);
    assert_eq!(left_out(&site).await, []);
    assert_eq!(save("20.01").await, 303);
    assert_eq!(left_out(&site).await.len(), 1);
    // Nothing of the affiliate's and the group's own: the program's again.
    assert_eq!(save("").await, 303);
    assert_eq!(browser.post(&terms, &[("name", "Gold")]).await.status, 303);
    assert_eq!(left_out(&site).await, []);
    let told = "SELECT COUNT(*) FROM audit_log WHERE action = 'group.changed'";
    assert_eq!(site.database.number(told).await, 2);
    site.check_ledger().await;
}
