//! The M-step for a form and a regularizer: moments in, means and covariances out, with every repair reported.

use std::borrow::Cow;

use faer::Mat;

use super::axes::{along_coordinates, along_own_axes};
use super::common::along_common_axes;
use super::floor::Floor;
use super::matrices::free_matrices;
use super::{CovarianceType, Covariances, Moments, Prior, Variation};
use crate::Error;

/// What keeps covariances away from singularity, in the coordinates of the moments.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Regularizer {
    /// Plain maximum likelihood.
    None,
    /// Maximum likelihood under the constraint Σₖ ⪰ diag(floor), one positive number per feature; forms that rotations or circles
    /// tie to one unit have the mean of the floors in all directions. Where each matrix is free, the constrained maximum is known
    /// exactly: in coordinates where the floor is the identity, the eigenvalues of the sample covariance that are below 1
    /// become 1 (its derivation is that of the eigenvalue constraints of Ingrassia and Rocci 2007). So the likelihood never falls.
    Floor(Vec<f64>),
    /// Adds one number per feature to the variances of the rows of each component; not the maximum of anything, so the
    /// likelihood may fall.
    Ridge(Vec<f64>),
    /// Maximum a posteriori under a conjugate prior.
    Prior(Prior),
}

/// A covariance that was held at the floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repair {
    /// The component (0 for a covariance that all components share).
    pub component: usize,
    /// Number of directions (eigenvalues, variances) at the floor.
    pub n_directions: usize,
}

/// Means and covariances of an M-step.
#[derive(Clone, Debug)]
pub struct Maximized {
    /// n_components x n_features.
    pub means: Mat<f64>,
    /// The covariances; positive definite unless the moments are singular and nothing regularizes.
    pub covariances: Covariances,
    /// What the floor held.
    pub repairs: Vec<Repair>,
}

/// Blocks of covariances, and in how many directions the floor holds each.
pub(super) struct Estimate {
    pub(super) blocks: Vec<Vec<f64>>,
    pub(super) n_held: Vec<usize>,
}

/// The M-step: means and covariances that maximize the (regularized) expected log-likelihood given the moments.
///
/// Some forms (VEI, VEE, VEV, EVE, VVE) have no closed solution. Their search begins at `previous`, the covariances that the moments were
/// gathered with, and never ends below them; without it, at a guess from the moments.
///
/// `shifts` (row per component) is what the moments' means are relative to. All occupancies must be positive.
///
/// # Errors
/// [`Error::Floor`] for a floor that is not positive and finite, those of [`Covariances::new`] when moments leave the range of f64.
pub fn maximize(
    form: CovarianceType,
    shifts: &Mat<f64>,
    moments: &[Moments],
    regularizer: &Regularizer,
    previous: Option<&Covariances>,
) -> Result<Maximized, Error> {
    let (n, d) = (moments.len(), shifts.ncols());
    let mut means = Mat::from_fn(n, d, |k, j| shifts[(k, j)] + moments[k].mean[j]);
    let groups = match regularizer {
        Regularizer::None | Regularizer::Floor(_) => Cow::Borrowed(moments),
        Regularizer::Ridge(ridge) => {
            Cow::Owned(moments.iter().map(|m| widened(m, ridge)).collect())
        }
        Regularizer::Prior(prior) => Cow::Owned(prior.join(form, moments, shifts, &mut means)),
    };
    let floor = match regularizer {
        Regularizer::Floor(floor) => Some(Floor::new(form, floor)?),
        _ => None,
    };
    let known = |c: &&Covariances| c.form() == form && c.n_components() == n && c.n_features() == d;
    let Estimate { blocks, n_held } =
        estimate(form, &groups, floor.as_ref(), previous.filter(known));
    let repairs = (n_held.into_iter().enumerate())
        .filter(|(_, n_directions)| *n_directions > 0)
        .map(|(component, n_directions)| Repair {
            component,
            n_directions,
        });
    Ok(Maximized {
        means,
        repairs: repairs.collect(),
        covariances: Covariances::new(form, n, d, blocks)?,
    })
}

/// The form's covariances that are nearest to other matrices, one per component: Σₖ πₖ KL(N(·, given Σₖ) ‖ N(·, new Σₖ)) is least, which
/// is the M-step for them. `previous` is where the search begins.
pub(crate) fn project(
    weights: &[f64],
    matrices: &[Vec<f64>],
    previous: &Covariances,
) -> Result<Covariances, Error> {
    let (form, d) = (previous.form(), previous.n_features());
    let group = |(weight, matrix): (&f64, &Vec<f64>)| {
        // A component of weight 0 has a covariance all the same.
        let occupancy = weight.max(f64::MIN_POSITIVE);
        let lower = (0..d).flat_map(|i| (0..=i).map(move |j| i * d + j));
        Moments {
            occupancy,
            mean: vec![0.0; d],
            scatter: lower.map(|at| occupancy * matrix[at]).collect(),
        }
    };
    let groups: Vec<Moments> = weights.iter().zip(matrices).map(group).collect();
    let blocks = estimate(form, &groups, None, Some(previous)).blocks;
    Covariances::new(form, weights.len(), d, blocks)
}

/// Covariance blocks of a form from groups of positive occupancy: one per component, and one more for what a prior adds to a
/// shared matrix.
fn estimate(
    form: CovarianceType,
    groups: &[Moments],
    floor: Option<&Floor>,
    previous: Option<&Covariances>,
) -> Estimate {
    match (form.shape(), form.orientation()) {
        (_, Variation::Identity) | (Variation::Identity, _) => {
            along_coordinates(form, groups, floor, previous)
        }
        (Variation::Equal, Variation::Variable) => along_own_axes(form, groups, floor, previous),
        (Variation::Variable, Variation::Equal) => along_common_axes(form, groups, floor, previous),
        (Variation::Equal, Variation::Equal) | (Variation::Variable, Variation::Variable) => {
            free_matrices(form, groups, floor, previous)
        }
    }
}

/// Moments of the same rows with noise of these variances.
fn widened(m: &Moments, variances: &[f64]) -> Moments {
    let mut m = m.clone();
    let is_diagonal = m.scatter.len() == variances.len();
    for (j, variance) in variances.iter().enumerate() {
        let at = if is_diagonal { j } else { j * (j + 1) / 2 + j };
        m.scatter[at] += m.occupancy * variance;
    }
    m
}
