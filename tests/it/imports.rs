//! Moving from another tool: its export is looked at, then written, by the rules and books of everything else.

use offshoot::{domain::role::Role, jobs, store};
use scraper::{Html, Selector};
use serde_json::json;

use crate::support::{
    Answer, Site,
    browser::{Browser, PASSWORD, account, texts},
};

pub const AFFILIATES: &str = "/m/acme/affiliates/import";
pub const SALES: &str = "/m/acme/sales/import";

macro_rules! file {
    ($name:literal) => {
        include_bytes!(concat!("../imports/", $name)).as_slice()
    };
}
pub(crate) use file;

pub async fn owner(site: &Site) -> Browser {
    signed_in(site, "owner@acme.test", Role::Owner).await
}

pub async fn signed_in(site: &Site, email: &str, role: Role) -> Browser {
    let id = account(site, email, false).await;
    let (program, now) = (site.program.id, site.app.clock.now());
    let joined = site.app.db.write(move |tx| Box::pin(store::accounts::join(tx, id, program, role, now)));
    joined.await.unwrap();
    let browser = Browser::at(site.address);
    assert_eq!(browser.sign_in(email, PASSWORD).await.status, 303);
    browser
}

fn form(fields: &[(&str, &str)], name: &str, file: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for (field, value) in fields {
        body.extend(
            format!("--xyz\r\ncontent-disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n").into_bytes(),
        );
    }
    let head = format!("--xyz\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n");
    body.extend(head.into_bytes());
    body.extend_from_slice(file);
    body.extend_from_slice(b"\r\n--xyz--\r\n");
    body
}

pub async fn choose(browser: &Browser, at: &str, fields: &[(&str, &str)], file: &[u8]) -> Answer {
    browser.upload(at, "xyz", form(fields, "export.csv", file)).await
}

/// Where the file's dry run is.
pub async fn chosen(browser: &Browser, at: &str, file: &[u8]) -> String {
    let answer = choose(browser, at, &[], file).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    answer.header("location").to_owned()
}

fn hidden(page: &Answer, name: &str) -> String {
    let (html, selector) = (Html::parse_document(&page.text), format!("input[name=\"{name}\"]"));
    let found = html.select(&Selector::parse(&selector).unwrap()).next();
    found.unwrap().value().attr("value").unwrap().to_owned()
}

/// As somebody does who has read the page.
pub async fn confirm(browser: &Browser, at: &str, ticked: &[&str]) -> Answer {
    let page = browser.get(at).await;
    let (added, bad) = (hidden(&page, "added"), hidden(&page, "bad"));
    let mut fields = vec![("added", added.as_str()), ("bad", bad.as_str())];
    fields.extend(ticked.iter().map(|name| (*name, "yes")));
    browser.post(at, &fields).await
}

/// The file, written; its last page.
pub async fn import(site: &Site, browser: &Browser, at: &str, fields: &[(&str, &str)], file: &[u8]) -> Answer {
    let answer = choose(browser, at, fields, file).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    let at = answer.header("location").to_owned();
    let done = confirm(browser, &at, &[]).await;
    assert_eq!(done.status, 303, "{}", done.text);
    jobs::work_off(&site.app).await.unwrap();
    let page = browser.get(&at).await;
    assert!(texts(&page, "h1").contains(&"Imported".to_owned()), "{}", page.text);
    page
}

pub fn tiles(page: &Answer) -> Vec<String> {
    texts(page, ".tile b")
}

pub async fn count(site: &Site, table: &str) -> i64 {
    site.database.number(&format!("SELECT COUNT(*) FROM {table}")).await
}

#[tokio::test]
async fn affiliates_come_with_their_codes_and_nobody_is_mailed() {
    let site = Site::start().await;
    let browser = owner(&site).await;
    let at = chosen(&browser, AFFILIATES, file!("rewardful-affiliates.csv")).await;
    let dry = browser.get(&at).await;
    assert_eq!(dry.status, 200);
    assert_eq!(tiles(&dry), ["3", "0", "0"]);
    assert!(dry.text.contains("an export of Rewardful"), "{}", dry.text);
    assert!(dry.text.contains("https://shop.example/start?via=anna"), "{}", dry.text);
    assert_eq!(
        texts(&dry, "tbody th"),
        ["Anna Mülleranna@blog.example", "Ben O'Neilben@videos.example", "Chloé Durandchloe@example.org"]
    );
    assert_eq!((count(&site, "affiliates").await, count(&site, "codes").await), (0, 0), "a dry run writes nothing");

    let done = confirm(&browser, &at, &[]).await;
    assert_eq!((done.status.as_u16(), done.header("location")), (303, at.as_str()));
    let page = browser.get(&at).await;
    assert_eq!(tiles(&page), ["3", "0", "0"]);
    assert!(page.text.contains("Nobody was mailed"), "{}", page.text);
    assert_eq!(site.database.number("SELECT COUNT(*) FROM imports WHERE file IS NULL AND status = 'done'").await, 1);
    assert_eq!((count(&site, "mails").await, count(&site, "invitations").await), (0, 0));

    // Old codes work, in any case.
    let clicked = site.api.post("/referrals/track", &json!({ "referralCode": "BEN-videos" })).await;
    assert_eq!(clicked.status, 201, "{clicked:?}");
    let all = site.api.get("/affiliates?limit=10").await;
    let told: Vec<_> = all.data()["affiliates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| format!("{} {} {}", one["name"], one["status"], one["createdAt"]))
        .collect();
    assert_eq!(
        told,
        [
            r#""Chloé Durand" "blocked" "2025-01-20T08:00:00Z""#,
            r#""Ben O'Neil" "active" "2024-05-02T17:40:11Z""#,
            r#""Anna Müller" "active" "2024-02-11T09:15:00Z""#
        ]
    );
    let audited = site
        .database
        .number("SELECT COUNT(*) FROM audit_log WHERE action LIKE 'import.%' AND created_at >= 1772366400000")
        .await;
    assert_eq!(audited, 2, "what was done is written down when it was done");

    // The same file again changes nothing.
    let again = chosen(&browser, AFFILIATES, file!("rewardful-affiliates.csv")).await;
    let dry = browser.get(&again).await;
    assert_eq!(tiles(&dry), ["0", "3", "0"]);
    assert!(dry.text.contains("Everything in it is there already"), "{}", dry.text);
    let refused = confirm(&browser, &again, &[]).await;
    assert_eq!(refused.status, 422);
    assert_eq!((count(&site, "affiliates").await, count(&site, "codes").await), (3, 3));
    site.check_ledger().await;
}

#[tokio::test]
async fn a_tools_parameter_and_coupons_go_on_working() {
    let site = Site::start().await;
    let browser = owner(&site).await;
    let at = chosen(&browser, AFFILIATES, file!("firstpromoter-promoters.csv")).await;
    let dry = browser.get(&at).await;
    assert!(dry.text.contains("added to what your program reads in links"), "{}", dry.text);
    let parameters = "SELECT COUNT(*) FROM tracking_settings WHERE parameters = 'ref,via,fpr'";
    assert_eq!(site.database.number(parameters).await, 0);
    assert_eq!(confirm(&browser, &at, &["invite"]).await.status, 303);
    assert_eq!(site.database.number(parameters).await, 1);
    assert_eq!(count(&site, "invitations").await, 2, "the active ones, who were to be invited");
    let sale = json!({ "couponCode": "anna10", "amount": 50, "orderId": "A-1" });
    let sold = site.api.post("/referrals/convert", &sale).await;
    assert_eq!((sold.status.as_u16(), &sold.data()["referralCode"]), (201, &json!("anna7")), "{sold:?}");
    site.check_ledger().await;
}

const BAD: &str = "email,name,code,status\n\
                   good@x.example,<script>alert(1)</script>,good-one,active\n\
                   nobody,Nobody,x,odd\n\
                   taken@x.example,Taken,ANNA,active\n";

#[tokio::test]
async fn bad_rows_are_listed_and_left_out_only_when_said() {
    let site = Site::start().await;
    site.affiliate("ANNA").await;
    let browser = owner(&site).await;
    let at = chosen(&browser, AFFILIATES, BAD.as_bytes()).await;
    let dry = browser.get(&at).await;
    assert_eq!(tiles(&dry), ["1", "0", "2"]);
    assert!(!dry.text.contains("<script>alert"), "what a file says is text");
    assert_eq!(
        texts(&dry, "#bad tbody th"),
        ["Line 3, emailnobody", "Line 3, codex", "Line 3, statusodd", "Line 4, codeANNA"]
    );
    assert!(dry.text.contains("is another affiliate’s code already"), "{}", dry.text);
    let csv = browser.get(&format!("{at}/rows.csv")).await;
    assert!(
        csv.text.starts_with("line,column,value,reason\r\n3,email,nobody,must be a valid e-mail address\r\n"),
        "{}",
        csv.text
    );

    let refused = confirm(&browser, &at, &[]).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text.contains("must be ticked"), "{}", refused.text);
    assert_eq!(count(&site, "affiliates").await, 1);
    assert_eq!(confirm(&browser, &at, &["leave_out"]).await.status, 303);
    let page = browser.get(&at).await;
    assert_eq!(tiles(&page), ["1", "0", "2"]);
    assert!(page.text.contains("Line 4"), "{}", page.text);
    assert_eq!(browser.get(&format!("{at}/rows.csv")).await.text.lines().count(), 5);
    assert_eq!(count(&site, "affiliates").await, 2);
    site.check_ledger().await;
}

#[tokio::test]
async fn what_is_no_table_is_refused_in_words() {
    let site = Site::start().await;
    let browser = owner(&site).await;
    let large = [b"email,name\n".as_slice(), &b"a@x.example,A\n".repeat(400_000)].concat();
    let utf16: Vec<u8> =
        [vec![0xff, 0xfe], "email;name\né@x.example;É\n".encode_utf16().flat_map(u16::to_le_bytes).collect()].concat();
    for (file, words) in [
        (b"".as_slice(), "must be chosen"),
        (b"PK\x03\x04zip", "is a spreadsheet"),
        (b"\0\x01\x02", "is not text"),
        (b"name\nAnna\n", "has no column for the e-mail address"),
        (b"email,EMAIL\na@x.example,b@x.example\n", "two columns called"),
        (large.as_slice(), "is larger than 4 MB"),
    ] {
        let answer = choose(&browser, AFFILIATES, &[], file).await;
        assert_eq!(answer.status, 422, "{words}");
        assert!(answer.text.contains(words), "{words}: {}", answer.text);
    }
    assert_eq!(choose(&browser, AFFILIATES, &[("tool", "nonsense")], b"email\na@x.example\n").await.status, 303);
    assert_eq!(count(&site, "imports").await, 1);
    for file in [utf16.as_slice(), b"email;name\n\xe9@x.example;\xc9\n"] {
        let at = chosen(&browser, AFFILIATES, file).await;
        assert_eq!(texts(&browser.get(&at).await, "tbody th"), ["Éé@x.example"]);
        assert_eq!(browser.post(&format!("{at}/discard"), &[]).await.status, 303);
        assert_eq!(browser.get(&at).await.status, 404);
    }
}

#[tokio::test]
async fn what_changed_meanwhile_is_looked_at_again_and_two_confirm_once() {
    let site = Site::start().await;
    let browser = owner(&site).await;
    let at = chosen(&browser, AFFILIATES, file!("tapfiliate-affiliates.csv")).await;
    let page = browser.get(&at).await;
    site.affiliate("annam").await;
    let fields = [("added", hidden(&page, "added")), ("bad", hidden(&page, "bad"))];
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let refused = browser.post(&at, &fields).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text.contains("something changed meanwhile"), "{}", refused.text);
    assert_eq!(count(&site, "affiliates").await, 1);

    let (one, two) = tokio::join!(confirm(&browser, &at, &["leave_out"]), confirm(&browser, &at, &["leave_out"]));
    assert!([one.status.as_u16(), two.status.as_u16()].contains(&303), "{one:?} {two:?}");
    assert_eq!(count(&site, "affiliates").await, 2);
    assert_eq!(site.database.number("SELECT COUNT(*) FROM audit_log WHERE action = 'import.confirmed'").await, 1);
    site.check_ledger().await;
}

#[tokio::test]
async fn a_long_file_is_written_in_steps() {
    let site = Site::start().await;
    let browser = owner(&site).await;
    let people = (0..250).map(|n| format!("a{n}@x.example,Affiliate {n},code{n},2024-0{}-01\n", 1 + n % 9));
    let people = format!("email,name,code,joined\n{}", people.collect::<String>());
    let at = chosen(&browser, AFFILIATES, people.as_bytes()).await;
    assert_eq!(confirm(&browser, &at, &[]).await.status, 303);
    let page = browser.get(&at).await;
    assert!(page.text.contains("100 of 250 rows are dealt with"), "{}", page.text);
    assert_eq!(texts(&page, "h1"), ["Importing"]);
    jobs::work_off(&site.app).await.unwrap();
    assert_eq!(tiles(&browser.get(&at).await), ["250", "0", "0"]);
    let sales =
        (0..250).map(|n| format!("o{n},10.00,2025-01-{:02},code{},2.00,paid,c{}\n", 1 + n % 28, n % 40, n % 60));
    let sales = format!("order id,amount,date,code,commission,status,customer id\n{}", sales.collect::<String>());
    let page = import(&site, &browser, SALES, &[], sales.as_bytes()).await;
    assert_eq!(tiles(&page), ["250", "0", "0"]);
    assert_eq!(site.database.number("SELECT CAST(SUM(paid_minor) AS BIGINT) FROM affiliate_totals").await, 50_000);
    let charted = browser.get("/m/acme?days=90").await;
    assert_eq!(charted.status, 200);
    site.check_ledger().await;
}

#[tokio::test]
async fn a_file_that_nobody_confirms_is_forgotten() {
    let site = Site::start().await;
    let browser = owner(&site).await;
    let at = chosen(&browser, AFFILIATES, file!("tolt-partners.csv")).await;
    jobs::enqueue_recurring(&site.app).await.unwrap();
    site.advance_seconds(86_400);
    let again = owner_again(&site).await;
    assert_eq!(again.get(&at).await.status, 404);
    site.advance_seconds(60);
    jobs::work_off(&site.app).await.unwrap();
    assert_eq!(count(&site, "imports").await, 0);
}

async fn owner_again(site: &Site) -> Browser {
    let browser = Browser::at(site.address);
    assert_eq!(browser.sign_in("owner@acme.test", PASSWORD).await.status, 303);
    browser
}

#[tokio::test]
async fn a_code_that_a_row_names_is_given_to_no_other_row() {
    let site = Site::start().await;
    let browser = owner(&site).await;
    let ida = site.affiliate("IDA").await;
    assert_eq!(site.api.post("/coupons", &json!({ "affiliateId": ida, "code": "SUMMER" })).await.status, 201);
    let people = b"email,name,code\na@x.example,Anna,\nb@x.example,Ben,anna\n";
    assert_eq!(tiles(&import(&site, &browser, AFFILIATES, &[], people).await), ["2", "0", "0"]);
    let codes = "SELECT COUNT(*) FROM codes c JOIN affiliates a ON a.id = c.affiliate_id
                 WHERE a.email = 'b@x.example' AND c.code_key = 'anna'";
    assert_eq!(site.database.number(codes).await, 1);
    // Nor is a word one affiliate's code and another's coupon.
    let at = chosen(&browser, AFFILIATES, b"email,name,code\nc@x.example,Cleo,summer\n").await;
    assert!(browser.get(&at).await.text.contains("is another affiliate’s coupon already"));
}
