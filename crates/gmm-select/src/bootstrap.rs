//! How well the parameters of a mixture are known: standard errors and intervals by the bootstrap.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use gmm_core::covariance::Structure;
use gmm_core::{GaussianMixture, Samples};
use gmm_em::{Em, Start};
use rayon::prelude::*;

use crate::Error;
use crate::error::check_count;
use crate::resampling::{generator, resampled_weights};

/// How far the replicates of a fit have come, as a watcher sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReplicateProgress {
    /// Replicates that are done.
    pub n_done: usize,
    /// Replicates in all.
    pub n_replicates: usize,
}

/// What watches replicates: called by all threads, at every iteration of every fit.
pub type ReplicateWatcher<'a> = dyn Fn(ReplicateProgress) -> ControlFlow<()> + Sync + 'a;

/// The nonparametric bootstrap of a fitted mixture (Efron 1979; for mixtures O'Hagan, Murphy, Scrucca and Gormley 2019).
///
/// As many rows as there are are drawn with replacement, and the mixture is fitted to them, from the given one on, so that components keep
/// their numbers; B times. The standard deviation of a parameter over the replicates estimates its standard error, and their quantiles an
/// interval. Rows aren't copied: a replicate is a set of weights.
///
/// ```
/// use gmm_core::faer::MatRef;
/// use gmm_em::Em;
/// use gmm_select::Bootstrap;
///
/// let table = [1.0, 1.2, 0.8, 0.9, 1.1, 5.0, 5.3, 4.8, 5.1, 4.9, 0.7, 1.3, 5.2, 4.7];
/// let x = MatRef::from_row_major_slice(&table, 14, 1);
/// let em = Em::new(2);
/// let model = em.fit(x)?.into_model();
/// let precision = Bootstrap::new(em, 200).run(&model, x)?;
/// let mean = precision.mean(0, 0);
/// assert_eq!(mean.value, model.means()[(0, 0)]);
/// assert!(mean.standard_error < 0.1 && mean.interval.0 < mean.value && mean.value < mean.interval.1);
/// # Ok::<(), gmm_select::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Bootstrap {
    em: Em,
    n_replicates: usize,
    level: f64,
}

impl Bootstrap {
    /// So many replicates of a fit with these settings (their number of components and form are the mixture's), and intervals of level 0.95. Replicate i
    /// has a seed derived from that of the settings and i.
    pub fn new(em: Em, n_replicates: usize) -> Self {
        Self {
            em,
            n_replicates,
            level: 0.95,
        }
    }

    /// The probability that an interval is to have, between 0 and 1.
    pub fn level(self, level: f64) -> Self {
        Self { level, ..self }
    }

    /// Fits all replicates, in parallel. One that fails, loses a component or gets one at the variance floor is counted and left out.
    ///
    /// # Errors
    /// [`Error::Level`]; [`Error::TooMany`]; [`Error::TooFewReplicates`] if fewer than two replicates are left; those of a table that can't be fitted.
    pub fn run<'a>(
        &self,
        model: &GaussianMixture,
        x: impl Into<Samples<'a>>,
    ) -> Result<Precision, Error> {
        self.run_watched(model, x, &|_| ControlFlow::Continue(()))
    }

    /// [`Bootstrap::run`] under the eyes of a watcher, which may stop it: the replicates done by then count.
    ///
    /// # Errors
    /// As [`Bootstrap::run`].
    pub fn run_watched<'a>(
        &self,
        model: &GaussianMixture,
        x: impl Into<Samples<'a>>,
        watcher: &ReplicateWatcher<'_>,
    ) -> Result<Precision, Error> {
        let x = x.into();
        if !(self.level > 0.0 && self.level < 1.0) {
            return Err(Error::Level { value: self.level });
        }
        x.check_shape(model.n_features())?;
        if x.n_samples() == 0 {
            return Err(gmm_core::Error::NoSamples.into());
        }
        let total_weight = x.total_weight()?;
        let em = (self.em.clone())
            .components(model.n_components())
            .covariance(model.covariance_type());
        let n_done = AtomicUsize::new(0);
        let answer = || {
            watcher(ReplicateProgress {
                n_done: n_done.load(Ordering::Relaxed),
                n_replicates: self.n_replicates,
            })
        };
        let replicate = |number: usize| {
            if answer().is_break() {
                return Replicate::Stopped;
            }
            let mut rng = generator(em.base_seed(), number);
            let weights = resampled_weights(&x, total_weight, &mut rng);
            let rows = x.with_weights(&weights);
            let fit = em.fit_from_watched(rows, Start::Mixture(model), &mut |_| answer());
            n_done.fetch_add(1, Ordering::Relaxed);
            match fit {
                Ok(fit) if fit.report().stop == gmm_em::Stop::Interrupted => Replicate::Stopped,
                Ok(fit)
                    if fit.model().n_components() == model.n_components()
                        && fit.report().n_singular == 0 =>
                {
                    Replicate::Done(parameters(fit.model()))
                }
                Err(gmm_em::Error::Interrupted) => Replicate::Stopped,
                _ => Replicate::Failed,
            }
        };
        check_count(self.n_replicates)?;
        let replicates: Vec<Replicate> = (0..self.n_replicates)
            .into_par_iter()
            .map(replicate)
            .collect();
        Precision::new(model, replicates, self.level)
    }
}

/// How a replicate ended.
enum Replicate {
    Done(Vec<f64>),
    Failed,
    Stopped,
}

/// A parameter and how well it is known.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Estimate {
    /// The parameter of the fitted mixture.
    pub value: f64,
    /// The standard deviation of the replicates' values (divisor B - 1).
    pub standard_error: f64,
    /// The percentile interval: (1 - level) / 2 of the replicates' values lie on each side.
    pub interval: (f64, f64),
}

/// How well all parameters of a mixture are known: see [`Bootstrap`].
#[derive(Clone, Debug, PartialEq)]
pub struct Precision {
    n_components: usize,
    n_features: usize,
    structure: Structure,
    estimates: Vec<Estimate>,
    level: f64,
    n_done: usize,
    n_failed: usize,
    n_stopped: usize,
}

impl Precision {
    fn new(model: &GaussianMixture, replicates: Vec<Replicate>, level: f64) -> Result<Self, Error> {
        let (mut done, mut n_failed, mut n_stopped) = (Vec::new(), 0, 0);
        for replicate in replicates {
            match replicate {
                Replicate::Done(parameters) => done.push(parameters),
                Replicate::Failed => n_failed += 1,
                Replicate::Stopped => n_stopped += 1,
            }
        }
        if done.len() < 2 {
            return Err(Error::TooFewReplicates {
                n_done: done.len(),
                n_failed,
            });
        }
        let estimate = |(at, value): (usize, &f64)| {
            let mut values: Vec<f64> = done.iter().map(|parameters| parameters[at]).collect();
            values.sort_by(f64::total_cmp);
            Estimate {
                value: *value,
                standard_error: standard_deviation(&values),
                interval: (
                    quantile(&values, 0.5 - 0.5 * level),
                    quantile(&values, 0.5 + 0.5 * level),
                ),
            }
        };
        Ok(Self {
            n_components: model.n_components(),
            n_features: model.n_features(),
            structure: model.covariance_type().structure(),
            estimates: parameters(model).iter().enumerate().map(estimate).collect(),
            level,
            n_done: done.len(),
            n_failed,
            n_stopped,
        })
    }

    /// πₖ.
    ///
    /// # Panics
    /// If the component is out of bounds.
    pub fn weight(&self, component: usize) -> Estimate {
        assert!(component < self.n_components);
        self.estimates[component]
    }

    /// μₖⱼ.
    ///
    /// # Panics
    /// If the component or the feature is out of bounds.
    pub fn mean(&self, component: usize, feature: usize) -> Estimate {
        assert!(component < self.n_components && feature < self.n_features);
        self.estimates[self.n_components + component * self.n_features + feature]
    }

    /// Entry (i, j) of Σₖ. Off the diagonal of a diagonal matrix it is 0, known for certain.
    ///
    /// # Panics
    /// If the component or a feature is out of bounds.
    pub fn covariance(&self, component: usize, i: usize, j: usize) -> Estimate {
        let d = self.n_features;
        assert!(component < self.n_components && i < d && j < d);
        let first = self.n_components * (1 + d);
        let (row, column) = (i.max(j), i.min(j));
        match self.structure {
            Structure::Dense => {
                let at = row * (row + 1) / 2 + column;
                self.estimates[first + component * (d * (d + 1) / 2) + at]
            }
            _ if i == j => self.estimates[first + component * d + i],
            _ => Estimate {
                value: 0.0,
                standard_error: 0.0,
                interval: (0.0, 0.0),
            },
        }
    }

    /// The probability that an interval has.
    pub fn level(&self) -> f64 {
        self.level
    }

    /// Replicates that count.
    pub fn n_done(&self) -> usize {
        self.n_done
    }

    /// Replicates that failed, lost a component or got one at the variance floor: many of them say that the mixture hangs on few
    /// rows, and that the errors are larger than the others tell.
    pub fn n_failed(&self) -> usize {
        self.n_failed
    }

    /// Replicates that the watcher stopped.
    pub fn n_stopped(&self) -> usize {
        self.n_stopped
    }
}

/// Weights, means and covariances in a row: of dense matrices the lower triangles, of the others the diagonals.
fn parameters(model: &GaussianMixture) -> Vec<f64> {
    let d = model.n_features();
    let mut values = model.weights().to_vec();
    for k in 0..model.n_components() {
        values.extend((0..d).map(|j| model.means()[(k, j)]));
    }
    for k in 0..model.n_components() {
        if model.covariance_type().structure() == Structure::Dense {
            let block = model.covariances().block(k);
            values.extend((0..d).flat_map(|i| (0..=i).map(move |j| block[i * d + j])));
        } else {
            values.extend(model.covariances().variances(k));
        }
    }
    values
}

/// With divisor n - 1.
fn standard_deviation(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (squares / (n - 1.0)).sqrt()
}

/// The quantile of sorted values with linear interpolation (R's type 7).
fn quantile(sorted: &[f64], p: f64) -> f64 {
    let at = p * (sorted.len() - 1) as f64;
    let low = at.floor() as usize;
    let high = (low + 1).min(sorted.len() - 1);
    sorted[low] + (at - low as f64) * (sorted[high] - sorted[low])
}
