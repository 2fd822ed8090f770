//! The pass in single precision: see [`Precision`](crate::Precision).

use std::ops::Range;

use gmm_core::block::{BLOCK_ROWS, Block};
use gmm_core::faer::Mat;
use gmm_core::{GaussianMixture, Scratch, SingleMixture, SingleScratch};

use crate::Error;
use crate::blocks::Blocks;
use crate::gathering::Gathering;
use crate::pass::tasks;
use crate::statistics::SufficientStatistics;

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
    let memory = || (None, Evaluation::new(model, &single));
    let leaf = |(memory, evaluation): &mut (Option<Block>, Evaluation<'_>),
                blocks: Range<usize>| {
        let mut gathering = Gathering::new(&zeros, &shifts);
        for index in blocks {
            evaluation.add_block(rows.block(index, memory)?, &mut gathering);
        }
        Ok(gathering.finish())
    };
    tasks(rows, &zeros)
        .reduce(&memory, &leaf, &SufficientStatistics::add)
        .map(Some)
}

/// A mixture in both precisions, with working memory.
struct Evaluation<'a> {
    model: &'a GaussianMixture,
    single: &'a SingleMixture,
    scratch: SingleScratch,
    /// For blocks with rows that are too far out.
    double: Option<Scratch>,
}

impl<'a> Evaluation<'a> {
    fn new(model: &'a GaussianMixture, single: &'a SingleMixture) -> Self {
        Self {
            model,
            single,
            scratch: SingleScratch::new(model),
            double: None,
        }
    }

    fn add_block(&mut self, block: &Block, gathering: &mut Gathering<'_>) {
        if !self
            .single
            .responsibilities_of_block(block, &mut self.scratch)
        {
            let model = self.model;
            let double = self.double.get_or_insert_with(|| Scratch::new(model));
            model.responsibilities_of_block(block, double);
            let statistics = &mut gathering.statistics;
            statistics.add_log_density(block, &double.log_density);
            gathering.add_block(block, None, double);
            return;
        }
        let statistics = &mut gathering.statistics;
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
        gathering.add_single(&mut self.scratch, heaviest);
    }
}
