//! Cholesky factors of covariance matrices, equilibrated so that the units of the features don't matter.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{
    LltError, LltRegularization, cholesky_in_place, cholesky_in_place_scratch,
};
use faer::linalg::triangular_inverse::invert_lower_triangular;
use faer::{Mat, Par};

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
    /// Factors a symmetric matrix, of which only the lower triangle is read and whose memory the factor takes; `Err(i)` names the first pivot that isn't positive.
    ///
    /// Rows and columns are first scaled by powers of two so that the diagonal lies in [1, 4). That changes no bit of the
    /// result, but keeps scales of 1e±150 in range, and makes the test of a pivot relative: a pivot below `n ε` of its own
    /// diagonal entry is rounding noise, so the matrix is singular in double precision.
    pub(crate) fn new(covariance: Mat<f64>) -> Result<Self, usize> {
        let exponents = exponents(&covariance)?;
        let n = exponents.len();
        let mut lower = factor(covariance, &exponents)?;
        let mut inverse = Mat::zeros(n, n);
        invert_lower_triangular(inverse.as_mut(), lower.as_ref(), Par::Seq);
        let log_mantissa = (0..n).map(|i| lower[(i, i)].ln()).sum();
        let [up, down] = [1, -1].map(|sign| powers(&exponents, sign));
        for j in 0..n {
            for i in j..n {
                lower[(i, j)] *= up[i];
                inverse[(i, j)] *= down[j];
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

    /// Whether a symmetric matrix has a factor.
    pub(crate) fn exists(matrix: Mat<f64>) -> bool {
        exponents(&matrix).is_ok_and(|exponents| factor(matrix, &exponents).is_ok())
    }
}

/// Of the powers of two that bring the diagonal into [1, 4).
fn exponents(covariance: &Mat<f64>) -> Result<Vec<i32>, usize> {
    let exponent = |i: usize| {
        let variance = covariance[(i, i)];
        if variance > 0.0 && variance.is_finite() {
            Ok((exponent_of(variance) - 1).div_euclid(2))
        } else {
            Err(i)
        }
    };
    (0..covariance.nrows()).map(exponent).collect()
}

/// Those powers, or their reciprocals: half as large as what is in range of f64, so that they are, too.
fn powers(exponents: &[i32], sign: i32) -> Vec<f64> {
    let exponents = exponents.iter();
    exponents.map(|e| scale_by_power(1.0, sign * e)).collect()
}

/// The factor of the scaled matrix, zeros above the diagonal.
fn factor(covariance: Mat<f64>, exponents: &[i32]) -> Result<Mat<f64>, usize> {
    let n = exponents.len();
    let down = powers(exponents, -1);
    let mut lower = covariance;
    for j in 0..n {
        for i in j..n {
            lower[(i, j)] = lower[(i, j)] * down[i] * down[j];
        }
    }
    let diagonal: Vec<f64> = (0..n).map(|i| lower[(i, i)]).collect();
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
    for i in 0..n {
        let pivot = lower[(i, i)];
        if pivot * pivot <= n as f64 * f64::EPSILON * diagonal[i] {
            return Err(i);
        }
        // faer leaves garbage above the diagonal of a column-major matrix.
        for row in 0..i {
            lower[(row, i)] = 0.0;
        }
    }
    Ok(lower)
}
