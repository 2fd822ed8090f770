//! A start by splitting: from one component to as many as are asked for, always by the split that gains most, and then merges
//! and splits in turn as long as they pay.
//!
//! k-means measures all components with one ruler, so that it cuts long clusters and joins near ones, and repeating it hardly
//! helps: its starts are too much alike. A component that is split where the likelihood gains follows the shape of the data.
//! The idea of a path from K to K + 1 components is that of greedy EM (Verbeek, Vlassis and Kröse 2003); the moves that merge
//! two components and split a third are those of Ueda, Nakano, Ghahramani and Hinton (2000).
//!
//! The search runs on a part of a large table and under one pseudo-observation per covariance, so that it cannot run into a
//! singularity; the fit that follows takes all rows and the regularization that was asked for.

mod climb;
mod cuts;
mod local;
mod merge;
mod path;

pub use path::SplitMerge;

use gmm_core::block::Block;
use gmm_core::faer::Mat;
use gmm_core::{CovarianceType, Covariances, GaussianMixture, Noise, Samples};
use rand::Rng;
use rayon::prelude::*;

use crate::blocks::KeptBlocks;
use crate::sketch::Sketch;
use crate::start::Ask;
use crate::summary::Summary;
use crate::{Error, noise};
use climb::{Climb, Patience, Step};
use local::{Split, Tested};

/// The pseudo-observation's variance, as a part of the data's: a tenth of a standard deviation.
pub(crate) const PSEUDO_VARIANCE: f64 = 0.01;
/// EM iterations after a split, and the gain in nats per row at which they end: enough to let the neighbours give way.
const SETTLE: Patience = Patience {
    n_iterations: 10,
    gain: 1e-4,
};
/// EM iterations after a merge with a split, before it is known whether the move pays.
const TRIAL: Patience = Patience {
    n_iterations: 25,
    gain: 1e-4,
};
/// EM iterations before the moves, and for a move that looks good.
const POLISH: Patience = Patience {
    n_iterations: 40,
    gain: 1e-6,
};
/// A move that is worse by so many nats per row after its trial is given up.
const HOPELESS: f64 = 3e-2;
/// A move must gain so many nats per row.
const WORTHWHILE: f64 = 1e-5;
/// Merges that are tried per round.
const N_MERGES: usize = 3;

/// Rows that are enough for few components.
const N_ROWS: usize = 5000;
/// Rows per component and free direction that are enough for many.
const ROWS_PER_DIRECTION: usize = 10;

/// Mergers that are tried for one component less: all pairs of four, since the bound on what a merger costs knows nothing of
/// covariances that are shared.
const N_MERGERS: usize = 6;

/// A mixture of `n_components`, in the coordinates of the summary's frame; `None` where the path ends before, which happens
/// with few or equal rows.
pub(crate) fn grow(
    x: &Samples<'_>,
    summary: &Summary,
    form: CovarianceType,
    n_components: usize,
    noise: Option<f64>,
    rng: &mut impl Rng,
    ask: &mut Ask<'_>,
) -> Result<Option<GaussianMixture>, Error> {
    let n_rows = rows_for(n_components, summary.n_features());
    let sketch = Sketch::draw(x, summary, form, n_rows, rng);
    if !sketch.has_distinct_rows(n_components) {
        return Ok(None);
    }
    let search = Search::new(&sketch, form, noise)?;
    let mut found = match search.one_component() {
        Some(one) => search.grow(one, n_components, rng, ask)?,
        None => None,
    };
    // Splits of a component of all rows may end with one that holds noise; those of one that noise has taken from all that lies apart, with a
    // group that is taken for noise. Of 540 contaminated tables the one lost 24, the other 14, the better of both 5.
    if noise.is_some()
        && let Some(one) = search.one_component().and_then(|one| search.polish(&one))
    {
        let other = search.grow(one, n_components, rng, ask)?;
        found = [found, other].into_iter().flatten().reduce(State::better);
    }
    (found.map(|found| sketch.in_frame(&found.model))).transpose()
}

/// How many rows a search looks at.
fn rows_for(n_components: usize, n_features: usize) -> usize {
    N_ROWS.max(ROWS_PER_DIRECTION * n_components * (n_features + 1))
}

/// A mixture on the way, and what is known of it.
struct State {
    model: GaussianMixture,
    /// Log-likelihood plus log prior on the sketch.
    objective: f64,
    /// What splitting each component would gain, as far as it was tested.
    tested: Vec<Option<Tested>>,
}

impl State {
    fn new(model: GaussianMixture, objective: f64) -> Self {
        let tested = (0..model.n_components()).map(|_| None).collect();
        Self {
            model,
            objective,
            tested,
        }
    }

    fn of(step: Step) -> Self {
        Self::new(step.model, step.objective)
    }

    fn better(self, other: Self) -> Self {
        if other.objective > self.objective {
            other
        } else {
            self
        }
    }

    /// Takes over the tests of components that have hardly changed.
    fn after(mut self, before: Self) -> Self {
        for (component, tested) in before.tested.into_iter().enumerate() {
            if let Some(tested) = tested
                && component < self.tested.len()
                && tested.is_valid_for(&self.model, component)
            {
                self.tested[component] = Some(tested);
            }
        }
        self
    }

    /// The component whose split gains most, among those that are allowed.
    fn best_split(&self, allowed: impl Fn(usize) -> bool) -> Option<(usize, &Split)> {
        (0..self.tested.len())
            .filter(|&q| allowed(q))
            .filter_map(|q| Some((q, self.tested[q].as_ref()?.split.as_ref()?)))
            .reduce(|best, next| {
                let worth = |split: &Split| (!split.is_thin, split.gain);
                if worth(next.1) > worth(best.1) {
                    next
                } else {
                    best
                }
            })
    }
}

/// The rows of a search, and what it climbs.
struct Search<'a> {
    sketch: &'a Sketch,
    rows: KeptBlocks,
    climb: Climb,
    /// Log-density of the class of noise, in the coordinates of the sketch.
    noise: Option<f64>,
}

impl<'a> Search<'a> {
    /// `noise` is the log-density of the class of noise, in the coordinates of the frame.
    fn new(sketch: &'a Sketch, form: CovarianceType, noise: Option<f64>) -> Result<Self, Error> {
        // Where there is noise, outliers must not make the pseudo-observation larger than groups.
        let spreads = match noise {
            None => sketch.variances().to_vec(),
            Some(_) => sketch.variances_of_the_middle(),
        };
        // A feature that is small in the common unit of all must not drown in the pseudo-observation.
        let pseudo_variances = (spreads.iter())
            .map(|v| PSEUDO_VARIANCE * if *v > 0.0 { *v } else { 1.0 })
            .collect();
        Ok(Self {
            noise: noise.map(|log_density| log_density + sketch.log_unit()),
            sketch,
            rows: KeptBlocks::as_they_are(&sketch.samples())?,
            climb: Climb {
                form,
                pseudo_variances,
            },
        })
    }

    /// `None` where the rows leave no covariance or lie too far out for a density.
    fn one_component(&self) -> Option<State> {
        let all = |_: &Block, r: &mut [f64]| r.fill(1.0);
        let model = self.climb.assigned(&self.rows, 1, &all)?;
        let model = noise::begin(model, self.noise).ok()?;
        self.climb.begin(model, &self.rows).map(State::of)
    }

    /// From one mixture to one of so many components; `None` where the path ends before.
    fn grow(
        &self,
        mut state: State,
        n_components: usize,
        rng: &mut impl Rng,
        ask: &mut Ask<'_>,
    ) -> Result<Option<State>, Error> {
        while state.model.n_components() < n_components {
            ask()?;
            let Some(next) = self.one_more(state, rng)? else {
                return Ok(None);
            };
            state = next;
        }
        self.move_about(state, rng, ask).map(Some)
    }

    /// The best split made, and some iterations; `None` where no component can be split.
    fn one_more(&self, mut state: State, rng: &mut impl Rng) -> Result<Option<State>, Error> {
        self.test(&mut state, rng)?;
        let split = state.best_split(|_| true);
        let next = split.and_then(|(q, split)| self.split(&state, q, split));
        let next = next.and_then(|next| self.settle(next, SETTLE));
        Ok(next.map(|next| next.after(state)))
    }

    /// The best of the cheapest mergers, after some iterations; `None` for one component.
    fn one_less(&self, state: &State) -> Option<State> {
        merge::cheapest(&state.model, N_MERGERS)
            .into_iter()
            .filter_map(|pair| merge::merged(&state.model, pair))
            .filter_map(|model| self.settle(model, SETTLE))
            .reduce(|a, b| if b.objective > a.objective { b } else { a })
    }

    /// Some EM iterations on the sketch; `None` if a component dies on the way.
    fn settle(&self, model: GaussianMixture, patience: Patience) -> Option<State> {
        self.settle_against(model, patience, f64::NEG_INFINITY)
    }

    /// [`Search::settle`] that ends early where it is foreseen to end below a rival.
    fn settle_against(
        &self,
        model: GaussianMixture,
        patience: Patience,
        rival: f64,
    ) -> Option<State> {
        let begun = self.climb.begin(model, &self.rows)?;
        let settled = self.climb.go_on(begun, &self.rows, patience, rival)?;
        Some(State::of(settled))
    }

    /// Tests the split of each component that has no valid test yet.
    fn test(&self, state: &mut State, rng: &mut impl Rng) -> Result<(), Error> {
        let responsibilities = state.model.responsibilities(self.sketch.samples())?;
        let todo: Vec<(usize, u64)> = (0..state.tested.len())
            .filter(|&q| state.tested[q].is_none())
            .map(|q| (q, rng.next_u64()))
            .collect();
        let climb = self.climb.of_free_matrices();
        let (sketch, model) = (self.sketch, &state.model);
        let tests: Vec<Tested> = (todo.par_iter())
            .map(|&(q, seed)| local::test(&climb, sketch, model, q, &responsibilities, seed))
            .collect();
        for ((q, _), test) in todo.into_iter().zip(tests) {
            state.tested[q] = Some(test);
        }
        Ok(())
    }

    /// The mixture with component q replaced by the two parts of its split; the second part comes last.
    fn split(&self, state: &State, q: usize, split: &Split) -> Option<GaussianMixture> {
        let model = &state.model;
        let (k, d) = (model.n_components(), model.n_features());
        let weight = model.weights()[q];
        let mut weights = model.weights().to_vec();
        weights[q] = weight * split.weights[0];
        weights.push(weight * split.weights[1]);
        let means = Mat::from_fn(k + 1, d, |c, j| match c {
            c if c == q => split.means[0][j],
            c if c == k => split.means[1][j],
            c => model.means()[(c, j)],
        });
        let mut blocks = model.covariances().blocks().to_vec();
        // A covariance that all share stays: the next M-step takes out what lay between the parts.
        if self.climb.form.n_blocks(k + 1) > 1 {
            let [first, second] = &split.blocks;
            blocks[q].clone_from(first);
            blocks.push(second.clone());
        }
        self.build(weights, means, blocks, model.noise())
    }

    fn build(
        &self,
        weights: Vec<f64>,
        means: Mat<f64>,
        blocks: Vec<Vec<f64>>,
        noise: Option<Noise>,
    ) -> Option<GaussianMixture> {
        let (k, d) = (means.nrows(), means.ncols());
        let covariances = Covariances::new(self.climb.form, k, d, blocks).ok()?;
        let model = GaussianMixture::new_with_noise(weights, means, covariances, noise).ok()?;
        Some(model)
    }

    /// Merges two components and splits a third as long as that pays and may go on.
    fn move_about(
        &self,
        state: State,
        rng: &mut impl Rng,
        ask: &mut Ask<'_>,
    ) -> Result<State, Error> {
        let k = state.model.n_components();
        let Some(polished) = self.polish(&state) else {
            return Ok(state);
        };
        let mut state = polished.after(state);
        if k < 3 {
            return Ok(state);
        }
        let n = self.sketch.n_rows() as f64;
        // Each accepted move gains, so that this ends; the bound keeps it short.
        for _ in 0..k {
            if ask().is_err() {
                break;
            }
            self.test(&mut state, rng)?;
            let mut rival = state.objective + WORTHWHILE * n;
            let mut best = None;
            for pair in merge::cheapest(&state.model, N_MERGES) {
                let polished = (self.trial(&state, pair))
                    .filter(|trial| trial.objective > state.objective - HOPELESS * n)
                    .and_then(|trial| self.settle_against(trial.model, POLISH, rival));
                if let Some(polished) = polished.filter(|p| p.objective > rival) {
                    rival = polished.objective;
                    best = Some(polished);
                }
            }
            match best {
                Some(moved) => state = moved.after(state),
                None => break,
            }
        }
        Ok(state)
    }

    fn polish(&self, state: &State) -> Option<State> {
        self.settle(state.model.clone(), POLISH)
    }

    /// The pair merged, the best split of another component made, and some iterations.
    fn trial(&self, state: &State, [a, b]: [usize; 2]) -> Option<State> {
        let (q, split) = state.best_split(|q| q != a && q != b)?;
        let divided = self.split(state, q, split)?;
        let merged = merge::merged(&divided, [a, b])?;
        self.settle(merged, TRIAL)
    }
}

/// Weights, means and covariance blocks of a mixture of two. Which part comes first follows from their means, not from the sign of
/// an eigenvector, which rounding decides.
fn parts(pair: &GaussianMixture) -> ([f64; 2], [Vec<f64>; 2], [Vec<f64>; 2]) {
    let mean = |k: usize| -> Vec<f64> {
        (0..pair.n_features())
            .map(|j| pair.means()[(k, j)])
            .collect()
    };
    let order = if mean(0) <= mean(1) { [0, 1] } else { [1, 0] };
    (
        order.map(|k| pair.weights()[k]),
        order.map(mean),
        order.map(|k| pair.covariances().block(k).to_vec()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use gmm_core::Covariances;
    use gmm_core::faer::Mat;

    /// Of two mixtures the better one; of equals the first.
    #[test]
    fn the_better_of_two_goes_on() {
        let state = |mean: f64, objective: f64| {
            let covariances = Covariances::spherical(&[1.0], 1).unwrap();
            let means = Mat::from_fn(1, 1, |_, _| mean);
            let model = GaussianMixture::new(vec![1.0], means, covariances).unwrap();
            State::new(model, objective)
        };
        for (a, b, best) in [(-5.0, -4.0, 1.0), (-4.0, -5.0, 0.0), (-4.0, -4.0, 0.0)] {
            let found = state(0.0, a).better(state(1.0, b));
            assert!((found.model.means()[(0, 0)] - best).abs() <= 0.0);
            assert!((found.objective - f64::max(a, b)).abs() <= 0.0);
        }
    }
}
