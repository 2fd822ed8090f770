//! The outcomes of several starts of one fit, and the best of them.

use std::cmp::Ordering;
use std::fmt;

use gmm_core::CovarianceType;
use gmm_em::{Fit, Initialization, Report};

use crate::Error;

/// Two fits within this many nats in total have found the same optimum: ten times what the default stopping rule leaves.
const AGREEMENT: f64 = 1e-2;
/// The same for fits of a part of the rows, which are left where a part shows what they are worth.
const AGREEMENT_ON_A_PART: f64 = 0.2;

/// Where a start comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Origin {
    /// From the data, in one of the ways that a fit has.
    Data(Initialization),
    /// The best mixture of one component less, with its best split.
    Split,
    /// The best mixture of one component more, with its cheapest merger.
    Merger,
    /// The best mixture of another covariance form.
    Form(CovarianceType),
}

/// "kmeans", "one component less, split", "the best EEV mixture".
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(initialization) => f.pad(initialization.name()),
            Self::Split => f.pad("one component less, split"),
            Self::Merger => f.pad("one component more, merged"),
            Self::Form(form) => f.pad(&format!("the best {form} mixture")),
        }
    }
}

/// How one start ended.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct StartOutcome {
    /// Where it comes from.
    pub origin: Origin,
    /// The seed it ran with.
    pub seed: u64,
    /// Its report, or why it failed. Of many rows, a start that did not look good on a part of them has its report of that part, and one that
    /// did counts its iterations on all of them.
    pub report: Result<Report, gmm_em::Error>,
    /// Whether it was stopped because it could not reach what was there already: the best of its own candidate, or of a search.
    pub given_up: bool,
}

/// A start, done.
pub(crate) struct Run {
    pub(crate) origin: Origin,
    pub(crate) seed: u64,
    pub(crate) fit: Result<Fit, gmm_em::Error>,
    pub(crate) given_up: bool,
}

/// The outcomes of all starts and the best fit.
///
/// The best is the one of highest objective (the log-likelihood, plus the log prior where there is one) among those without a component at
/// the variance floor (such a likelihood measures the floor, not the data); only where all are singular, among those; the first of equals.
#[derive(Clone, Debug, PartialEq)]
pub struct Starts {
    starts: Vec<StartOutcome>,
    best: usize,
    fit: Fit,
    n_agreeing: usize,
}

impl Starts {
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

    /// With more iterations of the best.
    pub(crate) fn with_best(mut self, fit: Fit) -> Self {
        self.starts[self.best].report = Ok(fit.report().clone());
        Self { fit, ..self }
    }

    /// With a best that is left where it is.
    pub(crate) fn given_up(mut self) -> Self {
        self.starts[self.best].given_up = true;
        self
    }

    /// How many starts found the best optimum (to a hundredth of a nat; where many rows were looked at in part, on that part to a
    /// fifth), the best one included. One of many means that a better one may be waiting.
    pub fn n_agreeing(&self) -> usize {
        self.n_agreeing
    }
}

/// Outcomes as they come.
#[derive(Default)]
pub(crate) struct Outcomes {
    starts: Vec<StartOutcome>,
    /// Each start that was better than all before it, with its fit.
    records: Vec<(usize, Fit)>,
    first_error: Option<gmm_em::Error>,
}

impl Outcomes {
    pub(crate) fn push(&mut self, run: Run) {
        self.starts.push(StartOutcome {
            origin: run.origin,
            seed: run.seed,
            report: (run.fit.as_ref())
                .map(|f| f.report().clone())
                .map_err(Clone::clone),
            given_up: run.given_up,
        });
        match run.fit {
            Ok(fit) => {
                let is_better = |best: &Fit| order(fit.report(), best.report()).is_gt();
                if self.best().is_none_or(is_better) {
                    self.records.push((self.starts.len() - 1, fit));
                }
            }
            Err(error) => self.first_error = self.first_error.take().or(Some(error)),
        }
    }

    pub(crate) fn n_starts(&self) -> usize {
        self.starts.len()
    }

    pub(crate) fn best(&self) -> Option<&Fit> {
        self.records.last().map(|(_, fit)| fit)
    }

    /// The number of the best start.
    pub(crate) fn best_start(&self) -> Option<usize> {
        self.records.last().map(|(at, _)| *at)
    }

    /// Starts that found another optimum than all that were better than those before them, in order: whatever is added later, they stay.
    fn clear_records(&self, tolerance: f64) -> Vec<(usize, &Fit)> {
        let mut clear: Vec<(usize, &Fit)> = Vec::new();
        for (at, fit) in &self.records {
            let is_other = |last: &(usize, &Fit)| !agree(last.1.report(), fit.report(), tolerance);
            if clear.last().is_none_or(is_other) {
                clear.push((*at, fit));
            }
        }
        clear
    }

    /// The best where all starts have seen all rows.
    pub(crate) fn finish(mut self) -> Result<Starts, Error> {
        let n_agreeing = self.n_agreeing(AGREEMENT);
        let best = self.records.pop();
        self.with_best(best, n_agreeing)
    }

    /// The best where starts have seen a part of the rows: those that were the best of their time go on with all rows. So more starts
    /// never give a worse result, if they go on to the end.
    pub(crate) fn finish_with(
        mut self,
        go_on: impl Fn(&StartOutcome, &Fit) -> Result<Fit, gmm_em::Error>,
    ) -> Result<Starts, Error> {
        let n_agreeing = self.n_agreeing(AGREEMENT_ON_A_PART);
        let fits: Vec<(usize, Result<Fit, gmm_em::Error>)> =
            (self.clear_records(AGREEMENT_ON_A_PART).iter())
                .map(|(at, fit)| (*at, go_on(&self.starts[*at], fit)))
                .collect();
        let mut best: Option<(usize, Fit)> = None;
        for (at, fit) in fits {
            self.starts[at].report = (fit.as_ref())
                .map(|f| f.report().clone())
                .map_err(Clone::clone);
            match fit {
                Ok(fit)
                    if best.as_ref().is_none_or(|(_, best)| {
                        order(fit.report(), best.report()) == Ordering::Greater
                    }) =>
                {
                    best = Some((at, fit));
                }
                Ok(_) => {}
                Err(error) => self.first_error = self.first_error.take().or(Some(error)),
            }
        }
        self.with_best(best, n_agreeing)
    }

    fn with_best(self, best: Option<(usize, Fit)>, n_agreeing: usize) -> Result<Starts, Error> {
        match (best, self.first_error) {
            (Some((best, fit)), _) => Ok(Starts {
                starts: self.starts,
                best,
                fit,
                n_agreeing,
            }),
            (None, Some(error)) => Err(error.into()),
            (None, None) => Err(Error::NoCandidates),
        }
    }

    fn n_agreeing(&self, tolerance: f64) -> usize {
        let Some(best) = self.best().map(Fit::report) else {
            return 0;
        };
        let agrees = |report: &Report| agree(report, best, tolerance);
        self.starts
            .iter()
            .filter(|s| s.report.as_ref().is_ok_and(agrees))
            .count()
    }
}

/// Whether two fits have found the same optimum. Weights that sum to less than the number of rows make nats smaller, as in the stopping rule.
fn agree(a: &Report, b: &Report, tolerance: f64) -> bool {
    let unit = (b.total_weight / b.n_samples as f64).min(1.0);
    a.n_singular == b.n_singular && (objective(a) - objective(b)).abs() <= tolerance * unit
}

fn is_regular(report: &Report) -> bool {
    report.n_singular == 0
}

/// Regular fits before singular ones, then by what the fits maximize.
fn order(a: &Report, b: &Report) -> Ordering {
    is_regular(a)
        .cmp(&is_regular(b))
        .then(objective(a).total_cmp(&objective(b)))
}

/// What the fit has reached of what it maximizes.
pub(crate) fn objective(report: &Report) -> f64 {
    report
        .objective
        .last()
        .copied()
        .unwrap_or(f64::NEG_INFINITY)
}
