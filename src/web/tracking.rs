//! What the script on a merchant's site reports: clicks, and customers before they buy. Only pages of the
//! program's own domains may; the bodies are small JSON, sent as plain text so that a browser need not ask first.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde::Serialize;

use super::{
    body::{Fields, Object, Value},
    client::{self, Peer},
    failure::Failure,
    input::{self, Query},
    link_cookie,
    links::known_program,
    referrals::{URL_LENGTH, USER_AGENT_LENGTH},
    sites,
    visits::{self, Report, Visit, Visitor},
};
use crate::{
    app::App,
    domain::{
        email::Email,
        id::ClickId,
        program::Program,
        text,
        tracking::{self, Check, Sign, Site},
    },
    flows::{Actor, Refusal, conversions::Customer, leads},
};

const BODY_LENGTH: usize = 8 * 1024;
/// Parameters of a landing address that are looked at.
const MOST_PARAMETERS: usize = 60;
const ID_LENGTH: usize = 255;

/// What comes with every report.
struct Asked {
    program: Arc<Program>,
    site: Arc<Site>,
    origin: HeaderValue,
    /// The program's domain that the page belongs to.
    domain: String,
    visitor: Visitor,
    /// The page is of another site than this server.
    is_foreign: bool,
    body: Bytes,
}

/// A report from a page that may; or the whole answer where it may not.
///
/// # Errors
/// 413 and 400 of the body, 404 of the program, 403 of any other page.
async fn asked(app: &App, request: Request, report: Report) -> Result<Asked, Failure> {
    let (parts, body) = request.into_parts();
    let headers = &parts.headers;
    let body = input::read(headers, body).await?;
    if body.len() > BODY_LENGTH {
        return Err(Failure { message: "The body is larger than 8 KiB".into(), ..Failure::too_large() });
    }
    let slug = Fields::parse(&body)?.required_text("program")?.to_owned();
    let program = known_program(app, &slug).await?.ok_or_else(|| Failure::not_found("program"))?;
    let visitor = Visitor {
        ip: client::address(app, headers, parts.extensions.get::<Peer>().copied()),
        user_agent: input::cut(input::header_text(headers, "user-agent"), USER_AGENT_LENGTH),
        cookie: link_cookie::read(app, &program, headers),
    };
    app.caches.visits.take(visitor.ip_hash(app).unwrap_or_default(), report, app.clock.now())?;
    let site = sites::of(app, program.id).await?;
    let origin = headers.get(header::ORIGIN).cloned();
    let named = origin.as_ref().and_then(|origin| origin.to_str().ok()).unwrap_or_default();
    let Some(domain) = program.domain_of_origin(named).map(str::to_owned) else {
        if let Some(host) = url::Url::parse(named).ok().as_ref().and_then(url::Url::host_str) {
            sites::note(app, program.id, &site, Sign::Barred, host).await?;
        }
        return Err(Failure::forbidden("This page is not on one of the program's domains"));
    };
    let is_foreign = input::header_text(headers, "sec-fetch-site") == Some("cross-site");
    let origin = origin.unwrap_or_else(|| HeaderValue::from_static("null"));
    Ok(Asked { program, site, origin, domain, visitor, is_foreign, body })
}

impl Asked {
    fn check(&self, app: &App) -> Option<&Check> {
        self.site.running(app.clock.now())
    }

    async fn note(&self, app: &App, sign: Sign, detail: &str) -> Result<(), Failure> {
        sites::note(app, self.program.id, &self.site, sign, detail).await
    }

    /// Whether the visitor has yet to agree.
    fn must_wait(&self, fields: &Fields<'_>) -> bool {
        self.site.settings.needs_consent && !is_yes(fields, "consent")
    }
}

/// The script says yes by its word; everything else is no.
fn is_yes(fields: &Fields<'_>, name: &'static str) -> bool {
    matches!(fields.text(name), Ok(Some("yes")))
}

fn allow(headers: &mut HeaderMap, origin: &HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
}

fn answer(asked: &Asked, said: impl Serialize, cookie: Option<HeaderValue>) -> Response {
    let mut response = serde_json::to_string(&said).unwrap_or_default().into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    allow(headers, &asked.origin);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("cross-origin"));
    if let Some(cookie) = cookie {
        headers.insert(header::SET_COOKIE, cookie);
    }
    response
}

/// `OPTIONS /t/click?program=…`, which a browser sends ahead of a body that calls itself JSON. Which program
/// that is about only the address can say.
pub async fn preflight(State(app): State<App>, query: Query, headers: HeaderMap) -> Result<Response, Failure> {
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Origin"));
    let Some(program) = known_program(&app, query.get("program").unwrap_or_default()).await? else {
        return Ok(response);
    };
    let origin = headers.get(header::ORIGIN);
    let is_ours = |origin: &&HeaderValue| origin.to_str().is_ok_and(|named| program.domain_of_origin(named).is_some());
    if let Some(origin) = origin.filter(is_ours) {
        let headers = response.headers_mut();
        allow(headers, origin);
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("content-type"));
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    }
    Ok(response)
}

/// What the script is told.
#[derive(Serialize)]
struct Told<'a> {
    /// The visitor's click, if there is one.
    click: Option<ClickId>,
    /// For how many seconds it is worth keeping.
    age: i64,
    /// The domain to keep it for, and all those to whose pages it may be passed on.
    domain: &'a str,
    domains: &'a [String],
    /// Nothing happened: the visitor has yet to agree.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    wait: bool,
    /// Somebody looks whether all this works.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    check: bool,
}

/// `POST /t/click`
pub async fn click(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let asked = asked(&app, request, Report::Click).await?;
    let fields = Fields::parse(&asked.body)?;
    let told = |click: Option<ClickId>, wait: bool, check: bool| {
        let age = click.map_or(0, |click| link_cookie::seconds_left(&app, &asked.program, click));
        Told { click, age, domain: &asked.domain, domains: &asked.program.domains, wait, check }
    };
    asked.note(&app, Sign::Script, &asked.origin_text()).await?;
    if is_yes(&fields, "forget") {
        // The visitor has changed their mind.
        return Ok(answer(
            &asked,
            told(None, false, false),
            link_cookie::clear(&app, &asked.program, asked.is_foreign),
        ));
    }
    if asked.must_wait(&fields) {
        asked.note(&app, Sign::Waiting, "").await?;
        return Ok(answer(&asked, told(None, true, false), None));
    }
    if asked.visitor.is_crawler() {
        return Ok(answer(&asked, told(None, false, false), None));
    }
    let query = query(fields.object("query")?.as_ref());
    let named = fields.text("click")?.and_then(|id| ClickId::parse(id).ok());
    let had = fields.text("had")?.and_then(|id| ClickId::parse(id).ok());
    if let Some(click) = rehearsed(&app, &asked, &query, named).await? {
        let cookie = link_cookie::set(&app, &asked.program, click, asked.is_foreign);
        return Ok(answer(&asked, told(Some(click), false, true), cookie));
    }
    let followed = match visits::good(&app, &asked.program, named).await? {
        Some(click) => Some(click),
        None => visit(&app, &asked, &fields, &query).await?,
    };
    let cookie = asked.visitor.cookie;
    let click = match visits::first(&app, &asked.program, had.or(cookie)).await?.or(followed) {
        Some(click) => Some(click),
        None => visits::good(&app, &asked.program, cookie).await?,
    };
    if click.is_none() && is_yes(&fields, "lead") {
        asked.note(&app, Sign::StrayLead, "").await?;
    }
    let cookie = click.and_then(|click| link_cookie::set(&app, &asked.program, click, asked.is_foreign));
    Ok(answer(&asked, told(click, false, false), cookie))
}

impl Asked {
    fn origin_text(&self) -> String {
        String::from_utf8_lossy(self.origin.as_bytes()).into_owned()
    }
}

/// The landing address' parameters as far as they are text.
fn query(object: Option<&Object<'_>>) -> Vec<(String, String)> {
    let fields = object.map_or(&[][..], |object| object.fields);
    let pair = |(name, node): &(String, super::body::Node<'_>)| match &node.value {
        Value::Text(text) => Some((name.clone(), text.clone().into_owned())),
        _ => None,
    };
    fields.iter().take(MOST_PARAMETERS).filter_map(pair).collect()
}

/// Counts the visit by the first of the program's parameters that names somebody.
async fn visit(
    app: &App,
    asked: &Asked,
    fields: &Fields<'_>,
    query: &[(String, String)],
) -> Result<Option<ClickId>, Failure> {
    let page = fields.text("page")?.map(|page| text::cut(page, URL_LENGTH));
    let source = fields.text("from")?.filter(|from| !from.is_empty());
    // The script tells what may be ours of the address with its value, and of the rest that it is there.
    let mut told = query.to_vec();
    told.extend(tracking::ad_marks(fields.text("names")?.unwrap_or_default()));
    let landing = tracking::landing(page, &told);
    for code in asked.site.settings.codes(query) {
        let visit = Visit { code, source_url: input::cut(source, URL_LENGTH), landing: landing.clone() };
        if let Some(click) = visits::count(app, &asked.program, &asked.visitor, visit).await? {
            return Ok(Some(click));
        }
    }
    Ok(None)
}

/// The click of a check that is running, where this report is part of it: nothing is counted.
async fn rehearsed(
    app: &App,
    asked: &Asked,
    query: &[(String, String)],
    named: Option<ClickId>,
) -> Result<Option<ClickId>, Failure> {
    let Some(check) = asked.check(app) else { return Ok(None) };
    if named == Some(check.click) {
        // The second report, which the script sends at once: has the cookie come back?
        let sign = if asked.visitor.cookie == Some(check.click) { Sign::Returned } else { Sign::Kept };
        asked.note(app, sign, "").await?;
        return Ok(named);
    }
    let parameters: Vec<&str> =
        query.iter().filter(|(_, value)| *value == check.code).map(|(name, _)| name.as_str()).collect();
    let Some(first) = parameters.first() else { return Ok(None) };
    let settings = &asked.site.settings.parameters;
    if let Some(name) = parameters.iter().find(|name| settings.iter().any(|known| known == *name)) {
        asked.note(app, Sign::Click, name).await?;
        return Ok(Some(check.click));
    }
    asked.note(app, Sign::Unread, first).await?;
    Ok(None)
}

#[derive(Serialize)]
struct Bound {
    /// Whether there was a good click to bind by; not whether anybody was bound before.
    bound: bool,
}

/// `POST /t/lead`
pub async fn lead(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let asked = asked(&app, request, Report::Lead).await?;
    let fields = Fields::parse(&asked.body)?;
    let refused = |asked: &Asked, failure: Failure| {
        // Said to the page, whose author has to mend it.
        let mut response = (failure.status, failure.message.clone().into_owned()).into_response();
        allow(response.headers_mut(), &asked.origin);
        response
    };
    let customer = match customer(&fields) {
        Ok(customer) => customer,
        Err(failure) => return Ok(refused(&asked, failure)),
    };
    if asked.must_wait(&fields) {
        return Ok(answer(&asked, Bound { bound: false }, None));
    }
    let named = fields.text("click")?.and_then(|id| ClickId::parse(id).ok());
    let Some(click) = named.or(asked.visitor.cookie) else {
        asked.note(&app, Sign::StrayLead, "").await?;
        return Ok(answer(&asked, Bound { bound: false }, None));
    };
    if asked.check(&app).is_some_and(|check| check.click == click) {
        asked.note(&app, Sign::Lead, if named.is_some() { "script" } else { "cookie" }).await?;
        return Ok(answer(&asked, Bound { bound: true }, None));
    }
    let act = app.act(Arc::clone(&asked.program), Actor::CommandLine);
    let Some(keys) = customer.keys(&act) else { return Ok(answer(&asked, Bound { bound: false }, None)) };
    let bound = app
        .db
        .write::<_, Refusal, _>(move |tx| Box::pin(async move { leads::bind(tx, &act, click, &keys).await }))
        .await?;
    Ok(answer(&asked, Bound { bound }, None))
}

/// Who the customer is, by the site's own id and by e-mail.
fn customer(fields: &Fields<'_>) -> Result<Customer, Failure> {
    let word = |name: &'static str| {
        let found = fields.get(name).and_then(|node| match &node.value {
            Value::Text(text) => Some(text.trim().to_owned()),
            Value::Number(text) => Some((*text).to_owned()),
            _ => None,
        });
        found.filter(|text| !text.is_empty())
    };
    let (id, email) = (word("id"), word("email"));
    if id.is_none() && email.is_none() {
        return Err(Failure::field("id", "or email is required"));
    }
    if let Some(id) = &id {
        text::bounded(id, 1, ID_LENGTH).map_err(|issue| Failure::field("id", issue.0))?;
    }
    if let Some(email) = &email {
        Email::parse(email).map_err(|issue| Failure::field("email", issue.0))?;
    }
    Ok(Customer { json: String::new(), id, email })
}
