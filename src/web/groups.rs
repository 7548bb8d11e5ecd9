//! Groups of affiliates who earn alike: made, named, put away, and affiliates put into them.

use askama::Template;
use axum::extract::State;

use super::{
    caller::Configures,
    desk::{self, counted},
    failure::{self, Failure},
    filters,
    form::Form,
    input::PathId,
    reply::Reply,
    shell::Notice,
};
use crate::{
    app::App,
    domain::{
        Issue,
        id::{self, GroupId},
        rules::{Rule, Scope},
        text,
    },
    flows::{Refusal, groups as flow},
    store::groups::{self as stored, Group},
};

/// A group, and the names of the rules that are for it now.
struct Line {
    group: Group,
    rules: Vec<String>,
}

#[derive(Template)]
#[template(path = "merchant/groups.html")]
struct Index {
    slug: String,
    groups: Vec<Line>,
    archived: Vec<Group>,
    form: Form,
}

async fn page(me: &Configures, app: &App, form: Form) -> Result<Index, Failure> {
    let now = app.clock.now();
    let all = stored::of(&mut *app.db.read().await?, me.program.id).await?;
    let (archived, used): (Vec<_>, Vec<_>) = all.into_iter().partition(|group| group.archived_at.is_some());
    let line = |group: Group| {
        let is_its = |rule: &&Rule| rule.scope == Scope::Group(group.id) && rule.is_in_force(now);
        Line { rules: me.program.rules.iter().filter(is_its).map(|rule| rule.name.clone()).collect(), group }
    };
    let groups = used.into_iter().map(line).collect();
    Ok(Index { slug: me.program.slug.clone(), groups, archived, form })
}

fn name(form: &mut Form, field: &str) -> Option<String> {
    form.read(field, |name| {
        text::name(name)?;
        text::bounded(name, 1, 80).map(|()| name.to_owned())
    })
}

fn path(me: &Configures) -> String {
    format!("/m/{}/groups", me.program.slug)
}

/// `GET /m/{program}/groups`
pub async fn index(me: Configures, State(app): State<App>) -> Result<Reply, Failure> {
    Ok(Reply::page(page(&me, &app, Form::default()).await?))
}

/// `POST /m/{program}/groups`
pub async fn create(me: Configures, State(app): State<App>, mut form: Form) -> Result<Reply, Failure> {
    if let Some(name) = name(&mut form, "name") {
        let (act, told) = (me.act(&app), format!("“{name}” is made. Put affiliates into it from their list."));
        let made = app.db.write(move |tx| Box::pin(async move { flow::create(tx, &act, &name).await })).await;
        match made {
            Ok(_) => return Ok(Reply::done(path(&me), Notice::done(told))),
            Err(refusal) => form.refused(refusal)?,
        }
    }
    Ok(Reply::invalid(page(&me, &app, form).await?))
}

/// `POST /m/{program}/groups/{id}`
pub async fn rename(
    me: Configures,
    State(app): State<App>,
    PathId(id): PathId<id::Group>,
    mut form: Form,
) -> Result<Reply, Failure> {
    if let Some(name) = name(&mut form, "name") {
        let (act, told) = (me.act(&app), format!("The group is called “{name}” now."));
        let done = app.db.write(move |tx| Box::pin(async move { flow::rename(tx, &act, id, &name).await })).await;
        match done {
            Ok(()) => return Ok(Reply::done(path(&me), Notice::done(told))),
            Err(refusal) => form.refused(refusal)?,
        }
    }
    Ok(Reply::invalid(page(&me, &app, form).await?))
}

async fn set_archived(me: Configures, app: App, id: GroupId, is_archived: bool) -> Result<Reply, Failure> {
    let act = me.act(&app);
    let done =
        app.db.write(move |tx| Box::pin(async move { flow::set_archived(tx, &act, id, is_archived).await })).await;
    let group = match done {
        Ok(group) => group,
        Err(refusal) => {
            let mut form = Form::default();
            form.refused(refusal)?;
            return Ok(Reply::invalid(page(&me, &app, form).await?));
        }
    };
    let told = if is_archived { "is archived" } else { "can be used again" };
    Ok(Reply::done(path(&me), Notice::done(format!("“{}” {told}.", group.name))))
}

/// `POST /m/{program}/groups/{id}/archive`
pub async fn archive(me: Configures, State(app): State<App>, PathId(id): PathId<id::Group>) -> Result<Reply, Failure> {
    set_archived(me, app, id, true).await
}

/// `POST /m/{program}/groups/{id}/restore`
pub async fn restore(me: Configures, State(app): State<App>, PathId(id): PathId<id::Group>) -> Result<Reply, Failure> {
    set_archived(me, app, id, false).await
}

/// The group that a word names; the word for none is `none`.
///
/// # Errors
/// Anything that is neither.
pub fn choice(word: &str) -> Result<Option<GroupId>, Issue> {
    match word {
        "none" => Ok(None),
        id => GroupId::parse(id).map(Some).map_err(|_| Issue::new("must be chosen")),
    }
}

/// `POST /m/{program}/affiliates/group`: puts those ticked into a group, or into none. Whoever sets rates does.
pub async fn assign(me: Configures, State(app): State<App>, form: Form) -> Result<Reply, Failure> {
    let back = desk::affiliates::back(&me, form.get("back"));
    let to = choice(form.get("group")).map_err(|issue| Failure::field("group", issue.0))?;
    let ids = form.all("id").take(desk::affiliates::AT_ONCE).map(failure::id::<id::Affiliate>);
    let ids = ids.collect::<Result<Vec<_>, _>>()?;
    if ids.is_empty() {
        return Ok(Reply::done(back, Notice::problem("Tick the affiliates first, then choose their group.")));
    }
    let style = desk::style(&mut *app.db.read().await?, &me).await?;
    let act = me.act(&app);
    let moved = app.db.write::<_, Refusal, _>(move |tx| {
        Box::pin(async move {
            let moved = flow::assign(tx, &act, ids, to).await?;
            let name = match to {
                Some(group) => Some(flow::in_use(tx, act.program.id, group).await?.name),
                None => None,
            };
            Ok((moved, name))
        })
    });
    let (moved, name) = match moved.await {
        Ok(done) => done,
        Err(Refusal::Field { issue, .. }) => {
            return Ok(Reply::done(back, Notice::problem(format!("The group {issue}."))));
        }
        Err(refusal) => return Err(refusal.into()),
    };
    let count = counted(style, i64::try_from(moved).unwrap_or(i64::MAX), "affiliate");
    let told = match name {
        _ if moved == 0 => "Nobody moved: they were there already.".to_owned(),
        Some(name) => format!("{count} moved to “{name}”. Their sales from now on earn by its rules."),
        None => format!("{count} moved out of their group."),
    };
    Ok(Reply::done(back, Notice::done(told)))
}
