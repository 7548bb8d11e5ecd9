//! One commission: what made it, what has happened to it since, and what can be done with it.

use askama::Template;
use axum::extract::State;

use super::{actor, queue::Row, style};
use crate::{
    app::App,
    domain::{
        attribution::{self, By, Other},
        commission::Status,
        id::{self, CommissionId},
        imports::tool::Tool,
        locale::NumberStyle,
        money::{Currency, Money},
        role::Permission,
        signals, text,
        time::Time,
        tracking,
    },
    flows::refunds::{self as flow, NewRefund},
    store::{
        Tx, audit, clicks, commissions,
        conversions::{self, Conversion, Evidence},
        ledger, payout_lines,
        queue::{self, Filter, Only},
        refunds,
    },
    web::{
        caller::{Caller, Decides, Reads},
        commissions::explain,
        failure::Failure,
        filters,
        form::Form,
        input::PathId,
        reply::Reply,
        shell::Notice,
    },
};

/// One line of what happened.
struct Event {
    at: Time,
    what: String,
    /// Who, or why.
    more: Option<String>,
}

struct Entry {
    at: Time,
    what: &'static str,
    amount: Money,
}

#[derive(Template)]
#[template(path = "merchant/commission.html")]
struct Show {
    slug: String,
    row: Row,
    /// An adjustment comes of none.
    sale: Option<Conversion>,
    sentence: String,
    /// Where the click came from, if there was one and it told.
    origin: clicks::Origin,
    came: Option<Evidence>,
    /// Who else was named, and by what.
    others: Vec<Other>,
    events: Vec<Event>,
    entries: Vec<Entry>,
    balance: Money,
    /// What is left of the sale to refund.
    left: Money,
    form: Form,
    may_decide: bool,
    may_pay: bool,
}

impl Show {
    fn evidence(sale: &Conversion) -> &'static str {
        sale.attributed_by.evidence()
    }

    /// The tool that the sale was imported from, where it was.
    fn imported(&self) -> Option<Tool> {
        self.came.as_ref()?.imported_from
    }

    fn file(&self) -> Option<&str> {
        self.came.as_ref()?.imported_as.as_deref()
    }

    fn clicked(&self) -> Option<Time> {
        self.sale.as_ref()?.click_id.map(id::Id::time)
    }

    /// The page that the click landed on.
    fn landed(&self) -> Option<&str> {
        self.origin.landing.as_deref().and_then(|landing| tracking::told(landing).0)
    }

    /// What that page's address said, name and value.
    fn told(&self) -> Vec<(String, String)> {
        self.origin.landing.as_deref().map(|landing| tracking::told(landing).1).unwrap_or_default()
    }
}

pub async fn show(me: Reads, State(app): State<App>, PathId(id): PathId<id::Commission>) -> Result<Reply, Failure> {
    let mut tx = app.db.read().await?;
    Ok(Reply::page(page(&mut tx, &app, &me, id, Form::default()).await?))
}

async fn page(tx: &mut Tx, app: &App, me: &Caller, id: CommissionId, form: Form) -> Result<Show, Failure> {
    let (program, currency) = (me.program.id, me.program.currency);
    let unknown = || Failure::not_found("commission");
    let found = commissions::by_id(tx, program, id).await?.ok_or_else(unknown)?;
    let line = queue::page(tx, program, Filter { status: None, only: Only::One(id) }, id, 1).await?;
    let line = line.into_iter().next().ok_or_else(unknown)?;
    let sale = match found.conversion_id {
        Some(sale) => conversions::by_id(tx, program, sale).await?,
        None => None,
    };
    let origin = match sale.as_ref().and_then(|sale| sale.click_id) {
        Some(click) => clicks::origin(tx, click).await?,
        None => clicks::Origin::default(),
    };
    let came = match &sale {
        Some(sale) => conversions::evidence(tx, sale.id).await?,
        None => None,
    };
    let others = sale.as_ref().zip(came.as_ref()).map(|(sale, came)| others(sale, came)).unwrap_or_default();
    let posted = ledger::of_commission(tx, id).await?;
    let entries: Vec<_> = posted
        .iter()
        .map(|entry| Entry {
            at: entry.created_at,
            what: match entry.kind.as_str() {
                "earn" => "Earned",
                "reverse" if entry.refund_id.is_some() && entry.amount_minor > 0 => {
                    "Given back: a refund came to nothing"
                }
                "reverse" if entry.refund_id.is_some() => "Taken back by a refund",
                "reverse" => "Taken back by a rejection",
                "pay" => "Paid out",
                "unpay" => "Payment came back",
                _ => "Corrected",
            },
            amount: currency.of(entry.amount_minor),
        })
        .collect();
    let balance = currency.of(posted.iter().map(|entry| entry.amount_minor).sum());
    let told = sale.as_ref().zip(came.as_ref()).map(|(sale, came)| (sale, came, others.as_slice()));
    let events = events(tx, me, told, (&found, &line.affiliate_name)).await?;
    let sentence = explain(&found, posted, currency).sentence;
    Ok(Show {
        slug: me.program.slug.clone(),
        row: Row::new(line, currency, app.clock.now()),
        sentence,
        origin,
        came,
        others,
        events,
        entries,
        balance,
        left: currency.of(sale.as_ref().map_or(0, |sale| sale.amount_minor - sale.refunded_minor)),
        sale,
        form,
        may_decide: me.grants.allow(Permission::Commissions),
        may_pay: me.grants.allow(Permission::Commissions) && me.grants.allow(Permission::Payouts),
    })
}

/// Who else was named by what came with the sale.
fn others(sale: &Conversion, came: &Evidence) -> Vec<Other> {
    let named = [
        ("link", came.click_affiliate_id, &came.click_affiliate),
        ("coupon", came.coupon_affiliate_id, &came.coupon_affiliate),
    ];
    let other = |(what, id, name): (&'static str, Option<_>, &Option<String>)| {
        let name = name.as_ref().filter(|_| id != Some(sale.affiliate_id))?;
        Some((what, name.clone()))
    };
    named.into_iter().filter_map(other).collect()
}

/// Everything that happened, oldest first.
async fn events(
    tx: &mut Tx,
    me: &Caller,
    told: Option<(&Conversion, &Evidence, &[Other])>,
    (found, name): (&commissions::Commission, &str),
) -> Result<Vec<Event>, Failure> {
    let (currency, style) = (me.program.currency, style(tx, me).await?);
    let mut events = Vec::new();
    if let Some(told) = told {
        of_sale(tx, told, (found, name), (currency, style), &mut events).await?;
    }
    if let Some(line) = found.payout_line_id {
        let line = payout_lines::by_id(tx, me.program.id, line).await?.ok_or_else(Failure::internal)?;
        events.push(Event { at: line.created_at, what: "Put into a payout".into(), more: None });
        if let Some(at) = line.paid_at {
            events.push(Event { at, what: "Paid with that payout".into(), more: None });
        }
    }
    for row in audit::page(tx, me.program.id, &audit::Filter::of(found.id.to_string()), 100).await?.into_iter().rev() {
        let what = match row.action.as_str() {
            "commission.approved" => "Approved".to_owned(),
            "commission.rejected" => "Rejected".to_owned(),
            "commission.paid" => "Marked as paid".to_owned(),
            "commission.adjusted" => "Entered by hand".to_owned(),
            "commission.undone" => format!("Decision undone: {} again", row.after.as_deref().unwrap_or("as before")),
            other => other.replace(['.', '_'], " "),
        };
        let by = actor(tx, &row.actor).await?;
        let more = match row.reason.filter(|reason| !reason.is_empty()) {
            Some(reason) => format!("By {by}: {reason}"),
            None => format!("By {by}"),
        };
        events.push(Event { at: row.created_at, what, more: Some(more) });
    }
    events.sort_by_key(|event| event.at);
    Ok(events)
}

/// What is told of the sale: its click, itself, its refunds.
async fn of_sale(
    tx: &mut Tx,
    (sale, came, others): (&Conversion, &Evidence, &[Other]),
    (found, name): (&commissions::Commission, &str),
    (currency, style): (Currency, NumberStyle),
    events: &mut Vec<Event>,
) -> Result<(), Failure> {
    if let Some(click) = sale.click_id {
        let theirs = others.iter().find(|(what, _)| *what == "link");
        let whose = theirs.map_or_else(|| "the link".to_owned(), |(_, other)| format!("the link of {other}"));
        events.push(Event { at: click.time(), what: format!("Visitor clicked {whose}"), more: None });
    }
    let amount = style.money(currency.of(sale.amount_minor));
    let why = match came.imported_from {
        Some(tool) => format!("Imported from {}, and credited as it was there.", tool.source()),
        None => attribution::why(sale.attributed_by, &sale.referral_code, came.coupon.as_deref(), others),
    };
    let what = format!("Sale of {amount} recorded, credited to {name}");
    events.push(Event { at: sale.created_at, what, more: Some(why) });
    let signals = signals::read(found.held_for.as_deref());
    if !signals.is_empty() {
        let words: Vec<_> = signals.iter().map(signals::Signal::in_words).collect();
        events.push(Event { at: found.created_at, what: "Held for review".into(), more: Some(words.join(" ")) });
    }
    for refund in refunds::of_sale(tx, sale.id).await? {
        let (amount, taken) =
            (style.money(currency.of(refund.amount_minor)), style.money(currency.of(refund.reversed_minor)));
        let what = format!("{amount} refunded, which took back {taken} of the commission");
        events.push(Event { at: refund.created_at, what, more: refund.reason });
        if let Some(at) = refund.restored_at {
            let what = format!(
                "That refund came to nothing, which gave back {}",
                style.money(currency.of(refund.restored_minor))
            );
            events.push(Event { at, what, more: None });
        }
    }
    Ok(())
}

/// Records a refund of the commission's sale, as a key would.
pub async fn refund(
    me: Decides,
    State(app): State<App>,
    PathId(id): PathId<id::Commission>,
    mut form: Form,
) -> Result<Reply, Failure> {
    let currency = me.program.currency;
    let amount = form.read_filled("amount", |text| currency.amount(text)).map(|money| money.minor);
    let reason = form.read_filled("reason", |text| text::bounded(text, 0, 500).map(|()| text.to_owned()));
    let found = commissions::by_id(&mut *app.db.read().await?, me.program.id, id).await?;
    let conversion = found.and_then(|found| found.conversion_id).ok_or_else(|| Failure::not_found("commission"))?;
    let here = format!("/m/{}/commissions/{id}", me.program.slug);
    if form.is_good() {
        let (act, new) = (me.act(&app), NewRefund { conversion, amount, key: None, reason });
        let made = app.db.write(move |tx| Box::pin(async move { flow::record(tx, &act, new).await })).await;
        match made {
            Ok((refund, ..)) => {
                let style = style(&mut *app.db.read().await?, &me).await?;
                let amount = style.money(currency.of(refund.amount_minor));
                let taken = style.money(currency.of(refund.reversed_minor));
                let text = format!("{amount} refunded; that took back {taken} of the commission.");
                return Ok(Reply::done(here, Notice::done(text)));
            }
            Err(refusal) => form.refused(refusal)?,
        }
    }
    let mut tx = app.db.read().await?;
    Ok(Reply::invalid(page(&mut tx, &app, &me, id, form).await?))
}
