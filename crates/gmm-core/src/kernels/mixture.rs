//! From the log-joint densities of a block to log-densities and responsibilities.

use pulp::{Arch, Simd, WithSimd};

use super::ln_of_sum;
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

/// A number for each row of a block, where a line of the cache begins (see [`Aligned`](crate::Aligned)).
#[repr(align(64))]
struct PerRow<T>([T; BLOCK_ROWS]);

impl<T: Real> WithSimd for Normalize<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> bool {
        let (zero, lowest) = (T::default(), T::NEG_INFINITY);
        let PerRow(largest) = &mut PerRow([lowest; BLOCK_ROWS]);
        for component in self.joint.chunks_exact(BLOCK_ROWS) {
            for (m, v) in largest.iter_mut().zip(component) {
                // A comparison with NaN is false.
                *m = if *v > *m { *v } else { *m };
            }
        }
        let PerRow(shift) = &mut PerRow([zero; BLOCK_ROWS]);
        for (s, m) in shift.iter_mut().zip(&*largest) {
            *s = if *m > lowest { *m } else { zero };
        }
        let is_far = largest.iter().fold(false, |far, m| far | (*m <= lowest));
        let PerRow(sum) = &mut PerRow([zero; BLOCK_ROWS]);
        for component in self.joint.chunks_exact_mut(BLOCK_ROWS) {
            for ((v, s), total) in component.iter_mut().zip(&*shift).zip(&mut *sum) {
                // 0 for -inf and for NaN.
                let e = (*v - *s).exp_nonpositive();
                *v = e;
                *total += e;
            }
        }
        for ((l, m), total) in self.log_density.iter_mut().zip(&*largest).zip(&mut *sum) {
            // The sum is at least 1, its largest term, or 0 where every density is; then m is -inf.
            let some = *total > zero;
            let log_sum = ln_of_sum(if some { total.to_f64() } else { 1.0 });
            *l = (m.to_f64() + log_sum) + self.offset;
            *total = if some { T::ONE / *total } else { zero };
        }
        for component in self.joint.chunks_exact_mut(BLOCK_ROWS) {
            for (v, reciprocal) in component.iter_mut().zip(&*sum) {
                *v *= *reciprocal;
            }
        }
        is_far
    }
}
