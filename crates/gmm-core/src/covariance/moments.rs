//! Weighted moments of one component: what the E-step leaves and the M-step needs.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::Structure;

/// Occupancy Σᵢ rᵢ, mean (about a shift) and scatter Σᵢ rᵢ (xᵢ - mean)(xᵢ - mean)' of one component.
///
/// The scatter is always about the moments' own mean ([`MomentSums`](super::MomentSums) gathers them), and parts are merged by the rule of Chan, Golub
/// and LeVeque (1983), which only adds positive terms: no E\[x²\] - μ², so no cancellation to speak of, however far the data lie from
/// the origin or from the current mean.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moments {
    /// Sum of the responsibilities.
    pub occupancy: f64,
    /// Mean minus the shift.
    pub mean: Vec<f64>,
    /// Scatter about the mean: packed lower triangle for dense structures, diagonal for the others.
    pub scatter: Vec<f64>,
}

impl Moments {
    /// The moments of no data.
    pub fn zeros(structure: Structure, n_features: usize) -> Self {
        Self {
            occupancy: 0.0,
            mean: vec![0.0; n_features],
            scatter: vec![0.0; structure.scatter_len(n_features)],
        }
    }

    /// From sums n, Σ r z and Σ r z z' to the mean and the scatter about it.
    pub(super) fn centre(&mut self) {
        let n = self.occupancy;
        self.mean.iter_mut().for_each(|m| *m /= n);
        Arch::new().dispatch(Centre {
            n,
            mean: &self.mean,
            scatter: &mut self.scatter,
        });
    }

    /// Adds moments about the same shift.
    pub fn merge(&mut self, other: &Self) {
        if other.occupancy == 0.0 {
            return;
        }
        let total = self.occupancy + other.occupancy;
        let share = other.occupancy / total;
        let factor = self.occupancy * share;
        Arch::new().dispatch(Merge {
            share,
            factor,
            mean: &mut self.mean,
            scatter: &mut self.scatter,
            other,
        });
        self.occupancy = total;
    }

    /// Counts the data `factor` times.
    pub fn scale(&mut self, factor: f64) {
        self.occupancy *= factor;
        self.scatter.iter_mut().for_each(|s| *s *= factor);
    }

    /// Σᵢ rᵢ (xᵢⱼ - meanⱼ)² of feature j.
    pub fn variance_sum(&self, j: usize) -> f64 {
        self.entry(j, j)
    }

    /// Variance-like entry (i, j <= i) of the scatter; a diagonal scatter has only i = j.
    pub(crate) fn entry(&self, i: usize, j: usize) -> f64 {
        if self.scatter.len() == self.mean.len() {
            self.scatter[i]
        } else {
            self.scatter[i * (i + 1) / 2 + j]
        }
    }
}

/// See [`Moments::centre`].
struct Centre<'a> {
    n: f64,
    mean: &'a [f64],
    scatter: &'a mut [f64],
}

impl WithSimd for Centre<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let Self { n, mean, scatter } = self;
        for_each_row(mean.len(), scatter.len(), |i, columns, entries| {
            let row = &mut scatter[entries];
            let diagonal = row.len() - 1;
            let scaled = n * mean[i];
            for (entry, mean) in row.iter_mut().zip(&mean[columns]) {
                *entry -= scaled * mean;
            }
            // Rounding may leave a constant feature a variance below 0.
            if row[diagonal] < 0.0 {
                row[diagonal] = 0.0;
            }
        });
    }
}

/// See [`Moments::merge`].
struct Merge<'a> {
    share: f64,
    factor: f64,
    mean: &'a mut [f64],
    scatter: &'a mut [f64],
    other: &'a Moments,
}

impl WithSimd for Merge<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let (mean, other) = (self.mean, self.other);
        for_each_row(mean.len(), self.scatter.len(), |i, columns, entries| {
            let scaled = self.factor * (other.mean[i] - mean[i]);
            let means = other.mean[columns.clone()].iter().zip(&mean[columns]);
            let row = self.scatter[entries.clone()].iter_mut();
            for ((entry, part), (other, mean)) in row.zip(&other.scatter[entries]).zip(means) {
                *entry += part + scaled * (other - mean);
            }
        });
        for (mean, other) in mean.iter_mut().zip(&other.mean) {
            *mean += self.share * (other - *mean);
        }
    }
}

/// Calls `visit` for each row of a packed lower triangle, or of a diagonal, with its number, its columns and where its entries
/// stand.
#[inline(always)]
fn for_each_row(
    n_features: usize,
    scatter_len: usize,
    mut visit: impl FnMut(usize, Range<usize>, Range<usize>),
) {
    let is_diagonal = scatter_len == n_features;
    let mut end = 0;
    for i in 0..n_features {
        let first = if is_diagonal { i } else { 0 };
        let start = end;
        end += i + 1 - first;
        visit(i, first..i + 1, start..end);
    }
}
