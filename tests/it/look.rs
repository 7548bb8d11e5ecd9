//! How a program shows itself: colour, logo, what affiliates see of customers and what they earn.

use serde_json::json;

use crate::support::{
    Answer, Site,
    browser::{Browser, account, account_of, signed_in, texts},
};

const LOOK: &str = "/m/acme/settings/look";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\nnot much of a picture";

/// A site with its owner and an affiliate, both signed in; the affiliate's id.
async fn two() -> (Site, Browser, Browser, String) {
    let site = Site::start().await;
    account(&site, "mara@example.com", true).await;
    let id = site.affiliate("anna").await;
    account_of(&site, &id, "anna@example.com").await;
    let (owner, anna) = (signed_in(&site, "mara@example.com").await, signed_in(&site, "anna@example.com").await);
    (site, owner, anna, id)
}

/// The attribute of the first element that has this in it.
fn address(page: &Answer, start: &str) -> Option<String> {
    let (_, rest) = page.text.split_once(start)?;
    Some(format!("{start}{}", rest.split('"').next()?))
}

fn with_file(file: &[u8]) -> Vec<u8> {
    let field = |name: &str, value: &str| {
        format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").into_bytes()
    };
    let mut body = field("customers", "masked");
    body.extend(b"--x\r\nContent-Disposition: form-data; name=\"logo\"; filename=\"l.png\"\r\n\r\n");
    body.extend_from_slice(file);
    body.extend(b"\r\n--x--\r\n");
    body
}

#[tokio::test]
async fn a_colour_is_on_public_pages_and_on_affiliates_pages() {
    let (site, owner, anna, _) = two().await;
    let guest = Browser::at(site.address);
    assert_eq!(address(&guest.get("/p/acme").await, "/brand/"), None);
    let saved = owner.post(LOOK, &[("colour", "#FF8800"), ("customers", "masked")]).await;
    assert_eq!(saved.status, 303, "{saved:?}");
    let told = owner.get("/m/acme/settings").await;
    assert_eq!(texts(&told, "#notice p"), ["Saved. Colour: none → #ff8800."]);
    assert!(texts(&told, ".audited")[0].contains("Colour: none → Colour: #ff8800"), "{told:?}");

    let styles = address(&guest.get("/p/acme").await, "/brand/acme/").unwrap();
    assert_eq!(address(&anna.get("/home").await, "/brand/acme/"), Some(styles.clone()));
    assert_eq!(address(&guest.get("/p/acme/apply").await, "/brand/acme/"), Some(styles.clone()));
    let css = guest.get(&styles).await;
    assert_eq!((css.status.as_u16(), css.header("content-type")), (200, "text/css; charset=utf-8"));
    assert!(css.header("cache-control").contains("immutable"));
    assert!(css.text.starts_with(":root{--accent:light-dark(#"), "{css:?}");
    for wrong in ["/brand/acme/0123456789abcdef.css", "/brand/acme/x", "/brand/acme/a.svg", "/brand/other/a.css"] {
        assert_eq!(guest.get(wrong).await.status, 404, "{wrong}");
    }
    let preview = owner.post(LOOK, &[("colour", "#0000ff"), ("customers", "shown"), ("preview", "yes")]).await;
    assert_eq!((preview.status.as_u16(), texts(&preview, "svg text").len()), (200, 4));
    for wrong in ["blue", "#ff88", "#ff8800;}body{display:none}"] {
        assert_eq!(owner.post(LOOK, &[("colour", wrong), ("customers", "masked")]).await.status, 422, "{wrong}");
    }
    assert_eq!(owner.post(LOOK, &[("customers", "everything")]).await.status, 422);
    assert_eq!(address(&guest.get("/p/acme").await, "/brand/acme/"), Some(styles), "nothing changed");
    assert_eq!(anna.get(LOOK).await.status, 404);
}

#[tokio::test]
async fn a_logo_is_a_small_picture_from_our_own_address() {
    let (site, owner, anna, _) = two().await;
    let large = [PNG, &vec![0; 100 * 1024]].concat();
    for wrong in [b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>".as_slice(), &large] {
        let refused = owner.upload(LOOK, "x", with_file(wrong)).await;
        assert_eq!((refused.status.as_u16(), texts(&refused, "#issues li").len()), (422, 1), "{refused:?}");
    }
    assert_eq!(owner.upload(LOOK, "x", with_file(PNG)).await.status, 303);
    let at = address(&anna.get("/home").await, "/brand/acme/").unwrap();
    let logo = Browser::at(site.address).get(&at).await;
    assert_eq!((logo.status.as_u16(), logo.header("content-type")), (200, "image/png"));
    assert_eq!(logo.header("x-content-type-options"), "nosniff");
    assert_eq!(std::path::Path::new(&at).extension().unwrap(), "png", "{at}");
    assert_eq!(owner.post(LOOK, &[("customers", "masked"), ("no_logo", "yes")]).await.status, 303);
    assert_eq!(Browser::at(site.address).get(&at).await.status, 404);
    assert_eq!(address(&anna.get("/home").await, "/brand/"), None);
}

#[tokio::test]
async fn affiliates_see_of_customers_what_the_program_shows() {
    let (site, owner, anna, _) = two().await;
    let sale = json!({ "referralCode": "anna", "amount": 10, "customer": { "email": "jo@shop.example", "name": "<b>Jo</b>" } });
    assert_eq!(site.api.post("/referrals/convert", &sale).await.status, 201);
    for (customers, pages, file) in [
        ("masked", vec!["j•••@s•••.example"], "j•••@s•••.example"),
        ("shown", vec!["jo@shop.example"], "jo@shop.example"),
        ("hidden", vec![], ",,10.00"),
    ] {
        owner.post(LOOK, &[("customers", customers)]).await;
        let page = anna.get("/earnings").await;
        assert_eq!(texts(&page, "tbody th small"), pages, "{customers}");
        assert!(anna.get("/earnings.csv").await.text.contains(file), "{customers}");
    }
}

#[tokio::test]
async fn an_own_rate_is_told_on_the_first_page_and_by_mail() {
    let (site, owner, anna, id) = two().await;
    assert!(anna.get("/home").await.text.contains("You earn 20% of every sale"));
    let today = site.app.clock.now().date();
    let tomorrow = site.app.clock.now().plus_seconds(86_400).date();
    for from in [today, tomorrow] {
        let set = owner.post(&format!("/m/acme/affiliates/{id}/rates"), &[("rate", "25%"), ("from", &from)]).await;
        assert_eq!(set.status, 303, "{set:?}");
    }
    let told = site.database.number("SELECT COUNT(*) FROM mails WHERE kind = 'rate_changed'").await;
    assert_eq!(told, 1, "told once that it changes");
    site.advance_seconds(2 * 86_400);
    let home = anna.get("/home").await;
    assert!(home.text.contains("You earn 25% of every sale") && home.text.contains("since "), "{home:?}");
}

#[tokio::test]
async fn the_audit_log_comes_as_a_file_of_what_is_listed() {
    let (site, owner, _, id) = two().await;
    owner.post("/m/acme/settings/basics", &[("name", "=1+1")]).await;
    let all = owner.get("/m/acme/audit/export").await;
    assert_eq!(all.header("content-type"), "text/csv; charset=utf-8");
    assert!(all.text.contains("program changed") && all.text.contains("affiliate created"), "{all:?}");
    let one = owner.get(&format!("/m/acme/audit/export?subject={id}")).await;
    assert!(!one.text.contains("program changed") && one.text.contains("affiliate created"), "{one:?}");
    let page = owner.get("/m/acme/audit?about=program").await;
    assert!(page.text.contains("/m/acme/audit/export?about=program&amp;subject="), "{page:?}");
    site.check_ledger().await;
}
