//! Rows of sales: whose each is, and what becomes of it. The other tool has credited and decided them, and that stands;
//! only what it says nothing of is decided here, by the rules of the day of the sale.

use std::collections::HashMap;

use super::{Act, Done, Look, Made, Refusal, SHOWN, header, past::Past};
use crate::{
    domain::{
        affiliate,
        attribution::{Attribution, By, Named},
        code::Code,
        commission::{self, Decision, Status},
        email::Email,
        id::{AffiliateId, ConversionId, ProgramId},
        imports::{
            Bad, Sheet,
            sales::{Row, State},
        },
        money::{Rate, proportion},
        rules::{Earning, Part},
        time::Time,
    },
    flows::{
        commissions::moved,
        conversions::{self as flow, Buyer, Customer, Priced, Sale},
        refunds::{self, NewRefund},
    },
    store::{
        Error, Tx, codes, commissions,
        conversions::{self, Conversion, NewConversion},
        customers::{self, NewSale},
        imports::{self as stored, Import},
        volume::Hold,
    },
};

enum Fate {
    New(Box<Named>),
    Known,
    Bad(Vec<Bad>),
}

/// What is there of all that some rows name.
#[derive(Default)]
struct Facts {
    people: HashMap<String, AffiliateId>,
    codes: HashMap<String, AffiliateId>,
    old_ids: HashMap<String, AffiliateId>,
    orders: HashMap<String, (AffiliateId, i64)>,
    named: HashMap<AffiliateId, Named>,
}

impl Facts {
    async fn of(tx: &mut Tx, program: ProgramId, import: &Import, rows: &[Row]) -> Result<Self, Error> {
        let emails = words(rows, |row| {
            row.who.email.as_ref().and_then(|email| Email::parse(email).ok()).map(|email| email.key())
        });
        let codes = words(rows, |row| row.who.code.as_ref().map(|code| code.to_ascii_lowercase()));
        let ids = words(rows, |row| row.who.id.clone());
        let orders = words(rows, |row| Some(row.order.clone()));
        let mut facts = Self::default();
        facts.people.extend(stored::people(tx, program, &emails).await?.into_iter().map(|one| (one.email_key, one.id)));
        facts
            .codes
            .extend(stored::codes(tx, program, &codes).await?.into_iter().map(|one| (one.code_key, one.affiliate_id)));
        let old = stored::old_ids(tx, program, import.tool, &ids).await?;
        facts.old_ids.extend(old.into_iter().map(|one| (one.old_id, one.affiliate_id)));
        let known = stored::orders(tx, program, &orders).await?.into_iter();
        facts.orders.extend(known.map(|one| (one.order_id, (one.affiliate_id, one.amount_minor))));
        for id in rows.iter().flat_map(|row| facts.all(row)).collect::<Vec<_>>() {
            if !facts.named.contains_key(&id)
                && let Some(named) = codes::named_by_id(tx, program, id).await?
            {
                facts.named.insert(id, named);
            }
        }
        Ok(facts)
    }

    /// Everybody whom the row names, by which of its cells.
    fn naming<'r>(&self, row: &'r Row) -> [(&'static str, Option<&'r str>, Option<AffiliateId>); 3] {
        let by_email = row.who.email.as_deref().and_then(|email| Email::parse(email).ok());
        let by_email = by_email.and_then(|email| self.people.get(&email.key()).copied());
        let by_code = row.who.code.as_deref().and_then(|code| Code::parse(code).ok());
        let by_code = by_code.and_then(|code| self.codes.get(&code.key()).copied());
        let by_id = row.who.id.as_deref().and_then(|id| {
            self.old_ids.get(id).copied().or_else(|| AffiliateId::parse(id).ok().filter(|id| id.raw() != 0))
        });
        [
            ("Affiliate", row.who.email.as_deref(), by_email),
            ("Affiliate, by code", row.who.code.as_deref(), by_code),
            ("Affiliate, by id", row.who.id.as_deref(), by_id),
        ]
    }

    fn all(&self, row: &Row) -> Vec<AffiliateId> {
        self.naming(row).into_iter().filter_map(|(_, _, id)| id).collect()
    }

    fn fate(&self, row: &Row, sheet: &Sheet<Row>, may_pay: bool) -> Fate {
        let wrong = |what: &str, value: &str, why: String| {
            let column = header(&sheet.used, what);
            let column = if column.is_empty() { header(&sheet.used, "Affiliate") } else { column };
            Fate::Bad(vec![Bad::new(row.line, column, value, why)])
        };
        let (mut to, mut unknown) = (None, None);
        for (what, said, found) in self.naming(row) {
            let Some(said) = said else { continue };
            match (found.and_then(|id| self.named.get(&id)), to) {
                (Some(named), None) => to = Some(named),
                (Some(named), Some(other)) if named.affiliate != other.affiliate => {
                    return wrong(what, said, "is another affiliate than the rest of the row names".into());
                }
                (Some(_), Some(_)) => {}
                (None, _) => unknown = unknown.or(Some((what, said))),
            }
        }
        let Some(to) = to else {
            let (what, said) = unknown.unwrap_or(("Affiliate", ""));
            return wrong(what, said, "is no affiliate of the program: import the affiliates first".into());
        };
        if let Some((affiliate, amount)) = self.orders.get(&row.order) {
            return if *affiliate != to.affiliate {
                wrong("Order", &row.order, "is already recorded for another affiliate".into())
            } else if *amount == row.amount {
                Fate::Known
            } else {
                wrong("Order", &row.order, "is already recorded with another amount".into())
            };
        }
        // What was settled is history, whatever has become of them since.
        let is_open = matches!(row.state, State::Pending | State::Approved);
        if is_open && to.status == affiliate::Status::Blocked {
            return wrong("Affiliate", row.who.shown(), "is blocked, and earns nothing".into());
        }
        let wanted = status(row.state);
        let facts = commission::Facts::untouched(Status::Pending, to.status);
        let state = row.state_word();
        if wanted != Status::Pending
            && let Err(refusal) = commission::decide(facts, wanted)
        {
            return wrong("State of the commission", state, format!("cannot be: {refusal}"));
        }
        if wanted == Status::Paid && !may_pay {
            return wrong("State of the commission", state, "can be said only by those who may pay".into());
        }
        Fate::New(Box::new(to.clone()))
    }
}

fn words(rows: &[Row], of: impl Fn(&Row) -> Option<String>) -> Vec<String> {
    let mut all: Vec<_> = rows.iter().filter_map(of).collect();
    all.sort_unstable();
    all.dedup();
    all
}

const fn status(state: State) -> Status {
    match state {
        State::Pending => Status::Pending,
        State::Approved => Status::Approved,
        State::Paid => Status::Paid,
        State::Rejected | State::Refunded => Status::Rejected,
    }
}

pub async fn look(
    tx: &mut Tx,
    program: ProgramId,
    import: &Import,
    rows: &[Row],
    sheet: &Sheet<Row>,
    look: &mut Look,
) -> Result<(), Error> {
    let facts = Facts::of(tx, program, import, rows).await?;
    for row in rows {
        let (who, is_new) = match facts.fate(row, sheet, import.may_pay) {
            Fate::Bad(bad) => {
                look.bad.extend(bad);
                continue;
            }
            Fate::New(to) => {
                look.added += 1;
                look.sold = look.sold.saturating_add(row.amount);
                look.earned = look.earned.saturating_add(row.commission.unwrap_or(0));
                (to.own.email.clone(), true)
            }
            Fate::Known => {
                look.known += 1;
                (row.who.shown().to_owned(), false)
            }
        };
        if look.first.len() < SHOWN {
            look.first.push(Made {
                line: row.line,
                what: row.order.clone(),
                who,
                amount: Some(row.amount),
                commission: row.commission,
                codes: Vec::new(),
                status: row.state_word(),
                at: Some(row.at),
                is_new,
            });
        }
    }
    Ok(())
}

pub async fn write(tx: &mut Tx, act: &Act, import: &Import, rows: &[Row], sheet: &Sheet<Row>) -> Result<Done, Refusal> {
    let program = act.program.id;
    // First the customers, then the affiliates, as every sale does, and all of them before anything is written.
    let mut buyers: Vec<_> = rows.iter().filter_map(|row| customer(row).keys(act)).collect();
    buyers.sort_by_key(|keys| format!("{keys:?}"));
    for keys in &buyers {
        customers::lock(tx, program, keys).await?;
    }
    let facts = Facts::of(tx, program, import, rows).await?;
    stored::lock_totals(tx, &facts.named.keys().copied().collect::<Vec<_>>()).await?;
    let (mut done, mut past) = (Done::default(), Past::begin(tx).await?);
    for row in rows {
        match facts.fate(row, sheet, import.may_pay) {
            Fate::Bad(bad) => done.bad.extend(bad),
            Fate::Known => {}
            Fate::New(to) => {
                record(tx, act, import, (row, *to), &mut past).await?;
                done.added += 1;
            }
        }
    }
    Ok(done)
}

fn customer(row: &Row) -> Customer {
    let told = [("id", &row.customer_id), ("email", &row.customer_email)];
    let told = told.into_iter().filter_map(|(name, said)| Some((name.to_owned(), said.clone()?.into())));
    let told: serde_json::Map<String, serde_json::Value> = told.collect();
    let json = if told.is_empty() { String::new() } else { serde_json::Value::Object(told).to_string() };
    Customer { json, id: row.customer_id.clone(), email: row.customer_email.clone() }
}

/// What the other tool counted, as it stays with the commission.
fn as_given(row: &Row, amount: i64, act: &Act, import: &Import) -> Earning {
    let currency = act.program.currency;
    let part = Part {
        product: String::new(),
        amount: row.amount,
        rule: format!("Imported from {}", import.tool.source()),
        pays: currency.coded(amount).to_string(),
        nothing: None,
        because: None,
        less: None,
    };
    let points = proportion(amount, Rate::MAX, row.amount).clamp(0, Rate::MAX);
    Earning { amount, rate: Rate::from_basis_points(points), parts: vec![part] }
}

async fn record(
    tx: &mut Tx,
    act: &Act,
    import: &Import,
    (row, to): (&Row, Named),
    past: &mut Past,
) -> Result<(), Refusal> {
    let (ids, now) = past.at(row.at);
    let then = Act { now, ids, ..act.clone() };
    let id: ConversionId = then.id();
    let at = id.time();
    let sale = Sale {
        click: None,
        code: Some(to.code.clone()),
        coupon: None,
        amount: act.program.currency.of(row.amount),
        order: Some(row.order.clone()),
        customer: Some(customer(row)),
        products: None,
        is_renewal: false,
        bought_at: None,
    };
    let keys = customer(row).keys(act);
    let known = match &keys {
        Some(keys) => customers::find(tx, act.program.id, keys).await?,
        None => None,
    };
    let buys = Buyer { is_named: keys.is_some(), known };
    let Priced { customer: known, is_repeat, earning, payable_at } =
        flow::price(tx, &then, &sale, &to, buys, (at, Hold::Fast)).await?;
    let earning = row.commission.map_or(earning, |amount| as_given(row, amount, act, import));
    let conversion = Conversion {
        id,
        affiliate_id: to.affiliate,
        click_id: None,
        order_id: Some(row.order.clone()),
        amount_minor: row.amount,
        commission_minor: earning.amount,
        referral_code: to.code.clone(),
        attributed_by: By::Code,
        conflict: false,
        refunded_minor: 0,
        created_at: at,
    };
    let customer_id = match &keys {
        Some(keys) => {
            let counted = NewSale { affiliate: to.affiliate, at, bought_at: at, earned: earning.amount };
            let customer = if let Some(known) = &known {
                customers::learn(tx, known, keys).await?;
                known.id
            } else {
                let customer = then.id();
                customers::create(tx, customer, act.program.id, keys, (to.affiliate, None)).await?;
                customer
            };
            customers::count(tx, customer, counted).await?;
            Some(customer)
        }
        None => None,
    };
    // What was decided needs nobody's look any more.
    let signals = if row.state == State::Pending {
        let credit = Attribution { to, by: By::Code, conflict: false };
        flow::signals(tx, &then, &sale, &credit, None).await?
    } else {
        Vec::new()
    };
    let json = sale.customer.map(|customer| customer.json).filter(|json| !json.is_empty());
    let new = NewConversion {
        conversion,
        program: act.program.id,
        customer_id,
        customer: json,
        products: None,
        coupon: None,
        is_repeat,
    };
    if !conversions::create(tx, &new).await? {
        return Err(Refusal::field("orderId", "is being recorded at this moment"));
    }
    stored::brought(tx, import.id, id).await?;
    let commission = flow::earn(tx, &then, &new.conversion, (&earning, payable_at), &signals).await?;
    let found = commissions::by_id(tx, act.program.id, commission).await?.ok_or(Refusal::NotFound("commission"))?;
    settle(tx, &then, import, (row, &found), past).await
}

/// Brings the commission where the other tool had it.
async fn settle(
    tx: &mut Tx,
    then: &Act,
    import: &Import,
    (row, found): (&Row, &commissions::Commission),
    past: &mut Past,
) -> Result<(), Refusal> {
    let source = import.tool.source();
    let (to, why, at) = match row.state {
        State::Pending => return Ok(()),
        State::Approved => (Status::Approved, None, row.at),
        State::Paid => {
            (Status::Paid, Some(format!("Paid before it was imported from {source}")), row.paid_at.unwrap_or(row.at))
        }
        State::Rejected => (Status::Rejected, Some(format!("Rejected before it was imported from {source}")), row.at),
        State::Refunded => {
            if row.amount > 0 {
                let conversion = found.conversion_id.ok_or(Refusal::NotFound("conversion"))?;
                let reason = Some(format!("Refunded before it was imported from {source}"));
                refunds::enter(tx, then, NewRefund { conversion, amount: None, key: None, reason }).await?;
            }
            (Status::Rejected, Some("The sale was refunded".to_owned()), row.at)
        }
    };
    decide(tx, then, found, (to, why.as_deref(), at), past).await
}

async fn decide(
    tx: &mut Tx,
    then: &Act,
    found: &commissions::Commission,
    (to, reason, at): (Status, Option<&str>, Time),
    past: &mut Past,
) -> Result<(), Refusal> {
    let facts = commission::Facts::untouched(found.status, found.affiliate_status);
    let decided = commission::decide(facts, to).map_err(|refusal| Refusal::field("status", refusal.to_string()))?;
    let Decision::Move { from, to } = decided else { return Ok(()) };
    let (ids, now) = past.at(at);
    let then = Act { now, ids, ..then.clone() };
    let change = commissions::Move { from, to, reason, at: now, batch: None };
    let amount = commissions::set_status(tx, found.id, change).await?.ok_or(Refusal::NotFound("commission"))?;
    Ok(moved(tx, &then, found, (from, to), amount).await?)
}
