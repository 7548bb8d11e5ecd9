//! Applications to be answered: the queue, and one at a time with its answers.

use askama::Template;
use axum::extract::State;

use super::{
    caller::ManagesAffiliates, failure::Failure, filters, form::Form, input::PathId, reply::Reply, shell::Notice,
};
use crate::{
    app::App,
    domain::{
        application::Answer,
        id::{self, AffiliateId, ProgramId},
        role::Permission,
        standing::{Move, Standing},
        text,
    },
    flows::{Refusal, affiliates},
    store::{
        self, Tx,
        applications::{Application, Namesake, Waiting},
    },
};

/// So many are listed; the rest come up as these are answered.
const LISTED: i64 = 50;

/// What applicants are often told. Any of them may be written differently.
const REASONS: [(&str, &str); 5] = [
    ("", "In my own words, below"),
    ("Your audience and our products are too far apart.", "Audience does not fit"),
    (
        "We could not see where you would recommend us. Apply again with a link to your site or profile.",
        "No site or profile to look at",
    ),
    ("We work with a small number of partners and have no place free at the moment.", "No place free"),
    ("We could not verify that the site or profile is yours.", "Site could not be verified"),
];

#[derive(Template)]
#[template(path = "applications/index.html")]
struct Index {
    slug: String,
    waiting: Vec<Waiting>,
    is_more: bool,
    may_configure: bool,
}

/// `GET /m/{program}/applications`
pub async fn index(me: ManagesAffiliates, State(app): State<App>) -> Result<Reply, Failure> {
    let mut tx = app.db.read().await?;
    let mut waiting = store::applications::waiting(&mut tx, me.program.id, LISTED + 1).await?;
    let is_more = i64::try_from(waiting.len()).unwrap_or(0) > LISTED;
    waiting.truncate(usize::try_from(LISTED).unwrap_or(0));
    let may_configure = me.grants.allow(Permission::Settings);
    Ok(Reply::page(Index { slug: me.program.slug.clone(), waiting, is_more, may_configure }))
}

#[derive(Template)]
#[template(path = "applications/show.html")]
struct Show {
    slug: String,
    id: AffiliateId,
    application: Application,
    name: String,
    email: String,
    answers: Vec<Answer>,
    standing: Standing,
    reason: Option<String>,
    may_reopen: bool,
    signals: Vec<String>,
    waiting: Vec<Waiting>,
    form: Form,
}

impl Show {
    const fn reasons() -> &'static [(&'static str, &'static str); 5] {
        &REASONS
    }

    fn is_open(&self) -> bool {
        self.standing == Standing::Applied
    }
}

async fn load(tx: &mut Tx, program: ProgramId, slug: &str, id: AffiliateId, form: Form) -> Result<Show, Failure> {
    let unknown = || Failure::not_found("application");
    let stand = store::affiliates::stand(tx, program, id).await?.ok_or_else(unknown)?;
    let application = store::applications::of_affiliate(tx, id).await?.ok_or_else(unknown)?;
    let summary = store::affiliates::summary(tx, program, id).await?.ok_or_else(unknown)?;
    let (answers, facts) = (application.answers()?, stand.facts());
    Ok(Show {
        slug: slug.to_owned(),
        id,
        signals: signals(tx, program, id, &application, &summary.name).await?,
        name: summary.name,
        email: summary.email,
        answers,
        application,
        standing: facts.standing(),
        reason: stand.status_reason,
        may_reopen: facts.after(Move::Reopen).is_ok(),
        waiting: store::applications::waiting(tx, program, LISTED).await?,
        form,
    })
}

/// What is worth a second look, in words.
async fn signals(
    tx: &mut Tx,
    program: ProgramId,
    id: AffiliateId,
    application: &Application,
    name: &str,
) -> Result<Vec<String>, Failure> {
    let names = |found: Vec<Namesake>| found.into_iter().map(|one| one.name).collect::<Vec<_>>().join(", ");
    let mut signals = Vec::new();
    if let Some(ip_hash) = application.ip_hash {
        let same = store::applications::from_same_address(tx, program, ip_hash, id).await?;
        if !same.is_empty() {
            signals.push(format!("Sent from the same network address as the application of {}", names(same)));
        }
    }
    if application.is_disposable {
        signals.push("The e-mail address is one that lasts for minutes only".to_owned());
    }
    if !store::applications::of_same_name(tx, program, name, id).await?.is_empty() {
        signals.push("There is another affiliate of the same name".to_owned());
    }
    Ok(signals)
}

/// `GET /m/{program}/applications/{id}`
pub async fn show(
    me: ManagesAffiliates,
    State(app): State<App>,
    PathId(id): PathId<id::Affiliate>,
) -> Result<Reply, Failure> {
    let mut tx = app.db.read().await?;
    Ok(Reply::page(load(&mut tx, me.program.id, &me.program.slug, id, Form::default()).await?))
}

/// `POST /m/{program}/applications/{id}/approval`
pub async fn approve(
    me: ManagesAffiliates,
    State(app): State<App>,
    PathId(id): PathId<id::Affiliate>,
) -> Result<Reply, Failure> {
    decide(&me, &app, id, Move::Approve, None).await
}

/// `POST /m/{program}/applications/{id}/rejection`
pub async fn reject(
    me: ManagesAffiliates,
    State(app): State<App>,
    PathId(id): PathId<id::Affiliate>,
    mut form: Form,
) -> Result<Reply, Failure> {
    // What somebody wrote themselves is meant, whatever is chosen above it.
    let field = if form.filled("words").is_some() { "words" } else { "reason" };
    let reason = form.read(field, |reason| {
        let reason = reason.replace("\r\n", "\n");
        text::bounded(&reason, 1, 500).map(|()| reason)
    });
    if reason.is_none() {
        let mut tx = app.db.read().await?;
        return Ok(Reply::invalid(load(&mut tx, me.program.id, &me.program.slug, id, form).await?));
    }
    decide(&me, &app, id, Move::Reject, reason).await
}

/// `POST /m/{program}/applications/{id}/reopening`: as if nothing had been decided.
pub async fn reopen(
    me: ManagesAffiliates,
    State(app): State<App>,
    PathId(id): PathId<id::Affiliate>,
) -> Result<Reply, Failure> {
    decide(&me, &app, id, Move::Reopen, None).await
}

async fn decide(
    me: &ManagesAffiliates,
    app: &App,
    id: AffiliateId,
    change: Move,
    reason: Option<String>,
) -> Result<Reply, Failure> {
    let (act, list) = (me.act(app), format!("/m/{}/applications", me.program.slug));
    let work = app.db.write(move |tx| {
        Box::pin(async move {
            // Only what was applied for is answered here.
            let known = store::applications::of_affiliate(tx, id).await?;
            known.ok_or(Refusal::NotFound("application"))?;
            affiliates::change_standing(tx, &act, id, change, reason.as_deref()).await
        })
    });
    let done = work.await;
    let mut tx = app.db.read().await?;
    let name = store::affiliates::summary(&mut tx, me.program.id, id).await?.map(|found| found.name);
    let name = name.unwrap_or_default();
    match done {
        Ok(_) if change == Move::Reopen => {
            Ok(Reply::done(format!("{list}/{id}"), Notice::done(format!("{name} waits for your answer again."))))
        }
        Ok(_) => {
            let told = format!("{name} is {}.", change.done());
            let notice = Notice::done(told).with_undo(format!("{list}/{id}/reopening"));
            let next = store::applications::waiting(&mut tx, me.program.id, 1).await?;
            Ok(Reply::done(next.first().map_or(list.clone(), |next| format!("{list}/{}", next.id)), notice))
        }
        Err(Refusal::Field { issue, .. }) => {
            Ok(Reply::done(format!("{list}/{id}"), Notice::problem(format!("Nothing was changed: {name} {issue}."))))
        }
        Err(refusal) => Err(refusal.into()),
    }
}
