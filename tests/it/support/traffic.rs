//! What a page asked for and what came over the wire for it, read from the browser's own log.

use std::collections::BTreeMap;

use serde_json::Value;

/// One request with its answer.
#[derive(Debug, Default)]
struct Load {
    url: String,
    /// In the browser's words: `Document`, `Stylesheet`, `Script`, `Image`, `Fetch` …
    kind: String,
    /// On the wire, head and body, redirects on the way included.
    bytes: u64,
    requests: u32,
    is_done: bool,
}

/// What a cold load costs, in bytes on the wire.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weights {
    pub total: u64,
    pub scripts: u64,
    pub styles: u64,
    pub html: u64,
    pub requests: u32,
}

#[derive(Default)]
pub struct Traffic {
    loads: BTreeMap<String, Load>,
    faults: Vec<String>,
    /// Other sites that the story is about too.
    beside: Vec<String>,
}

impl Traffic {
    /// From now on requests to that site are nothing strange.
    pub fn expect(&mut self, base: String) {
        self.beside.push(base);
    }

    /// Takes in an entry of the performance log of a window that shows the site at that base.
    pub fn read(&mut self, entry: &Value, base: &str) {
        let message: Value = serde_json::from_str(entry["message"].as_str().unwrap_or_default()).unwrap_or_default();
        let (method, parameters) = (&message["message"]["method"], &message["message"]["params"]);
        let id = parameters["requestId"].as_str().unwrap_or_default().to_owned();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match method.as_str().unwrap_or_default() {
            "Network.requestWillBeSent" => {
                let url = text(&parameters["request"]["url"]);
                // data:, blob: and the browser's own pages travel nowhere.
                if !url.starts_with("http") && !url.starts_with("ws") {
                    return;
                }
                let is_of = |base: &str| url.strip_prefix(base).is_some_and(|path| path.starts_with('/'));
                if !is_of(base) && !self.beside.iter().any(|base| is_of(base)) {
                    self.faults.push(format!("a request to another host: {url}"));
                }
                let load = self.loads.entry(id).or_default();
                load.bytes += parameters["redirectResponse"]["encodedDataLength"].as_u64().unwrap_or(0);
                load.requests += 1;
                load.url = url;
            }
            "Network.responseReceived" => {
                let Some(load) = self.loads.get_mut(&id) else { return };
                load.kind = text(&parameters["type"]);
                let status = parameters["response"]["status"].as_u64().unwrap_or(0);
                let is_fine = match load.kind.as_str() {
                    // An error's page is a page.
                    "Document" => status < 500,
                    // A form that comes back with its errors.
                    "Fetch" | "XHR" => status < 400 || status == 422,
                    _ => status < 400,
                };
                if !is_fine {
                    self.faults.push(format!("{} of {}: answered {status}", load.kind, load.url));
                }
            }
            "Network.loadingFinished" => {
                let Some(load) = self.loads.get_mut(&id) else { return };
                // A number that the browser writes as a decimal at times.
                load.bytes += whole(&parameters["encodedDataLength"]);
                load.is_done = true;
            }
            "Network.loadingFailed" => {
                let Some(load) = self.loads.get_mut(&id) else { return };
                load.is_done = true;
                if parameters["canceled"] != true {
                    let why = (text(&parameters["errorText"]), text(&parameters["blockedReason"]));
                    self.faults.push(format!("{} did not load: {} {}", load.url, why.0, why.1));
                }
            }
            _ => {}
        }
    }

    pub fn take_faults(&mut self) -> Vec<String> {
        std::mem::take(&mut self.faults)
    }

    /// Forgets what was loaded before.
    pub fn forget(&mut self) {
        self.loads.clear();
    }

    pub fn is_quiet(&self) -> bool {
        self.loads.values().all(|load| load.is_done)
    }

    pub fn weights(&self) -> Weights {
        let of = |kind: &str| self.loads.values().filter(|load| load.kind == kind).map(|load| load.bytes).sum();
        Weights {
            total: self.loads.values().map(|load| load.bytes).sum(),
            scripts: of("Script"),
            styles: of("Stylesheet"),
            html: of("Document"),
            requests: self.loads.values().map(|load| load.requests).sum(),
        }
    }
}

fn whole(number: &Value) -> u64 {
    let text = number.to_string();
    text.split('.').next().unwrap_or_default().parse().unwrap_or(0)
}
