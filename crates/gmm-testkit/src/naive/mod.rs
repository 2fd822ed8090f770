//! The slow textbook twin of what the gmm crates compute.
//!
//! It is written to be seen right, not to be fast: a mixture holds one dense covariance matrix per component whatever its
//! form, so that the form matters in one place only ([`m_step`]). Only three things go beyond the formula in a book, because
//! without them the reference would be worse than what it checks: the maximum is taken out before exponentials are added,
//! moments are taken about the mean, and long totals are summed exactly.

mod cluster;
mod density;
mod em;
mod kernels;
mod linalg;
mod mixture;
mod moments;
mod sum;

pub use cluster::{adjusted_rand_index, kmeans_cost, nearest};
pub use density::{log_gaussian, log_sum_exp, mahalanobis_squared, softmax};
pub use em::{Run, em, em_from_responsibilities, em_step};
pub use kernels::{weighted_mean, weighted_scatter, whitened_squared_norms};
pub use linalg::{cholesky, invert_lower, log_determinant, product, solve_lower, transpose};
pub use mixture::{Form, Mixture, dense_covariances, variances};
pub use moments::{MStep, hard_responsibilities, m_step};
pub use sum::{exact_dot, exact_sum};
