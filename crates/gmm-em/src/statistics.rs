//! Sufficient statistics of the E-step: what threads, machines and files exchange.

use gmm_core::block::{BLOCK_ROWS, Block, Frame};
use gmm_core::covariance::Moments;
use gmm_core::faer::{Mat, MatRef};
use gmm_core::kernels::weighted_range;
use gmm_core::{CompensatedSum, CovarianceType, GaussianMixture, Proportions, Samples};

use crate::Error;
use crate::blocks::Table;
use crate::pass::{assignment, expectation, row_by_row};

/// What one E-step leaves of the data: per component the occupancy, mean and scatter, and the log-likelihood.
///
/// Statistics of parts of the data add up to those of the whole ([`merge`](Self::merge)), so this is the whole protocol of a
/// parallel or distributed EM step:
///
/// ```
/// use gmm_core::faer::mat;
/// use gmm_core::{Covariances, GaussianMixture};
/// use gmm_em::{Regularization, SufficientStatistics};
///
/// let model = GaussianMixture::new(vec![0.5, 0.5], mat![[0.0], [3.0]], Covariances::spherical(&[1.0, 1.0], 1)?)?;
/// let (here, there) = (mat![[-0.5], [0.1], [0.4]], mat![[2.5], [3.5]]);
/// let mut statistics = SufficientStatistics::zeros(&model);
/// statistics.observe(&model, &here)?;
/// let mut elsewhere = SufficientStatistics::zeros(&model);
/// elsewhere.observe(&model, &there)?;
/// statistics.merge(&elsewhere)?;
/// let next = statistics.maximize(Regularization::default())?;
/// assert_eq!(statistics.n_samples(), 5);
/// assert!(next.log_likelihood(&here)? + next.log_likelihood(&there)? > statistics.log_likelihood());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Means are kept relative to the means of the model that they were gathered with; scatters are about the statistics' own
/// means and merged by the rule of Chan, Golub and LeVeque (1983), so that neither an offset nor a far start costs digits.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(try_from = "crate::wire::Wire", into = "crate::wire::Wire")
)]
pub struct SufficientStatistics {
    pub(crate) form: CovarianceType,
    /// n_components x n_features.
    pub(crate) shifts: Mat<f64>,
    pub(crate) moments: Vec<Moments>,
    pub(crate) log_likelihood: CompensatedSum,
    pub(crate) total_weight: f64,
    pub(crate) n_samples: usize,
    /// The row of lowest density, and its log-density.
    pub(crate) least_likely: Option<(usize, f64)>,
    /// Whether the M-step keeps the weights equal.
    pub(crate) proportions: Proportions,
    /// Of the class of noise, if there is one.
    pub(crate) noise: Option<NoiseStatistics>,
}

/// What an E-step leaves of the rows that are noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct NoiseStatistics {
    pub(crate) occupancy: f64,
    /// Of the noise; no M-step changes it.
    pub(crate) log_density: f64,
}

impl SufficientStatistics {
    /// The statistics of no data, for a model: its form, its proportions and its noise are those of the M-step.
    pub fn zeros(model: &GaussianMixture) -> Self {
        Self::of_model(model, model.means().to_owned())
    }

    /// [`zeros`](Self::zeros) with means relative to the rows of `shifts`.
    pub(crate) fn of_model(model: &GaussianMixture, shifts: Mat<f64>) -> Self {
        Self::of_model_as(model, shifts, model.covariance_type())
    }

    /// [`of_model`](Self::of_model) for an M-step of another form.
    pub(crate) fn of_model_as(
        model: &GaussianMixture,
        shifts: Mat<f64>,
        form: CovarianceType,
    ) -> Self {
        Self {
            proportions: model.proportions(),
            noise: model.noise().map(|noise| NoiseStatistics {
                occupancy: 0.0,
                log_density: noise.log_density(),
            }),
            ..Self::about(form, shifts)
        }
    }

    /// The statistics of no data without noise, for free weights, with means relative to the rows of `shifts`.
    pub(crate) fn about(form: CovarianceType, shifts: Mat<f64>) -> Self {
        let zeros = Moments::zeros(form.structure(), shifts.ncols());
        Self {
            form,
            moments: vec![zeros; shifts.nrows()],
            shifts,
            log_likelihood: CompensatedSum::default(),
            total_weight: 0.0,
            n_samples: 0,
            least_likely: None,
            proportions: Proportions::Free,
            noise: None,
        }
    }

    /// The statistics of data with given responsibilities, n_samples x n_components: what the first M-step of a start
    /// needs. There is no model yet, so the log-likelihood is 0.
    ///
    /// # Errors
    /// [`Error::StartRows`], [`Error::StartResponsibilities`], and those of the data.
    pub fn from_responsibilities<'a>(
        x: impl Into<Samples<'a>>,
        form: CovarianceType,
        responsibilities: MatRef<'_, f64>,
    ) -> Result<Self, Error> {
        let x = x.into();
        let identity = Frame::identity(x.n_features());
        x.check_shape(x.n_features())?;
        crate::start::check_responsibilities(responsibilities, &x)?;
        let assign = |row: usize, r: &mut [f64]| {
            r.iter_mut()
                .enumerate()
                .for_each(|(k, r)| *r = responsibilities[(row, k)]);
        };
        let n_components = responsibilities.ncols();
        let rows = Table {
            x: &x,
            frame: &identity,
        };
        assignment(&rows, form, n_components, &row_by_row(assign))
    }

    /// Adds data: their responsibilities under the model, weighted moments and log-likelihood. In parallel over blocks;
    /// the bits don't depend on the number of threads.
    ///
    /// # Errors
    /// [`Error::StatisticsShape`] if the model has another shape, [`Error::StatisticsClasses`] if it has other noise or other
    /// proportions, and those of the data.
    pub fn observe<'a>(
        &mut self,
        model: &GaussianMixture,
        x: impl Into<Samples<'a>>,
    ) -> Result<(), Error> {
        self.check_shape(
            model.covariance_type(),
            model.n_components(),
            model.n_features(),
        )?;
        self.check_classes(&Self::of_model(model, Mat::new()))?;
        let x = x.into();
        x.check_shape(model.n_features())?;
        let rows = Table {
            x: &x,
            frame: &Frame::identity(model.n_features()),
        };
        let gather = |shifts| expectation(model, &rows, shifts);
        let mut part = gather(self.shifts.clone())?;
        if self.n_samples == 0
            && let Some(nearer) = part.nearer_shifts()
        {
            part = gather(nearer.clone())?;
            self.shifts = nearer;
        }
        self.add(&part);
        Ok(())
    }

    /// Shifts at the means, if a mean is the small difference of its shift and what was gathered about it: a model 1e5 standard deviations
    /// from the rows would leave five digits less of the means. None where four bits are lost at the most.
    fn nearer_shifts(&self) -> Option<Mat<f64>> {
        const CANCELLATION: f64 = 16.0;
        let mut shifts = self.shifts.clone();
        let mut is_far = false;
        for (k, moments) in self.moments.iter().enumerate() {
            for (j, mean) in moments.mean.iter().enumerate() {
                let near = shifts[(k, j)] + mean;
                let sd = (moments.variance_sum(j) / moments.occupancy).sqrt();
                is_far |= mean.abs() > CANCELLATION * near.abs().max(sd);
                if near.is_finite() {
                    shifts[(k, j)] = near;
                }
            }
        }
        is_far.then_some(shifts)
    }

    /// Adds the statistics of other data.
    ///
    /// # Errors
    /// [`Error::StatisticsShape`] if the other statistics have another form, number of components or of features,
    /// [`Error::StatisticsClasses`] if they have other noise or other proportions.
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        self.check_shape(other.form, other.n_components(), other.n_features())?;
        self.check_classes(other)?;
        let mut other = other.clone();
        for (k, moments) in other.moments.iter_mut().enumerate() {
            for (j, mean) in moments.mean.iter_mut().enumerate() {
                *mean += other.shifts[(k, j)] - self.shifts[(k, j)];
            }
        }
        self.add(&other);
        Ok(())
    }

    /// Adds statistics about the same shifts.
    pub(crate) fn add(&mut self, other: &Self) {
        for (mine, others) in self.moments.iter_mut().zip(&other.moments) {
            mine.merge(others);
        }
        if let (Some(mine), Some(others)) = (&mut self.noise, &other.noise) {
            mine.occupancy += others.occupancy;
        }
        self.log_likelihood.merge(&other.log_likelihood);
        self.total_weight += other.total_weight;
        self.n_samples += other.n_samples;
        self.least_likely = match (self.least_likely, other.least_likely) {
            (Some(a), Some(b)) => Some(if b.1 < a.1 { b } else { a }),
            (a, b) => a.or(b),
        };
    }

    /// Counts the data `factor` times: 0.99 makes old data fade, 1/n turns sums into means.
    ///
    /// # Errors
    /// [`Error::Setting`] if the factor is negative or not finite.
    pub fn scale(&mut self, factor: f64) -> Result<(), Error> {
        if !(factor.is_finite() && factor >= 0.0) {
            return Err(Error::Setting {
                name: "factor",
                value: factor,
                expected: "it must be finite and not negative",
            });
        }
        self.moments.iter_mut().for_each(|m| m.scale(factor));
        if let Some(noise) = &mut self.noise {
            noise.occupancy *= factor;
        }
        self.log_likelihood.scale(factor);
        self.total_weight *= factor;
        Ok(())
    }

    /// Makes the last component the class of noise.
    pub(crate) fn take_last_as_noise(&mut self, log_density: f64) {
        let Some(last) = self.n_components().checked_sub(1) else {
            return;
        };
        self.noise = Some(NoiseStatistics {
            occupancy: self.moments[last].occupancy,
            log_density,
        });
        self.remove(last);
    }

    /// The shifts, component by component.
    pub(crate) fn shift_rows(&self) -> Vec<Vec<f64>> {
        (self.shifts.row_iter())
            .map(|row| row.iter().copied().collect())
            .collect()
    }

    /// Leaves out a component.
    pub(crate) fn remove(&mut self, component: usize) {
        self.moments.remove(component);
        let kept: Vec<usize> = (0..self.shifts.nrows())
            .filter(|k| *k != component)
            .collect();
        self.shifts = Mat::from_fn(kept.len(), self.shifts.ncols(), |k, j| {
            self.shifts[(kept[k], j)]
        });
    }

    /// Σᵢ wᵢ rᵢₖ for each component.
    pub fn occupancy(&self) -> Vec<f64> {
        self.moments.iter().map(|m| m.occupancy).collect()
    }

    /// Σᵢ wᵢ rᵢ₀ of the noise, if there is a class of it.
    pub fn noise_occupancy(&self) -> Option<f64> {
        self.noise.map(|noise| noise.occupancy)
    }

    /// Σᵢ wᵢ log p(xᵢ) in nats, under the models the data were observed with.
    pub fn log_likelihood(&self) -> f64 {
        self.log_likelihood.value()
    }

    /// Σᵢ wᵢ.
    pub fn total_weight(&self) -> f64 {
        self.total_weight
    }

    /// Number of rows that were observed.
    pub fn n_samples(&self) -> usize {
        self.n_samples
    }

    /// Number of components.
    pub fn n_components(&self) -> usize {
        self.moments.len()
    }

    /// Number of features.
    pub fn n_features(&self) -> usize {
        self.shifts.ncols()
    }

    /// The covariance form the statistics are gathered for.
    pub fn covariance_type(&self) -> CovarianceType {
        self.form
    }

    /// Statistics with another density of the noise are those of another model.
    pub(crate) fn check_classes(&self, other: &Self) -> Result<(), Error> {
        let classes = |s: &Self| {
            let density = s.noise.map(|noise| noise.log_density.to_bits());
            (density, s.proportions)
        };
        if classes(self) == classes(other) {
            Ok(())
        } else {
            Err(Error::StatisticsClasses)
        }
    }

    pub(crate) fn check_shape(
        &self,
        form: CovarianceType,
        n_components: usize,
        n_features: usize,
    ) -> Result<(), Error> {
        if (self.form, self.n_components(), self.n_features()) == (form, n_components, n_features) {
            return Ok(());
        }
        Err(Error::StatisticsShape {
            found_components: n_components,
            found_features: n_features,
            found_form: form,
            expected_components: self.n_components(),
            expected_features: self.n_features(),
            expected_form: self.form,
        })
    }

    /// Counts the rows of a block and their weights.
    pub(crate) fn count(&mut self, block: &Block) {
        self.total_weight += if block.is_weighted() {
            block.weights().iter().sum()
        } else {
            BLOCK_ROWS as f64
        };
        self.n_samples += block.len();
    }

    /// Adds the block's log-likelihood; rows of weight 0 count as left out, also where their density is 0. The least of the log-densities that count.
    pub(crate) fn add_log_density(&mut self, block: &Block, log_density: &[f64]) -> f64 {
        self.log_likelihood
            .add_weighted(block.weights(), log_density);
        let (least, _) = weighted_range(log_density, block.weights());
        if self.least_likely.is_none_or(|known| least < known.1) {
            let mut counted = block.rows().zip(log_density.iter().zip(block.weights()));
            let found = counted.find(|(_, (l, w))| **w > 0.0 && **l <= least);
            self.least_likely = found.map(|(row, _)| (row, least)).or(self.least_likely);
        }
        least
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gmm_core::block::Frame;

    /// The least likely row is the first of those that count, whatever is before it; totals leave out what doesn't count.
    #[test]
    fn the_least_likely_row_counts() {
        let n = 2 * BLOCK_ROWS + 44;
        let x = Mat::from_fn(n, 1, |i, _| i as f64);
        let weights: Vec<f64> = (0..n).map(|i| [1.0, 0.0, 0.5][i % 3]).collect();
        let mut statistics =
            SufficientStatistics::about(CovarianceType::Full, Mat::from_fn(1, 1, |_, _| 0.0));
        let mut block = Block::new(1);
        // Lower in the second block, and lowest where nothing counts; the last block has none lower.
        let density = |row: usize| match row {
            100 | 400 => f64::NEG_INFINITY,
            32 => -50.0,
            303 | 306 => -70.0,
            _ => -1.0,
        };
        let samples = Samples::from(&x).with_weights(&weights);
        assert!(weights[100] == 0.0 && weights[400] == 0.0);
        for (index, least) in [(0, (32, -50.0)), (1, (303, -70.0)), (2, (303, -70.0))] {
            block.fill(&samples, index, &Frame::identity(1)).unwrap();
            let mut log_density = [f64::NEG_INFINITY; BLOCK_ROWS];
            for (lane, row) in block.rows().enumerate() {
                log_density[lane] = density(row);
            }
            statistics.count(&block);
            statistics.add_log_density(&block, &log_density);
            assert_eq!(statistics.least_likely, Some(least));
        }
        assert_eq!(statistics.n_samples, n);
        let total: f64 = weights.iter().sum();
        assert!((statistics.total_weight - total).abs() <= 1e-12 * total);
        let counted = (0..n).filter(|&i| weights[i] > 0.0);
        let expected: f64 = counted.map(|i| weights[i] * density(i)).sum();
        assert!((statistics.log_likelihood() - expected).abs() <= 1e-12 * expected.abs());
    }
}
