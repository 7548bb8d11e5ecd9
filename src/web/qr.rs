//! QR codes, drawn on the server as one SVG path.

use std::fmt::Write as _;

use askama::{FastWritable, filters::HtmlSafe};
use qrcodegen::{QrCode, QrCodeEcc};

/// The quiet zone that scanners need around it, in modules.
const MARGIN: i32 = 4;

#[derive(Debug, Clone)]
pub struct Qr {
    /// With its margin, in modules.
    side: i32,
    path: String,
    label: &'static str,
}

impl Qr {
    /// The text as a code; `label` says what it is to those who do not see it. `None` where the text is too
    /// long for one (some 2000 characters).
    pub fn of(text: &str, label: &'static str) -> Option<Self> {
        let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
        let mut path = String::new();
        for y in 0..code.size() {
            let mut x = 0;
            while x < code.size() {
                let dark = (x..code.size()).take_while(|at| code.get_module(*at, y)).count();
                let run = i32::try_from(dark).unwrap_or(0);
                if run > 0 {
                    let _ = write!(path, "M{} {}h{run}v1h-{run}z", x + MARGIN, y + MARGIN);
                }
                x += run.max(1);
            }
        }
        Some(Self { side: code.size() + 2 * MARGIN, path, label })
    }

    /// As a file of its own.
    pub fn file(&self) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{px}\" height=\"{px}\" viewBox=\"0 0 {side} {side}\">\
             <path fill=\"#fff\" d=\"M0 0h{side}v{side}H0z\"/><path fill=\"#000\" d=\"{path}\"/></svg>\n",
            px = self.side * 12,
            side = self.side,
            path = self.path
        )
    }
}

/// As part of a page: a path of digits and a label of this program's own words, nothing that anybody typed.
impl HtmlSafe for Qr {}

impl FastWritable for Qr {
    fn write_into(&self, out: &mut dyn std::fmt::Write, _: &dyn askama::Values) -> askama::Result<()> {
        Ok(write!(out, "{self}")?)
    }
}

impl std::fmt::Display for Qr {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { side, path, label } = self;
        write!(
            out,
            "<svg class=\"qr\" viewBox=\"0 0 {side} {side}\" role=\"img\" aria-label=\"{label}\" shape-rendering=\"crispEdges\">\
             <path d=\"{path}\"/></svg>"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Qr;

    #[test]
    fn a_code_is_a_square_of_whole_modules() {
        let qr = Qr::of("https://portal.example/r/acme/ANNA", "QR code").unwrap();
        assert_eq!(qr.side, 37, "29 modules and a margin of 4 on each side");
        assert!(qr.to_string().contains("M4 4h7v1h-7z"), "the first finder's upper edge");
        assert!(qr.file().starts_with("<svg xmlns"));
        assert!(Qr::of(&"x".repeat(5_000), "QR code").is_none());
    }
}
