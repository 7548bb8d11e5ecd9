//! QR codes as one SVG path, drawn from a matrix: dark on white in either theme, because cameras want it so.

use std::fmt::Write as _;

use askama::filters::Safe;
use qrcodegen::{QrCode, QrCodeEcc};

/// White around the code, in modules, so that it is found.
const QUIET: i32 = 4;

/// The picture; nothing where the text is too long for one. `label` says what it holds.
pub fn picture(text: &str, label: &str) -> Safe<String> {
    let Ok(code) = QrCode::encode_text(text, QrCodeEcc::Medium) else { return Safe(String::new()) };
    let mut path = String::new();
    for y in 0..code.size() {
        let mut x = 0;
        while x < code.size() {
            let from = x;
            while x < code.size() && code.get_module(x, y) {
                x += 1;
            }
            if x > from {
                let _ = write!(path, "M{} {}h{}v1h-{}z", from + QUIET, y + QUIET, x - from, x - from);
            }
            x += 1;
        }
    }
    let (side, label) = (code.size() + 2 * QUIET, askama::filters::escape(label, askama::filters::Html));
    let label = label.map(|label| label.to_string()).unwrap_or_default();
    Safe(format!(
        r##"<svg class="qr" viewBox="0 0 {side} {side}" role="img" aria-label="{label}" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h{side}v{side}H0z"/><path fill="#000" d="{path}"/></svg>"##
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dark_module_is_drawn_and_no_other() {
        let text = "https://partners.example/r/acme/ANNA";
        let code = QrCode::encode_text(text, QrCodeEcc::Medium).unwrap();
        let dark = (0..code.size()).map(|y| (0..code.size()).filter(|x| code.get_module(*x, y)).count()).sum::<usize>();
        let drawn: usize = picture(text, "x")
            .0
            .split('h')
            .skip(1)
            .filter_map(|run| run.split_once("v1h-").and_then(|(length, _)| length.parse::<usize>().ok()))
            .sum();
        assert_eq!(drawn, dark);
    }

    #[test]
    fn a_label_is_inert_and_too_much_is_no_picture() {
        assert!(!picture("x", "\"><script>").0.contains("<script>"));
        assert_eq!(picture(&"x".repeat(5_000), "x").0, "");
    }
}
