//! What the codes of clicks stand for, on PostgreSQL, where other servers write too.

use std::collections::{BTreeSet, HashMap};

use sqlx::PgConnection;

use super::{
    Error,
    clicks::{MOST_CODES, NewClick},
};
use crate::domain::{
    affiliate::Status,
    id::{AffiliateId, LinkId, ProgramId},
};

/// Whose a code is, and which of their links it is of.
#[derive(Clone, Copy)]
pub struct Owner {
    pub affiliate: AffiliateId,
    pub link: Option<LinkId>,
}

pub type Remembered = HashMap<ProgramId, HashMap<String, Owner>>;

/// Whose each click's code is. Once somebody's, a code is never anybody else's, so this is remembered for good;
/// whether it still counts, and what their current code is, is asked with every batch. So is a code given up that is
/// of no link: it may become one's.
pub async fn owners(
    pg: &mut PgConnection,
    known: &mut Remembered,
    new: &[NewClick],
) -> Result<Vec<Option<Owner>>, Error> {
    for codes in known.values_mut().filter(|codes| codes.len() >= MOST_CODES) {
        codes.clear();
    }
    let missing: BTreeSet<(ProgramId, &str)> = new
        .iter()
        .map(|click| (click.program, click.code_key.as_str()))
        .filter(|(program, key)| !known.get(program).is_some_and(|codes| codes.contains_key(*key)))
        .collect();
    let mut passing: HashMap<(ProgramId, String), Owner> = HashMap::new();
    if !missing.is_empty() {
        let (programs, keys): (Vec<i64>, Vec<&str>) =
            missing.iter().map(|(program, key)| (program.raw(), *key)).unzip();
        let found: Vec<(ProgramId, String, AffiliateId, Option<LinkId>, bool)> = sqlx::query_as(
            "SELECT c.program_id, c.code_key, c.affiliate_id, l.id, c.is_current
             FROM UNNEST($1::bigint[], $2::text[]) AS n (program_id, code_key)
             JOIN codes c ON c.program_id = n.program_id AND c.code_key = n.code_key
             LEFT JOIN links l ON l.program_id = c.program_id AND l.code_key = c.code_key",
        )
        .bind(&programs)
        .bind(&keys)
        .fetch_all(&mut *pg)
        .await?;
        for (program, key, affiliate, link, is_current) in found {
            let owner = Owner { affiliate, link };
            if is_current || link.is_some() {
                known.entry(program).or_default().insert(key, owner);
            } else {
                passing.insert((program, key), owner);
            }
        }
    }
    let owner = |click: &NewClick| {
        let remembered = known.get(&click.program).and_then(|codes| codes.get(&click.code_key));
        remembered.or_else(|| passing.get(&(click.program, click.code_key.clone()))).copied()
    };
    Ok(new.iter().map(owner).collect())
}

/// Of no link when it was looked up and given up since: from the next batch on it is looked up again.
pub fn forget_given_up(
    known: &mut Remembered,
    new: &[NewClick],
    owners: &[Option<Owner>],
    stands: &HashMap<AffiliateId, (Status, String)>,
) {
    for (click, owner) in new.iter().zip(owners) {
        let Some(Owner { affiliate, link: None }) = owner else { continue };
        let is_current = stands.get(affiliate).is_some_and(|(_, code)| code.eq_ignore_ascii_case(&click.code_key));
        if !is_current && let Some(codes) = known.get_mut(&click.program) {
            codes.remove(&click.code_key);
        }
    }
}
