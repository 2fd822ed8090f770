//! A model file taken apart into plain numbers: what the codecs write and read.
//!
//! What is read becomes a model only through [`Parts::assemble`], and that only through
//! [`GaussianMixture::new_with_noise`](gmm_core::GaussianMixture::new_with_noise).

use gmm_core::faer::Mat;
use gmm_core::{CovarianceType, Covariances, GaussianMixture, Noise, Proportions};

use super::ModelFile;
use super::error::ModelError;
use super::header::{OLDEST, VERSION};
use super::training::Training;

/// The parts of a model file.
pub(super) struct Parts {
    pub(super) form: CovarianceType,
    pub(super) weights: Vec<f64>,
    /// One row for each component.
    pub(super) means: Vec<Vec<f64>>,
    /// As [`Covariances`] has them.
    pub(super) blocks: Vec<Vec<f64>>,
    pub(super) proportions: Proportions,
    pub(super) noise: Option<NoiseParts>,
    pub(super) feature_names: Option<Vec<String>>,
    pub(super) training: Option<TrainingParts>,
}

/// The parts of a [`Noise`].
pub(super) struct NoiseParts {
    pub(super) weight: f64,
    pub(super) log_density: f64,
}

/// The parts of a [`Training`].
pub(super) struct TrainingParts {
    pub(super) n_samples: u64,
    pub(super) total_weight: f64,
    pub(super) log_likelihood: f64,
    pub(super) density_quantiles: Vec<f64>,
}

impl Parts {
    /// Takes a model file apart.
    pub(super) fn of(file: &ModelFile) -> Self {
        let model = &file.model;
        let row = |k| model.means().row(k).iter().copied().collect();
        Self {
            form: model.covariance_type(),
            weights: model.weights().to_vec(),
            means: (0..model.n_components()).map(row).collect(),
            blocks: model.covariances().blocks().to_vec(),
            proportions: model.proportions(),
            noise: model.noise().map(|noise| NoiseParts {
                weight: noise.weight(),
                log_density: noise.log_density(),
            }),
            feature_names: file.feature_names.clone(),
            training: file.training.as_ref().map(|training| TrainingParts {
                n_samples: training.n_samples(),
                total_weight: training.total_weight(),
                log_likelihood: training.log_likelihood(),
                density_quantiles: training.density_quantiles().to_vec(),
            }),
        }
    }

    /// The oldest version of the format that can hold them.
    pub(super) fn version(&self) -> u16 {
        if self.noise.is_some() || self.proportions != Proportions::Free {
            VERSION
        } else {
            OLDEST
        }
    }

    /// Puts a model file together, if the parts fit and mean something.
    pub(super) fn assemble(self) -> Result<ModelFile, ModelError> {
        let n_features = self.means.first().map_or(0, Vec::len);
        if let Some(odd) = self.means.iter().find(|row| row.len() != n_features) {
            return Err(ModelError::Shape {
                parameter: "means of a component",
                found: odd.len(),
                expected: n_features,
            });
        }
        let means = Mat::from_fn(self.means.len(), n_features, |k, j| self.means[k][j]);
        let covariances = Covariances::new(self.form, self.weights.len(), n_features, self.blocks)
            .map_err(ModelError::Invalid)?;
        let noise = (self
            .noise
            .map(|noise| Noise::new(noise.weight, noise.log_density)))
        .transpose()
        .map_err(ModelError::Invalid)?;
        let model = GaussianMixture::new_with_noise(self.weights, means, covariances, noise)
            .and_then(|model| model.with_proportions(self.proportions))
            .map_err(ModelError::Invalid)?;

        let mut file = ModelFile::from(model);
        if let Some(names) = self.feature_names {
            file = file.with_feature_names(names)?;
        }
        if let Some(parts) = self.training {
            let training =
                Training::new(parts.n_samples, parts.total_weight, parts.log_likelihood)?;
            file = file.with_training(training.with_density_quantiles(parts.density_quantiles)?);
        }
        Ok(file)
    }
}
