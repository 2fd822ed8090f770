//! Weighted moments of one component: what the E-step leaves and the M-step needs.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::Structure;
use crate::block::Block;
use crate::kernels::{Centred, DenseSums, DiagonalSums, Panels, dense_sums, diagonal_sums, padded};

/// How many times larger a sum of squares may be about the shift than about the mean: four bits are lost at the most.
const CANCELLATION: f64 = 16.0;
/// A block may always count so large a part of the scatter before it as its own: 16 blocks that a task adds up together come to a
/// sixteenth.
const LEAST_SHARE: f64 = 1.0 / 256.0;

/// Occupancy Σᵢ rᵢ, mean (about a shift) and scatter Σᵢ rᵢ (xᵢ - mean)(xᵢ - mean)' of one component.
///
/// The scatter is always about the moments' own mean, block by block, and parts are merged by the rule of Chan, Golub
/// and LeVeque (1983), which only adds positive terms: no E\[x²\] - μ², so no cancellation to speak of, however far the data lie from
/// the origin or from the current mean.
#[derive(Clone, Debug, PartialEq)]
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

    /// Adds a block with responsibilities `r` (sample weights included), about `shift`.
    ///
    /// The block's sums are taken about the shift and then centred at its own mean. Where that would cancel (the block's mean
    /// is far from the shift against its spread, as in the first steps from a bad start), they are taken again about that mean;
    /// but not where the digits lost are none of the whole: a block that holds one row of the component, or next to nothing.
    ///
    /// `part` is working memory; of dense structures `panels` have to hold the block ([`Panels::read`]).
    pub fn observe(
        &mut self,
        block: &Block,
        r: &[f64],
        shift: &[f64],
        part: &mut Self,
        panels: &mut Panels,
    ) {
        self.observe_sums(shift, shift, part, |part, at| {
            part.sum(block, r, at, panels);
        });
    }

    /// [`observe`](Self::observe) of a block whose differences z from a centre are stored, which may stand for those from the shift: their sums
    /// are taken about the centre.
    ///
    /// # Panics
    /// If z has another size than a [`CentredBlock`](crate::CentredBlock) of the block.
    pub fn observe_near(
        &mut self,
        block: &Block,
        (z, centre): (&[f64], &[f64]),
        r: &[f64],
        shift: &[f64],
        part: &mut Self,
        panels: &mut Panels,
    ) {
        let mut is_first = true;
        self.observe_sums(shift, centre, part, |part, at| {
            if std::mem::take(&mut is_first) {
                part.sum_stored(z, r, at, panels);
            } else {
                part.sum(block, r, at, panels);
            }
        });
    }

    /// n, Σ r z and Σ r z z' of a block about a place.
    fn sum(&mut self, block: &Block, r: &[f64], at: &[f64], panels: &mut Panels) {
        let (sums, products) = (&mut self.mean, &mut self.scatter);
        self.occupancy = if products.len() == at.len() {
            diagonal_sums(block.values(), r, at, sums, products)
        } else {
            dense_sums(block.values(), r, at, panels, sums, products)
        };
    }

    /// [`sum`](Self::sum) of stored differences from there.
    fn sum_stored(&mut self, z: &[f64], r: &[f64], at: &[f64], panels: &mut Panels) {
        let (sums, products) = (&mut self.mean, &mut self.scatter);
        assert_eq!(z.len(), at.len() * padded::<f64>());
        let differences = Centred { z };
        self.occupancy = if products.len() == at.len() {
            Arch::new().dispatch(DiagonalSums {
                differences,
                r,
                sums,
                squares: products,
            })
        } else {
            let (panels, memory) = panels.about(at);
            Arch::new().dispatch(DenseSums {
                differences,
                panels,
                memory,
                r,
                sums,
                products,
            })
        };
    }

    /// Adds a block whose sums about a place `sum` writes: n, Σ r z in `mean` and Σ r z z' in `scatter`. They are asked for at `first`, and where
    /// they cancel there, at the block's own mean.
    pub(crate) fn observe_sums(
        &mut self,
        shift: &[f64],
        first: &[f64],
        part: &mut Self,
        mut sum: impl FnMut(&mut Self, &[f64]),
    ) {
        sum(part, first);
        if part.occupancy > 0.0 {
            if part.centre(self) {
                part.move_from(first, shift);
            } else {
                let near: Vec<f64> = first.iter().zip(&part.mean).map(|(s, m)| s + m).collect();
                sum(part, &near);
                part.centre(self);
                // near - first and not the mean from before: near is rounded.
                part.move_from(&near, shift);
            }
            self.merge(part);
        }
    }

    /// From a mean relative to one place to that relative to another.
    fn move_from(&mut self, place: &[f64], to: &[f64]) {
        for (mean, (place, to)) in self.mean.iter_mut().zip(place.iter().zip(to)) {
            *mean += place - to;
        }
    }

    /// From sums to a mean and the scatter about it; tells whether no feature cancels by more than [`CANCELLATION`], given the sum
    /// that these moments will be added to. (At most the block's share of the scatter before it counts: over many blocks of like size
    /// the shares add up like 1 + ½ + ⅓ + ..., to a few.)
    fn centre(&mut self, before: &Self) -> bool {
        let n = self.occupancy;
        let share = if n < before.occupancy {
            (n / before.occupancy).max(LEAST_SHARE)
        } else {
            1.0
        };
        self.mean.iter_mut().for_each(|m| *m /= n);
        Arch::new().dispatch(Centre {
            n,
            mean: &self.mean,
            scatter: &mut self.scatter,
            share,
            before: &before.scatter,
        })
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
    share: f64,
    before: &'a [f64],
}

impl WithSimd for Centre<'_> {
    type Output = bool;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> bool {
        let Self { n, mean, share, .. } = self;
        let mut is_accurate = true;
        for_each_row(mean.len(), self.scatter.len(), |i, columns, entries| {
            let row = &mut self.scatter[entries.clone()];
            let diagonal = row.len() - 1;
            let raw = row[diagonal];
            let scaled = n * mean[i];
            for (entry, mean) in row.iter_mut().zip(&mean[columns]) {
                *entry -= scaled * mean;
            }
            let known = self.before[entries][diagonal];
            is_accurate &= raw <= CANCELLATION * (row[diagonal] + share * known);
            // Rounding may leave a constant feature a variance below 0.
            if row[diagonal] < 0.0 {
                row[diagonal] = 0.0;
            }
        });
        is_accurate
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
