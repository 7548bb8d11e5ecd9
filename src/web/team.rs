//! The people who work for a program: who they are, what each role may do, invited, changed, gone.

use askama::Template;
use axum::extract::State;

use super::{
    caller::{Caller, LeadsTeam, Reads},
    confirm::Confirmed,
    failure::Failure,
    filters,
    form::Form,
    input::PathId,
    reply::Reply,
    shell::Notice,
    throttle,
};
use crate::{
    app::App,
    domain::{
        email::Email,
        id::{Account, AccountId},
        role::Role,
    },
    flows::{Actor, Refusal, team},
    store::{
        one_time_links::LinkId,
        team::{self as stored, Invitation, Member},
    },
};

fn me(caller: &Caller) -> Result<AccountId, Failure> {
    match caller.actor {
        Actor::Account(account) => Ok(account),
        _ => Err(Failure::no_route()),
    }
}

#[derive(Template)]
#[template(path = "team/index.html")]
struct Index {
    slug: String,
    me: AccountId,
    role: Role,
    members: Vec<Member>,
    invitations: Vec<Invitation>,
}

/// `GET /m/{program}/team`
pub async fn index(caller: LeadsTeam, State(app): State<App>) -> Result<Reply, Failure> {
    let mut tx = app.db.read().await?;
    Ok(Reply::page(Index {
        slug: caller.program.slug.clone(),
        me: me(&caller)?,
        role: caller.role.unwrap_or(Role::Viewer),
        members: stored::members(&mut tx, caller.program.id).await?,
        invitations: stored::invitations(&mut tx, caller.program.id, app.clock.now()).await?,
    }))
}

/// The roles that somebody of this role may give.
fn choices(role: Option<Role>) -> Vec<Role> {
    Role::ALL.into_iter().filter(|other| role.is_some_and(|role| role.may_appoint(*other))).collect()
}

#[derive(Template)]
#[template(path = "team/invite.html")]
struct Invite {
    slug: String,
    choices: Vec<Role>,
    form: Form,
}

impl Invite {
    fn new(caller: &Caller, form: Form) -> Self {
        Self { slug: caller.program.slug.clone(), choices: choices(caller.role), form }
    }
}

/// `GET /m/{program}/team/invite`
pub async fn invite(caller: LeadsTeam, _: Confirmed) -> Result<Reply, Failure> {
    Ok(Reply::page(Invite::new(&caller, Form::of(&[("role", "manager")]))))
}

/// `POST /m/{program}/team/invite`
pub async fn send_invitation(
    caller: LeadsTeam,
    _: Confirmed,
    State(app): State<App>,
    mut form: Form,
) -> Result<Reply, Failure> {
    let (email, role) = (form.read("email", Email::parse), form.read("role", Role::parse));
    if let (Some(email), Some(role)) = (email, role) {
        throttle::mail_to_stranger(&app, me(&caller)?)?;
        let words = format!("{} is invited. The link works once, for 7 days.", email.as_str());
        let act = caller.act(&app);
        let sent = app.db.write(move |tx| Box::pin(async move { team::invite(tx, &act, &email, role).await }));
        match sent.await {
            Ok(()) => return Ok(Reply::done(format!("/m/{}/team", caller.program.slug), Notice::done(words))),
            Err(refusal) => form.refused(refusal)?,
        }
    }
    Ok(Reply::invalid(Invite::new(&caller, form)))
}

/// What became of a form that is a button: a refusal is told where the button is.
fn told<T>(caller: &Caller, done: Result<T, Refusal>, words: impl FnOnce(T) -> String) -> Result<Reply, Failure> {
    let to = format!("/m/{}/team", caller.program.slug);
    match done {
        Ok(what) => Ok(Reply::done(to, Notice::done(words(what)))),
        Err(Refusal::Field { field, issue }) => {
            let mut words = format!("{field} {issue}.");
            if let Some(first) = words.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            Ok(Reply::done(to, Notice::problem(words)))
        }
        Err(other) => Err(other.into()),
    }
}

fn invitation(form: &Form) -> Result<LinkId, Failure> {
    form.get("invitation").parse().map(LinkId::new).map_err(|_| Failure::not_found("invitation"))
}

/// `POST /m/{program}/team/invitations/withdraw`
pub async fn withdraw(caller: LeadsTeam, _: Confirmed, State(app): State<App>, form: Form) -> Result<Reply, Failure> {
    let (act, id) = (caller.act(&app), invitation(&form)?);
    let done = app.db.write(move |tx| Box::pin(async move { team::withdraw(tx, &act, id).await })).await;
    told(&caller, done, |email| format!("The invitation of {} no longer works.", email.as_str()))
}

/// `POST /m/{program}/team/invitations/resend`
pub async fn resend(caller: LeadsTeam, _: Confirmed, State(app): State<App>, form: Form) -> Result<Reply, Failure> {
    let (act, id) = (caller.act(&app), invitation(&form)?);
    throttle::mail_to_stranger(&app, me(&caller)?)?;
    let done = app.db.write(move |tx| Box::pin(async move { team::resend(tx, &act, id).await })).await;
    told(&caller, done, |email| format!("{} has a new link. The earlier one no longer works.", email.as_str()))
}

#[derive(Template)]
#[template(path = "team/member.html")]
struct Show {
    slug: String,
    program: String,
    member: Member,
    is_me: bool,
    /// Whether the reader's role deals in this one.
    may_change: bool,
    choices: Vec<Role>,
    form: Form,
}

async fn page(app: &App, caller: &Caller, id: AccountId, form: Option<Form>) -> Result<Show, Failure> {
    let found = stored::member(&mut *app.db.read().await?, caller.program.id, id).await?;
    let member = found.ok_or_else(Failure::no_route)?;
    Ok(Show {
        slug: caller.program.slug.clone(),
        program: caller.program.name.clone(),
        is_me: me(caller)? == id,
        may_change: caller.role.is_some_and(|role| role.may_appoint(member.role)),
        choices: choices(caller.role),
        form: form.unwrap_or_else(|| Form::of(&[("role", member.role.as_str())])),
        member,
    })
}

/// `GET /m/{program}/team/{id}`
pub async fn show(
    caller: LeadsTeam,
    PathId(id): PathId<Account>,
    _: Confirmed,
    State(app): State<App>,
) -> Result<Reply, Failure> {
    Ok(Reply::page(page(&app, &caller, id, None).await?))
}

/// `POST /m/{program}/team/{id}`: another role.
pub async fn change_role(
    caller: LeadsTeam,
    PathId(id): PathId<Account>,
    _: Confirmed,
    State(app): State<App>,
    mut form: Form,
) -> Result<Reply, Failure> {
    if let Some(role) = form.read("role", Role::parse) {
        let act = caller.act(&app);
        let done = app.db.write(move |tx| Box::pin(async move { team::change_role(tx, &act, id, role).await }));
        match done.await {
            Ok(before) => {
                let words = format!("{} is {} now, and was {}.", before.name, role.label(), before.role.label());
                return Ok(Reply::done(format!("/m/{}/team", caller.program.slug), Notice::done(words)));
            }
            Err(refusal) => form.refused(refusal)?,
        }
    }
    Ok(Reply::invalid(page(&app, &caller, id, Some(form)).await?))
}

/// `POST /m/{program}/team/{id}/remove`
pub async fn remove(
    caller: LeadsTeam,
    PathId(id): PathId<Account>,
    _: Confirmed,
    State(app): State<App>,
) -> Result<Reply, Failure> {
    let act = caller.act(&app);
    let done = app.db.write(move |tx| Box::pin(async move { team::remove(tx, &act, id).await })).await;
    told(&caller, done, |gone| format!("{} is no longer in the team, and sees nothing of it any more.", gone.name))
}

#[derive(Template)]
#[template(path = "team/leave.html")]
struct Leave {
    slug: String,
    program: String,
    role: Role,
    issue: Option<String>,
}

impl Leave {
    fn new(caller: &Caller, issue: Option<String>) -> Self {
        let Caller { program, role, .. } = caller;
        Self { slug: program.slug.clone(), program: program.name.clone(), role: role.unwrap_or(Role::Viewer), issue }
    }
}

/// `GET /m/{program}/team/leave`
pub async fn ask_to_leave(caller: Reads, _: Confirmed) -> Result<Reply, Failure> {
    Ok(Reply::page(Leave::new(&caller, None)))
}

/// `POST /m/{program}/team/leave`
pub async fn leave(caller: Reads, _: Confirmed, State(app): State<App>) -> Result<Reply, Failure> {
    let act = caller.act(&app);
    match app.db.write(move |tx| Box::pin(async move { team::leave(tx, &act).await })).await {
        Ok(_) => Ok(Reply::done("/", Notice::done(format!("You have left {}.", caller.program.name)))),
        Err(Refusal::Field { .. }) => {
            let issue = "You are the last owner. Make somebody else an owner first.".to_owned();
            Ok(Reply::invalid(Leave::new(&caller, Some(issue))))
        }
        Err(other) => Err(other.into()),
    }
}
