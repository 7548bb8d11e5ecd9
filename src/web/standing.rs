//! What an affiliate is told who is not active: what that means, what happens next, whom to write to, and that what
//! is owed stays theirs. Pages include `affiliate/standing.html` with a field `told`, an `Option` of this.

use super::{earner::Earner, failure::Failure};
use crate::{
    domain::{money::Money, standing::Standing, time::Time},
    store::{Tx, affiliates, applications},
};

#[derive(Debug, Clone)]
pub struct Told {
    pub tone: &'static str,
    pub icon: &'static str,
    pub title: String,
    pub sentence: &'static str,
    /// In the merchant's words.
    pub reason: Option<String>,
    pub next: &'static str,
    pub contact: Option<String>,
    pub applied_at: Option<Time>,
    pub unpaid: Money,
    pub paid: Money,
}

impl Told {
    /// Whether there is anything to say of money.
    pub fn has_earned(&self) -> bool {
        self.unpaid.minor != 0 || self.paid.minor != 0
    }
}

/// # Errors
/// The database's; `None` for who is active.
pub async fn of(tx: &mut Tx, me: &Earner) -> Result<Option<Told>, Failure> {
    let unknown = Failure::no_route;
    let stand = affiliates::stand(tx, me.program.id, me.affiliate).await?.ok_or_else(unknown)?;
    let standing = stand.facts().standing();
    let Some((icon, title, sentence, next)) = words(standing) else { return Ok(None) };
    let summary = affiliates::summary(tx, me.program.id, me.affiliate).await?.ok_or_else(unknown)?;
    let currency = me.program.currency;
    Ok(Some(Told {
        tone: standing.tone(),
        icon,
        title: format!("{title} {}", me.program.name),
        sentence,
        reason: stand.status_reason,
        next,
        contact: applications::contact(tx, me.program.id).await?,
        applied_at: stand.applied_at.filter(|_| standing == Standing::Applied),
        unpaid: currency.of(summary.unpaid_minor),
        paid: currency.of(summary.paid_minor),
    }))
}

type Words = (&'static str, &'static str, &'static str, &'static str);

/// Icon, title as far as the program's name, what it means, what happens next.
const fn words(standing: Standing) -> Option<Words> {
    match standing {
        Standing::Active | Standing::Invited => None,
        Standing::Applied => Some((
            "clock",
            "Your application is in review at",
            "Somebody reads every application. Your link works already: clicks and sales count, and what they earn is settled once you are approved.",
            "You get a mail as soon as it is decided. You need not do anything.",
        )),
        Standing::Pending => Some((
            "clock",
            "You are on hold at",
            "Clicks and sales still count. What they earn is settled once you are active.",
            "You need not do anything. Write to the program if it takes longer than you expect.",
        )),
        Standing::Paused => Some((
            "pause",
            "You are paused at",
            "Your links still lead to the shop, but clicks and sales do not count while you are paused.",
            "The program can resume you at any time. Write to them if you do not know why.",
        )),
        Standing::Rejected => Some((
            "circle-x",
            "You were not accepted at",
            "Clicks and sales on your link do not count.",
            "If something has changed, write to the program: they can look at your application again.",
        )),
        Standing::Removed | Standing::Blocked => Some((
            "ban",
            "You are no longer in the program of",
            "Clicks and sales on your links no longer count.",
            "Write to the program if you think that this is a mistake.",
        )),
    }
}
