//! Responsibilities of components of tiny weight, with all their digits.

use super::{GaussianMixture, Scratch};
use crate::block::{BLOCK_ROWS, Block, scale_by_power};

/// Weights below 2^-40 are tiny. The logarithm of such a weight, and every sum with it, is rounded at its own size: of a responsibility under a
/// weight of 1e-60 that leaves 100 ε, which is all of its component's occupancy. At 2^-40 it leaves 14 ε.
const TINY: f64 = 1.0 / 1_099_511_627_776.0;

impl GaussianMixture {
    /// maxₖ of the log-joint densities, lane by lane, if a component has a tiny weight: what [`restore_tiny`](Self::restore_tiny) will ask for.
    pub(super) fn largest_for_tiny(&self, joint: &[f64]) -> Option<[f64; BLOCK_ROWS]> {
        (self.weights.iter().any(is_tiny)).then(|| largest_of_lanes(joint))
    }

    /// Computes the responsibilities of components of tiny weight again, with the weight's power of two kept apart:
    /// rₖ = r_max 2^e exp(log(πₖ 2^-e N(x; μₖ, Σₖ)) - m), where m and r_max are the largest log-joint density and responsibility of the row.
    #[cold]
    pub(super) fn restore_tiny(&self, block: &Block, largest: &[f64], scratch: &mut Scratch) {
        let of_largest = largest_of_lanes(&scratch.joint);
        let mut squared = [0.0; BLOCK_ROWS];
        let tiny = (0..self.n_components()).filter(|k| is_tiny(&self.weights[*k]));
        for k in tiny {
            let exponent = self.weights[k].log2().floor() as i32;
            let constant = self.constant(k, scale_by_power(self.weights[k], -exponent));
            self.squared_norm(k, block, &mut scratch.centred, &mut squared);
            let joint = &mut scratch.joint[k * BLOCK_ROWS..(k + 1) * BLOCK_ROWS];
            for (i, r) in joint.iter_mut().enumerate() {
                let log_r = (constant - 0.5 * squared[i]) - largest[i];
                // The component of the largest density stands for itself, and what is next to nothing for nothing. An exponential
                // beyond 700 would be of a weight below 1e-304.
                if *r > 0.0 && *r < 0.5 * of_largest[i] && log_r < 700.0 {
                    *r = scale_by_power(of_largest[i] * log_r.exp(), exponent);
                }
            }
        }
    }
}

/// The largest number of each lane over all components. A NaN, which stands for an infinite distance, counts as -inf.
pub(super) fn largest_of_lanes(joint: &[f64]) -> [f64; BLOCK_ROWS] {
    let mut largest = [f64::NEG_INFINITY; BLOCK_ROWS];
    for component in joint.chunks_exact(BLOCK_ROWS) {
        (largest.iter_mut().zip(component)).for_each(|(m, v)| *m = m.max(*v));
    }
    largest
}

fn is_tiny(weight: &f64) -> bool {
    *weight > 0.0 && *weight < TINY
}
