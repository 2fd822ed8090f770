//! Greedy k-means++ (Arthur and Vassilvitskii 2007).

use gmm_core::block::{BLOCK_ROWS, Block};
use gmm_core::kernels::scaled_norm;
use rand::Rng;
use rayon::prelude::*;

use super::{Centres, KMeans, uniform};
use crate::Error;
use crate::blocks::Blocks;
use crate::start::Ask;

/// Blocks that seeds are drawn from; of a larger table every second, third, ... block. 32 MiB of distances.
const MAX_BLOCKS: usize = 1 << 14;
/// Farther than any row is in standard deviations; finite, so that a row of weight 0 weighs 0, and sums stay finite where weights of
/// all sizes make a standard deviation next to nothing.
const FAR: f64 = 1e100;

impl KMeans<'_> {
    /// Seeds: each next centre is the best of 2 + ln K rows, drawn with probability proportional to weight times squared distance to
    /// the nearest centre so far.
    ///
    /// Returns fewer centres where there are fewer distinct rows.
    pub(crate) fn seed(
        &self,
        n_clusters: usize,
        rng: &mut impl Rng,
        ask: &mut Ask<'_>,
    ) -> Result<Centres, Error> {
        let stride = Block::count(self.x.n_samples()).div_ceil(MAX_BLOCKS);
        self.seed_from(stride, n_clusters, rng, ask)
    }

    /// Seeds from every block, or every second, third, ... one.
    fn seed_from(
        &self,
        stride: usize,
        n_clusters: usize,
        rng: &mut impl Rng,
        ask: &mut Ask<'_>,
    ) -> Result<Centres, Error> {
        let centres = Potential::new(self, stride).seed(n_clusters, rng, ask)?;
        if centres.len() < n_clusters && stride > 1 {
            // The rows in between may differ more.
            return Potential::new(self, 1).seed(n_clusters, rng, ask);
        }
        Ok(centres)
    }

    /// Lowers the squared distances of a block's rows to those from a centre, where it is nearer.
    fn lower(&self, squared: &mut [f64], block: &Block, centre: &[f64]) {
        let mut measured = [0.0; BLOCK_ROWS];
        scaled_norm(block.values(), centre, &self.reciprocal_sd, &mut measured);
        for (s, m) in squared.iter_mut().zip(&measured) {
            *s = if *m < *s { *m } else { *s };
        }
    }
}

/// Squared distance of the rows of some blocks to their nearest centre so far.
///
/// The table is read once for each centre. A candidate's sums say what it would leave; those of the one that is chosen are the sums
/// to draw from, and the distances of a block follow when a row of it is drawn, or when the next candidates are measured.
struct Potential<'a> {
    kmeans: &'a KMeans<'a>,
    /// Block b of ours is block b · stride of the table.
    stride: usize,
    squared: Vec<f64>,
    /// The last centre.
    last: Vec<f64>,
    /// Of each block, whether its distances are those to all centres, or to all but the last.
    is_lowered: Vec<bool>,
    /// Sums of weight times squared distance to all centres, block by block: a draw looks for its block first.
    sums: Vec<f64>,
}

impl<'a> Potential<'a> {
    /// Before the first centre every row is at the same distance.
    fn new(kmeans: &'a KMeans<'a>, stride: usize) -> Self {
        let x = &kmeans.x;
        let blocks = (0..x.n_samples()).step_by(stride * BLOCK_ROWS);
        let rows = blocks.map(|start| start..(start + BLOCK_ROWS).min(x.n_samples()));
        let sums: Vec<f64> = rows
            .map(|rows| rows.map(|row| x.weight(row)).sum())
            .collect();
        Self {
            kmeans,
            stride,
            squared: vec![1.0; sums.len() * BLOCK_ROWS],
            last: Vec::new(),
            is_lowered: vec![true; sums.len()],
            sums,
        }
    }

    fn seed(
        &mut self,
        n_clusters: usize,
        rng: &mut impl Rng,
        ask: &mut Ask<'_>,
    ) -> Result<Centres, Error> {
        let n_trials = 2 + (n_clusters as f64).ln() as usize;
        let first = self.draw(rng)?;
        let mut centres = vec![self.begin(first)?];
        while centres.len() < n_clusters && self.total() > 0.0 {
            ask()?;
            let drawn = (0..n_trials).map(|_| self.draw(rng));
            let candidates = drawn.collect::<Result<_, _>>()?;
            centres.push(self.add_best_of(candidates)?);
        }
        Ok(centres)
    }

    fn begin(&mut self, first: Vec<f64>) -> Result<Vec<f64>, Error> {
        self.squared.fill(FAR);
        self.add_best_of(vec![first])
    }

    /// Adds the candidate that leaves the least to the centres.
    fn add_best_of(&mut self, mut candidates: Centres) -> Result<Vec<f64>, Error> {
        let n = candidates.len();
        let sums = self.left_by(&candidates)?;
        let of = |candidate: usize| sums.iter().skip(candidate).step_by(n).copied();
        let costs: Vec<f64> = (0..n).map(|candidate| of(candidate).sum()).collect();
        let best = (1..n).fold(0, |best, c| if costs[c] < costs[best] { c } else { best });
        self.sums = of(best).collect();
        let chosen = candidates.swap_remove(best);
        self.last.clone_from(&chosen);
        self.is_lowered.fill(false);
        Ok(chosen)
    }

    /// What each candidate would leave as the next centre: its sum of weight times squared distance, block by block.
    fn left_by(&mut self, candidates: &[Vec<f64>]) -> Result<Vec<f64>, Error> {
        let (kmeans, stride, last) = (self.kmeans, self.stride, &self.last);
        let rows = kmeans.table();
        let mut sums = vec![0.0; self.sums.len() * candidates.len()];
        self.squared
            .par_chunks_mut(BLOCK_ROWS)
            .zip(&mut self.is_lowered)
            .zip(sums.par_chunks_mut(candidates.len()))
            .enumerate()
            .with_min_len(16)
            .try_for_each_init(
                || (None, [0.0; BLOCK_ROWS]),
                |(memory, measured), (index, ((squared, is_lowered), sums))| {
                    let block = rows.block(index * stride, memory)?;
                    if !std::mem::replace(is_lowered, true) {
                        kmeans.lower(squared, block, last);
                    }
                    for (sum, candidate) in sums.iter_mut().zip(candidates) {
                        let scales = &kmeans.reciprocal_sd;
                        scaled_norm(block.values(), candidate, scales, measured);
                        *sum = cost(block.weights(), squared, measured);
                    }
                    Ok::<_, Error>(())
                },
            )?;
        Ok(sums)
    }

    fn total(&self) -> f64 {
        self.sums.iter().sum()
    }

    /// A row with probability proportional to weight times squared distance.
    fn draw(&mut self, rng: &mut impl Rng) -> Result<Vec<f64>, Error> {
        let mut rest = uniform(rng) * self.total();
        let mut chosen = 0;
        for (block, sum) in self.sums.iter().enumerate().filter(|(_, s)| **s > 0.0) {
            chosen = block;
            if rest < *sum {
                break;
            }
            rest -= sum;
        }
        let x = &self.kmeans.x;
        let squared = &mut self.squared[chosen * BLOCK_ROWS..][..BLOCK_ROWS];
        if !std::mem::replace(&mut self.is_lowered[chosen], true) {
            let (table, mut memory) = (self.kmeans.table(), None);
            let block = table.block(chosen * self.stride, &mut memory)?;
            self.kmeans.lower(squared, block, &self.last);
        }
        let start = chosen * self.stride * BLOCK_ROWS;
        let mut drawn = start;
        for (row, squared) in (start..x.n_samples()).zip(squared.iter()) {
            let mass = x.weight(row) * squared;
            if mass > 0.0 {
                drawn = row;
                if rest < mass {
                    break;
                }
                rest -= mass;
            }
        }
        Ok(self.kmeans.row(drawn))
    }
}

/// Σ wᵢ min(aᵢ, bᵢ) over the lanes of a block.
fn cost(weights: &[f64], a: &[f64], b: &[f64]) -> f64 {
    // Side by side, since one running sum would wait for each addition.
    let mut lanes = [0.0; 8];
    let parts = a.chunks_exact(8).zip(b.chunks_exact(8));
    for ((a, b), w) in parts.zip(weights.chunks_exact(8)) {
        for (((lane, a), b), w) in lanes.iter_mut().zip(a).zip(b).zip(w) {
            *lane += w * if *b < *a { *b } else { *a };
        }
    }
    lanes.iter().sum()
}

#[cfg(test)]
mod tests {
    use gmm_core::Samples;
    use gmm_core::block::Frame;
    use gmm_core::faer::Mat;
    use rand::SeedableRng;
    use rand_xoshiro::Xoshiro256PlusPlus;

    use super::*;

    fn seeds(x: &Mat<f64>, weights: Option<&[f64]>, stride: usize, n: usize) -> Vec<f64> {
        let samples = Samples::from(x);
        let kmeans = KMeans {
            x: weights.map_or(samples, |w| samples.with_weights(w)),
            frame: &Frame::identity(1),
            reciprocal_sd: vec![1.0],
        };
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let centres = kmeans
            .seed_from(stride, n, &mut rng, &mut || Ok(()))
            .unwrap();
        let mut centres = centres.concat();
        centres.sort_by(f64::total_cmp);
        centres
    }

    #[test]
    fn seeds_of_a_large_table_come_from_a_part_of_its_blocks() {
        // Values 0 and 1 in the even blocks, 2 and 3 in the odd ones; the last block is short.
        let x = Mat::from_fn(5 * BLOCK_ROWS + 7, 1, |i, _| {
            (2 * (i / BLOCK_ROWS % 2) + i % 2) as f64
        });
        assert_eq!(seeds(&x, None, 2, 2), [0.0, 1.0]);
        // More than the part has.
        assert_eq!(seeds(&x, None, 2, 4), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(seeds(&x, None, 1, 9), [0.0, 1.0, 2.0, 3.0]);
    }

    #[test]
    fn rows_of_weight_0_are_no_seeds() {
        let x = Mat::from_fn(600, 1, |i, _| (i % 3) as f64);
        let weights: Vec<f64> = (0..600).map(|i| [1.0, 0.0, 1e-200][i % 3]).collect();
        assert_eq!(seeds(&x, Some(&weights), 1, 3), [0.0, 2.0]);
        let odd: Vec<f64> = (0..600).map(|i| f64::from(u8::from(i >= 256))).collect();
        // All that count lie in the block that is not looked at.
        assert_eq!(seeds(&x, Some(&odd[..]), 3, 3), [0.0, 1.0, 2.0]);
    }

    /// The cost that a candidate would leave, of a table of several parts; and rows are drawn by weight times squared distance.
    #[test]
    fn costs_and_draws_are_those_of_k_means_plus_plus() {
        let n = 9000;
        let x = Mat::from_fn(n, 1, |i, _| ((i * 37) % 101) as f64);
        let weights: Vec<f64> = (0..n).map(|i| [1.0, 0.0, 0.5][i % 3]).collect();
        let kmeans = KMeans {
            x: Samples::from(&x).with_weights(&weights),
            frame: &Frame::identity(1),
            reciprocal_sd: vec![1.0],
        };
        let mut potential = Potential::new(&kmeans, 1);
        potential.begin(vec![20.0]).unwrap();
        let rows = gmm_testkit::rows(x.as_ref());
        let assert_cost = |cost: f64, centres: Centres| {
            let expected = gmm_testkit::naive::kmeans_cost(&rows, &centres, Some(&weights));
            let error = (cost - expected).abs();
            assert!(error <= 1e-12 * expected, "{cost} {expected} {centres:?}");
        };
        let candidates = vec![vec![90.0], vec![21.0], vec![50.0]];
        let left = potential.left_by(&candidates).unwrap();
        for (c, candidate) in candidates.iter().enumerate() {
            let cost = left.iter().skip(c).step_by(candidates.len()).sum();
            assert_cost(cost, vec![vec![20.0], candidate.clone()]);
        }
        let total = potential.total();
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
        let n_draws = 4000;
        let draws: Vec<f64> = (0..n_draws)
            .map(|_| potential.draw(&mut rng).unwrap()[0])
            .collect();
        // Ranges of values; five standard deviations of a binomial law at the most.
        for (low, high) in [(0.0, 19.5), (19.5, 20.5), (20.5, 60.0), (60.0, 101.0)] {
            let inside = |v: f64| v >= low && v < high;
            let mass: f64 = (0..n)
                .filter(|&i| inside(x[(i, 0)]))
                .map(|i| weights[i] * (x[(i, 0)] - 20.0).powi(2))
                .sum();
            let expected = f64::from(n_draws) * mass / total;
            let found = draws.iter().filter(|v| inside(**v)).count() as f64;
            assert!(
                (found - expected).abs() <= 5.0 * expected.sqrt(),
                "{low}: {found} {expected}"
            );
        }
        // Each further centre lowers the distances to those before it.
        assert_eq!(potential.add_best_of(candidates).unwrap(), [90.0]);
        assert_cost(potential.total(), vec![vec![20.0], vec![90.0]]);
        let left = potential.left_by(&[vec![50.0]]).unwrap();
        assert_cost(left.iter().sum(), vec![vec![20.0], vec![90.0], vec![50.0]]);
    }
}
