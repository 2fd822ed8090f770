//! What a mixture may have beside its components: a class of noise, and weights that are held equal.

use super::GaussianMixture;
use crate::Error;

/// Whether the weights of the components are free parameters of the mixture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Proportions {
    /// Each component has a weight of its own: K - 1 parameters.
    #[default]
    Free,
    /// All components have the same weight, 1/K of what noise leaves: no parameter (mclust's `equalPro`).
    Equal,
}

impl Proportions {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Free, Self::Equal];

    /// The name: "free", "equal".
    pub fn name(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Equal => "equal",
        }
    }

    /// Free parameters of the weights of so many components: K - 1 or 0.
    pub fn n_free_parameters(self, n_components: usize) -> usize {
        match self {
            Self::Free => n_components.saturating_sub(1),
            Self::Equal => 0,
        }
    }
}

/// A class of noise beside the components (Banfield and Raftery 1993): rows that belong to none of them, at the constant density 1/V.
///
/// V is the volume in which noise may lie, usually that of a box around the data. The density is taken to be 1/V outside of it, too (as
/// in mclust; an improper uniform distribution, Hennig 2004): a row far from everything is noise, wherever it lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    weight: f64,
    log_density: f64,
}

impl Noise {
    /// Noise of a weight (0 or more, less than 1) and of the density exp(`log_density`), -log V in nats.
    ///
    /// # Errors
    /// [`Error::NoiseWeight`], [`Error::NoiseDensity`].
    pub fn new(weight: f64, log_density: f64) -> Result<Self, Error> {
        if !(0.0..1.0).contains(&weight) {
            return Err(Error::NoiseWeight { value: weight });
        }
        if !log_density.is_finite() {
            return Err(Error::NoiseDensity { value: log_density });
        }
        Ok(Self {
            weight,
            log_density,
        })
    }

    /// π₀: the share of noise.
    pub fn weight(&self) -> f64 {
        self.weight
    }

    /// -log V in nats.
    pub fn log_density(&self) -> f64 {
        self.log_density
    }

    /// log π₀ - log V; -inf for a weight of 0.
    pub(super) fn log_joint(&self) -> f64 {
        self.weight.ln() + self.log_density
    }

    /// The same noise where log-densities are by so much larger.
    pub(super) fn raised(self, by: f64) -> Self {
        Self {
            log_density: self.log_density + by,
            ..self
        }
    }
}

impl GaussianMixture {
    /// The class of noise, if there is one.
    pub fn noise(&self) -> Option<Noise> {
        self.noise
    }

    /// Whether the weights of the components are free parameters.
    pub fn proportions(&self) -> Proportions {
        self.proportions
    }

    /// Number of classes: the components and, after them, noise if there is any. So many columns have
    /// [`responsibilities`](Self::responsibilities), and [`n_components`](Self::n_components) is the label of noise.
    pub fn n_classes(&self) -> usize {
        self.n_components() + usize::from(self.noise.is_some())
    }

    /// The mixture with this class of noise: the weights of the components sum to what it leaves.
    ///
    /// # Errors
    /// [`Error::NoComponents`] if the components have no weight to share.
    pub fn with_noise(&self, noise: Noise) -> Result<Self, Error> {
        self.with_components_worth(1.0 - noise.weight, Some(noise))
    }

    /// The mixture of the components alone: their weights are divided by their sum.
    ///
    /// # Errors
    /// [`Error::NoComponents`] if the components have no weight.
    pub fn without_noise(&self) -> Result<Self, Error> {
        self.with_components_worth(1.0, None)
    }

    /// The mixture with weights that are held equal, or free again. The weights keep their bits.
    ///
    /// # Errors
    /// [`Error::UnequalWeights`] if weights that are to be held equal are not, by more than 1e-6; see
    /// [`with_equal_weights`](Self::with_equal_weights).
    pub fn with_proportions(&self, proportions: Proportions) -> Result<Self, Error> {
        if proportions == Proportions::Free {
            return Ok(Self {
                proportions,
                ..self.clone()
            });
        }
        let mean = self.weights.iter().sum::<f64>() / self.n_components() as f64;
        let is_off = |w: &f64| (w - mean).abs() > super::WEIGHT_SUM_TOLERANCE;
        match self.weights.iter().position(is_off) {
            Some(component) => Err(Error::UnequalWeights {
                component,
                value: self.weights[component],
                expected: mean,
            }),
            None => Ok(Self {
                proportions,
                ..self.clone()
            }),
        }
    }

    /// The mixture with the components as they are and equal weights, which are held equal from then on.
    #[must_use]
    pub fn with_equal_weights(&self) -> Self {
        let sum: f64 = self.weights.iter().sum();
        let weights = vec![sum / self.n_components() as f64; self.n_components()];
        Self {
            proportions: Proportions::Equal,
            ..self.reweighted(weights, self.noise)
        }
    }

    fn with_components_worth(&self, share: f64, noise: Option<Noise>) -> Result<Self, Error> {
        let sum: f64 = self.weights.iter().sum();
        if sum <= 0.0 {
            return Err(Error::NoComponents);
        }
        let weights = self.weights.iter().map(|w| w / sum * share).collect();
        Ok(self.reweighted(weights, noise))
    }

    /// The same components with other weights, which sum to 1 with that of the noise.
    fn reweighted(&self, weights: Vec<f64>, noise: Option<Noise>) -> Self {
        Self {
            noise,
            proportions: self.proportions,
            ..Self::prepared(
                weights,
                self.means.clone(),
                self.covariances.clone(),
                self.factors.clone(),
            )
        }
    }

    /// Refuses what needs to know where the noise lies.
    pub(super) fn refuse_noise(&self, operation: &'static str) -> Result<(), Error> {
        match self.noise {
            Some(_) => Err(Error::Noise { operation }),
            None => Ok(()),
        }
    }
}
