//! EM as in the textbook: E-step, M-step, again.

use super::mixture::{Form, Mixture};
use super::moments::{MStep, m_step};

/// What a run of EM yields.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// The last parameters.
    pub mixture: Mixture,
    /// The total log-likelihood of each set of parameters in turn, the start's first, the result's last.
    pub trace: Vec<f64>,
    /// Whether the gain fell below the tolerance before the iterations ran out.
    pub is_converged: bool,
}

impl Run {
    /// The log-likelihood of the result.
    pub fn log_likelihood(&self) -> f64 {
        self.trace.last().copied().unwrap_or(f64::NAN)
    }

    /// Number of M-steps after the start.
    pub fn n_iterations(&self) -> usize {
        self.trace.len().saturating_sub(1)
    }
}

/// One E-step and one M-step.
///
/// # Panics
/// If a covariance matrix of `mixture` is not positive definite.
pub fn em_step(mixture: &Mixture, x: &[Vec<f64>], sample_weights: Option<&[f64]>) -> MStep {
    m_step(
        mixture.form,
        x,
        &mixture.responsibilities(x),
        sample_weights,
    )
}

/// EM from a mixture until |ΔL| / (1 + |L|) is at most `tolerance` (mclust's rule) or `max_iterations` M-steps are done.
///
/// `None` if a covariance matrix stops being positive definite: nothing is regularized here.
pub fn em(
    start: &Mixture,
    x: &[Vec<f64>],
    sample_weights: Option<&[f64]>,
    tolerance: f64,
    max_iterations: usize,
) -> Option<Run> {
    if !start.is_positive_definite() {
        return None;
    }
    let mut mixture = start.clone();
    let mut trace = vec![mixture.log_likelihood(x, sample_weights)];
    let mut is_converged = false;
    while !is_converged && trace.len() <= max_iterations {
        mixture = em_step(&mixture, x, sample_weights).mixture;
        if !mixture.is_positive_definite() {
            return None;
        }
        let before = trace[trace.len() - 1];
        let after = mixture.log_likelihood(x, sample_weights);
        is_converged = (after - before).abs() <= tolerance * (1.0 + after.abs());
        trace.push(after);
    }
    Some(Run {
        mixture,
        trace,
        is_converged,
    })
}

/// [`em`] from an M-step on given responsibilities; the trace starts with the log-likelihood after that M-step.
///
/// `None` as there.
pub fn em_from_responsibilities(
    form: Form,
    r: &[Vec<f64>],
    x: &[Vec<f64>],
    sample_weights: Option<&[f64]>,
    tolerance: f64,
    max_iterations: usize,
) -> Option<Run> {
    let start = m_step(form, x, r, sample_weights).mixture;
    em(&start, x, sample_weights, tolerance, max_iterations)
}
