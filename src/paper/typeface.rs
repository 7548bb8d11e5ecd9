//! Noto Sans in two weights: Latin, Greek and Cyrillic letters. What they lack (other scripts, pictures) is written in
//! Latin letters rather than as an empty box: who gets paper must be able to read whom it names.

use krilla::text::{Font, GlyphId, KrillaGlyph};
use skrifa::{
    FontRef, MetadataProvider as _,
    charmap::Charmap,
    instance::{LocationRef, Size},
    metrics::GlyphMetrics,
};
use unicode_normalization::UnicodeNormalization as _;

use super::Unprintable;

static REGULAR: &[u8] = include_bytes!("fonts/NotoSans-Regular.ttf");
static BOLD: &[u8] = include_bytes!("fonts/NotoSans-Bold.ttf");

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    Regular,
    Bold,
}

/// Thousandths of a point.
pub type Milli = i32;

pub const fn points(points: i32) -> Milli {
    points * 1_000
}

/// As krilla measures.
#[expect(clippy::float_arithmetic, clippy::cast_precision_loss, reason = "a place on paper, not money")]
pub fn place(milli: Milli) -> f32 {
    milli as f32 / 1_000.0
}

struct Face {
    font: Font,
    letters: Charmap<'static>,
    metrics: GlyphMetrics<'static>,
}

impl Face {
    fn new(bytes: &'static [u8]) -> Result<Self, Unprintable> {
        let broken = || Unprintable("a font is broken".into());
        let read = FontRef::new(bytes).map_err(|_| broken())?;
        Ok(Self {
            font: Font::new(bytes.into(), 0).ok_or_else(broken)?,
            letters: read.charmap(),
            metrics: read.glyph_metrics(Size::unscaled(), LocationRef::default()),
        })
    }

    /// In thousandths of the type's size: the fonts have 1 000 units to it.
    #[expect(clippy::cast_possible_truncation, reason = "a whole number of units, below ten thousand")]
    fn advance(&self, letter: char) -> i32 {
        let glyph = self.letters.map(letter).unwrap_or_default();
        self.metrics.advance_width(glyph).unwrap_or(0.0) as i32
    }
}

pub struct Typeface {
    regular: Face,
    bold: Face,
}

impl Typeface {
    pub fn new() -> Result<Self, Unprintable> {
        Ok(Self { regular: Face::new(REGULAR)?, bold: Face::new(BOLD)? })
    }

    fn face(&self, weight: Weight) -> &Face {
        match weight {
            Weight::Regular => &self.regular,
            Weight::Bold => &self.bold,
        }
    }

    pub fn font(&self, weight: Weight) -> Font {
        self.face(weight).font.clone()
    }

    /// The text in letters that the fonts have, on one line.
    pub fn printable(&self, text: &str) -> String {
        let mut kept = String::with_capacity(text.len());
        for letter in text.nfc() {
            if letter.is_whitespace() && letter != '\u{a0}' || letter.is_control() {
                kept.push(' ');
            } else if self.regular.letters.map(letter).is_some() {
                kept.push(letter);
            } else {
                kept.push_str(any_ascii::any_ascii_char(letter));
            }
        }
        kept
    }

    /// How wide a printable text is, in type of so many points.
    pub fn width(&self, text: &str, weight: Weight, size: i32) -> Milli {
        let face = self.face(weight);
        text.chars().map(|letter| face.advance(letter) * size).sum()
    }

    /// A printable text as what is drawn.
    #[expect(clippy::float_arithmetic, reason = "a place on paper, not money")]
    pub fn glyphs(&self, text: &str, weight: Weight) -> Vec<KrillaGlyph> {
        let face = self.face(weight);
        text.char_indices()
            .map(|(start, letter)| {
                let glyph = face.letters.map(letter).unwrap_or_default();
                let advance = face.metrics.advance_width(glyph).unwrap_or(0.0) / 1_000.0;
                let range = start..start + letter.len_utf8();
                KrillaGlyph::new(GlyphId::new(glyph.to_u32()), advance, 0.0, 0.0, 0.0, range, None)
            })
            .collect()
    }

    /// The lines that a text takes in a column of this width. What no line holds is broken where the line ends.
    pub fn wrapped(&self, text: &str, weight: Weight, size: i32, width: Milli) -> Vec<String> {
        let mut lines = vec![String::new()];
        for word in self.printable(text).split(' ').filter(|word| !word.is_empty()) {
            let line = lines.last_mut().filter(|line| !line.is_empty());
            if let Some(line) = line
                && self.width(line, weight, size) + self.width(" ", weight, size) + self.width(word, weight, size)
                    <= width
            {
                line.push(' ');
                line.push_str(word);
                continue;
            }
            if lines.last().is_some_and(|line| !line.is_empty()) {
                lines.push(String::new());
            }
            for letter in word.chars() {
                let is_full = lines.last().is_some_and(|line| {
                    !line.is_empty()
                        && self.width(line, weight, size) + self.face(weight).advance(letter) * size > width
                });
                if is_full {
                    lines.push(String::new());
                }
                if let Some(line) = lines.last_mut() {
                    line.push(letter);
                }
            }
        }
        lines
    }
}
