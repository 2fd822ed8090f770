//! The catalogue of bad days, continued: starts, weights and views that no one should give, for every covariance form.

use gmm_core::faer::{ColRef, Mat, MatRef, RowRef};
use gmm_core::{CovarianceType, Covariances, GaussianMixture, Samples};
use gmm_em::{Em, Error, Event, Fit, Rescue, Start};
use gmm_testkit::data;

use crate::checked;

fn table() -> Mat<f64> {
    data::separated(1, 60, 2, 2).x
}

/// A mixture of a form with the given means, weights and one variance in all directions.
fn mixture(
    form: CovarianceType,
    weights: &[f64],
    means: &[[f64; 2]],
    variance: f64,
) -> GaussianMixture {
    let block = match form.block_len(2) {
        4 => vec![variance, 0.0, 0.0, variance],
        n => vec![variance; n],
    };
    let k = weights.len();
    let covariances = Covariances::new(form, k, 2, vec![block; form.n_blocks(k)]).unwrap();
    let means = Mat::from_fn(k, 2, |c, j| means[c][j]);
    GaussianMixture::new(weights.to_vec(), means, covariances).unwrap()
}

/// The mean and the mean variance of the columns.
fn overall(x: &Mat<f64>) -> ([f64; 2], f64) {
    let n = x.nrows() as f64;
    let mean = [0, 1].map(|j| x.col(j).iter().sum::<f64>() / n);
    let squares = (0..x.nrows()).flat_map(|i| [0, 1].map(|j| (x[(i, j)] - mean[j]).powi(2)));
    (mean, squares.sum::<f64>() / (2.0 * n))
}

fn fit_from(x: &Mat<f64>, start: &GaussianMixture) -> Result<Fit, Error> {
    Em::new(start.n_components())
        .covariance(start.covariance_type())
        .fit_from(x, Start::Mixture(start))
}

/// Components that coincide share all rows: EM can't part them, and the mixture is that of one component.
#[test]
fn components_that_start_alike_stay_alike() {
    let x = table();
    let (mean, variance) = overall(&x);
    for form in CovarianceType::ALL {
        let start = mixture(form, &[0.5, 0.5], &[mean, mean], variance);
        let fit = fit_from(&x, &start).unwrap();
        checked(&fit, Samples::from(&x), form.name());
        let one = Em::new(1).covariance(form).fit(&x).unwrap();
        let (found, expected) = (fit.report().log_likelihood, one.report().log_likelihood);
        // Two equal halves are summed in place of one whole.
        let bound = 64.0 * f64::EPSILON * (expected.abs() + 60.0);
        assert!(
            (found - expected).abs() <= bound,
            "{form}: {found} {expected}"
        );
    }
}

/// From wherever a start lies, the fit comes to the data.
#[test]
fn starts_outside_the_data_come_in() {
    let x = table();
    let (_, variance) = overall(&x);
    for form in CovarianceType::ALL {
        for distance in [1e3, 1e8, 1e100, 1e150] {
            let what = format!("{form}, {distance:e}");
            // One on each side of the data.
            let means = [[-distance, -distance], [distance, distance]];
            let fit = fit_from(&x, &mixture(form, &[0.5, 0.5], &means, variance)).unwrap();
            checked(&fit, Samples::from(&x), &what);
            for k in 0..fit.model().n_components() {
                for j in 0..2 {
                    let column = x.col(j);
                    let (low, high) = (column.iter())
                        .fold((f64::MAX, f64::MIN), |(a, b), v| (a.min(*v), b.max(*v)));
                    let mean = fit.model().means()[(k, j)];
                    // A weighted mean of the rows, to rounding.
                    let slack = 1e-12 * (high - low);
                    assert!(
                        (low - slack..=high + slack).contains(&mean),
                        "{what}: {mean}"
                    );
                }
            }
        }
    }
}

/// A component that no row belongs to is left out or refused, as the policy says, at the start and on the way.
#[test]
fn empty_components_are_events_or_errors() {
    let x = table();
    let (mean, variance) = overall(&x);
    for form in CovarianceType::ALL {
        let far = [mean, [1e6, 1e6]];
        for (case, start) in [
            ("far away", mixture(form, &[0.5, 0.5], &far, variance)),
            (
                "weight 0",
                mixture(form, &[1.0, 0.0], &[mean, mean], variance),
            ),
        ] {
            let what = format!("{case}, {form}");
            let fit = fit_from(&x, &start).unwrap();
            checked(&fit, Samples::from(&x), &what);
            assert_eq!(fit.model().n_components(), 1, "{what}");
            let dropped = Event::Dropped {
                component: 1,
                iteration: 1,
                occupancy: 0.0,
            };
            assert_eq!(fit.report().events.first(), Some(&dropped), "{what}");
            let failed = Em::new(2)
                .covariance(form)
                .rescue(Rescue::Fail)
                .fit_from(&x, Start::Mixture(&start));
            assert!(
                matches!(failed, Err(Error::Empty { component: 1, .. })),
                "{what}: {failed:?}"
            );
            let reseeded = Em::new(2)
                .covariance(form)
                .rescue(Rescue::Reseed)
                .fit_from(&x, Start::Mixture(&start))
                .unwrap();
            checked(&reseeded, Samples::from(&x), &what);
            assert!(
                matches!(
                    reseeded.report().events[0],
                    Event::Reseeded { component: 1, .. }
                ),
                "{what}"
            );
        }
        let labels = [0; 60];
        let fit = Em::new(2)
            .covariance(form)
            .fit_from(&x, Start::Labels(&labels))
            .unwrap();
        assert_eq!(fit.model().n_components(), 1, "{form}");
        assert!(
            matches!(fit.report().events[0], Event::Dropped { component: 1, .. }),
            "{form}"
        );
    }
}

/// Covariances that are singular can't be given; those that nearly are do no harm.
#[test]
fn starts_that_are_points() {
    let x = table();
    for form in CovarianceType::ALL {
        let block = vec![0.0; form.block_len(2)];
        let covariances = Covariances::new(form, 2, 2, vec![block; form.n_blocks(2)]).unwrap();
        let made = GaussianMixture::new(vec![0.5, 0.5], Mat::zeros(2, 2), covariances);
        assert!(
            matches!(
                made,
                Err(gmm_core::Error::NotPositiveDefinite {
                    component: 0,
                    pivot: 0
                })
            ),
            "{form}"
        );
        for variance in [1e-14, 1e-100, 1e-280] {
            let means = [[x[(3, 0)], x[(3, 1)]], [x[(40, 0)], x[(40, 1)]]];
            let fit = fit_from(&x, &mixture(form, &[0.5, 0.5], &means, variance)).unwrap();
            checked(
                &fit,
                Samples::from(&x),
                &format!("{form}, variance {variance:e}"),
            );
        }
    }
}

/// A component of nearly no rows keeps its mean and covariance: moments are normalized by its own occupancy.
#[test]
fn a_starved_component_is_right() {
    let x = table();
    let (mean, variance) = overall(&x);
    for form in CovarianceType::ALL {
        let start = mixture(form, &[1.0, 1e-200], &[mean, mean], variance);
        let fit = Em::new(2)
            .covariance(form)
            .max_iterations(1)
            .fit_from(&x, Start::Mixture(&start))
            .unwrap();
        checked(&fit, Samples::from(&x), form.name());
        assert_eq!(fit.model().n_components(), 2, "{form}");
        for j in 0..2 {
            let (a, b) = (fit.model().means()[(0, j)], fit.model().means()[(1, j)]);
            assert!(
                (a - b).abs() <= 64.0 * f64::EPSILON * variance.sqrt(),
                "{form}: {a} {b}"
            );
        }
    }
}

#[test]
fn weights_of_rows() {
    let x = table();
    let some = |value: f64| -> Vec<f64> {
        (0..60)
            .map(|i| if i % 7 == 3 { value } else { 1.0 })
            .collect()
    };
    let all = |value: f64| vec![value; 60];
    let refused = [
        (
            some(-1.0),
            "the sample weight of row 3 is -1 (counted from 0); weights must be finite and not negative",
        ),
        (
            some(f64::NAN),
            "the sample weight of row 3 is NaN (counted from 0); weights must be finite and not negative",
        ),
        (
            some(f64::INFINITY),
            "the sample weight of row 3 is inf (counted from 0); weights must be finite and not negative",
        ),
        (
            all(0.0),
            "all sample weights are zero; at least one row needs a positive weight",
        ),
        (
            all(f64::MAX),
            "the sum of the sample weights is not finite; divide all weights by a common factor",
        ),
        (
            all(1e-300),
            "the sum of the sample weights is 5.999999999999999e-299; it must lie between 1e-280 and 1e280, so multiply all weights by a common factor",
        ),
        (
            all(5e-324),
            "the sum of the sample weights is 2.96e-322; it must lie between 1e-280 and 1e280, so multiply all weights by a common factor",
        ),
    ];
    for form in CovarianceType::ALL {
        let em = Em::new(2).covariance(form);
        for (weights, message) in &refused {
            let outcome = em.fit(Samples::from(&x).with_weights(weights));
            assert_eq!(outcome.unwrap_err().to_string(), *message, "{form}");
        }
        // -0 is 0, and what is next to nothing counts for next to nothing.
        let kept = em.fit(Samples::from(&x).with_weights(&some(0.0))).unwrap();
        for value in [-0.0, 5e-324, 1e-250] {
            let fit = em
                .fit(Samples::from(&x).with_weights(&some(value)))
                .unwrap();
            checked(&fit, Samples::from(&x), form.name());
            let off = fit.report().log_likelihood - kept.report().log_likelihood;
            assert!(off.abs() <= 2e-3, "{form}, {value:e}: off by {off:e}");
        }
        // Heavy rows are all that is seen: still a mixture.
        let fit = em
            .fit(Samples::from(&x).with_weights(&some(1e200)))
            .unwrap();
        checked(&fit, Samples::from(&x), form.name());
    }
}

/// A model asked about other data: a refusal, an empty answer, or one that is defined.
#[test]
fn models_on_data_of_another_kind() {
    let x = table();
    for form in CovarianceType::ALL {
        let model = Em::new(2).covariance(form).fit(&x).unwrap().into_model();
        let three = Mat::from_fn(4, 3, |i, j| ((2 * i + j * j) % 5) as f64);
        let message = "the data have 3 features, the model 2; give the columns the model was fitted on, in their order";
        assert_eq!(model.predict(&three).unwrap_err().to_string(), message);
        assert_eq!(model.log_density(&three).unwrap_err().to_string(), message);
        assert_eq!(
            model.responsibilities(&three).unwrap_err().to_string(),
            message
        );
        assert_eq!(
            Em::new(2)
                .covariance(form)
                .fit_from(&three, Start::Mixture(&model))
                .unwrap_err()
                .to_string(),
            message
        );
        let none = Mat::<f64>::zeros(0, 2);
        assert!(
            model.predict(&none).unwrap().is_empty()
                && model.log_density(&none).unwrap().is_empty()
        );
        for far in [1e20, 1e153, 1e160, 1e200, f64::MAX, -f64::MAX] {
            let row = Mat::from_fn(1, 2, |_, _| far);
            let log_density = model.log_density(&row).unwrap()[0];
            assert!(log_density < -1e30, "{form}, {far:e}: {log_density}");
            let soft = model.responsibilities(&row).unwrap();
            let total = soft[(0, 0)] + soft[(0, 1)];
            // Two shares, each divided by their sum.
            assert!(
                (total - 1.0).abs() <= 4.0 * f64::EPSILON,
                "{form}, {far:e}: {soft:?}"
            );
            let label = model.predict(&row).unwrap()[0];
            assert!(soft[(0, label)] >= soft[(0, 1 - label)], "{form}, {far:e}");
        }
    }
}

/// Views whose strides are negative or zero are tables like any other.
#[test]
fn views_with_odd_strides() {
    let x = table();
    let upside_down = Mat::from_fn(60, 2, |i, j| x[(59 - i, 1 - j)]);
    let row = [1.5, -2.5];
    let repeated = MatRef::from_repeated_row(RowRef::from_slice(&row), 9);
    let same_column = MatRef::from_repeated_col(ColRef::from_slice(&row), 2);
    for form in CovarianceType::ALL {
        let em = Em::new(2).covariance(form);
        let fit = em.fit(&x).unwrap();
        assert_eq!(
            em.fit(upside_down.as_ref().reverse_rows_and_cols())
                .unwrap(),
            fit,
            "{form}"
        );
        let model = fit.model();
        for view in [repeated, same_column] {
            let copy = view.to_owned();
            assert_eq!(
                model.log_density(view).unwrap(),
                model.log_density(&copy).unwrap()
            );
            assert_eq!(
                model.responsibilities(view).unwrap(),
                model.responsibilities(&copy).unwrap()
            );
        }
        assert_eq!(
            em.fit(repeated).unwrap_err().to_string(),
            "feature 0 is constant (1.5); leave that column out or use a ridge"
        );
        assert_eq!(
            em.fit(same_column),
            em.fit(&same_column.to_owned()),
            "{form}"
        );
    }
}

/// Tables of one column given 2^61 times: what follows from them fits into no memory, and none is asked for.
#[test]
fn absurd_sizes_are_refused_at_once() {
    let column = [1.5, -2.5];
    for log_size in [33, 61] {
        let n_features = 1_usize << log_size;
        let x = MatRef::from_repeated_col(ColRef::from_slice(&column), n_features);
        for form in CovarianceType::ALL {
            // Statistics of diagonal forms of 2^33 features are 128 GB, which some machine has.
            if log_size == 33 && form.block_len(2) != 4 {
                continue;
            }
            let error = Em::new(1).covariance(form).fit(x).unwrap_err();
            let expected = Error::TooLarge {
                n_components: 1,
                n_features,
                form,
            };
            assert_eq!(error, expected, "{form}");
        }
    }
}
