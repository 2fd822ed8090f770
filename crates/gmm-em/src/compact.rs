//! Rows in an order in which neighbours lie together, so that whole blocks can be proved irrelevant to most components.
//!
//! With many components the dense E-step spends nearly all its time on responsibilities that are 0 to the last bit. Once per fit the
//! rows are put in the order of their most probable components, near components next to each other; each block of that order
//! gets an ellipsoid that holds it, and [`GaussianMixture::responsibilities_of_compact_block`] evaluates only the components that may
//! matter there. Parameters agree with those of the dense pass to rounding: see [`gmm_core::NEGLIGIBLE`].
//!
//! An ellipsoid proves more the farther groups are apart: at 12 standard deviations in 16 dimensions nothing yet, since it holds all
//! directions of 256 rows at once. What it leaves, the rows' own projections may prove, row by row: four fifths of the pairs at 12, 99 % at 20. A
//! pass that could not leave out enough is the last one of its kind in its fit.

use std::ops::Range;

use gmm_core::block::{BLOCK_ROWS, Block, Frame};
use gmm_core::kernels::most_probable;
use gmm_core::{Bounds, Ellipsoid, GaussianMixture, NEGLIGIBLE, Samples, Scratch};
use rayon::prelude::*;

use crate::Error;
use crate::blocks::{Blocks, Table};

/// Below so many components the dense pass is as fast on overlapping groups, and nothing much on others.
const MIN_COMPONENTS: usize = 32;
/// Beyond so many features an ellipsoid takes a quarter of its block's own memory.
const MAX_FEATURES: usize = 64;
/// If what is left costs more than this part of the dense pass, bounds don't pay. (The dense pass has fewer blocks, those of an order end where a
/// group does, and bounds are compared.)
const WORTHWHILE: f64 = 0.7;
/// If more than this part of the pairs of rows and components say something, little is left out: at 9 %, for groups 12 standard deviations apart in
/// 16 dimensions, a pass takes three fifths of the dense one's time, at 30 % as long.
const MOST_ACTIVE: f64 = 0.25;

/// Numbers of a table that a fit keeps in the order, weights included: 32 MiB of them. Rows that lie anywhere take a fifth of a pass over groups far apart
/// to read, more in a column-major table.
pub(crate) const MOST_KEPT: usize = 1 << 22;

/// Blocks of the table that are asked whether anything can be left out.
const N_SAMPLED: usize = 4;

/// An order of the rows, and an ellipsoid around each of its blocks.
pub(crate) struct Compact {
    order: Vec<u32>,
    /// The place after the last one of each block.
    ends: Vec<usize>,
    ellipsoids: Vec<Option<Ellipsoid>>,
    /// The blocks themselves, if they are few.
    kept: Option<Vec<Block>>,
}

impl Compact {
    /// The order for a fit that begins with a model, with blocks that are kept up to so many numbers; `None` where it would not pay.
    pub(crate) fn new(
        model: &GaussianMixture,
        x: &Samples<'_>,
        frame: &Frame,
        most_kept: usize,
    ) -> Result<Option<Self>, Error> {
        let n = x.n_samples();
        let is_large = model.n_components() >= MIN_COMPONENTS && n >= 4 * BLOCK_ROWS;
        if !is_large || x.n_features() > MAX_FEATURES || u32::try_from(n).is_err() {
            return Ok(None);
        }
        if !are_apart(model, &Table { x, frame })? {
            return Ok(None);
        }
        let (order, groups) = order(&labels(model, x, frame)?, &chain(model));
        let mut compact = Self {
            order,
            ends: ends(&groups),
            ellipsoids: Vec::new(),
            kept: None,
        };
        let rows = compact.blocks(x, frame);
        let lanes = rows.n_blocks().saturating_mul(BLOCK_ROWS);
        let is_kept = lanes.saturating_mul(x.n_features() + 1) <= most_kept;
        let read = |memory: &mut Option<Block>, index: usize| {
            let ellipsoid = Ellipsoid::around(rows.block(index, memory)?);
            Ok((ellipsoid, memory.take_if(|_| is_kept)))
        };
        let (ellipsoids, kept): (Vec<_>, Vec<_>) = (0..rows.n_blocks())
            .into_par_iter()
            .map_init(|| None, read)
            .collect::<Result<Vec<_>, Error>>()?
            .into_iter()
            .unzip();
        compact.ellipsoids = ellipsoids;
        compact.kept = kept.into_iter().collect();
        Ok(Some(compact))
    }

    /// The rows of the fit's table in the order.
    pub(crate) fn blocks<'a>(&'a self, x: &'a Samples<'a>, frame: &'a Frame) -> OrderedBlocks<'a> {
        OrderedBlocks {
            compact: self,
            x,
            frame,
        }
    }

    /// The table's row at a place of the order.
    pub(crate) fn row(&self, place: usize) -> usize {
        self.order[place] as usize
    }

    /// Responsibilities of a block of the order; whether small ones may be left out.
    pub(crate) fn responsibilities(
        &self,
        model: &GaussianMixture,
        block: &Block,
        index: usize,
        scratch: &mut Scratch,
    ) -> bool {
        let Some(ellipsoid) = &self.ellipsoids[index] else {
            // No row counts.
            scratch.active.clear();
            scratch.about_centre.clear();
            return true;
        };
        // Of this block and those after it, which the same task asks for next.
        let known = scratch.bounds.take();
        let is_of_index = |first: usize| (first..first + Bounds::LANES).contains(&index);
        let (first, bounds) = known
            .filter(|(first, _)| is_of_index(*first))
            .unwrap_or_else(|| (index, model.bounds(&self.ellipsoids[index..])));
        let lane = index - first;
        let is_near =
            model.responsibilities_of_compact_block(block, ellipsoid, &bounds, lane, scratch);
        scratch.bounds = Some((first, bounds));
        is_near
    }

    /// Whether a pass left out enough that was left with so many [pairs](Scratch::n_pairs).
    pub(crate) fn pays(&self, n_components: usize, n_pairs: usize) -> bool {
        // The dense pass evaluates each pair, and sums it up.
        let all = 2.0 * self.order.len() as f64 * n_components as f64;
        n_pairs as f64 <= WORTHWHILE * all
    }
}

/// See [`Compact::blocks`].
pub(crate) struct OrderedBlocks<'a> {
    compact: &'a Compact,
    x: &'a Samples<'a>,
    frame: &'a Frame,
}

impl Blocks for OrderedBlocks<'_> {
    fn n_features(&self) -> usize {
        self.x.n_features()
    }

    fn n_blocks(&self) -> usize {
        self.compact.ends.len()
    }

    fn block<'b>(
        &'b self,
        index: usize,
        memory: &'b mut Option<Block>,
    ) -> Result<&'b Block, Error> {
        if let Some(kept) = &self.compact.kept {
            return Ok(&kept[index]);
        }
        let block = memory.get_or_insert_with(|| Block::new(self.n_features()));
        let places = places(&self.compact.ends, index);
        block.fill_ordered(self.x, &self.compact.order, places, self.frame)?;
        block.hide_weightless();
        Ok(block)
    }
}

/// Whether, in some blocks of the table, few enough pairs of rows and components say anything for an order to pay.
fn are_apart(model: &GaussianMixture, rows: &Table<'_>) -> Result<bool, Error> {
    let (mut memory, mut scratch) = (None, Scratch::new(model));
    let (mut n_active, mut n_rows) = (0, 0);
    for sample in 0..N_SAMPLED {
        let block = rows.block(sample * rows.n_blocks() / N_SAMPLED, &mut memory)?;
        model.responsibilities_of_block(block, &mut scratch);
        let counted = (0..block.len()).filter(|&i| block.weights()[i] > 0.0);
        for i in counted {
            n_rows += 1;
            let shares = scratch.joint[i..].iter().step_by(BLOCK_ROWS);
            let weights = model.weights().iter();
            n_active += shares
                .zip(weights)
                .filter(|(r, w)| **r > NEGLIGIBLE * **w)
                .count();
        }
    }
    Ok(n_active as f64 <= MOST_ACTIVE * (n_rows * model.n_components()) as f64)
}

/// The most probable component of each row.
fn labels(model: &GaussianMixture, x: &Samples<'_>, frame: &Frame) -> Result<Vec<u32>, Error> {
    let mut labels = vec![0; x.n_samples()];
    let rows = Table { x, frame };
    labels
        .par_chunks_mut(BLOCK_ROWS)
        .enumerate()
        .try_for_each_init(
            || (None, Scratch::new(model)),
            |(memory, scratch), (index, labels)| -> Result<(), Error> {
                let block = rows.block(index, memory)?;
                model.responsibilities_of_block(block, scratch);
                let mut found = [0; BLOCK_ROWS];
                most_probable(&scratch.joint, &mut found);
                for (label, found) in labels.iter_mut().zip(found) {
                    *label = found as u32;
                }
                Ok(())
            },
        )?;
    Ok(labels)
}

/// The components in an order in which neighbours are near: from each one to the nearest that is left.
fn chain(model: &GaussianMixture) -> Vec<usize> {
    let (k, d) = (model.n_components(), model.n_features());
    let means: Vec<Vec<f64>> = (0..k)
        .map(|c| (0..d).map(|j| model.means()[(c, j)]).collect())
        .collect();
    let mut left: Vec<usize> = (1..k).collect();
    let mut chain = vec![0];
    let mut at = 0;
    while !left.is_empty() {
        let distance = |c: usize| -> f64 {
            let pairs = means[at].iter().zip(&means[c]);
            pairs.map(|(a, b)| (a - b) * (a - b)).sum()
        };
        let nearest = (0..left.len())
            .map(|i| (distance(left[i]), i))
            .reduce(|best, next| if next.0 < best.0 { next } else { best })
            .map_or(0, |(_, i)| i);
        at = left.swap_remove(nearest);
        chain.push(at);
    }
    chain
}

/// Rows sorted by their component's place in the chain, in the table's order within a component; and how many rows each component
/// of the chain has.
fn order(labels: &[u32], chain: &[usize]) -> (Vec<u32>, Vec<usize>) {
    let mut starts = vec![0; chain.len()];
    for label in labels {
        starts[*label as usize] += 1;
    }
    let groups: Vec<usize> = chain.iter().map(|&component| starts[component]).collect();
    let mut next = 0;
    for &component in chain {
        next += std::mem::replace(&mut starts[component], next);
    }
    let mut order = vec![0; labels.len()];
    for (row, label) in (0..).zip(labels) {
        let place = &mut starts[*label as usize];
        order[*place] = row;
        *place += 1;
    }
    (order, groups)
}

/// Where blocks end, so that a block holds rows of one group or several whole ones: a block that reaches into the next group would
/// be long.
fn ends(groups: &[usize]) -> Vec<usize> {
    let (mut ends, mut begin, mut at) = (Vec::new(), 0, 0);
    for &n_rows in groups {
        if at > begin && at + n_rows > begin + BLOCK_ROWS {
            ends.push(at);
            begin = at;
        }
        at += n_rows;
        while at > begin + BLOCK_ROWS {
            begin += BLOCK_ROWS;
            ends.push(begin);
        }
        if n_rows > BLOCK_ROWS {
            ends.push(at);
            begin = at;
        }
    }
    if at > begin {
        ends.push(at);
    }
    ends
}

fn places(ends: &[usize], index: usize) -> Range<usize> {
    let begin = if index == 0 { 0 } else { ends[index - 1] };
    begin..ends[index]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pass::compact_expectation;
    use gmm_core::Covariances;
    use gmm_core::faer::Mat;

    #[test]
    fn an_order_is_stable_and_follows_the_chain() {
        let labels = [2, 0, 1, 2, 0, 0];
        let (order, groups) = order(&labels, &[2, 0, 1]);
        assert_eq!(order, [0, 3, 1, 4, 5, 2]);
        assert_eq!(groups, [2, 3, 1]);
    }

    #[test]
    fn blocks_hold_parts_of_a_group_or_whole_groups() {
        // 600 rows fill two blocks and a part of one; 100 and 150 share one; an empty group is none.
        assert_eq!(ends(&[600, 100, 0, 150, 7]), [256, 512, 600, 850, 857]);
        assert_eq!(ends(&[256, 256]), [256, 512]);
        assert_eq!(ends(&[]), [0; 0]);
        assert_eq!(places(&[256, 512, 600], 2), 512..600);
    }

    /// From 0 on, always the nearest that is left: along a line and back over what was passed by.
    #[test]
    fn a_chain_goes_to_the_nearest() {
        let places = [3.0, 10.0, 4.0, 0.0, 6.0];
        let means = Mat::from_fn(5, 2, |k, j| if j == 0 { 7.0 } else { places[k] });
        let covariances = Covariances::spherical(&[1.0; 5], 2).unwrap();
        let model = GaussianMixture::new(vec![0.2; 5], means, covariances).unwrap();
        assert_eq!(chain(&model), [0, 2, 4, 1, 3]);
    }

    #[test]
    fn blocks_that_are_read_anew_are_those_that_are_kept() {
        let means = Mat::from_fn(40, 2, |k, j| if j == 0 { 30.0 * k as f64 } else { 0.0 });
        let covariances = Covariances::spherical(&[1.0; 40], 2).unwrap();
        let model = GaussianMixture::new(vec![1.0 / 40.0; 40], means, covariances).unwrap();
        let x = Mat::from_fn(2400, 2, |i, j| {
            model.means()[(i % 40, j)] + ((i * 37 + j * 11) % 101) as f64 / 50.0 - 1.0
        });
        let weights: Vec<f64> = (0..2400).map(|i| [1.0, 0.0, 0.5][i % 3]).collect();
        let (x, frame) = (Samples::from(&x).with_weights(&weights), Frame::identity(2));
        let passes = [0, MOST_KEPT].map(|most_kept| {
            let compact = Compact::new(&model, &x, &frame, most_kept)
                .unwrap()
                .unwrap();
            assert_eq!(compact.kept.is_some(), most_kept > 0);
            let shifts = model.means().to_owned();
            let (statistics, n_pairs) =
                compact_expectation(&model, &x, &frame, shifts, &compact).unwrap();
            // Each group alone, and blocks of up to 256 rows in full.
            assert!((2400..2400 * 20).contains(&n_pairs), "{n_pairs}");
            format!("{statistics:?}")
        });
        assert_eq!(passes[0], passes[1]);
    }

    /// More than seven tenths of the pairs are too many.
    #[test]
    fn a_pass_pays_up_to_a_part_of_the_pairs() {
        let compact = Compact {
            order: vec![0; 3 * BLOCK_ROWS],
            ends: vec![1, 2, 3, 4],
            ellipsoids: vec![None, None, None, None],
            kept: None,
        };
        for (n_pairs, pays) in [(0, true), (10_752, true), (10_753, false)] {
            assert_eq!(compact.pays(10, n_pairs), pays, "{n_pairs} of 15360");
        }
    }
}
