//! What goes in and out of a window: files that it is given or downloads, and pages that are printed.

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use super::chromium::Window;

impl Window {
    /// Keeps what is downloaded in that folder.
    pub async fn downloads_to(&self, folder: &Path) {
        let allowed = json!({ "behavior": "allow", "downloadPath": folder });
        self.session.devtools("Browser.setDownloadBehavior", allowed).await;
    }

    /// Chooses a file of that text in the field for one.
    pub async fn chooses_a_file(&self, text: &str) {
        self.step(format!("choose a file of {text:?}"));
        let script = "const files = new DataTransfer();
            files.items.add(new File([arguments[0]], 'file.csv', { type: 'text/csv' }));
            document.querySelector('input[type=file]').files = files.files;";
        self.read(script, &[text.into()]).await;
    }

    /// The page as it is printed, as PDF.
    pub async fn printed(&self) -> Vec<u8> {
        self.step("print".into());
        let printed = self.session.post("print", &json!({})).await;
        STANDARD.decode(printed.unwrap().as_str().unwrap_or_default()).unwrap()
    }

    /// From now on the page's own wish to be printed is only counted, in `window.prints`: nobody answers a dialog.
    pub async fn counts_prints(&self) {
        self.does("window.prints = 0; window.print = () => { window.prints += 1 }").await;
    }

    pub const fn has_scripts(&self) -> bool {
        self.screen.javascript
    }
}
