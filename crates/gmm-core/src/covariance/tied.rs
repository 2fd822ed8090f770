//! Tied covariances (EEE): Σ = Σₖ Wₖ / N, one matrix for all components.

use super::full::symmetric;
use super::{Form, Moments, Structure};

pub(crate) struct Tied;

impl Form for Tied {
    fn structure(&self) -> Structure {
        Structure::Dense
    }

    fn shared(&self) -> bool {
        true
    }

    fn n_parameters(&self, _n_components: usize, n_features: usize) -> usize {
        n_features * (n_features + 1) / 2
    }

    fn maximize(
        &self,
        moments: &[Moments],
        prior_scatter: Option<&[f64]>,
        prior_count: f64,
    ) -> Vec<Vec<f64>> {
        let d = moments.first().map_or(0, |m| m.mean.len());
        let count = moments.iter().map(|m| m.occupancy).sum::<f64>() + prior_count;
        let pooled = symmetric(d, |i, j| {
            let scatter: f64 = moments.iter().map(|m| m.entry(i, j)).sum();
            (scatter + prior_scatter.map_or(0.0, |p| p[i * d + j])) / count
        });
        vec![pooled]
    }

    fn prior_count(&self, degrees_of_freedom: f64, n_components: usize, n_features: usize) -> f64 {
        degrees_of_freedom + n_features as f64 + n_components as f64 + 1.0
    }
}
