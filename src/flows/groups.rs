//! Groups of affiliates being made and named, and affiliates being put into them.

use super::{Act, Change, Refusal, announcements};
use crate::{
    domain::{
        id::{AffiliateId, GroupId, ProgramId},
        money::Money,
        program::{self, Difference},
        rules::{Rule, Scope},
    },
    store::{
        Tx, affiliates,
        groups::{self, Group},
        rules,
    },
};

/// The most groups of a program: a page and a choice show all of them.
pub const MOST: usize = 200;

const AS_PROGRAM: &str = "the program’s";

fn taken() -> Refusal {
    Refusal::field("name", "is already a group’s")
}

/// # Errors
/// When the program has a group of that name, or too many.
pub async fn create(tx: &mut Tx, act: &Act, name: &str) -> Result<GroupId, Refusal> {
    if groups::of(tx, act.program.id).await?.len() >= MOST {
        return Err(Refusal::field("name", "would be that of the 201st group, and 200 is the most"));
    }
    let id = act.id();
    if !groups::create(tx, id, act.program.id, name).await? {
        return Err(taken());
    }
    act.audit(tx, "group.created", id, Change { after: Some(name), ..Change::default() }).await?;
    Ok(id)
}

/// What a group is called, and the terms of its own; the program's where there are none.
#[derive(Debug, Clone)]
pub struct Terms {
    pub name: String,
    pub hold_days: Option<i64>,
    /// The least that is paid out, in the program's currency.
    pub minimum: Option<Money>,
}

/// Changes a group; commissions that are there keep the day on which they can be paid.
///
/// # Errors
/// When there is no such group, or another has the name.
pub async fn change(tx: &mut Tx, act: &Act, id: GroupId, terms: Terms) -> Result<Vec<Difference>, Refusal> {
    let program = act.program.id;
    let before = groups::lock(tx, program, id).await?.ok_or(Refusal::NotFound("group"))?;
    let minimum_minor = terms.minimum.map(|minimum| minimum.minor);
    let after = Group { name: terms.name, hold_days: terms.hold_days, minimum_minor, ..before.clone() };
    let differences = differences(act, &before, &after);
    if differences.is_empty() {
        return Ok(differences);
    }
    let key = after.name.to_lowercase();
    if groups::of(tx, program).await?.iter().any(|other| other.id != id && other.name.to_lowercase() == key) {
        return Err(taken());
    }
    groups::update(tx, &after).await.map_err(|error| {
        // Somebody took it at this moment.
        if error.is_unique_violation() { taken() } else { error.into() }
    })?;
    let (before, after) = Difference::in_words(&differences);
    let change = Change { before: Some(&before), after: Some(&after), reason: None };
    act.audit(tx, "group.changed", id, change).await?;
    Ok(differences)
}

fn differences(act: &Act, before: &Group, after: &Group) -> Vec<Difference> {
    let words = |group: &Group| {
        let minimum = group.minimum_minor.map(|minor| act.program.currency.coded(minor).to_string());
        [
            ("Name", group.name.clone()),
            ("Hold", group.hold_days.map_or(AS_PROGRAM.into(), program::hold)),
            ("Minimum", minimum.unwrap_or(AS_PROGRAM.into())),
        ]
    };
    Difference::between(words(before), words(after))
}

/// Archives the group, so that nobody can be put into it, or takes that back.
///
/// # Errors
/// When there is no such group; when affiliates are in it, or a rule for it holds.
pub async fn set_archived(tx: &mut Tx, act: &Act, id: GroupId, is_archived: bool) -> Result<Group, Refusal> {
    let program = act.program.id;
    let group = groups::lock(tx, program, id).await?.ok_or(Refusal::NotFound("group"))?;
    if group.archived_at.is_some() == is_archived {
        return Ok(group);
    }
    let holds = |rule: &Rule| rule.scope == Scope::Group(id) && rule.ends_at.is_none_or(|end| end > act.now);
    if is_archived && group.members > 0 {
        return Err(Refusal::field("group", "has affiliates: move them to another group first"));
    }
    if is_archived && rules::of(tx, program).await?.iter().any(holds) {
        return Err(Refusal::field("group", "has a rule: end it first"));
    }
    groups::set_archived(tx, id, is_archived.then_some(act.now)).await?;
    let action = if is_archived { "group.archived" } else { "group.restored" };
    act.audit(tx, action, id, Change { after: Some(&group.name), ..Change::default() }).await?;
    Ok(group)
}

/// The group, to be put to use until the transaction ends.
///
/// # Errors
/// When the program has no such group, or has archived it.
pub async fn in_use(tx: &mut Tx, program: ProgramId, id: GroupId) -> Result<Group, Refusal> {
    let group = groups::lock(tx, program, id).await?.ok_or(Refusal::NotFound("group"))?;
    if group.archived_at.is_some() {
        return Err(Refusal::field("group", "is archived"));
    }
    Ok(group)
}

/// Puts the affiliates into the group, or into none; how many were not there before.
///
/// # Errors
/// When there is no such group or affiliate, or the group is archived.
pub async fn assign(tx: &mut Tx, act: &Act, mut ids: Vec<AffiliateId>, to: Option<GroupId>) -> Result<usize, Refusal> {
    let program = act.program.id;
    // In one order, so that two who do the same do not meet half-way.
    ids.sort_unstable();
    ids.dedup();
    let unknown = || Refusal::NotFound("affiliate");
    let mut moving = Vec::new();
    for id in ids {
        affiliates::lock(tx, program, id).await?.ok_or_else(unknown)?;
        let from = groups::of_affiliate(tx, id).await?;
        if from.as_ref().map(|group| group.id) != to {
            moving.push((id, from));
        }
    }
    // The groups after the affiliates, and these in one order too.
    let mut touched: Vec<_> = moving.iter().filter_map(|(_, from)| Some(from.as_ref()?.id)).chain(to).collect();
    touched.sort_unstable();
    touched.dedup();
    for group in touched {
        groups::lock(tx, program, group).await?;
    }
    let name = match to {
        Some(group) => Some(in_use(tx, program, group).await?.name),
        None => None,
    };
    let rules = rules::of(tx, program).await?;
    for (id, from) in &moving {
        groups::assign(tx, *id, from.as_ref().map(|group| group.id), to).await?;
        let told = |name: Option<&str>| serde_json::json!({ "group": name }).to_string();
        let (before, after) = (told(from.as_ref().map(|group| group.name.as_str())), told(name.as_deref()));
        let change = Change { before: Some(&before), after: Some(&after), reason: None };
        act.audit(tx, "affiliate.group_changed", *id, change).await?;
        let text = moved(&rules, act, from.as_ref().map(|group| group.id), to);
        if !text.is_empty() {
            announcements::announce_later(tx, act, *id, &text).await?;
        }
    }
    Ok(moving.len())
}

/// What the move changes of what an affiliate earns, who does not know of groups: the rules that hold for them from
/// now on, and those that do not any more.
fn moved(rules: &[Rule], act: &Act, from: Option<GroupId>, to: Option<GroupId>) -> String {
    let of = |group: Option<GroupId>| {
        let is_its = move |rule: &&Rule| group.is_some_and(|group| rule.scope == Scope::Group(group));
        rules.iter().filter(is_its).filter(|rule| rule.is_in_force(act.now))
    };
    let told = |rule: &Rule| format!("“{}”: {}", rule.name, rule.in_words(act.program.currency));
    let begins = of(to).map(told);
    let ends = of(from).map(|rule| format!("no more {}", told(rule)));
    begins.chain(ends).collect::<Vec<_>>().join("; ")
}
