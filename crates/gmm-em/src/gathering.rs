//! What one task adds up of its blocks.

use gmm_core::block::{BLOCK_ROWS, Block};
use gmm_core::covariance::{MomentSums, Moments, SharedSums, Structure};
use gmm_core::kernels::operations::Real;
use gmm_core::kernels::{Listed, Panels, above, clear_up_to, largest};
use gmm_core::{Scratch, SingleScratch};

use crate::statistics::SufficientStatistics;

/// Statistics in the making: the moments of the components are sums until the end.
pub(crate) struct Gathering<'a> {
    /// But for the moments.
    pub(crate) statistics: SufficientStatistics,
    sums: Vec<MomentSums>,
    /// What means are relative to, row by row.
    shifts: &'a [Vec<f64>],
    /// Of components near the centre of the mixture, once a block has come that tells which.
    side_by_side: Option<SideBySide>,
    /// Working memory: what a block adds to a component.
    part: Moments,
}

impl<'a> Gathering<'a> {
    /// With the [shifts](SufficientStatistics::shift_rows) of the statistics, which all tasks share.
    pub(crate) fn new(zeros: &SufficientStatistics, shifts: &'a [Vec<f64>]) -> Self {
        let (structure, n_features) = (zeros.form.structure(), zeros.n_features());
        Self {
            sums: vec![MomentSums::zeros(structure, n_features); zeros.n_components()],
            shifts,
            side_by_side: None,
            part: Moments::zeros(structure, n_features),
            statistics: SufficientStatistics {
                shifts: zeros.shifts.clone(),
                moments: Vec::new(),
                ..*zeros
            },
        }
    }

    pub(crate) fn finish(self) -> SufficientStatistics {
        let (mut statistics, mut sums) = (self.statistics, self.sums);
        for group in self.side_by_side.into_iter().flat_map(|s| s.groups) {
            group.finish(self.shifts, &mut sums);
        }
        let sums = sums.into_iter().zip(self.shifts);
        statistics.moments = sums.map(|(sums, shift)| sums.finish(shift)).collect();
        statistics
    }

    /// Adds a block whose responsibilities (without sample weights) stand in `scratch.joint`, row by row for the components of
    /// `scratch.active`, and after them those of noise, where all components are in use. A component whose responsibilities are all at most
    /// `negligible` (0 where it is not given) is left out, and with dense structure so are its rows that are not above; but for components
    /// that are summed side by side.
    pub(crate) fn add_block(
        &mut self,
        block: &Block,
        negligible: Option<&[f64]>,
        scratch: &mut Scratch,
    ) {
        let structure = self.statistics.form.structure();
        let lists_rows = negligible.is_some() && structure == Structure::Dense;
        let (mut reading, mut is_shared) = (Reading::default(), false);
        if scratch.about_centre.sharing().is_some() {
            self.add_shared(block, scratch, lists_rows, &mut reading);
            is_shared = true;
        }
        let active = scratch.active.iter().copied();
        for (k, r) in active.zip(scratch.joint.chunks_exact_mut(BLOCK_ROWS)) {
            if is_shared && self.is_side_by_side(k) {
                continue;
            }
            let negligible = negligible.map_or(0.0, |n| n[k]);
            let (sums, shift, part) = (&mut self.sums[k], &self.shifts[k], &mut self.part);
            let (panels, listed) = (&mut scratch.panels, &mut scratch.listed);
            if lists_rows {
                let marks = above(r, negligible, block.weights());
                if marks.is_empty() {
                    continue;
                }
                if listed.take(&marks, shift.len()) {
                    reading.read_rows(block, panels);
                    weigh(block, r);
                    sums.observe_listed(listed, r, shift, part, panels);
                    scratch.n_pairs += listed.cost();
                    continue;
                }
                // What is next to nothing would cost more than the rest: products of subnormal numbers are slow.
                clear_up_to(r, negligible);
            } else if largest(r) <= negligible {
                continue;
            }
            weigh(block, r);
            if structure == Structure::Dense {
                reading.read(block, panels, lists_rows);
            }
            scratch.n_pairs += BLOCK_ROWS;
            match scratch.about_centre.near_sums(k, structure) {
                Some(near) => sums.observe_near(block, near, r, shift, part, panels),
                None => sums.observe(block, r, shift, part, panels),
            }
        }
        if let Some(noise) = &mut self.statistics.noise
            && let Some(r) = (scratch.joint.chunks_exact_mut(BLOCK_ROWS)).nth(self.sums.len())
        {
            weigh(block, r);
            noise.occupancy += r.iter().sum::<f64>();
        }
        self.statistics.count(block);
    }

    /// Adds a block to the components that are summed side by side.
    fn add_shared(
        &mut self,
        block: &Block,
        scratch: &mut Scratch,
        lists_rows: bool,
        reading: &mut Reading,
    ) {
        let structure = self.statistics.form.structure();
        let Scratch {
            about_centre,
            joint,
            panels,
            n_pairs,
            ..
        } = scratch;
        let Some((near, z, centre)) = about_centre.sharing() else {
            return;
        };
        let SideBySide { groups, .. } = (self.side_by_side)
            .get_or_insert_with(|| SideBySide::new::<f64>(near, centre, structure));
        let lanes = |k: usize| k * BLOCK_ROWS..(k + 1) * BLOCK_ROWS;
        for group in groups {
            let components = group.components();
            *n_pairs += components.len() * BLOCK_ROWS;
            (components.iter()).for_each(|k| weigh(block, &mut joint[lanes(*k)]));
            if group.observe(z, joint) {
                continue;
            }
            if structure == Structure::Dense {
                reading.read(block, panels, lists_rows);
            }
            let (shifts, part) = (self.shifts, &mut self.part);
            group.add_refused(&mut self.sums, |k, sums| {
                sums.observe(block, &joint[lanes(k)], &shifts[k], part, panels);
            });
        }
    }

    fn is_side_by_side(&self, k: usize) -> bool {
        (self.side_by_side.as_ref()).is_some_and(|side_by_side| side_by_side.is_member[k])
    }

    /// Adds the block that the scratch memory was last filled from, its responsibilities times `weight`, as [`add_block`](Self::add_block) does: see
    /// [`MomentSums::observe_single`]. Sample weights, as parts of the largest in the block, are in the responsibilities that are compared with
    /// `negligible`: what a block leaves out is up to 2^8 times more of the weight that it has, which is nothing in single precision still. The answer
    /// is the number of [pairs](Scratch::n_pairs).
    pub(crate) fn add_single(
        &mut self,
        (block, scratch): (&Block, &mut SingleScratch),
        weight: f64,
        negligible: Option<&[f64]>,
    ) -> usize {
        let structure = self.statistics.form.structure();
        let negligible = negligible.filter(|_| structure == Structure::Dense);
        scratch.reads_rows = negligible.is_some();
        let (shifts, part) = (self.shifts, &mut self.part);
        let (mut is_shared, mut n_pairs) = (false, 0);
        if let Some((near, centre)) = scratch.sharing() {
            is_shared = true;
            let SideBySide { groups, .. } = (self.side_by_side)
                .get_or_insert_with(|| SideBySide::new::<f32>(near, centre, structure));
            for group in groups {
                n_pairs += group.components().len() * BLOCK_ROWS;
                if !group.observe_single(scratch, weight) {
                    group.add_refused(&mut self.sums, |k, sums| {
                        sums.observe_single((block, scratch), k, weight, &shifts[k], part);
                    });
                }
            }
        }
        let mut listed = Listed::default();
        for k in 0..self.sums.len() {
            if is_shared && self.is_side_by_side(k) {
                continue;
            }
            let (sums, shift, part) = (&mut self.sums[k], &self.shifts[k], &mut self.part);
            let r = scratch.responsibilities(k);
            if let Some(negligible) = negligible {
                // A row of weight 0 has none.
                let marks = above(r, negligible[k] as f32, r);
                if marks.is_empty() {
                    continue;
                }
                if listed.take(&marks, shift.len()) {
                    let from = (block, &mut *scratch);
                    sums.observe_single_listed(from, (&listed, k), weight, shift, part);
                    n_pairs += listed.cost();
                    continue;
                }
            } else if !r.iter().any(|r| *r > 0.0) {
                continue;
            }
            n_pairs += BLOCK_ROWS;
            sums.observe_single((block, scratch), k, weight, shift, part);
        }
        n_pairs
    }
}

/// What panels have read of a block.
#[derive(Default)]
struct Reading {
    /// What sums of all rows need of it.
    has_block: bool,
    has_rows: bool,
}

impl Reading {
    fn read_rows(&mut self, block: &Block, panels: &mut Panels) {
        if !self.has_rows {
            panels.read_rows(block.values());
            *self = Self {
                has_block: true,
                has_rows: true,
            };
        }
    }

    /// For sums of all rows, and where they need rows, too, those for sums of some that may follow.
    fn read(&mut self, block: &Block, panels: &mut Panels, some_may_follow: bool) {
        if some_may_follow && Panels::<f64>::are_needed(block.n_features()) {
            self.read_rows(block, panels);
        } else if !self.has_block {
            panels.read(block.values());
            self.has_block = true;
        }
    }
}

/// The components near a centre whose sums are best taken side by side.
struct SideBySide {
    groups: Vec<SharedSums>,
    /// Of each component, whether it is in a group.
    is_member: Vec<bool>,
}

impl SideBySide {
    fn new<T: Real>(is_near: &[bool], centre: &[f64], structure: Structure) -> Self {
        let (mut groups, mut is_member) = (Vec::new(), vec![false; is_near.len()]);
        let near: Vec<usize> = (0..is_near.len()).filter(|k| is_near[*k]).collect();
        let mut rest = near.as_slice();
        while let Some(group) = SharedSums::of_first::<T>(rest, centre, structure) {
            let (members, others) = rest.split_at(group.components().len());
            members.iter().for_each(|k| is_member[*k] = true);
            groups.push(group);
            rest = others;
        }
        Self { groups, is_member }
    }
}

/// Multiplies responsibilities by the sample weights.
fn weigh(block: &Block, r: &mut [f64]) {
    if block.is_weighted() {
        r.iter_mut().zip(block.weights()).for_each(|(r, w)| *r *= w);
    }
}

/// Multiplies responsibilities by the sample weights as parts of the answer, which is a power of two near the largest of them: weights may be of any
/// size, numbers of single precision may not. (0 where no row counts.)
pub(crate) fn weigh_in_parts<T: Real>(block: &Block, joint: &mut [T]) -> f64 {
    const EXPONENT: u64 = 0x7ff << 52;
    if !block.is_weighted() {
        return 1.0;
    }
    let heaviest = block.weights().iter().copied().fold(0.0, f64::max);
    if heaviest <= 0.0 {
        return 0.0;
    }
    let unit = f64::from_bits(heaviest.to_bits() & EXPONENT).max(f64::MIN_POSITIVE);
    for r in joint.chunks_exact_mut(BLOCK_ROWS) {
        let parts = block.weights().iter().map(|w| T::from_f64(w / unit));
        r.iter_mut().zip(parts).for_each(|(r, part)| *r *= part);
    }
    unit
}

#[cfg(test)]
mod tests {
    use super::*;
    use gmm_core::block::Frame;
    use gmm_core::faer::Mat;
    use gmm_core::{CovarianceType, Covariances, GaussianMixture};

    /// What is not above the bound is left out row by row, where few rows are above; a row of weight 0 does not count.
    #[test]
    fn negligible_responsibilities_of_few_rows_are_left_out() {
        let covariances = Covariances::full(&[Mat::identity(2, 2)]).unwrap();
        let model = GaussianMixture::new(vec![1.0], Mat::zeros(1, 2), covariances).unwrap();
        let x = Mat::from_fn(5, 2, |i, j| (3 * i + j) as f64);
        let weights = [1.0, 2.0, 1.0, 1.0, 0.0];
        let samples = gmm_core::Samples::from(&x).with_weights(&weights);
        let mut block = Block::new(2);
        block.fill(&samples, 0, &Frame::identity(2)).unwrap();
        let zeros = SufficientStatistics::about(CovarianceType::Full, Mat::zeros(1, 2));
        let shifts = zeros.shift_rows();
        for (negligible, expected) in [(Some(0.25), 2.0), (None, 2.45)] {
            let mut scratch = Scratch::new(&model);
            scratch.joint[..5].copy_from_slice(&[1.0, 0.5, 0.2, 0.25, 1.0]);
            let mut gathering = Gathering::new(&zeros, &shifts);
            let negligible = negligible.map(|n| [n]);
            gathering.add_block(
                &block,
                negligible.as_ref().map(<[f64; 1]>::as_slice),
                &mut scratch,
            );
            let moments = &gathering.finish().moments[0];
            assert!((moments.occupancy - expected).abs() < 1e-15);
        }
    }
}
