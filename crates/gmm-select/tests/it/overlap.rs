//! How components lie to each other: modes, bounds and shares against what brute force finds.

use gmm_core::faer::{Mat, mat};
use gmm_core::{Covariances, GaussianMixture, Samples};
use gmm_em::Em;
use gmm_select::{Overlap, Pair};
use gmm_testkit::naive::Form;
use gmm_testkit::{data, same_for_any_number_of_threads, strategies};
use proptest::prelude::*;

use crate::matrix;

fn line(p: f64, distance: f64, deviations: [f64; 2]) -> GaussianMixture {
    let variances = deviations.map(|s| s * s);
    let covariances = Covariances::spherical(&variances, 1).unwrap();
    GaussianMixture::new(vec![p, 1.0 - p], mat![[0.0], [distance]], covariances).unwrap()
}

/// Two components of equal variance have two modes if and only if d = Δ / 2σ > 1 and |ln(p / q)| < 2 ln(d - √(d² - 1)) + 2 d √(d² - 1)
/// (Behboodian 1970).
#[test]
fn modes_on_a_line_follow_the_closed_rule() {
    for step in 1..60 {
        let distance = 0.11 * f64::from(step);
        let d = 0.5 * distance;
        let root = (d * d - 1.0).sqrt();
        let limit = 2.0 * (d - root).ln() + 2.0 * d * root;
        for p in [0.5_f64, 0.6, 0.8, 0.9, 0.99, 1e-6] {
            let odds = (p / (1.0 - p)).ln();
            let two = d > 1.0 && odds.abs() < limit;
            // Nearer to the border than the scan's steps both answers are good.
            if d > 1.0 && (odds.abs() - limit).abs() < 0.05 * limit {
                continue;
            }
            let pair = Pair::new(&line(p, distance, [1.0, 1.0]), 0, 1).unwrap();
            assert_eq!(pair.n_modes, 1 + usize::from(two), "{p} {distance}");
        }
    }
}

/// Local maxima of the density on a fine grid.
fn modes_on_a_grid(model: &GaussianMixture, from: f64, to: f64) -> usize {
    let n = 20_001;
    let x = Mat::from_fn(n, 1, |i, _| from + (to - from) * i as f64 / (n - 1) as f64);
    let density = model.log_density(&x).unwrap();
    (1..n - 1)
        .filter(|&i| density[i] > density[i - 1] && density[i] >= density[i + 1])
        .count()
}

#[test]
fn modes_on_a_line_are_those_of_a_grid() {
    for ratio in [0.01, 0.2, 0.5, 3.0, 50.0] {
        for step in 0..40 {
            let distance = 0.1 + 0.2 * f64::from(step) * f64::max(1.0, 0.3 * ratio);
            for p in [0.05, 0.5, 0.95] {
                let model = line(p, distance, [1.0, ratio]);
                let reach = 4.0 * f64::max(1.0, ratio);
                let expected = modes_on_a_grid(&model, -reach, distance + reach);
                let found = Pair::new(&model, 0, 1).unwrap().n_modes;
                assert_eq!(found, expected, "{p} {distance} {ratio}");
            }
        }
    }
}

/// Two components may have three modes in the plane (Ray and Lindsay 2005, their figure 1).
#[test]
fn two_components_can_have_three_modes() {
    let covariances = Covariances::diag(mat![[1.0, 0.05], [0.05, 1.0]].as_ref()).unwrap();
    let means = mat![[0.0, 0.0], [1.0, 1.0]];
    let model = GaussianMixture::new(vec![0.5, 0.5], means, covariances).unwrap();
    assert_eq!(Pair::new(&model, 0, 1).unwrap().n_modes, 3);
    assert_eq!(Pair::of_one_mode(&model), None);
}

/// The error of the best rule by integration, for one feature.
fn error_by_integration(model: &GaussianMixture, from: f64, to: f64) -> f64 {
    let n = 200_001;
    let step = (to - from) / (n - 1) as f64;
    let x = Mat::from_fn(n, 1, |i, _| from + step * i as f64);
    let joint = model.log_joint(&x).unwrap();
    (0..n)
        .map(|i| joint[(i, 0)].min(joint[(i, 1)]).exp() * step)
        .sum()
}

#[test]
fn the_error_lies_within_its_bounds() {
    for (p, distance, ratio) in [
        (0.5, 0.0, 1.0),
        (0.5, 2.0, 1.0),
        (0.2, 1.0, 4.0),
        (0.7, 3.0, 0.3),
        (0.5, 0.0, 10.0),
    ] {
        let model = line(p, distance, [1.0, ratio]);
        let (low, high) = Pair::new(&model, 0, 1).unwrap().error_bounds;
        let reach = 9.0 * f64::max(1.0, ratio);
        let error = error_by_integration(&model, -reach, distance + reach);
        // The sum over steps of 1e-4 standard deviations is off by less than a step.
        assert!(
            low - 1e-4 <= error && error <= high + 1e-4,
            "{low} {error} {high}"
        );
    }
    // Two standard deviations apart: Φ(-1).
    let error = error_by_integration(&line(0.5, 2.0, [1.0, 1.0]), -9.0, 11.0);
    assert!((error - 0.158_655_253_931_457).abs() < 1e-4);
}

#[test]
fn a_component_without_weight_is_no_mode() {
    let pair = Pair::new(&line(1.0, 9.0, [1.0, 1.0]), 0, 1).unwrap();
    assert_eq!((pair.n_modes, pair.error_bounds), (1, (0.0, 0.0)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Units, offsets and the order of the two change nothing.
    #[test]
    fn units_and_order_change_nothing(mixture in strategies::mixture(Form::Full, 1..=4, 2..=2, 100.0)) {
        let model = product(&mixture, 1.0, 0.0);
        let pair = Pair::new(&model, 0, 1).unwrap();
        let turned = Pair::new(&model, 1, 0).unwrap();
        let moved = Pair::new(&product(&mixture, 1e3, -7.0), 0, 1).unwrap();
        for other in [turned, moved] {
            // Of two matrices of condition 100 the one has a condition of up to 1e4 in the coordinates of the other, and two eigenvalue
            // problems and products of four features round a few dozen times.
            let size = 1.0 + pair.bhattacharyya;
            let tolerance = 64.0 * f64::EPSILON * 1e4 * size;
            prop_assert!((other.bhattacharyya - pair.bhattacharyya).abs() <= tolerance);
        }
    }
}

fn product(mixture: &gmm_testkit::naive::Mixture, scale: f64, offset: f64) -> GaussianMixture {
    let d = mixture.means[0].len();
    let means = Mat::from_fn(mixture.means.len(), d, |k, j| {
        mixture.means[k][j] * scale + offset
    });
    let matrices: Vec<Mat<f64>> = (mixture.covariances.iter())
        .map(|c| Mat::from_fn(d, d, |i, j| c[i][j] * scale * scale))
        .collect();
    let covariances = Covariances::full(&matrices).unwrap();
    GaussianMixture::new(mixture.weights.clone(), means, covariances).unwrap()
}

#[test]
fn shares_are_means_of_responsibilities_by_label() {
    let x = matrix(&data::overlapping(3, 500, 2, 4).rows());
    let model = Em::new(4).fit(&x).unwrap().into_model();
    let weights: Vec<f64> = (0..500).map(|i| 0.5 + (i % 4) as f64).collect();
    let weighted = Samples::from(&x).with_weights(&weights);
    let overlap = Overlap::new(&model, weighted).unwrap();
    let (r, labels) = (
        model.responsibilities(&x).unwrap(),
        model.predict(&x).unwrap(),
    );
    let mut wrong = 0.0;
    for label in 0..4 {
        let rows = || (0..500).filter(|&i| labels[i] == label);
        let total: f64 = rows().map(|i| weights[i]).sum();
        assert!((overlap.weight_of(label) - total).abs() <= 1e-12 * total);
        let mut sum = 0.0;
        for component in 0..4 {
            let share = rows().map(|i| weights[i] * r[(i, component)]).sum::<f64>() / total;
            let found = overlap.share(label, component).unwrap();
            // Sums of 500 positive terms.
            assert!((found - share).abs() <= 500.0 * f64::EPSILON);
            sum += found;
            wrong += if component == label {
                0.0
            } else {
                found * total
            };
        }
        assert!((sum - 1.0).abs() <= 1e-12);
    }
    let expected = wrong / weights.iter().sum::<f64>();
    assert!((overlap.expected_error() - expected).abs() <= 1e-12);
    let x = matrix(&data::overlapping(3, 20_000, 2, 4).rows());
    same_for_any_number_of_threads(|| Overlap::new(&model, &x).unwrap());
}

#[test]
fn a_label_of_no_row_has_no_shares() {
    let model = line(0.5, 50.0, [1.0, 1.0]);
    let overlap = Overlap::new(&model, &mat![[0.0], [1.0]]).unwrap();
    assert_eq!((overlap.share(1, 0), overlap.weight_of(1)), (None, 0.0));
    assert!(overlap.share(0, 0) > Some(0.999));
}
