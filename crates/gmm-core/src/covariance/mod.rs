//! Covariance forms: everything that depends on the *form* of a covariance matrix, one file per idea.
//!
//! A covariance matrix is Σₖ = λₖ Dₖ Aₖ Dₖ' (Banfield and Raftery 1993): a volume λₖ = |Σₖ|^(1/D), a shape Aₖ (diagonal, of
//! determinant 1) and an orientation Dₖ (orthogonal). A form says of each whether components share it ([`Variation`]); all else
//! follows from these three letters:
//! - how matrices are stored and evaluated ([`Structure`]), how many parameters they have, which changes of units they survive: here;
//! - the M-step ([`maximize()`]): variances along given axes (`spectrum`), along each component's own axes (`own`), along axes that all
//!   share (`common`), or matrices whose shape and orientation vary together (`matrices`).
//!
//! So a form is one line in `CovarianceType::letters`, and no file is about a single form.

mod axes;
mod common;
mod factor;
mod floor;
mod matrices;
mod maximize;
mod moments;
mod parameters;
mod prior;
mod shared;
mod spectrum;
mod sums;
mod volume;

use std::fmt;
use std::str::FromStr;

pub(crate) use factor::{Factor, SingleFactor};
pub use floor::blocks_below_floor;
pub(crate) use maximize::project;
pub use maximize::{Maximized, Regularizer, Repair, maximize};
pub use moments::Moments;
pub use parameters::Covariances;
pub use prior::Prior;
pub use shared::SharedSums;
pub use sums::MomentSums;

use crate::Error;
use crate::kernels::packed_len;

/// The form of the covariance matrices of a mixture, Σₖ = λₖ Dₖ Aₖ Dₖ' (volume, shape, orientation).
///
/// The three letters are those of Celeux and Govaert (1995) as used by mclust: E where all components share the property, V where
/// each has its own, I where shape or orientation are the identity (spheres; axes parallel to the coordinates).
///
/// | form | mclust | scikit-learn | volume | shape | orientation | free parameters | choose it when |
/// |---|---|---|---|---|---|---|---|
/// | `Full` | VVV | full | own | own | own | K D (D + 1) / 2 | there are many rows per component: nothing is assumed |
/// | `Evv` | EVV | | shared | own | own | K D (D + 1) / 2 - K + 1 | groups are equally large, otherwise unlike |
/// | `Vev` | VEV | | own | shared | own | K D (D + 1) / 2 - (K - 1)(D - 1) | groups are equally elongated, in directions of their own |
/// | `Eev` | EEV | | shared | shared | own | K D (D - 1) / 2 + D | the same ellipsoid, turned |
/// | `Vve` | VVE | | own | own | shared | K D + D (D - 1) / 2 | common principal axes (Flury 1984) |
/// | `Eve` | EVE | | shared | own | shared | 1 + K (D - 1) + D (D - 1) / 2 | common principal axes, equally large groups |
/// | `Vee` | VEE | | own | shared | shared | K - 1 + D (D + 1) / 2 | the same ellipsoid in several sizes |
/// | `Tied` | EEE | tied | shared | shared | shared | D (D + 1) / 2 | groups differ in their centres only (linear discriminants) |
/// | `Diag` | VVI | diag | own | own | coordinates | K D | features are independent within a group; many features |
/// | `Evi` | EVI | | shared | own | coordinates | 1 + K (D - 1) | the same, with equally large groups |
/// | `Vei` | VEI | | own | shared | coordinates | K + D - 1 | the same, with equally elongated groups |
/// | `Eei` | EEI | | shared | shared | coordinates | D | features have noise of their own, alike in all groups |
/// | `Spherical` | VII | spherical | own | spheres | | K | one noise in all directions; very few rows |
/// | `Eii` | EII | | shared | spheres | | 1 | what k-means assumes |
///
/// With one feature there are only two: one variance for all (E, all forms of shared volume) or one each (V).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CovarianceType {
    /// VVV: each component has a covariance matrix of its own.
    Full,
    /// EVV: matrices of their own, of the same volume.
    Evv,
    /// VEV: the same shape, with volumes and orientations of their own.
    Vev,
    /// EEV: the same volume and shape, with orientations of their own.
    Eev,
    /// VVE: the same principal axes.
    Vve,
    /// EVE: the same principal axes and volume.
    Eve,
    /// VEE: multiples of one matrix.
    Vee,
    /// EEE: all components share one covariance matrix.
    Tied,
    /// VVI: each component has a variance per feature, without correlation.
    Diag,
    /// EVI: a variance per feature and component, of the same volume.
    Evi,
    /// VEI: multiples of one variance per feature.
    Vei,
    /// EEI: all components share one variance per feature.
    Eei,
    /// VII: each component has one variance for all features.
    Spherical,
    /// EII: one variance for all features and components.
    Eii,
}

/// Whether components differ in a property of their covariance matrices; mclust's letters I, E and V.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Variation {
    /// The property is the identity: spheres, or axes parallel to the coordinates.
    Identity,
    /// All components share it.
    Equal,
    /// Each component has its own.
    Variable,
}

impl CovarianceType {
    /// All forms, the richest first.
    pub const ALL: [Self; 14] = [
        Self::Full,
        Self::Evv,
        Self::Vev,
        Self::Eev,
        Self::Vve,
        Self::Eve,
        Self::Vee,
        Self::Tied,
        Self::Diag,
        Self::Evi,
        Self::Vei,
        Self::Eei,
        Self::Spherical,
        Self::Eii,
    ];

    /// The four forms of scikit-learn, the richest first.
    pub const BASIC: [Self; 4] = [Self::Full, Self::Tied, Self::Diag, Self::Spherical];

    /// The name: "full", "tied", "diag", "spherical", as in scikit-learn, and mclust's letters for the others.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Tied => "tied",
            Self::Diag => "diag",
            Self::Spherical => "spherical",
            other => other.mclust_name(),
        }
    }

    /// The name in mclust, from "EII" to "VVV".
    pub fn mclust_name(self) -> &'static str {
        match self {
            Self::Full => "VVV",
            Self::Evv => "EVV",
            Self::Vev => "VEV",
            Self::Eev => "EEV",
            Self::Vve => "VVE",
            Self::Eve => "EVE",
            Self::Vee => "VEE",
            Self::Tied => "EEE",
            Self::Diag => "VVI",
            Self::Evi => "EVI",
            Self::Vei => "VEI",
            Self::Eei => "EEI",
            Self::Spherical => "VII",
            Self::Eii => "EII",
        }
    }

    /// Volume, shape and orientation: all that is to know of a form.
    fn letters(self) -> [Variation; 3] {
        use Variation::{Equal as E, Identity as I, Variable as V};
        match self {
            Self::Full => [V, V, V],
            Self::Evv => [E, V, V],
            Self::Vev => [V, E, V],
            Self::Eev => [E, E, V],
            Self::Vve => [V, V, E],
            Self::Eve => [E, V, E],
            Self::Vee => [V, E, E],
            Self::Tied => [E, E, E],
            Self::Diag => [V, V, I],
            Self::Evi => [E, V, I],
            Self::Vei => [V, E, I],
            Self::Eei => [E, E, I],
            Self::Spherical => [V, I, I],
            Self::Eii => [E, I, I],
        }
    }

    /// Whether components share their volume λₖ = |Σₖ|^(1/D).
    pub fn volume(self) -> Variation {
        self.letters()[0]
    }

    /// Whether components share their shape, the ratios of the variances along their axes.
    pub fn shape(self) -> Variation {
        self.letters()[1]
    }

    /// Whether components share their orientation, the directions of their axes.
    pub fn orientation(self) -> Variation {
        self.letters()[2]
    }

    /// Number of free parameters of the covariances of K components with D features: those of the volumes, shapes and orientations.
    pub fn n_covariance_parameters(self, n_components: usize, n_features: usize) -> usize {
        let d = n_features;
        let [volume, shape, orientation] = [
            (self.volume(), 1),
            (self.shape(), d.saturating_sub(1)),
            (self.orientation(), d * d.saturating_sub(1) / 2),
        ]
        .map(|(variation, each)| match variation {
            Variation::Identity => 0,
            Variation::Equal => each,
            Variation::Variable => n_components * each,
        });
        volume + shape + orientation
    }

    /// Number of free parameters of a mixture: K - 1 weights, K D means and the covariances.
    pub fn n_free_parameters(self, n_components: usize, n_features: usize) -> usize {
        n_components.saturating_sub(1)
            + n_components * n_features
            + self.n_covariance_parameters(n_components, n_features)
    }

    /// Whether the M-step has a closed solution. It has none where shape or axes are shared and what they belong to differs: VEI, VEE, VEV,
    /// EVE, VVE.
    pub fn has_closed_m_step(self) -> bool {
        !matches!(
            self.letters(),
            [Variation::Variable, Variation::Equal, _] | [_, Variation::Variable, Variation::Equal]
        )
    }

    /// The form of the same structure whose matrices are free: VVV, VVI or VII.
    pub fn freest(self) -> Self {
        match self.structure() {
            Structure::Dense => Self::Full,
            Structure::Diagonal => Self::Diag,
            Structure::Isotropic => Self::Spherical,
        }
    }

    /// Whether all components share one matrix (EII, EEI, EEE).
    pub fn is_shared(self) -> bool {
        self.letters().iter().all(|v| *v != Variation::Variable)
    }

    /// Number of blocks in which [`Covariances`] stores the matrices: one per component, or one that all share.
    pub fn n_blocks(self, n_components: usize) -> usize {
        if self.is_shared() { 1 } else { n_components }
    }

    /// Numbers per block: D² for dense matrices (row by row), D for diagonal ones, 1 for spherical ones.
    pub fn block_len(self, n_features: usize) -> usize {
        self.structure().block_len(n_features)
    }

    /// How the matrices are stored and evaluated.
    pub fn structure(self) -> Structure {
        match (self.shape(), self.orientation()) {
            (Variation::Identity, _) => Structure::Isotropic,
            (_, Variation::Identity) => Structure::Diagonal,
            _ => Structure::Dense,
        }
    }

    /// Whether the form is kept when each feature is given in units of its own: S Σₖ S with S diagonal has the same letters.
    ///
    /// Circles become ellipses, and axes that are no coordinates are turned, each component's by another angle. But multiples of one matrix
    /// stay multiples, and |S Σₖ S| = |S|² |Σₖ|, so that equal volumes stay equal.
    pub fn is_scale_free(self) -> bool {
        match (self.shape(), self.orientation()) {
            (Variation::Identity, _) => false,
            (_, Variation::Identity) => true,
            (shape, orientation) => shape == orientation,
        }
    }

    /// The form of a part of the features: parts of proportional matrices are proportional, whereas volumes, and axes other than the
    /// coordinates, are those of all features together.
    pub(crate) fn of_part(self) -> Self {
        match (self.shape(), self.orientation()) {
            (Variation::Identity, _)
            | (Variation::Equal, Variation::Identity | Variation::Equal) => self,
            (_, Variation::Identity) => Self::Diag,
            _ => Self::Full,
        }
    }

    /// Whether the lines between factors of two mixtures, entries linear and diagonals geometric, stay within the form: they keep
    /// determinants and, of diagonal matrices, proportions.
    pub(crate) fn keeps_lines(self) -> bool {
        self.structure() != Structure::Dense || matches!(self, Self::Full | Self::Evv | Self::Tied)
    }

    /// Whether two forms allow the same matrices: of one feature, volume is all there is.
    pub fn equals_for(self, other: Self, n_features: usize) -> bool {
        self == other || (n_features == 1 && self.volume() == other.volume())
    }
}

impl fmt::Display for CovarianceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for CovarianceType {
    type Err = Error;

    /// Reads a name of ours or of mclust, in any case; "E" and "V" are mclust's names for one feature.
    fn from_str(name: &str) -> Result<Self, Error> {
        let is_one_feature = |t: &Self| {
            let letter = match t {
                Self::Full => "V",
                Self::Tied => "E",
                _ => return false,
            };
            name.eq_ignore_ascii_case(letter)
        };
        Self::ALL
            .into_iter()
            .find(|t| {
                name.eq_ignore_ascii_case(t.name())
                    || name.eq_ignore_ascii_case(t.mclust_name())
                    || is_one_feature(t)
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

/// The lower triangle of a matrix, row by row.
pub(crate) fn lower_triangle(d: usize, entry: impl Fn(usize, usize) -> f64) -> Vec<f64> {
    let mut packed = Vec::with_capacity(packed_len(d));
    for i in 0..d {
        packed.extend((0..=i).map(|j| entry(i, j)));
    }
    packed
}

/// A symmetric matrix, row by row, from its lower triangle.
pub(crate) fn symmetric(d: usize, entry: impl Fn(usize, usize) -> f64) -> Vec<f64> {
    let mut block = vec![0.0; d * d];
    for i in 0..d {
        for j in 0..=i {
            let value = entry(i, j);
            block[i * d + j] = value;
            block[j * d + i] = value;
        }
    }
    block
}
