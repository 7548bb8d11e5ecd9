//! What a program's own site may report being changed, and a look at whether it works being begun.

use super::{Act, Change, Refusal};
use crate::{
    domain::{
        program::Difference,
        tracking::{Settings, differences},
    },
    store::{Tx, tracking},
};

/// Stores the settings; what differs.
///
/// # Errors
/// The database's.
pub async fn change(tx: &mut Tx, act: &Act, after: &Settings) -> Result<Vec<Difference>, Refusal> {
    let differences = differences(&tracking::settings(tx, act.program.id).await?, after);
    if differences.is_empty() {
        return Ok(differences);
    }
    tracking::save(tx, act.program.id, after).await?;
    let (before, after) = Difference::in_words(&differences);
    let change = Change { before: Some(&before), after: Some(&after), reason: None };
    act.audit(tx, "program.changed", act.program.id, change).await?;
    Ok(differences)
}

/// Begins a check under a code that is nobody's.
///
/// # Errors
/// The database's.
pub async fn start_check(tx: &mut Tx, act: &Act) -> Result<(), Refusal> {
    let code = format!("check-{:08x}", rand::random::<u32>());
    Ok(tracking::start_check(tx, act.program.id, &code, act.id(), act.now).await?)
}
