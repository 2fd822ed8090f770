//! What splitting one component would gain, the others held still.
//!
//! A mixture of two is fitted to the rows of the component, weighted with their responsibilities. By how much its objective is
//! above that of the component itself is a lower bound on the gain in the objective of the whole mixture, but for the rows left
//! out and for covariances that components share (it is a gain in the free energy of Neal and Hinton 1998).

use gmm_core::block::Block;
use gmm_core::covariance::Regularizer;
use gmm_core::faer::Mat;
use gmm_core::symmetric::Eigen;
use gmm_core::{CovarianceType, GaussianMixture};
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::{Patience, Search, parts};
use crate::Error;
use crate::kmeans::uniform;
use crate::pass::assignment;
use crate::sketch::Sketch;

/// Random pairs of rows: the more, the likelier is one of two different groups. Six without pursuit took as long and left a mean
/// gap of 0.0173 nats per row where three with it left 0.0153 (360 fits of 8 to 21 components).
const N_PAIRS: usize = 3;
/// Steps of the pursuit; ten find no more than four.
const N_STEPS: usize = 4;
/// EM iterations of every cut, and of the best one.
const FIRST: Patience = Patience {
    n_iterations: 3,
    gain: 0.0,
};
const LAST: Patience = Patience {
    n_iterations: 9,
    gain: 1e-5,
};
/// A test is repeated when a component's weight, standard deviations or mean (in standard deviations) have moved by this much.
const MOVED: f64 = 0.05;

/// The two parts of a component.
pub(super) struct Split {
    /// Gain in nats.
    pub(super) gain: f64,
    /// Whether a part has hardly more rows than it takes for a covariance of its own, so that it may shrink onto them.
    pub(super) is_thin: bool,
    pub(super) weights: [f64; 2],
    pub(super) means: [Vec<f64>; 2],
    pub(super) blocks: [Vec<f64>; 2],
}

/// The outcome of a test and the component that it belongs to.
pub(super) struct Tested {
    /// `None` where no cut leads to two components.
    pub(super) split: Option<Split>,
    weight: f64,
    mean: Vec<f64>,
    variances: Vec<f64>,
}

impl Tested {
    /// Whether a component is nearly the one that was tested.
    pub(super) fn is_valid_for(&self, model: &GaussianMixture, component: usize) -> bool {
        let variances = model.covariances().variances(component);
        let near = |a: f64, b: f64| (a - b).abs() <= MOVED * b.abs();
        near(model.weights()[component], self.weight)
            && (0..self.mean.len()).all(|j| {
                let sd = self.variances[j].sqrt();
                near(variances[j].sqrt(), sd)
                    && (model.means()[(component, j)] - self.mean[j]).abs() <= MOVED * sd
            })
    }
}

/// Tests the split of component q.
pub(super) fn test(
    search: &Search<'_>,
    model: &GaussianMixture,
    q: usize,
    responsibilities: &Mat<f64>,
    seed: u64,
) -> Result<Tested, Error> {
    let r: Vec<f64> = (0..responsibilities.nrows())
        .map(|i| responsibilities[(i, q)])
        .collect();
    Ok(Tested {
        split: best_split(search, model, q, &search.sketch.part(&r), seed)?,
        weight: model.weights()[q],
        mean: (0..model.n_features())
            .map(|j| model.means()[(q, j)])
            .collect(),
        variances: model.covariances().variances(q),
    })
}

fn best_split(
    search: &Search<'_>,
    model: &GaussianMixture,
    q: usize,
    part: &Sketch,
    seed: u64,
) -> Result<Option<Split>, Error> {
    let Ok(whole) = model.select(&[q]).and_then(|q| q.without_noise()) else {
        return Ok(None);
    };
    // Noise may have taken all rows.
    if part.n_rows() < 2 {
        return Ok(None);
    }
    let before = search.objective(&whole, &part.samples())?;
    Ok(best_of_cuts(search, part, before, seed))
}

/// The best split of rows whose objective under one component is `before`.
fn best_of_cuts(search: &Search<'_>, part: &Sketch, before: f64, seed: u64) -> Option<Split> {
    let cuts = cuts(search, part, seed)?;
    let fitted = |labels: &Vec<usize>| {
        let halves = search.assigned(&part.samples(), labels, 2)?;
        search.iterate(halves, &part.samples(), FIRST, f64::NEG_INFINITY)
    };
    let (best, _) = (cuts.iter())
        .filter_map(fitted)
        .reduce(|a, b| if b.1 > a.1 { b } else { a })?;
    let (pair, objective) = search.iterate(best, &part.samples(), LAST, f64::NEG_INFINITY)?;
    let (weights, means, blocks) = parts(&pair);
    let n_rows: f64 = (0..part.n_rows()).map(|i| part.weight(i)).sum();
    Some(Split {
        is_thin: n_rows * weights[0].min(weights[1]) < search.rows_per_part(),
        gain: objective - before,
        weights,
        means,
        blocks,
    })
}

/// Ways to cut the rows in two, as labels: across the longest axis, across the axis of the lightest tails, between random pairs
/// of rows, and across the directions to which [`Whitened::pursue`] leads from there.
fn cuts(search: &Search<'_>, part: &Sketch, seed: u64) -> Option<Vec<Vec<usize>>> {
    let rows = Whitened::new(search, part)?;
    let mut cuts = vec![
        rows.cut(&rows.axis(rows.n_features - 1), 0.0),
        rows.cut(&rows.axis(rows.flattest()), 0.0),
    ];
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    for _ in 0..N_PAIRS {
        let [a, b] = std::array::from_fn(|_| rows.draw(&mut rng));
        let normal: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
        let middle: Vec<f64> = a.iter().zip(b).map(|(a, b)| 0.5 * (a + b)).collect();
        cuts.push(rows.cut(&normal, dot(&normal, &middle)));
        cuts.push(rows.cut(&rows.pursue(normal), 0.0));
    }
    Some(cuts)
}

/// The rows of a component in coordinates in which they have mean 0 and covariance 1: along the principal axes, the shortest
/// first, each divided by its standard deviation. An axis without spread holds zeros.
struct Whitened<'a> {
    part: &'a Sketch,
    total_weight: f64,
    n_features: usize,
    /// Row by row.
    values: Vec<f64>,
}

impl<'a> Whitened<'a> {
    fn new(search: &Search<'_>, part: &'a Sketch) -> Option<Self> {
        let all = |_: &Block, r: &mut [f64]| r.fill(1.0);
        let full = CovarianceType::Full;
        let statistics = assignment(&part.samples(), &search.identity, full, 1, &all).ok()?;
        let estimate = statistics.maximize_with(&Regularizer::None, None).ok()?;
        let eigen = Eigen::new(estimate.covariances.component(0).as_ref())?;
        let d = eigen.values.len();
        let mut values = vec![0.0; part.n_rows() * d];
        for (i, row) in values.chunks_exact_mut(d).enumerate() {
            for (e, value) in row.iter_mut().enumerate() {
                if eigen.values[e] > 0.0 {
                    let along: f64 = (0..d)
                        .map(|j| {
                            eigen.vectors[(j, e)] * (part.value(i, j) - estimate.means[(0, j)])
                        })
                        .sum();
                    *value = along / eigen.values[e].sqrt();
                }
            }
        }
        Some(Self {
            part,
            total_weight: statistics.total_weight(),
            n_features: d,
            values,
        })
    }

    fn rows(&self) -> impl Iterator<Item = (&[f64], f64)> {
        let rows = self.values.chunks_exact(self.n_features).enumerate();
        rows.map(|(i, row)| (row, self.part.weight(i)))
    }

    fn axis(&self, e: usize) -> Vec<f64> {
        (0..self.n_features)
            .map(|j| f64::from(u8::from(j == e)))
            .collect()
    }

    /// On which side of a plane each row lies.
    fn cut(&self, normal: &[f64], offset: f64) -> Vec<usize> {
        self.rows()
            .map(|(row, _)| usize::from(dot(row, normal) > offset))
            .collect()
    }

    /// A row, with probability proportional to its weight.
    fn draw(&self, rng: &mut Xoshiro256PlusPlus) -> &[f64] {
        let mut rest = uniform(rng) * self.total_weight;
        let mut chosen = &self.values[..self.n_features];
        for (row, weight) in self.rows() {
            chosen = row;
            rest -= weight;
            if rest < 0.0 {
                break;
            }
        }
        chosen
    }

    /// The axis of the smallest fourth moment: 1 for two points, 1.8 for a box, 3 for a Gaussian.
    fn flattest(&self) -> usize {
        let mut fourth = vec![0.0; self.n_features];
        for (row, weight) in self.rows() {
            for (sum, value) in fourth.iter_mut().zip(row) {
                *sum += weight * value.powi(4);
            }
        }
        // An axis without spread is no axis.
        (0..fourth.len())
            .filter(|&e| fourth[e] > 0.0)
            .reduce(|best, e| if fourth[e] < fourth[best] { e } else { best })
            .unwrap_or(0)
    }

    /// A direction near a given one in which the projections are least like a Gaussian's: groups side by side have light tails,
    /// a small group far out has a heavy one (Peña and Prieto 2001). The steps are those of FastICA (Hyvärinen 1999) for the
    /// fourth moment: u becomes E\[z (u'z)³\] - 3 u.
    fn pursue(&self, mut direction: Vec<f64>) -> Vec<f64> {
        for _ in 0..N_STEPS {
            let length = dot(&direction, &direction).sqrt();
            if length <= 0.0 {
                break;
            }
            direction.iter_mut().for_each(|u| *u /= length);
            let mut next: Vec<f64> = direction.iter().map(|u| -3.0 * u).collect();
            for (row, weight) in self.rows() {
                let cubed = weight / self.total_weight * dot(row, &direction).powi(3);
                for (next, z) in next.iter_mut().zip(row) {
                    *next += cubed * z;
                }
            }
            direction = next;
        }
        direction
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gmm_core::{CovarianceType, Covariances};

    /// A test holds for components that moved by less than a twentieth: of their weight, of their standard deviations, and in them.
    #[test]
    fn a_test_holds_for_a_component_that_hardly_moved() {
        let model = |weight: f64, means: [f64; 2], sds: [f64; 2]| {
            let block = sds.map(|sd| sd * sd).to_vec();
            let covariances = Covariances::new(CovarianceType::Diag, 2, 2, vec![block; 2]).unwrap();
            let means = Mat::from_fn(2, 2, |k, j| means[j] + 50.0 * (1 - k) as f64);
            GaussianMixture::new(vec![1.0 - weight, weight], means, covariances).unwrap()
        };
        let (weight, means, sds) = (0.4, [3.0, -1.0], [2.0, 0.1]);
        let tested = Tested {
            split: None,
            weight,
            mean: means.to_vec(),
            variances: sds.map(|sd| sd * sd).to_vec(),
        };
        for (part, holds) in [
            (0.0, true),
            (0.049, true),
            (-0.049, true),
            (0.051, false),
            (-0.051, false),
        ] {
            let factor = 1.0 + part;
            assert_eq!(
                tested.is_valid_for(&model(weight * factor, means, sds), 1),
                holds
            );
            for j in 0..2 {
                let mut moved = means;
                moved[j] += part * sds[j];
                assert_eq!(
                    tested.is_valid_for(&model(weight, moved, sds), 1),
                    holds,
                    "{part} {j}"
                );
                let mut wider = sds;
                wider[j] *= factor;
                assert_eq!(
                    tested.is_valid_for(&model(weight, means, wider), 1),
                    holds,
                    "{part} {j}"
                );
            }
        }
        assert!(!tested.is_valid_for(&model(weight, means, sds), 0));
    }

    /// A part of fewer rows than twice those that make a covariance regular is thin: here 6.
    #[test]
    fn parts_of_few_rows_are_thin() {
        for (n_far, is_thin) in [(3, true), (40, false)] {
            let n = 60 + n_far;
            let drawn = gmm_testkit::data::overlapping(1, n, 2, 1);
            let x = Mat::from_fn(n, 2, |i, j| {
                drawn.x[(i, j)] + if i < n_far { 60.0 } else { 0.0 }
            });
            let samples = gmm_core::Samples::from(&x);
            let form = CovarianceType::Full;
            let summary = crate::summary::Summary::new(&samples, form).unwrap();
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(2);
            let sketch = Sketch::draw(&samples, &summary, form, n, &mut rng);
            let search = Search::new(&sketch, form, None);
            let one = search.assigned(&sketch.samples(), &vec![0; n], 1).unwrap();
            let split = best_split(&search, &one, 0, &sketch, 3);
            let split = split.unwrap().unwrap();
            let expected = n_far as f64 / n as f64;
            assert!((split.weights[0].min(split.weights[1]) - expected).abs() <= 1e-6);
            assert!(split.gain > 0.0);
            assert_eq!(split.is_thin, is_thin, "{n_far}");
        }
    }
}
