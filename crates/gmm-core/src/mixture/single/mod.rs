//! The E-step and the moments of a block in single precision, added up in double precision.
//!
//! Differences x - μ are taken of numbers of 48 bits, so that neither an offset nor a small standard deviation costs digits; those of components near
//! the centre are rounded about it (`near.rs`), which is within three standard deviations. All that
//! follows has the 24 bits of f32: log p is right to about 1e-7 of its size, times the square root of a covariance's condition, and the
//! moments of a block to about 1e-6.

mod sums;

use pulp::{Arch, Simd, WithSimd};

use super::{GaussianMixture, Term};
use crate::Aligned;
use crate::block::{BLOCK_ROWS, Block};
use crate::covariance::SingleFactor;
use crate::kernels::{
    CentreAt, Centred, Halves, Line, Narrow, Near, Normalize, Panels, Single, halves, padded,
};

/// Expert: a mixture ready to evaluate blocks in single precision.
#[derive(Clone, Debug)]
pub struct SingleMixture {
    factors: Vec<SingleFactor>,
    means: Vec<[Vec<f32>; 2]>,
    constants: Vec<f32>,
    /// As in the mixture: what the components near its centre are evaluated from.
    origins: Vec<Option<Vec<f32>>>,
    centre: Vec<f64>,
    log_offset: f64,
}

/// Expert: the working memory of one thread that evaluates a [`SingleMixture`] on blocks.
#[derive(Clone, Debug)]
pub struct SingleScratch {
    /// n_components x [`BLOCK_ROWS`]: log-joint densities, then responsibilities.
    pub joint: Aligned<f32>,
    /// log p(xᵢ).
    pub log_density: Aligned<f64>,
    parts: Parts,
    shift: [Vec<f32>; 2],
    centred: Aligned<f32>,
    /// The block about the centre.
    z: Aligned<f32>,
    centre: Vec<f64>,
    /// Whether each component is near it; of none where the block was not centred.
    is_near: Vec<bool>,
    panels: Panels<f32>,
    /// Whether `panels` holds the block.
    is_in_panels: bool,
    /// Whether sums of some rows may follow those of all.
    pub reads_rows: bool,
}

impl SingleScratch {
    /// Working memory for a mixture.
    pub fn new(model: &GaussianMixture) -> Self {
        let d = model.n_features();
        Self {
            joint: Aligned::zeros(model.n_components() * BLOCK_ROWS),
            log_density: Aligned::zeros(BLOCK_ROWS),
            parts: Parts::default(),
            shift: [vec![0.0; d], vec![0.0; d]],
            centred: Aligned::zeros(d * padded::<f32>()),
            z: Aligned::default(),
            centre: Vec::new(),
            is_near: Vec::new(),
            panels: Panels::default(),
            is_in_panels: false,
            reads_rows: false,
        }
    }

    /// Which components are near the centre, and the centre: as [`CentredBlock::sharing`](super::CentredBlock::sharing).
    pub fn sharing(&self) -> Option<(&[bool], &[f64])> {
        let is_any = self.is_near.contains(&true);
        is_any.then_some((&self.is_near, &self.centre))
    }

    /// Takes the block into the panels, if they don't hold it yet, or not the rows of it that are asked for.
    fn read_panels(&mut self, block: &Block, are_rows_needed: bool) {
        let n_features = block.n_features();
        if are_rows_needed && !self.panels.hold_rows(n_features) {
            self.is_in_panels = false;
        }
        if !self.is_in_panels && (are_rows_needed || Panels::<f32>::are_needed(n_features)) {
            let (x, _) = self.parts.of(block);
            self.panels
                .read_halves(x, are_rows_needed || self.reads_rows);
            self.is_in_panels = true;
        }
    }

    /// The responsibilities of component k.
    pub fn responsibilities(&mut self, k: usize) -> &mut [f32] {
        &mut self.joint[k * BLOCK_ROWS..(k + 1) * BLOCK_ROWS]
    }
}

impl GaussianMixture {
    /// Expert: the mixture in single precision; `None` where it is out of its range, and with noise.
    pub fn single(&self) -> Option<SingleMixture> {
        if self.noise.is_some() {
            return None;
        }
        let factors = self.factors.iter().map(|factor| factor.single());
        // Relative to the largest, so that what rounds at its size is a component that hardly counts: next to a variance of 1e308 in
        // the first component, 350 nats were rounded in all others.
        let largest =
            (self.terms.iter().map(|term| term.constant)).fold(f64::NEG_INFINITY, f64::max);
        let constants = (self.terms.iter()).map(|term| (term.constant - largest) as f32);
        let origin = |term: &Term| {
            let origin = term.origin.as_ref()?;
            Some(origin.iter().map(|o| *o as f32).collect())
        };
        let in_range = |mean: &f64| mean.abs() < 1e15;
        self.terms
            .iter()
            .all(|term| term.mean.iter().all(in_range))
            .then_some(SingleMixture {
                factors: factors.collect::<Option<_>>()?,
                means: self.terms.iter().map(|term| split(&term.mean)).collect(),
                constants: constants.collect(),
                origins: self.terms.iter().map(origin).collect(),
                centre: self.centre.clone(),
                log_offset: self.log_offset() + largest,
            })
    }
}

impl SingleMixture {
    /// Responsibilities (in `scratch.joint`) and log-densities of the rows of a block. Without an answer to give (`false`) where a row
    /// is so far out that every squared distance overflows.
    pub fn responsibilities_of_block(&self, block: &Block, scratch: &mut SingleScratch) -> bool {
        let SingleScratch {
            joint,
            log_density,
            parts,
            centred,
            is_in_panels,
            z,
            centre,
            is_near,
            ..
        } = scratch;
        parts.are_known = false;
        *is_in_panels = false;
        is_near.clear();
        is_near.extend(self.origins.iter().map(Option::is_some));
        if is_near.contains(&true) {
            centre.clone_from(&self.centre);
            if z.is_empty() {
                *z = Aligned::zeros(centre.len() * padded::<f32>());
            }
            let x = block.values();
            let stride = padded::<f32>();
            Arch::new().dispatch(CentreAt {
                x,
                centre,
                z,
                stride,
            });
        }
        for (k, joint) in joint.chunks_exact_mut(BLOCK_ROWS).enumerate() {
            block.fetch_ahead(k, self.means.len());
            let factor = &self.factors[if self.factors.len() == 1 { 0 } else { k }];
            let line = Line::log_joint(self.constants[k]);
            if let Some(origin) = &self.origins[k] {
                let z = Centred { z };
                factor.distances(Near { centred: z, origin }, centred, line, joint);
                continue;
            }
            let (x, is_narrow) = parts.of(block);
            let shift = view(&self.means[k]);
            if is_narrow {
                factor.distances(Narrow { x: x.high, shift }, centred, line, joint);
            } else {
                factor.distances(Single { x, shift }, centred, line, joint);
            }
        }
        !Arch::new().dispatch(Normalize {
            joint,
            offset: self.log_offset,
            log_density,
        })
    }
}

/// A block in numbers of 48 bits, once they are asked for.
#[derive(Clone, Debug, Default)]
struct Parts {
    /// High and low parts.
    x: [Aligned<f32>; 2],
    /// Whether no low part is anything but 0, as in a table of f32 whose frame has no offset.
    is_narrow: bool,
    are_known: bool,
}

impl Parts {
    /// Those of the block, and whether all low parts are 0. What they were made of before is not told from it: see `are_known`.
    fn of(&mut self, block: &Block) -> (Halves<'_>, bool) {
        let values = block.values();
        if self.x[0].len() != values.len() {
            self.x = [0, 1].map(|_| Aligned::zeros(values.len()));
            self.are_known = false;
        }
        let [high, low] = &mut self.x;
        if !self.are_known {
            self.is_narrow = split_into(values, high, low);
            self.are_known = true;
        }
        (Halves { high, low }, self.is_narrow)
    }
}

fn view(parts: &[Vec<f32>; 2]) -> Halves<'_> {
    let [high, low] = parts;
    Halves { high, low }
}

fn split(values: &[f64]) -> [Vec<f32>; 2] {
    let mut parts = [vec![0.0; values.len()], vec![0.0; values.len()]];
    let [high, low] = &mut parts;
    split_into(values, high, low);
    parts
}

/// Whether all low parts are 0.
fn split_into(values: &[f64], high: &mut [f32], low: &mut [f32]) -> bool {
    Arch::new().dispatch(Split { values, high, low })
}

struct Split<'a> {
    values: &'a [f64],
    high: &'a mut [f32],
    low: &'a mut [f32],
}

impl WithSimd for Split<'_> {
    type Output = bool;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> bool {
        let mut bits = 0;
        for ((v, high), low) in self.values.iter().zip(self.high).zip(self.low) {
            (*high, *low) = halves(*v);
            bits |= low.to_bits();
        }
        // But for the sign of a zero.
        bits << 1 == 0
    }
}
