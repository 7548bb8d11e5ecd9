//! A change of what is earned is announced to those whom it touches: on their first page at once, and by one mail
//! for each change and affiliate. It never touches what was earned.

use super::{
    Act, Refusal,
    mails::{self, NewMail},
};
use crate::{
    domain::{
        affiliate::{OwnRate, own_since},
        email::Email,
        id::{AffiliateId, GroupId, Id, Ids, ProgramId},
        message::Kind,
        rules::Scope,
        text::cut,
        time::Time,
    },
    store::{
        Error, Tx,
        announcements::{self, Announcement, AnnouncementId},
        jobs, rates,
    },
};

/// The job that writes to everybody, in steps; its key is the announcement's id.
pub const JOB: &str = "announcement";
/// To how many in one step: thousands of mails are enqueued without anybody waiting for it.
const AT_ONCE: i64 = 200;
/// The most characters that are told.
const LENGTH: usize = 500;
/// For how many days a change is shown once it holds, and how old the oldest is that still may.
const SHOWN_DAYS: i64 = 14;
const OLD_DAYS: i64 = 120;
/// After how many days it is no news any more that a mail could bring.
const LATE_DAYS: i64 = 30;

/// Announces in the transaction of the change.
///
/// # Errors
/// The database's.
pub async fn announce(tx: &mut Tx, act: &Act, to: Scope, text: &str, starts_at: Time) -> Result<(), Refusal> {
    let id: AnnouncementId = act.id();
    announcements::create(tx, id, act.program.id, to, cut(text, LENGTH), starts_at).await?;
    if matches!(to, Scope::Affiliate(_)) {
        tell(tx, &act.ids, act.now, id).await?;
    } else {
        jobs::enqueue(tx, act.id(), JOB, &id.raw().to_string(), act.now).await?;
    }
    Ok(())
}

/// Announces to one of many who are moved at once: the mail is the job's to write.
///
/// # Errors
/// The database's.
pub async fn announce_later(tx: &mut Tx, act: &Act, to: AffiliateId, text: &str) -> Result<(), Refusal> {
    if own_since(&rates::of(tx, to).await?, act.now).is_some() {
        return Ok(());
    }
    let id: AnnouncementId = act.id();
    announcements::create(tx, id, act.program.id, Scope::Affiliate(to), cut(text, LENGTH), act.now).await?;
    Ok(jobs::enqueue(tx, act.id(), JOB, &id.raw().to_string(), act.now).await?)
}

/// Writes to the next of those whom it is for; whether there may be more.
///
/// # Errors
/// The database's.
pub async fn tell(tx: &mut Tx, ids: &Ids, now: Time, id: AnnouncementId) -> Result<bool, Error> {
    let found = announcements::by_id(tx, id).await?;
    let Some(announcement) = found.filter(|one| one.starts_at.plus_days(LATE_DAYS) > now) else { return Ok(false) };
    let next = announcements::recipients(tx, &announcement, Kind::RateChanged, AT_ONCE).await?;
    for one in &next {
        let own = if one.has_own_rate { rates::of(tx, one.id).await? } else { Vec::new() };
        let Ok(to) = &Email::parse(&one.email) else { continue };
        let notice = ids.next(now);
        if is_untouched(&announcement, &own, now) || !announcements::notice(tx, notice, id, one.id).await? {
            continue;
        }
        let mail = NewMail {
            kind: Kind::RateChanged,
            cause: notice.raw(),
            to,
            program: Some(announcement.program_id),
            account: Some(one.account_id),
            affiliate: Some(one.id),
        };
        mails::enqueue(tx, ids, now, mail).await?;
    }
    let last = next.last().filter(|_| i64::try_from(next.len()) == Ok(AT_ONCE)).map(|one| one.id);
    // Whoever comes later has a higher id than the announcement itself.
    announcements::told(tx, id, last.unwrap_or(Id::new(id.raw()))).await?;
    Ok(last.is_some())
}

/// A rate of their own is closer than what is for many.
fn is_untouched(announcement: &Announcement, own: &[OwnRate], now: Time) -> bool {
    announcement.affiliate_id.is_none() && own_since(own, announcement.starts_at.max(now)).is_some()
}

/// A change as its affiliate's first page tells it.
#[derive(Debug, Clone)]
pub struct Told {
    pub text: String,
    pub starts_at: Time,
}

/// What has changed lately for an affiliate, or will, the newest first.
///
/// # Errors
/// The database's.
pub async fn shown_to(
    tx: &mut Tx,
    program: ProgramId,
    whose: (AffiliateId, Option<GroupId>),
    own: &[OwnRate],
    now: Time,
) -> Result<Vec<Told>, Error> {
    let since = Id::first_at(now.plus_days(-OLD_DAYS));
    let mut all = announcements::recent(tx, program, whose, since).await?;
    all.retain(|one| one.starts_at.plus_days(SHOWN_DAYS) > now && !is_untouched(one, own, now));
    Ok(all.into_iter().take(3).map(|one| Told { text: one.text, starts_at: one.starts_at }).collect())
}
