//! Expert layer: symmetric matrices by their eigenvalues and determinants, on one thread.

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::{Mat, MatRef, Par};

use crate::cholesky::Cholesky;

/// A = V diag(values) V': eigenvalues in rising order, and unit eigenvectors in the columns of V.
#[derive(Clone, Debug, PartialEq)]
pub struct Eigen {
    /// The eigenvalues, the smallest first.
    pub values: Vec<f64>,
    /// One eigenvector per column.
    pub vectors: Mat<f64>,
}

impl Eigen {
    /// Decomposes a symmetric matrix, of which the lower triangle is read; `None` where the iteration does not converge (not
    /// seen on finite numbers) or the matrix is not square.
    pub fn new(matrix: MatRef<'_, f64>) -> Option<Self> {
        let d = matrix.nrows();
        if matrix.ncols() != d {
            return None;
        }
        let mut values = Diag::zeros(d);
        let mut vectors = Mat::zeros(d, d);
        let request = self_adjoint_evd_scratch::<f64>(
            d,
            ComputeEigenvectors::Yes,
            Par::Seq,
            Default::default(),
        );
        let mut memory = MemBuffer::new(request);
        self_adjoint_evd(
            matrix,
            values.as_mut(),
            Some(vectors.as_mut()),
            Par::Seq,
            MemStack::new(&mut memory),
            Default::default(),
        )
        .ok()?;
        let values = (0..d).map(|i| values[i]).collect();
        Some(Self { values, vectors })
    }

    /// The same for a square matrix; where the iteration does not converge, the diagonal along the coordinates, which is as positive as
    /// the matrix.
    pub(crate) fn or_diagonal(matrix: MatRef<'_, f64>) -> Self {
        let d = matrix.nrows();
        Self::new(matrix).unwrap_or_else(|| Self {
            values: (0..d).map(|i| matrix[(i, i)]).collect(),
            vectors: Mat::identity(d, d),
        })
    }
}

/// log|A| of a symmetric positive definite matrix; `None` where it is not positive definite in double precision.
pub fn log_determinant(matrix: MatRef<'_, f64>) -> Option<f64> {
    let factor = Cholesky::new(matrix).ok()?;
    Some(2.0 * (factor.log_mantissa + f64::from(factor.exponent) * std::f64::consts::LN_2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use faer::mat;

    #[test]
    fn eigenvectors_put_the_matrix_together_again() {
        let a = mat![[4.0, 1.0, -0.5], [1.0, 3.0, 0.25], [-0.5, 0.25, 2.0]];
        let eigen = Eigen::new(a.as_ref()).unwrap();
        assert!(eigen.values.is_sorted());
        for i in 0..3 {
            for j in 0..3 {
                let sum: f64 = (0..3)
                    .map(|e| eigen.values[e] * eigen.vectors[(i, e)] * eigen.vectors[(j, e)])
                    .sum();
                // A few roundings of numbers of size 4.
                assert!((sum - a[(i, j)]).abs() < 1e-14);
            }
        }
        let log_determinant = log_determinant(a.as_ref()).unwrap();
        let expected: f64 = eigen.values.iter().map(|v| v.ln()).sum();
        assert!((log_determinant - expected).abs() < 1e-14);
    }

    #[test]
    fn what_is_no_covariance_has_none() {
        assert_eq!(Eigen::new(Mat::zeros(2, 3).as_ref()), None);
        assert_eq!(log_determinant(mat![[1.0, 2.0], [2.0, 1.0]].as_ref()), None);
    }
}
