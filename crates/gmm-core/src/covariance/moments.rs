//! Weighted moments of one component: what the E-step leaves and the M-step needs.

use super::Structure;
use crate::block::{BLOCK_ROWS, Block};
use crate::kernels::{weighted_mean, weighted_scatter, weighted_squares};

/// Occupancy Σᵢ rᵢ, mean (about a shift) and scatter Σᵢ rᵢ (xᵢ - mean)(xᵢ - mean)' of one component.
///
/// The scatter is always about the moments' own mean, block by block, and parts are merged by the rule of Chan, Golub
/// and LeVeque (1983), which only adds positive terms: no E\[x²\] - μ², so no cancellation, however far the data lie from
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
    /// `part`, `centred` and `scaled` are buffers: moments of the same shape, and twice n_features x [`BLOCK_ROWS`] numbers.
    pub fn observe(
        &mut self,
        block: &Block,
        r: &[f64],
        shift: &[f64],
        part: &mut Self,
        centred: &mut [f64],
        scaled: &mut [f64],
    ) {
        let centred = &mut centred[..shift.len() * BLOCK_ROWS];
        part.occupancy = weighted_mean(block.values(), r, shift, &mut part.mean, centred);
        if part.occupancy > 0.0 {
            part.scatter.fill(0.0);
            if part.scatter.len() == shift.len() {
                weighted_squares(centred, r, &mut part.scatter);
            } else {
                weighted_scatter(
                    centred,
                    r,
                    &mut scaled[..shift.len() * BLOCK_ROWS],
                    &mut part.scatter,
                );
            }
            self.merge(part);
        }
    }

    /// Adds moments about the same shift.
    pub fn merge(&mut self, other: &Self) {
        if other.occupancy == 0.0 {
            return;
        }
        let total = self.occupancy + other.occupancy;
        let share = other.occupancy / total;
        let factor = self.occupancy * share;
        let d = self.mean.len();
        let diagonal = self.scatter.len() == d;
        let mut entry = 0;
        // The differences are taken before the mean moves.
        for i in 0..d {
            let delta = other.mean[i] - self.mean[i];
            if diagonal {
                self.scatter[i] += other.scatter[i] + factor * delta * delta;
            } else {
                let scaled = factor * delta;
                for j in 0..=i {
                    self.scatter[entry] +=
                        other.scatter[entry] + scaled * (other.mean[j] - self.mean[j]);
                    entry += 1;
                }
            }
        }
        for (mean, other) in self.mean.iter_mut().zip(&other.mean) {
            *mean += share * (other - *mean);
        }
        self.occupancy = total;
    }

    /// Counts the data `factor` times.
    pub fn scale(&mut self, factor: f64) {
        self.occupancy *= factor;
        self.scatter.iter_mut().for_each(|s| *s *= factor);
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
