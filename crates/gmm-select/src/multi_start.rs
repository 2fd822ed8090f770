//! Several independent starts of one fit, all outcomes kept.

use std::cmp::Ordering;
use std::ops::ControlFlow;

use gmm_core::Samples;
use gmm_em::{Em, Fit, Initialization, Progress, Report, derived_seed};
use rayon::prelude::*;

use crate::Error;

/// Two fits within this many nats in total have found the same optimum: ten times what the default stopping rule leaves.
const AGREEMENT: f64 = 1e-2;

/// How start i begins, in turn, unless the [`Em`] says how: starts of one kind make the same mistakes. Splitting finds the best
/// optimum most often; k-means is better where there are many rows and components.
const PORTFOLIO: [Initialization; 6] = [
    Initialization::Split,
    Initialization::KMeans,
    Initialization::KMeansPlusPlus,
    Initialization::Split,
    Initialization::RandomFromData,
    Initialization::KMeansPlusPlus,
];

/// A fit from several starts.
///
/// The starts take turns between splitting, k-means, k-means++ and random rows, unless the [`Em`] says how to start
/// ([`Em::initialization`]).
/// Start i has its own seed, derived from the seed of the [`Em`] and i alone: it is the same whatever the number of starts.
/// The best outcome is the one of highest objective (the log-likelihood, plus the log prior where there is one) among those without a component at the variance floor (such a
/// likelihood measures the floor, not the data); only where all are singular, among those. So more starts never give a worse result.
///
/// ```
/// use gmm_core::faer::MatRef;
/// use gmm_em::Em;
/// use gmm_select::MultiStart;
///
/// let table = [1.0, 1.2, 0.8, 0.9, 1.1, 5.0, 5.3, 4.8, 5.1, 4.9];
/// let outcomes = MultiStart::new(Em::new(2), 5).run(MatRef::from_row_major_slice(&table, 10, 1))?;
/// assert_eq!(outcomes.starts().len(), 5);
/// println!("{} of 5 starts agree with the best", outcomes.n_agreeing());
/// # Ok::<(), gmm_select::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct MultiStart {
    em: Em,
    n_starts: usize,
}

impl MultiStart {
    /// So many starts of a fit.
    pub fn new(em: Em, n_starts: usize) -> Self {
        Self { em, n_starts }
    }

    /// Runs all starts, in parallel.
    ///
    /// # Errors
    /// [`Error::NoCandidates`] for zero starts; if all starts fail, the reason of the first.
    pub fn run<'a>(&self, x: impl Into<Samples<'a>>) -> Result<Starts, Error> {
        self.run_watched(x, &|_, _| ControlFlow::Continue(()))
    }

    /// [`MultiStart::run`] under the eyes of a watcher, which sees each start (by its number) before it begins and after each iteration, and may stop it.
    /// A start that is stopped before it began has the outcome [`gmm_em::Error::Interrupted`].
    ///
    /// # Errors
    /// As [`MultiStart::run`].
    pub fn run_watched<'a>(
        &self,
        x: impl Into<Samples<'a>>,
        watcher: &(dyn Fn(usize, &Progress) -> ControlFlow<()> + Sync),
    ) -> Result<Starts, Error> {
        let x = x.into();
        let run = |start: usize| {
            let seed = derived_seed(self.em.base_seed(), start as u64);
            let initialization =
                (self.em.chosen_initialization()).unwrap_or(PORTFOLIO[start % PORTFOLIO.len()]);
            let em = self.em.clone().seed(seed).initialization(initialization);
            // A start that hasn't begun when the watcher wants to stop isn't worth its work.
            let fit = if watcher(start, &Progress::before(em.iteration_limit())).is_break() {
                Err(gmm_em::Error::Interrupted)
            } else {
                em.fit_watched(x, &mut |progress| watcher(start, progress))
            };
            Run {
                seed,
                initialization,
                fit,
            }
        };
        let runs: Vec<Run> = (0..self.n_starts).into_par_iter().map(run).collect();
        Starts::new(runs)
    }
}

/// One start, done.
struct Run {
    seed: u64,
    initialization: Initialization,
    fit: Result<Fit, gmm_em::Error>,
}

/// How one start ended.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct StartOutcome {
    /// The seed it ran with.
    pub seed: u64,
    /// How it began.
    pub initialization: Initialization,
    /// Its report, or why it failed.
    pub report: Result<Report, gmm_em::Error>,
}

/// The outcomes of all starts and the best fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Starts {
    starts: Vec<StartOutcome>,
    best: usize,
    fit: Fit,
}

impl Starts {
    fn new(runs: Vec<Run>) -> Result<Self, Error> {
        let outcome = |run: &Run| StartOutcome {
            seed: run.seed,
            initialization: run.initialization,
            report: (run.fit.as_ref())
                .map(|f| f.report().clone())
                .map_err(Clone::clone),
        };
        let starts = runs.iter().map(outcome).collect();
        let mut best: Option<(usize, Fit)> = None;
        let mut first_error = None;
        for (i, run) in runs.into_iter().enumerate() {
            match run.fit {
                Ok(fit)
                    if best.as_ref().is_none_or(|(_, b)| {
                        order(fit.report(), b.report()) == Ordering::Greater
                    }) =>
                {
                    best = Some((i, fit));
                }
                Ok(_) => {}
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        match (best, first_error) {
            (Some((best, fit)), _) => Ok(Self { starts, best, fit }),
            (None, Some(error)) => Err(error.into()),
            (None, None) => Err(Error::NoCandidates),
        }
    }

    /// How each start ended, in order.
    pub fn starts(&self) -> &[StartOutcome] {
        &self.starts
    }

    /// The number of the best start.
    pub fn best_start(&self) -> usize {
        self.best
    }

    /// The best fit.
    pub fn best(&self) -> &Fit {
        &self.fit
    }

    /// The best fit, alone.
    pub fn into_best(self) -> Fit {
        self.fit
    }

    /// How many starts found the best optimum (to a hundredth of a nat), the best one included. One of many means that a
    /// better one may be waiting.
    pub fn n_agreeing(&self) -> usize {
        let best = self.fit.report();
        // Weights that sum to less than the number of rows make nats smaller, as in the stopping rule.
        let unit = (best.total_weight / best.n_samples as f64).min(1.0);
        let agrees = |r: &Report| {
            r.n_singular == best.n_singular
                && (objective(r) - objective(best)).abs() <= AGREEMENT * unit
        };
        self.starts
            .iter()
            .filter(|s| s.report.as_ref().is_ok_and(agrees))
            .count()
    }
}

/// Regular fits before singular ones, then by what the fits maximize; the earlier start at a tie.
fn order(a: &Report, b: &Report) -> Ordering {
    let regular = |r: &Report| r.n_singular == 0;
    regular(a)
        .cmp(&regular(b))
        .then(objective(a).total_cmp(&objective(b)))
}

/// What the fit has reached of what it maximizes.
fn objective(report: &Report) -> f64 {
    report
        .objective
        .last()
        .copied()
        .unwrap_or(f64::NEG_INFINITY)
}
