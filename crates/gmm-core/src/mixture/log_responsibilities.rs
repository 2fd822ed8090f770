//! Logarithms of responsibilities, with all their digits also where the responsibilities are 0.

use faer::Mat;

use super::tiny::largest_of_lanes;
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
        let largest = largest_of_lanes(&log_joint);
        self.normalize_block(block, scratch);
        // log r = (joint - m) - log Σ exp(joint - m), and the sum is the reciprocal of the largest responsibility. What is
        // near 0 is never added to m, which may be 1e300.
        let log_largest = largest_of_lanes(&scratch.joint).map(f64::ln);
        let components = log_joint.chunks_exact_mut(BLOCK_ROWS);
        for (log_joint, r) in components.zip(scratch.joint.chunks_exact(BLOCK_ROWS)) {
            for (i, log_r) in log_joint.iter_mut().enumerate() {
                *log_r = if largest[i] == f64::NEG_INFINITY {
                    r[i].ln()
                } else {
                    let log_r = (*log_r - largest[i]) + log_largest[i];
                    if log_r.is_nan() {
                        f64::NEG_INFINITY
                    } else {
                        log_r
                    }
                };
            }
        }
        scratch.joint = log_joint;
    }
}
