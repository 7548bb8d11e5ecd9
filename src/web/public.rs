//! What a future affiliate sees: the program's page, its terms, and the application.

use askama::Template;
use axum::extract::State;
use tower_sessions::Session;

use super::{
    applicants::{self, Pace, TRAP, Visitor},
    failure::Failure,
    filters,
    form::Form,
    html,
    input::Query,
    links::ProgramSlug,
    reply::Reply,
};
use crate::{
    app::App,
    domain::{
        application::{self, Settings},
        email::Email,
        money::{Money, proportion},
        program::Program,
        text,
        time::Time,
    },
    flows::{
        Actor,
        applications::{self, NewApplication},
    },
    store::{self, Tx, accounts, programs},
};

async fn load(tx: &mut Tx, slug: &str) -> Result<(Program, Settings), Failure> {
    let program = programs::by_slug(tx, slug).await?.ok_or_else(Failure::no_route)?;
    let settings = store::applications::settings(tx, program.id).await?;
    Ok((program, settings))
}

#[derive(Template)]
#[template(path = "public/program.html")]
struct ProgramPage {
    program: Program,
    settings: Settings,
    /// Of a sale of so much, so much is the affiliate's.
    examples: Vec<(Money, Money)>,
}

/// `GET /p/{program}`
pub async fn page(State(app): State<App>, slug: ProgramSlug) -> Result<Reply, Failure> {
    let (program, settings) = load(&mut *app.db.read().await?, &slug.0).await?;
    let unit = 10_i64.pow(program.currency.exponent().into());
    let example = |major: i64| {
        let sale = program.currency.of(major * unit);
        (sale, sale.with(proportion(sale.minor, program.rate.basis_points(), 10_000)))
    };
    let examples = [25, 100, 400].map(example).to_vec();
    Ok(Reply::page(ProgramPage { program, settings, examples }))
}

#[derive(Template)]
#[template(path = "public/terms.html")]
struct TermsPage {
    program: Program,
    version: i64,
    text: String,
    since: Time,
    is_newest: bool,
}

/// `GET /p/{program}/terms`: those in force, or with `?version=` those that somebody agreed to.
pub async fn terms(State(app): State<App>, slug: ProgramSlug, query: Query) -> Result<Reply, Failure> {
    let mut tx = app.db.read().await?;
    let (program, settings) = load(&mut tx, &slug.0).await?;
    let version = query.get("version").map(str::parse::<i64>).transpose().map_err(|_| Failure::no_route())?;
    let found = store::applications::terms(&mut tx, program.id, version).await?;
    let found = found.filter(|found| version.is_none_or(|version| version == found.version));
    let found = found.filter(|found| !found.text.trim().is_empty()).ok_or_else(Failure::no_route)?;
    let is_newest = found.version == settings.terms_version;
    Ok(Reply::page(TermsPage { program, version: found.version, text: found.text, since: found.created_at, is_newest }))
}

#[derive(Template)]
#[template(path = "public/apply.html")]
struct Apply {
    program: Program,
    settings: Settings,
    form: Form,
    stamp: String,
}

impl Apply {
    /// Each question under the name of its field.
    fn questions(&self) -> impl Iterator<Item = (String, &application::Question)> {
        self.settings.questions.iter().enumerate().map(|(place, question)| (answer_field(place), question))
    }

    const fn trap() -> &'static str {
        TRAP
    }
}

fn answer_field(place: usize) -> String {
    format!("answer_{}", place + 1)
}

/// `GET /p/{program}/apply`
pub async fn apply(State(app): State<App>, slug: ProgramSlug, session: Session) -> Result<Reply, Failure> {
    let mut tx = app.db.read().await?;
    let (program, settings) = load(&mut tx, &slug.0).await?;
    if !settings.is_open {
        return Ok(Reply::Go(format!("/p/{}", program.slug)));
    }
    let person = match html::account(&session).await? {
        Some(account) => accounts::person(&mut tx, account).await?,
        None => None,
    };
    let form = person.map_or_else(Form::default, |me| Form::of(&[("name", &me.name), ("email", &me.email)]));
    let stamp = applicants::stamp(&app, &program);
    Ok(Reply::page(Apply { program, settings, form, stamp }))
}

/// `POST /p/{program}/apply`: the same answer whether or not somebody has applied with that address before, or
/// has an account.
pub async fn send(
    State(app): State<App>,
    slug: ProgramSlug,
    visitor: Visitor,
    mut form: Form,
) -> Result<Reply, Failure> {
    let (program, settings) = load(&mut *app.db.read().await?, &slug.0).await?;
    if !settings.is_open {
        return Ok(Reply::Go(format!("/p/{}", program.slug)));
    }
    let sent = Reply::Go(format!("/p/{}/apply/sent", program.slug));
    if !form.get(TRAP).is_empty() {
        return Ok(sent);
    }
    let mut stamp = form.get("stamp").to_owned();
    let new = read(&settings, &mut form);
    match applicants::pace(&app, &program, &stamp) {
        Pace::Human => {}
        Pace::TooFast => form.wrong("send", "it once more, please: that was faster than anybody reads"),
        Pace::Stale => {
            stamp = applicants::stamp(&app, &program);
            form.wrong("send", "it once more, please: this page was open for a long time");
        }
    }
    let Some(new) = new.filter(|_| form.is_good()) else {
        return Ok(Reply::invalid(Apply { program, settings, form, stamp }));
    };
    app.caches.applicants.take(&visitor.network(), app.clock.now())?;
    let new = NewApplication { ip_hash: visitor.ip_hash(&app), ..new };
    // Nobody is signed in: what comes of it is done by the account that confirms it.
    let act = app.act(program.into(), Actor::CommandLine);
    app.db
        .write(move |tx| Box::pin(async move { applications::apply(tx, &act, &new).await }))
        .await
        .map_err(Failure::from)?;
    Ok(sent)
}

fn read(settings: &Settings, form: &mut Form) -> Option<NewApplication> {
    let name = form.read("name", |text| text::name(text).map(|()| text.to_owned()));
    let email = form.read("email", Email::parse);
    let website = form.read_filled("website", application::website);
    let mut answers = Vec::with_capacity(settings.questions.len());
    for (place, question) in settings.questions.iter().enumerate() {
        answers.extend(form.read(&answer_field(place), |said| question.answer(said)));
    }
    let version = settings.agreed_version();
    if settings.has_terms() {
        if form.get("version") != version.to_string() {
            form.wrong("terms", "have changed since you opened this page: please read them again");
        } else if !form.is_checked("terms") {
            form.wrong("terms", "must be agreed to before you apply");
        }
    }
    if !form.is_good() {
        return None;
    }
    Some(NewApplication { email: email?, name: name?, website, answers, terms_version: version, ip_hash: None })
}

#[derive(Template)]
#[template(path = "public/sent.html")]
struct Sent {
    program: Program,
}

/// `GET /p/{program}/apply/sent`
pub async fn sent(State(app): State<App>, slug: ProgramSlug) -> Result<Reply, Failure> {
    let (program, _) = load(&mut *app.db.read().await?, &slug.0).await?;
    Ok(Reply::page(Sent { program }))
}
