//! The merchant's own pages about the program: settings, keys, the audit log, search.

use reqwest::Method;

use crate::support::{
    Answer, Api, Site,
    browser::{Browser, PASSWORD, account, texts},
};

async fn owner(site: &Site) -> Browser {
    account(site, "mara@example.com", true).await;
    let browser = Browser::at(site.address);
    assert_eq!(browser.sign_in("mara@example.com", PASSWORD).await.status, 303);
    browser
}

/// The page that a form leads to.
async fn followed(browser: &Browser, answer: Answer) -> Answer {
    assert_eq!(answer.status, 303, "{answer:?}");
    browser.get(answer.header("location")).await
}

#[tokio::test]
async fn a_setting_is_changed_told_before_and_after_and_written_down() {
    let site = Site::start().await;
    let browser = owner(&site).await;
    let saved = browser.post("/m/acme/settings/commission", &[("commission", "25%")]).await;
    let page = followed(&browser, saved).await;
    assert_eq!(texts(&page, "#notice p"), ["Saved. Commission: 20% → 25%."]);
    assert!(
        texts(&page, ".audited")[0].contains("Commission: 20% → Commission: 25%"),
        "{:?}",
        texts(&page, ".audited")
    );
    assert!(texts(&browser.get("/m/acme/settings").await, "#notice").is_empty(), "told once");

    site.affiliate("ANNA").await;
    // Running servers believe a program for half a second.
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    let sale = site.api.sale("ANNA", "100", "o-1").await;
    assert!(sale.text.contains(r#""commission":25.00,"#), "{sale:?}");

    let refused = browser.post("/m/acme/settings/tracking", &[("attribution_days", "0"), ("domains", "a b")]).await;
    assert_eq!(refused.status, 422);
    assert_eq!(texts(&refused, "#issues li").len(), 2, "{refused:?}");
    let unchanged = browser.post("/m/acme/settings/basics", &[("name", "acme")]).await;
    assert!(texts(&followed(&browser, unchanged).await, "#notice p")[0].starts_with("Nothing was different"));
    assert_eq!(site.database.number("SELECT COUNT(*) FROM audit_log WHERE action = 'program.changed'").await, 1);
    assert_eq!(browser.get("/m/acme/settings/nothing").await.status, 404);
}

#[tokio::test]
async fn a_key_is_shown_once_works_and_is_revoked() {
    let site = Site::start().await;
    let browser = owner(&site).await;
    let made = browser.post("/m/acme/keys", &[("name", "<b>Shop</b>"), ("scope", "read"), ("days", "30")]).await;
    assert_eq!((made.status.as_u16(), made.header("cache-control")), (200, "no-store"));
    let secret = made.text.split("value=\"ofs_").nth(1).unwrap().split('"').next().unwrap();
    let api = Api::new(site.address, &format!("ofs_{secret}"));
    assert_eq!(api.get("/affiliates").await.status, 200);
    assert_eq!(api.raw(Method::POST, "/affiliates", "{}").await.status, 403);

    let list = browser.get("/m/acme/keys").await;
    assert!(!list.text.contains(secret), "shown once");
    assert!(texts(&list, "tbody th")[0].starts_with("<b>Shop</b>"), "stored text is inert");
    let action = list.text.split("action=\"").find(|rest| rest.contains("/revocation\"")).unwrap();
    let revoked = browser.post(action.split('"').next().unwrap(), &[]).await;
    assert_eq!(texts(&followed(&browser, revoked).await, "tbody tr:first-child .badge"), ["Revoked"]);
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    assert_eq!(api.get("/affiliates").await.status, 401);

    for fields in [[("name", ""), ("scope", "read")], [("name", "x"), ("scope", "all")]] {
        assert_eq!(browser.post("/m/acme/keys", &fields).await.status, 422);
    }
    let (_, other) = site.another_program("other").await;
    let foreign = site.database.number("SELECT MAX(id) FROM api_keys").await;
    let foreign = offshoot::domain::id::KeyId::new(foreign);
    assert_eq!(browser.post(&format!("/m/acme/keys/{foreign}/revocation"), &[]).await.status, 404);
    assert_eq!(other.get("/affiliates").await.status, 200, "another program's key is not ours to revoke");
}

#[tokio::test]
async fn the_log_tells_who_did_what_and_can_be_narrowed() {
    let site = Site::start().await;
    let browser = owner(&site).await;
    let anna = site.affiliate("ANNA").await;
    site.set_affiliate(&anna, "blocked").await;
    followed(&browser, browser.post("/m/acme/settings/basics", &[("name", "Acme & Sons")]).await).await;

    let all = browser.get("/m/acme/audit").await;
    assert!(texts(&all, "tbody td:nth-child(2)").contains(&"Somebody".to_owned()), "the account's name");
    assert!(texts(&all, "tbody td:nth-child(2)").contains(&"API key “test”".to_owned()));
    let about = browser.get("/m/acme/audit?about=affiliate").await;
    assert_eq!(texts(&about, "tbody tr").len(), 2, "created and changed");
    let subject = browser.get(&format!("/m/acme/audit?subject={anna}")).await;
    assert_eq!(texts(&subject, "tbody tr").len(), 2);
    assert_eq!(texts(&browser.get("/m/acme/audit?subject=nothing").await, ".empty").len(), 1);
}

#[tokio::test]
async fn everything_with_a_number_is_found() {
    let site = Site::start().await;
    let browser = owner(&site).await;
    let anna = site.affiliate("ANNA").await;
    site.api.sale("ANNA", "10", "order 4018").await;
    let commission = site.api.newest_commission(&anna).await;
    let leads = async |wanted: &str| {
        let q = crate::support::browser::encoded(wanted);
        browser.get(&format!("/m/acme/search?q={q}")).await.header("location").to_owned()
    };
    for wanted in [anna.as_str(), "anna@example.com", "anna"] {
        assert_eq!(leads(wanted).await, format!("/m/acme/affiliates/{anna}"), "{wanted}");
    }
    for wanted in [commission.as_str(), "order 4018"] {
        assert_eq!(leads(wanted).await, format!("/m/acme/commissions/{commission}"), "{wanted}");
    }
    let nothing = browser.get("/m/acme/search?q=%3Cscript%3E").await;
    assert_eq!(texts(&nothing, ".empty").len(), 1);
    let (_, other) = site.another_program("other").await;
    let theirs = other.affiliate("BEN").await;
    assert_eq!(texts(&browser.get(&format!("/m/acme/search?q={theirs}")).await, ".empty").len(), 1);
}

#[tokio::test]
async fn the_reference_is_there_for_everybody() {
    let site = Site::start().await;
    for language in ["", "?lang=javascript", "?lang=python", "?lang=php", "?lang=rust", "?lang=cobol"] {
        let page = Browser::at(site.address).get(&format!("/docs/api{language}")).await;
        assert_eq!(page.status, 200);
        assert!(texts(&page, "section.card").len() > 15, "every call");
        assert_eq!(texts(&page, ".tabs [aria-current]").len(), 1);
    }
}
