//! The pass in single precision: see [`Precision`](crate::Precision).

use std::ops::Range;

use gmm_core::block::{BLOCK_ROWS, Block};
use gmm_core::faer::Mat;
use gmm_core::{GaussianMixture, Scratch, SingleMixture, SingleScratch};

use crate::blocks::Blocks;
use crate::gathering::Gathering;
use crate::statistics::SufficientStatistics;
use crate::{Error, tree};

/// [`expectation`](crate::pass::expectation) in single precision, summed up in double precision; `None` where the mixture is out of the
/// range of single precision, or has noise.
pub(crate) fn single_expectation(
    model: &GaussianMixture,
    rows: &impl Blocks,
    shifts: &Mat<f64>,
) -> Result<Option<SufficientStatistics>, Error> {
    let Some(single) = model.single() else {
        return Ok(None);
    };
    // Any shift near the mean will do: one without low parts makes differences cheaper.
    let mut shifts = shifts.clone();
    for k in 0..shifts.nrows() {
        for (j, variance) in model.covariances().variances(k).iter().enumerate() {
            let rounded = f64::from(shifts[(k, j)] as f32);
            if (rounded - shifts[(k, j)]).abs() <= variance.sqrt() {
                shifts[(k, j)] = rounded;
            }
        }
    }
    let zeros = SufficientStatistics::of_model(model, shifts);
    let shifts = zeros.shift_rows();
    let leaf = |blocks: Range<usize>| -> Result<SufficientStatistics, Error> {
        let mut leaf = Leaf::new(model, &single, &zeros, &shifts);
        let mut memory = None;
        for index in blocks {
            leaf.add_block(rows.block(index, &mut memory)?);
        }
        Ok(leaf.gathering.finish())
    };
    tree::reduce(0..rows.n_blocks(), &leaf, &SufficientStatistics::add).map(Some)
}

/// The working memory of one task.
struct Leaf<'a> {
    model: &'a GaussianMixture,
    single: &'a SingleMixture,
    scratch: SingleScratch,
    /// For blocks with rows that are too far out.
    double: Option<Scratch>,
    gathering: Gathering<'a>,
}

impl<'a> Leaf<'a> {
    fn new(
        model: &'a GaussianMixture,
        single: &'a SingleMixture,
        zeros: &SufficientStatistics,
        shifts: &'a [Vec<f64>],
    ) -> Self {
        Self {
            model,
            single,
            scratch: SingleScratch::new(model),
            double: None,
            gathering: Gathering::new(zeros, shifts),
        }
    }

    fn add_block(&mut self, block: &Block) {
        if !self
            .single
            .responsibilities_of_block(block, &mut self.scratch)
        {
            let model = self.model;
            let double = self.double.get_or_insert_with(|| Scratch::new(model));
            model.responsibilities_of_block(block, double);
            let statistics = &mut self.gathering.statistics;
            statistics.add_log_density(block, &double.log_density);
            self.gathering.add_block(block, None, double);
            return;
        }
        let statistics = &mut self.gathering.statistics;
        statistics.add_log_density(block, &self.scratch.log_density);
        statistics.count(block);
        // Sample weights may be of any size, single precision isn't: they enter as parts of the largest in the block.
        let heaviest = block.weights().iter().copied().fold(0.0, f64::max);
        if heaviest <= 0.0 {
            return;
        }
        for r in self.scratch.joint.chunks_exact_mut(BLOCK_ROWS) {
            if block.is_weighted() {
                let weights = block.weights().iter();
                r.iter_mut()
                    .zip(weights)
                    .for_each(|(r, w)| *r *= (w / heaviest) as f32);
            }
        }
        self.gathering.add_single(&mut self.scratch, heaviest);
    }
}
