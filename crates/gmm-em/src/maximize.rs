//! The M-step: from statistics to the next mixture.

use gmm_core::covariance::{self, Maximized, Regularizer, Structure};
use gmm_core::faer::Mat;
use gmm_core::{Covariances, GaussianMixture, Noise, Proportions};

use crate::regularization::Scale;
use crate::{Error, Regularization, SufficientStatistics};

/// Smallest occupancy whose moments are still exact: below, responsibilities are subnormal numbers.
const SMALLEST_OCCUPANCY: f64 = 1e-290;

impl SufficientStatistics {
    /// The M-step: the mixture that maximizes the (regularized) expected log-likelihood.
    ///
    /// The data's own scale, which relative regularization needs, is taken from the statistics: with noise, that of the other rows.
    ///
    /// Forms whose M-step is a search (VEI, VEE, VEV, EVE, VVE) begin it at a guess from the statistics, so that it may end in another
    /// local maximum than the mixture before: [`maximize_from`](Self::maximize_from) keeps the likelihood from falling.
    ///
    /// # Errors
    /// Those of [`estimate`](Self::estimate), and [`gmm_core::Error::NotPositiveDefinite`] for a collapsed component.
    pub fn maximize(&self, regularization: Regularization) -> Result<GaussianMixture, Error> {
        Ok(self.mixture(self.estimate(regularization)?)?)
    }

    /// The M-step, whose searches begin at the covariances of `previous`, the mixture that the statistics were gathered with.
    ///
    /// # Errors
    /// Those of [`maximize`](Self::maximize), and [`Error::StatisticsShape`] or [`Error::StatisticsClasses`] if the mixture has another shape,
    /// other noise or other proportions.
    pub fn maximize_from(
        &self,
        previous: &GaussianMixture,
        regularization: Regularization,
    ) -> Result<GaussianMixture, Error> {
        self.check_shape(
            previous.covariance_type(),
            previous.n_components(),
            previous.n_features(),
        )?;
        self.check_classes(&Self::of_model(previous, Mat::new()))?;
        let regularizer = self.regularizer(regularization)?;
        let maximized = self.maximize_with(&regularizer, Some(previous.covariances()))?;
        Ok(self.mixture(maximized)?)
    }

    /// Means and covariances of the M-step as they are: also singular ones, which make no mixture.
    ///
    /// # Errors
    /// [`Error::Setting`] for bad settings, [`Error::Empty`] for a component without rows, and with a floor
    /// [`Error::ConstantFeature`] for a feature without variance.
    pub fn estimate(&self, regularization: Regularization) -> Result<Maximized, Error> {
        self.maximize_with(&self.regularizer(regularization)?, None)
    }

    fn regularizer(&self, regularization: Regularization) -> Result<Regularizer, Error> {
        regularization.check()?;
        let scale = Scale::of_statistics(self);
        if matches!(regularization, Regularization::Floor(_)) {
            // A part of no variance is no floor.
            let is_constant = |v: &f64| *v <= 0.0 || v.is_nan();
            let constant = scale.variances.iter().position(is_constant);
            if let Some(feature) = constant
                && (self.form.structure() != Structure::Isotropic
                    || scale.variances.iter().all(is_constant))
            {
                let value = scale.mean[feature];
                return Err(Error::ConstantFeature { feature, value });
            }
        }
        regularization.resolve(&scale, self.form, self.n_components(), None)
    }

    /// Means and covariances of the M-step; the caller builds the mixture with [`SufficientStatistics::mixture`].
    pub(crate) fn maximize_with(
        &self,
        regularizer: &Regularizer,
        previous: Option<&Covariances>,
    ) -> Result<Maximized, Error> {
        // Where all rows are noise to rounding, the lightest component goes first.
        let noise = self.noise.map_or(0.0, |noise| noise.occupancy);
        let of_components: f64 = self.moments.iter().map(|m| m.occupancy).sum();
        let all_is_noise = of_components <= 2.0 * f64::EPSILON * noise;
        let lightest = (0..self.moments.len())
            .min_by(|&a, &b| (self.moments[a].occupancy).total_cmp(&self.moments[b].occupancy));
        let empty = self
            .moments
            .iter()
            .position(|m| m.occupancy <= SMALLEST_OCCUPANCY)
            .or(lightest.filter(|_| all_is_noise));
        if let Some(component) = empty {
            let occupancy = self.moments[component].occupancy;
            return Err(Error::Empty {
                component,
                iteration: 0,
                occupancy,
            });
        }
        Ok(covariance::maximize(
            self.form,
            &self.shifts,
            &self.moments,
            regularizer,
            previous,
        )?)
    }

    /// πₖ = Nₖ / Σ N (or all of them the mean of these) together with the means and covariances.
    pub(crate) fn mixture(&self, maximized: Maximized) -> Result<GaussianMixture, gmm_core::Error> {
        let of_components: f64 = self.moments.iter().map(|m| m.occupancy).sum();
        let total = of_components + self.noise.map_or(0.0, |noise| noise.occupancy);
        let weights = match self.proportions {
            Proportions::Equal => {
                vec![of_components / total / self.n_components() as f64; self.n_components()]
            }
            _ => self.moments.iter().map(|m| m.occupancy / total).collect(),
        };
        let Maximized {
            means, covariances, ..
        } = maximized;
        let noise = (self.noise)
            .map(|noise| Noise::new(noise.occupancy / total, noise.log_density))
            .transpose()?;
        let model = GaussianMixture::new_with_noise(weights, means, covariances, noise)?;
        match self.proportions {
            // What a new mixture has.
            Proportions::Free => Ok(model),
            other => model.with_proportions(other),
        }
    }
}
