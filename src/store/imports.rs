//! Files of affiliates and sales from another tool, and the questions that their rows ask of what is there already: each
//! of many rows at once.

use super::{Error, Tx, execute, fetch_all, fetch_one, fetch_optional, row};
use crate::domain::{
    affiliate,
    id::{AccountId, AffiliateId, ConversionId, ImportId, ProgramId},
    imports::{Bad, Kind, Status, tool::Tool},
    time::Time,
};

row! {
    #[derive(Debug, Clone)]
    pub struct Import {
        pub id: ImportId,
        pub program_id: ProgramId,
        pub account_id: AccountId,
        pub kind: Kind,
        pub tool: Tool,
        pub file_name: String,
        pub digest: String,
        pub in_minor_units: bool,
        pub status: Status,
        pub created_at: Time,
        pub may_pay: bool,
        pub invites: bool,
        pub confirmed_at: Option<Time>,
        pub finished_at: Option<Time>,
        /// Good rows of the file, how many of them are dealt with, and what came of those.
        pub rows_total: i64,
        pub rows_done: i64,
        pub added: i64,
        pub known: i64,
        pub left_out: i64,
    }
}

macro_rules! import {
    ($rest:literal) => {
        concat!(
            "SELECT id, program_id, account_id, kind, tool, file_name, digest, in_minor_units, status, created_at, may_pay, invites,
                    confirmed_at, finished_at, rows_total, rows_done, added, known, left_out FROM imports ",
            $rest
        )
    };
}

#[derive(Debug)]
pub struct New {
    pub id: ImportId,
    pub program: ProgramId,
    pub account: AccountId,
    pub kind: Kind,
    pub tool: Tool,
    pub file_name: String,
    pub digest: String,
    pub in_minor_units: bool,
    pub file: String,
}

/// Of a program's files that wait for somebody, the newest so many are kept.
const MOST_OPEN: i64 = 10;

/// Keeps the file; who has chosen too many without confirming one loses the oldest.
pub async fn create(tx: &mut Tx, new: &New) -> Result<(), Error> {
    execute!(
        tx,
        "DELETE FROM imports WHERE program_id = $1 AND status = 'open'
           AND id < (SELECT MIN(o.id) FROM (SELECT id FROM imports WHERE program_id = $1 AND status = 'open' ORDER BY id DESC LIMIT $2) o)",
        new.program,
        MOST_OPEN - 1
    )?;
    execute!(
        tx,
        "INSERT INTO imports (id, program_id, account_id, kind, tool, file_name, digest, in_minor_units, status, created_at, file)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'open', $9, $10)",
        new.id,
        new.program,
        new.account,
        new.kind,
        new.tool,
        &new.file_name,
        &new.digest,
        new.in_minor_units,
        new.id.time(),
        &new.file
    )
    .map(drop)
}

pub async fn by_id(tx: &mut Tx, id: ImportId) -> Result<Option<Import>, Error> {
    fetch_optional!(Import, tx, import!("WHERE id = $1"), id)
}

/// The file's text, as long as it is kept.
pub async fn file(tx: &mut Tx, id: ImportId) -> Result<Option<String>, Error> {
    let found = fetch_optional!((Option<String>,), tx, "SELECT file FROM imports WHERE id = $1", id)?;
    Ok(found.and_then(|(file,)| file))
}

/// A program's latest, the newest first.
pub async fn recent(tx: &mut Tx, program: ProgramId, kind: Kind, limit: i64) -> Result<Vec<Import>, Error> {
    fetch_all!(
        Import,
        tx,
        import!("WHERE program_id = $1 AND kind = $2 ORDER BY id DESC LIMIT $3"),
        program,
        kind,
        limit
    )
}

/// How much has been imported into the program: a number that changes with every step, so that what is remembered of
/// days that are over can be held against it.
pub async fn version(tx: &mut Tx, program: ProgramId) -> Result<i64, Error> {
    let (version,) = fetch_one!(
        (i64,),
        tx,
        "SELECT CAST(COALESCE(SUM(rows_done), 0) AS BIGINT) FROM imports WHERE program_id = $1",
        program
    )?;
    Ok(version)
}

#[derive(Debug, Clone, Copy)]
pub struct Confirmed {
    pub may_pay: bool,
    pub invites: bool,
    pub rows: i64,
    pub left_out: i64,
    pub at: Time,
}

/// Sets it going; `false` where it is already, or gone.
pub async fn confirm(tx: &mut Tx, id: ImportId, how: Confirmed) -> Result<bool, Error> {
    let changed = execute!(
        tx,
        "UPDATE imports SET status = 'running', may_pay = $2, invites = $3, rows_total = $4, left_out = $5, confirmed_at = $6
         WHERE id = $1 AND status = 'open'",
        id,
        how.may_pay,
        how.invites,
        how.rows,
        how.left_out,
        how.at
    )?;
    Ok(changed == 1)
}

/// It, if it is being written; nobody else goes on with it until the transaction ends.
pub async fn lock(tx: &mut Tx, id: ImportId) -> Result<Option<Import>, Error> {
    let running = execute!(tx, "UPDATE imports SET rows_done = rows_done WHERE id = $1 AND status = 'running'", id)?;
    if running == 0 { Ok(None) } else { by_id(tx, id).await }
}

/// So many rows further, and what came of them.
pub async fn advance(
    tx: &mut Tx,
    id: ImportId,
    rows: i64,
    (added, known, left_out): (i64, i64, i64),
) -> Result<(), Error> {
    execute!(
        tx,
        "UPDATE imports SET rows_done = rows_done + $2, added = added + $3, known = known + $4, left_out = left_out + $5 WHERE id = $1",
        id,
        rows,
        added,
        known,
        left_out
    )
    .map(drop)
}

/// The file is not needed any more, and is not kept.
pub async fn finish(tx: &mut Tx, id: ImportId, now: Time) -> Result<(), Error> {
    execute!(tx, "UPDATE imports SET status = 'done', finished_at = $2, file = NULL WHERE id = $1", id, now).map(drop)
}

/// Throws an open one away; whether it was.
pub async fn discard(tx: &mut Tx, id: ImportId) -> Result<bool, Error> {
    Ok(execute!(tx, "DELETE FROM imports WHERE id = $1 AND status = 'open'", id)? == 1)
}

/// Throws away what was chosen before that and never confirmed.
pub async fn forget(tx: &mut Tx, before: Time) -> Result<(), Error> {
    execute!(tx, "DELETE FROM imports WHERE status = 'open' AND created_at < $1", before).map(drop)
}

pub async fn note(tx: &mut Tx, id: ImportId, place: i64, bad: &Bad) -> Result<(), Error> {
    execute!(
        tx,
        "INSERT INTO import_issues (import_id, line, place, column_name, cell, issue) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (import_id, line, place) DO NOTHING",
        id,
        bad.line,
        place,
        &bad.column,
        &bad.value,
        &bad.why
    )
    .map(drop)
}

row! {
    pub struct Noted {
        pub line: i64,
        pub column_name: String,
        pub cell: String,
        pub issue: String,
    }
}

pub async fn noted(tx: &mut Tx, id: ImportId, limit: i64) -> Result<Vec<Bad>, Error> {
    let rows = fetch_all!(
        Noted,
        tx,
        "SELECT line, column_name, cell, issue FROM import_issues WHERE import_id = $1 ORDER BY line, place LIMIT $2",
        id,
        limit
    )?;
    Ok(rows
        .into_iter()
        .map(|row| Bad { line: row.line, column: row.column_name, value: row.cell, why: row.issue })
        .collect())
}

/// A number for ids that nobody else makes.
pub async fn instance(tx: &mut Tx) -> Result<i64, Error> {
    let (number,) = fetch_one!((i64,), tx, "UPDATE instances SET last = last + 1 RETURNING last")?;
    Ok(number)
}

/// All rows that one of many keys names. A list of unknown length is no placeholder of either engine's, and each has a
/// function of its own that makes rows of a JSON array.
macro_rules! among {
    ($row:ty, $tx:expr, $head:literal, $keys:expr, $program:expr $(, $more:expr)*) => {{
        let keys = serde_json::to_string($keys).unwrap_or_default();
        match $tx {
            Tx::Sqlite(_) => fetch_all!($row, $tx, concat!($head, " IN (SELECT value FROM json_each($1))"), &keys, $program $(, $more)*),
            Tx::Postgres(_) => {
                fetch_all!($row, $tx, concat!($head, " IN (SELECT json_array_elements_text(CAST($1 AS json)))"), &keys, $program $(, $more)*)
            }
        }
    }};
}

row! {
    #[derive(Debug, Clone)]
    pub struct Person {
        pub email_key: String,
        pub id: AffiliateId,
        pub status: affiliate::Status,
    }
}

pub async fn people(tx: &mut Tx, program: ProgramId, emails: &[String]) -> Result<Vec<Person>, Error> {
    among!(
        Person,
        tx,
        "SELECT email_key, id, status FROM affiliates WHERE program_id = $2 AND email_key",
        emails,
        program
    )
}

row! {
    /// A code's key, and whose it is.
    #[derive(Debug, Clone)]
    pub struct Taken {
        pub code_key: String,
        pub affiliate_id: AffiliateId,
    }
}

pub async fn codes(tx: &mut Tx, program: ProgramId, keys: &[String]) -> Result<Vec<Taken>, Error> {
    among!(Taken, tx, "SELECT code_key, affiliate_id FROM codes WHERE program_id = $2 AND code_key", keys, program)
}

pub async fn coupons(tx: &mut Tx, program: ProgramId, keys: &[String]) -> Result<Vec<Taken>, Error> {
    among!(Taken, tx, "SELECT code_key, affiliate_id FROM coupons WHERE program_id = $2 AND code_key", keys, program)
}

row! {
    #[derive(Debug, Clone)]
    pub struct Order {
        pub order_id: String,
        pub affiliate_id: AffiliateId,
        pub amount_minor: i64,
    }
}

pub async fn orders(tx: &mut Tx, program: ProgramId, orders: &[String]) -> Result<Vec<Order>, Error> {
    among!(
        Order,
        tx,
        "SELECT order_id, affiliate_id, amount_minor FROM conversions WHERE program_id = $2 AND order_id",
        orders,
        program
    )
}

row! {
    #[derive(Debug, Clone)]
    pub struct Old {
        pub old_id: String,
        pub affiliate_id: AffiliateId,
    }
}

/// Whom the other tool called so.
pub async fn old_ids(tx: &mut Tx, program: ProgramId, tool: Tool, ids: &[String]) -> Result<Vec<Old>, Error> {
    among!(
        Old,
        tx,
        "SELECT old_id, affiliate_id FROM imported_affiliates WHERE program_id = $2 AND tool = $3 AND old_id",
        ids,
        program,
        tool
    )
}

/// Keeps how the other tool called an affiliate; the first to be called so stays that.
pub async fn remember(tx: &mut Tx, import: &Import, old_id: &str, affiliate: AffiliateId) -> Result<(), Error> {
    execute!(
        tx,
        "INSERT INTO imported_affiliates (program_id, tool, old_id, affiliate_id, import_id) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (program_id, tool, old_id) DO NOTHING",
        import.program_id,
        import.tool,
        old_id,
        affiliate,
        import.id
    )
    .map(drop)
}

/// Says of a sale by which file it came.
pub async fn brought(tx: &mut Tx, import: ImportId, sale: ConversionId) -> Result<(), Error> {
    execute!(tx, "UPDATE conversions SET import_id = $2 WHERE id = $1", sale, import).map(drop)
}

/// Lets nobody else count for these affiliates until the transaction ends, in the one order that everybody keeps to.
pub async fn lock_totals(tx: &mut Tx, affiliates: &[AffiliateId]) -> Result<(), Error> {
    let Tx::Postgres(pg) = tx else {
        // On SQLite whoever writes is alone.
        return Ok(());
    };
    let ids: Vec<i64> = affiliates.iter().map(|id| id.raw()).collect();
    let text = "SELECT affiliate_id FROM affiliate_totals WHERE affiliate_id = ANY($1) ORDER BY affiliate_id FOR NO KEY UPDATE";
    sqlx::query(text).bind(&ids).execute(pg.raw()).await?;
    Ok(())
}
