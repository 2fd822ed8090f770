//! Expert layer: the loops in which the time goes, over the lanes of one [`Block`](crate::block::Block).
//!
//! Each kernel is a `pulp` operation: written once, generic over the instruction set, dispatched at run time to AVX-512,
//! AVX2 with FMA, or plain scalar code. Each has a textbook twin in the test kit and a property test that they agree.
//! On one machine the same instruction set is always chosen, so that a result keeps its bits.

mod assign;
mod differences;
mod exponential;
mod extremes;
mod frame;
mod marks;
mod mixture;
mod nearest;
mod panels;
mod product;
mod reach;
mod real;
mod responsibilities;
mod rows;
mod scaled;
mod scatter;
mod side_by_side;
mod stored;
pub(crate) mod triangle;
mod turn;
mod whiten;

pub use assign::{most_probable, sum_others};
pub(crate) use differences::{Differences, Halves, InPanels, Narrow, Plain, Single, halves};
pub use exponential::{exp_nonpositive, exp_nonpositive_single, ln_of_normal};
pub use extremes::{clear_up_to, largest, weighted_range};
pub(crate) use frame::to_frame;
pub use marks::{Marks, above};
pub(crate) use mixture::Normalize;
pub use mixture::normalize_joint;
pub use nearest::keep_nearest;
pub(crate) use panels::PanelMemory;
pub use panels::Panels;
pub use product::LinearMap;
pub(crate) use reach::{Raise, Reach};
pub(crate) use real::Real;
pub use responsibilities::{distances_of_responsibilities, entropies};
pub use rows::{Listed, listed_sums};
pub(crate) use rows::{ListedNorm, ListedSums};
pub(crate) use scaled::ScaledNorm;
pub use scaled::scaled_norm;
pub(crate) use scatter::{DenseSums, DiagonalSums, StoredSums};
pub use scatter::{cross_sums, dense_sums, diagonal_sums, packed_len};
pub(crate) use side_by_side::{FEW, MANY, SumsSideBySide, n_side_by_side};
pub(crate) use stored::{Centre, CentreAt, Centred, Near, padded};
pub(crate) use turn::{SIDE, rows_to_lanes};
pub use whiten::Whitener;
pub(crate) use whiten::{Line, SquaredNorm};

/// The kernels as `pulp` operations, so that tests can run them on every instruction set of a machine
/// (`Arch::V3(..).dispatch(..)`), not only on the best one. The functions above check sizes; operations don't.
#[doc(hidden)]
pub mod operations {
    pub use super::assign::{MostProbable, SumOthers};
    pub use super::differences::{Differences, Halves, InPanels, Lanes, Narrow, Plain, Single};
    pub use super::marks::Above;
    pub use super::mixture::Normalize;
    pub use super::nearest::KeepNearest;
    pub use super::panels::{PanelMemory, ReadPanels};
    pub use super::product::Apply;
    pub use super::real::Real;
    pub use super::responsibilities::{DistancesOfResponsibilities, Entropies};
    pub use super::rows::{ListedNorm, ListedSums};
    pub use super::scaled::ScaledNorm;
    pub use super::scatter::{CrossSums, DenseSums, DiagonalSums, StoredSums};
    pub use super::side_by_side::SumsSideBySide;
    pub use super::stored::{Centre, Centred, Near, padded};
    pub use super::whiten::{Line, SquaredNorm};
}

/// Those of this machine on which the kernels' own tests run them.
#[cfg(test)]
pub(crate) fn instruction_sets() -> Vec<pulp::Arch> {
    let mut sets = vec![pulp::Arch::Scalar, pulp::Arch::new()];
    #[cfg(target_arch = "x86_64")]
    sets.extend(pulp::x86::V3::try_new().map(pulp::Arch::V3));
    sets
}
