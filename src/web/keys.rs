//! API keys: listed by what can be told without them, shown once when they are made, revoked at once.

use askama::Template;
use axum::extract::State;

use super::{
    caller::HoldsKeys, confirm::Confirmed, failure::Failure, filters, form::Form, input::PathId, reply::Reply,
    shell::Notice,
};
use crate::{
    app::App,
    domain::{Issue, id, key::Scope, text, time::Time},
    flows::{Refusal, programs},
    store::keys::{self, Listed},
};

/// The choices of a key's life, in days; empty is without an end.
const LIVES: [(&str, &str); 4] = [("", "Until revoked"), ("30", "30 days"), ("90", "90 days"), ("365", "A year")];
const SCOPES: [(&str, &str); 3] = [
    ("full", "Full: everything the API offers"),
    ("track", "Track: record clicks and sales, nothing else"),
    ("read", "Read: look, change nothing"),
];

#[derive(Template)]
#[template(path = "keys/index.html")]
struct Index {
    slug: String,
    now: Time,
    keys: Vec<Listed>,
    form: Form,
}

impl Index {
    fn state(&self, key: &Listed) -> (&'static str, &'static str) {
        match (key.revoked_at, key.expires_at) {
            (Some(_), _) => ("bad", "Revoked"),
            (None, Some(at)) if at <= self.now => ("warn", "Expired"),
            _ => ("ok", "Works"),
        }
    }
}

async fn page(me: &HoldsKeys, app: &App, form: Form) -> Result<Index, Failure> {
    let keys = keys::list(&mut *app.db.read().await?, me.program.id).await?;
    Ok(Index { slug: me.program.slug.clone(), now: app.clock.now(), keys, form })
}

/// `GET /m/{program}/keys`
pub async fn index(me: HoldsKeys, State(app): State<App>) -> Result<Reply, Failure> {
    Ok(Reply::page(page(&me, &app, Form::default()).await?))
}

#[derive(Template)]
#[template(path = "keys/made.html")]
struct Made {
    slug: String,
    base: String,
    name: String,
    secret: String,
}

/// `POST /m/{program}/keys`: the one answer that holds the key.
pub async fn create(me: HoldsKeys, _: Confirmed, State(app): State<App>, mut form: Form) -> Result<Reply, Failure> {
    let now = app.clock.now();
    let name = form.read("name", |name| text::name(name).map(|()| name.to_owned()));
    let scope = form.read("scope", Scope::parse);
    let days = form.read_filled("days", |days| {
        let days: Option<i64> = days.parse().ok();
        days.filter(|days| (1..=3650).contains(days)).ok_or(Issue::new("must be 1 to 3650 days"))
    });
    let (Some(name), Some(scope), true) = (name, scope, form.is_good()) else {
        return Ok(Reply::invalid(page(&me, &app, form).await?));
    };
    let (act, label) = (me.act(&app), name.clone());
    let expires_at = days.map(|days| now.plus_days(days));
    let secret = app.db.write::<_, Refusal, _>(move |tx| {
        Box::pin(async move { programs::create_key(tx, &act, &label, scope, expires_at).await })
    });
    let secret = secret.await?.as_str().to_owned();
    Ok(Reply::secret(Made { slug: me.program.slug.clone(), base: app.config.base_url.to_string(), name, secret }))
}

/// `POST /m/{program}/keys/{id}/revocation`
pub async fn revoke(
    me: HoldsKeys,
    _: Confirmed,
    State(app): State<App>,
    PathId(id): PathId<id::Key>,
) -> Result<Reply, Failure> {
    let act = me.act(&app);
    app.db
        .write::<_, Refusal, _>(move |tx| Box::pin(async move { programs::revoke_key_by_id(tx, &act, id).await }))
        .await?;
    Ok(Reply::done(format!("/m/{}/keys", me.program.slug), Notice::done("The key is revoked and works no more.")))
}
