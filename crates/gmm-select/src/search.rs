//! Search over numbers of components, covariance forms and starts.

use std::ops::ControlFlow;

use gmm_core::{CovarianceType, Samples};
use gmm_em::{Em, Progress};
use rayon::prelude::*;

use crate::error::check_count;
use crate::held_out::cross_validated;
use crate::scheduler::{N_STEPS, Scheduler, Watcher};
use crate::selection::{Candidate, Fitted, Selection};
use crate::{Criterion, CrossValidation, Error, Folds, MultiStart, Scores, Starts};

/// Folds of a cross-validation for which none were given.
const N_FOLDS: usize = 5;

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
    folds: Option<Folds>,
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
    /// A fold of a cross-validation is about to begin, or the last one has ended. An answer to stop leaves out the fold that ended just
    /// now, since it may have been cut short.
    Fold {
        /// Folds that have ended.
        n_done: usize,
        /// Folds in all.
        n_folds: usize,
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
            folds: None,
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
    ///
    /// [`Criterion::CrossValidation`] searches once more for each fold ([`Search::folds`]; without, five of random rows) and takes about so
    /// many times as long.
    pub fn by(self, criterion: Criterion) -> Self {
        Self { criterion, ..self }
    }

    /// The folds of a cross-validation, which is done for any criterion then ([`Fitted::cross_validation`]).
    pub fn folds(self, folds: Folds) -> Self {
        Self {
            folds: Some(folds),
            ..self
        }
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
        per_candidate * self.n_candidates() * (1 + self.n_folds())
    }

    /// Folds of the cross-validation; 0 without one.
    fn n_folds(&self) -> usize {
        match &self.folds {
            Some(folds) => folds.n_folds(),
            None if self.criterion == Criterion::CrossValidation => N_FOLDS,
            None => 0,
        }
    }

    /// The settings of all fits.
    pub(crate) fn settings(&self) -> &Em {
        &self.em
    }

    /// Runs the search.
    ///
    /// # Errors
    /// [`Error::NoCandidates`]; [`Error::TooMany`]; [`Error::Folds`] and [`Error::FoldRows`] for a cross-validation; if no candidate could be fitted, the
    /// reason of the first.
    pub fn run<'a>(&self, x: impl Into<Samples<'a>>) -> Result<Selection, Error> {
        self.run_watched(x, &|_| ControlFlow::Continue(()))
    }

    /// [`Search::run`] under the eyes of a watcher, which sees each iteration of each start and may stop it. Starts that are
    /// stopped stay in the table with what they reached, and folds that are stopped are left out.
    ///
    /// # Errors
    /// As [`Search::run`], and [`gmm_em::Error::Interrupted`] where no fold of a cross-validation was finished.
    pub fn run_watched<'a>(
        &self,
        x: impl Into<Samples<'a>>,
        watcher: &(dyn Fn(SearchProgress<'_>) -> ControlFlow<()> + Sync),
    ) -> Result<Selection, Error> {
        let x = x.into();
        if self.n_candidates() == 0 || self.n_starts == 0 {
            return Err(Error::NoCandidates);
        }
        let n_candidates = self.n_candidates().saturating_mul(1 + self.n_folds());
        check_count(n_candidates.saturating_mul(self.n_starts))?;
        let folds = match &self.folds {
            None if self.criterion == Criterion::CrossValidation => {
                let seed = self.em.base_seed();
                Some(Folds::of_rows_at_random(x.n_samples(), N_FOLDS, seed)?)
            }
            folds => folds.clone(),
        };
        if let Some(folds) = &folds {
            folds.check(x.n_samples())?;
        }
        let starts = self.fits(&self.em, &x, watcher);
        // A table that nothing can be fitted to has a reason, which no fold need find again.
        let cross_validations: Vec<Option<CrossValidation>> = match &folds {
            Some(folds) if starts.iter().any(Result::is_ok) => {
                let found = cross_validated(self, &x, folds, watcher)?;
                found.into_iter().map(Some).collect()
            }
            _ => vec![None; starts.len()],
        };
        let of_one: Vec<Option<Scores>> = match self.criterion {
            Criterion::Nec => (self.covariances.par_iter())
                .map(|form| self.scores_of_one(&x, *form))
                .collect(),
            _ => vec![None; self.covariances.len()],
        };
        let candidate = |(index, starts): (usize, Result<Starts, Error>)| {
            let form = index / self.components.len();
            let cross_validation = cross_validations[index].clone();
            let fitted = starts.and_then(|starts| {
                let mut scores = Scores::new(starts.best().model(), x)?;
                if let Some(of_one) = &of_one[form] {
                    scores = scores.with_one_component(of_one);
                }
                if let Some(found) = &cross_validation {
                    scores = scores.with_held_out(found);
                }
                Ok(Fitted {
                    starts,
                    scores,
                    cross_validation,
                })
            });
            Candidate {
                n_components: self.components[index % self.components.len()],
                covariance: self.covariances[form],
                fitted,
            }
        };
        let starts: Vec<_> = starts.into_iter().enumerate().collect();
        let candidates = starts.into_par_iter().map(candidate);
        Selection::new(candidates.collect(), self.criterion)
    }

    /// The starts of each candidate: by form, then by number of components.
    pub(crate) fn fits(
        &self,
        em: &Em,
        x: &Samples<'_>,
        watcher: &Watcher<'_>,
    ) -> Vec<Result<Starts, Error>> {
        if em.chosen_initialization().is_none() {
            let scheduler = Scheduler {
                em,
                components: &self.components,
                forms: &self.covariances,
                n_starts: self.n_starts,
                criterion: self.criterion,
                n_steps: self.n_steps(),
                watcher,
            };
            return scheduler.run(x);
        }
        let of_form = |form| self.components.iter().map(move |n| (*n, form));
        let cells: Vec<(usize, CovarianceType)> =
            self.covariances.iter().copied().flat_map(of_form).collect();
        let run = |&(n, form): &(usize, CovarianceType)| {
            self.alone(&em.clone().components(n).covariance(form), x, watcher)
        };
        cells.par_iter().map(run).collect()
    }

    /// The starts of one candidate that has nothing to do with the others.
    fn alone(&self, em: &Em, x: &Samples<'_>, watcher: &Watcher<'_>) -> Result<Starts, Error> {
        // One component has one optimum, unless noise may take some of its rows.
        let has_one = em.n_components() == 1 && em.chosen_noise().is_none();
        let n_starts = if has_one { 1 } else { self.n_starts };
        let watch = |start: usize, progress: &Progress| {
            watcher(SearchProgress::Iteration {
                n_components: em.n_components(),
                covariance: em.covariance_type(),
                start,
                progress,
            })
        };
        let starts = MultiStart::new(em.clone(), n_starts).run_watched(*x, &watch);
        // What a watcher answers here has no fit left to stop.
        let _ = watcher(SearchProgress::Done {
            n_steps: self.n_steps(),
        });
        starts
    }

    /// The scores of one component, for criteria that compare with it; none where it can't be fitted, as nothing else can then.
    fn scores_of_one(&self, x: &Samples<'_>, form: CovarianceType) -> Option<Scores> {
        let em = self.em.clone().components(1).covariance(form);
        let fit = em.fit(*x).ok()?;
        Scores::new(fit.model(), *x).ok()
    }
}
