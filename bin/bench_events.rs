//! What payment providers' events cost: signed as Stripe signs them, so many a second, each a sale, while somebody
//! looks at a page.

use std::{
    error::Error,
    fmt::Write as _,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::{Client, header};
use sha2::Sha256;
use tokio::{
    sync::{Mutex, Semaphore},
    task::JoinSet,
    time::{interval, sleep},
};

use super::{AFFILIATES, Bench, CONNECTIONS, Engine, pages};

/// As Stripe documents it; `770001` stands in every id.
const EVENT: &str = include_str!("../tests/payloads/stripe/checkout_session_completed_payment.json");
const SECRET: &str = "whsec_only_for_measuring";
const PAGE: &str = "/m/bench/commissions";
/// Between two looks at the page: about as eager as a person can be.
const GLANCE: Duration = Duration::from_millis(50);
const BEAT: Duration = Duration::from_millis(10);
/// How long what was absorbed may take to be worked off.
const PATIENCE: Duration = Duration::from_mins(2);

type Fallible<T> = Result<T, Box<dyn Error>>;

impl Bench {
    pub async fn events(&self, engine: &Engine) -> Fallible<()> {
        let (wanted, seconds) = (self.settings.events, self.settings.seconds);
        if wanted == 0 {
            return Ok(());
        }
        let cookie = pages::sign_in(engine, "bench@example.com").await?;
        connect(engine, &cookie).await?;
        pages::is_shown(engine, PAGE, &cookie).await?;

        let page = Glances::begin(engine, &cookie);
        sleep(Duration::from_secs(seconds.div_ceil(2))).await;
        let mut quiet = page.end().await;

        let (before, since) = (engine.server.cpu()?, Instant::now());
        let page = Glances::begin(engine, &cookie);
        let (mut answered, bad) = send(engine, wanted, wanted * seconds).await?;
        let absorbed = f64::from(count(answered.len())) / since.elapsed().as_secs_f64();
        let mut beside = page.end().await;
        let waiting = engine.events("state = 'received'").await?;
        while engine.events("state = 'received'").await? > 0 {
            if since.elapsed() > Duration::from_secs(seconds) + PATIENCE {
                return Err("the events are not worked off".into());
            }
            sleep(Duration::from_millis(100)).await;
        }
        let took = since.elapsed().as_secs_f64();
        let done = engine.events("state = 'done'").await?;
        let cpu = engine.server.cpu()? - before;

        let events = f64::from(count(answered.len()).max(1));
        println!("signed events, {wanted} a second for {seconds} s beside {PAGE}:");
        println!(
            "  absorbed {absorbed:.0}/s, answered within {:.1} ms (p50), {:.1} ms (p99), {bad} bad",
            percentile(&mut answered, 50),
            percentile(&mut answered, 99)
        );
        println!(
            "  processed {:.0}/s: {waiting} waited at the end, all over after {took:.1} s, {done} became sales",
            events / took
        );
        println!("  CPU for an event, the pages beside them in it: {:.0} us (< 1000)", cpu * 1e6 / events);
        println!(
            "  the page beside them: {:.1} ms (p50), {:.1} ms (p99, < 50), of {}; alone {:.1} and {:.1} ms",
            percentile(&mut beside, 50),
            percentile(&mut beside, 99),
            beside.len(),
            percentile(&mut quiet, 50),
            percentile(&mut quiet, 99)
        );
        Ok(())
    }
}

fn count(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}

fn percentile(of: &mut [f64], percent: usize) -> f64 {
    of.sort_by(f64::total_cmp);
    of.get((of.len() * percent / 100).min(of.len().saturating_sub(1))).copied().unwrap_or_default()
}

async fn connect(engine: &Engine, cookie: &str) -> Fallible<()> {
    let request = Client::new().post(format!("http://{}/m/bench/payments/stripe", engine.server.address));
    let request = request.header(header::COOKIE, cookie).header("sec-fetch-site", "same-origin");
    let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let answer = request.body(format!("mode=live&secret={SECRET}")).send().await?;
    if answer.status().is_success() { Ok(()) } else { Err(format!("Stripe: {}", answer.status()).into()) }
}

/// Somebody who looks at the page again and again.
struct Glances {
    looks: JoinSet<()>,
    /// Milliseconds; a page that does not come counts as never.
    took: Arc<Mutex<Vec<f64>>>,
}

impl Glances {
    fn begin(engine: &Engine, cookie: &str) -> Self {
        let (mut looks, took) = (JoinSet::new(), Arc::default());
        let request = Client::new().get(format!("http://{}{PAGE}", engine.server.address));
        let request = request.header(header::COOKIE, cookie);
        let kept: Arc<Mutex<Vec<f64>>> = Arc::clone(&took);
        looks.spawn(async move {
            while let Some(request) = request.try_clone() {
                let since = Instant::now();
                let is_here = is_good(request).await;
                kept.lock().await.push(if is_here { since.elapsed().as_secs_f64() * 1e3 } else { f64::INFINITY });
                sleep(GLANCE).await;
            }
        });
        Self { looks, took }
    }

    async fn end(mut self) -> Vec<f64> {
        self.looks.shutdown().await;
        std::mem::take(&mut *self.took.lock().await)
    }
}

/// Answered 200, to the end.
async fn is_good(request: reqwest::RequestBuilder) -> bool {
    match request.send().await {
        Ok(answer) => answer.status() == 200 && answer.bytes().await.is_ok(),
        Err(_) => false,
    }
}

/// Sends them at an even pace, as long as not too many wait for their answer: how long each good one took, in ms, and
/// how many were not.
async fn send(engine: &Engine, a_second: u64, all: u64) -> Fallible<(Vec<f64>, usize)> {
    let client = Client::new();
    let (url, turns) =
        (format!("http://{}/hooks/bench/stripe", engine.server.address), Arc::new(Semaphore::new(CONNECTIONS)));
    let (mut calls, mut beats, mut sent) = (JoinSet::new(), interval(BEAT), 0);
    let began = Instant::now();
    while sent < all {
        beats.tick().await;
        let due = (u128::from(a_second) * began.elapsed().as_millis() / 1_000).min(all.into());
        while u128::from(sent) < due {
            let turn = Arc::clone(&turns).acquire_owned().await?;
            let request = signed(&client, &url, sent)?;
            calls.spawn(async move {
                let since = Instant::now();
                let is_good = is_good(request).await;
                drop(turn);
                is_good.then(|| since.elapsed().as_secs_f64() * 1e3)
            });
            sent += 1;
        }
    }
    let took = calls.join_all().await;
    let good: Vec<f64> = took.iter().copied().flatten().collect();
    let bad = took.len() - good.len();
    Ok((good, bad))
}

fn signed(client: &Client, url: &str, number: u64) -> Fallible<reqwest::RequestBuilder> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let whose = format!("\"bench{}\"", number % u64::try_from(AFFILIATES)?);
    let body = EVENT.replace("770001", &format!("{number:06}")).replace("\"ADA\"", &whose);
    let body = body.replace("ada.buyer", &format!("buyer{number}"));
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes())?;
    mac.update(format!("{now}.{body}").as_bytes());
    let mut signature = String::new();
    for byte in mac.finalize().into_bytes() {
        write!(signature, "{byte:02x}")?;
    }
    Ok(client.post(url).header("stripe-signature", format!("t={now},v1={signature}")).body(body))
}

impl Engine {
    /// How many events are like that.
    async fn events(&self, which: &str) -> Fallible<i64> {
        self.number(format!("SELECT COUNT(*) FROM provider_events WHERE {which}")).await
    }
}
