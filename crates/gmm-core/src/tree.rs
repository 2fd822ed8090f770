//! Expert layer: work on blocks of rows in a fixed tree of tasks, so that the bits of a sum don't depend on the number of threads.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use faer::MatMut;

use crate::block::{BLOCK_ROWS, Block};

/// The most blocks that one task works through: 4096 rows, tens of microseconds of work at the least, so that a task pays for its start.
const LEAF_BLOCKS: usize = 16;

/// Halves a range of more than 16 blocks down to leaves of 8 to 16, and merges their results upwards, the earlier before the later.
///
/// The shape of the tree follows from the number of blocks alone; its leaves are alike, so that threads end together. A task takes the
/// working memory that an earlier one has left, or makes its own where none is spare: there is at most one for each thread, as long as no leaf
/// has work of its own for several. What a leaf finds in it must change no result.
///
/// # Errors
/// That of the first leaf that fails.
pub fn reduce<M, T, E>(
    memory: &(impl Fn() -> M + Sync),
    blocks: Range<usize>,
    leaf: &(impl Fn(&mut M, Range<usize>) -> Result<T, E> + Sync),
    merge: &(impl Fn(&mut T, &T) + Sync),
) -> Result<T, E>
where
    M: Send,
    T: Send,
    E: Send,
{
    let spare = Spare::new(memory);
    let leaf = |blocks| spare.lend(|memory| leaf(memory, blocks));
    merged(blocks, &leaf, merge)
}

fn merged<T, E>(
    blocks: Range<usize>,
    leaf: &(impl Fn(Range<usize>) -> Result<T, E> + Sync),
    merge: &(impl Fn(&mut T, &T) + Sync),
) -> Result<T, E>
where
    T: Send,
    E: Send,
{
    let Some(half) = half(blocks.len()) else {
        return leaf(blocks);
    };
    let middle = blocks.start + half;
    let (early, late) = rayon::join(
        || merged(blocks.start..middle, leaf, merge),
        || merged(middle..blocks.end, leaf, merge),
    );
    let mut early = early?;
    merge(&mut early, &late?);
    Ok(early)
}

/// The tasks of [`reduce`], each of which fills its rows of a table; a leaf gets the number of its first block.
pub(crate) fn fill<M, E>(
    memory: &(impl Fn() -> M + Sync),
    out: MatMut<'_, f64>,
    leaf: &(impl Fn(&mut M, usize, MatMut<'_, f64>) -> Result<(), E> + Sync),
) -> Result<(), E>
where
    M: Send,
    E: Send,
{
    let spare = Spare::new(memory);
    filled(0, out, &|first, out| {
        spare.lend(|memory| leaf(memory, first, out))
    })
}

fn filled<E: Send>(
    first: usize,
    out: MatMut<'_, f64>,
    leaf: &(impl Fn(usize, MatMut<'_, f64>) -> Result<(), E> + Sync),
) -> Result<(), E> {
    let Some(half) = half(Block::count(out.nrows())) else {
        return leaf(first, out);
    };
    let (top, bottom) = out.split_at_row_mut(half * BLOCK_ROWS);
    let (top, bottom) = rayon::join(
        || filled(first, top, leaf),
        || filled(first + half, bottom, leaf),
    );
    top.and(bottom)
}

/// How many blocks go to the first of two tasks; `None` where one works through all.
fn half(n_blocks: usize) -> Option<usize> {
    (n_blocks > LEAF_BLOCKS).then_some(n_blocks / 2)
}

/// Working memories that no task needs at the moment.
struct Spare<M, F> {
    new: F,
    left: Mutex<Vec<M>>,
}

impl<M, F: Fn() -> M> Spare<M, F> {
    fn new(new: F) -> Self {
        let left = Mutex::new(Vec::new());
        Self { new, left }
    }

    fn lend<R>(&self, work: impl FnOnce(&mut M) -> R) -> R {
        let left = || self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let spare = left().pop();
        let mut memory = spare.unwrap_or_else(|| (self.new)());
        let result = work(&mut memory);
        left().push(memory);
        result
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use rayon::ThreadPoolBuilder;

    use super::*;

    /// The sizes of the leaves, in brackets where two merge.
    fn shape(n_blocks: usize) -> String {
        let leaf = |(): &mut (), blocks: Range<usize>| -> Result<String, ()> {
            Ok(format!("{}", blocks.len()))
        };
        let merge = |a: &mut String, b: &String| *a = format!("({a} {b})");
        reduce(&|| (), 0..n_blocks, &leaf, &merge).unwrap()
    }

    #[test]
    fn leaves_are_alike_and_merge_upwards() {
        assert_eq!(shape(0), "0");
        assert_eq!(shape(16), "16");
        assert_eq!(shape(17), "(8 9)");
        assert_eq!(shape(79), "(((9 10) (10 10)) ((10 10) (10 10)))");
    }

    #[test]
    fn threads_see_the_same_tree_and_a_memory_each() {
        let alone = shape(3907);
        for threads in [1, 2, 7] {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build();
            pool.unwrap().install(|| {
                assert_eq!(shape(3907), alone);
                let made = AtomicUsize::new(0);
                let memory = || made.fetch_add(1, Ordering::Relaxed);
                let leaf = |_: &mut usize, blocks: Range<usize>| Ok::<_, ()>(blocks.len());
                let sum = reduce(&memory, 0..3907, &leaf, &|a, b| *a += b);
                assert_eq!(sum, Ok(3907));
                assert!(made.into_inner() <= threads);
            });
        }
    }

    #[test]
    fn the_first_failure_is_the_one_that_is_told() {
        let starts = |(): &mut (), blocks: Range<usize>| Ok::<_, ()>(vec![blocks.start]);
        let starts = reduce(&|| (), 0..200, &starts, &|a, b| a.extend(b)).unwrap();
        let leaf = |(): &mut (), blocks: Range<usize>| match blocks.start {
            start if start >= 60 => Err(start),
            _ => Ok(()),
        };
        let failed = reduce(&|| (), 0..200, &leaf, &|(), ()| ());
        assert_eq!(failed.err(), starts.into_iter().find(|start| *start >= 60));
    }
}
