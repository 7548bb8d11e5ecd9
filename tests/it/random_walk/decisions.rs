//! The walk's decisions: one by key, several in a browser, and taken back.

use offshoot::{
    domain::{commission::Status, id::Id},
    flows::{
        Actor, Refusal,
        decisions::{self, Decision},
    },
};

use super::{Batch, Walk};

impl Walk {
    pub async fn decide(&mut self) {
        if self.model.lines.is_empty() {
            return;
        }
        let place = self.chance.below(self.model.lines.len());
        let wanted = ["approved", "approved", "rejected", "paid", "pending"][self.chance.below(5)];
        let has_refund_lines = self.model.has_refund_lines(place);
        let line = &mut self.model.lines[place];
        let answer = self.api.decide(&line.id, wanted).await;
        let is_outside = self.model.affiliates[line.affiliate].is_outside;
        let is_legal = match (line.status, wanted) {
            (_, "pending") => false,
            (now, wanted) if now == wanted => true,
            ("paid", _) | ("rejected", "paid") => false,
            _ if line.is_held => false,
            (_, "rejected") => !has_refund_lines,
            _ => !is_outside,
        };
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
    pub async fn decide_together(&mut self) {
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
            let has_refund_lines = self.model.has_refund_lines(place);
            let line = &mut self.model.lines[place];
            let is_outside = self.model.affiliates[line.affiliate].is_outside;
            let is_legal = match (line.status, to) {
                ("paid", _) | ("rejected", "paid") => false,
                _ if line.is_held => false,
                (now, "rejected") => now != "rejected" && !has_refund_lines,
                (now, to) => now != to && !is_outside,
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

    pub async fn undo(&mut self) {
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
}
