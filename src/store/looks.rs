//! How programs show themselves to their affiliates.

use super::{Error, Tx, execute, fetch_optional, row};
use crate::domain::{
    id::ProgramId,
    look::{Colour, Look, Visibility},
    time::Time,
};

row! {
    pub struct Row {
        pub customers: Visibility,
        pub colour: Option<String>,
        pub logo_hash: Option<String>,
        pub logo_kind: Option<String>,
    }
}

impl From<Row> for Look {
    fn from(row: Row) -> Self {
        Self {
            customers: row.customers,
            colour: row.colour.and_then(|colour| Colour::parse(&colour).ok()),
            logo: row.logo_hash.zip(row.logo_kind).map(|(hash, kind)| format!("{hash}.{kind}")),
        }
    }
}

pub async fn of(tx: &mut Tx, program: ProgramId) -> Result<Look, Error> {
    let found = fetch_optional!(
        Row,
        tx,
        "SELECT customers, colour, logo_hash, logo_kind FROM looks WHERE program_id = $1",
        program
    )?;
    Ok(found.map(Look::from).unwrap_or_default())
}

/// That of the program with the short name, whether there is one or not.
pub async fn of_slug(tx: &mut Tx, slug: &str) -> Result<Look, Error> {
    let found = fetch_optional!(
        Row,
        tx,
        "SELECT l.customers, l.colour, l.logo_hash, l.logo_kind FROM programs p JOIN looks l ON l.program_id = p.id
         WHERE p.slug = $1",
        slug
    )?;
    Ok(found.map(Look::from).unwrap_or_default())
}

/// Sets what it looks like; the logo stays.
pub async fn set(tx: &mut Tx, program: ProgramId, look: &Look, now: Time) -> Result<(), Error> {
    execute!(
        tx,
        "INSERT INTO looks (program_id, customers, colour, updated_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (program_id) DO UPDATE
         SET customers = excluded.customers, colour = excluded.colour, updated_at = excluded.updated_at",
        program,
        look.customers,
        look.colour.map(|colour| colour.to_string()),
        now
    )
    .map(drop)
}

/// A picture as it is kept.
#[derive(Debug)]
pub struct Logo {
    pub hash: String,
    pub kind: &'static str,
    /// In hex digits: text is the same on both engines.
    pub file: String,
}

/// Sets the logo of a program that has a look, or takes it away.
pub async fn set_logo(tx: &mut Tx, program: ProgramId, logo: Option<&Logo>) -> Result<(), Error> {
    execute!(
        tx,
        "UPDATE looks SET logo_hash = $2, logo_kind = $3, logo = $4 WHERE program_id = $1",
        program,
        logo.map(|logo| logo.hash.as_str()),
        logo.map(|logo| logo.kind),
        logo.map(|logo| logo.file.as_str())
    )
    .map(drop)
}

/// The logo's file, in hex digits, if it is this one.
pub async fn logo(tx: &mut Tx, slug: &str, hash: &str, kind: &str) -> Result<Option<String>, Error> {
    let found = fetch_optional!(
        (String,),
        tx,
        "SELECT l.logo FROM programs p JOIN looks l ON l.program_id = p.id
         WHERE p.slug = $1 AND l.logo_hash = $2 AND l.logo_kind = $3",
        slug,
        hash,
        kind
    )?;
    Ok(found.map(|(file,)| file))
}
