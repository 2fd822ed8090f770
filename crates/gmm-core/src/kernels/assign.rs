//! Which component (or noise) each row of a block belongs to, and what the others have of it.

use pulp::{Arch, Simd, WithSimd};

use crate::block::BLOCK_ROWS;

/// `labels[i] = argmaxₖ r[k][i]`, the first of equals; `r` is n_classes x [`BLOCK_ROWS`]. No number may be NaN.
///
/// # Panics
/// If a buffer has another size, or there is no class.
pub fn most_probable(r: &[f64], labels: &mut [u64]) {
    check_sizes(r, labels);
    Arch::new().dispatch(MostProbable { r, labels });
}

/// `sums[i] = Σ r[k][i]` over the classes k but for `labels[i]`.
///
/// # Panics
/// As [`most_probable`].
pub fn sum_others(r: &[f64], labels: &[u64], sums: &mut [f64]) {
    check_sizes(r, labels);
    assert_eq!(sums.len(), BLOCK_ROWS);
    Arch::new().dispatch(SumOthers { r, labels, sums });
}

fn check_sizes(r: &[f64], labels: &[u64]) {
    assert!(!r.is_empty() && r.len().is_multiple_of(BLOCK_ROWS));
    assert_eq!(labels.len(), BLOCK_ROWS);
}

#[doc(hidden)]
pub struct MostProbable<'a> {
    pub r: &'a [f64],
    pub labels: &'a mut [u64],
}

impl WithSimd for MostProbable<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let (first, others) = self.r.split_at(BLOCK_ROWS);
        let mut largest = [0.0; BLOCK_ROWS];
        largest.copy_from_slice(first);
        self.labels.fill(0);
        for (k, r) in (1..).zip(others.chunks_exact(BLOCK_ROWS)) {
            let lanes = largest.iter_mut().zip(&mut *self.labels).zip(r);
            for ((largest, label), r) in lanes {
                // Two choices without a branch, which the compiler turns into vector code.
                let is_larger = *r > *largest;
                *label = if is_larger { k } else { *label };
                *largest = if is_larger { *r } else { *largest };
            }
        }
    }
}

#[doc(hidden)]
pub struct SumOthers<'a> {
    pub r: &'a [f64],
    pub labels: &'a [u64],
    pub sums: &'a mut [f64],
}

impl WithSimd for SumOthers<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        self.sums.fill(0.0);
        for (k, r) in (0..).zip(self.r.chunks_exact(BLOCK_ROWS)) {
            let lanes = self.sums.iter_mut().zip(self.labels).zip(r);
            for ((sum, label), r) in lanes {
                *sum += if *label == k { 0.0 } else { *r };
            }
        }
    }
}
