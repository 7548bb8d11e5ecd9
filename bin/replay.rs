//! Replays a file of orders through a running server, as the clicks and conversions of affiliates, and ends
//! by comparing every affiliate's totals with its own sums of the file, to the cent.
//!
//! It may be killed at any moment, as may the server, and run as often as one likes: there is no file beside
//! it that says how far it came, because the server knows. What keeps an order from counting twice:
//!
//! - The conversion carries the order's id, and an order is recorded once, for ever.
//! - The click has nothing to be known by: every accepted call counts. So it carries an `Idempotency-Key`
//!   made from the order's id. A click whose answer was lost (and only the server can tell whether it was
//!   counted) is sent again with the same key and body, and the server answers with the first one.
//! - Such a key is kept for a day only. So an order that may have been recorded in an earlier run is first
//!   asked for (`dryRun`, which writes nothing and answers with what is recorded), and left alone where it
//!   is. Affiliates who had neither click nor conversion when the run began need not be asked for.
//!
//! What is left: an order whose click was counted and whose conversion was not, because a run was killed in
//! between (at most one for each connection), and which is taken up again only after more than a day. Its
//! click is counted twice, and the comparison says so.
//!
//! The sums share no code with the server: cents read from the file's text, and their own rounding.

#[path = "replay_client.rs"]
mod client;
#[path = "replay_sums.rs"]
mod sums;

use std::{
    collections::HashMap,
    io::{IsTerminal as _, Write as _},
    path::PathBuf,
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use clap::Parser;
use futures_util::{TryStreamExt as _, stream};
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use url::Url;

use client::{Counts, Server};
use sums::{Order, Totals, code, money, scaled};

const PAGE: usize = 100;

/// Replay a file of orders through a running server and compare every affiliate's totals with the file
///
/// The API key (scope full) is read from `OFFSHOOT_API_KEY` or standard input. Start the server with
/// `OFFSHOOT_RATE_LIMIT=0`, or this takes as long as its limits say. Can be stopped and started again at any time.
#[derive(Parser)]
#[command(name = "replay")]
struct Arguments {
    /// `.csv` or `.csv.gz` with the columns `order_id`, `customer_id`, `placed_at`, `amount`, `items`, `coupon`
    file: PathBuf,
    /// The server's address
    #[arg(long, env = "OFFSHOOT_BASE_URL", default_value = "http://127.0.0.1:8080")]
    server: Url,
    /// Read the API key from standard input
    #[arg(long)]
    key_stdin: bool,
    /// How many affiliates the customers are shared among; the same in every run on one server
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..=9999))]
    affiliates: u16,
    /// Requests at a time
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1024))]
    connections: u16,
    /// Only the first N orders
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

/// What stopped a run, in words.
type Stop = String;

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(stop) => {
            eprintln!("replay: {stop}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the server agrees with the file.
async fn run(arguments: &Arguments) -> Result<bool, Stop> {
    let key = key(arguments.key_stdin)?;
    let orders = sums::read(&arguments.file, arguments.limit)?;
    let server = Server::new(&arguments.server, &key, arguments.connections.into())?;
    let program: Program = server.get("/program").await?.data::<ProgramAnswer>()?.program;
    let points = scaled(program.commission.trim_end_matches('%'), 2)
        .ok_or_else(|| format!("the program's commission is not a percentage: {}", program.commission))?;

    let affiliates = find_or_create(&server, arguments.affiliates.into()).await?;
    let expected = sums::expected(&orders, affiliates.len(), points);
    let began = Instant::now();
    let sent = send_all(&server, &orders, &affiliates, arguments.connections.into()).await;
    let elapsed = began.elapsed();
    let counts = &server.counts;
    let number = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let per_second = number(&counts.requests) * 1_000 / u64::try_from(elapsed.as_millis()).unwrap_or(1).max(1);
    say(&format!(
        "orders      {:>8}  {} of them recorded before\n\
         clicks      {:>8}  sent, {} of them counted before\n\
         conversions {:>8}  sent\n\
         requests    {:>8}  in {}.{} s: {per_second} a second, {} sent again",
        orders.len(),
        number(&counts.known),
        number(&counts.clicks),
        number(&counts.replayed),
        number(&counts.conversions),
        number(&counts.requests),
        elapsed.as_secs(),
        elapsed.subsec_millis() / 100,
        number(&counts.again),
    ));
    sent.map_err(|stop| format!("{stop}\nStart it again to go on from here: no order counts twice."))?;

    let listed = list(&server, affiliates.len()).await?;
    let differences: Vec<String> = expected
        .iter()
        .zip(&listed)
        .enumerate()
        .flat_map(|(place, (expected, affiliate))| affiliate.totals.differences(expected, &code(place)))
        .collect();
    for difference in &differences {
        say(difference);
    }
    if differences.is_empty() {
        let (sales, earned) = (orders.iter().map(|order| order.cents).sum(), expected.iter().map(|e| e.total).sum());
        let currency = program.currency;
        say(&format!("sales       {:>14} {currency}\ncommissions {:>14} {currency}", money(sales), money(earned)));
        say(&format!("{} affiliates agree to the cent", expected.len()));
    }
    Ok(differences.is_empty())
}

/// A closed pipe must not keep the run from its exit code.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

#[expect(clippy::disallowed_methods, reason = "the server's settings are not this program's")]
fn key(from_stdin: bool) -> Result<String, Stop> {
    let mut key = std::env::var("OFFSHOOT_API_KEY").unwrap_or_default();
    if from_stdin {
        if std::io::stdin().is_terminal() {
            eprintln!("The API key:");
        }
        key.clear();
        std::io::stdin().read_line(&mut key).map_err(|error| format!("standard input: {error}"))?;
    }
    let key = key.trim();
    if key.is_empty() {
        return Err("an API key is needed, in OFFSHOOT_API_KEY or with --key-stdin".into());
    }
    Ok(key.to_owned())
}

// The affiliates -------------------------------------------------------------------------------------

#[derive(Clone)]
struct Affiliate {
    id: String,
    totals: Totals,
}

fn email(place: usize) -> String {
    format!("replay-{:03}@example.com", place + 1)
}

async fn find_or_create(server: &Server, count: usize) -> Result<Vec<Affiliate>, Stop> {
    let known = find(server).await?;
    for place in (0..count).filter(|place| !known.contains_key(&email(*place))) {
        let body = serde_json::json!({
            "email": email(place), "name": format!("Replay {}", place + 1), "referralCode": code(place)
        });
        let made = server.post("/affiliates", body.to_string(), None).await?;
        // Sent again after its answer was lost, it was there already.
        if !(made.status == StatusCode::BAD_REQUEST && made.text.contains(r#""field":"email""#)) {
            made.data::<serde::de::IgnoredAny>()?;
        }
    }
    list(server, count).await
}

/// The first so many of them, in their own order.
async fn list(server: &Server, count: usize) -> Result<Vec<Affiliate>, Stop> {
    let known = find(server).await?;
    let named = |place| known.get(&email(place)).cloned().ok_or_else(|| format!("{} is missing", email(place)));
    (0..count).map(named).collect()
}

/// All affiliates of the program by e-mail.
async fn find(server: &Server) -> Result<HashMap<String, Affiliate>, Stop> {
    let mut found = HashMap::new();
    for offset in (0..).step_by(PAGE) {
        let page: Page = server.get(&format!("/affiliates?limit={PAGE}&offset={offset}")).await?.data()?;
        for row in &page.affiliates {
            let email = row.email.to_lowercase();
            let totals = totals(row).ok_or_else(|| format!("{email}: the server's totals cannot be read"))?;
            found.insert(email, Affiliate { id: row.id.clone(), totals });
        }
        if page.affiliates.len() < PAGE {
            break;
        }
    }
    Ok(found)
}

fn totals(row: &Row) -> Option<Totals> {
    // With other decimals than the file's it is another currency's money; below zero after refunds.
    let cents = |raw: &RawValue| {
        let (sign, text) = raw.get().strip_prefix('-').map_or((1, raw.get()), |text| (-1, text));
        (text.split_once('.')?.1.len() == 2).then(|| scaled(text, 2))?.map(|cents| sign * cents)
    };
    Some(Totals {
        clicks: row.click_count,
        conversions: row.conversion_count,
        total: cents(&row.total_earnings)?,
        pending: cents(&row.pending_earnings)?,
        paid: cents(&row.paid_earnings)?,
        rate: scaled(row.conversion_rate.get(), 4)?,
    })
}

// The orders -----------------------------------------------------------------------------------------

async fn send_all(server: &Server, orders: &[Order], to: &[Affiliate], connections: usize) -> Result<(), Stop> {
    let style = "{bar:40} {pos}/{len} orders  {per_sec}  {elapsed} of {duration}";
    let bar = ProgressBar::new(u64::try_from(orders.len()).unwrap_or(0));
    bar.set_style(ProgressStyle::with_template(style).map_err(|error| error.to_string())?);
    let sent = stream::iter(orders.iter().map(Ok)).try_for_each_concurrent(connections, |order| {
        let (place, bar) = (sums::assigned(&order.customer, to.len()), bar.clone());
        async move {
            let sent = send(server, order, place, &to[place]).await;
            bar.inc(1);
            sent.map_err(|stop| format!("order {}: {stop}", order.id))
        }
    });
    let sent = sent.await;
    bar.finish_and_clear();
    sent
}

/// One order, once: whatever has become of it in an earlier run.
async fn send(server: &Server, order: &Order, place: usize, affiliate: &Affiliate) -> Result<(), Stop> {
    let (counts, code) = (&server.counts, code(place));
    let totals = &affiliate.totals;
    let mut sale = Sale {
        click_id: None,
        referral_code: Some(&code),
        amount: &order.amount,
        order_id: &order.id,
        customer: Customer { id: &order.customer },
    };
    if totals.clicks > 0 || totals.conversions > 0 {
        let asked = server.post("/referrals/convert?dryRun=true", json(&sale)?, None).await?;
        let asked: Converted = asked.data()?;
        if asked.conversion_id.is_some() {
            Counts::add(&counts.known);
            return credited(&asked.affiliate_id, affiliate);
        }
    }

    let visitor = sums::hash(&order.customer).to_be_bytes();
    let click = Click {
        referral_code: &code,
        source_url: &format!("https://{}.example.com/", code.to_lowercase()),
        user_agent: "Mozilla/5.0 (compatible; Offshoot replay)",
        // Of the block that is set aside for measuring.
        ip_address: &format!("198.18.{}.{}", visitor[0], visitor[1]),
    };
    let once = format!("replay-click-{}", order.id);
    let clicked = server.post("/referrals/track", json(&click)?, Some(&once)).await?;
    let tracked: Tracked = clicked.data()?;
    credited(&tracked.affiliate_id, affiliate)?;
    Counts::add(&counts.clicks);
    if clicked.is_replay {
        Counts::add(&counts.replayed);
    }

    (sale.click_id, sale.referral_code) = (Some(tracked.click_id.as_str()), None);
    let converted: Converted = server.post("/referrals/convert", json(&sale)?, None).await?.data()?;
    Counts::add(&counts.conversions);
    credited(&converted.affiliate_id, affiliate)
}

fn credited(to: &str, expected: &Affiliate) -> Result<(), Stop> {
    if to == expected.id { Ok(()) } else { Err(format!("credited to {to} instead of {}", expected.id)) }
}

fn json(body: &impl Serialize) -> Result<String, Stop> {
    serde_json::to_string(body).map_err(|error| error.to_string())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Click<'a> {
    referral_code: &'a str,
    source_url: &'a str,
    user_agent: &'a str,
    ip_address: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Sale<'a> {
    click_id: Option<&'a str>,
    referral_code: Option<&'a str>,
    amount: &'a RawValue,
    order_id: &'a str,
    customer: Customer<'a>,
}

#[derive(Serialize)]
struct Customer<'a> {
    id: &'a str,
}

// What the server answers ----------------------------------------------------------------------------

#[derive(Deserialize)]
struct ProgramAnswer {
    program: Program,
}

#[derive(Deserialize)]
struct Program {
    currency: String,
    commission: String,
}

#[derive(Deserialize)]
struct Page {
    affiliates: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    id: String,
    email: String,
    total_earnings: Box<RawValue>,
    pending_earnings: Box<RawValue>,
    paid_earnings: Box<RawValue>,
    conversion_rate: Box<RawValue>,
    click_count: i64,
    conversion_count: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tracked {
    click_id: String,
    affiliate_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Converted {
    /// `null` for a dry run of an order that is not recorded.
    conversion_id: Option<String>,
    affiliate_id: String,
}
