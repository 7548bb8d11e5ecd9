//! The program that a key belongs to.

use crate::support::Site;

#[tokio::test]
async fn a_program_is_shown_to_its_own_keys() {
    let site = Site::start().await;
    let shown = site.api.get("/program").await;
    assert_eq!(shown.status, 200);
    let (id, base) = (site.program.id, site.url("/r/acme/"));
    assert_eq!(
        shown.text,
        format!(
            r#"{{"success":true,"data":{{"program":{{"id":"{id}","slug":"acme","name":"acme","currency":"USD","commission":"20%","attributionDays":60,"landingUrl":"https://shop.example/start","domains":["shop.example"],"linkBase":"{base}"}}}}}}"#
        )
    );
    assert!(id.to_string().starts_with("prog_"));
    let (other, theirs) = site.another_program("other").await;
    let shown = theirs.get("/program").await;
    assert_eq!(shown.data()["program"]["id"], other.id.to_string());
    assert_eq!(shown.data()["program"]["slug"], "other");
}

#[tokio::test]
async fn each_currency_is_named() {
    for currency in ["JPY", "KWD"] {
        let site = Site::in_currency(currency).await;
        assert_eq!(site.api.get("/program").await.data()["program"]["currency"], currency);
    }
}
