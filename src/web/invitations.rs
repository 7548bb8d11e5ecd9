//! Inviting affiliates: one or many, and what became of it.

use askama::Template;
use axum::extract::State;

use super::{
    caller::{Caller, ManagesAffiliates},
    failure::Failure,
    filters,
    form::Form,
    input::{PathId, Query},
    reply::Reply,
    shell::Notice,
};
use crate::{
    app::App,
    domain::{
        id,
        invitation::{self, BadLine, MOST},
        one_time_link::Purpose,
        time::Time,
    },
    flows::{Refusal, invitations},
    store::{Tx, invitations as stored},
};

#[derive(Template)]
#[template(path = "invitations/invite.html")]
struct Page {
    slug: String,
    /// Where people may apply by themselves.
    public: String,
    lifetime: String,
    most: usize,
    form: Form,
    open: Vec<stored::Invitation>,
    now: Time,
    offset: i64,
    limit: i64,
    is_more: bool,
}

impl Page {
    async fn load(app: &App, me: &Caller, query: Option<&Query>, form: Form) -> Result<Self, Failure> {
        let (limit, offset) = match query.map(Query::window).transpose()? {
            Some(window) => (window.limit, window.offset),
            None => (20, 0),
        };
        let mut tx = app.db.read().await?;
        let tx: &mut Tx = &mut tx;
        let mut open = stored::open(tx, me.program.id, limit + 1, offset).await?;
        let is_more = i64::try_from(open.len()).unwrap_or(0) > limit;
        open.truncate(usize::try_from(limit).unwrap_or(0));
        Ok(Self {
            slug: me.program.slug.clone(),
            public: format!("{}p/{}", app.config.base_url, me.program.slug),
            lifetime: Purpose::AffiliateInvitation.lifetime(),
            most: MOST,
            form,
            open,
            now: app.clock.now(),
            offset,
            limit,
            is_more,
        })
    }
}

fn at(me: &Caller) -> String {
    format!("/m/{}/affiliates/invite", me.program.slug)
}

/// `GET /m/{program}/affiliates/invite`
pub async fn show(me: ManagesAffiliates, State(app): State<App>, query: Query) -> Result<Reply, Failure> {
    Ok(Reply::page(Page::load(&app, &me, Some(&query), Form::default()).await?))
}

/// `POST /m/{program}/affiliates/invite`: all of them, or nobody.
pub async fn send(me: ManagesAffiliates, State(app): State<App>, mut form: Form) -> Result<Reply, Failure> {
    let bad = match invitation::people(form.get("people")) {
        Ok(people) if people.is_empty() => {
            form.wrong("people", "must name somebody: one a line");
            Vec::new()
        }
        Ok(people) => {
            let (act, count) = (me.act(&app), people.len());
            let work = app.db.write(move |tx| Box::pin(async move { invitations::invite(tx, &act, &people).await }));
            match work.await {
                Ok(Ok(())) => {
                    let told = if count == 1 {
                        "1 invitation is sent.".into()
                    } else {
                        format!("{count} invitations are sent.")
                    };
                    return Ok(Reply::done(at(&me), Notice::done(told)));
                }
                Ok(Err(bad)) => bad,
                Err(refusal) => {
                    form.refused(refusal)?;
                    Vec::new()
                }
            }
        }
        Err(bad) => bad,
    };
    for BadLine { line, issue } in bad {
        form.wrong("people", format!("line {line} {issue}"));
    }
    Ok(Reply::invalid(Page::load(&app, &me, None, form).await?))
}

/// `POST /m/{program}/invitations/{id}/mail`: once more, with another link.
pub async fn send_again(
    me: ManagesAffiliates,
    State(app): State<App>,
    PathId(id): PathId<id::AffiliateInvitation>,
) -> Result<Reply, Failure> {
    let act = me.act(&app);
    let work = app.db.write(move |tx| Box::pin(async move { invitations::send_again(tx, &act, id).await }));
    work.await.map_err(|refusal: Refusal| Failure::from(refusal))?;
    Ok(Reply::done(at(&me), Notice::done("The invitation is sent again. The link of the one before no longer works.")))
}

/// `POST /m/{program}/invitations/{id}/withdrawal`
pub async fn withdraw(
    me: ManagesAffiliates,
    State(app): State<App>,
    PathId(id): PathId<id::AffiliateInvitation>,
) -> Result<Reply, Failure> {
    let act = me.act(&app);
    let work = app.db.write(move |tx| Box::pin(async move { invitations::withdraw(tx, &act, id).await }));
    work.await.map_err(|refusal: Refusal| Failure::from(refusal))?;
    Ok(Reply::done(at(&me), Notice::done("The invitation is withdrawn. Its link no longer works.")))
}

/// `POST /m/{program}/affiliates/{id}/invitation`: one that the API made.
pub async fn invite_affiliate(
    me: ManagesAffiliates,
    State(app): State<App>,
    PathId(id): PathId<id::Affiliate>,
) -> Result<Reply, Failure> {
    let act = me.act(&app);
    let work = app.db.write(move |tx| Box::pin(async move { invitations::invite_affiliate(tx, &act, id).await }));
    match work.await {
        Ok(()) => Ok(Reply::done_here(Notice::done("The invitation is sent."))),
        Err(Refusal::Field { issue, .. }) => {
            Ok(Reply::done_here(Notice::problem(format!("Nobody was invited: this address {issue}."))))
        }
        Err(refusal) => Err(refusal.into()),
    }
}
