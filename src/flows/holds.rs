//! What happens by itself where a program's settings say so: commissions whose hold is over are approved, and payouts
//! that fall due are prepared. Late is as good as on time, and two servers do it once.

use std::sync::Arc;

use super::{
    Act, Actor, Refusal, commissions as decisions,
    mails::{self, NewMail},
};
use crate::{
    app::App,
    domain::{
        commission::Status,
        email::Email,
        id::{CommissionId, Id, PayoutId},
        message::Kind,
        payout::{self, Due, Settings},
        time::Time,
    },
    store::{
        self, Tx, accounts, commissions,
        payouts::{self, Payout},
        programs,
    },
};

/// How many commissions are approved in one transaction, so that clicks and sales do not wait for long.
const STEP: i64 = 100;

/// Does for every program what is due.
///
/// # Errors
/// The database's; what was done until then stays.
pub async fn keep(app: &App, now: Time) -> Result<(), store::Error> {
    for program in programs::all(&mut *app.db.read().await?).await? {
        let settings = payouts::settings(&mut *app.db.read().await?, program.id).await?;
        let act = Act { now, ..app.act(Arc::new(program), Actor::Schedule) };
        if settings.auto_approve {
            approve(app, &act, &settings).await?;
        }
        if let Some(due) = settings.last_due(now.day()) {
            app.db.write(move |tx| Box::pin(async move { prepare(tx, &act, due).await })).await?;
        }
    }
    Ok(())
}

async fn approve(app: &App, act: &Act, settings: &Settings) -> Result<(), store::Error> {
    let most = settings.auto_approve_most;
    let mut above = Id::new(0);
    loop {
        let act = act.clone();
        let step = app.db.write(move |tx| Box::pin(async move { approve_some(tx, &act, most, above).await })).await?;
        let Some(last) = step else { return Ok(()) };
        above = last;
    }
}

/// Approves some of them; the last one that was looked at.
async fn approve_some(
    tx: &mut Tx,
    act: &Act,
    most: Option<i64>,
    above: CommissionId,
) -> Result<Option<CommissionId>, store::Error> {
    let due = commissions::due(tx, act.program.id, (act.now, most), above, STEP).await?;
    commissions::lock(tx, act.program.id, &due).await?;
    for id in &due {
        match decisions::decide(tx, act, *id, Status::Approved, None, None).await {
            // Somebody may have decided otherwise at this moment, which stands.
            Ok(_) | Err(Refusal::Field { .. } | Refusal::NotFound(_) | Refusal::Credit(_)) => {}
            Err(Refusal::Store(error)) => return Err(error),
        }
    }
    Ok(due.last().copied())
}

/// Prepares the payout that fell due, once, if anybody can be paid, and tells those who pay.
async fn prepare(tx: &mut Tx, act: &Act, due: Due) -> Result<(), store::Error> {
    let (program, until) = (act.program.id, due.until.unwrap_or(act.now));
    let token = format!("schedule:{}", due.on.day());
    if payouts::by_token(tx, program, &token).await?.is_some() {
        return Ok(());
    }
    if super::payouts::payable(tx, act, until).await?.count == 0 {
        return Ok(());
    }
    let id: PayoutId = act.id();
    let draft = Payout {
        id,
        currency: act.program.currency,
        status: payout::Status::Draft,
        until_at: until,
        method: None,
        line_count: 0,
        amount_minor: 0,
        actor: act.actor.to_string(),
        created_at: id.time(),
        closed_at: None,
    };
    if !payouts::create(tx, program, &token, &draft).await? {
        return Ok(());
    }
    for member in accounts::payers(tx, program).await? {
        let Ok(to) = Email::parse(&member.email) else { continue };
        let mail = NewMail {
            kind: Kind::PayoutDue,
            cause: act.secret.short_hash("payout due", &format!("{id}:{}", member.account_id)),
            to: &to,
            program: Some(program),
            account: Some(member.account_id),
            affiliate: None,
        };
        mails::enqueue(tx, &act.ids, act.now, mail).await?;
    }
    Ok(())
}
