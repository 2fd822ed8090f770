//! One pass over the rows: the E-step of a model, or given responsibilities, gathered into statistics.

use gmm_core::block::{BLOCK_ROWS, Block, Frame};
use gmm_core::covariance::Moments;
use gmm_core::faer::Mat;
use gmm_core::kernels::Panels;
use gmm_core::{Aligned, CovarianceType, GaussianMixture, NEGLIGIBLE, Samples, Scratch};

use crate::compact::Compact;
use crate::statistics::SufficientStatistics;
use crate::{Error, tree};

/// One E-step over all rows, in the coordinates of the frame, with means relative to `shifts`.
pub(crate) fn expectation(
    model: &GaussianMixture,
    x: &Samples<'_>,
    frame: &Frame,
    shifts: Mat<f64>,
) -> Result<SufficientStatistics, Error> {
    expectation_as(model, x, frame, shifts, model.covariance_type())
}

/// [`expectation`] for an M-step of another form.
pub(crate) fn expectation_as(
    model: &GaussianMixture,
    x: &Samples<'_>,
    frame: &Frame,
    shifts: Mat<f64>,
    form: CovarianceType,
) -> Result<SufficientStatistics, Error> {
    let pass = Pass {
        n_blocks: Block::count(x.n_samples()),
        zeros: &SufficientStatistics::of_model_as(model, shifts, form),
        fill: &|block, index| Ok(block.fill(x, index, frame)?),
    };
    pass.gather(&|| Scratch::new(model), &|statistics, block, _, scratch| {
        model.responsibilities_of_block(block, scratch);
        statistics.add_log_density(block, &scratch.log_density);
        None
    })
}

/// [`expectation`] over the blocks of an order, which leaves out what is proved to add nothing.
pub(crate) fn compact_expectation(
    model: &GaussianMixture,
    x: &Samples<'_>,
    frame: &Frame,
    shifts: Mat<f64>,
    compact: &Compact,
) -> Result<SufficientStatistics, Error> {
    let pass = Pass {
        n_blocks: compact.n_blocks(),
        zeros: &SufficientStatistics::of_model(model, shifts),
        fill: &|block, index| compact.fill(block, x, index, frame),
    };
    let negligible: Vec<f64> = model.weights().iter().map(|w| NEGLIGIBLE * w).collect();
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
    Ok(statistics)
}

/// The statistics of given responsibilities: `assign(block, r)` writes n_components x [`BLOCK_ROWS`] of them. Those of lanes past the
/// last row don't matter, but must be finite.
pub(crate) fn assignment(
    x: &Samples<'_>,
    frame: &Frame,
    form: CovarianceType,
    n_components: usize,
    assign: &(impl Fn(&Block, &mut [f64]) + Sync),
) -> Result<SufficientStatistics, Error> {
    let d = x.n_features();
    let zeros = SufficientStatistics::about(form, Mat::zeros(n_components, d));
    let scratch = || Scratch {
        centred: Aligned::default(),
        scaled: Aligned::default(),
        panels: Panels::default(),
        joint: Aligned::zeros(n_components * BLOCK_ROWS),
        log_density: Aligned::default(),
        active: (0..n_components).collect(),
    };
    let pass = Pass {
        n_blocks: Block::count(x.n_samples()),
        zeros: &zeros,
        fill: &|block, index| Ok(block.fill(x, index, frame)?),
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

/// A pass over all blocks.
struct Pass<'a> {
    n_blocks: usize,
    zeros: &'a SufficientStatistics,
    fill: &'a (dyn Fn(&mut Block, usize) -> Result<(), Error> + Sync),
}

impl Pass<'_> {
    /// Adds up what `evaluate` leaves of each block (given with its number) in the scratch memory. It answers up to which size
    /// responsibilities need not be added, component by component; without an answer, only those that are 0.
    fn gather<'n>(
        &self,
        scratch: &(impl Fn() -> Scratch + Sync),
        evaluate: &(
             impl Fn(&mut SufficientStatistics, &Block, usize, &mut Scratch) -> Option<&'n [f64]> + Sync
         ),
    ) -> Result<SufficientStatistics, Error> {
        let (zeros, n_features) = (self.zeros, self.zeros.n_features());
        let leaf = |blocks: std::ops::Range<usize>| -> Result<SufficientStatistics, Error> {
            let mut statistics = zeros.clone();
            let (mut block, mut scratch) = (Block::new(n_features), scratch());
            let mut part = Moments::zeros(zeros.form.structure(), n_features);
            let shifts = zeros.shift_rows();
            for index in blocks {
                (self.fill)(&mut block, index)?;
                block.hide_weightless();
                let negligible = evaluate(&mut statistics, &block, index, &mut scratch);
                statistics.add_block(&block, &shifts, negligible, &mut scratch, &mut part);
            }
            Ok(statistics)
        };
        tree::reduce(0..self.n_blocks, &leaf, &SufficientStatistics::add)
    }
}
