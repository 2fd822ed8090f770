//! One cell of text: a number, a missing value, or what else it is.

/// How a cell of text reads as a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Reading {
    /// A finite number.
    Number(f64),
    /// Empty or one of the usual words for a missing value.
    Missing,
    /// Digits that stand for a number beyond the range of `f64`.
    Overflow,
    /// The word for infinity.
    Infinite,
    /// Anything else.
    Text,
}

/// The words for a missing value, in small letters; spaces around them and capitals don't matter.
const MISSING: [&str; 7] = ["", "na", "n/a", "#n/a", "null", "none", "?"];

/// Reads a cell as a number whose decimal sign is a comma or a point.
pub(super) fn read(cell: &[u8], decimal_comma: bool) -> Reading {
    let Ok(text) = std::str::from_utf8(cell) else {
        return Reading::Text;
    };
    let text = text.trim();
    let parsed = if !decimal_comma {
        text.parse()
    } else if text.contains('.') {
        // With decimal commas a point groups thousands, and "1.500" must not be read as one and a half.
        return Reading::Text;
    } else {
        text.replacen(',', ".", 1).parse::<f64>()
    };
    match parsed {
        Ok(value) if value.is_finite() => Reading::Number(value),
        Ok(value) if value.is_nan() => Reading::Missing,
        Ok(_) if text.bytes().any(|byte| byte.is_ascii_digit()) => Reading::Overflow,
        Ok(_) => Reading::Infinite,
        Err(_) if is_missing(text) => Reading::Missing,
        Err(_) => Reading::Text,
    }
}

/// Whether a cell is text with a point for the decimal sign, but a number with a comma.
pub(super) fn needs_decimal_comma(cell: &[u8]) -> bool {
    matches!(read(cell, false), Reading::Text) && matches!(read(cell, true), Reading::Number(_))
}

/// Whether a cell is a number once the commas between its thousands are taken out, as in `1,234,567.8`.
pub(super) fn groups_thousands(cell: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(cell) else {
        return false;
    };
    let unsigned = text.trim().trim_start_matches(['+', '-']);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let mut groups = whole.split(',');
    let leads = groups
        .next()
        .is_some_and(|first| (1..=3).contains(&first.len()) && is_digits(first));
    let mut rest = groups.peekable();
    leads
        && rest.peek().is_some()
        && rest.all(|group| group.len() == 3 && is_digits(group))
        && is_digits(fraction)
}

fn is_missing(text: &str) -> bool {
    MISSING.iter().any(|word| text.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_read_as_what_they_are() {
        for (cell, expected) in [
            ("1.5", Reading::Number(1.5)),
            (" -2e-3\t", Reading::Number(-2e-3)),
            ("+.5", Reading::Number(0.5)),
            ("1e-999", Reading::Number(0.0)),
            ("", Reading::Missing),
            ("NaN", Reading::Missing),
            ("-nan", Reading::Missing),
            ("N/A", Reading::Missing),
            ("Null", Reading::Missing),
            ("?", Reading::Missing),
            ("1e999", Reading::Overflow),
            ("-inf", Reading::Infinite),
            ("Infinity", Reading::Infinite),
            ("1,5", Reading::Text),
            ("1_000", Reading::Text),
            ("0x10", Reading::Text),
            ("setosa", Reading::Text),
        ] {
            assert_eq!(read(cell.as_bytes(), false), expected, "{cell:?}");
        }
        assert_eq!(read(b"\xe9", false), Reading::Text);
    }

    #[test]
    fn decimal_commas_leave_no_room_for_points() {
        assert_eq!(read(b"-1,5e3", true), Reading::Number(-1500.0));
        assert_eq!(read(b"15", true), Reading::Number(15.0));
        assert_eq!(read(b"1.500", true), Reading::Text);
        assert_eq!(read(b"1,500,000", true), Reading::Text);
        for (cell, expected) in [
            ("1,000", true),
            (" -12,345,678.5 ", true),
            ("1,5", false),
            ("1000", false),
            ("1,0000", false),
            ("1234,567", false),
            (",000", false),
            ("1,00a", false),
            ("1,000.x", false),
            ("", false),
        ] {
            assert_eq!(groups_thousands(cell.as_bytes()), expected, "{cell:?}");
        }
        assert!(needs_decimal_comma(b"1,5"));
        assert!(!needs_decimal_comma(b"15"));
        assert!(!needs_decimal_comma(b"a,b"));
    }
}
