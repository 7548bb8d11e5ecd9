//! The merchant's affiliates: found, sorted, taken out as a file, changed one or several at once.

use offshoot::domain::role::Role;
use serde_json::json;

use crate::support::{
    Site,
    browser::{Browser, PASSWORD, account, texts},
};

const LIST: &str = "/m/acme/affiliates";

async fn owner(site: &Site) -> Browser {
    account(site, "mara@example.com", true).await;
    let browser = Browser::at(site.address);
    browser.sign_in("mara@example.com", PASSWORD).await;
    browser
}

async fn viewer(site: &Site) -> Browser {
    let id = account(site, "viewer@example.com", false).await;
    let (now, program) = (site.app.clock.now(), site.program.id);
    let role = Role::Viewer;
    let joined = site.app.db.write(move |tx| Box::pin(offshoot::store::accounts::join(tx, id, program, role, now)));
    joined.await.unwrap();
    let browser = Browser::at(site.address);
    browser.sign_in("viewer@example.com", PASSWORD).await;
    browser
}

async fn names(browser: &Browser, query: &str) -> Vec<String> {
    texts(&browser.get(&format!("{LIST}{query}")).await, "tbody th a")
}

#[tokio::test]
async fn affiliates_are_found_sorted_and_filtered_by_the_address() {
    let site = Site::start().await;
    let browser = owner(&site).await;
    let empty = browser.get(LIST).await;
    assert_eq!(texts(&empty, ".empty h2"), ["No affiliates yet"]);
    for (code, clicks, sales) in [("ANNA", 1, 3), ("BEN", 5, 1), ("CLEO", 3, 0)] {
        let id = site.affiliate(code).await;
        for _ in 0..clicks {
            site.api.click(code).await;
        }
        for n in 0..sales {
            site.api.sale(code, "100", &format!("{code}-{n}")).await;
            let commission = site.api.newest_commission(&id).await;
            site.api.decide(&commission, if code == "BEN" { "paid" } else { "approved" }).await;
        }
        site.advance_seconds(1);
    }
    assert_eq!(names(&browser, "").await, ["CLEO", "BEN", "ANNA"]);
    assert_eq!(names(&browser, "?sort=joined&dir=up").await, ["ANNA", "BEN", "CLEO"]);
    assert_eq!(names(&browser, "?sort=clicks").await, ["BEN", "CLEO", "ANNA"]);
    assert_eq!(names(&browser, "?sort=revenue").await, ["ANNA", "BEN", "CLEO"]);
    assert_eq!(names(&browser, "?sort=unpaid&dir=up").await, ["CLEO", "BEN", "ANNA"]);
    assert_eq!(names(&browser, "?sort=paid").await[0], "BEN");
    assert_eq!(names(&browser, "?q=ben%40").await, ["BEN"]);
    assert_eq!(names(&browser, "?q=cle").await, ["CLEO"]);
    assert_eq!(names(&browser, "?only=earning").await, ["BEN", "ANNA"]);
    assert_eq!(names(&browser, "?only=unpayable").await, ["ANNA"]);
    assert_eq!(names(&browser, "?status=blocked").await, Vec::<String>::new());
    assert_eq!(names(&browser, "?offset=2").await, ["ANNA"]);
    for wrong in ["?status=x", "?only=x", "?offset=-1"] {
        assert_eq!(browser.get(&format!("{LIST}{wrong}")).await.status, 400, "{wrong}");
    }
    let sorted = browser.get(&format!("{LIST}?sort=clicks")).await;
    assert_eq!(texts(&sorted, "th[aria-sort=descending]").len(), 1);
}

#[tokio::test]
async fn the_file_is_what_is_listed_and_runs_nothing() {
    let site = Site::start().await;
    let browser = owner(&site).await;
    let body = json!({ "email": "x@example.com", "name": "=HYPERLINK(\"https://evil.example\",\"a\"),b", "referralCode": "EVIL" });
    assert_eq!(site.api.post("/affiliates", &body).await.status, 201);
    site.affiliate("ANNA").await;
    site.api.sale("ANNA", "100", "o").await;
    let file = browser.get(&format!("{LIST}/export?status=all&sort=revenue")).await;
    assert_eq!(file.header("content-type"), "text/csv; charset=utf-8");
    assert!(file.header("content-disposition").contains("acme-affiliates.csv"), "{file:?}");
    let mut reader = csv::Reader::from_reader(file.text.as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!((&rows[0][1], &rows[0][9], &rows[0][10]), ("ANNA", "100.00", "20.00"));
    assert!(rows[1][1].starts_with("'=HYPERLINK"), "{rows:?}");
    assert_eq!(rows.len(), 2);
}

#[tokio::test]
async fn columns_are_chosen_and_kept() {
    let site = Site::start().await;
    let browser = owner(&site).await;
    site.affiliate("ANNA").await;
    browser.post(&format!("{LIST}/columns"), &[("column", "code"), ("column", "clicks"), ("column", "evil")]).await;
    let heads = texts(&browser.get(LIST).await, "thead th");
    assert_eq!(heads, ["", "Name", "Code", "Clicks"]);
    assert_eq!(texts(&viewer(&site).await.get(LIST).await, "thead th").len(), 7, "each as they like");
}

#[tokio::test]
async fn several_are_paused_after_a_word_on_what_it_means() {
    let site = Site::start().await;
    let browser = owner(&site).await;
    let (anna, ben) = (site.affiliate("ANNA").await, site.affiliate("BEN").await);
    let at = format!("{LIST}/status");
    let ask = browser.get(&format!("{at}?to=pending&id={anna}&id={ben}")).await;
    assert_eq!(texts(&ask, "h1"), ["Pause 2 affiliates"]);
    assert!(texts(&ask, ".head p")[0].contains("nothing of it can be approved"));
    browser.post(&at, &[("to", "pending"), ("id", &anna), ("id", &ben), ("back", "https://evil.example/")]).await;
    let page = browser.get(&format!("{LIST}?status=pending")).await;
    assert_eq!(texts(&page, "#notice p"), ["2 affiliates paused."]);
    assert_eq!(texts(&page, "tbody tr").len(), 2);
    site.check_ledger().await;

    let (_, other) = site.another_program("other").await;
    let foreign = other.affiliate("ELSE").await;
    let refused = browser.post(&at, &[("to", "blocked"), ("id", &anna), ("id", &foreign)]).await;
    assert_eq!(refused.status, 404);
    assert_eq!(
        site.database.number("SELECT COUNT(*) FROM affiliates WHERE status = 'blocked'").await,
        0,
        "all or none"
    );
    for (to, id) in [("nonsense", anna.as_str()), ("active", "x")] {
        assert_eq!(browser.post(&at, &[("to", to), ("id", id)]).await.status, 400);
    }
}

#[tokio::test]
async fn one_affiliate_is_looked_at_from_all_sides_and_changed() {
    let site = Site::start().await;
    let browser = owner(&site).await;
    let (anna, _) = (site.affiliate("ANNA").await, site.affiliate("BEN").await);
    site.api.click("ANNA").await;
    site.api.sale("ANNA", "100", "<b>order</b>").await;
    let at = format!("{LIST}/{anna}");
    for (tab, expected) in [
        ("", "Latest commissions"),
        ("?tab=commissions", "<b>order</b>"),
        ("?tab=links", "ANNA"),
        ("?tab=customers", "No customers yet"),
        ("?tab=notes", "No notes yet"),
        ("?tab=activity", "Affiliate created by API key “test”"),
    ] {
        let page = browser.get(&format!("{at}{tab}")).await;
        assert_eq!(texts(&page, "h1"), ["ANNA Active"], "{tab}");
        assert!(texts(&page, "main")[0].contains(expected), "{tab}: {page:?}");
        assert!(texts(&page, "main td b, main th b").is_empty());
    }
    assert_eq!(browser.get(&format!("{at}?tab=nothing")).await.status, 404);

    let edit = format!("{at}/edit");
    let fields = |email: &'static str, name: &'static str| {
        [
            ("name", name),
            ("email", email),
            ("referralCode", "ANNA2"),
            ("paymentMethod", "wise"),
            ("paymentDetails", "anna@pays.example"),
        ]
    };
    assert_eq!(browser.post(&edit, &fields("ben@example.com", "Anna")).await.status, 422, "Ben's address");
    assert_eq!(browser.post(&edit, &fields("nonsense", "  ")).await.status, 422);
    assert_eq!(browser.post(&edit, &fields("anna@new.example", "Anna <i>B</i>")).await.status, 303);
    let page = browser.get(&format!("{at}?tab=activity")).await;
    assert!(texts(&page, ".timeline")[0].contains("paymentMethod: none → wise"), "{page:?}");
    assert!(!page.text.contains("pays.example"), "payment details are not told");
    assert!(texts(&page, "main i").is_empty());

    let notes = format!("{at}/notes");
    assert_eq!(browser.post(&notes, &[("text", " ")]).await.status, 422);
    assert_eq!(browser.post(&notes, &[("text", "Met in Lisbon <script>x</script>")]).await.status, 303);
    let page = browser.get(&format!("{at}?tab=notes")).await;
    assert!(texts(&page, "article")[0].starts_with("Met in Lisbon <script>x</script>"), "{page:?}");
}

#[tokio::test]
async fn a_viewer_reads_and_changes_nothing() {
    let site = Site::start().await;
    let anna = site.affiliate("ANNA").await;
    let viewer = viewer(&site).await;
    let at = format!("{LIST}/{anna}");
    assert_eq!(texts(&viewer.get(LIST).await, "main input[type=checkbox][name=id], .bulk").len(), 0);
    assert_eq!(viewer.get(&at).await.status, 200);
    assert_eq!(viewer.get(&format!("{at}/edit")).await.status, 404);
    for (path, field) in [("/edit", ("name", "X")), ("/notes", ("text", "X"))] {
        assert_eq!(viewer.post(&format!("{at}{path}"), &[field]).await.status, 404, "{path}");
    }
    assert_eq!(viewer.get(&format!("{LIST}/status?to=blocked&id={anna}")).await.status, 404);
    assert_eq!(viewer.post(&format!("{LIST}/status"), &[("to", "blocked"), ("id", &anna)]).await.status, 404);
    let (_, other) = site.another_program("other").await;
    let foreign = other.affiliate("ELSE").await;
    assert_eq!(viewer.get(&format!("{LIST}/{foreign}")).await.status, 404);
}

#[tokio::test]
async fn a_rate_of_their_own_counts_from_its_day_and_for_nobody_else() {
    let site = Site::start().await;
    let browser = owner(&site).await;
    let (anna, ben) = (site.affiliate("ANNA").await, site.affiliate("BEN").await);
    let rates = format!("{LIST}/{anna}/rates");
    for (wrong, from) in [("101%", ""), ("x", ""), ("10", "2026-02-28"), ("10", "soon")] {
        let refused = browser.post(&rates, &[("rate", wrong), ("from", from)]).await;
        assert_eq!((refused.status.as_u16(), texts(&refused, "#issues li").len()), (422, 1), "{wrong} {from}");
    }
    let mut sales = 0;
    let mut earned = async |code: &str| {
        sales += 1;
        let sale = site.api.sale(code, "100", &format!("o-{sales}")).await;
        sale.data()["commission"].to_string()
    };
    assert_eq!(earned("ANNA").await, "20.0");
    assert_eq!(browser.post(&rates, &[("rate", "35%"), ("from", "")]).await.status, 303);
    assert_eq!(browser.post(&rates, &[("rate", ""), ("from", "2026-03-03")]).await.status, 303);
    assert_eq!((earned("ANNA").await, earned("BEN").await), ("35.0".into(), "20.0".into()));
    let page = browser.get(&format!("{LIST}/{anna}")).await;
    let facts = texts(&page, ".facts")[0].clone();
    assert!(facts.contains("35% of each sale (the program’s is 20%)20% from 3 Mar 2026"), "{facts}");
    site.advance_seconds(2 * 86_400);
    assert_eq!(earned("ANNA").await, "20.0");
    let commission = site.api.newest_commission(&anna).await;
    let shown = site.api.get(&format!("/commissions/{commission}")).await;
    assert_eq!(shown.data()["commission"]["explanation"]["rate"], "20%");
    site.check_ledger().await;
    assert_eq!(viewer(&site).await.post(&format!("{LIST}/{ben}/rates"), &[("rate", "90%")]).await.status, 404);
}

#[tokio::test]
async fn payment_details_are_never_sent_back_and_an_old_page_changes_none() {
    let site = Site::start().await;
    let (browser, id) = (owner(&site).await, site.affiliate("anna").await);
    let edit = format!("{LIST}/{id}/edit");
    let save = async |method: &str, details: &str, name: &str| {
        let fields = [("name", name), ("email", "anna@example.com"), ("referralCode", "anna")];
        browser.post(&edit, &[&fields[..], &[("paymentMethod", method), ("paymentDetails", details)]].concat()).await
    };
    let kept = async || {
        let shown = site.api.get(&format!("/affiliates/{id}")).await;
        shown.data()["affiliate"]["paymentDetails"].clone()
    };
    for (method, details, wrong) in [
        ("paypal", "anna", "paymentDetails"),
        ("paypal", "", "paymentDetails"),
        ("bank", "DE00 3704 0044 0532 0130 00", "paymentDetails"),
        ("", "anna@old.example", "paymentMethod"),
    ] {
        let refused = save(method, details, "Anna").await;
        assert_eq!(refused.status, 422, "{method} {details}");
        assert!(refused.text.contains(&format!(r#"id="{wrong}-issue""#)), "{method} {details}: {refused:?}");
    }
    assert_eq!(save("paypal", "anna@old.example", "Anna").await.status, 303);

    let page = browser.get(&edit).await;
    assert!(!page.text.contains("anna@old.example") && page.text.contains("On file: a"), "{page:?}");
    // She changes it while the page is open; the name is corrected from the old page.
    let by = json!({ "paymentDetails": "anna@new.example" });
    assert_eq!(site.api.patch(&format!("/affiliates/{id}"), &by).await.status, 200);
    assert_eq!(save("paypal", "", "Anna B").await.status, 303);
    assert_eq!(kept().await, "anna@new.example");
    assert_eq!(save("bank", "", "Anna B").await.status, 422, "another method needs its own");
    assert_eq!(save("", "", "Anna B").await.status, 303);
    assert_eq!(kept().await, json!(null));

    site.advance_seconds(11 * 60);
    let asked = browser.get(&edit).await;
    assert!(asked.header("location").starts_with("/confirm?"), "{asked:?}");
    let asked = save("paypal", "thief@example.com", "Anna").await;
    assert!(asked.header("location").starts_with("/confirm?"), "{asked:?}");
    assert_eq!(kept().await, json!(null));
}
