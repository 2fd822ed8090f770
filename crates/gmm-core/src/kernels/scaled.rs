//! Squared Mahalanobis distances of the lanes of a block under diagonal covariances.

use std::iter;

use pulp::{Arch, Simd, WithSimd};

use super::differences::{Differences, Lanes as _, Plain};
use super::real::Real;
use super::whiten::Line;
use crate::block::BLOCK_ROWS;

/// `squared[i] = Σⱼ ((xᵢⱼ - μⱼ) sⱼ)²`: the distance under a diagonal covariance, `reciprocal_sd` holding sⱼ = 1/σⱼ
/// (one number for all features where it has length 1).
///
/// # Panics
/// If a buffer has another size.
pub fn scaled_norm(x: &[f64], mean: &[f64], reciprocal_sd: &[f64], squared: &mut [f64]) {
    assert_eq!(x.len(), mean.len() * BLOCK_ROWS);
    assert!(reciprocal_sd.len() == mean.len() || reciprocal_sd.len() == 1);
    assert_eq!(squared.len(), BLOCK_ROWS);
    Arch::new().dispatch(ScaledNorm {
        differences: Plain { x, shift: mean },
        reciprocal_sd,
        line: Line::squared(),
        out: squared,
    });
}

/// [`SquaredNorm`](super::whiten::SquaredNorm) of a diagonal W.
#[doc(hidden)]
pub struct ScaledNorm<'a, T, D> {
    pub differences: D,
    pub reciprocal_sd: &'a [T],
    pub line: Line<T>,
    pub out: &'a mut [T],
}

impl<T: Real, D: Differences<T>> WithSimd for ScaledNorm<'_, T, D> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.reciprocal_sd {
            [one] => self.with_scales(simd, iter::repeat(one)),
            each => self.with_scales(simd, each.iter()),
        }
    }
}

impl<'a, T: Real, D: Differences<T>> ScaledNorm<'a, T, D> {
    #[inline(always)]
    fn with_scales<S: Simd>(self, simd: S, scales: impl Iterator<Item = &'a T> + Clone) {
        // The sums of V vectors of rows stay in registers over all features: the more of them, the fewer times a scale is read.
        if S::F64_LANES == 8 {
            self.run::<S, 8>(simd, scales);
        } else {
            self.run::<S, 4>(simd, scales);
        }
    }

    #[inline(always)]
    fn run<S: Simd, const V: usize>(self, simd: S, scales: impl Iterator<Item = &'a T> + Clone) {
        let Self {
            differences,
            line,
            out,
            ..
        } = self;
        for (lane, out) in T::vectors_mut::<S>(out).chunks_exact_mut(V).enumerate() {
            let mut sums = [T::splat(simd, T::default()); V];
            let features = differences.features::<S>().zip(scales.clone());
            if let Some(origin) = differences.origin() {
                for ((lanes, scale), origin) in features.zip(origin) {
                    let scale = T::splat(simd, *scale);
                    let origin = T::splat(simd, *origin);
                    let z = lanes.load::<V>(simd, lane * V);
                    for v in 0..V {
                        let y = T::mul_add(simd, z[v], scale, origin);
                        sums[v] = T::mul_add(simd, y, y, sums[v]);
                    }
                }
            } else {
                for (lanes, scale) in features {
                    let scale = T::splat(simd, *scale);
                    let y = lanes.scaled::<V>(simd, lane * V, scale);
                    for v in 0..V {
                        sums[v] = T::mul_add(simd, y[v], y[v], sums[v]);
                    }
                }
            }
            out.copy_from_slice(&line.of::<S, V>(simd, sums));
        }
    }
}
