//! The prior that the data themselves give: mclust's `defaultPrior()`, whose modes have closed forms.

use gmm_core::CovarianceType;
use gmm_core::faer::Mat;
use gmm_em::{ConjugatePrior, Em, Regularization, Start};
use gmm_testkit::data;

/// Sums of a group's rows: Σ w, the mean, and the scatter about it.
fn moments(
    x: &Mat<f64>,
    weights: &[f64],
    rows: impl Fn(usize) -> bool,
) -> (f64, Vec<f64>, Mat<f64>) {
    let own: Vec<usize> = (0..x.nrows()).filter(|&i| rows(i)).collect();
    let n: f64 = own.iter().map(|&i| weights[i]).sum();
    let mean: Vec<f64> = (0..x.ncols())
        .map(|j| own.iter().map(|&i| weights[i] * x[(i, j)]).sum::<f64>() / n)
        .collect();
    let scatter = Mat::from_fn(x.ncols(), x.ncols(), |a, b| {
        let product = |i: usize| (x[(i, a)] - mean[a]) * (x[(i, b)] - mean[b]);
        own.iter().map(|&i| weights[i] * product(i)).sum()
    });
    (n, mean, scatter)
}

/// Fraley and Raftery (2007): μ₀ the mean of the data, Λ = cov / K^(2/D) for dense matrices and the mean variance / K^(2/D) for the
/// others, cov with divisor n - 1, and ν = D + 2; the modes as in their tables 1 and 2. Features of unlike units and an offset show what is
/// done in which coordinates.
#[test]
fn the_first_m_step_ends_at_the_mode() {
    let (n, d, k) = (90, 3, 2);
    let drawn = data::overlapping(4, n, d, k);
    let units = [1.0, 300.0, 0.02];
    let x = Mat::from_fn(n, d, |i, j| units[j] * (drawn.x[(i, j)] + 40.0 * j as f64));
    let weights: Vec<f64> = (0..n).map(|i| [1.0, 0.5, 2.0][i % 3]).collect();
    let labels: Vec<usize> = (0..n).map(|i| usize::from(i % 5 < 2)).collect();
    let prior = ConjugatePrior {
        shrinkage: 0.6,
        extra_degrees_of_freedom: 2.5,
        scale: 1.5,
    };
    let (total, centre, all) = moments(&x, &weights, |_| true);
    let d_real = d as f64;
    let factor = prior.scale / (k as f64).powf(2.0 / d_real) / (total - 1.0);
    let mean_variance = factor * (0..d).map(|j| all[(j, j)]).sum::<f64>() / d_real;
    let nu = d_real + prior.extra_degrees_of_freedom;
    for form in [
        CovarianceType::Full,
        CovarianceType::Tied,
        CovarianceType::Diag,
        CovarianceType::Eei,
        CovarianceType::Spherical,
        CovarianceType::Eii,
    ] {
        let fit = Em::new(k)
            .covariance(form)
            .regularization(Regularization::Prior(prior))
            .max_iterations(1)
            .fit_from(
                gmm_core::Samples::from(&x).with_weights(&weights),
                Start::Labels(&labels),
            )
            .unwrap();
        let groups: Vec<_> = (0..k)
            .map(|c| moments(&x, &weights, |i| labels[i] == c))
            .collect();
        let shrunk: Vec<Mat<f64>> = (groups.iter())
            .map(|(n, mean, scatter)| {
                let share = prior.shrinkage * n / (prior.shrinkage + n);
                Mat::from_fn(d, d, |i, j| {
                    scatter[(i, j)] + share * (mean[i] - centre[i]) * (mean[j] - centre[j])
                })
            })
            .collect();
        for (c, (n, mean, _)) in groups.iter().enumerate() {
            let found = fit.model().means();
            for j in 0..d {
                let expected = (n * mean[j] + prior.shrinkage * centre[j]) / (n + prior.shrinkage);
                assert!(
                    (found[(c, j)] - expected).abs() <= 1e-12 * expected.abs() + 1e-12 * units[j]
                );
            }
            let sum = |i: usize, j: usize| -> f64 {
                if form.is_shared() {
                    shrunk.iter().map(|s| s[(i, j)]).sum()
                } else {
                    shrunk[c][(i, j)]
                }
            };
            let trace: f64 = (0..d).map(|j| sum(j, j)).sum();
            let k = k as f64;
            let covariance = fit.model().covariances().component(c);
            for i in 0..d {
                for j in 0..d {
                    let dense = factor * all[(i, j)] + sum(i, j);
                    let expected = match form {
                        CovarianceType::Full => dense / (nu + d_real + n + 2.0),
                        CovarianceType::Tied => dense / (nu + d_real + total + k + 1.0),
                        _ if i != j => 0.0,
                        CovarianceType::Diag => (mean_variance + sum(i, i)) / (nu + n + 3.0),
                        CovarianceType::Eei => (mean_variance + sum(i, i)) / (nu + total + k + 2.0),
                        CovarianceType::Spherical => {
                            (mean_variance + trace) / (nu + (n + 1.0) * d_real + 2.0)
                        }
                        _ => (mean_variance + trace) / (nu + (total + k) * d_real + 2.0),
                    };
                    let size = (covariance[(i, i)] * covariance[(j, j)]).sqrt();
                    let found = covariance[(i, j)];
                    // Sums of some hundred terms about means that are 40 standard deviations from 0.
                    assert!(
                        (found - expected).abs() <= 1e-11 * size,
                        "{form} {i} {j}: {found} {expected}"
                    );
                }
            }
        }
    }
}
