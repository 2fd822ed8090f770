//! The smallest covariances that a fit may have.

use faer::Mat;

use super::{CovarianceType, Covariances, Structure};
use crate::Error;
use crate::cholesky::Cholesky;
use crate::symmetric::Eigen;

/// Σ ⪰ diag(variances), in the units of a form.
pub(super) struct Floor {
    pub(super) variances: Vec<f64>,
}

impl Floor {
    /// A floor per feature. Forms that keep no units of their own have one number for all: the mean keeps the unit and is the same
    /// after a rotation.
    pub(super) fn new(form: CovarianceType, floor: &[f64]) -> Result<Self, Error> {
        let variances = variances(form, floor);
        let is_bad = |f: &f64| !(*f > 0.0 && f.is_finite());
        if let Some(bad) = variances.iter().position(is_bad) {
            let feature = floor.iter().position(is_bad).unwrap_or(bad);
            let value = floor[feature];
            return Err(Error::Floor { feature, value });
        }
        Ok(Self { variances })
    }

    /// Raises what lies below the floor to it; returns in how many directions.
    pub(super) fn raise(&self, structure: Structure, block: &mut [f64]) -> usize {
        let raise = |value: &mut f64, floor: f64| {
            let below = *value < floor;
            if below {
                *value = floor;
            }
            usize::from(below)
        };
        match structure {
            Structure::Dense => self.raise_eigenvalues(block),
            // One variance has one floor, which is that of all features.
            Structure::Diagonal | Structure::Isotropic => (block.iter_mut().zip(&self.variances))
                .map(|(v, f)| raise(v, *f))
                .sum(),
        }
    }

    /// Entry (i, j) of a matrix in units in which the floor is the identity.
    pub(super) fn scaled(&self, entry: f64, i: usize, j: usize) -> f64 {
        entry / self.variances[i].sqrt() / self.variances[j].sqrt()
    }

    /// Back to the units of the form.
    pub(super) fn unscaled(&self, entry: f64, i: usize, j: usize) -> f64 {
        entry * self.variances[i].sqrt() * self.variances[j].sqrt()
    }

    /// Whether a dense block is above the floor: Σ - floor has a Cholesky factor, which is much cheaper than eigenvalues in every
    /// iteration.
    pub(super) fn is_above(&self, block: &[f64]) -> bool {
        let d = self.variances.len();
        let mut above = block.to_vec();
        for (j, variance) in self.variances.iter().enumerate() {
            above[j * d + j] -= variance;
        }
        Cholesky::exists(d, &above)
    }

    fn raise_eigenvalues(&self, block: &mut [f64]) -> usize {
        if self.is_above(block) {
            return 0;
        }
        let d = self.variances.len();
        let scaled = Mat::from_fn(d, d, |i, j| self.scaled(block[i * d + j], i, j));
        let Eigen { values, vectors } = Eigen::or_diagonal(scaled.as_ref());
        let n_directions = values.iter().filter(|v| **v < 1.0).count();
        if n_directions > 0 {
            let raised: Vec<f64> = values.iter().map(|v| v.max(1.0)).collect();
            let product = super::axes::matrix(&vectors, &raised);
            for (at, entry) in block.iter_mut().enumerate() {
                *entry = self.unscaled(product[at], at / d, at % d);
            }
        }
        n_directions
    }
}

fn variances(form: CovarianceType, floor: &[f64]) -> Vec<f64> {
    if form.is_scale_free() {
        floor.to_vec()
    } else {
        vec![floor.iter().sum::<f64>() / floor.len() as f64; floor.len()]
    }
}

/// The blocks (components; block 0 for a covariance that all share) that violate the constraint of
/// [`Regularizer::Floor`](super::Regularizer::Floor).
pub fn blocks_below_floor(covariances: &Covariances, floor: &[f64]) -> Vec<usize> {
    let (form, structure) = (covariances.form(), covariances.form().structure());
    let floor = Floor {
        variances: variances(form, floor),
    };
    let blocks = covariances.blocks().iter().enumerate();
    blocks
        .filter(|(_, block)| floor.raise(structure, &mut (*block).clone()) > 0)
        .map(|(b, _)| b)
        .collect()
}
