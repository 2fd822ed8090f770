//! Tests of the EM algorithm through its public interface.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop here"
)]

mod bad_days;
mod bad_input;
mod bad_starts;
mod classes;
mod compact;
mod equivariance;
mod golden;
mod honesty;
mod laws;
mod oracle_exact;
mod oracle_mclust;
mod precision;
mod prior;
mod proportions;
mod repairs;
mod settings;
mod side_by_side;
mod split;
mod starts;
mod statistics;
mod tied;

use gmm_core::faer::Mat;
use gmm_core::{CovarianceType, Covariances, GaussianMixture, Samples};
use gmm_em::{Em, Fit, Regularization, Rescue, Start, Stopping};
use gmm_testkit::data;
use gmm_testkit::naive::{Form, Mixture};

/// The form as the test kit names it.
fn form_of(form: Form) -> CovarianceType {
    form.name().parse().unwrap()
}

/// A mixture of the test kit as ours.
fn mixture_of(m: &Mixture) -> Result<GaussianMixture, gmm_core::Error> {
    let (k, d) = (m.n_components(), m.n_features());
    let covariances = Covariances::new(form_of(m.form), k, d, m.blocks())?;
    GaussianMixture::new(m.weights.clone(), matrix(&m.means), covariances)
}

fn matrix(rows: &[Vec<f64>]) -> Mat<f64> {
    gmm_testkit::matrix(rows)
}

/// Maximum likelihood to the last digits: what the oracles were computed with.
fn tight(n_components: usize, form: CovarianceType) -> Em {
    Em::new(n_components)
        .covariance(form)
        .regularization(Regularization::None)
        .rescue(Rescue::Fail)
        .stopping(Stopping::RemainingGain(1e-10))
        .max_iterations(50_000)
}

/// Rows of separated groups, `shape` being their number, features and groups, whose centres are moved from the origin by a factor and
/// which `change` may change further; weights, 0 for a row out of all proportion; and a mixture near the one that they were drawn from.
fn groups(
    seed: u64,
    [n, d, k]: [usize; 3],
    factor: f64,
    form: CovarianceType,
    change: impl FnOnce(&mut Mat<f64>),
) -> (Mat<f64>, Vec<f64>, GaussianMixture) {
    let drawn = data::separated(seed, n, d, k);
    let centre = |label: usize, j: usize| drawn.truth.as_ref().unwrap().means[label][j];
    let mut x = Mat::from_fn(n, d, |i, j| {
        drawn.x[(i, j)] + (factor - 1.0) * centre(drawn.labels[i], j)
    });
    change(&mut x);
    (0..d).for_each(|j| x[(18, j)] = -1e200);
    let weights: Vec<f64> = (0..n)
        .map(|i| if i == 18 { 0.0 } else { [1.0, 0.5, 2.0][i % 3] })
        .collect();
    let start = Em::new(k)
        .covariance(form)
        .max_iterations(1)
        .fit_from(
            Samples::from(&x).with_weights(&weights),
            Start::Labels(&drawn.labels),
        )
        .unwrap()
        .into_model();
    (x, weights, start)
}

/// What is true of every fit that is returned, however bad the day.
fn checked(fit: &Fit, x: Samples<'_>, what: &str) {
    let (model, report) = (fit.model(), fit.report());
    assert!(report.log_likelihood.is_finite(), "{what}: {report}");
    let total: f64 = model.weights().iter().sum();
    // Each of K weights is rounded, and so is their sum.
    let k = model.n_components() as f64;
    assert!((total - 1.0).abs() <= 2.0 * k * f64::EPSILON, "{what}");
    for c in 0..model.n_components() {
        let variances = model.covariances().variances(c);
        let is_sound = |v: &f64| *v > 0.0 && v.is_finite();
        assert!(variances.iter().all(is_sound), "{what}: {variances:?}");
    }
    let labels = model.predict(x).unwrap();
    assert!(labels.iter().all(|l| *l < model.n_components()), "{what}");
    let soft = model.responsibilities(x).unwrap();
    for i in 0..x.n_samples() {
        let sum: f64 = soft.row(i).iter().sum();
        assert!(
            (sum - 1.0).abs() <= 2.0 * (k + 2.0) * f64::EPSILON,
            "{what}, row {i}: {sum}"
        );
    }
}
