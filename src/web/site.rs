//! A merchant's own site: the script to put there, and a look at whether it works, step by step, live.

use askama::Template;
use axum::extract::State;

use super::{
    caller::{Caller, Configures},
    failure::Failure,
    filters,
    form::Form,
    reply::Reply,
    shell::Notice,
    sites,
};
use crate::{
    app::App,
    domain::{
        Issue,
        program::{self, Program},
        tracking::{self, Check, Settings, Sign, Site},
    },
    flows::{
        Refusal,
        conversions::{self, Decided, Sale},
        programs, tracking as flow,
    },
    store::{self, tracking::Observation},
};

#[derive(Template)]
#[template(path = "site/index.html")]
struct Index {
    slug: String,
    snippet: String,
    base: String,
    parameters: Vec<String>,
    needs_consent: bool,
    domains: Vec<String>,
    days: i64,
    has_passed: bool,
}

/// `GET /m/{program}/site`
pub async fn show(me: Configures, State(app): State<App>) -> Result<Reply, Failure> {
    let site = store::tracking::site(&mut *app.db.read().await?, me.program.id).await?;
    Ok(Reply::page(Index {
        slug: me.program.slug.clone(),
        snippet: snippet(&app, &me.program, &site.settings),
        base: app.config.base_url.to_string(),
        parameters: site.settings.parameters,
        needs_consent: site.settings.needs_consent,
        domains: me.program.domains.clone(),
        days: me.program.attribution_days,
        has_passed: site.check.is_some_and(|check| check.passed_at.is_some()),
    }))
}

fn snippet(app: &App, program: &Program, settings: &Settings) -> String {
    let params = if *settings == (Settings { needs_consent: settings.needs_consent, ..Settings::default() }) {
        String::new()
    } else {
        format!(" data-params=\"{}\"", settings.parameters.join(","))
    };
    let consent = if settings.needs_consent { " data-consent=\"wait\"" } else { "" };
    format!(
        "<script async src=\"{}t.js\" data-program=\"{}\"{params}{consent}></script>",
        app.config.base_url, program.slug
    )
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Done,
    /// Works, but not as well as it could.
    Fair,
    Wrong,
    Waiting,
}

/// What a press of a button would allow.
#[derive(Debug, PartialEq, Eq)]
enum Fix {
    Domain(String),
    Parameter(String),
}

#[derive(Debug)]
struct Step {
    state: Progress,
    what: &'static str,
    why: String,
    fix: Option<Fix>,
}

fn step(state: Progress, what: &'static str, why: impl Into<String>) -> Step {
    Step { state, what, why: why.into(), fix: None }
}

/// What the check has seen so far, in words.
fn steps(program: &Program, settings: &Settings, seen: &[Observation]) -> Vec<Step> {
    let sign = |kind: Sign| seen.iter().find(|one| one.kind == kind).map(|one| one.detail.as_str());
    let landing = program.landing_url.as_ref().and_then(url::Url::host_str);
    let stranger = landing.filter(|host| program.domain_of(host).is_none());
    let script = match (sign(Sign::Script), sign(Sign::Barred), stranger) {
        (Some(origin), ..) => step(Progress::Done, "Script", format!("It reported from {origin}.")),
        (None, Some(host), _) | (None, None, Some(host)) if program.domain_of(host).is_none() => {
            let seen = if sign(Sign::Barred).is_some() { "The script runs on" } else { "Your landing page is on" };
            let why = format!("{seen} {host}, which is not one of your domains, so that nothing is taken from there.");
            Step { fix: Some(Fix::Domain(host.to_owned())), ..step(Progress::Wrong, "Script", why) }
        }
        _ => step(
            Progress::Waiting,
            "Script",
            "Not seen yet. Open the link above; if nothing changes here, the script is not on that page, or an ad blocker or a consent tool holds it back.",
        ),
    };
    let click = match (sign(Sign::Click), sign(Sign::Unread), sign(Sign::Waiting)) {
        (Some(name), ..) => step(Progress::Done, "Click", format!("Read from the parameter {name}.")),
        (None, Some(name), _) if !settings.parameters.iter().any(|known| known == name) => {
            let why = format!("The code came in the parameter {name}, which is not one of yours.");
            Step { fix: Some(Fix::Parameter(name.to_owned())), ..step(Progress::Wrong, "Click", why) }
        }
        (None, None, Some(_)) => step(
            Progress::Wrong,
            "Click",
            "The script waits for consent. Your site says offshoot('consent', true) when a visitor agrees.",
        ),
        _ if script.state == Progress::Done => step(
            Progress::Wrong,
            "Click",
            "The script reported without the check’s code. Open the link above as it is; where your site redirects, it must keep the address’ parameters.",
        ),
        _ => step(Progress::Waiting, "Click", "Comes with the script’s first report."),
    };
    let cookie = match (sign(Sign::Returned), sign(Sign::Kept)) {
        (Some(_), _) => step(
            Progress::Done,
            "Cookie",
            format!("The server’s cookie came back. It lasts {} days.", program.attribution_days),
        ),
        (None, Some(_)) => step(
            Progress::Fair,
            "Cookie",
            format!(
                "The browser kept only the script’s own copy, because this portal is another site to it. That works, but Safari forgets it after 7 days instead of {}: serve the script under your own address to keep it longer.",
                program.attribution_days
            ),
        ),
        _ => step(Progress::Waiting, "Cookie", "Seen a moment after the click."),
    };
    let lead = match (sign(Sign::Lead), sign(Sign::StrayLead)) {
        (Some(_), _) => step(Progress::Done, "Lead", "A customer was named, and belongs to the check’s click."),
        (None, Some(_)) => step(
            Progress::Wrong,
            "Lead",
            "A customer was named without a click. Sign up in the browser that opened the link; where the sign-up is on another domain, that domain needs the script too.",
        ),
        _ => step(
            Progress::Waiting,
            "Lead",
            "Where people sign up, call offshoot('lead', { id, email }). Without sign-ups you can do without.",
        ),
    };
    let sale = match sign(Sign::Sale) {
        Some(told) => step(Progress::Done, "Test sale", format!("{told} Nothing was recorded.")),
        None => {
            step(Progress::Waiting, "Test sale", "Run one here, or let your shop report a sale with the click below.")
        }
    };
    vec![script, click, cookie, lead, sale]
}

#[derive(Template)]
#[template(path = "site/check.html")]
struct CheckPage {
    slug: String,
    /// With the check's code.
    link: Option<String>,
    /// Of one that runs.
    check: Option<Check>,
    steps: Vec<Step>,
    /// There is something to wait for.
    is_live: bool,
    /// Everything but what a site may do without works.
    is_good: bool,
}

/// `GET /m/{program}/site/check`
pub async fn check(me: Configures, State(app): State<App>) -> Result<Reply, Failure> {
    let (now, mut tx) = (app.clock.now(), app.db.read().await?);
    let Site { settings, check } = store::tracking::site(&mut tx, me.program.id).await?;
    let seen = store::tracking::observations(&mut tx, me.program.id).await?;
    drop(tx);
    let check = check.filter(|check| check.is_running(now));
    let steps = steps(&me.program, &settings, &seen);
    let is_open = |one: &Step| matches!(one.state, Progress::Waiting | Progress::Wrong);
    Ok(Reply::page(CheckPage {
        slug: me.program.slug.clone(),
        link: check.as_ref().and_then(|check| link(&me.program, &settings, check)),
        is_live: check.is_some() && steps.iter().any(is_open),
        is_good: !steps.iter().any(|one| is_open(one) && !(one.what == "Lead" && one.state == Progress::Waiting)),
        check,
        steps,
    }))
}

/// The landing page as an affiliate's visitor would reach it.
fn link(program: &Program, settings: &Settings, check: &Check) -> Option<String> {
    let first = || url::Url::parse(&format!("https://{}/", program.domains.first()?)).ok();
    let mut url = program.landing_url.clone().or_else(first)?;
    url.query_pairs_mut().append_pair(settings.parameters.first()?, &check.code);
    Some(url.into())
}

fn here(me: &Caller) -> String {
    format!("/m/{}/site/check", me.program.slug)
}

/// `POST /m/{program}/site/check`
pub async fn start_check(me: Configures, State(app): State<App>) -> Result<Reply, Failure> {
    let act = me.act(&app);
    app.db.write::<_, Refusal, _>(move |tx| Box::pin(async move { flow::start_check(tx, &act).await })).await?;
    app.caches.sites.forget(&me.program.id);
    Ok(Reply::Go(here(&me)))
}

/// `POST /m/{program}/site/check/sale`: what a sale would earn somebody. Nothing is recorded.
pub async fn test_sale(me: Configures, State(app): State<App>) -> Result<Reply, Failure> {
    let act = me.act(&app);
    let site = sites::of(&app, me.program.id).await?;
    let mut tx = app.db.read().await?;
    let Some(code) = store::tracking::anybody(&mut tx, me.program.id).await? else {
        let words =
            "A sale belongs to an affiliate, and you have none yet. Invite somebody, yourself for one, and try again.";
        return Ok(Reply::done(here(&me), Notice::problem(words)));
    };
    let amount = me.program.currency.of(100 * 10_i64.pow(me.program.currency.exponent().into()));
    let sale = Sale {
        click: None,
        code: Some(code),
        coupon: None,
        amount,
        order: None,
        customer: None,
        products: None,
        is_renewal: false,
        bought_at: None,
    };
    let decided = conversions::decide(&mut tx, &act, &sale).await?;
    drop(tx);
    let sale = match decided {
        Decided::Known(sale) => sale,
        Decided::New(new) => new.conversion,
    };
    let told = sites::sale_told(&me.program, &sale);
    sites::note(&app, me.program.id, &site, Sign::Sale, &told).await?;
    Ok(Reply::Go(here(&me)))
}

/// `POST /m/{program}/site/allowed`: one more domain, or one more parameter, as the check found it.
pub async fn allow(me: Configures, State(app): State<App>, mut form: Form) -> Result<Reply, Failure> {
    let domain = form.read_filled("domain", one_domain);
    let before = store::tracking::settings(&mut *app.db.read().await?, me.program.id).await?;
    let parameters =
        form.read_filled("parameter", |name| tracking::parameters(&format!("{},{name}", before.parameters.join(","))));
    if let Some((field, issue)) = form.errors().first() {
        return Err(Failure::field(field.clone(), issue.clone()));
    }
    let mut after = Program::clone(&me.program);
    after.domains.extend(domain.filter(|domain| me.program.domain_of(domain).is_none()));
    let settings = Settings { parameters: parameters.unwrap_or_else(|| before.parameters.clone()), ..before };
    let act = me.act(&app);
    let changed = app
        .db
        .write::<_, Refusal, _>(move |tx| {
            Box::pin(async move {
                let mut changed = programs::change(tx, &act, &after).await?;
                changed.extend(flow::change(tx, &act, &settings).await?);
                Ok(changed)
            })
        })
        .await?;
    app.caches.programs.forget(&me.program.slug);
    app.caches.sites.forget(&me.program.id);
    Ok(Reply::done(here(&me), Notice::done(crate::domain::program::Difference::told(&changed))))
}

fn one_domain(text: &str) -> Result<String, Issue> {
    match <[String; 1]>::try_from(program::domains(text)?) {
        Ok([domain]) => Ok(domain),
        Err(_) => Err(Issue::new("must be one host name")),
    }
}

impl CheckPage {
    fn click(&self) -> String {
        self.check.as_ref().map(|check| check.click.to_string()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{id::Id, money::Currency, time::Time};

    fn found(seen: &[(Sign, &str)]) -> Vec<Step> {
        let mut program = programs::new(Id::new(1), "acme".into(), "Acme".into(), Currency::parse("USD").unwrap());
        program.domains = vec!["shop.example".into()];
        program.landing_url = Some("https://shop.example/".parse().unwrap());
        let one = |(kind, detail): &(Sign, &str)| Observation {
            kind: *kind,
            detail: (*detail).to_owned(),
            seen_at: Time::from_ms(0),
        };
        steps(&program, &Settings::default(), &seen.iter().map(one).collect::<Vec<_>>())
    }

    fn states(seen: &[(Sign, &str)]) -> Vec<Progress> {
        found(seen).into_iter().map(|step| step.state).collect()
    }

    #[test]
    fn each_step_says_what_it_waits_for_or_what_is_wrong() {
        use Progress::{Done, Fair, Waiting, Wrong};
        assert_eq!(states(&[]), [Waiting; 5]);
        let barred = found(&[(Sign::Barred, "evil.example")]);
        assert_eq!(barred[0].fix, Some(Fix::Domain("evil.example".into())));
        let once = [(Sign::Barred, "www.shop.example")];
        assert_eq!(states(&once)[0], Waiting, "it has been allowed since");
        let unread = [(Sign::Script, "https://shop.example"), (Sign::Unread, "fpr")];
        assert_eq!(found(&unread)[1].fix, Some(Fix::Parameter("fpr".into())));
        let waiting = [(Sign::Script, "https://shop.example"), (Sign::Waiting, "")];
        assert!(found(&waiting)[1].why.contains("consent"));
        assert_eq!(states(&[(Sign::Script, "https://shop.example")])[..2], [Done, Wrong]);
        let all = [(Sign::Script, ""), (Sign::Click, "ref"), (Sign::Kept, ""), (Sign::StrayLead, ""), (Sign::Sale, "")];
        assert_eq!(states(&all), [Done, Done, Fair, Wrong, Done]);
        let all = [(Sign::Script, ""), (Sign::Click, "ref"), (Sign::Returned, ""), (Sign::Lead, ""), (Sign::Sale, "")];
        assert_eq!(states(&all), [Done; 5]);
    }
}
