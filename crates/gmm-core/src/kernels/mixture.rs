//! From the log-joint densities of a block to log-densities and responsibilities.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::ln_of_normal;
use super::real::Real;
use crate::block::BLOCK_ROWS;

/// Turns `joint[k][i] + offset = log πₖ + log N(xᵢ; μₖ, Σₖ)` into responsibilities in place and writes log p(xᵢ).
///
/// log p(x) = offset + m + log Σₖ exp(jointₖ - m) with m = maxₖ jointₖ, and rₖ = exp(jointₖ - m) / Σ: the responsibilities come from
/// the shifted exponentials, not from exp(joint - log p), which loses the digits of a large |log p|.
/// A NaN (an infinite difference times zero, far outside) counts as -inf. Where all are -inf the log-density is -inf
/// and the responsibilities are 0; the caller, who is told whether there is such a lane, decides what it belongs to.
///
/// `joint` holds n_components x [`BLOCK_ROWS`] values, `log_density` [`BLOCK_ROWS`].
///
/// # Panics
/// If a buffer has another size.
pub fn normalize_joint(joint: &mut [f64], offset: f64, log_density: &mut [f64]) -> bool {
    assert_eq!(log_density.len(), BLOCK_ROWS);
    assert_eq!(joint.len() % BLOCK_ROWS, 0);
    Arch::new().dispatch(Normalize {
        joint,
        offset,
        log_density,
    })
}

#[doc(hidden)]
pub struct Normalize<'a, T> {
    pub joint: &'a mut [T],
    pub offset: f64,
    pub log_density: &'a mut [f64],
}

/// Vectors that are normalized together.
const CHUNK: usize = 4;

/// A number for each row of a block, where a line of the cache begins (see [`Aligned`](crate::Aligned)).
#[repr(align(64))]
struct PerRow<T>([T; BLOCK_ROWS]);

impl<T: Real> WithSimd for Normalize<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> bool {
        let zero = T::default();
        let PerRow(largest) = &mut PerRow([zero; BLOCK_ROWS]);
        let PerRow(sum) = &mut PerRow([zero; BLOCK_ROWS]);
        let chunks = T::vectors_mut::<S>(largest)
            .chunks_exact_mut(CHUNK)
            .zip(T::vectors_mut::<S>(sum).chunks_exact_mut(CHUNK));
        for (chunk, (largest, sum)) in chunks.enumerate() {
            let vectors = chunk * CHUNK..(chunk + 1) * CHUNK;
            let [m, total] = normalize_chunk::<T, S>(simd, self.joint, vectors);
            largest.copy_from_slice(&m);
            sum.copy_from_slice(&total);
        }
        let mut is_far = false;
        for ((l, m), total) in self.log_density.iter_mut().zip(&*largest).zip(&*sum) {
            // The sum is at least 1, its largest term, or 0 where every density is; then m is -inf.
            let some = *total > zero;
            let log_sum = ln_of_normal(if some { total.to_f64() } else { 1.0 });
            *l = (m.to_f64() + log_sum) + self.offset;
            is_far |= !some;
        }
        is_far
    }
}

/// Makes responsibilities of some vectors of all components, which stay in the first cache, and their largest terms and sums in registers.
#[inline(always)]
fn normalize_chunk<T: Real, S: Simd>(
    simd: S,
    joint: &mut [T],
    vectors: Range<usize>,
) -> [[T::Vector<S>; CHUNK]; 2] {
    let joint = T::vectors_mut::<S>(joint);
    let mut largest = [T::splat(simd, T::NEG_INFINITY); CHUNK];
    for component in joint.chunks_exact(T::stride::<S>()) {
        let values = &component[vectors.clone()];
        for v in 0..CHUNK {
            largest[v] = T::larger(simd, values[v], largest[v]);
        }
    }
    let mut shift = largest;
    for v in 0..CHUNK {
        shift[v] = T::where_above(simd, largest[v], T::NEG_INFINITY, largest[v]);
    }
    let zero = T::splat(simd, T::default());
    let mut sum = [zero; CHUNK];
    for component in joint.chunks_exact_mut(T::stride::<S>()) {
        let values = &mut component[vectors.clone()];
        for v in 0..CHUNK {
            // 0 for -inf and for NaN.
            let e = T::exp_nonpositive(simd, T::minus(simd, values[v], shift[v]));
            values[v] = e;
            sum[v] = T::plus(simd, sum[v], e);
        }
    }
    let mut reciprocal = sum;
    for v in 0..CHUNK {
        let over = T::over(simd, T::splat(simd, T::ONE), sum[v]);
        reciprocal[v] = T::where_above(simd, sum[v], T::default(), over);
    }
    for component in joint.chunks_exact_mut(T::stride::<S>()) {
        let values = &mut component[vectors.clone()];
        for v in 0..CHUNK {
            values[v] = T::times(simd, values[v], reciprocal[v]);
        }
    }
    [largest, sum]
}
