//! A first look at the data: are the cells finite, where do they lie, how far do they spread?

use std::ops::Range;

use gmm_core::block::{Block, Frame};
use gmm_core::covariance::{MomentSums, Moments, Structure};
use gmm_core::kernels::{Panels, weighted_range};
use gmm_core::tree::Tree;
use gmm_core::{CovarianceType, Samples};

use crate::Error;
use crate::blocks::Table;

/// Location and spread of the data, in the coordinates of their frame.
#[derive(Clone, Debug)]
pub(crate) struct Summary {
    pub(crate) frame: Frame,
    /// Overall moments about 0: a full scatter for dense forms, the diagonal for the others.
    pub(crate) moments: Moments,
    /// Number of rows of positive weight.
    pub(crate) n_rows: usize,
    /// Smallest and largest value of each feature among them, in the coordinates of the data.
    pub(crate) ranges: Vec<(f64, f64)>,
}

impl Summary {
    /// Checks the data and measures them, in two passes.
    pub(crate) fn new(x: &Samples<'_>, form: CovarianceType) -> Result<Self, Error> {
        if x.n_samples() == 0 {
            return Err(gmm_core::Error::NoSamples.into());
        }
        if x.n_features() == 0 {
            return Err(gmm_core::Error::NoFeatures.into());
        }
        x.total_weight()?;
        let n_rows = x
            .weights()
            .map_or(x.n_samples(), |w| w.iter().filter(|w| **w > 0.0).count());
        let ranges = ranges(x)?;
        let frame = Frame::of_ranges(&ranges);
        let frame = if form.is_scale_free() {
            frame
        } else {
            frame.with_one_unit()
        };
        let moments = moments(x, &frame, form.structure())?;
        Ok(Self {
            frame,
            moments,
            n_rows,
            ranges,
        })
    }

    pub(crate) fn n_features(&self) -> usize {
        self.moments.mean.len()
    }

    /// Σ wᵢ.
    pub(crate) fn total_weight(&self) -> f64 {
        self.moments.occupancy
    }

    /// Variance of each feature (denominator Σ wᵢ).
    pub(crate) fn variances(&self) -> Vec<f64> {
        let d = self.n_features();
        let diagonal = |j: usize| {
            if self.moments.scatter.len() == d {
                j
            } else {
                j * (j + 1) / 2 + j
            }
        };
        (0..d)
            .map(|j| self.moments.scatter[diagonal(j)] / self.total_weight())
            .collect()
    }

    /// The table of the summary, in the coordinates of its frame.
    pub(crate) fn table<'a>(&'a self, x: &'a Samples<'a>) -> Table<'a> {
        Table {
            x,
            frame: &self.frame,
        }
    }
}

/// Smallest and largest value of each feature among the rows of positive weight. All cells are checked.
fn ranges(x: &Samples<'_>) -> Result<Vec<(f64, f64)>, Error> {
    let d = x.n_features();
    let identity = Frame::identity(d);
    let leaf = |block: &mut Block, blocks: Range<usize>| {
        let mut ranges = vec![(f64::INFINITY, f64::NEG_INFINITY); d];
        for index in blocks {
            block.fill(x, index, &identity)?;
            let of_block = (0..d).map(|j| weighted_range(block.feature(j), block.weights()));
            widen(&mut ranges, &of_block.collect::<Vec<_>>());
        }
        Ok(ranges)
    };
    let n_blocks = Block::count(x.n_samples());
    Tree::new(n_blocks, 1, 2 * d).reduce(&|| Block::new(d), &leaf, &|a, b| widen(a, b))
}

/// Ranges that hold those of both parts.
pub(crate) fn widen(a: &mut [(f64, f64)], b: &[(f64, f64)]) {
    let pairs = a.iter_mut().zip(b);
    pairs.for_each(|(a, b)| *a = (a.0.min(b.0), a.1.max(b.1)));
}

/// Moments about 0 in the coordinates of a frame.
pub(crate) fn moments(
    x: &Samples<'_>,
    frame: &Frame,
    structure: Structure,
) -> Result<Moments, Error> {
    let d = x.n_features();
    let shift = vec![0.0; d];
    let memory = || {
        (
            Block::new(d),
            Moments::zeros(structure, d),
            Panels::default(),
        )
    };
    type Memory = (Block, Moments, Panels);
    let leaf = |(block, part, panels): &mut Memory, blocks: Range<usize>| {
        let mut total = MomentSums::zeros(structure, d);
        for index in blocks {
            block.fill(x, index, frame)?;
            block.hide_weightless();
            if structure == Structure::Dense {
                panels.read(block.values());
            }
            total.observe(block, block.weights(), &shift, part, panels);
        }
        Ok(total.finish(&shift))
    };
    let n_blocks = Block::count(x.n_samples());
    let n_sums = structure.scatter_len(d) + d;
    Tree::new(n_blocks, 1, n_sums).reduce(&memory, &leaf, &Moments::merge)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gmm_core::CovarianceType;
    use gmm_core::faer::Mat;

    /// Of a table of many parts too: ranges, means and variances of the rows that count.
    #[test]
    fn every_row_that_counts_is_measured() {
        let n = 20_000;
        let x = Mat::from_fn(n, 2, |i, j| match (i, j) {
            (3, 0) => 90.0,
            (11_000, 0) => -70.0,
            (19_999, 1) => 55.0,
            // Of weight 0.
            (7, _) => 1e9,
            _ => ((i * (j + 3)) % 17) as f64,
        });
        let weights: Vec<f64> = (0..n)
            .map(|i| if i == 7 { 0.0 } else { [1.0, 0.5][i % 2] })
            .collect();
        let samples = Samples::from(&x).with_weights(&weights);
        let summary = Summary::new(&samples, CovarianceType::Full).unwrap();
        assert_eq!(summary.ranges, [(-70.0, 90.0), (0.0, 55.0)]);
        assert_eq!((summary.n_rows, summary.n_features()), (n - 1, 2));
        let total: f64 = weights.iter().sum();
        assert!((summary.total_weight() - total).abs() <= 1e-10 * total);
        let sum = |f: &dyn Fn(usize) -> f64| -> f64 { (0..n).map(|i| weights[i] * f(i)).sum() };
        for j in 0..2 {
            let mean = sum(&|i| x[(i, j)]) / total;
            let variance = sum(&|i| (x[(i, j)] - mean).powi(2)) / total;
            let frame = &summary.frame;
            let found = frame.from_frame(j, summary.moments.mean[j]);
            assert!((found - mean).abs() <= 1e-11 * 20.0, "{found} {mean}");
            let unit = 2f64.powi(frame.exponents()[j]);
            let found = summary.variances()[j] * unit * unit;
            assert!(
                (found - variance).abs() <= 1e-11 * variance,
                "{found} {variance}"
            );
        }
    }
}
