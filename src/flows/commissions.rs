//! Deciding commissions: approving, rejecting, paying.

use super::{Act, Change, Refusal, mails};
use crate::{
    domain::{
        commission::{self, Decision, Status},
        id::{BatchId, CommissionId},
        message,
    },
    store::{
        Error, Tx,
        commissions::{self, Commission, Move},
        ledger, totals,
    },
};

/// Sets the status if that is a legal move. The same status again changes nothing.
///
/// # Errors
/// When there is no such commission or the move is not legal; the state it is in stays.
pub async fn set_status(
    tx: &mut Tx,
    act: &Act,
    id: CommissionId,
    wanted: Status,
    reason: Option<&str>,
) -> Result<Commission, Refusal> {
    commissions::lock(tx, act.program.id, &[id]).await?;
    decide(tx, act, id, wanted, reason, None).await.map(|decided| decided.now)
}

/// A commission after a decision.
pub struct Decided {
    pub now: Commission,
    /// As it was, if it has moved.
    pub before: Option<Commission>,
}

/// As [`set_status`], of one that is locked, maybe as one of a batch.
///
/// # Errors
/// As [`set_status`].
pub async fn decide(
    tx: &mut Tx,
    act: &Act,
    id: CommissionId,
    wanted: Status,
    reason: Option<&str>,
    batch: Option<BatchId>,
) -> Result<Decided, Refusal> {
    let unknown = || Refusal::NotFound("commission");
    let found = commissions::by_id(tx, act.program.id, id).await?.ok_or_else(unknown)?;
    let facts = commission::Facts {
        status: found.status,
        affiliate: found.affiliate_status,
        in_open_payout: found.payout_line_id.is_some(),
        kind: found.kind,
        has_refund_lines: match found.conversion_id {
            Some(sale) if wanted == Status::Rejected => commissions::refund_lines(tx, sale).await? != 0,
            _ => false,
        },
    };
    let refused = |refusal: commission::Refusal| {
        Refusal::field("status", format!("{refusal} (the commission is {})", found.status))
    };
    let Decision::Move { from, to } = commission::decide(facts, wanted).map_err(refused)? else {
        return Ok(Decided { now: found, before: None });
    };

    let change = Move { from, to, reason, at: act.now, batch };
    let amount = commissions::set_status(tx, id, change).await?.ok_or_else(unknown)?;
    moved(tx, act, &found, (from, to), amount).await?;
    let words = Change { before: Some(from.as_str()), after: Some(to.as_str()), reason };
    let deed = act.deed(tx, &format!("commission.{to}"), id, words).await?;
    if to == Status::Rejected && found.kind == commission::Kind::Sale {
        let kind = message::Kind::CommissionRejected;
        mails::enqueue_for_affiliate(tx, act, found.affiliate_id, kind, deed.raw()).await?;
    }
    let now = commissions::by_id(tx, act.program.id, id).await?.ok_or_else(unknown)?;
    Ok(Decided { now, before: Some(found) })
}

/// Totals and ledger after a commission of that amount went from one status to the other.
pub(super) async fn moved(
    tx: &mut Tx,
    act: &Act,
    found: &Commission,
    (from, to): (Status, Status),
    amount: i64,
) -> Result<(), Error> {
    totals::count_commission(tx, found.affiliate_id, from, -1, -amount).await?;
    totals::count_commission(tx, found.affiliate_id, to, 1, amount).await?;
    if let Some((kind, sign)) = commission::entry(from, to) {
        let entry = ledger::NewEntry {
            id: act.id(),
            program: act.program.id,
            affiliate: found.affiliate_id,
            currency: act.program.currency,
            kind,
            amount: sign * amount,
            commission: Some(found.id),
            payout_line: None,
            refund: None,
        };
        ledger::post(tx, &entry).await?;
    }
    Ok(())
}
