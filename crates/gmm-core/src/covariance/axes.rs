//! Covariances along given axes: the coordinates, or the principal axes of each component's own scatter.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};
use rayon::prelude::*;

use super::floor::Floor;
use super::maximize::Estimate;
use super::spectrum::Spectrum;
use super::{CovarianceType, Covariances, Moments, Structure, Variation};
use crate::symmetric::Eigen;

/// EII, VII, EEI, VEI, EVI, VVI: the axes are the coordinates, so only the diagonals of the scatters count.
pub(super) fn along_coordinates(
    form: CovarianceType,
    groups: &[Moments],
    floor: Option<&Floor>,
    previous: Option<&Covariances>,
) -> Estimate {
    let diagonal = |m: &Moments| (0..m.mean.len()).map(|j| m.entry(j, j)).collect();
    let spectrum = Spectrum {
        counts: groups.iter().map(|m| m.occupancy).collect(),
        scatters: groups.iter().map(diagonal).collect(),
        floor: floor.map(|f| &f.variances[..]),
    };
    let mut blocks = spectrum.variances(form, previous);
    let mut n_held = spectrum.n_held(&blocks);
    if form.structure() == Structure::Isotropic {
        blocks.iter_mut().for_each(|b| b.truncate(1));
        n_held.iter_mut().for_each(|n| *n = usize::from(*n > 0));
    }
    Estimate { blocks, n_held }
}

/// EEV, VEV: the axes of each component are those of its scatter, its longest axis getting the largest of the shared variances
/// (Celeux and Govaert 1995, §3.3: tr(W D A⁻¹ D') is least so, whatever the volumes).
pub(super) fn along_own_axes(
    form: CovarianceType,
    groups: &[Moments],
    floor: Option<&Floor>,
    previous: Option<&Covariances>,
) -> Estimate {
    let principal: Vec<Eigen> = groups.par_iter().map(principal_axes).collect();
    let spectrum = Spectrum {
        counts: groups.iter().map(|m| m.occupancy).collect(),
        scatters: principal.iter().map(|e| e.values.clone()).collect(),
        floor: floor.map(|f| &f.variances[..]),
    };
    let variances = spectrum.variances(form, previous);
    let n_held = spectrum.n_held(&variances);
    // Of a shared spectrum there is one row.
    let rows = variances.iter().cycle();
    let blocks = (principal.iter().zip(rows)).map(|(e, v)| matrix(&e.vectors, v));
    let n_blocks = groups.len();
    Estimate {
        blocks: blocks.collect(),
        n_held: n_held.into_iter().cycle().take(n_blocks).collect(),
    }
}

/// Principal axes of a scatter and the sums of squares along them.
fn principal_axes(m: &Moments) -> Eigen {
    let d = m.mean.len();
    let mut eigen = Eigen::or_diagonal(dense(m).as_ref());
    // Rounding may leave sums of squares below 0.
    eigen.values.iter_mut().for_each(|v| *v = v.max(0.0));
    debug_assert_eq!(eigen.values.len(), d);
    eigen
}

/// The scatter as a matrix.
pub(super) fn dense(m: &Moments) -> Mat<f64> {
    let d = m.mean.len();
    Mat::from_fn(d, d, |i, j| m.entry(i.max(j), i.min(j)))
}

/// Q diag(variances) Q', row by row.
pub(super) fn matrix(axes: &Mat<f64>, variances: &[f64]) -> Vec<f64> {
    let d = variances.len();
    let scaled = Mat::from_fn(d, d, |i, j| axes[(i, j)] * variances[j]);
    let mut product = Mat::zeros(d, d);
    matmul(
        product.as_mut(),
        Accum::Replace,
        scaled.as_ref(),
        axes.transpose(),
        1.0,
        Par::Seq,
    );
    super::symmetric(d, |i, j| product[(i, j)])
}

/// Whether the variances along the axes are the same for all components.
pub(super) fn is_shared_spectrum(form: CovarianceType) -> bool {
    form.volume() == Variation::Equal && form.shape() != Variation::Variable
}
