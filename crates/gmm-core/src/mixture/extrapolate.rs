//! Steps beyond a second mixture along the line from a first one: what accelerated fits need.

use faer::Mat;

use super::{GaussianMixture, Noise};
use crate::covariance::project;
use crate::{Covariances, Error};

impl GaussianMixture {
    /// Expert: the mixture at `self + step (to - self)` in coordinates without bounds: log weights, means, and Cholesky
    /// factors with log diagonals (log standard deviations for diagonal and spherical covariances). Weights are
    /// divided by their sum. Forms that such lines leave (VEE and those with axes of their own) take the nearest matrices of the form. A
    /// step of 1 is `to`; a larger one goes beyond, and always is a valid mixture unless it leaves the range of f64.
    ///
    /// # Errors
    /// [`Error::ComponentCount`], [`Error::ParameterFeatures`] if the mixtures differ in shape, and those of
    /// [`GaussianMixture::new`] if the result leaves the range of f64.
    pub fn extrapolate(&self, to: &Self, step: f64) -> Result<Self, Error> {
        let (n, d) = (self.n_components(), self.n_features());
        if to.n_components() != n {
            return Err(Error::ComponentCount {
                parameter: "means",
                found: to.n_components(),
                expected: n,
            });
        }
        if to.n_features() != d || to.covariance_type() != self.covariance_type() {
            return Err(Error::ParameterFeatures {
                found: to.n_features(),
                expected: d,
            });
        }
        let linear = |a: f64, b: f64| a + step * (b - a);
        let geometric = |a: f64, b: f64| a * (b / a).powf(step);
        // A dead component stays dead: its logarithm has no line to follow.
        let weight = |(a, b): (&f64, &f64)| {
            if *a > 0.0 && *b > 0.0 {
                geometric(*a, *b)
            } else {
                *b
            }
        };
        let weights: Vec<f64> = self.weights.iter().zip(&to.weights).map(weight).collect();
        // Noise is a class like others; one that the other mixture hasn't is none of the result's.
        let noise_weight = match (self.noise, to.noise) {
            (Some(a), Some(b)) => weight((&a.weight(), &b.weight())),
            (None, Some(b)) => b.weight(),
            (_, None) => 0.0,
        };
        let sum: f64 = weights.iter().sum::<f64>() + noise_weight;
        let noise = (to.noise)
            .map(|noise| Noise::new(noise_weight / sum, noise.log_density()))
            .transpose()?;
        let means = Mat::from_fn(n, d, |k, j| linear(self.means[(k, j)], to.means[(k, j)]));
        let weights: Vec<f64> = weights.into_iter().map(|w| w / sum).collect();
        let blocks: Vec<Vec<f64>> = (self.factors.iter().zip(&to.factors))
            .map(|(a, b)| a.extrapolate_covariance(b, &linear, &geometric))
            .collect();
        let form = self.covariance_type();
        let covariances = if form.keeps_lines() {
            Covariances::new(form, n, d, blocks)?
        } else {
            project(&weights, &blocks, to.covariances())?
        };
        Ok(Self {
            proportions: to.proportions,
            ..Self::checked(weights, means, covariances, noise)?
        })
    }
}
