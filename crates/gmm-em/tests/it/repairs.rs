//! Data on which other systems collapse: the fit saves itself, and every repair is an event.

use gmm_core::covariance::Structure;
use gmm_core::faer::Mat;
use gmm_core::{CovarianceType, Samples};
use gmm_em::{Em, Error, Event, Fit, Initialization, Regularization, Rescue, Start};
use gmm_testkit::data;

fn assert_valid(fit: &Fit) {
    let model = fit.model();
    assert!(fit.report().log_likelihood.is_finite());
    assert!((model.weights().iter().sum::<f64>() - 1.0).abs() < 1e-12);
    for k in 0..model.n_components() {
        assert!(
            model
                .covariances()
                .variances(k)
                .iter()
                .all(|v| *v > 0.0 && v.is_finite())
        );
    }
}

#[test]
fn a_spike_is_held_at_the_floor() {
    let x = Mat::from_fn(
        60,
        1,
        |i, _| if i < 20 { 50.0 } else { (i as f64 * 0.7).sin() },
    );
    let fit = Em::new(2).fit(&x).unwrap();
    assert_valid(&fit);
    assert_eq!(fit.report().n_singular, 1);
    assert!(
        matches!(
            fit.report().events[..],
            [Event::Floored {
                n_directions: 1,
                ..
            }]
        ),
        "{:?}",
        fit.report().events
    );
    assert_eq!(
        fit.report().events[0].to_string(),
        "component 1 held at the variance floor in 1 directions from iteration 1"
    );
    let variance = fit.model().covariances().variances(1)[0];
    let n = 60.0;
    let mean = (0..60).map(|i| x[(i, 0)]).sum::<f64>() / n;
    let overall = (0..60).map(|i| (x[(i, 0)] - mean).powi(2)).sum::<f64>() / n;
    assert!(
        (variance / (1e-9 * overall) - 1.0).abs() < 1e-12,
        "{variance:e}"
    );
}

#[test]
fn collinear_columns_are_held_at_the_floor() {
    let x = data::collinear(2, 200, 3, 2).x;
    for form in [CovarianceType::Full, CovarianceType::Tied] {
        let fit = Em::new(2).covariance(form).fit(&x).unwrap();
        assert_valid(&fit);
        assert!(fit.report().n_singular >= 1, "{form}");
    }
    let fit = Em::new(2).covariance(CovarianceType::Diag).fit(&x).unwrap();
    assert_eq!(fit.report().n_singular, 0);
}

#[test]
fn wide_tables_are_held_at_the_floor() {
    let x = Mat::from_fn(10, 30, |i, j| ((i * 31 + j * 17) % 23) as f64);
    let fit = Em::new(2).fit(&x).unwrap();
    assert_valid(&fit);
    assert_eq!(fit.report().n_singular, fit.model().n_components());
}

#[test]
fn fewer_distinct_rows_than_components() {
    let x = Mat::from_fn(30, 2, |i, j| ((i % 3) * (j + 1)) as f64);
    for start in [Initialization::KMeans, Initialization::KMeansPlusPlus] {
        let fit = Em::new(5)
            .covariance(CovarianceType::Diag)
            .initialization(start)
            .fit(&x)
            .unwrap();
        assert_valid(&fit);
        assert_eq!(fit.model().n_components(), 3);
        assert_eq!(
            fit.report().events[0],
            Event::FewDistinctRows { found: 3, asked: 5 }
        );
    }
}

#[test]
fn as_many_components_as_rows() {
    let x = data::overlapping(4, 12, 2, 2).x;
    for form in CovarianceType::ALL {
        for start in Initialization::ALL {
            let fit = Em::new(12)
                .covariance(form)
                .initialization(start)
                .fit(&x)
                .unwrap();
            assert_valid(&fit);
        }
    }
}

#[test]
fn an_empty_component_is_dropped() {
    let x = data::separated(6, 100, 2, 2).x;
    let labels: Vec<usize> = (0..100).map(|i| 2 * (i % 2)).collect();
    let fit = Em::new(3).fit_from(&x, Start::Labels(&labels)).unwrap();
    assert_valid(&fit);
    assert_eq!(fit.model().n_components(), 2);
    assert_eq!(
        fit.report().events[0],
        Event::Dropped {
            component: 1,
            iteration: 1,
            occupancy: 0.0
        }
    );
}

#[test]
fn a_collapsed_component_is_dropped_reseeded_or_floored() {
    let x = Mat::from_fn(
        60,
        1,
        |i, _| if i < 5 { 50.0 } else { (i as f64 * 0.7).sin() },
    );
    let labels: Vec<usize> = (0..60).map(|i| usize::from(i < 5)).collect();
    let em = Em::new(2).regularization(Regularization::None);
    let dropped = em
        .clone()
        .rescue(Rescue::Drop)
        .fit_from(&x, Start::Labels(&labels))
        .unwrap();
    assert_valid(&dropped);
    assert_eq!(dropped.model().n_components(), 1);
    let floored = em
        .clone()
        .rescue(Rescue::Floor(1e-6))
        .fit_from(&x, Start::Labels(&labels))
        .unwrap();
    assert_valid(&floored);
    assert_eq!(
        (floored.model().n_components(), floored.report().n_singular),
        (2, 1)
    );
    let reseeded = em
        .rescue(Rescue::Reseed)
        .fit_from(&x, Start::Labels(&labels))
        .unwrap();
    assert_valid(&reseeded);
    assert!(
        reseeded
            .report()
            .events
            .iter()
            .any(|e| matches!(e, Event::Reseeded { .. }))
    );
    // Each reseed collapses on the same spot: the bound ends it.
    assert!(reseeded.report().events.len() <= 11);
}

/// A floor is for components without variance; one without rows has nothing to hold.
#[test]
fn an_empty_component_is_dropped_under_a_floor_of_rescue_too() {
    let x = data::overlapping(6, 60, 2, 2).x;
    let labels: Vec<usize> = (0..60).map(|i| i % 2).collect();
    let fit = Em::new(3)
        .regularization(Regularization::None)
        .rescue(Rescue::Floor(0.5))
        .fit_from(&x, Start::Labels(&labels))
        .unwrap();
    assert_valid(&fit);
    assert_eq!(fit.model().n_components(), 2);
    let events = &fit.report().events;
    assert!(
        matches!(events[..], [Event::Dropped { component: 2, .. }]),
        "{events:?}"
    );
}

#[test]
fn scikit_learns_ridge_is_available() {
    // K = 1: the closed form plus the ridge.
    let x = data::overlapping(8, 50, 2, 2).x;
    let plain = Em::new(1)
        .regularization(Regularization::None)
        .fit(&x)
        .unwrap();
    let ridge = Em::new(1)
        .regularization(Regularization::Ridge(0.25))
        .fit(&x)
        .unwrap();
    for j in 0..2 {
        let difference = ridge.model().covariances().variances(0)[j]
            - plain.model().covariances().variances(0)[j];
        assert!((difference - 0.25).abs() < 1e-14);
    }
}

#[test]
fn extreme_scales_are_fitted_right() {
    let x = data::separated(9, 200, 2, 2).x;
    let base = Em::new(2).fit(&x).unwrap();
    for scale in [1e-150, 1e-100, 1e-8, 1e8, 1e100, 1e150] {
        let scaled = Mat::from_fn(200, 2, |i, j| x[(i, j)] * scale);
        let fit = Em::new(2).fit(&scaled).unwrap();
        let expected = base.report().log_likelihood - 400.0 * scale.ln();
        let error = (fit.report().log_likelihood - expected).abs();
        assert!(
            error <= 1e-11 * expected.abs(),
            "{scale:e}: off by {error:e}"
        );
        assert_eq!(
            fit.model().predict(&scaled).unwrap(),
            base.model().predict(&x).unwrap()
        );
    }
    // Covariances of 1e-400 have no place in f64: an error that names the column, not a wrong number.
    let tiny = Mat::from_fn(200, 2, |i, j| x[(i, j)] * 1e-200);
    assert_eq!(
        Em::new(2).fit(&tiny).unwrap_err().to_string(),
        "the covariance of component 0 leaves the range of f64 at feature 0; rescale that column"
    );
}

#[test]
fn tiny_and_huge_weights_are_fitted_right() {
    let x = data::separated(10, 100, 2, 2).x;
    let base = Em::new(2).fit(&x).unwrap();
    for weight in [1e-200, 1e-12, 1e12, 1e200] {
        let weights = vec![weight; 100];
        let fit = Em::new(2)
            .stopping(gmm_em::Stopping::MeanChange(1e-8))
            .fit(Samples::from(&x).with_weights(&weights))
            .unwrap();
        assert_eq!(
            fit.model().predict(&x).unwrap(),
            base.model().predict(&x).unwrap(),
            "{weight:e}"
        );
    }
}

/// A column that says which group a row belongs to has no variance within the groups: an error that names it, or an event.
#[test]
fn a_column_of_labels_is_held_or_named() {
    let labels: Vec<usize> = (0..60).map(|i| usize::from(i % 3 == 0)).collect();
    let x = Mat::from_fn(60, 2, |i, j| [(i as f64).sin(), labels[i] as f64][j]);
    for form in CovarianceType::ALL {
        let em = Em::new(2).covariance(form);
        let held = em.fit_from(&x, Start::Labels(&labels)).unwrap();
        assert_valid(&held);
        let plain = em
            .regularization(Regularization::None)
            .rescue(Rescue::Fail)
            .fit_from(&x, Start::Labels(&labels));
        if form.structure() == Structure::Isotropic {
            assert!(plain.is_ok() && held.report().events.is_empty(), "{form}");
            continue;
        }
        assert!(
            matches!(plain, Err(Error::Collapsed { iteration: 1, .. })),
            "{form}: {plain:?}"
        );
        assert!(
            matches!(held.report().events[0], Event::Floored { .. }),
            "{form}: {:?}",
            held.report().events
        );
    }
}
