//! Requests that are sent until they are answered.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use reqwest::{Method, StatusCode, header};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::time::sleep;
use url::Url;

use super::Stop;

/// How long a server may be away before a run gives up.
const PATIENCE: Duration = Duration::from_mins(2);
const SLOWEST_ANSWER: Duration = Duration::from_secs(40);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
struct Envelope<T> {
    data: T,
}

/// What has been done so far, all connections together.
#[derive(Default)]
pub struct Counts {
    pub requests: AtomicU64,
    pub again: AtomicU64,
    pub known: AtomicU64,
    pub clicks: AtomicU64,
    pub replayed: AtomicU64,
    pub conversions: AtomicU64,
}

impl Counts {
    pub fn add(count: &AtomicU64) {
        count.fetch_add(1, Ordering::Relaxed);
    }
}

pub struct Server {
    client: reqwest::Client,
    base: String,
    key: String,
    pub counts: Counts,
}

pub struct Answer {
    what: String,
    pub status: StatusCode,
    pub is_replay: bool,
    pub text: String,
}

impl Answer {
    /// What is under `data`; any failure stops the run with the server's own words.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T, Stop> {
        let told = || format!("{} answered {}: {}", self.what, self.status, self.text.trim_end());
        if !self.status.is_success() {
            return Err(told());
        }
        serde_json::from_str::<Envelope<T>>(&self.text).map(|answer| answer.data).map_err(|_| told())
    }
}

/// Worth another try, after how long; `None` for an answer that stands.
fn pause(sent: &reqwest::Result<(StatusCode, header::HeaderMap, String)>, attempt: u32) -> Option<Duration> {
    let growing = LONGEST_PAUSE.min(Duration::from_millis(50 << attempt.min(10)));
    match sent {
        Err(error) => (!error.is_builder()).then_some(growing),
        Ok((status, headers, _)) => {
            let named = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            let is_passing = matches!(*status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
            // Also 400 for an `Idempotency-Key` whose first request is still running.
            named.map(Duration::from_secs).or_else(|| is_passing.then_some(growing))
        }
    }
}

impl Server {
    pub fn new(base: &Url, key: &str, connections: usize) -> Result<Self, Stop> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            // The key is for the server alone.
            .no_proxy()
            .timeout(SLOWEST_ANSWER)
            .tcp_nodelay(true)
            .pool_max_idle_per_host(connections)
            .build()
            .map_err(|error| error.to_string())?;
        let base = format!("{}/v1", base.as_str().trim_end_matches('/'));
        Ok(Self { client, base, key: key.to_owned(), counts: Counts::default() })
    }

    pub async fn get(&self, path: &str) -> Result<Answer, Stop> {
        self.request(Method::GET, path, None, None).await
    }

    pub async fn post(&self, path: &str, body: String, once: Option<&str>) -> Result<Answer, Stop> {
        self.request(Method::POST, path, Some(body), once).await
    }

    /// The server's answer, asked for again while it is away or busy: everything sent here may be sent twice.
    async fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
        once: Option<&str>,
    ) -> Result<Answer, Stop> {
        let what = format!("{method} {path}");
        let mut since = Instant::now();
        for attempt in 0.. {
            let mut request = self.client.request(method.clone(), format!("{}{path}", self.base));
            request = request.bearer_auth(&self.key);
            if let Some(body) = &body {
                request = request.header(header::CONTENT_TYPE, "application/json").body(body.clone());
            }
            if let Some(once) = once {
                request = request.header("Idempotency-Key", once);
            }
            Counts::add(&self.counts.requests);
            let sent = read(request).await;
            let Some(pause) = pause(&sent, attempt) else {
                let (status, headers, text) = sent.map_err(|error| format!("{what}: {}", causes(&error)))?;
                return Ok(Answer { what, status, is_replay: headers.contains_key("idempotent-replayed"), text });
            };
            // A limit is kept to, however long that takes.
            if matches!(&sent, Ok((status, ..)) if *status == StatusCode::TOO_MANY_REQUESTS) {
                since = Instant::now();
            }
            if since.elapsed() > PATIENCE {
                let told = sent.map_or_else(|error| causes(&error), |(status, _, text)| format!("{status} {text}"));
                return Err(format!("{what}: given up after {} s: {told}", PATIENCE.as_secs()));
            }
            Counts::add(&self.counts.again);
            sleep(pause).await;
        }
        Err(format!("{what}: given up"))
    }
}

async fn read(request: reqwest::RequestBuilder) -> reqwest::Result<(StatusCode, header::HeaderMap, String)> {
    let response = request.send().await?;
    let (status, headers) = (response.status(), response.headers().clone());
    Ok((status, headers, response.text().await?))
}

/// An error with what caused it: the first of them says only that sending failed.
fn causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source()).map(ToString::to_string);
    std::iter::once(error.to_string()).chain(causes).collect::<Vec<_>>().join(": ")
}
