//! Random rows for replicates of a fit: each replicate has a generator of its own, so that it is the same whatever the number of
//! replicates and threads.

use gmm_core::Samples;
use gmm_em::derived_seed;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// The generator of a replicate.
pub(crate) fn generator(seed: u64, replicate: usize) -> Xoshiro256PlusPlus {
    // Number 0 is the seed itself, which the fit has.
    Xoshiro256PlusPlus::seed_from_u64(derived_seed(seed, replicate as u64 + 1))
}

/// A number below `n`, from 64 random bits: off from even by less than n / 2^64.
pub(crate) fn below(n: usize, rng: &mut impl Rng) -> usize {
    ((u128::from(rng.next_u64()) * n as u128) >> 64) as usize
}

/// A random order of 0, 1, ..., n - 1 (Fisher and Yates).
pub(crate) fn shuffled(n: usize, rng: &mut impl Rng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        order.swap(i, below(i + 1, rng));
    }
    order
}

/// How often each row is drawn when as many rows as there are are drawn with replacement (Efron 1979).
///
/// A weight of 2 counts as the row given twice: as many rows are drawn as the weights sum to, each row with a probability
/// proportional to its weight. Where the sum is no whole number, counts are scaled to it.
pub(crate) fn resampled_weights(
    x: &Samples<'_>,
    total_weight: f64,
    rng: &mut impl Rng,
) -> Vec<f64> {
    let n = x.n_samples();
    let mut counts = vec![0.0; n];
    let Some(weights) = x.weights() else {
        (0..n).for_each(|_| counts[below(n, rng)] += 1.0);
        return counts;
    };
    let mut cumulative = 0.0;
    let bounds: Vec<f64> = (weights.iter())
        .map(|w| {
            cumulative += w;
            cumulative
        })
        .collect();
    let n_draws = total_weight.round().max(1.0);
    let unit = total_weight / n_draws;
    for _ in 0..n_draws as u64 {
        let uniform = (rng.next_u64() >> 11) as f64 * (0.5 * f64::EPSILON);
        // The first row whose bound is above: never one of weight 0.
        let row = bounds.partition_point(|bound| *bound <= uniform * cumulative);
        counts[row.min(n - 1)] += unit;
    }
    counts
}
