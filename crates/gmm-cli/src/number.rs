//! Numbers for people and for machines.

/// Beyond this a centre is written with an exponent: nobody counts so many digits.
const LARGE: f64 = 1e9;

/// Most digits behind the decimal point; smaller spreads are written with an exponent.
const MOST_DECIMALS: i32 = 6;

/// Digits that an f64 has for certain.
const DIGITS: i32 = 15;

/// A centre and a spread, both to the digit that the spread's second digit stands at: "4.29 ± 0.43".
pub(crate) fn with_spread(centre: f64, spread: f64) -> String {
    let exponent = exponent_of(spread);
    let decimals = (1 - exponent).max(0);
    if decimals <= MOST_DECIMALS && centre.abs() < LARGE && spread < LARGE {
        let decimals = decimals as usize;
        return format!("{} ± {spread:.decimals$}", fixed(centre, decimals));
    }
    if centre.abs() <= 0.0 {
        return format!("0 ± {spread:.1e}");
    }
    let digits = (exponent_of(centre) - exponent + 1).clamp(1, DIGITS) as usize;
    format!("{centre:.digits$e} ± {spread:.1e}")
}

/// A number with so many decimals, without the sign of a zero.
pub(crate) fn fixed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(digits) if digits.bytes().all(|b| b == b'0' || b == b'.') => digits.to_owned(),
        _ => text,
    }
}

/// A log-likelihood or a criterion: two decimals, since differences below 0.01 mean nothing.
pub(crate) fn nats(value: f64) -> String {
    if value.abs() < 1e12 {
        fixed(value, 2)
    } else {
        format!("{value:.6e}")
    }
}

/// The shortest text that reads back to the same number: for machines.
pub(crate) fn exact(value: f64) -> String {
    format!("{value:?}")
}

/// The shortest text for a number, with an exponent where there would be more zeros than digits.
pub(crate) fn shortest(value: f64) -> String {
    if value.abs() > 0.0 && !(1e-5..1e16).contains(&value.abs()) {
        format!("{value:e}")
    } else {
        value.to_string()
    }
}

/// ⌊log₁₀ |x|⌋; that of 1 for 0.
fn exponent_of(value: f64) -> i32 {
    if value.abs() > 0.0 && value.is_finite() {
        // Rounded to two digits first, so that 0.0996 counts as 0.10.
        let text = format!("{:.1e}", value.abs());
        text.rsplit('e')
            .next()
            .and_then(|exponent| exponent.parse().ok())
            .unwrap_or(0)
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_are_not_spelled_out() {
        let numbers = [0.0, 1.0, -2.5, 1e-5, 3e-320, 1e16, -1e300];
        let texts = ["0", "1", "-2.5", "0.00001", "3e-320", "1e16", "-1e300"];
        assert_eq!(numbers.map(shortest), texts);
    }

    #[test]
    fn the_spread_decides_on_the_digits() {
        assert_eq!(with_spread(4.289_662, 0.410_12), "4.29 ± 0.41");
        assert_eq!(with_spread(79.968, 6.0), "80.0 ± 6.0");
        assert_eq!(with_spread(1116.0, 221.5), "1116 ± 222");
        assert_eq!(with_spread(-0.000_4, 0.099_6), "0.00 ± 0.10");
        assert_eq!(with_spread(0.5, 1e-5), "0.500000 ± 0.000010");
        assert_eq!(with_spread(1.5e-150, 2e-151), "1.50e-150 ± 2.0e-151");
        assert_eq!(with_spread(1e12, 1.0), "1.0000000000000e12 ± 1.0e0");
        assert_eq!(with_spread(0.0, 1e-9), "0 ± 1.0e-9");
    }

    #[test]
    fn machines_read_back_what_was_written() {
        for value in [0.1, 1e-300, -2.0 / 3.0, 1e22, f64::NEG_INFINITY] {
            assert_eq!(
                exact(value).parse::<f64>().map(f64::to_bits),
                Ok(value.to_bits())
            );
        }
        assert_eq!(exact(1e-300), "1e-300");
    }
}
