//! People whom a program has invited to become its affiliates.

use super::{Error, Tx, execute, fetch_all, fetch_optional, one_time_links::LinkId, row};
use crate::domain::{
    email::Email,
    id::{AffiliateId, AffiliateInvitationId, ProgramId},
    time::Time,
};

row! {
    #[derive(Debug, Clone)]
    pub struct Invitation {
        pub id: AffiliateInvitationId,
        pub email: String,
        pub name: String,
        pub affiliate_id: Option<AffiliateId>,
        pub link_id: LinkId,
        pub sent_at: Time,
        pub expires_at: Time,
    }
}

#[derive(Debug)]
pub struct NewRow<'a> {
    pub id: AffiliateInvitationId,
    pub program: ProgramId,
    pub email: &'a Email,
    pub name: &'a str,
    pub affiliate: Option<AffiliateId>,
    pub link: LinkId,
    pub expires_at: Time,
}

/// Invites; `false` where the address has an open invitation.
pub async fn create(tx: &mut Tx, new: NewRow<'_>) -> Result<bool, Error> {
    let made = execute!(
        tx,
        "INSERT INTO invitations (id, program_id, email, email_key, name, affiliate_id, link_id, sent_at, expires_at, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $8)
         ON CONFLICT (program_id, email_key) WHERE accepted_at IS NULL AND withdrawn_at IS NULL DO NOTHING",
        new.id,
        new.program,
        new.email.as_str(),
        new.email.key(),
        new.name,
        new.affiliate,
        new.link,
        new.id.time(),
        new.expires_at
    )?;
    Ok(made == 1)
}

macro_rules! invitation {
    ($rest:literal) => {
        concat!(
            "SELECT id, email, name, affiliate_id, link_id, sent_at, expires_at FROM invitations
             WHERE accepted_at IS NULL AND withdrawn_at IS NULL ",
            $rest
        )
    };
}

/// A program's open invitations, newest first.
pub async fn open(tx: &mut Tx, program: ProgramId, limit: i64, offset: i64) -> Result<Vec<Invitation>, Error> {
    fetch_all!(
        Invitation,
        tx,
        invitation!("AND program_id = $1 ORDER BY id DESC LIMIT $2 OFFSET $3"),
        program,
        limit,
        offset
    )
}

pub async fn by_address(tx: &mut Tx, program: ProgramId, email: &Email) -> Result<Option<Invitation>, Error> {
    fetch_optional!(Invitation, tx, invitation!("AND program_id = $1 AND email_key = $2"), program, email.key())
}

pub async fn by_link(tx: &mut Tx, link: LinkId) -> Result<Option<Invitation>, Error> {
    fetch_optional!(Invitation, tx, invitation!("AND link_id = $1"), link)
}

/// The open invitation, and nobody else's until the transaction ends.
pub async fn lock(tx: &mut Tx, program: ProgramId, id: AffiliateInvitationId) -> Result<Option<Invitation>, Error> {
    fetch_optional!(
        Invitation,
        tx,
        "UPDATE invitations SET sent_at = sent_at
         WHERE id = $1 AND +program_id = $2 AND accepted_at IS NULL AND withdrawn_at IS NULL
         RETURNING id, email, name, affiliate_id, link_id, sent_at, expires_at",
        id,
        program
    )
}

pub async fn sent_again(
    tx: &mut Tx,
    id: AffiliateInvitationId,
    link: LinkId,
    now: Time,
    expires_at: Time,
) -> Result<(), Error> {
    execute!(
        tx,
        "UPDATE invitations SET link_id = $2, sent_at = $3, expires_at = $4 WHERE id = $1",
        id,
        link,
        now,
        expires_at
    )
    .map(drop)
}

pub async fn accept(
    tx: &mut Tx,
    id: AffiliateInvitationId,
    affiliate: AffiliateId,
    terms_version: i64,
    now: Time,
) -> Result<(), Error> {
    execute!(
        tx,
        "UPDATE invitations SET accepted_at = $2, affiliate_id = $3, terms_version = $4 WHERE id = $1",
        id,
        now,
        affiliate,
        terms_version
    )
    .map(drop)
}

pub async fn withdraw(tx: &mut Tx, id: AffiliateInvitationId, now: Time) -> Result<(), Error> {
    execute!(tx, "UPDATE invitations SET withdrawn_at = $2 WHERE id = $1", id, now).map(drop)
}
