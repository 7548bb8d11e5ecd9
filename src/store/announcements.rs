//! Changes of what is earned, as they are announced to those whom they touch.

use super::{Error, Tx, execute, fetch_all, fetch_optional, row};
use crate::domain::{
    id::{AccountId, AffiliateId, GroupId, Id, ProgramId},
    message::Kind,
    rules::Scope,
    time::Time,
};

/// An announcement has no public id.
#[derive(Debug)]
pub enum AnnouncementRow {}

pub type AnnouncementId = Id<AnnouncementRow>;

/// Nor has what one affiliate is told of it.
#[derive(Debug)]
pub enum NoticeRow {}

row! {
    #[derive(Debug, Clone)]
    pub struct Announcement {
        pub id: AnnouncementId,
        pub program_id: ProgramId,
        pub affiliate_id: Option<AffiliateId>,
        pub group_id: Option<GroupId>,
        pub text: String,
        pub starts_at: Time,
        /// The last affiliate who was written to.
        pub told_to: AffiliateId,
    }
}

pub async fn create(
    tx: &mut Tx,
    id: AnnouncementId,
    program: ProgramId,
    to: Scope,
    text: &str,
    starts_at: Time,
) -> Result<(), Error> {
    let (affiliate, group) = to.columns();
    execute!(
        tx,
        "INSERT INTO announcements (id, program_id, affiliate_id, group_id, text, starts_at, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        id,
        program,
        affiliate,
        group,
        text,
        starts_at,
        id.time()
    )
    .map(drop)
}

macro_rules! announcement {
    ($rest:literal) => {
        concat!("SELECT id, program_id, affiliate_id, group_id, text, starts_at, told_to FROM announcements ", $rest)
    };
}

pub async fn by_id(tx: &mut Tx, id: AnnouncementId) -> Result<Option<Announcement>, Error> {
    fetch_optional!(Announcement, tx, announcement!("WHERE id = $1"), id)
}

/// What a notice is about.
pub async fn of_notice(tx: &mut Tx, notice: Id<NoticeRow>) -> Result<Option<Announcement>, Error> {
    const TEXT: &str = announcement!("WHERE id = (SELECT announcement_id FROM notices WHERE id = $1)");
    fetch_optional!(Announcement, tx, TEXT, notice)
}

/// What was announced since a moment to an affiliate who had joined by then, the newest first.
pub async fn recent(
    tx: &mut Tx,
    program: ProgramId,
    (affiliate, group): (AffiliateId, Option<GroupId>),
    since: AnnouncementId,
) -> Result<Vec<Announcement>, Error> {
    fetch_all!(
        Announcement,
        tx,
        announcement!(
            "WHERE program_id = $1 AND id >= $2 AND id > $3
               AND (affiliate_id = $3 OR (affiliate_id IS NULL AND (group_id IS NULL OR group_id = $4)))
             ORDER BY id DESC LIMIT 10"
        ),
        program,
        since,
        affiliate,
        group
    )
}

row! {
    /// Somebody whom an announcement is for, with an account that wants to read it.
    #[derive(Debug)]
    pub struct Recipient {
        pub id: AffiliateId,
        pub account_id: AccountId,
        pub email: String,
        pub has_own_rate: bool,
    }
}

/// The next whom it is for, in the order of their ids. Who joined later was told when they joined.
pub async fn recipients(
    tx: &mut Tx,
    announcement: &Announcement,
    kind: Kind,
    limit: i64,
) -> Result<Vec<Recipient>, Error> {
    fetch_all!(
        Recipient,
        tx,
        "SELECT a.id, c.id AS account_id, c.email, a.has_own_rate
         FROM affiliates a JOIN accounts c ON c.id = a.account_id
         WHERE a.program_id = $1 AND a.id > $2 AND a.id < $3
           AND (a.id = $4 OR ($4 IS NULL AND a.status = 'active' AND ($5 IS NULL OR a.group_id = $5)))
           AND NOT EXISTS (SELECT o.kind FROM mail_opt_outs o WHERE o.account_id = c.id AND o.kind = $6)
         ORDER BY a.id LIMIT $7",
        announcement.program_id,
        announcement.told_to,
        announcement.id,
        announcement.affiliate_id,
        announcement.group_id,
        kind,
        limit
    )
}

/// Notes that the affiliate is told; `false` where they were.
pub async fn notice(
    tx: &mut Tx,
    id: Id<NoticeRow>,
    announcement: AnnouncementId,
    affiliate: AffiliateId,
) -> Result<bool, Error> {
    let made = execute!(
        tx,
        "INSERT INTO notices (id, announcement_id, affiliate_id) VALUES ($1, $2, $3)
         ON CONFLICT (announcement_id, affiliate_id) DO NOTHING",
        id,
        announcement,
        affiliate
    )?;
    Ok(made == 1)
}

pub async fn told(tx: &mut Tx, id: AnnouncementId, to: AffiliateId) -> Result<(), Error> {
    execute!(tx, "UPDATE announcements SET told_to = $2 WHERE id = $1", id, to).map(drop)
}
