//! The sums of several components about one centre, taken side by side.

use pulp::{Arch, Simd, WithSimd};

use super::sums::{CANCELLATION, share};
use super::{MomentSums, Moments, Structure};
use crate::kernels::{Centred, FEW, MANY, Real, SumsSideBySide, n_side_by_side, padded};

/// Expert: gathers n, Σ r z and Σ r z z' of four or eight components, with z = x - centre; what cancels there is left to the caller.
///
/// Beside each other they need the products zᵢ zⱼ once, and what a block adds is checked and added in vectors over the components.
#[derive(Clone, Debug)]
pub struct SharedSums {
    components: Vec<usize>,
    centre: Vec<f64>,
    is_diagonal: bool,
    /// n, sums and products, each of all components.
    totals: Vec<f64>,
    /// Of the last block.
    part: Vec<f64>,
    /// Whether the last block's keep their digits.
    keeps: Vec<bool>,
    /// n and the scatters of the features that are known of blocks that were refused, each of all components.
    elsewhere: Vec<f64>,
}

impl SharedSums {
    /// Of no data, for so many of the components, from the first on, as are best taken together in a precision; `None` where each is better taken alone.
    pub fn of_first<T: Real>(
        components: &[usize],
        centre: &[f64],
        structure: Structure,
    ) -> Option<Self> {
        let (n_features, is_diagonal) = (centre.len(), structure != Structure::Dense);
        let n = n_side_by_side::<T>(components.len(), n_features, is_diagonal);
        let len = (1 + n_features + structure.scatter_len(n_features)) * n;
        (n > 0).then(|| Self {
            components: components[..n].to_vec(),
            centre: centre.to_vec(),
            is_diagonal,
            totals: vec![0.0; len],
            part: vec![0.0; len],
            keeps: vec![true; n],
            elsewhere: vec![0.0; (1 + n_features) * n],
        })
    }

    /// Whose sums they are.
    pub fn components(&self) -> &[usize] {
        &self.components
    }

    /// Adds a block whose differences z from the centre are stored, with [`BLOCK_ROWS`](crate::block::BLOCK_ROWS) responsibilities in `joint` for each
    /// component of the mixture. Answers whether all were added: those that would lose digits about the centre are [left](Self::add_refused) to the caller.
    ///
    /// # Panics
    /// If z has another size than a [`CentredBlock`](crate::CentredBlock) of the block, or a component is none of `joint`.
    pub fn observe(&mut self, z: &[f64], joint: &[f64]) -> bool {
        self.sum(z, joint);
        self.add()
    }

    /// [`observe`](Self::observe) in single precision, of responsibilities times a weight.
    pub(crate) fn observe_narrow(&mut self, z: &[f32], joint: &[f32], weight: f64) -> bool {
        self.sum(z, joint);
        self.part.iter_mut().for_each(|sum| *sum *= weight);
        self.add()
    }

    fn sum<T: Real>(&mut self, z: &[T], joint: &[T]) {
        assert_eq!(z.len(), self.centre.len() * padded::<T>());
        Arch::new().dispatch(SumsSideBySide {
            z: Centred { z },
            joint,
            components: &self.components,
            is_diagonal: self.is_diagonal,
            sums: &mut self.part,
        });
    }

    fn add(&mut self) -> bool {
        Arch::new().dispatch(AddBlock {
            is_diagonal: self.is_diagonal,
            totals: &mut self.totals,
            part: &self.part,
            elsewhere: &self.elsewhere,
            keeps: &mut self.keeps,
        })
    }

    /// Has the last block added to those of the mixture's components to which it was not: `add` adds it to the sums of the component whose number it
    /// is given.
    pub fn add_refused(
        &mut self,
        sums: &mut [MomentSums],
        mut add: impl FnMut(usize, &mut MomentSums),
    ) {
        let g = self.components.len();
        let components = self.components.iter().zip(&self.keeps).enumerate();
        for (slot, (k, _)) in components.filter(|(_, (_, keeps))| !**keeps) {
            let sums = &mut sums[*k];
            add(*k, sums);
            // What is little beside what is known already need not keep its own digits.
            let known = std::iter::once(sums.occupancy()).chain(sums.known_scatters());
            let numbers = self.elsewhere.iter_mut().skip(slot).step_by(g);
            numbers
                .zip(known)
                .for_each(|(number, known)| *number = known);
        }
    }

    /// Adds what was gathered to the sums of the mixture's components, whose shifts are given.
    pub fn finish(self, shifts: &[Vec<f64>], sums: &mut [MomentSums]) {
        let g = self.components.len();
        for (slot, k) in self.components.iter().copied().enumerate() {
            let mut numbers = self.totals.iter().copied().skip(slot).step_by(g);
            let part = Moments {
                occupancy: numbers.next().unwrap_or(0.0),
                mean: numbers.by_ref().take(self.centre.len()).collect(),
                scatter: numbers.collect(),
            };
            if part.occupancy > 0.0 {
                sums[k].merge(part, &self.centre, &shifts[k]);
            }
        }
    }
}

/// Adds the sums of a block to those before it, where no feature cancels: the rule of [`MomentSums`], for all components at once.
struct AddBlock<'a> {
    is_diagonal: bool,
    totals: &'a mut [f64],
    part: &'a [f64],
    elsewhere: &'a [f64],
    keeps: &'a mut [bool],
}

impl WithSimd for AddBlock<'_> {
    type Output = bool;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> bool {
        match self.keeps.len() {
            MANY => self.run::<MANY>(),
            _ => self.run::<FEW>(),
        }
    }
}

impl AddBlock<'_> {
    #[inline(always)]
    fn run<const G: usize>(self) -> bool {
        let (totals, _) = self.totals.as_chunks_mut::<G>();
        let (part, _) = self.part.as_chunks::<G>();
        let (elsewhere, _) = self.elsewhere.as_chunks::<G>();
        let keeps = keeping(self.is_diagonal, totals, part, elsewhere);
        self.keeps.copy_from_slice(&keeps);
        let all = keeps == [true; G];
        for (totals, part) in totals.iter_mut().zip(part) {
            for k in 0..G {
                totals[k] += if all || keeps[k] { part[k] } else { 0.0 };
            }
        }
        all
    }
}

/// Which components' sums cancel in no feature by more than [`CANCELLATION`], given what they will be added to, here or elsewhere.
#[inline(always)]
fn keeping<const G: usize>(
    is_diagonal: bool,
    totals: &[[f64; G]],
    part: &[[f64; G]],
    elsewhere: &[[f64; G]],
) -> [bool; G] {
    let n_features = elsewhere.len() - 1;
    let (mut per_row, mut per_row_before, mut shares) = ([0.0; G], [0.0; G], [0.0; G]);
    for k in 0..G {
        let (n, here) = (part[0][k], totals[0][k]);
        per_row[k] = if n > 0.0 { 1.0 / n } else { 0.0 };
        per_row_before[k] = if here > 0.0 { 1.0 / here } else { 0.0 };
        shares[k] = share(n, here + elsewhere[0][k]);
    }
    let mut keeps = [true; G];
    for j in 0..n_features {
        let at = 1 + n_features + if is_diagonal { j } else { j * (j + 3) / 2 };
        for k in 0..G {
            let (square, sum) = (part[at][k], part[1 + j][k]);
            let centred = square - sum * (sum * per_row[k]);
            let sum_before = totals[1 + j][k];
            let before = totals[at][k] - sum_before * (sum_before * per_row_before[k]);
            let known = before.max(0.0) + elsewhere[1 + j][k];
            let spread = centred.max(0.0) + shares[k] * known;
            keeps[k] &= square <= CANCELLATION * spread;
        }
    }
    keeps
}
