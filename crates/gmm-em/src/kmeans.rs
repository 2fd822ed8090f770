//! k-means++ seeding and k-means (Lloyd): where a fit starts by default.
//!
//! Distances are measured in standard deviations of the data, feature by feature, so that units don't matter (for spherical
//! covariances all features share one unit, as the model does).

use std::ops::Range;

use gmm_core::Samples;
use gmm_core::block::{BLOCK_ROWS, Block, Frame};
use gmm_core::kernels::scaled_norm;
use rand::Rng;

use crate::{Error, tree};

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
type Centres = Vec<Vec<f64>>;

impl KMeans<'_> {
    /// Seeds by greedy k-means++ (Arthur and Vassilvitskii 2007): each next centre is the best of 2 + ln K rows, drawn with
    /// probability proportional to weight times squared distance to the nearest centre so far.
    ///
    /// Returns fewer centres where there are fewer distinct rows.
    pub(crate) fn seed(&self, n_clusters: usize, rng: &mut impl Rng) -> Result<Centres, Error> {
        let n_trials = 2 + (n_clusters as f64).ln() as usize;
        let mut potential = Potential::new(&self.x);
        let mut centres = vec![self.row(potential.draw(rng))?];
        self.lower(&mut potential, &centres[0])?;
        while centres.len() < n_clusters && potential.total() > 0.0 {
            let candidates: Vec<Vec<f64>> = (0..n_trials)
                .map(|_| self.row(potential.draw(rng)))
                .collect::<Result<_, _>>()?;
            let costs = self.costs(&potential, &candidates)?;
            let best =
                (1..n_trials).fold(0, |best, c| if costs[c] < costs[best] { c } else { best });
            self.lower(&mut potential, &candidates[best])?;
            centres.push(candidates[best].clone());
        }
        Ok(centres)
    }

    /// Moves centres to the means of their rows until the cost hardly falls, and returns each row's cluster.
    pub(crate) fn run(&self, mut centres: Centres) -> Result<Vec<usize>, Error> {
        let mut cost = f64::INFINITY;
        for _ in 0..MAX_ITERATIONS {
            let assigned = self.assign(&centres)?;
            let improved = cost - assigned.cost;
            cost = assigned.cost;
            let had_empty = assigned.counts.contains(&0.0);
            if had_empty {
                self.refill(&mut centres, &assigned)?;
            } else {
                for ((centre, sum), n) in
                    centres.iter_mut().zip(&assigned.sums).zip(&assigned.counts)
                {
                    centre.iter_mut().zip(sum).for_each(|(c, s)| *c += s / n);
                }
                // Infinity at first: NaN and false.
                if improved <= COST_TOLERANCE * cost {
                    break;
                }
            }
        }
        Ok(self.assign(&centres)?.labels)
    }

    /// The nearest centre of each row.
    pub(crate) fn labels(&self, centres: &Centres) -> Result<Vec<usize>, Error> {
        Ok(self.assign(centres)?.labels)
    }

    /// An empty cluster moves to the row that is farthest from its centre: the next one for each further empty cluster.
    fn refill(&self, centres: &mut Centres, assigned: &Assignment) -> Result<(), Error> {
        let mut order: Vec<usize> = (0..assigned.distances.len()).collect();
        order.sort_by(|&a, &b| {
            assigned.distances[b]
                .total_cmp(&assigned.distances[a])
                .then(a.cmp(&b))
        });
        let empty = (0..centres.len()).filter(|&k| assigned.counts[k] == 0.0);
        for (k, row) in empty.zip(order) {
            centres[k] = self.row(row)?;
        }
        Ok(())
    }

    /// A row in the coordinates of the frame.
    pub(crate) fn row(&self, row: usize) -> Result<Vec<f64>, Error> {
        Ok((0..self.x.n_features())
            .map(|j| self.frame.to_frame(j, self.x.value(row, j)))
            .collect())
    }

    fn assign(&self, centres: &Centres) -> Result<Assignment, Error> {
        let d = self.x.n_features();
        let leaf = |blocks: Range<usize>| -> Result<Assignment, Error> {
            let mut part = Assignment::new(centres.len(), d);
            let mut block = Block::new(d);
            let (mut nearest, mut squared) = (vec![0.0; BLOCK_ROWS], vec![0.0; BLOCK_ROWS]);
            let mut labels = vec![0usize; BLOCK_ROWS];
            for index in blocks {
                block.fill(&self.x, index, self.frame)?;
                block.hide_weightless();
                nearest.fill(f64::INFINITY);
                for (k, centre) in centres.iter().enumerate() {
                    scaled_norm(block.values(), centre, &self.reciprocal_sd, &mut squared);
                    for ((nearest, label), squared) in
                        nearest.iter_mut().zip(&mut labels).zip(&squared)
                    {
                        if *squared < *nearest {
                            (*nearest, *label) = (*squared, k);
                        }
                    }
                }
                part.add_block(&block, centres, &labels, &nearest);
            }
            Ok(part)
        };
        tree::reduce(
            0..Block::count(self.x.n_samples()),
            &leaf,
            &Assignment::merge,
        )
    }

    /// Lowers each row's distance to that of a new centre, where it is nearer.
    fn lower(&self, potential: &mut Potential, centre: &[f64]) -> Result<(), Error> {
        let leaf = |blocks: Range<usize>| self.distances(blocks, centre);
        let distances = tree::reduce(
            0..Block::count(self.x.n_samples()),
            &leaf,
            &|a: &mut Vec<f64>, b: &Vec<f64>| a.extend(b),
        )?;
        potential.lower(&distances);
        Ok(())
    }

    fn distances(&self, blocks: Range<usize>, centre: &[f64]) -> Result<Vec<f64>, Error> {
        let mut out = Vec::with_capacity(blocks.len() * BLOCK_ROWS);
        let (mut block, mut squared) = (Block::new(self.x.n_features()), vec![0.0; BLOCK_ROWS]);
        for index in blocks {
            block.fill(&self.x, index, self.frame)?;
            block.hide_weightless();
            scaled_norm(block.values(), centre, &self.reciprocal_sd, &mut squared);
            out.extend(&squared[..block.len()]);
        }
        Ok(out)
    }

    /// The cost that each candidate would leave as the next centre.
    fn costs(&self, potential: &Potential, candidates: &[Vec<f64>]) -> Result<Vec<f64>, Error> {
        let leaf = |blocks: Range<usize>| -> Result<Vec<f64>, Error> {
            let (mut block, mut squared) = (Block::new(self.x.n_features()), vec![0.0; BLOCK_ROWS]);
            let mut costs = vec![0.0; candidates.len()];
            for index in blocks {
                block.fill(&self.x, index, self.frame)?;
                block.hide_weightless();
                let so_far = &potential.squared[block.rows()];
                for (cost, candidate) in costs.iter_mut().zip(candidates) {
                    scaled_norm(block.values(), candidate, &self.reciprocal_sd, &mut squared);
                    *cost += so_far
                        .iter()
                        .zip(&squared)
                        .zip(block.weights())
                        .map(|((old, new), w)| w * old.min(*new))
                        .sum::<f64>();
                }
            }
            Ok(costs)
        };
        tree::reduce(
            0..Block::count(self.x.n_samples()),
            &leaf,
            &|a: &mut Vec<f64>, b: &Vec<f64>| {
                a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
            },
        )
    }
}

/// Weight times squared distance of each row to its nearest centre.
struct Potential {
    weights: Option<Vec<f64>>,
    squared: Vec<f64>,
    /// Sums of weight times squared distance, block by block: a draw looks for its block first.
    sums: Vec<f64>,
}

impl Potential {
    /// Before the first centre every row is at the same distance.
    fn new(x: &Samples<'_>) -> Self {
        let squared = vec![1.0; x.n_samples()];
        let mut potential = Self {
            weights: x.weights().map(<[f64]>::to_vec),
            squared,
            sums: Vec::new(),
        };
        potential.sum();
        potential.squared.fill(f64::INFINITY);
        potential
    }

    fn lower(&mut self, distances: &[f64]) {
        self.squared
            .iter_mut()
            .zip(distances)
            .for_each(|(s, d)| *s = s.min(*d));
        self.sum();
    }

    fn sum(&mut self) {
        let n = self.squared.len();
        self.sums = (0..n.div_ceil(BLOCK_ROWS))
            .map(|b| {
                (b * BLOCK_ROWS..((b + 1) * BLOCK_ROWS).min(n))
                    .map(|i| self.mass(i))
                    .sum()
            })
            .collect();
    }

    fn mass(&self, row: usize) -> f64 {
        // Before the first centre, distances are infinite and all rows alike.
        let squared = if self.squared[row].is_finite() {
            self.squared[row]
        } else {
            1.0
        };
        self.weights.as_ref().map_or(1.0, |w| w[row]) * squared
    }

    fn total(&self) -> f64 {
        self.sums.iter().sum()
    }

    /// A row with probability proportional to its mass.
    fn draw(&self, rng: &mut impl Rng) -> usize {
        let mut rest = uniform(rng) * self.total();
        let mut chosen = 0;
        for (block, sum) in self.sums.iter().enumerate().filter(|(_, s)| **s > 0.0) {
            chosen = block;
            if rest < *sum {
                break;
            }
            rest -= sum;
        }
        let rows = chosen * BLOCK_ROWS..((chosen + 1) * BLOCK_ROWS).min(self.squared.len());
        let mut row = rows.start;
        for i in rows {
            let mass = self.mass(i);
            if mass > 0.0 {
                row = i;
                if rest < mass {
                    break;
                }
                rest -= mass;
            }
        }
        row
    }
}

/// A uniform number in [0, 1): a multiple of 2^-53.
pub(crate) fn uniform(rng: &mut impl Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 * (0.5 * f64::EPSILON)
}

/// Which centre each row is nearest to, and how the centres should move.
struct Assignment {
    labels: Vec<usize>,
    distances: Vec<f64>,
    cost: f64,
    counts: Vec<f64>,
    /// Σ w (x - centre) per cluster: small numbers, so that an offset costs no digits.
    sums: Vec<Vec<f64>>,
}

impl Assignment {
    fn new(n_clusters: usize, n_features: usize) -> Self {
        Self {
            labels: Vec::new(),
            distances: Vec::new(),
            cost: 0.0,
            counts: vec![0.0; n_clusters],
            sums: vec![vec![0.0; n_features]; n_clusters],
        }
    }

    fn add_block(&mut self, block: &Block, centres: &Centres, labels: &[usize], nearest: &[f64]) {
        for i in 0..block.len() {
            let (k, w) = (labels[i], block.weights()[i]);
            self.labels.push(k);
            // A row of weight 0 is no place for an empty cluster.
            self.distances.push(if w > 0.0 { nearest[i] } else { 0.0 });
            self.cost += w * nearest[i];
            self.counts[k] += w;
            for (j, sum) in self.sums[k].iter_mut().enumerate() {
                *sum += w * (block.feature(j)[i] - centres[k][j]);
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        self.labels.extend(&other.labels);
        self.distances.extend(&other.distances);
        self.cost += other.cost;
        self.counts
            .iter_mut()
            .zip(&other.counts)
            .for_each(|(a, b)| *a += b);
        for (a, b) in self.sums.iter_mut().zip(&other.sums) {
            a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        }
    }
}
