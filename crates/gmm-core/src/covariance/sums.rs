//! The moments of a component as a task gathers them: sums about one place, block after block.
//!
//! What a block adds is first summed about a place near the component's mean, in one pass over the numbers. Sums about one place simply add
//! up; they become moments once, at the end, when they are centred at their own mean and merged. (Block by block that took 8 % of a pass over 16
//! features, 10 % over eight.)

use pulp::{Arch, Simd, WithSimd};

use super::{Moments, Structure};
use crate::block::Block;
use crate::kernels::{
    Centred, DenseSums, DiagonalSums, Listed, Panels, dense_sums, diagonal_sums, listed_sums,
    padded,
};

/// How many times larger a sum of squares may be about a place than about the mean: five bits are lost at the most. (At four every thirtieth block
/// was summed twice about a centre three standard deviations away, since some feature of its few rows was farther out.)
pub(super) const CANCELLATION: f64 = 32.0;
/// A block may always count so large a part of the scatter before it as its own: 16 blocks that a task adds up together come to a
/// sixteenth.
const LEAST_SHARE: f64 = 1.0 / 256.0;

/// The part of the scatter before it that a block of occupancy n counts as its own.
#[inline(always)]
pub(super) fn share(n: f64, before: f64) -> f64 {
    if n < before {
        (n / before).max(LEAST_SHARE)
    } else {
        1.0
    }
}

/// Gathers the [`Moments`] of one component, about a shift that is the same in all calls.
#[derive(Clone, Debug)]
pub struct MomentSums {
    structure: Structure,
    n_features: usize,
    /// Of blocks that were centred.
    moments: Option<Moments>,
    /// Of those that were not yet.
    open: Option<Open>,
}

/// n, Σ r z and Σ r z z' of blocks that don't cancel about a place, in the layout of moments.
#[derive(Clone, Debug)]
struct Open {
    sums: Moments,
    place: Vec<f64>,
}

impl MomentSums {
    /// The sums of no data.
    pub fn zeros(structure: Structure, n_features: usize) -> Self {
        Self {
            structure,
            n_features,
            moments: None,
            open: None,
        }
    }

    /// The moments, with means relative to the shift.
    pub fn finish(mut self, shift: &[f64]) -> Moments {
        self.close(shift);
        let none = || Moments::zeros(self.structure, self.n_features);
        self.moments.unwrap_or_else(none)
    }

    /// Adds a block with responsibilities `r` (sample weights included).
    ///
    /// The block is summed about the shift. Where that would cancel (its mean is far from the shift against its spread, as in the first steps
    /// from a bad start), it is summed again about its own mean; but not where the digits lost are none of the whole: a block that holds one row
    /// of the component, or next to nothing.
    ///
    /// `part` is working memory; of dense structures `panels` have to hold the block ([`Panels::read`]).
    pub fn observe(
        &mut self,
        block: &Block,
        r: &[f64],
        shift: &[f64],
        part: &mut Moments,
        panels: &mut Panels,
    ) {
        self.observe_sums(shift, shift, part, |part, at| {
            sum(part, block, r, at, panels);
        });
    }

    /// [`observe`](Self::observe) of a block whose differences z from a centre are stored, which may stand for those from the shift: their sums
    /// are taken about the centre.
    ///
    /// # Panics
    /// If z has another size than a [`CentredBlock`](crate::CentredBlock) of the block.
    pub fn observe_near(
        &mut self,
        block: &Block,
        (z, centre): (&[f64], &[f64]),
        r: &[f64],
        shift: &[f64],
        part: &mut Moments,
        panels: &mut Panels,
    ) {
        let mut is_first = true;
        self.observe_sums(shift, centre, part, |part, at| {
            if std::mem::take(&mut is_first) {
                sum_stored(part, z, r, at, panels);
            } else {
                sum(part, block, r, at, panels);
            }
        });
    }

    /// [`observe`](Self::observe) of some rows of a block alone, with dense structure; `panels` have to hold the block's rows ([`Panels::read_rows`]).
    pub fn observe_listed(
        &mut self,
        listed: &Listed,
        r: &[f64],
        shift: &[f64],
        part: &mut Moments,
        panels: &mut Panels,
    ) {
        self.observe_sums(shift, shift, part, |part, at| {
            let (sums, products) = (&mut part.mean, &mut part.scatter);
            part.occupancy = listed_sums(listed, r, at, panels, sums, products);
        });
    }

    /// Adds a block whose sums about a place `sum` writes: n, Σ r z in `mean` and Σ r z z' in `scatter`. They are asked for at `first`, and where
    /// they cancel there, at the block's own mean.
    pub(crate) fn observe_sums(
        &mut self,
        shift: &[f64],
        first: &[f64],
        part: &mut Moments,
        mut sum: impl FnMut(&mut Moments, &[f64]),
    ) {
        sum(part, first);
        if part.occupancy <= 0.0 {
            return;
        }
        if !self.keeps_digits(part) {
            let n = part.occupancy;
            let near: Vec<f64> = first
                .iter()
                .zip(&part.mean)
                .map(|(s, m)| s + m / n)
                .collect();
            sum(part, &near);
            self.merge(part.clone(), &near, shift);
        } else {
            self.add_open(part, first, shift);
        }
    }

    /// Adds sums to those that stay open, or opens them.
    fn add_open(&mut self, part: &Moments, place: &[f64], shift: &[f64]) {
        if self.open.as_ref().is_some_and(|open| open.place != place) {
            self.close(shift);
        }
        match &mut self.open {
            Some(Open { sums, .. }) => {
                sums.occupancy += part.occupancy;
                Arch::new().dispatch(Add {
                    sums: [&mut sums.mean, &mut sums.scatter],
                    parts: [&part.mean, &part.scatter],
                });
            }
            None => {
                self.open = Some(Open {
                    sums: part.clone(),
                    place: place.to_vec(),
                });
            }
        }
    }

    /// Makes moments of the open sums.
    fn close(&mut self, shift: &[f64]) {
        if let Some(Open { sums, place }) = self.open.take() {
            self.merge(sums, &place, shift);
        }
    }

    /// Makes moments of sums of some occupancy about a place, and adds them.
    pub(super) fn merge(&mut self, mut sums: Moments, place: &[f64], shift: &[f64]) {
        sums.centre();
        // place - shift is 0 or rounded once, as the place is.
        for (mean, (place, shift)) in sums.mean.iter_mut().zip(place.iter().zip(shift)) {
            *mean += place - shift;
        }
        match &mut self.moments {
            Some(moments) => moments.merge(&sums),
            None => self.moments = Some(sums),
        }
    }

    /// Whether no feature of sums cancels by more than [`CANCELLATION`], given what they will be added to. (At most the block's share of the scatter
    /// before it counts: over many blocks of like size the shares add up like 1 + ½ + ⅓ + ..., to a few.)
    fn keeps_digits(&self, part: &Moments) -> bool {
        // In the first place without what stands before, which is mostly not needed.
        part.keeps_digits_alone() || self.keeps_digits_beside(part)
    }

    fn keeps_digits_beside(&self, part: &Moments) -> bool {
        let share = share(part.occupancy, self.occupancy());
        part.diagonal().enumerate().all(|(j, at)| {
            let known = self.known_scatter(j, at);
            part.scatter[at] <= CANCELLATION * (part.centred(j, at) + share * known)
        })
    }

    /// Of all that was added.
    pub(super) fn occupancy(&self) -> f64 {
        let moments = self.moments.as_ref().map_or(0.0, |m| m.occupancy);
        let open = self.open.as_ref().map_or(0.0, |open| open.sums.occupancy);
        moments + open
    }

    /// Σ r (zⱼ - z̄ⱼ)² of what was added, but for what lies between the means of its parts: at a place of the scatter.
    fn known_scatter(&self, j: usize, at: usize) -> f64 {
        let (moments, open) = (self.moments.as_ref(), self.open.as_ref());
        let open = open.map_or(0.0, |open| open.sums.centred(j, at));
        moments.map_or(0.0, |moments| moments.scatter[at]) + open
    }

    /// [`known_scatter`](Self::known_scatter) feature by feature.
    pub(super) fn known_scatters(&self) -> impl Iterator<Item = f64> {
        let is_diagonal = self.structure != Structure::Dense;
        let features = diagonal(is_diagonal, self.n_features).enumerate();
        features.map(|(j, at)| self.known_scatter(j, at))
    }
}

impl Moments {
    /// Of sums: Σ r (zⱼ - z̄ⱼ)², from Σ r zⱼ² at a place of the scatter; 0 without any.
    fn centred(&self, j: usize, at: usize) -> f64 {
        if self.occupancy > 0.0 {
            (self.scatter[at] - self.mean[j] * (self.mean[j] / self.occupancy)).max(0.0)
        } else {
            0.0
        }
    }

    /// Of sums: where Σ r zⱼ² stands in the scatter, feature by feature.
    fn diagonal(&self) -> impl Iterator<Item = usize> {
        diagonal(self.scatter.len() == self.mean.len(), self.mean.len())
    }

    /// Of sums: whether no feature cancels by more than [`CANCELLATION`], whatever they will be added to. (Without a branch per feature; a sum too
    /// small to have a reciprocal says no.)
    fn keeps_digits_alone(&self) -> bool {
        let per_row = 1.0 / self.occupancy;
        let keeps =
            |scatter: f64, mean: f64| scatter <= CANCELLATION * (scatter - mean * (mean * per_row));
        if self.scatter.len() == self.mean.len() {
            let features = self.scatter.iter().zip(&self.mean);
            return features.fold(true, |all, (s, m)| all & keeps(*s, *m));
        }
        let features = self.diagonal().zip(&self.mean);
        features.fold(true, |all, (at, m)| all & keeps(self.scatter[at], *m))
    }
}

/// Where the squares stand in a scatter.
fn diagonal(is_diagonal: bool, n_features: usize) -> impl Iterator<Item = usize> {
    (0..n_features).map(move |j| if is_diagonal { j } else { j * (j + 3) / 2 })
}

/// n, Σ r z and Σ r z z' of a block about a place.
fn sum(part: &mut Moments, block: &Block, r: &[f64], at: &[f64], panels: &mut Panels) {
    let (sums, products) = (&mut part.mean, &mut part.scatter);
    part.occupancy = if products.len() == at.len() {
        diagonal_sums(block.values(), r, at, sums, products)
    } else {
        dense_sums(block.values(), r, at, panels, sums, products)
    };
}

/// [`sum`] of stored differences from there.
fn sum_stored(part: &mut Moments, z: &[f64], r: &[f64], at: &[f64], panels: &mut Panels) {
    let (sums, products) = (&mut part.mean, &mut part.scatter);
    assert_eq!(z.len(), at.len() * padded::<f64>());
    let differences = Centred { z };
    part.occupancy = if products.len() == at.len() {
        Arch::new().dispatch(DiagonalSums {
            differences,
            r,
            sums,
            squares: products,
        })
    } else {
        let (panels, memory) = panels.about(at);
        Arch::new().dispatch(DenseSums {
            differences,
            panels,
            memory,
            r,
            sums,
            products,
        })
    };
}

struct Add<'a> {
    sums: [&'a mut [f64]; 2],
    parts: [&'a [f64]; 2],
}

impl WithSimd for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        for (sums, part) in self.sums.into_iter().zip(self.parts) {
            for (sum, part) in sums.iter_mut().zip(part) {
                *sum += part;
            }
        }
    }
}
