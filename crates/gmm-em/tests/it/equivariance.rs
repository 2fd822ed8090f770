//! Units, axes and order are the observer's, not the data's: the whole path of a fit follows when they change.

use gmm_core::covariance::{Structure, Variation};
use gmm_core::faer::Mat;
use gmm_core::{CovarianceType, Samples};
use gmm_em::{Em, Fit, Regularization, Start, Stopping};
use gmm_testkit::{data, strategies};
use proptest::prelude::*;

use crate::laws::slack;

const N: usize = 120;
const D: usize = 3;
const K: usize = 3;
const N_ITERATIONS: usize = 8;

fn form() -> impl Strategy<Value = CovarianceType> {
    prop::sample::select(CovarianceType::ALL.to_vec())
}

/// Forms that a rotation keeps: all but those whose axes are the coordinates.
fn form_without_coordinates() -> impl Strategy<Value = CovarianceType> {
    let is_free = |form: &CovarianceType| {
        form.structure() == Structure::Isotropic || form.orientation() != Variation::Identity
    };
    let free: Vec<_> = CovarianceType::ALL.into_iter().filter(is_free).collect();
    assert_eq!(free.len(), 10);
    prop::sample::select(free)
}

/// Maximum likelihood for so many iterations from labels; a floor per feature would be one of the observer's.
fn fit(form: CovarianceType, x: &Mat<f64>, labels: &[usize]) -> Fit {
    Em::new(K)
        .covariance(form)
        .regularization(Regularization::None)
        .stopping(Stopping::MeanChange(0.0))
        .max_iterations(N_ITERATIONS)
        .fit_from(Samples::from(x), Start::Labels(labels))
        .unwrap()
}

/// Labels that are right for two rows in three.
fn rough(labels: &[usize]) -> Vec<usize> {
    let wrong = |(i, l): (usize, &usize)| if i % 3 == 0 { i / 3 % K } else { *l };
    labels.iter().enumerate().map(wrong).collect()
}

/// The worst difference between the log-likelihoods of two paths, the second less `shift`.
fn worst(a: &Fit, b: &Fit, shift: f64) -> f64 {
    assert_eq!(a.report().trace.len(), b.report().trace.len());
    let pairs = a.report().trace.iter().zip(&b.report().trace);
    pairs
        .map(|(l, m)| (l - (m - shift)).abs())
        .fold(0.0, f64::max)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_unit_moves_the_whole_path(exponents in prop::collection::vec(-150.0f64..150.0, D), form in form(), seed in 0u64..1000) {
        let set = data::overlapping(seed, N, D, K);
        let unit = |j: usize| 10f64.powf(exponents[if form.is_scale_free() { j } else { 0 }]);
        let scaled = Mat::from_fn(N, D, |i, j| set.x[(i, j)] * unit(j));
        let labels = rough(&set.labels);
        let (a, b) = (fit(form, &set.x, &labels), fit(form, &scaled, &labels));
        // logL(aX) = logL(X) - n Σ ln aⱼ.
        let shift = -(N as f64) * (0..D).map(|j| unit(j).ln()).sum::<f64>();
        let off = worst(&a, &b, shift);
        // Rounding of the cells is one more rounding in every term; the constant is up to 1e5 nats and rounded at its own size.
        let bound = slack(&a, D) + 16.0 * f64::EPSILON * shift.abs();
        prop_assert!(off <= bound, "off by {off:e}, bound {bound:e}");
    }

    #[test]
    fn an_order_of_features_has_no_meaning(order in strategies::permutation(D), form in form(), seed in 0u64..1000) {
        let set = data::overlapping(seed, N, D, K);
        let permuted = Mat::from_fn(N, D, |i, j| set.x[(i, order[j])]);
        let labels = rough(&set.labels);
        let (a, b) = (fit(form, &set.x, &labels), fit(form, &permuted, &labels));
        // The same sums in another order.
        let (off, bound) = (worst(&a, &b, 0.0), slack(&a, D));
        prop_assert!(off <= bound, "off by {off:e}, bound {bound:e}");
    }

    #[test]
    fn a_rotation_turns_the_whole_path(angles in prop::collection::vec(-3.2f64..3.2, 3), form in form_without_coordinates(), seed in 0u64..1000) {
        let set = data::overlapping(seed, N, D, K);
        let q = rotation(&angles);
        let turned = &set.x * q.transpose();
        let labels = rough(&set.labels);
        let (a, b) = (fit(form, &set.x, &labels), fit(form, &turned, &labels));
        // A cell of the turned table is rounded D times at the size of its row.
        let (off, bound) = (worst(&a, &b, 0.0), slack(&a, D));
        prop_assert!(off <= bound, "off by {off:e}, bound {bound:e}");
    }
}

/// Turns in the planes (0, 1), (1, 2) and (0, 2), one after the other.
fn rotation(angles: &[f64]) -> Mat<f64> {
    let mut q = Mat::identity(D, D);
    for (angle, (a, b)) in angles.iter().zip([(0, 1), (1, 2), (0, 2)]) {
        let (sin, cos) = angle.sin_cos();
        let mut plane = Mat::identity(D, D);
        plane[(a, a)] = cos;
        plane[(b, b)] = cos;
        plane[(a, b)] = -sin;
        plane[(b, a)] = sin;
        q = plane * q;
    }
    q
}
