//! Tests of mixtures as distributions through the public interface.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop here"
)]
#![expect(
    clippy::float_cmp,
    reason = "exactness is what many of these tests are about"
)]

mod derive;
mod entropies;
mod extrapolate;
mod forms;
mod frame;
mod kernels;
mod laws;
mod levels;
mod listed;
mod log_responsibilities;
mod messages;
mod moments;
mod naive;
mod neighbours;
mod noise;
mod oracle_exact;
mod prior;
mod products;
mod sampling;
mod shortcuts;
mod side_by_side;
mod single;
mod stored;
mod sum;
mod views;

use gmm_core::faer::Mat;
use gmm_core::{CovarianceType, Covariances, GaussianMixture};
use gmm_testkit::naive::{Form, Mixture};
use gmm_testkit::strategies;
use proptest::prelude::*;

/// The condition number of the covariance matrices in properties: large enough to show a missing factor, small enough that a
/// tolerance with it is still small.
const CONDITION: f64 = 1e3;

/// The form as the product names it.
fn form_of(form: Form) -> CovarianceType {
    form.name().parse().unwrap()
}

/// A mixture of the test kit as ours.
fn mixture_of(m: &Mixture) -> GaussianMixture {
    let (k, d) = (m.n_components(), m.n_features());
    let covariances = Covariances::new(form_of(m.form), k, d, m.blocks()).unwrap();
    GaussianMixture::new(m.weights.clone(), matrix(&m.means), covariances).unwrap()
}

fn matrix(rows: &[Vec<f64>]) -> Mat<f64> {
    gmm_testkit::matrix(rows)
}

fn rows(matrix: &Mat<f64>) -> Vec<Vec<f64>> {
    gmm_testkit::rows(matrix.as_ref())
}

/// The bits of numbers: -0 is not 0 here, and a NaN equals itself.
fn bits<'a>(values: impl IntoIterator<Item = &'a f64>) -> Vec<u64> {
    values.into_iter().map(|v| v.to_bits()).collect()
}

fn bits_of(matrix: &Mat<f64>) -> Vec<u64> {
    bits(rows(matrix).iter().flatten())
}

fn form() -> impl Strategy<Value = Form> {
    prop::sample::select(Form::ALL.to_vec())
}

/// Mixtures of any form with condition numbers up to [`CONDITION`].
fn mixture(
    n_features: std::ops::RangeInclusive<usize>,
    n_components: std::ops::RangeInclusive<usize>,
) -> impl Strategy<Value = Mixture> {
    form().prop_flat_map(move |form| {
        strategies::mixture(form, n_features.clone(), n_components.clone(), CONDITION)
    })
}

/// A mixture and rows for it, some of them near its components.
fn mixture_with_rows(
    n_features: std::ops::RangeInclusive<usize>,
    n_components: std::ops::RangeInclusive<usize>,
    n_samples: std::ops::RangeInclusive<usize>,
) -> impl Strategy<Value = (Mixture, Vec<Vec<f64>>)> {
    (mixture(n_features, n_components), n_samples).prop_flat_map(|(m, n)| {
        let (k, d) = (m.n_components(), m.n_features());
        let row = (prop::collection::vec(-3.0..3.0, d), 0..2 * k);
        (Just(m), prop::collection::vec(row, n)).prop_map(move |(m, rows)| {
            // Half of the rows lie about a mean, the others about the origin.
            let about =
                |at: usize, j: usize| m.means.get(at).map_or(0.0, |mean: &Vec<f64>| mean[j]);
            let x = rows
                .iter()
                .map(|(z, at)| (0..d).map(|j| about(*at, j) + z[j]).collect())
                .collect();
            (m, x)
        })
    })
}

/// By how much a log-joint density may differ between two ways to compute it, given its squared distance and its size.
///
/// A Cholesky factor of D columns is that of a matrix which differs by (D + 1) ε in each entry relative to the diagonal;
/// a triangular solve adds as much. In whitened coordinates κ magnifies that and D entries add up: 2 D (D + 1) κ ε of the squared
/// distance, and the same absolutely for the log-determinant. Two ways to compute it differ by twice that; the sums of the
/// logarithms add 8 ε of their size.
fn joint_tolerance(n_features: usize, condition: f64, squared: f64, log_joint: f64) -> f64 {
    let d = n_features as f64;
    let relative = 4.0 * d * (d + 1.0) * condition * f64::EPSILON;
    relative * (squared + 1.0) + 8.0 * f64::EPSILON * (log_joint.abs() + 2.0 * d)
}

/// What errors δₖ of the log-joint densities of a row make of its responsibilities: rₖ (δₖ + Σⱼ rⱼ δⱼ) to first order, twice
/// that to be safe, and the rounding of an exponential, a sum of K terms and a division.
fn responsibility_tolerances(r: &[f64], deltas: &[f64]) -> Vec<f64> {
    let mean: f64 = r.iter().zip(deltas).map(|(r, delta)| r * delta).sum();
    let rounding = (r.len() as f64 + 8.0) * f64::EPSILON;
    r.iter()
        .zip(deltas)
        // An exponential below exp(-708) is 0 by decree.
        .map(|(r, delta)| r * (2.0 * (delta + mean) + rounding) + 1e-300)
        .collect()
}
