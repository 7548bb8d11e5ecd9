//! Rows of affiliates: who is new, who is there already and what they are lacking, and why somebody cannot come.

use std::collections::HashMap;

use super::{Act, Change, Done, Look, Made, Refusal, SHOWN, header, past::Past};
use crate::{
    domain::{
        affiliate::{OwnRate, Status},
        code::Code,
        id::{AffiliateId, GroupId, ProgramId},
        imports::{Bad, Sheet, affiliates::Row},
    },
    flows::{
        affiliates::{self as flow, NewAffiliate},
        coupons, invitations,
    },
    store::{
        Error, Tx, affiliates, codes, groups,
        imports::{self as stored, Import},
        rates,
    },
};

enum Fate {
    New,
    /// What is not theirs yet.
    Known {
        id: AffiliateId,
        codes: Vec<Code>,
        coupons: Vec<Code>,
    },
    Bad(Vec<Bad>),
}

/// What is there of all that some rows name.
struct Facts {
    people: HashMap<String, AffiliateId>,
    codes: HashMap<String, AffiliateId>,
    coupons: HashMap<String, AffiliateId>,
}

impl Facts {
    async fn of(tx: &mut Tx, program: ProgramId, rows: &[Row]) -> Result<Self, Error> {
        let emails: Vec<_> = rows.iter().map(|row| row.email.key()).collect();
        // A coupon and a code of one word must be one affiliate's.
        let words: Vec<_> = rows.iter().flat_map(|row| row.codes.iter().chain(&row.coupons)).map(Code::key).collect();
        let people = stored::people(tx, program, &emails).await?;
        let codes = stored::codes(tx, program, &words).await?;
        let coupons = stored::coupons(tx, program, &words).await?;
        Ok(Self {
            people: people.into_iter().map(|person| (person.email_key, person.id)).collect(),
            codes: codes.into_iter().map(|code| (code.code_key, code.affiliate_id)).collect(),
            coupons: coupons.into_iter().map(|coupon| (coupon.code_key, coupon.affiliate_id)).collect(),
        })
    }

    fn fate(&self, row: &Row, sheet: &Sheet<Row>) -> Fate {
        let own = self.people.get(&row.email.key()).copied();
        let is_others = |owner: Option<&AffiliateId>| owner.is_some_and(|owner| Some(*owner) != own);
        let column = |what: &'static str, other| {
            let found = header(&sheet.used, what);
            if found.is_empty() { header(&sheet.used, other) } else { found }
        };
        let (code, coupon) = (column("Code in old links", "Old link"), column("Coupon", "Coupon"));
        let mut bad = Vec::new();
        for one in &row.codes {
            if is_others(self.codes.get(&one.key())) {
                bad.push(Bad::new(row.line, code, one.as_str(), "is another affiliate’s code already"));
            } else if is_others(self.coupons.get(&one.key())) {
                bad.push(Bad::new(row.line, code, one.as_str(), "is another affiliate’s coupon already"));
            }
        }
        for one in &row.coupons {
            if is_others(self.codes.get(&one.key())) {
                bad.push(Bad::new(row.line, coupon, one.as_str(), "is another affiliate’s referral code"));
            } else if is_others(self.coupons.get(&one.key())) {
                bad.push(Bad::new(row.line, coupon, one.as_str(), "is another affiliate’s coupon already"));
            }
        }
        let Some(id) = own.filter(|_| bad.is_empty()) else {
            return if bad.is_empty() { Fate::New } else { Fate::Bad(bad) };
        };
        let lacking = |all: &[Code], taken: &HashMap<String, AffiliateId>| {
            all.iter().filter(|code| !taken.contains_key(&code.key())).cloned().collect()
        };
        Fate::Known { id, codes: lacking(&row.codes, &self.codes), coupons: lacking(&row.coupons, &self.coupons) }
    }
}

/// The program's groups by name, those that can be put to use.
async fn usable_groups(tx: &mut Tx, program: ProgramId) -> Result<HashMap<String, GroupId>, Error> {
    let all = groups::of(tx, program).await?.into_iter().filter(|group| group.archived_at.is_none());
    Ok(all.map(|group| (group.name.to_lowercase(), group.id)).collect())
}

pub async fn look(
    tx: &mut Tx,
    program: ProgramId,
    _: &Import,
    rows: &[Row],
    sheet: &Sheet<Row>,
    look: &mut Look,
) -> Result<(), Error> {
    let (facts, groups) = (Facts::of(tx, program, rows).await?, usable_groups(tx, program).await?);
    for row in rows {
        let is_new = match facts.fate(row, sheet) {
            Fate::Bad(bad) => {
                look.bad.extend(bad);
                continue;
            }
            Fate::New => {
                look.added += 1;
                look.codes += i64::try_from(row.codes.len()).unwrap_or(0);
                true
            }
            Fate::Known { codes, coupons, .. } => {
                look.known += 1;
                look.codes += i64::try_from(codes.len()).unwrap_or(0);
                look.mended += i64::from(!codes.is_empty() || !coupons.is_empty());
                false
            }
        };
        if let Some(group) = row.group.as_ref().filter(|group| is_new && !groups.contains_key(&group.to_lowercase())) {
            *look.no_groups.entry(group.clone()).or_default() += 1;
        }
        if look.first.len() < SHOWN {
            look.first.push(Made {
                line: row.line,
                what: row.name.clone(),
                who: row.email.as_str().to_owned(),
                amount: None,
                commission: None,
                codes: row.codes.iter().map(|code| code.as_str().to_owned()).collect(),
                status: row.blocked_as.map_or(row.status.as_str(), |blocked| blocked.as_str()),
                at: row.joined,
                is_new,
            });
        }
    }
    Ok(())
}

pub async fn write(tx: &mut Tx, act: &Act, import: &Import, rows: &[Row], sheet: &Sheet<Row>) -> Result<Done, Refusal> {
    let program = act.program.id;
    let (facts, groups) = (Facts::of(tx, program, rows).await?, usable_groups(tx, program).await?);
    let (mut done, mut past) = (Done::default(), Past::begin(tx).await?);
    // Whoever names no code gets one of those that nobody of them names.
    let (naming, others): (Vec<_>, Vec<_>) = rows.iter().partition(|row| !row.codes.is_empty());
    for row in naming.into_iter().chain(others) {
        match facts.fate(row, sheet) {
            Fate::Bad(bad) => done.bad.extend(bad),
            Fate::New => {
                let id = match row.joined {
                    Some(joined) => {
                        let (ids, at) = past.at(joined);
                        ids.next(at)
                    }
                    None => act.id(),
                };
                enter(tx, act, (id, row), &groups).await?;
                if let Some(old_id) = &row.old_id {
                    stored::remember(tx, import, old_id, id).await?;
                }
                if import.invites && row.status == Status::Active {
                    invite(tx, act, id).await?;
                }
                done.added += 1;
            }
            Fate::Known { id, codes, coupons } => {
                add(tx, act, id, (&codes, &coupons)).await?;
                if let Some(old_id) = &row.old_id {
                    stored::remember(tx, import, old_id, id).await?;
                }
            }
        }
    }
    Ok(done)
}

async fn enter(
    tx: &mut Tx,
    act: &Act,
    (id, row): (AffiliateId, &Row),
    usable: &HashMap<String, GroupId>,
) -> Result<(), Refusal> {
    let new = NewAffiliate {
        email: row.email.clone(),
        name: row.name.clone(),
        code: row.codes.first().cloned(),
        custom_fields: "{}".into(),
    };
    flow::enter(tx, act, id, &new, (row.status, None)).await?;
    if row.blocked_as.is_some() {
        let before = affiliates::lock(tx, act.program.id, id).await?.ok_or(Refusal::NotFound("affiliate"))?;
        let after = affiliates::Editable { blocked_as: row.blocked_as, ..before };
        affiliates::update(tx, id, &after, act.now).await?;
    }
    if let Some(group) = row.group.as_ref().and_then(|name| usable.get(&name.to_lowercase())) {
        groups::assign(tx, id, None, Some(*group)).await?;
    }
    if let Some(rate) = row.rate {
        // Theirs for all that they sold, also for what is imported later.
        rates::set(tx, id, OwnRate { starts_at: id.time(), rate: Some(rate) }).await?;
        let before = serde_json::json!({ "rate": act.program.rate.to_string() }).to_string();
        let after = serde_json::json!({ "rate": rate.to_string(), "from": id.time().date() }).to_string();
        let change = Change { before: Some(&before), after: Some(&after), reason: None };
        act.audit(tx, "affiliate.rate_changed", id, change).await?;
    }
    let others = row.codes.get(1..).unwrap_or_default();
    add(tx, act, id, (others, &row.coupons)).await
}

/// Codes and coupons beside those that they have.
async fn add(tx: &mut Tx, act: &Act, id: AffiliateId, (more, own): (&[Code], &[Code])) -> Result<(), Refusal> {
    for code in more {
        if !codes::add(tx, act.program.id, id, code, act.now).await? {
            return Err(Refusal::field("referralCode", "is already taken in the program"));
        }
        let change = Change { after: Some(code.as_str()), ..Change::default() };
        act.audit(tx, "affiliate.code_added", id, change).await?;
    }
    for coupon in own {
        coupons::create(tx, act, id, coupon).await?;
    }
    Ok(())
}

async fn invite(tx: &mut Tx, act: &Act, id: AffiliateId) -> Result<(), Refusal> {
    match invitations::invite_affiliate(tx, act, id).await {
        // Who was invited before needs no second mail.
        Err(Refusal::Field { .. }) => Ok(()),
        other => other,
    }
}
