//! Sheets of A4: what is set on them from top to bottom, over as many as it takes. They are drawn at the end, when it
//! is known how many there are.

use krilla::{
    Document, SerializeSettings,
    color::rgb,
    configure::{Archival, ConfigurationBuilder},
    geom::{PathBuilder, Point},
    metadata::{DateTime, Metadata},
    page::PageSettings,
    paint::{Fill, Stroke},
    surface::Surface,
};

use jiff::{Timestamp, tz::TimeZone};

use super::{
    Unprintable,
    typeface::{Milli, Typeface, Weight, place, points},
};
use crate::domain::time::Time;

const WIDTH: i32 = 595;
const HEIGHT: i32 = 842;
const MARGIN: i32 = 56;
/// The last line of text is above this.
const BOTTOM: Milli = points(HEIGHT - 72);
const LEFT: Milli = points(MARGIN);
const RIGHT: Milli = points(WIDTH - MARGIN);
/// Of what is between the margins, in points.
pub const INNER: i32 = WIDTH - 2 * MARGIN;

const BODY: i32 = 9;
const LEADING: i32 = 13;

#[derive(Clone, Copy)]
enum Tone {
    Black,
    Grey,
}

enum Ink {
    Text { x: Milli, y: Milli, size: i32, weight: Weight, tone: Tone, text: String },
    Rule { y: Milli },
}

/// A column of a table. The widths of a table's columns add up to [`INNER`].
pub struct Column {
    pub title: &'static str,
    pub width: i32,
    /// Figures are set to the right.
    pub is_figure: bool,
}

pub struct Sheet {
    typeface: Typeface,
    pages: Vec<Vec<Ink>>,
    y: Milli,
    title: String,
    /// Below every page, before its number.
    foot: String,
}

impl Sheet {
    pub fn new(title: &str, foot: &str) -> Result<Self, Unprintable> {
        let typeface = Typeface::new()?;
        let (title, foot) = (typeface.printable(title), typeface.printable(foot));
        let mut sheet = Self { typeface, pages: vec![vec![]], y: points(MARGIN), title, foot };
        let title = sheet.title.clone();
        sheet.paragraph(&title, 20, Weight::Bold, Tone::Black);
        Ok(sheet)
    }

    pub fn space(&mut self, height: i32) {
        self.y += points(height);
    }

    /// Quiet words.
    pub fn said(&mut self, text: &str) {
        self.paragraph(text, BODY, Weight::Regular, Tone::Grey);
    }

    pub fn heading(&mut self, text: &str) {
        self.fit(LEADING * 4);
        self.paragraph(text, 11, Weight::Bold, Tone::Black);
        self.space(3);
    }

    /// Two columns, each of a grey word and lines below it.
    pub fn beside(&mut self, left: (&str, &[String]), right: (&str, &[String])) {
        let top = self.y;
        let mut lowest = top;
        for ((label, lines), x) in [(left, 0), (right, INNER / 2 + 8)] {
            self.y = top;
            self.line(label, points(x), Weight::Regular, Tone::Grey);
            for (place, line) in lines.iter().enumerate() {
                let weight = if place == 0 { Weight::Bold } else { Weight::Regular };
                for part in self.typeface.wrapped(line, weight, BODY, points(INNER / 2 - 16)).into_iter().take(4) {
                    self.line(&part, points(x), weight, Tone::Black);
                }
            }
            lowest = lowest.max(self.y);
        }
        self.y = lowest;
    }

    /// A name and its value on a line.
    pub fn fact(&mut self, name: &str, value: &str) {
        let lines = self.typeface.wrapped(value, Weight::Regular, BODY, points(INNER - 140));
        for (place, part) in lines.into_iter().enumerate() {
            self.fit(LEADING);
            if place == 0 {
                self.ink(name, 0, BODY, Weight::Regular, Tone::Grey);
            }
            self.line(&part, points(140), Weight::Regular, Tone::Black);
        }
    }

    pub fn head(&mut self, columns: &[Column]) {
        self.fit(LEADING * 3);
        let mut x = 0;
        for column in columns {
            self.cell(column, x, column.title, 8, Weight::Bold, Tone::Grey);
            x += column.width;
        }
        self.space(LEADING + 1);
        self.rule();
        self.space(3);
    }

    /// A row of a table, whole on one page, below the columns' names again where it is the first there.
    pub fn row(&mut self, columns: &[Column], cells: &[&str]) {
        self.set_row(columns, cells, Weight::Regular, true);
    }

    /// A row that the ones above add up to.
    pub fn total(&mut self, columns: &[Column], cells: &[&str]) {
        self.set_row(columns, cells, Weight::Bold, false);
    }

    fn set_row(&mut self, columns: &[Column], cells: &[&str], weight: Weight, is_ruled: bool) {
        let wrapped: Vec<Vec<String>> = columns
            .iter()
            .zip(cells)
            .map(|(column, cell)| {
                let room = if column.is_figure { column.width } else { column.width - 10 };
                self.typeface.wrapped(cell, weight, BODY, points(room)).into_iter().take(6).collect()
            })
            .collect();
        let height = i32::try_from(wrapped.iter().map(Vec::len).max().unwrap_or(1)).unwrap_or(1) * LEADING;
        if self.fit(height + 6) {
            self.head(columns);
        }
        let top = self.y;
        let mut x = 0;
        for (column, lines) in columns.iter().zip(&wrapped) {
            self.y = top;
            for line in lines {
                self.cell(column, x, line, BODY, weight, Tone::Black);
                self.space(LEADING);
            }
            x += column.width;
        }
        self.y = top + points(height);
        if is_ruled {
            self.space(2);
            self.rule();
            self.space(3);
        }
    }

    fn cell(&mut self, column: &Column, x: i32, text: &str, size: i32, weight: Weight, tone: Tone) {
        let text = self.typeface.printable(text);
        let shift = if column.is_figure { points(column.width) - self.typeface.width(&text, weight, size) } else { 0 };
        self.ink(&text, points(x) + shift, size, weight, tone);
    }

    fn paragraph(&mut self, text: &str, size: i32, weight: Weight, tone: Tone) {
        let leading = size * LEADING / BODY;
        for line in self.typeface.wrapped(text, weight, size, points(INNER)) {
            self.fit(leading);
            self.y += points(leading - LEADING);
            self.ink(&line, 0, size, weight, tone);
            self.space(LEADING);
        }
    }

    fn line(&mut self, text: &str, x: Milli, weight: Weight, tone: Tone) {
        self.fit(LEADING);
        self.ink(text, x, BODY, weight, tone);
        self.space(LEADING);
    }

    /// Turns to a new page where this one has no room for so many points; whether it did.
    fn fit(&mut self, height: i32) -> bool {
        if self.y + points(height) <= BOTTOM {
            return false;
        }
        self.pages.push(vec![]);
        self.y = points(MARGIN);
        true
    }

    fn ink(&mut self, text: &str, x: Milli, size: i32, weight: Weight, tone: Tone) {
        let text = self.typeface.printable(text);
        if text.is_empty() {
            return;
        }
        let ink = Ink::Text { x: LEFT + x, y: self.y + points(BODY), size, weight, tone, text };
        self.put(ink);
    }

    fn rule(&mut self) {
        self.put(Ink::Rule { y: self.y });
    }

    fn put(&mut self, ink: Ink) {
        if let Some(page) = self.pages.last_mut() {
            page.push(ink);
        }
    }

    /// The file, dated as the paper is: the same paper is the same file whenever it is asked for.
    pub fn finish(self, dated: Time) -> Result<Vec<u8>, Unprintable> {
        let failed = |why: &dyn std::fmt::Debug| Unprintable(format!("{why:?}"));
        let configuration = ConfigurationBuilder::new().with_archival_validator(Archival::A2_U).finish();
        let configuration = configuration.map_err(|why| failed(&why))?;
        let mut document = Document::new_with(SerializeSettings { configuration, ..SerializeSettings::default() });
        document.set_metadata(
            Metadata::new()
                .title(self.title.clone())
                .language("en".to_owned())
                .creator("Offshoot".to_owned())
                .creation_date(date(dated)),
        );
        let (Ok(width), Ok(height)) = (i16::try_from(WIDTH), i16::try_from(HEIGHT)) else {
            return Err(failed(&"size"));
        };
        let size = PageSettings::from_wh(width.into(), height.into()).ok_or_else(|| failed(&"size"))?;
        for (number, inks) in self.pages.iter().enumerate() {
            let mut page = document.start_page_with(size.clone());
            let mut surface = page.surface();
            for ink in inks {
                self.draw(&mut surface, ink);
            }
            let said = format!("Page {} of {}", number + 1, self.pages.len());
            let x = RIGHT - self.typeface.width(&said, Weight::Regular, 8);
            for (x, text) in [(LEFT, self.foot.clone()), (x, said)] {
                let y = points(HEIGHT - 40);
                self.draw(&mut surface, &Ink::Text { x, y, size: 8, weight: Weight::Regular, tone: Tone::Grey, text });
            }
            surface.finish();
            page.finish();
        }
        document.finish().map_err(|why| failed(&why))
    }

    fn draw(&self, surface: &mut Surface<'_>, ink: &Ink) {
        let colour = |tone: Tone| match tone {
            Tone::Black => rgb::Color::new(17, 17, 17),
            Tone::Grey => rgb::Color::new(95, 95, 95),
        };
        match ink {
            Ink::Text { x, y, size, weight, tone, text } => {
                surface.set_stroke(None);
                surface.set_fill(Some(Fill { paint: colour(*tone).into(), ..Fill::default() }));
                let glyphs = self.typeface.glyphs(text, *weight);
                let start = Point::from_xy(place(*x), place(*y));
                surface.draw_glyphs(start, &glyphs, self.typeface.font(*weight), text, place(points(*size)), false);
            }
            Ink::Rule { y } => {
                surface.set_fill(None);
                surface.set_stroke(Some(Stroke {
                    paint: rgb::Color::new(190, 190, 190).into(),
                    width: 0.5,
                    ..Stroke::default()
                }));
                let mut path = PathBuilder::new();
                path.move_to(place(LEFT), place(*y));
                path.line_to(place(RIGHT), place(*y));
                if let Some(path) = path.finish() {
                    surface.draw_path(&path);
                }
            }
        }
    }
}

fn date(time: Time) -> DateTime {
    let moment = Timestamp::from_millisecond(time.ms()).unwrap_or_default().to_zoned_datetime(TimeZone::UTC);
    let part = |part: i8| part.unsigned_abs();
    DateTime::new(moment.year().unsigned_abs()).month(part(moment.month())).day(part(moment.day()))
}
