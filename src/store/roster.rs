//! A program's affiliates as its merchant goes through them: filtered, sorted by any figure, with notes.

use super::{Error, Tx, execute, fetch_all, fetch_optional, row};
use crate::domain::{
    affiliate::{PaymentMethod, Status},
    id::{AccountId, AffiliateId, Id, ProgramId},
    time::Time,
};

row! {
    /// Amounts in minor units.
    #[derive(Debug, Clone)]
    pub struct Line {
        pub id: AffiliateId,
        pub name: String,
        pub email: String,
        pub code: String,
        pub status: Status,
        pub payment_method: Option<PaymentMethod>,
        pub created_at: Time,
        pub clicks: i64,
        pub conversions: i64,
        pub sales_minor: i64,
        pub unpaid_minor: i64,
        pub approved_minor: i64,
        pub paid_minor: i64,
        /// The group's name, where they are in one.
        pub group_name: Option<String>,
    }
}

/// What is listed and in which order. Empty words filter nothing.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub status: &'a str,
    /// Lower case between `%`, `!` before what LIKE would read otherwise.
    pub like: &'a str,
    /// `earning`, `unpayable` or `no-method`.
    pub only: &'a str,
    /// Those of that group; 0 is everybody.
    pub group: i64,
    /// `joined`, `clicks`, `conversions`, `revenue`, `unpaid` or `paid`.
    pub sort: &'a str,
    pub is_rising: bool,
}

macro_rules! lines {
    ($which:literal) => {
        concat!(
            "SELECT a.id, a.name, a.email, c.code, a.status, a.payment_method, a.created_at, t.clicks, t.conversions,
                    t.sales_minor, t.pending_minor + t.approved_minor AS unpaid_minor, t.approved_minor, t.paid_minor,
                    g.name AS group_name
             FROM affiliates a JOIN affiliate_totals t ON t.affiliate_id = a.id
             LEFT JOIN affiliate_groups g ON g.id = a.group_id
             JOIN codes c ON c.affiliate_id = a.id AND c.is_current WHERE a.program_id = $1 AND ",
            $which
        )
    };
}

/// A page. The newest of one status are found by an index; everything else looks at each affiliate once.
pub async fn page(
    tx: &mut Tx,
    program: ProgramId,
    asked: Asked<'_>,
    limit: i64,
    offset: i64,
) -> Result<Vec<Line>, Error> {
    let is_plain = asked.like.is_empty()
        && asked.only.is_empty()
        && asked.sort == "joined"
        && !asked.is_rising
        && asked.group == 0;
    let status = asked.status;
    if is_plain && !status.is_empty() {
        const TEXT: &str = lines!("a.status = $2 ORDER BY a.id DESC LIMIT $3 OFFSET $4");
        return fetch_all!(Line, tx, TEXT, program, status, limit, offset);
    }
    if is_plain {
        const TEXT: &str = lines!("a.status <> $2 ORDER BY a.id DESC LIMIT $3 OFFSET $4");
        return fetch_all!(Line, tx, TEXT, program, status, limit, offset);
    }
    let sign: i64 = if asked.is_rising { -1 } else { 1 };
    fetch_all!(
        Line,
        tx,
        lines!(
            "a.id IN (
               SELECT a.id FROM affiliate_totals t JOIN affiliates a ON a.id = t.affiliate_id
               WHERE t.program_id = $1 AND ($2 = '' OR a.status = $2)
                 AND ($5 = '' OR LOWER(a.name) LIKE $5 ESCAPE '!' OR a.email_key LIKE $5 ESCAPE '!' OR a.id IN (
                   SELECT affiliate_id FROM codes WHERE program_id = $1 AND code_key LIKE $5 ESCAPE '!'))
                 AND ($6 <> 'earning' OR t.pending_minor + t.approved_minor + t.paid_minor <> 0)
                 AND ($6 <> 'unpayable' OR (t.approved_minor > 0 AND a.payment_method IS NULL))
                 AND ($6 <> 'no-method' OR a.payment_method IS NULL)
                 AND ($9 = 0 OR a.group_id = $9)
               ORDER BY $8 * CASE $7 WHEN 'clicks' THEN t.clicks WHEN 'conversions' THEN t.conversions
                 WHEN 'revenue' THEN t.sales_minor WHEN 'unpaid' THEN t.pending_minor + t.approved_minor
                 WHEN 'paid' THEN t.paid_minor ELSE a.id END DESC, a.id DESC
               LIMIT $3 OFFSET $4)
             ORDER BY $8 * CASE $7 WHEN 'clicks' THEN t.clicks WHEN 'conversions' THEN t.conversions
               WHEN 'revenue' THEN t.sales_minor WHEN 'unpaid' THEN t.pending_minor + t.approved_minor
               WHEN 'paid' THEN t.paid_minor ELSE a.id END DESC, a.id DESC"
        ),
        program,
        status,
        limit,
        offset,
        asked.like,
        asked.only,
        asked.sort,
        sign,
        asked.group
    )
}

pub async fn one(tx: &mut Tx, program: ProgramId, id: AffiliateId) -> Result<Option<Line>, Error> {
    fetch_optional!(Line, tx, lines!("a.id = $2"), program, id)
}

row! {
    #[derive(Debug, Clone)]
    pub struct Code {
        pub code: String,
        pub is_current: bool,
        pub created_at: Time,
    }
}

/// The affiliate's codes, the current one first.
pub async fn codes(tx: &mut Tx, program: ProgramId, id: AffiliateId) -> Result<Vec<Code>, Error> {
    fetch_all!(
        Code,
        tx,
        "SELECT code, is_current, created_at FROM codes WHERE program_id = $1 AND affiliate_id = $2
         ORDER BY is_current DESC, created_at DESC LIMIT 100",
        program,
        id
    )
}

row! {
    #[derive(Debug, Clone)]
    pub struct Customer {
        /// `id:` and the merchant's own, or `email:` and a hash.
        pub identity: String,
        pub created_at: Time,
    }
}

/// The affiliate's newest customers.
pub async fn customers(tx: &mut Tx, id: AffiliateId, limit: i64) -> Result<Vec<Customer>, Error> {
    fetch_all!(
        Customer,
        tx,
        "SELECT identity, created_at FROM customers WHERE affiliate_id = $1 ORDER BY id DESC LIMIT $2",
        id,
        limit
    )
}

/// A note has no public id.
#[derive(Debug)]
pub enum NoteRow {}

row! {
    #[derive(Debug, Clone)]
    pub struct Note {
        pub text: String,
        pub author: String,
        pub created_at: Time,
    }
}

/// What the team noted of an affiliate, newest first.
pub async fn notes(tx: &mut Tx, id: AffiliateId) -> Result<Vec<Note>, Error> {
    fetch_all!(
        Note,
        tx,
        "SELECT n.text, a.name AS author, n.created_at FROM affiliate_notes n JOIN accounts a ON a.id = n.account_id
         WHERE n.affiliate_id = $1 ORDER BY n.id DESC LIMIT 100",
        id
    )
}

pub async fn add_note(
    tx: &mut Tx,
    id: Id<NoteRow>,
    affiliate: AffiliateId,
    author: AccountId,
    text: &str,
) -> Result<(), Error> {
    execute!(
        tx,
        "INSERT INTO affiliate_notes (id, affiliate_id, account_id, text, created_at) VALUES ($1, $2, $3, $4, $5)",
        id,
        affiliate,
        author,
        text,
        id.time()
    )
    .map(drop)
}

/// The columns that an account chose for a page, separated by commas.
pub async fn columns(tx: &mut Tx, account: AccountId, page: &str) -> Result<Option<String>, Error> {
    let row = fetch_optional!(
        (String,),
        tx,
        "SELECT columns FROM table_columns WHERE account_id = $1 AND page = $2",
        account,
        page
    )?;
    Ok(row.map(|(columns,)| columns))
}

pub async fn choose_columns(tx: &mut Tx, account: AccountId, page: &str, columns: &str) -> Result<(), Error> {
    execute!(
        tx,
        "INSERT INTO table_columns (account_id, page, columns) VALUES ($1, $2, $3)
         ON CONFLICT (account_id, page) DO UPDATE SET columns = excluded.columns",
        account,
        page,
        columns
    )
    .map(drop)
}

/// Whether somebody signs in as the affiliate.
pub async fn has_account(tx: &mut Tx, id: AffiliateId) -> Result<bool, Error> {
    let row =
        fetch_optional!((AffiliateId,), tx, "SELECT id FROM affiliates WHERE id = $1 AND account_id IS NOT NULL", id)?;
    Ok(row.is_some())
}
