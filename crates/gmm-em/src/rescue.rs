//! The M-step with a policy for components that lost their rows or their variance.

use gmm_core::covariance::{Moments, Regularizer, blocks_below_floor};
use gmm_core::{Covariances, GaussianMixture, Proportions, Samples};

use crate::statistics::SufficientStatistics;
use crate::summary::Summary;
use crate::{Em, Error, Event};

/// What happens to a component that lost its rows (no occupancy) or its variance (a covariance that is not positive definite).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Rescue {
    /// The component is left out: the model has one less. With a covariance that all components share, an error.
    #[default]
    Drop,
    /// The component is put on the least likely row (in the first M-step of a fit that has no model yet, on the row farthest
    /// from the mean), with the covariance of all data and an average weight. Once per M-step and at most ten times per fit,
    /// so that no two components start alike; others are dropped.
    Reseed,
    /// A covariance without variance is held at this part of the data's variances from then on; an empty component is dropped.
    /// With a prior, which allows no such covariance but by rounding, an error.
    Floor(f64),
    /// The fit fails with a typed error.
    Fail,
}

/// Reseeding may go in circles (a far outlier collapses each time); ten are enough for any honest case.
const MAX_RESEEDS: usize = 10;

impl Rescue {
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self {
            Self::Floor(f) if !(*f > 0.0 && *f < 1.0) => Err(Error::Setting {
                name: "rescue floor",
                value: *f,
                expected: "it is a part of the data's variance, between 0 and 1",
            }),
            _ => Ok(()),
        }
    }
}

/// Standard deviations in the frame below which a component is one point: values of size 1 have a last bit of ε, so that
/// distances in units of such a deviation are rounding, and the likelihood with them.
pub(crate) const POINT_MASS: f64 = 64.0 * f64::EPSILON;

/// The first component and feature without variance beyond rounding.
fn point_mass(covariances: &Covariances) -> Option<(usize, usize)> {
    (0..covariances.n_components()).find_map(|k| {
        let variances = covariances.variances(k);
        variances
            .iter()
            .position(|v| *v < POINT_MASS * POINT_MASS)
            .map(|feature| (k, feature))
    })
}

/// A variance within this factor of the floor stands at it.
const AT_FLOOR: f64 = 1.0 + 1e-6;

/// Does the M-steps of one fit and keeps account of the repairs.
pub(crate) struct Rescuer<'a> {
    policy: Rescue,
    proportions: Proportions,
    x: Samples<'a>,
    summary: &'a Summary,
    regularizer: Regularizer,
    pub(crate) events: Vec<Event>,
    /// Components that the floor held in the last M-step.
    held: Vec<usize>,
    n_components: usize,
    n_rescues: usize,
    n_reseeds: usize,
    /// The M-step of the last reseed.
    reseeded: usize,
    /// Covariances of a given mixture that no M-step has raised to the floor yet.
    n_below: usize,
}

impl<'a> Rescuer<'a> {
    pub(crate) fn new(
        em: &Em,
        x: Samples<'a>,
        summary: &'a Summary,
        regularizer: Regularizer,
    ) -> Self {
        Self {
            policy: em.rescue,
            proportions: em.proportions,
            x,
            summary,
            regularizer,
            events: Vec::new(),
            held: Vec::new(),
            n_components: em.n_components,
            n_rescues: 0,
            n_reseeds: 0,
            reseeded: 0,
            n_below: 0,
        }
    }

    /// Takes note of a mixture that no M-step made. One below the floor has a likelihood that the first M-step may not keep.
    pub(crate) fn start_from(&mut self, model: &GaussianMixture) {
        if let Regularizer::Floor(floor) = &self.regularizer {
            // A fit's own mixture at the floor is above it or below by rounding: both count as at the floor.
            let floor: Vec<f64> = floor.iter().map(|f| f * AT_FLOOR).collect();
            self.n_below = blocks_below_floor(model.covariances(), &floor).len();
        }
    }

    pub(crate) fn regularizer(&self) -> &Regularizer {
        &self.regularizer
    }

    /// Rescues so far, a start below the floor included: each may lower the likelihood.
    pub(crate) fn n_rescues(&self) -> usize {
        self.n_rescues
    }

    pub(crate) fn n_singular(&self) -> usize {
        self.held.len() + self.n_below
    }

    /// Whether a mixture that no M-step made keeps to the floor and is more than a point.
    pub(crate) fn allows(&self, model: &GaussianMixture) -> bool {
        let above = match &self.regularizer {
            Regularizer::Floor(floor) => {
                self.held.is_empty() && blocks_below_floor(model.covariances(), floor).is_empty()
            }
            _ => true,
        };
        above && point_mass(model.covariances()).is_none()
    }

    /// The M-step, repeated after each rescue. Every round repairs or removes one component, so it ends.
    ///
    /// `previous` is the mixture that the statistics were gathered with.
    pub(crate) fn maximize(
        &mut self,
        mut statistics: SufficientStatistics,
        previous: Option<&GaussianMixture>,
        iteration: usize,
    ) -> Result<GaussianMixture, Error> {
        // A start's own statistics know nothing of it.
        statistics.proportions = self.proportions;
        if std::mem::take(&mut self.n_below) > 0 {
            self.n_rescues += 1;
        }
        if statistics.n_components() < self.n_components {
            self.few_distinct_rows(statistics.n_components())?;
        }
        loop {
            let error = match self.attempt(&statistics, previous, iteration) {
                Err(error @ (Error::Empty { .. } | Error::Collapsed { .. })) => error,
                other => return other,
            };
            self.rescue(&mut statistics, iteration, error)?;
        }
    }

    fn few_distinct_rows(&mut self, found: usize) -> Result<(), Error> {
        let asked = std::mem::replace(&mut self.n_components, found);
        // Components that were dropped later have an event of their own.
        if self.n_rescues > 0 {
            return Ok(());
        }
        if self.policy == Rescue::Fail {
            return Err(Error::TooFewDistinctRows {
                found,
                n_components: asked,
            });
        }
        self.events.push(Event::FewDistinctRows { found, asked });
        Ok(())
    }

    /// One M-step. A component whose rows sum to less than rounding of all is empty: it changes no bit of the likelihood, so that a fit
    /// would seem to have converged whatever became of it (a component of 1e-70 rows came back to two of the wine data, shrunk to the floor).
    fn attempt(
        &mut self,
        statistics: &SufficientStatistics,
        previous: Option<&GaussianMixture>,
        iteration: usize,
    ) -> Result<GaussianMixture, Error> {
        let maximized = statistics
            .maximize_with(
                &self.regularizer,
                previous.map(GaussianMixture::covariances),
            )
            .map_err(|error| match error {
                Error::Empty {
                    component,
                    occupancy,
                    ..
                } => Error::Empty {
                    component,
                    iteration,
                    occupancy,
                },
                other => other,
            })?;
        if let Some((component, pivot)) = point_mass(&maximized.covariances) {
            return Err(Error::Collapsed {
                component,
                iteration,
                pivot,
            });
        }
        let repairs = maximized.repairs.clone();
        let model = statistics.mixture(maximized).map_err(|error| match error {
            gmm_core::Error::NotPositiveDefinite { component, pivot } => Error::Collapsed {
                component,
                iteration,
                pivot,
            },
            other => other.into(),
        })?;
        for repair in repairs.iter().filter(|r| !self.held.contains(&r.component)) {
            let (component, n_directions) = (repair.component, repair.n_directions);
            self.events.push(Event::Floored {
                component,
                iteration,
                n_directions,
            });
        }
        self.held = repairs.into_iter().map(|r| r.component).collect();
        Ok(model)
    }

    fn rescue(
        &mut self,
        statistics: &mut SufficientStatistics,
        iteration: usize,
        error: Error,
    ) -> Result<(), Error> {
        let (component, collapsed) = match error {
            Error::Empty { component, .. } => (component, false),
            Error::Collapsed { component, .. } => (component, true),
            other => return Err(other),
        };
        let shared = statistics
            .covariance_type()
            .n_blocks(statistics.n_components())
            == 1;
        match self.policy {
            Rescue::Fail => return Err(error),
            Rescue::Floor(f) if collapsed => {
                // Already at this floor: nothing more can be done. Under a prior the objective would change its meaning.
                if matches!(
                    self.regularizer,
                    Regularizer::Floor(_) | Regularizer::Prior(_)
                ) {
                    return Err(error);
                }
                self.regularizer =
                    Regularizer::Floor(self.summary.variances().iter().map(|v| f * v).collect());
            }
            // One matrix for all: no component is to blame.
            _ if collapsed && shared => return Err(error),
            Rescue::Reseed if self.n_reseeds < MAX_RESEEDS && self.reseeded < iteration => {
                let row = statistics
                    .least_likely
                    .map_or_else(|| self.farthest_row(), |least| least.0);
                self.reseeded = iteration;
                self.reseed(statistics, component, row);
                self.n_reseeds += 1;
                self.events.push(Event::Reseeded {
                    component,
                    iteration,
                    row,
                });
            }
            _ if statistics.n_components() == 1 => return Err(error),
            _ => {
                let occupancy = statistics.moments[component].occupancy;
                statistics.remove(component);
                self.n_components = statistics.n_components();
                self.held.retain(|k| *k != component);
                self.held
                    .iter_mut()
                    .filter(|k| **k > component)
                    .for_each(|k| *k -= 1);
                self.events.push(Event::Dropped {
                    component,
                    iteration,
                    occupancy,
                });
            }
        }
        self.n_rescues += 1;
        Ok(())
    }

    /// The row of positive weight farthest from the mean, in standard deviations of the data.
    fn farthest_row(&self) -> usize {
        let (mean, variances) = (&self.summary.moments.mean, self.summary.variances());
        let distance = |row: usize| -> f64 {
            (0..mean.len())
                .filter(|&j| variances[j] > 0.0)
                .map(|j| {
                    let value = self.summary.frame.to_frame(j, self.x.value(row, j));
                    (value - mean[j]).powi(2) / variances[j]
                })
                .sum()
        };
        let counts = |row: &usize| self.x.weights().is_none_or(|w| w[*row] > 0.0);
        (0..self.x.n_samples())
            .filter(counts)
            .map(|row| (row, distance(row)))
            .reduce(|best, row| if row.1 > best.1 { row } else { best })
            .map_or(0, |(row, _)| row)
    }

    /// Mean on a row, the covariance of all data, the average occupancy.
    fn reseed(&self, statistics: &mut SufficientStatistics, component: usize, row: usize) {
        for j in 0..statistics.n_features() {
            statistics.shifts[(component, j)] =
                self.summary.frame.to_frame(j, self.x.value(row, j));
        }
        let mut moments = Moments {
            mean: vec![0.0; statistics.n_features()],
            ..self.summary.moments.clone()
        };
        moments.scale(1.0 / statistics.n_components() as f64);
        statistics.moments[component] = moments;
    }
}
