//! What a fit says is true also where the data, the weights or the start are odd.

use gmm_core::faer::{Mat, mat};
use gmm_core::{CovarianceType, Covariances, GaussianMixture, Samples};
use gmm_em::{
    Acceleration, ConjugatePrior, Em, Error, Event, Initialization, Regularization, Rescue, Start,
    SufficientStatistics,
};
use gmm_testkit::data;

fn variances(fit: &gmm_em::Fit) -> Vec<f64> {
    (0..fit.model().n_components())
        .map(|k| fit.model().covariances().variances(k)[0])
        .collect()
}

#[test]
fn a_row_of_weight_zero_may_lie_anywhere() {
    let clean = data::separated(11, 300, 1, 2).x;
    for scale in [1.0, 1e-20] {
        let mut weights = vec![1.0; 301];
        weights[300] = 0.0;
        let small = Mat::from_fn(300, 1, |i, _| clean[(i, 0)] * scale);
        let far = Mat::from_fn(301, 1, |i, _| if i < 300 { small[(i, 0)] } else { 1e300 });
        for start in Initialization::ALL {
            let em = Em::new(2).initialization(start);
            let fit = em.fit(Samples::from(&far).with_weights(&weights)).unwrap();
            assert!(fit.report().log_likelihood.is_finite(), "{start:?} {scale}");
            assert!(variances(&fit).iter().all(|v| v.is_finite() && *v > 0.0));
        }
        // The default start draws the same rows with and without the row that doesn't count.
        let fit = Em::new(2)
            .fit(Samples::from(&far).with_weights(&weights))
            .unwrap();
        let expected = Em::new(2).fit(&small).unwrap();
        let (found, expected) = (
            fit.report().log_likelihood,
            expected.report().log_likelihood,
        );
        assert!((found - expected).abs() <= 1e-9 * expected.abs());
    }
}

#[test]
fn reseeded_components_start_apart() {
    let x = data::overlapping(12, 200, 1, 2).x;
    let labels = vec![0; 200];
    let fit = Em::new(3)
        .rescue(Rescue::Reseed)
        .fit_from(&x, Start::Labels(&labels))
        .unwrap();
    let first: Vec<&Event> = (fit.report().events.iter())
        .filter(|e| {
            matches!(
                e,
                Event::Reseeded { iteration: 1, .. } | Event::Dropped { iteration: 1, .. }
            )
        })
        .collect();
    assert!(
        matches!(first[..], [Event::Reseeded { .. }, Event::Dropped { .. }]),
        "{first:?}"
    );
    // No two components are twins.
    let means: Vec<f64> = (0..fit.model().n_components())
        .map(|k| fit.model().means()[(k, 0)])
        .collect();
    assert_eq!(means.len(), 2);
    assert!((means[0] - means[1]).abs() > 1e-3, "{means:?}");
}

#[test]
fn the_first_reseed_takes_a_row_that_counts() {
    let clean = data::overlapping(13, 200, 1, 2).x;
    let x = Mat::from_fn(200, 1, |i, _| match i {
        0 => 1e5,
        77 => 40.0,
        _ => clean[(i, 0)],
    });
    let mut weights = vec![1.0; 200];
    weights[0] = 0.0;
    let fit = Em::new(2)
        .rescue(Rescue::Reseed)
        .max_iterations(1)
        .fit_from(
            Samples::from(&x).with_weights(&weights),
            Start::Labels(&[0; 200]),
        )
        .unwrap();
    let reseeded = Event::Reseeded {
        component: 1,
        iteration: 1,
        row: 77,
    };
    assert_eq!(fit.report().events, [reseeded]);
}

#[test]
fn a_start_below_the_floor_is_raised_without_an_alarm() {
    let x = data::overlapping(14, 200, 1, 2).x;
    // A spike on a row, and all data as they are: the start's likelihood is high, and all that EM can do is to lose the spike.
    let one = Em::new(1).fit(&x).unwrap().into_model();
    let spread = one.covariances().variances(0)[0];
    let spike = Covariances::diag(mat![[1e-14], [spread]].as_ref()).unwrap();
    let means = mat![[x[(0, 0)]], [one.means()[(0, 0)]]];
    let start = GaussianMixture::new(vec![0.005, 0.995], means, spike).unwrap();
    let em = Em::new(2).covariance(CovarianceType::Diag);
    let fit = em.fit_from(&x, Start::Mixture(&start)).unwrap();
    let events = &fit.report().events;
    assert!(
        !events.iter().any(|e| matches!(e, Event::Fell { .. })),
        "{events:?}"
    );
    // The floor costs likelihood here: it is that of the start which no M-step made.
    assert!(fit.report().trace[0] > fit.report().trace[1]);
    let unchanged = em
        .max_iterations(0)
        .fit_from(&x, Start::Mixture(&start))
        .unwrap();
    assert_eq!(unchanged.report().n_singular, 1);
}

#[test]
fn a_fit_at_the_floor_stays_singular_when_it_is_continued() {
    let x = Mat::from_fn(
        60,
        1,
        |i, _| if i < 20 { 50.0 } else { (i as f64 * 0.7).sin() },
    );
    for form in CovarianceType::ALL {
        let em = Em::new(2).covariance(form).max_iterations(3);
        let fit = em.fit(&x).unwrap();
        let again = em
            .max_iterations(0)
            .fit_from(&x, Start::Mixture(fit.model()))
            .unwrap();
        assert_eq!(again.report().n_singular, fit.report().n_singular, "{form}");
    }
}

#[test]
fn the_likelihood_is_that_of_the_model_also_at_huge_offsets() {
    let clean = data::overlapping(15, 2000, 1, 2).x;
    for offset in [1e10, 1e15] {
        let x = Mat::from_fn(2000, 1, |i, _| offset + clean[(i, 0)]);
        let fit = Em::new(2).fit(&x).unwrap();
        let (said, is) = (
            fit.report().log_likelihood,
            fit.model().log_likelihood(&x).unwrap(),
        );
        // The model is evaluated at the offset, where x - mean is exact, as in the frame: rounding of the densities alone.
        assert!(
            (said - is).abs() <= 1e-11 * is.abs(),
            "{offset:e}: {said} {is}"
        );
    }
}

#[test]
fn normalized_weights_stop_where_weights_of_one_do() {
    let x = data::overlapping(16, 4000, 1, 2).x;
    for total in [1.0, 1e-12] {
        let weights = vec![total / 4000.0; 4000];
        for start in [Initialization::KMeans, Initialization::KMeansPlusPlus] {
            let em = Em::new(3).initialization(start);
            let plain = em.fit(&x).unwrap();
            let light = em.fit(Samples::from(&x).with_weights(&weights)).unwrap();
            let lost = plain.report().mean_log_likelihood() - light.report().mean_log_likelihood();
            // Both leave at most a thousandth of a nat per 4000 rows.
            assert!(
                4000.0 * lost.abs() <= 2e-3,
                "{start:?}: {} nats",
                4000.0 * lost
            );
        }
    }
}

#[test]
fn a_ridge_is_not_accelerated() {
    let x = data::overlapping(17, 500, 1, 3).x;
    let em = Em::new(3).regularization(Regularization::Ridge(1e-2));
    let plain = em.fit(&x).unwrap();
    let asked = em
        .acceleration(Acceleration::OverRelaxation)
        .fit(&x)
        .unwrap();
    assert_eq!(plain, asked);
}

#[test]
fn a_prior_is_not_exchanged_for_a_floor() {
    // Nothing collapses under a prior of sensible size; one of next to none is a typed error, not another objective.
    let x = Mat::from_fn(
        60,
        1,
        |i, _| if i < 30 { 50.0 } else { (i as f64 * 0.7).sin() },
    );
    let weak = ConjugatePrior {
        shrinkage: 0.0,
        scale: 1e-40,
        ..ConjugatePrior::default()
    };
    let outcome = Em::new(2)
        .regularization(Regularization::Prior(weak))
        .rescue(Rescue::Floor(1e-6))
        .fit(&x);
    assert!(
        matches!(outcome, Err(Error::Collapsed { .. })),
        "{outcome:?}"
    );
}

#[test]
fn a_constant_feature_is_named_with_a_value_that_counts() {
    let x = mat![[99.0], [1.0], [1.0], [1.0]];
    let outcome = Em::new(1).fit(Samples::from(&x).with_weights(&[0.0, 1.0, 1.0, 1.0]));
    let expected = Error::ConstantFeature {
        feature: 0,
        value: 1.0,
    };
    assert_eq!(outcome, Err(expected));
}

#[test]
fn statistics_of_a_constant_feature_have_no_floor() {
    let x = Mat::from_fn(40, 2, |i, j| if j == 0 { (i as f64).sin() } else { 7.0 });
    let all = Mat::from_fn(40, 1, |_, _| 1.0);
    let gathered = |form| SufficientStatistics::from_responsibilities(&x, form, all.as_ref());
    for form in [
        CovarianceType::Full,
        CovarianceType::Tied,
        CovarianceType::Diag,
    ] {
        let statistics = gathered(form).unwrap();
        let expected = Error::ConstantFeature {
            feature: 1,
            value: 7.0,
        };
        let outcome = statistics.estimate(Regularization::default());
        assert_eq!(outcome.err(), Some(expected), "{form}");
        // As they are, the moments are there to look at.
        let plain = statistics.estimate(Regularization::None).unwrap();
        assert!(plain.covariances.variances(0)[1].abs() < f64::MIN_POSITIVE);
    }
    let round = gathered(CovarianceType::Spherical).unwrap();
    assert!(round.maximize(Regularization::default()).is_ok());
}

#[test]
fn random_rows_differ_in_their_values() {
    // Three values, the first of them in most rows.
    let x = Mat::from_fn(90, 1, |i, _| match i {
        0 => 5.0,
        1 => 9.0,
        _ => 1.0,
    });
    for seed in 0..20 {
        let em = Em::new(3)
            .initialization(Initialization::RandomFromData)
            .seed(seed)
            .max_iterations(1);
        let fit = em.fit(&x).unwrap();
        let mut means: Vec<f64> = (0..3).map(|k| fit.model().means()[(k, 0)]).collect();
        means.sort_by(f64::total_cmp);
        assert_eq!(means, [1.0, 5.0, 9.0], "seed {seed}");
    }
    let four = Em::new(4)
        .initialization(Initialization::RandomFromData)
        .fit(&x)
        .unwrap();
    let expected = Event::FewDistinctRows { found: 3, asked: 4 };
    assert_eq!(four.report().events[0], expected);
}

/// A ridge has no objective, so its steps may lose likelihood: the report says where, and by how much.
#[test]
fn a_fall_is_told_with_its_iteration() {
    let x = data::overlapping(15, 300, 2, 2).x;
    for form in CovarianceType::ALL {
        let em = Em::new(2).covariance(form).seed(1);
        let best = em.fit(&x).unwrap().into_model();
        let ridge = em.regularization(gmm_em::Regularization::Ridge(0.3));
        let fit = ridge.fit_from(&x, Start::Mixture(&best)).unwrap();
        let trace = &fit.report().trace;
        let falls: Vec<(usize, f64)> = (fit.report().events.iter())
            .filter_map(|event| match event {
                Event::Fell { iteration, by } => Some((*iteration, *by)),
                _ => None,
            })
            .collect();
        assert!(!falls.is_empty(), "{form}");
        for (iteration, by) in falls {
            let (before, after) = (trace[iteration - 1], trace[iteration]);
            let fell = before - after;
            // A fall is that in the units of the fit; in those of the data a constant is added to both, and each sum rounded.
            let rounding = f64::EPSILON * (before.abs() + after.abs());
            assert!(
                by > 0.0 && (by - fell).abs() <= rounding,
                "{form}: {by} {fell}"
            );
        }
        assert!(trace[1] < trace[0] - 1.0, "{form}: {trace:?}");
    }
}
