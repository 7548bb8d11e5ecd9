//! A merchant's first page: what to do, how it goes, and what is still to be set up.

use std::{sync::Arc, time::Instant};

use askama::Template;
use axum::extract::State;

use super::{OLD, is_large, queue::Row, style};
use crate::{
    app::App,
    domain::{
        affiliate,
        id::{AffiliateId, Id},
        locale::NumberStyle,
        money::{Currency, Money, proportion},
        program::Program,
        time::Time,
    },
    store::{
        Tx, claims,
        days::{self, Day, Standing, Top},
        imports, keys,
        queue::{self, Filter, Only},
        totals, tracking,
    },
    web::{
        caches::Whole,
        caller::{Caller, Reads},
        chart::{Bar, Chart},
        failure::Failure,
        filters,
        input::Query,
        reply::Reply,
        shell::MANY,
    },
};

const PERIODS: [i64; 3] = [7, 30, 90];
const DAY_MS: i64 = 86_400_000;
/// A day may still be written to for this long after its end, by a server whose clock is late.
const LATE_MS: i64 = 3_600_000;

/// A figure of the period beside the one before, in words.
struct Figure {
    label: &'static str,
    number: i64,
    /// Where it is an amount.
    money: Option<Money>,
    change: String,
    href: String,
}

struct Step {
    is_done: bool,
    what: &'static str,
    /// What to do about it, and where.
    href: String,
    how: &'static str,
}

struct Best {
    top: Top,
    sales: Money,
}

#[derive(Template)]
#[template(path = "merchant/home.html")]
struct Home {
    slug: String,
    standing: Standing,
    to_review: Money,
    unpayable: Money,
    applications: i64,
    claims: i64,
    /// Nobody gets a mail, though the portal is out in the world.
    lacks_mail: bool,
    steps: Vec<Step>,
    done: usize,
    /// Waits for a first click or sale: looks again by itself.
    is_waiting: bool,
    days: i64,
    figures: Vec<Figure>,
    chart: Chart,
    best: Vec<Best>,
    latest: Vec<Row>,
}

pub async fn show(me: Reads, State(app): State<App>, query: Query) -> Result<Reply, Failure> {
    let days = query.get("days").and_then(|days| days.parse().ok()).filter(|days| PERIODS.contains(days));
    let days = days.unwrap_or(30);
    let (program, currency, now) = (me.program.id, me.program.currency, app.clock.now());
    let mut tx = app.db.read().await?;
    let whole = whole(&mut tx, &app, &me, now).await?;
    let standing = whole.standing;
    let applications = totals::affiliates(&mut tx, program, Some(affiliate::Status::Pending)).await?;
    let claims = claims::count_open(&mut tx, program, MANY).await?;
    let affiliates = totals::affiliates(&mut tx, program, None).await?;
    let has_key = keys::any(&mut tx, program).await?;
    let has_passed = tracking::check(&mut tx, program).await?.is_some_and(|check| check.passed_at.is_some());
    let steps = steps(&me.program, &standing, affiliates > 0, has_key, has_passed);
    let done = steps.iter().filter(|step| step.is_done).count();

    let today = now.day();
    let all = of_days(&mut tx, &app, &me, today - 2 * days + 1, now, &whole.today).await?;
    let (before, period): (Vec<_>, Vec<_>) = all.into_iter().partition(|day| day.day <= today - days);
    let since = |back: i64| Id::first_of(Time::from_ms((today - back + 1) * DAY_MS));
    let joined: [AffiliateId; 3] = [since(2 * days), since(days), Id::new(i64::MAX)];
    let joined = [
        days::joined(&mut tx, program, joined[0], joined[1]).await?,
        days::joined(&mut tx, program, joined[1], joined[2]).await?,
    ];
    let style = style(&mut tx, &me).await?;
    let filter = Filter { status: None, only: Only::All };
    let latest = queue::page(&mut tx, program, filter, Id::new(i64::MAX), 8).await?;
    Ok(Reply::page(Home {
        slug: me.program.slug.clone(),
        to_review: currency.of(standing.pending_minor),
        unpayable: currency.of(standing.unpayable_minor),
        is_waiting: standing.clicks == 0 || standing.conversions == 0,
        lacks_mail: app.config.smtp_url.is_none() && app.config.base_url.scheme() == "https",
        standing,
        applications,
        claims,
        steps,
        done,
        days,
        figures: figures(&me, &before, &period, joined),
        chart: chart(&period, today, days, currency, style),
        best: whole.top.iter().map(|top| Best { sales: currency.of(top.sales_minor), top: top.clone() }).collect(),
        latest: latest.into_iter().map(|line| Row::new(line, currency, now)).collect(),
    }))
}

/// The last day that nobody writes to any more.
fn over(now: Time) -> i64 {
    Time::from_ms(now.ms() - LATE_MS).day() - 1
}

/// What all affiliates come to together.
async fn whole(tx: &mut Tx, app: &App, me: &Caller, now: Time) -> Result<Arc<Whole>, Failure> {
    let program = me.program.id;
    let is_large = is_large(tx, program).await?;
    if is_large && let Some(known) = app.caches.standings.get_within(&program, OLD) {
        return Ok(known);
    }
    let since = Instant::now();
    let whole = Arc::new(Whole {
        standing: days::standing(tx, program).await?,
        top: days::top(tx, program, 8).await?,
        today: days::of_program(tx, program, over(now) + 1, now.day()).await?,
    });
    if is_large {
        app.caches.standings.put(program, Arc::clone(&whole), since);
    }
    Ok(whole)
}

/// The days from `first` to today: those that are over from memory, and these others.
async fn of_days(
    tx: &mut Tx,
    app: &App,
    me: &Caller,
    first: i64,
    now: Time,
    others: &[Day],
) -> Result<Vec<Day>, Failure> {
    let (program, over) = (me.program.id, over(now));
    app.caches.days.hold_against(program, imports::version(tx, program).await?);
    let (mut all, missing) = app.caches.days.known(program, first..=over);
    if let Some((from, to)) = missing {
        let found = days::of_program(tx, program, from, to).await?;
        app.caches.days.keep(program, from..=to, &found);
        all = app.caches.days.known(program, first..=over).0;
    }
    all.extend(others.iter().filter(|day| day.day > over));
    Ok(all)
}

fn figures(me: &Caller, before: &[Day], period: &[Day], joined: [i64; 2]) -> Vec<Figure> {
    let at = |path: &str| format!("/m/{}/{path}", me.program.slug);
    let currency = me.program.currency;
    let figure = |label, href: &str, is_money: bool, of: fn(&Day) -> i64| {
        let (was, is): (i64, i64) = (before.iter().map(of).sum(), period.iter().map(of).sum());
        let money = is_money.then(|| currency.of(is));
        Figure { label, number: is, money, change: change(is, was), href: at(href) }
    };
    vec![
        figure("Clicks", "affiliates?sort=clicks", false, |day| day.clicks),
        figure("Sales", "commissions?status=all", false, |day| day.conversions),
        figure("Revenue", "affiliates?sort=revenue", true, |day| day.sales_minor),
        figure("Commissions", "commissions?status=all", true, |day| day.earned_minor),
        Figure {
            label: "New affiliates",
            number: joined[1],
            money: None,
            change: change(joined[1], joined[0]),
            href: at("affiliates"),
        },
    ]
}

/// A figure beside that of the period before, in words.
fn change(is: i64, was: i64) -> String {
    match (is, was) {
        (0, 0) => "none before either".into(),
        (_, 0) => "none before".into(),
        (is, was) if is == was => "the same as before".into(),
        (is, was) => {
            let percent = proportion(is.saturating_sub(was), 100, was);
            let more = if is > was { "more" } else { "less" };
            match percent.unsigned_abs() {
                0 => format!("hardly {more} than before"),
                1_000.. => "more than ten times as much as before".into(),
                percent => format!("{percent}% {more} than before"),
            }
        }
    }
}

fn chart(period: &[Day], today: i64, days: i64, currency: Currency, style: NumberStyle) -> Chart {
    let bars: Vec<Bar> = (today - days + 1..=today)
        .map(|day| {
            let value = period.iter().find(|one| one.day == day).map_or(0, |one| one.sales_minor);
            let shown = style.money(currency.of(value));
            Bar { label: filters::short_day(day), shown, value }
        })
        .collect();
    let sum: i64 = bars.iter().map(|bar| bar.value).sum();
    let summary = format!("Revenue of the last {days} days, {} in all", style.money(currency.of(sum)));
    Chart { summary, bars }
}

fn steps(program: &Program, standing: &Standing, has_affiliate: bool, has_key: bool, has_passed: bool) -> Vec<Step> {
    let at = |path: &str| format!("/m/{}/{path}", program.slug);
    let step = |is_done, what, href: String, how| Step { is_done, what, href, how };
    let leads_somewhere = program.landing_url.is_some() && !program.domains.is_empty();
    vec![
        step(leads_somewhere, "Landing page and domains", at("settings"), "Say where your affiliates’ links lead"),
        step(has_affiliate, "First affiliate", at("affiliates/invite"), "Invite somebody"),
        // A sale that arrived says as much as any check.
        step(
            has_passed || standing.conversions > 0,
            "Your site",
            at("site/check"),
            "Check that it tells of clicks and sales",
        ),
        step(has_key, "API key", at("keys"), "Make a key for your shop’s server"),
        step(standing.clicks > 0, "First click", at("affiliates"), "Open an affiliate’s link"),
        step(standing.conversions > 0, "First sale", "/docs/api".into(), "Report a sale with your key"),
        step(standing.approved + standing.paid > 0, "First approval", at("commissions"), "Approve a commission"),
    ]
}

#[cfg(test)]
mod tests {
    use super::change;

    #[test]
    fn a_change_is_told_in_words() {
        for (is, was, words) in [
            (0, 0, "none before either"),
            (5, 0, "none before"),
            (5, 5, "the same as before"),
            (12, 10, "20% more than before"),
            (0, 10, "100% less than before"),
            (1_001, 1_000, "hardly more than before"),
            (20_000, 10, "more than ten times as much as before"),
            (i64::MAX, 1, "more than ten times as much as before"),
        ] {
            assert_eq!(change(is, was), words, "{is} {was}");
        }
    }
}
