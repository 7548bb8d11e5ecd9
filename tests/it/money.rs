//! Money through the API: written in the currency's own decimals, read exactly or not at all.

use reqwest::Method;

use crate::support::{Answer, Site};

async fn sale(site: &Site, amount: &str) -> Answer {
    site.api.raw(Method::POST, "/referrals/convert", format!(r#"{{"referralCode":"money","amount":{amount}}}"#)).await
}

async fn reads(site: &Site, amount: &str, written: &str, commission: &str) {
    let made = sale(site, amount).await;
    assert_eq!(made.status, 201, "{amount}: {made:?}");
    let expected = format!(r#""amount":{written},"commission":{commission},"orderId""#);
    assert!(made.text.contains(&expected), "{amount} is {expected}: {}", made.text);
}

async fn refuses(site: &Site, amounts: &[&str]) {
    let before = site.database.number("SELECT COUNT(*) FROM conversions").await;
    for amount in amounts {
        let refused = sale(site, amount).await;
        assert_eq!(refused.json["error"]["details"]["field"], "amount", "{amount}: {refused:?}");
        refused.refuses("amount");
    }
    assert_eq!(site.database.number("SELECT COUNT(*) FROM conversions").await, before);
    site.check_ledger().await;
}

/// The same in every currency: signs, exponents, what is larger than anything, and what is no number.
const NEVER: &[&str] = &[
    "-1",
    "-0",
    "-0.0",
    "-0e5",
    "-1e-30",
    "1e400",
    "1e-400",
    "1e31",
    "1e-31",
    "0e31",
    "1e30",
    "1E+30",
    "99999999999999999999999999",
    "1e99999999999999999999",
    "\"1\"",
    "\"\"",
    "true",
    "[1]",
    "{}",
    "null",
    "100000000000000000000000000000000000000000000000000000000000000001",
];

#[tokio::test]
async fn dollars_have_two_decimals() {
    let site = Site::start().await;
    site.affiliate("money").await;
    for (amount, written, commission) in [
        ("99.99", "99.99", "20.00"),
        ("0", "0.00", "0.00"),
        ("0.00", "0.00", "0.00"),
        ("20", "20.00", "4.00"),
        ("20.000", "20.00", "4.00"),
        ("1e2", "100.00", "20.00"),
        ("1.5E+1", "15.00", "3.00"),
        ("1250e-2", "12.50", "2.50"),
        ("0.30000000000000004", "0.30", "0.06"),
        ("0.29999999999999998", "0.30", "0.06"),
        ("0.3000009", "0.30", "0.06"),
        ("0.2999991", "0.30", "0.06"),
        ("1e-30", "0.00", "0.00"),
        // Half away from zero, once: 0.002, 0.004, 0.006, 0.008 and 0.5 of a cent.
        ("0.01", "0.01", "0.00"),
        ("0.02", "0.02", "0.00"),
        ("0.03", "0.03", "0.01"),
        ("0.04", "0.04", "0.01"),
        ("9999999999.99", "9999999999.99", "2000000000.00"),
        ("1.0000000000000000000000000000000000000000000000000000000000000", "1.00", "0.20"),
    ] {
        reads(&site, amount, written, commission).await;
    }
    refuses(&site, NEVER).await;
    refuses(
        &site,
        &[
            "99.999",
            "0.001",
            "0.005",
            "0.300001",
            "0.299999",
            "0.009",
            "1e-3",
            "10000000000",
            "10000000000.00",
            "9999999999.999",
        ],
    )
    .await;
}

#[tokio::test]
async fn yen_have_none() {
    let site = Site::in_currency("JPY").await;
    site.affiliate("money").await;
    for (amount, written, commission) in [
        ("500", "500", "100"),
        ("500.0", "500", "100"),
        ("2", "2", "0"),
        ("3", "3", "1"),
        ("5e2", "500", "100"),
        ("499.99999999999994", "500", "100"),
        ("999999999999", "999999999999", "200000000000"),
    ] {
        reads(&site, amount, written, commission).await;
    }
    refuses(&site, NEVER).await;
    refuses(&site, &["0.5", "500.5", "500.01", "500.000001", "0.999999", "1000000000000"]).await;
    let list = site.api.get("/affiliates").await;
    assert!(
        list.text.contains(r#""totalEarnings":200000000401,"pendingEarnings":200000000401,"paidEarnings":0,"#),
        "{list:?}"
    );
    let commissions = site.api.get("/commissions?limit=1").await;
    assert!(commissions.text.contains(r#""amount":200000000000,"status":"pending""#), "{commissions:?}");
    assert!(commissions.text.contains(r#""conversionAmount":999999999999}"#), "{commissions:?}");
}

#[tokio::test]
async fn dinars_have_three() {
    let site = Site::in_currency("KWD").await;
    site.affiliate("money").await;
    for (amount, written, commission) in [
        ("1.250", "1.250", "0.250"),
        ("1.25", "1.250", "0.250"),
        ("0.001", "0.001", "0.000"),
        ("0.003", "0.003", "0.001"),
        ("12.3450000000000006", "12.345", "2.469"),
        ("999999999.999", "999999999.999", "200000000.000"),
    ] {
        reads(&site, amount, written, commission).await;
    }
    refuses(&site, NEVER).await;
    refuses(&site, &["1.2345", "0.0005", "0.001001", "1000000000", "1000000000.000"]).await;
    let list = site.api.get("/affiliates").await;
    assert!(list.text.contains(r#""totalEarnings":200000002.970,"#), "{list:?}");
    assert!(list.text.contains(r#""paidEarnings":0.000,"#), "{list:?}");
}

#[tokio::test]
async fn what_is_no_json_number_names_no_field() {
    let site = Site::start().await;
    site.affiliate("money").await;
    for amount in ["NaN", "Infinity", "-Infinity", "01", "+1", ".5", "1.", "0x10", "1,5", "1_000", "", "-"] {
        sale(&site, amount).await.fails(400, "invalid_request", None);
    }
    assert_eq!(site.database.number("SELECT COUNT(*) FROM conversions").await, 0);
}

#[tokio::test]
async fn the_largest_sales_add_up_exactly() {
    let site = Site::start().await;
    let affiliate = site.affiliate("money").await;
    // Past 2^53 minor units a binary float would lose cents.
    site.database.execute("UPDATE affiliate_totals SET pending_minor = 9007199254740993").await.unwrap();
    let shown = site.api.get(&format!("/affiliates/{affiliate}")).await;
    assert!(shown.text.contains(r#""totalEarnings":90071992547409.93,"#), "{shown:?}");
    let changed = site.api.patch(&format!("/affiliates/{affiliate}"), &serde_json::json!({ "name": "N" })).await;
    assert!(changed.text.contains(r#""pendingEarnings":90071992547409.93,"#), "{changed:?}");
}
