//! The E-step of a mixture whose components share one covariance matrix: linear in the row.
//!
//! With y = W (x - m) and νₖ = W (μₖ - m), where Σ⁻¹ = W'W and m is any origin,
//! log πₖ N(x; μₖ, Σ) = log πₖ - ½ (D log 2π + log|Σ|) - ½ ‖νₖ‖² + νₖ'y - ½ ‖y‖²
//! (linear discriminant analysis, Fisher 1936). The last term is the same for all components, so that responsibilities need D² flop
//! for y and 2 K D for the rest instead of K D².

use super::{GaussianMixture, Scratch};
use crate::Aligned;
use crate::block::{BLOCK_ROWS, Block};
use crate::kernels::{LinearMap, normalize_joint, scaled_norm};

/// Expert: a mixture of tied covariances about an origin, ready to evaluate blocks.
#[derive(Clone, Debug)]
pub struct Discriminant {
    origin: Vec<f64>,
    whitening: LinearMap,
    /// νₖ, one per row.
    directions: LinearMap,
    /// log πₖ - ½ (D log 2π + log|Σ|) - ½ ‖νₖ‖², up to the offset of the mixture.
    constants: Vec<f64>,
    log_offset: f64,
    spread: f64,
}

impl GaussianMixture {
    /// Expert: the mixture about an origin. `None` unless all components share one dense covariance matrix, and with noise, whose
    /// density doesn't have the term that they share.
    ///
    /// # Panics
    /// If the origin has another number of features.
    pub fn discriminant(&self, origin: &[f64]) -> Option<Discriminant> {
        assert_eq!(origin.len(), self.n_features());
        if self.factors.len() > 1 || self.noise.is_some() {
            return None;
        }
        let whitening = self.factor(0).whitening_map()?.clone();
        let direction = |k: usize| {
            let mean = &self.terms[k].mean;
            let mut nu: Vec<f64> = mean.iter().zip(origin).map(|(m, o)| m - o).collect();
            self.factor(0).whiten(&mut nu);
            nu
        };
        let directions: Vec<Vec<f64>> = (0..self.n_components()).map(direction).collect();
        let lengths: Vec<f64> = (directions.iter())
            .map(|nu| nu.iter().map(|v| v * v).sum())
            .collect();
        let constants = self.terms.iter().zip(&lengths);
        let between = self.weights.iter().zip(&lengths);
        Some(Discriminant {
            origin: origin.to_vec(),
            constants: constants
                .map(|(term, squared)| term.constant - 0.5 * squared)
                .collect(),
            spread: 1.0 + between.map(|(w, squared)| w * squared).sum::<f64>(),
            directions: LinearMap::new(self.n_components(), self.n_features(), |k, j| {
                directions[k][j]
            }),
            whitening,
            log_offset: self.log_offset(),
        })
    }
}

impl Discriminant {
    /// 1 + Σₖ πₖ ‖νₖ‖²: no less than the largest part by which, in any direction, the second moment about the origin exceeds Σ. So many
    /// times the rounding of a row's distance can be that of its distance to a mean.
    pub fn spread(&self) -> f64 {
        self.spread
    }

    /// Responsibilities (in `scratch.joint`) and log-densities of the rows of a block; `scratch.centred` holds x - origin.
    ///
    /// Rows so far out that squares overflow get NaN.
    pub fn responsibilities_of_block(&self, block: &Block, scratch: &mut Scratch) {
        let d = self.origin.len();
        let lanes = (scratch.centred.chunks_exact_mut(BLOCK_ROWS))
            .zip(block.values().chunks_exact(BLOCK_ROWS));
        for ((centred, x), origin) in lanes.zip(&self.origin) {
            centred.iter_mut().zip(x).for_each(|(c, x)| *c = x - origin);
        }
        let zeros = vec![0.0; d];
        let whitened = &mut scratch.whitened;
        if whitened.len() != scratch.centred.len() {
            *whitened = Aligned::zeros(scratch.centred.len());
        }
        self.whitening.apply(&zeros, &scratch.centred, whitened);
        self.directions
            .apply(&self.constants, whitened, &mut scratch.joint);
        normalize_joint(
            &mut scratch.joint,
            self.log_offset,
            &mut scratch.log_density,
        );
        let mut squared = [0.0; BLOCK_ROWS];
        scaled_norm(whitened, &zeros, &[1.0], &mut squared);
        let densities = scratch.log_density.iter_mut().zip(&squared);
        densities.for_each(|(l, squared)| *l -= 0.5 * squared);
    }
}
