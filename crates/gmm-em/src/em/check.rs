//! What is checked before the first iteration.

use gmm_core::Samples;
use gmm_core::covariance::Structure;

use super::Em;
use crate::rescue::POINT_MASS;
use crate::summary::Summary;
use crate::{Error, Regularization};

impl Em {
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
}
