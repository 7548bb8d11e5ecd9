//! The verbs of somebody who has no mouse: where the Tab key leads, and that one sees where one is.

use serde_json::{Value, json};

use super::chromium::Window;

/// Why nobody could see that the focus is there; nothing where they can.
const SEEN: &str = "const at = document.activeElement; if (!at || at === document.body) return 'nowhere';
    const isRound = (one) => { const { outlineStyle, outlineWidth } = getComputedStyle(one);
        return outlineStyle !== 'none' && parseFloat(outlineWidth) >= 1 };
    let around = at; while (around && !isRound(around)) around = around.parentElement;
    // The calendar's own button, inside of a field for a day, is drawn by the browser.
    if (!around && at.matches('input[type=date]:not(:focus-visible)')) return '';
    if (!around) return 'nothing is drawn around it';
    const box = around.getBoundingClientRect();
    const [left, right] = [Math.max(box.left, 0), Math.min(box.right, innerWidth)];
    const [top, bottom] = [Math.max(box.top, 0), Math.min(box.bottom, innerHeight)];
    if (right - left < 1 || bottom - top < 1) return 'it is out of sight';
    const over = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
    return !over || around.contains(over) || over.contains(around) ? '' : `${over.outerHTML.slice(0, 80)} lies over it`;";

impl Window {
    /// Types where the focus is, faster than anybody; a new line is the Enter key.
    pub async fn types(&self, text: &str) {
        self.step(format!("type {text:?}"));
        let key = |key: char| {
            let key = if key == '\n' { '\u{E007}' } else { key };
            let event = |kind: &str| json!({ "type": kind, "value": key.to_string() });
            [event("keyDown"), event("keyUp")]
        };
        let actions: Vec<Value> = text.chars().flat_map(key).collect();
        let keyboard = json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": actions }] });
        if let Err(refused) = self.session.post("actions", &keyboard).await {
            self.fail(&format!("{refused:?}")).await;
        }
        self.is_sound().await;
    }

    /// Writes a day into the first part of the field that has the focus, as this browser's language orders them. (Where
    /// that is with the year first, a year of four digits does not lead on to the month by itself.)
    pub async fn types_day(&self, [year, month, day]: [&str; 3]) {
        let script = "return new Intl.DateTimeFormat().formatToParts(new Date()).map(({ type }) => type)";
        let order = self.read(script, &[]).await;
        let part = |kind: &Value| match kind.as_str() {
            Some("year") => Some(year),
            Some("month") => Some(month),
            Some("day") => Some(day),
            _ => None,
        };
        let digits: String = order.as_array().into_iter().flatten().filter_map(part).collect();
        self.types(&digits).await;
    }

    /// Tabs to what is described so, as by [`Window::focus`] or the beginning of that; within so many times, and each
    /// stop on the way can be seen.
    pub async fn tabs_to(&self, what: &str, within: usize) {
        self.goes_to("Tab", what, within).await;
    }

    /// The same in the other direction.
    pub async fn tabs_back_to(&self, what: &str, within: usize) {
        self.goes_to("Shift+Tab", what, within).await;
    }

    async fn goes_to(&self, key: &str, what: &str, within: usize) {
        let mut stops = Vec::new();
        for _ in 0..within {
            self.press(key).await;
            self.sees_the_focus().await;
            let focus = self.focus().await;
            if focus.starts_with(what.trim_end_matches('"')) {
                return;
            }
            stops.push(focus);
        }
        self.fail(&format!("{key} does not lead to {what}, but to\n  {}", stops.join("\n  "))).await;
    }

    /// Where the focus is, something says so.
    pub async fn sees_the_focus(&self) {
        self.until("sees where the focus is", async || {
            let why = self.read(SEEN, &[]).await;
            if why == "" { Ok(()) } else { Err(format!("{}: {why}", self.focus().await)) }
        })
        .await;
    }

    /// From the top of the page past its menus.
    pub async fn skips_to_content(&self) {
        self.tabs_to("a \"Skip to content\"", 1).await;
        self.press("Enter").await;
    }

    /// Tabs to it, and presses Enter there.
    pub async fn enters(&self, what: &str, within: usize) {
        self.tabs_to(what, within).await;
        self.press("Enter").await;
    }
}
