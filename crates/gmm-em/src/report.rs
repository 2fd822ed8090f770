//! What a fit reports: how it ended, each iteration's log-likelihood, and every repair.

use std::fmt;

/// Why a fit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stop {
    /// The stopping rule was met.
    Converged,
    /// The largest number of iterations was reached; the model is usable, but more iterations would improve it.
    MaxIterations,
    /// The watcher asked to stop; the model is the one of the last iteration.
    Interrupted,
}

/// Something the fit did to save itself, or noticed. Components are numbered as during the fit; a fit from an own start
/// sorts them by weight at its end.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A covariance reached the floor, in so many directions.
    Floored {
        /// The component (0 for a covariance that all share).
        component: usize,
        /// M-steps done, this one included.
        iteration: usize,
        /// Directions (eigenvalues or variances) at the floor.
        n_directions: usize,
    },
    /// A component without rows or without variance was left out.
    Dropped {
        /// The component; those after it move up by one.
        component: usize,
        /// M-steps done, this one included.
        iteration: usize,
        /// Its last occupancy.
        occupancy: f64,
    },
    /// A component without rows or without variance was put on the least likely row.
    Reseeded {
        /// The component.
        component: usize,
        /// M-steps done, this one included.
        iteration: usize,
        /// The row.
        row: usize,
    },
    /// There are fewer distinct rows than components were asked for; the fit has one component per distinct row.
    FewDistinctRows {
        /// Distinct rows that the start found.
        found: usize,
        /// Components that were asked for.
        asked: usize,
    },
    /// The objective fell. Expected with a ridge, which maximizes nothing; otherwise more than rounding explains.
    Fell {
        /// The iteration.
        iteration: usize,
        /// By how many nats.
        by: f64,
    },
}

impl Event {
    /// The event as one of a fit that had so many iterations before.
    pub(crate) fn later(&self, n_before: usize) -> Self {
        let mut event = *self;
        match &mut event {
            Self::Floored { iteration, .. }
            | Self::Dropped { iteration, .. }
            | Self::Reseeded { iteration, .. }
            | Self::Fell { iteration, .. } => *iteration += n_before,
            Self::FewDistinctRows { .. } => {}
        }
        event
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Floored {
                component,
                iteration,
                n_directions,
            } => {
                write!(
                    f,
                    "component {component} held at the variance floor in {n_directions} directions from iteration {iteration}"
                )
            }
            Self::Dropped {
                component,
                iteration,
                occupancy,
            } => {
                write!(
                    f,
                    "component {component} dropped at iteration {iteration} (occupancy {occupancy:.3e})"
                )
            }
            Self::Reseeded {
                component,
                iteration,
                row,
            } => {
                write!(
                    f,
                    "component {component} moved to row {row} at iteration {iteration}"
                )
            }
            Self::FewDistinctRows { found, asked } => {
                write!(f, "only {found} distinct rows for {asked} components")
            }
            Self::Fell { iteration, by } => write!(
                f,
                "objective fell by {by:.3e} nats at iteration {iteration}"
            ),
        }
    }
}

/// One iteration, as a watcher sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// M-steps done.
    pub iteration: usize,
    /// The most there may be.
    pub max_iterations: usize,
    /// Total log-likelihood in nats.
    pub log_likelihood: f64,
    /// What the last iteration gained; NaN for the first.
    pub gain: f64,
    /// What the fit maximizes: the log-likelihood, plus the log prior (up to a constant) where there is one.
    pub objective: f64,
}

impl Progress {
    /// Before the start: nothing is known yet.
    pub fn before(max_iterations: usize) -> Self {
        Self {
            iteration: 0,
            max_iterations,
            log_likelihood: f64::NAN,
            gain: f64::NAN,
            objective: f64::NAN,
        }
    }
}

/// What happened during a fit. What it says is true of the model that the fit returns: a last E-step is done.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// Why the fit ended.
    pub stop: Stop,
    /// Number of M-steps that led to the model.
    pub n_iterations: usize,
    /// Number of passes over the data by EM: one more than iterations for a fit from a mixture, and one for each accelerated step
    /// that was taken back. A pass that a cheaper one had to be replaced by (in double precision, or with all rows) counts with it as one.
    pub n_passes: usize,
    /// Total log-likelihood Σᵢ wᵢ log p(xᵢ) of the returned model, in nats.
    pub log_likelihood: f64,
    /// Log-likelihood after each M-step, in coordinates without the data's offset: where the offset is so large that the means
    /// of the model are rounded to it, the last entry is above `log_likelihood`. For a fit from a mixture the first entry is that mixture's.
    pub trace: Vec<f64>,
    /// What the fit maximizes: the log-likelihood, plus the log prior (up to a constant) where there is one. As long as `trace`.
    pub objective: Vec<f64>,
    /// Every repair, in order.
    pub events: Vec<Event>,
    /// Number of components whose covariance is at the variance floor in the end: such a model describes points, not groups.
    pub n_singular: usize,
    /// Number of rows.
    pub n_samples: usize,
    /// Σᵢ wᵢ: the number of rows where there are no weights.
    pub total_weight: f64,
}

impl Report {
    /// Whether the stopping rule was met.
    pub fn converged(&self) -> bool {
        self.stop == Stop::Converged
    }

    /// With what happened before, to the mixture that the fit began with.
    pub(crate) fn after(self, earlier: &Self) -> Self {
        let mut all = self;
        // The first entry is of that mixture, which is the last one before.
        let join = |before: &[f64], now: &[f64]| {
            let later = now.iter().skip(usize::from(!before.is_empty()));
            before.iter().chain(later).copied().collect()
        };
        all.trace = join(&earlier.trace, &all.trace);
        all.objective = join(&earlier.objective, &all.objective);
        let later = all.events.iter().map(|e| e.later(earlier.n_iterations));
        all.events = earlier.events.iter().copied().chain(later).collect();
        all.n_iterations += earlier.n_iterations;
        all.n_passes += earlier.n_passes;
        all
    }

    /// Log-likelihood per unit of weight, in nats.
    pub fn mean_log_likelihood(&self) -> f64 {
        self.log_likelihood / self.total_weight
    }
}

/// For example "converged after 23 iterations, mean log-likelihood -3.4795, no repairs".
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.stop {
            Stop::Converged => "converged after",
            Stop::MaxIterations => "not converged within",
            Stop::Interrupted => "interrupted after",
        };
        let (n, plural) = (
            self.n_iterations,
            if self.n_iterations == 1 { "" } else { "s" },
        );
        write!(
            f,
            "{how} {n} iteration{plural}, mean log-likelihood {:.4}, ",
            self.mean_log_likelihood()
        )?;
        match self.events.as_slice() {
            [] => write!(f, "no repairs"),
            [one] => write!(f, "1 repair: {one}"),
            many => write!(f, "{} repairs, the first: {}", many.len(), many[0]),
        }
    }
}
