//! Tests of the EM algorithm through its public interface.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop here"
)]

mod bad_input;
mod compact;
mod golden;
mod honesty;
mod laws;
mod oracle_exact;
mod oracle_mclust;
mod precision;
mod repairs;
mod settings;
mod split;
mod statistics;
mod tied;

use gmm_core::faer::Mat;
use gmm_core::{CovarianceType, Covariances, GaussianMixture};
use gmm_em::{Em, Regularization, Rescue, Stopping};
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
