//! axe-core in the page: what its rules find against people who do not see, hear or point as others do.

use serde_json::Value;

use super::chromium::Window;

const AXE: &str = include_str!("../../vendor/axe.min.js");
/// Said once with what it found, so that a person can go and look.
const RUN: &str = r"
    const done = arguments[arguments.length - 1];
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
    const colours = ['color-contrast', 'link-in-text-block'];
    const rules = arguments[0] ? { type: 'rule', values: colours } : { type: 'tag', values: tags };
    const told = (rule) => rule.nodes.slice(0, 5).map((node) =>
        `${rule.id} (${rule.help}) at ${node.target.join(' ')}: ${node.failureSummary.replace(/\s+/g, ' ')}`);
    axe.run(document, { runOnly: rules, resultTypes: ['violations'] })
        .then((results) => done(results.violations.flatMap(told)), (error) => done([`axe failed: ${error}`]));
";

impl Window {
    /// What axe finds on the page as it is now: rule, element, and what would mend it. It needs scripts.
    pub async fn barriers(&self) -> Vec<String> {
        self.axe(false).await
    }

    /// What it finds that depends on colours: another theme has the same elements and other colours.
    pub async fn barriers_of_colour(&self) -> Vec<String> {
        self.axe(true).await
    }

    async fn axe(&self, colours: bool) -> Vec<String> {
        assert!(self.screen.javascript, "axe needs scripts");
        if self.read("return typeof axe", &[]).await != "object" {
            // By way of the driver, which no policy of the page's forbids.
            self.session.run(AXE, &[]).await.unwrap_or_else(|refused| panic!("{refused:?}"));
        }
        let found: Value =
            self.session.run_and_wait(RUN, &[colours.into()]).await.unwrap_or_else(|refused| panic!("{refused:?}"));
        serde_json::from_value(found).unwrap()
    }

    /// Nothing stands in anybody's way on this page, as far as axe can tell.
    pub async fn has_no_barriers(&self) {
        let barriers = self.barriers().await;
        if !barriers.is_empty() {
            self.fail(&format!("axe finds:\n  {}", barriers.join("\n  "))).await;
        }
    }
}
