//! What was computed for a case, output by output, against the exact values.

use std::fmt;

use super::exact::{Case, Update};
use super::metrics;
use crate::naive::variances;

/// What a program computed for a [`Case`]; an output that is `None` is not scored.
#[derive(Clone, Debug, Default)]
pub struct Computed {
    /// log N(xᵢ; μₖ, Σₖ), n_samples x n_components.
    pub log_gauss: Option<Vec<Vec<f64>>>,
    /// log p(xᵢ).
    pub log_density: Option<Vec<f64>>,
    /// log rᵢₖ, n_samples x n_components.
    pub log_responsibilities: Option<Vec<Vec<f64>>>,
    /// rᵢₖ, n_samples x n_components.
    pub responsibilities: Option<Vec<Vec<f64>>>,
    /// Σᵢ sᵢ log p(xᵢ).
    pub log_likelihood: Option<f64>,
    /// -2 log L + p log n.
    pub bic: Option<f64>,
    /// -2 log L + 2 p.
    pub aic: Option<f64>,
    /// One EM step from the parameters of the case.
    pub em: Option<Update>,
    /// An M-step from the responsibilities of the case.
    pub m_step: Option<Update>,
}

/// The error of one output of a case and what is allowed.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// The case's name.
    pub id: String,
    /// The output's name, as in [`Case::tolerance`].
    pub output: &'static str,
    /// The worst entry in the output's metric; infinite if one is NaN.
    pub error: f64,
    /// What the rule for passing allows.
    pub tolerance: f64,
    /// The same for code that widens f32 to f64.
    pub tolerance_widened: f64,
    /// Whether the case has to pass: see [`Case::is_strict`].
    pub is_strict: bool,
}

impl Score {
    /// Whether the error is within the tolerance.
    pub fn passes(&self) -> bool {
        self.error <= self.tolerance
    }

    /// Whether the error is within the tolerance of f64 even if the inputs are f32.
    pub fn passes_widened(&self) -> bool {
        self.error <= self.tolerance_widened
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} is off by {:.2e}, allowed are {:.2e}",
            self.id, self.output, self.error, self.tolerance
        )
    }
}

impl Case {
    /// Scores what was computed, for every output that both sides have.
    pub fn scores(&self, computed: &Computed) -> Vec<Score> {
        let expected = &self.expected;
        let log_table = |q: &Option<Vec<Vec<f64>>>, c: &Option<Vec<Vec<f64>>>| {
            let (q, c) = (q.as_ref()?, c.as_ref()?);
            Some(metrics::worst_row(q, c, metrics::log_values))
        };
        let log_number = |q: Option<f64>, c: f64| Some(metrics::log_values(&[q?], &[c]));
        let mut errors = vec![
            (
                "log_gauss",
                log_table(&computed.log_gauss, &expected.log_gauss),
            ),
            (
                "log_density",
                (computed.log_density.as_ref())
                    .map(|q| metrics::log_values(q, &expected.log_density)),
            ),
            (
                "log_resp",
                log_table(
                    &computed.log_responsibilities,
                    &expected.log_responsibilities,
                ),
            ),
            (
                "resp",
                (computed.responsibilities.as_ref())
                    .zip(expected.responsibilities.as_ref())
                    .map(|(q, c)| metrics::responsibilities(q, c)),
            ),
            (
                "loglik",
                log_number(computed.log_likelihood, expected.log_likelihood),
            ),
            ("bic", log_number(computed.bic, expected.bic)),
            ("aic", log_number(computed.aic, expected.aic)),
        ];
        const EM: [&str; 5] = [
            "em.nk",
            "em.weights",
            "em.means",
            "em.covariances",
            "em.loglik_after",
        ];
        const M_STEP: [&str; 5] = [
            "mstep.nk",
            "mstep.weights",
            "mstep.means",
            "mstep.covariances",
            "mstep.loglik_after",
        ];
        if let Some(em) = &computed.em {
            errors.extend(EM.into_iter().zip(self.update_errors(em, &expected.em)));
        }
        if let (Some(q), Some((_, c))) = (&computed.m_step, &self.m_step) {
            errors.extend(M_STEP.into_iter().zip(self.update_errors(q, c)));
        }
        errors
            .into_iter()
            .filter_map(|(output, error)| Some(self.score(output, error?)))
            .collect()
    }

    fn score(&self, output: &'static str, error: f64) -> Score {
        Score {
            id: self.id.clone(),
            output,
            error,
            tolerance: self.tolerance(output),
            tolerance_widened: self.tolerance_widened(output),
            is_strict: self.is_strict(output),
        }
    }

    /// Errors of occupancies, weights, means, covariances and the log-likelihood after.
    fn update_errors(&self, q: &Update, c: &Update) -> [Option<f64>; 5] {
        let (n_components, n_features) = (self.means.len(), self.means[0].len());
        let covariances = q.covariances.as_ref().zip(c.covariances.as_ref());
        let variances =
            (c.covariances.as_ref()).map(|c| variances(self.form, c, n_components, n_features));
        [
            Some(metrics::relative(&q.occupancy, &c.occupancy)),
            Some(metrics::relative(&q.weights, &c.weights)),
            (q.means.as_ref().zip(c.means.as_ref()).zip(variances))
                .map(|((q, c), variances)| metrics::means(q, c, &variances)),
            covariances
                .map(|(q, c)| metrics::covariances(self.form, n_components, n_features, q, c)),
            (q.log_likelihood_after.zip(c.log_likelihood_after))
                .map(|(q, c)| metrics::log_values(&[q], &[c])),
        ]
    }
}
