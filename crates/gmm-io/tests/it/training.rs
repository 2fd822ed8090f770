//! The record of a training: quantiles by their definition, and what is no record.

use gmm_io::{ModelError, Training};
use proptest::prelude::*;

/// The smallest value at or below which lies at least this share of the weight, by trying all.
fn quantile_by_definition(rows: &[(f64, f64)], level: f64) -> f64 {
    let total: f64 = rows.iter().map(|row| row.1).sum();
    let share_below = |value: f64| {
        rows.iter()
            .filter(|row| row.0 <= value)
            .map(|row| row.1)
            .sum::<f64>()
    };
    let reaching = rows
        .iter()
        .filter(|row| row.1 > 0.0 && share_below(row.0) >= level * total);
    reaching.map(|row| row.0).fold(f64::INFINITY, f64::min)
}

proptest! {
    #[test]
    fn quantiles_follow_their_definition(
        // Whole numbers of weight add up without rounding in any order.
        rows in prop::collection::vec((-100.0..10.0_f64, (0..4_u8).prop_map(f64::from)), 1..200)
    ) {
        let (log_densities, weights): (Vec<f64>, Vec<f64>) = rows.iter().copied().unzip();
        let total: f64 = weights.iter().sum();
        prop_assume!(total > 0.0);
        let training = Training::from_log_densities(&log_densities, Some(&weights)).unwrap();
        prop_assert_eq!(training.n_samples(), rows.len() as u64);
        prop_assert_eq!(training.total_weight(), total);
        for (level, &quantile) in Training::QUANTILE_LEVELS.iter().zip(training.density_quantiles()) {
            prop_assert_eq!(quantile, quantile_by_definition(&rows, *level), "level {}", level);
            prop_assert_eq!(training.log_density_quantile(*level), Some(quantile));
        }
        let sum: f64 = rows.iter().map(|row| row.0 * row.1).sum();
        // Each of the n products and additions rounds by at most one part in 2^53 of the sum of sizes.
        let size: f64 = rows.iter().map(|row| (row.0 * row.1).abs()).sum();
        prop_assert!((training.log_likelihood() - sum).abs() <= rows.len() as f64 * f64::EPSILON * size);
    }

    #[test]
    fn integer_weights_are_repeated_rows(
        rows in prop::collection::vec((-100.0..10.0_f64, 0..4_usize), 1..50)
    ) {
        let repeated: Vec<f64> = rows.iter().flat_map(|&(value, n)| std::iter::repeat_n(value, n)).collect();
        prop_assume!(!repeated.is_empty());
        let (log_densities, counts): (Vec<f64>, Vec<usize>) = rows.iter().copied().unzip();
        let weights: Vec<f64> = counts.iter().map(|&n| n as f64).collect();
        let weighted = Training::from_log_densities(&log_densities, Some(&weights)).unwrap();
        let plain = Training::from_log_densities(&repeated, None).unwrap();
        prop_assert_eq!(weighted.density_quantiles(), plain.density_quantiles());
    }

    #[test]
    fn between_the_levels_quantiles_rise(a in 0.0..=1.0_f64, b in 0.0..=1.0_f64) {
        let log_densities: Vec<f64> = (0..500).map(|i| f64::from(i).sqrt()).collect();
        let training = Training::from_log_densities(&log_densities, None).unwrap();
        let (low, high) = (a.min(b), a.max(b));
        prop_assert!(training.log_density_quantile(low) <= training.log_density_quantile(high));
    }
}

#[test]
fn levels_outside_0_and_1_have_no_quantile() {
    let training = Training::from_log_densities(&[-2.0, -1.0], None).unwrap();
    for level in [-1e-300, 1.0 + f64::EPSILON, f64::NAN, f64::INFINITY] {
        assert_eq!(training.log_density_quantile(level), None, "{level}");
    }
    assert_eq!(training.log_density_quantile(0.0), Some(-2.0));
    assert_eq!(training.log_density_quantile(1.0), Some(-1.0));
    let unknown = Training::new(2, 2.0, -3.0).unwrap();
    assert_eq!(unknown.log_density_quantile(0.5), None);
}

#[test]
fn data_without_weight_or_number_are_refused() {
    let of = |log_densities: &[f64], weights: Option<&[f64]>| {
        Training::from_log_densities(log_densities, weights)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        of(&[], None),
        "no training sample has a positive weight; give at least one"
    );
    assert_eq!(
        of(&[-1.0], Some(&[0.0])),
        "no training sample has a positive weight; give at least one"
    );
    assert_eq!(
        of(&[-1.0], Some(&[])),
        "found 0 sample weights for 1 log-densities; give one for each"
    );
    assert_eq!(
        of(&[-1.0], Some(&[-2.0])),
        "the training's sample weight is -2, expected a number that is not negative"
    );
    assert_eq!(
        of(&[f64::NEG_INFINITY], None),
        "the training's log-density is -inf, expected a finite number"
    );
    // A row without weight has no part, whatever its density.
    assert!(Training::from_log_densities(&[f64::NAN, 1.0], Some(&[0.0, 1.0])).is_ok());
    assert!(matches!(
        Training::from_log_densities(&[f64::MAX, f64::MAX], None).unwrap_err(),
        ModelError::TrainingNumber {
            field: "log-likelihood",
            ..
        }
    ));
}
