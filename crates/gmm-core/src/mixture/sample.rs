//! Draws from a mixture.

use faer::Mat;
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use super::GaussianMixture;
use crate::Error;

/// Rows drawn from a mixture, with the component each came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// n_samples x n_features.
    pub x: Mat<f64>,
    /// The component of each row.
    pub labels: Vec<usize>,
}

impl GaussianMixture {
    /// Draws independent rows: a component by its weight, then μₖ + Lₖ z with z standard normal.
    ///
    /// The same generator state gives the same rows; a longer sample begins with the shorter one.
    ///
    /// # Errors
    /// [`Error::TooLarge`] if the rows don't fit into memory; [`Error::Noise`]: a mixture knows the volume of its noise, not its place.
    pub fn sample<R: Rng + ?Sized>(&self, n_samples: usize, rng: &mut R) -> Result<Sample, Error> {
        self.refuse_noise("sample")?;
        let d = self.n_features();
        let too_large = Error::TooLarge {
            rows: n_samples,
            columns: d,
        };
        let mut x = Mat::new();
        x.try_reserve(n_samples, d).map_err(|_| too_large.clone())?;
        x.resize_with(n_samples, d, |_, _| 0.0);
        let mut labels = Vec::new();
        labels.try_reserve_exact(n_samples).map_err(|_| too_large)?;
        let mut z = vec![0.0; d];
        for i in 0..n_samples {
            let k = self.draw_component(rng);
            z.fill_with(|| StandardNormal.sample(rng));
            self.factor(k).colour(&mut z);
            for (j, z) in z.iter().enumerate() {
                x[(i, j)] = self.means[(k, j)] + z;
            }
            labels.push(k);
        }
        Ok(Sample { x, labels })
    }

    /// The component in whose share of the cumulative weights a uniform number falls.
    fn draw_component<R: Rng + ?Sized>(&self, rng: &mut R) -> usize {
        // 53 random bits: a multiple of 2^-53 in [0, 1).
        let uniform = (rng.next_u64() >> 11) as f64 * (0.5 * f64::EPSILON);
        let total: f64 = self.weights.iter().sum();
        let mut rest = uniform * total;
        let mut last = 0;
        for (k, w) in self.weights.iter().enumerate().filter(|(_, w)| **w > 0.0) {
            last = k;
            if rest < *w {
                break;
            }
            rest -= w;
        }
        last
    }
}
