//! Logarithms of responsibilities where the responsibilities themselves are 0, and components of next to no weight.

use gmm_core::faer::mat;
use gmm_core::{Covariances, GaussianMixture, Noise};
use proptest::prelude::*;

use crate::{matrix, mixture_of, mixture_with_rows, rows};

proptest! {
    #[test]
    fn they_are_the_logarithms_of_the_responsibilities((m, x) in mixture_with_rows(1..=4, 1..=5, 1..=300)) {
        let (model, x) = (mixture_of(&m), matrix(&x));
        let logs = rows(&model.log_responsibilities(&x).unwrap());
        let soft = rows(&model.responsibilities(&x).unwrap());
        for (log_r, r) in logs.iter().flatten().zip(soft.iter().flatten()) {
            // An exponential below e^-708 is 0 by decree; log r is a sum of numbers of its own size and exp magnifies its rounding by that.
            let tolerance = 4.0 * f64::EPSILON * (2.0 + log_r.abs()) * r + 1e-307;
            prop_assert!((log_r.exp() - r).abs() <= tolerance, "{log_r} {r}");
        }
    }
}

#[test]
fn rows_that_are_out_of_reach_and_weights_of_zero_have_theirs() {
    let model = GaussianMixture::new_with_noise(
        vec![0.5, 0.0, 0.25],
        mat![[0.0], [1.0], [10.0]],
        Covariances::spherical(&[1.0; 3], 1).unwrap(),
        Noise::new(0.25, 0.5f64.ln()).unwrap(),
    )
    .unwrap();
    let logs = rows(
        &model
            .log_responsibilities(&mat![[0.0], [1e200], [-1e3]])
            .unwrap(),
    );
    let none = f64::NEG_INFINITY;
    for row in &logs {
        assert_eq!(row[1].to_bits(), none.to_bits());
    }
    // The density of noise is the same everywhere: at 1e200 nothing else is left.
    assert_eq!(logs[1], [none, none, none, 0.0]);
    // log (½ N(0) / p) with p = ½ N(0) + ¼ N(10) + ⅛.
    let normal = |z: f64| (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let p = 0.5 * normal(0.0) + 0.25 * normal(10.0) + 0.125;
    let tolerance = 8.0 * f64::EPSILON;
    assert!((logs[0][0] - (0.5 * normal(0.0) / p).ln()).abs() <= tolerance);
    assert!((logs[0][3] - (0.125 / p).ln()).abs() <= tolerance);
    // Half a million nats below noise.
    let expected = (0.5f64 / 0.125).ln() - 0.5 * (2.0 * std::f64::consts::PI).ln() - 500_000.0;
    assert!((logs[2][0] - expected).abs() <= 2.0 * f64::EPSILON * 500_000.0);

    let without = GaussianMixture::new(
        vec![0.5, 0.5],
        mat![[0.0], [1.0]],
        Covariances::spherical(&[1.0; 2], 1).unwrap(),
    )
    .unwrap();
    // Squared distances of 1e400: the row is the nearer component's with probability 1.
    let logs = rows(&without.log_responsibilities(&mat![[-1e200]]).unwrap());
    assert_eq!(logs, [[0.0, none]]);
}

/// A weight w of 1e-12 to 1e-300 at equal distance has the responsibility w / (1 + w) to the last digits, on every row.
#[test]
fn a_tiny_weight_keeps_all_digits() {
    for weight in [1e-12, 1e-13, 3e-60, 7e-200, 1e-300] {
        let model = GaussianMixture::new(
            vec![weight, 1.0],
            mat![[-1.0, 0.0], [1.0, 0.0]],
            Covariances::spherical(&[1.7; 2], 2).unwrap(),
        )
        .unwrap();
        let r = model
            .responsibilities(&mat![[0.0, 3.0], [0.0, -0.3]])
            .unwrap();
        for i in 0..2 {
            // An exponential, a constant and two products are rounded; at 1e-12, where no power of two is kept apart, a logarithm
            // of 27.6 is, and sums of its size.
            let off = (r[(i, 0)] / weight * (1.0 + weight) - 1.0).abs();
            assert!(off <= 32.0 * f64::EPSILON, "{weight:e}: {off:e}");
        }
    }
}
