//! From a part of the rows to all of them: the best starts of each cell go on, and only cells that could still be chosen go to the end.
//!
//! Components too many make EM slow: seven for six groups gain for a thousand iterations and more, of which each passes over all rows, and all
//! for a cell whose criterion is hundreds of nats behind. EM's gap to its end falls about as 1/t where it is so slow, so that it
//! is t times the last gain; a cell that is behind by three times that is left where it is. Cells are judged after twelve iterations, or before,
//! where next to nothing is left to gain.

use std::cell::Cell as Flag;
use std::ops::ControlFlow;

use gmm_core::Samples;
use gmm_em::{Acceleration, Em, Fit, Progress, Report, Start, Stop};
use rayon::prelude::*;

use crate::multi_start::go_on;
use crate::scheduler::{Cell, Scheduler};
use crate::starts::objective;
use crate::{Criterion, Error, Scores, Starts};

/// Iterations after which all cells are judged.
const FIRST: usize = 12;
/// A start that has so many nats left to gain, by Aitken's estimate, has shown what it is worth.
const ROUGH: f64 = 0.5;
/// Iterations in a row that say so: EM also slows down where it leaves a saddle.
const SUCCESSIVE: usize = 3;
/// Gains per iteration that a cell may make up for, three times as many as it had iterations.
const HOPE: f64 = 3.0 * FIRST as f64;
/// The last gains that are averaged: steps of over-relaxation are long and short in turn.
const N_GAINS: usize = 5;

pub(crate) struct Finals<'a> {
    pub(crate) scheduler: &'a Scheduler<'a>,
    pub(crate) x: &'a Samples<'a>,
}

/// A cell after its first iterations.
struct Judged {
    em: Em,
    starts: Result<Starts, Error>,
    /// The criterion of its best, where that is regular.
    value: Option<f64>,
    /// Whether the watcher wants no more.
    is_stopped: bool,
}

impl Finals<'_> {
    pub(crate) fn run(
        &self,
        cells: Vec<Cell>,
        done: impl Fn() + Sync,
    ) -> Vec<Result<Starts, Error>> {
        let cells: Vec<Judged> = (cells.into_par_iter())
            .map(|cell| self.judge(cell))
            .collect();
        let best = (cells.iter())
            .filter_map(|cell| cell.value)
            .fold(f64::INFINITY, f64::min);
        let last = |cell: Judged| {
            let Judged {
                em,
                starts,
                value,
                is_stopped,
            } = cell;
            let starts = match starts {
                Ok(starts) if !is_stopped => Ok(self.to_the_end(&em, starts, value, best)),
                other => other,
            };
            done();
            starts
        };
        cells.into_par_iter().map(last).collect()
    }

    /// The first iterations of the cell's best starts with all rows. Few enough iterations are all that there are.
    fn judge(&self, cell: Cell) -> Judged {
        let em = self.em(&cell.em);
        let limit = em.iteration_limit();
        let first = em.clone().max_iterations(limit.min(FIRST));
        let is_stopped = Flag::new(false);
        let starts = cell.outcomes.finish_with(|outcome, fit| {
            let mut settling = Settling::new(fit.report());
            let mut watch = |progress: &Progress| {
                if self.scheduler.watch(&first, 0, progress).is_break() {
                    is_stopped.set(true);
                    return ControlFlow::Break(());
                }
                if settling.observe(progress.objective) && limit > FIRST {
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            };
            go_on(&first, self.x, outcome, fit, &mut watch)
        });
        let best = starts.as_ref().ok().map(Starts::best);
        Judged {
            value: best.and_then(|fit| self.value(fit)),
            em,
            starts,
            is_stopped: is_stopped.get(),
        }
    }

    /// The search's settings for a cell's form and number of components.
    fn em(&self, cell: &Em) -> Em {
        let (n_components, form) = (cell.n_components(), cell.covariance_type());
        (self.scheduler.em.clone())
            .components(n_components)
            .covariance(form)
    }

    /// The criterion, where the fit is regular. AIC stands for cross-validation, which it predicts (Stone 1977); NEC isn't known yet, so
    /// that nothing is left unfinished for it.
    fn value(&self, fit: &Fit) -> Option<f64> {
        let criterion = match self.scheduler.criterion {
            Criterion::CrossValidation => Criterion::Aic,
            other => other,
        };
        let scores = if criterion.is_of_responsibilities() {
            Scores::new(fit.model(), *self.x).ok()?
        } else {
            Scores::of_likelihood(fit)
        };
        (fit.report().n_singular == 0).then(|| criterion.value(&scores))
    }

    /// A singular cell can be chosen only where there is no other.
    fn to_the_end(&self, em: &Em, starts: Starts, value: Option<f64>, best: f64) -> Starts {
        let report = starts.best().report();
        let n_left = em.iteration_limit().saturating_sub(report.n_iterations);
        if report.stop == Stop::Converged || n_left == 0 {
            return starts;
        }
        match value {
            // Criteria are on the scale of twice the log-likelihood.
            Some(value) if (value - best) / 2.0 > HOPE * recent_gain(report) => {
                return starts.given_up();
            }
            None if best.is_finite() => return starts,
            _ => {}
        }
        let model = starts.best().model();
        let em = (em.clone().components(model.n_components()))
            .acceleration(Acceleration::OverRelaxation)
            .max_iterations(n_left);
        let mut watch = |progress: &Progress| self.scheduler.watch(&em, 0, progress);
        match em.fit_from_watched(*self.x, Start::Mixture(model), &mut watch) {
            Ok(fit) => {
                let fit = fit.sorted().going_on_from(report);
                starts.with_best(fit)
            }
            Err(_) => starts,
        }
    }
}

/// The gain of an iteration after the first ones, in nats.
fn recent_gain(report: &Report) -> f64 {
    if report.stop == Stop::Interrupted {
        return ROUGH * unit(report);
    }
    let before = report.objective.iter().rev().nth(N_GAINS);
    before.map_or(f64::INFINITY, |before| {
        (objective(report) - before) / N_GAINS as f64
    })
}

/// Weights that sum to less than the number of rows make nats smaller, as in the stopping rule.
fn unit(report: &Report) -> f64 {
    (report.total_weight / report.n_samples as f64).min(1.0)
}

/// Whether a start has next to nothing left to gain.
struct Settling {
    tolerance: f64,
    /// The last objectives, the latest first.
    last: [f64; 3],
    n_successive: usize,
}

impl Settling {
    /// For a start that goes on with rows of the same weight as those of a report on the average.
    fn new(report: &Report) -> Self {
        Self {
            tolerance: ROUGH * unit(report),
            last: [f64::NAN; 3],
            n_successive: 0,
        }
    }

    fn observe(&mut self, objective: f64) -> bool {
        self.last.rotate_right(1);
        self.last[0] = objective;
        let [now, before, earlier] = self.last;
        let gain = now - before;
        let rate = gain / (before - earlier);
        let left = gain * rate / (1.0 - rate);
        // Gains that grow, and what isn't known yet, say nothing.
        let is_little =
            gain <= self.tolerance && (0.0..1.0).contains(&rate) && left <= self.tolerance;
        self.n_successive = if is_little { self.n_successive + 1 } else { 0 };
        self.n_successive >= SUCCESSIVE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gains of 64, 32, 16, ... and what is left is as much as the last gain: half a nat after the eighth, and two more say so.
    #[test]
    fn a_start_has_settled_when_three_gains_say_so() {
        let settling = || Settling {
            tolerance: ROUGH,
            last: [f64::NAN; 3],
            n_successive: 0,
        };
        let mut halving = settling();
        let first = (0..40).position(|t| halving.observe(-128.0 * 0.5f64.powi(t)));
        assert_eq!(first, Some(10));
        // A halt at a saddle, after which gains grow again.
        let mut saddle = settling();
        let objectives = [-100.0, -99.0, -98.9, -98.89, -98.7, -97.0, -90.0];
        assert!(objectives.iter().all(|o| !saddle.observe(*o)));
        let mut slow = settling();
        assert!((1..40).all(|t| !slow.observe(-1000.0 / f64::from(t))));
    }
}
