//! A person's own page: how they are called and like to read, how they sign in, and where they are signed in.

use askama::Template;
use axum::extract::State;
use jiff::tz;
use tower_sessions::Session;

use super::{failure::Failure, filters, form::Form, html::SignedIn, reply::Reply, session, shell::Notice};
use crate::{
    app::App,
    domain::{
        Issue, device,
        id::AccountId,
        locale::{NumberStyle, Theme},
        message::Kind,
        text,
        time::Time,
    },
    store::{
        self, accounts,
        mail_preferences::{self, Recipient},
        sessions, two_steps,
    },
};

struct Place {
    id: String,
    device: String,
    since: Time,
    seen: Time,
    is_this: bool,
}

#[derive(Template)]
#[template(path = "account/index.html")]
struct Account {
    form: Form,
    email: String,
    has_password: bool,
    has_two_steps: bool,
    zones: Vec<(String, String)>,
    sessions: Vec<Place>,
    memberships: Vec<accounts::Membership>,
    mails: Vec<Choice>,
}

/// A mail that one may do without.
struct Choice {
    kind: Kind,
    label: &'static str,
    is_wanted: bool,
}

fn in_words(kind: Kind) -> &'static str {
    match kind {
        Kind::NewCommission => "When you earn a commission",
        Kind::CommissionRejected => "When a commission of yours is rejected, and why",
        Kind::PayoutPaid => "When you are paid",
        Kind::RateChanged => "When what you earn is changed",
        Kind::WeeklyDigest => "Once a week: what waits in the programs you work for",
        other => other.as_str(),
    }
}

const NUMBER_STYLES: &[(&str, &str)] =
    &[("comma", "1,234.50"), ("point", "1.234,50"), ("space", "1 234,50"), ("apostrophe", "1’234.50")];
const THEMES: &[(&str, &str)] = &[("system", "As the device"), ("light", "Light"), ("dark", "Dark")];

/// The zones that people know by a city's name, and UTC.
fn zones(chosen: &str) -> Vec<(String, String)> {
    let is_place = |name: &str| name == "UTC" || name == chosen || (name.contains('/') && !name.starts_with("Etc/"));
    let names = tz::db().available().map(|name| name.to_string()).filter(|name| is_place(name));
    let mut all: Vec<_> = names.map(|name| (name.clone(), name.replace('_', " "))).collect();
    all.sort();
    all
}

fn zone(name: &str) -> Result<(), Issue> {
    tz::TimeZone::get(name).map(drop).map_err(|_| Issue::new("must be one of the list"))
}

async fn page(app: &App, me: AccountId, session: &Session, form: Option<Form>) -> Result<Account, Failure> {
    let mut tx = app.db.read().await?;
    let person = accounts::person(&mut tx, me).await?.ok_or_else(Failure::no_route)?;
    let account = accounts::by_id(&mut tx, me).await?.ok_or_else(Failure::no_route)?;
    let form = form.unwrap_or_else(|| {
        Form::of(&[
            ("name", &person.name),
            ("theme", person.theme.as_str()),
            ("number_style", person.number_style.as_str()),
            ("time_zone", &person.time_zone),
            ("shortcuts", if person.has_shortcuts { "yes" } else { "" }),
        ])
    });
    let this = session::id_hash(session);
    let place = |listed: sessions::Listed| {
        let data: serde_json::Value = serde_json::from_str(&listed.data).unwrap_or_default();
        Place {
            device: device::in_words(data[session::AGENT].as_str()),
            is_this: listed.id_hash == this,
            id: listed.id_hash,
            since: listed.created_at,
            seen: listed.last_seen_at,
        }
    };
    let mut listed: Vec<Place> =
        sessions::of_account(&mut tx, me, app.clock.now()).await?.into_iter().map(place).collect();
    listed.sort_by_key(|place| !place.is_this);
    let unwanted = mail_preferences::unwanted(&mut tx, Recipient::Account(me)).await?;
    let choice = |kind| Choice { kind, label: in_words(kind), is_wanted: !unwanted.contains(&kind) };
    Ok(Account {
        mails: Kind::OPTIONAL.into_iter().map(choice).collect(),
        zones: zones(form.get("time_zone")),
        form,
        email: account.email,
        has_password: account.password_hash.is_some(),
        has_two_steps: two_steps::is_on(&mut tx, me).await?,
        sessions: listed,
        memberships: accounts::memberships(&mut tx, me).await?,
    })
}

/// `GET /account`
pub async fn show(SignedIn(me): SignedIn, State(app): State<App>, session: Session) -> Result<Reply, Failure> {
    Ok(Reply::page(page(&app, me, &session, None).await?))
}

/// `POST /account`
pub async fn update(
    SignedIn(me): SignedIn,
    State(app): State<App>,
    session: Session,
    mut form: Form,
) -> Result<Reply, Failure> {
    let name = form.read("name", |name| text::name(name).map(|()| name.to_owned()));
    let theme = form.read("theme", Theme::parse);
    let number_style = form.read("number_style", NumberStyle::parse);
    let time_zone = form.read("time_zone", |name| zone(name).map(|()| name.to_owned()));
    let has_shortcuts = form.is_checked("shortcuts");
    let (Some(name), Some(theme), Some(number_style), Some(time_zone)) = (name, theme, number_style, time_zone) else {
        return Ok(Reply::invalid(page(&app, me, &session, Some(form)).await?));
    };
    let now = app.clock.now();
    let person = accounts::Person { email: String::new(), name, theme, number_style, time_zone, has_shortcuts };
    let stored = app.db.write::<_, store::Error, _>(move |tx| {
        Box::pin(async move { accounts::change_person(tx, me, &person, now).await })
    });
    stored.await?;
    Ok(Reply::done("/account", Notice::done("Saved.")))
}

/// `POST /account/mails`: which of those one may do without.
pub async fn choose_mails(SignedIn(me): SignedIn, State(app): State<App>, form: Form) -> Result<Reply, Failure> {
    let now = app.clock.now();
    let chosen = Kind::OPTIONAL.map(|kind| (kind, form.is_checked(kind.as_str())));
    let set = app.db.write::<_, store::Error, _>(move |tx| {
        Box::pin(async move {
            for (kind, is_wanted) in chosen {
                mail_preferences::set(tx, Recipient::Account(me), kind, is_wanted, now).await?;
            }
            Ok(())
        })
    });
    set.await?;
    Ok(Reply::done("/account", Notice::done("Saved.")))
}

/// `POST /account/sessions/end`: one of them.
pub async fn end_session(
    SignedIn(me): SignedIn,
    State(app): State<App>,
    session: Session,
    form: Form,
) -> Result<Reply, Failure> {
    let id = form.get("session").to_owned();
    if id == session::id_hash(&session) {
        return super::sign_in::destroy(session).await;
    }
    let ended = app
        .db
        .write::<_, store::Error, _>(move |tx| Box::pin(async move { sessions::delete_one_of(tx, me, &id).await }));
    let words = if ended.await? { "That device is signed out." } else { "That device was signed out already." };
    Ok(Reply::done("/account", Notice::done(words)))
}

/// `POST /account/sessions/end-all`: everywhere, here too.
pub async fn end_sessions(SignedIn(me): SignedIn, State(app): State<App>, session: Session) -> Result<Reply, Failure> {
    let ended =
        app.db.write::<_, store::Error, _>(move |tx| Box::pin(async move { sessions::delete_of(tx, me, "").await }));
    ended.await?;
    super::sign_in::destroy(session).await
}
