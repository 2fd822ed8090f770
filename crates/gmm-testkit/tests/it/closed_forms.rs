//! Values that a person can work out.

use gmm_testkit::naive::{
    Form, Mixture, cholesky, em, hard_responsibilities, invert_lower, log_determinant,
    log_gaussian, log_sum_exp, m_step, mahalanobis_squared, product, softmax, solve_lower,
};

use crate::assert_close;

/// A few roundings.
const TOLERANCE: f64 = 8.0 * f64::EPSILON;

/// |Σ| = 16 and Σ⁻¹ = [[5, -2], [-2, 4]] / 16.
fn small_covariance() -> Vec<Vec<f64>> {
    vec![vec![4.0, 2.0], vec![2.0, 5.0]]
}

fn line(weights: &[f64], means: &[f64], variance: f64) -> Mixture {
    Mixture {
        form: Form::Tied,
        weights: weights.to_vec(),
        means: means.iter().map(|mean| vec![*mean]).collect(),
        covariances: vec![vec![vec![variance]]; means.len()],
    }
}

#[test]
fn the_cholesky_factor_of_a_small_matrix() {
    let l = cholesky(&small_covariance()).unwrap();
    assert_eq!(l, [[2.0, 0.0], [1.0, 2.0]]);
    assert_close(log_determinant(&l), 16f64.ln(), TOLERANCE);
    assert_eq!(solve_lower(&l, &[2.0, 1.0]), [1.0, 0.0]);
    assert_eq!(invert_lower(&l), [[0.5, 0.0], [-0.25, 0.5]]);
    assert_eq!(product(&l, &invert_lower(&l)), [[1.0, 0.0], [0.0, 1.0]]);
}

#[test]
fn only_a_positive_definite_matrix_has_a_cholesky_factor() {
    assert!(cholesky(&[vec![1.0, 1.0], vec![1.0, 1.0]]).is_none());
    assert!(cholesky(&[vec![0.0]]).is_none());
    assert!(cholesky(&[vec![-1.0]]).is_none());
    assert!(cholesky(&[vec![f64::NAN]]).is_none());
    assert!(cholesky(&[vec![f64::INFINITY]]).is_none());
    assert!(cholesky(&[vec![f64::MIN_POSITIVE]]).is_some());
}

#[test]
fn the_density_of_a_gaussian() {
    let at_the_mean = log_gaussian(&[0.0], &[0.0], &[vec![1.0]]);
    assert_close(at_the_mean, -0.918_938_533_204_672_8, TOLERANCE);
    let (x, mean, covariance) = ([3.0, 1.0], [1.0, 0.0], small_covariance());
    // (5 * 2 * 2 - 2 * 2 * 2 * 1 + 4 * 1 * 1) / 16.
    assert_close(mahalanobis_squared(&x, &mean, &covariance), 1.0, TOLERANCE);
    let expected = -0.5 * (2.0 * std::f64::consts::TAU.ln() + 16f64.ln() + 1.0);
    assert_close(log_gaussian(&x, &mean, &covariance), expected, TOLERANCE);
}

#[test]
fn a_distance_that_overflows_is_infinite_and_not_nan() {
    let far = [1e200, 1e200];
    let squared = mahalanobis_squared(&far, &[0.0, 0.0], &small_covariance());
    assert_eq!(squared.to_bits(), f64::INFINITY.to_bits());
    // Here z overflows itself, 1e308 / 1e-10, and the next coordinate is 0 times infinity.
    let thin = vec![vec![1e-20, 0.0], vec![0.0, 1e-20]];
    let squared = mahalanobis_squared(&[1e308, 1e308], &[0.0, 0.0], &thin);
    assert_eq!(squared.to_bits(), f64::INFINITY.to_bits());
    assert!(mahalanobis_squared(&[f64::NAN, 0.0], &[0.0, 0.0], &thin).is_nan());
}

#[test]
fn sums_of_exponentials_far_from_zero() {
    assert_close(log_sum_exp(&[0.0, 0.0]), 2f64.ln(), TOLERANCE);
    assert_close(
        log_sum_exp(&[-1000.0, -1000.0]),
        2f64.ln() - 1000.0,
        TOLERANCE,
    );
    assert_close(log_sum_exp(&[1000.0, f64::NEG_INFINITY]), 1000.0, TOLERANCE);
    let nothing = f64::NEG_INFINITY.to_bits();
    assert_eq!(log_sum_exp(&[]).to_bits(), nothing);
    assert_eq!(log_sum_exp(&[f64::NEG_INFINITY; 2]).to_bits(), nothing);
    assert_eq!(softmax(&[-1000.0, -1000.0]), [0.5, 0.5]);
    assert_eq!(softmax(&[f64::NEG_INFINITY; 2]), [0.0, 0.0]);
}

#[test]
fn two_equal_variances_make_the_logistic_function() {
    let mixture = line(&[0.5, 0.5], &[-1.0, 3.0], 4.0);
    for x in [-7.0, 0.0, 1.0, 2.5, 30.0] {
        // (μ₂ - μ₁) / σ² times the distance from the middle, which is 1.
        let expected = 1.0 / (1.0 + (-(x - 1.0f64)).exp());
        let r = mixture.responsibilities(&[vec![x]]);
        assert_close(r[0][1], expected, TOLERANCE);
        assert_close(r[0][0] + r[0][1], 1.0, TOLERANCE);
        let log_r = mixture.log_responsibilities(&[vec![x]]);
        assert_close(log_r[0][1], expected.ln(), 32.0 * TOLERANCE);
    }
    assert_eq!(
        mixture.predict(&[vec![0.9], vec![1.0], vec![1.1]]),
        [0, 0, 1]
    );
}

#[test]
fn a_component_of_weight_zero_is_not_there() {
    let with = line(&[0.0, 1.0], &[0.0, 1.0], 1.0);
    let without = line(&[1.0], &[1.0], 1.0);
    let x = [vec![0.0], vec![2.0]];
    assert_eq!(with.log_density(&x), without.log_density(&x));
    assert_eq!(with.responsibilities(&x), [[0.0, 1.0], [0.0, 1.0]]);
    assert_eq!(with.log_responsibilities(&x)[0], [f64::NEG_INFINITY, 0.0]);
}

#[test]
fn a_row_of_weight_zero_does_not_count_even_at_minus_infinity() {
    let mixture = line(&[1.0], &[0.0], 1.0);
    let x = [vec![0.0], vec![1e200]];
    let weighted = mixture.log_likelihood(&x, Some(&[2.0, 0.0]));
    assert_close(weighted, 2.0 * -0.918_938_533_204_672_8, TOLERANCE);
    let all = mixture.log_likelihood(&x, None);
    assert_eq!(all.to_bits(), f64::NEG_INFINITY.to_bits());
}

#[test]
fn an_m_step_by_hand() {
    let x = [vec![0.0, 0.0], vec![2.0, 4.0], vec![10.0, 1.0]];
    let r = hard_responsibilities(&[0, 0, 1], 2);
    let full = m_step(Form::Full, &x, &r, None);
    assert_eq!(full.occupancy, [2.0, 1.0]);
    assert_close(full.mixture.weights[0], 2.0 / 3.0, TOLERANCE);
    assert_eq!(full.mixture.means, [[1.0, 2.0], [10.0, 1.0]]);
    assert_eq!(full.mixture.blocks(), [[1.0, 2.0, 2.0, 4.0], [0.0; 4]]);
    let blocks = |form: Form| m_step(form, &x, &r, None).mixture.blocks();
    assert_eq!(blocks(Form::Diag), [[1.0, 4.0], [0.0, 0.0]]);
    assert_eq!(blocks(Form::Spherical), [[2.5], [0.0]]);
    // Two thirds of the first, nothing of the second.
    let tied = blocks(Form::Tied).concat();
    for (q, c) in tied
        .iter()
        .zip([2.0 / 3.0, 4.0 / 3.0, 4.0 / 3.0, 8.0 / 3.0])
    {
        assert_close(*q, c, TOLERANCE);
    }
}

#[test]
fn a_component_without_rows_has_no_mean_and_spoils_no_other() {
    let x = [vec![0.0], vec![2.0]];
    let r = hard_responsibilities(&[0, 0], 2);
    for form in Form::ALL {
        let step = m_step(form, &x, &r, None);
        assert_eq!(step.occupancy, [2.0, 0.0]);
        assert_eq!(step.mixture.weights, [1.0, 0.0]);
        assert_eq!(step.mixture.means[0], [1.0]);
        assert!(step.mixture.means[1][0].is_nan(), "{form}");
        assert_eq!(step.mixture.covariances[0], [[1.0]], "{form}");
    }
}

#[test]
fn em_of_one_component_is_done_after_one_step() {
    let x = [vec![1.0], vec![2.0], vec![6.0]];
    let run = em(&line(&[1.0], &[0.0], 1.0), &x, None, 1e-13, 100).unwrap();
    assert!(run.is_converged);
    assert_eq!(run.n_iterations(), 2);
    assert_close(run.mixture.means[0][0], 3.0, TOLERANCE);
    assert_close(run.mixture.covariances[0][0][0], 14.0 / 3.0, TOLERANCE);
    let expected = -1.5 * ((std::f64::consts::TAU * 14.0 / 3.0).ln() + 1.0);
    assert_close(run.log_likelihood(), expected, TOLERANCE);
}

#[test]
fn em_ends_where_a_covariance_collapses() {
    // The second component takes the one far row for itself: its variance becomes 0.
    let x = [vec![0.0], vec![1.0], vec![1000.0]];
    assert!(em(&line(&[0.5, 0.5], &[0.0, 1000.0], 1.0), &x, None, 1e-13, 10).is_some());
    let mut diag = line(&[0.5, 0.5], &[0.0, 1000.0], 1.0);
    diag.form = Form::Diag;
    assert!(em(&diag, &x, None, 1e-13, 10).is_none());
}

#[test]
fn names_and_counts_of_the_forms() {
    for form in Form::ALL {
        assert_eq!(Form::from_name(form.name()), Some(form));
        assert_eq!(Form::from_name(form.mclust_name()), Some(form));
        assert_eq!(form.to_string(), form.name());
    }
    assert_eq!(Form::from_name("VVE"), None);
    let counts = Form::ALL.map(|form| form.n_free_parameters(3, 4));
    // 12 means and 2 weights, and 3 x 10, 10, 3 x 4, 3 numbers of covariances.
    assert_eq!(counts, [44, 24, 26, 17]);
}
