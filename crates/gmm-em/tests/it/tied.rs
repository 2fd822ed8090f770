//! Tied fits take the scatter of the data once: they agree with the general pass, which statistics gathered apart from a fit always
//! take.

use gmm_core::faer::Mat;
use gmm_core::{CovarianceType, Covariances, GaussianMixture, Samples};
use gmm_em::{Em, Fit, Precision, Regularization, Start, Stopping, SufficientStatistics};
use gmm_testkit::same_for_any_number_of_threads;
use proptest::prelude::*;

use crate::compact::largest_difference;

/// Groups whose centres are drawn in by a factor, weights, and a mixture near the one they were drawn from.
fn groups(seed: u64, shape: [usize; 3], apart: f64) -> (Mat<f64>, Vec<f64>, GaussianMixture) {
    crate::groups(seed, shape, apart, CovarianceType::Tied, |_| {})
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_step_agrees_with_the_general_one(
        seed in 0u64..1000,
        d in 1usize..=9,
        k in 1usize..=7,
        apart in prop::sample::select(vec![0.05, 0.2, 0.4, 1.0, 30.0]),
    ) {
        let (x, weights, start) = groups(seed, [700, d, k], apart);
        let x = Samples::from(&x).with_weights(&weights);
        let fit = Em::new(k)
            .covariance(CovarianceType::Tied)
            .regularization(Regularization::None)
            .max_iterations(1)
            .fit_from(x, Start::Mixture(&start))
            .unwrap();
        let mut statistics = SufficientStatistics::zeros(&start);
        statistics.observe(&start, x).unwrap();
        let general = statistics.maximize(Regularization::None).unwrap();
        // Sums of 700 rows in another order, and six bits that the difference of two scatters may cost: 700 · 64 ε at the very most.
        let difference = largest_difference(fit.model(), &general);
        prop_assert!(difference <= 1e-11, "{d} {k} {apart}: {difference:e}");
        let (first, expected) = (fit.report().trace[0], statistics.log_likelihood());
        prop_assert!((first - expected).abs() <= 1e-12 * expected.abs(), "{first} {expected}");
    }
}

/// One step from a start in both precisions, and how far apart they are.
fn steps(x: Samples<'_>, start: &GaussianMixture) -> ([Fit; 2], f64) {
    let fits = [Precision::Double, Precision::Mixed].map(|precision| {
        Em::new(start.n_components())
            .covariance(CovarianceType::Tied)
            .regularization(Regularization::None)
            .precision(precision)
            .max_iterations(1)
            .fit_from(x, Start::Mixture(start))
            .unwrap()
    });
    let difference = largest_difference(fits[1].model(), fits[0].model());
    (fits, difference)
}

/// A step is one of single precision where all means are near that of the rows, and one of double precision where one isn't.
#[test]
fn a_step_in_single_precision_is_near_the_one_in_double_precision() {
    for (apart, is_single) in [(0.05, true), (0.2, true), (0.45, false)] {
        let (x, weights, start) = groups(7, [700, 5, 4], apart);
        // Weights of any size, as long as those of a block are not much smaller than the largest of it.
        for unit in [1.0, 1e-200, 3e200] {
            let weights: Vec<f64> = weights.iter().map(|w| unit * w).collect();
            let (fits, difference) = steps(Samples::from(&x).with_weights(&weights), &start);
            // Log-densities are off by some 2e-6 where the farthest mean is six standard deviations away, and so are responsibilities.
            assert!(difference <= 1e-5, "{apart} {unit}: {difference:e}");
            assert_eq!(difference > 0.0, is_single, "{apart}: {difference:e}");
            let [double, mixed] = fits.map(|fit| fit.report().trace[0]);
            assert!((mixed - double).abs() <= 1e-6 * double.abs());
        }
    }
}

/// Rows around the origin, and one in so many around a place that far from it along the first feature; and the mixture of both.
fn two_groups(form: CovarianceType, one_in: usize, far: f64) -> (Mat<f64>, GaussianMixture) {
    let x = Mat::from_fn(1200, 3, |i, j| {
        let place = if j == 0 && i % one_in == 0 { far } else { 0.0 };
        place + ((i * 37 + j * 53) % 101) as f64 / 30.0 - 1.7
    });
    let blocks = vec![Mat::identity(3, 3); form.n_blocks(2)];
    let covariances = match form {
        CovarianceType::Tied => Covariances::tied(blocks[0].as_ref(), 2),
        _ => Covariances::full(&blocks),
    };
    let means = Mat::from_fn(2, 3, |k, j| if j == 0 { k as f64 * far } else { 0.0 });
    let light = 1.0 / one_in as f64;
    let weights = vec![1.0 - light, light];
    (
        x,
        GaussianMixture::new(weights, means, covariances.unwrap()).unwrap(),
    )
}

/// A light component far out would be rounded at its distance, however small the spread that it makes.
#[test]
fn a_light_component_far_out_is_computed_in_double_precision() {
    for (one_in, far, is_single) in [(3, 5.0, true), (400, 20.0, false)] {
        let (x, start) = two_groups(CovarianceType::Tied, one_in, far);
        let difference = steps((&x).into(), &start).1;
        assert_eq!(difference > 0.0, is_single, "{far}: {difference:e}");
    }
}

/// Rows of a weight that no number of single precision holds beside the others: the component that they make is not lost.
#[test]
fn a_component_of_light_rows_is_kept() {
    for form in [CovarianceType::Tied, CovarianceType::Full] {
        let (x, start) = two_groups(form, 4, 20.0);
        let weights: Vec<f64> = (0..1200)
            .map(|i| if i % 4 == 0 { 1e-50 } else { 1.0 })
            .collect();
        let x = Samples::from(&x).with_weights(&weights);
        let [double, mixed] = [Precision::Double, Precision::Mixed].map(|precision| {
            let em = Em::new(2)
                .covariance(form)
                .precision(precision)
                .max_iterations(1);
            em.fit_from(x, Start::Mixture(&start)).unwrap()
        });
        assert_eq!(mixed.model().n_components(), double.model().n_components());
        assert_eq!(mixed.report().events, double.report().events);
        assert!(largest_difference(mixed.model(), double.model()) <= 1e-12);
    }
}

#[test]
fn the_likelihood_never_falls_and_threads_change_no_bit() {
    for apart in [0.05, 0.3, 1.0] {
        // Four leaves of the reduction tree, and a ragged end.
        let (x, weights, start) = groups(3, [13_001, 5, 4], apart);
        let x = Samples::from(&x).with_weights(&weights);
        let em = Em::new(4)
            .covariance(CovarianceType::Tied)
            .stopping(Stopping::RemainingGain(0.0))
            .max_iterations(30);
        // Debug builds assert in each iteration that the likelihood does not fall.
        let fit =
            same_for_any_number_of_threads(|| em.fit_from(x, Start::Mixture(&start)).unwrap());
        assert!(fit.report().trace.len() > 3);
    }
}

/// Groups that turn out much narrower than the mixture before: the difference of the scatters would keep two digits of them.
#[test]
fn narrow_groups_keep_their_digits() {
    // A row of size 7 has a last bit of 1e-15, which is 1e-9 of the smaller deviation, and means have that error; of the larger one it is
    // nothing beside six bits of a sum of 400 rows.
    for (width, tolerance) in [(1e-7, 1e-8), (1e-4, 64.0 * 400.0 * f64::EPSILON)] {
        let n = 400;
        let centre = |i: usize| [-7.0, 7.0][i % 2];
        let off = |i: usize| width * (((i * 37) % 101) as f64 - 50.0);
        let x = Mat::from_fn(n, 1, |i, _| centre(i) + off(i));
        let one = Covariances::tied(Mat::from_fn(1, 1, |_, _| 1.0).as_ref(), 2).unwrap();
        let means = Mat::from_fn(2, 1, |k, _| centre(k));
        let start = GaussianMixture::new(vec![0.5, 0.5], means, one).unwrap();
        let fit = Em::new(2)
            .covariance(CovarianceType::Tied)
            .regularization(Regularization::None)
            .max_iterations(1)
            .fit_from(&x, Start::Mixture(&start))
            .unwrap();
        // The exact differences of the rows from their centres, and their squares about their mean in each group.
        let rows: Vec<f64> = (0..n).map(|i| x[(i, 0)] - centre(i)).collect();
        let scatter = |parity: usize| -> f64 {
            let own: Vec<f64> = rows.iter().skip(parity).step_by(2).copied().collect();
            let mean = own.iter().sum::<f64>() / own.len() as f64;
            own.iter().map(|z| (z - mean).powi(2)).sum()
        };
        let expected = (scatter(0) + scatter(1)) / n as f64;
        let found = fit.model().covariances().block(0)[0];
        assert!(
            (found - expected).abs() <= tolerance * expected,
            "{width}: {found:e} {expected:e}"
        );
    }
}
