//! The two precisions of the kernels.

use std::ops::{AddAssign, Div, Mul, MulAssign, Sub};

use pulp::Simd;
use pulp::bytemuck::cast_slice;

use super::exponential::{exp_f32s, exp_f64s};
use crate::block::BLOCK_ROWS;

/// No vector has more lanes.
pub(super) const MOST_LANES: usize = 16;

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
    /// The first powers of two, from 1 on, of which all sums are exact.
    const EXACT_POWERS: usize;
    const POWERS: [Self; 32];

    fn to_f64(self) -> f64;
    /// Rounded.
    fn from_f64(value: f64) -> Self;
    fn lanes<S: Simd>() -> usize;
    fn vectors<S: Simd>(values: &[Self]) -> &[Self::Vector<S>];
    fn vectors_mut<S: Simd>(values: &mut [Self]) -> &mut [Self::Vector<S>];
    fn splat<S: Simd>(simd: S, value: Self) -> Self::Vector<S>;
    /// Writes the lanes.
    fn widen<S: Simd>(simd: S, a: Self::Vector<S>, out: &mut [f64]);
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
    /// exp(a) for a <= 0, 0 for NaN.
    fn exp_nonpositive<S: Simd>(simd: S, a: Self::Vector<S>) -> Self::Vector<S>;
    fn over<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    /// a where it is greater than b, b elsewhere and where a is NaN; b has to be a number.
    fn larger<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    /// `value` where a is greater than `bound`, 0 elsewhere.
    fn where_above<S: Simd>(
        simd: S,
        a: Self::Vector<S>,
        bound: Self,
        value: Self::Vector<S>,
    ) -> Self::Vector<S>;
    /// 0 where a is at most `bound`, `value` elsewhere and where one of them is NaN.
    fn unless_up_to<S: Simd>(
        simd: S,
        a: Self::Vector<S>,
        bound: Self::Vector<S>,
        value: Self::Vector<S>,
    ) -> Self::Vector<S>;
    /// a where `bits` is 0, b where it is 1.
    fn choose<S: Simd>(
        simd: S,
        bits: Self::Vector<S>,
        a: Self::Vector<S>,
        b: Self::Vector<S>,
    ) -> Self::Vector<S>;
    /// Lane l gets what lane l - n held, in a circle.
    fn rotate<S: Simd>(simd: S, a: Self::Vector<S>, n: usize) -> Self::Vector<S>;
    /// Bit number `level` of the number of each lane.
    fn bits(level: usize) -> [Self; MOST_LANES];

    /// The sum of each of 16 vectors.
    ///
    /// Two vectors become one that holds partial sums of the first in its even lanes and of the second in its odd ones; two of those one in
    /// which bit 1 of the lane's number tells which it belongs to, and so on: 14 steps for all, where a sum alone takes 3.
    #[inline(always)]
    fn sums<S: Simd>(simd: S, mut vectors: [Self::Vector<S>; MOST_LANES]) -> [Self; MOST_LANES] {
        let mut n = MOST_LANES;
        for level in 0..Self::lanes::<S>().ilog2() as usize {
            let bits = Self::bits(level);
            let bits = Self::vectors::<S>(&bits)[0];
            n /= 2;
            for i in 0..n {
                let [a, b] = [vectors[2 * i], vectors[2 * i + 1]];
                let here = Self::choose(simd, bits, a, b);
                let there = Self::choose(simd, bits, b, a);
                vectors[i] = Self::plus(simd, here, Self::rotate(simd, there, 1 << level));
            }
        }
        let mut sums = [Self::default(); MOST_LANES];
        Self::vectors_mut::<S>(&mut sums).copy_from_slice(&vectors[..n]);
        sums
    }

    /// Turns a square of as many vectors as there are lanes: each step swaps what stands off the diagonal of smaller squares in it.
    #[inline(always)]
    fn transpose<S: Simd>(simd: S, square: &mut [Self::Vector<S>; MOST_LANES]) {
        let lanes = Self::lanes::<S>();
        for level in 0..lanes.ilog2() as usize {
            let (bits, distance) = (Self::bits(level), 1 << level);
            let bits = Self::vectors::<S>(&bits)[0];
            for i in 0..lanes {
                if i & distance != 0 {
                    continue;
                }
                let [a, b] = [square[i], square[i + distance]];
                let right = Self::rotate(simd, b, distance);
                let left = Self::rotate(simd, a, lanes - distance);
                square[i] = Self::choose(simd, bits, a, right);
                square[i + distance] = Self::choose(simd, bits, left, b);
            }
        }
    }

    /// Vectors of a block's lanes.
    #[inline(always)]
    fn stride<S: Simd>() -> usize {
        BLOCK_ROWS / Self::lanes::<S>()
    }
}

macro_rules! real {
    ($real:ident, $powers:literal, $exp:path, $vector:ident, $lanes:ident, $slice:ident, $slice_mut:ident,
     $splat:ident, $add:ident, $sub:ident, $mul:ident, $div:ident, $mul_add:ident, $sum:ident, $less:ident, $up_to:ident, $max:ident, $select:ident, $rotate:ident) => {
        impl Real for $real {
            type Vector<S: Simd> = S::$vector;

            const ONE: Self = 1.0;
            const MINUS_HALF: Self = -0.5;
            const NEG_INFINITY: Self = $real::NEG_INFINITY;
            const EXACT_POWERS: usize = $powers;
            const POWERS: [Self; 32] = {
                let mut powers = [1.0; 32];
                let mut at = 1;
                while at < powers.len() {
                    powers[at] = 2.0 * powers[at - 1];
                    at += 1;
                }
                powers
            };

            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                value as $real
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
            fn widen<S: Simd>(_: S, a: S::$vector, out: &mut [f64]) {
                let lanes = cast_slice::<S::$vector, $real>(std::slice::from_ref(&a));
                for (out, lane) in out.iter_mut().zip(lanes) {
                    *out = f64::from(*lane);
                }
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
            #[inline(always)]
            fn exp_nonpositive<S: Simd>(simd: S, a: S::$vector) -> S::$vector {
                $exp(simd, a)
            }
            #[inline(always)]
            fn over<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
                simd.$div(a, b)
            }
            #[inline(always)]
            fn larger<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
                // One step there, and pulp's (0.22) is the processor's, which gives b where a is NaN; tests of both callers hold that.
                if cfg!(target_arch = "x86_64") {
                    simd.$max(a, b)
                } else {
                    simd.$select(simd.$less(b, a), a, b)
                }
            }
            #[inline(always)]
            fn where_above<S: Simd>(
                simd: S,
                a: S::$vector,
                bound: Self,
                value: S::$vector,
            ) -> S::$vector {
                simd.$select(simd.$less(simd.$splat(bound), a), value, simd.$splat(0.0))
            }
            #[inline(always)]
            fn unless_up_to<S: Simd>(
                simd: S,
                a: S::$vector,
                bound: S::$vector,
                value: S::$vector,
            ) -> S::$vector {
                simd.$select(simd.$up_to(a, bound), simd.$splat(0.0), value)
            }
            #[inline(always)]
            fn choose<S: Simd>(
                simd: S,
                bits: S::$vector,
                a: S::$vector,
                b: S::$vector,
            ) -> S::$vector {
                simd.$select(simd.$less(bits, simd.$splat(1.0)), a, b)
            }
            #[inline(always)]
            fn rotate<S: Simd>(simd: S, a: S::$vector, n: usize) -> S::$vector {
                simd.$rotate(a, n)
            }
            #[inline(always)]
            fn bits(level: usize) -> [$real; MOST_LANES] {
                let mut bits = [0.0; MOST_LANES];
                for (lane, bit) in bits.iter_mut().enumerate() {
                    *bit = (lane >> level & 1) as $real;
                }
                bits
            }
        }
    };
}

real!(
    f64,
    32,
    exp_f64s,
    f64s,
    F64_LANES,
    as_simd_f64s,
    as_mut_simd_f64s,
    splat_f64s,
    add_f64s,
    sub_f64s,
    mul_f64s,
    div_f64s,
    mul_add_f64s,
    reduce_sum_f64s,
    less_than_f64s,
    less_than_or_equal_f64s,
    max_f64s,
    select_f64s,
    rotate_right_f64s
);
real!(
    f32,
    16,
    exp_f32s,
    f32s,
    F32_LANES,
    as_simd_f32s,
    as_mut_simd_f32s,
    splat_f32s,
    add_f32s,
    sub_f32s,
    mul_f32s,
    div_f32s,
    mul_add_f32s,
    reduce_sum_f32s,
    less_than_f32s,
    less_than_or_equal_f32s,
    max_f32s,
    select_f32s,
    rotate_right_f32s
);
