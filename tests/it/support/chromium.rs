//! A window of a real browser, and the verbs of the stories told in it. After each of them the page is
//! checked to be sound (see `page/sound.js`, and what the browser logs): a story need not say so.
//!
//! What a verb looks for it waits for; what it cannot find it fails with, telling what there is instead,
//! the steps so far and what the page says.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, LazyLock, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{database, traffic::Traffic, webdriver::Session};

const SOUND: &str = include_str!("page/sound.js");
/// How long what should come may take: machines that test are busy.
const PATIENCE: Duration = Duration::from_secs(15);

/// Whether the browser's stories are left out: what a browser sees is the same on PostgreSQL.
pub fn left_out() -> bool {
    let left_out = database::postgres().is_some();
    if left_out {
        println!("left out: told in a browser on SQLite only");
    }
    left_out
}

/// What the page is shown on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    /// In CSS pixels.
    pub width: u32,
    pub dark: bool,
    pub javascript: bool,
}

impl Screen {
    pub const PHONE: Self = Self { width: 390, dark: false, javascript: true };
    pub const DESK: Self = Self { width: 1280, ..Self::PHONE };
    /// The least that a page must fit on.
    pub const NARROW: Self = Self { width: 320, ..Self::PHONE };

    pub const fn dark(self) -> Self {
        Self { dark: true, ..self }
    }

    pub const fn without_javascript(self) -> Self {
        Self { javascript: false, ..self }
    }

    const fn is_phone(self) -> bool {
        self.width < 600
    }
}

/// As in a picture's name: `390-dark`.
impl std::fmt::Display for Screen {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let theme = if self.dark { "dark" } else { "light" };
        write!(to, "{}-{theme}{}", self.width, if self.javascript { "" } else { "-plain" })
    }
}

type Turn = Arc<SemaphorePermit<'static>>;

/// A turn for a site, shared by all of its windows: two stories with two windows each cannot wait for each
/// other. Two at once, however many cores: each is several busy processes.
async fn turn(address: SocketAddr) -> Turn {
    static TURNS: Semaphore = Semaphore::const_new(2);
    static SITES: LazyLock<Mutex<BTreeMap<SocketAddr, Weak<SemaphorePermit<'static>>>>> = LazyLock::new(Mutex::default);
    let sites = || SITES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(turn) = sites().get(&address).and_then(Weak::upgrade) {
        return turn;
    }
    let turn = Arc::new(TURNS.acquire().await.unwrap());
    sites().insert(address, Arc::downgrade(&turn));
    turn
}

pub struct Window {
    // In this order: the browser is closed before the next one's turn.
    pub(super) session: Session,
    _turn: Turn,
    pub(super) base: String,
    pub(super) screen: Screen,
    traffic: Mutex<Traffic>,
    steps: Mutex<Vec<String>>,
}

impl Window {
    /// A browser of its own, with no cookies, on the site at that address.
    pub async fn open(address: SocketAddr, screen: Screen) -> Self {
        let turn = turn(address).await;
        let session = Session::start().await;
        let base = format!("http://{address}");
        let mut window =
            Self { session, _turn: turn, base, screen, traffic: Mutex::default(), steps: Mutex::default() };
        window.show_on(screen).await;
        window
    }

    /// Shows the same page in the other theme.
    pub async fn show_dark(&mut self, dark: bool) {
        self.screen.dark = dark;
        // Still, so that no check or picture sees a colour on its way to another.
        let media = json!({ "features": [
            { "name": "prefers-color-scheme", "value": if dark { "dark" } else { "light" } },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ] });
        self.session.devtools("Emulation.setEmulatedMedia", media).await;
    }

    /// Shows the page on another screen. Whether it has scripts counts from the next page on.
    pub async fn show_on(&mut self, screen: Screen) {
        self.screen = screen;
        let height = if screen.is_phone() { 844 } else { 800 };
        let metrics = json!({
            "width": screen.width, "height": height, "deviceScaleFactor": 1, "mobile": screen.is_phone(),
        });
        self.session.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        let touch = json!({ "enabled": screen.is_phone() });
        self.session.devtools("Emulation.setTouchEmulationEnabled", touch).await;
        self.show_dark(screen.dark).await;
        let scripts = json!({ "value": !screen.javascript });
        self.session.devtools("Emulation.setScriptExecutionDisabled", scripts).await;
    }
}

/// What a story on somebody else's site needs.
impl Window {
    /// The site at that base may be asked too.
    pub fn expect(&self, base: &str) {
        self.traffic().expect(base.to_owned());
    }

    /// Is another browser by name: this one's own says that no person looks.
    pub async fn calls_itself(&self, user_agent: &str) {
        self.session.devtools("Network.setUserAgentOverride", json!({ "userAgent": user_agent })).await;
    }

    /// Runs a script in the page.
    pub async fn does(&self, script: &str) {
        self.read(script, &[]).await;
    }

    /// What the page's script says, waited for until it is something.
    pub async fn asks(&self, script: &str) -> Value {
        self.until(&format!("answers {script}"), async || {
            let said = self.read(script, &[]).await;
            if said.is_null() || said == "" { Err(said.to_string()) } else { Ok(said) }
        })
        .await
    }
}

/// How the verbs look, wait, check and fail.
impl Window {
    pub(super) fn traffic(&self) -> std::sync::MutexGuard<'_, Traffic> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn step(&self, step: String) {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner).push(step);
    }

    /// What a script returns; null while one page goes and the next comes.
    pub(super) async fn read(&self, script: &str, arguments: &[Value]) -> Value {
        self.session.run(script, arguments).await.unwrap_or_default()
    }

    /// Everything the page says.
    pub(super) async fn said(&self) -> String {
        self.read("return document.body.innerText", &[]).await.as_str().unwrap_or_default().to_owned()
    }

    /// Tries until it goes well, within bounds.
    pub(super) async fn until<T>(&self, what: &str, mut attempt: impl AsyncFnMut() -> Result<T, String>) -> T {
        let since = Instant::now();
        loop {
            match attempt().await {
                Ok(found) => return found,
                Err(why) if since.elapsed() > PATIENCE => self.fail(&format!("{what}: not so. {why}")).await,
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    pub(super) async fn read_logs(&self) {
        let entries = self.session.log("performance").await;
        let mut traffic = self.traffic();
        for entry in &entries {
            traffic.read(entry, &self.base);
        }
    }

    /// What is wrong with the page as it is, in words.
    pub async fn faults(&self) -> Vec<String> {
        let since = Instant::now();
        // A page half exchanged is no page yet.
        let mut faults = loop {
            let found = self.session.run(SOUND, &[self.screen.width.into()]).await;
            let found: Vec<String> = match found {
                Ok(found) => serde_json::from_value(found).unwrap_or_default(),
                // A dialog of the browser's, for one.
                Err(refused) => vec![format!("it cannot be read: {}: {}", refused.code, refused.words)],
            };
            if found.is_empty() || since.elapsed() > Duration::from_secs(1) {
                break found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        self.read_logs().await;
        faults.append(&mut self.traffic().take_faults());
        for entry in self.session.log("browser").await {
            // What came from the network is judged by its traffic: a page that says 404 is logged here too.
            if entry["level"] == "SEVERE" && entry["source"] != "network" {
                faults.push(format!("the console: {}", entry["message"].as_str().unwrap_or_default()));
            }
        }
        faults
    }

    pub(super) async fn is_sound(&self) {
        let faults = self.faults().await;
        if !faults.is_empty() {
            self.fail(&format!("the page is not sound:\n  {}", faults.join("\n  "))).await;
        }
    }

    pub(super) async fn fail(&self, why: &str) -> ! {
        self.screenshot(&format!("failed-{}", std::thread::current().name().unwrap_or("story").replace(':', "-")))
            .await;
        let steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner).join("\n  ");
        let (path, said) = (self.path().await, self.said().await);
        panic!("{why}\n on {path} at {}, after\n  {steps}\n where the page says:\n{said}", self.screen)
    }
}

#[expect(clippy::disallowed_methods, reason = "a person at a terminal tells so, and nothing else does")]
pub fn pictures() -> Option<std::path::PathBuf> {
    std::env::var("OFFSHOOT_TEST_PICTURES").ok().filter(|folder| !folder.is_empty()).map(Into::into)
}
