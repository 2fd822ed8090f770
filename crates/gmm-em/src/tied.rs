//! The pass of a tied fit: one scatter for the whole data, taken once, instead of one per component and iteration.
//!
//! Σₖ Σᵢ rᵢₖ (xᵢ - μₖ)(xᵢ - μₖ)' = Σᵢ (xᵢ - m)(xᵢ - m)' - Σₖ Nₖ (μₖ - m)(μₖ - m)': the scatter within the components is that of the data
//! less that between them. An M-step then needs only the occupancies and means, 2 K D flop per row, and the E-step is linear
//! ([`Discriminant`](gmm_core::Discriminant)).
//!
//! The difference loses as many bits as the data's scatter is larger than the one within, in the direction where it is largest.
//! Where that may be more than [`MOST_SPREAD`], the general pass is taken.

use std::ops::Range;

use gmm_core::block::Block;
use gmm_core::covariance::Moments;
use gmm_core::faer::Mat;
use gmm_core::kernels::cross_sums;
use gmm_core::kernels::operations::Real;
use gmm_core::tree::Tree;
use gmm_core::{CovarianceType, Covariances, Discriminant, DiscriminantScratch, GaussianMixture};

use crate::blocks::Blocks;
use crate::gathering::weigh_in_parts;
use crate::statistics::SufficientStatistics;
use crate::summary::Summary;
use crate::{Error, Precision};

/// Six of 53 bits.
const MOST_SPREAD: f64 = 64.0;
/// Of the mean that is farthest from that of all rows, in single precision: six standard deviations. Log-joint densities of that size are rounded by
/// 1e-6, those of all rows in the same way.
const FARTHEST_SINGLE: f64 = 36.0;

/// What all passes of a tied fit share.
pub(crate) struct TiedPass<'a> {
    summary: &'a Summary,
}

impl<'a> TiedPass<'a> {
    /// `None` for another form.
    pub(crate) fn new(form: CovarianceType, summary: &'a Summary) -> Option<Self> {
        let is_tied = form == CovarianceType::Tied;
        is_tied.then_some(Self { summary })
    }

    /// The statistics of a model, as those of [`expectation`](crate::pass::expectation) up to rounding, and the precision they were taken in, which is
    /// no higher than asked for; `None` where too many digits would be lost, and with noise. The scatter, of which only the sum over the components
    /// matters, is shared out by occupancy.
    pub(crate) fn expectation(
        &self,
        model: &GaussianMixture,
        rows: &impl Blocks,
        shifts: &Mat<f64>,
        precision: Precision,
    ) -> Result<Option<(SufficientStatistics, Precision)>, Error> {
        let known = model.discriminant(&self.summary.moments.mean);
        let Some(discriminant) = known.filter(|d| d.spread() <= MOST_SPREAD) else {
            return Ok(None);
        };
        if precision == Precision::Mixed
            && discriminant.farthest() <= FARTHEST_SINGLE
            && let Some(single) = discriminant.single()
            && let Some(statistics) = self.statistics(model, &single, rows, shifts)?
        {
            return Ok(Some((statistics, Precision::Mixed)));
        }
        let statistics = self.statistics(model, &discriminant, rows, shifts)?;
        Ok(statistics.map(|statistics| (statistics, Precision::Double)))
    }

    fn statistics<T: Real>(
        &self,
        model: &GaussianMixture,
        discriminant: &Discriminant<T>,
        rows: &impl Blocks,
        shifts: &Mat<f64>,
    ) -> Result<Option<SufficientStatistics>, Error> {
        let origin = &self.summary.moments.mean;
        let sums = sums(model, discriminant, rows)?;
        // Not so where a squared distance overflowed.
        if !sums.whole.log_likelihood().is_finite() {
            return Ok(None);
        }
        let Some(scatter) = self.within(&sums) else {
            return Ok(None);
        };
        let total: f64 = sums.occupancy.iter().sum();
        let moments = |k: usize| {
            let mean = sums.mean(k);
            let about_shift = mean.iter().zip(origin).enumerate();
            Moments {
                occupancy: sums.occupancy[k],
                mean: about_shift
                    .map(|(j, (mean, origin))| mean + (origin - shifts[(k, j)]))
                    .collect(),
                scatter: (scatter.iter())
                    .map(|s| s * (sums.occupancy[k] / total))
                    .collect(),
            }
        };
        Ok(Some(SufficientStatistics {
            moments: (0..model.n_components()).map(moments).collect(),
            shifts: shifts.clone(),
            proportions: model.proportions(),
            ..sums.whole
        }))
    }

    /// The scatter within the components, packed; `None` where it is a small part of the data's in some direction.
    fn within(&self, sums: &Sums) -> Option<Vec<f64>> {
        let mut scatter = self.summary.moments.scatter.clone();
        let (k, d) = (sums.occupancy.len(), self.summary.n_features());
        let means: Vec<Vec<f64>> = (0..k).map(|k| sums.mean(k)).collect();
        for (n, mean) in sums.occupancy.iter().zip(&means) {
            let mut entry = 0;
            for i in 0..d {
                let scaled = n * mean[i];
                for m in &mean[..=i] {
                    scatter[entry] -= scaled * m;
                    entry += 1;
                }
            }
        }
        let total: f64 = sums.occupancy.iter().sum();
        let (mut weights, mut covariance) = (sums.occupancy.clone(), Mat::zeros(d, d));
        weights.iter_mut().for_each(|w| *w /= total);
        for i in 0..d {
            for j in 0..=i {
                covariance[(i, j)] = scatter[i * (i + 1) / 2 + j] / total;
                covariance[(j, i)] = covariance[(i, j)];
            }
        }
        let covariances = Covariances::tied(covariance.as_ref(), k).ok()?;
        let means = Mat::from_fn(k, d, |k, j| means[k][j]);
        let next = GaussianMixture::new(weights, means, covariances).ok()?;
        let spread = next.discriminant(&vec![0.0; d])?.spread();
        (spread <= MOST_SPREAD).then_some(scatter)
    }
}

/// A pass over the rows.
fn sums<T: Real>(
    model: &GaussianMixture,
    discriminant: &Discriminant<T>,
    rows: &impl Blocks,
) -> Result<Sums, Error> {
    let memory = || (None, discriminant.scratch());
    let leaf = |(memory, scratch): &mut (Option<Block>, _), blocks: Range<usize>| {
        let mut sums = Sums::zeros(model.n_components(), model.n_features());
        for index in blocks {
            let block = rows.block(index, memory)?;
            discriminant.responsibilities_of_block(block, scratch);
            sums.add_block(block, scratch);
        }
        Ok(sums)
    };
    let (k, n_parameters) = (model.n_components(), model.n_free_parameters());
    Tree::new(rows.n_blocks(), k, n_parameters).reduce(&memory, &leaf, &Sums::merge)
}

/// What a pass adds up.
struct Sums {
    /// Log-likelihood and weight; no components.
    whole: SufficientStatistics,
    /// Nₖ.
    occupancy: Vec<f64>,
    /// Σᵢ rᵢₖ (xᵢ - m), component by component.
    sums: Vec<f64>,
    /// Working memory: what a block adds to both.
    part: [Vec<f64>; 2],
}

impl Sums {
    fn zeros(n_components: usize, n_features: usize) -> Self {
        Self {
            whole: SufficientStatistics::about(CovarianceType::Tied, Mat::zeros(0, n_features)),
            occupancy: vec![0.0; n_components],
            sums: vec![0.0; n_components * n_features],
            part: [n_components, n_components * n_features].map(|n| vec![0.0; n]),
        }
    }

    fn add_block<T: Real>(&mut self, block: &Block, scratch: &mut DiscriminantScratch<T>) {
        self.whole.add_log_density(block, &scratch.log_density);
        self.whole.count(block);
        let unit = weigh_in_parts(block, &mut scratch.joint);
        if unit == 0.0 {
            return;
        }
        let [occupancy, sums] = &mut self.part;
        occupancy.fill(0.0);
        sums.fill(0.0);
        cross_sums(&scratch.joint, &scratch.centred, occupancy, sums);
        let add = |a: &mut [f64], b: &[f64]| a.iter_mut().zip(b).for_each(|(a, b)| *a += unit * b);
        add(&mut self.occupancy, occupancy);
        add(&mut self.sums, sums);
    }

    fn merge(&mut self, other: &Self) {
        self.whole.add(&other.whole);
        let add = |a: &mut [f64], b: &[f64]| a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        add(&mut self.occupancy, &other.occupancy);
        add(&mut self.sums, &other.sums);
    }

    /// μₖ - m; 0 for a component without rows.
    fn mean(&self, k: usize) -> Vec<f64> {
        let d = self.sums.len() / self.occupancy.len();
        let (n, sums) = (self.occupancy[k], &self.sums[k * d..(k + 1) * d]);
        let mean = |sum: &f64| if n > 0.0 { sum / n } else { 0.0 };
        sums.iter().map(mean).collect()
    }
}
