//! Matrices whose shape and orientation vary together, so that Cₖ = Dₖ Aₖ Dₖ' is any matrix of determinant 1: EEE, VEE, EVV, VVV.

use faer::Mat;

use super::axes;
use super::floor::Floor;
use super::maximize::Estimate;
use super::spectrum::Spectrum;
use super::volume::{Volumes, traces};
use super::{CovarianceType, Covariances, Moments, Structure, Variation, symmetric};
use crate::cholesky::Cholesky;
use crate::each::each;
use crate::symmetric::Eigen;

/// As in the search of VEI, errors fall by a factor a round; this many suffice where groups have any resemblance.
const MOST_ROUNDS: usize = 1000;

pub(super) fn free_matrices(
    form: CovarianceType,
    groups: &[Moments],
    floor: Option<&Floor>,
    previous: Option<&Covariances>,
) -> Estimate {
    let d = groups.first().map_or(0, |m| m.mean.len());
    match (form.volume(), form.shape()) {
        (Variation::Variable, Variation::Variable) => each_raised(groups.len(), d, floor, |k| {
            own(&groups[k], groups[k].occupancy)
        }),
        (_, Variation::Variable) => of_equal_volume(form, groups, floor),
        (Variation::Variable, _) => proportional(groups, floor, previous),
        _ => {
            let count = groups.iter().map(|m| m.occupancy).sum::<f64>();
            each_raised(1, d, floor, |_| pooled(groups, |_| 1.0, count))
        }
    }
}

/// Wₖ / n.
fn own(m: &Moments, n: f64) -> Vec<f64> {
    symmetric(m.mean.len(), |i, j| m.entry(i, j) / n)
}

/// Σₖ Wₖ cₖ / n.
fn pooled(groups: &[Moments], factor: impl Fn(usize) -> f64, n: f64) -> Vec<f64> {
    let d = groups.first().map_or(0, |m| m.mean.len());
    let factors: Vec<f64> = (0..groups.len()).map(factor).collect();
    let sum = |i: usize, j: usize| {
        let terms = groups.iter().zip(&factors);
        terms.map(|(m, c)| m.entry(i, j) * c).sum::<f64>()
    };
    symmetric(d, |i, j| sum(i, j) / n)
}

/// Where matrices are free of each other, the constrained maximum is each one's own.
fn each_raised(
    n_blocks: usize,
    n_features: usize,
    floor: Option<&Floor>,
    block: impl Fn(usize) -> Vec<f64> + Sync + Send,
) -> Estimate {
    let raised = |k: usize| {
        let mut block = block(k);
        let n_held = floor.map_or(0, |f| f.raise(Structure::Dense, &mut block));
        (block, n_held)
    };
    let (blocks, n_held) = each(n_blocks, n_features, raised).into_iter().unzip();
    Estimate { blocks, n_held }
}

/// Whether no floor holds any of these.
fn are_above(blocks: &[Vec<f64>], floor: Option<&Floor>) -> bool {
    floor.is_none_or(|f| blocks.iter().all(|b| f.is_above(b)))
}

/// EVV: Σₖ = λ Wₖ / |Wₖ|^(1/D), λ = Σₖ |Wₖ|^(1/D) / N (Celeux and Govaert 1995, §3.2.8).
fn of_equal_volume(form: CovarianceType, groups: &[Moments], floor: Option<&Floor>) -> Estimate {
    let d = groups.first().map_or(0, |m| m.mean.len());
    let total: f64 = groups.iter().map(|m| m.occupancy).sum();
    let volumes: Vec<f64> = groups.iter().map(|m| volume(m, d)).collect();
    let shared = volumes.iter().sum::<f64>() / total;
    let block = |(m, volume): (&Moments, &f64)| {
        // What is singular is left so, for the caller to see.
        let n = if *volume > 0.0 {
            volume / shared
        } else {
            m.occupancy
        };
        own(m, n)
    };
    let blocks: Vec<Vec<f64>> = groups.iter().zip(&volumes).map(block).collect();
    let n_held = vec![0; blocks.len()];
    match floor {
        Some(floor) if !are_above(&blocks, Some(floor)) => above_floor(form, groups, floor),
        _ => Estimate { blocks, n_held },
    }
}

/// |W|^(1/D); 0 for a singular scatter.
fn volume(m: &Moments, d: usize) -> f64 {
    Cholesky::new(d, &symmetric(d, |i, j| m.entry(i, j))).map_or(0.0, |c| {
        let half = c.log_mantissa + f64::from(c.exponent) * std::f64::consts::LN_2;
        (2.0 * half / d as f64).exp()
    })
}

/// The same under a floor, in units in which the floor is the identity: axes are those of the scatters, and the variances along
/// them those of equal volume.
fn above_floor(form: CovarianceType, groups: &[Moments], floor: &Floor) -> Estimate {
    let d = floor.variances.len();
    let scaled = |m: &Moments| {
        let w = Mat::from_fn(d, d, |i, j| floor.scaled(m.entry(i.max(j), i.min(j)), i, j));
        let mut eigen = Eigen::or_diagonal(w.as_ref());
        eigen.values.iter_mut().for_each(|v| *v = v.max(0.0));
        eigen
    };
    let principal: Vec<Eigen> = groups.iter().map(scaled).collect();
    let ones = vec![1.0; d];
    let spectrum = Spectrum {
        counts: groups.iter().map(|m| m.occupancy).collect(),
        scatters: principal.iter().map(|e| e.values.clone()).collect(),
        floor: Some(&ones),
    };
    let variances = spectrum.variances(form, None);
    let block = |(e, v): (&Eigen, &Vec<f64>)| unscaled(floor, axes::matrix(&e.vectors, v));
    Estimate {
        blocks: principal.iter().zip(&variances).map(block).collect(),
        n_held: spectrum.n_held(&variances),
    }
}

/// A block in units in which the floor is the identity, back in those of the form.
fn unscaled(floor: &Floor, mut block: Vec<f64>) -> Vec<f64> {
    let d = floor.variances.len();
    for (at, entry) in block.iter_mut().enumerate() {
        *entry = floor.unscaled(*entry, at / d, at % d);
    }
    block
}

/// VEE: Σₖ = λₖ C. In turns C = Σₖ Wₖ/λₖ / N, raised to the floor, and the volumes, each the maximum given the other.
fn proportional(
    groups: &[Moments],
    floor: Option<&Floor>,
    previous: Option<&Covariances>,
) -> Estimate {
    let free = Search::new(groups, None, previous).run();
    if are_above(&free.blocks, floor) {
        return free;
    }
    Search::new(groups, floor, previous).run()
}

/// The state of VEE's search.
struct Search<'a> {
    groups: &'a [Moments],
    floor: Option<&'a Floor>,
    volumes: Volumes,
    matrix: Vec<f64>,
    /// Eigenvalues of the matrix in units in which the floor is the identity; none without a floor.
    spectrum: Vec<f64>,
}

impl<'a> Search<'a> {
    fn new(
        groups: &'a [Moments],
        floor: Option<&'a Floor>,
        previous: Option<&Covariances>,
    ) -> Self {
        let d = groups.first().map_or(0, |m| m.mean.len());
        let counts: Vec<f64> = groups.iter().map(|m| m.occupancy).collect();
        Self {
            groups,
            floor,
            volumes: Volumes::new(&counts, traces(groups), d, previous, floor.is_some()),
            matrix: Vec::new(),
            spectrum: Vec::new(),
        }
    }

    fn run(mut self) -> Estimate {
        let total: f64 = self.groups.iter().map(|m| m.occupancy).sum();
        for _ in 0..MOST_ROUNDS {
            let lambda = &self.volumes.lambda;
            self.matrix = pooled(self.groups, |k| lambda[k].recip(), total);
            // What is singular is left so, for the caller to see.
            let Some(inverse) = self.raise_and_invert() else {
                break;
            };
            let trace = |m: &Moments| trace_of_product(m, &inverse);
            let traces: Vec<f64> = self.groups.iter().map(trace).collect();
            let room = self.spectrum.iter().copied().fold(f64::INFINITY, f64::min);
            let round = self.volumes.update(&traces, room);
            let shrunk = self.matrix.iter_mut().chain(&mut self.spectrum);
            shrunk.for_each(|c| *c /= round.shrink);
            if round.is_last {
                break;
            }
        }
        // The floor is met where the smallest volume meets a direction that stands at it, to the rounding of a division.
        let held = self
            .spectrum
            .iter()
            .filter(|v| **v <= 1.0 + 4.0 * f64::EPSILON)
            .count();
        let lambda = self.volumes.lambda.iter();
        Estimate {
            n_held: (lambda.clone())
                .map(|l| if *l <= 1.0 { held } else { 0 })
                .collect(),
            blocks: lambda
                .map(|l| self.matrix.iter().map(|c| l * c).collect())
                .collect(),
        }
    }

    /// C⁻¹, after C was raised to the floor; nothing for a singular matrix.
    fn raise_and_invert(&mut self) -> Option<Vec<f64>> {
        let d = self.groups.first().map_or(0, |m| m.mean.len());
        let Some(floor) = self.floor else {
            let precision = Cholesky::new(d, &self.matrix).ok()?.precision();
            return Some(symmetric(d, |i, j| precision[(i, j)]));
        };
        let scaled = Mat::from_fn(d, d, |i, j| floor.scaled(self.matrix[i * d + j], i, j));
        let Eigen {
            mut values,
            vectors,
        } = Eigen::or_diagonal(scaled.as_ref());
        values.iter_mut().for_each(|v| *v = v.max(1.0));
        self.matrix = unscaled(floor, axes::matrix(&vectors, &values));
        let reciprocal: Vec<f64> = values.iter().map(|v| v.recip()).collect();
        let mut inverse = axes::matrix(&vectors, &reciprocal);
        for (at, entry) in inverse.iter_mut().enumerate() {
            *entry = floor.scaled(*entry, at / d, at % d);
        }
        self.spectrum = values;
        Some(inverse)
    }
}

/// tr(W P) of a packed scatter and a symmetric matrix.
fn trace_of_product(m: &Moments, matrix: &[f64]) -> f64 {
    let d = m.mean.len();
    (0..d)
        .map(|i| {
            let row = &m.scatter[i * (i + 1) / 2..][..=i];
            let sum: f64 = row.iter().zip(&matrix[i * d..]).map(|(w, p)| w * p).sum();
            2.0 * sum - row[i] * matrix[i * d + i]
        })
        .sum()
}
