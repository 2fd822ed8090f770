//! Which rows of a block are listed.

use pulp::{Arch, Simd, WithSimd};

use super::real::Real;
use crate::block::BLOCK_ROWS;

const WORDS: usize = BLOCK_ROWS / u32::BITS as usize;

/// A bit for each row of a block. Lane l of vector n c + b is told by bit b of place l of chunk c, where n is the number of
/// [exact powers](Real::EXACT_POWERS) and the places of all chunks are counted through; the places past the last word are its upper bits.
#[derive(Clone, Copy, Debug)]
pub struct Marks {
    words: [u32; WORDS],
    exact_powers: usize,
    lanes: usize,
}

impl Marks {
    /// The number of rows that are marked.
    pub(super) fn count(&self) -> usize {
        let counts = self.words.iter().map(|word| word.count_ones() as usize);
        counts.sum()
    }

    /// Whether no row is marked.
    pub fn is_empty(&self) -> bool {
        self.words.iter().fold(0, |all, word| all | word) == 0
    }

    /// Calls `visit` for each row that is marked.
    pub(super) fn for_each_row(&self, mut visit: impl FnMut(u8)) {
        let n = self.exact_powers;
        for place in 0..BLOCK_ROWS / n {
            let word = self.words[place % WORDS] >> (place / WORDS * n);
            let mut bits = word & (u32::MAX >> (32 - n));
            let first = place / self.lanes * n * self.lanes + place % self.lanes;
            while bits != 0 {
                visit((first + bits.trailing_zeros() as usize * self.lanes) as u8);
                bits &= bits - 1;
            }
        }
    }
}

/// [`Marks`] in the making: powers of two, added up lane by lane.
pub(super) struct Marking<T, S> {
    simd: S,
    sums: [T; 2 * WORDS],
}

impl<T: Real, S: Simd> Marking<T, S> {
    #[inline(always)]
    pub(super) fn new(simd: S) -> Self {
        let sums = [T::default(); 2 * WORDS];
        Self { simd, sums }
    }

    /// Marks rows of vector number `at` of a block: where `values` are above `bound`, or one of them is NaN.
    #[inline(always)]
    pub(super) fn mark(&mut self, at: usize, values: T::Vector<S>, bound: T::Vector<S>) {
        let power = T::splat(self.simd, T::POWERS[at % T::EXACT_POWERS]);
        self.add(at, T::unless_up_to(self.simd, values, bound, power));
    }

    /// [`mark`](Self::mark) where weights are above 0.
    #[inline(always)]
    fn mark_weighted(
        &mut self,
        at: usize,
        weights: T::Vector<S>,
        values: T::Vector<S>,
        bound: T::Vector<S>,
    ) {
        let power = T::splat(self.simd, T::POWERS[at % T::EXACT_POWERS]);
        let marked = T::unless_up_to(self.simd, values, bound, power);
        self.add(at, T::where_above(self.simd, weights, T::default(), marked));
    }

    #[inline(always)]
    fn add(&mut self, at: usize, bits: T::Vector<S>) {
        let word = &mut T::vectors_mut::<S>(&mut self.sums)[at / T::EXACT_POWERS];
        *word = T::plus(self.simd, *word, bits);
    }

    #[inline(always)]
    pub(super) fn finish(self) -> Marks {
        let n = T::EXACT_POWERS;
        let part = |place: usize| (self.sums[place].to_f64() as u32) << (place / WORDS * n);
        let word = |at: usize| (at..BLOCK_ROWS / n).step_by(WORDS).map(part).sum();
        Marks {
            words: std::array::from_fn(word),
            exact_powers: T::EXACT_POWERS,
            lanes: T::lanes::<S>(),
        }
    }
}

/// The rows of positive weight of a block whose number is above a bound, or NaN.
///
/// # Panics
/// If there are not [`BLOCK_ROWS`] numbers and weights.
pub fn above<T: Real>(values: &[T], bound: T, weights: &[T]) -> Marks {
    assert_eq!([values.len(), weights.len()], [BLOCK_ROWS; 2]);
    Arch::new().dispatch(Above {
        values,
        bound,
        weights,
    })
}

#[doc(hidden)]
pub struct Above<'a, T> {
    pub values: &'a [T],
    pub bound: T,
    pub weights: &'a [T],
}

impl<T: Real> WithSimd for Above<'_, T> {
    type Output = Marks;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Marks {
        let bound = T::splat(simd, self.bound);
        let mut marking = Marking::<T, S>::new(simd);
        let rows = T::vectors::<S>(self.values).iter();
        for (at, (values, weights)) in rows.zip(T::vectors::<S>(self.weights)).enumerate() {
            marking.mark_weighted(at, *weights, *values, bound);
        }
        marking.finish()
    }
}
