//! Charts, drawn on the server as SVG without a script or a style of their own, with a table beside them.

use std::fmt::Write as _;

use askama::{FastWritable, filters::HtmlSafe};

/// One day, week or month: what it is called and how much it was.
#[derive(Debug, Clone)]
pub struct Bar {
    pub label: String,
    /// As the table shows it.
    pub shown: String,
    pub value: i64,
}

/// Bars from left to right. Negative values hang below the line of zero.
#[derive(Debug, Clone)]
pub struct Chart {
    /// What the picture tells, for those who do not see it.
    pub summary: String,
    pub bars: Vec<Bar>,
}

const WIDTH: i64 = 1_000;
const HEIGHT: i64 = 200;

impl Chart {
    pub fn first(&self) -> &str {
        self.bars.first().map_or("", |bar| &bar.label)
    }

    pub fn last(&self) -> &str {
        self.bars.last().map_or("", |bar| &bar.label)
    }

    /// The highest bar.
    pub fn top(&self) -> Option<&Bar> {
        self.bars.iter().max_by_key(|bar| bar.value).filter(|bar| bar.value > 0)
    }

    pub fn picture(&self) -> Picture<'_> {
        Picture(self)
    }
}

/// The chart as markup.
pub struct Picture<'c>(&'c Chart);

impl HtmlSafe for Picture<'_> {}

impl FastWritable for Picture<'_> {
    fn write_into(&self, out: &mut dyn std::fmt::Write, _: &dyn askama::Values) -> askama::Result<()> {
        Ok(write!(out, "{self}")?)
    }
}

impl std::fmt::Display for Picture<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bars = &self.0.bars;
        let most = bars.iter().map(|bar| bar.value).max().unwrap_or(0).max(0);
        let least = bars.iter().map(|bar| bar.value).min().unwrap_or(0).min(0);
        let span = i128::from(most) - i128::from(least);
        let height = |value: i64| match span {
            0 => 0,
            span => i64::try_from(i128::from(value.unsigned_abs()) * i128::from(HEIGHT) / span).unwrap_or(0),
        };
        let zero = height(most);
        let count = i64::try_from(bars.len()).unwrap_or(1).max(1);
        let slot = WIDTH / count;
        let gap = (slot / 5).min(8);

        let mut path = String::new();
        for (place, bar) in (0..).zip(bars).filter(|(_, bar)| bar.value != 0) {
            let tall = height(bar.value).max(2);
            let top = if bar.value > 0 { zero - tall } else { zero };
            let (left, wide) = (place * slot + gap / 2, slot - gap);
            let _ = write!(path, "M{left} {top}h{wide}v{tall}h-{wide}z");
        }
        write!(
            out,
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}\">\
             <path class=\"grid\" d=\"M0 0H{WIDTH}M0 {half}H{WIDTH}M0 {zero}H{WIDTH}\" vector-effect=\"non-scaling-stroke\"/>\
             <path class=\"bar\" d=\"{path}\"/></svg>",
            Escaped(&self.0.summary),
            half = zero / 2
        )
    }
}

/// Text inside an attribute.
struct Escaped<'t>(&'t str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '"' => f.write_str("&quot;"),
            other => f.write_char(other),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn markup(values: &[i64]) -> String {
        let bar = |value: &i64| Bar { label: "d".into(), shown: value.to_string(), value: *value };
        let chart = Chart { summary: "<b>\"&".into(), bars: values.iter().map(bar).collect() };
        chart.picture().to_string()
    }

    #[test]
    fn the_highest_fills_the_picture_and_a_negative_hangs_below() {
        assert!(markup(&[100, 50]).contains("M4 0h492v200h-492zM504 100h492v100h-492z"));
        assert!(markup(&[100, -100]).contains("M504 100h492v100h-492z"), "{}", markup(&[100, -100]));
    }

    #[test]
    fn nothing_and_huge_values_are_drawn_too_and_words_are_inert() {
        assert!(markup(&[]).contains("&lt;b>&quot;&amp;"));
        assert!(markup(&[0, 0]).contains("class=\"bar\" d=\"\""));
        assert!(markup(&[i64::MAX, i64::MIN]).contains("M4 0h492v"));
    }
}
