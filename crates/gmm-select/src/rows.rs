//! What a pass over the rows gathers under a mixture: in parallel, with bits that don't depend on the number of threads.

use std::ops::Range;

use gmm_core::block::{Block, Frame};
use gmm_core::tree::Tree;
use gmm_core::{GaussianMixture, Samples, Scratch};

/// Sums over rows that can be taken in parts.
pub(crate) trait Gather: Send {
    /// Adds the rows of a block, whose responsibilities and log-densities are in `scratch`.
    fn add(&mut self, block: &Block, scratch: &Scratch);
    /// Adds what was gathered of later rows.
    fn merge(&mut self, later: &Self);
}

/// Gathers over all rows, in a fixed [`Tree`].
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
    let memory = || (Block::new(model.n_features()), Scratch::new(model));
    let leaf = |(block, scratch): &mut (Block, Scratch), blocks: Range<usize>| {
        let mut gathered = empty();
        for index in blocks {
            block.fill(x, index, &frame)?;
            block.look_ahead(x);
            model.responsibilities_of_block(block, scratch);
            gathered.add(block, scratch);
        }
        Ok(gathered)
    };
    let n_blocks = Block::count(x.n_samples());
    Tree::new(n_blocks, model.n_components(), model.n_free_parameters()).reduce(
        &memory,
        &leaf,
        &T::merge,
    )
}
