//! The E-step of a compact block: components that are proved irrelevant to all of its rows are left out.
//!
//! Where there are many components, most of them say nothing about most rows. In a block whose rows lie together that can be
//! proved for all rows at once: an ellipsoid {c + L u : ‖u‖ ≤ ρ} holds them, and for each row x and every unit vector e
//! ‖W (x - μ)‖ ≥ e'W (x - μ) ≥ e'W (c - μ) - ρ ‖L'W'e‖. With e along W (c - μ) this is a lower bound on the Mahalanobis distance for
//! 3 D² flop, where the distances of the 256 rows take 256 · D².

use faer::Mat;
use pulp::{Arch, Simd, WithSimd};

use super::{GaussianMixture, Scratch};
use crate::block::{BLOCK_ROWS, Block};
use crate::cholesky::Cholesky;
use crate::covariance::{Moments, Structure};
use crate::kernels::{Panels, Whitener, normalize_joint};

/// The largest responsibility, as a part of the component's weight, that may be left out: 2^-58. Where all that is left out of a
/// component in N rows is that small, it is below 2^-58 of the N πₖ rows that its weight stands for, and its part of the scatter below
/// 2^-58 times the squared distance: 1e-14 within 60 standard deviations, so that rows farther from every component leave out nothing.
/// (A component that loses all but a part of 2^-30 of its rows in one step may lose some digits of what is left.)
pub const NEGLIGIBLE: f64 = f64::from_bits((1023 - 58) << 52);
/// -ln of it.
const NEGLIGIBLE_NATS: f64 = 58.0 * std::f64::consts::LN_2;
/// Bounds on distances are shortened by this part, which is more than their rounding.
const ROUNDING: f64 = 1e-6;
/// Half the squared distance of a row that is 60 standard deviations away.
const FAR_NATS: f64 = 1800.0;

/// An ellipsoid that holds the rows of positive weight of a block.
#[derive(Clone, Debug)]
pub struct Ellipsoid {
    centre: Vec<f64>,
    /// Rows of L, up to the diagonal.
    lower: Vec<f64>,
    radius: f64,
}

impl Ellipsoid {
    /// The ellipsoid of the rows' own covariance about their mean; `None` if no row counts.
    pub fn around(block: &Block) -> Option<Self> {
        let d = block.n_features();
        let counts = |i: &usize| block.weights()[*i] > 0.0;
        let first = (0..block.len()).find(counts)?;
        let mut r = [0.0; BLOCK_ROWS];
        for (r, weight) in r.iter_mut().zip(block.weights()) {
            *r = if *weight > 0.0 { 1.0 } else { 0.0 };
        }
        let shift: Vec<f64> = (0..d).map(|j| block.feature(j)[first]).collect();
        let zeros = Moments::zeros(Structure::Dense, d);
        let (mut moments, mut part, mut panels) = (zeros.clone(), zeros, Panels::default());
        panels.read(block.values());
        moments.observe(block, &r, &shift, &mut part, &mut panels);
        let centre: Vec<f64> = shift
            .iter()
            .zip(&moments.mean)
            .map(|(s, m)| s + m)
            .collect();
        let mut shape = Mat::from_fn(d, d, |a, b| {
            moments.entry(a.max(b), a.min(b)) / moments.occupancy
        });
        let size = (0..d).map(|j| shape[(j, j)]).sum::<f64>() / d as f64;
        // Any shape is right; a round part makes that of few or equal rows regular.
        for j in 0..d {
            shape[(j, j)] += 1e-6 * (shape[(j, j)] + size);
        }
        let (mut centred, mut squared) = (vec![0.0; block.values().len()], [0.0; BLOCK_ROWS]);
        let mut radius = |whitener: &Whitener| {
            whitener.squared_norm(block.values(), &centre, &mut centred, &mut squared);
            let counted = (0..block.len()).filter(counts).map(|i| squared[i]);
            counted.fold(0.0, f64::max).sqrt()
        };
        let unit = |a: usize, b: usize| f64::from(u8::from(a == b));
        let Ok(factor) = Cholesky::new(shape.as_ref()) else {
            // All rows are one point, or nearly: a ball.
            return Some(Self {
                radius: radius(&Whitener::new(d, unit)),
                lower: packed(d, unit),
                centre,
            });
        };
        Some(Self {
            radius: radius(&Whitener::new(d, |a, b| factor.inverse[(a, b)])),
            lower: packed(d, |a, b| factor.lower[(a, b)]),
            centre,
        })
    }

    /// ‖L'a‖.
    #[inline(always)]
    fn extent(&self, a: &[f64], buffer: &mut [f64]) -> f64 {
        buffer.fill(0.0);
        let mut row = self.lower.as_slice();
        for (i, a) in a.iter().enumerate() {
            let (entries, rest) = row.split_at(i + 1);
            row = rest;
            for (sum, entry) in buffer.iter_mut().zip(entries) {
                *sum += a * entry;
            }
        }
        buffer.iter().map(|s| s * s).sum::<f64>().sqrt()
    }
}

/// The lower triangle of a matrix, row by row.
fn packed(d: usize, entry: impl Fn(usize, usize) -> f64) -> Vec<f64> {
    let entry = &entry;
    (0..d)
        .flat_map(|a| (0..=a).map(move |b| entry(a, b)))
        .collect()
}

impl GaussianMixture {
    /// Expert: responsibilities and log-densities of the rows of a block that an ellipsoid holds, without the components
    /// whose responsibilities are proved to be below [`NEGLIGIBLE`] times their weight in every row of positive weight.
    ///
    /// Writes the rows of `scratch.joint` for the components in `scratch.active` only; log-densities are too small by less than
    /// [`NEGLIGIBLE`]. Rows of weight 0 hold anything. The answer says whether every row that counts is near enough to some component
    /// for anything to be left out, by this function or the caller. With noise nothing is left out.
    pub fn responsibilities_of_compact_block(
        &self,
        block: &Block,
        ellipsoid: &Ellipsoid,
        scratch: &mut Scratch,
    ) -> bool {
        if self.noise.is_some() {
            scratch.active.clear();
            scratch.active.extend(0..self.n_components());
            self.responsibilities_of_block(block, scratch);
            return false;
        }
        let constants = self.terms.iter().map(|term| term.constant);
        let far = constants.fold(f64::NEG_INFINITY, f64::max) - FAR_NATS;
        let mut bounds: Vec<(f64, usize)> = self.log_density_bounds(ellipsoid);
        bounds.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let mut largest = [f64::NEG_INFINITY; BLOCK_ROWS];
        let mut least = f64::NEG_INFINITY;
        scratch.active.clear();
        for (bound, k) in bounds {
            if least > far && bound <= least - NEGLIGIBLE_NATS {
                break;
            }
            let at = scratch.active.len() * BLOCK_ROWS;
            let joint = &mut scratch.joint[at..at + BLOCK_ROWS];
            self.log_joint_of_component(k, block, &mut scratch.centred, joint);
            scratch.active.push(k);
            least = f64::INFINITY;
            for ((m, v), w) in largest.iter_mut().zip(&*joint).zip(block.weights()) {
                *m = if *v > *m { *v } else { *m };
                least = if *w > 0.0 && *m < least { *m } else { least };
            }
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

    /// For each component of positive weight an upper bound on its log-density, up to the offset of the mixture, within the ellipsoid.
    fn log_density_bounds(&self, ellipsoid: &Ellipsoid) -> Vec<(f64, usize)> {
        Arch::new().dispatch(Bounds {
            model: self,
            ellipsoid,
        })
    }
}

/// The bounds of all components; dispatched, so that the short products are vectorized.
struct Bounds<'a> {
    model: &'a GaussianMixture,
    ellipsoid: &'a Ellipsoid,
}

impl WithSimd for Bounds<'_> {
    type Output = Vec<(f64, usize)>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> Self::Output {
        let Self { model, ellipsoid } = self;
        let d = model.n_features();
        let (mut z, mut a, mut buffer) = (vec![0.0; d], vec![0.0; d], vec![0.0; d]);
        let mut bounds = Vec::with_capacity(model.n_components());
        for k in (0..model.n_components()).filter(|&k| model.weights[k] > 0.0) {
            let term = &model.terms[k];
            for ((z, c), m) in z.iter_mut().zip(&ellipsoid.centre).zip(&term.mean) {
                *z = c - m;
            }
            let factor = model.factor(k);
            factor.whiten(&mut z);
            let distance = z.iter().map(|z| z * z).sum::<f64>().sqrt();
            factor.whiten_transposed(&z, &mut a);
            let extent = ellipsoid.extent(&a, &mut buffer) / distance;
            let nearest =
                (1.0 - ROUNDING) * distance - (1.0 + ROUNDING) * ellipsoid.radius * extent;
            // NaN, from a distance of 0 or an overflow, proves nothing.
            let nearest = if nearest > 0.0 { nearest } else { 0.0 };
            let log_weight = model.weights[k].ln();
            bounds.push((term.constant - log_weight - 0.5 * nearest * nearest, k));
        }
        bounds
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::Frame;
    use crate::{CovarianceType, Covariances, Samples};

    /// Numbers in [0, 1) that look random enough.
    fn noise(i: usize) -> f64 {
        (((i + 1) as f64) * 12.9898)
            .sin()
            .mul_add(43_758.545, 0.5)
            .rem_euclid(1.0)
    }

    #[test]
    fn no_row_of_the_ellipsoid_exceeds_the_bound() {
        for d in [1, 2, 5, 9] {
            for n in [1, 3, 40, 256] {
                let x = Mat::from_fn(n, d, |i, j| 3.0 * noise(i * d + j) + noise(i) * j as f64);
                let weights: Vec<f64> = (0..n).map(|i| [1.0, 0.25][i % 2]).collect();
                let mut block = Block::new(d);
                let samples = Samples::from(&x).with_weights(&weights);
                block.fill(&samples, 0, &Frame::identity(d)).unwrap();
                let ellipsoid = Ellipsoid::around(&block).unwrap();
                for form in CovarianceType::ALL {
                    let blocks = (0..form.n_blocks(6))
                        .map(|b| match form.block_len(d) {
                            len if len == d * d && d > 1 => (0..d * d)
                                .map(|e| if e / d == e % d { 1.0 + noise(b) } else { 0.1 })
                                .collect(),
                            len => vec![0.5 + noise(b); len],
                        })
                        .collect();
                    let covariances = Covariances::new(form, 6, d, blocks).unwrap();
                    let means = Mat::from_fn(6, d, |k, j| 4.0 * k as f64 * noise(k + j));
                    let model =
                        GaussianMixture::new(vec![1.0 / 6.0; 6], means, covariances).unwrap();
                    let joint = model.log_joint(&x).unwrap();
                    for (bound, k) in model.log_density_bounds(&ellipsoid) {
                        let bound = bound + model.weights[k].ln() + model.log_offset();
                        for i in 0..n {
                            assert!(
                                joint[(i, k)] <= bound + 1e-12 * bound.abs(),
                                "{form} {d} {n}: {} above {bound}",
                                joint[(i, k)]
                            );
                        }
                    }
                }
            }
        }
    }

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

    #[test]
    fn rows_near_a_component_leave_out_the_far_ones() {
        let (model, block) = line(1.0, 50.0, [-0.5, 0.0, 0.5]);
        let mut scratch = Scratch::new(&model);
        let ellipsoid = Ellipsoid::around(&block).unwrap();
        assert!(model.responsibilities_of_compact_block(&block, &ellipsoid, &mut scratch));
        assert_eq!(scratch.active, [0]);
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
            let ellipsoid = Ellipsoid::around(&block).unwrap();
            assert!(!model.responsibilities_of_compact_block(&block, &ellipsoid, &mut scratch));
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

    #[test]
    fn rows_that_do_not_count_have_no_ellipsoid() {
        let x = Mat::from_fn(3, 2, |i, j| (i + j) as f64);
        let mut block = Block::new(2);
        let samples = Samples::from(&x).with_weights(&[0.0; 3]);
        block.fill(&samples, 0, &Frame::identity(2)).unwrap();
        assert!(Ellipsoid::around(&block).is_none());
    }
}
