//! The lines of payouts, and the commissions that they hold.

use super::{Error, Tx, execute, fetch_all, fetch_one, fetch_optional, row};
use crate::domain::{
    affiliate::PaymentMethod,
    id::{AffiliateId, CommissionId, Id, PayoutId, PayoutLineId, ProgramId},
    payout::{LineStatus, Lines},
    time::Time,
};

/// Of ledger entries `e` and their payout lines `l`: what was paid and has not come back. A line is paid once, and then
/// its status says whether it stayed so.
macro_rules! stayed_paid {
    () => {
        "e.kind = 'pay' AND (l.id IS NULL OR l.status = 'paid')"
    };
}

/// What may be paid by a moment, of a table's alias (with its point) and a parameter. What takes back never waits.
macro_rules! payable {
    ($alias:literal, $until:literal) => {
        concat!(
            $alias,
            "status = 'approved' AND ",
            $alias,
            "payout_line_id IS NULL AND (",
            $alias,
            "payable_at <= ",
            $until,
            " OR ",
            $alias,
            "amount_minor < 0)"
        )
    };
}
pub(super) use {payable, stayed_paid};

/// Puts what is payable to the affiliate by then into the line; how many commissions that were, and their sum. What
/// became payable since [`lock_payable`] and somebody decides at this very moment is left for the next run: waiting for
/// them would be out of the order that everybody keeps to.
pub async fn claim(
    tx: &mut Tx,
    program: ProgramId,
    affiliate: AffiliateId,
    until: Time,
    line: PayoutLineId,
) -> Result<(i64, i64), Error> {
    if let Tx::Postgres(pg) = tx {
        let sql = concat!(
            "UPDATE commissions SET payout_line_id = $4 WHERE id = ANY (ARRAY(
               SELECT id FROM commissions WHERE program_id = $1 AND affiliate_id = $2 AND ",
            payable!("", "$3"),
            " FOR NO KEY UPDATE SKIP LOCKED))"
        );
        sqlx::query(sql).bind(program).bind(affiliate).bind(until).bind(line).execute(pg.raw()).await?;
    } else {
        execute!(
            tx,
            concat!(
                "UPDATE commissions SET payout_line_id = $4 WHERE program_id = $1 AND affiliate_id = $2 AND ",
                payable!("", "$3")
            ),
            program,
            affiliate,
            until,
            line
        )?;
    }
    fetch_one!(
        (i64, i64),
        tx,
        "SELECT COUNT(*), CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT) FROM commissions WHERE payout_line_id = $1",
        line
    )
}

/// Lets go of what a line claimed that is not made after all.
pub async fn unclaim(tx: &mut Tx, line: PayoutLineId) -> Result<(), Error> {
    execute!(tx, "UPDATE commissions SET payout_line_id = NULL WHERE payout_line_id = $1", line).map(drop)
}

row! {
    #[derive(Debug, Clone)]
    pub struct Line {
        pub id: PayoutLineId,
        pub payout_id: PayoutId,
        pub affiliate_id: AffiliateId,
        pub name: String,
        pub email: String,
        pub status: LineStatus,
        pub method: PaymentMethod,
        /// Sealed.
        pub sealed_details: String,
        pub commission_count: i64,
        pub amount_minor: i64,
        pub reason: Option<String>,
        pub created_at: Time,
        pub updated_at: Time,
        pub paid_at: Option<Time>,
    }
}

#[derive(Debug)]
pub struct NewLine<'a> {
    pub id: PayoutLineId,
    pub payout: PayoutId,
    pub program: ProgramId,
    pub affiliate: AffiliateId,
    pub method: PaymentMethod,
    pub sealed_details: &'a str,
    pub commission_count: i64,
    pub amount: i64,
    pub at: Time,
}

pub async fn add(tx: &mut Tx, new: &NewLine<'_>) -> Result<(), Error> {
    execute!(
        tx,
        "INSERT INTO payout_lines (id, payout_id, program_id, affiliate_id, status, method, details, commission_count,
           amount_minor, created_at, updated_at)
         VALUES ($1, $2, $3, $4, 'open', $5, $6, $7, $8, $9, $9)",
        new.id,
        new.payout,
        new.program,
        new.affiliate,
        new.method,
        new.sealed_details,
        new.commission_count,
        new.amount,
        new.at
    )
    .map(drop)
}

macro_rules! line {
    ($rest:literal) => {
        concat!(
            "SELECT l.id, l.payout_id, l.affiliate_id, a.name, a.email, l.status, l.method, l.details AS sealed_details, l.commission_count,
                    l.amount_minor, l.reason, l.created_at, l.updated_at, l.paid_at
             FROM payout_lines l JOIN affiliates a ON a.id = l.affiliate_id ",
            $rest
        )
    };
}

/// Lines of a run above an id, in the order of their ids; of one status, where one is named.
pub async fn all(
    tx: &mut Tx,
    payout: PayoutId,
    status: Option<LineStatus>,
    above: PayoutLineId,
    limit: i64,
) -> Result<Vec<Line>, Error> {
    fetch_all!(
        Line,
        tx,
        line!("WHERE l.payout_id = $1 AND l.id > $2 AND ($3 = '' OR l.status = $3) ORDER BY l.id LIMIT $4"),
        payout,
        above,
        status.map_or("", LineStatus::as_str),
        limit
    )
}

/// A page of a run's lines, in the order of their ids.
pub async fn page(tx: &mut Tx, payout: PayoutId, limit: i64, offset: i64) -> Result<Vec<Line>, Error> {
    fetch_all!(Line, tx, line!("WHERE l.payout_id = $1 ORDER BY l.id LIMIT $2 OFFSET $3"), payout, limit, offset)
}

pub async fn by_id(tx: &mut Tx, program: ProgramId, id: PayoutLineId) -> Result<Option<Line>, Error> {
    fetch_optional!(Line, tx, line!("WHERE l.id = $1 AND +l.program_id = $2"), id, program)
}

/// An affiliate's lines, newest first.
pub async fn of_affiliate(tx: &mut Tx, affiliate: AffiliateId, limit: i64) -> Result<Vec<Line>, Error> {
    fetch_all!(Line, tx, line!("WHERE l.affiliate_id = $1 ORDER BY l.id DESC LIMIT $2"), affiliate, limit)
}

/// How many lines of a run have which status.
pub async fn counts(tx: &mut Tx, payout: PayoutId) -> Result<Lines, Error> {
    let (open, paid, failed, cancelled) = fetch_one!(
        (i64, i64, i64, i64),
        tx,
        "SELECT CAST(COALESCE(SUM(CASE WHEN status = 'open' THEN 1 ELSE 0 END), 0) AS BIGINT),
                CAST(COALESCE(SUM(CASE WHEN status = 'paid' THEN 1 ELSE 0 END), 0) AS BIGINT),
                CAST(COALESCE(SUM(CASE WHEN status = 'failed' THEN 1 ELSE 0 END), 0) AS BIGINT),
                CAST(COALESCE(SUM(CASE WHEN status = 'cancelled' THEN 1 ELSE 0 END), 0) AS BIGINT)
         FROM payout_lines WHERE payout_id = $1",
        payout
    )?;
    Ok(Lines { open, paid, failed, cancelled })
}

/// One line of a run, or all of it, or those that were noted as paid and are not moved yet.
#[derive(Debug, Clone, Copy)]
pub enum Which {
    Line(PayoutLineId),
    Run(PayoutId),
    Noted(PayoutId),
}

/// A statement about the lines of that status, whose ids stand at its end; `$1` and `$2` are taken.
macro_rules! of_lines {
    ($tx:expr, $which:expr, $status:expr, $before:literal $(, $bind:expr)* $(,)?) => { match $which {
        Which::Line(id) => execute!(
            $tx,
            concat!($before, "(SELECT id FROM payout_lines WHERE id = $1 AND status = $2)"),
            id,
            $status
            $(, $bind)*
        ),
        Which::Run(id) => execute!(
            $tx,
            concat!($before, "(SELECT id FROM payout_lines WHERE payout_id = $1 AND status = $2)"),
            id,
            $status
            $(, $bind)*
        ),
        Which::Noted(id) => execute!(
            $tx,
            concat!($before, "(SELECT id FROM payout_lines WHERE payout_id = $1 AND status = $2 AND paid_at IS NOT NULL)"),
            id,
            $status
            $(, $bind)*
        ),
    } };
}

/// Notes that an open line was paid, so that many are moved together, in the same transaction.
pub async fn note_paid(tx: &mut Tx, id: PayoutLineId, now: Time) -> Result<(), Error> {
    execute!(tx, "UPDATE payout_lines SET paid_at = $2 WHERE id = $1 AND status = 'open'", id, now).map(drop)
}

/// Brings the lines from one status to another, after what they hold.
pub async fn set_status(
    tx: &mut Tx,
    which: Which,
    (from, to): (LineStatus, LineStatus),
    reason: Option<&str>,
    now: Time,
) -> Result<(), Error> {
    let paid_at = (to == LineStatus::Paid).then_some(now);
    of_lines!(
        tx,
        which,
        from,
        "UPDATE payout_lines SET status = $3, reason = $4, updated_at = $5, paid_at = $6 WHERE id IN ",
        to,
        reason,
        now,
        paid_at
    )
    .map(drop)
}

/// Keeps others from moving what a run holds (or one of its lines, where one is named) until the transaction ends. It
/// comes first in the order that everybody keeps to; the totals come last, because the affiliates' clicks wait for them.
pub async fn lock_held(tx: &mut Tx, payout: PayoutId, line: Option<PayoutLineId>) -> Result<(), Error> {
    let Tx::Postgres(pg) = tx else { return Ok(()) };
    let sql = "SELECT COUNT(*) FROM (SELECT id FROM commissions WHERE payout_line_id IN
         (SELECT id FROM payout_lines WHERE payout_id = $1 AND ($2 = 0 OR id = $2)) ORDER BY id FOR NO KEY UPDATE) held";
    sqlx::query(sql).bind(payout).bind(line.unwrap_or(Id::new(0))).execute(pg.raw()).await?;
    Ok(())
}

/// The totals of the lines' affiliates, in the order of their ids, in which everybody else takes them too.
async fn lock_totals(tx: &mut Tx, which: Which) -> Result<(), Error> {
    macro_rules! totals_of {
        ($lines:literal) => {
            concat!(
                "SELECT COUNT(*) FROM (SELECT affiliate_id FROM affiliate_totals WHERE affiliate_id IN
                   (SELECT affiliate_id FROM payout_lines WHERE ",
                $lines,
                " = $1) ORDER BY affiliate_id FOR NO KEY UPDATE) held"
            )
        };
    }
    let Tx::Postgres(pg) = tx else { return Ok(()) };
    match which {
        Which::Line(id) => sqlx::query(totals_of!("id")).bind(id),
        Which::Run(id) | Which::Noted(id) => sqlx::query(totals_of!("payout_id")).bind(id),
    }
    .execute(pg.raw())
    .await?;
    Ok(())
}

/// Keeps others from moving what a run may claim until the transaction ends, in the order that everybody keeps to.
pub async fn lock_payable(tx: &mut Tx, program: ProgramId, until: Time) -> Result<(), Error> {
    let Tx::Postgres(pg) = tx else { return Ok(()) };
    let sql = concat!(
        "SELECT COUNT(*) FROM (SELECT id FROM commissions WHERE program_id = $1 AND ",
        payable!("", "$2"),
        " ORDER BY id FOR NO KEY UPDATE) payable"
    );
    sqlx::query(sql).bind(program).bind(until).execute(pg.raw()).await?;
    Ok(())
}

/// What the open lines hold is paid.
pub async fn pay_held(tx: &mut Tx, which: Which, now: Time) -> Result<(), Error> {
    of_lines!(
        tx,
        which,
        LineStatus::Open,
        "UPDATE commissions SET status = 'paid', paid_at = $3, updated_at = $3, batch_id = NULL WHERE payout_line_id IN ",
        now
    )?;
    count_paid(tx, which, LineStatus::Open, 1).await
}

/// What the lines of that status hold is owed again; the lines keep what it was.
pub async fn release_held(tx: &mut Tx, which: Which, from: LineStatus, now: Time) -> Result<(), Error> {
    of_lines!(
        tx,
        which,
        from,
        "INSERT INTO payout_releases (payout_line_id, commission_id, amount_minor)
         SELECT payout_line_id, id, amount_minor FROM commissions WHERE payout_line_id IN "
    )?;
    of_lines!(
        tx,
        which,
        from,
        "UPDATE commissions SET status = 'approved', paid_at = NULL, updated_at = $3, payout_line_id = NULL
         WHERE payout_line_id IN ",
        now
    )?;
    if from == LineStatus::Paid { count_paid(tx, which, from, -1).await } else { Ok(()) }
}

/// The counters of what went from approved to paid, or (`by` −1) came back.
async fn count_paid(tx: &mut Tx, which: Which, status: LineStatus, by: i64) -> Result<(), Error> {
    lock_totals(tx, which).await?;
    of_lines!(
        tx,
        which,
        status,
        "UPDATE affiliate_totals SET
           approved_count = approved_count - $3 * l.commission_count, approved_minor = approved_minor - $3 * l.amount_minor,
           paid_count = paid_count + $3 * l.commission_count, paid_minor = paid_minor + $3 * l.amount_minor
         FROM payout_lines l WHERE l.affiliate_id = affiliate_totals.affiliate_id AND l.id IN ",
        by
    )
    .map(drop)
}

row! {
    /// A commission that a line holds, paid or let go. Minor units.
    #[derive(Debug, Clone)]
    pub struct Held {
        pub id: CommissionId,
        pub amount_minor: i64,
        pub order_id: Option<String>,
        pub reason: Option<String>,
        pub created_at: Time,
    }
}

/// What makes up a line, newest first.
pub async fn held(tx: &mut Tx, line: PayoutLineId, limit: i64) -> Result<Vec<Held>, Error> {
    fetch_all!(
        Held,
        tx,
        "SELECT c.id, h.amount_minor, s.order_id, c.reason, c.created_at
         FROM (SELECT id, amount_minor FROM commissions WHERE payout_line_id = $1
               UNION ALL SELECT commission_id AS id, amount_minor FROM payout_releases WHERE payout_line_id = $1) h
         JOIN commissions c ON c.id = h.id LEFT JOIN conversions s ON s.id = c.conversion_id
         ORDER BY c.id DESC LIMIT $2",
        line,
        limit
    )
}
