//! Several who walk at once, on the same affiliates, commissions and payouts. Whoever is first gets what they ask for,
//! so the answers are not told beforehand; what always holds is asked after each round. The seed says what each of
//! them asks for and in which order, though not who comes first. Where two servers can share a database, half of them
//! ask one and half the other.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::future::join_all;
use offshoot::{app::App, domain::id::AffiliateId};
use serde_json::{Value, json};

use super::{
    Chance, seed,
    worker::{Seen, Told, Worker},
};
use crate::support::{
    Api, Site,
    browser::{Browser, PASSWORD, account},
};

const WORKERS: usize = 4;
const ROUNDS: usize = 30;
const STEPS: usize = 30;
const AFFILIATES: usize = 5;

/// What there is never one of.
const NEVER: &[(&str, &str)] = &[
    (
        "a commission in two payouts that are open or paid",
        "SELECT commission_id FROM (
           SELECT id AS commission_id, payout_line_id FROM commissions WHERE payout_line_id IS NOT NULL
           UNION ALL SELECT commission_id, payout_line_id FROM payout_releases) held
         JOIN payout_lines l ON l.id = held.payout_line_id WHERE l.status IN ('open', 'paid')
         GROUP BY commission_id HAVING COUNT(*) > 1",
    ),
    (
        "a payout that is not the sum of what it claimed",
        "SELECT p.id FROM payouts p WHERE p.amount_minor <> (
           SELECT COALESCE(SUM(held.amount_minor), 0) FROM (
             SELECT amount_minor, payout_line_id FROM commissions
             UNION ALL SELECT amount_minor, payout_line_id FROM payout_releases) held
           JOIN payout_lines l ON l.id = held.payout_line_id WHERE l.payout_id = p.id)",
    ),
    (
        "a line that holds other commissions than it counts",
        "SELECT id FROM payout_lines l WHERE status IN ('open', 'paid')
           AND commission_count <> (SELECT COUNT(*) FROM commissions c WHERE c.payout_line_id = l.id)",
    ),
    ("a payout of nothing or less", "SELECT id FROM payouts WHERE amount_minor <= 0 AND status <> 'draft'"),
    ("a line of nothing or less", "SELECT id FROM payout_lines WHERE amount_minor <= 0"),
    (
        "an open payout without open lines",
        "SELECT id FROM payouts p WHERE status = 'open'
           AND NOT EXISTS (SELECT 1 FROM payout_lines l WHERE l.payout_id = p.id AND l.status = 'open')",
    ),
    (
        "a paid line whose commissions are not",
        "SELECT c.id FROM commissions c JOIN payout_lines l ON l.id = c.payout_line_id
         WHERE (l.status = 'paid') <> (c.status = 'paid')",
    ),
    (
        "a commission paid that is below nothing of its sale",
        "SELECT id FROM commissions WHERE kind = 'sale' AND amount_minor < 0",
    ),
    ("a sale given back more than whole", "SELECT id FROM conversions WHERE refunded_minor > amount_minor"),
];

/// What is made, and where the rows are.
const MADE: &[(&[&str], &str)] = &[
    (&["click"], "SELECT id FROM clicks"),
    (&["sell"], "SELECT id FROM conversions"),
    (&["refund"], "SELECT id FROM refunds"),
    (&["adjust"], "SELECT id FROM commissions WHERE kind = 'adjustment'"),
    (&["pay", "pay in a browser"], "SELECT id FROM payouts"),
];

struct Together {
    site: Site,
    affiliates: Vec<(String, String)>,
    /// Each worker's own server and browser.
    asked: Vec<(App, Api, Browser)>,
    /// On the same database.
    _second: Option<Site>,
    /// How often something was answered so.
    answers: BTreeMap<(&'static str, u16), usize>,
    /// How often something was made, by what was asked for.
    made: BTreeMap<&'static str, i64>,
    /// The sale of each order.
    sales: BTreeMap<String, String>,
}

impl Together {
    async fn begin() -> Self {
        let site = Site::start().await;
        account(&site, "mara@example.com", true).await;
        let mut affiliates = Vec::new();
        for number in 0..AFFILIATES {
            let code = format!("CODE{number}");
            let id = site.affiliate(&code).await;
            let paid_by = json!({ "paymentMethod": "paypal", "paymentDetails": "a@example.com" });
            assert_eq!(site.api.patch(&format!("/affiliates/{id}"), &paid_by).await.status, 200);
            affiliates.push((id, code));
        }
        let second = if site.database.is_sqlite() {
            None
        } else {
            Some(Site::on(Arc::clone(&site.database), &[("OFFSHOOT_RATE_LIMIT", "0")], "other", "USD").await)
        };
        let mut asked = Vec::new();
        for place in 0..WORKERS {
            let server = second.as_ref().filter(|_| place % 2 == 1).unwrap_or(&site);
            let browser = Browser::at(server.address);
            assert_eq!(browser.sign_in("mara@example.com", PASSWORD).await.status, 303);
            asked.push((server.app.clone(), Api::new(server.address, &site.api.key), browser));
        }
        let (answers, made, sales) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { site, affiliates, asked, _second: second, answers, made, sales }
    }

    /// The latest of everything.
    async fn seen(&self) -> Seen {
        let api = &self.site.api;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let ids = async |path: &str, name: &str| -> Vec<String> {
            let list = api.get(path).await;
            list.data()[name].as_array().unwrap().iter().map(|row| text(&row["id"])).collect()
        };
        let payouts = ids("/payouts?limit=8", "payouts").await;
        let mut lines = Vec::new();
        for payout in &payouts {
            let shown = api.get(&format!("/payouts/{payout}?limit=100")).await;
            let of = shown.data()["lines"].as_array().unwrap();
            lines.extend(of.iter().map(|line| format!("{payout}/lines/{}", text(&line["id"]))));
        }
        let decided = self.asked[0].2.get("/m/acme/commissions/decided").await;
        let undos = decided.text.split('"').filter(|part| part.ends_with("/undo")).take(12).map(str::to_owned);
        Seen {
            affiliates: self.affiliates.clone(),
            commissions: ids("/commissions?limit=60", "commissions").await,
            sales: ids("/conversions?limit=30", "conversions").await,
            undos: undos.collect(),
            payouts,
            lines,
        }
    }

    async fn round(&mut self, round: usize, seed: u64) {
        let there_is = Arc::new(self.seen().await);
        let workers = self.asked.iter().cloned().enumerate().map(|(place, (app, api, browser))| {
            let own = seed ^ (u64::try_from(round * WORKERS + place).unwrap() + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let worker = Worker { chance: Chance(own.max(1)), round, app, api, browser };
            tokio::spawn(worker.work(Arc::clone(&there_is), STEPS))
        });
        let all: Vec<_> = workers.collect();
        for told in join_all(all).await.into_iter().flat_map(Result::unwrap) {
            self.hear(&told);
        }
    }

    fn hear(&mut self, told: &Told) {
        assert!(told.is_answered(), "{}: {} was answered {:?}", told.what, told.asked, told.answer);
        *self.answers.entry((told.what, told.answer.status.as_u16())).or_default() += 1;
        if told.is_made() {
            *self.made.entry(told.what).or_default() += 1;
        }
        if told.what == "sell" && told.answer.status.is_success() {
            let sale = told.answer.data();
            let text = |name: &str| sale[name].as_str().unwrap().to_owned();
            let first = self.sales.entry(text("orderId")).or_insert_with(|| text("conversionId"));
            assert_eq!(*first, text("conversionId"), "an order is one sale, whoever reports it");
        }
    }

    async fn is_right(&self) {
        self.site.check_ledger().await;
        let count = async |rows: &str| self.site.database.number(&format!("SELECT COUNT(*) FROM ({rows}) found")).await;
        for (what, rows) in NEVER {
            assert_eq!(count(rows).await, 0, "there is {what}");
        }
        for (whats, rows) in MADE {
            let made: i64 = whats.iter().map(|what| self.made.get(what).copied().unwrap_or(0)).sum();
            assert_eq!(count(rows).await, made, "{whats:?}: what was answered as made is there, and nothing else");
        }
        for (id, _) in &self.affiliates {
            self.agrees(id).await;
        }
    }

    /// What the API says of an affiliate is what the rows say.
    async fn agrees(&self, id: &str) {
        let affiliate = AffiliateId::parse(id).unwrap().raw();
        let sum = async |from: &str| {
            let sql = format!("SELECT CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT) FROM {from}");
            self.site.database.number(&sql.replace("WHERE", &format!("WHERE affiliate_id = {affiliate} AND"))).await
        };
        let unpaid = sum("commissions WHERE status IN ('pending', 'approved')").await;
        let paid = sum("commissions WHERE status = 'paid'").await;
        let in_payout = sum("commissions WHERE status = 'approved' AND payout_line_id IS NOT NULL").await;
        let approved = sum("commissions WHERE status = 'approved'").await;
        assert_eq!(sum("ledger_entries WHERE 1 = 1").await, unpaid, "the balance is the sum of its entries");
        let shown = self.site.api.get(&format!("/affiliates/{id}")).await;
        let balance = self.site.api.get(&format!("/affiliates/{id}/balance")).await;
        for (shown, field, minor) in [
            (&shown, "totalEarnings", unpaid + paid),
            (&shown, "pendingEarnings", unpaid),
            (&shown, "paidEarnings", paid),
            (&balance, "balance", unpaid),
            (&balance, "payable", approved - in_payout),
            (&balance, "inPayout", in_payout),
        ] {
            let sign = if minor < 0 { "-" } else { "" };
            let text = format!(r#""{field}":{sign}{}.{:02},"#, minor.abs() / 100, minor.abs() % 100);
            assert!(shown.text.contains(&text), "{text} is not in {}", shown.text);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_several_do_at_once_the_books_are_right() {
    let seed = seed();
    let mut together = Together::begin().await;
    for round in 0..ROUNDS {
        together.round(round, seed).await;
        together.is_right().await;
    }
    println!("{:?}", together.answers);
    for what in MADE.iter().flat_map(|(whats, _)| *whats) {
        assert!(together.made.contains_key(what), "{what}: never made");
    }
}
