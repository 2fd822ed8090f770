//! Sufficient statistics as an object that threads, machines and files exchange.

use gmm_core::faer::mat;
use gmm_core::{CovarianceType, Covariances, GaussianMixture};
use gmm_em::{Em, Error, Regularization, SufficientStatistics};
use gmm_testkit::data;
use gmm_testkit::naive;

use crate::{matrix, mixture_of};

#[test]
fn one_step_agrees_with_the_textbook() {
    for form in naive::Form::ALL {
        let set = data::overlapping(21, 700, 3, 3);
        let rows = set.rows();
        let mut truth = set.truth.clone().unwrap();
        truth = naive::m_step(form, &rows, &truth.responsibilities(&rows), None).mixture;
        let weights: Vec<f64> = (0..700).map(|i| 0.25 + (i % 5) as f64).collect();
        let expected = naive::em_step(&truth, &rows, Some(&weights));
        let model = mixture_of(&truth).unwrap();
        let x = matrix(&rows);
        let mut statistics = SufficientStatistics::zeros(&model);
        statistics
            .observe(&model, gmm_core::Samples::from(&x).with_weights(&weights))
            .unwrap();
        let next = statistics.maximize(Regularization::None).unwrap();
        // Two orders of summation of 700 terms, whose responsibilities come from a condition of up to 1e3.
        let tolerance = 700.0 * 1e3 * f64::EPSILON;
        for k in 0..3 {
            assert!((next.weights()[k] - expected.mixture.weights[k]).abs() <= tolerance);
            for i in 0..3 {
                assert!(
                    (next.means()[(k, i)] - expected.mixture.means[k][i]).abs() <= tolerance * 10.0
                );
                for j in 0..3 {
                    let (a, b) = (
                        next.covariances().component(k)[(i, j)],
                        expected.mixture.covariances[k][i][j],
                    );
                    assert!((a - b).abs() <= tolerance * 10.0, "{form:?}: {a} {b}");
                }
            }
        }
    }
}

#[test]
fn scaling_counts_the_data_several_times() {
    let x = data::overlapping(22, 300, 2, 2).x;
    let model = Em::new(2).max_iterations(2).fit(&x).unwrap().into_model();
    let mut once = SufficientStatistics::zeros(&model);
    once.observe(&model, &x).unwrap();
    let mut thrice = once.clone();
    thrice.scale(3.0).unwrap();
    assert!(
        (thrice.log_likelihood() - 3.0 * once.log_likelihood()).abs()
            <= 1e-12 * once.log_likelihood().abs()
    );
    let (a, b) = (
        once.maximize(Regularization::None).unwrap(),
        thrice.maximize(Regularization::None).unwrap(),
    );
    for k in 0..2 {
        assert!((a.weights()[k] - b.weights()[k]).abs() < 1e-14);
    }
    assert_eq!(
        thrice.scale(f64::NAN).unwrap_err().to_string(),
        "factor is NaN; it must be finite and not negative"
    );
}

#[test]
fn merging_different_shapes_is_an_error() {
    let one = GaussianMixture::new(
        vec![1.0],
        mat![[0.0]],
        Covariances::spherical(&[1.0], 1).unwrap(),
    )
    .unwrap();
    let two = GaussianMixture::new(
        vec![0.5, 0.5],
        mat![[0.0], [1.0]],
        Covariances::diag(mat![[1.0], [1.0]].as_ref()).unwrap(),
    )
    .unwrap();
    let mut statistics = SufficientStatistics::zeros(&one);
    assert_eq!(
        statistics
            .merge(&SufficientStatistics::zeros(&two))
            .unwrap_err()
            .to_string(),
        "statistics of 2 components and 1 features (diag) don't go with 1 and 1 (spherical); gather both with the same model"
    );
    assert!(matches!(
        statistics.observe(&two, &mat![[0.0]]),
        Err(Error::StatisticsShape { .. })
    ));
    assert_eq!(
        statistics
            .maximize(Regularization::None)
            .unwrap_err()
            .to_string(),
        "component 0 is empty at iteration 0 (occupancy 0e0); use fewer components or another start"
    );
}

#[test]
fn statistics_gathered_about_other_means_merge_as_well() {
    let set = data::overlapping(23, 500, 2, 2);
    let model = Em::new(2)
        .max_iterations(3)
        .fit(&set.x)
        .unwrap()
        .into_model();
    let far = GaussianMixture::new(
        model.weights().to_vec(),
        gmm_core::faer::Mat::from_fn(2, 2, |k, j| model.means()[(k, j)] + 1e3),
        model.covariances().clone(),
    )
    .unwrap();
    let mut whole = SufficientStatistics::zeros(&model);
    whole.observe(&model, &set.x).unwrap();
    let mut about_far = SufficientStatistics::zeros(&far);
    about_far.observe(&model, &set.x).unwrap();
    let mut merged = SufficientStatistics::zeros(&model);
    merged.merge(&about_far).unwrap();
    let (a, b) = (
        whole.maximize(Regularization::None).unwrap(),
        merged.maximize(Regularization::None).unwrap(),
    );
    for k in 0..2 {
        for j in 0..2 {
            // A distance of 1e3 costs three digits of the mean, none of the centred scatter.
            assert!((a.means()[(k, j)] - b.means()[(k, j)]).abs() <= 1e-12);
            let (ca, cb) = (
                a.covariances().variances(k)[j],
                b.covariances().variances(k)[j],
            );
            assert!((ca / cb - 1.0).abs() <= 1e-11, "{ca} {cb}");
        }
    }
}

#[cfg(feature = "serde")]
#[test]
fn statistics_survive_json_bit_for_bit() {
    let x = data::overlapping(24, 300, 2, 2).x;
    for form in CovarianceType::ALL {
        let model = Em::new(2)
            .covariance(form)
            .max_iterations(2)
            .fit(&x)
            .unwrap()
            .into_model();
        let mut statistics = SufficientStatistics::zeros(&model);
        statistics.observe(&model, &x).unwrap();
        let json = serde_json::to_string(&statistics).unwrap();
        let read: SufficientStatistics = serde_json::from_str(&json).unwrap();
        assert_eq!(
            read.maximize(Regularization::None),
            statistics.maximize(Regularization::None)
        );
        assert_eq!(serde_json::to_string(&read).unwrap(), json);
        let damaged = json.replacen("\"n_features\":2", "\"n_features\":3", 1);
        assert!(serde_json::from_str::<SufficientStatistics>(&damaged).is_err());
    }
}

#[cfg(feature = "serde")]
#[test]
fn noise_and_proportions_survive_json() {
    let x = data::overlapping(24, 300, 2, 2).x;
    let em = Em::new(2).noise(gmm_em::NoiseVolume::Box).max_iterations(2);
    let model = em.fit(&x).unwrap().into_model().with_equal_weights();
    let mut statistics = SufficientStatistics::zeros(&model);
    statistics.observe(&model, &x).unwrap();
    let json = serde_json::to_string(&statistics).unwrap();
    let read: SufficientStatistics = serde_json::from_str(&json).unwrap();
    let next = read.maximize(Regularization::None).unwrap();
    assert_eq!(next, statistics.maximize(Regularization::None).unwrap());
    assert!(next.noise().is_some() && next.weights()[0].to_bits() == next.weights()[1].to_bits());
    for (from, to) in [("\"equal\"", "\"even\""), ("\"noise\":[", "\"noise\":[-")] {
        assert!(json.contains(from), "{json}");
        let damaged = json.replacen(from, to, 1);
        assert!(serde_json::from_str::<SufficientStatistics>(&damaged).is_err());
    }
}

#[cfg(feature = "serde")]
#[test]
fn statistics_of_nothing_are_refused() {
    let written = |n: usize, d: usize| {
        let rows = |len: usize| format!("[{}]", vec![format!("{:?}", vec![1.0; len]); n].join(","));
        format!(
            "{{\"form\":\"diag\",\"n_features\":{d},\"occupancy\":{:?},\"shifts\":{},\"means\":{},\"scatters\":{},\
             \"log_likelihood\":[0.0,0.0],\"total_weight\":1.0,\"n_samples\":1}}",
            vec![1.0; n],
            rows(d),
            rows(d),
            rows(d),
        )
    };
    let read = |n, d| serde_json::from_str::<SufficientStatistics>(&written(n, d));
    assert!(read(2, 3).is_ok());
    assert!(read(0, 3).is_err());
    assert!(read(2, 0).is_err());
    // Each list, and each row of each, must have the others' length; counts are not negative.
    let whole = written(2, 3);
    let row = "[1.0, 1.0, 1.0]";
    let two = format!("[{row},{row}]");
    for name in ["shifts", "means", "scatters"] {
        let from = format!("\"{name}\":{two}");
        for to in [
            format!("[{row}]"),
            format!("[{row},{row},{row}]"),
            format!("[{row},[1.0, 1.0]]"),
            format!("[[1.0, 1.0, 1.0, 1.0],{row}]"),
        ] {
            let damaged = whole.replace(&from, &format!("\"{name}\":{to}"));
            assert_ne!(damaged, whole);
            assert!(
                serde_json::from_str::<SufficientStatistics>(&damaged).is_err(),
                "{damaged}"
            );
        }
    }
    for (from, to) in [
        ("\"occupancy\":[1.0, 1.0]", "\"occupancy\":[1.0, -1.0]"),
        ("\"occupancy\":[1.0, 1.0]", "\"occupancy\":[1.0]"),
        ("\"total_weight\":1.0", "\"total_weight\":-1.0"),
    ] {
        let damaged = whole.replace(from, to);
        assert_ne!(damaged, whole);
        assert!(
            serde_json::from_str::<SufficientStatistics>(&damaged).is_err(),
            "{damaged}"
        );
    }
}

#[test]
fn forms_have_statistics_of_their_own() {
    let x = data::overlapping(25, 100, 2, 2).x;
    for form in CovarianceType::ALL {
        let model = Em::new(2)
            .covariance(form)
            .max_iterations(1)
            .fit(&x)
            .unwrap()
            .into_model();
        assert_eq!(SufficientStatistics::zeros(&model).covariance_type(), form);
    }
}
