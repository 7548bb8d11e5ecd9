//! Month's end, told in a browser: a merchant pays by keyboard alone, from the preview to the printed page, once with
//! scripts and once without; then an affiliate reads on a phone what came of it. Every figure is the ledger's.

use std::{path::Path, process::Command, time::Duration};

use offshoot::{
    domain::id::{AffiliateId, PayoutId},
    store,
};
use serde_json::json;
use tempfile::TempDir;

use crate::support::{
    Site,
    browser::{Browser, PASSWORD, account},
    chromium::{Screen, Window, left_out},
};

const MARA: &str = "mara@shop.example";
const NINA: &str = "nina@example.com";

const DAY: i64 = 86_400;

/// Held two weeks, paid from 25.00 on.
const SETTINGS: [(&str, &str); 5] =
    [("hold_days", "14"), ("minimum", "25.00"), ("schedule", "monthly"), ("methods", "paypal"), ("methods", "bank")];

struct Month {
    site: Site,
    /// Of Nina.
    nina: AffiliateId,
    /// Where Mara's browser puts what it downloads.
    downloads: TempDir,
}

/// As pages show it.
fn shown(minor: i64) -> String {
    let (sign, minor) = (if minor < 0 { "\u{2212}" } else { "" }, minor.abs());
    format!("USD {sign}{}.{:02}", minor / 100, minor % 100)
}

impl Month {
    /// Nina and Ben have sold something, Cleo said not how she is paid, Dora is owed too little; and the month is over.
    async fn begin() -> Self {
        let site = Site::start().await;
        account(&site, MARA, true).await;
        let owner = Browser::at(site.address);
        owner.sign_in(MARA, PASSWORD).await;
        assert_eq!(owner.post("/m/acme/settings/payouts", &SETTINGS).await.status, 303);

        let mut ids = Vec::new();
        for (name, code, by) in [
            ("Nina Sommer", "NINA", Some(("paypal", NINA))),
            ("Ben Okafor", "BEN", Some(("bank", "DE89370400440532013000"))),
            ("Cleo Ruiz", "CLEO", None),
            ("Dora Groß", "DORA", Some(("paypal", "dora@example.com"))),
        ] {
            let email = format!("{}@example.com", code.to_lowercase());
            let made = json!({ "email": email, "name": name, "referralCode": code });
            let made = site.api.post("/affiliates", &made).await;
            let id = made.data()["affiliate"]["id"].as_str().unwrap().to_owned();
            if let Some((method, details)) = by {
                let by = json!({ "paymentMethod": method, "paymentDetails": details });
                assert_eq!(site.api.patch(&format!("/affiliates/{id}"), &by).await.status, 200);
            }
            ids.push(id);
        }
        let nina = AffiliateId::parse(&ids[0]).unwrap();
        let account = account(&site, NINA, false).await;
        site.app.db.write(move |tx| Box::pin(store::affiliates::give_to(tx, nina, account))).await.unwrap();

        let month = Self { site, nina, downloads: tempfile::tempdir().unwrap() };
        for (who, code, amount, order) in [
            (0, "NINA", "1250.00", "4001"),
            (0, "NINA", "99.95", "4002"),
            (1, "BEN", "600.00", "4003"),
            (2, "CLEO", "400.00", "4004"),
            (3, "DORA", "50.00", "4005"),
        ] {
            month.sells(&ids[who], code, amount, order).await;
        }
        let back = json!({ "orderId": "4001", "amount": 50, "reason": "One came back" });
        month.refunds(&back).await;
        month.site.advance_seconds(19 * DAY);
        // Not before April.
        month.sells(&ids[0], "NINA", "300.00", "4006").await;
        month.site.advance_seconds(11 * DAY);
        month
    }

    async fn sells(&self, affiliate: &str, code: &str, amount: &str, order: &str) {
        let api = &self.site.api;
        assert_eq!(api.sale(code, amount, order).await.status, 201);
        let commission = api.newest_commission(affiliate).await;
        assert_eq!(api.decide(&commission, "approved").await.status, 200);
        self.site.advance_seconds(1);
    }

    async fn refunds(&self, back: &serde_json::Value) {
        let api = &self.site.api;
        let sales = api.get("/conversions?limit=100").await;
        let sale = sales.data()["conversions"].as_array().unwrap();
        let sale = sale.iter().find(|sale| sale["orderId"] == back["orderId"]).unwrap()["id"].as_str().unwrap();
        let body = json!({ "amount": back["amount"], "reason": back["reason"] });
        let refunded = api.post(&format!("/conversions/{sale}/refunds"), &body).await;
        assert_eq!(refunded.status, 201, "{refunded:?}");
    }

    /// The sum of such ledger entries, in minor units.
    async fn entries(&self, what: &str) -> i64 {
        let sum = format!("SELECT CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT) FROM ledger_entries WHERE {what}");
        self.site.database.number(&sum).await
    }

    async fn of_nina(&self, kind: &str) -> i64 {
        self.entries(&format!("affiliate_id = {} AND kind = '{kind}'", self.nina.raw())).await
    }

    /// What the browser downloaded under a name that ends so.
    async fn downloaded(&self, end: &str) -> std::path::PathBuf {
        for _ in 0..200 {
            let files = std::fs::read_dir(self.downloads.path()).unwrap().flatten().map(|file| file.path());
            if let Some(file) = files.into_iter().find(|file| file.to_string_lossy().ends_with(end)) {
                return file;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("nothing that ends in {end} was downloaded")
    }
}

/// What a PDF says, with single spaces.
fn said(pdf: &Path) -> String {
    let output = Command::new("pdftotext").arg("-layout").arg(pdf).arg("-").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Mara at her desk, whose mouse is broken.
struct Mara<'a> {
    month: &'a Month,
    window: Window,
}

impl<'a> Mara<'a> {
    async fn signs_in(month: &'a Month, screen: Screen) -> Self {
        let window = Window::open(month.site.address, screen).await;
        window.downloads_to(month.downloads.path()).await;
        window.visit("/login").await;
        window.skips_to_content().await;
        window.tabs_to("input \"E-mail", 2).await;
        window.types(MARA).await;
        window.tabs_to("input \"Password", 2).await;
        window.types(PASSWORD).await;
        window.press("Enter").await;
        window.arrives_at("/m/acme").await;
        // Longer ago than her word is taken for.
        month.site.advance_seconds(700);
        Self { month, window }
    }

    fn has_scripts(&self) -> bool {
        self.window.has_scripts()
    }

    /// After an action on the same page the focus is there; without scripts it begins again at the top.
    async fn goes_on_from(&self, what: &str) {
        if self.has_scripts() {
            self.window.focuses(what).await;
            self.window.sees_the_focus().await;
        } else if !self.window.path().await.ends_with("#main") {
            // A form without an address of its own keeps the place on the page.
            self.window.skips_to_content().await;
        }
    }

    /// Who would be paid, by what is chosen; nothing is written.
    async fn looks(&self) {
        let window = &self.window;
        // By the menu, past what stands above it.
        window.enters("a \"Payouts\"", 10).await;
        window.arrives_at("/m/acme/payouts").await;
        assert_eq!(window.texts(".tile b").await, ["USD 469.99", "USD 0.00"]);
        window.skips_to_content().await;
        window.enters("a \"New payout\"", 1).await;
        window.arrives_at("/m/acme/payouts/new").await;
        window.sees("USD 379.99 to 2 affiliates").await;
        let left_out = window.texts("main section:last-of-type tbody tr").await;
        assert_eq!(left_out.len(), 2, "{left_out:?}");
        for words in ["Cleo Ruiz", "USD 80.00", "Dora Groß", "USD 10.00"] {
            assert!(left_out.join(" ").contains(words), "{words} in {left_out:?}");
        }

        // A day on which the first of the holds had not ended.
        window.skips_to_content().await;
        window.tabs_to("input \"Payable by the end of\"", 2).await;
        window.types_day(["2026", "03", "14"]).await;
        window.enters("button \"Look again\"", 4).await;
        window.sees("Nobody to pay").await;
        self.goes_on_from("button \"Look again\"").await;
        self.chooses_day(["2026", "03", "31"]).await;
        window.sees("USD 379.99 to 2 affiliates").await;
        self.goes_on_from("button \"Look again\"").await;
        self.chooses_way("PayPal").await;
        window.sees("USD 259.99 to 1 affiliate").await;
        self.goes_on_from("button \"Look again\"").await;
        self.chooses_way("Every").await;
        window.sees("USD 379.99 to 2 affiliates").await;
    }

    /// From the button that looks again, or from the top.
    async fn chooses_day(&self, day: [&str; 3]) {
        let window = &self.window;
        if self.has_scripts() {
            // Over each of its parts, and again into the first.
            window.tabs_back_to("a \"Payouts\"", 8).await;
        }
        window.tabs_to("input \"Payable by the end of\"", 2).await;
        window.types_day(day).await;
        window.enters("button \"Look again\"", 4).await;
    }

    async fn chooses_way(&self, way: &str) {
        let window = &self.window;
        if self.has_scripts() {
            window.tabs_back_to("select \"Paid by\"", 1).await;
        } else {
            window.tabs_to("select \"Paid by\"", 6).await;
        }
        window.types(way).await;
        window.enters("button \"Look again\"", 1).await;
    }

    /// Ben, and not Ben.
    async fn leaves_out_and_puts_back(&self) {
        let window = &self.window;
        self.goes_on_from("button \"Look again\"").await;
        window.enters("button \"Leave out Ben Okafor\"", 14).await;
        window.sees("USD 259.99 to 1 affiliate").await;
        self.goes_on_from("button \"Put back Ben Okafor\"").await;
        if self.has_scripts() {
            window.press("Enter").await;
        } else {
            window.enters("button \"Put back Ben Okafor\"", 16).await;
        }
        window.sees("USD 379.99 to 2 affiliates").await;
        self.goes_on_from("button \"Leave out Ben Okafor\"").await;
    }

    /// With the password, the count and the sum.
    async fn confirms(&self) -> PayoutId {
        let window = &self.window;
        if self.has_scripts() {
            window.tabs_back_to("button \"Continue…\"", 6).await;
            window.press("Enter").await;
        } else {
            window.enters("button \"Continue…\"", 8).await;
        }
        window.sees("Confirm that it is you").await;
        window.skips_to_content().await;
        window.tabs_to("input \"Password", 1).await;
        window.types(PASSWORD).await;
        window.press("Enter").await;
        window.sees("Make this payout?").await;
        let facts = window.texts("dl.facts dd").await;
        assert_eq!(facts[..2], ["USD 379.99", "2"], "{facts:?}");
        assert_eq!(self.month.site.database.number("SELECT COUNT(*) FROM payouts").await, 0, "nothing is written");

        window.skips_to_content().await;
        window.enters("button \"Make payout, USD 379.99\"", 2).await;
        window.sees("Ready: USD 379.99 to 2 affiliates. Send the money, then say so here.").await;
        let path = window.path().await;
        PayoutId::parse(path.rsplit('/').next().unwrap()).unwrap()
    }

    /// For whom is paid by `PayPal`.
    async fn fetches_files(&self) {
        let window = &self.window;
        self.goes_on_from("div \"Ready: USD 379.99 to 2 affiliates. Send the money, then say so here.\"").await;
        window.enters("a \"Get the files\"", 4).await;
        window.sees("Each carries only whom it can pay, to the cent.").await;
        window.skips_to_content().await;
        window.enters("a \"Download PayPal", 4).await;
        let file = std::fs::read_to_string(self.month.downloaded(".csv").await).unwrap();
        assert!(file.contains("nina@example.com") && file.contains("259.99") && !file.contains("ben@"), "{file}");
    }

    async fn marks_it_paid(&self, run: PayoutId) {
        let window = &self.window;
        window.tabs_back_to("a \"Payout of USD 379.99\"", 4).await;
        window.press("Enter").await;
        window.arrives_at(&format!("/m/acme/payouts/{run}")).await;
        window.skips_to_content().await;
        window.enters("button \"Mark all 2 open as paid\"", 5).await;
        window.sees("Paid: USD 379.99 to 2 affiliates. Told by e-mail: 1 of them. The others have no account here, or want no such mails.").await;
        self.goes_on_from("div \"Paid: USD 379.99 to 2 affiliates. Told by e-mail: 1 of them. The others have no account here, or want no such mails.\"").await;
        let paid = -self.month.entries("kind = 'pay'").await;
        assert_eq!((shown(paid), window.text("tfoot b").await), ("USD 379.99".into(), shown(paid)));
    }

    /// The payout as it is printed, and a line's advice and its affiliate's statement as PDF.
    async fn prints(&self) {
        let window = &self.window;
        let paper = window.printed().await;
        let file = self.month.downloads.path().join("printed");
        std::fs::write(&file, paper).unwrap();
        let paper = said(&file);
        for words in ["USD 379.99 Paid", "Nina Sommer", "USD 259.99", "Ben Okafor", "USD 120.00", "Together"] {
            assert!(paper.contains(words), "{words} in {paper}");
        }
        for words in ["Commission rules", "Skip to content", "Undo this payout", "Mark all"] {
            assert!(!paper.contains(words), "{words} in {paper}");
        }
        if self.has_scripts() {
            window.counts_prints().await;
            window.enters("button \"Print\"", 2).await;
            assert_eq!(window.asks("return window.prints").await, 1);
        }
        window.enters("a \"Nina Sommer\"", 6).await;
        window.sees("What it is made of").await;
        window.skips_to_content().await;
        window.tabs_to("a \"Remittance advice (PDF)\"", 8).await;
        window.press("Enter").await;
        let advice = said(&self.month.downloaded(".pdf").await);
        for words in ["Nina Sommer", "4001", "4002", &shown(-self.month.of_nina("pay").await)] {
            assert!(advice.contains(words), "{words} in {advice}");
        }
        std::fs::remove_file(self.month.downloaded(".pdf").await).unwrap();

        window.tabs_back_to("a \"Nina Sommer\"", 8).await;
        window.press("Enter").await;
        window.arrives_at(&format!("/m/acme/affiliates/{}", self.month.nina)).await;
        window.skips_to_content().await;
        window.enters("a \"This month\"", 20).await;
        let statement = said(&self.month.downloaded(".pdf").await);
        let paid = shown(self.month.of_nina("pay").await).replace('\u{2212}', "-");
        assert!(statement.contains(&format!("Paid {paid}")), "{statement}");
    }
}

/// Nina, on a phone.
async fn nina_reads(month: &Month, run: PayoutId) {
    let phone = Window::open(month.site.address, Screen::PHONE).await;
    phone.sign_in(NINA).await;
    phone.arrives_at("/home").await;
    let paid = shown(-month.of_nina("pay").await);
    let tiles = phone.texts(".tile").await;
    assert!(tiles.contains(&format!("Paid {paid} so far")), "{paid} in {tiles:?}");
    let latest = phone.texts(".ledger li").await;
    assert_eq!(latest[0], format!("Payment for 2 sales {paid} 31 Mar 2026 Paid to you"));
    let held = month.entries(&format!("affiliate_id = {}", month.nina.raw())).await;
    assert_eq!(phone.text(".big").await, "USD 0.00");
    phone.sees(&format!("{} is approved and on hold", shown(held))).await;

    phone.click("Payouts").await;
    phone.arrives_at("/payouts").await;
    assert_eq!(phone.text("#so-far + b").await, paid);
    assert_eq!(phone.texts(".ledger li").await, [format!("31 Mar 2026 {paid} 2 commissions")]);
    phone.click("31 Mar 2026").await;
    phone.sees("Paid on 31 Mar 2026").await;
    assert_eq!(phone.text(".big").await, paid);
    let sales = phone.texts(".ledger li .sum").await;
    assert_eq!(sales.len(), 2, "{sales:?}");
    phone.sees("By acme, by PayPal").await;

    phone.click("Earnings").await;
    phone.click("Statement").await;
    phone.sees("Statement, March 2026").await;
    let sums = [0, month.of_nina("earn").await, month.of_nina("reverse").await, month.of_nina("pay").await, held];
    assert_eq!(sums.iter().take(4).sum::<i64>(), held);
    assert_eq!(phone.texts(".balance dd").await, sums.map(shown));
    phone.sees("Paid").await;
    let whole = month.site.api.get(&format!("/payouts/{run}")).await;
    assert_eq!(whole.data()["payout"]["status"], "paid");
}

async fn tell(screen: Screen) {
    if left_out() {
        return;
    }
    let month = Month::begin().await;
    let mara = Mara::signs_in(&month, screen).await;
    mara.looks().await;
    mara.leaves_out_and_puts_back().await;
    let run = mara.confirms().await;
    mara.fetches_files().await;
    mara.marks_it_paid(run).await;
    mara.prints().await;
    month.site.check_ledger().await;
    drop(mara);
    nina_reads(&month, run).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_is_paid_by_keyboard_and_read_on_a_phone() {
    tell(Screen::DESK).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_without_scripts() {
    tell(Screen::DESK.without_javascript()).await;
}
