//! An ellipsoid around the rows of a block.

use crate::block::{BLOCK_ROWS, Block};
use crate::cholesky::Cholesky;
use crate::covariance::{MomentSums, Moments, Structure, lower_triangle, symmetric};
use crate::kernels::{Panels, Whitener};

/// An ellipsoid that holds the rows of positive weight of a block.
#[derive(Clone, Debug)]
pub struct Ellipsoid {
    pub(super) centre: Vec<f64>,
    /// Rows of L, up to the diagonal.
    pub(super) lower: Vec<f64>,
    pub(super) radius: f64,
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
        let mut sums = MomentSums::zeros(Structure::Dense, d);
        let (mut part, mut panels) = (Moments::zeros(Structure::Dense, d), Panels::default());
        panels.read(block.values());
        sums.observe(block, &r, &shift, &mut part, &mut panels);
        let moments = sums.finish(&shift);
        let centre: Vec<f64> = shift
            .iter()
            .zip(&moments.mean)
            .map(|(s, m)| s + m)
            .collect();
        let mut shape = symmetric(d, |a, b| moments.entry(a, b) / moments.occupancy);
        let size = (0..d).map(|j| shape[j * d + j]).sum::<f64>() / d as f64;
        // Any shape is right; a round part makes that of few or equal rows regular.
        for j in 0..d {
            shape[j * d + j] += 1e-6 * (shape[j * d + j] + size);
        }
        let (mut centred, mut squared) = (vec![0.0; block.values().len()], [0.0; BLOCK_ROWS]);
        let mut radius = |whitener: &Whitener| {
            whitener.squared_norm(block.values(), &centre, &mut centred, &mut squared);
            let counted = (0..block.len()).filter(counts).map(|i| squared[i]);
            counted.fold(0.0, f64::max).sqrt()
        };
        let unit = |a: usize, b: usize| f64::from(u8::from(a == b));
        let Ok(factor) = Cholesky::new(d, &shape) else {
            // All rows are one point, or nearly: a ball.
            return Some(Self {
                radius: radius(&Whitener::new(d, unit)),
                lower: lower_triangle(d, unit),
                centre,
            });
        };
        Some(Self {
            radius: radius(&Whitener::new(d, |a, b| factor.inverse.row(a)[b])),
            lower: lower_triangle(d, |a, b| factor.lower.entry(a, b)),
            centre,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Samples;
    use crate::block::Frame;
    use faer::Mat;

    #[test]
    fn rows_that_do_not_count_have_no_ellipsoid() {
        let x = Mat::from_fn(3, 2, |i, j| (i + j) as f64);
        let mut block = Block::new(2);
        let samples = Samples::from(&x).with_weights(&[0.0; 3]);
        block.fill(&samples, 0, &Frame::identity(2)).unwrap();
        assert!(Ellipsoid::around(&block).is_none());
    }
}
