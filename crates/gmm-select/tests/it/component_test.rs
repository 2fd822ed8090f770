//! The likelihood ratio test against mclust's, its level and its power.

use std::ops::ControlFlow;

use gmm_core::{CovarianceType, Samples};
use gmm_em::{Em, NoiseVolume, Start};
use gmm_select::{ComponentTest, Error};
use gmm_testkit::oracle::{self, mclust};
use gmm_testkit::{data, same_for_any_number_of_threads};

use crate::{extra, matrix, plain};

/// From mclust's own starts by its own stopping rule the statistic is the same number.
#[test]
fn the_statistic_is_that_of_mclust() {
    let (Some(folder), Some(oracle)) =
        (oracle::shared_oracle("mclust"), extra("bootstrapLRT.json"))
    else {
        return;
    };
    let x = matrix(&mclust::data_set(&folder, "faithful").x);
    let starts = mclust::starts(&folder, "faithful");
    for (name, form) in [
        ("faithful_VVV", CovarianceType::Full),
        ("faithful_EEE", CovarianceType::Tied),
    ] {
        for k in 1..=3 {
            let log_likelihood = |k: usize| {
                let fit = plain(k, form, 1e-5).fit_from(&x, Start::Labels(&starts[&k]));
                fit.unwrap().report().log_likelihood
            };
            let ours = 2.0 * (log_likelihood(k + 1) - log_likelihood(k));
            let theirs = oracle[name]["LRTS"][k - 1].as_f64().unwrap();
            // The same M-steps; log-likelihoods near 1000 are rounded at 1e-13 and some hundred steps add that up.
            assert!((ours - theirs).abs() <= 1e-9, "{name} {k}: {ours} {theirs}");
        }
    }
}

/// Where mclust's fits from its own starts reach our maxima, no replicate reaches the statistic, neither ours nor theirs.
///
/// Elsewhere its p-values are those of its local optima: at two full components its statistic is 6.1 and the maximum's 31.6.
#[test]
fn old_faithful_rejects_what_mclust_rejects() {
    let (Some(folder), Some(oracle)) =
        (oracle::shared_oracle("mclust"), extra("bootstrapLRT.json"))
    else {
        return;
    };
    let x = matrix(&mclust::data_set(&folder, "faithful").x);
    let mut n_compared = 0;
    for (name, form) in [
        ("faithful_VVV", CovarianceType::Full),
        ("faithful_EEE", CovarianceType::Tied),
    ] {
        let test = ComponentTest::new(Em::new(1).covariance(form), 1, 49);
        let tested = test.run(&x, 1..=2).unwrap();
        for step in tested.steps() {
            let theirs = &oracle[name]["LRTS"][step.n_components - 1];
            // Two fits that stop at 1e-5 of 1 + |log L| = 1300 may each lack ten times that.
            if (step.statistic - theirs.as_f64().unwrap()).abs() < 4.0 * 10.0 * 0.013 {
                let p = oracle[name]["p"][step.n_components - 1].as_f64().unwrap();
                assert_eq!(p, 1.0 / 200.0);
                let n_done = step.replicates.len();
                assert_eq!(n_done + step.n_failed, 49);
                assert_eq!(step.p_value(), 1.0 / (n_done + 1) as f64);
                n_compared += 1;
            }
        }
    }
    assert_eq!(n_compared, 3);
}

fn tied(n_replicates: usize) -> ComponentTest {
    ComponentTest::new(Em::new(1).covariance(CovarianceType::Tied), 1, n_replicates)
}

/// Of tables from one component one in twenty is rejected, and p-values are even.
#[test]
fn the_level_is_kept() {
    let (n_tables, n_replicates) = (100, 19);
    let p: Vec<f64> = (0..n_tables)
        .map(|seed| {
            let x = data::separated(seed, 60, 1, 1).x;
            tied(n_replicates).run(&x, [1]).unwrap().steps()[0].p_value()
        })
        .collect();
    let n_rejected = p.iter().filter(|p| **p <= 0.05).count();
    // Five of a hundred, with a standard deviation of 2.2.
    assert!(n_rejected <= 5 + 4 * 2, "{n_rejected}");
    let mean = p.iter().sum::<f64>() / n_tables as f64;
    // Even on 1/20, ..., 20/20: a mean of 0.525, of one table a standard deviation of 0.288.
    assert!((mean - 0.525).abs() <= 4.0 * 0.0288, "{mean}");
}

#[test]
fn separated_components_are_counted() {
    let x = data::separated(4, 150, 2, 3).x;
    let test = tied(39);
    let tested = same_for_any_number_of_threads(|| test.run(&x, 1..=6).unwrap());
    assert_eq!(tested.n_components(), Some(3));
    let tests: Vec<usize> = tested.steps().iter().map(|s| s.n_components).collect();
    assert_eq!(tests, [1, 2, 3]);
    assert_eq!(tested.steps()[0].p_value(), 1.0 / 40.0);
    assert!(tested.steps().iter().all(|s| s.replicates.is_sorted()));
    // All that were tested are rejected.
    assert_eq!(test.run(&x, 1..=2).unwrap().n_components(), None);
}

#[test]
fn a_watcher_stops_the_test() {
    let x = data::separated(4, 150, 2, 3).x;
    let tested = tied(40).run_watched(&x, 1..=6, &|progress| {
        if progress.n_done < 10 {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    });
    let tested = tested.unwrap();
    assert_eq!((tested.steps().len(), tested.n_components()), (1, None));
    let step = &tested.steps()[0];
    assert!(step.n_stopped > 0 && !step.replicates.is_empty());
    assert_eq!(step.n_stopped + step.n_failed + step.replicates.len(), 40);
    let error = tied(40)
        .run_watched(&x, 1..=6, &|_| ControlFlow::Break(()))
        .unwrap_err();
    assert_eq!(error, Error::Fit(gmm_em::Error::Interrupted));
}

#[test]
fn what_cannot_be_tested_is_an_error() {
    let x = data::separated(4, 50, 1, 1).x;
    assert_eq!(tied(9).run(&x, []), Err(Error::NoCandidates));
    let none = ComponentTest::new(Em::new(1), 0, 9).run(&x, [1]);
    assert_eq!(none, Err(Error::NoCandidates));
    let zero = tied(9).run(&x, [0]);
    assert_eq!(zero, Err(Error::Fit(gmm_em::Error::NoComponents)));
    assert!(matches!(
        tied(0).run(&x, [1]),
        Err(Error::TooFewReplicates { .. })
    ));
    let level = tied(9).level(1.5).run(&x, [1]);
    assert_eq!(level, Err(Error::Level { value: 1.5 }));
    let collinear = data::collinear(2, 60, 3, 2).x;
    let error = ComponentTest::new(Em::new(1), 1, 9)
        .run(&collinear, [1])
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the fit of 1 components has one at the variance floor, so that its likelihood says nothing; use a simpler covariance form, fewer components or more starts"
    );
    // Weights count rows: the replicates have as many as these sum to.
    let weights = vec![2.0; 50];
    let weighted = tied(19)
        .run(Samples::from(&x).with_weights(&weights), [1])
        .unwrap();
    let step = &weighted.steps()[0];
    let plain = tied(19).run(&x, [1]).unwrap();
    // Twice the rows, twice the statistic, to twice what two stopping rules leave.
    assert!((step.statistic - 2.0 * plain.steps()[0].statistic).abs() <= 8.0 * 1e-3);
}

/// Tables are drawn from a mixture, and nobody knows where its noise lies.
#[test]
fn noise_cannot_be_drawn_and_is_refused() {
    let x = data::overlapping(5, 80, 2, 2).x;
    let em = Em::new(1).noise(NoiseVolume::Box);
    let refused = ComponentTest::new(em, 1, 19).run(&x, 1..=2);
    let expected = gmm_core::Error::Noise {
        operation: "sample",
    };
    assert_eq!(refused, Err(Error::from(expected)));
}
