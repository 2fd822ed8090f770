//! Errors of the libraries in the words of a person with a file: the file's name, columns by name, rows from 1, and the
//! option that helps.

use std::error::Error;
use std::path::Path;

use gmm_core::CovarianceType;
use gmm_core::covariance::Structure;
use gmm_io::ModelError;
use gmm_io::table::{NpyError, TableError};

use crate::data::Data;
use crate::failure::Failure;
use crate::number;
use crate::text::counted;

/// An error and its causes on one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // A transparent error says what its cause says.
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// A table that could not be read.
pub(crate) fn table(source: &str, error: &TableError) -> Failure {
    let option = match error {
        // These name the file, or have nothing to do with it.
        TableError::Open { .. } => return Failure::Refused(chain(error)),
        TableError::BadSeparator { .. } | TableError::CommaTwice => {
            return Failure::Usage(chain(error));
        }
        TableError::Missing(_) | TableError::Npy(NpyError::Missing { .. }) => {
            " (--exclude, --missing skip)"
        }
        TableError::NotANumber(_) => " (--exclude, --id)",
        TableError::DecimalComma(_) | TableError::CommaUnclear(_) => {
            " (--decimal , --separator ';')"
        }
        TableError::SplitNumber { .. } => " (--decimal ,)",
        TableError::Infinite(_)
        | TableError::Overflow(_)
        | TableError::Npy(NpyError::NotFinite { .. }) => " (--exclude)",
        TableError::HeaderUnclear { .. } => " (--header yes, --header no)",
        TableError::AllSkipped { .. } => " (--columns, --exclude)",
        TableError::NoColumns => " (--columns)",
        _ => "",
    };
    Failure::Refused(format!("{source}: {}{option}", chain(error)))
}

/// A model file that could not be read or written.
pub(crate) fn model(path: &Path, error: &ModelError) -> Failure {
    Failure::Refused(match error {
        ModelError::Open { .. } | ModelError::Save { .. } => chain(error),
        _ => format!("{}: {}", path.display(), chain(error)),
    })
}

/// A fit that could not be done.
pub(crate) fn fit(error: &gmm_em::Error, data: &Data) -> String {
    use gmm_em::Error;
    match error {
        Error::Data(error) => core(error, data),
        Error::TooFewRows {
            found,
            n_components,
        } => {
            let rows = match data.weights {
                Some(_) => "rows of positive weight",
                None if *found == 1 => "row",
                None => "rows",
            };
            format!(
                "{found} {rows} for {n_components} components; give at least one row per component, or ask for fewer (-k)"
            )
        }
        Error::TooFewDistinctRows {
            found,
            n_components,
        } => format!(
            "only {} for {n_components} components; ask for fewer (-k), or --rescue drop",
            counted(*found, "distinct row")
        ),
        Error::ConstantFeature { feature, value } => constant(*feature, *value, data),
        Error::NegligibleFeature {
            feature,
            widest,
            form,
        } => format!(
            "the spread of {} is nothing next to that of {}, and {form} covariances measure all columns in one unit; \
             rescale the columns, or choose a form with a unit for each (--covariance full, tied or diag)",
            data.feature(*feature),
            data.feature(*widest)
        ),
        Error::Collapsed {
            iteration, pivot, ..
        } => format!(
            "a component lost its variance in {} at iteration {iteration}; use --regularization floor, \
             a simpler form (--covariance diag) or fewer components (-k)",
            data.feature(*pivot)
        ),
        Error::Empty { iteration, .. } => format!(
            "a component lost all its rows at iteration {iteration}; ask for fewer components (-k), --rescue drop or, with --noise, \
             for a larger volume"
        ),
        other => other.to_string(),
    }
}

/// A search or a fit of several starts that could not be done.
pub(crate) fn selection(error: &gmm_select::Error, data: &Data) -> String {
    match error {
        gmm_select::Error::Fit(error) => fit(error, data),
        gmm_select::Error::Folds { found, n_units } => {
            let units = match (&data.groups, *n_units) {
                (Some(_), 1) => "group of rows",
                (Some(_), _) => "groups of rows",
                (None, 1) => "row",
                (None, _) => "rows",
            };
            format!(
                "{found} folds of {n_units} {units}; ask for at least 2 and at most one for each (--folds)"
            )
        }
        other => other.to_string(),
    }
}

/// Why there is nothing to show when the time is up.
pub(crate) const TOO_SOON: &str = "the time was up before anything was fitted; give more time (--budget), or ask for fewer groups (-k)";

/// Data or a result that a mixture refused.
pub(crate) fn core(error: &gmm_core::Error, data: &Data) -> String {
    use gmm_core::Error;
    match error {
        Error::SampleWeight { row, value } => format!(
            "the weight of {} is {value}; weights must be finite and not negative",
            row_name(*row, data)
        ),
        Error::NonFinite { row, column, value } => format!(
            "{}, {} is {value}; every cell must be a finite number",
            row_name(*row, data),
            data.feature(*column)
        ),
        Error::NotPositiveDefinite { pivot, .. } => format!(
            "{} depends on the columns before it, so that no density exists; leave it out with --exclude {}, \
             or use --regularization floor",
            data.feature(*pivot),
            data.feature_option(*pivot)
        ),
        Error::Range { feature, .. }
        | Error::CovarianceEntry {
            column: feature, ..
        } => format!(
            "the variance of {} leaves the range of 64-bit numbers; rescale that column",
            data.feature(*feature)
        ),
        other => other.to_string(),
    }
}

/// A feature that is the same in every row, where the form or the data as a whole don't bear it.
pub(crate) fn constant(feature: usize, value: f64, data: &Data) -> String {
    format!(
        "{} is constant ({} in every row); leave it out with --exclude {}",
        data.feature(feature),
        number::shortest(value),
        data.feature_option(feature)
    )
}

/// The first constant feature, if one of the forms can't bear it.
///
/// A search would have that form fail for every number of components; what helps is to leave out the column.
pub(crate) fn constant_feature(data: &Data, forms: &[CovarianceType]) -> Option<String> {
    if (forms.iter()).all(|form| form.structure() == Structure::Isotropic) {
        return None;
    }
    let used = |row: &usize| data.weights.as_ref().is_none_or(|w| w[*row] > 0.0);
    (0..data.n_features()).find_map(|feature| {
        let mut values = (0..data.n_rows())
            .filter(used)
            .map(|row| data.values[(row, feature)]);
        let first = values.next()?;
        values
            .all(|value| value.to_bits() == first.to_bits() || (value - first).abs() <= 0.0)
            .then(|| constant(feature, first, data))
    })
}

/// How messages name a row: by its id, or by its number among the rows that were read.
fn row_name(row: usize, data: &Data) -> String {
    let skipped = if data.n_skipped > 0 {
        ", skipped ones apart"
    } else {
        ""
    };
    match data.ids.as_ref().and_then(|ids| ids.values.get(row)) {
        Some(id) => format!("row {} ({id:?})", row + 1),
        None if data.has_header => format!("row {} below the header{skipped}", row + 1),
        None => format!("row {}{skipped}", row + 1),
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn causes_are_told_once() {
        let open = TableError::Open {
            path: PathBuf::from("a.csv"),
            source: io::Error::other("gone"),
        };
        assert_eq!(chain(&open), "cannot open a.csv: gone");
        let same = gmm_select::Error::Fit(gmm_em::Error::Data(gmm_core::Error::NoSamples));
        assert_eq!(chain(&same), gmm_core::Error::NoSamples.to_string());
    }
}
