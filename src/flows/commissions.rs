//! Deciding commissions: approving, rejecting, paying.

use super::{Act, Change, Refusal, mails};
use crate::{
    domain::{
        commission::{self, Decision, Status},
        id::CommissionId,
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
    loop {
        let found = commissions::by_id(tx, act.program.id, id).await?.ok_or(Refusal::NotFound("commission"))?;
        let facts = commission::Facts {
            status: found.status,
            affiliate: found.affiliate_status,
            in_open_payout: found.is_in_payout,
        };
        let refused = |refusal: commission::Refusal| {
            Refusal::field("status", format!("{refusal} (the commission is {})", found.status))
        };
        let Decision::Move { from, to } = commission::decide(facts, wanted).map_err(refused)? else {
            return Ok(found);
        };
        // Somebody else may have moved it since; then the decision is made again from where it is now.
        let change = Move { from, to, reason, at: act.now };
        if let Some(amount) = commissions::set_status(tx, id, change).await? {
            moved(tx, act, &found, change, amount).await?;
            let moved = commissions::by_id(tx, act.program.id, id).await?;
            return moved.ok_or(Refusal::NotFound("commission"));
        }
    }
}

async fn moved(tx: &mut Tx, act: &Act, found: &Commission, change: Move<'_>, amount: i64) -> Result<(), Error> {
    totals::count_commission(tx, found.affiliate_id, change.from, -1, -amount).await?;
    totals::count_commission(tx, found.affiliate_id, change.to, 1, amount).await?;
    if let Some((kind, sign)) = commission::entry(change.from, change.to) {
        let entry = ledger::NewEntry {
            id: act.id(),
            program: act.program.id,
            affiliate: found.affiliate_id,
            currency: act.program.currency,
            kind,
            amount: sign * amount,
            commission: found.id,
            refund: None,
        };
        ledger::post(tx, &entry).await?;
    }
    let action = format!("commission.{}", change.to);
    let words = Change { before: Some(change.from.as_str()), after: Some(change.to.as_str()), reason: change.reason };
    let deed = act.deed(tx, &action, found.id, words).await?;
    if change.to == Status::Rejected && found.kind == commission::Kind::Sale {
        mails::enqueue_for_affiliate(tx, act, found.affiliate_id, message::Kind::CommissionRejected, deed.raw())
            .await?;
    }
    Ok(())
}
