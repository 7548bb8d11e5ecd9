//! Payouts: looked at before, made, paid, failed, cancelled and undone.

use std::{collections::HashMap, fmt};

use super::{
    Act, Change, Refusal, invoices, mails,
    tax::{self, Forms},
};
use crate::{
    domain::{
        affiliate::PaymentMethod,
        id::{AffiliateId, Id, PayoutId, PayoutLineId},
        message,
        payout::{self, Decision, LeftOut, LineStatus, Owed, Seen, Settings, Status},
        payout_files::results::{Meaning, Outcome, Problem, RowIssue},
        program::Difference,
        time::Time,
    },
    store::{
        Error, Tx, ledger,
        payout_lines::{self, Line, NewLine, Which},
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

/// What a payout of everybody would be now.
///
/// # Errors
/// The database's.
pub async fn payable_now(tx: &mut Tx, act: &Act) -> Result<Sum, Error> {
    let choice = Choice { until: act.now, method: None, only: Vec::new(), without: Vec::new() };
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

/// Keeps a decision about a whole run from somebody who has not seen what others decided meanwhile; for the
/// transaction of the decision.
///
/// # Errors
/// When lines were decided since.
pub async fn must_be_as_seen(tx: &mut Tx, act: &Act, run: PayoutId, seen: Seen) -> Result<(), Refusal> {
    payouts::lock(tx, act.program.id).await?;
    match payout_lines::counts(tx, run).await?.decided_since(seen) {
        Some(what) => Err(Refusal::field("status", format!("cannot change: {what}"))),
        None => Ok(()),
    }
}

/// The same about one line; what it is already may be said again.
///
/// # Errors
/// When the line was decided otherwise since.
pub async fn line_must_be_as_seen(
    tx: &mut Tx,
    act: &Act,
    line: PayoutLineId,
    seen: LineStatus,
    wanted: LineStatus,
) -> Result<(), Refusal> {
    payouts::lock(tx, act.program.id).await?;
    let now = payout_lines::by_id(tx, act.program.id, line).await?.map(|line| line.status);
    match now.filter(|now| ![seen, wanted].contains(now)) {
        Some(now) => {
            let what = format!("cannot change: the line was marked as {now} since this page was shown: look again");
            Err(Refusal::field("status", what))
        }
        None => Ok(()),
    }
}

/// Sets a line's status if that is a legal move; the line as it is now. The same again changes nothing.
///
/// # Errors
/// When the payout has no such line, or there is no such move.
pub async fn decide_line(
    tx: &mut Tx,
    act: &Act,
    (run, id): (PayoutId, PayoutLineId),
    wanted: LineStatus,
    reason: Option<&str>,
) -> Result<Line, Refusal> {
    let unknown = || Refusal::NotFound("payout line");
    payouts::lock(tx, act.program.id).await?;
    let line = payout_lines::by_id(tx, act.program.id, id).await?.filter(|line| line.payout_id == run);
    let line = line.ok_or_else(unknown)?;
    payout_lines::lock_held(tx, run, Some(id)).await?;
    if move_lines(tx, act, Lines::One(&line), (line.status, wanted), reason).await?.count == 0 {
        return Ok(line);
    }
    let words = Change { before: Some(line.status.as_str()), after: Some(wanted.as_str()), reason };
    act.audit(tx, &format!("payout_line.{wanted}"), id, words).await?;
    settle(tx, act, run).await?;
    payout_lines::by_id(tx, act.program.id, id).await?.ok_or_else(unknown)
}

/// Sets the status of every line of the run that can have it: paid or failed those that are open, cancelled also
/// those that were paid, whose payment is taken back by a counter-entry. The run as it is now, and what was moved.
///
/// # Errors
/// When there is no such payout, or none of its lines can have that status.
pub async fn decide_all(
    tx: &mut Tx,
    act: &Act,
    run: PayoutId,
    wanted: LineStatus,
    reason: Option<&str>,
) -> Result<(Payout, Moved), Refusal> {
    let (program, unknown) = (act.program.id, || Refusal::NotFound("payout"));
    payouts::lock(tx, program).await?;
    let found = payouts::by_id(tx, program, run).await?.ok_or_else(unknown)?;
    if found.status == Status::Draft && wanted == LineStatus::Cancelled {
        payouts::set_status(tx, run, Status::Cancelled, act.now).await?;
        act.audit(tx, "payout.cancelled", run, Change { reason, ..Change::default() }).await?;
        let run = payouts::by_id(tx, program, run).await?.ok_or_else(unknown)?;
        return Ok((run, Moved::default()));
    }
    payout_lines::lock_held(tx, run, None).await?;
    let mut moved = move_lines(tx, act, Lines::Run(run), (LineStatus::Open, wanted), reason).await?;
    if wanted == LineStatus::Cancelled {
        moved.add(move_lines(tx, act, Lines::Run(run), (LineStatus::Paid, wanted), reason).await?);
    }
    if moved.count == 0 {
        let is_so = found.status.as_str() == wanted.as_str();
        return if is_so { Ok((found, moved)) } else { Err(Refusal::field("status", nothing_to_move(found.status))) };
    }
    let words = Change { before: Some(found.status.as_str()), after: Some(wanted.as_str()), reason };
    act.audit(tx, &format!("payout.{wanted}"), run, words).await?;
    settle(tx, act, run).await?;
    Ok((payouts::by_id(tx, program, run).await?.ok_or_else(unknown)?, moved))
}

fn nothing_to_move(status: Status) -> String {
    match status {
        Status::Draft => "cannot change: the payout is a draft, which holds nothing yet".into(),
        status => format!("cannot change: the payout is {status}, and none of its lines is open"),
    }
}

/// Lines that were moved: how many, how much that is in minor units, and how many of their affiliates are told by mail.
#[derive(Debug, Clone, Copy, Default)]
pub struct Moved {
    pub count: i64,
    pub amount: i64,
    pub told: i64,
}

impl Moved {
    fn add(&mut self, other: Self) {
        self.count += other.count;
        self.amount += other.amount;
        self.told += other.told;
    }

    async fn line(
        &mut self,
        tx: &mut Tx,
        act: &Act,
        line: &Line,
        (decision, wanted): (Decision, LineStatus),
    ) -> Result<(), Error> {
        let is_told = tell(tx, act, line, decision, wanted).await?;
        self.add(Self { count: 1, amount: line.amount_minor, told: i64::from(is_told) });
        Ok(())
    }
}

/// What of a run is moved.
#[derive(Clone, Copy)]
enum Lines<'a> {
    One(&'a Line),
    Run(PayoutId),
    /// Those that were noted as paid.
    Noted(PayoutId),
}

/// Moves the lines from one status to another, what they hold and the counters with them, and tells whom that
/// concerns.
async fn move_lines(
    tx: &mut Tx,
    act: &Act,
    lines: Lines<'_>,
    (from, wanted): (LineStatus, LineStatus),
    reason: Option<&str>,
) -> Result<Moved, Refusal> {
    let refused = |refusal: payout::Refusal| Refusal::field("status", format!("{refusal} (the line is {from})"));
    let decision = payout::decide(from, wanted).map_err(refused)?;
    let mut moved = Moved::default();
    if decision == Decision::Nothing {
        return Ok(moved);
    }
    let which = match lines {
        Lines::One(line) => {
            moved.line(tx, act, line, (decision, wanted)).await?;
            Which::Line(line.id)
        }
        Lines::Run(run) | Lines::Noted(run) => {
            let is_noted = matches!(lines, Lines::Noted(_));
            let mut above = Id::new(0);
            loop {
                let some = payout_lines::all(tx, run, Some(from), above, STEP).await?;
                let Some(last) = some.last() else { break };
                above = last.id;
                for line in some.iter().filter(|line| !is_noted || line.paid_at.is_some()) {
                    moved.line(tx, act, line, (decision, wanted)).await?;
                }
            }
            if is_noted { Which::Noted(run) } else { Which::Run(run) }
        }
    };
    if decision == Decision::Pay {
        payout_lines::pay_held(tx, which, act.now).await?;
        invoices::issue(tx, act, which, from).await?;
    } else {
        payout_lines::release_held(tx, which, from, act.now).await?;
        invoices::take_back(tx, act, which, from).await?;
    }
    payout_lines::set_status(tx, which, (from, wanted), reason, act.now).await?;
    Ok(moved)
}

/// What a line's move says to the ledger and to its affiliate; whether they are written to.
async fn tell(tx: &mut Tx, act: &Act, line: &Line, decision: Decision, wanted: LineStatus) -> Result<bool, Error> {
    post(tx, act, line, decision).await?;
    let kind = match wanted {
        LineStatus::Paid => message::Kind::PayoutPaid,
        LineStatus::Failed => message::Kind::PayoutFailed,
        LineStatus::Open | LineStatus::Cancelled => return Ok(false),
    };
    mails::enqueue_for_affiliate(tx, act, line.affiliate_id, kind, line.id.raw()).await
}

async fn post(tx: &mut Tx, act: &Act, line: &Line, decision: Decision) -> Result<(), Error> {
    let Some((kind, sign)) = decision.entry() else { return Ok(()) };
    let entry = ledger::NewEntry {
        id: act.id(),
        program: act.program.id,
        affiliate: line.affiliate_id,
        currency: act.program.currency,
        kind,
        amount: sign * line.amount_minor,
        commission: None,
        payout_line: Some(line.id),
        refund: None,
    };
    ledger::post(tx, &entry).await
}

/// The run stands where its lines do.
async fn settle(tx: &mut Tx, act: &Act, run: PayoutId) -> Result<(), Error> {
    let status = payout_lines::counts(tx, run).await?.status();
    payouts::set_status(tx, run, status, act.now).await
}

/// Stores how the program pays; what differs.
///
/// # Errors
/// The database's.
pub async fn change_settings(tx: &mut Tx, act: &Act, after: &Settings) -> Result<Vec<Difference>, Refusal> {
    let before = payouts::settings(tx, act.program.id).await?;
    let schedule_since = if before.schedule == after.schedule { before.schedule_since } else { act.now.day() + 1 };
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

/// What a bank or a provider says of a line, and in which row of its table.
#[derive(Debug)]
pub struct Told {
    pub line: PayoutLineId,
    pub row: u64,
    pub outcome: Outcome,
}

/// What came of a bank's or a provider's table.
#[derive(Debug, Default)]
pub struct Taken {
    pub paid: i64,
    pub failed: i64,
    /// Lines that were marked before as the table has it.
    pub already_so: i64,
    /// Rows that say something else than what was decided before, which stands.
    pub otherwise: Vec<Problem>,
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} paid, {} failed", self.paid, self.failed)?;
        if self.already_so > 0 { write!(f, ", {} already so", self.already_so) } else { Ok(()) }
    }
}

/// Takes in what a bank or a provider says came of a run's lines. Open ones are moved; of what was decided already, it
/// is told whether that was the same.
///
/// # Errors
/// When there is no such payout, or it is a draft, which has no lines.
pub async fn take_results(tx: &mut Tx, act: &Act, run: PayoutId, told: &[Told]) -> Result<Taken, Refusal> {
    payouts::lock(tx, act.program.id).await?;
    let found = payouts::by_id(tx, act.program.id, run).await?.ok_or(Refusal::NotFound("payout"))?;
    if found.status == Status::Draft {
        return Err(Refusal::field("file", "says how it went, but the payout is a draft, which holds nothing yet"));
    }
    payout_lines::lock_held(tx, run, None).await?;
    let told: HashMap<PayoutLineId, &Told> = told.iter().map(|told| (told.line, told)).collect();
    let (mut taken, mut above) = (Taken::default(), Id::new(0));
    loop {
        let some = payout_lines::all(tx, run, None, above, STEP).await?;
        let Some(last) = some.last() else { break };
        above = last.id;
        for line in &some {
            if let Some(told) = told.get(&line.id) {
                take_result(tx, act, line, told, &mut taken).await?;
            }
        }
    }
    let moves = (LineStatus::Open, LineStatus::Paid);
    taken.paid = move_lines(tx, act, Lines::Noted(run), moves, None).await?.count;
    act.audit(tx, "payout.results", run, Change { after: Some(&taken.to_string()), ..Change::default() }).await?;
    settle(tx, act, run).await?;
    Ok(taken)
}

/// What failed is moved at once, each for its own reason; what was paid is noted, and moved with the others.
async fn take_result(tx: &mut Tx, act: &Act, line: &Line, told: &Told, taken: &mut Taken) -> Result<(), Refusal> {
    match told.outcome.meaning(line.status) {
        Meaning::Nothing => {}
        Meaning::AlreadySo => taken.already_so += 1,
        Meaning::Otherwise => {
            taken.otherwise.push(Problem { row: told.row, why: RowIssue::Otherwise(line.status) });
        }
        Meaning::Paid => payout_lines::note_paid(tx, line.id, act.now).await?,
        Meaning::Failed(reason) => {
            let moves = (line.status, LineStatus::Failed);
            taken.failed += move_lines(tx, act, Lines::One(line), moves, Some(reason)).await?.count;
        }
    }
    Ok(())
}
