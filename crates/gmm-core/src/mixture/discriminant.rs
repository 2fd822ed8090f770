//! The E-step of a mixture whose components share one covariance matrix: linear in the row.
//!
//! With y = W (x - m) and νₖ = W (μₖ - m), where Σ⁻¹ = W'W and m is any origin,
//! log πₖ N(x; μₖ, Σ) = log πₖ - ½ (D log 2π + log|Σ|) - ½ ‖νₖ‖² + νₖ'y - ½ ‖y‖²
//! (linear discriminant analysis, Fisher 1936). The last term is the same for all components, so that responsibilities need D² flop
//! for y and 2 K D for the rest instead of K D².

use pulp::Arch;

use super::GaussianMixture;
use crate::Aligned;
use crate::block::{BLOCK_ROWS, Block};
use crate::kernels::{CentreAt, Line, LinearMap, Normalize, Plain, Real, ScaledNorm};

/// Expert: a mixture of tied covariances about an origin, ready to evaluate blocks, in double or in single precision.
#[derive(Clone, Debug)]
pub struct Discriminant<T = f64> {
    origin: Vec<f64>,
    whitening: LinearMap<T>,
    /// νₖ, one per row.
    directions: LinearMap<T>,
    /// log πₖ - ½ (D log 2π + log|Σ|) - ½ ‖νₖ‖², up to the offset.
    constants: Vec<T>,
    log_offset: f64,
    spread: f64,
    farthest: f64,
}

/// Expert: the working memory of one thread that evaluates a [`Discriminant`] on blocks.
#[derive(Clone, Debug)]
pub struct DiscriminantScratch<T: Copy + Default = f64> {
    /// x - origin, n_features x [`BLOCK_ROWS`].
    pub centred: Aligned<T>,
    whitened: Aligned<T>,
    /// n_components x [`BLOCK_ROWS`]: log-joint densities, then responsibilities.
    pub joint: Aligned<T>,
    /// log p(xᵢ).
    pub log_density: Aligned<f64>,
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
        let alive = between.clone().filter(|(w, _)| **w > 0.0);
        Some(Discriminant {
            origin: origin.to_vec(),
            constants: constants
                .map(|(term, squared)| term.constant - 0.5 * squared)
                .collect(),
            spread: 1.0 + between.map(|(w, squared)| w * squared).sum::<f64>(),
            farthest: alive.fold(0.0, |most, (_, squared)| squared.max(most)),
            directions: LinearMap::new(self.n_components(), self.n_features(), |k, j| {
                directions[k][j]
            }),
            whitening,
            log_offset: self.log_offset(),
        })
    }
}

impl Discriminant {
    /// In single precision; `None` where its numbers, or the squares of distances, may be out of range.
    pub fn single(&self) -> Option<Discriminant<f32>> {
        let [whitening, directions] = [&self.whitening, &self.directions]
            .map(|map| (map.largest() < 1e15).then(|| map.single()));
        // Relative to the largest, so that what rounds at its size is a component that hardly counts.
        let largest = (self.constants.iter().copied()).fold(f64::NEG_INFINITY, f64::max);
        Some(Discriminant {
            origin: self.origin.clone(),
            whitening: whitening?,
            directions: directions?,
            constants: self
                .constants
                .iter()
                .map(|c| (c - largest) as f32)
                .collect(),
            log_offset: self.log_offset + largest,
            spread: self.spread,
            farthest: self.farthest,
        })
    }
}

impl<T: Real> Discriminant<T> {
    /// 1 + Σₖ πₖ ‖νₖ‖²: no less than the largest part by which, in any direction, the second moment about the origin exceeds Σ. So many
    /// times the rounding of a row's distance can be that of its distance to a mean, on average over the rows.
    pub fn spread(&self) -> f64 {
        self.spread
    }

    /// maxₖ ‖νₖ‖² of the components of positive weight: log-joint densities are rounded at half its size, whatever the distance of a row to a mean.
    pub fn farthest(&self) -> f64 {
        self.farthest
    }

    /// Working memory.
    pub fn scratch(&self) -> DiscriminantScratch<T> {
        let lanes = |n: usize| Aligned::zeros(n * BLOCK_ROWS);
        let (centred, joint) = (lanes(self.origin.len()), lanes(self.constants.len()));
        DiscriminantScratch {
            centred,
            joint,
            log_density: Aligned::zeros(BLOCK_ROWS),
            whitened: lanes(self.origin.len()),
        }
    }

    /// Responsibilities (in `scratch.joint`) and log-densities of the rows of a block; `scratch.centred` holds x - origin.
    ///
    /// Rows so far out that squares overflow get NaN.
    ///
    /// # Panics
    /// If the block or the working memory has another size.
    pub fn responsibilities_of_block(&self, block: &Block, scratch: &mut DiscriminantScratch<T>) {
        let DiscriminantScratch {
            centred,
            whitened,
            joint,
            log_density,
        } = scratch;
        assert_eq!(centred.len(), block.values().len());
        Arch::new().dispatch(CentreAt {
            x: block.values(),
            centre: &self.origin,
            z: centred,
            stride: BLOCK_ROWS,
        });
        let zeros = vec![T::default(); self.origin.len()];
        self.whitening.apply(&zeros, centred, whitened);
        self.directions.apply(&self.constants, whitened, joint);
        Arch::new().dispatch(Normalize {
            joint,
            offset: self.log_offset,
            log_density,
        });
        let mut squared = [T::default(); BLOCK_ROWS];
        Arch::new().dispatch(ScaledNorm {
            differences: Plain {
                x: whitened,
                shift: &zeros,
            },
            reciprocal_sd: &[T::ONE],
            line: Line::squared(),
            out: &mut squared,
        });
        let densities = log_density.iter_mut().zip(&squared);
        densities.for_each(|(l, squared)| *l -= 0.5 * squared.to_f64());
    }
}
