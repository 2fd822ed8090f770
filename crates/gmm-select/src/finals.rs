//! From a part of the rows to all of them: the best starts of each cell go on, and only cells that could still be chosen go to the end.
//!
//! Components too many make EM slow: seven for six groups gain for a thousand iterations and more, of which each passes over all rows, and all
//! for a cell whose criterion is hundreds of nats behind. EM's gap to its end falls about as 1/t where it is so slow, so that it
//! is t times the last gain; a cell that is behind by three times that is left where it is. So is one that has next to nothing left to gain.

use gmm_core::Samples;
use gmm_em::{Em, Fit, Progress, Report, Stop, Stopping};
use rayon::prelude::*;

use crate::multi_start::go_on;
use crate::scheduler::{Cell, Scheduler};
use crate::starts::objective;
use crate::{Criterion, Error, Scores, Starts};

/// Iterations of all cells, at most.
const FIRST: usize = 12;
/// A cell whose remaining gain is this many nats at the most, by Aitken's estimate, has shown what it is worth.
const ROUGH: f64 = 0.5;
/// Gains per iteration that a cell may make up for, three times as many as it had iterations.
const HOPE: f64 = 3.0 * FIRST as f64;
/// The last gains that are averaged: steps of over-relaxation are long and short in turn.
const N_GAINS: usize = 5;

pub(crate) struct Finals<'a> {
    pub(crate) scheduler: &'a Scheduler<'a>,
    pub(crate) x: &'a Samples<'a>,
}

impl Finals<'_> {
    pub(crate) fn run(
        &self,
        cells: Vec<Cell>,
        done: impl Fn() + Sync,
    ) -> Vec<Result<Starts, Error>> {
        let first = |cell: Cell| {
            let em = self.first_em(&cell.em);
            let starts = cell.outcomes.finish_with(|outcome, fit| {
                let mut watch = |progress: &Progress| self.scheduler.watch(&em, 0, progress);
                go_on(&em, self.x, outcome, fit, &mut watch)
            });
            let value = starts
                .as_ref()
                .ok()
                .and_then(|starts| self.value(starts.best()));
            (cell.em, starts, value)
        };
        let cells: Vec<_> = cells.into_par_iter().map(first).collect();
        let best = (cells.iter())
            .filter_map(|(_, _, value)| *value)
            .fold(f64::INFINITY, f64::min);
        let last = |(em, starts, value): (Em, Result<Starts, Error>, Option<f64>)| {
            let starts = starts.map(|starts| self.to_the_end(&em, starts, value, best));
            done();
            starts
        };
        cells.into_par_iter().map(last).collect()
    }

    /// The search's settings for a cell's form and number of components.
    fn em(&self, cell: &Em) -> Em {
        let (n_components, form) = (cell.n_components(), cell.covariance_type());
        (self.scheduler.em.clone())
            .components(n_components)
            .covariance(form)
    }

    /// The settings of the first iterations, after which a cell is judged, unless they are all that it gets anyway. One component is at its
    /// end at once.
    fn first_em(&self, cell: &Em) -> Em {
        let em = self.em(cell);
        if self.is_short() || em.n_components() == 1 {
            return em;
        }
        em.max_iterations(FIRST)
            .stopping(Stopping::RemainingGain(ROUGH))
    }

    /// Whether the search's fits may hardly take as many iterations as come before the judgement.
    fn is_short(&self) -> bool {
        self.scheduler.em.iteration_limit() <= FIRST
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

    fn to_the_end(&self, cell: &Em, starts: Starts, value: Option<f64>, best: f64) -> Starts {
        let (Some(value), false) = (value, self.is_short() || cell.n_components() == 1) else {
            return starts;
        };
        if starts.best().report().stop == Stop::Interrupted {
            return starts;
        }
        let em = self.em(cell);
        // Criteria are on the scale of twice the log-likelihood.
        if (value - best) / 2.0 > HOPE * recent_gain(starts.best().report()) {
            return starts.given_up();
        }
        let em = em.clone().max_iterations(em.iteration_limit() - FIRST);
        let outcome = &starts.starts()[starts.best_start()];
        let mut watch = |progress: &Progress| self.scheduler.watch(&em, 0, progress);
        match go_on(&em, self.x, outcome, starts.best(), &mut watch) {
            Ok(fit) => starts.with_best(fit),
            Err(_) => starts,
        }
    }
}

/// The gain of an iteration after the first ones, in nats.
fn recent_gain(report: &Report) -> f64 {
    if report.stop != Stop::MaxIterations {
        return ROUGH;
    }
    let before = report.objective.iter().rev().nth(N_GAINS);
    before.map_or(f64::INFINITY, |before| {
        (objective(report) - before) / N_GAINS as f64
    })
}
