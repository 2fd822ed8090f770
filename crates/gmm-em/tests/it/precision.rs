//! Fits in mixed precision end where those in double precision do.

use gmm_core::faer::Mat;
use gmm_core::{CovarianceType, Covariances, GaussianMixture, Samples};
use gmm_em::{Acceleration, Em, Fit, Precision, Regularization, Start, Stop};
use gmm_testkit::{data, same_for_any_number_of_threads};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_converged_fit_has_the_digits_of_double_precision(
        seed in 0u64..1000,
        d in 1usize..=6,
        k in 1usize..=4,
        form in prop::sample::select(CovarianceType::ALL.to_vec()),
        offset in prop::sample::select(vec![0.0, 1e6]),
        unit in prop::sample::select(vec![1e-150, 1.0, 1e150]),
        accelerated in any::<bool>(),
    ) {
        let mut drawn = data::separated(seed, 600, d, k);
        for i in 0..600 {
            (0..d).for_each(|j| drawn.x[(i, j)] = unit * (drawn.x[(i, j)] + offset));
        }
        let weights: Vec<f64> = (0..600).map(|i| [1.0, 1e-30, 3.0][i % 3]).collect();
        let x = Samples::from(&drawn.x).with_weights(&weights);
        let acceleration = if accelerated { Acceleration::OverRelaxation } else { Acceleration::None };
        let em = Em::new(k).covariance(form).seed(seed).acceleration(acceleration);
        // Debug builds assert in each iteration that the objective falls by no more than rounding in the pass's precision.
        let double = em.fit(x).unwrap();
        let mixed = em.precision(Precision::Mixed).fit(x).unwrap();
        prop_assert_eq!(mixed.report().stop, Stop::Converged);
        // The first pass was in single precision; that of a tied fit is where no mean is far from that of all (see `tied`).
        let first = |fit: &Fit| fit.report().trace[0].to_bits();
        prop_assert!(form == CovarianceType::Tied || first(&mixed) != first(&double));
        // Both have less than 0.001 nat left to gain, as far as it can be estimated.
        let [one, other] = [double.report().log_likelihood, mixed.report().log_likelihood];
        prop_assert!((one - other).abs() <= 0.01, "{one} {other}");
        let again = mixed.model().log_likelihood(x).unwrap();
        prop_assert!((again - other).abs() <= 1e-9 * (1.0 + other.abs()), "{again} {other}");
    }
}

#[test]
fn threads_change_no_bit_and_a_limit_is_reported_in_double_precision() {
    let drawn = data::separated(3, 9000, 3, 4);
    for max_iterations in [3, 1000] {
        let em = Em::new(4)
            .precision(Precision::Mixed)
            .regularization(Regularization::None)
            .max_iterations(max_iterations);
        let one = same_for_any_number_of_threads(|| em.fit(&drawn.x).unwrap());
        let expected = one.model().log_likelihood(&drawn.x).unwrap();
        let reported = one.report().log_likelihood;
        assert!(
            (reported - expected).abs() <= 1e-12 * expected.abs(),
            "{reported} {expected}"
        );
    }
}

#[test]
fn a_block_with_a_row_out_of_the_range_is_computed_in_double_precision() {
    let mut drawn = data::separated(9, 600, 2, 2);
    drawn.x[(77, 0)] = 1e7;
    // Standard deviations of 1e-14: squared distances of 1e42.
    let means = Mat::from_fn(2, 2, |k, j| drawn.x[(k, j)]);
    let covariances = Covariances::spherical(&[1e-28, 1e-28], 2).unwrap();
    let start = GaussianMixture::new(vec![0.5, 0.5], means, covariances).unwrap();
    let [double, mixed] = [Precision::Double, Precision::Mixed].map(|precision| {
        Em::new(2)
            .covariance(CovarianceType::Spherical)
            .precision(precision)
            .max_iterations(1)
            .fit_from(&drawn.x, Start::Mixture(&start))
            .unwrap()
    });
    assert_eq!(
        double.report().trace[0].to_bits(),
        mixed.report().trace[0].to_bits()
    );
    let [one, other] = [&double, &mixed].map(|fit| fit.model().covariances().variances(0)[0]);
    assert!((one - other).abs() <= 1e-4 * one, "{one} {other}");
}
