//! Sales that affiliates miss, and what they were answered.

use super::{Error, Tx, execute, fetch_all, fetch_one, fetch_optional, row};
use crate::domain::{
    claim::Status,
    id::{AffiliateId, ClaimId, ConversionId, Id, ProgramId},
    time::Time,
};

row! {
    /// Amounts in minor units, the day as days since 1970.
    #[derive(Debug, Clone)]
    pub struct Claim {
        pub id: ClaimId,
        pub affiliate_id: AffiliateId,
        pub affiliate_name: String,
        pub order_id: Option<String>,
        pub day: Option<i64>,
        pub amount_minor: Option<i64>,
        pub words: String,
        pub status: Status,
        pub answer: Option<String>,
        pub answered_at: Option<Time>,
        pub conversion_id: Option<ConversionId>,
        pub created_at: Time,
    }
}

#[derive(Debug)]
pub struct NewRow<'a> {
    pub id: ClaimId,
    pub program: ProgramId,
    pub affiliate: AffiliateId,
    pub order: Option<&'a str>,
    pub day: Option<i64>,
    pub amount: Option<i64>,
    pub words: &'a str,
}

pub async fn create(tx: &mut Tx, new: &NewRow<'_>) -> Result<(), Error> {
    execute!(
        tx,
        "INSERT INTO claims (id, program_id, affiliate_id, order_id, day, amount_minor, words, status, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'open', $8)",
        new.id,
        new.program,
        new.affiliate,
        new.order,
        new.day,
        new.amount,
        new.words,
        new.id.time()
    )
    .map(drop)
}

macro_rules! claim {
    ($rest:literal) => {
        concat!(
            "SELECT c.id, c.affiliate_id, a.name AS affiliate_name, c.order_id, c.day, c.amount_minor, c.words, c.status,
                    c.answer, c.answered_at, c.conversion_id, c.created_at
             FROM claims c JOIN affiliates a ON a.id = c.affiliate_id ",
            $rest
        )
    };
}

pub async fn by_id(tx: &mut Tx, program: ProgramId, id: ClaimId) -> Result<Option<Claim>, Error> {
    fetch_optional!(Claim, tx, claim!("WHERE c.id = $1 AND +c.program_id = $2"), id, program)
}

/// An affiliate's claims, newest first.
pub async fn of_affiliate(tx: &mut Tx, affiliate: AffiliateId, limit: i64) -> Result<Vec<Claim>, Error> {
    fetch_all!(Claim, tx, claim!("WHERE c.affiliate_id = $1 ORDER BY c.id DESC LIMIT $2"), affiliate, limit)
}

/// How many claims an affiliate has made since then.
pub async fn count_since(tx: &mut Tx, affiliate: AffiliateId, since: Time) -> Result<i64, Error> {
    let since: ClaimId = Id::first_at(since);
    let (count,) =
        fetch_one!((i64,), tx, "SELECT COUNT(*) FROM claims WHERE affiliate_id = $1 AND id >= $2", affiliate, since)?;
    Ok(count)
}

/// The affiliate's claim of that order that waits for an answer.
pub async fn open_of_order(tx: &mut Tx, affiliate: AffiliateId, order: &str) -> Result<Option<ClaimId>, Error> {
    let row = fetch_optional!(
        (ClaimId,),
        tx,
        "SELECT id FROM claims WHERE affiliate_id = $1 AND order_id = $2 AND status = 'open' ORDER BY id LIMIT 1",
        affiliate,
        order
    )?;
    Ok(row.map(|(id,)| id))
}

/// A page of a program's claims, those that wait or all, newest first.
pub async fn page(
    tx: &mut Tx,
    program: ProgramId,
    only_open: bool,
    before: ClaimId,
    limit: i64,
) -> Result<Vec<Claim>, Error> {
    if only_open {
        return fetch_all!(
            Claim,
            tx,
            claim!("WHERE c.program_id = $1 AND c.status = 'open' AND c.id < $2 ORDER BY c.id DESC LIMIT $3"),
            program,
            before,
            limit
        );
    }
    fetch_all!(
        Claim,
        tx,
        claim!("WHERE c.program_id = $1 AND c.id < $2 ORDER BY c.id DESC LIMIT $3"),
        program,
        before,
        limit
    )
}

/// How many of a program's wait for an answer, counted up to `most`.
pub async fn count_open(tx: &mut Tx, program: ProgramId, most: i64) -> Result<i64, Error> {
    let (count,) = fetch_one!(
        (i64,),
        tx,
        "SELECT COUNT(*) FROM (SELECT id FROM claims WHERE program_id = $1 AND status = 'open' LIMIT $2) AS waiting",
        program,
        most
    )?;
    Ok(count)
}

/// Answers it, if nobody has; whether nobody had.
pub async fn answer(
    tx: &mut Tx,
    program: ProgramId,
    id: ClaimId,
    status: Status,
    words: Option<&str>,
    now: Time,
) -> Result<bool, Error> {
    let answered = execute!(
        tx,
        "UPDATE claims SET status = $3, answer = $4, answered_at = $5 WHERE id = $1 AND +program_id = $2 AND status = 'open'",
        id,
        program,
        status,
        words,
        now
    )?;
    Ok(answered == 1)
}

/// The sale that was credited by it.
pub async fn credited(tx: &mut Tx, id: ClaimId, sale: ConversionId) -> Result<(), Error> {
    execute!(tx, "UPDATE claims SET conversion_id = $2 WHERE id = $1", id, sale).map(drop)
}
