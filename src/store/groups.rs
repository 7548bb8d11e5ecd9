//! Groups of a program's affiliates. One is archived, never deleted.

use super::{Error, Tx, execute, fetch_all, fetch_optional, row};
use crate::domain::{
    id::{AffiliateId, GroupId, ProgramId},
    time::Time,
};

row! {
    #[derive(Debug, Clone)]
    pub struct Group {
        pub id: GroupId,
        pub name: String,
        /// How many affiliates are in it.
        pub members: i64,
        /// Terms of its own, which come before the program's: days of hold, and the least that is paid out, in minor
        /// units.
        pub hold_days: Option<i64>,
        pub minimum_minor: Option<i64>,
        pub archived_at: Option<Time>,
    }
}

macro_rules! group {
    ($rest:literal) => {
        concat!("SELECT id, name, members, hold_days, minimum_minor, archived_at FROM affiliate_groups ", $rest)
    };
}

/// A program's groups by name, the archived ones last.
pub async fn of(tx: &mut Tx, program: ProgramId) -> Result<Vec<Group>, Error> {
    fetch_all!(Group, tx, group!("WHERE program_id = $1 ORDER BY archived_at IS NOT NULL, name_key"), program)
}

/// Reads the group and keeps others from changing it until the transaction ends.
pub async fn lock(tx: &mut Tx, program: ProgramId, id: GroupId) -> Result<Option<Group>, Error> {
    fetch_optional!(
        Group,
        tx,
        "UPDATE affiliate_groups SET members = members WHERE id = $1 AND +program_id = $2
         RETURNING id, name, members, hold_days, minimum_minor, archived_at",
        id,
        program
    )
}

/// Makes the group; `false` where the program has one of that name.
pub async fn create(tx: &mut Tx, id: GroupId, program: ProgramId, name: &str) -> Result<bool, Error> {
    let made = execute!(
        tx,
        "INSERT INTO affiliate_groups (id, program_id, name, name_key, created_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (program_id, name_key) DO NOTHING",
        id,
        program,
        name,
        name.to_lowercase(),
        id.time()
    )?;
    Ok(made == 1)
}

/// Stores its name and terms.
///
/// # Errors
/// A unique violation where another one has the name.
pub async fn update(tx: &mut Tx, group: &Group) -> Result<(), Error> {
    execute!(
        tx,
        "UPDATE affiliate_groups SET name = $2, name_key = $3, hold_days = $4, minimum_minor = $5 WHERE id = $1",
        group.id,
        &group.name,
        group.name.to_lowercase(),
        group.hold_days,
        group.minimum_minor
    )
    .map(drop)
}

pub async fn by_id(tx: &mut Tx, program: ProgramId, id: GroupId) -> Result<Option<Group>, Error> {
    fetch_optional!(Group, tx, group!("WHERE id = $1 AND +program_id = $2"), id, program)
}

/// The days of hold of the group's own.
pub async fn hold_days(tx: &mut Tx, id: GroupId) -> Result<Option<i64>, Error> {
    let row = fetch_optional!((Option<i64>,), tx, "SELECT hold_days FROM affiliate_groups WHERE id = $1", id)?;
    Ok(row.and_then(|(days,)| days))
}

pub async fn set_archived(tx: &mut Tx, id: GroupId, at: Option<Time>) -> Result<(), Error> {
    execute!(tx, "UPDATE affiliate_groups SET archived_at = $2 WHERE id = $1", id, at).map(drop)
}

/// The group that the affiliate is in.
pub async fn of_affiliate(tx: &mut Tx, affiliate: AffiliateId) -> Result<Option<Group>, Error> {
    fetch_optional!(Group, tx, group!("WHERE id = (SELECT group_id FROM affiliates WHERE id = $1)"), affiliate)
}

/// Puts the affiliate there, who was elsewhere, and counts both groups.
pub async fn assign(
    tx: &mut Tx,
    affiliate: AffiliateId,
    from: Option<GroupId>,
    to: Option<GroupId>,
) -> Result<(), Error> {
    execute!(tx, "UPDATE affiliates SET group_id = $2 WHERE id = $1", affiliate, to)?;
    for (group, by) in [(from, -1_i64), (to, 1)] {
        if let Some(group) = group {
            execute!(tx, "UPDATE affiliate_groups SET members = members + $2 WHERE id = $1", group, by)?;
        }
    }
    Ok(())
}
