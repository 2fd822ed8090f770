//! What keeps a fit away from singular covariances, in units of the data.

use gmm_core::CovarianceType;
use gmm_core::covariance::{Moments, Prior, Regularizer, Structure};

use crate::summary::Summary;
use crate::{Error, SufficientStatistics};

/// What keeps covariances away from singularity.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Regularization {
    /// Plain maximum likelihood: a component that collapses on a point is left to the [`Rescue`](crate::Rescue) policy.
    None,
    /// Maximum likelihood among the covariances with Σₖ ⪰ f · diag(σ²ⱼ), σ²ⱼ the variances of the whole data: no component
    /// gets thinner than √f of the data's own spread, in any direction. The M-step under this constraint is exact, so the likelihood
    /// never falls, and a fit that stays above the floor is the maximum-likelihood fit, bit for bit.
    Floor(f64),
    /// Adds this number to every variance after each M-step, whatever the units: scikit-learn's `reg_covar`.
    /// Not the maximum of anything, so the likelihood may fall by a little.
    Ridge(f64),
    /// Maximum a posteriori under the conjugate prior of mclust.
    Prior(ConjugatePrior),
}

/// A floor of 1e-9 of the variances (3e-5 of the standard deviations): far below any group that data with
/// four digits can show, far above the rounding of a covariance matrix in double precision.
impl Default for Regularization {
    fn default() -> Self {
        Self::Floor(1e-9)
    }
}

/// The data-dependent conjugate prior of Fraley and Raftery (2007), the defaults being mclust's `defaultPrior()`:
/// μₖ | Σₖ ~ N(mean of the data, Σₖ / `shrinkage`), Σₖ ~ inverse Wishart (D + `extra_degrees_of_freedom`,
/// `scale` · cov(data) / K^(2/D)).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConjugatePrior {
    /// κ: the number of observations the prior mean is worth; 0.01.
    pub shrinkage: f64,
    /// Degrees of freedom beyond the number of features; 2.
    pub extra_degrees_of_freedom: f64,
    /// Factor of the prior scale; 1.
    pub scale: f64,
}

impl Default for ConjugatePrior {
    fn default() -> Self {
        Self {
            shrinkage: 0.01,
            extra_degrees_of_freedom: 2.0,
            scale: 1.0,
        }
    }
}

impl Regularization {
    /// Checks the numbers.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub(crate) fn check(&self) -> Result<(), Error> {
        let positive = |name, value: f64| {
            let expected = "it must be positive and finite";
            if value > 0.0 && value.is_finite() {
                Ok(())
            } else {
                Err(Error::Setting {
                    name,
                    value,
                    expected,
                })
            }
        };
        match self {
            Self::None => Ok(()),
            Self::Floor(f) if *f >= 1.0 => Err(Error::Setting {
                name: "floor",
                value: *f,
                expected: "it is a part of the data's variance and must be below 1",
            }),
            Self::Floor(f) => positive("floor", *f),
            Self::Ridge(r) => positive("ridge", *r),
            Self::Prior(p) => {
                if !(p.shrinkage >= 0.0 && p.shrinkage.is_finite()) {
                    let expected = "it must be finite and not negative";
                    return Err(Error::Setting {
                        name: "shrinkage",
                        value: p.shrinkage,
                        expected,
                    });
                }
                positive("extra degrees of freedom", p.extra_degrees_of_freedom)?;
                positive("prior scale", p.scale)
            }
        }
    }

    /// Whether EM never lowers its objective: the log-likelihood, plus the log prior where there is one.
    pub(crate) fn ascends(&self) -> bool {
        !matches!(self, Self::Ridge(_))
    }

    /// The regularizer for data of a certain scale. `exponents` are those of the frame the scale is in.
    pub(crate) fn resolve(
        &self,
        scale: &Scale,
        form: CovarianceType,
        n_components: usize,
        exponents: Option<&[i32]>,
    ) -> Result<Regularizer, Error> {
        let exponent = |j: usize| exponents.map_or(0, |e| e[j]);
        let d = scale.variances.len();
        Ok(match self {
            Self::None => Regularizer::None,
            Self::Floor(f) => Regularizer::Floor(scale.variances.iter().map(|v| f * v).collect()),
            // The ridge is in the data's units squared.
            Self::Ridge(r) => Regularizer::Ridge(
                (0..d)
                    .map(|j| r * 2f64.powi(-exponent(j)).powi(2))
                    .collect(),
            ),
            Self::Prior(p) => Regularizer::Prior(Prior::conjugate(
                form,
                n_components,
                p.shrinkage,
                scale.mean.clone(),
                d as f64 + p.extra_degrees_of_freedom,
                prior_scale(p, scale, form.structure(), n_components, &exponent),
            )),
        })
    }
}

/// cov(data) / K^(2/D) for dense forms, and the mean variance, in the units of the data, for the others.
fn prior_scale(
    prior: &ConjugatePrior,
    scale: &Scale,
    structure: Structure,
    n_components: usize,
    exponent: &impl Fn(usize) -> i32,
) -> Vec<f64> {
    let d = scale.variances.len();
    // R's var() divides by n - 1.
    let unbiased = if scale.total_weight > 1.0 {
        scale.total_weight / (scale.total_weight - 1.0)
    } else {
        1.0
    };
    let factor = prior.scale * unbiased / (n_components as f64).powf(2.0 / d as f64);
    if structure == Structure::Dense {
        let at = |i: usize, j: usize| {
            if i >= j {
                i * (i + 1) / 2 + j
            } else {
                j * (j + 1) / 2 + i
            }
        };
        return (0..d * d)
            .map(|e| factor * scale.scatter[at(e / d, e % d)] / scale.total_weight)
            .collect();
    }
    let largest = (0..d).map(exponent).max().unwrap_or(0);
    let unit = |j: usize| 2f64.powi(2 * (exponent(j) - largest));
    let mean = scale
        .variances
        .iter()
        .enumerate()
        .map(|(j, v)| v * unit(j))
        .sum::<f64>()
        / d as f64;
    let len = if structure == Structure::Isotropic {
        1
    } else {
        d
    };
    (0..len).map(|j| factor * mean / unit(j)).collect()
}

/// Mean, variances and scatter of the whole data.
pub(crate) struct Scale {
    pub(crate) mean: Vec<f64>,
    pub(crate) variances: Vec<f64>,
    scatter: Vec<f64>,
    total_weight: f64,
}

impl Scale {
    pub(crate) fn of_summary(summary: &Summary) -> Self {
        Self {
            mean: summary.moments.mean.clone(),
            variances: summary.variances(),
            scatter: summary.moments.scatter.clone(),
            total_weight: summary.total_weight(),
        }
    }

    /// The components' moments, merged, are those of all data: responsibilities sum to 1.
    pub(crate) fn of_statistics(statistics: &SufficientStatistics) -> Self {
        let d = statistics.n_features();
        let mut total = Moments::zeros(statistics.form.structure(), d);
        for (k, moments) in statistics.moments.iter().enumerate() {
            let mut moments = moments.clone();
            // Relative to the first shift, which lies within the data.
            for (j, mean) in moments.mean.iter_mut().enumerate() {
                *mean += statistics.shifts[(k, j)] - statistics.shifts[(0, j)];
            }
            total.merge(&moments);
        }
        let diagonal = |j: usize| {
            if total.scatter.len() == d {
                j
            } else {
                j * (j + 1) / 2 + j
            }
        };
        Self {
            mean: (0..d)
                .map(|j| statistics.shifts[(0, j)] + total.mean[j])
                .collect(),
            variances: (0..d)
                .map(|j| total.scatter[diagonal(j)] / total.occupancy)
                .collect(),
            scatter: total.scatter.clone(),
            total_weight: total.occupancy,
        }
    }
}
