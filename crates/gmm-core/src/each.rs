//! Work on each component, side by side where it is much.

use rayon::prelude::*;

/// Steps of a task, tens of microseconds of factorization, so that it pays for its start.
const LEAST_STEPS: usize = 1 << 14;

/// `f` of each of n components, in their order; a component takes D³ steps. One doesn't know of the others, so that threads change no bit.
pub(crate) fn each<T: Send>(
    n: usize,
    n_features: usize,
    f: impl Fn(usize) -> T + Sync + Send,
) -> Vec<T> {
    let steps = n_features.saturating_pow(3).max(1);
    if n.saturating_mul(steps) < 2 * LEAST_STEPS {
        return (0..n).map(f).collect();
    }
    let tasks = (0..n).into_par_iter();
    tasks
        .with_min_len(LEAST_STEPS.div_ceil(steps))
        .map(f)
        .collect()
}
