//! The differences that the kernels start from, by what is known of the numbers.
//!
//! | | x | shift | steps |
//! |---|---|---|---|
//! | [`Plain`] | f64, or f32 | as x | 1 |
//! | [`Narrow`] | f32 | 48 bits | 2 |
//! | [`Single`] | 48 bits | 48 bits | 3 |
//! | [`Centred`](super::stored::Centred), [`Near`](super::stored::Near) | is a difference, stored | | 0 |

use std::ops::Range;

use pulp::Simd;

use super::real::Real;
use crate::block::BLOCK_ROWS;

/// The lanes of a block less a shift, feature by feature: all that the kernels see of the data, so that an offset costs no digits.
#[doc(hidden)]
pub trait Differences<T: Real>: Copy {
    fn features<S: Simd>(&self) -> impl Iterator<Item: Lanes<T, S>>;
    /// All of them, [`padded`](super::stored::padded) numbers to a feature, where they are stored.
    #[inline(always)]
    fn stored<S: Simd>(&self) -> Option<&[T::Vector<S>]> {
        None
    }
    /// W times what the differences are from another place than the mean; `None` where they are from the mean.
    #[inline(always)]
    fn origin(&self) -> Option<&[T]> {
        None
    }
    /// Feature number j.
    fn feature<S: Simd>(&self, j: usize) -> impl Lanes<T, S>;
}

/// The rows of a block that lies in panels (`panels.rs`), less a shift.
#[doc(hidden)]
pub trait InPanels<T: Real>: Copy {
    /// The rows of panel number p.
    fn panel<S: Simd>(&self, p: usize) -> impl Lanes<T, S>;
}

/// One feature, or one panel, of [`Differences`].
#[doc(hidden)]
pub trait Lanes<T: Real, S: Simd>: Copy {
    /// N vectors, from vector number `at` of the block on.
    fn load<const N: usize>(self, simd: S, at: usize) -> [T::Vector<S>; N];
    /// Some of the vectors.
    fn part(self, vectors: Range<usize>) -> Self;

    /// [`load`](Self::load) times a scale.
    #[inline(always)]
    fn scaled<const N: usize>(self, simd: S, at: usize, scale: T::Vector<S>) -> [T::Vector<S>; N] {
        // Loops and no closures, which would be calls here.
        let mut z = self.load::<N>(simd, at);
        for value in &mut z {
            *value = T::times(simd, *value, scale);
        }
        z
    }
}

/// What all lanes of a feature are less by, or each lane of a panel.
trait Shift<T: Real, S: Simd>: Copy {
    fn vector(self, simd: S) -> T::Vector<S>;
}

/// Where it stands: a load into all lanes is a part of the subtraction, where a number in a register takes a step of its own.
#[derive(Clone, Copy)]
struct OfAll<'a, T>(&'a T);

impl<T: Real, S: Simd> Shift<T, S> for OfAll<'_, T> {
    #[inline(always)]
    fn vector(self, simd: S) -> T::Vector<S> {
        T::splat(simd, *self.0)
    }
}

#[derive(Clone, Copy)]
struct OfEach<V>(V);

impl<T: Real, S: Simd> Shift<T, S> for OfEach<T::Vector<S>> {
    #[inline(always)]
    fn vector(self, _: S) -> T::Vector<S> {
        self.0
    }
}

/// The vectors of feature number j.
#[inline(always)]
fn lanes_of_feature<T: Real, S: Simd>(x: &[T], j: usize) -> &[T::Vector<S>] {
    T::vectors::<S>(&x[j * BLOCK_ROWS..(j + 1) * BLOCK_ROWS])
}

/// The vectors of panel number p.
#[inline(always)]
fn rows_of_panel<T: Real, S: Simd>(x: &[T], p: usize) -> &[T::Vector<S>] {
    &T::vectors::<S>(x)[p * BLOCK_ROWS..(p + 1) * BLOCK_ROWS]
}

/// x - shift of numbers of one precision.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Plain<'a, T> {
    /// n_features x [`BLOCK_ROWS`].
    pub x: &'a [T],
    pub shift: &'a [T],
}

#[derive(Clone, Copy)]
struct PlainLanes<'a, V, H> {
    x: &'a [V],
    shift: H,
}

impl<T: Real> Differences<T> for Plain<'_, T> {
    #[inline(always)]
    fn features<S: Simd>(&self) -> impl Iterator<Item: Lanes<T, S>> {
        let x = T::vectors::<S>(self.x).chunks_exact(T::stride::<S>());
        x.zip(self.shift).map(|(x, shift)| PlainLanes {
            x,
            shift: OfAll(shift),
        })
    }

    #[inline(always)]
    fn feature<S: Simd>(&self, j: usize) -> impl Lanes<T, S> {
        PlainLanes {
            x: lanes_of_feature::<T, S>(self.x, j),
            shift: OfAll(&self.shift[j]),
        }
    }
}

impl<T: Real> InPanels<T> for Plain<'_, T> {
    #[inline(always)]
    fn panel<S: Simd>(&self, p: usize) -> impl Lanes<T, S> {
        PlainLanes {
            x: rows_of_panel::<T, S>(self.x, p),
            shift: OfEach(T::vectors::<S>(self.shift)[p]),
        }
    }
}

impl<T: Real, S: Simd, H: Shift<T, S>> Lanes<T, S> for PlainLanes<'_, T::Vector<S>, H> {
    #[inline(always)]
    fn load<const N: usize>(self, simd: S, at: usize) -> [T::Vector<S>; N] {
        let (x, shift) = (&self.x[at..at + N], self.shift.vector(simd));
        let mut z = [shift; N];
        for v in 0..N {
            z[v] = T::minus(simd, x[v], shift);
        }
        z
    }

    #[inline(always)]
    fn part(self, vectors: Range<usize>) -> Self {
        Self {
            x: &self.x[vectors],
            ..self
        }
    }
}

/// A number of 48 bits is the sum of a high and a low part of 24.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Halves<'a> {
    pub high: &'a [f32],
    pub low: &'a [f32],
}

impl<'a> Halves<'a> {
    #[inline(always)]
    fn of_feature(&self, j: usize) -> [OfAll<'a, f32>; 2] {
        [OfAll(&self.high[j]), OfAll(&self.low[j])]
    }

    #[inline(always)]
    fn of_panel<S: Simd>(&self, p: usize) -> [OfEach<S::f32s>; 2] {
        let [high, low] = [self.high, self.low].map(f32::vectors::<S>);
        [OfEach(high[p]), OfEach(low[p])]
    }
}

/// The high and the low part of a number.
#[inline(always)]
pub(crate) fn halves(value: f64) -> (f32, f32) {
    let high = value as f32;
    (high, (value - f64::from(high)) as f32)
}

/// x - shift in single precision, of numbers of 48 bits, so that the difference has the digits of single precision however small it is
/// against x.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Single<'a> {
    pub x: Halves<'a>,
    pub shift: Halves<'a>,
}

#[derive(Clone, Copy)]
struct SingleLanes<'a, V, H> {
    x: [&'a [V]; 2],
    shift: [H; 2],
}

impl Differences<f32> for Single<'_> {
    #[inline(always)]
    fn features<S: Simd>(&self) -> impl Iterator<Item: Lanes<f32, S>> {
        let stride = f32::stride::<S>();
        let high = f32::vectors::<S>(self.x.high).chunks_exact(stride);
        let low = f32::vectors::<S>(self.x.low).chunks_exact(stride);
        let shifts = self.shift.high.iter().zip(self.shift.low);
        high.zip(low).zip(shifts).map(|(x, shift)| SingleLanes {
            x: [x.0, x.1],
            shift: [OfAll(shift.0), OfAll(shift.1)],
        })
    }

    #[inline(always)]
    fn feature<S: Simd>(&self, j: usize) -> impl Lanes<f32, S> {
        SingleLanes {
            x: [self.x.high, self.x.low].map(|x| lanes_of_feature::<f32, S>(x, j)),
            shift: self.shift.of_feature(j),
        }
    }
}

impl InPanels<f32> for Single<'_> {
    #[inline(always)]
    fn panel<S: Simd>(&self, p: usize) -> impl Lanes<f32, S> {
        SingleLanes {
            x: [self.x.high, self.x.low].map(|x| rows_of_panel::<f32, S>(x, p)),
            shift: self.shift.of_panel::<S>(p),
        }
    }
}

impl<S: Simd, H: Shift<f32, S>> Lanes<f32, S> for SingleLanes<'_, S::f32s, H> {
    /// Exact in the high parts where x and shift are within a factor of 2 (Sterbenz 1974).
    #[inline(always)]
    fn load<const N: usize>(self, simd: S, at: usize) -> [S::f32s; N] {
        let [high, low] = [&self.x[0][at..at + N], &self.x[1][at..at + N]];
        let [shift, low_shift] = [self.shift[0].vector(simd), self.shift[1].vector(simd)];
        let mut z = [shift; N];
        for v in 0..N {
            let difference = simd.sub_f32s(high[v], shift);
            z[v] = simd.add_f32s(difference, simd.sub_f32s(low[v], low_shift));
        }
        z
    }

    #[inline(always)]
    fn part(self, vectors: Range<usize>) -> Self {
        let [high, low] = self.x;
        Self {
            x: [&high[vectors.clone()], &low[vectors]],
            ..self
        }
    }
}

/// x - shift of numbers x of single precision, which have no low parts: the same differences as those of [`Single`], for less.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Narrow<'a> {
    pub x: &'a [f32],
    pub shift: Halves<'a>,
}

#[derive(Clone, Copy)]
struct NarrowLanes<'a, V, H> {
    x: &'a [V],
    shift: [H; 2],
}

impl Differences<f32> for Narrow<'_> {
    #[inline(always)]
    fn features<S: Simd>(&self) -> impl Iterator<Item: Lanes<f32, S>> {
        let x = f32::vectors::<S>(self.x).chunks_exact(f32::stride::<S>());
        let shifts = self.shift.high.iter().zip(self.shift.low);
        x.zip(shifts).map(|(x, shift)| NarrowLanes {
            x,
            shift: [OfAll(shift.0), OfAll(shift.1)],
        })
    }

    #[inline(always)]
    fn feature<S: Simd>(&self, j: usize) -> impl Lanes<f32, S> {
        NarrowLanes {
            x: lanes_of_feature::<f32, S>(self.x, j),
            shift: self.shift.of_feature(j),
        }
    }
}

impl<S: Simd, H: Shift<f32, S>> Lanes<f32, S> for NarrowLanes<'_, S::f32s, H> {
    #[inline(always)]
    fn load<const N: usize>(self, simd: S, at: usize) -> [S::f32s; N] {
        let x = &self.x[at..at + N];
        let [shift, low_shift] = [self.shift[0].vector(simd), self.shift[1].vector(simd)];
        let mut z = [shift; N];
        for v in 0..N {
            z[v] = simd.sub_f32s(simd.sub_f32s(x[v], shift), low_shift);
        }
        z
    }

    /// (x - high) scale - low scale: the low part costs no step of its own.
    #[inline(always)]
    fn scaled<const N: usize>(self, simd: S, at: usize, scale: S::f32s) -> [S::f32s; N] {
        let x = &self.x[at..at + N];
        let [shift, low_shift] = [self.shift[0].vector(simd), self.shift[1].vector(simd)];
        let low = simd.mul_f32s(simd.neg_f32s(low_shift), scale);
        let mut z = [shift; N];
        for v in 0..N {
            z[v] = simd.mul_add_f32s(simd.sub_f32s(x[v], shift), scale, low);
        }
        z
    }

    #[inline(always)]
    fn part(self, vectors: Range<usize>) -> Self {
        Self {
            x: &self.x[vectors],
            ..self
        }
    }
}
