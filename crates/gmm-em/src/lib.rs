//! The Expectation-Maximization algorithm for Gaussian mixtures.
//!
//! # Is this crate for me?
//! Yes, if you know how many components you want (or have a start) and want the mixture and an honest account of the fit. To
//! choose the number of components and the covariance form take `gmm-select`; to use a fitted mixture, `gmm-core` is enough.
//!
//! # Guide
//! ```
//! use gmm_core::faer::MatRef;
//! use gmm_core::CovarianceType;
//! use gmm_em::Em;
//!
//! let table = [1.0, 1.2, 0.8, 0.9, 1.1, 5.0, 5.3, 4.8, 5.1, 4.9];
//! let x = MatRef::from_row_major_slice(&table, 10, 1); // no copy
//! let fit = Em::new(2).covariance(CovarianceType::Full).seed(7).fit(x)?;
//! assert!(fit.report().converged());
//! println!("{}", fit.report()); // converged after 4 iterations, mean log-likelihood 0.0557, no repairs
//! let model = fit.into_model();
//! assert!((model.means()[(0, 0)] - 1.0).abs() < 1e-6);
//! # Ok::<(), gmm_em::Error>(())
//! ```
//!
//! - A fit makes one pass over the data per iteration, block by block; responsibilities are never stored.
//! - Sample weights count: a weight of 2 is the row twice. See [`gmm_core::Samples::with_weights`].
//! - Data are centred and scaled internally by exact powers of two ([`gmm_core::block::Frame`]), so neither units nor offsets cost digits.
//! - The likelihood never falls: with [`Regularization::None`] and [`Regularization::Floor`] the log-likelihood, with
//!   [`Regularization::Prior`] the log-likelihood plus log prior. Debug builds assert it in every iteration.
//! - Outliers get a class of their own on request ([`Em::noise`]), so that they don't inflate a component.
//! - What the fit does to save itself is an [`Event`] in its [`Report`].
//!
//! # Expert layer
//! [`SufficientStatistics`] are what one E-step leaves of the data. They merge, so that parts of the data can be observed by
//! other threads, processes or machines.

mod acceleration;
mod beginning;
mod blocks;
mod compact;
mod em;
mod error;
mod expectation;
mod foresight;
mod gathering;
mod hierarchy;
mod history;
mod kmeans;
mod maximize;
mod memory;
mod noise;
mod pass;
mod precision;
mod regularization;
mod report;
mod rescue;
mod single;
mod sketch;
mod split;
mod start;
mod statistics;
mod stopping;
mod summary;
mod tied;
#[cfg(feature = "serde")]
mod wire;

pub use acceleration::Acceleration;
pub use beginning::Beginning;
pub use em::{Em, Fit, Watcher};
pub use error::Error;
pub use foresight::Foresight;
pub use hierarchy::Hierarchy;
pub use noise::NoiseVolume;
pub use precision::Precision;
pub use regularization::{ConjugatePrior, Regularization};
pub use report::{Event, Progress, Report, Stop};
pub use rescue::Rescue;
pub use split::SplitMerge;
pub use start::{Initialization, Start, derived_seed};
pub use statistics::SufficientStatistics;
pub use stopping::Stopping;
