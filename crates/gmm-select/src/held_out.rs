//! A whole search for each fold: what its mixtures say of the rows that they haven't seen.

use gmm_core::Samples;
use gmm_em::derived_seed;

use crate::cross_validation::{CrossValidation, FoldOutcome, HeldOut};
use crate::scheduler::Watcher;
use crate::search::{Search, SearchProgress};
use crate::{Error, Folds};

/// Cross-validates the cells of a search. Each fold is searched as the table is, so that no start knows anything of the rows that are held
/// out, and the cells share their work in it.
///
/// A watcher that wants to stop is asked before each fold and after it; a fold that it cut short is left out of all cells.
///
/// # Errors
/// [`gmm_em::Error::Interrupted`] where no fold came to its end.
pub(crate) fn cross_validated(
    search: &Search,
    x: &Samples<'_>,
    folds: &Folds,
    watcher: &Watcher<'_>,
) -> Result<Vec<CrossValidation>, Error> {
    let n_folds = folds.n_folds();
    let ask = |n_done| watcher(SearchProgress::Fold { n_done, n_folds });
    let mut of_cells: Vec<Vec<FoldOutcome>> = vec![Vec::new(); search.n_candidates()];
    for fold in 0..n_folds {
        if ask(fold).is_break() {
            break;
        }
        // A fold without weight says nothing of anybody.
        let Some(held_out) = HeldOut::new(x, folds, fold) else {
            continue;
        };
        let seed = derived_seed(search.settings().base_seed(), fold as u64);
        let em = search.settings().clone().seed(seed);
        let fits = search.fits(&em, &x.with_weights(&held_out.others), watcher);
        if ask(fold + 1).is_break() {
            break;
        }
        for (outcomes, starts) in of_cells.iter_mut().zip(fits) {
            outcomes.push(held_out.outcome(x, starts));
        }
    }
    if of_cells.first().is_none_or(Vec::is_empty) {
        return Err(gmm_em::Error::Interrupted.into());
    }
    Ok(of_cells.into_iter().map(CrossValidation::new).collect())
}
