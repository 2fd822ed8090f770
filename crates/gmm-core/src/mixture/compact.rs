//! The E-step of a compact block: components that are proved irrelevant to all of its rows are left out, and rows that a component is proved
//! irrelevant to.
//!
//! Where there are many components, most of them say nothing about most rows. In a block whose rows lie together that can be
//! proved for all rows at once: an ellipsoid {c + L u : ‖u‖ ≤ ρ} holds them, and for each row x and every unit vector e
//! ‖W (x - μ)‖ ≥ e'W (x - μ) ≥ e'W (c - μ) - ρ ‖L'W'e‖. With e along W (c - μ) this is a lower bound on the Mahalanobis distance for
//! 3 D² flop, where the distances of the 256 rows take 256 · D².
//!
//! That holds all directions of all rows at once. Where it is not enough, the rows' own projections on e bound their distances for 2 D flop
//! each, against what each row has reached. With a dense covariance a component is evaluated at those rows alone that it may say something about, where
//! they are few.

use pulp::Arch;

use super::evaluate::Term;
use super::{Bounds, Ellipsoid, GaussianMixture, Scratch};
use crate::Aligned;
use crate::block::{BLOCK_ROWS, Block};
use crate::kernels::{CentreAt, Line, ListedNorm, Raise, Reach, normalize_joint};

/// The largest responsibility, as a part of the component's weight, that may be left out: 2^-58. Where all that is left out of a
/// component in N rows is that small, it is below 2^-58 of the N πₖ rows that its weight stands for, and its part of the scatter below
/// 2^-58 times the squared distance: 1e-14 within 60 standard deviations, so that rows farther from every component leave out nothing.
/// (A component that loses all but a part of 2^-30 of its rows in one step may lose some digits of what is left.)
pub const NEGLIGIBLE: f64 = f64::from_bits((1023 - 58) << 52);
/// -ln of it.
const NEGLIGIBLE_NATS: f64 = 58.0 * std::f64::consts::LN_2;
/// Half the squared distance of a row that is 60 standard deviations away.
const FAR_NATS: f64 = 1800.0;

impl GaussianMixture {
    /// Expert: responsibilities and log-densities of the rows of a block that an ellipsoid holds, without the components
    /// whose responsibilities are proved to be below [`NEGLIGIBLE`] times their weight in every row of positive weight. Others may be 0 in rows where that is
    /// proved.
    ///
    /// The [`bounds`](Self::bounds) are of several ellipsoids, of which this one has number `lane`.
    ///
    /// Writes the rows of `scratch.joint` for the components in `scratch.active` only; log-densities are too small by less than
    /// [`NEGLIGIBLE`]. Rows of weight 0 hold anything. The answer says whether every row that counts is near enough to some component
    /// for anything to be left out, by this function or the caller. With noise nothing is left out.
    pub fn responsibilities_of_compact_block(
        &self,
        block: &Block,
        ellipsoid: &Ellipsoid,
        bounds: &Bounds,
        lane: usize,
        scratch: &mut Scratch,
    ) -> bool {
        if self.noise.is_some() {
            scratch.active.clear();
            scratch.active.extend(0..self.n_components());
            scratch.n_pairs += self.n_components() * BLOCK_ROWS;
            self.responsibilities_of_block(block, scratch);
            return false;
        }
        scratch.about_centre.clear();
        let far = self.far();
        let bounds = bounds.falling(lane);
        self.centre_block(block, ellipsoid, scratch);
        let mut largest = [f64::NEG_INFINITY; BLOCK_ROWS];
        for (largest, weight) in largest.iter_mut().zip(block.weights()) {
            if *weight == 0.0 {
                *largest = f64::INFINITY;
            }
        }
        let mut least = f64::NEG_INFINITY;
        scratch.active.clear();
        let mut direction = vec![0.0; self.n_features()];
        for bound in bounds {
            let k = bound.component();
            // Of a component of few rows.
            let mut whitener = None;
            if least > far {
                if bound.log_density() <= least - NEGLIGIBLE_NATS {
                    break;
                }
                bound.direction(&mut direction);
                let reach = Reach {
                    z: &scratch.whitened,
                    direction: &direction,
                    distance: bound.distance(),
                    constant: bound.constant(),
                    reached: &largest,
                    below: NEGLIGIBLE_NATS,
                };
                let marks = Arch::new().dispatch(reach);
                if marks.is_empty() {
                    continue;
                }
                whitener = (self.factor(k).whitener())
                    .filter(|_| scratch.listed.take(&marks, self.n_features()));
            }
            let at = scratch.active.len() * BLOCK_ROWS;
            let joint = &mut scratch.joint[at..at + BLOCK_ROWS];
            match whitener {
                Some(whitener) => {
                    joint.fill(f64::NEG_INFINITY);
                    let Term { mean, constant, .. } = &self.terms[k];
                    Arch::new().dispatch(ListedNorm {
                        whitener,
                        x: block.values(),
                        mean,
                        listed: &scratch.listed,
                        centred: &mut scratch.centred,
                        line: Line::log_joint(*constant),
                        out: joint,
                    });
                }
                None => self.log_joint_of_component(k, block, &mut scratch.centred, joint),
            }
            scratch.active.push(k);
            scratch.n_pairs += whitener.map_or(BLOCK_ROWS, |_| scratch.listed.cost());
            least = Arch::new().dispatch(Raise {
                reached: &mut largest,
                joint,
                weights: block.weights(),
            });
        }
        let n_lanes = scratch.active.len() * BLOCK_ROWS;
        let joint = &mut scratch.joint[..n_lanes];
        if !normalize_joint(joint, self.log_offset(), &mut scratch.log_density) {
            return least > far;
        }
        for i in (0..block.len()).filter(|&i| block.weights()[i] > 0.0) {
            // Such a row is far, so that nothing was left out.
            if scratch.log_density[i] == f64::NEG_INFINITY {
                let nearest = self.nearest(block, i);
                if let Some(slot) = scratch.active.iter().position(|k| *k == nearest) {
                    joint[slot * BLOCK_ROWS + i] = 1.0;
                }
            }
        }
        least > far
    }

    /// Expert: whether rows of at least this log-density are near enough to some component for the responsibilities of others to be left out that are below
    /// [`NEGLIGIBLE`] times the component's weight. With noise nothing is left out.
    pub fn leaves_out(&self, least_log_density: f64) -> bool {
        // The largest of K terms is at least a K-th of their sum.
        let largest = least_log_density - self.log_offset() - (self.n_components() as f64).ln();
        self.noise.is_none() && largest > self.far()
    }

    /// The log-joint density, without the offset, up to which a row is far from a component.
    fn far(&self) -> f64 {
        let constants = self.terms.iter().map(|term| term.constant);
        constants.fold(f64::NEG_INFINITY, f64::max) - FAR_NATS
    }

    /// x - c of the block, in `scratch.whitened`.
    fn centre_block(&self, block: &Block, ellipsoid: &Ellipsoid, scratch: &mut Scratch) {
        let whitened = &mut scratch.whitened;
        if whitened.len() != block.values().len() {
            *whitened = Aligned::zeros(block.values().len());
        }
        Arch::new().dispatch(CentreAt {
            x: block.values(),
            centre: &ellipsoid.centre,
            z: whitened,
            stride: BLOCK_ROWS,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::Frame;
    use crate::{Covariances, Samples};
    use faer::Mat;

    /// 40 round components on a line, at distances of so many standard deviations, and a block of rows at `rows` of them.
    fn line(variance: f64, apart: f64, rows: [f64; 3]) -> (GaussianMixture, Block) {
        let sd = variance.sqrt();
        let means = Mat::from_fn(40, 1, |k, _| k as f64 * apart * sd);
        let covariances = Covariances::spherical(&[variance; 40], 1).unwrap();
        let model = GaussianMixture::new(vec![1.0 / 40.0; 40], means, covariances).unwrap();
        let x = Mat::from_fn(3, 1, |i, _| rows[i] * sd);
        let mut block = Block::new(1);
        block
            .fill(&Samples::from(&x), 0, &Frame::identity(1))
            .unwrap();
        (model, block)
    }

    fn compact(model: &GaussianMixture, block: &Block, scratch: &mut Scratch) -> bool {
        let ellipsoid = [Ellipsoid::around(block)];
        let bounds = model.bounds(&ellipsoid);
        let [ellipsoid] = ellipsoid.map(Option::unwrap);
        model.responsibilities_of_compact_block(block, &ellipsoid, &bounds, 0, scratch)
    }

    #[test]
    fn rows_near_a_component_leave_out_the_far_ones() {
        let (model, block) = line(1.0, 50.0, [-0.5, 0.0, 0.5]);
        let mut scratch = Scratch::new(&model);
        assert!(compact(&model, &block, &mut scratch));
        assert_eq!(scratch.active, [0]);
    }

    /// Of three rows one lies between two components, which are at 12 standard deviations from each other.
    #[test]
    fn a_component_is_evaluated_at_the_rows_that_it_may_say_something_about() {
        let means = Mat::from_fn(40, 1, |k, _| 12.0 * k as f64);
        let covariances = Covariances::full(&vec![Mat::from_fn(1, 1, |_, _| 1.0); 40]).unwrap();
        let model = GaussianMixture::new(vec![1.0 / 40.0; 40], means, covariances).unwrap();
        let (_, block) = line(1.0, 12.0, [0.0, 0.5, 6.0]);
        let mut scratch = Scratch::new(&model);
        assert!(compact(&model, &block, &mut scratch));
        assert_eq!(scratch.active, [0, 1]);
        let second = &scratch.joint[BLOCK_ROWS..][..3];
        assert_eq!(second[..2], [0.0; 2]);
        assert!((second[2] - 0.5).abs() < 1e-15);
        // The first component at all rows of the block, the second at one, which costs 25.
        assert_eq!(scratch.n_pairs, BLOCK_ROWS + 25);
    }

    /// Up to 60 standard deviations, in any unit; with noise nothing is left out.
    #[test]
    fn what_is_near_is_told_by_its_density() {
        for variance in [1.0, 1e-300, 1e290] {
            for (distance, is_near) in [(0.0, true), (59.5, true), (60.5, false), (1e3, false)] {
                let (model, _) = line(variance, 50.0, [0.0; 3]);
                let x = Mat::from_fn(1, 1, |_, _| -distance * variance.sqrt());
                let least = model.log_density(&x).unwrap()[0];
                assert_eq!(model.leaves_out(least), is_near, "{variance} {distance}");
            }
        }
        let (model, _) = line(1.0, 50.0, [0.0; 3]);
        assert!(!model.leaves_out(f64::NEG_INFINITY));
        let noise = crate::Noise::new(0.1, -5.0).unwrap();
        assert!(!model.with_noise(noise).unwrap().leaves_out(-1.0));
    }

    #[test]
    fn rows_far_from_every_component_leave_out_nothing() {
        // At 100 standard deviations a part of 2^-58 of a row still counts; at 1e160 every squared distance overflows.
        for (variance, rows) in [
            (1.0, [-100.0, -100.5, -101.0]),
            (1e-310, [-1e160, -1.1e160, -1.2e160]),
            (1e-310, [-1e160, 0.0, 0.5]),
        ] {
            let (model, block) = line(variance, 50.0, rows);
            let mut scratch = Scratch::new(&model);
            let mut dense = scratch.clone();
            assert!(!compact(&model, &block, &mut scratch));
            assert_eq!(scratch.active.len(), 40);
            model.responsibilities_of_block(&block, &mut dense);
            for (slot, &k) in scratch.active.iter().enumerate() {
                for i in 0..3 {
                    let (one, other) = (
                        scratch.joint[slot * BLOCK_ROWS + i],
                        dense.joint[k * BLOCK_ROWS + i],
                    );
                    assert!((one - other).abs() <= 1e-15, "{k} {i}: {one} {other}");
                }
            }
        }
    }
}
