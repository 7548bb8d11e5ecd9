//! Inviting people to become affiliates, and their coming in.

use super::{
    Act, Change, Refusal,
    affiliates::{self, NewAffiliate},
    joining::{self, In, Who},
    mails::{self, NewMail},
    one_time_links::{self, NewLink},
};
use crate::{
    domain::{
        affiliate::Status,
        email::Email,
        id::{AffiliateId, AffiliateInvitationId},
        invitation::{BadLine, Invitee},
        message::Kind,
        one_time_link::Purpose,
        standing::Move,
        time::Time,
    },
    store::{
        self, Tx, applications,
        invitations::{self, Invitation, NewRow},
        one_time_links::LinkId,
    },
};

/// Invites them all, or nobody.
///
/// # Errors
/// The database's; `Ok(Err(…))` names the lines of those who cannot be invited.
pub async fn invite(tx: &mut Tx, act: &Act, people: &[Invitee]) -> Result<Result<(), Vec<BadLine>>, Refusal> {
    let (mut bad, mut good) = (Vec::new(), Vec::new());
    for person in people {
        match invitable(tx, act, &person.email).await? {
            Ok(affiliate) => good.push((person, affiliate)),
            Err(issue) => bad.push(BadLine { line: person.line, issue: format!("{issue}: {}", person.email.as_str()) }),
        }
    }
    if !bad.is_empty() {
        return Ok(Err(bad));
    }
    for (person, affiliate) in good {
        create(tx, act, &person.email, &person.name, affiliate).await?;
    }
    Ok(Ok(()))
}

/// Invites one that the API made; again, where they were invited already.
///
/// # Errors
/// When there is no such affiliate, or they have an account.
pub async fn invite_affiliate(tx: &mut Tx, act: &Act, id: AffiliateId) -> Result<(), Refusal> {
    let unknown = || Refusal::NotFound("affiliate");
    let found = store::affiliates::lock(tx, act.program.id, id).await?.ok_or_else(unknown)?;
    let email = Email::parse(&found.email).map_err(|_| unknown())?;
    if let Some(open) = invitations::by_address(tx, act.program.id, &email).await? {
        return send_again(tx, act, open.id).await;
    }
    match invitable(tx, act, &email).await? {
        Ok(affiliate) => create(tx, act, &email, &found.name, affiliate).await,
        Err(issue) => Err(Refusal::field("email", issue)),
    }
}

/// The affiliate that the API made with that address, if any; or why the address cannot be invited.
async fn invitable(
    tx: &mut Tx,
    act: &Act,
    email: &Email,
) -> Result<Result<Option<AffiliateId>, &'static str>, Refusal> {
    let program = act.program.id;
    if invitations::by_address(tx, program, email).await?.is_some() {
        return Ok(Err("was invited already; send that invitation again instead"));
    }
    let Some(known) = store::affiliates::by_email(tx, program, email).await? else { return Ok(Ok(None)) };
    Ok(match (known.status, known.account_id) {
        (Status::Blocked, _) => Err("belongs to an affiliate who is blocked"),
        (Status::Pending, Some(_)) => Err("has applied and waits for your answer"),
        (Status::Active, Some(_)) => Err("is an affiliate already"),
        (_, None) => Ok(Some(known.id)),
    })
}

async fn create(
    tx: &mut Tx,
    act: &Act,
    email: &Email,
    name: &str,
    affiliate: Option<AffiliateId>,
) -> Result<(), Refusal> {
    let id: AffiliateInvitationId = act.id();
    let (link, expires_at) = link(tx, act, email, affiliate).await?;
    let row = NewRow { id, program: act.program.id, email, name, affiliate, link, expires_at };
    if !invitations::create(tx, row).await? {
        return Err(Refusal::field("people", "name somebody whom another member has just invited; look at the list"));
    }
    mail(tx, act, email, link, affiliate).await?;
    let change = Change { after: Some(email.as_str()), ..Change::default() };
    Ok(act.audit(tx, "invitation.sent", id, change).await?)
}

async fn link(
    tx: &mut Tx,
    act: &Act,
    email: &Email,
    affiliate: Option<AffiliateId>,
) -> Result<(LinkId, Time), Refusal> {
    let purpose = Purpose::AffiliateInvitation;
    let new = NewLink { program: Some(act.program.id), affiliate, ..NewLink::to(purpose, email) };
    let id = one_time_links::create(tx, &act.ids, &act.secret, act.now, new).await?;
    Ok((id, act.now.plus_seconds(purpose.minutes() * 60)))
}

async fn mail(
    tx: &mut Tx,
    act: &Act,
    email: &Email,
    link: LinkId,
    affiliate: Option<AffiliateId>,
) -> Result<(), Refusal> {
    let mail = NewMail {
        kind: Kind::AffiliateInvitation,
        cause: link.raw(),
        to: email,
        program: Some(act.program.id),
        account: None,
        affiliate,
    };
    mails::enqueue(tx, &act.ids, act.now, mail).await?;
    Ok(())
}

async fn lock(tx: &mut Tx, act: &Act, id: AffiliateInvitationId) -> Result<(Invitation, Email), Refusal> {
    let unknown = || Refusal::NotFound("open invitation");
    let found = invitations::lock(tx, act.program.id, id).await?.ok_or_else(unknown)?;
    let email = Email::parse(&found.email).map_err(|_| unknown())?;
    Ok((found, email))
}

/// Sends another link; the one before is worth nothing then.
///
/// # Errors
/// When the invitation is not open.
pub async fn send_again(tx: &mut Tx, act: &Act, id: AffiliateInvitationId) -> Result<(), Refusal> {
    let (found, email) = lock(tx, act, id).await?;
    store::one_time_links::withdraw_one(tx, found.link_id, act.now).await?;
    let (link, expires_at) = link(tx, act, &email, found.affiliate_id).await?;
    invitations::sent_again(tx, id, link, act.now, expires_at).await?;
    mail(tx, act, &email, link, found.affiliate_id).await?;
    let change = Change { after: Some(email.as_str()), ..Change::default() };
    Ok(act.audit(tx, "invitation.sent_again", id, change).await?)
}

/// # Errors
/// When the invitation is not open.
pub async fn withdraw(tx: &mut Tx, act: &Act, id: AffiliateInvitationId) -> Result<(), Refusal> {
    let (found, email) = lock(tx, act, id).await?;
    store::one_time_links::withdraw_one(tx, found.link_id, act.now).await?;
    invitations::withdraw(tx, id, act.now).await?;
    let change = Change { before: Some(email.as_str()), ..Change::default() };
    Ok(act.audit(tx, "invitation.withdrawn", id, change).await?)
}

/// Makes the invited person an active affiliate, or gives them the one that the API made.
///
/// # Errors
/// When the link was used already, or the address has an account and this is not it.
pub async fn accept(tx: &mut Tx, act: Act, token_hash: &str, name: &str, who: Who) -> Result<In, Refusal> {
    let (link, email) = joining::use_link(tx, Purpose::AffiliateInvitation, token_hash, act.now).await?;
    let open = invitations::by_link(tx, link.id).await?.ok_or(Refusal::NotFound("invitation"))?;
    let (account, act) = joining::account(tx, act, &email, name, who).await?;
    let known = if let Some(id) = open.affiliate_id {
        // Whatever address the merchant has given them since.
        store::affiliates::stand(tx, act.program.id, id).await?.map(|at| (id, at.status, at.account_id))
    } else {
        let known = store::affiliates::by_email(tx, act.program.id, &email).await?;
        known.map(|known| (known.id, known.status, known.account_id))
    };
    let (affiliate, status) = if let Some((id, status, owner)) = known {
        if owner.is_none() {
            store::affiliates::give_to(tx, id, account).await?;
        }
        if status == Status::Pending {
            // Who invites somebody has answered their application.
            affiliates::change_standing(tx, &act, id, Move::Approve, None).await?;
            (id, Status::Active)
        } else {
            (id, status)
        }
    } else {
        let new = NewAffiliate { email, name: name.to_owned(), code: None, custom_fields: "{}".into() };
        let joined = affiliates::join(tx, &act, &new, Status::Active, None).await?;
        store::affiliates::give_to(tx, joined.id, account).await?;
        (joined.id, Status::Active)
    };
    let terms = applications::settings(tx, act.program.id).await?.agreed_version();
    invitations::accept(tx, open.id, affiliate, terms, act.now).await?;
    act.audit(tx, "invitation.accepted", open.id, Change::default()).await?;
    Ok(In { account, affiliate, is_active: status == Status::Active })
}
