//! What the tests of the gmm crates share: textbook references, oracles, generators, strategies, faults.
//!
//! # Is this crate for me?
//! Only as a dev-dependency of the crates of this workspace. It is not published, it panics where a test can't go on, and
//! it depends on no gmm crate: a reference that shared code with what it checks would share its bugs.
//!
//! # What is where
//! * [`naive`]: the slow textbook twin of densities, the E-step, the M-step and the kernels: loops over rows in plain f64,
//!   one formula per function, nothing blocked, nothing in parallel.
//! * [`oracle`]: reference values that other programs computed (2400-bit arithmetic, mclust) and the rule for passing.
//! * [`data`]: seeded data sets with known truth, and the shapes that break fits.
//! * [`strategies`]: for proptest: tables, positive-definite matrices, weights, permutations, block splits, odd values.
//! * [`faults`]: a writer that fails when told to.
//!
//! Tables are rows (`&[Vec<f64>]`), matrices are rows too; [`rows`] and [`matrix`] convert from and to faer. A covariance
//! matrix is dense whatever its form; [`naive::Mixture::blocks`] gives the parameters as the form stores them.

pub mod data;
pub mod faults;
pub mod naive;
pub mod oracle;
pub mod strategies;

use std::fmt::Debug;

use faer::{Mat, MatRef};

/// What `run` yields with one thread, after a check that two and seven yield the same. Sums are split between threads from 4096 rows
/// on, fewer only where rows are much work: a table should have several times as many.
///
/// # Panics
/// If they don't.
pub fn same_for_any_number_of_threads<T: Debug + PartialEq + Send>(
    run: impl Fn() -> T + Sync,
) -> T {
    let with_threads = |n_threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads);
        let pool = pool.build().expect("a pool of a few threads can be built");
        pool.install(&run)
    };
    let one = with_threads(1);
    for n_threads in [2, 7] {
        assert_eq!(with_threads(n_threads), one, "with {n_threads} threads");
    }
    one
}

/// The rows of a matrix.
pub fn rows(matrix: MatRef<'_, f64>) -> Vec<Vec<f64>> {
    (0..matrix.nrows())
        .map(|i| (0..matrix.ncols()).map(|j| matrix[(i, j)]).collect())
        .collect()
}

/// The matrix of some rows; no rows are a matrix of 0 x 0.
///
/// # Panics
/// If the rows differ in length.
pub fn matrix(rows: &[Vec<f64>]) -> Mat<f64> {
    let n_columns = rows.first().map_or(0, Vec::len);
    assert!(
        rows.iter().all(|row| row.len() == n_columns),
        "rows of a table must have the same length"
    );
    Mat::from_fn(rows.len(), n_columns, |i, j| rows[i][j])
}
