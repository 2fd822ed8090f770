//! How doubtful the responsibilities of the rows of a block are.

use pulp::{Arch, Simd, WithSimd};

use super::ln_of_normal;
use crate::block::BLOCK_ROWS;

/// `entropy[i] = -Σₖ rᵢₖ ln rᵢₖ` and `loss[i] = -ln maxₖ rᵢₖ` in nats, from responsibilities of n_components x [`BLOCK_ROWS`].
///
/// Of a lane whose responsibilities are all 0 the loss is some number.
///
/// # Panics
/// If a buffer has another size.
pub fn entropies(responsibilities: &[f64], entropy: &mut [f64], loss: &mut [f64]) {
    assert_eq!(responsibilities.len() % BLOCK_ROWS, 0);
    assert_eq!(entropy.len(), BLOCK_ROWS);
    assert_eq!(loss.len(), BLOCK_ROWS);
    Arch::new().dispatch(Entropies {
        responsibilities,
        entropy,
        loss,
    });
}

#[doc(hidden)]
pub struct Entropies<'a> {
    pub responsibilities: &'a [f64],
    pub entropy: &'a mut [f64],
    pub loss: &'a mut [f64],
}

impl WithSimd for Entropies<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        self.entropy.fill(0.0);
        self.loss.fill(0.0);
        for component in self.responsibilities.chunks_exact(BLOCK_ROWS) {
            let sums = self.entropy.iter_mut().zip(&mut *self.loss);
            for ((entropy, largest), r) in sums.zip(component) {
                // What is below the normal numbers adds less than 1e-304.
                let log = ln_of_normal(*r);
                *entropy -= if *r >= f64::MIN_POSITIVE {
                    r * log
                } else {
                    0.0
                };
                *largest = if *r > *largest { *r } else { *largest };
            }
        }
        for largest in self.loss {
            *largest = -ln_of_normal(*largest);
        }
    }
}
