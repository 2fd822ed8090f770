//! The work of a search: cells of a table of forms and numbers of components, which start each other.
//!
//! 1. Starts that all share: per form a path of splits over the numbers of components, for all forms one hierarchy.
//! 2. Each cell fits from those and from starts of its own.
//! 3. Forms of one number of components exchange their best: the poorer ones start the richer ones, in which the likelihood can only
//!    rise, and then the richer the poorer.
//! 4. Numbers of components exchange theirs: up by splits, down by mergers. What has got better starts its neighbours again, a few times.
//! 5. Of many rows all this is done on a part; the best of each cell go on with all rows (`finals.rs`).
//!
//! A start that can't reach what its cell has is given up on the way (`race.rs`). All decisions in a cell are made in a fixed order, so that the result
//! doesn't depend on the number of threads.

use std::ops::ControlFlow;

use gmm_core::covariance::Variation;
use gmm_core::{CovarianceType, GaussianMixture, Samples};
use gmm_em::{Em, Fit, Hierarchy, Initialization, Progress, SplitMerge, Start, derived_seed};
use rayon::prelude::*;

use crate::finals::Finals;
use crate::multi_start::own_start;
use crate::part::Part;
use crate::race::Race;
use crate::search::SearchProgress;
use crate::starts::{Outcomes, Run, objective};
use crate::{Criterion, Error, Origin, Starts};

/// How often neighbours exchange their best at most. (Old Faithful's seven full components gain 3.9 nats in the second round.)
const MOST_ROUNDS: usize = 3;

/// Pieces of work per cell: own starts, forms, numbers, all rows.
pub(crate) const N_STEPS: usize = 4;

pub(crate) type Watcher<'a> = dyn Fn(SearchProgress<'_>) -> ControlFlow<()> + Sync + 'a;

/// One number of components and one form.
pub(crate) struct Cell {
    pub(crate) em: Em,
    pub(crate) outcomes: Outcomes,
    /// What its neighbours' mixtures had reached when they started it last.
    tried: Vec<(Origin, f64)>,
}

impl Cell {
    fn new(em: Em) -> Self {
        Self {
            em,
            outcomes: Outcomes::default(),
            tried: Vec::new(),
        }
    }

    /// Whether a neighbour has something new to start from. One component has one optimum, and a cell without any fit has a reason.
    fn is_open_to(&mut self, origin: Origin, from: &Fit) -> bool {
        if self.em.n_components() == 1 || self.outcomes.best().is_none() {
            return false;
        }
        let reached = objective(from.report());
        match self.tried.iter_mut().find(|(o, _)| *o == origin) {
            Some((_, before)) => std::mem::replace(before, reached) < reached,
            None => {
                self.tried.push((origin, reached));
                true
            }
        }
    }
}

pub(crate) struct Scheduler<'a> {
    pub(crate) em: &'a Em,
    pub(crate) components: &'a [usize],
    pub(crate) forms: &'a [CovarianceType],
    pub(crate) n_starts: usize,
    pub(crate) criterion: Criterion,
    /// Of all that the watcher sees.
    pub(crate) n_steps: usize,
    pub(crate) watcher: &'a Watcher<'a>,
}

impl Scheduler<'_> {
    /// The starts of each cell: by form, then by number of components.
    pub(crate) fn run(&self, x: &Samples<'_>) -> Vec<Result<Starts, Error>> {
        let most = (self.components.iter().copied())
            .filter(|k| *k <= x.n_samples())
            .max()
            .unwrap_or(0);
        let part = Part::draw(x, most, self.em.base_seed());
        // What a part can't show: cells that are no numbers, weights that don't count.
        if part.is_some()
            && let Err(error) = self.em.clone().components(1).check(*x)
        {
            return self.cells().map(|_| Err(error.clone().into())).collect();
        }
        let (em, rows) = match &part {
            Some(part) => (Part::em(self.em), part.samples()),
            None => (self.em.clone(), *x),
        };
        let search = OnRows {
            scheduler: self,
            em,
            x: rows,
        };
        let cells = search.run(most);
        if part.is_some() {
            let finals = Finals { scheduler: self, x };
            return finals.run(cells, || search.done());
        }
        let finish = |cell: Cell| {
            search.done();
            cell.outcomes.finish()
        };
        cells.into_iter().map(finish).collect()
    }

    fn cells(&self) -> impl Iterator<Item = (CovarianceType, usize)> {
        let of_form = |form| self.components.iter().map(move |k| (form, *k));
        self.forms.iter().copied().flat_map(of_form)
    }

    pub(crate) fn watch(&self, em: &Em, start: usize, progress: &Progress) -> ControlFlow<()> {
        (self.watcher)(SearchProgress::Iteration {
            n_components: em.n_components(),
            covariance: em.covariance_type(),
            start,
            progress,
        })
    }
}

/// A search on all rows, or on a part of them.
struct OnRows<'a> {
    scheduler: &'a Scheduler<'a>,
    em: Em,
    x: Samples<'a>,
}

impl OnRows<'_> {
    fn run(&self, most: usize) -> Vec<Cell> {
        let forms = self.scheduler.forms;
        let mut of_paths: Vec<CovarianceType> = forms.iter().map(|form| path_form(*form)).collect();
        of_paths.sort_unstable();
        of_paths.dedup();
        let (hierarchy, paths) = rayon::join(
            || Hierarchy::new(self.x, self.em.base_seed()).ok(),
            || -> Vec<Vec<GaussianMixture>> {
                (of_paths.par_iter())
                    .map(|form| self.path(*form, most))
                    .collect()
            },
        );
        let steps: Vec<Option<SplitMerge>> = (forms.iter())
            .map(|form| SplitMerge::new(&self.em_of_steps(*form, most), self.x).ok())
            .collect();
        let cells: Vec<(CovarianceType, usize)> = self.scheduler.cells().collect();
        let start = |&(form, k): &(CovarianceType, usize)| {
            let em = self.em.clone().components(k).covariance(form);
            let path = (of_paths.iter().zip(&paths)).find(|(of, _)| **of == path_form(form));
            let path = path.and_then(|(_, path)| path.get(k.wrapping_sub(1)));
            let cell = self.own_starts(em, path, hierarchy.as_ref());
            self.done();
            cell
        };
        let mut cells: Vec<Cell> = cells.par_iter().map(start).collect();

        let n = self.scheduler.components.len();
        for round in 0..MOST_ROUNDS {
            let n_starts =
                |cells: &[Cell]| cells.iter().map(|c| c.outcomes.n_starts()).sum::<usize>();
            let before = n_starts(&cells);
            let mut by_number = transposed(cells, n);
            by_number
                .par_chunks_mut(forms.len())
                .for_each(|cells| self.exchange_forms(cells, round == 0));
            cells = transposed(by_number, forms.len());
            cells
                .par_chunks_mut(n)
                .zip(&steps)
                .for_each(|(cells, steps)| {
                    self.exchange_numbers(cells, steps.as_ref(), round == 0);
                });
            if n_starts(&cells) == before {
                break;
            }
        }
        cells
    }

    fn done(&self) {
        // What a watcher answers here has no fit left to stop.
        let _ = (self.scheduler.watcher)(SearchProgress::Done {
            n_steps: self.scheduler.n_steps,
        });
    }

    fn is_stopped(&self, cell: &Cell) -> bool {
        let before = Progress::before(cell.em.iteration_limit());
        let start = cell.outcomes.n_starts();
        self.scheduler.watch(&cell.em, start, &before).is_break()
    }

    fn em_of_steps(&self, form: CovarianceType, most: usize) -> Em {
        self.em.clone().covariance(form).components(most.max(1))
    }

    /// A path of splits, as far as the watcher lets it go.
    fn path(&self, form: CovarianceType, most: usize) -> Vec<GaussianMixture> {
        let em = self.em_of_steps(form, most);
        let before = Progress::before(em.iteration_limit());
        let mut go_on = |_| self.scheduler.watch(&em, 0, &before).is_continue();
        if !go_on(1) {
            return Vec::new();
        }
        let path = SplitMerge::new(&em, self.x).and_then(|steps| steps.path_while(&mut go_on));
        path.unwrap_or_default()
    }

    /// The path's mixture, the hierarchy's groups, and starts from the data.
    fn own_starts(
        &self,
        em: Em,
        path: Option<&GaussianMixture>,
        hierarchy: Option<&Hierarchy>,
    ) -> Cell {
        let mut cell = Cell::new(em);
        // One component has one optimum.
        let n_starts = if cell.em.n_components() == 1 {
            1
        } else {
            self.scheduler.n_starts
        };
        for number in 0..n_starts {
            let origin = match number {
                0 => Initialization::Split,
                1 => Initialization::Hierarchical,
                _ => OTHERS[(number - 2) % OTHERS.len()],
            };
            let given = match (number, path, hierarchy) {
                (0, Some(path), _) if path.covariance_type() == cell.em.covariance_type() => {
                    Some(Start::Mixture(path))
                }
                (0, Some(path), _) => Some(Start::ResponsibilitiesOf(path)),
                (1, _, Some(hierarchy)) => Some(Start::Hierarchy(hierarchy)),
                _ => None,
            };
            match given {
                Some(start) => self.add(&mut cell, Origin::Data(origin), start),
                None => {
                    let em = cell.em.clone().initialization(origin);
                    self.add_run(&mut cell, false, |watch| {
                        own_start(&em, &self.x, number, watch)
                    });
                }
            }
        }
        cell
    }

    /// Fits from a start that is there.
    fn add(&self, cell: &mut Cell, origin: Origin, start: Start<'_>) {
        let em = cell.em.clone();
        let seed = derived_seed(em.base_seed(), cell.outcomes.n_starts() as u64);
        let limit = em.iteration_limit();
        let is_neighbour = !matches!(origin, Origin::Data(_));
        // A path took its time and is a mixture already: it is kept even where the watcher wants to stop.
        let is_path = origin == Origin::Data(Initialization::Split);
        self.add_run(cell, is_neighbour, |watch| Run {
            origin,
            seed,
            fit: if !is_path && watch(&Progress::before(limit)).is_break() {
                Err(gmm_em::Error::Interrupted)
            } else {
                em.fit_from_watched(self.x, start, watch)
                    .map(|fit| fit.sorted())
            },
            given_up: false,
        });
    }

    /// Fits under a watch that gives up what can't be the best any more.
    fn add_run(
        &self,
        cell: &mut Cell,
        is_neighbour: bool,
        fit: impl FnOnce(&mut dyn FnMut(&Progress) -> ControlFlow<()>) -> Run,
    ) {
        let best = cell.outcomes.best();
        let race = if is_neighbour {
            Race::of_neighbour(best)
        } else {
            Race::of_data(best)
        };
        let start = cell.outcomes.n_starts();
        let run = race.run(fit, &|progress| {
            self.scheduler.watch(&cell.em, start, progress)
        });
        cell.outcomes.push(run);
    }

    /// The best mixture of each form starts its nearest richer forms, and then its nearest poorer ones. `cells` are in the order of the
    /// search's forms.
    fn exchange_forms(&self, cells: &mut [Cell], is_first: bool) {
        let forms = self.scheduler.forms;
        // A richer form has more parameters at any number of components and features above 1.
        let mut order: Vec<usize> = (0..forms.len()).collect();
        order.sort_by_key(|f| forms[*f].n_covariance_parameters(3, 5));
        let up = order.iter().map(|&f| (f, true));
        let down = order.iter().rev().map(|&f| (f, false));
        for (to, is_up) in up.chain(down) {
            for from in (0..forms.len()).filter(|&from| {
                if is_up {
                    is_next(forms, forms[from], forms[to])
                } else {
                    is_next(forms, forms[to], forms[from])
                }
            }) {
                let Some(fit) = cells[from].outcomes.best().cloned() else {
                    continue;
                };
                let (cell, origin) = (&mut cells[to], Origin::Form(forms[from]));
                if fit.model().n_components() == cell.em.n_components()
                    && cell.is_open_to(origin, &fit)
                    && !self.is_stopped(cell)
                {
                    self.add(cell, origin, Start::ResponsibilitiesOf(fit.model()));
                }
            }
        }
        if is_first {
            cells.iter().for_each(|_| self.done());
        }
    }

    /// The best mixture of each number of components starts the next one, split, and then the one before, merged.
    fn exchange_numbers(&self, cells: &mut [Cell], steps: Option<&SplitMerge>, is_first: bool) {
        let components = self.scheduler.components;
        let up = (1..cells.len()).map(|to| (to - 1, to));
        let down = (1..cells.len()).rev().map(|from| (from, from - 1));
        for (from, to) in up.chain(down) {
            let is_up = from < to;
            let origin = if is_up { Origin::Split } else { Origin::Merger };
            let (Some(steps), Some(fit)) = (steps, cells[from].outcomes.best().cloned()) else {
                continue;
            };
            // The path has split its own mixture already.
            let is_of_path = cells[from].outcomes.best_start() == Some(0);
            let cell = &mut cells[to];
            if is_up && is_of_path && cell.em.covariance_type().has_closed_m_step() {
                continue;
            }
            if components[from].abs_diff(components[to]) != 1
                || !cell.is_open_to(origin, &fit)
                || self.is_stopped(cell)
            {
                continue;
            }
            let next = if is_up {
                steps.one_more(fit.model())
            } else {
                steps.one_less(fit.model())
            };
            if let Ok(Some(next)) = next
                && next.n_components() == cell.em.n_components()
            {
                self.add(cell, origin, Start::Mixture(&next));
            }
        }
        if is_first {
            cells.iter().for_each(|_| self.done());
        }
    }
}

/// The form of the path that starts a form: paths make hundreds of M-steps, which must not be searches each.
fn path_form(form: CovarianceType) -> CovarianceType {
    if form.has_closed_m_step() {
        form
    } else {
        form.freest()
    }
}

/// How the starts of a cell begin, in turn, after the path and the hierarchy that it shares with others.
const OTHERS: [Initialization; 5] = [
    Initialization::KMeans,
    Initialization::KMeansPlusPlus,
    Initialization::RandomFromData,
    Initialization::KMeansPlusPlus,
    Initialization::Split,
];

/// Whether `poorer` is a special case of `richer`, and no other of the forms is between them.
fn is_next(forms: &[CovarianceType], poorer: CovarianceType, richer: CovarianceType) -> bool {
    is_poorer(poorer, richer)
        && !(forms.iter()).any(|between| is_poorer(poorer, *between) && is_poorer(*between, richer))
}

/// Whether what the letters of one form allow, those of another one allow, too.
fn is_poorer(a: CovarianceType, b: CovarianceType) -> bool {
    let rank = |variation| match variation {
        Variation::Identity => 0,
        Variation::Equal => 1,
        Variation::Variable => 2,
    };
    let letters =
        |form: CovarianceType| [form.volume(), form.shape(), form.orientation()].map(rank);
    a != b && letters(a).iter().zip(letters(b)).all(|(a, b)| *a <= b)
}

/// Cells by row, whose rows have this length, by column.
fn transposed(cells: Vec<Cell>, row_len: usize) -> Vec<Cell> {
    let n_rows = cells.len() / row_len.max(1);
    let mut places: Vec<Option<Cell>> = cells.into_iter().map(Some).collect();
    (0..row_len)
        .flat_map(|column| (0..n_rows).map(move |row| row * row_len + column))
        .filter_map(|at| places[at].take())
        .collect()
}
