//! The strategies make what they say.

use gmm_testkit::naive::{Form, cholesky, product, transpose};
use gmm_testkit::strategies;
use proptest::prelude::*;

proptest! {
    #[test]
    fn tables_keep_to_their_bounds(x in strategies::table(2..=5, 1..=3)) {
        prop_assert!((2..=5).contains(&x.len()));
        prop_assert!((1..=3).contains(&x[0].len()));
        prop_assert!(x.iter().all(|row| row.len() == x[0].len()));
        prop_assert!(x.concat().iter().all(|value| value.abs() <= 10.0));
    }

    #[test]
    fn responsibilities_have_a_row_per_sample(
        (x, r) in strategies::table_with_responsibilities(1..=5, 1..=3, 2..=4),
    ) {
        prop_assert_eq!(x.len(), r.len());
        prop_assert!(r.iter().all(|row| row.len() == r[0].len() && (2..=4).contains(&row.len())));
    }

    #[test]
    fn weights_are_positive_and_sum_to_one(weights in strategies::weights(5)) {
        prop_assert!(weights.iter().all(|weight| *weight > 1e-3));
        prop_assert!((weights.iter().sum::<f64>() - 1.0).abs() <= 8.0 * f64::EPSILON);
    }

    #[test]
    fn sample_weights_are_not_all_zero(weights in strategies::sample_weights(4)) {
        prop_assert_eq!(weights.len(), 4);
        prop_assert!(weights[0] > 0.0);
        prop_assert!(weights.iter().all(|weight| (0.0..=1.0001e4).contains(weight)));
    }

    #[test]
    fn matrices_are_symmetric_with_bounded_eigenvalues(
        a in (1..=6usize).prop_flat_map(|d| strategies::positive_definite(d, 1e4)),
    ) {
        prop_assert_eq!(&transpose(&a), &a);
        // Eigenvalues lie in [1e-4, 1] if A - c I has a factor for c below 1e-4 and c I - A has one for c above 1.
        let shifted = |sign: f64, shift: f64| -> Vec<Vec<f64>> {
            let entry = |i: usize, j: usize| sign * a[i][j] + if i == j { shift } else { 0.0 };
            (0..a.len()).map(|i| (0..a.len()).map(|j| entry(i, j)).collect()).collect()
        };
        prop_assert!(cholesky(&shifted(1.0, -0.999e-4)).is_some());
        prop_assert!(cholesky(&shifted(-1.0, 1.001)).is_some());
        let l = cholesky(&a).unwrap();
        for (q, c) in product(&l, &transpose(&l)).concat().iter().zip(a.concat()) {
            // Entries are at most 1; a Cholesky factor is backward stable.
            prop_assert!((q - c).abs() <= 64.0 * f64::EPSILON);
        }
    }

    #[test]
    fn mixtures_are_valid_and_have_their_form(
        mixture in prop::sample::select(Form::ALL.to_vec())
            .prop_flat_map(|form| strategies::mixture(form, 1..=4, 1..=3, 1e3)),
    ) {
        prop_assert!(mixture.is_positive_definite());
        let (form, k, d) = (mixture.form, mixture.n_components(), mixture.n_features());
        let dense = gmm_testkit::naive::dense_covariances(form, &mixture.blocks(), k, d);
        prop_assert_eq!(dense, mixture.covariances);
    }

    #[test]
    fn permutations_hold_each_index_once(mut order in strategies::permutation(6)) {
        order.sort_unstable();
        prop_assert_eq!(order, (0..6).collect::<Vec<_>>());
    }

    #[test]
    fn block_splits_cover_the_rows_in_order(blocks in strategies::block_split(10)) {
        let rows: Vec<usize> = blocks.into_iter().flatten().collect();
        prop_assert_eq!(rows, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn powers_of_two_have_no_digits_after_the_first(scale in strategies::power_of_two(-1022..=1023)) {
        prop_assert!(scale.is_normal());
        prop_assert_eq!(scale.to_bits() & 0x000f_ffff_ffff_ffff, 0);
    }

    #[test]
    fn finite_edge_values_are_finite(value in strategies::finite_edge_value()) {
        prop_assert!(value.is_finite());
    }
}

/// Among 500 values none of the kinds is missing (each has a chance of at least 1 in 14: a miss is 1 in 10¹⁶).
#[test]
fn edge_values_hold_every_kind() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let values: Vec<f64> = (0..500)
        .map(|_| {
            strategies::edge_value()
                .new_tree(&mut runner)
                .unwrap()
                .current()
        })
        .collect();
    assert!(values.iter().any(|value| value.is_nan()));
    assert!(values.contains(&f64::INFINITY) && values.contains(&f64::NEG_INFINITY));
    assert!(values.iter().any(|value| value.is_subnormal()));
    assert!(values.contains(&f64::MAX) && values.contains(&f64::MIN));
    assert!(
        values
            .iter()
            .any(|value| value.to_bits() == (-0.0f64).to_bits())
    );
}
