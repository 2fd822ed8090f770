//! One pass over the rows: the E-step of a model, or given responsibilities, gathered into statistics.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use gmm_core::block::{BLOCK_ROWS, Block, Frame};
use gmm_core::covariance::Moments;
use gmm_core::faer::Mat;
use gmm_core::kernels::{Listed, Panels};
use gmm_core::tree::Tree;
use gmm_core::{
    Aligned, CentredBlock, CovarianceType, GaussianMixture, NEGLIGIBLE, Samples, Scratch,
};

use crate::Error;
use crate::blocks::Blocks;
use crate::compact::Compact;
use crate::gathering::Gathering;
use crate::statistics::SufficientStatistics;

/// One E-step over all rows, with means relative to `shifts`.
pub(crate) fn expectation(
    model: &GaussianMixture,
    rows: &impl Blocks,
    shifts: Mat<f64>,
) -> Result<SufficientStatistics, Error> {
    expectation_as(model, rows, shifts, model.covariance_type())
}

/// [`expectation`] for an M-step of another form.
pub(crate) fn expectation_as(
    model: &GaussianMixture,
    rows: &impl Blocks,
    shifts: Mat<f64>,
    form: CovarianceType,
) -> Result<SufficientStatistics, Error> {
    let pass = Pass {
        rows,
        zeros: &SufficientStatistics::of_model_as(model, shifts, form),
        n_pairs: AtomicUsize::new(0),
    };
    pass.gather(&|| Scratch::new(model), &|statistics, block, _, scratch| {
        model.responsibilities_of_block(block, scratch);
        statistics.add_log_density(block, &scratch.log_density);
        None
    })
}

/// [`expectation`] without the rows that say nothing about a component, where they are the most of a block; and the [pairs](Scratch::n_pairs) that were
/// summed. No statistics where a component has lost so much of its rows or of its scatter that what was left out may say something about the rest.
pub(crate) fn sparse_expectation(
    model: &GaussianMixture,
    rows: &impl Blocks,
    shifts: Mat<f64>,
) -> Result<Option<(SufficientStatistics, usize)>, Error> {
    let pass = Pass {
        rows,
        zeros: &SufficientStatistics::of_model(model, shifts),
        n_pairs: AtomicUsize::new(0),
    };
    let negligible = negligible(model);
    let evaluate =
        |statistics: &mut SufficientStatistics, block: &Block, _, scratch: &mut Scratch| {
            model.responsibilities_of_block(block, scratch);
            let least = statistics.add_log_density(block, &scratch.log_density);
            (model.leaves_out(least)).then_some(negligible.as_slice())
        };
    let statistics = pass.gather(&|| Scratch::new(model), &evaluate)?;
    Ok(keeps_enough(model, &statistics).then_some((statistics, pass.n_pairs.into_inner())))
}

/// Whether each component of a model has kept so much of its rows and of its scatter that what was left out says nothing about the rest.
pub(crate) fn keeps_enough(model: &GaussianMixture, statistics: &SufficientStatistics) -> bool {
    /// Of the rows that a component's weight stands for. What is left out of them is 2^-58 at the most, and of a sixteenth 2^-54.
    const LEAST_PART_KEPT: f64 = 1.0 / 16.0;
    /// Of the scatter that they would have under the model, feature by feature: what is left out may be 60 standard deviations away.
    const LEAST_SCATTER_KEPT: f64 = 1.0 / 1024.0;
    let keeps = |(k, moments): (usize, &Moments)| {
        let expected = model.weights()[k] * statistics.total_weight;
        let variances = model.covariances().variances(k);
        let keeps_scatter = |(j, variance): (usize, &f64)| {
            moments.variance_sum(j) >= LEAST_SCATTER_KEPT * expected * variance
        };
        moments.occupancy >= LEAST_PART_KEPT * expected
            && variances.iter().enumerate().all(keeps_scatter)
    };
    statistics.moments.iter().enumerate().all(keeps)
}

/// Up to which size responsibilities say nothing about each component.
pub(crate) fn negligible(model: &GaussianMixture) -> Vec<f64> {
    model.weights().iter().map(|w| NEGLIGIBLE * w).collect()
}

/// [`expectation`] over the blocks of an order, which leaves out what is proved to add nothing; and the [pairs](Scratch::n_pairs) it was left
/// with.
pub(crate) fn compact_expectation(
    model: &GaussianMixture,
    x: &Samples<'_>,
    frame: &Frame,
    shifts: Mat<f64>,
    compact: &Compact,
) -> Result<(SufficientStatistics, usize), Error> {
    let pass = Pass {
        rows: &compact.blocks(x, frame),
        zeros: &SufficientStatistics::of_model(model, shifts),
        n_pairs: AtomicUsize::new(0),
    };
    let negligible = negligible(model);
    let evaluate =
        |statistics: &mut SufficientStatistics, block: &Block, index, scratch: &mut Scratch| {
            let is_near = compact.responsibilities(model, block, index, scratch);
            statistics.add_log_density(block, &scratch.log_density);
            is_near.then_some(negligible.as_slice())
        };
    let mut statistics = pass.gather(&|| Scratch::new(model), &evaluate)?;
    if let Some((place, _)) = &mut statistics.least_likely {
        *place = compact.row(*place);
    }
    Ok((statistics, pass.n_pairs.into_inner()))
}

/// The statistics of given responsibilities: `assign(block, r)` writes n_components x [`BLOCK_ROWS`] of them. Those of lanes past the
/// last row don't matter, but must be finite.
pub(crate) fn assignment(
    rows: &impl Blocks,
    form: CovarianceType,
    n_components: usize,
    assign: &(impl Fn(&Block, &mut [f64]) + Sync),
) -> Result<SufficientStatistics, Error> {
    let zeros = SufficientStatistics::about(form, Mat::zeros(n_components, rows.n_features()));
    let scratch = || Scratch {
        centred: Aligned::default(),
        whitened: Aligned::default(),
        about_centre: CentredBlock::default(),
        panels: Panels::default(),
        joint: Aligned::zeros(n_components * BLOCK_ROWS),
        log_density: Aligned::default(),
        listed: Listed::default(),
        n_pairs: 0,
        bounds: None,
        active: (0..n_components).collect(),
    };
    let pass = Pass {
        rows,
        zeros: &zeros,
        n_pairs: AtomicUsize::new(0),
    };
    pass.gather(&scratch, &|_, block, _, scratch| {
        assign(block, &mut scratch.joint);
        None
    })
}

/// An `assign` for [`assignment`] that writes the responsibilities of one row of the table at a time.
pub(crate) fn row_by_row(
    assign: impl Fn(usize, &mut [f64]) + Sync,
) -> impl Fn(&Block, &mut [f64]) + Sync {
    move |block, joint| {
        let mut r = vec![0.0; joint.len() / BLOCK_ROWS];
        for (i, row) in block.rows().enumerate() {
            assign(row, &mut r);
            for (lanes, r) in joint.chunks_exact_mut(BLOCK_ROWS).zip(&r) {
                lanes[i] = *r;
            }
        }
    }
}

/// An `assign` for [`assignment`] that gives each row of the table to the component of its label; to none, where there is no such component.
pub(crate) fn by_label(labels: &[usize]) -> impl Fn(&Block, &mut [f64]) + Sync {
    |block, joint| {
        joint.fill(0.0);
        let n_components = joint.len() / BLOCK_ROWS;
        for (lane, row) in block.rows().enumerate() {
            if labels[row] < n_components {
                joint[labels[row] * BLOCK_ROWS + lane] = 1.0;
            }
        }
    }
}

/// The tasks of a pass over all blocks that gathers such statistics.
pub(crate) fn tasks(rows: &impl Blocks, zeros: &SufficientStatistics) -> Tree {
    let d = zeros.n_features();
    let of_component = zeros.covariance_type().structure().scatter_len(d) + d;
    let n_components = zeros.n_components();
    Tree::new(rows.n_blocks(), n_components, n_components * of_component)
}

/// A pass over all blocks.
struct Pass<'a, R> {
    rows: &'a R,
    zeros: &'a SufficientStatistics,
    /// Of all [scratch memories](Scratch::n_pairs): a sum, whatever the order in which threads add to it.
    n_pairs: AtomicUsize,
}

impl<R: Blocks> Pass<'_, R> {
    /// Adds up what `evaluate` leaves of each block (given with its number) in the scratch memory. It answers up to which size
    /// responsibilities need not be added, component by component; without an answer, only those that are 0.
    fn gather<'n>(
        &self,
        scratch: &(impl Fn() -> Scratch + Sync),
        evaluate: &(
             impl Fn(&mut SufficientStatistics, &Block, usize, &mut Scratch) -> Option<&'n [f64]> + Sync
         ),
    ) -> Result<SufficientStatistics, Error> {
        let zeros = self.zeros;
        let shifts = zeros.shift_rows();
        let memory = || (None, scratch());
        let leaf = |(memory, scratch): &mut (Option<Block>, Scratch), blocks: Range<usize>| {
            let mut gathering = Gathering::new(zeros, &shifts);
            for index in blocks {
                let block = self.rows.block(index, memory)?;
                let statistics = &mut gathering.statistics;
                let negligible = evaluate(statistics, block, index, scratch);
                gathering.add_block(block, negligible, scratch);
            }
            let n_pairs = std::mem::take(&mut scratch.n_pairs);
            self.n_pairs.fetch_add(n_pairs, Ordering::Relaxed);
            Ok(gathering.finish())
        };
        tasks(self.rows, zeros).reduce(&memory, &leaf, &SufficientStatistics::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocks::Table;
    use gmm_core::Covariances;

    const D: usize = 8;

    /// Two components of one standard deviation, 20 apart, and rows of which one in so many belongs to the second, whose weight is given.
    fn groups(one_in: usize, weight: f64) -> (GaussianMixture, Mat<f64>) {
        let identity: Mat<f64> = Mat::identity(D, D);
        let covariances = Covariances::full(&[identity.clone(), identity]).unwrap();
        let means = Mat::from_fn(2, D, |k, j| if j == 0 { 20.0 * k as f64 } else { 0.0 });
        let model = GaussianMixture::new(vec![1.0 - weight, weight], means, covariances).unwrap();
        let x = Mat::from_fn(600, D, |i, j| {
            let of_second = i % one_in == 0 && j == 0;
            ((i * 29 + j * 53) % 97) as f64 / 50.0 - 1.0 + if of_second { 20.0 } else { 0.0 }
        });
        (model, x)
    }

    fn both(
        model: &GaussianMixture,
        x: &Mat<f64>,
    ) -> (Option<(SufficientStatistics, usize)>, SufficientStatistics) {
        let rows = Table {
            x: &x.into(),
            frame: &Frame::identity(D),
        };
        let shifts = || model.means().to_owned();
        let dense = expectation(model, &rows, shifts()).unwrap();
        (sparse_expectation(model, &rows, shifts()).unwrap(), dense)
    }

    /// One row in 16 is of the second component: those are listed in each block, the first one takes all.
    #[test]
    fn rows_that_say_nothing_are_left_out() {
        let (model, x) = groups(16, 1.0 / 16.0);
        let (sparse, dense) = both(&model, &x);
        let (statistics, n_pairs) = sparse.unwrap();
        // Of rows that are listed each costs as much as four among all.
        assert_eq!(n_pairs, 3 * BLOCK_ROWS + 4 * (16 + 16 + 6));
        for (found, expected) in statistics.moments.iter().zip(&dense.moments) {
            assert!((found.occupancy - expected.occupancy).abs() <= 1e-14 * expected.occupancy);
            let numbers = found.scatter.iter().zip(&expected.scatter);
            let largest = expected.scatter.iter().copied().fold(0.0, f64::max);
            numbers.for_each(|(a, b)| assert!((a - b).abs() <= 1e-14 * largest));
        }
        let likelihoods = [&statistics, &dense].map(|s| s.log_likelihood().to_bits());
        assert_eq!(likelihoods[0], likelihoods[1]);
    }

    /// A variance that shrinks to next to nothing may be what was left out.
    #[test]
    fn a_component_that_shrinks_is_summed_with_all_rows() {
        let (model, mut x) = groups(16, 1.0 / 16.0);
        (0..x.nrows()).for_each(|i| x[(i, 3)] *= 1e-3);
        assert!(both(&model, &x).0.is_none());
    }

    /// What is left out would be all that a component has.
    #[test]
    fn a_component_that_loses_its_rows_is_summed_with_all_digits() {
        let (model, x) = groups(700, 0.5);
        let (sparse, dense) = both(&model, &x);
        assert!(sparse.is_none());
        assert!(dense.moments[1].occupancy > 0.0);
    }
}
