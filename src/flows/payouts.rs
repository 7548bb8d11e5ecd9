//! Payouts: how a program pays, what a run would pay, and making one. What becomes of it stands in
//! [`super::payout_decisions`].

use super::{
    Act, Change, Refusal,
    tax::{self, Forms},
};
use crate::{
    domain::{
        affiliate::PaymentMethod,
        id::{AffiliateId, Id, PayoutId},
        payout::{self, LeftOut, Owed, Settings, Status},
        program::Difference,
        time::Time,
    },
    store::{
        Error, Tx,
        payout_lines::{self, NewLine},
        payouts::{self, Candidate, Payout},
    },
};

/// How many affiliates are read in one go.
const STEP: i64 = 500;

/// What a run is for.
#[derive(Debug, Clone)]
pub struct Choice {
    /// What is payable by then.
    pub until: Time,
    /// Only who is paid this way.
    pub method: Option<PaymentMethod>,
    /// Only these; everybody where there are none.
    pub only: Vec<AffiliateId>,
    pub without: Vec<AffiliateId>,
}

impl Choice {
    fn wants(&self, affiliate: AffiliateId) -> bool {
        (self.only.is_empty() || self.only.contains(&affiliate)) && !self.without.contains(&affiliate)
    }

    fn admit(
        &self,
        found: &Candidate,
        net: i64,
        settings: &Settings,
        forms: &Forms,
        now: Time,
    ) -> Result<PaymentMethod, LeftOut> {
        if !self.wants(found.affiliate_id) {
            return Err(LeftOut::NotChosen);
        }
        let owed = Owed {
            net,
            minimum: found.minimum_minor.unwrap_or(settings.minimum),
            method: found.method,
            has_details: found.sealed_details.is_some(),
            details_changed_at: found.details_changed_at,
            form: forms.in_the_way(found.affiliate_id, net, now),
        };
        payout::admit(owed, self.method, now)
    }
}

/// How many affiliates, and how much in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    pub count: i64,
    pub amount: i64,
}

impl Sum {
    fn add(&mut self, amount: i64) {
        self.count += 1;
        self.amount += amount;
    }
}

/// Goes through everybody with something payable, in steps, and says of each whether a run would take them and by
/// which way. Writes nothing.
///
/// # Errors
/// The database's.
pub async fn preview(
    tx: &mut Tx,
    act: &Act,
    choice: &Choice,
    mut each: impl FnMut(Candidate, Result<PaymentMethod, LeftOut>) + Send,
) -> Result<Sum, Error> {
    let settings = payouts::settings(tx, act.program.id).await?;
    let since = payouts::last_until(tx, act.program.id).await?;
    let (mut sum, mut above) = (Sum::default(), Id::new(0));
    loop {
        let found = payouts::candidates(tx, act.program.id, (since, choice.until), above, STEP).await?;
        let Some(last) = found.last() else { return Ok(sum) };
        let forms = tax::forms(tx, act.program.id, act.now, (above, last.affiliate_id)).await?;
        above = last.affiliate_id;
        for candidate in found {
            let admitted = choice.admit(&candidate, candidate.net(), &settings, &forms, act.now);
            if admitted.is_ok() {
                sum.add(candidate.net());
            }
            each(candidate, admitted);
        }
    }
}

/// What a payout would be of everybody who can be paid now, of what was payable by then.
///
/// # Errors
/// The database's.
pub async fn payable(tx: &mut Tx, act: &Act, until: Time) -> Result<Sum, Error> {
    let choice = Choice { until, method: None, only: Vec::new(), without: Vec::new() };
    preview(tx, act, &choice, |_, _| ()).await
}

/// Makes the run: everything payable of everybody whom it takes is held by it from now on, and its total is the sum of
/// what it holds. The same token again is the same run; the run, and whether it is new.
///
/// # Errors
/// When there is nothing to pay, or it is not what was `expected`.
pub async fn make(
    tx: &mut Tx,
    act: &Act,
    choice: &Choice,
    token: &str,
    expected: Option<Sum>,
) -> Result<(Payout, bool), Refusal> {
    let program = act.program.id;
    payouts::lock(tx, program).await?;
    if let Some(known) = payouts::by_token(tx, program, token).await? {
        return Ok((known, false));
    }
    let id = act.id();
    let mut run = Payout {
        id,
        currency: act.program.currency,
        status: Status::Open,
        until_at: choice.until,
        method: choice.method,
        line_count: 0,
        amount_minor: 0,
        actor: act.actor.to_string(),
        created_at: id.time(),
        closed_at: None,
    };
    payouts::create(tx, program, token, &run).await?;
    let sum = hold(tx, act, choice, id).await?;
    if sum.count == 0 {
        return Err(Refusal::field("until", "leaves nothing to pay"));
    }
    if expected.is_some_and(|expected| expected != sum) {
        return Err(Refusal::field("amount", "is not what it was any more: somebody changed something meanwhile"));
    }
    payouts::complete(tx, id, sum.count, sum.amount).await?;
    payouts::close_drafts(tx, program, act.now).await?;
    payouts::hear_requests(tx, id).await?;
    (run.line_count, run.amount_minor) = (sum.count, sum.amount);
    let after = format!("{} to {}", act.program.currency.of(sum.amount), sum.count);
    act.audit(tx, "payout.made", id, Change { after: Some(&after), ..Change::default() }).await?;
    Ok((run, true))
}

/// A line for everybody whom the run takes.
async fn hold(tx: &mut Tx, act: &Act, choice: &Choice, run: PayoutId) -> Result<Sum, Refusal> {
    let program = act.program.id;
    let settings = payouts::settings(tx, program).await?;
    payout_lines::lock_payable(tx, program, choice.until).await?;
    let (mut sum, mut above) = (Sum::default(), Id::new(0));
    loop {
        let found = payouts::candidates(tx, program, (Time::from_ms(0), choice.until), above, STEP).await?;
        let Some(last) = found.last() else { return Ok(sum) };
        let forms = tax::forms(tx, act.program.id, act.now, (above, last.affiliate_id)).await?;
        above = last.affiliate_id;
        for candidate in &found {
            if choice.admit(candidate, candidate.net(), &settings, &forms, act.now).is_err() {
                continue;
            }
            let line = act.id();
            // What is held counts, not what was read before.
            let affiliate = candidate.affiliate_id;
            let (count, amount) = payout_lines::claim(tx, program, affiliate, choice.until, line).await?;
            let Ok(method) = choice.admit(candidate, amount, &settings, &forms, act.now) else {
                payout_lines::unclaim(tx, line).await?;
                continue;
            };
            let new = NewLine {
                id: line,
                payout: run,
                program,
                affiliate,
                method,
                sealed_details: candidate.sealed_details.as_deref().unwrap_or_default(),
                commission_count: count,
                amount,
                at: act.now,
            };
            payout_lines::add(tx, &new).await?;
            sum.add(amount);
        }
    }
}

/// Stores how the program pays; what differs.
///
/// # Errors
/// The database's.
pub async fn change_settings(tx: &mut Tx, act: &Act, after: &Settings) -> Result<Vec<Difference>, Refusal> {
    let before = payouts::settings(tx, act.program.id).await?;
    let is_same = (before.schedule, before.net_days) == (after.schedule, after.net_days);
    let schedule_since = if is_same { before.schedule_since } else { act.now.day() + 1 };
    let after = &Settings { schedule_since, ..after.clone() };
    let differences = payout::differences(&before, after, act.program.currency);
    if differences.is_empty() {
        return Ok(differences);
    }
    payouts::save_settings(tx, act.program.id, after).await?;
    let (before, after) = Difference::in_words(&differences);
    let change = Change { before: Some(&before), after: Some(&after), reason: None };
    act.audit(tx, "program.changed", act.program.id, change).await?;
    Ok(differences)
}

/// Writes down that somebody took a file of the run: it says where the money goes.
///
/// # Errors
/// The database's.
pub async fn took_file(tx: &mut Tx, act: &Act, run: PayoutId, what: &str) -> Result<(), Refusal> {
    Ok(act.audit(tx, "payout.file", run, Change { after: Some(what), ..Change::default() }).await?)
}
