//! The pass in single precision: see [`Precision`](crate::Precision).

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use gmm_core::block::Block;
use gmm_core::faer::Mat;
use gmm_core::{GaussianMixture, Scratch, SingleMixture, SingleScratch};

use crate::Error;
use crate::blocks::Blocks;
use crate::gathering::{Gathering, weigh_in_parts};
use crate::pass::{keeps_enough, negligible, tasks};
use crate::statistics::SufficientStatistics;

/// An E-step in single precision, summed up in double precision.
pub(crate) struct SinglePass<'a> {
    model: &'a GaussianMixture,
    single: SingleMixture,
    zeros: SufficientStatistics,
}

impl<'a> SinglePass<'a> {
    /// `None` where the mixture is out of the range of single precision, or has noise.
    pub(crate) fn new(model: &'a GaussianMixture, shifts: &Mat<f64>) -> Option<Self> {
        let single = model.single()?;
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
        Some(Self {
            model,
            single,
            zeros: SufficientStatistics::of_model(model, shifts),
        })
    }

    /// As [`expectation`](crate::pass::expectation).
    pub(crate) fn expectation(&self, rows: &impl Blocks) -> Result<SufficientStatistics, Error> {
        Ok(self.gather(rows, None)?.0)
    }

    /// As [`sparse_expectation`](crate::pass::sparse_expectation).
    pub(crate) fn sparse_expectation(
        &self,
        rows: &impl Blocks,
    ) -> Result<Option<(SufficientStatistics, usize)>, Error> {
        let pass = self.gather(rows, Some(&negligible(self.model)))?;
        Ok(Some(pass).filter(|(statistics, _)| keeps_enough(self.model, statistics)))
    }

    fn gather(
        &self,
        rows: &impl Blocks,
        negligible: Option<&[f64]>,
    ) -> Result<(SufficientStatistics, usize), Error> {
        let shifts = self.zeros.shift_rows();
        let n_pairs = AtomicUsize::new(0);
        let memory = || (None, Evaluation::new(self.model, &self.single, negligible));
        let leaf = |(memory, evaluation): &mut (Option<Block>, Evaluation<'_>),
                    blocks: Range<usize>| {
            let mut gathering = Gathering::new(&self.zeros, &shifts);
            let mut pairs = 0;
            for index in blocks {
                pairs += evaluation.add_block(rows.block(index, memory)?, &mut gathering);
            }
            n_pairs.fetch_add(pairs, Ordering::Relaxed);
            Ok(gathering.finish())
        };
        tasks(rows, &self.zeros)
            .reduce(&memory, &leaf, &SufficientStatistics::add)
            .map(|statistics| (statistics, n_pairs.into_inner()))
    }
}

/// A mixture in both precisions, with working memory.
struct Evaluation<'a> {
    model: &'a GaussianMixture,
    single: &'a SingleMixture,
    /// See [`Gathering::add_block`].
    negligible: Option<&'a [f64]>,
    scratch: SingleScratch,
    /// For blocks with rows that are too far out.
    double: Option<Scratch>,
}

impl<'a> Evaluation<'a> {
    fn new(
        model: &'a GaussianMixture,
        single: &'a SingleMixture,
        negligible: Option<&'a [f64]>,
    ) -> Self {
        Self {
            model,
            single,
            negligible,
            scratch: SingleScratch::new(model),
            double: None,
        }
    }

    /// The answer is the number of [pairs](Scratch::n_pairs) that were summed.
    fn add_block(&mut self, block: &Block, gathering: &mut Gathering<'_>) -> usize {
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
            return std::mem::take(&mut double.n_pairs);
        }
        let statistics = &mut gathering.statistics;
        let least = statistics.add_log_density(block, &self.scratch.log_density);
        statistics.count(block);
        let unit = weigh_in_parts(block, &mut self.scratch.joint);
        if unit == 0.0 {
            return 0;
        }
        let negligible = self.negligible.filter(|_| self.model.leaves_out(least));
        gathering.add_single((block, &mut self.scratch), unit, negligible)
    }
}
