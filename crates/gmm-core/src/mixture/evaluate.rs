//! Densities, responsibilities, labels and distances, block by block.

use faer::{Mat, MatMut};

use super::{Bounds, CentredBlock, GaussianMixture, near};
use crate::block::{BLOCK_ROWS, Block};
use crate::covariance::Factor;
use crate::kernels::{Centred, Line, Listed, Near, Panels, normalize_joint};
use crate::{Aligned, Covariances, Error, Samples};

/// Expert: the working memory of one thread that evaluates a mixture on blocks.
#[derive(Clone, Debug)]
pub struct Scratch {
    /// n_features x [`BLOCK_ROWS`].
    pub centred: Aligned<f64>,
    /// As `centred`, once a compact block has asked for it.
    pub whitened: Aligned<f64>,
    /// The block about the centre, which is that of the components near it.
    pub about_centre: CentredBlock,
    /// What the moments of dense structures are summed in.
    pub panels: Panels,
    /// n_classes x [`BLOCK_ROWS`]: log-joint densities, then responsibilities; noise comes last.
    pub joint: Aligned<f64>,
    /// log p(xᵢ).
    pub log_density: Aligned<f64>,
    /// Rows of a compact block that a component may say something about.
    pub listed: Listed,
    /// Pairs of a row and a component that were evaluated in compact blocks, or summed up: what is left of the work of a dense pass, listed rows by
    /// their cost.
    pub n_pairs: usize,
    /// Of some compact blocks, and the number of the first.
    pub bounds: Option<(usize, Bounds)>,
    /// The component of each row of `joint` that is in use, but for that of noise: all of them, but in compact blocks.
    pub active: Vec<usize>,
}

impl Scratch {
    /// Working memory for a mixture.
    pub fn new(model: &GaussianMixture) -> Self {
        let lanes = model.n_features() * BLOCK_ROWS;
        Self {
            centred: Aligned::zeros(lanes),
            whitened: Aligned::default(),
            about_centre: CentredBlock::default(),
            panels: Panels::default(),
            joint: Aligned::zeros(model.n_classes() * BLOCK_ROWS),
            log_density: Aligned::zeros(BLOCK_ROWS),
            listed: Listed::default(),
            n_pairs: 0,
            bounds: None,
            active: (0..model.n_components()).collect(),
        }
    }
}

/// What the evaluation of a component needs beside its factor.
#[derive(Clone, Debug)]
pub(super) struct Term {
    /// log πₖ - ½ (D log 2π + log|Σₖ|), up to the offset of the mixture.
    pub(super) constant: f64,
    /// μₖ side by side: the means of the mixture are stored column by column.
    pub(super) mean: Vec<f64>,
    /// Wₖ (c - μₖ) where the component is near the centre c: see `near.rs`.
    pub(super) origin: Option<Vec<f64>>,
}

/// log π - ½ (D log 2π + log|Σ|).
fn constant(weight: f64, n_features: usize, half_log_det: f64) -> f64 {
    weight.ln() - 0.5 * n_features as f64 * LOG_TWO_PI - half_log_det
}

/// log 2π.
const LOG_TWO_PI: f64 = 1.837_877_066_409_345_5;

impl GaussianMixture {
    /// `scratch.joint[k][i] = log πₖ + log N(xᵢ; μₖ, Σₖ)` for the rows of a block, up to [`log_offset`](Self::log_offset).
    pub(super) fn log_joint_of_block(&self, block: &Block, scratch: &mut Scratch) {
        scratch.about_centre.read(self, block);
        for k in 0..self.n_components() {
            block.fetch_ahead(k, self.n_components());
            let joint = &mut scratch.joint[k * BLOCK_ROWS..(k + 1) * BLOCK_ROWS];
            if self.weights[k] == 0.0 {
                joint.fill(f64::NEG_INFINITY);
                continue;
            }
            match scratch.about_centre.near(k) {
                Some((z, _)) => self.log_joint_near_centre(k, z, &mut scratch.centred, joint),
                None => self.log_joint_of_component(k, block, &mut scratch.centred, joint),
            }
        }
        if let Some(noise) = self.noise {
            let joint = &mut scratch.joint[self.n_components() * BLOCK_ROWS..];
            joint.fill(noise.log_joint() - self.log_offset());
        }
    }

    /// Expert: responsibilities (in `scratch.joint`) and log-densities of the rows of a block.
    pub fn responsibilities_of_block(&self, block: &Block, scratch: &mut Scratch) {
        self.log_joint_of_block(block, scratch);
        self.normalize_block(block, scratch);
    }

    /// From the log-joint densities of a block, in `scratch.joint`, to responsibilities and log-densities.
    pub(super) fn normalize_block(&self, block: &Block, scratch: &mut Scratch) {
        let largest = self.largest_for_tiny(&scratch.joint);
        let Scratch {
            joint, log_density, ..
        } = scratch;
        let is_far = normalize_joint(joint, self.log_offset(), log_density);
        if let Some(largest) = largest {
            self.restore_tiny(block, &largest, scratch);
        }
        if !is_far {
            return;
        }
        let Scratch {
            joint, log_density, ..
        } = scratch;
        for i in 0..block.len() {
            if log_density[i] == f64::NEG_INFINITY {
                joint[self.nearest(block, i) * BLOCK_ROWS + i] = 1.0;
            }
        }
    }

    /// What the evaluation of each component needs beside its factor.
    pub(super) fn terms_of(
        weights: &[f64],
        means: &Mat<f64>,
        covariances: &Covariances,
        factors: &[Factor],
        centre: &[f64],
    ) -> Vec<Term> {
        let d = means.ncols();
        let origins = near::origins(means, covariances, factors, centre);
        let term = |((k, weight), origin): ((usize, &f64), _)| {
            let factor = &factors[if factors.len() == 1 { 0 } else { k }];
            Term {
                constant: constant(*weight, d, factor.half_log_det_about(factors[0].exponent)),
                mean: (0..d).map(|j| means[(k, j)]).collect(),
                origin,
            }
        };
        let weights = weights.iter().enumerate();
        weights.zip(origins).map(term).collect()
    }

    /// [`Term::constant`] for another weight.
    pub(super) fn constant(&self, k: usize, weight: f64) -> f64 {
        let half_log_det = (self.factor(k)).half_log_det_about(self.reference_exponent());
        constant(weight, self.n_features(), half_log_det)
    }

    /// A power of two near |Σ₁|^½. Log-joint densities of a block are kept relative to its logarithm, so that their
    /// differences, from which responsibilities come, don't lose digits to a common size of the data (690 nats at 1e-150).
    fn reference_exponent(&self) -> i32 {
        self.factor(0).exponent
    }

    /// What is missing in the log-joint densities of a block.
    pub(super) fn log_offset(&self) -> f64 {
        -f64::from(self.reference_exponent()) * std::f64::consts::LN_2
    }

    pub(super) fn squared_norm(
        &self,
        k: usize,
        block: &Block,
        centred: &mut [f64],
        squared: &mut [f64],
    ) {
        let (mean, line) = (&self.terms[k].mean, Line::squared());
        self.factor(k)
            .distances(block.values(), mean, centred, line, squared);
    }

    /// A row of [`Self::log_joint_of_block`].
    pub(super) fn log_joint_of_component(
        &self,
        k: usize,
        block: &Block,
        centred: &mut [f64],
        joint: &mut [f64],
    ) {
        let Term { mean, constant, .. } = &self.terms[k];
        let line = Line::log_joint(*constant);
        self.factor(k)
            .distances(block.values(), mean, centred, line, joint);
    }

    /// [`Self::log_joint_of_component`] of one near the centre, from the differences z = x - c.
    fn log_joint_near_centre(&self, k: usize, z: &[f64], centred: &mut [f64], joint: &mut [f64]) {
        let term = &self.terms[k];
        let differences = Near {
            centred: Centred { z },
            origin: term.origin.as_deref().unwrap_or_default(),
        };
        let line = Line::log_joint(term.constant);
        self.factor(k)
            .distances_of(differences, centred, line, joint);
    }

    /// The component that is nearest to a row so far out that every squared distance overflows: differences are taken at
    /// 2^-600 of their size. Such a row belongs to it with probability 1 (the limit of the responsibilities along the ray, but for ties).
    #[cold]
    pub(super) fn nearest(&self, block: &Block, lane: usize) -> usize {
        let small = f64::from_bits((1023 - 600) << 52);
        let distance = |k: usize| {
            let mut z: Vec<f64> = (0..self.n_features())
                .map(|j| block.feature(j)[lane] * small - self.means[(k, j)] * small)
                .collect();
            self.factor(k).whiten(&mut z);
            let largest = z.iter().fold(0.0f64, |m, z| m.max(z.abs()));
            if largest.is_finite() && largest > 0.0 {
                z.iter().map(|z| (z / largest).powi(2)).sum::<f64>().sqrt() * largest
            } else {
                largest
            }
        };
        let alive = (0..self.n_components()).filter(|&k| self.weights[k] > 0.0);
        alive
            .map(|k| (k, distance(k)))
            .min_by(|a, b| a.1.total_cmp(&b.1))
            .map_or(0, |(k, _)| k)
    }

    /// log p(xᵢ) in nats for each row.
    ///
    /// Finite as long as the squared distance to some component is (up to 1e154 standard deviations), -inf beyond.
    ///
    /// # Errors
    /// [`Error::FeatureCount`], [`Error::NonFinite`], [`Error::SampleWeight`], [`Error::SampleWeightCount`],
    /// [`Error::WeightOverflow`], [`Error::WeightRange`], [`Error::TooLarge`], [`Error::TooWide`].
    pub fn log_density<'a>(&self, x: impl Into<Samples<'a>>) -> Result<Vec<f64>, Error> {
        let x = x.into();
        let mut out = self.output(x, 1, 0.0)?;
        self.log_density_into(x, &mut out)?;
        Ok(out)
    }

    /// [`GaussianMixture::log_density`] into the caller's buffer.
    ///
    /// # Errors
    /// As there, and [`Error::OutputSize`].
    pub fn log_density_into<'a>(
        &self,
        x: impl Into<Samples<'a>>,
        out: &mut [f64],
    ) -> Result<(), Error> {
        let x = x.into();
        self.by_block(x, 1, out, |model, block, scratch, out| {
            model.responsibilities_of_block(block, scratch);
            out.copy_from_slice(&scratch.log_density[..block.len()]);
        })
    }

    /// log πₖ + log N(xᵢ; μₖ, Σₖ) in nats, n_samples x n_components; with noise one more column, log π₀ - log V.
    ///
    /// # Errors
    /// As [`GaussianMixture::log_density`].
    pub fn log_joint<'a>(&self, x: impl Into<Samples<'a>>) -> Result<Mat<f64>, Error> {
        self.table(x.into(), self.n_classes(), |model, block, scratch| {
            model.log_joint_of_block(block, scratch);
            let offset = model.log_offset();
            for v in scratch.joint.iter_mut() {
                // An overflowing distance is an infinitely small density.
                *v = if v.is_nan() {
                    f64::NEG_INFINITY
                } else {
                    *v + offset
                };
            }
        })
    }

    /// rᵢₖ = P(component k | xᵢ), n_samples x n_components; with noise one more column, P(noise | xᵢ). Rows sum to 1.
    ///
    /// Large tables are sooner filled by [`responsibilities_into`](Self::responsibilities_into).
    ///
    /// # Errors
    /// As [`GaussianMixture::log_density`].
    pub fn responsibilities<'a>(&self, x: impl Into<Samples<'a>>) -> Result<Mat<f64>, Error> {
        self.table(x.into(), self.n_classes(), Self::responsibilities_of_block)
    }

    /// [`GaussianMixture::responsibilities`] into the caller's matrix, n_samples x n_classes, of any strides. After an error
    /// it holds the rows that were done by then.
    ///
    /// Of the time that `responsibilities` takes for a large table of few features, this takes a quarter where the memory is used again, and some
    /// three fifths where it is a zeroed vector: the operating system clears its pages when the threads that fill it come to them. A new [`Mat`] is
    /// cleared by one thread first.
    ///
    /// ```
    /// use gmm_core::faer::{MatMut, mat};
    /// use gmm_core::{Covariances, GaussianMixture};
    ///
    /// let model = GaussianMixture::new(vec![0.5, 0.5], mat![[-1.0], [1.0]], Covariances::spherical(&[1.0, 1.0], 1)?)?;
    /// let x = mat![[-400.0], [0.0], [400.0]];
    /// let mut values = vec![0.0; 3 * 2];
    /// model.responsibilities_into(&x, MatMut::from_column_major_slice_mut(&mut values, 3, 2))?;
    /// assert_eq!(values, [1.0, 0.5, 0.0, 0.0, 0.5, 1.0]);
    /// # Ok::<(), gmm_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`GaussianMixture::log_density`], and [`Error::OutputSize`].
    pub fn responsibilities_into<'a>(
        &self,
        x: impl Into<Samples<'a>>,
        out: MatMut<'_, f64>,
    ) -> Result<(), Error> {
        let x = x.into();
        let expected = x.n_samples() * self.n_classes();
        if out.nrows() != x.n_samples() || out.ncols() != self.n_classes() {
            return Err(Error::OutputSize {
                found: out.nrows() * out.ncols(),
                expected,
            });
        }
        self.fill_table(x, out, &Self::responsibilities_of_block)
    }

    /// Squared Mahalanobis distances (xᵢ - μₖ)'Σₖ⁻¹(xᵢ - μₖ), n_samples x n_components.
    ///
    /// Under component k they follow the χ² distribution with n_features degrees of freedom.
    ///
    /// # Errors
    /// As [`GaussianMixture::log_density`].
    pub fn mahalanobis_squared<'a>(&self, x: impl Into<Samples<'a>>) -> Result<Mat<f64>, Error> {
        self.table(x.into(), self.n_components(), |model, block, scratch| {
            for k in 0..model.n_components() {
                let joint = &mut scratch.joint[k * BLOCK_ROWS..(k + 1) * BLOCK_ROWS];
                model.squared_norm(k, block, &mut scratch.centred, joint);
                joint
                    .iter_mut()
                    .filter(|v| v.is_nan())
                    .for_each(|v| *v = f64::INFINITY);
            }
        })
    }

    /// Σᵢ wᵢ log p(xᵢ) in nats, wᵢ the sample weights. Summed with compensation (Neumaier 1974).
    ///
    /// # Errors
    /// As [`GaussianMixture::log_density`], and [`Error::NoSamples`].
    pub fn log_likelihood<'a>(&self, x: impl Into<Samples<'a>>) -> Result<f64, Error> {
        let x = x.into();
        let density = self.log_density(x)?;
        if density.is_empty() {
            return Err(Error::NoSamples);
        }
        let mut sum = crate::CompensatedSum::default();
        for (i, d) in density.iter().enumerate() {
            // A row of weight 0 counts as left out, also where its density is 0.
            if x.weight(i) > 0.0 {
                sum.add(x.weight(i) * d);
            }
        }
        Ok(sum.value())
    }

    /// The log-likelihood divided by the total weight: nats per row.
    ///
    /// # Errors
    /// As [`GaussianMixture::log_likelihood`], and [`Error::NoWeight`].
    pub fn mean_log_likelihood<'a>(&self, x: impl Into<Samples<'a>>) -> Result<f64, Error> {
        let x = x.into();
        Ok(self.log_likelihood(x)? / x.total_weight()?)
    }
}
