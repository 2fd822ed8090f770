//! Which component a row belongs to, and how doubtful that is.

use super::GaussianMixture;
use super::evaluate::Scratch;
use crate::block::BLOCK_ROWS;
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
            for (i, label) in out.iter_mut().enumerate() {
                *label = model.most_probable(scratch, i);
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
            for (i, uncertainty) in out.iter_mut().enumerate() {
                let best = model.most_probable(scratch, i);
                let others = (0..model.n_classes()).filter(|k| *k != best);
                *uncertainty = others.map(|k| scratch.joint[k * BLOCK_ROWS + i]).sum();
            }
        })?;
        Ok(out)
    }

    /// The class of the largest responsibility of a row of the block, the first of equals.
    fn most_probable(&self, scratch: &Scratch, row: usize) -> usize {
        let r = |k: usize| scratch.joint[k * BLOCK_ROWS + row];
        (1..self.n_classes()).fold(0, |best, k| if r(k) > r(best) { k } else { best })
    }
}
