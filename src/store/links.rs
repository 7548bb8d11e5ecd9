//! Links that affiliates made beside their first one. A link's code is one of the affiliate's codes, so
//! clicks and sales through it are theirs like any other.

use super::{Error, Tx, execute, fetch_all, fetch_one, fetch_optional, row};
use crate::domain::{
    code::Code,
    id::{AffiliateId, LinkId, ProgramId},
    time::Time,
};

row! {
    #[derive(Debug, Clone)]
    pub struct Link {
        pub id: LinkId,
        pub code: String,
        pub label: String,
        pub destination: Option<String>,
        pub created_at: Time,
        pub archived_at: Option<Time>,
        pub clicks: i64,
        /// By clicks of it that decided.
        pub sales: i64,
    }
}

#[derive(Debug)]
pub struct NewLink<'a> {
    pub id: LinkId,
    pub program: ProgramId,
    pub affiliate: AffiliateId,
    pub code: &'a Code,
    pub label: &'a str,
    pub destination: Option<&'a str>,
}

/// Makes the link of a code that the affiliate has; `false` where the code has a link already.
pub async fn create(tx: &mut Tx, new: NewLink<'_>) -> Result<bool, Error> {
    let made = execute!(
        tx,
        "INSERT INTO links (id, program_id, affiliate_id, code_key, label, destination, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (program_id, code_key) DO NOTHING",
        new.id,
        new.program,
        new.affiliate,
        new.code.key(),
        new.label,
        new.destination,
        new.id.time()
    )?;
    Ok(made == 1)
}

macro_rules! link {
    ($rest:literal) => {
        concat!(
            "SELECT l.id, c.code, l.label, l.destination, l.created_at, l.archived_at, l.clicks, l.sales
             FROM links l JOIN codes c ON c.program_id = l.program_id AND c.code_key = l.code_key ",
            $rest
        )
    };
}

/// An affiliate's links, newest first.
pub async fn of_affiliate(tx: &mut Tx, affiliate: AffiliateId) -> Result<Vec<Link>, Error> {
    fetch_all!(Link, tx, link!("WHERE l.affiliate_id = $1 ORDER BY l.id DESC"), affiliate)
}

pub async fn by_id(tx: &mut Tx, affiliate: AffiliateId, id: LinkId) -> Result<Option<Link>, Error> {
    fetch_optional!(Link, tx, link!("WHERE l.id = $1 AND l.affiliate_id = $2"), id, affiliate)
}

pub async fn count(tx: &mut Tx, affiliate: AffiliateId) -> Result<i64, Error> {
    let (count,) = fetch_one!((i64,), tx, "SELECT COUNT(*) FROM links WHERE affiliate_id = $1", affiliate)?;
    Ok(count)
}

pub async fn rename(tx: &mut Tx, id: LinkId, label: &str) -> Result<(), Error> {
    execute!(tx, "UPDATE links SET label = $2 WHERE id = $1", id, label).map(drop)
}

/// A sale was credited by a click of it.
pub async fn count_sale(tx: &mut Tx, id: LinkId) -> Result<(), Error> {
    execute!(tx, "UPDATE links SET sales = sales + 1 WHERE id = $1", id).map(drop)
}

/// Puts it away, or (`None`) back.
pub async fn archive(tx: &mut Tx, id: LinkId, at: Option<Time>) -> Result<(), Error> {
    execute!(tx, "UPDATE links SET archived_at = $2 WHERE id = $1", id, at).map(drop)
}

row! {
    pub struct Destination {
        pub id: LinkId,
        pub code_key: String,
        pub destination: String,
    }
}

/// Where the program's links lead, of those made since that id.
pub async fn destinations(tx: &mut Tx, program: ProgramId, since: LinkId) -> Result<Vec<Destination>, Error> {
    fetch_all!(
        Destination,
        tx,
        "SELECT id, code_key, destination FROM links
         WHERE program_id = $1 AND id >= $2 AND destination IS NOT NULL ORDER BY id",
        program,
        since
    )
}
