//! Standard errors and intervals against formulas, mclust's bootstrap, and what must not change them.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use gmm_core::faer::Mat;
use gmm_core::{CovarianceType, Samples};
use gmm_em::{Em, Start};
use gmm_select::{Bootstrap, Error, Estimate};
use gmm_testkit::oracle::{self, mclust};
use gmm_testkit::{data, same_for_any_number_of_threads};
use serde_json::Value;

use crate::{extra, matrix, plain};

/// The relative standard deviation of a standard error of B replicates is √((κ - 1) / 4B), κ the kurtosis of the replicates: 3 for
/// a normal law, and 5 for what variances of small groups may have.
fn error_of_error(n_replicates: f64) -> f64 {
    (4.0 / (4.0 * n_replicates)).sqrt()
}

/// One Gaussian: the standard error of a mean is σ / √n, that of a variance σ² √(2 / n).
#[test]
fn one_component_has_the_textbook_errors() {
    let x = data::separated(7, 400, 2, 1).x;
    let model = Em::new(1).fit(&x).unwrap().into_model();
    let n_replicates = 1000;
    let found = Bootstrap::new(Em::new(1), n_replicates)
        .run(&model, &x)
        .unwrap();
    assert_eq!(
        (found.n_done(), found.n_failed(), found.n_stopped()),
        (1000, 0, 0)
    );
    let covariance = model.covariances().component(0);
    for j in 0..2 {
        let variance = covariance[(j, j)];
        let mean = found.mean(0, j);
        let expected = (variance / 400.0).sqrt();
        // Five of its own errors, and n for n - 1.
        let tolerance = 5.0 * error_of_error(1000.0) * expected;
        assert!(
            (mean.standard_error - expected).abs() <= tolerance,
            "{mean:?}"
        );
        // The bootstrap's own variance of a variance is (m₄ - σ⁴) / n.
        let centre = model.means()[(0, j)];
        let fourth = (0..400).map(|i| (x[(i, j)] - centre).powi(4)).sum::<f64>() / 400.0;
        let expected = ((fourth - variance * variance) / 400.0).sqrt();
        let found = found.covariance(0, j, j);
        assert_eq!(found.value, variance);
        let tolerance = 5.0 * error_of_error(1000.0) * expected;
        assert!((found.standard_error - expected).abs() <= tolerance);
        // 95 % of a normal law: 1.96 standard errors; a quantile of 1000 has an error of 0.085 of them.
        let width = (mean.interval.1 - mean.interval.0) / mean.standard_error;
        assert!((width - 3.92).abs() < 5.0 * 2f64.sqrt() * 0.085, "{width}");
    }
    assert_eq!(found.weight(0).standard_error, 0.0);
    assert_eq!(found.covariance(0, 0, 1), found.covariance(0, 1, 0));
    assert_eq!(found.level(), 0.95);
}

/// mclust's bootstrap of Old Faithful is as random as ours.
#[test]
fn old_faithful_has_the_errors_that_mclust_finds() {
    let (Some(folder), Some(oracle)) = (
        oracle::shared_oracle("mclust"),
        extra("faithful_bootstrap.json"),
    ) else {
        return;
    };
    let x = matrix(&mclust::data_set(&folder, "faithful").x);
    let labels = &mclust::starts(&folder, "faithful")[&2];
    let em = plain(2, CovarianceType::Full, 1e-5);
    let model = em
        .fit_from(&x, Start::Labels(labels))
        .unwrap()
        .into_model()
        .sorted();
    let found = Bootstrap::new(em, 999).run(&model, &x).unwrap();
    assert_eq!(found.n_failed(), 0);
    let se = &oracle["se"];
    let number = |value: &Value| value.as_f64().unwrap();
    let mut pairs: Vec<(Estimate, f64)> = Vec::new();
    for k in 0..2 {
        pairs.push((found.weight(k), number(&se["pro"][k])));
        for j in 0..2 {
            pairs.push((found.mean(k, j), number(&se["mean"][k][j])));
            let covariance = |i: usize| number(&se["variance"][k][j][i]);
            pairs.extend((0..2).map(|i| (found.covariance(k, j, i), covariance(i))));
        }
        // A quantile has an error of 0.085 standard errors, the difference of two √2 times that, and there are twelve of them.
        let reach = 4.0 * 2f64.sqrt() * 0.085;
        let near = |estimate: Estimate, low: f64, high: f64| {
            let (a, b) = estimate.interval;
            let tolerance = reach * estimate.standard_error;
            assert!((a - low).abs() <= tolerance, "{a} {low}");
            assert!((b - high).abs() <= tolerance, "{b} {high}");
        };
        let ci = &oracle["ci95"];
        near(
            found.weight(k),
            number(&ci["pro"][0][k]),
            number(&ci["pro"][1][k]),
        );
        for j in 0..2 {
            let ends = &ci["mean"][k];
            near(found.mean(k, j), number(&ends[0][j]), number(&ends[1][j]));
        }
    }
    assert_eq!(pairs.len(), 14);
    for (estimate, theirs) in pairs {
        // Both are random.
        let tolerance = 4.0 * 2f64.sqrt() * error_of_error(999.0) * theirs;
        let ours = estimate.standard_error;
        assert!((ours - theirs).abs() <= tolerance, "{ours} {theirs}");
    }
}

#[test]
fn whole_weights_are_repeated_rows() {
    // Each row three times as weight and as rows: the same law, other random numbers.
    let x = data::separated(3, 100, 1, 2).x;
    let tripled = Mat::from_fn(300, 1, |i, _| x[(i / 3, 0)]);
    let weights = vec![3.0; 100];
    let model = Em::new(2).fit(&x).unwrap().into_model();
    let bootstrap = Bootstrap::new(Em::new(2), 600);
    let weighted = bootstrap
        .run(&model, Samples::from(&x).with_weights(&weights))
        .unwrap();
    let expanded = bootstrap.run(&model, &tripled).unwrap();
    for k in 0..2 {
        let (a, b) = (weighted.mean(k, 0), expanded.mean(k, 0));
        let tolerance = 5.0 * 2f64.sqrt() * error_of_error(600.0);
        assert!((a.standard_error / b.standard_error - 1.0).abs() <= tolerance);
    }
}

#[test]
fn replicates_depend_on_their_seeds_alone() {
    let x = data::separated(3, 5000, 2, 2).x;
    let em = Em::new(2).covariance(CovarianceType::Diag).seed(5);
    let model = em.fit(&x).unwrap().into_model();
    let run = |em: &Em| Bootstrap::new(em.clone(), 8).run(&model, &x).unwrap();
    let found = same_for_any_number_of_threads(|| run(&em));
    assert_eq!(found.covariance(0, 0, 1).standard_error, 0.0);
    assert!(found.covariance(1, 1, 1).standard_error > 0.0);
    assert_ne!(run(&em.clone().seed(6)), found);
}

#[test]
fn a_watcher_stops_the_replicates() {
    let x = data::separated(3, 200, 2, 2).x;
    let em = Em::new(2);
    let model = em.fit(&x).unwrap().into_model();
    let bootstrap = Bootstrap::new(em, 100);
    let found = bootstrap
        .run_watched(&model, &x, &|progress| {
            assert_eq!(progress.n_replicates, 100);
            if progress.n_done < 10 {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })
        .unwrap();
    assert!((10..30).contains(&found.n_done()), "{}", found.n_done());
    assert_eq!(found.n_done() + found.n_stopped(), 100);
    let calls = AtomicUsize::new(0);
    let error = bootstrap
        .run_watched(&model, &x, &|_| {
            calls.fetch_add(1, Ordering::Relaxed);
            ControlFlow::Break(())
        })
        .unwrap_err();
    assert_eq!(calls.into_inner(), 100);
    assert_eq!(
        error,
        Error::TooFewReplicates {
            n_done: 0,
            n_failed: 0
        }
    );
}

#[test]
fn what_cannot_be_replicated_is_an_error() {
    let x = data::separated(3, 60, 2, 2).x;
    let model = Em::new(2).fit(&x).unwrap().into_model();
    let bootstrap = Bootstrap::new(Em::new(9), 5);
    // Weights that sum to 1 are one row.
    let light = vec![1.0 / 60.0; 60];
    let error = bootstrap
        .run(&model, Samples::from(&x).with_weights(&light))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "only 0 replicates could be used and 5 failed; ask for more, use fewer components, or let the sample weights sum to the number of rows"
    );
    for level in [0.0, 1.0, f64::NAN] {
        let error = bootstrap.clone().level(level).run(&model, &x).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "the level is {level}; it must be above 0 and below 1, such as 0.95 for intervals"
            )
        );
    }
    let narrow = Mat::<f64>::zeros(60, 1);
    assert!(bootstrap.run(&model, &narrow).is_err());
    assert!(bootstrap.run(&model, &Mat::<f64>::zeros(0, 2)).is_err());
}
