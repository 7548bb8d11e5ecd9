//! Affiliates joining a program, and what is known of them changing.

use serde::Serialize;

use super::{
    Act, Actor, Change, Refusal, announcements,
    mails::{self, NewMail},
    payment_details,
};
use crate::{
    domain::{
        affiliate::{OwnRate, PaymentMethod, Status, rate_at},
        code::{self, Code},
        email::Email,
        id::AffiliateId,
        message::Kind,
        money::Money,
        rules::Scope,
        standing::{BlockedAs, Facts, Move, Standing},
        time::Time,
    },
    store::{Error, Tx, affiliates, codes, payouts, rates, totals},
};

#[derive(Debug)]
pub struct NewAffiliate {
    pub email: Email,
    pub name: String,
    pub code: Option<Code>,
    /// A JSON object's text.
    pub custom_fields: String,
}

pub struct Joined {
    pub id: AffiliateId,
    pub referral_code: String,
}

/// # Errors
/// When the address or the code is taken.
pub async fn create(tx: &mut Tx, act: &Act, new: &NewAffiliate) -> Result<Joined, Refusal> {
    join(tx, act, new, Status::Active, None).await
}

/// The same with another status to begin with, for who applied.
///
/// # Errors
/// As [`create`].
pub(super) async fn join(
    tx: &mut Tx,
    act: &Act,
    new: &NewAffiliate,
    status: Status,
    applied_at: Option<Time>,
) -> Result<Joined, Refusal> {
    enter(tx, act, act.id(), new, (status, applied_at)).await
}

/// The same under an id that carries when they joined.
///
/// # Errors
/// As [`create`].
pub(super) async fn enter(
    tx: &mut Tx,
    act: &Act,
    id: AffiliateId,
    new: &NewAffiliate,
    (status, applied_at): (Status, Option<Time>),
) -> Result<Joined, Refusal> {
    let program = act.program.id;
    let row = affiliates::NewAffiliate {
        id,
        program,
        email: &new.email,
        name: &new.name,
        status,
        custom_fields: &new.custom_fields,
        applied_at,
    };
    if !affiliates::create(tx, row).await? {
        return Err(email_taken());
    }
    let code = match &new.code {
        Some(code) if codes::take(tx, program, id, code, act.now).await? => code.clone(),
        Some(_) => return Err(code_taken()),
        None => take_free_code(tx, act, id, &new.name).await?,
    };
    totals::start_affiliate(tx, program, id).await?;
    totals::count_affiliate(tx, program, status, 1).await?;
    act.audit(tx, "affiliate.created", id, Change::default()).await?;
    Ok(Joined { id, referral_code: code.into_string() })
}

fn email_taken() -> Refusal {
    Refusal::field("email", "is already used by another affiliate of the program")
}

fn code_taken() -> Refusal {
    Refusal::field("referralCode", "is already taken in the program")
}

/// Takes the first that is free. Looking first is not enough: somebody else may be taking the same at this
/// moment, and who did not choose a code must not be told that it is taken.
async fn take_free_code(tx: &mut Tx, act: &Act, id: AffiliateId, name: &str) -> Result<Code, Refusal> {
    for code in code::suggestions(name, rand::random) {
        if codes::is_free(tx, act.program.id, &code).await?
            && codes::take(tx, act.program.id, id, &code, act.now).await?
        {
            return Ok(code);
        }
    }
    Err(code_taken())
}

/// What to change; what is `None` stays. The inner `None` of an optional field clears it.
#[derive(Debug, Default)]
pub struct Edit {
    pub name: Option<String>,
    pub email: Option<Email>,
    pub status: Option<Status>,
    pub code: Option<Code>,
    pub payment_method: Option<Option<PaymentMethod>>,
    pub payment_details: Option<Option<String>>,
    pub custom_fields: Option<String>,
    /// The least that is paid out to them, in the program's currency.
    pub minimum: Option<Option<Money>>,
}

/// # Errors
/// When there is no such affiliate, or the address or the code is taken.
pub async fn edit(tx: &mut Tx, act: &Act, id: AffiliateId, edit: Edit) -> Result<(), Refusal> {
    let program = act.program.id;
    let before = affiliates::lock(tx, program, id).await?.ok_or(Refusal::NotFound("affiliate"))?;
    let before_code = codes::current(tx, id).await?;

    let mut after = before.clone();
    if let Some(email) = &edit.email {
        if affiliates::is_email_taken(tx, program, email, id).await? {
            return Err(email_taken());
        }
        (after.email, after.email_key) = (email.as_str().to_owned(), email.key());
    }
    after.name = edit.name.unwrap_or(after.name);
    after.status = edit.status.unwrap_or(after.status);
    after.payment_method = edit.payment_method.unwrap_or(after.payment_method);
    if let Some(details) = edit.payment_details {
        let known = match &before.sealed_details {
            Some(sealed) => Some(payment_details::open(&act.secret, id, sealed)?),
            None => None,
        };
        if details != known {
            after.sealed_details = match details {
                Some(details) => Some(payment_details::seal(&act.secret, id, &details)?),
                None => None,
            };
        }
    }
    after.custom_fields = edit.custom_fields.unwrap_or(after.custom_fields);
    if let Some(minimum) = edit.minimum {
        after.minimum_minor = minimum.map(|minimum| minimum.minor);
    }
    let code = edit.code.map(Code::into_string).or_else(|| before_code.clone());
    if after == before && code == before_code {
        return Ok(());
    }

    if code != before_code
        && let Some(code) = code.as_deref().and_then(|code| Code::parse(code).ok())
        && !codes::take(tx, program, id, &code, act.now).await?
    {
        return Err(code_taken());
    }
    if after.status != before.status {
        // Whoever says a status says all there is to say about it. One who was never let in is turned down.
        let was_waiting = before.status == Status::Pending && after.status == Status::Blocked;
        (after.blocked_as, after.status_reason) = (was_waiting.then_some(BlockedAs::Rejected), None);
        totals::count_affiliate(tx, program, before.status, -1).await?;
        totals::count_affiliate(tx, program, after.status, 1).await?;
    }
    affiliates::update(tx, id, &after, act.now).await.map_err(taken_meanwhile)?;
    // Told at the address as it was, whoever changed how they are paid; the first time is no change, but what comes
    // after something that was taken away is.
    let was_paid = (before.payment_method, before.sealed_details.as_deref());
    let is_paid = (after.payment_method, after.sealed_details.as_deref());
    let told = Email::parse(&before.email).ok().filter(|_| was_paid != is_paid);
    if was_paid != is_paid && matches!(act.actor, Actor::Account(_)) {
        let had = before.sealed_details.is_some() || payouts::terms(tx, id).await?.payment_changed_at.is_some();
        if had {
            payouts::details_changed(tx, id, act.now).await?;
        }
    }
    let (before, after) = (audited(act, &before, before_code.as_deref()), audited(act, &after, code.as_deref()));
    let change = Change { before: Some(&before), after: Some(&after), reason: None };
    let row = act.deed(tx, "affiliate.changed", id, change).await?;
    if let Some(to) = told {
        let new = NewMail {
            kind: Kind::PaymentDetailsChanged,
            cause: row.raw(),
            to: &to,
            program: Some(program),
            account: None,
            affiliate: Some(id),
        };
        mails::enqueue(tx, &act.ids, act.now, new).await?;
    }
    Ok(())
}

/// Gives the affiliate a rate of their own from a moment on (`None`: the program's again). Sales of before
/// keep what they earned.
///
/// # Errors
/// When there is no such affiliate, or the moment has passed.
pub async fn set_rate(tx: &mut Tx, act: &Act, id: AffiliateId, new: OwnRate) -> Result<(), Refusal> {
    if new.starts_at < act.now {
        return Err(Refusal::field("from", "must be today or later"));
    }
    affiliates::lock(tx, act.program.id, id).await?.ok_or(Refusal::NotFound("affiliate"))?;
    let own = rates::of(tx, id).await?;
    let at = |own: &[OwnRate]| rate_at(act.program.rate, own, new.starts_at).to_string();
    let before = serde_json::json!({ "rate": at(&own) }).to_string();
    let after = serde_json::json!({ "rate": at(&[new]), "from": new.starts_at.date() }).to_string();
    rates::set(tx, id, new).await?;
    let change = Change { before: Some(&before), after: Some(&after), reason: None };
    act.audit(tx, "affiliate.rate_changed", id, change).await?;
    if at(&own) == at(&[new]) {
        return Ok(());
    }
    let whose = if new.rate.is_some() { "your own rate" } else { "the program’s rate" };
    let text = format!("{} of each sale, {whose}", at(&[new]));
    announcements::announce(tx, act, Scope::Affiliate(id), &text, new.starts_at).await
}

/// Writes down that a merchant looks at the affiliate's own pages.
///
/// # Errors
/// When there is no such affiliate.
pub async fn view(tx: &mut Tx, act: &Act, id: AffiliateId) -> Result<(), Refusal> {
    let found = affiliates::program_of(tx, id).await?.filter(|found| found.program_id == act.program.id);
    found.ok_or(Refusal::NotFound("affiliate"))?;
    Ok(act.audit(tx, "affiliate.viewed", id, Change::default()).await?)
}

fn taken_meanwhile(error: Error) -> Refusal {
    if error.is_unique_violation() { email_taken() } else { error.into() }
}

/// Moves an affiliate, who is told where that is due.
///
/// # Errors
/// When there is no such affiliate, or no such move from where they stand.
pub async fn change_standing(
    tx: &mut Tx,
    act: &Act,
    id: AffiliateId,
    change: Move,
    reason: Option<&str>,
) -> Result<Standing, Refusal> {
    let (program, unknown) = (act.program.id, || Refusal::NotFound("affiliate"));
    let before = affiliates::lock(tx, program, id).await?.ok_or_else(unknown)?;
    let stand = affiliates::stand(tx, program, id).await?.ok_or_else(unknown)?;
    let facts = stand.facts();
    let (status, blocked_as) = facts.after(change).map_err(|issue| Refusal::field("status", issue.0))?;
    let standing = Facts { status, blocked_as, ..facts }.standing();

    let status_reason = reason.map(str::to_owned);
    let after = affiliates::Editable { status, blocked_as, status_reason, ..before.clone() };
    if status != before.status {
        totals::count_affiliate(tx, program, before.status, -1).await?;
        totals::count_affiliate(tx, program, status, 1).await?;
    }
    affiliates::update(tx, id, &after, act.now).await?;
    let words = (facts.standing().word(), standing.word());
    let audited = Change { before: Some(words.0), after: Some(words.1), reason };
    let cause = act.deed(tx, &format!("affiliate.{}", change.done()), id, audited).await?;

    let kind = match change {
        Move::Approve => Kind::ApplicationApproved,
        Move::Reject => Kind::ApplicationRejected,
        Move::Reopen | Move::Pause | Move::Resume | Move::Remove => return Ok(standing),
    };
    if let Ok(to) = &Email::parse(&before.email) {
        let (cause, account) = (cause.raw(), stand.account_id);
        let mail = NewMail { kind, cause, to, program: Some(program), account, affiliate: Some(id) };
        mails::enqueue(tx, &act.ids, act.now, mail).await?;
    }
    Ok(standing)
}

/// What the audit log says of an affiliate: that payment details changed, not what they are.
fn audited(act: &Act, affiliate: &affiliates::Editable, code: Option<&str>) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Audited<'a> {
        name: &'a str,
        email: &'a str,
        status: Status,
        referral_code: Option<&'a str>,
        payment_method: Option<PaymentMethod>,
        has_payment_details: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        minimum: Option<String>,
    }
    let audited = Audited {
        name: &affiliate.name,
        email: &affiliate.email,
        status: affiliate.status,
        referral_code: code,
        payment_method: affiliate.payment_method,
        has_payment_details: affiliate.sealed_details.is_some(),
        minimum: affiliate.minimum_minor.map(|minor| act.program.currency.of(minor).to_string()),
    };
    serde_json::to_string(&audited).unwrap_or_default()
}
