//! What starts are made of, by its definitions.

use super::*;
use gmm_core::CovarianceType;

/// Each value has the smallest key of its rows; the values with the smallest ones are taken, in their order.
#[test]
fn rows_are_those_with_the_smallest_keys() {
    let n_rows = 60;
    let x = Mat::from_fn(n_rows, 2, |i, j| {
        if j == 0 {
            (i * 7 % 12) as f64
        } else {
            (i % 3) as f64
        }
    });
    let weights: Vec<f64> = (0..n_rows)
        .map(|i| f64::from(u8::from(i % 5 > 0)))
        .collect();
    let samples = Samples::from(&x).with_weights(&weights);
    let value = |row: usize| [x[(row, 0)].to_bits(), x[(row, 1)].to_bits()];
    for seed in 0..50 {
        let mut keys = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut of_value: Vec<(u64, usize)> = Vec::new();
        for row in (0..n_rows).filter(|&i| weights[i] > 0.0) {
            let key = keys.next_u64();
            match of_value
                .iter_mut()
                .find(|(_, known)| value(*known) == value(row))
            {
                Some(known) => *known = (*known).min((key, row)),
                None => of_value.push((key, row)),
            }
        }
        of_value.sort_unstable();
        let expected: Vec<usize> = of_value.iter().map(|(_, row)| *row).collect();
        for n in [1, 2, 5, expected.len(), 40] {
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
            let found = distinct_rows(&samples, n, &mut rng);
            assert_eq!(found, expected[..n.min(expected.len())], "{seed} {n}");
        }
    }
}

/// Components about rows are alike but for their means, and together count as many rows as there are.
#[test]
fn components_about_rows_have_the_spread_of_the_data() {
    let x = gmm_testkit::data::overlapping(2, 80, 2, 2).x;
    let samples = Samples::from(&x);
    for form in [
        CovarianceType::Full,
        CovarianceType::Diag,
        CovarianceType::Spherical,
    ] {
        let summary = Summary::new(&samples, form).unwrap();
        let means = [vec![0.5, -1.0], vec![0.0, 0.25], vec![-2.0, 1.0]];
        let em = Em::new(3).covariance(form);
        let statistics = about_rows(&em, &summary, &means);
        let n: f64 = statistics.moments.iter().map(|m| m.occupancy).sum();
        assert!((n - 80.0).abs() <= 1e-12);
        let maximized = statistics.maximize_with(&Regularizer::None, None).unwrap();
        let model = statistics.mixture(maximized).unwrap();
        for (k, mean) in means.iter().enumerate() {
            assert!((model.weights()[k] - 1.0 / 3.0).abs() <= 1e-15);
            let variances = model.covariances().variances(k);
            let sum: f64 = summary.variances().iter().sum();
            for j in 0..2 {
                let expected = match form {
                    CovarianceType::Spherical => 0.5 * sum,
                    _ => summary.variances()[j],
                };
                assert!((model.means()[(k, j)] - mean[j]).abs() <= 1e-15);
                assert!((variances[j] - expected).abs() <= 1e-14 * expected);
            }
        }
    }
}

/// Numbers between 0 and 1 that sum to 1, the same for a row whatever rows are around it, and different for others.
#[test]
fn shares_belong_to_their_row() {
    let shares = |seed: u64, row: usize| {
        let mut r = [0.0; 4];
        random_shares(seed, row, &mut r);
        assert!(r.iter().all(|r| *r > 0.0 && *r < 1.0));
        assert!((r.iter().sum::<f64>() - 1.0).abs() <= 4.0 * f64::EPSILON);
        r.map(f64::to_bits)
    };
    let mut known: Vec<_> = (0..500).map(|at| shares(at as u64 % 5, at / 5)).collect();
    assert_eq!(known[7], shares(2, 1));
    known.sort_unstable();
    known.dedup();
    assert_eq!(known.len(), 500);
}

/// A feature without spread has the unit 1.
#[test]
fn distances_are_in_standard_deviations() {
    let x = Mat::from_fn(20, 3, |i, j| [i as f64, 5.0, 100.0 * (i * i % 7) as f64][j]);
    let samples = Samples::from(&x);
    for (form, len) in [(CovarianceType::Diag, 3), (CovarianceType::Spherical, 1)] {
        let summary = Summary::new(&samples, form).unwrap();
        let found = reciprocal_sd(&Em::new(2).covariance(form), &summary);
        assert_eq!(found.len(), len);
        let variances = summary.variances();
        for (j, reciprocal) in found.iter().enumerate() {
            let variance = match form {
                CovarianceType::Diag => variances[j],
                _ => variances.iter().sum::<f64>() / 3.0,
            };
            let expected = if variance > 0.0 { variance } else { 1.0 };
            assert!((reciprocal * reciprocal * expected - 1.0).abs() <= 1e-14);
        }
    }
}
