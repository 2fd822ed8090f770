//! Cholesky factors of covariance matrices, equilibrated so that the units of the features don't matter.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{
    LltError, LltRegularization, cholesky_in_place, cholesky_in_place_scratch,
};
use faer::linalg::triangular_inverse::invert_lower_triangular;
use faer::{Mat, MatRef, Par};

use crate::block::{exponent_of, scale_by_power};

/// Σ = L L', W = L⁻¹ (so that Σ⁻¹ = W'W) and log|Σ| / 2 = log_mantissa + exponent · ln 2.
///
/// The two parts stay apart: at a scale of 1e-150 the sum is near -700, and differences between components would lose three digits.
#[derive(Clone, Debug)]
pub(crate) struct Cholesky {
    pub(crate) lower: Mat<f64>,
    pub(crate) inverse: Mat<f64>,
    pub(crate) log_mantissa: f64,
    pub(crate) exponent: i32,
}

impl Cholesky {
    /// Factors a symmetric matrix, of which only the lower triangle is read; `Err(i)` names the first pivot that isn't positive.
    ///
    /// Rows and columns are first scaled by powers of two so that the diagonal lies in [1, 4). That changes no bit of the
    /// result, but keeps scales of 1e±150 in range, and makes the test of a pivot relative: a pivot below `n ε` of its own
    /// diagonal entry is rounding noise, so the matrix is singular in double precision.
    pub(crate) fn new(covariance: MatRef<'_, f64>) -> Result<Self, usize> {
        let n = covariance.nrows();
        let mut exponents = Vec::with_capacity(n);
        for i in 0..n {
            let variance = covariance[(i, i)];
            if !(variance > 0.0 && variance.is_finite()) {
                return Err(i);
            }
            exponents.push((exponent_of(variance) - 1).div_euclid(2));
        }
        let scaled = |i: usize, j: usize| {
            let entry = if i >= j {
                covariance[(i, j)]
            } else {
                covariance[(j, i)]
            };
            scale_by_power(scale_by_power(entry, -exponents[i]), -exponents[j])
        };
        let mut lower = Mat::from_fn(n, n, scaled);
        let mut memory = MemBuffer::new(cholesky_in_place_scratch::<f64>(
            n,
            Par::Seq,
            Default::default(),
        ));
        cholesky_in_place(
            lower.as_mut(),
            LltRegularization::default(),
            Par::Seq,
            MemStack::new(&mut memory),
            Default::default(),
        )
        .map_err(|LltError::NonPositivePivot { index }| index)?;
        let mut log_mantissa = 0.0;
        for i in 0..n {
            let pivot = lower[(i, i)];
            if pivot * pivot <= n as f64 * f64::EPSILON * scaled(i, i) {
                return Err(i);
            }
            log_mantissa += pivot.ln();
            // faer leaves garbage above the diagonal of a column-major matrix.
            for row in 0..i {
                lower[(row, i)] = 0.0;
            }
        }
        let mut inverse = Mat::zeros(n, n);
        invert_lower_triangular(inverse.as_mut(), lower.as_ref(), Par::Seq);
        for j in 0..n {
            for i in j..n {
                lower[(i, j)] = scale_by_power(lower[(i, j)], exponents[i]);
                inverse[(i, j)] = scale_by_power(inverse[(i, j)], -exponents[j]);
                if !inverse[(i, j)].is_finite() {
                    return Err(i);
                }
            }
        }
        Ok(Self {
            lower,
            inverse,
            log_mantissa,
            exponent: exponents.iter().sum(),
        })
    }
}
