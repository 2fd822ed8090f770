//! What a pass over the rows gathers under a mixture: in parallel, with bits that don't depend on the number of threads.

use std::ops::Range;

use gmm_core::block::{Block, Frame};
use gmm_core::{GaussianMixture, Samples, Scratch};

/// Blocks that one task works through.
const LEAF_BLOCKS: usize = 16;

/// Sums over rows that can be taken in parts.
pub(crate) trait Gather: Send {
    /// Adds the rows of a block, whose responsibilities and log-densities are in `scratch`.
    fn add(&mut self, block: &Block, scratch: &Scratch);
    /// Adds what was gathered of later rows.
    fn merge(&mut self, later: &Self);
}

/// Gathers over all rows. Blocks are halved down to leaves and merged upwards, the earlier before the later rows: the shape of that
/// tree follows from the number of rows alone, and no more parts than its depth wait per thread.
///
/// # Errors
/// Those of [`GaussianMixture::log_density`], [`gmm_core::Error::NoSamples`], and [`gmm_core::Error::NoWeight`].
pub(crate) fn gather<T: Gather>(
    model: &GaussianMixture,
    x: &Samples<'_>,
    empty: impl Fn() -> T + Sync,
) -> Result<T, gmm_core::Error> {
    x.check_shape(model.n_features())?;
    if x.n_samples() == 0 {
        return Err(gmm_core::Error::NoSamples);
    }
    x.total_weight()?;
    let frame = Frame::identity(model.n_features());
    let leaf = |blocks: Range<usize>| {
        let (mut block, mut scratch) = (Block::new(model.n_features()), Scratch::new(model));
        let mut gathered = empty();
        for index in blocks {
            block.fill(x, index, &frame)?;
            model.responsibilities_of_block(&block, &mut scratch);
            gathered.add(&block, &scratch);
        }
        Ok(gathered)
    };
    reduce(0..Block::count(x.n_samples()), &leaf)
}

fn reduce<T: Gather>(
    blocks: Range<usize>,
    leaf: &(impl Fn(Range<usize>) -> Result<T, gmm_core::Error> + Sync),
) -> Result<T, gmm_core::Error> {
    let leaves = blocks.len().div_ceil(LEAF_BLOCKS);
    if leaves <= 1 {
        return leaf(blocks);
    }
    let middle = blocks.start + leaves / 2 * LEAF_BLOCKS;
    let (early, late) = rayon::join(
        || reduce(blocks.start..middle, leaf),
        || reduce(middle..blocks.end, leaf),
    );
    let mut early = early?;
    early.merge(&late?);
    Ok(early)
}
