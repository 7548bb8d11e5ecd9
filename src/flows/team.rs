//! Who works for a program: invited by mail, given another role, removed, gone by themselves. A program keeps an
//! owner whatever happens, and only owners deal in owners.

use super::{
    Act, Actor, Change, Refusal,
    accounts::NewAccount,
    mails::{self, NewMail},
    one_time_links::{self as links, NewLink},
};
use crate::{
    domain::{
        email::Email,
        id::{AccountId, ProgramId},
        key::hash,
        message::Kind,
        one_time_link::Purpose,
        role::{Permission, Role},
    },
    store::{
        Tx, accounts,
        one_time_links::{self, Link, LinkId},
        team::{self, Member},
    },
};

/// The team, which nobody else changes until the transaction ends, and the role in it of who acts.
async fn locked(tx: &mut Tx, act: &Act) -> Result<Role, Refusal> {
    team::lock(tx, act.program.id).await?;
    let Actor::Account(me) = act.actor else { return Err(Refusal::NotFound("member")) };
    accounts::role(tx, me, act.program.id).await?.ok_or(Refusal::NotFound("member"))
}

async fn member(tx: &mut Tx, act: &Act, account: AccountId) -> Result<Member, Refusal> {
    team::member(tx, act.program.id, account).await?.ok_or(Refusal::NotFound("member"))
}

/// Nobody may be left who can make owners.
async fn spare(tx: &mut Tx, program: ProgramId, leaving: Role) -> Result<(), Refusal> {
    if leaving == Role::Owner && team::owners(tx, program).await? <= 1 {
        return Err(Refusal::field("role", "cannot change: this is the last owner. Make somebody else an owner first"));
    }
    Ok(())
}

fn owners_only() -> Refusal {
    Refusal::field("role", "of an owner is given and taken by owners only")
}

/// Invites somebody by a link that is bound to the address and the role. An earlier invitation of the same
/// address is withdrawn.
///
/// # Errors
/// When the address is a member's, or the role is not the inviter's to give.
pub async fn invite(tx: &mut Tx, act: &Act, email: &Email, role: Role) -> Result<(), Refusal> {
    let mine = locked(tx, act).await?;
    if !mine.grants().allow(Permission::Team) {
        return Err(Refusal::NotFound("member"));
    }
    if !mine.may_appoint(role) {
        return Err(owners_only());
    }
    let account = accounts::by_email(tx, email).await?.map(|account| account.id);
    if let Some(account) = account
        && accounts::role(tx, account, act.program.id).await?.is_some()
    {
        return Err(Refusal::field("email", "is a member of the team already"));
    }
    for earlier in team::invitations(tx, act.program.id, act.now).await? {
        if earlier.email.to_lowercase() == email.key() {
            one_time_links::withdraw_one(tx, earlier.id, act.now).await?;
        }
    }
    let new = NewLink {
        program: Some(act.program.id),
        role: Some(role.as_str()),
        ..NewLink::to(Purpose::TeamInvitation, email)
    };
    let link = links::create(tx, &act.ids, &act.secret, act.now, new).await?;
    let mail = NewMail {
        kind: Kind::TeamInvitation,
        cause: link.raw(),
        to: email,
        program: Some(act.program.id),
        account,
        affiliate: None,
    };
    mails::enqueue(tx, &act.ids, act.now, mail).await?;
    let after = format!("{} as {role}", email.as_str());
    let change = Change { after: Some(&after), ..Change::default() };
    Ok(act.audit(tx, "team.invited", act.program.id, change).await?)
}

/// Takes an invitation back.
///
/// # Errors
/// When it is no longer good, or was an owner's to give.
pub async fn withdraw(tx: &mut Tx, act: &Act, id: LinkId) -> Result<Email, Refusal> {
    let mine = locked(tx, act).await?;
    let gone = || Refusal::NotFound("invitation");
    let found = team::invitation(tx, act.program.id, id, act.now).await?.ok_or_else(gone)?;
    if !mine.may_appoint(found.role) {
        return Err(owners_only());
    }
    one_time_links::withdraw_one(tx, id, act.now).await?;
    let before = format!("{} as {}", found.email, found.role);
    let change = Change { before: Some(&before), ..Change::default() };
    act.audit(tx, "team.invitation_withdrawn", act.program.id, change).await?;
    Email::parse(&found.email).map_err(|_| gone())
}

/// Sends an invitation once more, as a new link; the old one no longer works.
///
/// # Errors
/// As [`withdraw`] and [`invite`].
pub async fn resend(tx: &mut Tx, act: &Act, id: LinkId) -> Result<Email, Refusal> {
    let found = team::invitation(tx, act.program.id, id, act.now).await?.ok_or(Refusal::NotFound("invitation"))?;
    let email = Email::parse(&found.email).map_err(|_| Refusal::NotFound("invitation"))?;
    invite(tx, act, &email, found.role).await?;
    Ok(email)
}

/// What a good invitation says, once read.
pub struct Invited {
    pub email: Email,
    pub role: Role,
    pub program: ProgramId,
}

impl Invited {
    pub fn read(link: &Link) -> Option<Self> {
        Some(Self {
            email: Email::parse(link.email.as_deref()?).ok()?,
            role: Role::parse(link.role.as_deref()?).ok()?,
            program: link.program_id?,
        })
    }
}

/// Uses an invitation up for the account that is signed in, or for a new one with the invited address.
/// `act.program` is the program that it is to.
///
/// # Errors
/// When it is no longer good or is somebody else's.
pub async fn accept(
    tx: &mut Tx,
    act: &Act,
    token: &str,
    account: Option<AccountId>,
    new: Option<&NewAccount>,
) -> Result<AccountId, Refusal> {
    let gone = || Refusal::NotFound("invitation");
    team::lock(tx, act.program.id).await?;
    let link = one_time_links::use_up(tx, Purpose::TeamInvitation, &hash(token), act.now).await?.ok_or_else(gone)?;
    let invited = Invited::read(&link).filter(|invited| invited.program == act.program.id).ok_or_else(gone)?;
    let account = match (account, new) {
        (Some(account), _) => {
            let known = accounts::by_id(tx, account).await?.ok_or_else(gone)?;
            if known.email.to_lowercase() != invited.email.key() {
                return Err(gone());
            }
            account
        }
        (None, Some(new)) => {
            let id: AccountId = act.id();
            if !accounts::create(tx, id, &invited.email, &new.name, new.password_hash.as_deref()).await? {
                return Err(Refusal::field("email", "has an account already; sign in first"));
            }
            let made = Act { actor: Actor::Account(id), ..act.clone() };
            made.audit(tx, "account.created", id, Change::default()).await?;
            id
        }
        (None, None) => return Err(gone()),
    };
    if accounts::role(tx, account, act.program.id).await?.is_none() {
        accounts::join(tx, account, act.program.id, invited.role, act.now).await?;
        let act = Act { actor: Actor::Account(account), ..act.clone() };
        let change = Change { after: Some(invited.role.as_str()), ..Change::default() };
        act.audit(tx, "team.joined", account, change).await?;
    }
    Ok(account)
}

/// Gives a member another role.
///
/// # Errors
/// When either role is not the actor's to deal in, or the last owner would be gone.
pub async fn change_role(tx: &mut Tx, act: &Act, account: AccountId, role: Role) -> Result<Member, Refusal> {
    let mine = locked(tx, act).await?;
    let found = member(tx, act, account).await?;
    if !mine.may_appoint(found.role) || !mine.may_appoint(role) {
        return Err(owners_only());
    }
    if found.role == role {
        return Ok(found);
    }
    spare(tx, act.program.id, found.role).await?;
    team::set_role(tx, act.program.id, account, role).await?;
    let change = Change { before: Some(found.role.as_str()), after: Some(role.as_str()), reason: None };
    act.audit(tx, "team.role_changed", account, change).await?;
    Ok(found)
}

/// Takes somebody out of the team, at once.
///
/// # Errors
/// When the role is not the actor's to take, or it is the last owner's.
pub async fn remove(tx: &mut Tx, act: &Act, account: AccountId) -> Result<Member, Refusal> {
    let mine = locked(tx, act).await?;
    let found = member(tx, act, account).await?;
    if !mine.may_appoint(found.role) {
        return Err(owners_only());
    }
    go(tx, act, found, "team.removed").await
}

/// The actor leaves.
///
/// # Errors
/// When it is the last owner.
pub async fn leave(tx: &mut Tx, act: &Act) -> Result<Member, Refusal> {
    locked(tx, act).await?;
    let Actor::Account(me) = act.actor else { return Err(Refusal::NotFound("member")) };
    let found = member(tx, act, me).await?;
    go(tx, act, found, "team.left").await
}

async fn go(tx: &mut Tx, act: &Act, found: Member, action: &str) -> Result<Member, Refusal> {
    spare(tx, act.program.id, found.role).await?;
    team::remove(tx, act.program.id, found.account_id).await?;
    let change = Change { before: Some(found.role.as_str()), ..Change::default() };
    act.audit(tx, action, found.account_id, change).await?;
    Ok(found)
}
