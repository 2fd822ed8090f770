//! The mixture: weights, means and covariances that were checked once, together with what evaluation needs.

mod assign;
mod bounds;
mod compact;
mod derive;
mod discriminant;
mod ellipsoid;
mod evaluate;
mod extrapolate;
mod log_responsibilities;
mod near;
mod noise;
mod output;
mod sample;
mod single;
mod tiny;

use faer::{Mat, MatRef};

pub use bounds::Bounds;
pub use compact::NEGLIGIBLE;
pub use discriminant::{Discriminant, DiscriminantScratch};
pub use ellipsoid::Ellipsoid;
pub use evaluate::Scratch;
use evaluate::Term;
pub use near::CentredBlock;
pub use noise::{Noise, Proportions};
pub use sample::Sample;
pub use single::{SingleMixture, SingleScratch};

use crate::block::{Frame, scale_by_power};
use crate::covariance::Factor;
use crate::{CovarianceType, Covariances, Error};

/// How far the weights' sum may be from 1: weights that went through single precision are off by up to 6e-8 each.
const WEIGHT_SUM_TOLERANCE: f64 = 1e-6;

/// A Gaussian mixture p(x) = Σₖ πₖ N(x; μₖ, Σₖ), on request with a class of [`Noise`]: π₀ / V + Σₖ πₖ N(x; μₖ, Σₖ).
///
/// A value that exists is valid: weights are not negative and sum to 1 (with that of the noise), means are finite, covariances are symmetric and
/// positive definite. A weight may be 0; such a component takes no part.
///
/// ```
/// use gmm_core::{Covariances, GaussianMixture, faer::mat};
///
/// let means = mat![[0.0, 0.0], [4.0, 1.0]];
/// let model = GaussianMixture::new(vec![0.7, 0.3], means, Covariances::spherical(&[1.0, 0.25], 2)?)?;
/// let x = mat![[0.1, -0.2], [4.0, 1.5]];
/// assert_eq!(model.predict(&x)?, [0, 1]);
/// let soft = model.responsibilities(&x)?;
/// assert!((soft[(0, 0)] + soft[(0, 1)] - 1.0).abs() < 1e-15);
/// # Ok::<(), gmm_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct GaussianMixture {
    weights: Vec<f64>,
    means: Mat<f64>,
    covariances: Covariances,
    factors: Vec<Factor>,
    terms: Vec<Term>,
    /// The median of the means, from which the components near it are evaluated.
    centre: Vec<f64>,
    proportions: Proportions,
    noise: Option<Noise>,
}

/// Mixtures are equal when their parameters are, bit for bit, and which of them are free.
impl PartialEq for GaussianMixture {
    fn eq(&self, other: &Self) -> bool {
        self.weights == other.weights
            && self.means == other.means
            && self.covariances == other.covariances
            && self.proportions == other.proportions
            && self.noise == other.noise
    }
}

impl GaussianMixture {
    /// A mixture from its parameters: K weights, means (n_components x n_features) and covariances.
    ///
    /// # Errors
    /// [`Error::NoComponents`], [`Error::Weight`], [`Error::WeightSum`], [`Error::ComponentCount`],
    /// [`Error::ParameterFeatures`], [`Error::Mean`], [`Error::NotPositiveDefinite`].
    pub fn new(
        weights: Vec<f64>,
        means: Mat<f64>,
        covariances: Covariances,
    ) -> Result<Self, Error> {
        Self::checked(weights, means, covariances, None)
    }

    /// A mixture with a class of noise, or none, from its parameters, as [`GaussianMixture::new`]; the weights of the components and that of the
    /// noise sum to 1.
    ///
    /// # Errors
    /// As [`GaussianMixture::new`].
    pub fn new_with_noise(
        weights: Vec<f64>,
        means: Mat<f64>,
        covariances: Covariances,
        noise: impl Into<Option<Noise>>,
    ) -> Result<Self, Error> {
        Self::checked(weights, means, covariances, noise.into())
    }

    fn checked(
        weights: Vec<f64>,
        means: Mat<f64>,
        covariances: Covariances,
        noise: Option<Noise>,
    ) -> Result<Self, Error> {
        let n = weights.len();
        if n == 0 {
            return Err(Error::NoComponents);
        }
        // A weight above 1 by rounding is no error of its own: the sum decides.
        if let Some(component) = weights
            .iter()
            .position(|w| !(*w >= 0.0 && *w <= 1.0 + WEIGHT_SUM_TOLERANCE))
        {
            return Err(Error::Weight {
                component,
                value: weights[component],
            });
        }
        let sum = weights.iter().sum::<f64>() + noise.map_or(0.0, |noise| noise.weight());
        if (sum - 1.0).abs() > WEIGHT_SUM_TOLERANCE {
            return Err(Error::WeightSum { sum });
        }
        if means.nrows() != n {
            return Err(Error::ComponentCount {
                parameter: "means",
                found: means.nrows(),
                expected: n,
            });
        }
        if covariances.n_components() != n {
            let found = covariances.n_components();
            return Err(Error::ComponentCount {
                parameter: "covariances",
                found,
                expected: n,
            });
        }
        if covariances.n_features() != means.ncols() {
            return Err(Error::ParameterFeatures {
                found: covariances.n_features(),
                expected: means.ncols(),
            });
        }
        for component in 0..n {
            for feature in 0..means.ncols() {
                let value = means[(component, feature)];
                if !value.is_finite() {
                    return Err(Error::Mean {
                        component,
                        feature,
                        value,
                    });
                }
            }
        }
        let factors = Factor::of_covariances(&covariances)?;
        Ok(Self {
            noise,
            ..Self::prepared(weights, means, covariances, factors)
        })
    }

    /// A mixture of checked parameters, ready for evaluation; its weights are free, and it has no noise.
    fn prepared(
        weights: Vec<f64>,
        means: Mat<f64>,
        covariances: Covariances,
        factors: Vec<Factor>,
    ) -> Self {
        let centre = near::centre(&means);
        let terms = Self::terms_of(&weights, &means, &covariances, &factors, &centre);
        Self {
            weights,
            means,
            covariances,
            factors,
            terms,
            centre,
            proportions: Proportions::Free,
            noise: None,
        }
    }

    /// πₖ; with [`noise`](Self::noise) they sum to 1 - π₀.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// μₖ, n_components x n_features.
    pub fn means(&self) -> MatRef<'_, f64> {
        self.means.as_ref()
    }

    /// Σₖ.
    pub fn covariances(&self) -> &Covariances {
        &self.covariances
    }

    /// The form of the covariances.
    pub fn covariance_type(&self) -> CovarianceType {
        self.covariances.form()
    }

    /// Number of components K.
    pub fn n_components(&self) -> usize {
        self.weights.len()
    }

    /// Number of features D.
    pub fn n_features(&self) -> usize {
        self.means.ncols()
    }

    /// Free parameters: K - 1 weights (0 where they are held equal), K D means and those of the covariances, and two for noise, its
    /// weight and its volume; as counted by BIC and AIC.
    pub fn n_free_parameters(&self) -> usize {
        let (n, d) = (self.n_components(), self.n_features());
        self.proportions.n_free_parameters(n)
            + n * d
            + self.covariance_type().n_covariance_parameters(n, d)
            + if self.noise.is_some() { 2 } else { 0 }
    }

    /// The largest variance inflation factor Σⱼⱼ (Σ⁻¹)ⱼⱼ of any component and feature: 1 where the features of every
    /// component are uncorrelated, 1 / (1 - R²) where a feature is explained by the others with R². Rounding errors of
    /// log-densities grow with it: above 1e10 a feature hardly says anything that the others don't.
    pub fn variance_inflation(&self) -> f64 {
        self.factors
            .iter()
            .map(|f| f.variance_inflation)
            .fold(1.0, f64::max)
    }

    pub(crate) fn factors(&self) -> &[Factor] {
        &self.factors
    }

    /// The factor of a component: the one factor where all share it.
    pub(crate) fn factor(&self, component: usize) -> &Factor {
        &self.factors[if self.factors.len() == 1 {
            0
        } else {
            component
        }]
    }

    /// The mixture of some components, in the given order; their weights are divided by their sum, so that they sum to 1 with that of
    /// the noise, which stays.
    ///
    /// # Errors
    /// [`Error::NoComponents`] if the list is empty or its weights are all 0.
    ///
    /// # Panics
    /// If a component is out of bounds.
    pub fn select(&self, components: &[usize]) -> Result<Self, Error> {
        let sum: f64 = components.iter().map(|&k| self.weights[k]).sum();
        if sum <= 0.0 {
            return Err(Error::NoComponents);
        }
        // A permutation keeps the weights' bits: sums of the same numbers in another order differ by rounding only.
        let total: f64 = self.weights.iter().sum();
        let rounding = self.n_components() as f64 * f64::EPSILON;
        let divisor = if (sum - total).abs() <= rounding {
            1.0
        } else {
            sum / (1.0 - self.noise.map_or(0.0, |noise| noise.weight()))
        };
        let weights = components
            .iter()
            .map(|&k| self.weights[k] / divisor)
            .collect();
        let means = Mat::from_fn(components.len(), self.n_features(), |k, j| {
            self.means[(components[k], j)]
        });
        let factors = if self.factors.len() == 1 {
            self.factors.clone()
        } else {
            components
                .iter()
                .map(|&k| self.factors[k].clone())
                .collect()
        };
        Ok(Self {
            proportions: self.proportions,
            noise: self.noise,
            ..Self::prepared(weights, means, self.covariances.select(components), factors)
        })
    }

    /// The same mixture with the heaviest component first (at equal weights, the smaller mean first).
    ///
    /// The order of components has no meaning; a fixed one makes results comparable.
    #[must_use]
    pub fn sorted(&self) -> Self {
        let mut order: Vec<usize> = (0..self.n_components()).collect();
        order.sort_by(|&a, &b| {
            let means = || {
                (0..self.n_features()).map(|j| self.means[(a, j)].total_cmp(&self.means[(b, j)]))
            };
            self.weights[b]
                .total_cmp(&self.weights[a])
                .then_with(|| means().find(|o| o.is_ne()).unwrap_or(a.cmp(&b)))
        });
        self.select(&order).unwrap_or_else(|_| self.clone())
    }

    /// Expert: the mixture in the coordinates of a frame.
    ///
    /// # Errors
    /// Those of [`GaussianMixture::new`] if the parameters leave the range of f64, [`Error::FeatureCount`].
    pub fn to_frame(&self, frame: &Frame) -> Result<Self, Error> {
        self.check_frame(frame)?;
        let means = Mat::from_fn(self.n_components(), self.n_features(), |k, j| {
            frame.to_frame(j, self.means[(k, j)])
        });
        self.rescaled(means, frame, -1)
    }

    /// Expert: a mixture that was found in the coordinates of a frame, in the coordinates of the data.
    ///
    /// # Errors
    /// As [`GaussianMixture::to_frame`].
    pub fn from_frame(&self, frame: &Frame) -> Result<Self, Error> {
        self.check_frame(frame)?;
        let means = Mat::from_fn(self.n_components(), self.n_features(), |k, j| {
            frame.from_frame(j, self.means[(k, j)])
        });
        self.rescaled(means, frame, 1)
    }

    fn check_frame(&self, frame: &Frame) -> Result<(), Error> {
        if frame.n_features() == self.n_features() {
            return Ok(());
        }
        Err(Error::FeatureCount {
            found: frame.n_features(),
            expected: self.n_features(),
        })
    }

    /// Multiplies entry (i, j) of each covariance by 2^(sign (eᵢ + eⱼ)).
    fn rescaled(&self, means: Mat<f64>, frame: &Frame, sign: i32) -> Result<Self, Error> {
        let (d, form) = (self.n_features(), self.covariance_type());
        let exponents = frame.exponents();
        let mut blocks = self.covariances.blocks().to_vec();
        for (component, block) in blocks.iter_mut().enumerate() {
            let len = block.len();
            for (at, value) in block.iter_mut().enumerate() {
                let (i, j) = if len == d * d {
                    (at / d, at % d)
                } else {
                    (at, at)
                };
                let scaled = scale_by_power(
                    scale_by_power(*value, sign * exponents[i]),
                    sign * exponents[j],
                );
                // A variance that turns zero, subnormal or infinite has lost its digits.
                if i == j && !scaled.is_normal() {
                    return Err(Error::Range {
                        component,
                        feature: i,
                    });
                }
                *value = scaled;
            }
        }
        let covariances = Covariances::new(form, self.n_components(), d, blocks)?;
        // log p(x) = log p'(x') + log |dx'/dx|.
        let raised = |noise: Noise| noise.raised(f64::from(sign) * frame.log_jacobian());
        let noise = self.noise.map(raised);
        Ok(Self {
            proportions: self.proportions,
            ..Self::checked(self.weights.clone(), means, covariances, noise)?
        })
    }
}
