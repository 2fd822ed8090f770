//! The two precisions of the kernels, and the differences that they start from.

use std::ops::{AddAssign, Div, Mul, MulAssign, Sub};

use pulp::Simd;

use super::{exp_nonpositive, exp_nonpositive_single};
use crate::block::BLOCK_ROWS;

/// f64 or f32, and their vectors on an instruction set.
#[doc(hidden)]
pub trait Real:
    Copy
    + Default
    + PartialOrd
    + Mul<Output = Self>
    + Sub<Output = Self>
    + Div<Output = Self>
    + AddAssign
    + MulAssign
    + Send
    + Sync
    + 'static
{
    type Vector<S: Simd>: Copy;

    const ONE: Self;
    const MINUS_HALF: Self;
    const NEG_INFINITY: Self;

    fn to_f64(self) -> f64;
    /// self · a + b, rounded once.
    fn fused(self, a: Self, b: Self) -> Self;
    /// exp(self) for self <= 0.
    fn exp_nonpositive(self) -> Self;
    fn lanes<S: Simd>() -> usize;
    fn vectors<S: Simd>(values: &[Self]) -> &[Self::Vector<S>];
    fn vectors_mut<S: Simd>(values: &mut [Self]) -> &mut [Self::Vector<S>];
    fn splat<S: Simd>(simd: S, value: Self) -> Self::Vector<S>;
    fn plus<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    fn minus<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    fn times<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    /// a b + c.
    fn mul_add<S: Simd>(
        simd: S,
        a: Self::Vector<S>,
        b: Self::Vector<S>,
        c: Self::Vector<S>,
    ) -> Self::Vector<S>;
    fn sum<S: Simd>(simd: S, a: Self::Vector<S>) -> Self;

    /// Vectors of a block's lanes.
    #[inline(always)]
    fn stride<S: Simd>() -> usize {
        BLOCK_ROWS / Self::lanes::<S>()
    }
}

macro_rules! real {
    ($real:ident, $exp:path, $vector:ident, $lanes:ident, $slice:ident, $slice_mut:ident,
     $splat:ident, $add:ident, $sub:ident, $mul:ident, $mul_add:ident, $sum:ident) => {
        impl Real for $real {
            type Vector<S: Simd> = S::$vector;

            const ONE: Self = 1.0;
            const MINUS_HALF: Self = -0.5;
            const NEG_INFINITY: Self = $real::NEG_INFINITY;

            #[inline(always)]
            fn fused(self, a: Self, b: Self) -> Self {
                self.mul_add(a, b)
            }
            #[inline(always)]
            fn exp_nonpositive(self) -> Self {
                $exp(self)
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            #[inline(always)]
            fn lanes<S: Simd>() -> usize {
                S::$lanes
            }
            #[inline(always)]
            fn vectors<S: Simd>(values: &[Self]) -> &[S::$vector] {
                S::$slice(values).0
            }
            #[inline(always)]
            fn vectors_mut<S: Simd>(values: &mut [Self]) -> &mut [S::$vector] {
                S::$slice_mut(values).0
            }
            #[inline(always)]
            fn splat<S: Simd>(simd: S, value: Self) -> S::$vector {
                simd.$splat(value)
            }
            #[inline(always)]
            fn plus<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
                simd.$add(a, b)
            }
            #[inline(always)]
            fn minus<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
                simd.$sub(a, b)
            }
            #[inline(always)]
            fn times<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
                simd.$mul(a, b)
            }
            #[inline(always)]
            fn mul_add<S: Simd>(
                simd: S,
                a: S::$vector,
                b: S::$vector,
                c: S::$vector,
            ) -> S::$vector {
                simd.$mul_add(a, b, c)
            }
            #[inline(always)]
            fn sum<S: Simd>(simd: S, a: S::$vector) -> Self {
                simd.$sum(a)
            }
        }
    };
}

real!(
    f64,
    exp_nonpositive,
    f64s,
    F64_LANES,
    as_simd_f64s,
    as_mut_simd_f64s,
    splat_f64s,
    add_f64s,
    sub_f64s,
    mul_f64s,
    mul_add_f64s,
    reduce_sum_f64s
);
real!(
    f32,
    exp_nonpositive_single,
    f32s,
    F32_LANES,
    as_simd_f32s,
    as_mut_simd_f32s,
    splat_f32s,
    add_f32s,
    sub_f32s,
    mul_f32s,
    mul_add_f32s,
    reduce_sum_f32s
);

/// The lanes of a block less a shift, feature by feature: all that the kernels see of the data, so that an offset costs no digits.
#[doc(hidden)]
pub trait Differences<T: Real>: Copy {
    fn features<S: Simd>(&self) -> impl Iterator<Item: Lanes<T, S>>;
}

/// One feature of [`Differences`].
#[doc(hidden)]
pub trait Lanes<T: Real, S: Simd>: Copy {
    /// N vectors, from vector number `at` of the block on.
    fn load<const N: usize>(self, simd: S, at: usize) -> [T::Vector<S>; N];
}

/// x - shift in double precision.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Double<'a> {
    /// n_features x [`BLOCK_ROWS`].
    pub x: &'a [f64],
    pub shift: &'a [f64],
}

impl Differences<f64> for Double<'_> {
    #[inline(always)]
    fn features<S: Simd>(&self) -> impl Iterator<Item: Lanes<f64, S>> {
        let x = f64::vectors::<S>(self.x);
        x.chunks_exact(f64::stride::<S>()).zip(self.shift)
    }
}

impl<S: Simd> Lanes<f64, S> for (&[S::f64s], &f64) {
    #[inline(always)]
    fn load<const N: usize>(self, simd: S, at: usize) -> [S::f64s; N] {
        let (x, shift) = (&self.0[at..at + N], simd.splat_f64s(*self.1));
        // Loops and no closures, which would be calls here.
        let mut z = [shift; N];
        for v in 0..N {
            z[v] = simd.sub_f64s(x[v], shift);
        }
        z
    }
}

/// x - shift in single precision, of numbers of 48 bits: each is the sum of a `high` and a `low` part of 24, so that the difference
/// has the digits of single precision however small it is against x.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Single<'a> {
    pub x: Halves<'a>,
    pub shift: Halves<'a>,
}

/// High and low parts: see [`Single`].
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Halves<'a> {
    pub high: &'a [f32],
    pub low: &'a [f32],
}

/// The high and the low part of a number.
#[inline(always)]
pub(crate) fn halves(value: f64) -> (f32, f32) {
    let high = value as f32;
    (high, (value - f64::from(high)) as f32)
}

impl Differences<f32> for Single<'_> {
    #[inline(always)]
    fn features<S: Simd>(&self) -> impl Iterator<Item: Lanes<f32, S>> {
        let stride = f32::stride::<S>();
        let high = f32::vectors::<S>(self.x.high).chunks_exact(stride);
        let low = f32::vectors::<S>(self.x.low).chunks_exact(stride);
        high.zip(low)
            .zip(self.shift.high.iter().zip(self.shift.low))
    }
}

/// High and low parts of the lanes, and of the shift.
type Pairs<'a, V> = ((&'a [V], &'a [V]), (&'a f32, &'a f32));

impl<S: Simd> Lanes<f32, S> for Pairs<'_, S::f32s> {
    #[inline(always)]
    fn load<const N: usize>(self, simd: S, at: usize) -> [S::f32s; N] {
        let ((high, low), shift) = self;
        let (high, low) = (&high[at..at + N], &low[at..at + N]);
        let shift = [simd.splat_f32s(*shift.0), simd.splat_f32s(*shift.1)];
        let mut z = [shift[0]; N];
        for v in 0..N {
            // Exact where x and shift are within a factor of 2 (Sterbenz 1974).
            let difference = simd.sub_f32s(high[v], shift[0]);
            z[v] = simd.add_f32s(difference, simd.sub_f32s(low[v], shift[1]));
        }
        z
    }
}
