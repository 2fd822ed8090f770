//! Diagonal covariances (VVI): σ²ₖⱼ = Wₖⱼⱼ / Nₖ, a variance for each component and feature.

use super::{Form, Moments, Structure};

pub(crate) struct Diag;

impl Form for Diag {
    fn structure(&self) -> Structure {
        Structure::Diagonal
    }

    fn shared(&self) -> bool {
        false
    }

    fn n_parameters(&self, n_components: usize, n_features: usize) -> usize {
        n_components * n_features
    }

    fn maximize(
        &self,
        moments: &[Moments],
        prior_scatter: Option<&[f64]>,
        prior_count: f64,
    ) -> Vec<Vec<f64>> {
        let variances = |m: &Moments| {
            let count = m.occupancy + prior_count;
            (0..m.mean.len())
                .map(|j| (m.entry(j, j) + prior_scatter.map_or(0.0, |p| p[j])) / count)
                .collect()
        };
        moments.iter().map(variances).collect()
    }

    fn prior_count(
        &self,
        degrees_of_freedom: f64,
        _n_components: usize,
        _n_features: usize,
    ) -> f64 {
        degrees_of_freedom + 3.0
    }
}
