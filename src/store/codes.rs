//! Referral codes. One is an affiliate's current code; those given up stay theirs and nobody else's.

use super::{Error, Tx, execute, fetch_optional, row};
use crate::domain::{
    affiliate::Status,
    attribution::Named,
    code::Code,
    id::{AffiliateId, GroupId, ProgramId},
    signals::Own,
    time::Time,
};

/// Makes it the affiliate's current code, where it is free or was theirs before; whether it did.
pub async fn take(
    tx: &mut Tx,
    program: ProgramId,
    affiliate: AffiliateId,
    code: &Code,
    now: Time,
) -> Result<bool, Error> {
    execute!(tx, "UPDATE codes SET is_current = $2 WHERE affiliate_id = $1 AND is_current", affiliate, false)?;
    let taken = execute!(
        tx,
        "INSERT INTO codes (program_id, code_key, code, affiliate_id, is_current, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (program_id, code_key) DO UPDATE SET code = excluded.code, is_current = excluded.is_current
         WHERE codes.affiliate_id = excluded.affiliate_id",
        program,
        code.key(),
        code.as_str(),
        affiliate,
        true,
        now
    )?;
    Ok(taken == 1)
}

pub async fn is_free(tx: &mut Tx, program: ProgramId, code: &Code) -> Result<bool, Error> {
    let row = fetch_optional!(
        (AffiliateId,),
        tx,
        "SELECT affiliate_id FROM codes WHERE program_id = $1 AND code_key = $2",
        program,
        code.key()
    )?;
    Ok(row.is_none())
}

pub async fn current(tx: &mut Tx, affiliate: AffiliateId) -> Result<Option<String>, Error> {
    let row =
        fetch_optional!((String,), tx, "SELECT code FROM codes WHERE affiliate_id = $1 AND is_current", affiliate)?;
    Ok(row.map(|(code,)| code))
}

row! {
    pub struct Row {
        pub id: AffiliateId,
        pub status: Status,
        pub code: String,
        pub group_id: Option<GroupId>,
        pub has_own_rate: bool,
        pub email: String,
        /// Sealed.
        pub sealed_details: Option<String>,
        pub account_email: Option<String>,
        pub ip_hash: Option<i64>,
    }
}

fn named(row: Row) -> Named {
    Named {
        affiliate: row.id,
        status: row.status,
        code: row.code,
        group: row.group_id,
        has_own_rate: row.has_own_rate,
        own: Own {
            email: row.email,
            payment: row.sealed_details,
            account_email: row.account_email,
            network: row.ip_hash,
        },
    }
}

/// The affiliate that a code or alias names.
pub async fn owner(tx: &mut Tx, program: ProgramId, code: &Code) -> Result<Option<Named>, Error> {
    let row = fetch_optional!(
        Row,
        tx,
        "SELECT a.id, a.status, now.code, a.group_id, a.has_own_rate, a.email, a.payment_details AS sealed_details, o.email AS account_email, o.ip_hash
         FROM codes c JOIN affiliates a ON a.id = c.affiliate_id JOIN codes now ON now.affiliate_id = a.id AND now.is_current
           LEFT JOIN accounts o ON o.id = a.account_id
         WHERE c.program_id = $1 AND c.code_key = $2",
        program,
        code.key()
    )?;
    Ok(row.map(named))
}

/// An affiliate of the program as evidence names it.
pub async fn named_by_id(tx: &mut Tx, program: ProgramId, affiliate: AffiliateId) -> Result<Option<Named>, Error> {
    let row = fetch_optional!(
        Row,
        tx,
        "SELECT a.id, a.status, c.code, a.group_id, a.has_own_rate, a.email, a.payment_details AS sealed_details, o.email AS account_email, o.ip_hash
         FROM affiliates a JOIN codes c ON c.affiliate_id = a.id AND c.is_current LEFT JOIN accounts o ON o.id = a.account_id
         WHERE a.id = $2 AND +a.program_id = $1",
        program,
        affiliate
    )?;
    Ok(row.map(named))
}

/// Makes it one more code of the affiliate beside the current one, where it is free or was given up by
/// them; whether it did.
pub async fn add(
    tx: &mut Tx,
    program: ProgramId,
    affiliate: AffiliateId,
    code: &Code,
    now: Time,
) -> Result<bool, Error> {
    let added = execute!(
        tx,
        "INSERT INTO codes (program_id, code_key, code, affiliate_id, is_current, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (program_id, code_key) DO UPDATE SET code = excluded.code
         WHERE codes.affiliate_id = excluded.affiliate_id AND NOT codes.is_current",
        program,
        code.key(),
        code.as_str(),
        affiliate,
        false,
        now
    )?;
    Ok(added == 1)
}
