//! Several independent starts of one fit, all outcomes kept.

use std::ops::ControlFlow;

use gmm_core::Samples;
use gmm_em::{Acceleration, Beginning, Em, Fit, Initialization, Progress, Start, derived_seed};
use rayon::prelude::*;

use crate::error::check_count;
use crate::part::Part;
use crate::race::Race;
use crate::starts::{Outcomes, Run};
use crate::{Error, Origin, StartOutcome, Starts};

/// How start i begins, in turn, unless the [`Em`] says how: starts of one kind make the same mistakes. Splitting finds the best
/// optimum most often; a hierarchy is better where there are few rows, k-means where there are many rows and components.
const PORTFOLIO: [Initialization; 6] = [
    Initialization::Split,
    Initialization::Hierarchical,
    Initialization::KMeans,
    Initialization::KMeansPlusPlus,
    Initialization::Split,
    Initialization::RandomFromData,
];

/// Starts that are made before the first one runs; each keeps its first statistics until then.
const N_EARLY: usize = 16;

/// What a start is watched by.
type Watch<'a> = dyn FnMut(&Progress) -> ControlFlow<()> + 'a;

/// How start number `start` begins.
pub(crate) fn initialization(em: &Em, start: usize) -> Initialization {
    (em.chosen_initialization()).unwrap_or(PORTFOLIO[start % PORTFOLIO.len()])
}

/// A fit from several starts.
///
/// The starts take turns between splitting, hierarchical clustering, k-means, k-means++ and random rows, unless the [`Em`] says how to start
/// ([`Em::initialization`]).
/// Start i has its own seed, derived from the seed of the [`Em`] and i alone: it is the same whatever the number of starts, and more
/// starts never give a worse result ([`Starts`] says which is the best). A start that is foreseen ([`gmm_em::Foresight`]) to end below the first one is
/// given up after fifty iterations.
///
/// Of a table of more than 12 000 rows (more for many components and features), starts are compared on a random part of the rows, and those
/// that were the best of all before them go on with all rows: which of many optima is the best hardly depends on the rows that are
/// seen, and most of the time goes into finding that out. A single start sees all rows at once.
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
    /// [`Error::NoCandidates`] for zero starts; [`Error::TooMany`]; if all starts fail, the reason of the first.
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
        check_count(self.n_starts)?;
        let x = x.into();
        let part = (self.n_starts > 1)
            .then(|| Part::draw(&x, self.em.n_components(), self.em.base_seed()))
            .flatten();
        let Some(part) = part else {
            return self.starts(&self.em, &x, watcher).finish();
        };
        // What a part can't show: cells that are no numbers, weights that don't count.
        self.em.check(x)?;
        let outcomes = self.starts(&Part::em(&self.em), &part.samples(), watcher);
        outcomes.finish_with(|outcome, fit| {
            let number = start_number(&self.em, self.n_starts, outcome.seed);
            let mut watch = |progress: &Progress| watcher(number, progress);
            go_on(&self.em, &x, outcome, fit, &mut watch)
        })
    }

    fn starts(
        &self,
        em: &Em,
        x: &Samples<'_>,
        watcher: &(dyn Fn(usize, &Progress) -> ControlFlow<()> + Sync),
    ) -> Outcomes {
        let mut outcomes = Outcomes::default();
        // All see only the first, so that a start doesn't depend on how many there are; and none waits for it before it must.
        let n_early = N_EARLY.min(self.n_starts);
        let settings: Vec<Em> = (0..n_early).map(|i| settings(em, i)).collect();
        let early = settings.par_iter().enumerate();
        let mut early: Vec<_> = early
            .map(|(start, em)| begin(em, x, &mut |at| watcher(start, at)))
            .collect();
        if early.is_empty() {
            return outcomes;
        }
        let first = run_of(em, 0, early.remove(0), &mut |at| watcher(0, at));
        let race = || Race::of_data(first.fit.as_ref().ok());
        let from_early = early.into_par_iter().zip(1..n_early);
        let others = from_early.map(|(beginning, start)| {
            let run = |watch: &mut Watch<'_>| run_of(em, start, beginning, watch);
            race().run(run, &|at| watcher(start, at))
        });
        let late = (n_early..self.n_starts).into_par_iter().map(|start| {
            let run = |watch: &mut Watch<'_>| own_start(em, x, start, watch);
            race().run(run, &|at| watcher(start, at))
        });
        let others: Vec<Run> = others.chain(late).collect();
        outcomes.push(first);
        others.into_iter().for_each(|run| outcomes.push(run));
        outcomes
    }
}

fn start_number(em: &Em, n_starts: usize, seed: u64) -> usize {
    (0..n_starts)
        .find(|i| derived_seed(em.base_seed(), *i as u64) == seed)
        .unwrap_or(0)
}

/// The settings of start number `start`, whose seed is its own.
fn settings(em: &Em, start: usize) -> Em {
    let initialization = initialization(em, start);
    let seed = derived_seed(em.base_seed(), start as u64);
    em.clone().seed(seed).initialization(initialization)
}

/// A start from the data, made.
fn begin<'a>(
    em: &'a Em,
    x: &Samples<'a>,
    watch: &mut Watch<'_>,
) -> Result<Beginning<'a>, gmm_em::Error> {
    // A start that hasn't begun when the watcher wants to stop isn't worth its work.
    if watch(&Progress::before(em.iteration_limit())).is_break() {
        return Err(gmm_em::Error::Interrupted);
    }
    em.begin_watched(*x, watch)
}

/// The iterations of start number `start`.
fn run_of(
    em: &Em,
    start: usize,
    beginning: Result<Beginning<'_>, gmm_em::Error>,
    watch: &mut Watch<'_>,
) -> Run {
    Run {
        origin: Origin::Data(initialization(em, start)),
        seed: derived_seed(em.base_seed(), start as u64),
        fit: beginning.and_then(|beginning| beginning.run_watched(watch)),
        given_up: false,
    }
}

/// A start from the data.
pub(crate) fn own_start(em: &Em, x: &Samples<'_>, start: usize, watch: &mut Watch<'_>) -> Run {
    let of_start = settings(em, start);
    let beginning = begin(&of_start, x, watch);
    run_of(em, start, beginning, watch)
}

/// A fit of a part of the rows goes on with all of them.
pub(crate) fn go_on(
    em: &Em,
    x: &Samples<'_>,
    outcome: &StartOutcome,
    fit: &Fit,
    watch: &mut Watch<'_>,
) -> Result<Fit, gmm_em::Error> {
    if fit.model().n_components() == em.n_components() {
        let start = Start::Mixture(fit.model());
        let em = em.clone().acceleration(Acceleration::OverRelaxation);
        return Ok(em.fit_from_watched(*x, start, watch)?.sorted());
    }
    // What was lost in the part may not be lost in the whole, and if it is the report should tell of it.
    match outcome.origin {
        Origin::Data(initialization) => {
            let em = em.clone().seed(outcome.seed).initialization(initialization);
            em.fit_watched(*x, watch)
        }
        _ => em.fit_watched(*x, watch),
    }
}
