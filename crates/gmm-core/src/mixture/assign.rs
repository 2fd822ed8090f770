//! Which component a row belongs to, and how doubtful that is.

use super::GaussianMixture;
use crate::block::BLOCK_ROWS;
use crate::kernels::{most_probable, sum_others};
use crate::{Error, Samples};

impl GaussianMixture {
    /// The most probable component of each row; n_components for rows that are most probably noise.
    ///
    /// # Errors
    /// As [`GaussianMixture::log_density`].
    pub fn predict<'a>(&self, x: impl Into<Samples<'a>>) -> Result<Vec<usize>, Error> {
        let x = x.into();
        let mut out = self.output(x, 1, 0usize)?;
        self.by_block(x, 1, &mut out, |model, block, scratch, out| {
            model.responsibilities_of_block(block, scratch);
            let mut labels = [0; BLOCK_ROWS];
            most_probable(&scratch.joint, &mut labels);
            for (out, label) in out.iter_mut().zip(labels) {
                *out = label as usize;
            }
        })?;
        Ok(out)
    }

    /// 1 - maxₖ rᵢₖ for each row: the probability that [`GaussianMixture::predict`] names the wrong component (mclust's uncertainty), from 0 to
    /// 1 - 1 / n_classes.
    ///
    /// Taken as the sum of the other responsibilities, so that it keeps its digits where the row is as good as certain.
    ///
    /// ```
    /// use gmm_core::faer::mat;
    /// use gmm_core::{Covariances, GaussianMixture};
    ///
    /// let model = GaussianMixture::new(vec![0.5, 0.5], mat![[-1.0], [1.0]], Covariances::spherical(&[1.0, 1.0], 1)?)?;
    /// let uncertainty = model.uncertainty(&mat![[0.0], [1.0], [40.0]])?;
    /// assert_eq!(uncertainty[0], 0.5);
    /// // r = 1 / (1 + exp(-2 x)), so the other has exp(-80) at 40.
    /// assert!((uncertainty[2] / (-80f64).exp() - 1.0).abs() < 1e-12);
    /// # Ok::<(), gmm_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`GaussianMixture::log_density`].
    pub fn uncertainty<'a>(&self, x: impl Into<Samples<'a>>) -> Result<Vec<f64>, Error> {
        let x = x.into();
        let mut out = self.output(x, 1, 0.0)?;
        self.by_block(x, 1, &mut out, |model, block, scratch, out| {
            model.responsibilities_of_block(block, scratch);
            let (mut labels, mut others) = ([0; BLOCK_ROWS], [0.0; BLOCK_ROWS]);
            most_probable(&scratch.joint, &mut labels);
            sum_others(&scratch.joint, &labels, &mut others);
            out.copy_from_slice(&others[..out.len()]);
        })?;
        Ok(out)
    }
}
