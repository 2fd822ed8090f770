//! Where a pass reads its rows.

use gmm_core::Samples;
use gmm_core::block::{BLOCK_ROWS, Block, Frame};
use rayon::prelude::*;

use crate::Error;

/// Rows in blocks, which a pass asks for one by one. Rows of weight 0 are hidden in them ([`Block::hide_weightless`]).
pub(crate) trait Blocks: Sync {
    fn n_features(&self) -> usize;

    fn n_blocks(&self) -> usize;

    /// The block of a number; `memory` is room of the caller's, which sources that read anew share from block to block.
    fn block<'b>(&'b self, index: usize, memory: &'b mut Option<Block>)
    -> Result<&'b Block, Error>;
}

/// A table in the coordinates of a frame, read anew in each pass.
pub(crate) struct Table<'a> {
    pub(crate) x: &'a Samples<'a>,
    pub(crate) frame: &'a Frame,
}

impl Blocks for Table<'_> {
    fn n_features(&self) -> usize {
        self.x.n_features()
    }

    fn n_blocks(&self) -> usize {
        Block::count(self.x.n_samples())
    }

    fn block<'b>(
        &'b self,
        index: usize,
        memory: &'b mut Option<Block>,
    ) -> Result<&'b Block, Error> {
        let block = memory.get_or_insert_with(|| Block::new(self.n_features()));
        block.fill(self.x, index, self.frame)?;
        block.look_ahead(self.x);
        block.hide_weightless();
        Ok(block)
    }
}

/// Numbers of a table that is kept in blocks while it is fitted, weights included: 16 MiB of them. Reading takes a fifth of the time of a pass
/// with 16 spherical or tied components and 16 features, next to nothing of one with many; keeping takes as long as four iterations win. (Of 1e6 x 2
/// rows, 24 MB, it would take more than ten.)
const MOST_KEPT: usize = 1 << 21;

/// The rows of a fit.
pub(crate) enum FitRows<'a> {
    Few(KeptBlocks),
    Many(Table<'a>),
}

impl<'a> FitRows<'a> {
    pub(crate) fn new(x: &'a Samples<'a>, frame: &'a Frame) -> Result<Self, Error> {
        let lanes = Block::count(x.n_samples()).saturating_mul(BLOCK_ROWS);
        let numbers = lanes.saturating_mul(x.n_features().saturating_add(1));
        Ok(if numbers <= MOST_KEPT {
            Self::Few(KeptBlocks::new(x, frame)?)
        } else {
            Self::Many(Table { x, frame })
        })
    }
}

impl Blocks for FitRows<'_> {
    fn n_features(&self) -> usize {
        match self {
            Self::Few(blocks) => blocks.n_features(),
            Self::Many(table) => table.n_features(),
        }
    }

    fn n_blocks(&self) -> usize {
        match self {
            Self::Few(blocks) => blocks.n_blocks(),
            Self::Many(table) => table.n_blocks(),
        }
    }

    fn block<'b>(
        &'b self,
        index: usize,
        memory: &'b mut Option<Block>,
    ) -> Result<&'b Block, Error> {
        match self {
            Self::Few(blocks) => blocks.block(index, memory),
            Self::Many(table) => table.block(index, memory),
        }
    }
}

/// Some rows that are read once, for many passes.
pub(crate) struct KeptBlocks {
    n_features: usize,
    blocks: Vec<Block>,
    total_weight: f64,
}

impl KeptBlocks {
    /// In the coordinates of the table.
    pub(crate) fn as_they_are(x: &Samples<'_>) -> Result<Self, Error> {
        Self::new(x, &Frame::identity(x.n_features()))
    }

    pub(crate) fn new(x: &Samples<'_>, frame: &Frame) -> Result<Self, Error> {
        let n_features = x.n_features();
        let read = |index: usize| -> Result<Block, Error> {
            let mut block = Block::new(n_features);
            block.fill(x, index, frame)?;
            block.hide_weightless();
            Ok(block)
        };
        let mut blocks: Vec<Block> = (0..Block::count(x.n_samples()))
            .into_par_iter()
            .map(read)
            .collect::<Result<_, _>>()?;
        Block::look_ahead_in(&mut blocks);
        let weights = blocks.iter().flat_map(|block| block.weights());
        Ok(Self {
            n_features,
            total_weight: weights.sum(),
            blocks,
        })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Block> {
        self.blocks.iter()
    }

    /// Σᵢ wᵢ.
    pub(crate) fn total_weight(&self) -> f64 {
        self.total_weight
    }
}

impl Blocks for KeptBlocks {
    fn n_features(&self) -> usize {
        self.n_features
    }

    fn n_blocks(&self) -> usize {
        self.blocks.len()
    }

    fn block<'b>(&'b self, index: usize, _: &'b mut Option<Block>) -> Result<&'b Block, Error> {
        Ok(&self.blocks[index])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gmm_core::faer::Mat;

    /// Blocks that are kept are those that are read anew.
    #[test]
    fn kept_blocks_are_those_of_the_table() {
        let n = 300;
        let x = Mat::from_fn(n, 2, |i, j| ((i + 1) * (j + 1)) as f64);
        let weights: Vec<f64> = (0..n).map(|i| [2.0, 0.0, 0.5][i % 3]).collect();
        let samples = Samples::from(&x).with_weights(&weights);
        // Another unit, another origin.
        let frame = Frame::of_ranges(&[(1e3, 1e3 + 1.0), (0.0, 300.0)]);
        let kept = KeptBlocks::new(&samples, &frame).unwrap();
        let table = Table {
            x: &samples,
            frame: &frame,
        };
        let sizes = |rows: &dyn Blocks| (rows.n_features(), rows.n_blocks());
        assert_eq!([sizes(&kept), sizes(&table)], [(2, 2); 2]);
        let [mut memory, mut unused] = [None, None];
        for index in 0..2 {
            let read = table.block(index, &mut memory).unwrap();
            let kept = kept.block(index, &mut unused).unwrap();
            assert_eq!(
                [kept.values(), kept.weights()],
                [read.values(), read.weights()]
            );
            assert_eq!(kept.rows(), read.rows());
            // Rows of weight 0 are hidden.
            let lanes = kept.feature(1).iter().zip(kept.weights());
            lanes.for_each(|(value, w)| assert_eq!(*value > 0.0, *w > 0.0));
        }
        assert!(unused.is_none());
        assert!((kept.total_weight() - weights.iter().sum::<f64>()).abs() <= 0.0);
    }
}
