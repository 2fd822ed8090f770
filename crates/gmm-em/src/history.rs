//! The objective along a fit: what was gained, whether it fell, whether it has converged.

use gmm_core::GaussianMixture;
use gmm_core::covariance::Regularizer;

use crate::rescue::Rescuer;
use crate::statistics::SufficientStatistics;
use crate::stopping::Weight;
use crate::summary::Summary;
use crate::{Event, Precision, Progress, Report, Stop, Stopping};

/// What one E-step says of a model, in the coordinates of the frame.
#[derive(Clone, Copy)]
pub(crate) struct Pass {
    log_likelihood: f64,
    /// The log-likelihood, plus the log prior where there is one.
    objective: f64,
    conditioning: f64,
    precision: Precision,
}

/// The accepted passes of a fit, in the coordinates of the frame: in the units of the data every sum is larger by one constant, which would round
/// away the last digits of gains, and otherwise for other units.
pub(crate) struct History {
    trace: Vec<f64>,
    objective: Vec<f64>,
    n_passes: usize,
    /// Where the entries begin that rescues, which may lower the objective, haven't interrupted.
    since_rescue: usize,
    /// Where the entries begin that steps of EM's own connect.
    since_beyond: usize,
    /// Where the entries begin that were computed in the precision of the last one.
    since_precision: usize,
    /// Of the last two passes.
    precision: [Precision; 2],
    total_weight: f64,
    /// The weight that counts as a row in the stopping rule.
    unit: f64,
    /// Σᵢ wᵢ log |dx'/dx|: what the frame adds to a log-likelihood.
    log_jacobian: f64,
    n_features: usize,
    /// Of the last two models.
    conditioning: [f64; 2],
    ascends: bool,
    n_rescues: usize,
}

impl History {
    pub(crate) fn new(summary: &Summary, ascends: bool) -> Self {
        Self {
            trace: Vec::new(),
            objective: Vec::new(),
            n_passes: 0,
            since_rescue: 0,
            since_beyond: 0,
            since_precision: 0,
            precision: [Precision::default(); 2],
            total_weight: summary.total_weight(),
            unit: (summary.total_weight() / summary.n_rows as f64).min(1.0),
            log_jacobian: summary.total_weight() * summary.frame.log_jacobian(),
            n_features: summary.n_features(),
            conditioning: [1.0; 2],
            ascends,
            n_rescues: 0,
        }
    }

    /// The objective of a model whose E-step is done.
    pub(crate) fn measure(
        &mut self,
        statistics: &SufficientStatistics,
        model: &GaussianMixture,
        regularizer: &Regularizer,
        precision: Precision,
    ) -> Pass {
        self.n_passes += 1;
        let log_likelihood = statistics.log_likelihood();
        let prior = if let Regularizer::Prior(prior) = regularizer {
            prior.log_density(model)
        } else {
            0.0
        };
        Pass {
            log_likelihood,
            objective: log_likelihood + prior,
            conditioning: conditioning(model),
            precision,
        }
    }

    /// Whether a pass is worse than the last accepted one (or not a number).
    pub(crate) fn falls(&self, pass: &Pass) -> bool {
        self.objective
            .last()
            .is_some_and(|last| pass.objective.is_nan() || pass.objective < *last)
    }

    /// Accepts a pass; `beyond` tells that the step to it was longer than EM's own.
    pub(crate) fn push(
        &mut self,
        iteration: usize,
        pass: Pass,
        beyond: bool,
        rescuer: &mut Rescuer<'_>,
    ) {
        if rescuer.n_rescues() != self.n_rescues {
            self.n_rescues = rescuer.n_rescues();
            self.since_rescue = self.objective.len();
        }
        if beyond {
            self.since_beyond = self.objective.len();
        }
        if pass.precision != self.precision[1] {
            self.since_precision = self.objective.len();
        }
        self.precision = [self.precision[1], pass.precision];
        self.conditioning = [self.conditioning[1], pass.conditioning];
        self.trace.push(pass.log_likelihood);
        self.objective.push(pass.objective);
        if let [.., before, now] = self.objective[self.since_rescue..] {
            let by = before - now;
            if by > self.noise() {
                debug_assert!(
                    !self.ascends,
                    "the objective fell by {by:e} nats at iteration {iteration}: {before} to {now}"
                );
                rescuer.events.push(Event::Fell { iteration, by });
            }
        }
    }

    /// Rounding error of the objective. A sum of terms has ε times its size. A squared distance (D on average) is off by
    /// ε times its conditioning, see [`conditioning`]: so much may W rows lose.
    fn noise(&self) -> f64 {
        let conditioning = self.conditioning[0].max(self.conditioning[1]);
        let distances = self.n_features as f64 * self.total_weight * conditioning;
        let epsilon = self.precision[0].epsilon().max(self.precision[1].epsilon());
        epsilon * (8.0 * self.size() + 8.0 * distances)
    }

    /// The size of what is summed up to the objective: log-densities of D features are about D nats at the least, whatever their sum.
    fn size(&self) -> f64 {
        let objective = self.objective.last().map_or(0.0, |l| l.abs());
        objective + self.n_features as f64 * self.total_weight
    }

    /// Whether the stopping rule is met by steps of EM's own.
    pub(crate) fn converged(&self, stopping: &Stopping) -> bool {
        let since = self
            .since_rescue
            .max(self.since_beyond)
            .max(self.since_precision)
            .min(self.objective.len());
        stopping.is_met(
            &self.objective[since..],
            self.weight(),
            2.0 * self.precision[1].epsilon() * self.size(),
        )
    }

    /// Whether the last gain is as small as the stopping rule asks for, whatever the step.
    pub(crate) fn hardly_moves(&self, stopping: &Stopping) -> bool {
        let [.., before, now] = self.objective[self.since_rescue..] else {
            return false;
        };
        stopping.is_small(now - before, now, self.weight())
    }

    fn weight(&self) -> Weight {
        Weight {
            total: self.total_weight,
            unit: self.unit,
            offset: self.log_jacobian,
        }
    }

    /// A sum of log-densities in the units of the data.
    fn in_data(&self, objective: f64) -> f64 {
        objective + self.log_jacobian
    }

    pub(crate) fn progress(&self, iteration: usize, max_iterations: usize) -> Progress {
        let gain = if let [.., before, now] = self.trace[..] {
            now - before
        } else {
            f64::NAN
        };
        let last = |path: &[f64]| {
            let last = path.last().copied();
            last.map_or(f64::NAN, |l| self.in_data(l))
        };
        Progress {
            iteration,
            max_iterations,
            log_likelihood: last(&self.trace),
            gain,
            objective: last(&self.objective),
        }
    }

    pub(crate) fn report(
        mut self,
        stop: Stop,
        n_iterations: usize,
        rescuer: Rescuer<'_>,
        n_samples: usize,
    ) -> Report {
        let offset = self.log_jacobian;
        for path in [&mut self.trace, &mut self.objective] {
            path.iter_mut().for_each(|l| *l += offset);
        }
        Report {
            stop,
            n_iterations,
            n_passes: self.n_passes,
            log_likelihood: self.trace.last().copied().unwrap_or(f64::NAN),
            trace: self.trace,
            objective: self.objective,
            n_singular: rescuer.n_singular(),
            events: rescuer.events,
            n_samples,
            total_weight: self.total_weight,
        }
    }
}

/// By how much squared distances magnify rounding: the entries of a covariance are rounded, which its variance inflation
/// magnifies; means and data are rounded at a size of up to 2 in the frame, which small standard deviations magnify.
fn conditioning(model: &GaussianMixture) -> f64 {
    let inflation = model.variance_inflation();
    let variances = (0..model.n_components()).flat_map(|k| model.covariances().variances(k));
    inflation + 2.0 * (inflation / variances.fold(f64::INFINITY, f64::min)).sqrt()
}
