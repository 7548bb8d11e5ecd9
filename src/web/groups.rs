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
        money::Money,
        payout,
        program::{Difference, hold},
        rules::{Rule, Scope},
        text,
    },
    flows::{Refusal, groups as flow},
    store::{
        Tx,
        groups::{self as stored, Group},
        payouts,
    },
};

/// A group, and the names of the rules that are for it now.
struct Line {
    group: Group,
    rules: Vec<String>,
    /// Terms of its own in words, empty where it has none.
    hold: String,
    minimum: Option<Money>,
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
        Line {
            rules: me.program.rules.iter().filter(is_its).map(|rule| rule.name.clone()).collect(),
            hold: group.hold_days.map(hold).unwrap_or_default(),
            minimum: group.minimum_minor.map(|minor| me.program.currency.of(minor)),
            group,
        }
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

#[derive(Template)]
#[template(path = "merchant/group.html")]
struct Edit {
    slug: String,
    group: Group,
    hold_hint: String,
    minimum_hint: String,
    form: Form,
}

async fn edited(tx: &mut Tx, me: &Configures, group: Group, form: Form) -> Result<Edit, Failure> {
    let minimum = payouts::settings(tx, me.program.id).await?.minimum;
    let hold_hint = format!(
        "For so long after a sale its commission cannot be paid; what is there keeps its day. Empty: the program’s, {}.",
        hold(me.program.hold_days)
    );
    let style = desk::style(tx, me).await?;
    let minimum_hint = desk::minimum_hint(style, "program", me.program.currency.of(minimum));
    Ok(Edit { slug: me.program.slug.clone(), group, hold_hint, minimum_hint, form })
}

/// `GET /m/{program}/groups/{id}`
pub async fn show(me: Configures, State(app): State<App>, PathId(id): PathId<id::Group>) -> Result<Reply, Failure> {
    let mut tx = app.db.read().await?;
    let group = stored::by_id(&mut tx, me.program.id, id).await?.ok_or_else(|| Failure::not_found("group"))?;
    let minimum = group.minimum_minor.map(|minor| me.program.currency.of(minor).to_string());
    let form = Form::of(&[
        ("name", &group.name),
        ("hold_days", &group.hold_days.map(|days| days.to_string()).unwrap_or_default()),
        ("minimum", &minimum.unwrap_or_default()),
    ]);
    Ok(Reply::page(edited(&mut tx, &me, group, form).await?))
}

/// `POST /m/{program}/groups/{id}`
pub async fn change(
    me: Configures,
    State(app): State<App>,
    PathId(id): PathId<id::Group>,
    mut form: Form,
) -> Result<Reply, Failure> {
    let group = stored::by_id(&mut *app.db.read().await?, me.program.id, id).await?;
    let group = group.ok_or_else(|| Failure::not_found("group"))?;
    let name = name(&mut form, "name");
    let hold_days = form.read_filled("hold_days", payout::hold_days);
    let minimum = form.read_filled("minimum", |text| me.program.currency.amount(text));
    if let (Some(name), true) = (name, form.is_good()) {
        let (act, terms) = (me.act(&app), flow::Terms { name, hold_days, minimum });
        match app.db.write(move |tx| Box::pin(async move { flow::change(tx, &act, id, terms).await })).await {
            Ok(changed) => return Ok(Reply::done(path(&me), Notice::done(Difference::told(&changed)))),
            Err(refusal) => form.refused(refusal)?,
        }
    }
    Ok(Reply::invalid(edited(&mut *app.db.read().await?, &me, group, form).await?))
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
