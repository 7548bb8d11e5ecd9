//! How a program shows itself to its affiliates: what they see of customers, its colour, its logo.
//!
//! A merchant chooses one colour. What is drawn with it is derived, so that text in it and on it can be read in
//! both themes: WCAG's contrast of at least 4.5.

use std::fmt;

use super::{Issue, affiliate::words, program::Difference};

words! {
    /// What an affiliate sees of a customer.
    Visibility as CustomerVisibility { Hidden = "hidden", Masked = "masked", Shown = "shown" }
    "must be one of hidden, masked, shown"
}

impl Visibility {
    pub const fn label(self) -> &'static str {
        match self {
            Self::Hidden => "Nothing",
            Self::Masked => "Masked, such as j•••@s•••.com",
            Self::Shown => "E-mail address or name",
        }
    }
}

/// The most bytes of a logo.
pub const LOGO_BYTES: usize = 100 * 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    pub customers: Visibility,
    pub colour: Option<Colour>,
    /// Names the logo's file in its address: `3f2a….png`.
    pub logo: Option<String>,
}

impl Default for Look {
    fn default() -> Self {
        Self { customers: Visibility::Masked, colour: None, logo: None }
    }
}

/// What a change of looks changes.
pub fn differences(before: &Look, after: &Look) -> Vec<Difference> {
    let colour = |look: &Look| look.colour.map_or("none".into(), |colour| colour.to_string());
    let words = |look: &Look| {
        [
            ("Customers", look.customers.label().to_owned()),
            ("Colour", colour(look)),
            ("Logo", look.logo.clone().unwrap_or_else(|| "none".into())),
        ]
    };
    Difference::between(words(before), words(after))
}

/// A picture of pixels by its first bytes, whatever its name says; a drawing could hold a script.
///
/// # Errors
/// Anything else, and what is too large.
pub fn logo_kind(bytes: &[u8]) -> Result<&'static str, Issue> {
    if bytes.len() > LOGO_BYTES {
        return Err(Issue::new("must be at most 100 KB"));
    }
    match bytes {
        [0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A, ..] => Ok("png"),
        [0xFF, 0xD8, 0xFF, ..] => Ok("jpg"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Ok("webp"),
        _ => Err(Issue::new("must be a PNG, JPEG or WebP picture")),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour([u8; 3]);

const WHITE: Colour = Colour([255; 3]);
const BLACK: Colour = Colour([0; 3]);
/// What accents stand on at most: the darkest of the light theme's grounds, the lightest of the dark one's.
const LIGHT_GROUND: Colour = Colour([0xF0, 0xF2, 0xEE]);
const DARK_GROUND: Colour = Colour([0x20, 0x26, 0x23]);
/// Of normal text (WCAG 2.2, 1.4.3).
const ENOUGH: f64 = 4.5;

impl Colour {
    /// # Errors
    /// Anything but `#` and six hex digits.
    pub fn parse(text: &str) -> Result<Self, Issue> {
        let issue = || Issue::new("must be # and six digits or letters a to f, such as #17694a");
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6).ok_or_else(issue)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(issue());
        }
        let number = u32::from_str_radix(digits, 16).map_err(|_| issue())?;
        let [_, red, green, blue] = number.to_be_bytes();
        Ok(Self([red, green, blue]))
    }

    /// Relative luminance, as WCAG computes it.
    #[expect(clippy::float_arithmetic, reason = "light is no money")]
    fn luminance(self) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        let [red, green, blue] = self.0.map(linear);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    #[expect(clippy::float_arithmetic, reason = "light is no money")]
    pub fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// So many hundredths of the way to another.
    fn towards(self, other: Self, hundredths: u16) -> Self {
        let mut mixed = self.0;
        for (part, to) in mixed.iter_mut().zip(other.0) {
            let sum = u16::from(*part) * (100 - hundredths) + u16::from(to) * hundredths;
            *part = u8::try_from((sum + 50) / 100).unwrap_or(u8::MAX);
        }
        Self(mixed)
    }

    /// White or black, whichever reads better on it: one of them always has more than enough.
    fn text_on(self) -> Self {
        if self.contrast(WHITE) >= self.contrast(BLACK) { WHITE } else { BLACK }
    }

    /// The same as far as it can be read on these grounds, else nearer to `end`.
    fn readable(self, grounds: [Self; 2], end: Self) -> Self {
        let reads = |one: &Self| grounds.iter().all(|ground| one.contrast(*ground) >= ENOUGH);
        (0..=100).map(|step| self.towards(end, step)).find(reads).unwrap_or(end)
    }

    /// What is drawn with it in the light theme, or in the dark one.
    pub fn palette(self, dark: bool) -> Palette {
        let (ground, end, soft) = if dark {
            (DARK_GROUND, WHITE, self.towards(DARK_GROUND, 85))
        } else {
            (LIGHT_GROUND, BLACK, self.towards(WHITE, 90))
        };
        let accent = self.readable([ground, soft], end);
        Palette { accent, on_accent: accent.text_on(), soft, ground }
    }

    /// The stylesheet that lays it over the portal's own.
    pub fn styles(self) -> String {
        let (light, dark) = (self.palette(false), self.palette(true));
        let both = |of: fn(&Palette) -> Colour| format!("light-dark({},{})", of(&light), of(&dark));
        format!(
            ":root{{--accent:{};--on-accent:{};--accent-soft:{}}}.brand i{{background:var(--accent);color:var(--on-accent)}}",
            both(|palette| palette.accent),
            both(|palette| palette.on_accent),
            both(|palette| palette.soft),
        )
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

/// A colour's four parts in a theme.
#[derive(Debug, Clone, Copy)]
pub struct Palette {
    pub accent: Colour,
    pub on_accent: Colour,
    pub soft: Colour,
    pub ground: Colour,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_colour_can_be_read_in_both_themes() {
        let steps = [0_u8, 51, 102, 128, 153, 204, 255];
        let of = |place: usize| steps[place % steps.len()];
        for place in 0..steps.len().pow(3) {
            let (red, green, blue) = (of(place), of(place / steps.len()), of(place / steps.len().pow(2)));
            for dark in [false, true] {
                let palette = Colour([red, green, blue]).palette(dark);
                for (text, ground) in [
                    (palette.on_accent, palette.accent),
                    (palette.accent, palette.ground),
                    (palette.accent, palette.soft),
                ] {
                    let contrast = text.contrast(ground);
                    assert!(contrast >= ENOUGH, "{red} {green} {blue}, dark {dark}: {text} on {ground}: {contrast}");
                }
            }
        }
    }

    #[test]
    fn a_colour_that_reads_stays_as_it_is() {
        let own = Colour::parse("#17694A").unwrap();
        assert_eq!((own.palette(false).accent, own.to_string()), (own, "#17694a".into()));
        for wrong in ["", "17694a", "#17694", "#17694g", "#+17694", "red", "#fff;}"] {
            assert!(Colour::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_logo_is_a_picture_of_pixels() {
        assert_eq!(logo_kind(b"\x89PNG\r\n\x1a\n..."), Ok("png"));
        assert_eq!(logo_kind(&[0xFF, 0xD8, 0xFF, 0xE0]), Ok("jpg"));
        for wrong in [b"<svg onload=alert(1)>".as_slice(), b"GIF89a", b"", b"\x89PNG"] {
            assert!(logo_kind(wrong).is_err());
        }
        assert!(logo_kind(&vec![0xFF; LOGO_BYTES + 1]).is_err());
    }
}
