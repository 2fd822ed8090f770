//! Seeded data sets: mixtures whose truth is known, and the shapes that break fits.
//!
//! The same seed yields the same bits. Mixtures lie on fixed means, so that how far components are apart is a property of
//! the generator and not of the seed.

use faer::Mat;
use rand::{RngExt as _, SeedableRng as _};
use rand_distr::{Distribution as _, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::naive::{Form, Mixture, cholesky};

/// A data set and what is known about it.
#[derive(Clone, Debug)]
pub struct Data {
    /// n_samples x n_features.
    pub x: Mat<f64>,
    /// The component that each row was drawn from; empty if the data were not drawn from a mixture.
    pub labels: Vec<usize>,
    /// The mixture that the rows were drawn from.
    pub truth: Option<Mixture>,
}

impl Data {
    /// The data as rows.
    pub fn rows(&self) -> Vec<Vec<f64>> {
        crate::rows(self.x.as_ref())
    }

    /// scale x + offset in every cell, and the same mixture moved with it.
    #[must_use]
    pub fn moved(&self, scale: f64, offset: f64) -> Self {
        let mut truth = self.truth.clone();
        if let Some(truth) = &mut truth {
            for value in truth.means.iter_mut().flatten() {
                *value = scale * *value + offset;
            }
            for value in truth.covariances.iter_mut().flatten().flatten() {
                *value *= scale * scale;
            }
        }
        Self {
            x: self.map(|value| scale * value + offset),
            labels: self.labels.clone(),
            truth,
        }
    }

    /// Every value rounded to a multiple of `step`: many ties and equal rows. There is no true mixture any more.
    #[must_use]
    pub fn rounded(&self, step: f64) -> Self {
        Self {
            x: self.map(|value| (value / step).round() * step),
            labels: self.labels.clone(),
            truth: None,
        }
    }

    /// The data and, after them, rows that are uniform in a box 1.4 times as long as theirs in every direction, labelled with the number of
    /// components. There is no true mixture any more.
    ///
    /// # Panics
    /// If the data were not drawn from a mixture.
    #[must_use]
    pub fn contaminated(&self, n_noise: usize, seed: u64) -> Self {
        let (n, d) = (self.x.nrows(), self.x.ncols());
        let noise = (self.truth.as_ref())
            .map(Mixture::n_components)
            .expect("the data were drawn from a mixture");
        let end = |j: usize, pick: fn(f64, f64) -> f64| {
            let values = (0..n).map(|i| self.x[(i, j)]);
            values.reduce(pick).unwrap_or(0.0)
        };
        let ends: Vec<[f64; 2]> = (0..d)
            .map(|j| [end(j, f64::min), end(j, f64::max)])
            .collect();
        let mut rng = generator(seed);
        let rows: Vec<f64> = (0..n_noise * d)
            .map(|e| {
                let [low, high] = ends[e % d];
                low + (high - low) * (1.4 * rng.random::<f64>() - 0.2)
            })
            .collect();
        let labels = self.labels.iter().copied();
        Self {
            x: Mat::from_fn(n + n_noise, d, |i, j| {
                if i < n {
                    self.x[(i, j)]
                } else {
                    rows[(i - n) * d + j]
                }
            }),
            labels: labels.chain((0..n_noise).map(|_| noise)).collect(),
            truth: None,
        }
    }

    fn map(&self, f: impl Fn(f64) -> f64) -> Mat<f64> {
        Mat::from_fn(self.x.nrows(), self.x.ncols(), |i, j| f(self.x[(i, j)]))
    }
}

/// The generator of a seed, for tests that need random numbers of their own.
pub fn generator(seed: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed)
}

/// Rows drawn from a mixture: a label by the weights, then μ + L z with z standard normal and Σ = L L'.
///
/// # Panics
/// If a covariance matrix is not positive definite.
pub fn draw(mixture: &Mixture, n_samples: usize, seed: u64) -> Data {
    let mut rng = generator(seed);
    let factors: Vec<Vec<Vec<f64>>> = mixture
        .covariances
        .iter()
        .map(|c| cholesky(c).expect("the covariance matrix must be positive definite"))
        .collect();
    let d = mixture.n_features();
    let mut labels = Vec::with_capacity(n_samples);
    let mut x = Mat::zeros(n_samples, d);
    for i in 0..n_samples {
        let k = pick(&mixture.weights, rng.random::<f64>());
        let z: Vec<f64> = (0..d).map(|_| StandardNormal.sample(&mut rng)).collect();
        for j in 0..d {
            let step: f64 = factors[k][j].iter().zip(&z).map(|(l, z)| l * z).sum();
            x[(i, j)] = mixture.means[k][j] + step;
        }
        labels.push(k);
    }
    Data {
        x,
        labels,
        truth: Some(mixture.clone()),
    }
}

/// The first component at which the running sum of the weights passes a uniform number.
fn pick(weights: &[f64], uniform: f64) -> usize {
    let mut rest = uniform * weights.iter().sum::<f64>();
    for (k, weight) in weights.iter().enumerate() {
        rest -= weight;
        if rest < 0.0 {
            return k;
        }
    }
    weights.len() - 1
}

/// Components of equal weight whose means are at least 10 standard deviations apart: every method should find them.
pub fn separated(seed: u64, n_samples: usize, n_features: usize, n_components: usize) -> Data {
    let weights = vec![1.0 / n_components as f64; n_components];
    draw(&spread(&weights, n_features, 10.0), n_samples, seed)
}

/// Components of equal weight whose means are about 2 standard deviations apart: labels are uncertain, EM is slow.
pub fn overlapping(seed: u64, n_samples: usize, n_features: usize, n_components: usize) -> Data {
    let weights = vec![1.0 / n_components as f64; n_components];
    draw(&spread(&weights, n_features, 2.0), n_samples, seed)
}

/// Separated components of which each weighs `ratio` times the one before: with 0.1 the fourth has a thousandth of the rows.
pub fn unbalanced(
    seed: u64,
    n_samples: usize,
    n_features: usize,
    n_components: usize,
    ratio: f64,
) -> Data {
    let weights: Vec<f64> = (0..n_components)
        .scan(1.0, |weight, _| {
            let own = *weight;
            *weight *= ratio;
            Some(own)
        })
        .collect();
    let total: f64 = weights.iter().sum();
    let weights: Vec<f64> = weights.iter().map(|weight| weight / total).collect();
    draw(&spread(&weights, n_features, 10.0), n_samples, seed)
}

/// Parallel cigars in the plane: standard deviation `aspect` along (3, 4)/5, 1 across it, centres 6 apart across.
///
/// k-means cuts them across once the aspect is large, and no axis-parallel form fits them.
pub fn cigars(seed: u64, n_samples: usize, n_components: usize, aspect: f64) -> Data {
    let (along, across) = ([0.6, 0.8], [-0.8, 0.6]);
    let entry = |i: usize, j: usize| aspect * aspect * along[i] * along[j] + across[i] * across[j];
    let covariance: Vec<Vec<f64>> = (0..2)
        .map(|i| (0..2).map(|j| entry(i, j)).collect())
        .collect();
    let mixture = Mixture {
        form: Form::Tied,
        weights: vec![1.0 / n_components as f64; n_components],
        means: (0..n_components)
            .map(|k| across.iter().map(|a| 6.0 * k as f64 * a).collect())
            .collect(),
        covariances: vec![covariance; n_components],
    };
    draw(&mixture, n_samples, seed)
}

/// Rows of which only `n_distinct` differ: sample i is sample i modulo that.
///
/// # Panics
/// If `n_distinct` is 0.
pub fn duplicated(
    seed: u64,
    n_samples: usize,
    n_features: usize,
    n_components: usize,
    n_distinct: usize,
) -> Data {
    assert!(n_distinct > 0, "there must be a row to repeat");
    let distinct = overlapping(seed, n_distinct, n_features, n_components);
    Data {
        x: Mat::from_fn(n_samples, n_features, |i, j| {
            distinct.x[(i % n_distinct, j)]
        }),
        labels: (0..n_samples)
            .map(|i| distinct.labels[i % n_distinct])
            .collect(),
        truth: None,
    }
}

/// Separated components whose last column is twice the first, exactly: every covariance matrix is singular.
///
/// # Panics
/// If there are fewer than two features.
pub fn collinear(seed: u64, n_samples: usize, n_features: usize, n_components: usize) -> Data {
    assert!(n_features >= 2, "one column is not collinear with another");
    let free = separated(seed, n_samples, n_features - 1, n_components);
    Data {
        x: Mat::from_fn(n_samples, n_features, |i, j| {
            if j + 1 < n_features {
                free.x[(i, j)]
            } else {
                2.0 * free.x[(i, 0)]
            }
        }),
        labels: free.labels,
        truth: None,
    }
}

/// All points of {0, ..., side - 1}^D in lexical order: every distance is tied with others.
pub fn integer_grid(side: usize, n_features: usize) -> Data {
    let power = |j: usize| (j + 1..n_features).fold(1, |product, _| product * side);
    let n_samples = (0..n_features).fold(1, |product, _| product * side);
    Data {
        x: Mat::from_fn(n_samples, n_features, |i, j| (i / power(j) % side) as f64),
        labels: Vec::new(),
        truth: None,
    }
}

/// A mixture whose means are `distance` apart on a line or, in the coordinates after the first, further.
///
/// Covariances differ by component and are correlated: Σ = A A' with A the identity but for small entries below the
/// diagonal, so that standard deviations stay near 1.
fn spread(weights: &[f64], n_features: usize, distance: f64) -> Mixture {
    let d = n_features;
    let mean = |k: usize| -> Vec<f64> {
        // The first coordinate alone keeps the distance; the others lend the means a general position.
        (0..d)
            .map(|j| {
                if j == 0 {
                    distance * k as f64
                } else {
                    distance * 0.5 * ((k * (j + 1)) % 3) as f64
                }
            })
            .collect()
    };
    let covariance = |k: usize| -> Vec<Vec<f64>> {
        let lower = |i: usize, j: usize| match i.cmp(&j) {
            std::cmp::Ordering::Less => 0.0,
            std::cmp::Ordering::Equal => 1.0,
            std::cmp::Ordering::Greater => 0.5 * (((i + 2 * j + k) % 3) as f64 - 1.0) / d as f64,
        };
        let entry = |i: usize, j: usize| (0..d).map(|m| lower(i, m) * lower(j, m)).sum();
        (0..d)
            .map(|i| (0..d).map(|j| entry(i, j)).collect())
            .collect()
    };
    Mixture {
        form: Form::Full,
        weights: weights.to_vec(),
        means: (0..weights.len()).map(mean).collect(),
        covariances: (0..weights.len()).map(covariance).collect(),
    }
}
