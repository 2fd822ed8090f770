//! Gaussian mixtures as distributions: densities, responsibilities, sampling, marginals, conditionals.
//!
//! # Is this crate for me?
//! Yes, if you have a mixture (from a file, from `gmm-em`, from your own parameters) and want to use it: score rows, assign
//! them softly or hard, draw samples, condition on what you know. To fit a mixture to data take `gmm-em`, to choose
//! the number of components `gmm-select`.
//!
//! # Guide
//! ```
//! use gmm_core::faer::{Mat, mat};
//! use gmm_core::{Covariances, GaussianMixture};
//!
//! // Old Faithful, roughly: eruption length (min) and waiting time (min) in two groups.
//! let short = mat![[0.07, 0.44], [0.44, 33.7]];
//! let long = mat![[0.17, 0.94], [0.94, 36.0]];
//! let model = GaussianMixture::new(
//!     vec![0.36, 0.64],
//!     mat![[2.04, 54.5], [4.29, 80.0]],
//!     Covariances::full(&[short, long])?,
//! )?;
//!
//! let x = mat![[1.9, 52.0], [4.5, 83.0], [3.1, 120.0]];
//! assert_eq!(model.predict(&x)?, [0, 1, 1]);             // hard labels
//! let soft: Mat<f64> = model.responsibilities(&x)?;      // P(component | row), rows sum to 1
//! assert!(soft[(0, 0)] > 0.999);
//! let strange = model.log_density(&x)?;                  // low = anomaly
//! assert!(strange[2] < strange[0] - 10.0);
//! let waiting = model.conditional(&[(0, 4.0)])?;         // waiting time after an eruption of 4 minutes
//! assert!((waiting.mean()[0] - 78.4).abs() < 0.5);
//! # Ok::<(), gmm_core::Error>(())
//! ```
//!
//! All log-densities are in nats. Data are borrowed views ([`Samples`]) of f64 or f32 with any strides; nothing is copied.
//! Rows are evaluated in parallel on the current rayon pool; results don't depend on the number of threads.
//!
//! # Layers
//! [`GaussianMixture`] is all that most callers need. [`block`], [`kernels`], [`covariance`], [`symmetric`] and [`tree`] are the expert layer that
//! `gmm-em` is built on: they are public and tested, but may change in minor versions.

mod ahead;
mod aligned;
pub mod block;
mod cholesky;
pub mod covariance;
mod each;
mod error;
pub mod kernels;
mod mixture;
mod samples;
mod sum;
pub mod symmetric;
pub mod tree;

pub use faer;

pub use aligned::Aligned;
pub use covariance::{CovarianceType, Covariances};
pub use error::Error;
pub use mixture::{
    Bounds, CentredBlock, Discriminant, DiscriminantScratch, Ellipsoid, GaussianMixture,
    NEGLIGIBLE, Noise, Proportions, Sample, Scratch, SingleMixture, SingleScratch,
};
pub use samples::Samples;
pub use sum::CompensatedSum;
