//! Values of options, from text. Numbers that no fit survives are refused here, before any data are read.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use gmm_core::{CovarianceType, Proportions};
use gmm_em::{ConjugatePrior, Initialization, NoiseVolume, Precision, Regularization, Rescue};
use gmm_io::table::{Decimal, Separator};

use super::fitting::Rule;

/// More threads than any machine has cores; starting tens of thousands brings a machine to its knees.
const MOST_THREADS: usize = 1024;

/// The outcome of every start is kept until the end: some hundred bytes each.
const MOST_STARTS: usize = 100_000;

/// The parameters of all replicates are kept.
const MOST_REPLICATES: usize = 100_000;

/// Each number of components is a row of the table.
const MOST_CANDIDATES: usize = 10_000;

/// More rows are a slip rather than a wish: they fill tens of gigabytes.
const MOST_SAMPLE_ROWS: usize = 1_000_000_000;

/// Numbers of components to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ComponentCounts(pub(crate) Vec<usize>);

/// Covariance forms to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Forms(pub(crate) Vec<CovarianceType>);

pub(super) fn count(text: &str) -> Result<usize, String> {
    match text.trim().parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err("expected a whole number, at least 1".to_owned()),
    }
}

fn count_to(text: &str, most: usize) -> Result<usize, String> {
    count(text)
        .ok()
        .filter(|n| *n <= most)
        .ok_or_else(|| format!("expected a whole number from 1 to {most}"))
}

/// Seconds, or a number with the unit s, m or h.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let (number, unit) = match text.char_indices().last() {
        Some((at, 's')) => (&text[..at], 1.0),
        Some((at, 'm')) => (&text[..at], 60.0),
        Some((at, 'h')) => (&text[..at], 3600.0),
        _ => (text, 1.0),
    };
    (number.trim().parse::<f64>().ok())
        .filter(|number| *number > 0.0)
        .and_then(|number| Duration::try_from_secs_f64(number * unit).ok())
        .ok_or_else(|| "expected a time above 0, such as 60s, 5m or 2h".to_owned())
}

pub(super) fn threads(text: &str) -> Result<usize, String> {
    count_to(text, MOST_THREADS)
}

pub(super) fn starts(text: &str) -> Result<usize, String> {
    count_to(text, MOST_STARTS)
}

pub(super) fn replicates(text: &str) -> Result<usize, String> {
    count_to(text, MOST_REPLICATES)
}

/// What is held out must leave something.
pub(super) fn folds(text: &str) -> Result<usize, String> {
    match count(text) {
        Ok(n) if n > 1 => Ok(n),
        _ => Err("expected a whole number, at least 2".to_owned()),
    }
}

/// A standard deviation takes two.
pub(super) fn bootstrap_replicates(text: &str) -> Result<usize, String> {
    match replicates(text) {
        Ok(n) if n > 1 => Ok(n),
        _ => Err(format!(
            "expected a whole number from 2 to {MOST_REPLICATES}"
        )),
    }
}

pub(super) fn sample_rows(text: &str) -> Result<usize, String> {
    count_to(text, MOST_SAMPLE_ROWS)
}

pub(super) fn component_counts(text: &str) -> Result<ComponentCounts, String> {
    let mut counts = Vec::new();
    for part in text.split(',') {
        let (first, last) = match part.split_once("..=").or(part.split_once("..")) {
            Some(ends) => ends,
            None => part.split_once('-').unwrap_or((part, part)),
        };
        let (first, last) = match (count(first), count(last)) {
            (Ok(first), Ok(last)) if first <= last => (first, last),
            _ => return Err("expected numbers from 1, such as 3, 1-9 or 2,3,5".to_owned()),
        };
        // Before the range is walked: 1-1000000000000 fits into no memory.
        if last - first >= MOST_CANDIDATES - counts.len() {
            return Err(format!(
                "expected at most {MOST_CANDIDATES} numbers of components"
            ));
        }
        counts.extend(first..=last);
    }
    Ok(ComponentCounts(counts))
}

pub(super) fn forms(text: &str) -> Result<Forms, String> {
    if text.eq_ignore_ascii_case("all") {
        return Ok(Forms(CovarianceType::ALL.to_vec()));
    }
    if text.eq_ignore_ascii_case("basic") {
        return Ok(Forms(CovarianceType::BASIC.to_vec()));
    }
    let forms: Result<_, _> = text.split(',').map(|name| name.trim().parse()).collect();
    forms
        .map(Forms)
        .map_err(|error: gmm_core::Error| error.to_string())
}

pub(super) fn finite(text: &str) -> Result<f64, String> {
    number(text, "expected a finite number", f64::is_finite)
}

pub(super) fn fraction(text: &str) -> Result<f64, String> {
    number(
        text,
        "expected a number between 0 and 1, such as 0.01 for one row in a hundred",
        |value| value > 0.0 && value < 1.0,
    )
}

pub(super) fn tolerance(text: &str) -> Result<f64, String> {
    number(text, "expected a finite number, at least 0", |value| {
        value >= 0.0 && value.is_finite()
    })
}

fn number(text: &str, expected: &str, is_valid: impl Fn(f64) -> bool) -> Result<f64, String> {
    match f64::from_str(text.trim()) {
        Ok(value) if is_valid(value) => Ok(value),
        _ => Err(expected.to_owned()),
    }
}

pub(super) fn initialization(text: &str) -> Result<Initialization, String> {
    choose(
        text,
        Initialization::ALL
            .map(|start| (start.name(), start))
            .into(),
    )
}

pub(super) fn precision(text: &str) -> Result<Precision, String> {
    choose(
        text,
        vec![("double", Precision::Double), ("mixed", Precision::Mixed)],
    )
}

pub(super) fn proportions(text: &str) -> Result<Proportions, String> {
    choose(text, Proportions::ALL.map(|p| (p.name(), p)).to_vec())
}

/// "box", or a volume in the units of the data.
pub(super) fn noise(text: &str) -> Result<NoiseVolume, String> {
    if text == "box" {
        return Ok(NoiseVolume::Box);
    }
    match text.trim().parse::<f64>() {
        Ok(volume) if volume > 0.0 && volume.is_finite() => Ok(NoiseVolume::Log(volume.ln())),
        _ => Err("expected box or a volume, a positive number".to_owned()),
    }
}

pub(super) fn rescue(text: &str) -> Result<Rescue, String> {
    choose(
        text,
        vec![
            ("drop", Rescue::Drop),
            ("reseed", Rescue::Reseed),
            ("fail", Rescue::Fail),
        ],
    )
}

pub(super) fn rule(text: &str) -> Result<Rule, String> {
    choose(
        text,
        vec![
            ("remaining", Rule::Remaining),
            ("relative", Rule::Relative),
            ("mean", Rule::Mean),
        ],
    )
}

pub(super) fn regularization(text: &str) -> Result<Regularization, String> {
    let positive =
        |text: &str, below: f64, expected: &str| number(text, expected, |v| v > 0.0 && v < below);
    match text.split_once('=') {
        Some(("floor", part)) => {
            positive(part, 1.0, "a floor is a part of the data's variance: expected a number between 0 and 1, such as floor=1e-6")
                .map(Regularization::Floor)
        }
        Some(("ridge", ridge)) => {
            positive(ridge, f64::INFINITY, "expected a positive number, such as ridge=1e-6")
                .map(Regularization::Ridge)
        }
        None if text == "ridge" => {
            Err("a ridge is in the data's units squared: expected its number, such as ridge=1e-6".to_owned())
        }
        _ => choose(
            text,
            vec![
                ("floor", Regularization::default()),
                ("none", Regularization::None),
                ("prior", Regularization::Prior(ConjugatePrior::default())),
            ],
        )
        .map_err(|_| "expected floor, floor=NUMBER, none, ridge=NUMBER or prior".to_owned()),
    }
}

pub(super) fn separator(text: &str) -> Result<Separator, String> {
    let named = choose(
        text,
        vec![
            ("auto", Separator::Detect),
            ("comma", Separator::Is(b',')),
            ("semicolon", Separator::Is(b';')),
            ("tab", Separator::Is(b'\t')),
            ("\\t", Separator::Is(b'\t')),
            ("bar", Separator::Is(b'|')),
            ("space", Separator::Spaces),
            ("spaces", Separator::Spaces),
            (" ", Separator::Spaces),
        ],
    );
    match (named, text.as_bytes()) {
        (Ok(separator), _) => Ok(separator),
        // Whether this character can separate cells is known to the reader.
        (_, [byte]) => Ok(Separator::Is(*byte)),
        _ => Err(
            "expected auto, comma, semicolon, tab, bar, spaces or a single character".to_owned(),
        ),
    }
}

pub(super) fn decimal(text: &str) -> Result<Decimal, String> {
    choose(
        text,
        vec![
            ("auto", Decimal::Detect),
            ("point", Decimal::Point),
            ("comma", Decimal::Comma),
            (".", Decimal::Point),
            (",", Decimal::Comma),
        ],
    )
}

/// The value of this name.
fn choose<T>(text: &str, choices: Vec<(impl AsRef<str> + Display, T)>) -> Result<T, String> {
    let names: Vec<String> = choices.iter().map(|(name, _)| name.to_string()).collect();
    choices
        .into_iter()
        .find(|(name, _)| name.as_ref() == text)
        .map(|(_, value)| value)
        .ok_or_else(|| format!("expected {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_components_are_read_as_people_write_them() {
        let read = |text| component_counts(text).map(|counts| counts.0);
        assert_eq!(read("5"), Ok(vec![5]));
        assert_eq!(read("1-4"), Ok(vec![1, 2, 3, 4]));
        assert_eq!(read("1..3"), Ok(vec![1, 2, 3]));
        assert_eq!(read("1..=3"), Ok(vec![1, 2, 3]));
        assert_eq!(read("2, 3,5-6"), Ok(vec![2, 3, 5, 6]));
        for bad in [
            "", "0", "0-3", "-1", "3-1", "1-", "2.5", "1e3", "1,,2", "two", "1..2..3",
        ] {
            let message = "expected numbers from 1, such as 3, 1-9 or 2,3,5";
            assert_eq!(read(bad), Err(message.to_owned()), "{bad}");
        }
    }

    #[test]
    fn endless_ranges_are_refused_before_they_are_walked() {
        assert_eq!(
            component_counts("1-18446744073709551615"),
            Err("expected at most 10000 numbers of components".to_owned())
        );
        assert!(component_counts("1-10000").is_ok());
        assert!(component_counts("1-6000,1-6000").is_err());
    }

    #[test]
    fn numbers_that_no_fit_survives_are_refused() {
        for bad in ["NaN", "inf", "-1", "-1e-9", "1e999", "", "x"] {
            assert!(tolerance(bad).is_err(), "{bad}");
        }
        for bad in ["NaN", "0", "1", "-0.1", "1.5", "inf"] {
            assert!(fraction(bad).is_err(), "{bad}");
        }
        for bad in [
            "0",
            "-1",
            "1025",
            "99999999999999999999",
            "1000000000000",
            "2.5",
        ] {
            assert!(threads(bad).is_err(), "{bad}");
        }
        assert!(starts("1000000000000").is_err());
        assert!(sample_rows("1000000000000").is_err());
        assert!(count("0").is_err());
        // It is a valid number; the data will be too few for it.
        assert_eq!(count("1000000000000"), Ok(1_000_000_000_000));
    }

    #[test]
    fn regularizations_carry_their_numbers() {
        assert_eq!(regularization("floor"), Ok(Regularization::Floor(1e-9)));
        assert_eq!(
            regularization("floor=1e-4"),
            Ok(Regularization::Floor(1e-4))
        );
        assert_eq!(
            regularization("ridge=1e-6"),
            Ok(Regularization::Ridge(1e-6))
        );
        assert_eq!(regularization("none"), Ok(Regularization::None));
        assert_eq!(
            regularization("prior"),
            Ok(Regularization::Prior(ConjugatePrior::default()))
        );
        for bad in [
            "ridge",
            "ridge=0",
            "ridge=NaN",
            "ridge=inf",
            "floor=1",
            "floor=",
            "x",
            "none=1",
        ] {
            assert!(regularization(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn separators_have_names_and_signs() {
        assert_eq!(separator("auto"), Ok(Separator::Detect));
        assert_eq!(separator(";"), Ok(Separator::Is(b';')));
        assert_eq!(separator("tab"), Ok(Separator::Is(b'\t')));
        assert_eq!(separator(" "), Ok(Separator::Spaces));
        assert_eq!(separator(":"), Ok(Separator::Is(b':')));
        assert!(separator("::").is_err());
        assert_eq!(decimal(","), Ok(Decimal::Comma));
        assert!(decimal(";").is_err());
    }

    #[test]
    fn times_have_units() {
        assert_eq!(duration("60"), Ok(Duration::from_secs(60)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(duration(" 2 h"), Ok(Duration::from_secs(7200)));
        for wrong in ["", "s", "0", "-1s", "NaN", "inf", "1e300h", "5d", "5 µ"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn forms_have_the_names_of_both_schools() {
        use CovarianceType::{Full, Tied};
        assert_eq!(forms("full, EEE"), Ok(Forms(vec![Full, Tied])));
        assert_eq!(forms("all").map(|f| f.0.len()), Ok(14));
        assert_eq!(forms("basic").map(|f| f.0.len()), Ok(4));
        assert!(forms("").is_err());
    }
}
