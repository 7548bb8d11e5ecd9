//! What a program's own site may report, and what it was seen to do while its merchant looked.

use super::{Error, Tx, execute, fetch_all, fetch_one, fetch_optional, row};
use crate::domain::{
    id::{ClickId, ProgramId},
    time::Time,
    tracking::{self, Check, Settings, Sign, Site},
};

pub async fn settings(tx: &mut Tx, program: ProgramId) -> Result<Settings, Error> {
    let found = fetch_optional!(
        (String, bool),
        tx,
        "SELECT parameters, needs_consent FROM tracking_settings WHERE program_id = $1",
        program
    )?;
    let Some((parameters, needs_consent)) = found else { return Ok(Settings::default()) };
    let parameters = tracking::parameters(&parameters).map_err(|issue| Error::Corrupt(issue.to_string()))?;
    Ok(Settings { parameters, needs_consent })
}

pub async fn save(tx: &mut Tx, program: ProgramId, settings: &Settings) -> Result<(), Error> {
    execute!(
        tx,
        "INSERT INTO tracking_settings (program_id, parameters, needs_consent) VALUES ($1, $2, $3)
         ON CONFLICT (program_id) DO UPDATE SET parameters = excluded.parameters, needs_consent = excluded.needs_consent",
        program,
        settings.parameters.join(","),
        settings.needs_consent
    )
    .map(drop)
}

pub async fn site(tx: &mut Tx, program: ProgramId) -> Result<Site, Error> {
    Ok(Site { settings: settings(tx, program).await?, check: check(tx, program).await? })
}

/// The newest check of the program's site, running or over.
pub async fn check(tx: &mut Tx, program: ProgramId) -> Result<Option<Check>, Error> {
    let found = fetch_optional!(
        (String, ClickId, Time, Option<Time>),
        tx,
        "SELECT code, click_id, started_at, passed_at FROM site_checks WHERE program_id = $1",
        program
    )?;
    Ok(found.map(|(code, click, started_at, passed_at)| Check { code, click, started_at, passed_at }))
}

/// Begins one; what an earlier one saw is forgotten, but not that it passed.
pub async fn start_check(tx: &mut Tx, program: ProgramId, code: &str, click: ClickId, now: Time) -> Result<(), Error> {
    execute!(tx, "DELETE FROM site_observations WHERE program_id = $1", program)?;
    execute!(
        tx,
        "INSERT INTO site_checks (program_id, code, click_id, started_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (program_id) DO UPDATE
         SET code = excluded.code, click_id = excluded.click_id, started_at = excluded.started_at",
        program,
        code,
        click,
        now
    )
    .map(drop)
}

/// Notes that it has worked.
pub async fn pass_check(tx: &mut Tx, program: ProgramId, now: Time) -> Result<(), Error> {
    execute!(tx, "UPDATE site_checks SET passed_at = $2 WHERE program_id = $1 AND passed_at IS NULL", program, now)
        .map(drop)
}

row! {
    #[derive(Debug, Clone)]
    pub struct Observation {
        pub kind: Sign,
        pub detail: String,
        pub seen_at: Time,
    }
}

pub async fn observations(tx: &mut Tx, program: ProgramId) -> Result<Vec<Observation>, Error> {
    fetch_all!(
        Observation,
        tx,
        "SELECT kind, detail, seen_at FROM site_observations WHERE program_id = $1 ORDER BY kind",
        program
    )
}

/// Whether a click arrived and a sale would: what a site cannot do without.
pub async fn has_all(tx: &mut Tx, program: ProgramId) -> Result<bool, Error> {
    let (count,) = fetch_one!(
        (i64,),
        tx,
        "SELECT COUNT(*) FROM site_observations WHERE program_id = $1 AND (kind = 'click' OR kind = 'sale')",
        program
    )?;
    Ok(count == 2)
}

/// Keeps the latest of its kind.
pub async fn observe(tx: &mut Tx, program: ProgramId, kind: Sign, detail: &str, now: Time) -> Result<(), Error> {
    execute!(
        tx,
        "INSERT INTO site_observations (program_id, kind, detail, seen_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (program_id, kind) DO UPDATE SET detail = excluded.detail, seen_at = excluded.seen_at",
        program,
        kind,
        detail,
        now
    )
    .map(drop)
}

/// The code of an affiliate who may earn, for a sale that is not one.
pub async fn anybody(tx: &mut Tx, program: ProgramId) -> Result<Option<String>, Error> {
    let found = fetch_optional!(
        (String,),
        tx,
        "SELECT c.code FROM affiliates a JOIN codes c ON c.affiliate_id = a.id AND c.is_current
         WHERE a.program_id = $1 AND a.status = 'active' ORDER BY a.id LIMIT 1",
        program
    )?;
    Ok(found.map(|(code,)| code))
}
