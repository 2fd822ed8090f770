//! Whether a fit fits into memory, asked before anything is computed.

use gmm_core::block::BLOCK_ROWS;

use crate::{Em, Error};

/// Refuses what no memory holds: four times the statistics (those of a pass, of the part that a thread works on, and the covariances
/// and factors of the model are as large), the products of a block, and its lanes. Other threads have as many of their own, and results
/// that wait to be merged add some: they are not asked for.
pub(crate) fn check(em: &Em, n_features: usize) -> Result<(), Error> {
    let (form, n_components) = (em.covariance, em.n_components);
    let statistics = || {
        n_features.checked_mul(n_features)?;
        let scatter = form.structure().scatter_len(n_features);
        let of_component = scatter.checked_add(n_features)?;
        let of_all = of_component.checked_mul(n_components)?.checked_mul(4)?;
        of_all.checked_add(scatter.checked_mul(2)?)
    };
    let lanes = || {
        let rows = n_features.checked_mul(5)?;
        rows.checked_add(n_components)?.checked_mul(BLOCK_ROWS)
    };
    let numbers = || statistics()?.checked_add(lanes()?);
    let has_room = |n: usize| Vec::<f64>::new().try_reserve_exact(n).is_ok();
    if numbers().is_some_and(has_room) {
        Ok(())
    } else {
        Err(Error::TooLarge {
            n_components,
            n_features,
            form,
        })
    }
}
