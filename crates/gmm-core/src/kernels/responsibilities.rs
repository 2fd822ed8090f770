//! What the responsibilities of the rows of a block say: how doubtful they are, and how far the rows lie from a component.

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

/// `squared[i] = 2 (constant - ln rᵢ - lᵢ)`: the squared Mahalanobis distances of rows from a component, by its responsibilities r and the log-densities
/// l of the rows, with constant = ln π - ½ (D ln 2π + ln|Σ|). +∞ where l is -∞ and r is 1; some number or NaN where r is 0 or subnormal.
///
/// # Panics
/// If a buffer holds another number of values than a block has lanes.
pub fn distances_of_responsibilities(
    r: &[f64],
    log_density: &[f64],
    constant: f64,
    squared: &mut [f64],
) {
    assert_eq!([r.len(), log_density.len()], [BLOCK_ROWS; 2]);
    assert_eq!(squared.len(), BLOCK_ROWS);
    Arch::new().dispatch(DistancesOfResponsibilities {
        r,
        log_density,
        constant,
        squared,
    });
}

#[doc(hidden)]
pub struct DistancesOfResponsibilities<'a> {
    pub r: &'a [f64],
    pub log_density: &'a [f64],
    pub constant: f64,
    pub squared: &'a mut [f64],
}

impl WithSimd for DistancesOfResponsibilities<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let lanes = self.r.iter().zip(self.log_density);
        for (squared, (r, log_density)) in self.squared.iter_mut().zip(lanes) {
            *squared = 2.0 * (self.constant - (ln_of_normal(*r) + log_density));
        }
    }
}
