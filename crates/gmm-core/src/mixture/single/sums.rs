//! The moments of a block in single precision.

use pulp::Arch;

use super::{SingleScratch, split_into};
use crate::block::{BLOCK_ROWS, Block};
use crate::covariance::{MomentSums, Moments, SharedSums};
use crate::kernels::{
    Centred, DenseSums, DiagonalSums, Differences, Halves, InPanels, Listed, ListedSums,
    PanelMemory, Plain, Single, StoredSums,
};
use crate::mixture::near::sums_spare;

impl MomentSums {
    /// Expert: [`MomentSums::observe`] of a block, which the scratch memory was last filled from, with the responsibilities of component
    /// `k` in it times `weight`.
    pub fn observe_single(
        &mut self,
        (block, scratch): (&Block, &mut SingleScratch),
        k: usize,
        weight: f64,
        shift: &[f64],
        part: &mut Moments,
    ) {
        let is_dense = part.scatter.len() != shift.len();
        let is_near = scratch.is_near.get(k).copied().unwrap_or(false);
        let is_near = is_near && sums_spare(is_dense, shift.len());
        if is_dense {
            scratch.read_panels(block, false);
        }
        let SingleScratch {
            joint,
            parts,
            shift: own_shift,
            centred,
            panels,
            z,
            centre,
            ..
        } = scratch;
        let r = &joint[k * BLOCK_ROWS..(k + 1) * BLOCK_ROWS];
        let (first, mut is_stored) = if is_near {
            (centre.as_slice(), true)
        } else {
            (shift, false)
        };
        self.observe_sums(shift, first, part, |part, shift| {
            let (shift, is_short) = own(own_shift, shift);
            let is_diagonal = part.scatter.len() == shift.high.len();
            if std::mem::take(&mut is_stored) {
                let stored = Centred { z };
                part.occupancy = if is_diagonal {
                    diagonal(stored, r, part)
                } else {
                    let (panels, memory) = panels.about_halves(shift);
                    let (sums, products) = (&mut part.mean, &mut part.scatter);
                    Arch::new().dispatch(DenseSums {
                        differences: stored,
                        panels,
                        memory,
                        r,
                        sums,
                        products,
                    })
                };
                weigh(part, weight);
                return;
            }
            let (x, is_narrow) = parts.of(block);
            let plain = Plain {
                x: x.high,
                shift: shift.high,
            };
            let single = Single { x, shift };
            part.occupancy = match (is_diagonal, is_narrow && is_short) {
                (true, true) => diagonal(plain, r, part),
                (true, false) => diagonal(single, r, part),
                (false, true) => {
                    let (panels, memory) = panels.about(shift.high);
                    dense(plain, panels, memory, centred, r, part)
                }
                (false, false) => {
                    let (panels, memory) = panels.about_halves(shift);
                    dense(single, panels, memory, centred, r, part)
                }
            };
            weigh(part, weight);
        });
    }

    /// [`observe_single`](Self::observe_single) of some rows alone, with dense structure.
    pub fn observe_single_listed(
        &mut self,
        (block, scratch): (&Block, &mut SingleScratch),
        (listed, k): (&Listed, usize),
        weight: f64,
        shift: &[f64],
        part: &mut Moments,
    ) {
        scratch.read_panels(block, true);
        let SingleScratch {
            joint,
            parts,
            shift: own_shift,
            panels,
            ..
        } = scratch;
        let r = &joint[k * BLOCK_ROWS..(k + 1) * BLOCK_ROWS];
        self.observe_sums(shift, shift, part, |part, shift| {
            let (_, is_narrow) = parts.of(block);
            let (shift, is_short) = own(own_shift, shift);
            part.occupancy = if is_narrow && is_short {
                let (panels, memory) = panels.about(shift.high);
                of_listed(panels, memory, listed, r, part)
            } else {
                let (panels, memory) = panels.about_halves(shift);
                of_listed(panels, memory, listed, r, part)
            };
            weigh(part, weight);
        });
    }
}

impl SharedSums {
    /// Expert: [`SharedSums::observe`] of the block that the scratch memory was last filled from, its responsibilities times `weight`.
    pub fn observe_single(&mut self, scratch: &SingleScratch, weight: f64) -> bool {
        self.observe_narrow(&scratch.z, &scratch.joint, weight)
    }
}

fn diagonal(differences: impl Differences<f32>, r: &[f32], part: &mut Moments) -> f64 {
    Arch::new().dispatch(DiagonalSums {
        differences,
        r,
        sums: &mut part.mean,
        squares: &mut part.scatter,
    })
}

fn of_listed(
    panels: impl InPanels<f32>,
    memory: &mut PanelMemory<f32>,
    listed: &Listed,
    r: &[f32],
    part: &mut Moments,
) -> f64 {
    Arch::new().dispatch(ListedSums {
        panels,
        listed,
        memory,
        r,
        sums: &mut part.mean,
        products: &mut part.scatter,
    })
}

fn dense(
    differences: impl Differences<f32>,
    panels: impl InPanels<f32>,
    memory: &mut PanelMemory<f32>,
    centred: &mut [f32],
    r: &[f32],
    part: &mut Moments,
) -> f64 {
    let sums = DenseSums {
        differences,
        panels,
        memory,
        r,
        sums: &mut part.mean,
        products: &mut part.scatter,
    };
    Arch::new().dispatch(StoredSums { sums, centred })
}

/// A shift in numbers of 48 bits, and whether their low parts are all 0.
fn own<'a>(own: &'a mut [Vec<f32>; 2], shift: &[f64]) -> (Halves<'a>, bool) {
    let [high, low] = own;
    let is_short = split_into(shift, high, low);
    (Halves { high, low }, is_short)
}

/// Counts sums `weight` times.
fn weigh(part: &mut Moments, weight: f64) {
    part.occupancy *= weight;
    part.mean.iter_mut().for_each(|m| *m *= weight);
    part.scatter.iter_mut().for_each(|s| *s *= weight);
}
