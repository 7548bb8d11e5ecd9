//! An affiliate's first page: what was earned, when it is paid, and what is in the way.

use askama::Template;
use axum::extract::State;

use super::{
    affiliate::{
        self, Line, Reader,
        payouts::{Payment, paid_by, payments},
    },
    chart::{Bar, Chart},
    earner::Earner,
    failure::Failure,
    filters,
    html::SignedIn,
    input::Query,
    qr::Qr,
    reply::Reply,
    standing::{self, Told},
    tax::Note,
};
use crate::{
    app::App,
    domain::{
        affiliate::{Status, own_since, rate_at},
        money::{Currency, Money},
        payout::{Due, LineStatus},
        period::Period,
        rules,
        time::Time,
    },
    flows::announcements,
    store::{
        earnings::{self, Day, Standing},
        groups, payouts as stored, rates,
        volume::{self, Hold},
    },
};

/// How many of the latest events are shown.
const LATEST: usize = 8;
const DAY_MS: i64 = 86_400_000;

#[derive(Template)]
#[template(path = "home.html")]
struct Home {
    program: String,
    status: Status,
    told: Option<Told>,
    available: Money,
    approved: Money,
    on_hold: Money,
    in_payout: Money,
    /// When the next payout falls due.
    next: Option<Due>,
    pending: Money,
    paid: Money,
    found: Standing,
    /// How they are paid, masked.
    paid_by: Option<String>,
    tax_note: Option<Note>,
    url: String,
    qr: Option<Qr>,
    rate: String,
    /// Since when, where it is a rate of their own.
    since: Option<Time>,
    window: i64,
    /// What else they earn by, the closest first.
    rules: Vec<rules::Told>,
    /// What has changed of it lately, or will.
    changes: Vec<announcements::Told>,
    /// How much they earn at most, where the program says so.
    caps: Option<String>,
    /// How a sale is credited.
    terms: String,
    span: Span,
    shows_clicks: bool,
    chart: Chart,
    activity: Vec<Event>,
}

impl Home {
    fn is_active(&self) -> bool {
        self.status == Status::Active
    }

    /// Until the first click there is nothing to draw, and something to do.
    fn is_new(&self) -> bool {
        self.found.clicks == 0 && self.found.conversions == 0
    }

    fn spans() -> [Span; 4] {
        Span::ALL
    }
}

enum Event {
    Commission(Line),
    Payment(Payment),
}

/// How far back the chart looks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Span {
    Days(i64),
    Year,
}

impl Span {
    const ALL: [Self; 4] = [Self::Days(7), Self::Days(30), Self::Days(90), Self::Year];

    fn parse(text: Option<&str>) -> Self {
        Self::ALL.into_iter().find(|span| Some(span.name().as_str()) == text).unwrap_or(Self::Days(30))
    }

    fn name(self) -> String {
        match self {
            Self::Days(days) => format!("{days}d"),
            Self::Year => "12m".into(),
        }
    }

    fn label(self) -> String {
        match self {
            Self::Days(days) => format!("{days} days"),
            Self::Year => "12 months".into(),
        }
    }

    /// The first day to read.
    const fn first(self, today: i64) -> i64 {
        match self {
            Self::Days(days) => today - days + 1,
            Self::Year => today - 366,
        }
    }
}

/// `GET /home`
pub async fn show(me: Earner, account: SignedIn, State(app): State<App>, query: Query) -> Result<Reply, Failure> {
    let span = Span::parse(query.get("period"));
    let shows_clicks = query.get("show") == Some("clicks");
    let (now, currency) = (app.clock.now(), me.program.currency);
    let today = now.day();

    let mut tx = app.db.read().await?;
    let reader = Reader::of(&mut tx, account.0).await?;
    let found = earnings::standing(&mut tx, me.program.id, me.affiliate).await?.ok_or_else(Failure::no_route)?;
    let days = earnings::days(&mut tx, me.affiliate, span.first(today)).await?;
    let newest = (Time::from_ms(0), crate::domain::id::Id::new(i64::MAX));
    let commissions = earnings::commissions(&mut tx, me.affiliate, "", newest, 8).await?;
    let payments = payments(&mut tx, &me, &reader, now, 8).await?;
    let balance = stored::balance(&mut tx, me.program.id, me.affiliate, now).await?.ok_or_else(Failure::no_route)?;
    let settings = stored::settings(&mut tx, me.program.id).await?;
    let whose = (me.program.id, &*me.program.name);
    let tax_note = Note::of(&mut tx, whose, me.affiliate, balance.payable_minor, now).await?;
    let told = standing::of(&mut tx, &me).await?;
    let own = rates::of(&mut tx, me.affiliate).await?;
    let group = groups::of_affiliate(&mut tx, me.affiliate).await?.map(|group| group.id);
    let whose = (me.affiliate, group);
    let needs = rules::Needs::of(&me.program.rules, me.program.caps, whose, now);
    let so_far = volume::so_far(&mut tx, me.affiliate, needs, now, Hold::Loosely).await?;
    let changes = announcements::shown_to(&mut tx, me.program.id, whose, &own, now).await?;
    drop(tx);

    let mut activity: Vec<(Time, Event)> = Vec::new();
    for found in commissions {
        activity.push((found.created_at, Event::Commission(Line::new(found, &me))));
    }
    for paid in payments {
        activity.push((paid.at, Event::Payment(paid)));
    }
    activity.sort_by_key(|(at, _)| std::cmp::Reverse(*at));

    let url = affiliate::link(&app, &me.program, &found.code);
    Ok(Reply::page(Home {
        program: me.program.name.clone(),
        status: me.status,
        told,
        available: currency.of(balance.payable_minor),
        approved: currency.of(found.approved_minor),
        on_hold: currency.of(balance.approved_minor - balance.payable_minor - balance.in_payout_minor),
        in_payout: currency.of(balance.in_payout_minor),
        next: settings.next_due(today),
        pending: currency.of(found.pending_minor),
        paid: currency.of(found.paid_minor),
        paid_by: paid_by(&app, me.affiliate, &found)?,
        tax_note,
        qr: Qr::of(&url, "QR code of your link"),
        url,
        rate: rate_at(me.program.rate, &own, now).to_string(),
        since: own_since(&own, now),
        window: me.program.attribution_days,
        changes,
        rules: rules::told_to(&me.program.rules, whose, own_since(&own, now).is_some(), so_far, now, currency),
        caps: Some(me.program.caps).filter(|caps| !caps.is_none()).map(|caps| caps.in_words(currency)),
        terms: me.program.terms().in_words(),
        span,
        shows_clicks,
        chart: chart(&days, span, today, shows_clicks, &reader, currency),
        activity: activity.into_iter().map(|(_, event)| event).take(LATEST).collect(),
        found,
    }))
}

/// A bar for each day, or for each of twelve months.
fn chart(days: &[Day], span: Span, today: i64, clicks: bool, reader: &Reader, currency: Currency) -> Chart {
    let value = |day: &Day| if clicks { day.clicks } else { day.earned_minor };
    let shown = |value: i64| {
        if clicks { reader.style.number(value) } else { reader.style.money(currency.of(value)) }
    };
    let bars: Vec<Bar> = match span {
        Span::Days(count) => (today - count + 1..=today)
            .map(|at| {
                let value = days.iter().find(|day| day.day == at).map_or(0, value);
                Bar { label: filters::short_day(at), shown: shown(value), value }
            })
            .collect(),
        Span::Year => {
            let month = |day: i64| Period::month_of(Time::from_ms(day * DAY_MS), &jiff::tz::TimeZone::UTC);
            let this = month(today);
            (0..12)
                .rev()
                .filter_map(|back| this.step(-back))
                .map(|at| {
                    let value = days.iter().filter(|day| month(day.day) == at).map(value).sum();
                    Bar { label: at.label(), shown: shown(value), value }
                })
                .collect()
        }
    };
    let what = if clicks { "Clicks" } else { "Earned" };
    let total = bars.iter().map(|bar| bar.value).sum();
    let summary = format!("{what} in the last {}: {}", span.label(), shown(total));
    Chart { summary, bars }
}
