//! Hard clusterings: values from definitions, and what renaming must not change.

use gmm_testkit::naive::{adjusted_rand_index, kmeans_cost, nearest};
use proptest::prelude::*;

use crate::assert_close;

const TOLERANCE: f64 = 8.0 * f64::EPSILON;

#[test]
fn the_nearest_centre_is_the_first_of_equals() {
    let centres = [vec![0.0, 0.0], vec![2.0, 0.0], vec![2.0, 4.0]];
    let (k, squared) = nearest(&[1.0, 1.0], &centres);
    assert_eq!(k, 0);
    assert_close(squared, 2.0, TOLERANCE);
    assert_eq!(nearest(&[3.0, 3.0], &centres).0, 2);
}

#[test]
fn the_cost_of_k_means_counts_weights() {
    let x = [vec![0.0], vec![1.0], vec![10.0], vec![13.0]];
    let centres = [vec![0.5], vec![11.0]];
    assert_close(
        kmeans_cost(&x, &centres, None),
        0.25 + 0.25 + 1.0 + 4.0,
        TOLERANCE,
    );
    let weighted = kmeans_cost(&x, &centres, Some(&[4.0, 0.0, 2.0, 1.0]));
    assert_close(weighted, 1.0 + 2.0 + 4.0, TOLERANCE);
}

#[test]
fn the_adjusted_rand_index_by_hand() {
    // Σ C(nᵢⱼ) = 1, Σ C(aᵢ) = 2, Σ C(bⱼ) = 1, C(4) = 6: (1 - 1/3) / (3/2 - 1/3).
    assert_close(
        adjusted_rand_index(&[0, 0, 1, 1], &[0, 0, 1, 2]),
        4.0 / 7.0,
        TOLERANCE,
    );
    // No pair is together in both: (0 - 2/3) / (2 - 2/3).
    assert_close(
        adjusted_rand_index(&[0, 0, 1, 1], &[0, 1, 0, 1]),
        -0.5,
        TOLERANCE,
    );
    // Trivial partitions.
    assert_close(adjusted_rand_index(&[5, 5, 5], &[1, 1, 1]), 1.0, 0.0);
    assert_close(adjusted_rand_index(&[0, 1, 2], &[2, 1, 0]), 1.0, 0.0);
    assert_close(adjusted_rand_index(&[], &[]), 1.0, 0.0);
    assert_close(adjusted_rand_index(&[0, 0, 0], &[0, 1, 2]), 0.0, 0.0);
}

proptest! {
    #[test]
    fn the_adjusted_rand_index_knows_no_names_and_no_order(
        labels in prop::collection::vec((0..4usize, 0..4usize), 1..30),
    ) {
        let (a, b): (Vec<usize>, Vec<usize>) = labels.into_iter().unzip();
        let renamed: Vec<usize> = a.iter().map(|label| 7 * label + 3).collect();
        assert_close(adjusted_rand_index(&a, &renamed), 1.0, TOLERANCE);
        let index = adjusted_rand_index(&a, &b);
        assert_close(adjusted_rand_index(&b, &a), index, TOLERANCE);
        assert_close(adjusted_rand_index(&renamed, &b), index, TOLERANCE);
        prop_assert!(index <= 1.0 + TOLERANCE);
    }
}
