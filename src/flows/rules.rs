//! Rules of what sales earn being added and ended, which is announced to those whom it touches. The past stays as
//! it was.

use super::{Act, Change, Refusal, announcements, groups};
use crate::{
    domain::{
        id::RuleId,
        rules::{Rule, Scope},
    },
    store::{Tx, affiliates, rules},
};

/// The most rules of a program that hold at once: each sale looks at all of them.
pub const MOST: usize = 100;

/// # Errors
/// When the program has too many rules, or the affiliate or group is not one of it.
pub async fn create(tx: &mut Tx, act: &Act, rule: &Rule) -> Result<(), Refusal> {
    let program = act.program.id;
    match rule.scope {
        Scope::Everybody => {}
        Scope::Group(id) => {
            groups::in_use(tx, program, id).await?;
        }
        Scope::Affiliate(id) => {
            affiliates::lock(tx, program, id).await?.ok_or(Refusal::NotFound("affiliate"))?;
        }
    }
    let held = rules::of(tx, program).await?;
    if held.iter().filter(|rule| rule.ends_at.is_none_or(|end| end > act.now)).count() >= MOST {
        return Err(Refusal::field("name", "would be that of the 101st rule, and 100 is the most"));
    }
    rules::create(tx, program, rule).await?;
    let after = rule.in_words(act.program.currency);
    act.audit(tx, "rule.created", rule.id, Change { after: Some(&after), ..Change::default() }).await?;
    let text = format!("“{}”: {after}", rule.name);
    announcements::announce(tx, act, rule.scope, &text, rule.starts_at).await
}

/// Ends the rule now. One that has ended stays so.
///
/// # Errors
/// When the program has no such rule.
pub async fn end(tx: &mut Tx, act: &Act, id: RuleId) -> Result<Rule, Refusal> {
    let held = rules::of(tx, act.program.id).await?;
    let rule = held.into_iter().find(|rule| rule.id == id).ok_or(Refusal::NotFound("rule"))?;
    if rules::end(tx, act.program.id, id, act.now).await? {
        let before = rule.in_words(act.program.currency);
        act.audit(tx, "rule.ended", id, Change { before: Some(&before), ..Change::default() }).await?;
        let ends = if rule.starts_at > act.now { "does not begin after all" } else { "has ended" };
        let text = format!("“{}” {ends}: {before}", rule.name);
        // Shown for as long as what it takes back.
        announcements::announce(tx, act, rule.scope, &text, rule.starts_at.max(act.now)).await?;
    }
    Ok(rule)
}
