//! One of several who walk at once: it asks for what its own chance says, of what all of them see. What comes of that
//! is for whoever is first.

use offshoot::app::App;
use reqwest::{Method, StatusCode};
use scraper::{Html, Selector};
use serde_json::json;

use super::Chance;
use crate::support::{Answer, Api, browser::Browser};

/// What there is to do something to, as it was when the round began.
#[derive(Default)]
pub struct Seen {
    /// Ids with codes.
    pub affiliates: Vec<(String, String)>,
    pub commissions: Vec<String>,
    pub sales: Vec<String>,
    pub payouts: Vec<String>,
    /// Each below its payout: `pay_…/lines/pline_…`.
    pub lines: Vec<String>,
    /// Where decisions are taken back.
    pub undos: Vec<String>,
}

/// What was asked for, in words, with what was answered.
pub struct Told {
    pub what: &'static str,
    pub asked: String,
    pub answer: Answer,
}

impl Told {
    /// Whether it made a row.
    pub fn is_made(&self) -> bool {
        let is_payout = self.answer.header("location").starts_with("/m/acme/payouts/pay_");
        self.answer.status == StatusCode::CREATED || (self.what == "pay in a browser" && is_payout)
    }

    /// Done, or refused in words; never failed, and never put off.
    pub fn is_answered(&self) -> bool {
        let status = self.answer.status;
        !status.is_server_error() && status != StatusCode::TOO_MANY_REQUESTS
    }
}

pub struct Worker {
    pub chance: Chance,
    pub round: usize,
    pub app: App,
    pub api: Api,
    pub browser: Browser,
}

impl Worker {
    /// Takes so many steps; what came of each.
    pub async fn work(mut self, seen: std::sync::Arc<Seen>, steps: usize) -> Vec<Told> {
        let mut told = Vec::with_capacity(steps);
        for _ in 0..steps {
            told.push(self.step(&seen).await);
            let clock = &self.app.clock;
            clock.set(offshoot::domain::time::Time::from_ms(clock.now().ms() + 1));
        }
        told
    }

    async fn step(&mut self, seen: &Seen) -> Told {
        match self.chance.below(100) {
            0..8 => self.click(seen).await,
            8..26 => self.sell(seen).await,
            26..43 => self.decide(seen).await,
            43..48 => self.decide_many(seen).await,
            48..55 => self.decide_in_a_browser(seen).await,
            55..60 => self.undo(seen).await,
            60..70 => self.refund(seen).await,
            70..75 => self.adjust(seen).await,
            75..81 => self.pay(seen).await,
            81..84 => self.pay_in_a_browser().await,
            84..92 => self.settle_line(seen).await,
            92..97 => self.settle_payout(seen).await,
            _ => self.change_affiliate(seen).await,
        }
    }

    /// One of what there is; an id of nothing where there is none.
    fn one<'s>(&mut self, of: &'s [String]) -> &'s str {
        if of.is_empty() { "comm_0" } else { &of[self.chance.below(of.len())] }
    }

    fn anybody<'s>(&mut self, seen: &'s Seen) -> &'s (String, String) {
        &seen.affiliates[self.chance.below(seen.affiliates.len())]
    }

    fn word(&mut self, of: &[&'static str]) -> &'static str {
        of[self.chance.below(of.len())]
    }

    async fn posts(&self, what: &'static str, path: String, body: String) -> Told {
        let answer = self.api.raw(Method::POST, &path, body.clone()).await;
        Told { what, asked: format!("{path} {body}"), answer }
    }

    async fn click(&mut self, seen: &Seen) -> Told {
        let code = &self.anybody(seen).1;
        self.posts("click", "/referrals/track".into(), json!({ "referralCode": code }).to_string()).await
    }

    /// Of orders that others report too, mostly with the same amount.
    async fn sell(&mut self, seen: &Seen) -> Told {
        let order = self.chance.below(60);
        let code = &seen.affiliates[order % seen.affiliates.len()].1;
        let amount = 100 * order + usize::from(self.chance.below(5) == 0);
        let body = json!({ "referralCode": code, "amount": amount, "orderId": format!("{}-{order}", self.round) });
        self.posts("sell", "/referrals/convert".into(), body.to_string()).await
    }

    async fn decide(&mut self, seen: &Seen) -> Told {
        let (id, to) = (self.one(&seen.commissions), self.word(&["approved", "approved", "rejected", "paid"]));
        let answer = self.api.decide(id, to).await;
        Told { what: "decide", asked: format!("{id} {to}"), answer }
    }

    async fn decide_many(&mut self, seen: &Seen) -> Told {
        let ids: Vec<_> = (0..5).map(|_| self.one(&seen.commissions)).collect();
        let body = json!({ "ids": ids, "status": self.word(&["approved", "rejected", "paid"]) });
        self.posts("decide many", "/commissions/status".into(), body.to_string()).await
    }

    async fn decide_in_a_browser(&mut self, seen: &Seen) -> Told {
        let ids: Vec<_> = (0..4).map(|_| self.one(&seen.commissions)).collect();
        let mut fields = vec![("to", self.word(&["approved", "approved", "rejected"])), ("reason", "Because")];
        fields.extend(ids.into_iter().map(|id| ("id", id)));
        let answer = self.browser.post("/m/acme/commissions/decision", &fields).await;
        Told { what: "decide in a browser", asked: format!("{fields:?}"), answer }
    }

    async fn undo(&mut self, seen: &Seen) -> Told {
        let path = if seen.undos.is_empty() { "/m/acme/commissions/decided/0/undo" } else { self.one(&seen.undos) };
        let answer = self.browser.post(path, &[]).await;
        Told { what: "undo", asked: path.to_owned(), answer }
    }

    /// Under names that others give too.
    async fn refund(&mut self, seen: &Seen) -> Told {
        let amount = if self.chance.below(3) == 0 { json!(null) } else { json!(self.chance.minor(900)) };
        let sale = self.one(&seen.sales);
        let path = format!("/conversions/{sale}/refunds");
        let body = json!({ "amount": amount, "refundId": format!("{sale}-{}", self.chance.below(3)) });
        self.posts("refund", path, body.to_string()).await
    }

    async fn adjust(&mut self, seen: &Seen) -> Told {
        let amount = self.chance.minor(300) * if self.chance.below(2) == 0 { 1 } else { -1 };
        let path = format!("/affiliates/{}/adjustments", self.anybody(seen).0);
        self.posts("adjust", path, json!({ "amount": amount, "reason": "Because" }).to_string()).await
    }

    async fn pay(&mut self, seen: &Seen) -> Told {
        let body = match self.chance.below(3) {
            0 => json!({}),
            _ => json!({ "affiliateIds": [self.anybody(seen).0, self.anybody(seen).0] }),
        };
        self.posts("pay", "/payouts".into(), body.to_string()).await
    }

    /// As two people do who confirm what both have seen.
    async fn pay_in_a_browser(&mut self) -> Told {
        let asked = self.browser.get("/m/acme/payouts/confirm").await;
        let fields = hidden(&asked);
        if fields.is_empty() {
            return Told { what: "pay in a browser", asked: "confirm".into(), answer: asked };
        }
        let borrowed: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let answer = self.browser.post("/m/acme/payouts", &borrowed).await;
        Told { what: "pay in a browser", asked: format!("{fields:?}"), answer }
    }

    async fn settle_line(&mut self, seen: &Seen) -> Told {
        let path = format!("/payouts/{}/status", self.one(&seen.lines));
        let body = json!({ "status": self.word(&["paid", "paid", "failed", "cancelled"]), "reason": "Because" });
        self.posts("settle a line", path, body.to_string()).await
    }

    async fn settle_payout(&mut self, seen: &Seen) -> Told {
        let path = format!("/payouts/{}/status", self.one(&seen.payouts));
        let body = json!({ "status": self.word(&["paid", "paid", "failed", "cancelled"]) });
        self.posts("settle a payout", path, body.to_string()).await
    }

    async fn change_affiliate(&mut self, seen: &Seen) -> Told {
        let (id, status) = (&self.anybody(seen).0, self.word(&["active", "active", "active", "pending", "blocked"]));
        let answer = self.api.patch(&format!("/affiliates/{id}"), &json!({ "status": status })).await;
        Told { what: "change an affiliate", asked: format!("{id} {status}"), answer }
    }
}

/// What the page's form carries unseen.
fn hidden(page: &Answer) -> Vec<(String, String)> {
    let (html, fields) = (Html::parse_document(&page.text), Selector::parse("form.card input[type=hidden]").unwrap());
    let field = |input: scraper::ElementRef<'_>| {
        let value = |name| input.value().attr(name).unwrap_or_default().to_owned();
        (value("name"), value("value"))
    };
    html.select(&fields).map(field).collect()
}
