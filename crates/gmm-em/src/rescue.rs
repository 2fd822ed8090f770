//! The M-step with a policy for components that lost their rows or their variance.

use gmm_core::covariance::{Moments, Regularizer, is_above_floor};
use gmm_core::{Covariances, GaussianMixture, Samples};

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
    /// The component is put on the least likely row, with the covariance of all data and an average weight. At most ten times
    /// per fit, then it is dropped.
    Reseed,
    /// A covariance without variance is held at this part of the data's variances from then on; an empty component is dropped.
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

/// Does the M-steps of one fit and keeps account of the repairs.
pub(crate) struct Rescuer<'a> {
    policy: Rescue,
    x: Samples<'a>,
    summary: &'a Summary,
    regularizer: Regularizer,
    pub(crate) events: Vec<Event>,
    /// Components that the floor held in the last M-step.
    held: Vec<usize>,
    n_components: usize,
    n_rescues: usize,
    n_reseeds: usize,
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
            x,
            summary,
            regularizer,
            events: Vec::new(),
            held: Vec::new(),
            n_components: em.n_components,
            n_rescues: 0,
            n_reseeds: 0,
        }
    }

    pub(crate) fn regularizer(&self) -> &Regularizer {
        &self.regularizer
    }

    /// Drops and reseeds so far: each may lower the likelihood.
    pub(crate) fn n_rescues(&self) -> usize {
        self.n_rescues
    }

    pub(crate) fn n_singular(&self) -> usize {
        self.held.len()
    }

    /// Whether a mixture that no M-step made keeps to the floor and is more than a point.
    pub(crate) fn allows(&self, model: &GaussianMixture) -> bool {
        let above = match &self.regularizer {
            Regularizer::Floor(floor) => {
                self.held.is_empty() && is_above_floor(model.covariances(), floor)
            }
            _ => true,
        };
        above && point_mass(model.covariances()).is_none()
    }

    /// The M-step, repeated after each rescue. Every round repairs or removes one component, so it ends.
    pub(crate) fn maximize(
        &mut self,
        mut statistics: SufficientStatistics,
        iteration: usize,
    ) -> Result<GaussianMixture, Error> {
        if statistics.n_components() < self.n_components {
            self.few_distinct_rows(statistics.n_components())?;
        }
        loop {
            let error = match self.attempt(&statistics, iteration) {
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

    fn attempt(
        &mut self,
        statistics: &SufficientStatistics,
        iteration: usize,
    ) -> Result<GaussianMixture, Error> {
        let maximized =
            statistics
                .maximize_with(&self.regularizer)
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
                // Already at this floor: nothing more can be done.
                if matches!(self.regularizer, Regularizer::Floor(_)) {
                    return Err(error);
                }
                self.regularizer =
                    Regularizer::Floor(self.summary.variances().iter().map(|v| f * v).collect());
            }
            // One matrix for all: no component is to blame.
            _ if collapsed && shared => return Err(error),
            Rescue::Reseed if self.n_reseeds < MAX_RESEEDS => {
                let row = statistics.least_likely.map_or(0, |least| least.0);
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
