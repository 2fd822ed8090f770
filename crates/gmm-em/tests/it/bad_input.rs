//! Data and settings that can't be fitted: a typed error with an exact message, never a panic, never a wrong number.

use gmm_core::faer::Mat;
use gmm_core::{CovarianceType, Covariances, GaussianMixture, Samples};
use gmm_em::{ConjugatePrior, Em, Error, Regularization, Rescue, Start, Stopping};
use gmm_testkit::data;

fn message<T>(result: Result<T, Error>) -> String {
    match result {
        Ok(_) => panic!("expected an error"),
        Err(error) => error.to_string(),
    }
}

fn two_columns(n: usize) -> Mat<f64> {
    data::separated(1, n, 2, 2).x
}

#[test]
fn cells_that_are_not_finite_are_named() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut x = two_columns(9000);
        x[(6000, 1)] = value;
        x[(8500, 0)] = f64::NAN;
        let expected = format!(
            "row 6000, column 1 is {value} (counted from 0); every cell must be a finite number, so remove the row or fill the cell"
        );
        assert_eq!(message(Em::new(2).fit(&x)), expected);
    }
}

#[test]
fn tables_without_rows_or_columns() {
    assert_eq!(
        message(Em::new(1).fit(&Mat::<f64>::zeros(0, 3))),
        "the data have no rows; at least one row is needed"
    );
    assert_eq!(
        message(Em::new(1).fit(&Mat::<f64>::zeros(3, 0))),
        "the data have no columns; at least one feature is needed"
    );
}

#[test]
fn too_few_rows() {
    let x = two_columns(4);
    assert_eq!(
        message(Em::new(5).fit(&x)),
        "4 rows for 5 components; give at least one row per component"
    );
    let weights = [1.0, 0.0, 0.0, 2.0];
    let x = Samples::from(&x).with_weights(&weights);
    assert_eq!(
        message(Em::new(3).fit(x)),
        "2 rows for 3 components; give at least one row per component"
    );
    // No allocation is tried for the absurd.
    let x = two_columns(10);
    assert_eq!(
        message(Em::new(usize::MAX).fit(&x)),
        format!(
            "10 rows for {} components; give at least one row per component",
            usize::MAX
        )
    );
}

#[test]
fn constant_columns_are_named() {
    let mut x = two_columns(50);
    for i in 0..50 {
        x[(i, 1)] = 4.5;
    }
    let expected = "feature 1 is constant (4.5); leave that column out or use a ridge";
    for form in [
        CovarianceType::Full,
        CovarianceType::Tied,
        CovarianceType::Diag,
    ] {
        assert_eq!(message(Em::new(2).covariance(form).fit(&x)), expected);
    }
    // Circles have one variance for all features.
    assert!(
        Em::new(2)
            .covariance(CovarianceType::Spherical)
            .fit(&x)
            .is_ok()
    );
    // An absolute ridge keeps the density finite.
    assert!(
        Em::new(2)
            .regularization(Regularization::Ridge(1e-6))
            .fit(&x)
            .is_ok()
    );
    let same = Mat::from_fn(20, 2, |_, _| 1.25);
    assert_eq!(
        message(Em::new(1).covariance(CovarianceType::Spherical).fit(&same)),
        "feature 0 is constant (1.25); leave that column out or use a ridge"
    );
}

#[test]
fn bad_sample_weights() {
    let x = two_columns(3);
    let fit = |w: &[f64]| message(Em::new(1).fit(Samples::from(&x).with_weights(w)));
    assert_eq!(
        fit(&[1.0, -0.5, 1.0]),
        "the sample weight of row 1 is -0.5 (counted from 0); weights must be finite and not negative"
    );
    assert_eq!(
        fit(&[1.0, 1.0, f64::NAN]),
        "the sample weight of row 2 is NaN (counted from 0); weights must be finite and not negative"
    );
    assert_eq!(
        fit(&[0.0; 3]),
        "all sample weights are zero; at least one row needs a positive weight"
    );
    assert_eq!(
        fit(&[1.0; 2]),
        "2 sample weights for 3 rows; give one weight per row"
    );
    assert_eq!(
        fit(&[f64::MAX; 3]),
        "the sum of the sample weights is not finite; divide all weights by a common factor"
    );
}

#[test]
fn bad_settings() {
    let x = two_columns(20);
    let base = Em::new(2);
    assert_eq!(
        message(Em::new(0).fit(&x)),
        "the number of components is 0; ask for at least one"
    );
    assert_eq!(
        message(
            base.clone()
                .regularization(Regularization::Floor(0.0))
                .fit(&x)
        ),
        "floor is 0; it must be positive and finite"
    );
    assert_eq!(
        message(
            base.clone()
                .regularization(Regularization::Floor(2.0))
                .fit(&x)
        ),
        "floor is 2; it is a part of the data's variance and must be below 1"
    );
    assert_eq!(
        message(
            base.clone()
                .regularization(Regularization::Ridge(f64::NAN))
                .fit(&x)
        ),
        "ridge is NaN; it must be positive and finite"
    );
    let prior = ConjugatePrior {
        shrinkage: -1.0,
        ..ConjugatePrior::default()
    };
    assert_eq!(
        message(
            base.clone()
                .regularization(Regularization::Prior(prior))
                .fit(&x)
        ),
        "shrinkage is -1; it must be finite and not negative"
    );
    assert_eq!(
        message(base.clone().stopping(Stopping::RemainingGain(-1.0)).fit(&x)),
        "stopping tolerance is -1; it must be finite and not negative"
    );
    assert_eq!(
        message(base.rescue(Rescue::Floor(1.0)).fit(&x)),
        "rescue floor is 1; it is a part of the data's variance, between 0 and 1"
    );
}

#[test]
fn starts_that_do_not_match() {
    let x = two_columns(4);
    let em = Em::new(2);
    assert_eq!(
        message(em.fit_from(&x, Start::Labels(&[0, 1, 0]))),
        "the start has 3 rows, the data 4; give one label or one row of responsibilities per row"
    );
    assert_eq!(
        message(em.fit_from(&x, Start::Labels(&[0, 1, 2, 0]))),
        "row 2 of the start has label 2, but there are 2 components; labels run from 0"
    );
    let r = Mat::from_fn(4, 2, |i, _| if i == 3 { 0.7 } else { 0.5 });
    assert_eq!(
        message(em.fit_from(&x, Start::Responsibilities(r.as_ref()))),
        "the responsibilities of row 3 are not probabilities (component 0: 0.7, sum 1.4); they must not be negative and must sum to 1"
    );
    let one = GaussianMixture::new(
        vec![1.0],
        Mat::zeros(1, 2),
        Covariances::spherical(&[1.0], 2).unwrap(),
    )
    .unwrap();
    assert_eq!(
        message(em.fit_from(&x, Start::Mixture(&one))),
        "the start has 1 components, the settings ask for 2; they must agree"
    );
    assert_eq!(
        message(Em::new(1).fit_from(&x, Start::Mixture(&one))),
        "the start is a spherical mixture, the settings ask for full; ask for the start's form, or start from its responsibilities"
    );
}

#[test]
fn collapse_is_an_error_when_asked_for() {
    // Nine rows on one spot: full maximum likelihood has no maximum.
    let x = Mat::from_fn(30, 1, |i, _| if i < 9 { 50.0 } else { i as f64 / 7.0 });
    let labels: Vec<usize> = (0..30).map(|i| usize::from(i < 9)).collect();
    let em = Em::new(2)
        .regularization(Regularization::None)
        .rescue(Rescue::Fail);
    assert_eq!(
        message(em.fit_from(&x, Start::Labels(&labels))),
        "component 1 collapsed at iteration 1 (covariance pivot 0 is not positive); add regularization or use fewer components"
    );
    let none_of_one = vec![0; 30];
    assert_eq!(
        message(em.fit_from(&x, Start::Labels(&none_of_one))),
        "component 1 is empty at iteration 1 (occupancy 0e0); use fewer components or another start"
    );
    let three_values = Mat::from_fn(30, 1, |i, _| (i % 3) as f64);
    assert_eq!(
        message(Em::new(5).rescue(Rescue::Fail).fit(&three_values)),
        "only 3 distinct rows for 5 components; use fewer components"
    );
}
