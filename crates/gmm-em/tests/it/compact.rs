//! Fits leave out what is proved irrelevant, of many components block by block, of few row by row: they agree with the dense pass, which statistics
//! gathered apart from a fit always are.

use gmm_core::covariance::Variation;
use gmm_core::faer::Mat;
use gmm_core::symmetric::Eigen;
use gmm_core::{CovarianceType, GaussianMixture, Samples};
use gmm_em::{Em, Regularization, Start, Stopping, SufficientStatistics};
use gmm_testkit::same_for_any_number_of_threads;
use proptest::prelude::*;

const N_COMPONENTS: usize = 36;

/// Groups at a distance of so many standard deviations and more, one row far away, and a mixture near the one that they were drawn from.
fn groups(
    seed: u64,
    [n_rows, n_features, n_components]: [usize; 3],
    distance: f64,
    form: CovarianceType,
) -> (Mat<f64>, Vec<f64>, GaussianMixture) {
    crate::groups(
        seed,
        [n_rows, n_features, n_components],
        distance / 10.0,
        form,
        |x| {
            (0..n_features).for_each(|j| x[(17, j)] += 500.0);
        },
    )
}

/// Of weights, means and covariances, in the second mixture's standard deviations.
pub(crate) fn largest_difference(a: &GaussianMixture, b: &GaussianMixture) -> f64 {
    let mut largest = 0.0f64;
    for k in 0..a.n_components() {
        let (one, other) = (a.covariances().component(k), b.covariances().component(k));
        largest = largest.max((a.weights()[k] / b.weights()[k] - 1.0).abs());
        for i in 0..a.n_features() {
            let sd = |j: usize| other[(j, j)].sqrt();
            // The means themselves are rounded at their own size.
            let last_bit = 4.0 * f64::EPSILON * b.means()[(k, i)].abs();
            let apart = (a.means()[(k, i)] - b.means()[(k, i)]).abs() - last_bit;
            largest = largest.max(apart / sd(i));
            for j in 0..=i {
                largest = largest.max((one[(i, j)] - other[(i, j)]).abs() / (sd(i) * sd(j)));
            }
        }
    }
    largest
}

/// By how much an M-step magnifies errors of its scatters, to first order. A determinant and a trace with an inverse have a relative error of the
/// condition of the matrix, wherever components share a volume or a shape. Where shape and axes come from different sums, the axes
/// of nearly equal variances also turn by an error over their difference (Davis and Kahan 1970), while the shape keeps its own variances.
/// Axes of each component's own are those of its `scatters`, whose variances may be closer than those of the shape.
fn magnification(model: &GaussianMixture, scatters: &[Mat<f64>]) -> f64 {
    let form = model.covariance_type();
    let values = |matrix: &Mat<f64>| Eigen::new(matrix.as_ref()).unwrap().values;
    let eigenvalues: Vec<Vec<f64>> = (0..model.n_components())
        .map(|k| values(&model.covariances().component(k)))
        .collect();
    let own: Vec<Vec<f64>> = scatters.iter().map(values).collect();
    let largest = |of: &[Vec<f64>], ratio: &dyn Fn(&[f64]) -> f64| {
        of.iter().map(|v| ratio(v)).fold(1.0, f64::max)
    };
    let condition = |v: &[f64]| v[v.len() - 1] / v[0];
    let turning = |v: &[f64]| {
        let gaps = v.windows(2).map(|v| v[1] - v[0]);
        v[v.len() - 1] / gaps.fold(f64::INFINITY, f64::min)
    };
    let (shape, orientation) = (form.shape(), form.orientation());
    match (form.volume(), shape, orientation) {
        (_, Variation::Identity, _)
        | (Variation::Variable, Variation::Variable, Variation::Identity) => 1.0,
        (Variation::Variable, Variation::Variable, Variation::Variable) => 1.0,
        _ if form.is_shared() => 1.0,
        _ if orientation == Variation::Identity || shape == orientation => {
            largest(&eigenvalues, &condition)
        }
        (_, _, Variation::Variable) => {
            let turning = largest(&own, &turning).max(largest(&eigenvalues, &turning));
            largest(&eigenvalues, &condition) * turning
        }
        _ => largest(&eigenvalues, &condition) * largest(&eigenvalues, &turning),
    }
}

/// Σᵢ wᵢ rᵢₖ (xᵢ - mean)(xᵢ - mean)' of each component.
fn scatters(x: &Mat<f64>, weights: &[f64], model: &GaussianMixture) -> Vec<Mat<f64>> {
    let r = model.responsibilities(x).unwrap();
    // Rows of weight 0 may lie where their squares overflow.
    let rows: Vec<usize> = (0..x.nrows()).filter(|&i| weights[i] > 0.0).collect();
    let scatter = |k: usize| {
        let sum = |value: &dyn Fn(usize) -> f64| -> f64 {
            let terms = rows.iter().map(|&i| weights[i] * r[(i, k)] * value(i));
            terms.sum()
        };
        let n = sum(&|_| 1.0);
        let mean: Vec<f64> = (0..x.ncols()).map(|j| sum(&|i| x[(i, j)]) / n).collect();
        Mat::from_fn(x.ncols(), x.ncols(), |a, b| {
            sum(&|i| (x[(i, a)] - mean[a]) * (x[(i, b)] - mean[b]))
        })
    };
    (0..model.n_components()).map(scatter).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_step_agrees_with_the_dense_one(
        seed in 0u64..1000,
        distance in prop::sample::select(vec![3.0, 10.0, 30.0, 100.0]),
        form in prop::sample::select(CovarianceType::ALL.to_vec()),
        // In one panel and in two.
        n_features in prop::sample::select(vec![3, 9]),
        // Rows are left out, and blocks.
        n_components in prop::sample::select(vec![6, N_COMPONENTS]),
    ) {
        let (table, weights, start) = groups(seed, [2000, n_features, n_components], distance, form);
        let x = Samples::from(&table).with_weights(&weights);
        let fit = Em::new(n_components)
            .covariance(form)
            .regularization(Regularization::None)
            .max_iterations(1)
            .fit_from(x, Start::Mixture(&start))
            .unwrap();
        let mut statistics = SufficientStatistics::zeros(&start);
        statistics.observe(&start, x).unwrap();
        let dense = statistics.maximize_from(&start, Regularization::None).unwrap();
        // Sums of 2000 rows in another order, in other units: a few hundred roundings of numbers that agree to 1e-16.
        let difference = largest_difference(fit.model(), &dense);
        let tolerance = 1e-12 * magnification(&dense, &scatters(&table, &weights, &start));
        prop_assert!(difference <= tolerance, "{form} {distance}: {difference:e} for {tolerance:e}");
        let (first, expected) = (fit.report().trace[0], statistics.log_likelihood());
        prop_assert!((first - expected).abs() <= 1e-12 * expected.abs(), "{form}: {first} {expected}");
    }
}

#[test]
fn the_likelihood_never_falls_and_threads_change_no_bit() {
    for (distance, form, n_features, n_components) in [
        (3.0, CovarianceType::Full, 3, N_COMPONENTS),
        (30.0, CovarianceType::Full, 3, N_COMPONENTS),
        (30.0, CovarianceType::Tied, 3, N_COMPONENTS),
        (30.0, CovarianceType::Diag, 3, N_COMPONENTS),
        (10.0, CovarianceType::Full, 9, 6),
        (30.0, CovarianceType::Full, 9, 6),
    ] {
        // Several leaves of the reduction tree, and a ragged end; and blocks of which no row counts, where groups are apart.
        let (x, mut weights, start) = groups(5, [13_001, n_features, n_components], distance, form);
        let labels = start.predict(&x).unwrap();
        let of_two = weights
            .iter_mut()
            .zip(labels)
            .filter(|(_, label)| *label < 2);
        of_two.for_each(|(weight, _)| *weight = 0.0);
        let x = Samples::from(&x).with_weights(&weights);
        let em = Em::new(n_components)
            .covariance(form)
            .stopping(Stopping::RemainingGain(0.0))
            .max_iterations(12);
        // Debug builds assert in each iteration that the likelihood does not fall.
        let fit =
            same_for_any_number_of_threads(|| em.fit_from(x, Start::Mixture(&start)).unwrap());
        assert!(fit.report().trace.len() > 3);
    }
}
