//! Search over numbers of components, covariance forms and starts.

use std::ops::ControlFlow;

use gmm_core::{CovarianceType, Samples};
use gmm_em::{Em, Progress};
use rayon::prelude::*;

use crate::selection::{Candidate, Fitted, Selection};
use crate::{Criterion, Error, MultiStart, Scores};

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
/// A candidate that fails is an outcome in the table, never the end of the search. All candidates and starts run in parallel
/// on the current rayon pool; the result doesn't depend on the number of threads.
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
    /// A candidate is done.
    Done {
        /// Candidates in all.
        n_candidates: usize,
    },
}

impl Search {
    /// A search over numbers of components (repetitions count once), with the four basic covariance forms
    /// ([`CovarianceType::BASIC`]), 8 starts and BIC.
    pub fn over(components: impl IntoIterator<Item = usize>) -> Self {
        let mut components: Vec<usize> = components.into_iter().collect();
        components.sort_unstable();
        components.dedup();
        Self {
            components,
            covariances: CovarianceType::BASIC.to_vec(),
            n_starts: 8,
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

    /// The number of starts per candidate.
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

    /// Runs the search.
    ///
    /// # Errors
    /// [`Error::NoCandidates`]; if no candidate could be fitted, the reason of the first.
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
        let cells: Vec<(usize, CovarianceType)> = self
            .covariances
            .iter()
            .flat_map(|form| self.components.iter().map(|n| (*n, *form)))
            .collect();
        let run = |&(n_components, covariance): &(usize, CovarianceType)| {
            let candidate = self.candidate(&x, n_components, covariance, watcher);
            // What a watcher answers here has no fit left to stop.
            let _ = watcher(SearchProgress::Done {
                n_candidates: cells.len(),
            });
            candidate
        };
        let candidates: Vec<Candidate> = cells.par_iter().map(run).collect();
        Selection::new(candidates, self.criterion)
    }

    fn candidate(
        &self,
        x: &Samples<'_>,
        n_components: usize,
        covariance: CovarianceType,
        watcher: &(dyn Fn(SearchProgress<'_>) -> ControlFlow<()> + Sync),
    ) -> Candidate {
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
        let fitted = MultiStart::new(em, n_starts)
            .run_watched(*x, &watch)
            .and_then(|starts| {
                let scores = Scores::new(starts.best().model(), *x)?;
                Ok(Fitted { starts, scores })
            });
        Candidate {
            n_components,
            covariance,
            fitted,
        }
    }
}
