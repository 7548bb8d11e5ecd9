//! Sales of another tool: what they end as in the books, and what cannot be.

use offshoot::domain::role::Role;
use serde_json::json;

use crate::{
    imports::{AFFILIATES, SALES, choose, chosen, confirm, count, file, import, owner, signed_in, tiles},
    support::Site,
};

#[tokio::test]
async fn each_tools_sales_end_in_the_same_books() {
    for (people, sales, minor, rows) in [
        (file!("rewardful-affiliates.csv"), file!("rewardful-commissions.csv"), "major", 4),
        (file!("firstpromoter-promoters.csv"), file!("firstpromoter-commissions.csv"), "minor", 3),
        (file!("tapfiliate-affiliates.csv"), file!("tapfiliate-conversions.csv"), "major", 2),
        (file!("refgrow-affiliates.csv"), file!("refgrow-conversions.csv"), "major", 2),
        (file!("tolt-partners.csv"), file!("tolt-transactions.csv"), "major", 2),
        (file!("partnerstack-partners.csv"), file!("partnerstack-transactions.csv"), "minor", 2),
    ] {
        let site = Site::start().await;
        let browser = owner(&site).await;
        import(&site, &browser, AFFILIATES, &[], people).await;
        let page = import(&site, &browser, SALES, &[("amounts", minor)], sales).await;
        assert_eq!(tiles(&page), [rows.to_string().as_str(), "0", "0"]);
        assert_eq!(count(&site, "conversions").await, rows);
        site.check_ledger().await;

        // The same again is there already.
        let again = choose(&browser, SALES, &[("amounts", minor)], sales).await;
        let dry = browser.get(again.header("location")).await;
        assert_eq!(tiles(&dry)[..3], ["0", rows.to_string().as_str(), "0"]);
        assert_eq!(count(&site, "mails").await, 0);
    }
}

#[tokio::test]
async fn what_was_paid_is_never_paid_again() {
    let site = Site::start().await;
    let browser = owner(&site).await;
    import(&site, &browser, AFFILIATES, &[], file!("rewardful-affiliates.csv")).await;
    let at = chosen(&browser, SALES, file!("rewardful-commissions.csv")).await;
    let dry = browser.get(&at).await;
    assert!(dry.text.contains("120.00") && dry.text.contains("24.00"), "{}", dry.text);
    assert_eq!(confirm(&browser, &at, &[]).await.status, 303);
    let sum = async |what: &str| {
        site.database.number(&format!("SELECT CAST(COALESCE(SUM({what}), 0) AS BIGINT) FROM affiliate_totals")).await
    };
    assert_eq!((sum("paid_minor").await, sum("approved_minor").await, sum("pending_minor").await), (2_400, 2_000, 599));
    assert_eq!(sum("rejected_count").await, 1);
    // On their own days, which the charts and a year's payments go by.
    let of_2025 = "SELECT COUNT(*) FROM conversions WHERE created_at < 1767225600000";
    assert_eq!(site.database.number(of_2025).await, 3);
    let years = browser.get("/m/acme/payouts/years/2025").await;
    assert!(years.text.contains("anna@blog.example") && years.text.contains("24.00"), "{}", years.text);
    let payable = browser.get("/m/acme/payouts/new").await;
    assert!(!payable.text.contains("24.00"), "{}", payable.text);

    // The evidence says where it came from, and the arithmetic what was counted there.
    let id = site.database.number("SELECT id FROM commissions WHERE status = 'paid'").await;
    let id = offshoot::domain::id::CommissionId::new(id);
    let page = browser.get(&format!("/m/acme/commissions/{id}")).await;
    for part in ["Imported from Rewardful", "export.csv", "Paid out", "credited as it was there"] {
        assert!(page.text.contains(part), "{part}: {}", page.text);
    }
    let explained = site.api.get(&format!("/commissions/{id}")).await;
    assert!(explained.text.contains("Imported from Rewardful"), "{explained:?}");

    // A refund that comes later takes back what was paid, as a line of its own.
    let refunded = browser.post(&format!("/m/acme/commissions/{id}/refunds"), &[("amount", "60")]).await;
    assert_eq!(refunded.status, 303, "{}", refunded.text);
    assert_eq!(site.database.number("SELECT amount_minor FROM commissions WHERE kind = 'reversal'").await, -1_200);

    // The customer stays with whom they came by: the next purchase needs no link.
    let next = json!({ "customer": { "id": "cus_R1" }, "amount": 10, "orderId": "new-1" });
    let sold = site.api.post("/referrals/convert", &next).await;
    assert_eq!((sold.status.as_u16(), &sold.data()["referralCode"]), (201, &json!("anna")), "{sold:?}");
    site.check_ledger().await;
}

#[tokio::test]
async fn a_refunded_sale_and_one_by_the_rules() {
    let site = Site::start().await;
    let browser = owner(&site).await;
    import(&site, &browser, AFFILIATES, &[], file!("refgrow-affiliates.csv")).await;
    let sales = "order id,amount,date,affiliate id,status,refund amount,customer email,commission\n\
                 R-1,100.00,2025-05-01,101,approved,,kim@customer.example,\n\
                 R-2,100.00,2025-05-02,101,refunded,,kim@customer.example,30\n\
                 R-3,100.00,2025-05-03,101,pending,40.00,anna@blog.example,\n";
    import(&site, &browser, SALES, &[("tool", "refgrow")], sales.as_bytes()).await;
    let amount = async |order: &str| {
        let sql = format!(
            "SELECT c.amount_minor FROM commissions c JOIN conversions s ON s.id = c.conversion_id WHERE s.order_id = '{order}'"
        );
        site.database.number(&sql).await
    };
    assert_eq!(amount("R-1").await, 3_000, "by the rate of her own that came with the affiliates");
    assert_eq!(amount("R-2").await, 0);
    assert_eq!(amount("R-3").await, 1_800, "of what was left of the sale");
    assert_eq!(site.database.number("SELECT refunded_minor FROM conversions WHERE order_id = 'R-2'").await, 10_000);
    let held = "SELECT COUNT(*) FROM commissions WHERE held_for IS NOT NULL";
    assert_eq!(site.database.number(held).await, 1, "a purchase of her own is looked at, as by the API");
    site.check_ledger().await;
}

#[tokio::test]
async fn sales_that_cannot_be_are_refused_as_by_the_api() {
    let site = Site::start().await;
    let anna = site.affiliate("ANNA").await;
    let blocked = site.affiliate("GONE").await;
    let pending = site.affiliate("WAITS").await;
    site.set_affiliate(&blocked, "blocked").await;
    site.set_affiliate(&pending, "pending").await;
    site.api.sale("ANNA", "10", "known").await;
    site.api.sale("WAITS", "10", "theirs").await;
    let browser = owner(&site).await;
    let sales = format!(
        "order id,amount,date,code,affiliate email,affiliate id,status,currency\n\
         known,10,2026-01-01,ANNA,,,,USD\n\
         known-too,10,2026-01-01,ANNA,,{anna},,\n\
         theirs,10,2026-01-01,ANNA,,,,\n\
         other,10,2026-01-01,NOBODY,,,,\n\
         blocked,10,2026-01-01,GONE,,,,\n\
         paid,10,2026-01-01,WAITS,,,paid,\n\
         both,10,2026-01-01,ANNA,waits@example.com,,,\n\
         known,10,2026-01-01,ANNA,,,,EUR\n"
    );
    let at = chosen(&browser, SALES, sales.as_bytes()).await;
    let dry = browser.get(&at).await;
    assert_eq!(tiles(&dry)[..3], ["1", "1", "6"], "{}", dry.text);
    for part in [
        "is already recorded for another affiliate",
        "is no affiliate of the program: import the affiliates first",
        "is blocked, and earns nothing",
        "cannot be: the affiliate is pending",
        "is another affiliate than the rest of the row names",
        "stands on line 2 already",
        "is EUR, but the program counts in USD",
    ] {
        assert!(dry.text.contains(part), "{part}: {}", dry.text);
    }
    site.check_ledger().await;
}

#[tokio::test]
async fn who_may_not_pay_cannot_say_that_it_was_paid() {
    let site = Site::start().await;
    let boss = owner(&site).await;
    import(&site, &boss, AFFILIATES, &[], file!("rewardful-affiliates.csv")).await;
    let manager = signed_in(&site, "manager@acme.test", Role::Manager).await;
    let at = chosen(&manager, SALES, file!("rewardful-commissions.csv")).await;
    let dry = manager.get(&at).await;
    assert_eq!(tiles(&dry)[..3], ["3", "0", "1"]);
    assert!(dry.text.contains("only by those who may pay"), "{}", dry.text);
    assert_eq!(confirm(&manager, &at, &["leave_out"]).await.status, 303);
    assert_eq!(site.database.number("SELECT COUNT(*) FROM commissions WHERE status = 'paid'").await, 0);

    // Nor change what the program reads.
    let at = chosen(&manager, AFFILIATES, file!("firstpromoter-promoters.csv")).await;
    assert!(manager.get(&at).await.text.contains("once an owner or admin adds"));
    assert_eq!(confirm(&manager, &at, &["leave_out"]).await.status, 303);
    assert_eq!(count(&site, "tracking_settings").await, 0);

    let viewer = signed_in(&site, "viewer@acme.test", Role::Viewer).await;
    assert_eq!(viewer.get(&at).await.status, 404);
    assert_eq!(viewer.get(&format!("{at}/rows.csv")).await.status, 404);
    let (_, _) = site.another_program("other").await;
    assert_eq!(boss.get(&at.replace("/acme/", "/other/")).await.status, 404);
    site.check_ledger().await;
}
