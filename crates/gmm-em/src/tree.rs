//! Reduction over blocks in a fixed tree, so that the bits of a sum don't depend on the number of threads.

use std::ops::Range;

/// Blocks that one task works through: 4096 rows, tens of microseconds of work at the least, so that a task pays for its start.
const LEAF_BLOCKS: usize = 16;

/// Splits the blocks in halves (rounded to whole leaves) down to leaves, and merges the results upwards, left before right.
///
/// The shape of the tree follows from the number of blocks alone.
pub(crate) fn reduce<T, E>(
    blocks: Range<usize>,
    leaf: &(impl Fn(Range<usize>) -> Result<T, E> + Sync),
    merge: &(impl Fn(&mut T, &T) + Sync),
) -> Result<T, E>
where
    T: Send,
    E: Send,
{
    let leaves = blocks.len().div_ceil(LEAF_BLOCKS);
    if leaves <= 1 {
        return leaf(blocks);
    }
    let middle = blocks.start + leaves / 2 * LEAF_BLOCKS;
    let (left, right) = rayon::join(
        || reduce(blocks.start..middle, leaf, merge),
        || reduce(middle..blocks.end, leaf, merge),
    );
    let mut left = left?;
    merge(&mut left, &right?);
    Ok(left)
}
