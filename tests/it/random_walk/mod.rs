//! A walk of random operations beside a model of what they must come to. Every few steps the two are
//! compared: totals, list totals and sums of rows. The seed is printed; `OFFSHOOT_TEST_SEED` replays it.
//! Beside it several walk at once, where only what always holds can be said.

mod comparison;
mod decisions;
mod payouts;
mod sales;
mod together;
mod worker;

use std::sync::Arc;

use offshoot::{
    app::App,
    domain::{
        id::{AccountId, BatchId},
        program::Program,
    },
};
use serde_json::json;

use crate::support::{Api, Site, browser::account};

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
    /// Waits to be let in, or was turned down: what is theirs cannot be approved.
    is_outside: bool,
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

    /// Whether the line is a refund's, or its sale has one: then it is not rejected.
    fn has_refund_lines(&self, place: usize) -> bool {
        let line = &self.lines[place];
        let is_its = |other: &Line| other.sale == line.sale && other.is_reversal;
        line.sale.is_some() && self.lines.iter().any(is_its)
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

    async fn change_status(&mut self) {
        let (who, status) = (self.anybody(), ["active", "active", "pending", "blocked"][self.chance.below(4)]);
        let affiliate = &mut self.model.affiliates[who];
        let answer = self.api.patch(&format!("/affiliates/{}", affiliate.id), &json!({ "status": status })).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        affiliate.is_outside = status == "pending" || (status == "blocked" && affiliate.is_outside);
        affiliate.status = status;
    }
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
