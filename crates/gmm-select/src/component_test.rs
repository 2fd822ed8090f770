//! How many components: the likelihood ratio of K against K + 1, and its law under K by the parametric bootstrap.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use gmm_core::faer::Mat;
use gmm_core::{GaussianMixture, Samples};
use gmm_em::{Em, derived_seed};
use rayon::prelude::*;

use crate::error::check_count;
use crate::resampling::generator;
use crate::{Error, MultiStart, ReplicateProgress, ReplicateWatcher, Starts};

/// The test of K against K + 1 components by the parametric bootstrap (McLachlan 1987), for K = 1, 2, ... until it is not rejected.
///
/// The statistic is LR = 2 (log L_{K+1} - log L_K). Its law under K components is no χ² law: the weight of the component too many lies on
/// the edge of the parameters. So B tables of as many rows are drawn from the mixture of K components, both mixtures are fitted to each, from
/// as many starts as to the data, and p = (1 + #{LRᵦ ≥ LR}) / (B + 1), which under K is below α with probability at most α
/// (but for K's parameters being estimated).
///
/// ```
/// use gmm_core::faer::MatRef;
/// use gmm_em::Em;
/// use gmm_select::ComponentTest;
///
/// let table = [1.0, 1.2, 0.8, 0.9, 1.1, 5.0, 5.3, 4.8, 5.1, 4.9, 0.7, 1.3, 5.2, 4.7];
/// let x = MatRef::from_row_major_slice(&table, 14, 1);
/// let em = Em::new(1).covariance(gmm_core::CovarianceType::Tied);
/// let tested = ComponentTest::new(em, 1, 39).run(x, 1..=3)?;
/// assert_eq!(tested.steps()[0].p_value(), 1.0 / 40.0); // one component is rejected
/// assert_eq!(tested.n_components(), Some(2)); // two are not
/// # Ok::<(), gmm_select::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct ComponentTest {
    em: Em,
    n_starts: usize,
    n_replicates: usize,
    level: f64,
}

impl ComponentTest {
    /// A test at the level 0.05 with these settings (their number of components is the test's), so many starts per fit, and so many replicates. A
    /// level α needs at least 1/α - 1 replicates: with fewer no p-value is as small.
    pub fn new(em: Em, n_starts: usize, n_replicates: usize) -> Self {
        Self {
            em,
            n_starts,
            n_replicates,
            level: 0.05,
        }
    }

    /// The p-value at or below which a number of components is rejected.
    pub fn level(self, level: f64) -> Self {
        Self { level, ..self }
    }

    /// Tests each of some numbers of components against one more, the smallest first, and stops at the first that is not rejected.
    ///
    /// # Errors
    /// [`Error::Level`]; [`Error::NoCandidates`] for no numbers of components or no starts; those of a fit to the data;
    /// [`Error::TooMany`]; [`Error::TooFewReplicates`] if no replicate is left.
    pub fn run<'a>(
        &self,
        x: impl Into<Samples<'a>>,
        components: impl IntoIterator<Item = usize>,
    ) -> Result<Tested, Error> {
        self.run_watched(x, components, &|_| ControlFlow::Continue(()))
    }

    /// [`ComponentTest::run`] under the eyes of a watcher, which sees each iteration of each replicate and may stop the test: the steps before and the replicates
    /// done by then count.
    ///
    /// # Errors
    /// As [`ComponentTest::run`].
    pub fn run_watched<'a>(
        &self,
        x: impl Into<Samples<'a>>,
        components: impl IntoIterator<Item = usize>,
        watcher: &ReplicateWatcher<'_>,
    ) -> Result<Tested, Error> {
        let x = x.into();
        if !(self.level > 0.0 && self.level < 1.0) {
            return Err(Error::Level { value: self.level });
        }
        let mut components: Vec<usize> = components.into_iter().collect();
        components.sort_unstable();
        components.dedup();
        let mut steps: Vec<Step> = Vec::new();
        for n_components in components {
            match self.step(&x, n_components, watcher) {
                Ok(step) => steps.push(step),
                // What is known by then is worth having.
                Err(Error::TooFewReplicates { n_failed: 0, .. }) if !steps.is_empty() => break,
                Err(error) => return Err(error),
            }
            if steps
                .last()
                .is_some_and(|step| step.n_stopped > 0 || step.p_value() > self.level)
            {
                break;
            }
        }
        if steps.is_empty() {
            return Err(Error::NoCandidates);
        }
        Ok(Tested {
            steps,
            level: self.level,
        })
    }

    /// One number of components against one more.
    fn step(
        &self,
        x: &Samples<'_>,
        n_components: usize,
        watcher: &ReplicateWatcher<'_>,
    ) -> Result<Step, Error> {
        let progress = |n_done: usize| ReplicateProgress {
            n_done,
            n_replicates: self.n_replicates,
        };
        let answer = || watcher(progress(0));
        let seed = self.em.base_seed();
        check_count(self.n_replicates)?;
        let (null, alternative) = self.fits(x, n_components, seed, &answer)?;
        let statistic = ratio(&null, &alternative);
        let model = null.best().model();
        let n_rows = x.total_weight()?.round().max(1.0) as usize;
        // Replicates of different numbers of components have different seeds.
        let seed = derived_seed(seed, n_components as u64);
        // A mixture that can't be drawn from, one with noise, says so before a table is.
        model.sample(0, &mut generator(seed, 0))?;
        let n_done = AtomicUsize::new(0);
        let replicate = |number: usize| {
            let answer = || watcher(progress(n_done.load(Ordering::Relaxed)));
            if answer().is_break() {
                return Outcome::Stopped;
            }
            let outcome = self.replicate(model, n_rows, n_components, seed, number, &answer);
            n_done.fetch_add(1, Ordering::Relaxed);
            outcome
        };
        let outcomes: Vec<Outcome> = (0..self.n_replicates)
            .into_par_iter()
            .map(replicate)
            .collect();
        let count = |wanted: fn(&Outcome) -> bool| outcomes.iter().filter(|o| wanted(o)).count();
        let n_failed = count(|o| matches!(o, Outcome::Failed));
        let n_stopped = count(|o| matches!(o, Outcome::Stopped));
        let mut replicates: Vec<f64> = (outcomes.iter())
            .filter_map(|outcome| match outcome {
                Outcome::Ratio(ratio) => Some(*ratio),
                _ => None,
            })
            .collect();
        replicates.sort_by(f64::total_cmp);
        if replicates.is_empty() {
            return Err(Error::TooFewReplicates {
                n_done: 0,
                n_failed,
            });
        }
        Ok(Step {
            n_components,
            statistic,
            replicates,
            n_failed,
            n_stopped,
        })
    }

    /// A table from K components, and the statistic on it.
    fn replicate(
        &self,
        model: &GaussianMixture,
        n_rows: usize,
        n_components: usize,
        seed: u64,
        number: usize,
        answer: &(dyn Fn() -> ControlFlow<()> + Sync),
    ) -> Outcome {
        let mut rng = generator(seed, number);
        let Ok(sample) = model.sample(n_rows, &mut rng) else {
            return Outcome::Failed;
        };
        let x: Mat<f64> = sample.x;
        let seed = derived_seed(seed, number as u64 + 1);
        let fits = self.fits(&Samples::from(&x), n_components, seed, answer);
        if answer().is_break() {
            return Outcome::Stopped;
        }
        match fits {
            Ok((null, alternative)) => Outcome::Ratio(ratio(&null, &alternative)),
            Err(_) => Outcome::Failed,
        }
    }

    /// Both mixtures on a table. A likelihood at the variance floor measures the floor: such a fit is none.
    fn fits(
        &self,
        x: &Samples<'_>,
        n_components: usize,
        seed: u64,
        answer: &(dyn Fn() -> ControlFlow<()> + Sync),
    ) -> Result<(Starts, Starts), Error> {
        let fit = |n_components: usize| {
            let em = self.em.clone().components(n_components).seed(seed);
            // One component has one optimum, however it is started.
            let n_starts = if n_components == 1 {
                self.n_starts.min(1)
            } else {
                self.n_starts
            };
            let starts = MultiStart::new(em, n_starts).run_watched(*x, &|_, _| answer())?;
            match starts.best().report().n_singular {
                0 => Ok(starts),
                _ => Err(Error::Singular { n_components }),
            }
        };
        Ok((fit(n_components)?, fit(n_components.saturating_add(1))?))
    }
}

/// 2 (log L_{K+1} - log L_K).
fn ratio(null: &Starts, alternative: &Starts) -> f64 {
    let log_likelihood = |starts: &Starts| starts.best().report().log_likelihood;
    2.0 * (log_likelihood(alternative) - log_likelihood(null))
}

/// How a replicate ended.
enum Outcome {
    Ratio(f64),
    Failed,
    Stopped,
}

/// The outcome of a [`ComponentTest`].
#[derive(Clone, Debug, PartialEq)]
pub struct Tested {
    steps: Vec<Step>,
    level: f64,
}

impl Tested {
    /// The tests that were made, by number of components.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The p-value at or below which a number of components was rejected.
    pub fn level(&self) -> f64 {
        self.level
    }

    /// The first number of components that is not rejected; `None` if all that were tested are, or the test was stopped.
    pub fn n_components(&self) -> Option<usize> {
        let last = self.steps.last()?;
        (last.n_stopped == 0 && last.p_value() > self.level).then_some(last.n_components)
    }
}

/// A number of components against one more.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Step {
    /// The number of components K that is tested.
    pub n_components: usize,
    /// LR on the data, in nats times two.
    pub statistic: f64,
    /// LR on the replicates, in rising order. A negative one is a fit of K + 1 components that found less than that of K: more
    /// starts help.
    pub replicates: Vec<f64>,
    /// Replicates that could not be fitted.
    pub n_failed: usize,
    /// Replicates that the watcher stopped.
    pub n_stopped: usize,
}

impl Step {
    /// (1 + #{LRᵦ ≥ LR}) / (B + 1), B the replicates that could be fitted.
    pub fn p_value(&self) -> f64 {
        let n_below = self.replicates.partition_point(|r| *r < self.statistic);
        let n_reaching = self.replicates.len() - n_below;
        (1 + n_reaching) as f64 / (1 + self.replicates.len()) as f64
    }
}
