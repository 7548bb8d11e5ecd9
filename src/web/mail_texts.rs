//! A program's own words in the mails that its affiliates get: each with a preview, and a test to oneself.

use askama::Template;
use axum::{
    extract::{FromRequestParts, State},
    http::request::Parts,
};

use super::{
    caller::Configures, failure::Failure, filters, form::Form, input::path_parameter, reply::Reply, shell::Notice,
    throttle,
};
use crate::{
    app::App,
    domain::{
        mail_text::{self, KINDS, MailText, label},
        message::Kind,
        program::Difference,
        text,
    },
    flows::{Actor, Refusal, mail_texts as flow},
    mail::{inert::Line, messages::Written, sample},
    store::mail_texts,
};

/// Whom a preview is for.
const SOMEBODY: &str = "Nina Sommer";
/// As much of a change is told as fits a notice.
const TOLD: usize = 80;

pub struct MailKind(Kind);

impl FromRequestParts<App> for MailKind {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let word = path_parameter(parts, app, "kind").await?;
        mail_text::kind(&word).map(Self).ok_or_else(Failure::no_route)
    }
}

#[derive(Template)]
#[template(path = "settings/mails.html")]
struct Index {
    slug: String,
    /// Each kind's word, what it is called, when it goes out, and whether it has words of the program's.
    mails: Vec<(&'static str, &'static str, &'static str, bool)>,
}

/// `GET /m/{program}/settings/mails`
pub async fn index(me: Configures, State(app): State<App>) -> Result<Reply, Failure> {
    let own = mail_texts::kinds(&mut *app.db.read().await?, me.program.id).await?;
    let mails = KINDS.map(|kind| {
        let (name, when) = label(kind);
        (kind.as_str(), name, when, own.contains(&kind))
    });
    Ok(Reply::page(Index { slug: me.program.slug.clone(), mails: mails.to_vec() }))
}

#[derive(Template)]
#[template(path = "settings/mail.html")]
struct Page {
    slug: String,
    kind: Kind,
    /// The mail as these words make it; what cannot be read makes none.
    preview: Option<Written>,
    form: Form,
}

impl Page {
    fn new(app: &App, me: &Configures, kind: Kind, text: Option<&MailText>, form: Form) -> Result<Self, Failure> {
        let name = Line::of_anybody(SOMEBODY);
        let write = |text| sample::write(&app.config.base_url, &me.program, kind, text, Some(&name));
        let preview = text.map(write).transpose().map_err(|error| {
            tracing::error!(%error, "a mail cannot be previewed");
            Failure::internal()
        })?;
        Ok(Self { slug: me.program.slug.clone(), kind, preview, form })
    }

    fn name(&self) -> &'static str {
        label(self.kind).0
    }

    fn when(&self) -> &'static str {
        label(self.kind).1
    }
}

/// `GET /m/{program}/settings/mails/{kind}`
pub async fn show(me: Configures, State(app): State<App>, MailKind(kind): MailKind) -> Result<Reply, Failure> {
    let text = mail_texts::of(&mut *app.db.read().await?, me.program.id, kind).await?;
    let word = |side: &Option<String>| side.clone().unwrap_or_default();
    let form = Form::of(&[("subject", &word(&text.subject)), ("your_words", &word(&text.body))]);
    Ok(Reply::page(Page::new(&app, &me, kind, Some(&text), form)?))
}

/// `POST /m/{program}/settings/mails/{kind}`: with `preview`, the same page again with the mail as it would be.
pub async fn save(
    me: Configures,
    State(app): State<App>,
    MailKind(kind): MailKind,
    mut form: Form,
) -> Result<Reply, Failure> {
    let subject = form.read_filled("subject", mail_text::subject);
    let body = form.read_filled("your_words", mail_text::body);
    if !form.is_good() {
        return Ok(Reply::invalid(Page::new(&app, &me, kind, None, form)?));
    }
    let after = MailText { subject, body };
    if form.is_checked("preview") {
        return Ok(Reply::page(Page::new(&app, &me, kind, Some(&after), form)?));
    }
    let act = me.act(&app);
    let mut changed = app
        .db
        .write::<_, Refusal, _>(move |tx| Box::pin(async move { flow::change(tx, &act, kind, &after).await }))
        .await?;
    for side in changed.iter_mut().flat_map(|one| [&mut one.before, &mut one.after]) {
        let short = text::cut(side, TOLD);
        if short.len() < side.len() {
            *side = format!("{}…", short.trim_end());
        }
    }
    let to = format!("/m/{}/settings/mails/{kind}", me.program.slug);
    Ok(Reply::done(to, Notice::done(Difference::told(&changed))))
}

/// `POST /m/{program}/settings/mails/{kind}/test`
pub async fn test(me: Configures, State(app): State<App>, MailKind(kind): MailKind) -> Result<Reply, Failure> {
    let Actor::Account(account) = me.actor else { return Err(Failure::no_route()) };
    throttle::mail_to_oneself(&app, account)?;
    let act = me.act(&app);
    let to = app
        .db
        .write::<_, Refusal, _>(move |tx| Box::pin(async move { flow::test(tx, &act, account, kind).await }))
        .await?;
    let page = format!("/m/{}/settings/mails/{kind}", me.program.slug);
    Ok(Reply::done(page, Notice::done(format!("A test is on its way to {to}."))))
}
