//! One centre for all components that are near it.
//!
//! Distances and moments begin with x - μₖ: a step for each number and component. Where μₖ is near the middle c of all means,
//! W (x - μₖ) = W (x - c) + W (c - μₖ), in which the differences x - c are those of all such components, taken once per block, and the second term
//! is that of all rows. Sums about c are moved to their own mean, as those about μₖ are.
//!
//! |x - c| ≤ |x - μₖ| + 3 σ, so that a distance loses two bits at the most, and a sum of squares three or four. A component that is farther from c than
//! three of its standard deviations, in any feature, keeps its own differences.
//!
//! Sums about one place are also taken side by side ([`SharedSums`](crate::covariance::SharedSums)), since zᵢ zⱼ is the same for all components.

use faer::Mat;
use pulp::Arch;

use super::{GaussianMixture, Term};
use crate::block::Block;
use crate::covariance::{Factor, Structure};
use crate::kernels::{Centre, Plain, n_side_by_side, padded};
use crate::{Aligned, Covariances};

/// Standard deviations from the centre up to which a component is near it.
const NEAR: f64 = 3.0;
/// Of fewer features, differences are little beside what else a row takes (a pass over two took 2 % more with a centre, over three the same), but
/// components that are summed side by side need one.
const FEW_FEATURES: usize = 3;
/// Of more features, a difference is little beside its products, and the same rows of all of them don't fit into the first cache.
const MOST_FEATURES: usize = 64;

/// Dense sums of one component over more features are taken in panels.
const MOST_SUMMED: usize = 16;

/// Whether sums of one component about the centre are cheaper than about the mean: see [`CentredBlock::near_sums`].
pub(super) fn sums_spare(is_dense: bool, n_features: usize) -> bool {
    !is_dense || n_features <= MOST_SUMMED
}

/// Expert: a block about the centre of a mixture, the median of its means, and which components are near it.
#[derive(Clone, Debug, Default)]
pub struct CentredBlock {
    /// x - centre: see [`crate::kernels::operations::Centred`].
    z: Aligned<f64>,
    centre: Vec<f64>,
    is_near: Vec<bool>,
}

impl CentredBlock {
    /// The differences of the block's rows from the centre, and the centre; `None` where a component is not near it.
    pub fn near(&self, component: usize) -> Option<(&[f64], &[f64])> {
        let is_near = self.is_near.get(component).copied().unwrap_or(false);
        is_near.then_some((&self.z, &self.centre))
    }

    /// [`near`](Self::near), where sums of the component alone, for moments of a structure, are cheaper about the centre: many features are summed in
    /// panels, where a difference is next to nothing.
    pub fn near_sums(&self, component: usize, structure: Structure) -> Option<(&[f64], &[f64])> {
        let is_dense = structure == Structure::Dense;
        self.near(component)
            .filter(|(_, centre)| sums_spare(is_dense, centre.len()))
    }

    /// Which components are near the centre, the differences from it and the centre, where some are.
    pub fn sharing(&self) -> Option<(&[bool], &[f64], &[f64])> {
        let is_any = self.is_near.contains(&true);
        is_any.then_some((&self.is_near, &self.z, &self.centre))
    }

    /// No component is near what is not known.
    pub fn clear(&mut self) {
        self.is_near.clear();
    }

    /// The block about the centre of a mixture, if that spares anything.
    pub(super) fn read(&mut self, model: &GaussianMixture, block: &Block) {
        self.clear();
        if model.terms.iter().all(|term| term.origin.is_none()) {
            return;
        }
        let is_near = |term: &Term| term.origin.is_some();
        self.is_near.extend(model.terms.iter().map(is_near));
        self.centre.clone_from(&model.centre);
        let len = model.n_features() * padded::<f64>();
        if self.z.len() != len {
            self.z = Aligned::zeros(len);
        }
        Arch::new().dispatch(Centre {
            differences: Plain {
                x: block.values(),
                shift: &self.centre,
            },
            z: &mut self.z,
        });
    }
}

/// The median of the means, feature by feature: a few components far away don't move it, and it follows an offset to the last bit, since it
/// consists of numbers of theirs.
pub(super) fn centre(means: &Mat<f64>) -> Vec<f64> {
    let median = |j: usize| {
        let mut values: Vec<f64> = means.col(j).iter().copied().collect();
        let middle = (values.len() - 1) / 2;
        *values.select_nth_unstable_by(middle, f64::total_cmp).1
    };
    (0..means.ncols()).map(median).collect()
}

/// Wₖ (c - μₖ) of each component that is near the centre c; of none where that spares nothing.
pub(super) fn origins(
    means: &Mat<f64>,
    covariances: &Covariances,
    factors: &[Factor],
    centre: &[f64],
) -> Vec<Option<Vec<f64>>> {
    let none = vec![None; means.nrows()];
    if centre.len() > MOST_FEATURES {
        return none;
    }
    let origin = |k: usize| {
        let mut z: Vec<f64> = (0..centre.len())
            .map(|j| centre[j] - means[(k, j)])
            .collect();
        let is_near = |(j, z): (usize, &f64)| z.abs() <= NEAR * covariances.entry(k, j, j).sqrt();
        if !z.iter().enumerate().all(is_near) {
            return None;
        }
        factors[if factors.len() == 1 { 0 } else { k }].whiten(&mut z);
        z.iter().all(|z| z.is_finite()).then_some(z)
    };
    let origins: Vec<_> = (0..means.nrows()).map(origin).collect();
    let n_near = origins.iter().flatten().count();
    // One alone would share its differences with none.
    // (Of so few features it does not matter whether the sums are dense.)
    let spares = if centre.len() <= FEW_FEATURES {
        n_side_by_side::<f64>(n_near, centre.len(), false) > 0
    } else {
        n_near > 1
    };
    if spares { origins } else { none }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::{BLOCK_ROWS, Frame};
    use crate::mixture::Scratch;
    use crate::{CovarianceType, Samples};

    const D: usize = 4;

    /// Two components near the centre and one that is not, and the middle of a table of their rows.
    fn near_and_far(form: CovarianceType) -> (GaussianMixture, Block) {
        let means = Mat::from_fn(3, D, |k, j| [-1.0, 1.5, 40.0][k] + 0.25 * j as f64);
        let entry = |i: usize, j: usize| match (form, i == j) {
            (CovarianceType::Full, false) => 0.3,
            (_, false) => 0.0,
            (CovarianceType::Spherical, true) => 2.0,
            (_, true) => 1.0 + i as f64,
        };
        let block: Vec<f64> = match form {
            CovarianceType::Full => (0..D * D).map(|at| entry(at / D, at % D)).collect(),
            CovarianceType::Diag => (0..D).map(|j| entry(j, j)).collect(),
            _ => vec![2.0],
        };
        let covariances = Covariances::new(form, 3, D, vec![block; 3]).unwrap();
        let model = GaussianMixture::new(vec![0.6, 0.38, 0.02], means, covariances).unwrap();
        let x = Mat::from_fn(BLOCK_ROWS, D, |i, j| {
            ((i * 29 + j * 53) % 97) as f64 / 2.0 - 5.0
        });
        let mut block = Block::new(D);
        let samples = Samples::from(&x);
        block.fill(&samples, 0, &Frame::identity(D)).unwrap();
        (model, block)
    }

    /// A component alone is its own centre and needs none.
    #[test]
    fn components_near_the_centre_are_evaluated_as_alone() {
        for form in [
            CovarianceType::Full,
            CovarianceType::Diag,
            CovarianceType::Spherical,
        ] {
            let (model, block) = near_and_far(form);
            let mut scratch = Scratch::new(&model);
            model.log_joint_of_block(&block, &mut scratch);
            let near: Vec<bool> = (0..4)
                .map(|k| scratch.about_centre.near(k).is_some())
                .collect();
            assert_eq!(near, [true, true, false, false]);
            for k in 0..3 {
                let mean = Mat::from_fn(1, D, |_, j| model.means()[(k, j)]);
                let block_of = vec![model.covariances().block(k).to_vec()];
                let covariances = Covariances::new(form, 1, D, block_of).unwrap();
                let alone = GaussianMixture::new(vec![1.0], mean, covariances).unwrap();
                let mut own = Scratch::new(&alone);
                alone.log_joint_of_block(&block, &mut own);
                assert!(own.about_centre.near(0).is_none());
                // log-joint densities are relative to the first component's, which all share.
                let joints = scratch.joint[k * BLOCK_ROWS..].iter().zip(own.joint.iter());
                for (found, alone) in joints {
                    // A distance sums squares of up to 4 terms twice over; whitened numbers are at most three times the size of the rest, and the
                    // constants below 10.
                    let expected = alone + model.weights()[k].ln();
                    let bound = 3.0 * 11.0 * f64::EPSILON * 9.0 * (10.0 + expected.abs());
                    assert!(
                        (found - expected).abs() <= bound,
                        "{form}: {found} {expected}"
                    );
                }
            }
        }
    }

    /// The centre of one component and of several that are not near it spares nothing, and a compact block does without.
    #[test]
    fn a_block_is_centred_where_that_spares_something() {
        let (model, block) = near_and_far(CovarianceType::Diag);
        let mut scratch = Scratch::new(&model);
        model.log_joint_of_block(&block, &mut scratch);
        assert!(scratch.about_centre.near(0).is_some());
        scratch.about_centre.clear();
        assert!(scratch.about_centre.near(0).is_none());
        let apart = Mat::from_fn(3, D, |k, _| 10.0 * k as f64);
        let covariances = Covariances::spherical(&[1.0; 3], D).unwrap();
        let apart = GaussianMixture::new(vec![0.25, 0.5, 0.25], apart, covariances).unwrap();
        // The one in the middle is at the centre, alone.
        assert_eq!(apart.centre, [10.0; D]);
        let mut scratch = Scratch::new(&apart);
        apart.log_joint_of_block(&block, &mut scratch);
        assert!(scratch.about_centre.near(1).is_none());
    }
}
