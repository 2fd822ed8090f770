//! When a start can't win any more.

use std::ops::ControlFlow;

use gmm_em::{Fit, Foresight, Progress};

use crate::starts::{Run, objective};

/// A start must be foreseen to end lower by this many nats.
const MARGIN: f64 = 2.0;
/// Iterations before which a start from the data is not judged: EM may stand for twenty 700 nats below where it ends (nine circles for 178
/// wines), and nothing foresees the end of that.
const PATIENCE: usize = 50;
/// The same for one from a mixture that is nearly the one to be found.
const PATIENCE_WITH_NEIGHBOURS: usize = 10;

/// A start against a fit that is there.
pub(crate) struct Race {
    best: f64,
    patience: usize,
    foresight: Foresight,
}

impl Race {
    /// For a start from the data.
    pub(crate) fn of_data(best: Option<&Fit>) -> Self {
        Self::against(best, PATIENCE)
    }

    /// For a start from another fit.
    pub(crate) fn of_neighbour(best: Option<&Fit>) -> Self {
        Self::against(best, PATIENCE_WITH_NEIGHBOURS)
    }

    /// Against nothing, where the likelihood of what is there measures the variance floor.
    fn against(best: Option<&Fit>, patience: usize) -> Self {
        let regular = best.filter(|fit| fit.report().n_singular == 0);
        Self {
            best: regular.map_or(f64::NEG_INFINITY, |fit| objective(fit.report())),
            patience,
            foresight: Foresight::default(),
        }
    }

    /// Runs a start until its end, until a watcher stops it, or until it is lost.
    pub(crate) fn run(
        mut self,
        start: impl FnOnce(&mut dyn FnMut(&Progress) -> ControlFlow<()>) -> Run,
        watcher: &dyn Fn(&Progress) -> ControlFlow<()>,
    ) -> Run {
        let mut given_up = false;
        let run = start(&mut |progress| {
            watcher(progress)?;
            given_up = self.is_lost(progress);
            if given_up {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        Run { given_up, ..run }
    }

    /// Whether a start is foreseen to end below the best, after another iteration.
    fn is_lost(&mut self, progress: &Progress) -> bool {
        self.foresight.observe(progress.objective);
        progress.iteration >= self.patience && self.foresight.end() < self.best - MARGIN
    }
}
