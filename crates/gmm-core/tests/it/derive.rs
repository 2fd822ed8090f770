//! What a mixture implies: marginals, conditionals, its mean and covariance, other ways to write it.

use gmm_core::faer::Mat;
use gmm_core::{CovarianceType, GaussianMixture};
use gmm_testkit::naive::{Form, Mixture, log_sum_exp, mahalanobis_squared};
use gmm_testkit::{data, strategies};
use proptest::prelude::*;

use crate::{
    CONDITION, bits, form_of, joint_tolerance, matrix, mixture, mixture_of, mixture_with_rows, rows,
};

const EPS: f64 = f64::EPSILON;

/// By how much log p(x) may differ between two ways to compute it: the largest tolerance of a joint density, since a log-sum-exp
/// magnifies nothing.
fn density_tolerance(m: &Mixture, row: &[f64]) -> f64 {
    let joint = &m.log_joint(&[row.to_vec()])[0];
    let largest = log_sum_exp(joint);
    (0..m.n_components())
        // A component that is e^-40 of the largest adds less than rounding.
        .filter(|k| joint[*k] > largest - 40.0)
        .map(|k| {
            let squared = mahalanobis_squared(row, &m.means[k], &m.covariances[k]);
            joint_tolerance(m.n_features(), CONDITION, squared, joint[k])
        })
        .fold(0.0, f64::max)
}

/// Whether the weights of a conditional can hold what they should: below e^-708 a weight is 0, though its component may be the
/// one that explains the other features best.
fn is_representable(m: &Mixture, row: &[f64], known: &[usize]) -> bool {
    let part = |v: &[f64]| -> Vec<f64> { known.iter().map(|j| v[*j]).collect() };
    let marginal = Mixture {
        means: m.means.iter().map(|mean| part(mean)).collect(),
        covariances: (m.covariances.iter())
            .map(|c| known.iter().map(|i| part(&c[*i])).collect())
            .collect(),
        ..m.clone()
    };
    let log_weights = &marginal.log_responsibilities(&[part(row)])[0];
    log_weights.iter().all(|log_weight| *log_weight > -700.0)
}

fn one_row(values: &[f64]) -> Mat<f64> {
    Mat::from_fn(1, values.len(), |_, j| values[j])
}

fn log_density(model: &GaussianMixture, row: &[f64]) -> f64 {
    model.log_density(&one_row(row)).unwrap()[0]
}

/// A mixture, rows, and a proper part of its features in some order.
fn with_features() -> impl Strategy<Value = (Mixture, Vec<Vec<f64>>, Vec<usize>)> {
    mixture_with_rows(2..=6, 1..=4, 1..=8).prop_flat_map(|(m, x)| {
        let d = m.n_features();
        (Just(m), Just(x), strategies::permutation(d), 1..d)
            .prop_map(|(m, x, order, n)| (m, x, order[..n].to_vec()))
    })
}

proptest! {
    #[test]
    fn a_marginal_has_the_parameters_of_its_features((m, x, features) in with_features()) {
        let model = mixture_of(&m);
        let marginal = model.marginal(&features).unwrap();
        prop_assert_eq!(marginal.covariance_type(), model.covariance_type());
        prop_assert_eq!(bits(marginal.weights()), bits(&m.weights));
        let part = |row: &[f64]| -> Vec<f64> { features.iter().map(|j| row[*j]).collect() };
        let expected = Mixture {
            means: m.means.iter().map(|mean| part(mean)).collect(),
            covariances: m
                .covariances
                .iter()
                .map(|c| features.iter().map(|i| part(&c[*i])).collect())
                .collect(),
            ..m.clone()
        };
        prop_assert_eq!(&rows(&marginal.means().to_owned()), &expected.means);
        for k in 0..m.n_components() {
            prop_assert_eq!(&rows(&marginal.covariances().component(k)), &expected.covariances[k]);
        }
        // The overall moments are those of the features.
        prop_assert_eq!(bits(&marginal.mean()), bits(&part(&model.mean())));
        let (part_of, whole) = (marginal.covariance(), model.covariance());
        for (a, i) in features.iter().enumerate() {
            for (b, j) in features.iter().enumerate() {
                prop_assert_eq!(part_of[(a, b)].to_bits(), whole[(*i, *j)].to_bits());
            }
        }
        // And its densities are those of that mixture.
        for row in &x {
            let row = part(row);
            let found = log_density(&marginal, &row);
            let difference = (found - expected.log_density(std::slice::from_ref(&row))[0]).abs();
            prop_assert!(difference <= 2.0 * density_tolerance(&expected, &row), "{difference:e}");
        }
    }

    #[test]
    fn all_features_in_order_are_the_mixture_itself(m in mixture(1..=6, 1..=4)) {
        let model = mixture_of(&m);
        let all: Vec<usize> = (0..m.n_features()).collect();
        prop_assert_eq!(&model.marginal(&all).unwrap(), &model);
    }

    #[test]
    fn a_marginal_of_a_marginal_is_a_marginal((m, _, features) in with_features()) {
        let model = mixture_of(&m);
        let first = features[0];
        let via = model.marginal(&features).unwrap().marginal(&[0]).unwrap();
        prop_assert_eq!(via, model.marginal(&[first]).unwrap());
    }

    /// log p(a | b) + log p(b) = log p(a, b).
    #[test]
    fn conditionals_obey_bayes((m, x, known) in with_features()) {
        let model = mixture_of(&m);
        let d = m.n_features();
        let rest: Vec<usize> = (0..d).filter(|j| !known.contains(j)).collect();
        let marginal = model.marginal(&known).unwrap();
        for row in x.iter().filter(|row| is_representable(&m, row, &known)) {
            let given: Vec<(usize, f64)> = known.iter().map(|j| (*j, row[*j])).collect();
            let conditional = model.conditional(&given).unwrap();
            prop_assert_eq!(conditional.covariance_type(), model.covariance_type());
            prop_assert_eq!(conditional.n_features(), rest.len());
            let part = |features: &[usize]| -> Vec<f64> { features.iter().map(|j| row[*j]).collect() };
            let parts = log_density(&conditional, &part(&rest)) + log_density(&marginal, &part(&known));
            let whole = log_density(&model, row);
            // Three densities; the conditional covariance is a difference, whose error relative to what is left is that of a
            // Cholesky factor again.
            let tolerance = 4.0 * density_tolerance(&m, row) + 8.0 * EPS * (parts.abs() + whole.abs());
            prop_assert!((parts - whole).abs() <= tolerance, "{parts} {whole}, {tolerance:e}");
            // The order in which values are given means nothing but rounding.
            let reversed: Vec<(usize, f64)> = given.iter().rev().copied().collect();
            let again = log_density(&model.conditional(&reversed).unwrap(), &part(&rest));
            prop_assert!((again + log_density(&marginal, &part(&known)) - whole).abs() <= tolerance);
        }
    }

    /// Conditioning on one feature after the other is conditioning on both.
    #[test]
    fn conditioning_can_be_done_in_steps((m, x) in mixture_with_rows(3..=5, 1..=3, 1..=4)) {
        let model = mixture_of(&m);
        for row in x.iter().filter(|row| is_representable(&m, row, &[0]) && is_representable(&m, row, &[0, 2])) {
            let both = model.conditional(&[(0, row[0]), (2, row[2])]).unwrap();
            // Feature 2 of the mixture is feature 1 of what is left without feature 0.
            let steps = model.conditional(&[(0, row[0])]).unwrap().conditional(&[(1, row[2])]).unwrap();
            let rest: Vec<f64> = (0..row.len()).filter(|j| *j != 0 && *j != 2).map(|j| row[j]).collect();
            let (a, b) = (log_density(&both, &rest), log_density(&steps, &rest));
            prop_assert!((a - b).abs() <= 8.0 * density_tolerance(&m, row) + 8.0 * EPS * a.abs(), "{a} {b}");
        }
    }

    /// E[x] = Σ πₖ μₖ and Cov[x] = Σ πₖ (Σₖ + (μₖ - μ)(μₖ - μ)').
    #[test]
    fn overall_moments_are_those_of_the_definition(m in mixture(1..=6, 1..=4)) {
        let model = mixture_of(&m);
        let (k, d) = (m.n_components(), m.n_features());
        let mean: Vec<f64> = (0..d).map(|j| (0..k).map(|c| m.weights[c] * m.means[c][j]).sum()).collect();
        // Means are at most 10 in size; sums of K terms, once about the first mean and once about 0.
        let rounding = 4.0 * (k as f64 + 2.0) * EPS;
        for (found, expected) in model.mean().iter().zip(&mean) {
            prop_assert!((found - expected).abs() <= 10.0 * rounding);
        }
        let covariance = model.covariance();
        for i in 0..d {
            for j in 0..d {
                let between = |c: usize| (m.means[c][i] - mean[i]) * (m.means[c][j] - mean[j]);
                let expected: f64 = (0..k).map(|c| m.weights[c] * (m.covariances[c][i][j] + between(c))).sum();
                // Differences of means are at most 20, off by 10 times the rounding above each.
                prop_assert!((covariance[(i, j)] - expected).abs() <= 1000.0 * rounding);
                prop_assert_eq!(covariance[(i, j)].to_bits(), covariance[(j, i)].to_bits());
            }
        }
    }

    #[test]
    fn written_as_full_it_is_the_same_distribution((m, x) in mixture_with_rows(1..=5, 1..=4, 1..=10)) {
        let model = mixture_of(&m);
        let full = model.to_full().unwrap();
        prop_assert_eq!(full.covariance_type(), CovarianceType::Full);
        for k in 0..m.n_components() {
            prop_assert_eq!(rows(&full.covariances().component(k)), rows(&model.covariances().component(k)));
        }
        prop_assert_eq!(full.mean(), model.mean());
        for row in &x {
            let (a, b) = (log_density(&model, row), log_density(&full, row));
            prop_assert!((a - b).abs() <= density_tolerance(&m, row), "{a} {b}");
        }
        // A full mixture is itself.
        prop_assert_eq!(&full.to_full().unwrap(), &full);
        if m.form == Form::Full {
            prop_assert_eq!(&full, &model);
        }
    }

    /// log p(x | component) + log P(component) of the components that were selected, about their total.
    #[test]
    fn selected_components_keep_their_proportions(
        (m, x) in mixture_with_rows(1..=4, 2..=4, 1..=8),
        keep in prop::collection::vec(any::<bool>(), 4),
    ) {
        let model = mixture_of(&m);
        let kept: Vec<usize> = (0..m.n_components()).filter(|k| keep[*k]).collect();
        prop_assume!(!kept.is_empty());
        let selected = model.select(&kept).unwrap();
        let total: f64 = kept.iter().map(|k| m.weights[*k]).sum();
        let sum: f64 = selected.weights().iter().sum();
        prop_assert!((sum - 1.0).abs() <= m.n_components() as f64 * EPS, "{sum}");
        let (part, whole) = (selected.log_joint(&matrix(&x)).unwrap(), model.log_joint(&matrix(&x)).unwrap());
        for i in 0..x.len() {
            for (at, k) in kept.iter().enumerate() {
                let expected = whole[(i, *k)] - total.ln();
                // A logarithm, a division and the sum of two sizes; the power of two that is kept apart is another one.
                let size = whole[(i, *k)].abs() + 2.0 * m.n_features() as f64 + 10.0;
                prop_assert!((part[(i, at)] - expected).abs() <= 16.0 * EPS * size);
            }
        }
    }

    #[test]
    fn sorting_is_a_permutation_by_weight(m in mixture(1..=3, 1..=4)) {
        let model = mixture_of(&m);
        let sorted = model.sorted();
        prop_assert!(sorted.weights().is_sorted_by(|a, b| a >= b));
        let component = |model: &GaussianMixture, k: usize| {
            let mean: Vec<u64> = model.means().row(k).iter().map(|v| v.to_bits()).collect();
            (model.weights()[k].to_bits(), mean, crate::bits_of(&model.covariances().component(k)))
        };
        let all = |model: &GaussianMixture| {
            let mut all: Vec<_> = (0..model.n_components()).map(|k| component(model, k)).collect();
            all.sort();
            all
        };
        prop_assert_eq!(all(&sorted), all(&model));
        prop_assert_eq!(&sorted.sorted(), &sorted);
    }
}

#[test]
fn a_tie_of_weights_is_sorted_by_means() {
    let m = Mixture {
        form: Form::Spherical,
        weights: vec![0.25, 0.25, 0.25, 0.25],
        means: [[1.0, 2.0], [1.0, -2.0], [-3.0, 9.0], [1.0, 2.0]]
            .iter()
            .map(|mean| mean.to_vec())
            .collect(),
        covariances: (1..=4)
            .map(|v| vec![vec![f64::from(v), 0.0], vec![0.0, f64::from(v)]])
            .collect(),
    };
    let sorted = mixture_of(&m).sorted();
    assert_eq!(
        rows(&sorted.means().to_owned()),
        [[-3.0, 9.0], [1.0, -2.0], [1.0, 2.0], [1.0, 2.0]]
    );
    // Equal weights and means keep their order.
    assert_eq!(sorted.covariances().blocks().concat(), [3.0, 2.0, 1.0, 4.0]);
}

/// A light component that is left out takes its weight with it: what remains is normalized, however light it was.
#[test]
fn what_remains_of_a_selection_is_normalized() {
    for light in [0.25, 1e-3, 5e-7, 1e-12] {
        let m = Mixture {
            form: Form::Diag,
            weights: vec![0.5, light, 0.5 - light],
            means: vec![vec![0.0], vec![1.0], vec![2.0]],
            covariances: vec![vec![vec![1.0]]; 3],
        };
        let selected = mixture_of(&m).select(&[2, 0]).unwrap();
        let sum: f64 = selected.weights().iter().sum();
        assert!((sum - 1.0).abs() <= 2.0 * EPS, "{light:e}: {sum:e}");
        let ratio = selected.weights()[0] / selected.weights()[1];
        assert!((ratio - (0.5 - light) / 0.5).abs() <= 2.0 * EPS);
    }
}

/// Weights that went through single precision keep their bits when components change places.
#[test]
fn a_permutation_keeps_the_bits_of_the_weights() {
    let weights: Vec<f64> = [0.1f32, 0.2, 0.7].map(f64::from).to_vec();
    let m = Mixture {
        form: Form::Tied,
        weights: weights.clone(),
        means: vec![vec![0.0], vec![1.0], vec![2.0]],
        covariances: vec![vec![vec![1.0]]; 3],
    };
    let model = mixture_of(&m);
    assert_ne!(weights.iter().sum::<f64>().to_bits(), 1.0f64.to_bits());
    let turned = model.select(&[2, 0, 1]).unwrap();
    assert_eq!(
        bits(turned.weights()),
        bits(&[weights[2], weights[0], weights[1]])
    );
    assert_eq!(turned.select(&[1, 2, 0]).unwrap(), model);
}

/// p(b | a = 4) of a plane with correlation 0.8, by hand: mean 0.8 · 4, variance 1 - 0.64.
#[test]
fn a_conditional_by_hand() {
    let m = Mixture {
        form: Form::Full,
        weights: vec![1.0],
        means: vec![vec![0.0, 0.0]],
        covariances: vec![vec![vec![1.0, 0.8], vec![0.8, 1.0]]],
    };
    let given = mixture_of(&m).conditional(&[(0, 4.0)]).unwrap();
    assert!((given.mean()[0] - 3.2).abs() <= 4.0 * EPS);
    assert!((given.covariance()[(0, 0)] - 0.36).abs() <= 2.0 * EPS);
}

/// Far out the weights of a conditional follow the nearest component; they are probabilities even where densities vanish.
#[test]
fn conditionals_far_out_are_mixtures_too() {
    let set = data::separated(3, 4, 3, 3);
    for form in Form::ALL {
        let m = set.truth.clone().unwrap();
        let model = match form {
            Form::Full => mixture_of(&m),
            _ => mixture_of(&Mixture {
                form,
                covariances: vec![
                    (0..3)
                        .map(|i| (0..3).map(|j| f64::from(u8::from(i == j))).collect())
                        .collect();
                    3
                ],
                ..m
            }),
        };
        for far in [1e8, -1e100, 1e200, f64::MAX] {
            // At 1e308 times a correlation a mean may overflow, which is an error and no mixture of infinities.
            let Ok(given) = model.conditional(&[(1, far)]) else {
                assert!(far.abs() > 1e300, "{form} {far:e}");
                continue;
            };
            let sum: f64 = given.weights().iter().sum();
            assert!((sum - 1.0).abs() <= 4.0 * EPS, "{form} {far:e}");
            assert!(given.mean().iter().all(|v| v.is_finite()), "{form} {far:e}");
            assert_eq!(given.covariance_type(), form_of(form));
        }
    }
}

/// Two features that are nearly one: what is left of the second given the first is right to the rounding of its variance.
#[test]
fn features_that_are_nearly_one_leave_little_variance() {
    let m = Mixture {
        form: Form::Full,
        weights: vec![1.0],
        means: vec![vec![0.0, 0.0]],
        covariances: vec![vec![vec![1.0, 1.0 - 1e-15], vec![1.0 - 1e-15, 1.0]]],
    };
    let model = mixture_of(&m);
    let given = model.conditional(&[(0, 1.0)]).unwrap();
    // 1 - (1 - 1e-15)².
    let variance = given.covariance()[(0, 0)];
    assert!((variance - 2e-15).abs() <= 4.0 * EPS, "{variance:e}");
}

/// The columns of a mixture far from the origin: the mean keeps its digits.
#[test]
fn an_offset_costs_no_digits_of_the_overall_moments() {
    let m = Mixture {
        form: Form::Spherical,
        weights: vec![0.25, 0.75],
        means: vec![vec![1e9], vec![1e9 + 4.0]],
        covariances: vec![vec![vec![1.0]]; 2],
    };
    let model = mixture_of(&m);
    assert_eq!(bits(&model.mean()), bits(&[1e9 + 3.0]));
    // 1 + 0.25 · 9 + 0.75 · 1.
    assert_eq!(model.covariance()[(0, 0)].to_bits(), 4.0f64.to_bits());
}
