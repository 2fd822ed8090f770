//! exp for arguments that are not positive and ln for normal numbers: all that a log-sum-exp with the maximum taken out needs.

#[cfg(target_arch = "x86_64")]
mod avx512;

#[cfg(target_arch = "x86_64")]
use std::any::Any;

#[cfg(target_arch = "x86_64")]
use pulp::bytemuck::cast;
use pulp::bytemuck::cast_slice_mut;
use pulp::{Scalar, Simd};

#[cfg(target_arch = "x86_64")]
use avx512::{exp_f32x16, exp_f64x8, ln_f64x8};

/// ln 2 in two parts; the first has 32 trailing zero bits, so that `n * LN2_HIGH` is exact for |n| < 2^32 (Cody and Waite 1980).
const LN2_HIGH: f64 = 0.693_147_180_369_123_8;
const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;
/// Below this exp is subnormal or zero; it is taken as zero (a responsibility below 1e-307 changes nothing).
const SMALLEST: f64 = -708.0;

/// ln 2 in two parts of single precision; the first has nine bits, so that `n * HIGH` is exact.
const HIGH: f32 = 0.693_359_4;
const LOW: f32 = -2.121_944_4e-4;
const SMALLEST_SINGLE: f32 = -60.0;

/// exp(x) for x <= 0, with an error of about one unit in the last place; exactly 0 below -708, for -inf and
/// for NaN, exactly 1 at 0.
pub fn exp_nonpositive(x: f64) -> f64 {
    exp_f64s(Scalar, x)
}

/// [`exp_nonpositive`] in single precision, with a relative error below 2^-22; exactly 0 below -60 and for NaN: a
/// responsibility of 1e-26 says nothing among numbers of seven digits, and what it is multiplied with would leave the normal numbers, which takes
/// some processors a hundred times as long.
pub fn exp_nonpositive_single(x: f32) -> f32 {
    exp_f32s(Scalar, x)
}

/// The instruction set, if it is AVX-512: known when compiling.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn as_v4<S: Simd>(simd: &S) -> Option<pulp::x86::V4> {
    (simd as &dyn Any).downcast_ref().copied()
}

/// [`exp_nonpositive`] of a vector, in a way of its own with AVX-512.
///
/// The argument is reduced to |r| <= ln 2 / 2 (Cody and Waite 1980); then exp(r) is
/// 1 + r + r² q(r), where q of degree 9 meets (exp(r) - 1 - r) / r² at the Chebyshev points: off by 1.7e-17 at the most (by 5e-18 for the
/// Taylor polynomial of degree 13, which takes two steps more).
#[inline(always)]
pub(super) fn exp_f64s<S: Simd>(simd: S, x: S::f64s) -> S::f64s {
    /// 1.5 * 2^52 + 1023: adding it rounds to an integer and leaves that integer, with the bias of an exponent, in the low bits.
    const ROUND: f64 = 6_755_399_441_055_744.0 + 1023.0;
    /// From the highest power of r to the lowest.
    const POLYNOMIAL: [f64; 12] = [
        2.510_037_584_222_37e-8,
        2.762_007_589_254_816_4e-7,
        2.755_726_848_028_971_6e-6,
        2.480_152_132_234_228e-5,
        1.984_126_986_304_055_9e-4,
        1.388_888_891_719_673_6e-3,
        8.333_333_333_330_065e-3,
        4.166_666_666_662_416_4e-2,
        1.666_666_666_666_666_9e-1,
        0.500_000_000_000_000_1,
        1.0,
        1.0,
    ];
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = as_v4(&simd) {
        return cast(exp_f64x8(simd, cast(x)));
    }
    let splat = |value| simd.splat_f64s(value);
    let shifted = simd.mul_add_f64s(x, splat(std::f64::consts::LOG2_E), splat(ROUND));
    let n = simd.sub_f64s(shifted, splat(ROUND));
    let r = simd.mul_add_f64s(n, splat(-LN2_HIGH), x);
    let r = simd.mul_add_f64s(n, splat(-LN2_LOW), r);
    let [first, rest @ ..] = POLYNOMIAL;
    let mut p = splat(first);
    for coefficient in rest {
        p = simd.mul_add_f64s(r, p, splat(coefficient));
    }
    let mut power = simd.transmute_u64s_f64s(shifted);
    // A shift of 64-bit integers is none of pulp's operations; the compiler makes one vector of the loop.
    for bits in cast_slice_mut::<S::u64s, u64>(std::slice::from_mut(&mut power)) {
        *bits <<= 52;
    }
    let exp = simd.mul_f64s(p, simd.transmute_f64s_u64s(power));
    let is_some = simd.greater_than_or_equal_f64s(x, splat(SMALLEST));
    simd.select_f64s(is_some, exp, splat(0.0))
}

/// [`exp_nonpositive_single`] of a vector. The polynomial is of degree 6, off by 1e-8.
#[inline(always)]
pub(super) fn exp_f32s<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    /// 1.5 * 2^23 + 127.
    const ROUND: f32 = 12_582_912.0 + 127.0;
    const POLYNOMIAL: [f32; 7] = [
        1.392_617_6e-3,
        8.363_173e-3,
        4.166_655_5e-2,
        0.166_665_77,
        0.5,
        1.0,
        1.0,
    ];
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = as_v4(&simd) {
        return cast(exp_f32x16(simd, cast(x)));
    }
    let splat = |value| simd.splat_f32s(value);
    let shifted = simd.mul_add_f32s(x, splat(std::f32::consts::LOG2_E), splat(ROUND));
    let n = simd.sub_f32s(shifted, splat(ROUND));
    let r = simd.mul_add_f32s(n, splat(-HIGH), x);
    let r = simd.mul_add_f32s(n, splat(-LOW), r);
    let [first, rest @ ..] = POLYNOMIAL;
    let mut p = splat(first);
    for coefficient in rest {
        p = simd.mul_add_f32s(r, p, splat(coefficient));
    }
    let mut power = simd.transmute_u32s_f32s(shifted);
    for bits in cast_slice_mut::<S::u32s, u32>(std::slice::from_mut(&mut power)) {
        *bits <<= 23;
    }
    let exp = simd.mul_f32s(p, simd.transmute_f32s_u32s(power));
    let is_some = simd.greater_than_or_equal_f32s(x, splat(SMALLEST_SINGLE));
    simd.select_f32s(is_some, exp, splat(0.0))
}

/// ln(x) for positive normal numbers, with an error of about one unit in the last place; any other x gives some number or NaN.
///
/// Free of branches, so that the compiler turns a loop over lanes into vector code. With x = 2^e m and m in [√½, √2), ln m = 2 atanh(s),
/// s = (m - 1) / (m + 1), |s| ≤ 0.172; the series of atanh is cut where the rest is below 0.172^24 / 25 = 2e-20.
#[inline(always)]
pub fn ln_of_normal(x: f64) -> f64 {
    const SQRT_HALF_BITS: u64 = 0x3fe6_a09e_667f_3bcd;
    /// Added to an exponent, it leaves none negative.
    const BIAS: u64 = 1024;
    // Moves the boundary between two exponents from 1 to √2.
    let shifted = x
        .to_bits()
        .wrapping_sub(SQRT_HALF_BITS.wrapping_sub(BIAS << 52));
    let exponent_bits = shifted & 0xfff0_0000_0000_0000;
    let m = f64::from_bits(
        x.to_bits()
            .wrapping_sub(exponent_bits.wrapping_sub(BIAS << 52)),
    );
    // The biased exponent is a small integer: in the low bits of 2^52 it turns into a float without a conversion, which vectors of 64-bit
    // integers lack on AVX2.
    let e = f64::from_bits((exponent_bits >> 52) | 0x4330_0000_0000_0000)
        - (4_503_599_627_370_496.0 + BIAS as f64);
    let s = (m - 1.0) / (m + 1.0);
    let s2 = s * s;
    let mut p = 2.0 / 23.0;
    p = s2.mul_add(p, 2.0 / 21.0);
    p = s2.mul_add(p, 2.0 / 19.0);
    p = s2.mul_add(p, 2.0 / 17.0);
    p = s2.mul_add(p, 2.0 / 15.0);
    p = s2.mul_add(p, 2.0 / 13.0);
    p = s2.mul_add(p, 2.0 / 11.0);
    p = s2.mul_add(p, 2.0 / 9.0);
    p = s2.mul_add(p, 2.0 / 7.0);
    p = s2.mul_add(p, 2.0 / 5.0);
    p = s2.mul_add(p, 2.0 / 3.0);
    let tail = (s * s2).mul_add(p, e * LN2_LOW);
    e.mul_add(LN2_HIGH, s.mul_add(2.0, tail))
}

/// [`ln_of_normal`] of a vector, in a way of its own with AVX-512.
#[inline(always)]
pub(super) fn ln_f64s<S: Simd>(simd: S, mut x: S::f64s) -> S::f64s {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = as_v4(&simd) {
        return cast(ln_f64x8(simd, cast(x)));
    }
    for x in cast_slice_mut::<S::f64s, f64>(std::slice::from_mut(&mut x)) {
        *x = ln_of_normal(*x);
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Real;
    use crate::kernels::instruction_sets;
    use pulp::WithSimd;

    /// The exponential of all numbers, whose vectors have to be whole.
    struct ExpOf<'a, T>(&'a mut [T]);

    impl<T: Real> WithSimd for ExpOf<'_, T> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            for x in T::vectors_mut::<S>(self.0) {
                *x = T::exp_nonpositive(simd, *x);
            }
        }
    }

    #[test]
    fn vectors_agree_with_the_standard_function_on_every_instruction_set() {
        let arguments: Vec<f64> = (0..708_000)
            .map(|i| -f64::from(i) * 1e-3 - 1e-7 * f64::from(i % 977))
            .collect();
        let ends = [
            0.0,
            -0.0,
            -708.0,
            -708.1,
            -1e300,
            f64::NEG_INFINITY,
            f64::NAN,
            -1e-300,
        ];
        let expected = [1.0, 1.0, exp_nonpositive(-708.0), 0.0, 0.0, 0.0, 0.0, 1.0];
        for set in instruction_sets() {
            let mut found = arguments.clone();
            set.dispatch(ExpOf(&mut found));
            for (x, found) in arguments.iter().zip(&found) {
                let error = (found - x.exp()).abs() / x.exp();
                assert!(error <= 2.0 * f64::EPSILON, "{set:?}: {x} {error:e}");
            }
            let mut found = ends;
            set.dispatch(ExpOf(&mut found));
            for (found, expected) in found.iter().zip(expected) {
                assert!(
                    (found - expected).abs() <= f64::EPSILON * expected,
                    "{set:?}: {found}"
                );
            }
            let mut found: Vec<f32> = arguments.iter().map(|x| *x as f32).collect();
            let narrow = found.clone();
            set.dispatch(ExpOf(&mut found));
            for (x, found) in narrow.iter().zip(&found) {
                let expected = if *x < -60.0 { 0.0 } else { f64::from(*x).exp() };
                let error = (f64::from(*found) - expected).abs();
                assert!(error <= 2f64.powi(-22) * expected, "{set:?}: {x} {found}");
            }
            let mut found: Vec<f32> = ends.iter().chain(&ends).map(|x| *x as f32).collect();
            set.dispatch(ExpOf(&mut found));
            for (found, is_one) in found
                .iter()
                .zip([true, true, false, false, false, false, false, true])
            {
                assert_eq!(
                    found.to_bits(),
                    f32::from(u8::from(is_one)).to_bits(),
                    "{set:?}"
                );
            }
        }
    }

    #[test]
    fn agrees_with_the_standard_function() {
        // Twice the error bound of each side: the standard function is right to one unit, ours to about one.
        let mut worst = 0.0f64;
        for i in 0..700_000 {
            let x = -f64::from(i) * 1e-3 - 1e-7 * f64::from(i % 977);
            worst = worst.max((exp_nonpositive(x) - x.exp()).abs() / x.exp());
        }
        assert!(worst <= 2.0 * f64::EPSILON, "{worst:e}");
        assert_eq!(exp_nonpositive(0.0).to_bits(), 1.0f64.to_bits());
        for x in [-708.1, -1e300, f64::NEG_INFINITY] {
            assert_eq!(exp_nonpositive(x).to_bits(), 0.0f64.to_bits());
        }
    }

    /// The logarithm of all numbers, whose vectors have to be whole.
    struct LnOf<'a>(&'a mut [f64]);

    impl WithSimd for LnOf<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            for x in f64::vectors_mut::<S>(self.0) {
                *x = ln_f64s(simd, *x);
            }
        }
    }

    #[test]
    fn the_logarithm_agrees_with_the_standard_function() {
        let mut arguments = vec![1.0, f64::MIN_POSITIVE, f64::MAX, 0.5f64.sqrt(), 2f64.sqrt()];
        for i in 1..400_000u32 {
            arguments.push(1.0 + f64::from(i) * 1e-3 + 1e-9 * f64::from(i % 997));
            arguments.push(f64::from(i) * 2.5e-6 * 2f64.powi(-(i as i32 % 1000)));
            // Where the intervals of a table begin and end, and all of them.
            arguments.push(0.75 + f64::from(i) * 2f64.powi(-19));
            arguments.push((0.75 + f64::from(i) * 2f64.powi(-19)).next_down());
        }
        // Near 1 the logarithm is small: its relative error is what counts.
        for i in 1..=52 {
            arguments.extend([1.0 + 2f64.powi(-i), 1.0 - 2f64.powi(-i)]);
        }
        arguments.resize(arguments.len().next_multiple_of(8), 2.0);
        let twins: Vec<f64> = arguments.iter().map(|x| ln_of_normal(*x)).collect();
        let of_sets = instruction_sets().into_iter().map(|set| {
            let mut found = arguments.clone();
            set.dispatch(LnOf(&mut found));
            found
        });
        for found in of_sets.chain([twins]) {
            for (x, found) in arguments.iter().zip(found) {
                let error = (found - x.ln()).abs();
                assert!(error <= 2.5 * f64::EPSILON * x.ln().abs(), "{x}: {found}");
            }
        }
        assert_eq!(ln_of_normal(1.0).to_bits(), 0.0f64.to_bits());
    }
}
