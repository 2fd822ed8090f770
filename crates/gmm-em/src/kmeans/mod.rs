//! k-means++ seeding and k-means (Lloyd): a start that other systems have, and one of several.
//!
//! Distances are measured in standard deviations of the data, feature by feature, so that units don't matter (for spherical
//! covariances all features share one unit, as the model does). Nothing is kept per row but the eight bytes that seeding needs for
//! at most four million of them: which centre a row is nearest to is found again where it is needed.

mod seeding;

use std::ops::Range;

use gmm_core::block::{BLOCK_ROWS, Block, Frame};
use gmm_core::kernels::{keep_nearest, scaled_norm};
use gmm_core::tree::Tree;
use gmm_core::{CovarianceType, Samples};
use rand::Rng;

use crate::Error;
use crate::blocks::{Blocks, Table};
use crate::pass::assignment;
use crate::start::Ask;
use crate::statistics::SufficientStatistics;

/// Lloyd stops when the cost falls by less than this part: a start needs no more, EM goes on from there.
const COST_TOLERANCE: f64 = 1e-4;
const MAX_ITERATIONS: usize = 100;

/// A table with the metric in which k-means measures it.
pub(crate) struct KMeans<'a> {
    pub(crate) x: Samples<'a>,
    pub(crate) frame: &'a Frame,
    /// 1 / σⱼ in the frame, or one number for all features.
    pub(crate) reciprocal_sd: Vec<f64>,
}

/// One centre per cluster, in the coordinates of the frame.
pub(crate) type Centres = Vec<Vec<f64>>;

impl KMeans<'_> {
    /// Moves centres to the means of their rows until the cost hardly falls.
    pub(crate) fn run(&self, mut centres: Centres, ask: &mut Ask<'_>) -> Result<Centres, Error> {
        let mut cost = f64::INFINITY;
        for _ in 0..MAX_ITERATIONS {
            ask()?;
            let clusters = self.clusters(&centres)?;
            let improved = cost - clusters.cost;
            cost = clusters.cost;
            if self.refill(&mut centres, &clusters)? {
                continue;
            }
            clusters.move_to_means(&mut centres);
            // Infinity at first: NaN and false.
            if improved <= COST_TOLERANCE * cost {
                break;
            }
        }
        Ok(centres)
    }

    /// The statistics of the rows, each one in the cluster of the nearest centre.
    pub(crate) fn statistics(
        &self,
        centres: &Centres,
        form: CovarianceType,
    ) -> Result<SufficientStatistics, Error> {
        assignment(&self.table(), form, centres.len(), &|block, r| {
            let nearest = self.nearest(block, centres);
            r.fill(0.0);
            for (i, k) in nearest.labels.iter().enumerate() {
                r[*k as usize * BLOCK_ROWS + i] = 1.0;
            }
        })
    }

    /// Empty clusters move to the rows that are farthest from their centres. Whether any cluster moved: rows that all lie on
    /// centres fill none.
    fn refill(&self, centres: &mut Centres, clusters: &Clusters) -> Result<bool, Error> {
        let empty: Vec<usize> = (0..centres.len())
            .filter(|&k| clusters.counts[k] <= 0.0)
            .collect();
        if empty.is_empty() {
            return Ok(false);
        }
        let rows = self.farthest(centres, empty.len())?;
        for (k, (_, row)) in empty.iter().zip(&rows) {
            centres[*k] = self.row(*row);
        }
        Ok(!rows.is_empty())
    }

    /// A row in the coordinates of the frame.
    pub(crate) fn row(&self, row: usize) -> Vec<f64> {
        (0..self.x.n_features())
            .map(|j| self.frame.to_frame(j, self.x.value(row, j)))
            .collect()
    }

    fn clusters(&self, centres: &Centres) -> Result<Clusters, Error> {
        let rows = self.table();
        let leaf = |memory: &mut Option<Block>, blocks: Range<usize>| {
            let mut part = Clusters::new(centres.len(), rows.n_features());
            for index in blocks {
                let block = rows.block(index, memory)?;
                part.add(block, centres, &self.nearest(block, centres));
            }
            Ok(part)
        };
        self.tree(centres).reduce(&|| None, &leaf, &Clusters::merge)
    }

    /// At most `n` rows of positive weight that lie on no centre, the farthest first.
    fn farthest(&self, centres: &Centres, n: usize) -> Result<Vec<(f64, usize)>, Error> {
        let keep = |rows: &mut Vec<(f64, usize)>| {
            rows.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            rows.truncate(n);
        };
        let table = self.table();
        let leaf = |memory: &mut Option<Block>, blocks: Range<usize>| {
            let mut rows = Vec::new();
            for index in blocks {
                let block = table.block(index, memory)?;
                let nearest = self.nearest(block, centres);
                let known = block.rows().enumerate();
                let counted = known
                    .filter(|&(i, _)| block.weights()[i] > 0.0 && nearest.squared[i] > 0.0)
                    .map(|(i, row)| (nearest.squared[i], row));
                rows.extend(counted);
                keep(&mut rows);
            }
            Ok(rows)
        };
        let merge = |a: &mut Vec<(f64, usize)>, b: &Vec<(f64, usize)>| {
            a.extend(b);
            keep(a);
        };
        self.tree(centres).reduce(&|| None, &leaf, &merge)
    }

    fn tree(&self, centres: &Centres) -> Tree {
        let (k, d) = (centres.len(), self.x.n_features());
        Tree::new(self.table().n_blocks(), k, k * d)
    }

    fn table(&self) -> Table<'_> {
        Table {
            x: &self.x,
            frame: self.frame,
        }
    }

    fn nearest(&self, block: &Block, centres: &Centres) -> Nearest {
        let mut nearest = Nearest {
            labels: [0; BLOCK_ROWS],
            squared: [f64::INFINITY; BLOCK_ROWS],
        };
        let mut squared = [0.0; BLOCK_ROWS];
        for (k, centre) in (0..).zip(centres) {
            scaled_norm(block.values(), centre, &self.reciprocal_sd, &mut squared);
            keep_nearest(&squared, k, &mut nearest.squared, &mut nearest.labels);
        }
        nearest
    }
}

/// The nearest centre of each row of a block, and the squared distance to it.
struct Nearest {
    labels: [u64; BLOCK_ROWS],
    squared: [f64; BLOCK_ROWS],
}

/// How the centres should move.
struct Clusters {
    /// Σ w ‖x - centre‖².
    cost: f64,
    counts: Vec<f64>,
    /// Σ w (x - centre) per cluster: small numbers, so that an offset costs no digits.
    sums: Vec<Vec<f64>>,
}

impl Clusters {
    fn new(n_clusters: usize, n_features: usize) -> Self {
        Self {
            cost: 0.0,
            counts: vec![0.0; n_clusters],
            sums: vec![vec![0.0; n_features]; n_clusters],
        }
    }

    fn add(&mut self, block: &Block, centres: &Centres, nearest: &Nearest) {
        for i in 0..block.len() {
            let (k, w) = (nearest.labels[i] as usize, block.weights()[i]);
            self.cost += w * nearest.squared[i];
            self.counts[k] += w;
            let features = block.values().chunks_exact(BLOCK_ROWS);
            for ((sum, lane), centre) in self.sums[k].iter_mut().zip(features).zip(&centres[k]) {
                *sum += w * (lane[i] - centre);
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        let add = |a: &mut [f64], b: &[f64]| a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        self.cost += other.cost;
        add(&mut self.counts, &other.counts);
        for (a, b) in self.sums.iter_mut().zip(&other.sums) {
            add(a, b);
        }
    }

    /// Empty clusters stay where they are.
    fn move_to_means(&self, centres: &mut Centres) {
        let sums = self.sums.iter().zip(&self.counts);
        for (centre, (sum, n)) in centres.iter_mut().zip(sums).filter(|(_, (_, n))| **n > 0.0) {
            centre.iter_mut().zip(sum).for_each(|(c, s)| *c += s / n);
        }
    }
}

/// A uniform number in [0, 1): a multiple of 2^-53.
pub(crate) fn uniform(rng: &mut impl Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 * (0.5 * f64::EPSILON)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gmm_core::faer::Mat;
    use gmm_testkit::naive::{kmeans_cost, nearest};

    fn kmeans<'a>(x: &'a Mat<f64>, weights: &'a [f64], frame: &'a Frame) -> KMeans<'a> {
        KMeans {
            x: Samples::from(x).with_weights(weights),
            frame,
            reciprocal_sd: vec![1.0; x.ncols()],
        }
    }

    /// From two neighbours at the end of a line k-means goes a long way; its cost at the end falls by less than a part in ten thousand,
    /// which near a minimum is an offset of at most a hundredth of the distances.
    #[test]
    fn lloyd_goes_on_while_the_cost_falls() {
        let n = 200;
        let x = Mat::from_fn(n, 1, |i, _| i as f64);
        let (weights, frame) = (vec![1.0; n], Frame::identity(1));
        let kmeans = kmeans(&x, &weights, &frame);
        let begin = vec![vec![0.0], vec![1.0]];
        let end = kmeans.run(begin.clone(), &mut || Ok(())).unwrap();
        let rows = gmm_testkit::rows(x.as_ref());
        assert!(kmeans_cost(&rows, &end, None) < 0.3 * kmeans_cost(&rows, &begin, None));
        for (centre, best) in end.iter().zip([49.5, 149.5]) {
            assert!((centre[0] - best).abs() <= 1.0, "{end:?}");
        }
        let cost = kmeans.clusters(&end).unwrap().cost;
        assert!((cost - kmeans_cost(&rows, &end, None)).abs() <= 1e-12 * cost);
    }

    /// Each centre moves to the weighted mean of its rows; one without rows stays.
    #[test]
    fn centres_move_to_the_means_of_their_rows() {
        let x = gmm_testkit::data::overlapping(3, 700, 2, 3).x;
        let weights: Vec<f64> = (0..700).map(|i| [1.0, 0.0, 2.5][i % 3]).collect();
        let frame = Frame::identity(2);
        let kmeans = kmeans(&x, &weights, &frame);
        let begin = vec![vec![0.0, 0.0], vec![1.0, -1.0], vec![1e6, 1e6]];
        let mut moved = begin.clone();
        kmeans.clusters(&begin).unwrap().move_to_means(&mut moved);
        let rows = gmm_testkit::rows(x.as_ref());
        for (k, centre) in moved.iter().take(2).enumerate() {
            for (j, found) in centre.iter().enumerate() {
                let own = (0..700).filter(|&i| nearest(&rows[i], &begin).0 == k);
                let (n, sum) = own.fold((0.0, 0.0), |(n, sum), i| {
                    (n + weights[i], sum + weights[i] * rows[i][j])
                });
                assert!((found - sum / n).abs() <= 1e-12 * (1.0 + (sum / n).abs()));
            }
        }
        assert_eq!(moved[2], begin[2]);
    }

    /// The farthest rows first; neither rows on a centre nor rows of weight 0, and no more than there are.
    #[test]
    fn empty_clusters_get_the_farthest_rows() {
        let places = [0.0, 5.0, 0.0, 100.0, 7.0, -9.0, 5.0];
        let x = Mat::from_fn(7, 1, |i, _| places[i]);
        let weights = [1.0, 1.0, 1.0, 0.0, 1.0, 0.5, 0.0];
        let frame = Frame::identity(1);
        let kmeans = kmeans(&x, &weights, &frame);
        let centres = vec![vec![5.0]];
        let rows = |n: usize| -> Vec<usize> {
            let farthest = kmeans.farthest(&centres, n).unwrap();
            farthest.iter().map(|(_, row)| *row).collect()
        };
        assert_eq!(rows(2), [5, 0]);
        assert_eq!(rows(10), [5, 0, 2, 4]);
    }
}
