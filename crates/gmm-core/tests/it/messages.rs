//! Every way in which data and parameters can be refused, with its exact message.

use std::error::Error as _;
use std::fmt::Debug;

use gmm_core::block::Frame;
use gmm_core::faer::{Mat, mat};
use gmm_core::{CovarianceType, Covariances, Error, GaussianMixture, Samples};

fn message<T: Debug>(result: Result<T, Error>) -> String {
    let error = result.unwrap_err();
    // Numbers stand in the variants: there is no other error behind them.
    assert!(error.source().is_none());
    error.to_string()
}

/// Two features, two components.
fn model() -> GaussianMixture {
    let means = mat![[0.0, 1.0], [2.0, 3.0]];
    GaussianMixture::new(
        vec![0.5, 0.5],
        means,
        Covariances::spherical(&[1.0, 2.0], 2).unwrap(),
    )
    .unwrap()
}

fn mixture(weights: &[f64], means: Mat<f64>, variances: &[f64]) -> Result<GaussianMixture, Error> {
    let d = means.ncols();
    GaussianMixture::new(
        weights.to_vec(),
        means,
        Covariances::spherical(variances, d)?,
    )
}

#[test]
fn tables() {
    let no_rows = Mat::<f64>::zeros(0, 2);
    assert_eq!(
        message(model().log_likelihood(&no_rows)),
        "the data have no rows; at least one row is needed"
    );
    let mut x = Mat::zeros(3, 2);
    x[(1, 1)] = f64::NAN;
    assert_eq!(
        message(model().predict(&x)),
        "row 1, column 1 is NaN (counted from 0); every cell must be a finite number, so remove the row or fill the cell"
    );
    x[(1, 0)] = f64::NEG_INFINITY;
    assert_eq!(
        message(model().mahalanobis_squared(&x)),
        "row 1, column 0 is -inf (counted from 0); every cell must be a finite number, so remove the row or fill the cell"
    );
    let single = Mat::<f32>::from_fn(2, 2, |i, _| if i == 0 { 1.0 } else { f32::INFINITY });
    assert_eq!(
        message(model().log_joint(&single)),
        "row 1, column 0 is inf (counted from 0); every cell must be a finite number, so remove the row or fill the cell"
    );
    let wide = Mat::<f64>::zeros(3, 5);
    for found in [
        message(model().log_density(&wide)),
        message(model().responsibilities(&wide)),
        message(model().log_joint(&wide)),
        message(model().predict(&wide)),
    ] {
        assert_eq!(
            found,
            "the data have 5 features, the model 2; give the columns the model was fitted on, in their order"
        );
    }
}

#[test]
fn sample_weights() {
    let x = Mat::<f64>::zeros(3, 2);
    let with =
        |weights: &[f64]| message(model().log_density(Samples::from(&x).with_weights(weights)));
    assert_eq!(
        with(&[1.0; 4]),
        "4 sample weights for 3 rows; give one weight per row"
    );
    assert_eq!(
        with(&[1.0, 2.0, -1e-3]),
        "the sample weight of row 2 is -0.001 (counted from 0); weights must be finite and not negative"
    );
    assert_eq!(
        with(&[1.0, f64::INFINITY, f64::NAN]),
        "the sample weight of row 1 is inf (counted from 0); weights must be finite and not negative"
    );
    assert_eq!(
        with(&[f64::MAX; 3]),
        "the sum of the sample weights is not finite; divide all weights by a common factor"
    );
    // Sums that times a log-density would leave the range.
    for (weight, sum) in [(1e290, "1e290"), (1e-290, "1e-290")] {
        let weights = [0.0, weight, 0.0];
        assert_eq!(
            message(Samples::from(&x).with_weights(&weights).total_weight()),
            format!(
                "the sum of the sample weights is {sum}; it must lie between 1e-280 and 1e280, so multiply all weights by a common factor"
            )
        );
    }
    let zeros = Samples::from(&x).with_weights(&[0.0; 3]);
    assert_eq!(
        message(model().mean_log_likelihood(zeros)),
        "all sample weights are zero; at least one row needs a positive weight"
    );
    assert_eq!(zeros.total_weight(), Err(Error::NoWeight));
}

#[test]
fn parameters_that_do_not_go_together() {
    assert_eq!(
        message(GaussianMixture::new(
            Vec::new(),
            Mat::zeros(0, 2),
            Covariances::spherical(&[1.0], 2).unwrap()
        )),
        "a mixture needs at least one component"
    );
    assert_eq!(
        message(mixture(&[0.5, 0.5], Mat::zeros(3, 2), &[1.0, 1.0])),
        "3 components in the means, 2 in the weights; give each component one of both"
    );
    assert_eq!(
        message(mixture(&[0.5, 0.5], Mat::zeros(2, 2), &[1.0])),
        "1 components in the covariances, 2 in the weights; give each component one of both"
    );
    assert_eq!(
        message(GaussianMixture::new(
            vec![1.0],
            Mat::zeros(1, 3),
            Covariances::spherical(&[1.0], 2).unwrap()
        )),
        "the covariances have 2 features, the means 3; they must agree"
    );
    assert_eq!(
        message(model().select(&[])),
        "a mixture needs at least one component"
    );
    let dead = mixture(&[1.0, 0.0], Mat::zeros(2, 1), &[1.0, 1.0]).unwrap();
    assert_eq!(
        message(dead.select(&[1])),
        "a mixture needs at least one component"
    );
}

#[test]
fn weights_and_means() {
    let with = |weights: &[f64]| {
        let k = weights.len();
        message(mixture(weights, Mat::zeros(k, 1), &vec![1.0; k]))
    };
    assert_eq!(
        with(&[0.5, -0.25, 0.75]),
        "the weight of component 1 is -0.25; weights must lie between 0 and 1"
    );
    assert_eq!(
        with(&[0.5, 0.5, f64::NAN]),
        "the weight of component 2 is NaN; weights must lie between 0 and 1"
    );
    assert_eq!(
        with(&[1.5, 0.0]),
        "the weight of component 0 is 1.5; weights must lie between 0 and 1"
    );
    assert_eq!(
        with(&[0.5, 0.25]),
        "the weights sum to 0.75; they must sum to 1"
    );
    assert_eq!(with(&[0.0]), "the weights sum to 0; they must sum to 1");
    // Weights from single precision are off by 6e-8 each, and are kept as they are.
    assert!(mixture(&[0.5, 0.5 + 6e-8], Mat::zeros(2, 1), &[1.0; 2]).is_ok());
    let means = mat![[0.0, 1.0], [f64::INFINITY, f64::NAN]];
    assert_eq!(
        message(mixture(&[0.5, 0.5], means, &[1.0, 1.0])),
        "the mean of component 1, feature 0 is inf; means must be finite"
    );
}

#[test]
fn shapes_of_covariances() {
    assert_eq!(
        message(Covariances::spherical(&[], 2)),
        "a mixture needs at least one component"
    );
    assert_eq!(
        message(Covariances::spherical(&[1.0], 0)),
        "the data have no columns; at least one feature is needed"
    );
    let shape = |form, blocks: &[&[f64]]| {
        let blocks = blocks.iter().map(|b| b.to_vec()).collect();
        message(Covariances::new(form, 2, 3, blocks))
    };
    assert_eq!(
        shape(CovarianceType::Full, &[&[1.0; 9]]),
        "a full covariance of 2 components and 3 features has 2 blocks of 9 numbers; found 1 blocks, the first odd one of 9"
    );
    assert_eq!(
        shape(CovarianceType::Tied, &[&[1.0; 9], &[1.0; 9]]),
        "a tied covariance of 2 components and 3 features has 1 blocks of 9 numbers; found 2 blocks, the first odd one of 9"
    );
    assert_eq!(
        shape(CovarianceType::Diag, &[&[1.0; 3], &[1.0; 4]]),
        "a diag covariance of 2 components and 3 features has 2 blocks of 3 numbers; found 2 blocks, the first odd one of 4"
    );
    assert_eq!(
        shape(CovarianceType::Spherical, &[]),
        "a spherical covariance of 2 components and 3 features has 2 blocks of 1 numbers; found 0 blocks, the first odd one of 0"
    );
}

/// The numbers of a 1 x 4 matrix would fill a 2 x 2 block.
#[test]
fn matrices_that_are_not_square() {
    let square = mat![[1.0, 0.0], [0.0, 1.0]];
    let (wide, tall) = (Mat::<f64>::zeros(1, 4), Mat::<f64>::zeros(4, 1));
    assert_eq!(
        message(Covariances::full(&[square.clone(), wide.clone()])),
        "the covariance of component 1 is a matrix of 1 x 4, expected 2 x 2; give a row and a column per feature"
    );
    assert_eq!(
        message(Covariances::full(&[tall.clone(), square])),
        "the covariance of component 0 is a matrix of 4 x 1, expected 4 x 4; give a row and a column per feature"
    );
    for odd in [wide, tall] {
        assert!(matches!(
            Covariances::tied(odd.as_ref(), 2),
            Err(Error::MatrixShape { component: 0, .. })
        ));
    }
}

#[test]
fn entries_of_covariances() {
    let full = |matrix: Mat<f64>| {
        let one = Mat::<f64>::identity(2, 2);
        let covariances = Covariances::full(&[one, matrix])?;
        GaussianMixture::new(vec![0.5, 0.5], Mat::zeros(2, 2), covariances)
    };
    assert_eq!(
        message(full(mat![[1.0, 0.5], [f64::NAN, 1.0]])),
        "the covariance of component 1 has the entry NaN at (1, 0); entries must be finite"
    );
    assert_eq!(
        message(full(mat![[1.0, 0.5], [0.25, 1.0]])),
        "the covariance of component 1 is not symmetric: (1, 0) and (0, 1) differ; give (A + A')/2"
    );
    assert_eq!(
        message(full(mat![[1.0, 2.0], [2.0, 1.0]])),
        "the covariance of component 1 is not positive definite (pivot 1); regularize it or leave out features that depend on others"
    );
    assert_eq!(
        message(full(mat![[0.0, 0.0], [0.0, 1.0]])),
        "the covariance of component 1 is not positive definite (pivot 0); regularize it or leave out features that depend on others"
    );
    let diagonal = Covariances::diag(mat![[1.0, 2.0], [3.0, -4.0]].as_ref()).unwrap();
    assert_eq!(
        message(GaussianMixture::new(
            vec![0.5, 0.5],
            Mat::zeros(2, 2),
            diagonal
        )),
        "the covariance of component 1 is not positive definite (pivot 1); regularize it or leave out features that depend on others"
    );
    assert_eq!(
        message(Covariances::diag(mat![[1.0, f64::INFINITY]].as_ref())),
        "the covariance of component 0 has the entry inf at (1, 1); entries must be finite"
    );
    assert_eq!(
        message(Covariances::spherical(&[1.0, f64::NAN], 3)),
        "the covariance of component 1 has the entry NaN at (0, 0); entries must be finite"
    );
    // A matrix that all components share has no component to name.
    let singular = Covariances::tied(mat![[1.0, 1.0], [1.0, 1.0]].as_ref(), 3).unwrap();
    assert_eq!(
        message(GaussianMixture::new(
            vec![0.25, 0.25, 0.5],
            Mat::zeros(3, 2),
            singular
        )),
        "the covariance of component 0 is not positive definite (pivot 1); regularize it or leave out features that depend on others"
    );
}

/// Entries that differ by rounding are averaged, so that both triangles hold the same number.
#[test]
fn rounding_is_no_asymmetry() {
    let almost = mat![[1.0, 0.5], [0.5 + 1e-15, 1.0]];
    let covariances = Covariances::full(&[almost]).unwrap();
    let c = covariances.component(0);
    assert_eq!(c[(0, 1)].to_bits(), c[(1, 0)].to_bits());
    assert!((c[(0, 1)] - 0.5).abs() <= 1e-15);
    // Relative to the variances: this difference is as small in other units.
    let scaled = mat![[1e-200, 0.5e-50], [0.5e-50 * (1.0 + 1e-15), 1e100]];
    assert!(Covariances::full(&[scaled]).is_ok());
    // Where nothing is left of two products of D terms, what rounding leaves is as small beside the variances.
    let rest =
        |e: f64| Covariances::full(&[mat![[1e10, e, 0.0], [-e, 4e10, 0.0], [0.0, 0.0, 1.0]]]);
    let c = rest(1e-2).unwrap().component(0);
    assert_eq!((c[(0, 1)], c[(1, 0)]), (0.0, 0.0));
    assert_eq!((c[(1, 1)], c[(2, 2)]), (4e10, 1.0));
    assert!(rest(1e2).is_err());
}

#[test]
fn names_of_forms() {
    assert_eq!(
        message("banana".parse::<CovarianceType>()),
        "unknown covariance form; known are full, tied, diag, spherical, and mclust's names from EII to VVV"
    );
    for form in CovarianceType::ALL {
        assert_eq!(form.name().to_uppercase().parse(), Ok(form));
        assert_eq!(form.mclust_name().to_lowercase().parse(), Ok(form));
        assert_eq!(form.to_string(), form.name());
        assert_eq!(format!("{form:>10}").len(), 10);
    }
    // Of one feature mclust knows two forms only.
    for (letter, form) in [("E", CovarianceType::Tied), ("v", CovarianceType::Full)] {
        assert_eq!(letter.parse(), Ok(form));
    }
}

#[test]
fn buffers() {
    let x = Mat::<f64>::zeros(3, 2);
    assert_eq!(
        message(model().log_density_into(&x, &mut [0.0; 2])),
        "the output has room for 2 values, 3 are written; give a buffer of that size"
    );
    assert_eq!(
        message(model().responsibilities_into(&x, Mat::zeros(2, 2).as_mut())),
        "the output has room for 4 values, 6 are written; give a buffer of that size"
    );
}

#[test]
fn lists_of_features() {
    for (features, feature) in [
        (&[0, 2][..], 2),
        (&[1, 1], 1),
        (&[usize::MAX], usize::MAX),
        (&[], 0),
    ] {
        assert_eq!(
            message(model().marginal(features)),
            format!(
                "feature {feature} is repeated or outside of 0..2; name each feature once and keep at least one"
            )
        );
    }
    for (given, feature) in [
        (&[(3, 0.0)][..], 3),
        (&[(0, 1.0), (0, 1.0)], 0),
        (&[], 0),
        (&[(1, 0.0), (0, 0.0)], 0),
    ] {
        assert_eq!(
            message(model().conditional(given)),
            format!(
                "feature {feature} is repeated or outside of 0..2; name each feature once and keep at least one"
            )
        );
    }
    assert_eq!(
        message(model().conditional(&[(1, f64::NAN)])),
        "the value given for feature 1 is NaN; condition on finite values"
    );
}

#[test]
fn sizes_that_no_memory_holds() {
    let mut rng = gmm_testkit::data::generator(1);
    for n in [usize::MAX, usize::MAX / 2, usize::MAX / 16, 1 << 60] {
        assert_eq!(
            message(model().sample(n, &mut rng)),
            format!("a table of {n} x 2 does not fit into memory; ask for fewer rows")
        );
    }
}

#[test]
fn units_that_leave_the_range() {
    let frame = Frame::of_ranges(&[(-1e200, 1e200), (-1.0, 1.0)]);
    let model = GaussianMixture::new(
        vec![1.0],
        Mat::zeros(1, 2),
        Covariances::diag(mat![[1.0, 1.0]].as_ref()).unwrap(),
    )
    .unwrap();
    assert_eq!(
        message(model.to_frame(&frame)),
        "the covariance of component 0 leaves the range of f64 at feature 0; rescale that column"
    );
}
