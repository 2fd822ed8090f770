//! The data as every entry point takes them: a borrowed view of numbers, with optional sample weights.

use faer::{Mat, MatRef};

use crate::Error;
use crate::ahead::Ahead;
use crate::block::BLOCK_ROWS;
use crate::kernels::{SIDE, rows_to_lanes};

/// A borrowed table of observations: n_samples x n_features in f64 or f32, any strides, and optional sample weights.
///
/// Nothing is copied. Every function that takes data takes `impl Into<Samples>`, so a faer view can be passed as it is:
///
/// ```
/// use gmm_core::{Samples, faer::MatRef};
///
/// let table = [5.1, 3.5, 4.9, 3.0, 6.2, 2.9]; // three rows of two features
/// let x = Samples::from(MatRef::from_row_major_slice(&table, 3, 2)).with_weights(&[1.0, 2.0, 1.0]);
/// assert_eq!((x.n_samples(), x.n_features()), (3, 2));
/// assert_eq!(x.total_weight(), Ok(4.0));
/// ```
///
/// A weight of 2 counts as the row given twice, a weight of 0 as the row left out.
/// f32 data are widened block by block where they are used.
#[derive(Clone, Copy, Debug)]
pub struct Samples<'a> {
    values: Values<'a>,
    weights: Option<&'a [f64]>,
}

#[derive(Clone, Copy, Debug)]
enum Values<'a> {
    F64(MatRef<'a, f64>),
    F32(MatRef<'a, f32>),
}

impl<'a> Samples<'a> {
    /// The same rows with one non-negative weight each: how often a row counts. Information criteria take the sum of the weights
    /// for the number of rows, so don't normalize weights to a sum of 1.
    #[must_use]
    pub fn with_weights(self, weights: &'a [f64]) -> Self {
        Self {
            weights: Some(weights),
            ..self
        }
    }

    /// Number of rows.
    pub fn n_samples(&self) -> usize {
        match self.values {
            Values::F64(x) => x.nrows(),
            Values::F32(x) => x.nrows(),
        }
    }

    /// Number of columns.
    pub fn n_features(&self) -> usize {
        match self.values {
            Values::F64(x) => x.ncols(),
            Values::F32(x) => x.ncols(),
        }
    }

    /// The sample weights, if there are any.
    pub fn weights(&self) -> Option<&'a [f64]> {
        self.weights
    }

    /// The weight of a row: 1 where no weights were given.
    pub fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |w| w[row])
    }

    /// One cell, widened to f64.
    ///
    /// # Panics
    /// If the row or the column is out of bounds.
    pub fn value(&self, row: usize, column: usize) -> f64 {
        match self.values {
            Values::F64(x) => x[(row, column)],
            Values::F32(x) => f64::from(x[(row, column)]),
        }
    }

    /// Sum of the weights; the number of rows where no weights were given.
    ///
    /// # Errors
    /// [`Error::SampleWeightCount`], [`Error::SampleWeight`], [`Error::NoWeight`], [`Error::WeightOverflow`], [`Error::WeightRange`].
    pub fn total_weight(&self) -> Result<f64, Error> {
        let Some(weights) = self.weights else {
            return Ok(self.n_samples() as f64);
        };
        if weights.len() != self.n_samples() {
            return Err(Error::SampleWeightCount {
                found: weights.len(),
                expected: self.n_samples(),
            });
        }
        if let Some(row) = weights.iter().position(|w| !(w.is_finite() && *w >= 0.0)) {
            return Err(Error::SampleWeight {
                row,
                value: weights[row],
            });
        }
        let total: f64 = weights.iter().sum();
        match total {
            t if !t.is_finite() => Err(Error::WeightOverflow),
            t if t <= 0.0 && !weights.is_empty() => Err(Error::NoWeight),
            // Times log-densities and distances of up to 1e20 it still is a normal number.
            t if !weights.is_empty() && !(1e-280..=1e280).contains(&t) => {
                Err(Error::WeightRange { sum: t })
            }
            t => Ok(t),
        }
    }

    /// Checks the shape and the weights, not yet the cells (those are checked block by block where they are read).
    ///
    /// # Errors
    /// [`Error::FeatureCount`] and those of [`Samples::total_weight`], but for [`Error::NoWeight`].
    pub fn check_shape(&self, n_features: usize) -> Result<(), Error> {
        if self.n_features() != n_features {
            return Err(Error::FeatureCount {
                found: self.n_features(),
                expected: n_features,
            });
        }
        // A prediction needs no positive total: weights of zero are fine there, bad ones are not.
        match self.total_weight() {
            Ok(_) | Err(Error::NoWeight) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The first cell, row by row, that is not finite; the caller knows that there is one.
    #[cold]
    pub(crate) fn first_non_finite(&self) -> Error {
        let cells = (0..self.n_samples())
            .flat_map(|row| (0..self.n_features()).map(move |column| (row, column)));
        let bad = cells
            .map(|(row, column)| (row, column, self.value(row, column)))
            .find(|c| !c.2.is_finite());
        bad.map_or(Error::NoSamples, |(row, column, value)| Error::NonFinite {
            row,
            column,
            value,
        })
    }

    /// Copies chosen rows into feature-major lanes, [`BLOCK_ROWS`] to a feature.
    pub(crate) fn pack_rows(&self, rows: &[u32], out: &mut [f64]) {
        match self.values {
            Values::F64(x) => pack_rows(x, rows, out, |v| v),
            Values::F32(x) => pack_rows(x, rows, out, f64::from),
        }
    }

    /// Where the rows of a block from `start` on stand, if there are any.
    pub(crate) fn ahead(&self, start: usize) -> Ahead {
        let len = self.n_samples().saturating_sub(start).min(BLOCK_ROWS);
        match self.values {
            _ if len == 0 => Ahead::default(),
            Values::F64(x) => Ahead::of(x.subrows(start, len)),
            Values::F32(x) => Ahead::of(x.subrows(start, len)),
        }
    }

    /// Copies `len` rows from `start` into feature-major lanes, [`BLOCK_ROWS`] to a feature.
    pub(crate) fn pack(&self, start: usize, len: usize, out: &mut [f64]) {
        match self.values {
            Values::F64(x) => pack(x.subrows(start, len), out, |v| v),
            Values::F32(x) => pack(x.subrows(start, len), out, f64::from),
        }
    }
}

/// Transposes chosen rows into lanes; of a column-major table column by column.
fn pack_rows<T: Copy>(x: MatRef<'_, T>, rows: &[u32], out: &mut [f64], widen: impl Fn(T) -> f64) {
    if is_turned(x) {
        let row = |i: usize| row_of(x, rows[i] as usize);
        rows_to_lanes(rows.len(), x.ncols(), row, widen, out);
        return;
    }
    for (j, lane) in out.chunks_exact_mut(BLOCK_ROWS).enumerate() {
        let column = x.col(j);
        match column.try_as_col_major() {
            Some(column) => {
                let column = column.as_slice();
                (lane.iter_mut().zip(rows)).for_each(|(o, row)| *o = widen(column[*row as usize]));
            }
            None => {
                (lane.iter_mut().zip(rows)).for_each(|(o, row)| *o = widen(column[*row as usize]));
            }
        }
    }
}

/// Transposes rows into lanes: `out[j * BLOCK_ROWS + i] = x[i][j]`. A column-major table is copied column by column.
fn pack<T: Copy>(x: MatRef<'_, T>, out: &mut [f64], widen: impl Fn(T) -> f64) {
    if is_turned(x) {
        rows_to_lanes(x.nrows(), x.ncols(), |i| row_of(x, i), widen, out);
        return;
    }
    for (j, lane) in out.chunks_exact_mut(BLOCK_ROWS).enumerate() {
        match x.col(j).try_as_col_major() {
            Some(column) => lane
                .iter_mut()
                .zip(column.as_slice())
                .for_each(|(o, v)| *o = widen(*v)),
            None => lane
                .iter_mut()
                .zip(x.col(j).iter())
                .for_each(|(o, v)| *o = widen(*v)),
        }
    }
}

/// Whether the numbers of a row lie side by side, and fill squares: of fewer features, columns with a stride are read in half the time or less.
fn is_turned<T>(x: MatRef<'_, T>) -> bool {
    x.ncols() >= SIDE && x.nrows() > 0 && x.row(0).try_as_row_major().is_some()
}

fn row_of<T>(x: MatRef<'_, T>, i: usize) -> &[T] {
    x.row(i)
        .try_as_row_major()
        .map_or(&[][..], |row| row.as_slice())
}

impl<'a> From<MatRef<'a, f64>> for Samples<'a> {
    fn from(x: MatRef<'a, f64>) -> Self {
        Self {
            values: Values::F64(x),
            weights: None,
        }
    }
}

impl<'a> From<MatRef<'a, f32>> for Samples<'a> {
    fn from(x: MatRef<'a, f32>) -> Self {
        Self {
            values: Values::F32(x),
            weights: None,
        }
    }
}

impl<'a> From<&'a Mat<f64>> for Samples<'a> {
    fn from(x: &'a Mat<f64>) -> Self {
        x.as_ref().into()
    }
}

impl<'a> From<&'a Mat<f32>> for Samples<'a> {
    fn from(x: &'a Mat<f32>) -> Self {
        x.as_ref().into()
    }
}

impl<'a> From<&Samples<'a>> for Samples<'a> {
    fn from(x: &Samples<'a>) -> Self {
        *x
    }
}
