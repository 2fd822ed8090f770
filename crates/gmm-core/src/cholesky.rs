//! Cholesky factors of covariance matrices, equilibrated so that the units of the features don't matter.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};

use crate::block::{exponent_of, scale_by_power};
use crate::kernels::triangle::{Inverse, Triangle};

/// Σ = L L', W = L⁻¹ (so that Σ⁻¹ = W'W) and log|Σ| / 2 = log_mantissa + exponent · ln 2.
///
/// The two parts stay apart: at a scale of 1e-150 the sum is near -700, and differences between components would lose three digits.
#[derive(Clone, Debug)]
pub(crate) struct Cholesky {
    pub(crate) lower: Triangle,
    pub(crate) inverse: Inverse,
    pub(crate) log_mantissa: f64,
    pub(crate) exponent: i32,
}

impl Cholesky {
    /// Factors a symmetric matrix of n rows of n numbers, each of which is read from the diagonal on; `Err(i)` names the first pivot that isn't
    /// positive.
    ///
    /// Rows and columns are first scaled by powers of two so that the diagonal lies in [1, 4). That changes no bit of the
    /// result, but keeps scales of 1e±150 in range, and makes the test of a pivot relative: a pivot below `n ε` of its own
    /// diagonal entry is rounding noise, so the matrix is singular in double precision.
    pub(crate) fn new(n: usize, matrix: &[f64]) -> Result<Self, usize> {
        let exponents = exponents(n, matrix)?;
        let mut lower = factor(matrix, &exponents)?;
        let mut inverse = lower.inverse();
        let log_mantissa = (0..n).map(|i| lower.entry(i, i).ln()).sum();
        let [up, down] = [1, -1].map(|sign| powers(&exponents, sign));
        lower.scale_rows(&up);
        inverse.scale_columns(&down)?;
        Ok(Self {
            lower,
            inverse,
            log_mantissa,
            exponent: exponents.iter().sum(),
        })
    }

    /// Σ⁻¹ = W'W.
    pub(crate) fn precision(&self) -> Mat<f64> {
        let whitening = self.inverse.matrix();
        let mut product = Mat::zeros(whitening.nrows(), whitening.nrows());
        matmul(
            product.as_mut(),
            Accum::Replace,
            whitening.transpose(),
            whitening,
            1.0,
            Par::Seq,
        );
        product
    }

    /// Whether a symmetric matrix has a factor.
    pub(crate) fn exists(n: usize, matrix: &[f64]) -> bool {
        exponents(n, matrix).is_ok_and(|exponents| factor(matrix, &exponents).is_ok())
    }
}

/// Of the powers of two that bring the diagonal into [1, 4).
fn exponents(n: usize, matrix: &[f64]) -> Result<Vec<i32>, usize> {
    let exponent = |i: usize| {
        let variance = matrix[i * n + i];
        if variance > 0.0 && variance.is_finite() {
            Ok((exponent_of(variance) - 1).div_euclid(2))
        } else {
            Err(i)
        }
    };
    (0..n).map(exponent).collect()
}

/// Those powers, or their reciprocals: half as large as what is in range of f64, so that they are, too.
fn powers(exponents: &[i32], sign: i32) -> Vec<f64> {
    let exponents = exponents.iter();
    exponents.map(|e| scale_by_power(1.0, sign * e)).collect()
}

/// The factor of the scaled matrix.
fn factor(matrix: &[f64], exponents: &[i32]) -> Result<Triangle, usize> {
    let n = exponents.len();
    let down = powers(exponents, -1);
    let column = |j: usize, out: &mut [f64]| {
        let entries = matrix[j * n + j..].iter().zip(&down[j..]);
        for (out, (entry, down_i)) in out.iter_mut().zip(entries) {
            *out = entry * down_i * down[j];
        }
    };
    Triangle::factor(n, n as f64 * f64::EPSILON, column)
}
