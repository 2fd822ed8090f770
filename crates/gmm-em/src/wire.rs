//! Sufficient statistics as plain numbers, for serde; what is read is checked before it becomes statistics.

use gmm_core::covariance::Moments;
use gmm_core::faer::Mat;
use gmm_core::{CompensatedSum, CovarianceType, Proportions};

use crate::SufficientStatistics;
use crate::statistics::NoiseStatistics;

#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub(crate) struct Wire {
    form: String,
    n_features: usize,
    occupancy: Vec<f64>,
    shifts: Vec<Vec<f64>>,
    means: Vec<Vec<f64>>,
    scatters: Vec<Vec<f64>>,
    log_likelihood: (f64, f64),
    total_weight: f64,
    n_samples: usize,
    /// "equal" or, where it is not given, free.
    #[serde(default)]
    proportions: Option<String>,
    /// Occupancy and log-density.
    #[serde(default)]
    noise: Option<(f64, f64)>,
}

/// Why statistics were refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    #[error(transparent)]
    Form(#[from] gmm_core::Error),
    #[error(
        "the statistics of component {component} don't have the lengths of their form; the file is damaged"
    )]
    Shape { component: usize },
    #[error(
        "the statistics of component {component} are not finite or negative; the file is damaged"
    )]
    Value { component: usize },
    #[error("the noise or the proportions of the statistics are none; the file is damaged")]
    Classes,
    #[error("the totals of the statistics are not finite or negative; the file is damaged")]
    Totals,
}

impl From<SufficientStatistics> for Wire {
    fn from(s: SufficientStatistics) -> Self {
        let row = |k: usize| (0..s.n_features()).map(|j| s.shifts[(k, j)]).collect();
        Self {
            form: s.form.name().to_owned(),
            n_features: s.n_features(),
            occupancy: s.occupancy(),
            shifts: (0..s.n_components()).map(row).collect(),
            means: s.moments.iter().map(|m| m.mean.clone()).collect(),
            scatters: s.moments.iter().map(|m| m.scatter.clone()).collect(),
            log_likelihood: s.log_likelihood.parts(),
            total_weight: s.total_weight,
            n_samples: s.n_samples,
            proportions: (s.proportions != Proportions::Free)
                .then(|| s.proportions.name().to_owned()),
            noise: s.noise.map(|noise| (noise.occupancy, noise.log_density)),
        }
    }
}

impl TryFrom<Wire> for SufficientStatistics {
    type Error = WireError;

    fn try_from(w: Wire) -> Result<Self, WireError> {
        let form: CovarianceType = w.form.parse()?;
        let (n, d) = (w.occupancy.len(), w.n_features);
        if n == 0 || d == 0 || w.shifts.len() != n || w.means.len() != n || w.scatters.len() != n {
            return Err(WireError::Shape { component: n });
        }
        let mut moments = Vec::with_capacity(n);
        for component in 0..n {
            let (shift, mean, scatter) = (
                &w.shifts[component],
                &w.means[component],
                &w.scatters[component],
            );
            // d is the length of vectors that were read, so the square can't be absurd.
            if shift.len() != d
                || mean.len() != d
                || scatter.len() != form.structure().scatter_len(d)
            {
                return Err(WireError::Shape { component });
            }
            let finite = shift
                .iter()
                .chain(mean)
                .chain(scatter)
                .all(|v| v.is_finite());
            let occupancy = w.occupancy[component];
            if !(finite && occupancy.is_finite() && occupancy >= 0.0) {
                return Err(WireError::Value { component });
            }
            moments.push(Moments {
                occupancy,
                mean: mean.clone(),
                scatter: scatter.clone(),
            });
        }
        let proportions = match w.proportions.as_deref() {
            None => Proportions::Free,
            Some(name) => (Proportions::ALL.into_iter())
                .find(|p| p.name() == name)
                .ok_or(WireError::Classes)?,
        };
        let noise = w.noise.map(|(occupancy, log_density)| NoiseStatistics {
            occupancy,
            log_density,
        });
        let is_valid = |n: &NoiseStatistics| {
            n.occupancy >= 0.0 && n.occupancy.is_finite() && n.log_density.is_finite()
        };
        if noise.is_some_and(|n| !is_valid(&n)) {
            return Err(WireError::Classes);
        }
        let (sum, compensation) = w.log_likelihood;
        let weight_is_valid = w.total_weight.is_finite() && w.total_weight >= 0.0;
        // The sum may be -inf, where a row's density is 0.
        if !weight_is_valid || sum.is_nan() || !compensation.is_finite() {
            return Err(WireError::Totals);
        }
        Ok(Self {
            form,
            shifts: Mat::from_fn(n, d, |k, j| w.shifts[k][j]),
            moments,
            log_likelihood: CompensatedSum::from_parts(sum, compensation),
            total_weight: w.total_weight,
            n_samples: w.n_samples,
            least_likely: None,
            proportions,
            noise,
        })
    }
}
