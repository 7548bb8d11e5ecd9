//! The protocol of WebDriver, as far as the stories need it: one chromedriver for the whole test process, and
//! sessions of it, spoken to in plain JSON over the HTTP client that is here anyway. (The crates for it
//! would add up to twenty-three others, or change the order of every JSON object of the server under test.)

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::LazyLock,
    time::Duration,
};

use reqwest::{Client, Method};
use serde_json::{Value, json};

/// No command takes longer, a browser's start on a busy machine included.
const COMMAND: Duration = Duration::from_mins(1);
const PAGE_LOAD_MS: u64 = 30_000;

const FLAGS: [&str; 11] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    // Where the machine's own fonts and scale would change what is seen.
    "--force-device-scale-factor=1",
    "--font-render-hinting=none",
    // A browser that loses its driver ends by itself: no process outlives the tests.
    "--remote-debugging-pipe",
];

/// Keeps the driver and its browsers, with what they leave on the disk, no longer than whoever holds the
/// other end of its standard input: a test process that is killed cannot clean up after itself.
const KEEPER: &str = r#"
    trap : INT TERM HUP
    folder=$(mktemp -d)
    TMPDIR=$folder chromedriver --port=0 &
    cat >/dev/null
    kill -KILL $!
    for _ in 1 2 3 4 5 6 7 8 9 10; do sleep 0.2; rm -rf "$folder" 2>/dev/null && break; done
"#;

/// The keeper, and the port that the driver listens on.
static DRIVER: LazyLock<(Child, u16)> = LazyLock::new(|| {
    let mut command = Command::new("sh");
    command.args(["-c", KEEPER]).stdin(Stdio::piped()).stdout(Stdio::piped());
    // Its standard error repeats what is answered anyway.
    let mut keeper = command.stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(keeper.stdout.take().unwrap()).lines().map_while(Result::ok);
    let port = lines.find_map(|line| Some(line.split_once("started successfully on port ")?.1.to_owned()));
    let port = port.expect("chromedriver tells its port; bin/test installs it where it is missing");
    // Whatever else it says is read, so that it never waits for that.
    std::thread::spawn(move || lines.for_each(drop));
    (keeper, port.trim_end_matches('.').parse().unwrap())
});

/// What the driver refused: its code, such as `stale element reference`, and its words.
#[derive(Debug)]
pub struct Refused {
    pub code: String,
    pub words: String,
}

/// An element, by the driver's name for it.
pub struct Element(String);

/// The protocol's own key for an element in JSON.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

impl Element {
    pub fn of(value: &Value) -> Option<Self> {
        Some(Self(value.get(ELEMENT)?.as_str()?.to_owned()))
    }

    pub fn json(&self) -> Value {
        json!({ ELEMENT: self.0 })
    }
}

/// A browser of one's own, closed with it.
pub struct Session {
    client: Client,
    url: String,
}

async fn answer(client: &Client, method: Method, url: &str, body: Option<&Value>) -> Result<Value, Refused> {
    let request = client.request(method, url).timeout(COMMAND);
    let request = if let Some(body) = body { request.json(body) } else { request };
    let failed = |error: reqwest::Error| Refused { code: "no answer".into(), words: format!("{url}: {error:?}") };
    let response = request.send().await.map_err(failed)?;
    let is_success = response.status().is_success();
    let mut answer: Value = response.json().await.map_err(failed)?;
    if is_success {
        return Ok(answer["value"].take());
    }
    let text = |name: &str| answer["value"][name].as_str().unwrap_or_default().to_owned();
    Err(Refused { code: text("error"), words: text("message") })
}

impl Session {
    pub async fn start() -> Self {
        let client = Client::builder().build().unwrap();
        let sessions = format!("http://127.0.0.1:{}/session", DRIVER.1);
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "timeouts": { "implicit": 0, "pageLoad": PAGE_LOAD_MS, "script": PAGE_LOAD_MS },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
            "goog:chromeOptions": { "args": FLAGS, "perfLoggingPrefs": { "enableNetwork": true, "enablePage": false } },
        } } });
        let mut started = answer(&client, Method::POST, &sessions, Some(&wanted)).await;
        // A machine under load may let a browser's start time out.
        for _ in 0..2 {
            if started.is_err() {
                started = answer(&client, Method::POST, &sessions, Some(&wanted)).await;
            }
        }
        let id = started.unwrap()["sessionId"].as_str().unwrap().to_owned();
        Self { client, url: format!("{sessions}/{id}") }
    }

    pub async fn get(&self, what: &str) -> Result<Value, Refused> {
        answer(&self.client, Method::GET, &format!("{}/{what}", self.url), None).await
    }

    pub async fn post(&self, what: &str, body: &Value) -> Result<Value, Refused> {
        answer(&self.client, Method::POST, &format!("{}/{what}", self.url), Some(body)).await
    }

    pub async fn delete(&self, what: &str) -> Result<Value, Refused> {
        answer(&self.client, Method::DELETE, &format!("{}/{what}", self.url), None).await
    }

    /// A command of the browser's own protocol.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let body = json!({ "cmd": command, "params": parameters });
        self.post("goog/cdp/execute", &body).await.unwrap_or_else(|refused| panic!("{command}: {refused:?}"))
    }

    /// Runs a script in the page, where the page's own may be switched off; what it returns.
    pub async fn run(&self, script: &str, arguments: &[Value]) -> Result<Value, Refused> {
        self.post("execute/sync", &json!({ "script": script, "args": arguments })).await
    }

    /// The same for a script that calls its last argument with what it has to say.
    pub async fn run_and_wait(&self, script: &str, arguments: &[Value]) -> Result<Value, Refused> {
        self.post("execute/async", &json!({ "script": script, "args": arguments })).await
    }

    pub async fn click(&self, element: &Element) -> Result<(), Refused> {
        self.post(&format!("element/{}/click", element.0), &json!({})).await.map(drop)
    }

    /// Types into an element.
    pub async fn write(&self, element: &Element, text: &str) -> Result<(), Refused> {
        self.post(&format!("element/{}/value", element.0), &json!({ "text": text })).await.map(drop)
    }

    /// What was logged since this was last asked: `browser` or `performance`.
    pub async fn log(&self, kind: &str) -> Vec<Value> {
        let entries = self.post("se/log", &json!({ "type": kind })).await;
        entries.ok().and_then(|entries| entries.as_array().cloned()).unwrap_or_default()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // On a thread of its own: dropping happens inside the test's runtime.
        let (client, url) = (Client::new(), self.url.clone());
        let closed = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let _ = runtime.block_on(answer(&client, Method::DELETE, &url, None));
        });
        let _ = closed.join();
    }
}
