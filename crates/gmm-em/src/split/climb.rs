//! EM on the few rows of a search, under one pseudo-observation per covariance.

use gmm_core::GaussianMixture;
use gmm_core::block::Block;
use gmm_core::covariance::{Prior, Regularizer, Structure};
use gmm_core::{CovarianceType, covariance};

use crate::blocks::KeptBlocks;
use crate::foresight::Foresight;
use crate::pass::{assignment, expectation};
use crate::statistics::SufficientStatistics;

/// When EM iterations end.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    pub(super) n_iterations: usize,
    /// In nats per row.
    pub(super) gain: f64,
}

/// What the iterations climb: the log-likelihood of mixtures of a form, and the log prior of their covariances.
pub(super) struct Climb {
    pub(super) form: CovarianceType,
    pub(super) pseudo_variances: Vec<f64>,
}

/// A mixture and its E-step.
pub(super) struct Step {
    pub(super) model: GaussianMixture,
    statistics: SufficientStatistics,
    /// Log-likelihood plus log prior.
    pub(super) objective: f64,
}

impl Climb {
    /// The same with matrices of their own, where those of the form are searched for in each M-step: what splitting a component would gain
    /// is an estimate anyway, and the M-step that follows finds the form.
    pub(super) fn of_free_matrices(&self) -> Self {
        Self {
            form: if self.form.has_closed_m_step() {
                self.form
            } else {
                self.form.freest()
            },
            pseudo_variances: self.pseudo_variances.clone(),
        }
    }

    /// Rows below which a component is thin: twice what a covariance of the form needs to be regular.
    pub(super) fn rows_per_component(&self) -> f64 {
        let d = self.pseudo_variances.len();
        let regular = match (self.form.n_blocks(2), self.form.structure()) {
            (1, _) => 1,
            (_, Structure::Dense) => d + 1,
            (_, Structure::Diagonal | Structure::Isotropic) => 2,
        };
        2.0 * regular as f64
    }

    fn prior(&self) -> Prior {
        Prior::pseudo_observation(self.form, &self.pseudo_variances)
    }

    /// The M-step of given responsibilities.
    pub(super) fn assigned(
        &self,
        rows: &KeptBlocks,
        n_components: usize,
        assign: &(impl Fn(&Block, &mut [f64]) + Sync),
    ) -> Option<GaussianMixture> {
        let statistics = assignment(rows, self.form, n_components, assign).ok()?;
        self.maximize(&statistics, None)
    }

    fn maximize(
        &self,
        statistics: &SufficientStatistics,
        previous: Option<&covariance::Covariances>,
    ) -> Option<GaussianMixture> {
        let regularizer = Regularizer::Prior(self.prior());
        let maximized = statistics.maximize_with(&regularizer, previous).ok()?;
        statistics.mixture(maximized).ok()
    }

    /// The E-step of a mixture; `None` where its objective is no number.
    pub(super) fn begin(&self, model: GaussianMixture, rows: &KeptBlocks) -> Option<Step> {
        let shifts = model.means().to_owned();
        let statistics = expectation(&model, rows, shifts).ok()?;
        let objective = statistics.log_likelihood() + self.prior().log_density(&model);
        objective.is_finite().then_some(Step {
            model,
            statistics,
            objective,
        })
    }

    /// An iteration; `None` if a component dies in it.
    fn step(&self, now: &Step, rows: &KeptBlocks) -> Option<Step> {
        let next = self.maximize(&now.statistics, Some(now.model.covariances()))?;
        self.begin(next, rows)
    }

    /// Iterations until patience ends or they are foreseen to end below a rival.
    pub(super) fn go_on(
        &self,
        mut now: Step,
        rows: &KeptBlocks,
        patience: Patience,
        rival: f64,
    ) -> Option<Step> {
        let mut foresight = Foresight::default();
        foresight.observe(now.objective);
        for _ in 0..patience.n_iterations {
            let before = now.objective;
            now = self.step(&now, rows)?;
            foresight.observe(now.objective);
            let gain = (now.objective - before) / rows.total_weight();
            if gain <= patience.gain || foresight.end() < rival {
                break;
            }
        }
        Some(now)
    }
}
