//! Who works for a program, and who is invited to.

use super::{Error, Tx, execute, fetch_all, fetch_one, fetch_optional, one_time_links::LinkId, row};
use crate::domain::{
    id::{AccountId, ProgramId},
    one_time_link::Purpose,
    role::Role,
    time::Time,
};

row! {
    #[derive(Debug, Clone)]
    pub struct Member {
        pub account_id: AccountId,
        pub name: String,
        pub email: String,
        pub role: Role,
        pub has_two_steps: bool,
        pub created_at: Time,
    }
}

macro_rules! members {
    ($rest:literal) => {
        concat!(
            "SELECT m.account_id, a.name, a.email, m.role, (t.account_id IS NOT NULL) AS has_two_steps, m.created_at
             FROM memberships m JOIN accounts a ON a.id = m.account_id
             LEFT JOIN two_steps t ON t.account_id = m.account_id AND t.confirmed_at IS NOT NULL
             WHERE m.program_id = $1 ",
            $rest
        )
    };
}

/// The members, the first to come first.
pub async fn members(tx: &mut Tx, program: ProgramId) -> Result<Vec<Member>, Error> {
    fetch_all!(Member, tx, members!("ORDER BY m.created_at, m.account_id"), program)
}

pub async fn member(tx: &mut Tx, program: ProgramId, account: AccountId) -> Result<Option<Member>, Error> {
    fetch_optional!(Member, tx, members!("AND m.account_id = $2"), program, account)
}

/// Makes changes to a team wait for each other, until the transaction ends.
pub async fn lock(tx: &mut Tx, program: ProgramId) -> Result<(), Error> {
    execute!(tx, "UPDATE programs SET updated_at = updated_at WHERE id = $1", program).map(drop)
}

pub async fn owners(tx: &mut Tx, program: ProgramId) -> Result<i64, Error> {
    let (owners,) =
        fetch_one!((i64,), tx, "SELECT COUNT(*) FROM memberships WHERE program_id = $1 AND role = 'owner'", program)?;
    Ok(owners)
}

pub async fn set_role(tx: &mut Tx, program: ProgramId, account: AccountId, role: Role) -> Result<(), Error> {
    execute!(tx, "UPDATE memberships SET role = $3 WHERE program_id = $1 AND account_id = $2", program, account, role)
        .map(drop)
}

pub async fn remove(tx: &mut Tx, program: ProgramId, account: AccountId) -> Result<(), Error> {
    execute!(tx, "DELETE FROM memberships WHERE program_id = $1 AND account_id = $2", program, account).map(drop)
}

row! {
    #[derive(Debug, Clone)]
    pub struct Invitation {
        pub id: LinkId,
        pub email: String,
        pub role: Role,
        pub created_at: Time,
        pub expires_at: Time,
    }
}

macro_rules! invitations {
    ($rest:literal) => {
        concat!(
            "SELECT id, email, role, created_at, expires_at FROM one_time_links
             WHERE program_id = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $3
               AND email IS NOT NULL AND role IS NOT NULL ",
            $rest
        )
    };
}

/// The invitations that are still good, the newest first.
pub async fn invitations(tx: &mut Tx, program: ProgramId, now: Time) -> Result<Vec<Invitation>, Error> {
    fetch_all!(Invitation, tx, invitations!("ORDER BY id DESC"), program, Purpose::TeamInvitation, now)
}

pub async fn invitation(tx: &mut Tx, program: ProgramId, id: LinkId, now: Time) -> Result<Option<Invitation>, Error> {
    fetch_optional!(Invitation, tx, invitations!("AND id = $4"), program, Purpose::TeamInvitation, now, id)
}
