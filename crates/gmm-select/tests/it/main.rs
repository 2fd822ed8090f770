//! Tests of choosing a mixture through the public interface.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop here"
)]
#![expect(
    clippy::float_cmp,
    reason = "exactness is what many of these tests are about"
)]

mod bootstrap;
mod combine;
mod component_test;
mod criteria;
mod cross_validation;
mod diagnostics;
mod held_out;
mod mclust;
mod notes;
mod overlap;
mod search;
mod starts;
mod units;

use gmm_core::CovarianceType;
use gmm_core::faer::Mat;
use gmm_em::{Em, Regularization, Rescue, Stopping};
use gmm_select::{Candidate, Selection};

fn matrix(rows: &[Vec<f64>]) -> Mat<f64> {
    gmm_testkit::matrix(rows)
}

/// Maximum likelihood without help, as mclust does it; it stops when |ΔL| / (1 + |L|) is below the tolerance.
fn plain(n_components: usize, form: CovarianceType, tolerance: f64) -> Em {
    Em::new(n_components)
        .covariance(form)
        .regularization(Regularization::None)
        .rescue(Rescue::Fail)
        .stopping(Stopping::RelativeChange(tolerance))
        .max_iterations(20_000)
}

/// The cell of a table.
fn cell(selection: &Selection, n_components: usize, form: CovarianceType) -> &Candidate {
    (selection.candidates().iter())
        .find(|c| c.n_components == n_components && c.covariance == form)
        .unwrap()
}

/// A file of the oracle's extras; `None`, announced, if it is not there.
fn extra(name: &str) -> Option<serde_json::Value> {
    let path = gmm_testkit::oracle::shared_oracle(&format!("mclust/extras/{name}"))?;
    let text = std::fs::read_to_string(path).unwrap();
    Some(serde_json::from_str(&text).unwrap())
}
