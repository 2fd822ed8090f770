//! The settings of a fit and the EM loop.

use std::ops::ControlFlow;

use gmm_core::covariance::Structure;
use gmm_core::{CovarianceType, GaussianMixture, Proportions, Samples};

use crate::acceleration::Accelerator;
use crate::expectation::Expectation;
use crate::history::History;
use crate::noise;
use crate::regularization::Scale;
use crate::rescue::{POINT_MASS, Rescuer};
use crate::start::{self, Begin};
use crate::summary::Summary;
use crate::{
    Acceleration, Error, Initialization, NoiseVolume, Precision, Progress, Regularization, Report,
    Rescue, Start, Stop, Stopping,
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
    /// Bad data or settings, and what the [`Rescue`] policy makes an error. Not converging is not an error: see [`Report::stop`].
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

    /// Checks settings and data, and measures the data.
    pub(crate) fn prepare(&self, x: &Samples<'_>) -> Result<Summary, Error> {
        self.regularization.check()?;
        self.rescue.check()?;
        if let Some(volume) = &self.noise {
            volume.check()?;
        }
        let tolerance = self.stopping.tolerance();
        if !(tolerance >= 0.0 && tolerance.is_finite()) {
            let expected = "it must be finite and not negative";
            return Err(Error::Setting {
                name: "stopping tolerance",
                value: tolerance,
                expected,
            });
        }
        if self.n_components == 0 {
            return Err(Error::NoComponents);
        }
        if x.n_samples() > 0 && self.n_components > x.n_samples() {
            return Err(Error::TooFewRows {
                found: x.n_samples(),
                n_components: self.n_components,
            });
        }
        crate::memory::check(self, x.n_features())?;
        let summary = Summary::new(x, self.covariance)?;
        if self.n_components > summary.n_rows {
            return Err(Error::TooFewRows {
                found: summary.n_rows,
                n_components: self.n_components,
            });
        }
        if !matches!(self.regularization, Regularization::Ridge(_)) {
            let variances = summary.variances();
            // In the frame values are of size 1: less than rounding is no spread. Extreme weights can do that, too.
            let is_constant = |v: &f64| *v <= POINT_MASS * POINT_MASS;
            let constant = variances.iter().position(is_constant);
            let all_constant = variances.iter().all(is_constant);
            if let Some(feature) = constant
                .filter(|_| self.covariance.structure() != Structure::Isotropic || all_constant)
            {
                return Err(self.without_spread(x, &variances, feature));
            }
        }
        Ok(summary)
    }

    /// Why a feature has no variance in the frame: it is constant, or only so next to another one in the same unit.
    fn without_spread(&self, x: &Samples<'_>, variances: &[f64], feature: usize) -> Error {
        let counted = |row: &usize| x.weights().is_none_or(|w| w[*row] > 0.0);
        let mut rows = (0..x.n_samples()).filter(counted);
        let value = x.value(rows.next().unwrap_or(0), feature);
        let largest = rows.fold(0.0f64, |m, row| {
            m.max((x.value(row, feature) - value).abs())
        });
        let varies = largest > 0.0;
        if varies && largest * largest < f64::MIN_POSITIVE {
            // Of values of 1e-320 no frame makes numbers of size 1, and their variance is none.
            let component = 0;
            return gmm_core::Error::Range { component, feature }.into();
        }
        let is_widest = |j: &usize| variances.iter().all(|v| *v <= variances[*j]);
        let widest = (0..variances.len()).find(is_widest).unwrap_or(feature);
        if varies && widest != feature && !self.covariance.is_scale_free() {
            let form = self.covariance;
            return Error::NegligibleFeature {
                feature,
                widest,
                form,
            };
        }
        Error::ConstantFeature { feature, value }
    }

    /// The EM loop: E-step, stop or go on, M-step.
    pub(crate) fn run(
        &self,
        x: &Samples<'_>,
        summary: &Summary,
        begin: Begin,
        noise: Option<f64>,
        watcher: &mut Watcher<'_>,
    ) -> Result<Fit, Error> {
        let frame = &summary.frame;
        let scale = Scale::of_summary(summary);
        let regularizer = self.regularization.resolve(
            &scale,
            self.covariance,
            self.n_components,
            Some(frame.exponents()),
        )?;
        let mut rescuer = Rescuer::new(self, *x, summary, regularizer);
        let mut history = History::new(summary, self.regularization.ascends());
        // Without an objective that EM raises, no step can be judged.
        let acceleration = if self.regularization.ascends() {
            self.acceleration
        } else {
            Acceleration::None
        };
        let mut accelerator = Accelerator::new(acceleration);

        let (mut model, mut iteration) = match begin {
            Begin::Model(model) => {
                rescuer.start_from(&model);
                (model, 0)
            }
            Begin::Statistics(statistics) => {
                let model = rescuer.maximize(statistics, None, 1)?;
                (noise::begin(model, noise)?, 1)
            }
        };
        let mut expected = Expectation::new(&model, x, summary, self.precision)?;
        let stop = loop {
            let statistics = expected.of(&model)?;
            let precision = expected.last_precision();
            let pass = history.measure(&statistics, &model, rescuer.regularizer(), precision);
            if history.falls(&pass) {
                if let Some(safe) = accelerator.retreat() {
                    model = safe;
                    continue;
                }
                // What single precision takes for a fall is seen again in double precision.
                if expected.refine() {
                    continue;
                }
            }
            history.push(iteration, pass, accelerator.is_beyond(), &mut rescuer);
            if watcher(&history.progress(iteration, self.max_iterations)).is_break() {
                break Stop::Interrupted;
            }
            if history.converged(&self.stopping) && !expected.refine() {
                break Stop::Converged;
            }
            if iteration >= self.max_iterations {
                break Stop::MaxIterations;
            }
            if history.hardly_moves(&self.stopping) {
                accelerator.pause();
            }
            let next = rescuer.maximize(statistics, Some(&model), iteration + 1)?;
            if next == model && !expected.refine() {
                break Stop::Converged;
            }
            (model, iteration) = (accelerator.advance(&model, next, &rescuer), iteration + 1);
        };
        let rounded = model.from_frame(frame)?;
        // A third mixture in memory where a last pass needs one.
        drop(model);
        let mut report = history.report(stop, iteration, rescuer, x.n_samples());
        if means_round_coarsely(&rounded) || expected.refine() {
            let known = rounded.to_frame(frame)?;
            let statistics = expected.in_double_precision(&known)?;
            report.log_likelihood =
                statistics.log_likelihood() + summary.total_weight() * frame.log_jacobian();
            report.n_passes += 1;
        }
        Ok(Fit {
            model: rounded,
            report,
        })
    }
}

/// Whether the last bit of a mean is worth more than 1e-6 of a standard deviation: a mixture at an offset of 1e10 times its
/// spread is another one in the data's coordinates than in the frame. Below, a row loses less than 1e-12 nats.
fn means_round_coarsely(model: &GaussianMixture) -> bool {
    (0..model.n_components()).any(|k| {
        let variances = model.covariances().variances(k);
        let last_bit = |j: usize| f64::EPSILON * model.means()[(k, j)].abs();
        (0..variances.len()).any(|j| last_bit(j) > 1e-6 * variances[j].sqrt())
    })
}

/// A fitted mixture and how it came about.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    model: GaussianMixture,
    report: Report,
}

impl Fit {
    /// The mixture.
    pub fn model(&self) -> &GaussianMixture {
        &self.model
    }

    /// The mixture, without the report.
    pub fn into_model(self) -> GaussianMixture {
        self.model
    }

    /// The same with the components sorted, the heaviest first.
    pub fn sorted(self) -> Self {
        Self {
            model: self.model.sorted(),
            ..self
        }
    }

    /// Expert: this fit as the second part of another, from whose mixture it began. Its report is of both: their iterations, passes and
    /// events, one after the other.
    #[must_use]
    pub fn going_on_from(self, earlier: &Report) -> Self {
        Self {
            report: self.report.after(earlier),
            ..self
        }
    }

    /// What happened.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Both.
    pub fn into_parts(self) -> (GaussianMixture, Report) {
        (self.model, self.report)
    }
}
