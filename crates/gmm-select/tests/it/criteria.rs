//! The criteria by their formulas, and the scores behind them.

use gmm_core::faer::{Mat, mat};
use gmm_core::{Covariances, GaussianMixture, Noise, Samples};
use gmm_select::{Criterion, Error, Scores};
use gmm_testkit::naive::Form;
use gmm_testkit::{data, strategies};
use proptest::prelude::*;

use crate::matrix;

const EPS: f64 = f64::EPSILON;

fn mixture(weights: &[f64], means: Mat<f64>, variances: &[f64]) -> GaussianMixture {
    let d = means.ncols();
    let covariances = Covariances::spherical(variances, d).unwrap();
    GaussianMixture::new(weights.to_vec(), means, covariances).unwrap()
}

/// Scores with chosen numbers: the formulas need no data.
fn scores(log_likelihood: f64, p: usize, n: f64, entropy: f64, loss: f64) -> Scores {
    let x = mat![[0.0]];
    let mut scores = Scores::new(&mixture(&[1.0], mat![[0.0]], &[1.0]), &x).unwrap();
    scores.log_likelihood = log_likelihood;
    scores.n_free_parameters = p;
    scores.total_weight = n;
    scores.entropy = entropy;
    scores.classification_loss = loss;
    scores.normalized_entropy = Some(0.25);
    scores.held_out = Some(-1.5);
    scores
}

/// logL = -100, p = 5, n = e² rows: every formula by hand.
#[test]
fn criteria_by_hand() {
    let n = 2f64.exp();
    let s = scores(-100.0, 5, n, 3.0, 0.5);
    let expected = [
        (Criterion::Bic, 200.0 + 10.0),
        (Criterion::Aic, 200.0 + 10.0),
        (Criterion::Aicc, 210.0 + 60.0 / (n - 6.0)),
        (Criterion::Caic, 210.0 + 5.0),
        (Criterion::Sabic, 200.0 + 5.0 * ((n + 2.0) / 24.0).ln()),
        (Criterion::IclEntropy, 210.0 + 6.0),
        (Criterion::IclClassification, 210.0 + 1.0),
        (Criterion::Nec, 0.25),
        (Criterion::CrossValidation, 3.0 * n),
    ];
    assert_eq!(expected.map(|e| e.0), Criterion::ALL);
    for (criterion, expected) in expected {
        let found = criterion.value(&s);
        // The logarithm of e² is 2 to rounding; AICc divides by 1.4, a difference of numbers near 7.
        assert!(
            (found - expected).abs() <= 64.0 * EPS * expected,
            "{criterion}: {found}"
        );
    }
}

/// Up to n = p + 1 the correction has a pole or the wrong sign: such a model is never chosen.
#[test]
fn aicc_needs_more_rows_than_parameters() {
    for (n, is_finite) in [
        (3.0, false),
        (5.9, false),
        (6.0, false),
        (6.1, true),
        (7.0, true),
    ] {
        let value = Criterion::Aicc.value(&scores(-10.0, 5, n, 0.0, 0.0));
        assert_eq!(value.is_finite(), is_finite, "{n}");
        assert!(value > 0.0);
    }
}

#[test]
fn names_of_criteria() {
    assert_eq!(Criterion::default(), Criterion::Bic);
    for criterion in Criterion::ALL {
        assert_eq!(criterion.name().parse(), Ok(criterion));
        assert_eq!(criterion.name().to_uppercase().parse(), Ok(criterion));
    }
    assert_eq!(
        Criterion::ALL.map(Criterion::name),
        [
            "bic",
            "aic",
            "aicc",
            "caic",
            "sabic",
            "icl-entropy",
            "icl-classification",
            "nec",
            "cv"
        ]
    );
    assert_eq!(
        Criterion::ALL.map(|c| c.to_string()),
        [
            "BIC",
            "AIC",
            "AICc",
            "CAIC",
            "SABIC",
            "ICL (entropy)",
            "ICL (classification)",
            "NEC",
            "CV"
        ]
    );
    assert_eq!(format!("{:>6}|", Criterion::Bic), "   BIC|");
    assert_eq!("dic".parse::<Criterion>(), Err(Error::UnknownCriterion));
}

#[test]
fn rows_that_cannot_be_scored_are_an_error() {
    let model = mixture(&[1.0], mat![[0.0, 0.0]], &[1.0]);
    let message = |x: Mat<f64>| Scores::new(&model, &x).unwrap_err().to_string();
    assert_eq!(
        message(Mat::zeros(0, 2)),
        "the data have no rows; at least one row is needed"
    );
    assert_eq!(
        message(Mat::zeros(2, 1)),
        "the data have 1 features, the model 2; give the columns the model was fitted on, in their order"
    );
}

proptest! {
    /// Entropy and classification loss from the textbook's responsibilities.
    #[test]
    fn scores_are_those_of_the_definition(
        (m, x) in prop::sample::select(Form::ALL.to_vec())
            .prop_flat_map(|form| strategies::mixture(form, 2..=2, 1..=4, 10.0))
            .prop_flat_map(|m| (Just(m), strategies::table(1..=40, 2..=2))),
        weights in strategies::sample_weights(40),
    ) {
        let (k, d) = (m.n_components(), m.n_features());
        let form = m.form.name().parse().unwrap();
        let covariances = Covariances::new(form, k, d, m.blocks()).unwrap();
        let model = GaussianMixture::new(m.weights.clone(), matrix(&m.means), covariances).unwrap();
        let table = matrix(&x);
        let weights = &weights[..x.len()];
        let scores = Scores::new(&model, Samples::from(&table).with_weights(weights)).unwrap();
        prop_assert_eq!(scores.n_free_parameters, m.form.n_free_parameters(k, d));
        let r = m.responsibilities(&x);
        let total: f64 = weights.iter().sum();
        let entropy = |row: &Vec<f64>| -> f64 { -row.iter().filter(|r| **r > 0.0).map(|r| r * r.ln()).sum::<f64>() };
        let loss = |row: &Vec<f64>| -> f64 { -row.iter().copied().fold(0.0, f64::max).ln() };
        let sum = |f: &dyn Fn(&Vec<f64>) -> f64| -> f64 { r.iter().zip(weights).map(|(row, w)| w * f(row)).sum() };
        // A squared distance of up to 20² · 2 · 10 is off by some 100 ε of itself, see the densities of gmm-core; a responsibility
        // is off by as much times itself, and r ln r feels that |ln r| times, which r outweighs: 1e-10 is room for all.
        prop_assert!((scores.entropy - sum(&entropy)).abs() <= 1e-10 * total, "{} {}", scores.entropy, sum(&entropy));
        prop_assert!((scores.classification_loss - sum(&loss)).abs() <= 1e-10 * total);
        prop_assert!((scores.total_weight - total).abs() <= x.len() as f64 * EPS * total);
        let log_likelihood = m.log_likelihood(&x, Some(weights));
        prop_assert!((scores.log_likelihood - log_likelihood).abs() <= 1e-11 * (log_likelihood.abs() + total));
        // 0 ≤ -ln max r ≤ H(r) ≤ ln K.
        let slack = 16.0 * EPS * total;
        prop_assert!(scores.classification_loss >= -slack);
        prop_assert!(scores.classification_loss <= scores.entropy + slack);
        prop_assert!(scores.entropy <= total * (k as f64).ln() + slack);
        prop_assert!(Criterion::Bic.value(&scores) <= Criterion::IclClassification.value(&scores) + slack);
    }
}

/// A weight of 2 is a row given twice, for all criteria.
#[test]
fn weights_count_rows() {
    let set = data::overlapping(1, 100, 2, 2);
    let truth = set.truth.as_ref().unwrap();
    let model = GaussianMixture::new(
        truth.weights.clone(),
        matrix(&truth.means),
        Covariances::new("full".parse().unwrap(), 2, 2, truth.blocks()).unwrap(),
    )
    .unwrap();
    let doubled = Mat::from_fn(200, 2, |i, j| set.x[(i % 100, j)]);
    let weighted = Scores::new(&model, Samples::from(&set.x).with_weights(&[2.0; 100])).unwrap();
    let twice = Scores::new(&model, &doubled).unwrap();
    for criterion in Criterion::ALL
        .into_iter()
        .filter(|c| c.is_penalized_deviance())
    {
        let (a, b) = (criterion.value(&weighted), criterion.value(&twice));
        // Compensated sums of 100 and of 200 terms.
        assert!(
            (a - b).abs() <= 16.0 * EPS * b.abs(),
            "{criterion}: {a} {b}"
        );
    }
}

/// A row without density makes the likelihood 0 and every criterion infinitely bad, not NaN.
#[test]
fn an_impossible_row_is_infinitely_bad() {
    let model = mixture(&[0.5, 0.5], mat![[0.0], [1.0]], &[1.0, 2.0]);
    let scores = Scores::new(&model, &mat![[0.5], [1e200]]).unwrap();
    for criterion in [
        Criterion::Bic,
        Criterion::Aic,
        Criterion::IclEntropy,
        Criterion::IclClassification,
    ] {
        assert_eq!(criterion.value(&scores), f64::INFINITY, "{criterion}");
    }
}

/// Noise is a class like others for entropies, and it and free weights count as parameters.
#[test]
fn noise_and_equal_weights_reach_the_scores() {
    let x = data::overlapping(5, 700, 2, 2).x;
    let plain = mixture(&[0.7, 0.3], mat![[0.0, 0.0], [2.0, 1.0]], &[1.0, 2.0]);
    let noisy = plain.with_noise(Noise::new(0.2, -4.0).unwrap()).unwrap();
    let scores = Scores::new(&noisy, &x).unwrap();
    assert_eq!(
        scores.n_free_parameters,
        Scores::new(&plain, &x).unwrap().n_free_parameters + 2
    );
    let equal = Scores::new(&noisy.with_equal_weights(), &x).unwrap();
    assert_eq!(equal.n_free_parameters, scores.n_free_parameters - 1);
    let r = noisy.responsibilities(&x).unwrap();
    let entropy: f64 = (0..700)
        .flat_map(|i| r.row(i).iter().copied().collect::<Vec<_>>())
        .filter(|r| *r > 0.0)
        .map(|r| -r * r.ln())
        .sum();
    // A sum of 2100 terms of one sign.
    assert!((scores.entropy - entropy).abs() <= 2100.0 * EPS * entropy);
}
