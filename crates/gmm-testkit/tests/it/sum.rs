//! Exact sums against integers, which are exact themselves.

use gmm_testkit::naive::{exact_dot, exact_sum};
use proptest::prelude::*;

use crate::assert_close;

#[test]
fn nothing_is_lost_to_cancellation() {
    assert_close(exact_sum(&[1e100, 1.0, -1e100]), 1.0, 0.0);
    assert_close(exact_sum(&[0.1; 10]), 1.0, 0.0);
    assert_close(exact_sum(&[]), 0.0, 0.0);
    // (1 + 2⁻³⁰)(1 - 2⁻³⁰) - 1 = -2⁻⁶⁰, which is a rounding error of the product.
    let tiny = 2f64.powi(-30);
    let difference = exact_dot(&[1.0 + tiny, -1.0], &[1.0 - tiny, 1.0]);
    assert_eq!(difference.to_bits(), (-tiny * tiny).to_bits());
}

#[test]
fn values_that_are_not_finite_are_added_as_usual() {
    assert_eq!(
        exact_sum(&[1.0, f64::NEG_INFINITY, 2.0]).to_bits(),
        f64::NEG_INFINITY.to_bits()
    );
    assert!(exact_sum(&[f64::INFINITY, f64::NEG_INFINITY]).is_nan());
    assert!(exact_sum(&[f64::NAN, 1.0]).is_nan());
    assert_eq!(
        exact_dot(&[1.0, 1.0], &[f64::NEG_INFINITY, 3.0]).to_bits(),
        f64::NEG_INFINITY.to_bits()
    );
}

proptest! {
    /// i128 holds the sum of some terms below 2^53 x 2^60 exactly; `as f64` rounds it to the nearest.
    #[test]
    fn sums_agree_with_integers(
        terms in prop::collection::vec((-(1i64 << 53)..=1 << 53, 0..=60u32), 0..20),
    ) {
        let values: Vec<f64> =
            terms.iter().map(|(m, e)| *m as f64 * 2f64.powi(*e as i32)).collect();
        let exact: i128 = terms.iter().map(|(m, e)| i128::from(*m) << e).sum();
        let sum = exact_sum(&values);
        prop_assert!(is_nearest(sum, exact), "{sum} is not nearest to {exact}");
    }

    #[test]
    fn products_agree_with_integers(
        factors in prop::collection::vec((-(1i64 << 53)..=1 << 53, -(1i64 << 53)..=1 << 53), 0..20),
    ) {
        let (a, b): (Vec<f64>, Vec<f64>) =
            factors.iter().map(|(a, b)| (*a as f64, *b as f64)).unzip();
        let exact: i128 = factors.iter().map(|(a, b)| i128::from(*a) * i128::from(*b)).sum();
        let dot = exact_dot(&a, &b);
        prop_assert!(is_nearest(dot, exact), "{dot} is not nearest to {exact}");
    }
}

/// Whether no f64 is nearer to the integer, but for a relative 2^-100: an exact sum rounds its smallest parts before the last
/// addition, which may decide what is almost a tie.
fn is_nearest(value: f64, exact: i128) -> bool {
    let error = |value: f64| (value as i128 - exact).abs();
    error(value) <= error(exact as f64) + (exact.abs() >> 100)
}
