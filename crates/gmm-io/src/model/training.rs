//! What a model remembers of the data that it was fitted to.

use gmm_core::CompensatedSum;

use super::error::ModelError;

/// What a model file says about the fit: how much data, how likely they are under the model, and how their
/// log-densities are spread, from which a threshold for anomalies can be taken later without the data.
///
/// ```
/// use gmm_io::Training;
///
/// let log_densities: Vec<f64> = (0..1000).map(|i| -f64::from(i) / 100.0).collect();
/// let training = Training::from_log_densities(&log_densities, None)?;
/// assert_eq!(training.n_samples(), 1000);
/// // One training row in a hundred lies at or below this:
/// assert_eq!(training.log_density_quantile(0.01), Some(-9.90));
/// # Ok::<(), gmm_io::ModelError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Training {
    n_samples: u64,
    total_weight: f64,
    log_likelihood: f64,
    density_quantiles: Vec<f64>,
}

impl Training {
    /// The levels at which quantiles of the training data's log-densities are kept: dense in the lower tail, where
    /// thresholds for anomalies lie.
    ///
    /// They belong to version 1 of the file format.
    pub const QUANTILE_LEVELS: [f64; 21] = [
        0.0, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.25,
        0.5, 0.75, 0.9, 0.95, 0.99, 1.0,
    ];

    /// A record without quantiles: the number of rows, the sum of their weights (the same number if they have none)
    /// and their weighted total log-likelihood in nats.
    ///
    /// # Errors
    /// [`ModelError::NoSamples`], [`ModelError::TrainingNumber`].
    pub fn new(n_samples: u64, total_weight: f64, log_likelihood: f64) -> Result<Self, ModelError> {
        if n_samples == 0 {
            return Err(ModelError::NoSamples);
        }
        if !(total_weight > 0.0 && total_weight.is_finite()) {
            return Err(ModelError::TrainingNumber {
                field: "total weight",
                value: total_weight,
                expected: "a positive number",
            });
        }
        finite("log-likelihood", log_likelihood)?;
        Ok(Self {
            n_samples,
            total_weight,
            log_likelihood,
            density_quantiles: Vec::new(),
        })
    }

    /// The record of data with these log-densities under the model, and these sample weights.
    ///
    /// A quantile of level p is the smallest log-density at or below which lies at least the share p of the weight;
    /// rows of weight 0 have no part in it.
    ///
    /// # Errors
    /// [`ModelError::SampleWeightCount`], [`ModelError::NoSamples`], [`ModelError::TrainingNumber`] for a weight that
    /// is negative or a number that is not finite.
    pub fn from_log_densities(
        log_densities: &[f64],
        weights: Option<&[f64]>,
    ) -> Result<Self, ModelError> {
        if let Some(weights) = weights
            && weights.len() != log_densities.len()
        {
            return Err(ModelError::SampleWeightCount {
                found: weights.len(),
                expected: log_densities.len(),
            });
        }
        let mut rows = Vec::with_capacity(log_densities.len());
        for (i, &log_density) in log_densities.iter().enumerate() {
            let weight = weights.map_or(1.0, |weights| weights[i]);
            if !(weight >= 0.0 && weight.is_finite()) {
                return Err(ModelError::TrainingNumber {
                    field: "sample weight",
                    value: weight,
                    expected: "a number that is not negative",
                });
            }
            if weight > 0.0 {
                finite("log-density", log_density)?;
                rows.push((log_density, weight));
            }
        }
        rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let Some(&(last, _)) = rows.last() else {
            return Err(ModelError::NoSamples);
        };
        let total_weight = sum(rows.iter().map(|row| row.1));
        let log_likelihood = sum(rows.iter().map(|row| row.0 * row.1));

        let mut below = 0.0;
        let mut next = rows.iter();
        let mut quantile = f64::NEG_INFINITY;
        let quantiles = Self::QUANTILE_LEVELS.map(|level| {
            // The first row always counts, so that level 0 is the minimum.
            while quantile == f64::NEG_INFINITY || below < level * total_weight {
                let Some(&(log_density, weight)) = next.next() else {
                    return last;
                };
                below += weight;
                quantile = log_density;
            }
            quantile
        });
        Self::new(log_densities.len() as u64, total_weight, log_likelihood)?
            .with_density_quantiles(quantiles.to_vec())
    }

    /// The record with these quantiles of the log-densities, at [`Training::QUANTILE_LEVELS`]; an empty list means
    /// that they are not known.
    ///
    /// # Errors
    /// [`ModelError::QuantileCount`], [`ModelError::QuantileOrder`], [`ModelError::TrainingNumber`].
    pub fn with_density_quantiles(mut self, quantiles: Vec<f64>) -> Result<Self, ModelError> {
        let expected = Self::QUANTILE_LEVELS.len();
        if !quantiles.is_empty() && quantiles.len() != expected {
            return Err(ModelError::QuantileCount {
                found: quantiles.len(),
                expected,
            });
        }
        for (position, &quantile) in quantiles.iter().enumerate() {
            finite("density quantile", quantile)?;
            if position > 0 && quantile < quantiles[position - 1] {
                return Err(ModelError::QuantileOrder { position });
            }
        }
        self.density_quantiles = quantiles;
        Ok(self)
    }

    /// How many rows the model was fitted to.
    pub fn n_samples(&self) -> u64 {
        self.n_samples
    }

    /// The sum of the sample weights.
    pub fn total_weight(&self) -> f64 {
        self.total_weight
    }

    /// The weighted total log-likelihood of the data, in nats.
    pub fn log_likelihood(&self) -> f64 {
        self.log_likelihood
    }

    /// The quantiles of the data's log-densities at [`Training::QUANTILE_LEVELS`]; empty if they are not known.
    pub fn density_quantiles(&self) -> &[f64] {
        &self.density_quantiles
    }

    /// The log-density at or below which this share of the training data lies; between two of the kept levels by linear
    /// interpolation.
    ///
    /// `None` if the quantiles are not known or the level is not within 0 and 1.
    pub fn log_density_quantile(&self, level: f64) -> Option<f64> {
        let upper = Self::QUANTILE_LEVELS
            .iter()
            .position(|&kept| level <= kept)?;
        let high = *self.density_quantiles.get(upper)?;
        let Some(lower) = upper.checked_sub(1) else {
            // Nothing is below level 0, but a level may be.
            return (level >= 0.0).then_some(high);
        };
        let (low, levels) = (self.density_quantiles[lower], Self::QUANTILE_LEVELS);
        let share = (level - levels[lower]) / (levels[upper] - levels[lower]);
        // At a kept level the share is 1, and this form gives that quantile to the last bit.
        Some(low * (1.0 - share) + high * share)
    }
}

fn finite(field: &'static str, value: f64) -> Result<(), ModelError> {
    if value.is_finite() {
        return Ok(());
    }
    Err(ModelError::TrainingNumber {
        field,
        value,
        expected: "a finite number",
    })
}

fn sum(values: impl Iterator<Item = f64>) -> f64 {
    let mut sum = CompensatedSum::default();
    values.for_each(|value| sum.add(value));
    sum.value()
}
