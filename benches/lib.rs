//! What the benchmarks share: seeded mixtures, data drawn from them, and starts.

pub mod comparison;
pub mod files;
pub mod memory;

use gmm_core::faer::Mat;
use gmm_core::{CovarianceType, GaussianMixture, Samples};
use gmm_em::{Em, Start, SufficientStatistics};
use gmm_testkit::data;

/// A workload: how many rows, features and components, and which form.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// Rows.
    pub n_samples: usize,
    /// Features.
    pub n_features: usize,
    /// Components.
    pub n_components: usize,
    /// The form of the covariances.
    pub form: CovarianceType,
}

impl Workload {
    /// For names of benchmarks: "full/n=100000/d=16/k=16".
    pub fn name(&self) -> String {
        format!(
            "{}/n={}/d={}/k={}",
            self.form, self.n_samples, self.n_features, self.n_components
        )
    }

    /// Overlapping groups, the same for each call.
    pub fn data(&self) -> Mat<f64> {
        data::overlapping(7, self.n_samples, self.n_features, self.n_components).x
    }

    /// A mixture near the data: one M-step from arbitrary labels, so that every component covers all rows a little.
    ///
    /// # Panics
    /// If the workload has fewer rows than components.
    pub fn start(&self, x: &Mat<f64>) -> GaussianMixture {
        let labels: Vec<usize> = (0..self.n_samples).map(|i| i % self.n_components).collect();
        let em = Em::new(self.n_components)
            .covariance(self.form)
            .max_iterations(2);
        match em.fit_from(x, Start::Labels(&labels)) {
            Ok(fit) => fit.into_model(),
            Err(error) => panic!("the workload can't be started: {error}"),
        }
    }

    /// One fused E-step and accumulation of the M-step's moments.
    ///
    /// # Panics
    /// If the data and the model don't match.
    pub fn pass<'a>(
        &self,
        x: impl Into<Samples<'a>>,
        model: &GaussianMixture,
    ) -> SufficientStatistics {
        let mut statistics = SufficientStatistics::zeros(model);
        match statistics.observe(model, x) {
            Ok(()) => statistics,
            Err(error) => panic!("the workload can't be observed: {error}"),
        }
    }
}
