//! The verbs of the stories that are told in a browser.

use serde_json::{Value, json};

use super::{
    browser::PASSWORD,
    chromium::{Window, pictures},
    traffic::Weights,
    webdriver::{Element, Refused},
};

const FIND: &str = include_str!("page/find.js");

impl Window {
    /// Finds an element by `page/find.js` and does something to it; again where it went away in between.
    async fn act(&self, find: [&str; 3], mut deed: impl AsyncFnMut(&Element) -> Result<(), Refused>) {
        let what = format!("{} \"{}\"", find[0], find[1]);
        let arguments: Vec<Value> = find.iter().map(|text| (*text).into()).collect();
        self.until(&what, async || {
            let found = self.read(FIND, &arguments).await;
            let Some(element) = Element::of(&found) else { return Err(format!("There is: {found}")) };
            deed(&element).await.map_err(|refused| format!("{}: {}", refused.code, refused.words))
        })
        .await;
    }

    /// Goes to an address of the site.
    pub async fn visit(&self, path: &str) {
        self.go(path).await;
        self.is_sound().await;
    }

    /// Goes there, and tells what is wrong with that page.
    pub async fn faults_of(&self, path: &str) -> Vec<String> {
        self.go(path).await;
        self.faults().await
    }

    async fn go(&self, path: &str) {
        self.step(format!("visit {path}"));
        let gone = self.session.post("url", &json!({ "url": format!("{}{path}", self.base) })).await;
        if let Err(refused) = gone {
            self.fail(&format!("the page does not come: {refused:?}")).await;
        }
    }

    /// Presses the link or button of that name.
    pub async fn click(&self, name: &str) {
        self.press_on(name, "").await;
    }

    /// Presses, of several of that name, the one nearest to these words: the button in somebody's row.
    pub async fn click_beside(&self, words: &str, name: &str) {
        self.press_on(name, words).await;
    }

    /// Presses it, and tells what is wrong with the page that comes.
    pub async fn faults_after(&self, name: &str) -> Vec<String> {
        self.step(format!("click \"{name}\""));
        self.act(["press", name, ""], async |element| self.session.click(element).await).await;
        self.faults().await
    }

    async fn press_on(&self, name: &str, beside: &str) {
        let beside_what = if beside.is_empty() { String::new() } else { format!(" beside \"{beside}\"") };
        self.step(format!("click \"{name}\"{beside_what}"));
        self.act(["press", name, beside], async |element| self.session.click(element).await).await;
        self.is_sound().await;
    }

    /// Writes into the field with that label, in place of what is there.
    pub async fn fill(&self, label: &str, text: &str) {
        self.step(format!("fill \"{label}\" with {text:?}"));
        self.act(["field", label, ""], async |element| {
            // Selected, so that the first key replaces it, as when a person tabs into the field. A date is set,
            // as a calendar does: what its keys mean depends on the browser's language.
            let script = "const [at, text] = arguments; at.focus();
                if (!/^(date|time|month|week|datetime-local|color|range)$/.test(at.type)) return at.select(), false;
                at.value = text;
                ['input', 'change'].forEach((kind) => at.dispatchEvent(new Event(kind, { bubbles: true })));
                return true;";
            if self.session.run(script, &[element.json(), text.into()]).await? == true {
                return Ok(());
            }
            self.session.write(element, if text.is_empty() { "\u{E003}" } else { text }).await
        })
        .await;
    }

    /// Chooses an option of the list, or of the group of radio buttons, with that label.
    pub async fn choose(&self, label: &str, option: &str) {
        self.step(format!("choose \"{option}\" for \"{label}\""));
        self.act(["option", option, label], async |element| self.session.click(element).await).await;
        self.is_sound().await;
    }

    pub async fn check(&self, label: &str) {
        self.set(label, true).await;
    }

    pub async fn uncheck(&self, label: &str) {
        self.set(label, false).await;
    }

    async fn set(&self, label: &str, on: bool) {
        self.step(format!("{} \"{label}\"", if on { "check" } else { "uncheck" }));
        self.act(["field", label, ""], async |element| {
            let script = "return (arguments[0].control || arguments[0]).checked";
            let is_on = self.session.run(script, &[element.json()]).await? == true;
            if is_on == on { Ok(()) } else { self.session.click(element).await }
        })
        .await;
        self.is_sound().await;
    }

    /// Presses a key where the focus is: a character, `Enter`, `Escape`, `Tab`, `Shift+Tab`, `ArrowDown` …
    pub async fn press(&self, key: &str) {
        self.step(format!("press {key}"));
        // The plus sign is a key too.
        let names: Vec<&str> = if key == "+" { vec![key] } else { key.split('+').collect() };
        let keys: Vec<String> = names.into_iter().map(code).collect();
        let event = |kind: &str, key: &String| json!({ "type": kind, "value": key });
        let down = keys.iter().map(|key| event("keyDown", key));
        let actions: Vec<Value> = down.chain(keys.iter().rev().map(|key| event("keyUp", key))).collect();
        let keyboard = json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": actions }] });
        if let Err(refused) = self.session.post("actions", &keyboard).await {
            self.fail(&format!("{refused:?}")).await;
        }
        self.is_sound().await;
    }

    /// By the form, with [`PASSWORD`]; back when it let one in.
    pub async fn sign_in(&self, email: &str) {
        self.visit("/login").await;
        for (selector, text) in [("[type=email]", email), ("[type=password]", PASSWORD)] {
            let find = json!({ "using": "css selector", "value": selector });
            let found = self.session.post("element", &find).await.unwrap();
            self.session.write(&Element::of(&found).unwrap(), text).await.unwrap();
        }
        self.press("Enter").await;
        self.until("is signed in", async || {
            let path = self.path().await;
            if path.starts_with("/login") { Err(path) } else { Ok(()) }
        })
        .await;
        self.is_sound().await;
    }

    /// Is nobody any more.
    pub async fn forget_cookies(&self) {
        self.session.delete("cookie").await.unwrap();
    }

    /// Waits until the page says so, anywhere; upper and lower case are the same, as styles change them.
    pub async fn sees(&self, text: &str) {
        let wanted = tidy(text);
        self.until(&format!("sees \"{text}\""), async || {
            if tidy(&self.said().await).contains(&wanted) { Ok(()) } else { Err(String::new()) }
        })
        .await;
        self.is_sound().await;
    }

    /// Waits until the page no longer says so.
    pub async fn sees_no(&self, text: &str) {
        let wanted = tidy(text);
        self.until(&format!("sees no \"{text}\""), async || {
            let said = tidy(&self.said().await);
            if said.is_empty() || said.contains(&wanted) { Err(String::new()) } else { Ok(()) }
        })
        .await;
    }

    /// Waits until this is the window's address, its query included.
    pub async fn arrives_at(&self, path: &str) {
        self.until(&format!("arrives at {path}"), async || {
            let at = self.path().await;
            if at == path { Ok(()) } else { Err(format!("is at {at}")) }
        })
        .await;
        self.is_sound().await;
    }

    /// Waits until the focus is on what is described so, as by [`Window::focus`].
    pub async fn focuses(&self, what: &str) {
        self.until(&format!("focuses {what}"), async || {
            let focus = self.focus().await;
            if focus == what { Ok(()) } else { Err(format!("the focus is on {focus}")) }
        })
        .await;
    }

    /// Where the focus is: `button "Approve"`, `input "E-mail"`, or `body` where it is lost.
    pub async fn focus(&self) -> String {
        let script = "const at = document.activeElement || document.body; if (at === document.body) return 'body';
            const label = at.labels && at.labels[0];
            const name = at.getAttribute('aria-label') || (label ? label.innerText : at.innerText || at.title || at.id);
            return `${at.localName} \"${name.replace(/\\s+/g, ' ').trim()}\"`;";
        self.read(script, &[]).await.as_str().unwrap_or_default().to_owned()
    }

    /// The window's address below the site's, its query included.
    pub async fn path(&self) -> String {
        let url = self.session.get("url").await.unwrap_or_default();
        let url = url.as_str().unwrap_or_default();
        url.strip_prefix(&self.base).unwrap_or(url).to_owned()
    }

    /// The text of the first that the selector finds, waited for.
    pub async fn text(&self, selector: &str) -> String {
        self.until(&format!("finds {selector}"), async || {
            self.texts(selector).await.into_iter().next().ok_or_else(String::new)
        })
        .await
    }

    /// The text of everything that the selector finds now, with single spaces.
    pub async fn texts(&self, selector: &str) -> Vec<String> {
        let script = "return [...document.querySelectorAll(arguments[0])].map((at) => at.innerText)";
        let found = self.read(script, &[selector.into()]).await;
        let tidied = |text: &Value| text.as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
        found.as_array().into_iter().flatten().map(tidied).collect()
    }

    /// What is in the field with that label.
    pub async fn value(&self, label: &str) -> String {
        let script = format!("const find = function () {{ {FIND} }}; return find(...arguments).value ?? null");
        self.until(&format!("finds the field \"{label}\""), async || {
            let value = self.read(&script, &["field".into(), label.into(), "".into()]).await;
            value.as_str().map(str::to_owned).ok_or_else(String::new)
        })
        .await
    }

    /// Whether the page's styles are told so, as by `@media`.
    pub async fn is_told(&self, media: &str) -> bool {
        self.read("return matchMedia(arguments[0]).matches", &[media.into()]).await == true
    }

    /// Goes there with nothing in the cache; what is wrong with the page, and what it costs to load.
    pub async fn faults_and_weights_of(&self, path: &str) -> (Vec<String>, Weights) {
        self.session.devtools("Network.clearBrowserCache", json!({})).await;
        self.read_logs().await;
        self.traffic().forget();
        let faults = self.faults_of(path).await;
        self.until("has loaded everything", async || {
            self.read_logs().await;
            if self.traffic().is_quiet() { Ok(()) } else { Err(String::new()) }
        })
        .await;
        (faults, self.traffic().weights())
    }

    /// Leaves a picture of the whole page in the folder of `OFFSHOOT_TEST_PICTURES`, where that is set.
    pub async fn screenshot(&self, name: &str) {
        let Some(folder) = pictures() else { return };
        let whole = json!({ "format": "png", "captureBeyondViewport": true });
        let picture = self.session.devtools("Page.captureScreenshot", whole).await;
        let bytes = base64::Engine::decode(
            &base64::engine::general_purpose::STANDARD,
            picture["data"].as_str().unwrap_or_default(),
        );
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.{}.png", self.screen)), bytes.unwrap()).unwrap();
    }
}

fn tidy(text: &str) -> String {
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The protocol's code for a key's name.
fn code(name: &str) -> String {
    let code = match name {
        "Backspace" => '\u{E003}',
        "Tab" => '\u{E004}',
        "Enter" => '\u{E007}',
        "Shift" => '\u{E008}',
        "Ctrl" => '\u{E009}',
        "Alt" => '\u{E00A}',
        "Escape" => '\u{E00C}',
        "Space" => ' ',
        "PageUp" => '\u{E00E}',
        "PageDown" => '\u{E00F}',
        "End" => '\u{E010}',
        "Home" => '\u{E011}',
        "ArrowLeft" => '\u{E012}',
        "ArrowUp" => '\u{E013}',
        "ArrowRight" => '\u{E014}',
        "ArrowDown" => '\u{E015}',
        "Delete" => '\u{E017}',
        _ => return name.to_owned(),
    };
    code.to_string()
}
