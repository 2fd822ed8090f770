//! Covariance forms: everything that depends on the *form* of a covariance matrix, one file per idea.
//!
//! # The contract of a form
//! A form is a file with a unit type that implements `Form`:
//! - `structure`, `shared`: how its matrices are stored and evaluated (dense, diagonal or isotropic; one for all components or one each);
//! - `n_parameters`: free parameters of its covariances;
//! - `scale_free`: whether the form is kept when features are given in other units;
//! - `maximize`: from moments to covariances, the M-step;
//! - `prior_count`: how many observations a conjugate prior of ν degrees of freedom is worth.
//!
//! A new form adds its file and its line in [`CovarianceType`] and `CovarianceType::form`, and touches nothing else.

mod diag;
mod factor;
mod full;
mod moments;
mod parameters;
mod regularize;
mod spherical;
mod tied;

use std::fmt;
use std::str::FromStr;

pub(crate) use factor::{Factor, SingleFactor};
pub use moments::Moments;
pub use parameters::Covariances;
pub use regularize::{Maximized, Prior, Regularizer, Repair, blocks_below_floor, maximize};

use crate::Error;

/// The form of the covariance matrices of a mixture.
///
/// | form | scikit-learn | mclust | what the components share | free parameters |
/// |---|---|---|---|---|
/// | `Full` | full | VVV | nothing | K D (D + 1) / 2 |
/// | `Tied` | tied | EEE | the whole matrix | D (D + 1) / 2 |
/// | `Diag` | diag | VVI | axes parallel to the coordinates | K D |
/// | `Spherical` | spherical | VII | shape and axes: circles | K |
///
/// The three-letter names are those of Celeux and Govaert (1995) as used by mclust: volume, shape, orientation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CovarianceType {
    /// Each component has a covariance matrix of its own (VVV).
    Full,
    /// All components share one covariance matrix (EEE).
    Tied,
    /// Each component has a variance per feature, without correlation (VVI).
    Diag,
    /// Each component has one variance for all features (VII).
    Spherical,
}

impl CovarianceType {
    /// All forms, the richest first.
    pub const ALL: [Self; 4] = [Self::Full, Self::Tied, Self::Diag, Self::Spherical];

    /// The name, as in scikit-learn: "full", "tied", "diag", "spherical".
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Tied => "tied",
            Self::Diag => "diag",
            Self::Spherical => "spherical",
        }
    }

    /// The name in mclust: "VVV", "EEE", "VVI", "VII".
    pub fn mclust_name(self) -> &'static str {
        match self {
            Self::Full => "VVV",
            Self::Tied => "EEE",
            Self::Diag => "VVI",
            Self::Spherical => "VII",
        }
    }

    /// The form's implementation: the one place where a form is chosen.
    pub(crate) fn form(self) -> &'static dyn Form {
        match self {
            Self::Full => &full::Full,
            Self::Tied => &tied::Tied,
            Self::Diag => &diag::Diag,
            Self::Spherical => &spherical::Spherical,
        }
    }

    /// Number of free parameters of the covariances of K components with D features.
    pub fn n_covariance_parameters(self, n_components: usize, n_features: usize) -> usize {
        self.form().n_parameters(n_components, n_features)
    }

    /// Number of free parameters of a mixture: K - 1 weights, K D means and the covariances.
    pub fn n_free_parameters(self, n_components: usize, n_features: usize) -> usize {
        n_components.saturating_sub(1)
            + n_components * n_features
            + self.n_covariance_parameters(n_components, n_features)
    }

    /// Number of blocks in which [`Covariances`] stores the matrices: one per component, or one that all share.
    pub fn n_blocks(self, n_components: usize) -> usize {
        if self.form().shared() {
            1
        } else {
            n_components
        }
    }

    /// Numbers per block: D² for dense matrices (row by row), D for diagonal ones, 1 for spherical ones.
    pub fn block_len(self, n_features: usize) -> usize {
        self.structure().block_len(n_features)
    }

    /// How the matrices are stored and evaluated.
    pub fn structure(self) -> Structure {
        self.form().structure()
    }

    /// Whether the form is kept when each feature is given in units of its own. A spherical covariance is not: circles
    /// become ellipses.
    pub fn is_scale_free(self) -> bool {
        self.form().scale_free()
    }
}

impl fmt::Display for CovarianceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for CovarianceType {
    type Err = Error;

    /// Reads a name of ours or of mclust, in any case.
    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|t| {
                name.eq_ignore_ascii_case(t.name()) || name.eq_ignore_ascii_case(t.mclust_name())
            })
            .ok_or(Error::UnknownForm)
    }
}

/// How a covariance matrix is stored and evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Structure {
    /// A symmetric matrix.
    Dense,
    /// A variance per feature.
    Diagonal,
    /// One variance.
    Isotropic,
}

impl Structure {
    /// Numbers that describe one matrix.
    pub fn block_len(self, n_features: usize) -> usize {
        match self {
            Self::Dense => n_features * n_features,
            Self::Diagonal => n_features,
            Self::Isotropic => 1,
        }
    }

    /// Numbers of the scatter that its M-step needs: the packed lower triangle, or the diagonal.
    pub fn scatter_len(self, n_features: usize) -> usize {
        match self {
            Self::Dense => crate::kernels::packed_len(n_features),
            Self::Diagonal | Self::Isotropic => n_features,
        }
    }
}

/// What a form provides; see the module's docs.
pub(crate) trait Form: Sync {
    fn structure(&self) -> Structure;
    fn shared(&self) -> bool;
    fn n_parameters(&self, n_components: usize, n_features: usize) -> usize;
    fn scale_free(&self) -> bool {
        true
    }
    /// Covariance blocks that maximize the expected log-likelihood given moments of positive occupancy.
    ///
    /// A conjugate prior enters as one more scatter (`prior_scatter`, a block of the form's structure) of `prior_count` observations.
    fn maximize(
        &self,
        moments: &[Moments],
        prior_scatter: Option<&[f64]>,
        prior_count: f64,
    ) -> Vec<Vec<f64>>;
    /// Observations that the conjugate prior counts for in one block's denominator (Fraley and Raftery 2007, table 2).
    fn prior_count(&self, degrees_of_freedom: f64, n_components: usize, n_features: usize) -> f64;
}
