//! Files of another tool being looked at and written. What a row would do is decided once, by the same code for a dry
//! run and for writing; what it does, it does by the flows that the API calls.
//!
//! A file is written in steps, each a transaction of its own, so that clicks and sales do not wait for long: the first
//! with the confirmation, the rest by a job that goes on from where the last step ended, whatever happens in between.

mod affiliates;
mod past;
mod sales;

use std::{collections::BTreeMap, sync::Arc};

use tokio::task::spawn_blocking;

use super::{Act, Actor, Change, Refusal, tracking as settings};
use crate::{
    app::App,
    domain::{
        id::{ImportId, ProgramId},
        imports::{
            self, Bad, Kind, Sheet,
            affiliates::{self as their_rows, Affiliates},
            sales::{self as sale_rows, How},
            table::Unreadable,
            tool::Tool,
        },
        money::Currency,
        time::Time,
        tracking::parameters,
    },
    store::{
        self, Tx,
        imports::{self as stored, Confirmed, Import, New},
        jobs, programs, tracking,
    },
};

pub const JOB: &str = "import";
/// Rows that are written in one transaction, or looked at with one question each of several kinds.
const STEP: usize = 100;
const LOOKED_AT: usize = 500;
/// Steps of one job, which takes less time than its lease.
const STEPS: usize = 50;
/// As many wrong cells as are kept once a file is gone.
const KEPT: usize = 2_000;

/// A file's rows.
pub enum Rows {
    Affiliates(Affiliates),
    Sales(Sheet<sale_rows::Row>),
}

impl Rows {
    /// # Errors
    /// When the file cannot be read.
    pub fn read(text: &str, import: &Import, currency: Currency) -> Result<Self, Unreadable> {
        // As of when it was chosen, so that a row is as good later as it was then.
        let (tool, now) = (import.tool, import.created_at);
        Ok(match import.kind {
            Kind::Affiliates => Self::Affiliates(their_rows::read(text, tool, now)?),
            Kind::Sales => {
                let how = How { tool, currency, in_minor_units: import.in_minor_units, now };
                Self::Sales(sale_rows::read(text, how)?)
            }
        })
    }

    pub fn len(&self) -> usize {
        match self {
            Self::Affiliates(file) => file.sheet.rows.len(),
            Self::Sales(sheet) => sheet.rows.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is wrong with the others.
    pub fn bad(&self) -> &[Bad] {
        match self {
            Self::Affiliates(file) => &file.sheet.bad,
            Self::Sales(sheet) => &sheet.bad,
        }
    }

    /// Which columns are read as what, and which are not read.
    pub fn columns(&self) -> (&[(String, &'static str)], &[String]) {
        match self {
            Self::Affiliates(file) => (&file.sheet.used, &file.sheet.unused),
            Self::Sales(sheet) => (&sheet.used, &sheet.unused),
        }
    }

    /// The parameters that old links name affiliates by.
    pub fn parameters(&self, tool: Tool) -> Vec<String> {
        match self {
            Self::Affiliates(file) => file.parameters.clone(),
            Self::Sales(_) => tool.parameters().iter().map(|name| (*name).to_owned()).collect(),
        }
    }
}

/// A file as it is kept, before anybody has looked at it.
pub fn unread(new: &New, now: Time) -> Import {
    Import {
        id: new.id,
        program_id: new.program,
        account_id: new.account,
        kind: new.kind,
        tool: new.tool,
        file_name: new.file_name.clone(),
        digest: new.digest.clone(),
        in_minor_units: new.in_minor_units,
        status: imports::Status::Open,
        created_at: now,
        may_pay: false,
        invites: false,
        confirmed_at: None,
        finished_at: None,
        rows_total: 0,
        rows_done: 0,
        added: 0,
        known: 0,
        left_out: 0,
    }
}

/// What the file calls a column that is read as that; empty where it has none.
fn header<'a>(used: &'a [(String, &'static str)], what: &str) -> &'a str {
    used.iter().find(|(_, known)| *known == what).map_or("", |(header, _)| header)
}

/// What writing the file would do now.
#[derive(Debug, Default)]
pub struct Look {
    pub added: i64,
    /// There already; some of them get a code or a coupon that they do not have.
    pub known: i64,
    pub mended: i64,
    /// Codes of old links that would work from then on.
    pub codes: i64,
    /// In minor units, of the sales that would be added and of what they earned.
    pub sold: i64,
    pub earned: i64,
    /// Everything that is wrong, in the order of the lines.
    pub bad: Vec<Bad>,
    pub bad_rows: i64,
    /// Groups that the program does not have, and how many rows name them.
    pub no_groups: BTreeMap<String, i64>,
    /// As the first ones would be.
    pub first: Vec<Made>,
}

/// A row as it would be.
#[derive(Debug)]
pub struct Made {
    pub line: i64,
    pub what: String,
    pub who: String,
    /// In minor units; `None` of an affiliate, and of a commission that the rules decide when it is written.
    pub amount: Option<i64>,
    pub commission: Option<i64>,
    pub codes: Vec<String>,
    pub status: &'static str,
    pub at: Option<Time>,
    pub is_new: bool,
}

/// As many rows as are shown as they would be.
const SHOWN: usize = 10;

/// Looks at every row. Writes nothing.
///
/// # Errors
/// The database's.
pub async fn look(tx: &mut Tx, program: ProgramId, import: &Import, rows: &Rows) -> Result<Look, store::Error> {
    let mut look = Look { bad: rows.bad().to_vec(), ..Look::default() };
    match rows {
        Rows::Affiliates(file) => {
            for some in file.sheet.rows.chunks(LOOKED_AT) {
                affiliates::look(tx, program, import, some, &file.sheet, &mut look).await?;
            }
        }
        Rows::Sales(sheet) => {
            for some in sheet.rows.chunks(LOOKED_AT) {
                sales::look(tx, program, import, some, sheet, &mut look).await?;
            }
        }
    }
    look.bad.sort_by_key(|bad| bad.line);
    look.bad_rows = imports::rows_of(&look.bad);
    Ok(look)
}

/// What of the file's link parameters the program does not read yet, and whether there is room for them.
///
/// # Errors
/// The database's.
pub async fn new_parameters(
    tx: &mut Tx,
    program: ProgramId,
    found: &[String],
) -> Result<(Vec<String>, bool), store::Error> {
    let known = tracking::settings(tx, program).await?.parameters;
    let new: Vec<String> = found.iter().filter(|name| !known.contains(name)).cloned().collect();
    let all = [known, new.clone()].concat().join(",");
    Ok((new, parameters(&all).is_ok()))
}

/// What somebody said who confirmed a file.
#[derive(Debug, Clone, Copy)]
pub struct Confirmation {
    pub may_pay: bool,
    pub may_configure: bool,
    pub invites: bool,
}

/// Writes a file that was looked at: its first rows now, the others by a job.
///
/// # Errors
/// When it is being written already, or something is in the way that was not when it was looked at.
pub async fn begin(tx: &mut Tx, act: &Act, import: &Import, rows: &Rows, said: Confirmation) -> Result<(), Refusal> {
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let confirmed = Confirmed {
        may_pay: said.may_pay,
        invites: said.invites,
        rows: count(rows.len()),
        left_out: imports::rows_of(rows.bad()),
        at: act.now,
    };
    if !stored::confirm(tx, import.id, confirmed).await? {
        return Err(Refusal::field("import", "was confirmed at this moment by somebody else, or is gone"));
    }
    for (place, bad) in rows.bad().iter().take(KEPT).enumerate() {
        stored::note(tx, import.id, count(place), bad).await?;
    }
    if said.may_configure {
        read_parameters(tx, act, &rows.parameters(import.tool)).await?;
    }
    let (good, kind) = (confirmed.rows, import.kind.noun(confirmed.rows));
    let after = format!(
        "{good} {kind} from {}, {} rows left out; file “{}”, SHA-256 {}",
        import.tool.source(),
        confirmed.left_out,
        import.file_name,
        import.digest
    );
    act.audit(tx, "import.confirmed", import.id, Change { after: Some(&after), ..Change::default() }).await?;
    if !step(tx, act, import.id, rows).await? {
        jobs::enqueue(tx, act.id(), JOB, &import.id.raw().to_string(), act.now).await?;
    }
    Ok(())
}

async fn read_parameters(tx: &mut Tx, act: &Act, found: &[String]) -> Result<(), Refusal> {
    let (new, has_room) = new_parameters(tx, act.program.id, found).await?;
    if new.is_empty() || !has_room {
        return Ok(());
    }
    let mut after = tracking::settings(tx, act.program.id).await?;
    after.parameters.extend(new);
    settings::change(tx, act, &after).await.map(drop)
}

/// Writes the next rows; whether those were the last, or nobody is to go on with it any more.
async fn step(tx: &mut Tx, act: &Act, id: ImportId, rows: &Rows) -> Result<bool, Refusal> {
    let Some(import) = stored::lock(tx, id).await? else { return Ok(true) };
    let from = usize::try_from(import.rows_done).unwrap_or(usize::MAX).min(rows.len());
    let to = (from + STEP).min(rows.len());
    let done = match rows {
        Rows::Affiliates(file) => affiliates::write(tx, act, &import, &file.sheet.rows[from..to], &file.sheet).await?,
        Rows::Sales(sheet) => sales::write(tx, act, &import, &sheet.rows[from..to], sheet).await?,
    };
    for (place, bad) in done.bad.iter().take(KEPT).enumerate() {
        // Behind what was wrong with the file itself.
        let place = i64::try_from(KEPT + place).unwrap_or(i64::MAX);
        stored::note(tx, id, place, bad).await?;
    }
    let count = i64::try_from(to - from).unwrap_or(i64::MAX);
    let left_out = imports::rows_of(&done.bad);
    stored::advance(tx, id, count, (done.added, count - done.added - left_out, left_out)).await?;
    if to < rows.len() {
        return Ok(false);
    }
    stored::finish(tx, id, act.now).await?;
    let now = stored::by_id(tx, id).await?.ok_or(Refusal::NotFound("import"))?;
    let after = format!("{} added, {} there already, {} rows left out", now.added, now.known, now.left_out);
    act.audit(tx, "import.finished", id, Change { after: Some(&after), ..Change::default() }).await?;
    Ok(true)
}

/// What came of some rows.
#[derive(Debug, Default)]
struct Done {
    added: i64,
    bad: Vec<Bad>,
}

/// Goes on with a file that was begun; whether it is done with.
///
/// # Errors
/// The database's, or something in the way that is tried again; what was written until then stays.
pub async fn go_on(app: &App, id: ImportId) -> Result<bool, store::Error> {
    let mut tx = app.db.read().await?;
    let (Some(import), Some(text)) = (stored::by_id(&mut tx, id).await?, stored::file(&mut tx, id).await?) else {
        return Ok(true);
    };
    let Some(program) = programs::by_id(&mut tx, import.program_id).await? else { return Ok(true) };
    drop(tx);
    let act = app.act(Arc::new(program), Actor::Account(import.account_id));
    let currency = act.program.currency;
    let rows = spawn_blocking(move || Rows::read(&text, &import, currency)).await;
    let rows = rows.map_err(|error| store::Error::Unavailable(error.to_string()))?;
    let rows = Arc::new(rows.map_err(|unreadable| store::Error::Corrupt(format!("the file of {id} {unreadable}")))?);
    for _ in 0..STEPS {
        let (act, rows) = (Act { now: app.clock.now(), ..act.clone() }, Arc::clone(&rows));
        let work = app.db.write(move |tx| Box::pin(async move { step(tx, &act, id, &rows).await }));
        match work.await {
            Ok(true) => return Ok(true),
            Ok(false) => {}
            Err(Refusal::Store(error)) => return Err(error),
            // Somebody took a code or recorded an order at this moment: the next try sees it.
            Err(other) => return Err(store::Error::Unavailable(other.to_string())),
        }
    }
    Ok(false)
}
