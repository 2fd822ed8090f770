//! From the log-joint densities of a block to log-densities and responsibilities.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::exponential::ln_f64s;
use super::real::{MOST_LANES, Real};
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

impl<T: Real> WithSimd for Normalize<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> bool {
        let lanes = T::lanes::<S>();
        let mut n_far = simd.splat_f64s(0.0);
        let rows = self.log_density.chunks_exact_mut(CHUNK * lanes);
        for (chunk, log_density) in rows.enumerate() {
            let vectors = chunk * CHUNK..(chunk + 1) * CHUNK;
            let [largest, sum] = normalize_chunk::<T, S>(simd, self.joint, vectors);
            let mut sums = [0.0; CHUNK * MOST_LANES];
            for v in 0..CHUNK {
                T::widen(simd, largest[v], &mut log_density[v * lanes..][..lanes]);
                T::widen(simd, sum[v], &mut sums[v * lanes..][..lanes]);
            }
            let log_density = f64::vectors_mut::<S>(log_density);
            n_far = add_logarithms(
                simd,
                f64::vectors::<S>(&sums),
                self.offset,
                log_density,
                n_far,
            );
        }
        simd.reduce_sum_f64s(n_far) > 0.0
    }
}

/// Adds ln(sum) and the offset to what log-densities are without them, and to the numbers of rows how many sums are 0.
#[inline(always)]
fn add_logarithms<S: Simd>(
    simd: S,
    sums: &[S::f64s],
    offset: f64,
    log_density: &mut [S::f64s],
    mut n_zeros: S::f64s,
) -> S::f64s {
    let splat = |value| simd.splat_f64s(value);
    let (zero, one, offset) = (splat(0.0), splat(1.0), splat(offset));
    for (l, sum) in log_density.iter_mut().zip(sums) {
        // A sum is at least 1, its largest term, or 0 where every density is; then the largest log-density is -inf.
        let is_some = simd.less_than_f64s(zero, *sum);
        let log = ln_f64s(simd, simd.select_f64s(is_some, *sum, one));
        *l = simd.add_f64s(simd.add_f64s(*l, log), offset);
        n_zeros = simd.add_f64s(n_zeros, simd.select_f64s(is_some, zero, one));
    }
    n_zeros
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
