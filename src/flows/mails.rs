//! Mails are enqueued in the transaction of their cause and written when they are sent.

use super::Act;
use crate::{
    domain::{
        email::Email,
        id::{AccountId, AffiliateId, Ids, ProgramId},
        key::{hash, hex},
        message::Kind,
        time::Time,
    },
    secret::SecretKey,
    store::{
        Error, Tx, accounts, affiliates, jobs,
        mail_preferences::Recipient,
        mails::{self, MailId, NewRow},
        programs, totals,
    },
};

/// The kind of a mail's job; its key is the mail's id.
pub const JOB: &str = "mail";

#[derive(Debug, Clone, Copy)]
pub struct NewMail<'a> {
    pub kind: Kind,
    /// The id of the row that causes it, raw: the one-time link that it carries, the commission, the audit row.
    /// The same kind for the same cause is sent once, however often it is enqueued.
    pub cause: i64,
    pub to: &'a Email,
    /// Whose name it carries; without one the portal's.
    pub program: Option<ProgramId>,
    /// Whom it is for, and whose wishes decide about what is not essential.
    pub account: Option<AccountId>,
    pub affiliate: Option<AffiliateId>,
}

/// Enqueues the mail, to be sent as soon as the caller's transaction is on disk; `false` where its cause has one.
///
/// # Errors
/// The database's.
pub async fn enqueue(tx: &mut Tx, ids: &Ids, now: Time, new: NewMail<'_>) -> Result<bool, Error> {
    let id: MailId = ids.next(now);
    let row = NewRow {
        id,
        kind: new.kind,
        cause: new.cause,
        to: new.to.as_str(),
        program: new.program,
        account: new.account,
        affiliate: new.affiliate,
    };
    if !mails::create(tx, row).await? {
        return Ok(false);
    }
    jobs::enqueue(tx, ids.next(now), JOB, &id.raw().to_string(), now).await?;
    Ok(true)
}

/// Enqueues a mail to the affiliate of a program, by the account that they read about it with; whether they are
/// written to. Those whom the merchant only entered have no account, and are not.
///
/// # Errors
/// The database's.
pub async fn enqueue_for_affiliate(
    tx: &mut Tx,
    act: &Act,
    affiliate: AffiliateId,
    kind: Kind,
    cause: i64,
) -> Result<bool, Error> {
    let Some((account, email)) = affiliates::mailed(tx, affiliate, kind).await? else { return Ok(false) };
    let Ok(to) = Email::parse(&email) else { return Ok(false) };
    let (program, account, affiliate) = (Some(act.program.id), Some(account), Some(affiliate));
    enqueue(tx, &act.ids, act.now, NewMail { kind, cause, to: &to, program, account, affiliate }).await?;
    Ok(true)
}

/// Enqueues this week's digest for everybody who may decide what waits, in every program where something does.
/// However often it is called in a week (counted from Monday, UTC), each gets one.
///
/// # Errors
/// The database's.
pub async fn enqueue_digests(tx: &mut Tx, ids: &Ids, secret: &SecretKey, now: Time) -> Result<(), Error> {
    // 1970-01-01 was a Thursday.
    let week = (now.day() + 3).div_euclid(7);
    for program in programs::all(tx).await? {
        let waiting = totals::waiting(tx, program.id).await?;
        if waiting.commissions == 0 && waiting.applications == 0 {
            continue;
        }
        for member in accounts::deciders(tx, program.id).await? {
            let Ok(to) = Email::parse(&member.email) else { continue };
            let cause = format!("{week}:{}:{}", program.id, member.account_id);
            let mail = NewMail {
                kind: Kind::WeeklyDigest,
                cause: secret.short_hash("weekly digest", &cause),
                to: &to,
                program: Some(program.id),
                account: Some(member.account_id),
                affiliate: None,
            };
            enqueue(tx, ids, now, mail).await?;
        }
    }
    Ok(())
}

/// Where a mail's reader stops mails like it: names whom and what, and cannot be made by anybody else. It is the
/// same in every mail, and good for ever.
pub fn unsubscribe_token(secret: &SecretKey, by: Recipient, kind: Kind) -> String {
    let who = match by {
        Recipient::Account(id) => id.to_string(),
        Recipient::Affiliate(id) => id.to_string(),
    };
    let keyed = secret.hash("unsubscribe", &format!("{who}:{kind}"));
    format!("{who}.{kind}.{}", hex(&keyed[..16]))
}

/// Whose token it is and for what, if it is one of ours.
pub fn read_unsubscribe_token(secret: &SecretKey, token: &str) -> Option<(Recipient, Kind)> {
    let (who, rest) = token.split_once('.')?;
    let (kind, _) = rest.split_once('.')?;
    let kind = Kind::parse(kind).ok()?;
    let by =
        AccountId::parse(who).map(Recipient::Account).or_else(|_| AffiliateId::parse(who).map(Recipient::Affiliate));
    let by = by.ok()?;
    // Hashes are compared, so that how long it takes says nothing about the token.
    (hash(token) == hash(&unsubscribe_token(secret, by, kind))).then_some((by, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unsubscribe_token_is_for_one_kind_and_one_person() {
        let (ours, theirs) = (SecretKey::new([1; 32]), SecretKey::new([2; 32]));
        let by = Recipient::Affiliate(AffiliateId::new(77));
        let token = unsubscribe_token(&ours, by, Kind::NewCommission);
        assert_eq!(read_unsubscribe_token(&ours, &token), Some((by, Kind::NewCommission)));
        assert_eq!(read_unsubscribe_token(&theirs, &token), None);
        for guess in [
            String::new(),
            "x".into(),
            token.replace("new_commission", "weekly_digest"),
            token.replace("aff_", "acct_"),
            format!("{token}0"),
            token[..token.len() - 1].to_owned(),
        ] {
            assert_eq!(read_unsubscribe_token(&ours, &guess), None, "{guess}");
        }
    }
}
