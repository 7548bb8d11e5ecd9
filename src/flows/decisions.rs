//! Deciding commissions in the browser: one or many in one go, as a batch that can be taken back.

use super::{Act, Change, Refusal, commissions as one};
use crate::{
    domain::{
        commission::{self, Status, Undoing},
        id::{AccountId, BatchId, CommissionId},
    },
    store::{
        Tx,
        commissions::{self, Commission},
        decisions::{self, Batch, Before, NewBatch},
    },
};

/// What is decided in one go, by whom.
#[derive(Debug, Clone)]
pub struct Decision {
    pub batch: BatchId,
    pub account: AccountId,
    pub to: Status,
    /// The affiliate sees it.
    pub reason: Option<String>,
}

/// How many moved, how much they were, and which stayed.
#[derive(Debug, Default)]
pub struct Outcome {
    pub count: i64,
    pub sum: i64,
    pub left: Vec<Left>,
}

/// A commission that stayed as it was.
#[derive(Debug)]
pub struct Left {
    /// The order's number, or the commission's id where there is none.
    pub what: String,
    pub why: String,
}

impl Outcome {
    fn stays(&mut self, what: String, why: &impl ToString) {
        self.left.push(Left { what, why: why.to_string() });
    }

    pub fn add(&mut self, other: Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.left.extend(other.left);
    }
}

fn called(found: &Commission) -> String {
    found.order_id.clone().unwrap_or_else(|| found.id.to_string())
}

/// Decides each as a key would, and keeps how those that moved were before. What cannot be decided stays as
/// it is; what has that status already counts as neither.
///
/// # Errors
/// The database's: then none of them moved.
pub async fn decide(tx: &mut Tx, act: &Act, decision: &Decision, ids: &[CommissionId]) -> Result<Outcome, Refusal> {
    let Decision { batch, account, to, reason } = decision;
    commissions::lock(tx, act.program.id, ids).await?;
    let (mut outcome, mut moved) = (Outcome::default(), Vec::new());
    for id in ids {
        match one::decide(tx, act, *id, *to, reason.as_deref(), Some(*batch)).await {
            Ok(one::Decided { now, before: Some(before) }) => {
                outcome.count += 1;
                outcome.sum += now.amount_minor;
                moved.push(Before {
                    commission_id: *id,
                    from_status: before.status,
                    from_reason: before.reason,
                    from_approved_at: before.approved_at,
                    amount_minor: now.amount_minor,
                });
            }
            Ok(one::Decided { now, before: None }) => outcome.stays(called(&now), &format!("is {to} already")),
            Err(Refusal::Store(error)) => return Err(error.into()),
            Err(Refusal::NotFound(_)) => outcome.stays(id.to_string(), &"is not there"),
            Err(Refusal::Credit(refusal)) => outcome.stays(id.to_string(), &refusal),
            Err(Refusal::Field { issue, .. }) => {
                let found = commissions::by_id(tx, act.program.id, *id).await?;
                outcome.stays(found.as_ref().map_or_else(|| id.to_string(), called), &issue.0);
            }
        }
    }
    if outcome.count > 0 {
        let reason = reason.as_deref();
        let (program, count, sum) = (act.program.id, outcome.count, outcome.sum);
        let new = NewBatch { id: *batch, program, account: *account, action: *to, reason, count, sum, at: act.now };
        decisions::add(tx, &new).await?;
        for before in &moved {
            decisions::add_move(tx, *batch, before).await?;
        }
    }
    Ok(outcome)
}

/// Puts what a batch decided back where it was, as far as it is still where the batch put it: totals and
/// ledger with it.
///
/// # Errors
/// When there is no such batch, or it was taken back before.
pub async fn undo(tx: &mut Tx, act: &Act, id: BatchId) -> Result<(Batch, Outcome), Refusal> {
    let batch = decisions::by_id(tx, act.program.id, id).await?.ok_or(Refusal::NotFound("decision"))?;
    let moves = decisions::moves(tx, id).await?;
    let ids: Vec<_> = moves.iter().map(|before| before.commission_id).collect();
    commissions::lock(tx, act.program.id, &ids).await?;
    if !decisions::undone(tx, id, act.now).await? {
        return Err(Refusal::field("decision", "was undone before"));
    }
    let mut outcome = Outcome::default();
    for before in &moves {
        take_back(tx, act, &batch, before, &mut outcome).await?;
    }
    Ok((batch, outcome))
}

async fn take_back(
    tx: &mut Tx,
    act: &Act,
    batch: &Batch,
    before: &Before,
    outcome: &mut Outcome,
) -> Result<(), Refusal> {
    let id = before.commission_id;
    let found = commissions::by_id(tx, act.program.id, id).await?.ok_or(Refusal::NotFound("commission"))?;
    let facts = Undoing {
        from: before.from_status,
        to: batch.action,
        now: found.status,
        is_untouched: decisions::is_untouched(tx, batch.id, id).await?,
        in_open_payout: found.payout_line_id.is_some(),
    };
    let (from, to) = match commission::undo(facts) {
        Ok(back) => back,
        Err(stays) => {
            outcome.stays(called(&found), &stays);
            return Ok(());
        }
    };
    let Some(amount) = decisions::restore(tx, batch.id, before, from, act.now).await? else {
        outcome.stays(called(&found), &commission::Stays::MovedSince);
        return Ok(());
    };
    one::moved(tx, act, &found, (from, to), amount).await?;
    let words = Change { before: Some(from.as_str()), after: Some(to.as_str()), reason: before.from_reason.as_deref() };
    act.audit(tx, "commission.undone", id, words).await?;
    outcome.count += 1;
    outcome.sum += amount;
    Ok(())
}
