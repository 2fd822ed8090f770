//! The metrics are those of the oracle's readme, and nothing wrong passes them.

use gmm_testkit::naive::Form;
use gmm_testkit::oracle::metrics;

use crate::assert_close;

const TOLERANCE: f64 = 4.0 * f64::EPSILON;

#[test]
fn each_metric_has_its_own_scale() {
    assert_close(
        metrics::log_values(&[-99.0, 0.5], &[-100.0, 0.25]),
        0.25,
        TOLERANCE,
    );
    assert_close(
        metrics::responsibilities(&[vec![0.5, 0.5]], &[vec![0.25, 0.75]]),
        0.25,
        TOLERANCE,
    );
    assert_close(
        metrics::relative(&[2.0, 1e-300], &[2.0, 2e-300]),
        0.5,
        TOLERANCE,
    );
    // The mean 0 is off by half a standard deviation, the mean 100 by a hundredth of itself.
    let means = metrics::means(&[vec![1.0, 101.0]], &[vec![0.0, 100.0]], &[vec![4.0, 4.0]]);
    assert_close(means, 0.5, TOLERANCE);
    let exact = [vec![4.0, 1.0, 1.0, 9.0]];
    let computed = [vec![4.0, 2.5, 1.0, 9.0]];
    let full = metrics::covariances(Form::Full, 1, 2, &computed, &exact);
    assert_close(full, 1.5 / 6.0, TOLERANCE);
    let diag = metrics::covariances(Form::Diag, 1, 2, &[vec![4.0, 8.0]], &[vec![4.0, 10.0]]);
    assert_close(diag, 0.2, TOLERANCE);
    let huge = metrics::covariances(Form::Spherical, 1, 2, &[vec![1.1e300]], &[vec![1e300]]);
    assert_close(huge, 0.1, TOLERANCE);
}

#[test]
fn a_nan_another_shape_and_another_infinity_are_infinitely_wrong() {
    let infinite = f64::INFINITY.to_bits();
    let one = [1.0];
    for computed in [&[f64::NAN][..], &[], &[1.0, 1.0], &[f64::INFINITY]] {
        assert_eq!(metrics::log_values(computed, &one).to_bits(), infinite);
        assert_eq!(metrics::relative(computed, &one).to_bits(), infinite);
        let rows = [computed.to_vec()];
        assert_eq!(
            metrics::responsibilities(&rows, &[one.to_vec()]).to_bits(),
            infinite
        );
        let means = metrics::means(&rows, &[one.to_vec()], &[one.to_vec()]);
        assert_eq!(means.to_bits(), infinite);
        let spherical = metrics::covariances(Form::Spherical, 1, 1, &rows, &[one.to_vec()]);
        assert_eq!(spherical.to_bits(), infinite);
    }
    // A NaN before a good value is not forgotten.
    assert_eq!(metrics::worst_of([f64::NAN, 0.0]).to_bits(), infinite);
    assert_eq!(
        metrics::means(&[], &[one.to_vec()], &[one.to_vec()]).to_bits(),
        infinite
    );
}

#[test]
fn the_same_infinity_and_an_exact_zero_are_right() {
    let minus = [f64::NEG_INFINITY];
    assert_close(metrics::log_values(&minus, &minus), 0.0, 0.0);
    assert_close(metrics::relative(&[0.0], &[0.0]), 0.0, 0.0);
    assert_eq!(
        metrics::relative(&[1e-300], &[0.0]).to_bits(),
        f64::INFINITY.to_bits()
    );
    let zero = [vec![0.0]];
    assert_close(
        metrics::covariances(Form::Diag, 1, 1, &zero, &zero),
        0.0,
        0.0,
    );
}
