//! An affiliate's links: the first, which is their code, and further ones for other places and pages.

use askama::Template;
use axum::{
    extract::{FromRequestParts, State},
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};

use super::link;
use crate::{
    app::App,
    domain::{Issue, affiliate::Status, code::Code, id, program::Program, text},
    flows::{
        Actor, Refusal,
        links::{self, NewLink},
    },
    store::{self, Tx, earnings},
    web::{
        csv::attachment,
        earner::Earner,
        failure::Failure,
        filters,
        form::Form,
        html::SignedIn,
        input::{PathId, Query, path_parameter},
        qr::Qr,
        reply::Reply,
        shell::Notice,
    },
};

/// As many as the page looks at.
const MOST_COUPONS: i64 = 200;

/// A link as the page shows it.
struct Shown {
    id: String,
    label: String,
    code: String,
    url: String,
    destination: Option<String>,
    is_archived: bool,
    clicks: i64,
    sales: i64,
}

#[derive(Template)]
#[template(path = "affiliate/links.html")]
struct Index {
    program: String,
    code: String,
    url: String,
    /// By no other link.
    clicks: i64,
    sales: i64,
    qr: Option<Qr>,
    base: String,
    landing: Option<String>,
    domains: Vec<String>,
    links: Vec<Shown>,
    archived: Vec<Shown>,
    /// The codes of those that credit somebody.
    coupons: Vec<String>,
    may_create: bool,
    form: Form,
    /// Whether the code that is filled in is free; nothing while there is none.
    is_free: Option<Result<(), Issue>>,
}

impl Index {
    async fn of(tx: &mut Tx, app: &App, me: &Earner, form: Form) -> Result<Self, Failure> {
        let program = &me.program;
        let found = earnings::standing(tx, program.id, me.affiliate).await?.ok_or_else(Failure::no_route)?;
        let is_free = match form.filled("code") {
            Some(code) => Some(availability(tx, program, code).await?),
            None => None,
        };
        let shown = |found: store::links::Link| Shown {
            id: found.id.to_string(),
            url: link(app, program, &found.code),
            label: found.label,
            code: found.code,
            destination: found.destination,
            is_archived: found.archived_at.is_some(),
            clicks: found.clicks,
            sales: found.sales,
        };
        let all = store::links::of_affiliate(tx, me.affiliate).await?;
        let sum = |count: fn(&store::links::Link) -> i64| all.iter().map(count).sum::<i64>();
        let (clicks, sales) = (found.clicks - sum(|link| link.clicks), found.conversions - sum(|link| link.sales));
        let all = all.into_iter().map(shown);
        let (archived, links) = all.partition(|link| link.is_archived);
        let coupons = store::coupons::page(tx, program.id, Some(me.affiliate), MOST_COUPONS, 0).await?;
        let coupons = coupons.into_iter().filter(|coupon| coupon.archived_at.is_none());
        let url = link(app, program, &found.code);
        Ok(Self {
            program: program.name.clone(),
            qr: Qr::of(&url, "QR code of your link"),
            url,
            clicks,
            sales,
            code: found.code,
            base: link(app, program, ""),
            landing: program.landing_url.as_ref().map(ToString::to_string),
            domains: program.domains.clone(),
            links,
            archived,
            coupons: coupons.map(|coupon| coupon.code).collect(),
            may_create: me.status == Status::Active && !me.is_viewed,
            form,
            is_free,
        })
    }

    fn where_to(&self) -> String {
        format!("A page on {}. Left empty, it leads to the landing page.", self.domains.join(", "))
    }
}

async fn availability(tx: &mut Tx, program: &Program, code: &str) -> Result<Result<(), Issue>, Failure> {
    let code = match Code::parse(code) {
        Ok(code) => code,
        Err(issue) => return Ok(Err(issue)),
    };
    let is_free = store::codes::is_free(tx, program.id, &code).await?;
    Ok(if is_free { Ok(()) } else { Err(Issue::new("is already taken")) })
}

/// `GET /links`, with what is filled in so far where a script asks whether the code is free.
pub async fn index(me: Earner, State(app): State<App>, query: Query) -> Result<Reply, Failure> {
    let mut tx = app.db.read().await?;
    let given = |name| query.get(name).unwrap_or_default();
    let form = Form::of(&[("label", given("label")), ("code", given("code")), ("destination", given("destination"))]);
    Ok(Reply::page(Index::of(&mut tx, &app, &me, form).await?))
}

/// `POST /links`
pub async fn create(me: Earner, account: SignedIn, State(app): State<App>, mut form: Form) -> Result<Reply, Failure> {
    let label = form.read("label", label);
    let code = form.read_filled("code", Code::parse);
    let destination = form.read_filled("destination", |given| destination(&me.program, given));
    if form.is_good()
        && let Some(label) = label
    {
        let (act, affiliate) = (app.act(me.program.clone(), Actor::Account(account.0)), me.affiliate);
        let new = NewLink { label, code, destination };
        let made =
            app.db.write(move |tx| Box::pin(async move { links::create(tx, &act, affiliate, &new).await })).await;
        match made {
            Ok(code) => {
                let notice = Notice::done(format!("Your link is ready: {}", link(&app, &me.program, code.as_str())));
                return Ok(Reply::done("/links", notice));
            }
            Err(refusal) => form.refused(refusal)?,
        }
    }
    let mut tx = app.db.read().await?;
    Ok(Reply::invalid(Index::of(&mut tx, &app, &me, form).await?))
}

fn label(given: &str) -> Result<String, Issue> {
    text::name(given)?;
    Ok(given.to_owned())
}

fn destination(program: &Program, given: &str) -> Result<String, Issue> {
    // People leave the scheme out; what is kept has it.
    let whole = if given.contains("://") { given.to_owned() } else { format!("https://{given}") };
    let issue = || match program.domains.as_slice() {
        [] => Issue::new("cannot be named: the program allows the landing page only"),
        domains => Issue::from(format!("must be a page on {}", domains.join(", "))),
    };
    program.deep_link(&whole).map(|url| url.to_string()).filter(|url| url.len() <= 2_048).ok_or_else(issue)
}

/// `POST /links/{id}`: another label.
pub async fn rename(
    me: Earner,
    account: SignedIn,
    State(app): State<App>,
    PathId(id): PathId<id::Link>,
    mut form: Form,
) -> Result<Reply, Failure> {
    let Some(label) = form.read("label", label) else {
        let issue = form.error("label").unwrap_or_default();
        return Ok(Reply::done("/links", Notice::problem(format!("The label {issue}."))));
    };
    let (act, affiliate) = (app.act(me.program.clone(), Actor::Account(account.0)), me.affiliate);
    let done = app.db.write(move |tx| Box::pin(async move { links::rename(tx, &act, affiliate, id, &label).await }));
    done.await.map_err(|refusal: Refusal| Failure::from(refusal))?;
    Ok(Reply::done("/links", Notice::done("The link has its new label.")))
}

/// `POST /links/{id}/archive`
pub async fn archive(
    me: Earner,
    account: SignedIn,
    State(app): State<App>,
    PathId(id): PathId<id::Link>,
) -> Result<Reply, Failure> {
    put(&app, &me, account, id, true).await?;
    let notice = Notice::done("The link is archived. Clicks on it still count.");
    Ok(Reply::done("/links", notice.with_undo(format!("/links/{id}/restore"))))
}

/// `POST /links/{id}/restore`
pub async fn restore(
    me: Earner,
    account: SignedIn,
    State(app): State<App>,
    PathId(id): PathId<id::Link>,
) -> Result<Reply, Failure> {
    put(&app, &me, account, id, false).await?;
    Ok(Reply::done("/links", Notice::done("The link is back among your links.")))
}

async fn put(app: &App, me: &Earner, account: SignedIn, id: id::LinkId, away: bool) -> Result<(), Failure> {
    let (act, affiliate) = (app.act(me.program.clone(), Actor::Account(account.0)), me.affiliate);
    let done = app.db.write(move |tx| Box::pin(async move { links::archive(tx, &act, affiliate, id, away).await }));
    done.await.map_err(|refusal: Refusal| Failure::from(refusal))
}

pub struct PathCode(Code);

impl FromRequestParts<App> for PathCode {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, app: &App) -> Result<Self, Failure> {
        let code = path_parameter(parts, app, "code").await?;
        Code::parse(&code).map(Self).map_err(|_| Failure::no_route())
    }
}

/// `GET /links/{code}/qr.svg`: the code's link as a picture to print.
pub async fn picture(me: Earner, State(app): State<App>, PathCode(code): PathCode) -> Result<Response, Failure> {
    let owner = store::codes::owner(&mut *app.db.read().await?, me.program.id, &code).await?;
    owner.filter(|owner| owner.affiliate == me.affiliate).ok_or_else(Failure::no_route)?;
    let qr = Qr::of(&link(&app, &me.program, code.as_str()), "").ok_or_else(Failure::internal)?;
    let mut response = qr.file().into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("image/svg+xml"));
    headers.insert(header::CONTENT_DISPOSITION, attachment(&format!("{}-{}.svg", me.program.slug, code.as_str()))?);
    Ok(response)
}
