//! Held-out log-likelihoods by their definition, folds that keep groups together, the one-standard-error rule, and NEC.

use std::ops::ControlFlow;

use gmm_core::faer::Mat;
use gmm_core::{CovarianceType, Samples};
use gmm_em::{Em, Start, Stopping};
use gmm_select::{
    CrossValidation, Error, Folds, MultiStart, Scores, cross_validate, cross_validate_watched,
    one_standard_error_rule,
};
use gmm_testkit::oracle::{self, mclust};
use gmm_testkit::{data, same_for_any_number_of_threads};

use crate::{extra, matrix, plain};

#[test]
fn folds_share_rows_evenly() {
    let folds = Folds::of_rows_at_random(103, 10, 4).unwrap();
    let sizes: Vec<usize> = (0..10)
        .map(|f| folds.of_rows().iter().filter(|r| **r == f).count())
        .collect();
    assert_eq!(sizes.iter().sum::<usize>(), 103);
    assert!(sizes.iter().all(|s| (10..=11).contains(s)));
    assert_ne!(folds, Folds::of_rows_at_random(103, 10, 5).unwrap());
    assert_eq!(folds, Folds::of_rows_at_random(103, 10, 4).unwrap());
    for (n_rows, n_folds) in [(5, 0), (5, 1), (5, 6), (0, 2)] {
        let error = Folds::of_rows_at_random(n_rows, n_folds, 0).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "{n_folds} folds of {n_rows} rows or groups; ask for at least 2 and at most one for each"
            )
        );
    }
}

#[test]
fn folds_never_split_a_group() {
    // Groups of 1, 2, ..., 14 rows, mixed.
    let mut labels: Vec<usize> = (1..15)
        .flat_map(|g| std::iter::repeat_n(g * 100, g))
        .collect();
    labels.reverse();
    let folds = Folds::of_groups(&labels, 5, 9).unwrap();
    for (row, label) in labels.iter().enumerate() {
        let first = labels.iter().position(|l| l == label).unwrap();
        assert_eq!(folds.of_rows()[row], folds.of_rows()[first]);
    }
    let size = |f: usize| folds.of_rows().iter().filter(|r| **r == f).count();
    // 105 rows in five folds: the largest first, no fold is off by more than the smallest groups can mend.
    assert!((0..5).all(|f| (19..=23).contains(&size(f))));
    assert!(Folds::of_groups(&labels, 15, 9).is_err());
}

/// The definition, with copies of the rows instead of weights.
#[test]
fn held_out_rows_are_scored_by_the_fit_of_the_others() {
    let x = data::overlapping(6, 200, 2, 2).x;
    let weights: Vec<f64> = (0..200).map(|i| 1.0 + (i % 2) as f64).collect();
    let samples = Samples::from(&x).with_weights(&weights);
    let folds = Folds::of_rows_at_random(200, 4, 2).unwrap();
    let em = Em::new(2)
        .seed(3)
        .stopping(Stopping::RemainingGain(1e-9))
        .max_iterations(20_000);
    let found = cross_validate(&em, 2, samples, &folds).unwrap();
    let pick = |rows: &[usize]| Mat::from_fn(rows.len(), 2, |i, j| x[(rows[i], j)]);
    let (mut total, mut sum) = (0.0, 0.0);
    let mut means = Vec::new();
    for fold in 0..4 {
        let (inside, outside): (Vec<usize>, Vec<usize>) =
            (0..200).partition(|row| folds.of_rows()[*row] == fold);
        let of = |rows: &[usize]| -> Vec<f64> { rows.iter().map(|r| weights[*r]).collect() };
        let em = em.clone().seed(gmm_em::derived_seed(3, fold as u64));
        let rows = pick(&outside);
        let starts = MultiStart::new(em, 2)
            .run(Samples::from(&rows).with_weights(&of(&outside)))
            .unwrap();
        let log_density = starts.best().model().log_density(&pick(&inside)).unwrap();
        let w = of(&inside);
        let held_out: f64 = w.iter().zip(&log_density).map(|(w, l)| w * l).sum();
        let weight: f64 = w.iter().sum();
        let ours = found.folds[fold].mean_log_likelihood.clone().unwrap();
        assert_eq!(found.folds[fold].weight, weight);
        // The rows stand in other blocks, so that the two fits may stop a step apart, each g = 1e-9 nats short of the maximum, √(2 g) of the 11
        // parameters' standard errors: the mean of new rows moves by √(2 g · 11 / 150) at most, in units of √2 for two fits.
        let tolerance = (2.0f64 * 1e-9 * 11.0 / 150.0).sqrt() * 2f64.sqrt();
        assert!(
            (ours - held_out / weight).abs() <= tolerance,
            "{ours} {}",
            held_out / weight
        );
        total += weight;
        sum += weight * ours;
        means.push((weight, ours));
    }
    assert!((found.mean - sum / total).abs() <= 1e-13);
    let squares: f64 = (means.iter())
        .map(|(w, m)| (w / total * (m - found.mean)).powi(2))
        .sum();
    assert!((found.standard_error - (squares * 4.0 / 3.0).sqrt()).abs() <= 1e-13);
    assert_eq!(found.n_failed(), 0);
    same_for_any_number_of_threads(|| cross_validate(&em, 2, samples, &folds).unwrap());
}

/// Of a known law the mean is the negative entropy, less what estimating costs.
#[test]
fn the_mean_is_that_of_new_rows() {
    let drawn = data::separated(6, 3000, 2, 3);
    let (x, fresh) = (drawn.x, data::draw(&drawn.truth.unwrap(), 20_000, 99).x);
    let folds = Folds::of_rows_at_random(3000, 10, 2).unwrap();
    let found = cross_validate(&Em::new(3), 1, &x, &folds).unwrap();
    let model = Em::new(3).fit(&x).unwrap().into_model();
    let new = model.mean_log_likelihood(&fresh).unwrap();
    assert!(
        (found.mean - new).abs() <= 4.0 * found.standard_error,
        "{found:?} {new}"
    );
    // A log-density of two features has a standard deviation of about 1: 1 / √3000 = 0.018; nine degrees of freedom leave a factor of two.
    assert!((0.009..0.036).contains(&found.standard_error));
}

fn outcome(mean: f64, standard_error: f64) -> CrossValidation {
    let x = Mat::from_fn(8, 1, |i, _| i as f64);
    let folds = Folds::of_rows_at_random(8, 2, 0).unwrap();
    let mut found = cross_validate(&Em::new(1), 1, &x, &folds).unwrap();
    found.mean = mean;
    found.standard_error = standard_error;
    found
}

#[test]
fn the_simplest_within_one_standard_error_wins() {
    let all = [
        outcome(-3.0, 0.1),
        outcome(-2.05, 0.2),
        outcome(-2.0, 0.1),
        outcome(-2.01, 0.1),
    ];
    let list = |order: &[(usize, usize)]| -> Vec<(usize, &CrossValidation)> {
        order.iter().map(|(p, i)| (*p, &all[*i])).collect()
    };
    let rule = |order: &[(usize, usize)]| one_standard_error_rule(&list(order));
    assert_eq!(rule(&[(2, 0), (5, 1), (8, 2), (11, 3)]), Some(1));
    assert_eq!(rule(&[(2, 0), (8, 2)]), Some(1));
    // As many parameters: the better one.
    assert_eq!(rule(&[(5, 1), (5, 2)]), Some(1));
    assert_eq!(rule(&[]), None);
    let mut failed = outcome(0.0, 1.0);
    failed.folds[0].mean_log_likelihood = Err(Error::NoCandidates);
    assert_eq!(one_standard_error_rule(&[(1, &failed)]), None);
    let unknown = outcome(-1.0, f64::NAN);
    assert_eq!(
        one_standard_error_rule(&[(1, &all[0]), (9, &unknown)]),
        Some(1)
    );
}

#[test]
fn what_cannot_be_validated() {
    let x = data::separated(1, 40, 1, 2).x;
    let folds = Folds::of_rows_at_random(40, 4, 0).unwrap();
    let none = cross_validate(&Em::new(1), 0, &x, &folds);
    assert_eq!(none, Err(Error::NoCandidates));
    let other = Folds::of_rows_at_random(41, 4, 0).unwrap();
    assert_eq!(
        cross_validate(&Em::new(1), 1, &x, &other)
            .unwrap_err()
            .to_string(),
        "the folds are of 41 rows, the data have 40; make the folds for these data"
    );
    // More components than rows outside of a fold: an outcome.
    let found = cross_validate(&Em::new(35), 1, &x, &folds).unwrap();
    assert_eq!((found.n_failed(), found.folds.len()), (4, 4));
    assert!(found.mean.is_nan() && found.standard_error.is_nan());
    // A fold of weightless rows is none.
    let weights: Vec<f64> = folds.of_rows().iter().map(|f| f64::from(*f != 2)).collect();
    let samples = Samples::from(&x).with_weights(&weights);
    assert_eq!(
        cross_validate(&Em::new(1), 1, samples, &folds)
            .unwrap()
            .folds
            .len(),
        3
    );
    let stopped = cross_validate_watched(&Em::new(1), 1, &x, &folds, &|| ControlFlow::Break(()));
    assert_eq!(stopped, Err(Error::Fit(gmm_em::Error::Interrupted)));
}

/// mclust's fits give the normalized entropies that are computed from its output.
#[test]
fn normalized_entropies_are_those_of_the_oracle() {
    let (Some(folder), Some(oracle)) = (oracle::shared_oracle("mclust"), extra("criteria.json"))
    else {
        return;
    };
    for (name, data_set, form, k) in [
        ("iris_VVV_3", "iris", CovarianceType::Full, 3),
        ("iris_VEV_2", "iris", CovarianceType::Vev, 2),
        ("faithful_VVV_2", "faithful", CovarianceType::Full, 2),
    ] {
        let x = matrix(&mclust::data_set(&folder, data_set).x);
        let labels = &mclust::starts(&folder, data_set)[&k];
        let scores = |k: usize, labels: &[usize]| {
            let em = plain(k, form, 1e-5);
            let fit = em.fit_from(&x, Start::Labels(labels)).unwrap();
            Scores::new(fit.model(), &x).unwrap()
        };
        let of_one = scores(1, &vec![0; x.nrows()]);
        let found = scores(k, labels).with_one_component(&of_one);
        let found = found.normalized_entropy.unwrap();
        let theirs = oracle[name]["NEC"].as_f64().unwrap();
        // The same M-steps: rounding of some hundred of them, and of 15 digits.
        assert!(
            (found / theirs - 1.0).abs() <= 1e-9,
            "{name} {found} {theirs}"
        );
        let alone = of_one.with_one_component(&of_one);
        assert_eq!(alone.normalized_entropy, Some(1.0));
    }
}

#[test]
fn components_that_gain_nothing_have_no_entropy_to_speak_of() {
    let x = data::separated(1, 40, 1, 1).x;
    let of = |k: usize| {
        let model = Em::new(k).fit(&x).unwrap().into_model();
        Scores::new(&model, &x).unwrap()
    };
    let (one, mut two) = (of(1), of(2));
    assert!(two.with_one_component(&one).normalized_entropy > Some(0.0));
    two.log_likelihood = one.log_likelihood - 1.0;
    let none = two.with_one_component(&one).normalized_entropy;
    assert_eq!(none, Some(f64::INFINITY));
}
