//! How a program shows itself to its affiliates being changed.

use super::{Act, Change, Refusal};
use crate::{
    domain::{
        look::{Look, differences},
        program::Difference,
    },
    store::{
        Tx,
        looks::{self, Logo},
    },
};

/// What becomes of the logo.
#[derive(Debug)]
pub enum NewLogo {
    Kept,
    Removed,
    Is(Logo),
}

/// Stores the look, of which the logo is what `logo` says; what differs.
///
/// # Errors
/// The database's.
pub async fn change(tx: &mut Tx, act: &Act, look: Look, logo: NewLogo) -> Result<Vec<Difference>, Refusal> {
    let program = act.program.id;
    let before = looks::of(tx, program).await?;
    let file = match &logo {
        NewLogo::Kept => before.logo.clone(),
        NewLogo::Removed => None,
        NewLogo::Is(logo) => Some(format!("{}.{}", logo.hash, logo.kind)),
    };
    let after = Look { logo: file, ..look };
    let differences = differences(&before, &after);
    if differences.is_empty() {
        return Ok(differences);
    }
    looks::set(tx, program, &after, act.now).await?;
    match &logo {
        NewLogo::Kept => {}
        NewLogo::Removed => looks::set_logo(tx, program, None).await?,
        NewLogo::Is(logo) => looks::set_logo(tx, program, Some(logo)).await?,
    }
    let (before, after) = Difference::in_words(&differences);
    let change = Change { before: Some(&before), after: Some(&after), reason: None };
    act.audit(tx, "program.changed", program, change).await?;
    Ok(differences)
}
