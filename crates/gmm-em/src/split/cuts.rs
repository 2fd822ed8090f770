//! Planes that cut the rows of a component in two.

use gmm_core::Aligned;
use gmm_core::CovarianceType;
use gmm_core::block::{BLOCK_ROWS, Block};
use gmm_core::covariance::Regularizer;
use gmm_core::kernels::{LinearMap, cross_sums, diagonal_sums};
use gmm_core::symmetric::Eigen;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::blocks::KeptBlocks;
use crate::kmeans::uniform;
use crate::pass::assignment;

/// Random pairs of rows: the more, the likelier is one of two different groups. Six without pursuit took as long and left a mean
/// gap of 0.0173 nats per row where three with it left 0.0153 (360 fits of 8 to 21 components).
const N_PAIRS: usize = 3;
/// Steps of the pursuit; ten find no more than four.
const N_STEPS: usize = 4;

/// The rows of a component in coordinates in which they have mean 0 and covariance 1: along the principal axes, the shortest
/// first, each divided by its standard deviation. An axis without spread holds zeros.
pub(super) struct Whitened<'a> {
    rows: &'a KeptBlocks,
    n_features: usize,
    /// Those of each block, n_features x [`BLOCK_ROWS`].
    blocks: Vec<Aligned<f64>>,
}

/// The rows beyond a plane and those before it, in whitened coordinates.
pub(super) struct Cut {
    normal: LinearMap,
    /// Minus the normal's product with a row of the plane.
    constant: f64,
}

impl<'a> Whitened<'a> {
    /// `None` where the rows leave no covariance.
    pub(super) fn new(rows: &'a KeptBlocks) -> Option<Self> {
        let all = |_: &Block, r: &mut [f64]| r.fill(1.0);
        let statistics = assignment(rows, CovarianceType::Full, 1, &all).ok()?;
        let estimate = statistics.maximize_with(&Regularizer::None, None).ok()?;
        let Eigen { values, vectors } = Eigen::new(estimate.covariances.component(0).as_ref())?;
        let d = values.len();
        let axes = LinearMap::new(d, d, |e, j| {
            if values[e] > 0.0 {
                vectors[(j, e)] / values[e].sqrt()
            } else {
                0.0
            }
        });
        let (zeros, mut centred) = (vec![0.0; d], Aligned::zeros(d * BLOCK_ROWS));
        let whiten = |block: &Block| {
            let lanes = centred.chunks_exact_mut(BLOCK_ROWS).enumerate();
            for (j, centred) in lanes {
                let mean = estimate.means[(0, j)];
                let values = centred.iter_mut().zip(block.feature(j));
                values.for_each(|(c, x)| *c = x - mean);
            }
            let mut z = Aligned::zeros(d * BLOCK_ROWS);
            axes.apply(&zeros, &centred, &mut z);
            // What doesn't count may lie so far out that its powers overflow, and 0 · ∞ is not a number.
            if block.is_weighted() {
                for lanes in z.chunks_exact_mut(BLOCK_ROWS) {
                    let lanes = lanes.iter_mut().zip(block.weights());
                    lanes
                        .filter(|(_, w)| **w <= 0.0)
                        .for_each(|(z, _)| *z = 0.0);
                }
            }
            z
        };
        Some(Self {
            rows,
            n_features: d,
            blocks: rows.iter().map(whiten).collect(),
        })
    }

    /// Ways to cut the rows in two: across the longest axis, across the axis of the lightest tails, between random pairs of rows, and
    /// across the directions to which [`Whitened::pursue`] leads from there.
    pub(super) fn cuts(&self, seed: u64) -> Vec<Cut> {
        let axis = |e: usize| -> Vec<f64> {
            let unit = |j: usize| f64::from(u8::from(j == e));
            (0..self.n_features).map(unit).collect()
        };
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let pairs: [[Vec<f64>; 2]; N_PAIRS] =
            std::array::from_fn(|_| std::array::from_fn(|_| self.draw(&mut rng)));
        let normal = |[a, b]: &[Vec<f64>; 2]| a.iter().zip(b).map(|(a, b)| a - b).collect();
        let normals: Vec<Vec<f64>> = pairs.iter().map(normal).collect();
        let mut cuts = vec![
            Cut::new(&axis(self.n_features - 1), 0.0),
            Cut::new(&axis(self.flattest()), 0.0),
        ];
        let pursued = self.pursue(normals.clone());
        for (([a, b], normal), pursued) in pairs.iter().zip(&normals).zip(&pursued) {
            let middle: Vec<f64> = a.iter().zip(b).map(|(a, b)| 0.5 * (a + b)).collect();
            cuts.push(Cut::new(normal, -dot(normal, &middle)));
            cuts.push(Cut::new(pursued, 0.0));
        }
        cuts
    }

    /// Responsibilities of two components: what lies before the plane, and what lies beyond.
    pub(super) fn assign(&self, cut: &Cut) -> impl Fn(&Block, &mut [f64]) + Sync {
        |block, r| {
            let z = &self.blocks[block.rows().start / BLOCK_ROWS];
            let (before, beyond) = r.split_at_mut(BLOCK_ROWS);
            cut.normal.apply(&[cut.constant], z, beyond);
            for (before, beyond) in before.iter_mut().zip(beyond) {
                *beyond = f64::from(u8::from(*beyond > 0.0));
                *before = 1.0 - *beyond;
            }
        }
    }

    /// A row, with probability proportional to its weight.
    fn draw(&self, rng: &mut Xoshiro256PlusPlus) -> Vec<f64> {
        let mut rest = uniform(rng) * self.rows.total_weight();
        let mut chosen = (0, 0);
        'rows: for (number, block) in self.rows.iter().enumerate() {
            for (lane, weight) in block.weights()[..block.len()].iter().enumerate() {
                chosen = (number, lane);
                rest -= weight;
                if rest < 0.0 {
                    break 'rows;
                }
            }
        }
        let (number, lane) = chosen;
        let values = self.blocks[number].iter().skip(lane).step_by(BLOCK_ROWS);
        values.copied().collect()
    }

    /// The axis of the smallest fourth moment: 1 for two points, 1.8 for a box, 3 for a Gaussian.
    fn flattest(&self) -> usize {
        let d = self.n_features;
        let (zeros, mut squares) = (vec![0.0; d], Aligned::zeros(d * BLOCK_ROWS));
        let [mut fourth, mut sums, mut part] = [zeros.clone(), zeros.clone(), zeros.clone()];
        for (block, z) in self.rows.iter().zip(&self.blocks) {
            let values = squares.iter_mut().zip(&**z);
            values.for_each(|(square, z)| *square = z * z);
            diagonal_sums(&squares, block.weights(), &zeros, &mut sums, &mut part);
            fourth.iter_mut().zip(&part).for_each(|(f, p)| *f += p);
        }
        // An axis without spread is no axis.
        (0..d)
            .filter(|&e| fourth[e] > 0.0)
            .reduce(|best, e| if fourth[e] < fourth[best] { e } else { best })
            .unwrap_or(0)
    }

    /// For each of some directions one near it in which the projections are least like a Gaussian's: groups side by side have light
    /// tails, a small group far out has a heavy one (Peña and Prieto 2001). The steps are those of FastICA (Hyvärinen 1999) for the
    /// fourth moment: u becomes E\[z (u'z)³\] - 3 u. A direction of no length stays what it is.
    fn pursue(&self, directions: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
        (0..N_STEPS).fold(directions, |directions, _| self.step(directions))
    }

    /// A step of the pursuit.
    fn step(&self, mut directions: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
        let (n, d) = (directions.len(), self.n_features);
        for direction in &mut directions {
            let length = dot(direction, direction).sqrt();
            if length > 0.0 {
                direction.iter_mut().for_each(|u| *u /= length);
            }
        }
        let map = LinearMap::new(n, d, |k, j| directions[k][j]);
        let (zeros, mut totals, mut moments) = (vec![0.0; n], vec![0.0; n], vec![0.0; n * d]);
        let mut projections = Aligned::zeros(n * BLOCK_ROWS);
        for (block, z) in self.rows.iter().zip(&self.blocks) {
            map.apply(&zeros, z, &mut projections);
            for lanes in projections.chunks_exact_mut(BLOCK_ROWS) {
                let weighted = lanes.iter_mut().zip(block.weights());
                weighted.for_each(|(p, w)| *p = w * p.powi(3));
            }
            cross_sums(&projections, z, &mut totals, &mut moments);
        }
        for (direction, moment) in directions.iter_mut().zip(moments.chunks_exact(d)) {
            for (u, m) in direction.iter_mut().zip(moment) {
                *u = m / self.rows.total_weight() - 3.0 * *u;
            }
        }
        directions
    }
}

impl Cut {
    fn new(normal: &[f64], constant: f64) -> Self {
        Self {
            normal: LinearMap::new(1, normal.len(), |_, j| normal[j]),
            constant,
        }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gmm_core::Samples;
    use gmm_core::faer::Mat;
    use gmm_testkit::data;

    /// Rows of three blocks with their weights, some of them 0, and the last feature without spread.
    fn table() -> (Mat<f64>, Vec<f64>) {
        let n = 2 * BLOCK_ROWS + 44;
        let drawn = data::overlapping(4, n, 3, 2).x;
        let x = Mat::from_fn(n, 4, |i, j| if j < 3 { 70.0 + drawn[(i, j)] } else { 5.0 });
        (x, (0..n).map(|i| [1.0, 0.25, 0.0, 0.5][i % 4]).collect())
    }

    /// The whitened rows one by one, with their weights.
    fn rows(whitened: &Whitened<'_>) -> Vec<(Vec<f64>, f64)> {
        let blocks = whitened.rows.iter().zip(&whitened.blocks);
        let of_block = |(block, z): (&Block, &Aligned<f64>)| -> Vec<(Vec<f64>, f64)> {
            let row = |i: usize| z.iter().skip(i).step_by(BLOCK_ROWS).copied().collect();
            (0..block.len())
                .map(|i| (row(i), block.weights()[i]))
                .collect()
        };
        blocks.flat_map(of_block).collect()
    }

    fn mean(rows: &[(Vec<f64>, f64)], value: impl Fn(&[f64]) -> f64) -> f64 {
        let total: f64 = rows.iter().map(|(_, w)| w).sum();
        rows.iter().map(|(z, w)| w * value(z)).sum::<f64>() / total
    }

    #[test]
    fn whitened_rows_have_mean_zero_and_covariance_one() {
        let (x, weights) = table();
        let kept = KeptBlocks::as_they_are(&Samples::from(&x).with_weights(&weights)).unwrap();
        let rows = rows(&Whitened::new(&kept).unwrap());
        // The spread of the three features that have one.
        let cell = |i: usize, j: usize| x[(i, j)];
        let total: f64 = weights.iter().sum();
        let of_table = |value: &dyn Fn(usize) -> f64| {
            weights
                .iter()
                .enumerate()
                .map(|(i, w)| w * value(i))
                .sum::<f64>()
                / total
        };
        let means: Vec<f64> = (0..3).map(|j| of_table(&|i| cell(i, j))).collect();
        let covariance = Mat::from_fn(3, 3, |a, b| {
            of_table(&|i| (cell(i, a) - means[a]) * (cell(i, b) - means[b]))
        });
        let Eigen { values, .. } = Eigen::new(covariance.as_ref()).unwrap();
        let [shortest, longest] = [values[0], values[2]].map(f64::sqrt);
        // Sums of n terms; means that are rounded at their size, and axes that are off by ε of the longest, both in units of the shortest.
        let n = weights.len() as f64;
        let units = n + 80.0 / shortest + 4.0 * (longest / shortest).powi(2);
        let tolerance = 4.0 * units * f64::EPSILON;
        for a in 0..4 {
            assert!(mean(&rows, |z| z[a]).abs() <= tolerance);
            for b in 0..4 {
                // The first axis, the shortest, has no spread.
                let expected = f64::from(u8::from(a == b && a > 0));
                assert!((mean(&rows, |z| z[a] * z[b]) - expected).abs() <= tolerance);
            }
        }
    }

    /// A step of the pursuit and the fourth moments, written as their formulas.
    #[test]
    fn directions_are_those_of_the_formula() {
        let (x, weights) = table();
        let kept = KeptBlocks::as_they_are(&Samples::from(&x).with_weights(&weights)).unwrap();
        let whitened = Whitened::new(&kept).unwrap();
        let rows = rows(&whitened);
        let given = [
            vec![0.3, 1.0, -2.0, 0.5],
            vec![0.0; 4],
            vec![0.0, 1.0, 1.0, 1.0],
        ];
        let found = whitened.step(given.to_vec());
        // On either side: a projection of d terms three times, its cube and the products; a sum of n terms and its mean; the direction's
        // own roundings, three times and once more.
        let (n, d) = (rows.len() as f64, 4.0);
        let units = 2.0 * (n + 3.0 * (2.0 * d + 4.0) + 8.0) * f64::EPSILON;
        for (given, found) in given.iter().zip(&found) {
            let length = dot(given, given).sqrt();
            let unit = |u: &f64| if length > 0.0 { u / length } else { 0.0 };
            let u: Vec<f64> = given.iter().map(unit).collect();
            let sizes: Vec<f64> = u.iter().map(|u| u.abs()).collect();
            let size = |z: &[f64]| z.iter().zip(&sizes).map(|(z, u)| z.abs() * u).sum::<f64>();
            for j in 0..4 {
                let expected = mean(&rows, |z| z[j] * dot(z, &u).powi(3)) - 3.0 * u[j];
                let largest = mean(&rows, |z| z[j].abs() * size(z).powi(3)) + 3.0 * sizes[j];
                let difference = (found[j] - expected).abs();
                assert!(
                    difference <= units * largest,
                    "{j}: {difference} of {largest}"
                );
            }
        }
        let fourth = |e: usize| mean(&rows, |z| z[e].powi(4));
        let flattest = (1..4).min_by(|a, b| fourth(*a).total_cmp(&fourth(*b)));
        assert_eq!(Some(whitened.flattest()), flattest);
    }

    #[test]
    fn a_cut_gives_each_row_to_its_side() {
        let (x, weights) = table();
        let kept = KeptBlocks::as_they_are(&Samples::from(&x).with_weights(&weights)).unwrap();
        let whitened = Whitened::new(&kept).unwrap();
        let (normal, constant) = ([0.2, 1.0, -0.7, 0.4], 0.1);
        let cut = Cut::new(&normal, constant);
        let assign = whitened.assign(&cut);
        let mut sides = Vec::new();
        for block in kept.iter() {
            let mut r = vec![f64::NAN; 2 * BLOCK_ROWS];
            assign(block, &mut r);
            let (before, beyond) = r.split_at(BLOCK_ROWS);
            assert!(
                before
                    .iter()
                    .zip(beyond)
                    .all(|(a, b)| (a + b - 1.0).abs() <= 0.0 && a * b <= 0.0)
            );
            sides.extend(beyond[..block.len()].iter().map(|r| *r > 0.5));
        }
        let expected = rows(&whitened);
        assert!(sides.contains(&true) && sides.contains(&false));
        for ((z, _), is_beyond) in expected.iter().zip(sides) {
            assert_eq!(dot(z, &normal) + constant > 0.0, is_beyond);
        }
    }

    /// Rows of weight 0 never, others as often as they weigh.
    #[test]
    fn rows_are_drawn_by_weight() {
        let x = Mat::from_fn(5, 1, |i, _| (i + 1) as f64);
        let weights = [1.0, 0.0, 2.0, 1.0, 0.0];
        let kept = KeptBlocks::as_they_are(&Samples::from(&x).with_weights(&weights)).unwrap();
        let whitened = Whitened::new(&kept).unwrap();
        let rows = rows(&whitened);
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let mut counts = [0; 5];
        for _ in 0..4000 {
            let drawn = whitened.draw(&mut rng);
            let row = rows.iter().position(|(z, _)| *z == drawn).unwrap();
            counts[row] += 1;
        }
        for (count, weight) in counts.iter().zip(weights) {
            // Five standard deviations of a binomial law of 4000 draws, at most sqrt(1000).
            assert!(
                (f64::from(*count) - 1000.0 * weight).abs() <= 158.0,
                "{counts:?}"
            );
        }
        assert_eq!([counts[1], counts[4]], [0, 0]);
    }
}
