//! A model file taken apart into plain numbers: what the codecs write and read.
//!
//! What is read becomes a model only through [`Parts::assemble`], and that only through
//! [`GaussianMixture::new_with_noise`](gmm_core::GaussianMixture::new_with_noise).

use gmm_core::faer::MatRef;
use gmm_core::{CovarianceType, Covariances, GaussianMixture, Noise, Proportions};

use super::ModelFile;
use super::error::ModelError;
use super::header::{OLDEST, VERSION};
use super::names::Names;
use super::training::Training;

/// The parts of a model file.
pub(super) struct Parts {
    pub(super) form: CovarianceType,
    pub(super) n_features: usize,
    pub(super) weights: Vec<f64>,
    /// Component by component.
    pub(super) means: Vec<f64>,
    /// Block by block, as [`Covariances`] has them.
    pub(super) covariances: Vec<f64>,
    pub(super) proportions: Proportions,
    pub(super) noise: Option<NoiseParts>,
    pub(super) feature_names: Option<Names>,
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

impl TrainingParts {
    fn assemble(self) -> Result<Training, ModelError> {
        Training::new(self.n_samples, self.total_weight, self.log_likelihood)?
            .with_density_quantiles(self.density_quantiles)
    }
}

impl Parts {
    /// Takes a model file apart.
    pub(super) fn of(file: &ModelFile) -> Self {
        let model = &file.model;
        let mean = |k| model.means().row(k).iter().copied();
        Self {
            form: model.covariance_type(),
            n_features: model.n_features(),
            weights: model.weights().to_vec(),
            means: (0..model.n_components()).flat_map(mean).collect(),
            covariances: model.covariances().blocks().concat(),
            proportions: model.proportions(),
            noise: model.noise().map(|noise| NoiseParts {
                weight: noise.weight(),
                log_density: noise.log_density(),
            }),
            feature_names: (file.feature_names.as_ref())
                .map(|names| names.iter().map(String::as_str).collect()),
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
        let (n_components, n_features) = (self.weights.len(), self.n_features);
        self.check_lengths()?;
        let names = (self.feature_names)
            .map(|names| names.for_features(n_features))
            .transpose()?;
        let training = self.training.map(TrainingParts::assemble).transpose()?;
        let means = MatRef::from_row_major_slice(&self.means, n_components, n_features).to_owned();
        let blocks = (self.covariances)
            .chunks_exact(self.form.block_len(n_features))
            .map(<[f64]>::to_vec)
            .collect();
        // A model in the making takes several times their memory.
        drop((self.covariances, self.means));
        let covariances = Covariances::new(self.form, n_components, n_features, blocks)
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
        if let Some(names) = names {
            file = file.with_feature_names(names)?;
        }
        if let Some(training) = training {
            file = file.with_training(training);
        }
        Ok(file)
    }

    /// Whether there are as many means and covariances as the weights and features ask for, of which there are some.
    fn check_lengths(&self) -> Result<(), ModelError> {
        let (n_components, n_features) = (self.weights.len(), self.n_features);
        if n_components == 0 {
            return Err(ModelError::Invalid(gmm_core::Error::NoComponents));
        }
        let shape = |parameter, found: &[f64], expected| match found.len() {
            found if found == expected => Ok(()),
            found => Err(ModelError::Shape {
                parameter,
                found,
                expected,
            }),
        };
        shape(
            "means",
            &self.means,
            n_components.saturating_mul(n_features.max(1)),
        )?;
        // No form has more numbers than K D²; where that overflows, no form is meant.
        let expected = match n_features.checked_mul(self.means.len()) {
            Some(_) => self.form.n_blocks(n_components) * self.form.block_len(n_features),
            None => usize::MAX,
        };
        shape("covariances", &self.covariances, expected)
    }
}
