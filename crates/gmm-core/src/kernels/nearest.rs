//! Which of several points each lane of a block is nearest to.

use pulp::{Arch, Simd, WithSimd};

use crate::block::BLOCK_ROWS;

/// Where a squared distance is less than the least so far, it becomes the least and `label` its label. NaN is not less.
///
/// # Panics
/// If a buffer holds another number of values than a block has lanes.
pub fn keep_nearest(squared: &[f64], label: u64, least: &mut [f64], labels: &mut [u64]) {
    assert_eq!(squared.len(), BLOCK_ROWS);
    assert_eq!(least.len(), BLOCK_ROWS);
    assert_eq!(labels.len(), BLOCK_ROWS);
    Arch::new().dispatch(KeepNearest {
        squared,
        label,
        least,
        labels,
    });
}

#[doc(hidden)]
pub struct KeepNearest<'a> {
    pub squared: &'a [f64],
    pub label: u64,
    pub least: &'a mut [f64],
    pub labels: &'a mut [u64],
}

impl WithSimd for KeepNearest<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let lanes = self.least.iter_mut().zip(self.labels).zip(self.squared);
        for ((least, label), squared) in lanes {
            // Two choices without a branch, which the compiler turns into vector code.
            let is_nearer = *squared < *least;
            *label = if is_nearer { self.label } else { *label };
            *least = if is_nearer { *squared } else { *least };
        }
    }
}
