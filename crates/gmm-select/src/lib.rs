//! Choosing a Gaussian mixture: how many components, which covariance form, which start.
//!
//! # Is this crate for me?
//! Yes, if you have data and want to know how many groups are in them. If you know that, `gmm-em` fits them.
//!
//! # Guide
//! [`Search`] fits every combination of a number of components and a covariance form from several starts and compares them by
//! a [`Criterion`]; its [`Selection`] is a table that prints itself, marks the best and says what to be wary of.
//! [`MultiStart`] does the same for one combination.
//!
//! ```
//! use gmm_core::CovarianceType;
//! use gmm_core::faer::MatRef;
//! use gmm_select::{Criterion, Search};
//!
//! let table = [1.0, 1.2, 0.8, 0.9, 1.1, 5.0, 5.3, 4.8, 5.1, 4.9, 0.7, 1.3, 5.2, 4.7];
//! let x = MatRef::from_row_major_slice(&table, 14, 1);
//! let chosen = Search::over(1..=4).covariances([CovarianceType::Full, CovarianceType::Tied]).run(x)?;
//! assert_eq!(chosen.best().n_components(), 2);
//! assert_eq!(chosen.best_candidate().covariance, CovarianceType::Tied);
//! let runner_up = chosen.runner_up().and_then(|c| chosen.value(c));
//! assert!(runner_up > chosen.value(chosen.best_candidate()));
//! # Ok::<(), gmm_select::Error>(())
//! ```
//!
//! # How sure is it?
//! [`Combination`] makes clusters of components that overlap, [`Overlap`] and [`Pair`] say how much they do, and [`Diagnostics`] whether a component
//! is Gaussian and has rows enough. [`Bootstrap`] gives standard errors and intervals of all parameters, [`ComponentTest`] p-values for
//! numbers of components, and [`cross_validate`] the log-likelihood of rows that were held out.
//!
//! # Which criterion?
//! BIC asks which mixture the data came from, and is the default. AIC and AICc ask which predicts new rows best; for
//! densities that is the right question, for groups they keep too many. The two ICLs ask for well separated groups: they merge
//! what overlaps.

mod bootstrap;
mod chi_squared;
mod combine;
mod component_test;
mod criterion;
mod cross_validation;
mod diagnostics;
mod error;
mod finals;
mod folds;
mod held_out;
mod multi_start;
mod note;
mod overlap;
mod pair;
mod part;
mod race;
mod resampling;
mod rows;
mod scheduler;
mod scores;
mod search;
mod selection;
mod starts;

pub use bootstrap::{Bootstrap, Estimate, Precision, ReplicateProgress, ReplicateWatcher};
pub use combine::{Combination, Merge};
pub use component_test::{ComponentTest, Step, Tested};
pub use criterion::Criterion;
pub use cross_validation::{
    CrossValidation, FoldOutcome, cross_validate, cross_validate_watched, one_standard_error_rule,
};
pub use diagnostics::{ComponentShape, Diagnostics, Finding};
pub use error::Error;
pub use folds::Folds;
pub use multi_start::MultiStart;
pub use note::Note;
pub use overlap::Overlap;
pub use pair::Pair;
pub use scores::Scores;
pub use search::{Search, SearchProgress};
pub use selection::{Candidate, Fitted, Selection, Table};
pub use starts::{Origin, StartOutcome, Starts};
