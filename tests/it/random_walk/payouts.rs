//! The walk's steps that correct and pay.

use reqwest::Method;
use serde_json::json;

use super::{Line, Walk};

pub struct Run {
    id: String,
    lines: Vec<RunLine>,
}

struct RunLine {
    id: String,
    affiliate: usize,
    amount: i64,
    status: &'static str,
    /// Places of what it holds, or held when it was paid.
    held: Vec<usize>,
}

impl Walk {
    pub async fn adjust(&mut self) {
        let who = self.anybody();
        let amount = self.chance.minor(2_000) * if self.chance.below(2) == 0 { 1 } else { -1 };
        let path = format!("/affiliates/{}/adjustments", self.model.affiliates[who].id);
        let body = format!(r#"{{"amount":{},"reason":"Because"}}"#, self.model.decimal(amount));
        let made = self.api.raw(Method::POST, &path, body).await;
        assert_eq!(made.status, 201, "{made:?}");
        self.model.lines.push(Line {
            id: made.data()["adjustment"]["id"].as_str().unwrap().to_owned(),
            sale: None,
            affiliate: who,
            amount,
            status: "approved",
            is_reversal: false,
            batch: None,
            is_held: false,
        });
    }

    /// Everybody, or one affiliate alone.
    pub async fn make_payout(&mut self) {
        let only = (self.chance.below(3) == 0).then(|| self.anybody());
        let body = match only {
            Some(who) => json!({ "affiliateIds": [self.model.affiliates[who].id] }),
            None => json!({}),
        };
        let mut expected = Vec::new();
        for who in 0..self.model.affiliates.len() {
            let is_payable = |line: &&Line| line.affiliate == who && line.status == "approved" && !line.is_held;
            let net: i64 = self.model.lines.iter().filter(is_payable).map(|line| line.amount).sum();
            if net > 0 && only.is_none_or(|only| only == who) {
                expected.push((who, net));
            }
        }
        let total: i64 = expected.iter().map(|(_, net)| net).sum();
        let seen = self.api.post("/payouts?dryRun=true", &body).await;
        let amount = format!(r#""amount":{},"#, self.model.decimal(total));
        assert!(seen.text.contains(&amount), "{amount} is not in {}", seen.text);
        let made = self.api.post("/payouts", &body).await;
        if expected.is_empty() {
            return made.refuses("until");
        }
        assert_eq!(made.status, 201, "{made:?}");
        assert!(made.text.contains(&amount), "{amount} is not in {}", made.text);
        let id = made.data()["payout"]["id"].as_str().unwrap().to_owned();
        let shown = self.api.get(&format!("/payouts/{id}?limit=100")).await;
        let rows = shown.data()["lines"].as_array().unwrap().clone();
        assert_eq!(rows.len(), expected.len());
        let mut lines = Vec::new();
        for (who, net) in expected {
            let of = |row: &&serde_json::Value| row["affiliateId"] == *self.model.affiliates[who].id;
            let row = rows.iter().find(of).unwrap();
            let mut held = Vec::new();
            for (place, line) in self.model.lines.iter_mut().enumerate() {
                if line.affiliate == who && line.status == "approved" && !line.is_held {
                    line.is_held = true;
                    held.push(place);
                }
            }
            let id = row["id"].as_str().unwrap().to_owned();
            lines.push(RunLine { id, affiliate: who, amount: net, status: "open", held });
        }
        self.model.runs.push(Run { id, lines });
    }

    pub async fn decide_line(&mut self) {
        if self.model.runs.is_empty() {
            return;
        }
        let run = self.chance.below(self.model.runs.len());
        let place = self.chance.below(self.model.runs[run].lines.len());
        let wanted = ["paid", "paid", "failed", "cancelled"][self.chance.below(4)];
        let (id, line) = (&self.model.runs[run].id, &self.model.runs[run].lines[place]);
        let path = format!("/payouts/{id}/lines/{}/status", line.id);
        let answer = self.api.post(&path, &json!({ "status": wanted, "reason": "Because" })).await;
        let is_final = matches!(line.status, "failed" | "cancelled");
        if is_final && line.status != wanted {
            return answer.refuses("status");
        }
        assert_eq!(answer.status, 200, "{} to {wanted}: {answer:?}", line.status);
        assert_eq!(answer.data()["line"]["status"], wanted);
        self.settle(run, place, wanted);
    }

    pub async fn decide_payout(&mut self) {
        if self.model.runs.is_empty() {
            return;
        }
        let run = self.chance.below(self.model.runs.len());
        let wanted = ["paid", "failed", "cancelled"][self.chance.below(3)];
        let path = format!("/payouts/{}/status", self.model.runs[run].id);
        let before = self.status(run);
        let answer = self.api.post(&path, &json!({ "status": wanted })).await;
        let is_meant = |status: &str| status == "open" || (status == "paid" && wanted == "cancelled");
        let meant: Vec<_> = (0..self.model.runs[run].lines.len())
            .filter(|place| is_meant(self.model.runs[run].lines[*place].status))
            .collect();
        if meant.is_empty() && before != wanted {
            return answer.refuses("status");
        }
        assert_eq!(answer.status, 200, "{before} to {wanted}: {answer:?}");
        for place in meant {
            self.settle(run, place, wanted);
        }
        assert_eq!(answer.data()["payout"]["status"], self.status(run));
    }

    fn status(&self, run: usize) -> &'static str {
        let has = |status: &str| self.model.runs[run].lines.iter().any(|line| line.status == status);
        ["open", "paid", "failed"].into_iter().find(|status| has(status)).unwrap_or("cancelled")
    }

    fn settle(&mut self, run: usize, place: usize, wanted: &'static str) {
        let line = &mut self.model.runs[run].lines[place];
        if line.status == wanted {
            return;
        }
        for held in &line.held {
            let commission = &mut self.model.lines[*held];
            if wanted == "paid" {
                (commission.status, commission.batch) = ("paid", None);
            } else {
                commission.status = "approved";
            }
            commission.is_held = false;
        }
        line.status = wanted;
    }

    pub async fn compare_payouts(&self) {
        let mut taken: Vec<usize> = Vec::new();
        for (place, run) in self.model.runs.iter().enumerate() {
            let shown = self.api.get(&format!("/payouts/{}?limit=100", run.id)).await;
            assert_eq!(shown.data()["payout"]["status"], self.status(place));
            let total: i64 = run.lines.iter().map(|line| line.amount).sum();
            let amount = format!(r#""amount":{},"#, self.model.decimal(total));
            assert!(shown.text.contains(&amount), "{amount} is not in {}", shown.text);
            for line in &run.lines {
                assert!(line.amount > 0);
                let rows = shown.data()["lines"].as_array().unwrap();
                let row = rows.iter().find(|row| row["id"] == *line.id).unwrap();
                assert_eq!(row["status"], line.status);
                assert_eq!(row["affiliateId"], *self.model.affiliates[line.affiliate].id);
                if matches!(line.status, "open" | "paid") {
                    taken.extend(&line.held);
                }
            }
        }
        taken.sort_unstable();
        assert!(taken.windows(2).all(|pair| pair[0] != pair[1]), "each commission is in one run at most");
        for (who, affiliate) in self.model.affiliates.iter().enumerate() {
            let sum = |is_meant: fn(&Line) -> bool| -> i64 {
                let of = self.model.lines.iter().filter(|line| line.affiliate == who && is_meant(line));
                of.map(|line| line.amount).sum()
            };
            let shown = self.api.get(&format!("/affiliates/{}/balance", affiliate.id)).await;
            for (field, minor) in [
                ("balance", sum(|line| matches!(line.status, "pending" | "approved"))),
                ("payable", sum(|line| line.status == "approved" && !line.is_held)),
                ("inPayout", sum(|line| line.is_held)),
                ("onHold", 0),
            ] {
                let text = format!(r#""{field}":{},"#, self.model.decimal(minor));
                assert!(shown.text.contains(&text), "{text} is not in {}", shown.text);
            }
        }
    }
}
