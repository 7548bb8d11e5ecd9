//! Affiliates' further links being made, renamed and put away.

use super::{Act, Change, Refusal};
use crate::{
    domain::{
        affiliate::Status,
        code::{self, Code},
        id::{AffiliateId, LinkId},
    },
    store::{Error, Tx, affiliates, codes, links},
};

/// The most links that one affiliate makes: codes are scarce, a program's affiliates share them.
pub const MOST: i64 = 100;

#[derive(Debug)]
pub struct NewLink {
    pub label: String,
    /// One that is free is found where none is named.
    pub code: Option<Code>,
    /// Inside the program's domains, as [`crate::domain::program::Program::deep_link`] reads it.
    pub destination: Option<String>,
}

/// # Errors
/// When the affiliate is not active or has too many links, or the code is taken.
pub async fn create(tx: &mut Tx, act: &Act, affiliate: AffiliateId, new: &NewLink) -> Result<Code, Refusal> {
    let owner = affiliates::lock(tx, act.program.id, affiliate).await?.ok_or(Refusal::NotFound("affiliate"))?;
    if owner.status != Status::Active {
        return Err(Refusal::field("label", "cannot be given to a new link while you are not active"));
    }
    if links::count(tx, affiliate).await? >= MOST {
        return Err(Refusal::field("label", "would be that of your 101st link, and 100 is the most"));
    }
    let id: LinkId = act.id();
    let code = match &new.code {
        Some(code) => make(tx, act, affiliate, id, code, new).await?.then(|| code.clone()),
        None => make_with_free_code(tx, act, affiliate, id, new).await?,
    };
    let code = code.ok_or_else(|| Refusal::field("code", "is already taken"))?;
    act.audit(tx, "link.created", id, Change { after: Some(code.as_str()), ..Change::default() }).await?;
    Ok(code)
}

async fn make(
    tx: &mut Tx,
    act: &Act,
    affiliate: AffiliateId,
    id: LinkId,
    code: &Code,
    new: &NewLink,
) -> Result<bool, Error> {
    let program = act.program.id;
    if !codes::add(tx, program, affiliate, code, act.now).await? {
        return Ok(false);
    }
    let destination = new.destination.as_deref();
    links::create(tx, links::NewLink { id, program, affiliate, code, label: &new.label, destination }).await
}

async fn make_with_free_code(
    tx: &mut Tx,
    act: &Act,
    affiliate: AffiliateId,
    id: LinkId,
    new: &NewLink,
) -> Result<Option<Code>, Error> {
    for code in code::suggestions(&new.label, rand::random) {
        if codes::is_free(tx, act.program.id, &code).await? && make(tx, act, affiliate, id, &code, new).await? {
            return Ok(Some(code));
        }
    }
    Ok(None)
}

/// # Errors
/// When it is not the affiliate's.
pub async fn rename(tx: &mut Tx, act: &Act, affiliate: AffiliateId, id: LinkId, label: &str) -> Result<(), Refusal> {
    let link = links::by_id(tx, affiliate, id).await?.ok_or(Refusal::NotFound("link"))?;
    links::rename(tx, id, label).await?;
    let change = Change { before: Some(&link.label), after: Some(label), reason: None };
    Ok(act.audit(tx, "link.renamed", id, change).await?)
}

/// Puts it away, or back. It goes on leading where it leads.
///
/// # Errors
/// When it is not the affiliate's.
pub async fn archive(tx: &mut Tx, act: &Act, affiliate: AffiliateId, id: LinkId, away: bool) -> Result<(), Refusal> {
    let link = links::by_id(tx, affiliate, id).await?.ok_or(Refusal::NotFound("link"))?;
    if link.archived_at.is_some() == away {
        return Ok(());
    }
    links::archive(tx, id, away.then_some(act.now)).await?;
    let action = if away { "link.archived" } else { "link.restored" };
    Ok(act.audit(tx, action, id, Change::default()).await?)
}
