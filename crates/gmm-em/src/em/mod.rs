//! The settings of a fit, and the ways to run it.

mod check;
mod fit;
mod iterate;

use std::ops::ControlFlow;

use gmm_core::{CovarianceType, Proportions, Samples};

pub use self::fit::Fit;

use crate::start;
use crate::summary::Summary;
use crate::{
    Acceleration, Error, Initialization, NoiseVolume, Precision, Progress, Regularization, Rescue,
    Start, Stopping,
};

/// What a watcher answers: go on, or stop with the best so far.
pub type Watcher<'a> = dyn FnMut(&Progress) -> ControlFlow<()> + 'a;

/// The description of a fit by Expectation-Maximization (Dempster, Laird and Rubin 1977).
///
/// | setting | default |
/// |---|---|
/// | covariance | full |
/// | proportions | free |
/// | noise | none |
/// | initialization | split |
/// | seed | 0 |
/// | regularization | floor at 1e-9 of the data's variances |
/// | rescue | drop a component that lost its rows or its variance |
/// | stopping | less than 0.001 nat left to gain in total |
/// | max_iterations | 1000 |
/// | acceleration | none |
/// | precision | double |
///
/// Equal settings, data and seed give the same bits on one machine, for any number of threads.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Em {
    pub(crate) n_components: usize,
    pub(crate) covariance: CovarianceType,
    pub(crate) proportions: Proportions,
    pub(crate) noise: Option<NoiseVolume>,
    pub(crate) initialization: Option<Initialization>,
    pub(crate) seed: u64,
    pub(crate) regularization: Regularization,
    pub(crate) rescue: Rescue,
    pub(crate) stopping: Stopping,
    pub(crate) max_iterations: usize,
    pub(crate) acceleration: Acceleration,
    pub(crate) precision: Precision,
}

impl Em {
    /// A fit of so many components, with default settings.
    pub fn new(n_components: usize) -> Self {
        Self {
            n_components,
            covariance: CovarianceType::Full,
            proportions: Proportions::default(),
            noise: None,
            initialization: None,
            seed: 0,
            regularization: Regularization::default(),
            rescue: Rescue::default(),
            stopping: Stopping::default(),
            max_iterations: 1000,
            acceleration: Acceleration::default(),
            precision: Precision::default(),
        }
    }

    /// The number of components.
    pub fn components(self, n_components: usize) -> Self {
        Self {
            n_components,
            ..self
        }
    }

    /// The form of the covariances.
    pub fn covariance(self, covariance: CovarianceType) -> Self {
        Self { covariance, ..self }
    }

    /// Whether the weights of the components are free, or held equal (K - 1 parameters less). Starts by splitting search with free weights.
    pub fn proportions(self, proportions: Proportions) -> Self {
        Self {
            proportions,
            ..self
        }
    }

    /// A class of noise of this volume beside the components, so that rows that belong to none don't inflate one: see
    /// [`gmm_core::Noise`]. Its weight is free; it begins at 0.05 where a start says nothing of it. Such a fit takes no short cuts: passes
    /// are in double precision, over all components.
    ///
    /// ```
    /// use gmm_core::faer::MatRef;
    /// use gmm_em::{Em, NoiseVolume};
    ///
    /// // Two groups, and three rows of neither.
    /// let table = [1.0, 1.2, 0.8, 0.9, 1.1, 5.0, 5.3, 4.8, 5.1, 4.9, -30.0, 17.0, 40.0];
    /// let x = MatRef::from_row_major_slice(&table, 13, 1);
    /// let fit = Em::new(2).noise(NoiseVolume::Box).fit(x)?;
    /// let labels = fit.model().predict(x)?;
    /// assert_eq!(labels[10..], [2, 2, 2]); // n_components is the label of noise
    /// assert!(labels[..10].iter().all(|label| *label < 2));
    /// assert!((fit.model().means()[(0, 0)] - 1.0).abs() < 0.1);
    /// # Ok::<(), gmm_em::Error>(())
    /// ```
    pub fn noise(self, noise: impl Into<Option<NoiseVolume>>) -> Self {
        Self {
            noise: noise.into(),
            ..self
        }
    }

    /// How the fit starts. Where nothing is said, a single fit starts by [`Initialization::Split`], and one of several starts as
    /// those who run it see fit.
    pub fn initialization(self, initialization: Initialization) -> Self {
        Self {
            initialization: Some(initialization),
            ..self
        }
    }

    /// The seed of the start's random numbers.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// What keeps covariances away from singularity.
    pub fn regularization(self, regularization: Regularization) -> Self {
        Self {
            regularization,
            ..self
        }
    }

    /// What happens to a component that lost its rows or its variance.
    pub fn rescue(self, rescue: Rescue) -> Self {
        Self { rescue, ..self }
    }

    /// When the fit has converged.
    pub fn stopping(self, stopping: Stopping) -> Self {
        Self { stopping, ..self }
    }

    /// The largest number of M-steps. The first one of a start without a mixture (an own start, labels, responsibilities) is
    /// part of the start and always done.
    pub fn max_iterations(self, max_iterations: usize) -> Self {
        Self {
            max_iterations,
            ..self
        }
    }

    /// Whether longer steps than EM's own are tried.
    pub fn acceleration(self, acceleration: Acceleration) -> Self {
        Self {
            acceleration,
            ..self
        }
    }

    /// In which precision the passes over the rows are computed.
    pub fn precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// The number of components that is asked for.
    pub fn n_components(&self) -> usize {
        self.n_components
    }

    /// The form of the covariances that is asked for.
    pub fn covariance_type(&self) -> CovarianceType {
        self.covariance
    }

    /// Whether weights are free that is asked for.
    pub fn chosen_proportions(&self) -> Proportions {
        self.proportions
    }

    /// The noise that is asked for.
    pub fn chosen_noise(&self) -> Option<NoiseVolume> {
        self.noise
    }

    /// How the fit starts, if that was said.
    pub fn chosen_initialization(&self) -> Option<Initialization> {
        self.initialization
    }

    /// The largest number of M-steps that is set.
    pub fn iteration_limit(&self) -> usize {
        self.max_iterations
    }

    /// Checks settings and data without fitting anything.
    ///
    /// # Errors
    /// Those of [`Em::fit`] before its first iteration.
    pub fn check<'a>(&self, x: impl Into<Samples<'a>>) -> Result<(), Error> {
        self.prepare(&x.into()).map(|_| ())
    }

    /// The seed that is set: see [`derived_seed`](crate::derived_seed) for those of several starts.
    pub fn base_seed(&self) -> u64 {
        self.seed
    }

    /// Fits a mixture from an own start. The components are sorted, the heaviest first.
    ///
    /// # Errors
    /// Bad data or settings, and what the [`Rescue`] policy makes an error. Not converging is not an error: see [`Report::stop`](crate::Report::stop).
    pub fn fit<'a>(&self, x: impl Into<Samples<'a>>) -> Result<Fit, Error> {
        self.fit_watched(x, &mut |_| ControlFlow::Continue(()))
    }

    /// [`Em::fit`] under the eyes of a watcher, which sees each iteration and may stop the fit: for progress bars, time
    /// limits and Ctrl-C. While the start is made it is asked as before the first iteration, and may stop the fit with
    /// [`Error::Interrupted`]; a split that has its components ends with what it has.
    ///
    /// # Errors
    /// As [`Em::fit`].
    pub fn fit_watched<'a>(
        &self,
        x: impl Into<Samples<'a>>,
        watcher: &mut Watcher<'_>,
    ) -> Result<Fit, Error> {
        self.begin_watched(x.into(), watcher)?.run_watched(watcher)
    }

    /// Fits a mixture from a start that the caller has. Components keep the start's order.
    ///
    /// # Errors
    /// As [`Em::fit`], and those of a start that doesn't match the data or the settings.
    pub fn fit_from<'a>(&self, x: impl Into<Samples<'a>>, start: Start<'_>) -> Result<Fit, Error> {
        self.fit_from_watched(x, start, &mut |_| ControlFlow::Continue(()))
    }

    /// [`Em::fit_from`] under the eyes of a watcher.
    ///
    /// # Errors
    /// As [`Em::fit_from`].
    pub fn fit_from_watched<'a>(
        &self,
        x: impl Into<Samples<'a>>,
        start: Start<'_>,
        watcher: &mut Watcher<'_>,
    ) -> Result<Fit, Error> {
        let x = x.into();
        let summary = self.prepare(&x)?;
        let noise = self.noise_density(&x, &summary)?;
        let begin = start::given(self, &x, &summary, start, noise)?;
        self.run(&x, &summary, begin, noise, watcher)
    }

    /// The log-density of the noise, in the coordinates of the frame.
    pub(crate) fn noise_density(
        &self,
        x: &Samples<'_>,
        summary: &Summary,
    ) -> Result<Option<f64>, Error> {
        let density = |volume: NoiseVolume| volume.log_density(x, summary);
        self.noise.map(density).transpose()
    }
}
