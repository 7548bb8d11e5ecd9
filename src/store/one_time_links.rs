//! Links that let somebody in, or confirm something, once.

use super::{Error, Tx, execute, fetch_optional, row};
use crate::domain::{
    id::{AccountId, AffiliateId, Id, ProgramId},
    one_time_link::Purpose,
    time::Time,
};

/// A link has no public id: its token is shown instead.
#[derive(Debug)]
pub enum LinkRow {}

pub type LinkId = Id<LinkRow>;

row! {
    #[derive(Debug)]
    pub struct Link {
        pub id: LinkId,
        pub purpose: Purpose,
        pub account_id: Option<AccountId>,
        pub email: Option<String>,
        pub program_id: Option<ProgramId>,
        pub role: Option<String>,
        pub affiliate_id: Option<AffiliateId>,
        pub expires_at: Time,
    }
}

#[derive(Debug)]
pub struct NewRow<'a> {
    pub id: LinkId,
    pub purpose: Purpose,
    pub token_hash: &'a str,
    pub account: Option<AccountId>,
    pub email: Option<&'a str>,
    pub program: Option<ProgramId>,
    pub role: Option<&'a str>,
    pub affiliate: Option<AffiliateId>,
    pub expires_at: Time,
}

pub async fn create(tx: &mut Tx, new: NewRow<'_>) -> Result<(), Error> {
    execute!(
        tx,
        "INSERT INTO one_time_links (id, purpose, token_hash, account_id, email, program_id, role, affiliate_id, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        new.id,
        new.purpose,
        new.token_hash,
        new.account,
        new.email,
        new.program,
        new.role,
        new.affiliate,
        new.id.time(),
        new.expires_at
    )
    .map(drop)
}

/// The link with that token's hash, while it is good.
pub async fn good(tx: &mut Tx, purpose: Purpose, token_hash: &str, now: Time) -> Result<Option<Link>, Error> {
    fetch_optional!(
        Link,
        tx,
        "SELECT id, purpose, account_id, email, program_id, role, affiliate_id, expires_at FROM one_time_links
         WHERE token_hash = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $3",
        token_hash,
        purpose,
        now
    )
}

/// The same by its id, for a mail that is about to carry it.
pub async fn good_by_id(tx: &mut Tx, id: LinkId, now: Time) -> Result<Option<Link>, Error> {
    fetch_optional!(
        Link,
        tx,
        "SELECT id, purpose, account_id, email, program_id, role, affiliate_id, expires_at FROM one_time_links
         WHERE id = $1 AND used_at IS NULL AND expires_at > $2",
        id,
        now
    )
}

/// Uses the link up; the link for the one caller who does.
pub async fn use_up(tx: &mut Tx, purpose: Purpose, token_hash: &str, now: Time) -> Result<Option<Link>, Error> {
    fetch_optional!(
        Link,
        tx,
        "UPDATE one_time_links SET used_at = $3
         WHERE token_hash = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $3
         RETURNING id, purpose, account_id, email, program_id, role, affiliate_id, expires_at",
        token_hash,
        purpose,
        now
    )
}

/// Makes an account's links of that purpose worthless: a newer one takes their place, or nobody wants them.
pub async fn withdraw(tx: &mut Tx, purpose: Purpose, account: AccountId, now: Time) -> Result<u64, Error> {
    execute!(
        tx,
        "UPDATE one_time_links SET used_at = $3 WHERE account_id = $1 AND purpose = $2 AND used_at IS NULL",
        account,
        purpose,
        now
    )
}

/// Makes one link worthless.
pub async fn withdraw_one(tx: &mut Tx, id: LinkId, now: Time) -> Result<bool, Error> {
    Ok(execute!(tx, "UPDATE one_time_links SET used_at = $2 WHERE id = $1 AND used_at IS NULL", id, now)? == 1)
}

/// Deletes links that can no longer be used.
pub async fn forget(tx: &mut Tx, now: Time) -> Result<u64, Error> {
    execute!(tx, "DELETE FROM one_time_links WHERE expires_at <= $1", now)
}
