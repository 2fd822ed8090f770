//! Principal axes that all components share (EVE, VVE): common principal components (Flury 1984).
//!
//! Of orthogonal Q the search minimizes F(Q) = min over the variances v of Σₖ Σⱼ (Nₖ ln vₖⱼ + bₖⱼⱼ / vₖⱼ), with Bₖ = Q' Wₖ Q, so that each
//! component keeps the weight 1/λₖ of its own volume. Turning axes a and b by a small angle θ changes F at the rate
//! 2 Σₖ bₖₐᵦ (1/vₖₐ - 1/vₖᵦ): variances at their minimum don't change it.
//!
//! Without axes to start from, sweeps of plane rotations, each the best for the variances at hand, find the region (Flury and Gautschi
//! 1986). Sweeps then close in on the minimum by a factor each, and slowly where matrices are far from having common axes
//! (D = 64: hundreds of sweeps), so the rest are steps of a quasi-Newton method (L-BFGS, Nocedal 1980) in the angles.

use std::collections::VecDeque;

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};
use rayon::prelude::*;

use super::axes::{dense, matrix};
use super::floor::Floor;
use super::maximize::Estimate;
use super::spectrum::Spectrum;
use super::{CovarianceType, Covariances, Moments, symmetric};
use crate::cholesky::Cholesky;
use crate::symmetric::Eigen;

/// Angles at which the search ends. (At 1e-8, F is within 1e-16 of its minimum per row; but then parts of the data would add up to
/// other parameters than the whole in the ninth digit. At 1e-13 a step of EVE took 2.3 times one of full covariances at 32 features, now 2.0.)
const STILL: f64 = 1e-11;
/// Where sweeps hand over.
const NEAR: f64 = 0.05;
const MOST_SWEEPS: usize = 20;
const MOST_STEPS: usize = 200;
/// Pairs of steps and changes of slope that shape the next step.
const MEMORY: usize = 8;
/// The least curvature per row that is believed, that of variances which differ by a thousandth: less is rounding soon.
const FLAT: f64 = 1e-6;
/// The largest angle of one step: beyond, slopes say little.
const LONGEST: f64 = 0.5;

pub(super) fn along_common_axes(
    form: CovarianceType,
    groups: &[Moments],
    floor: Option<&Floor>,
    previous: Option<&Covariances>,
) -> Estimate {
    let problem = Problem {
        form,
        counts: groups.iter().map(|m| m.occupancy).collect(),
        scatters: groups.iter().map(dense).collect(),
        floor: floor.map(|f| &f.variances[..]),
    };
    let start = match previous {
        Some(previous) => problem.at(axes_of(previous)),
        None => problem.sweep(problem.at(problem.pooled_axes())),
    };
    let end = problem.descend(start);
    Estimate {
        n_held: problem.spectrum(&end.rotated).n_held(&end.variances),
        blocks: end.variances.iter().map(|v| matrix(&end.axes, v)).collect(),
    }
}

/// The axes that matrices share: those of a sum with factors that have no simple ratio, since equal variances along two axes must not
/// come about in the sum by chance.
fn axes_of(previous: &Covariances) -> Mat<f64> {
    let (n, d) = (previous.n_components(), previous.n_features());
    let factor = |k: usize| {
        let golden = (k as f64 * 0.618_033_988_749_894_9).fract();
        (1.0 + golden) / previous.variances(k).iter().sum::<f64>()
    };
    let factors: Vec<f64> = (0..n).map(factor).collect();
    let sum = Mat::from_fn(d, d, |i, j| {
        (0..n)
            .map(|k| factors[k] * previous.block(k)[i * d + j])
            .sum::<f64>()
    });
    Eigen::or_diagonal(sum.as_ref()).vectors
}

struct Problem<'a> {
    form: CovarianceType,
    counts: Vec<f64>,
    scatters: Vec<Mat<f64>>,
    floor: Option<&'a [f64]>,
}

/// Axes and what belongs to them.
struct Point {
    axes: Mat<f64>,
    /// Bₖ.
    rotated: Vec<Mat<f64>>,
    variances: Vec<Vec<f64>>,
    objective: f64,
}

/// A point with the slope of F in each angle, and its curvature with the variances held.
struct Sloped {
    point: Point,
    slope: Vec<f64>,
    curvature: Vec<f64>,
}

impl Sloped {
    /// What a step by the curvatures alone would gain, twice.
    fn steepness(&self) -> f64 {
        let terms = self.slope.iter().zip(&self.curvature);
        terms.map(|(s, c)| s * s / c).sum()
    }
}

impl Problem<'_> {
    fn n_axes(&self) -> usize {
        self.scatters.first().map_or(0, Mat::nrows)
    }

    fn pooled_axes(&self) -> Mat<f64> {
        let d = self.n_axes();
        let sum = Mat::from_fn(d, d, |i, j| {
            self.scatters.iter().map(|w| w[(i, j)]).sum::<f64>()
        });
        Eigen::or_diagonal(sum.as_ref()).vectors
    }

    fn spectrum(&self, rotated: &[Mat<f64>]) -> Spectrum<'_> {
        let d = self.n_axes();
        // Rounding may leave sums of squares below 0.
        let diagonal = |b: &Mat<f64>| (0..d).map(|j| b[(j, j)].max(0.0)).collect();
        Spectrum {
            counts: self.counts.clone(),
            scatters: rotated.iter().map(diagonal).collect(),
            floor: self.floor,
        }
    }

    fn at(&self, axes: Mat<f64>) -> Point {
        let rotate = |w: &Mat<f64>| product(&transposed(&axes), &product(w, &axes));
        let rotated: Vec<Mat<f64>> = self.scatters.par_iter().map(rotate).collect();
        self.point(axes, rotated)
    }

    fn point(&self, axes: Mat<f64>, rotated: Vec<Mat<f64>>) -> Point {
        let spectrum = self.spectrum(&rotated);
        let variances = spectrum.variances(self.form, None);
        let objective = spectrum.objective(&variances);
        Point {
            axes,
            rotated,
            variances,
            objective,
        }
    }

    /// Sweeps over all pairs of axes until no rotation is large.
    fn sweep(&self, mut point: Point) -> Point {
        let d = self.n_axes();
        for _ in 0..MOST_SWEEPS {
            let mut largest = 0.0f64;
            for a in 1..d {
                for b in 0..a {
                    let (sine, cosine) = best_rotation(&point, a, b);
                    rotate_columns(&mut point.axes, a, b, sine, cosine);
                    for matrix in &mut point.rotated {
                        rotate_columns(matrix, a, b, sine, cosine);
                        rotate_rows(matrix, a, b, sine, cosine);
                    }
                    largest = largest.max(sine.abs());
                }
            }
            point = self.at(point.axes);
            if largest < NEAR {
                break;
            }
        }
        point
    }

    /// Quasi-Newton steps until angles are nothing. Each is lower than the last; where the differences are rounding, its slope is less.
    fn descend(&self, start: Point) -> Point {
        if self.n_axes() < 2 {
            return start;
        }
        let mut here = self.with_slope(start);
        let mut memory: VecDeque<(Vec<f64>, Vec<f64>)> = VecDeque::new();
        for _ in 0..MOST_STEPS {
            let mut step = quasi_newton(&here, &memory);
            if dot(&step, &here.slope) >= 0.0 {
                memory.clear();
                step = quasi_newton(&here, &memory);
            }
            let largest = step.iter().fold(0.0f64, |l, s| l.max(s.abs()));
            if !(largest > STILL && largest.is_finite()) {
                break;
            }
            match self.search_line(&here, &step, largest) {
                Some((next, step)) => {
                    let slopes = next.slope.iter().zip(&here.slope);
                    let change: Vec<f64> = slopes.map(|(n, s)| n - s).collect();
                    if dot(&change, &step) > 0.0 {
                        memory.push_back((step, change));
                    }
                    if memory.len() > MEMORY {
                        memory.pop_front();
                    }
                    here = next;
                }
                None if memory.is_empty() => break,
                None => memory.clear(),
            }
        }
        here.point
    }

    /// The point at the end of a step, or of a part of it; none if all are higher.
    fn search_line(&self, here: &Sloped, step: &[f64], largest: f64) -> Option<(Sloped, Vec<f64>)> {
        let rate = dot(step, &here.slope);
        let objective = here.point.objective;
        let n_terms = self.counts.iter().sum::<f64>() * self.n_axes() as f64;
        // Logarithms and quotients of some digits each, added up; only what is clearly above is a gain or a loss.
        let noise = 64.0 * f64::EPSILON * (objective.abs() + n_terms);
        let mut length = (LONGEST / largest).min(1.0);
        loop {
            let scaled: Vec<f64> = step.iter().map(|s| length * s).collect();
            let trial = self.at(turned(&here.point.axes, &scaled));
            let change = trial.objective - objective;
            // Armijo's rule, as long as it can be seen.
            let is_lower = change <= 1e-4 * length * rate;
            if is_lower || change.abs() <= noise {
                let trial = self.with_slope(trial);
                if is_lower && change < -noise || trial.steepness() <= 0.9 * here.steepness() {
                    return Some((trial, scaled));
                }
            }
            length *= 0.25;
            if length * largest < STILL || -length * rate < noise {
                return None;
            }
        }
    }

    fn with_slope(&self, point: Point) -> Sloped {
        let (slope, curvature) = self.slope(&point);
        Sloped {
            point,
            slope,
            curvature,
        }
    }

    /// Of each pair of axes (b < a, packed), the slope of F in the angle, and its curvature with the variances held.
    fn slope(&self, point: &Point) -> (Vec<f64>, Vec<f64>) {
        let d = self.n_axes();
        let total: f64 = self.counts.iter().sum();
        let mut slope = vec![0.0; d * (d - 1) / 2];
        let mut curvature = slope.clone();
        for (matrix, variances) in point.rotated.iter().zip(&point.variances) {
            let reciprocal: Vec<f64> = variances.iter().map(|v| v.recip()).collect();
            let mut at = 0;
            for a in 1..d {
                for b in 0..a {
                    let difference = reciprocal[a] - reciprocal[b];
                    slope[at] += 2.0 * matrix[(b, a)] * difference;
                    curvature[at] += 2.0 * (matrix[(b, b)] - matrix[(a, a)]) * difference;
                    at += 1;
                }
            }
        }
        // Axes along which all variances are equal may lie anywhere.
        curvature.iter_mut().for_each(|c| *c = c.max(FLAT * total));
        (slope, curvature)
    }
}

/// The rotation of axes a and b that is best for the variances at hand: the sum over k of bₐₐ/vₐ + bᵦᵦ/vᵦ is a cosine of twice the
/// angle.
fn best_rotation(point: &Point, a: usize, b: usize) -> (f64, f64) {
    let (mut p, mut q) = (0.0, 0.0);
    for (matrix, v) in point.rotated.iter().zip(&point.variances) {
        let weight = v[a].recip() - v[b].recip();
        p += weight * (matrix[(a, a)] - matrix[(b, b)]) / 2.0;
        q += weight * matrix[(a, b)];
    }
    if p == 0.0 && q == 0.0 || !p.is_finite() || !q.is_finite() {
        return (0.0, 1.0);
    }
    (0.5 * f64::atan2(-q, -p)).sin_cos()
}

/// Columns a and b become cos a + sin b and cos b - sin a.
fn rotate_columns(matrix: &mut Mat<f64>, a: usize, b: usize, sine: f64, cosine: f64) {
    for i in 0..matrix.nrows() {
        let (x, y) = (matrix[(i, a)], matrix[(i, b)]);
        matrix[(i, a)] = cosine * x + sine * y;
        matrix[(i, b)] = cosine * y - sine * x;
    }
}

fn rotate_rows(matrix: &mut Mat<f64>, a: usize, b: usize, sine: f64, cosine: f64) {
    for i in 0..matrix.ncols() {
        let (x, y) = (matrix[(a, i)], matrix[(b, i)]);
        matrix[(a, i)] = cosine * x + sine * y;
        matrix[(b, i)] = cosine * y - sine * x;
    }
}

/// Axes turned by small angles, one per pair: Q (I - S/2)⁻¹ (I + S/2), S antisymmetric, which is orthogonal for any S (Cayley). It is
/// Q (I + S/2)² (I + S'S/4)⁻¹, and the last factor has a Cholesky factor.
fn turned(axes: &Mat<f64>, angles: &[f64]) -> Mat<f64> {
    let d = axes.nrows();
    // Column a of Q S is θ b: axis a moves towards axis b.
    let skew = |i: usize, j: usize| {
        let packed = |a: usize, b: usize| angles[a * (a - 1) / 2 + b];
        match i.cmp(&j) {
            std::cmp::Ordering::Less => packed(j, i),
            std::cmp::Ordering::Greater => -packed(i, j),
            std::cmp::Ordering::Equal => 0.0,
        }
    };
    let plus = Mat::from_fn(d, d, |i, j| f64::from(u8::from(i == j)) + 0.5 * skew(i, j));
    let square = product(&transposed(&plus), &plus);
    let square = symmetric(d, |i, j| square[(i, j)]);
    let Ok(factor) = Cholesky::new(d, &square) else {
        // Not so for finite angles.
        return axes.clone();
    };
    product(axes, &product(&product(&plus, &plus), &factor.precision()))
}

/// -H⁻¹ slope with H⁻¹ from the curvatures and the steps before (two-loop recursion, Nocedal 1980).
fn quasi_newton(here: &Sloped, memory: &VecDeque<(Vec<f64>, Vec<f64>)>) -> Vec<f64> {
    let mut q = here.slope.clone();
    let mut shares = Vec::with_capacity(memory.len());
    for (step, change) in memory.iter().rev() {
        let share = dot(step, &q) / dot(step, change);
        add(&mut q, -share, change);
        shares.push(share);
    }
    let mut step: Vec<f64> = q.iter().zip(&here.curvature).map(|(q, c)| q / c).collect();
    for ((s, change), share) in memory.iter().zip(shares.into_iter().rev()) {
        let correction = dot(change, &step) / dot(s, change);
        add(&mut step, share - correction, s);
    }
    step.iter_mut().for_each(|s| *s = -*s);
    step
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(to: &mut [f64], factor: f64, what: &[f64]) {
    to.iter_mut().zip(what).for_each(|(t, w)| *t += factor * w);
}

fn transposed(matrix: &Mat<f64>) -> Mat<f64> {
    Mat::from_fn(matrix.ncols(), matrix.nrows(), |i, j| matrix[(j, i)])
}

fn product(a: &Mat<f64>, b: &Mat<f64>) -> Mat<f64> {
    let mut c = Mat::zeros(a.nrows(), b.ncols());
    matmul(
        c.as_mut(),
        Accum::Replace,
        a.as_ref(),
        b.as_ref(),
        1.0,
        Par::Seq,
    );
    c
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::covariance::Structure;

    /// An orthogonal matrix with no axis near a coordinate.
    fn axes(d: usize) -> Mat<f64> {
        let angles: Vec<f64> = (0..d * (d - 1) / 2)
            .map(|at| 0.3 + 0.1 * at as f64)
            .collect();
        turned(&Mat::identity(d, d), &angles)
    }

    fn largest_off_diagonal(matrix: &Mat<f64>) -> f64 {
        let d = matrix.nrows();
        let pairs = (0..d).flat_map(|i| (0..i).map(move |j| (i, j)));
        pairs.fold(0.0, |largest, (i, j)| matrix[(i, j)].abs().max(largest))
    }

    /// Q'AQ, of a rotation Q of two axes.
    #[test]
    fn rotations_turn_rows_as_columns() {
        let (d, a, b) = (4, 3, 1);
        let (sine, cosine) = 0.7f64.sin_cos();
        let mut q = Mat::<f64>::identity(d, d);
        rotate_columns(&mut q, a, b, sine, cosine);
        let round = product(&transposed(&q), &q);
        assert!(
            (0..d)
                .all(|i| (0..d)
                    .all(|j| (round[(i, j)] - f64::from(u8::from(i == j))).abs() <= 1e-15))
        );
        assert!(q[(b, a)] > 0.0, "axis a moves towards axis b");
        let matrix = Mat::from_fn(d, d, |i, j| (1 + i * j) as f64 + (i + j) as f64);
        let mut found = matrix.clone();
        rotate_columns(&mut found, a, b, sine, cosine);
        rotate_rows(&mut found, a, b, sine, cosine);
        let expected = product(&transposed(&q), &product(&matrix, &q));
        assert!((0..d).all(|i| (0..d).all(|j| (found[(i, j)] - expected[(i, j)]).abs() <= 1e-13)));
    }

    /// Matrices whose sum is round keep their axes: a sum of equal parts would have none.
    #[test]
    fn axes_are_those_of_the_matrices_before() {
        let q = axes(2);
        let blocks = vec![matrix(&q, &[1.0, 3.0]), matrix(&q, &[3.0, 1.0])];
        let before = Covariances::new(CovarianceType::Vve, 2, 2, blocks).unwrap();
        let found = axes_of(&before);
        for k in 0..2 {
            let rotated = product(&transposed(&found), &product(&before.component(k), &found));
            assert!(largest_off_diagonal(&rotated) <= 1e-14, "{rotated:?}");
        }
    }

    /// Sweeps over matrices that have common axes find them from anywhere, to the square of the angle at which they hand over.
    #[test]
    fn sweeps_find_common_axes() {
        for d in [2, 3, 6] {
            let q = axes(d);
            let variances = |k: usize| -> Vec<f64> {
                (0..d)
                    .map(|j| 1.0 + ((3 * k + 2 * j) % (d + 2)) as f64)
                    .collect()
            };
            let group = |k: usize| {
                let block = matrix(&q, &variances(k));
                let mut moments = Moments::zeros(Structure::Dense, d);
                moments.occupancy = 1.0 + k as f64;
                let lower = (0..d).flat_map(|i| (0..=i).map(move |j| i * d + j));
                for (s, at) in moments.scatter.iter_mut().zip(lower) {
                    *s = moments.occupancy * block[at];
                }
                moments
            };
            let groups: Vec<Moments> = (0..3).map(group).collect();
            let problem = Problem {
                form: CovarianceType::Vve,
                counts: groups.iter().map(|m| m.occupancy).collect(),
                scatters: groups.iter().map(dense).collect(),
                floor: None,
            };
            let end = problem.sweep(problem.at(Mat::identity(d, d)));
            for (rotated, m) in end.rotated.iter().zip(&groups) {
                let size = m.occupancy * (d + 2) as f64;
                assert!(
                    largest_off_diagonal(rotated) <= NEAR * NEAR * size,
                    "{d}: {rotated:?}"
                );
            }
        }
    }
}
