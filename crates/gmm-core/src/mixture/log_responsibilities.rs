//! Logarithms of responsibilities, with all their digits also where the responsibilities are 0.

use faer::Mat;

use super::{GaussianMixture, Scratch};
use crate::block::{BLOCK_ROWS, Block};
use crate::{Error, Samples};

impl GaussianMixture {
    /// log rᵢₖ = log P(component k | xᵢ) in nats, n_samples x n_components; with noise one more column.
    ///
    /// More than the logarithm of [`responsibilities`](Self::responsibilities): it goes on below 1e-308, where those are 0, and
    /// more than the difference of [`log_joint`](Self::log_joint) and [`log_density`](Self::log_density), whose common part (690 nats per feature
    /// at a scale of 1e-150) would cost three digits. -inf for a component of weight 0.
    ///
    /// ```
    /// use gmm_core::{Covariances, GaussianMixture, faer::mat};
    ///
    /// let model = GaussianMixture::new(vec![0.5, 0.5], mat![[0.0], [100.0]], Covariances::spherical(&[1.0, 1.0], 1)?)?;
    /// let x = mat![[0.0]];
    /// assert_eq!(model.responsibilities(&x)?[(0, 1)], 0.0);
    /// assert_eq!(model.log_responsibilities(&x)?[(0, 1)], -5000.0);
    /// # Ok::<(), gmm_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`GaussianMixture::log_density`].
    pub fn log_responsibilities<'a>(&self, x: impl Into<Samples<'a>>) -> Result<Mat<f64>, Error> {
        self.table(
            x.into(),
            self.n_classes(),
            Self::log_responsibilities_of_block,
        )
    }

    /// As [`responsibilities_of_block`](Self::responsibilities_of_block), with logarithms in `scratch.joint`.
    fn log_responsibilities_of_block(&self, block: &Block, scratch: &mut Scratch) {
        self.log_joint_of_block(block, scratch);
        let mut log_joint = scratch.joint.clone();
        self.normalize_block(block, scratch);
        for i in 0..BLOCK_ROWS {
            let lanes = || (i..log_joint.len()).step_by(BLOCK_ROWS);
            // f64::max passes over a NaN, which stands for an infinite distance.
            let largest = lanes().fold(f64::NEG_INFINITY, |m, at| m.max(log_joint[at]));
            if largest == f64::NEG_INFINITY {
                lanes().for_each(|at| log_joint[at] = scratch.joint[at].ln());
                continue;
            }
            // log r = (joint - m) - log Σ exp(joint - m), and the sum is the reciprocal of the largest responsibility. What is
            // near 0 is never added to m, which may be 1e300.
            let log_largest = lanes().fold(0.0f64, |r, at| r.max(scratch.joint[at])).ln();
            for at in lanes() {
                let log_r = (log_joint[at] - largest) + log_largest;
                log_joint[at] = if log_r.is_nan() {
                    f64::NEG_INFINITY
                } else {
                    log_r
                };
            }
        }
        scratch.joint = log_joint;
    }
}
