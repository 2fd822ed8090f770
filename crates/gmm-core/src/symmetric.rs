//! Expert layer: symmetric matrices by their eigenvalues and determinants, on one thread.

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{
    ComputeEigenvectors, SelfAdjointEvdParams, self_adjoint_evd, self_adjoint_evd_scratch,
};
use faer::{Auto, Mat, MatRef, Par};

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
        // QR iterations at any size. From 128 features on faer would divide and conquer, which is up to twice as fast, but 0.24.4 loses
        // half of the digits where many eigenvalues are equal: V diag(values) V' of a matrix of rank 100 and 400 features was off by
        // 1e-9 of its largest eigenvalue, at 800 features by 5e-6, so that a likelihood fell.
        let mut settings = <SelfAdjointEvdParams as Auto<f64>>::auto();
        settings.recursion_threshold = usize::MAX;
        let request =
            self_adjoint_evd_scratch::<f64>(d, ComputeEigenvectors::Yes, Par::Seq, settings.into());
        let mut memory = MemBuffer::new(request);
        self_adjoint_evd(
            matrix,
            values.as_mut(),
            Some(vectors.as_mut()),
            Par::Seq,
            MemStack::new(&mut memory),
            settings.into(),
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

/// log|A| of a symmetric positive definite matrix; `None` where it is not positive definite in double precision, or not square.
pub fn log_determinant(matrix: MatRef<'_, f64>) -> Option<f64> {
    let d = matrix.nrows();
    if matrix.ncols() != d {
        return None;
    }
    let rows: Vec<f64> = (0..d * d).map(|at| matrix[(at % d, at / d)]).collect();
    let factor = Cholesky::new(d, &rows).ok()?;
    Some(2.0 * (factor.log_mantissa + f64::from(factor.exponent) * std::f64::consts::LN_2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use faer::mat;

    /// Rank 200 at 800 features: three eigenvalues in four are 0.
    #[test]
    fn matrices_of_low_rank_are_put_together_again() {
        let (n, d) = (200, 800);
        let uniform = |at: usize| {
            let mixed = (at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            ((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 11) as f64
                / 2f64.powi(53)
        };
        let x = Mat::from_fn(n, d, |i, j| uniform(d * i + j));
        let means: Vec<f64> = (0..d)
            .map(|j| x.col(j).iter().sum::<f64>() / n as f64)
            .collect();
        let centred = Mat::from_fn(n, d, |i, j| x[(i, j)] - means[j]);
        // In units of a floor of 1e-9, as a fit takes them.
        let matrix = faer::Scale(12e9 / n as f64) * (centred.transpose() * &centred);
        let eigen = Eigen::new(matrix.as_ref()).unwrap();
        let scaled = Mat::from_fn(d, d, |i, e| eigen.vectors[(i, e)] * eigen.values[e]);
        let again = scaled * eigen.vectors.transpose();
        // Backward stable: the whole is off by a small multiple of d ε of the norm, and a QR iteration per eigenvalue adds its own.
        let bound = d as f64 * f64::EPSILON * eigen.values[d - 1];
        for i in 0..d {
            for j in 0..=i {
                let off = (again[(i, j)] - matrix[(i, j)]).abs();
                assert!(off <= bound, "({i}, {j}): {off:e}, bound {bound:e}");
            }
        }
    }

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
        assert_eq!(log_determinant(Mat::identity(2, 3).as_ref()), None);
        assert_eq!(log_determinant(Mat::identity(3, 2).as_ref()), None);
    }
}
