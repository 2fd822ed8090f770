//! Tables of data: CSV and NumPy's `.npy`.
//!
//! [`read_table`] takes a file of either kind; [`read_csv`] and [`read_npy`] take any reader. A [`Table`] holds finite
//! numbers only: what is no number in a file is an error that names its place, or, where the options say so, a row or
//! column that is left out and recorded in [`Table::decisions`].

mod columns;
mod counting;
mod csv;
mod detect;
mod error;
mod npy;
mod number;
mod options;
mod quotes;
mod records;
mod roles;
mod row_names;
mod text;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use gmm_core::faer::Mat;

pub use self::columns::{Column, ColumnSelector};
pub use self::csv::read_csv;
pub use self::error::{Cell, ColumnId, ForeignKind, SelectorError, TableError};
pub use self::npy::{NpyError, read_npy, save_npy, write_npy};
pub use self::options::{CsvOptions, Decimal, Decisions, Header, Missing, Separator, TextColumns};

/// A table of numbers: samples in rows, features in columns.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Table {
    /// The names of the features; `x1`, `x2`, ... by their place in the file where it has none.
    pub names: Vec<String>,
    /// The numbers (n_samples x n_features), all finite.
    pub values: Mat<f64>,
    /// What names the rows, if a column was chosen for it.
    pub ids: Option<Ids>,
    /// Which rows belong together, if a column was chosen for it: those of the same text.
    pub groups: Option<Ids>,
    /// Sample weights, if a column was chosen for them; whether they are valid weights is checked by their user.
    pub weights: Option<Vec<f64>>,
    /// What was decided where the options left it open.
    pub decisions: Decisions,
}

/// The names of rows, or of their groups.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ids {
    /// The name of their column.
    pub name: String,
    /// One for each row.
    pub values: Vec<String>,
}

/// Reads a table from a file: npy if it starts as one, CSV otherwise.
///
/// The choice of columns, ids, groups, weights and the treatment of missing values apply to both kinds.
///
/// # Errors
/// [`TableError`] says what is wrong, and names files of other well-known kinds.
pub fn read_table(path: impl AsRef<Path>, options: &CsvOptions) -> Result<Table, TableError> {
    let path = path.as_ref();
    let mut file = File::open(path).map_err(|source| TableError::Open {
        path: path.to_owned(),
        source,
    })?;
    let mut head = Vec::new();
    file.by_ref()
        .take(npy::MAGIC.len() as u64)
        .read_to_end(&mut head)
        .map_err(TableError::Read)?;
    let is_npy = head == npy::MAGIC;
    let foreign = ForeignKind::of(&head);
    let named_npy = path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("npy"));
    let whole = head.chain(file);
    match foreign {
        Some(kind) => Err(TableError::ForeignFile { kind }),
        None if is_npy => read_npy(whole, options),
        None if named_npy => Err(TableError::ForeignFile {
            kind: ForeignKind::NotNpy,
        }),
        None => read_csv(whole, options),
    }
}

/// The name of a feature that has none.
fn default_name(index: usize) -> String {
    format!("x{}", index + 1)
}
