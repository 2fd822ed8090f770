//! The generators make what they say.

use gmm_testkit::data::{self, Data};
use gmm_testkit::naive::{Form, hard_responsibilities, m_step};

use crate::assert_close;

/// Moments of each component are those of the truth to 6 standard errors (one failure in 10⁸ numbers, and the seeds are
/// fixed).
fn assert_drawn_from_truth(data: &Data) {
    let truth = data.truth.as_ref().unwrap();
    let x = data.rows();
    let k = truth.n_components();
    let step = m_step(
        Form::Full,
        &x,
        &hard_responsibilities(&data.labels, k),
        None,
    );
    for k in 0..k {
        let n = step.occupancy[k];
        let weight = truth.weights[k];
        let error = (weight * (1.0 - weight) / x.len() as f64).sqrt();
        assert!((step.mixture.weights[k] - weight).abs() <= 6.0 * error);
        for i in 0..truth.n_features() {
            let variance = truth.covariances[k][i][i];
            let mean = (step.mixture.means[k][i] - truth.means[k][i]).abs();
            assert!(
                mean <= 6.0 * (variance / n).sqrt(),
                "component {k}, mean {i}"
            );
            for j in 0..truth.n_features() {
                let c = &truth.covariances[k];
                // The variance of a covariance of n normal rows is (Cᵢᵢ Cⱼⱼ + Cᵢⱼ²) / n.
                let error = ((c[i][i] * c[j][j] + c[i][j] * c[i][j]) / n).sqrt();
                let found = step.mixture.covariances[k][i][j];
                assert!(
                    (found - c[i][j]).abs() <= 6.0 * error,
                    "component {k}, ({i}, {j})"
                );
            }
        }
    }
}

#[test]
fn mixtures_have_the_moments_of_their_truth() {
    assert_drawn_from_truth(&data::separated(1, 4000, 3, 4));
    assert_drawn_from_truth(&data::overlapping(2, 4000, 5, 3));
    assert_drawn_from_truth(&data::unbalanced(3, 40_000, 2, 4, 0.1));
    assert_drawn_from_truth(&data::cigars(4, 4000, 3, 50.0));
    assert_drawn_from_truth(&data::separated(5, 2000, 1, 2).moved(1e-3, 1e3));
}

#[test]
fn the_same_seed_makes_the_same_bits_and_another_does_not() {
    let bits = |seed| -> Vec<u64> {
        let rows = data::overlapping(seed, 20, 3, 2).rows();
        rows.concat().iter().map(|value| value.to_bits()).collect()
    };
    assert_eq!(bits(7), bits(7));
    assert_ne!(bits(7), bits(8));
}

#[test]
fn separated_components_are_told_apart_and_overlapping_ones_are_not() {
    let n_mistaken = |data: &Data| {
        let found = data.truth.as_ref().unwrap().predict(&data.rows());
        found
            .iter()
            .zip(&data.labels)
            .filter(|(a, b)| a != b)
            .count()
    };
    // Means 10 standard deviations apart: a mistake is an event of 5 standard deviations.
    assert_eq!(n_mistaken(&data::separated(1, 2000, 2, 3)), 0);
    // Means 2 apart on a line: one row in six is on the wrong side of the middle.
    let mistaken = n_mistaken(&data::overlapping(1, 2000, 1, 2));
    assert!((200..450).contains(&mistaken), "{mistaken}");
}

#[test]
fn weights_of_unbalanced_components_fall_by_the_ratio() {
    let truth = data::unbalanced(1, 1, 2, 4, 0.1).truth.unwrap();
    assert_close(truth.weights.iter().sum(), 1.0, 8.0 * f64::EPSILON);
    for pair in truth.weights.windows(2) {
        assert_close(pair[1] / pair[0], 0.1, 8.0 * f64::EPSILON);
    }
}

#[test]
fn cigars_have_their_aspect() {
    let truth = data::cigars(1, 1, 2, 20.0).truth.unwrap();
    let c = &truth.covariances[0];
    let (trace, determinant) = (c[0][0] + c[1][1], c[0][0] * c[1][1] - c[0][1] * c[1][0]);
    // Eigenvalues 400 and 1; the determinant is a difference of numbers near 4e4.
    assert_close(trace, 401.0, 8.0 * f64::EPSILON);
    assert_close(determinant, 400.0, 1e3 * f64::EPSILON);
    assert_eq!(truth.covariances[0], truth.covariances[1]);
    // The line from centre to centre is 6 long and across.
    let step: Vec<f64> = (0..2)
        .map(|j| truth.means[1][j] - truth.means[0][j])
        .collect();
    assert_close(step[0] * 0.6 + step[1] * 0.8, 0.0, 8.0 * f64::EPSILON);
    assert_close(step[0].hypot(step[1]), 6.0, 8.0 * f64::EPSILON);
}

#[test]
fn moved_data_move_their_truth() {
    let plain = data::separated(3, 50, 2, 2);
    let moved = plain.moved(4.0, 1024.0);
    let log_density = plain.truth.as_ref().unwrap().log_density(&plain.rows());
    let after = moved.truth.as_ref().unwrap().log_density(&moved.rows());
    for (before, after) in log_density.iter().zip(after) {
        // x + 1024 rounds by 2^-43 at a standard deviation of 4, at distances of some 10 of these.
        assert_close(after, before - 2.0 * 4f64.ln(), 2f64.powi(-38));
    }
}

#[test]
fn duplicated_rows_repeat() {
    let data = data::duplicated(1, 17, 2, 2, 5);
    let rows = data.rows();
    assert_eq!((rows.len(), data.labels.len()), (17, 17));
    assert!((0..17).all(|i| rows[i] == rows[i % 5]));
    assert!((1..5).all(|i| rows[i] != rows[0]));
}

#[test]
fn the_last_of_collinear_columns_is_twice_the_first() {
    let data = data::collinear(1, 30, 3, 2);
    assert_eq!(data.x.ncols(), 3);
    assert!(
        data.rows()
            .iter()
            .all(|row| row[2].to_bits() == (2.0 * row[0]).to_bits())
    );
}

#[test]
fn an_integer_grid_has_every_point_once() {
    let rows = data::integer_grid(3, 2).rows();
    assert_eq!(rows.len(), 9);
    assert_eq!(rows[0], [0.0, 0.0]);
    assert_eq!(rows[1], [0.0, 1.0]);
    assert_eq!(rows[5], [1.0, 2.0]);
    assert_eq!(rows[8], [2.0, 2.0]);
    assert_eq!(data::integer_grid(2, 3).x.nrows(), 8);
}

#[test]
fn rounded_data_are_multiples_of_the_step() {
    let rounded = data::overlapping(1, 100, 2, 2).rounded(0.5);
    let rows = rounded.rows();
    assert!(
        rows.concat()
            .iter()
            .all(|value| (2.0 * value).fract().abs() <= 0.0)
    );
    let mut keys: Vec<Vec<u64>> = rows
        .iter()
        .map(|row| row.iter().map(|v| (v + 0.0).to_bits()).collect())
        .collect();
    keys.sort();
    keys.dedup();
    assert!(keys.len() < 100, "some rows are equal");
}
