//! Search over numbers of components, covariance forms and starts.

use std::ops::ControlFlow;

use gmm_core::{CovarianceType, Samples};
use gmm_em::{Em, Progress};
use rayon::prelude::*;

use crate::error::check_count;
use crate::scheduler::{N_STEPS, Scheduler};
use crate::selection::{Candidate, Fitted, Selection};
use crate::{Criterion, Error, MultiStart, Scores, Starts};

/// A search for the mixture that a criterion likes best.
///
/// ```
/// use gmm_core::faer::MatRef;
/// use gmm_select::{Criterion, Search};
///
/// let table = [1.0, 1.2, 0.8, 0.9, 1.1, 5.0, 5.3, 4.8, 5.1, 4.9, 0.7, 1.3, 5.2, 4.7];
/// let x = MatRef::from_row_major_slice(&table, 14, 1);
/// let chosen = Search::over(1..=3).starts(3).by(Criterion::Bic).run(x)?;
/// assert_eq!(chosen.best().n_components(), 2);
/// println!("{chosen}"); // the table; the best is marked
/// # Ok::<(), gmm_select::Error>(())
/// ```
///
/// A candidate that fails is an outcome in the table, never the end of the search. Candidates run in parallel
/// on the current rayon pool; the result doesn't depend on the number of threads.
///
/// Candidates share their work. Each has a few starts of its own (a path of splits over all numbers of components, a
/// hierarchy of the rows, k-means, k-means++, random rows), and then the best mixture of each starts its neighbours: those of the next richer
/// and poorer covariance forms, those of one component more and one less. So the likelihood rises with the number of components and with
/// the freedom of the form but for rare exceptions, which it should, and hardly does with starts that know nothing of each other. Of
/// more than 12 000 rows (more for many components and features) all this is done on a random part, and the best of each candidate go on
/// with all rows. Where the [`Em`] says how to start ([`Em::initialization`]), each candidate is a [`MultiStart`] of its own instead.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Search {
    components: Vec<usize>,
    covariances: Vec<CovarianceType>,
    n_starts: usize,
    criterion: Criterion,
    em: Em,
}

/// One EM iteration within a search, as a watcher sees it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum SearchProgress<'a> {
    /// An iteration of a start.
    Iteration {
        /// Components that are asked for.
        n_components: usize,
        /// The form.
        covariance: CovarianceType,
        /// The start's number.
        start: usize,
        /// The iteration.
        progress: &'a Progress,
    },
    /// A piece of work is done.
    Done {
        /// Pieces in all: [`Search::n_steps`].
        n_steps: usize,
    },
}

impl Search {
    /// A search over numbers of components (repetitions count once), with the four basic covariance forms
    /// ([`CovarianceType::BASIC`]), 3 starts and BIC.
    pub fn over(components: impl IntoIterator<Item = usize>) -> Self {
        let mut components: Vec<usize> = components.into_iter().collect();
        components.sort_unstable();
        components.dedup();
        Self {
            components,
            covariances: CovarianceType::BASIC.to_vec(),
            n_starts: 3,
            criterion: Criterion::default(),
            em: Em::new(1),
        }
    }

    /// The covariance forms to try.
    pub fn covariances(self, covariances: impl IntoIterator<Item = CovarianceType>) -> Self {
        let mut unique = Vec::new();
        for form in covariances {
            if !unique.contains(&form) {
                unique.push(form);
            }
        }
        Self {
            covariances: unique,
            ..self
        }
    }

    /// The number of starts per candidate, beside those from its neighbours.
    pub fn starts(self, n_starts: usize) -> Self {
        Self { n_starts, ..self }
    }

    /// The criterion that decides.
    pub fn by(self, criterion: Criterion) -> Self {
        Self { criterion, ..self }
    }

    /// The settings of the fits; their number of components and covariance form are the search's.
    pub fn em(self, em: Em) -> Self {
        Self { em, ..self }
    }

    /// Number of candidates: numbers of components times forms. One component is the same however it is started, so it counts too.
    pub fn n_candidates(&self) -> usize {
        self.components.len() * self.covariances.len()
    }

    /// Number of [`SearchProgress::Done`] that a watcher sees.
    pub fn n_steps(&self) -> usize {
        let per_candidate = match self.em.chosen_initialization() {
            Some(_) => 1,
            None => N_STEPS,
        };
        per_candidate * self.n_candidates()
    }

    /// Runs the search.
    ///
    /// # Errors
    /// [`Error::NoCandidates`]; [`Error::TooMany`]; if no candidate could be fitted, the reason of the first.
    pub fn run<'a>(&self, x: impl Into<Samples<'a>>) -> Result<Selection, Error> {
        self.run_watched(x, &|_| ControlFlow::Continue(()))
    }

    /// [`Search::run`] under the eyes of a watcher, which sees each iteration of each start and may stop it. Starts that are
    /// stopped stay in the table with what they reached.
    ///
    /// # Errors
    /// As [`Search::run`].
    pub fn run_watched<'a>(
        &self,
        x: impl Into<Samples<'a>>,
        watcher: &(dyn Fn(SearchProgress<'_>) -> ControlFlow<()> + Sync),
    ) -> Result<Selection, Error> {
        let x = x.into();
        if self.n_candidates() == 0 || self.n_starts == 0 {
            return Err(Error::NoCandidates);
        }
        check_count(self.n_candidates().saturating_mul(self.n_starts))?;
        let cells = self.covariances.iter();
        let cells: Vec<(usize, CovarianceType)> = cells
            .flat_map(|form| self.components.iter().map(|n| (*n, *form)))
            .collect();
        let starts: Vec<Result<Starts, Error>> = match self.em.chosen_initialization() {
            None => {
                let scheduler = Scheduler {
                    em: &self.em,
                    components: &self.components,
                    forms: &self.covariances,
                    n_starts: self.n_starts,
                    criterion: self.criterion,
                    watcher,
                };
                scheduler.run(&x)
            }
            Some(_) => {
                let run = |&(n, form): &(usize, CovarianceType)| self.alone(&x, n, form, watcher);
                cells.par_iter().map(run).collect()
            }
        };
        let candidate = |((n_components, covariance), starts): (_, Result<Starts, Error>)| {
            let fitted = starts.and_then(|starts| {
                let scores = Scores::new(starts.best().model(), x)?;
                Ok(Fitted { starts, scores })
            });
            Candidate {
                n_components,
                covariance,
                fitted,
            }
        };
        let candidates = cells.into_par_iter().zip(starts).map(candidate);
        Selection::new(candidates.collect(), self.criterion)
    }

    /// The starts of one candidate that has nothing to do with the others.
    fn alone(
        &self,
        x: &Samples<'_>,
        n_components: usize,
        covariance: CovarianceType,
        watcher: &(dyn Fn(SearchProgress<'_>) -> ControlFlow<()> + Sync),
    ) -> Result<Starts, Error> {
        let em = self
            .em
            .clone()
            .components(n_components)
            .covariance(covariance);
        // One component has one optimum, unless noise may take some of its rows.
        let has_one = n_components == 1 && self.em.chosen_noise().is_none();
        let n_starts = if has_one { 1 } else { self.n_starts };
        let watch = |start: usize, progress: &Progress| {
            watcher(SearchProgress::Iteration {
                n_components,
                covariance,
                start,
                progress,
            })
        };
        let starts = MultiStart::new(em, n_starts).run_watched(*x, &watch);
        // What a watcher answers here has no fit left to stop.
        let _ = watcher(SearchProgress::Done {
            n_steps: self.n_steps(),
        });
        starts
    }
}
