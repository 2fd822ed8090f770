//! What must hold for any data.

use gmm_testkit::naive::{
    Form, Mixture, cholesky, em_from_responsibilities, em_step, hard_responsibilities,
    invert_lower, m_step, mahalanobis_squared, transpose, weighted_mean, weighted_scatter,
    whitened_squared_norms,
};
use gmm_testkit::oracle::metrics;
use gmm_testkit::{data, matrix, rows, strategies};
use proptest::prelude::*;

use crate::assert_close;

/// Sums of at most 12 terms, each of a few roundings.
const TOLERANCE: f64 = 64.0 * f64::EPSILON;

proptest! {
    #[test]
    fn responsibilities_are_the_joint_over_the_density(
        mixture in strategies::mixture(Form::Full, 1..=4, 1..=4, 100.0),
        seed in 0..1000u64,
    ) {
        let x = data::draw(&mixture, 8, seed).rows();
        let joint = mixture.log_joint(&x);
        let density = mixture.log_density(&x);
        for (i, r) in mixture.responsibilities(&x).iter().enumerate() {
            assert_close(r.iter().sum(), 1.0, TOLERANCE);
            for k in 0..r.len() {
                // exp turns the rounding of a logarithm into a relative error. Where r is not 0, the joint is at most 745 below
                // the density, and a row that was drawn has a density that is no smaller than e^-100.
                assert_close(r[k], (joint[i][k] - density[i]).exp(), 1000.0 * TOLERANCE);
            }
        }
    }

    #[test]
    fn the_forms_of_an_m_step_are_projections_of_the_full_one(
        (x, r) in strategies::table_with_responsibilities(1..=12, 1..=4, 1..=3),
    ) {
        let step = |form| m_step(form, &x, &r, None).mixture;
        let full = step(Form::Full);
        let (d, k) = (full.n_features(), full.n_components());
        for i in 0..d {
            for j in 0..d {
                let pooled: f64 =
                    (0..k).map(|k| full.weights[k] * full.covariances[k][i][j]).sum();
                // Entries are below 100, since the values are from -10 to 10.
                assert_close(step(Form::Tied).covariances[0][i][j], pooled, 100.0 * TOLERANCE);
            }
        }
        for k in 0..k {
            let own = &full.covariances[k];
            let trace: f64 = (0..d).map(|i| own[i][i]).sum();
            for (i, row) in own.iter().enumerate() {
                prop_assert_eq!(step(Form::Diag).covariances[k][i][i].to_bits(), row[i].to_bits());
                assert_close(step(Form::Spherical).covariances[k][i][i], trace / d as f64, TOLERANCE);
            }
        }
    }

    #[test]
    fn whole_sample_weights_are_repeated_rows(
        (x, r) in strategies::table_with_responsibilities(2..=6, 1..=3, 1..=3),
    ) {
        let times = |i: usize| i % 3;
        let weights: Vec<f64> = (0..x.len()).map(|i| times(i) as f64).collect();
        let repeated = |table: &[Vec<f64>]| -> Vec<Vec<f64>> {
            (0..table.len()).flat_map(|i| vec![table[i].clone(); times(i)]).collect()
        };
        for form in Form::ALL {
            let weighted = m_step(form, &x, &r, Some(&weights));
            let plain = m_step(form, &repeated(&x), &repeated(&r), None);
            assert_close_mixtures(&weighted.mixture, &plain.mixture, 100.0 * TOLERANCE);
            prop_assert!(metrics::relative(&weighted.occupancy, &plain.occupancy) <= TOLERANCE);
        }
    }

    #[test]
    fn scaling_by_a_power_of_two_rounds_nothing(
        (x, r) in strategies::table_with_responsibilities(1..=8, 1..=3, 1..=3),
        scale in strategies::power_of_two(-300..=300),
    ) {
        let other = scaled(&x, scale);
        for form in Form::ALL {
            let mut plain = m_step(form, &x, &r, None).mixture;
            plain.means.iter_mut().flatten().for_each(|v| *v *= scale);
            plain.covariances.iter_mut().flatten().flatten().for_each(|v| *v *= scale * scale);
            prop_assert_eq!(m_step(form, &other, &r, None).mixture, plain);
        }
    }

    #[test]
    fn an_almost_empty_component_has_the_moments_of_a_full_one(
        (x, r) in strategies::table_with_responsibilities(1..=8, 1..=3, 1..=3),
    ) {
        // Occupancies of 1e-304 and values of 1e-29: even the products with a value would be subnormal.
        let small = scaled(&x, 2f64.powi(-100));
        let starved = scaled(&r, 2f64.powi(-1010));
        for form in Form::ALL {
            let plain = m_step(form, &small, &r, None);
            prop_assert_eq!(m_step(form, &small, &starved, None).mixture, plain.mixture);
        }
    }

    #[test]
    fn permuted_rows_change_sums_by_rounding_only(
        (x, r, order) in strategies::table_with_responsibilities(1..=12, 1..=3, 1..=3)
            .prop_flat_map(|(x, r)| { let n = x.len(); (Just(x), Just(r), strategies::permutation(n)) }),
    ) {
        let permuted = |table: &[Vec<f64>]| -> Vec<Vec<f64>> {
            order.iter().map(|&i| table[i].clone()).collect()
        };
        let plain = m_step(Form::Full, &x, &r, None);
        let other = m_step(Form::Full, &permuted(&x), &permuted(&r), None);
        assert_close_mixtures(&other.mixture, &plain.mixture, 100.0 * TOLERANCE);
    }

    #[test]
    fn whitened_norms_are_mahalanobis_distances(
        (covariance, x) in (1..=6usize).prop_flat_map(|d| (
            strategies::positive_definite(d, 1e3),
            strategies::table(1..=5, d..=d),
        )),
    ) {
        let mean = vec![0.5; covariance.len()];
        let w = invert_lower(&cholesky(&covariance).unwrap());
        let centred: Vec<Vec<f64>> =
            x.iter().map(|row| row.iter().map(|v| v - 0.5).collect()).collect();
        let squared = whitened_squared_norms(&w, &transpose(&centred));
        for (row, q) in x.iter().zip(squared) {
            // Both go through L with a condition of √1000; the error is relative to the norm that it could have.
            let bound = centred_norm(row) * 1e3;
            let c = mahalanobis_squared(row, &mean, &covariance);
            prop_assert!((q - c).abs() <= 1000f64.sqrt() * TOLERANCE * bound.max(1.0), "{q} {c}");
        }
    }

    #[test]
    fn the_scatter_kernel_makes_the_m_steps_covariances(
        (x, r) in strategies::table_with_responsibilities(1..=12, 1..=4, 1..=2),
    ) {
        let full = m_step(Form::Full, &x, &r, None);
        let mixture = &full.mixture;
        for k in 0..mixture.n_components() {
            let column: Vec<f64> = r.iter().map(|r| r[k]).collect();
            for (q, c) in weighted_mean(&transpose(&x), &column).iter().zip(&mixture.means[k]) {
                assert_close(*q, *c, 10.0 * TOLERANCE);
            }
            let centred: Vec<Vec<f64>> = x
                .iter()
                .map(|row| row.iter().zip(&mixture.means[k]).map(|(x, mean)| x - mean).collect())
                .collect();
            let scatter = weighted_scatter(&transpose(&centred), &column);
            for (q, c) in scatter.concat().iter().zip(mixture.covariances[k].concat()) {
                assert_close(q / full.occupancy[k], c, 100.0 * TOLERANCE);
            }
            prop_assert_eq!(&transpose(&scatter), &scatter);
        }
    }

    #[test]
    fn blocks_keep_what_the_form_stores(
        form in prop::sample::select(Form::ALL.to_vec()),
        seed in 0..1000u64,
    ) {
        let x = data::overlapping(seed, 30, 3, 2).rows();
        let r = hard_responsibilities(&(0..30).map(|i| i % 2).collect::<Vec<_>>(), 2);
        let mixture = m_step(form, &x, &r, None).mixture;
        let again = Mixture::from_blocks(form, &mixture.weights, &mixture.means, &mixture.blocks());
        prop_assert_eq!(again, mixture);
    }

    #[test]
    fn rows_and_matrices_convert_to_and_fro(x in strategies::table(0..=5, 1..=5)) {
        prop_assert_eq!(rows(matrix(&x).as_ref()), x);
    }
}

/// 10 distinct seeds of data on which nothing collapses: 60 rows for two components in 2 dimensions.
#[test]
fn em_never_loses_likelihood() {
    for seed in 0..10 {
        let data = data::overlapping(seed, 60, 2, 2);
        let x = data.rows();
        let sample_weights: Vec<f64> = (0..60).map(|i| 0.5 + f64::from(i % 4)).collect();
        let r = hard_responsibilities(&data.labels, 2);
        for form in Form::ALL {
            for weights in [None, Some(sample_weights.as_slice())] {
                let run = em_from_responsibilities(form, &r, &x, weights, 1e-13, 1000).unwrap();
                for pair in run.trace.windows(2) {
                    let rounding = TOLERANCE * pair[1].abs();
                    assert!(
                        pair[1] >= pair[0] - rounding,
                        "{form}, seed {seed}: {pair:?}"
                    );
                }
                // Gains shrink as EM converges, so that one more is below the tolerance too, but for rounding.
                assert!(run.is_converged);
                let next = em_step(&run.mixture, &x, weights).mixture;
                let gain = next.log_likelihood(&x, weights) - run.log_likelihood();
                assert!(gain.abs() <= 2e-13 * (1.0 + run.log_likelihood().abs()));
            }
        }
    }
}

fn scaled(table: &[Vec<f64>], scale: f64) -> Vec<Vec<f64>> {
    let times = |row: &Vec<f64>| row.iter().map(|value| value * scale).collect();
    table.iter().map(times).collect()
}

/// ‖x - 0.5‖².
fn centred_norm(row: &[f64]) -> f64 {
    row.iter().map(|v| (v - 0.5) * (v - 0.5)).sum()
}

#[track_caller]
fn assert_close_mixtures(q: &Mixture, c: &Mixture, tolerance: f64) {
    assert!(metrics::log_values(&q.weights, &c.weights) <= tolerance);
    assert!(metrics::log_values(&q.means.concat(), &c.means.concat()) <= tolerance);
    let flat = |mixture: &Mixture| mixture.covariances.concat().concat();
    assert!(metrics::log_values(&flat(q), &flat(c)) <= tolerance);
}
