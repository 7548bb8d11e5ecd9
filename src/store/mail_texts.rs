//! Programs' own words in their mails.

use super::{Error, Tx, execute, fetch_all, fetch_optional};
use crate::domain::{id::ProgramId, mail_text::MailText, message::Kind};

/// What the program says in that kind of mail; without a row, nothing.
pub async fn of(tx: &mut Tx, program: ProgramId, kind: Kind) -> Result<MailText, Error> {
    let found = fetch_optional!(
        (Option<String>, Option<String>),
        tx,
        "SELECT subject, body FROM mail_texts WHERE program_id = $1 AND kind = $2",
        program,
        kind
    )?;
    Ok(found.map(|(subject, body)| MailText { subject, body }).unwrap_or_default())
}

/// The kinds of mail in which the program says something.
pub async fn kinds(tx: &mut Tx, program: ProgramId) -> Result<Vec<Kind>, Error> {
    let rows = fetch_all!((Kind,), tx, "SELECT kind FROM mail_texts WHERE program_id = $1 ORDER BY kind", program)?;
    Ok(rows.into_iter().map(|(kind,)| kind).collect())
}

/// Sets what it says; nothing at all is no row.
pub async fn set(tx: &mut Tx, program: ProgramId, kind: Kind, text: &MailText) -> Result<(), Error> {
    if *text == MailText::default() {
        return execute!(tx, "DELETE FROM mail_texts WHERE program_id = $1 AND kind = $2", program, kind).map(drop);
    }
    execute!(
        tx,
        "INSERT INTO mail_texts (program_id, kind, subject, body) VALUES ($1, $2, $3, $4)
         ON CONFLICT (program_id, kind) DO UPDATE SET subject = excluded.subject, body = excluded.body",
        program,
        kind,
        text.subject.as_deref(),
        text.body.as_deref()
    )
    .map(drop)
}
