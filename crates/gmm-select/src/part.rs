//! A part of a large table, on which starts are compared before the best of them see all rows.

use gmm_core::Samples;
use gmm_core::faer::Mat;
use gmm_em::{Acceleration, Em, Stopping};
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// Rows that are enough to compare starts of few components.
const N_ROWS: usize = 6_000;
/// Rows per component and direction that are enough for many. (With 40, 16 overlapping groups of 8 features ended 0.059 nats per row short of
/// the best known optimum, with 65 nothing short of it: starts that fit a small part best need not fit all rows so.)
const ROWS_PER_DIRECTION: usize = 65;
/// Iterations that are enough to compare starts: what still gains then is a component too many, between which optima hardly differ.
const MOST_ITERATIONS: usize = 150;
/// What starts on a part may leave to gain, in nats: differences between optima are larger.
const REMAINING: f64 = 0.05;

/// Random rows of positive weight, in the table's order, as they are.
pub(crate) struct Part {
    rows: Mat<f64>,
    weights: Option<Vec<f64>>,
}

impl Part {
    /// A part that is enough to compare fits of so many components; `None` where it would be half of the table or more.
    pub(crate) fn draw(x: &Samples<'_>, n_components: usize, seed: u64) -> Option<Self> {
        let (n, d) = (x.n_samples(), x.n_features());
        let per_component = (d + 1).saturating_mul(ROWS_PER_DIRECTION);
        let mut wanted = N_ROWS.max(per_component.saturating_mul(n_components));
        let counts = |row: &usize| x.weights().is_none_or(|w| w[*row] > 0.0);
        let mut left = (0..n).filter(counts).count();
        if wanted >= left / 2 {
            return None;
        }
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut chosen = Vec::with_capacity(wanted);
        // Selection sampling (Knuth 1997, algorithm S): every subset of that size is equally likely.
        for row in (0..n).filter(counts) {
            // 53 random bits make a number below 1.
            let uniform = (rng.next_u64() >> 11) as f64 * 2f64.powi(-53);
            if uniform * (left as f64) < wanted as f64 {
                chosen.push(row);
                wanted -= 1;
            }
            left -= 1;
        }
        Some(Self {
            rows: Mat::from_fn(chosen.len(), d, |i, j| x.value(chosen[i], j)),
            weights: (x.weights()).map(|w| chosen.iter().map(|row| w[*row]).collect()),
        })
    }

    pub(crate) fn samples(&self) -> Samples<'_> {
        let rows = Samples::from(&self.rows);
        match &self.weights {
            Some(weights) => rows.with_weights(weights),
            None => rows,
        }
    }

    /// The settings of fits of a part: they need not end at the last thousandth of a nat, nor by steps of EM's own.
    pub(crate) fn em(em: &Em) -> Em {
        em.clone()
            .stopping(Stopping::RemainingGain(REMAINING))
            .acceleration(Acceleration::OverRelaxation)
            .max_iterations(em.iteration_limit().min(MOST_ITERATIONS))
    }
}
