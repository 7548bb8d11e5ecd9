//! A walk of random operations beside a model of what they must come to. Every few steps the two are
//! compared: totals, list totals and sums of rows. The seed is printed; `OFFSHOOT_TEST_SEED` replays it.

mod payouts;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use offshoot::{
    app::App,
    domain::{
        commission::Status,
        id::{AccountId, BatchId, Id},
        program::Program,
    },
    flows::{
        Actor, Refusal,
        decisions::{self, Decision},
    },
};
use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, Api, Site, browser::account};

const STEPS: usize = 400;

/// xorshift64*, by Marsaglia and Vigna.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16;
        usize::try_from(drawn).unwrap() % bound
    }

    fn minor(&mut self, most: i64) -> i64 {
        i64::try_from(self.below(usize::try_from(most).unwrap())).unwrap() + 1
    }
}

#[expect(clippy::disallowed_methods, reason = "a test's seed is not a setting of the product")]
fn seed() -> u64 {
    let given = std::env::var("OFFSHOOT_TEST_SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(|| rand::random::<u64>().max(1));
    println!("OFFSHOOT_TEST_SEED={seed}");
    seed
}

#[derive(Default)]
struct Affiliate {
    id: String,
    code: String,
    status: &'static str,
    clicks: i64,
    click_ids: Vec<String>,
}

struct Sale {
    id: String,
    affiliate: usize,
    body: String,
    /// As first answered.
    text: String,
    amount: i64,
    commission: i64,
    refunded: i64,
}

struct Line {
    id: String,
    /// An adjustment comes of none.
    sale: Option<usize>,
    affiliate: usize,
    amount: i64,
    status: &'static str,
    is_reversal: bool,
    /// The place of the batch that put it where it is, if nobody has moved it since.
    batch: Option<usize>,
    /// An open run holds it.
    is_held: bool,
}

/// What was decided in the browser in one go: which lines, and what each was before.
struct Batch {
    id: BatchId,
    to: &'static str,
    before: Vec<(usize, &'static str)>,
    is_undone: bool,
}

/// What must be, in minor units.
struct Model {
    exponent: u32,
    affiliates: Vec<Affiliate>,
    sales: Vec<Sale>,
    lines: Vec<Line>,
    batches: Vec<Batch>,
    runs: Vec<payouts::Run>,
}

/// A fifth, half away from zero: the program's rate is 20 %.
fn fifth(amount: i64) -> i64 {
    (amount * 2 + 5) / 10
}

impl Model {
    fn decimal(&self, minor: i64) -> String {
        let unit = 10_i64.pow(self.exponent);
        let sign = if minor < 0 { "-" } else { "" };
        let (whole, part) = (minor.abs() / unit, minor.abs() % unit);
        match self.exponent {
            0 => format!("{sign}{whole}"),
            digits => format!("{sign}{whole}.{part:0width$}", width = digits as usize),
        }
    }

    fn sum(&self, affiliate: usize, statuses: &[&str]) -> i64 {
        let counted = |line: &&Line| line.affiliate == affiliate && statuses.contains(&line.status);
        self.lines.iter().filter(counted).map(|line| line.amount).sum()
    }
}

struct Walk {
    chance: Chance,
    model: Model,
    api: Api,
    app: App,
    program: Arc<Program>,
    owner: AccountId,
}

impl Walk {
    async fn step(&mut self, number: usize) {
        let kind = if self.model.affiliates.len() < 3 { 0 } else { self.chance.below(136) };
        match kind {
            0..4 => self.join(number).await,
            4..24 => self.click().await,
            24..50 => self.sell(number).await,
            50..56 => self.sell_again().await,
            56..82 => self.decide().await,
            82..94 => self.refund(number).await,
            94..100 => self.change_status().await,
            100..107 => self.decide_together().await,
            107..112 => self.undo().await,
            112..118 => self.adjust().await,
            118..124 => self.make_payout().await,
            124..133 => self.decide_line().await,
            _ => self.decide_payout().await,
        }
    }

    async fn join(&mut self, number: usize) {
        let code = format!("CODE{number}");
        let id = self.api.affiliate(&code).await;
        let paid_by = json!({ "paymentMethod": "paypal", "paymentDetails": "a@example.com" });
        let set = self.api.patch(&format!("/affiliates/{id}"), &paid_by).await;
        assert_eq!(set.status, 200, "{set:?}");
        self.model.affiliates.push(Affiliate { id, code, status: "active", ..Affiliate::default() });
    }

    fn anybody(&mut self) -> usize {
        self.chance.below(self.model.affiliates.len())
    }

    async fn click(&mut self) {
        let who = self.anybody();
        let affiliate = &mut self.model.affiliates[who];
        let answer = self.api.post("/referrals/track", &json!({ "referralCode": affiliate.code })).await;
        if affiliate.status == "blocked" {
            return answer.refuses("referralCode");
        }
        assert_eq!(answer.status, 201, "{answer:?}");
        affiliate.clicks += 1;
        affiliate.click_ids.push(answer.data()["clickId"].as_str().unwrap().to_owned());
    }

    async fn sell(&mut self, number: usize) {
        let who = self.anybody();
        let most = if self.chance.below(4) == 0 { 9_999_999 } else { 999 };
        let amount = if self.chance.below(12) == 0 { 0 } else { self.chance.minor(most) };
        let affiliate = &self.model.affiliates[who];
        let by_click = !affiliate.click_ids.is_empty() && self.chance.below(2) == 0;
        let evidence = if by_click {
            let place = self.chance.below(affiliate.click_ids.len());
            format!(r#""clickId":"{}""#, affiliate.click_ids[place])
        } else {
            format!(r#""referralCode":"{}""#, affiliate.code.to_lowercase())
        };
        let body = format!(r#"{{{evidence},"amount":{},"orderId":"order-{number}"}}"#, self.model.decimal(amount));
        let answer = self.api.raw(Method::POST, "/referrals/convert", body.clone()).await;
        if affiliate.status == "blocked" {
            return answer.refuses(if by_click { "clickId" } else { "referralCode" });
        }
        assert_eq!(answer.status, 201, "{body}: {answer:?}");
        let commission = fifth(amount);
        assert!(answer.text.contains(&format!(r#""commission":{},"#, self.model.decimal(commission))), "{answer:?}");
        let id = answer.data()["conversionId"].as_str().unwrap().to_owned();
        let line = self.api.newest_commission(&affiliate.id).await;
        let (sale, text) = (self.model.sales.len(), answer.text);
        self.model.sales.push(Sale { id, affiliate: who, body, text, amount, commission, refunded: 0 });
        self.model.lines.push(Line {
            id: line,
            sale: Some(sale),
            affiliate: who,
            amount: commission,
            status: "pending",
            is_reversal: false,
            batch: None,
            is_held: false,
        });
    }

    async fn sell_again(&mut self) {
        if self.model.sales.is_empty() {
            return;
        }
        let place = self.chance.below(self.model.sales.len());
        let sale = &self.model.sales[place];
        let again = self.api.raw(Method::POST, "/referrals/convert", sale.body.clone()).await;
        assert_eq!((again.status.as_u16(), &again.text), (200, &sale.text));
        let amount = format!(r#""amount":{},"#, self.model.decimal(sale.amount));
        let other = format!(r#""amount":{},"#, self.model.decimal(sale.amount + 1));
        let answer = self.api.raw(Method::POST, "/referrals/convert", sale.body.replace(&amount, &other)).await;
        answer.refuses("orderId");
    }

    async fn decide(&mut self) {
        if self.model.lines.is_empty() {
            return;
        }
        let place = self.chance.below(self.model.lines.len());
        let wanted = ["approved", "approved", "rejected", "paid", "pending"][self.chance.below(5)];
        let line = &mut self.model.lines[place];
        let answer = self.api.decide(&line.id, wanted).await;
        let is_waiting = self.model.affiliates[line.affiliate].status == "pending";
        let is_legal = match (line.status, wanted) {
            (_, "pending") => false,
            (now, wanted) if now == wanted => true,
            ("paid", _) | ("rejected", "paid") => false,
            _ if line.is_held => false,
            _ => !is_waiting || wanted == "rejected",
        };
        // A line that takes back what was paid can be decided like any other; what that means is the
        // server's to say, and both answers keep the books right.
        if line.is_reversal && answer.status == 400 {
            return answer.refuses("status");
        }
        if is_legal {
            assert_eq!(answer.status, 200, "{} to {wanted}: {answer:?}", line.status);
            assert_eq!(answer.data()["commission"]["status"], wanted);
            line.batch = if line.status == wanted { line.batch } else { None };
            line.status = wanted;
        } else {
            answer.refuses("status");
        }
    }

    /// Some lines at once, as the queue does it.
    async fn decide_together(&mut self) {
        if self.model.lines.is_empty() {
            return;
        }
        let to = ["approved", "rejected", "paid"][self.chance.below(3)];
        let mut places: Vec<usize> = (0..4).map(|_| self.chance.below(self.model.lines.len())).collect();
        places.sort_unstable();
        places.dedup();
        let act = self.app.act(self.program.clone(), Actor::Account(self.owner));
        let (status, id) = (Status::parse(to).unwrap(), act.id());
        let decision = Decision { batch: id, account: self.owner, to: status, reason: Some("Because".into()) };
        let ids: Vec<_> = places.iter().map(|place| Id::parse(&self.model.lines[*place].id).unwrap()).collect();
        let made = self.app.db.write::<_, Refusal, _>(move |tx| {
            Box::pin(async move { decisions::decide(tx, &act, &decision, &ids).await })
        });
        let outcome = made.await.unwrap();

        let (number, mut before, mut sum) = (self.model.batches.len(), Vec::new(), 0);
        for place in places {
            let line = &mut self.model.lines[place];
            let is_waiting = self.model.affiliates[line.affiliate].status == "pending";
            let is_legal = match (line.status, to) {
                ("paid", _) | ("rejected", "paid") => false,
                _ if line.is_held => false,
                (now, to) => now != to && (!is_waiting || to == "rejected"),
            };
            if is_legal {
                before.push((place, line.status));
                sum += line.amount;
                (line.status, line.batch) = (to, Some(number));
            }
        }
        assert_eq!((outcome.count, outcome.sum), (i64::try_from(before.len()).unwrap(), sum));
        if !before.is_empty() {
            self.model.batches.push(Batch { id, to, before, is_undone: false });
        }
    }

    async fn undo(&mut self) {
        if self.model.batches.is_empty() {
            return;
        }
        let number = self.chance.below(self.model.batches.len());
        let batch = &mut self.model.batches[number];
        let (act, id) = (self.app.act(self.program.clone(), Actor::Account(self.owner)), batch.id);
        let made =
            self.app.db.write::<_, Refusal, _>(move |tx| Box::pin(async move { decisions::undo(tx, &act, id).await }));
        let undone = made.await;
        assert_eq!(undone.is_err(), batch.is_undone, "once");
        let Ok((_, outcome)) = undone else { return };
        batch.is_undone = true;
        let mut sum = 0;
        for (place, before) in &batch.before {
            let line = &mut self.model.lines[*place];
            if line.batch == Some(number) && batch.to != "paid" && !line.is_held {
                sum += line.amount;
                (line.status, line.batch) = (before, None);
            }
        }
        assert_eq!(outcome.sum, sum);
    }

    async fn refund(&mut self, number: usize) {
        if self.model.sales.is_empty() {
            return;
        }
        let place = self.chance.below(self.model.sales.len());
        let (left, all) =
            (self.model.sales[place].amount - self.model.sales[place].refunded, self.chance.below(3) == 0);
        let wanted = if all { left } else { self.chance.minor(left.max(1) + 1) };
        let amount = if all { "null".into() } else { self.model.decimal(wanted) };
        let body = format!(r#"{{"amount":{amount},"refundId":"refund-{number}"}}"#);
        let path = format!("/conversions/{}/refunds", self.model.sales[place].id);
        let answer = self.api.raw(Method::POST, &path, body.clone()).await;
        if wanted > left || wanted == 0 {
            return answer.refuses("amount");
        }
        assert_eq!(answer.status, 201, "{wanted} of {left}: {answer:?}");
        let again = self.api.raw(Method::POST, &path, body).await;
        assert_eq!((again.status.as_u16(), &again.text), (200, &answer.text));

        let sale = &mut self.model.sales[place];
        // Always from the whole so far, half away from zero.
        let reversed = |refunded: i64| match sale.amount {
            0 => 0,
            amount => {
                let twice = i128::from(sale.commission) * i128::from(refunded) * 2 + i128::from(amount);
                i64::try_from(twice / (2 * i128::from(amount))).unwrap()
            }
        };
        let back = reversed(sale.refunded + wanted) - reversed(sale.refunded);
        sale.refunded += wanted;
        let text = format!(r#""commissionReversed":{},"#, self.model.decimal(back));
        assert!(answer.text.contains(&text), "{text}: {answer:?}");
        if back != 0 {
            self.take_back(place, back).await;
        }
    }

    async fn take_back(&mut self, sale: usize, back: i64) {
        let earned = self.model.lines.iter_mut().find(|line| line.sale == Some(sale) && !line.is_reversal).unwrap();
        if earned.status != "paid" && !earned.is_held {
            earned.amount -= back;
            return;
        }
        let affiliate = earned.affiliate;
        let id = self.api.newest_commission(&self.model.affiliates[affiliate].id).await;
        self.model.lines.push(Line {
            id,
            sale: Some(sale),
            affiliate,
            amount: -back,
            status: "approved",
            is_reversal: true,
            batch: None,
            is_held: false,
        });
    }

    async fn change_status(&mut self) {
        let (who, status) = (self.anybody(), ["active", "active", "pending", "blocked"][self.chance.below(4)]);
        let affiliate = &mut self.model.affiliates[who];
        let answer = self.api.patch(&format!("/affiliates/{}", affiliate.id), &json!({ "status": status })).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        affiliate.status = status;
    }

    async fn compare(&self) {
        let model = &self.model;
        for (who, affiliate) in model.affiliates.iter().enumerate() {
            let shown = self.api.get(&format!("/affiliates/{}", affiliate.id)).await;
            let (unpaid, paid) = (model.sum(who, &["pending", "approved"]), model.sum(who, &["paid"]));
            for (field, minor) in
                [("totalEarnings", unpaid + paid), ("pendingEarnings", unpaid), ("paidEarnings", paid)]
            {
                let text = format!(r#""{field}":{},"#, model.decimal(minor));
                assert!(shown.text.contains(&text), "{text} is not in {}", shown.text);
            }
            let sales = model.sales.iter().filter(|sale| sale.affiliate == who).count();
            let shown = &shown.data()["affiliate"];
            assert_eq!((&shown["clickCount"], &shown["conversionCount"]), (&json!(affiliate.clicks), &json!(sales)));
            assert_eq!(shown["status"], affiliate.status);
        }
        for status in ["active", "pending", "blocked"] {
            let expected = model.affiliates.iter().filter(|affiliate| affiliate.status == status).count();
            assert_eq!(self.api.get(&format!("/affiliates?status={status}")).await.data()["total"], expected);
        }
        self.compare_lines().await;
        self.compare_payouts().await;
    }

    /// Every row of the list, page by page, and each status's total.
    async fn compare_lines(&self) {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let mut expected: HashMap<&str, String> = HashMap::new();
        for line in &self.model.lines {
            *counts.entry(line.status).or_default() += 1;
            expected.insert(&line.id, format!("{} {}", line.status, self.model.decimal(line.amount)));
        }
        for status in ["pending", "approved", "paid", "rejected"] {
            let list = self.api.get(&format!("/commissions?status={status}&limit=1")).await;
            assert_eq!(list.data()["total"], counts.get(status).copied().unwrap_or(0), "{status}");
        }
        let mut seen = 0;
        loop {
            let list = self.api.get(&format!("/commissions?limit=100&offset={seen}")).await;
            assert_eq!(list.data()["total"], expected.len());
            let rows = rows(&list);
            seen += rows.len();
            for (id, row) in &rows {
                assert_eq!(expected.get(id.as_str()), Some(row), "{id}");
            }
            if rows.is_empty() {
                break;
            }
        }
        assert_eq!(seen, expected.len());
        assert_eq!(self.api.get("/conversions?limit=1").await.data()["total"], self.model.sales.len());
    }
}

/// Each row's id, and its status and amount as they were written.
fn rows(list: &Answer) -> Vec<(String, String)> {
    let texts = list.text.split(r#"{"id":""#).skip(1);
    let row = |text: &str| {
        let after = |name: &str| text.split(name).nth(1).unwrap().split([',', '"']).next().unwrap().to_owned();
        let id = text.split('"').next().unwrap().to_owned();
        (id, format!("{} {}", after(r#""status":""#), after(r#""amount":"#)))
    };
    texts.map(row).collect()
}

async fn walk(currency: &str, exponent: u32, seed: u64) {
    let site = Site::in_currency(currency).await;
    let model = Model {
        exponent,
        affiliates: Vec::new(),
        sales: Vec::new(),
        lines: Vec::new(),
        batches: Vec::new(),
        runs: Vec::new(),
    };
    let owner = account(&site, "mara@example.com", true).await;
    let (app, program) = (site.app.clone(), site.program.clone());
    let mut walk = Walk { chance: Chance(seed), model, api: site.api.clone(), app, program, owner };
    for number in 0..STEPS {
        walk.step(number).await;
        if number % 25 == 0 {
            walk.compare().await;
        }
        // So that no two steps are of the same moment, as hardly any are.
        site.advance_seconds(1);
    }
    walk.compare().await;
    site.check_ledger().await;
}

#[tokio::test]
async fn whatever_happens_in_dollars_the_books_are_right() {
    walk("USD", 2, seed()).await;
}

#[tokio::test]
async fn whatever_happens_in_yen_the_books_are_right() {
    walk("JPY", 0, seed()).await;
}

#[tokio::test]
async fn whatever_happens_in_dinars_the_books_are_right() {
    walk("KWD", 3, seed()).await;
}
