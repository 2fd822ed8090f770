//! Densities, responsibilities, labels and distances against the textbook mixture, near the components and far from them.

use gmm_core::GaussianMixture;
use gmm_testkit::naive::{Form, Mixture, log_sum_exp, mahalanobis_squared};
use gmm_testkit::strategies;
use proptest::prelude::*;

use crate::{
    CONDITION, bits, joint_tolerance, matrix, mixture, mixture_of, mixture_with_rows,
    responsibility_tolerances, rows,
};

/// The same mixture with some weights 0; the first component keeps what the others lose.
fn with_dead_components(mut m: Mixture, dead: &[bool]) -> Mixture {
    for k in 1..m.n_components() {
        if dead[k % dead.len()] {
            m.weights[0] += m.weights[k];
            m.weights[k] = 0.0;
        }
    }
    m
}

/// δₖ of each row: see [`joint_tolerance`]. A component of weight 0 is right to the last bit.
pub(crate) fn joint_tolerances(m: &Mixture, row: &[f64], log_joint: &[f64]) -> Vec<f64> {
    (0..m.n_components())
        .map(|k| {
            if m.weights[k] == 0.0 {
                return 0.0;
            }
            let squared = mahalanobis_squared(row, &m.means[k], &m.covariances[k]);
            joint_tolerance(m.n_features(), CONDITION, squared, log_joint[k])
        })
        .collect()
}

proptest! {
    #[test]
    fn near_rows_have_the_textbook_values(
        (m, x) in mixture_with_rows(1..=6, 1..=4, 1..=30),
        dead in prop::collection::vec(prop::bool::weighted(0.2), 4),
    ) {
        let m = with_dead_components(m, &dead);
        let (model, table) = (mixture_of(&m), matrix(&x));
        let log_joint = rows(&model.log_joint(&table).unwrap());
        let log_density = model.log_density(&table).unwrap();
        let r = rows(&model.responsibilities(&table).unwrap());
        let squared = rows(&model.mahalanobis_squared(&table).unwrap());
        let labels = model.predict(&table).unwrap();
        let expected_joint = m.log_joint(&x);
        let expected_r = m.responsibilities(&x);
        for i in 0..x.len() {
            let deltas = joint_tolerances(&m, &x[i], &expected_joint[i]);
            for k in 0..m.n_components() {
                let (found, expected) = (log_joint[i][k], expected_joint[i][k]);
                if m.weights[k] == 0.0 {
                    prop_assert_eq!(found, f64::NEG_INFINITY);
                    prop_assert_eq!(r[i][k].to_bits(), 0);
                } else {
                    prop_assert!((found - expected).abs() <= deltas[k], "{found} {expected}");
                }
                let distance = mahalanobis_squared(&x[i], &m.means[k], &m.covariances[k]);
                let tolerance = 2.0 * joint_tolerance(m.n_features(), CONDITION, distance, 0.0);
                prop_assert!((squared[i][k] - distance).abs() <= tolerance);
            }
            // A log-density is off by the mean of the δₖ under the responsibilities, to first order.
            let delta: f64 = expected_r[i].iter().zip(&deltas).map(|(r, d)| r * d).sum();
            let expected = log_sum_exp(&expected_joint[i]);
            prop_assert!((log_density[i] - expected).abs() <= 2.0 * delta + 8.0 * f64::EPSILON * expected.abs());
            // The density is the sum of the joint densities that come with it, to the rounding of their size.
            let size = log_density[i].abs() + m.n_components() as f64;
            prop_assert!((log_density[i] - log_sum_exp(&log_joint[i])).abs() <= 4.0 * f64::EPSILON * size);
            let tolerances = responsibility_tolerances(&expected_r[i], &deltas);
            for k in 0..m.n_components() {
                prop_assert!((r[i][k] - expected_r[i][k]).abs() <= tolerances[k], "{} {}", r[i][k], expected_r[i][k]);
            }
            let total: f64 = r[i].iter().sum();
            prop_assert!((total - 1.0).abs() <= (m.n_components() + 1) as f64 * f64::EPSILON);
            // The first of the largest.
            let best = (0..r[i].len()).fold(0, |best, k| if r[i][k] > r[i][best] { k } else { best });
            prop_assert_eq!(labels[i], best);
        }
        // The whole is the weighted sum of its rows.
        let total: f64 = log_density.iter().sum();
        let size: f64 = log_density.iter().map(|l| l.abs()).sum();
        let log_likelihood = model.log_likelihood(&table).unwrap();
        prop_assert!((log_likelihood - total).abs() <= x.len() as f64 * f64::EPSILON * size);
        let mean = model.mean_log_likelihood(&table).unwrap();
        prop_assert!((mean * x.len() as f64 - log_likelihood).abs() <= 2.0 * f64::EPSILON * log_likelihood.abs());
    }

    #[test]
    fn far_rows_have_values_too(
        m in mixture(1..=6, 1..=4),
        dead in prop::collection::vec(prop::bool::weighted(0.2), 4),
        values in prop::collection::vec(
            prop_oneof![
                (-320.0..300.0, any::<bool>()).prop_map(|(e, sign): (f64, bool)| 10f64.powf(e) * if sign { 1.0 } else { -1.0 }),
                strategies::finite_edge_value(),
            ],
            1..=60,
        ),
    ) {
        let m = with_dead_components(m, &dead);
        let d = m.n_features();
        let x: Vec<Vec<f64>> = (0..values.len()).map(|i| (0..d).map(|j| values[(i * 7 + j) % values.len()]).collect()).collect();
        let (model, table) = (mixture_of(&m), matrix(&x));
        let log_density = model.log_density(&table).unwrap();
        let log_joint = rows(&model.log_joint(&table).unwrap());
        let r = rows(&model.responsibilities(&table).unwrap());
        let squared = rows(&model.mahalanobis_squared(&table).unwrap());
        let labels = model.predict(&table).unwrap();
        for i in 0..x.len() {
            prop_assert!(log_density[i].is_finite() || log_density[i] == f64::NEG_INFINITY, "{:?}: {}", x[i], log_density[i]);
            prop_assert!(log_joint[i].iter().all(|l| l.is_finite() || *l == f64::NEG_INFINITY), "{:?}: {:?}", x[i], log_joint[i]);
            prop_assert!(squared[i].iter().all(|s| *s >= 0.0), "{:?}: {:?}", x[i], squared[i]);
            prop_assert!(r[i].iter().all(|r| (0.0..=1.0).contains(r)), "{:?}: {:?}", x[i], r[i]);
            let total: f64 = r[i].iter().sum();
            prop_assert!((total - 1.0).abs() <= (m.n_components() + 1) as f64 * f64::EPSILON, "{:?}: {:?}", x[i], r[i]);
            prop_assert!(m.weights[labels[i]] > 0.0);
            // A squared distance stays finite up to 1e300 or so: values of 1e145 over standard deviations of 0.03 or more.
            let is_near = x[i].iter().all(|v| v.abs() <= 1e145);
            prop_assert!(!is_near || log_density[i].is_finite(), "{:?}: {}", x[i], log_density[i]);
            let expected: Vec<f64> = (0..m.n_components())
                .map(|k| mahalanobis_squared(&x[i], &m.means[k], &m.covariances[k]))
                .collect();
            if is_near {
                for (found, expected) in squared[i].iter().zip(&expected) {
                    let tolerance = 2.0 * joint_tolerance(d, CONDITION, *expected, 0.0);
                    prop_assert!((found - expected).abs() <= tolerance, "{found} {expected}");
                }
            }
        }
    }
}

/// Two circles of different size: along any ray the wider one wins, however far.
#[test]
fn rows_beyond_all_densities_belong_to_the_component_of_the_ray() {
    let m = Mixture {
        form: Form::Spherical,
        weights: vec![0.3, 0.0, 0.3, 0.4],
        means: vec![vec![0.0, 0.0]; 4],
        covariances: [1.0, 100.0, 4.0, 2.0]
            .iter()
            .map(|v| vec![vec![*v, 0.0], vec![0.0, *v]])
            .collect(),
    };
    let model: GaussianMixture = mixture_of(&m);
    for far in [1e3, 1e100, 1e153, 1e160, 1e200, 1e308, f64::MAX] {
        let x = matrix(&[vec![far, -far], vec![0.0, far]]);
        assert_eq!(model.predict(&x).unwrap(), [2, 2], "{far:e}");
        let r = rows(&model.responsibilities(&x).unwrap());
        assert_eq!(bits(&r[0]), bits(&[0.0, 0.0, 1.0, 0.0]), "{far:e}");
        let log_density = model.log_density(&x).unwrap()[0];
        // (2e153)² / 4 / 2 is the last of these below 1.8e308.
        assert_eq!(log_density == f64::NEG_INFINITY, far > 1e154, "{far:e}");
    }
}

/// With one covariance for all, a far row belongs to the component whose mean lies furthest along its ray.
#[test]
fn rows_beyond_all_densities_of_a_tied_mixture() {
    let m = Mixture {
        form: Form::Tied,
        weights: vec![0.5, 0.5],
        means: vec![vec![-1.0, 0.0], vec![1.0, 0.0]],
        covariances: vec![vec![vec![2.0, 0.5], vec![0.5, 1.0]]; 2],
    };
    let model = mixture_of(&m);
    let x = matrix(&[vec![1e200, 0.0], vec![-1e200, 0.0]]);
    let r = rows(&model.responsibilities(&x).unwrap());
    // The means no longer show beside 1e200, so that any row of probabilities is right; it must be one.
    for row in &r {
        assert_eq!(row.iter().sum::<f64>().to_bits(), 1.0f64.to_bits());
    }
    assert_eq!(
        model.log_density(&x).unwrap(),
        [f64::NEG_INFINITY, f64::NEG_INFINITY]
    );
}

/// Means may lie as far out as rows: what counts is which of them is near.
#[test]
fn rows_beyond_all_densities_belong_to_the_mean_they_are_next_to() {
    let means = [vec![-1e300, 0.0], vec![1e300, 0.0], vec![0.0, 1e300]];
    let m = Mixture {
        form: Form::Spherical,
        weights: vec![0.25, 0.25, 0.5],
        means: means.to_vec(),
        covariances: vec![vec![vec![1.0, 0.0], vec![0.0, 1.0]]; 3],
    };
    let model = mixture_of(&m);
    let x = matrix(&[
        vec![-0.9e300, 1e299],
        vec![1.2e300, 0.0],
        vec![1e299, 0.8e300],
    ]);
    assert_eq!(model.predict(&x).unwrap(), [0, 1, 2]);
    let r = rows(&model.responsibilities(&x).unwrap());
    for (k, row) in r.iter().enumerate() {
        assert!(
            row.iter()
                .enumerate()
                .all(|(j, r)| *r == f64::from(u8::from(j == k)))
        );
    }
}

/// An outlier of 1e200 makes no other row worse: rows are independent, also within a block.
#[test]
fn an_outlier_leaves_its_neighbours_alone() {
    let m = Mixture {
        form: Form::Full,
        weights: vec![0.4, 0.6],
        means: vec![vec![0.0, 1.0], vec![3.0, -1.0]],
        covariances: vec![
            vec![vec![1.0, 0.3], vec![0.3, 2.0]],
            vec![vec![0.5, -0.1], vec![-0.1, 0.7]],
        ],
    };
    let model = mixture_of(&m);
    let x: Vec<Vec<f64>> = (0..300)
        .map(|i| vec![f64::from(i).sin(), f64::from(i).cos()])
        .collect();
    let mut spoilt = x.clone();
    spoilt[17] = vec![1e200, -1e200];
    let (a, b) = (
        model.log_density(&matrix(&x)).unwrap(),
        model.log_density(&matrix(&spoilt)).unwrap(),
    );
    assert_eq!(b[17], f64::NEG_INFINITY);
    for i in (0..300).filter(|i| *i != 17) {
        assert_eq!(a[i].to_bits(), b[i].to_bits());
    }
    let r = rows(&model.responsibilities(&matrix(&spoilt)).unwrap());
    assert_eq!(r[17].iter().sum::<f64>().to_bits(), 1.0f64.to_bits());
}
