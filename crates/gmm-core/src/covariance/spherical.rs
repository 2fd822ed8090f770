//! Spherical covariances (VII): σ²ₖ = tr Wₖ / (D Nₖ), one variance for each component.

use super::{Form, Moments, Structure};

pub(crate) struct Spherical;

impl Form for Spherical {
    fn structure(&self) -> Structure {
        Structure::Isotropic
    }

    fn shared(&self) -> bool {
        false
    }

    fn n_parameters(&self, n_components: usize, _n_features: usize) -> usize {
        n_components
    }

    /// Other units for one feature turn circles into ellipses.
    fn scale_free(&self) -> bool {
        false
    }

    fn maximize(
        &self,
        moments: &[Moments],
        prior_scatter: Option<&[f64]>,
        prior_count: f64,
    ) -> Vec<Vec<f64>> {
        let variance = |m: &Moments| {
            let d = m.mean.len();
            let trace: f64 = (0..d).map(|j| m.entry(j, j)).sum();
            vec![
                (trace + prior_scatter.map_or(0.0, |p| p[0]))
                    / (d as f64 * m.occupancy + prior_count),
            ]
        };
        moments.iter().map(variance).collect()
    }

    fn prior_count(&self, degrees_of_freedom: f64, _n_components: usize, n_features: usize) -> f64 {
        degrees_of_freedom + n_features as f64 + 2.0
    }
}
