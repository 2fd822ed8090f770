//! Full covariances (VVV): Σₖ = Wₖ / Nₖ, a matrix of its own for each component.

use super::{Form, Moments, Structure};

pub(crate) struct Full;

impl Form for Full {
    fn structure(&self) -> Structure {
        Structure::Dense
    }

    fn shared(&self) -> bool {
        false
    }

    fn n_parameters(&self, n_components: usize, n_features: usize) -> usize {
        n_components * (n_features * (n_features + 1) / 2)
    }

    fn maximize(
        &self,
        moments: &[Moments],
        prior_scatter: Option<&[f64]>,
        prior_count: f64,
    ) -> Vec<Vec<f64>> {
        moments
            .iter()
            .map(|m| {
                let d = m.mean.len();
                let count = m.occupancy + prior_count;
                symmetric(d, |i, j| {
                    (m.entry(i, j) + prior_scatter.map_or(0.0, |p| p[i * d + j])) / count
                })
            })
            .collect()
    }

    fn prior_count(&self, degrees_of_freedom: f64, _n_components: usize, n_features: usize) -> f64 {
        degrees_of_freedom + n_features as f64 + 2.0
    }
}

/// A symmetric matrix, row by row, from its lower triangle.
pub(super) fn symmetric(d: usize, entry: impl Fn(usize, usize) -> f64) -> Vec<f64> {
    let mut block = vec![0.0; d * d];
    for i in 0..d {
        for j in 0..=i {
            let value = entry(i, j);
            block[i * d + j] = value;
            block[j * d + i] = value;
        }
    }
    block
}
