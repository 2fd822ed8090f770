//! What a reader of a search's table should be wary of.

use std::fmt;

use gmm_core::CovarianceType;

use crate::{Candidate, Criterion, Fitted, Pair, Selection, one_standard_error_rule};

/// A difference in BIC below 2 is not worth more than a bare mention (Kass and Raftery 1995).
const CLOSE: f64 = 2.0;
/// Weights that mean fewer rows than this part of the table's were probably normalized by mistake.
const LIGHT: f64 = 0.5;

/// Something a reader of the table should know.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Note {
    /// The best has the largest number of components that was tried: more might be better.
    UpperEdge {
        /// That number.
        n_components: usize,
    },
    /// The best has the smallest number of components that was tried, and it is not 1: fewer might be better.
    LowerEdge {
        /// That number.
        n_components: usize,
    },
    /// The runner-up is hardly worse.
    Close {
        /// Its number of components.
        n_components: usize,
        /// Its form.
        covariance: CovarianceType,
        /// By how much it is worse.
        difference: f64,
    },
    /// Cross-validation can't tell a simpler candidate from the best: its mean is within one standard error (Breiman, Friedman, Olshen and
    /// Stone 1984).
    WithinError {
        /// Its number of components.
        n_components: usize,
        /// Its form.
        covariance: CovarianceType,
    },
    /// Candidates could not be fitted.
    Failed {
        /// How many.
        n_candidates: usize,
    },
    /// Candidates have a component at the variance floor and were not considered.
    Singular {
        /// How many.
        n_candidates: usize,
    },
    /// Every candidate has a component at the variance floor: the data have ties, or features that depend on others.
    AllSingular,
    /// Only one of several starts found the best optimum.
    LonelyStart {
        /// How many starts there were.
        n_starts: usize,
    },
    /// Candidates of many rows that were far behind were not fitted to the end.
    Unfinished {
        /// How many.
        n_candidates: usize,
    },
    /// The best fit stopped before its stopping rule was met: at its largest number of iterations, or on request.
    NotConverged,
    /// The sample weights sum to much less than the number of rows, and the criterion counts their sum as the number of rows.
    LightWeights {
        /// Σᵢ wᵢ.
        total_weight: f64,
        /// Number of rows.
        n_rows: usize,
    },
    /// Two components of the best have one mode together: they may be one group that is not Gaussian (see
    /// [`Combination`](crate::Combination)).
    OneMode {
        /// The two that overlap most, counted from 0.
        components: (usize, usize),
        /// How many pairs of components have one mode.
        n_pairs: usize,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UpperEdge { n_components } => {
                write!(
                    f,
                    "the best has {n_components} components, the most that were tried: try more"
                )
            }
            Self::LowerEdge { n_components } => {
                write!(
                    f,
                    "the best has {n_components} components, the fewest that were tried: try fewer"
                )
            }
            Self::Close {
                n_components,
                covariance,
                difference,
            } => {
                write!(
                    f,
                    "{n_components} {covariance} components are nearly as good (worse by {difference:.2}): the data don't decide between the two"
                )
            }
            Self::WithinError {
                n_components,
                covariance,
            } => {
                write!(
                    f,
                    "{n_components} {covariance} components are simpler and within one standard error of the best: prefer them unless you want every nat"
                )
            }
            Self::Failed { n_candidates } => {
                write!(f, "{n_candidates} candidates could not be fitted")
            }
            Self::Singular { n_candidates } => {
                write!(
                    f,
                    "{n_candidates} candidates were left out: a component shrank onto a few rows and stands at the variance floor (marked *)"
                )
            }
            Self::AllSingular => {
                write!(
                    f,
                    "every candidate has a component at the variance floor: look for repeated rows or columns that depend on others"
                )
            }
            Self::LonelyStart { n_starts } => {
                write!(
                    f,
                    "only 1 of {n_starts} starts found the best fit: use more starts"
                )
            }
            Self::Unfinished { n_candidates } => write!(
                f,
                "{n_candidates} candidates that were far behind were not fitted to the end: their values could be a little lower"
            ),
            Self::NotConverged => write!(
                f,
                "the best fit stopped before it converged: allow more iterations"
            ),
            Self::LightWeights {
                total_weight,
                n_rows,
            } => write!(
                f,
                "the sample weights sum to {total_weight:.4} for {n_rows} rows, and the criterion takes that sum for the number of rows: \
                 multiply the weights so that they sum to the number of independent observations"
            ),
            Self::OneMode {
                components: (a, b),
                n_pairs,
            } => {
                write!(
                    f,
                    "components {a} and {b} of the best have one mode together: they may be one group that is not Gaussian, so combine them"
                )?;
                if *n_pairs > 1 {
                    write!(f, " ({n_pairs} such pairs)")?;
                }
                Ok(())
            }
        }
    }
}

impl Selection {
    /// What a reader should know: edges of the range, close runners-up, failures.
    pub fn notes(&self) -> Vec<Note> {
        let mut notes = Vec::new();
        let tried = || self.candidates().iter().map(|c| c.n_components);
        let (fewest, most) = (tried().min().unwrap_or(1), tried().max().unwrap_or(1));
        // A fit may have lost components: the model says how many there are.
        let found = self.best().n_components();
        if found == most && most > fewest {
            notes.push(Note::UpperEdge { n_components: most });
        }
        if found <= fewest && found > 1 && most > fewest {
            notes.push(Note::LowerEdge {
                n_components: found,
            });
        }
        let singular = |c: &&Candidate| c.fitted.as_ref().is_ok_and(Fitted::is_singular);
        if self.criterion().is_penalized_deviance()
            && let first = self.best_candidate()
            && let Some(second) = self.runner_up()
            && !singular(&first)
            && !singular(&second)
            && let (Some(a), Some(b)) = (self.value(first), self.value(second))
            && b - a < CLOSE
        {
            notes.push(Note::Close {
                n_components: second.n_components,
                covariance: second.covariance,
                difference: b - a,
            });
        }
        if self.criterion() == Criterion::CrossValidation
            && let Some(simpler) = self.simpler_within_error()
        {
            notes.push(Note::WithinError {
                n_components: simpler.n_components,
                covariance: simpler.covariance,
            });
        }
        let n_failed = self.candidates().len() - self.ranked().count();
        if n_failed > 0 {
            notes.push(Note::Failed {
                n_candidates: n_failed,
            });
        }
        match self.candidates().iter().filter(singular).count() {
            0 => {}
            n if n == self.ranked().count() => notes.push(Note::AllSingular),
            n_candidates => notes.push(Note::Singular { n_candidates }),
        }
        let is_unfinished = |fitted: &Fitted| {
            let starts = &fitted.starts;
            starts.starts()[starts.best_start()].given_up
        };
        let fitted = self
            .candidates()
            .iter()
            .filter_map(|c| c.fitted.as_ref().ok());
        match fitted.filter(|f| is_unfinished(f)).count() {
            0 => {}
            n_candidates => notes.push(Note::Unfinished { n_candidates }),
        }
        let starts = &self.best_fitted().starts;
        if starts.starts().len() > 1 && starts.n_agreeing() == 1 {
            notes.push(Note::LonelyStart {
                n_starts: starts.starts().len(),
            });
        }
        let report = starts.best().report();
        if !report.converged() {
            notes.push(Note::NotConverged);
        }
        if report.total_weight < LIGHT * report.n_samples as f64 && self.criterion().uses_n() {
            notes.push(Note::LightWeights {
                total_weight: report.total_weight,
                n_rows: report.n_samples,
            });
        }
        if let Some((closest, n_pairs)) = Pair::of_one_mode(self.best()) {
            let components = closest.components;
            notes.push(Note::OneMode {
                components,
                n_pairs,
            });
        }
        notes
    }

    /// The simplest regular candidate whose held-out mean is within one standard error of the best, where that is another one.
    fn simpler_within_error(&self) -> Option<&Candidate> {
        let held_out = |c: &&Candidate| {
            let fitted = c.fitted.as_ref().ok().filter(|f| !f.is_singular());
            fitted.is_some_and(|f| f.scores.held_out.is_some())
        };
        let regular: Vec<&Candidate> = self.ranked().filter(held_out).collect();
        let validations: Vec<_> = (regular.iter())
            .filter_map(|c| c.fitted.as_ref().ok())
            .filter_map(|f| Some((f.scores.n_free_parameters, f.cross_validation.as_ref()?)))
            .collect();
        let simplest = one_standard_error_rule(&validations)?;
        let best = self.best_fitted().scores.n_free_parameters;
        (validations[simplest].0 < best).then(|| regular[simplest])
    }
}
