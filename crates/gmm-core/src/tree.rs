//! Expert layer: work on blocks of rows in a fixed tree of tasks, so that the bits of a sum don't depend on the number of threads.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use faer::MatMut;

use crate::block::{BLOCK_ROWS, Block};

/// How blocks of rows go to tasks: halved down to leaves that are alike, so that threads end together.
///
/// The shape of the tree follows from the table and the model alone. A task takes the working memory that an earlier one has left, or makes
/// its own where none is spare: there is at most one for each thread, as long as no leaf has work of its own for several. What a leaf finds in
/// it must change no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tree {
    n_blocks: usize,
    /// The most blocks that one task works through.
    leaf: usize,
}

impl Tree {
    /// The most blocks of a leaf: 4096 rows, tens of microseconds of work at the least.
    const LARGEST_LEAF: usize = 16;
    /// A small table has so many leaves, if its work is enough for them.
    const FEWEST_LEAVES: usize = 8;
    /// Parameters times blocks that a leaf of a small table may always have: a fifth of a millisecond, some twenty times what a task and its sums
    /// cost. Halving leaves at least half of it.
    const LEAST_WORK: usize = 8192;
    /// Rows for each component that such a leaf may always have, on average: what it makes of a component costs as much as some rows, and sums of
    /// few rows are the ones that cancel about another place than their mean, so that they are taken twice.
    const LEAST_ROWS: usize = 64;

    /// For blocks whose rows each take as much work as a model of so many components has parameters: a few steps for each of them.
    pub fn new(n_blocks: usize, n_components: usize, n_parameters: usize) -> Self {
        let rows = n_components.saturating_mul(Self::LEAST_ROWS);
        let work = Self::LEAST_WORK.div_ceil(n_parameters.max(1));
        let least = work.max(rows.div_ceil(BLOCK_ROWS));
        let leaf = n_blocks.div_ceil(Self::FEWEST_LEAVES);
        Self {
            n_blocks,
            leaf: leaf.max(least).min(Self::LARGEST_LEAF),
        }
    }

    /// Merges what the leaves make of their blocks upwards, the earlier before the later.
    ///
    /// # Errors
    /// That of the first leaf that fails.
    pub fn reduce<M, T, E>(
        self,
        memory: &(impl Fn() -> M + Sync),
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
        self.merged(0..self.n_blocks, &leaf, merge)
    }

    fn merged<T, E>(
        self,
        blocks: Range<usize>,
        leaf: &(impl Fn(Range<usize>) -> Result<T, E> + Sync),
        merge: &(impl Fn(&mut T, &T) + Sync),
    ) -> Result<T, E>
    where
        T: Send,
        E: Send,
    {
        let Some(half) = self.half(blocks.len()) else {
            return leaf(blocks);
        };
        let middle = blocks.start + half;
        let (early, late) = rayon::join(
            || self.merged(blocks.start..middle, leaf, merge),
            || self.merged(middle..blocks.end, leaf, merge),
        );
        let mut early = early?;
        merge(&mut early, &late?);
        Ok(early)
    }

    /// The tasks of [`Tree::reduce`], each of which fills its rows of a table; a leaf gets the number of its first block.
    pub(crate) fn fill<M, E>(
        self,
        memory: &(impl Fn() -> M + Sync),
        out: MatMut<'_, f64>,
        leaf: &(impl Fn(&mut M, usize, MatMut<'_, f64>) -> Result<(), E> + Sync),
    ) -> Result<(), E>
    where
        M: Send,
        E: Send,
    {
        let spare = Spare::new(memory);
        self.filled(0, out, &|first, out| {
            spare.lend(|memory| leaf(memory, first, out))
        })
    }

    fn filled<E: Send>(
        self,
        first: usize,
        out: MatMut<'_, f64>,
        leaf: &(impl Fn(usize, MatMut<'_, f64>) -> Result<(), E> + Sync),
    ) -> Result<(), E> {
        let Some(half) = self.half(Block::count(out.nrows())) else {
            return leaf(first, out);
        };
        let (top, bottom) = out.split_at_row_mut(half * BLOCK_ROWS);
        let (top, bottom) = rayon::join(
            || self.filled(first, top, leaf),
            || self.filled(first + half, bottom, leaf),
        );
        top.and(bottom)
    }

    /// How many blocks go to the first of two tasks; `None` where one works through all.
    fn half(self, n_blocks: usize) -> Option<usize> {
        (n_blocks > self.leaf).then_some(n_blocks / 2)
    }
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
    fn shape(tree: Tree) -> String {
        let leaf = |(): &mut (), blocks: Range<usize>| -> Result<String, ()> {
            Ok(format!("{}", blocks.len()))
        };
        let merge = |a: &mut String, b: &String| *a = format!("({a} {b})");
        tree.reduce(&|| (), &leaf, &merge).unwrap()
    }

    #[test]
    fn leaves_are_alike_and_merge_upwards() {
        let little = |n_blocks| shape(Tree::new(n_blocks, 1, 5));
        assert_eq!(little(0), "0");
        assert_eq!(little(16), "16");
        assert_eq!(little(17), "(8 9)");
        assert_eq!(little(79), "(((9 10) (10 10)) ((10 10) (10 10)))");
    }

    #[test]
    fn much_work_on_few_rows_makes_several_leaves() {
        assert_eq!(shape(Tree::new(16, 1, 1000)), "(8 8)");
        assert_eq!(
            shape(Tree::new(16, 1, 4000)),
            "(((2 2) (2 2)) ((2 2) (2 2)))"
        );
        assert_eq!(shape(Tree::new(3, 1, 5000)), "(1 2)");
        assert_eq!(shape(Tree::new(3, 1, 20_000)), "(1 (1 1))");
        assert_eq!(shape(Tree::new(1, 1, usize::MAX)), "1");
        let of_79 = "(((9 10) (10 10)) ((10 10) (10 10)))";
        assert_eq!(shape(Tree::new(79, 1, 20_000)), of_79);
        assert_eq!(
            shape(Tree::new(20, 1, 20_000)),
            "(((2 3) (2 3)) ((2 3) (2 3)))"
        );
        // A block, eight and too many.
        assert_eq!(Tree::new(8, 4, 20_000).leaf, 1);
        assert_eq!(Tree::new(16, 32, 20_000).leaf, 8);
        assert_eq!(Tree::new(16, usize::MAX, 20_000).leaf, 16);
        assert_eq!(Tree::new(3907, 1, 20_000).leaf, 16);
        assert_eq!(Tree::new(100, 1, 0).leaf, 16);
    }

    #[test]
    fn threads_see_the_same_tree_and_a_memory_each() {
        let tree = Tree::new(3907, 1, 5);
        let alone = shape(tree);
        for threads in [1, 2, 7] {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build();
            pool.unwrap().install(|| {
                assert_eq!(shape(tree), alone);
                let made = AtomicUsize::new(0);
                let memory = || made.fetch_add(1, Ordering::Relaxed);
                let leaf = |_: &mut usize, blocks: Range<usize>| Ok::<_, ()>(blocks.len());
                let sum = tree.reduce(&memory, &leaf, &|a, b| *a += b);
                assert_eq!(sum, Ok(3907));
                assert!(made.into_inner() <= threads);
            });
        }
    }

    #[test]
    fn the_first_failure_is_the_one_that_is_told() {
        let starts = |(): &mut (), blocks: Range<usize>| Ok::<_, ()>(vec![blocks.start]);
        let tree = Tree::new(200, 1, 5);
        let starts = tree.reduce(&|| (), &starts, &|a, b| a.extend(b)).unwrap();
        let leaf = |(): &mut (), blocks: Range<usize>| match blocks.start {
            start if start >= 60 => Err(start),
            _ => Ok(()),
        };
        let failed = tree.reduce(&|| (), &leaf, &|(), ()| ());
        assert_eq!(failed.err(), starts.into_iter().find(|start| *start >= 60));
    }
}
