//! Decimal text to whole units, exactly: never through a binary float.

use super::Issue;

/// The most minor units that one amount may have: 999 999 999 999.
pub const MAX_UNITS: i64 = 999_999_999_999;
/// Decimals at and beyond this place (of the major unit) are the noise of binary arithmetic.
const NOISE_PLACES: usize = 6;
const MAX_EXPONENT: i64 = 30;

/// Reads a JSON number's own text as whole units of `10^-decimals`.
///
/// A value less than 0.000001 away from a whole unit is taken as that unit, so that `0.1 + 0.2` written
/// by a program that computed in binary (0.30000000000000004) is 0.30.
///
/// # Errors
/// A minus sign (`-0` too), any other excess of decimals, an exponent beyond ±30, or more than
/// [`MAX_UNITS`].
pub fn parse(text: &str, decimals: usize) -> Result<i64, Issue> {
    if text.starts_with('-') {
        return Err(Issue::new("must not be negative"));
    }
    let (mantissa, exponent) = split_exponent(text)?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) {
        return Err(Issue::new("must be a number"));
    }

    // One row of digits and where the unit's own point stands in it.
    let digits = [whole.as_bytes(), fraction.as_bytes()].concat();
    let shift = exponent + i64::try_from(decimals).unwrap_or(0);
    let point = i64::try_from(whole.len()).unwrap_or(0) + shift;
    let digit = |place: i64| usize::try_from(place).ok().and_then(|p| digits.get(p)).map_or(0, |d| d - b'0');

    let mut units: i64 = 0;
    for place in 0..point {
        units = units.saturating_mul(10).saturating_add(i64::from(digit(place)));
    }
    let end = i64::try_from(digits.len()).unwrap_or(0);
    let rest: Vec<u8> = (point..end.max(point)).map(digit).collect();
    let units = units.saturating_add(round_noise(&rest, decimals)?);
    if units > MAX_UNITS {
        return Err(Issue::new("must be at most 999999999999 minor units"));
    }
    Ok(units)
}

fn split_exponent(text: &str) -> Result<(&str, i64), Issue> {
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else {
        return Ok((text, 0));
    };
    let beyond = || Issue::new("must not have an exponent beyond 30");
    let exponent: i64 = exponent.parse().map_err(|_| beyond())?;
    if exponent.abs() > MAX_EXPONENT {
        return Err(beyond());
    }
    Ok((mantissa, exponent))
}

/// What the digits below the unit add to it: 0 or 1 where they are noise, an issue where they are not.
fn round_noise(rest: &[u8], decimals: usize) -> Result<i64, Issue> {
    let places = NOISE_PLACES.saturating_sub(decimals);
    let head = |place: usize| rest.get(place).copied().unwrap_or(0);
    if (0..places).all(|place| head(place) == 0) {
        return Ok(0);
    }
    let tail_is_more = rest.iter().skip(places).any(|d| *d != 0);
    if (0..places).all(|place| head(place) == 9) && tail_is_more {
        return Ok(1);
    }
    Err(match decimals {
        0 => Issue::new("must be a whole number"),
        _ => Issue::from(format!("must have at most {decimals} decimals")),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_exactly() {
        for (text, decimals, units) in [
            ("99.99", 2, 9_999),
            ("0", 2, 0),
            ("20", 2, 2_000),
            ("20.000", 2, 2_000),
            ("1e2", 2, 10_000),
            ("1.5E+1", 2, 1_500),
            ("1250e-2", 2, 1_250),
            ("0.30000000000000004", 2, 30),
            ("0.29999999999999998", 2, 30),
            ("1.9999991", 0, 2),
            ("500", 0, 500),
            ("1.250", 3, 1_250),
            ("9999999999.99", 2, MAX_UNITS),
            ("1e-30", 2, 0),
        ] {
            assert_eq!(parse(text, decimals), Ok(units), "{text}");
        }
    }

    #[test]
    fn refuses_what_it_cannot_mean() {
        for (text, decimals) in [
            ("-1", 2),
            ("-0", 2),
            ("-0.0", 2),
            ("99.999", 2),
            ("0.005", 2),
            ("0.000001", 2),
            ("0.009999", 2),
            ("0.001", 2),
            ("100.5", 0),
            ("1.2345", 3),
            ("1e400", 2),
            ("1e31", 2),
            ("1e30", 2),
            ("1e-31", 2),
            ("1e99999999999999999999", 2),
            ("10000000000.00", 2),
            ("99999999999999999999.99", 2),
            ("", 2),
            ("abc", 2),
            (".5", 2),
            ("1.2.3", 2),
        ] {
            assert!(parse(text, decimals).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn noise_below_a_millionth_never_matters(units in 0..MAX_UNITS, noise in 1u32..999_999, decimals in prop::sample::select(vec![0usize, 2, 3])) {
            let scale = 10i64.pow(u32::try_from(decimals).unwrap());
            let fraction = if decimals == 0 { String::new() } else { format!("{:0decimals$}", units % scale) };
            let zeros = "0".repeat(NOISE_PLACES - decimals);
            let text = format!("{}.{fraction}{zeros}{noise:06}", units / scale);
            prop_assert_eq!(parse(&text, decimals), Ok(units));
        }
    }
}
