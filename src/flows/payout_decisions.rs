//! What becomes of a payout: its lines paid, failed and cancelled, one by one, all at once or as a bank tells it.

use std::{collections::HashMap, fmt};

use super::{Act, Change, Refusal, invoices, mails};
use crate::{
    domain::{
        id::{Id, PayoutId, PayoutLineId},
        message,
        payout::{self, Decision, LineStatus, Seen, Status},
        payout_files::results::{Meaning, Outcome, Problem, RowIssue},
    },
    store::{
        Error, Tx, ledger,
        payout_lines::{self, Line, Which},
        payouts::{self, Payout},
    },
};

/// How many lines are read in one go.
const STEP: i64 = 500;

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
    // Last what others wait for: from then on the affiliates' clicks do.
    if decision == Decision::Pay {
        invoices::issue(tx, act, which, from).await?;
        payout_lines::pay_held(tx, which, act.now).await?;
    } else {
        invoices::take_back(tx, act, which, from).await?;
        payout_lines::release_held(tx, which, from, act.now).await?;
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
