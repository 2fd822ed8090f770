//! The Gaussian density, and sums of exponentials.

use super::linalg::{cholesky, log_determinant, solve_lower};

/// (x - μ)' Σ⁻¹ (x - μ) = ‖z‖² with L z = x - μ and Σ = L L'; infinite where a finite x is so far out that it overflows.
///
/// # Panics
/// If Σ is not positive definite.
pub fn mahalanobis_squared(x: &[f64], mean: &[f64], covariance: &[Vec<f64>]) -> f64 {
    let l = cholesky(covariance).expect("the covariance matrix must be positive definite");
    squared_distance(x, mean, &l)
}

/// log N(x; μ, Σ) = -½ (D log 2π + log|Σ| + (x - μ)' Σ⁻¹ (x - μ)), in nats.
///
/// # Panics
/// If Σ is not positive definite.
pub fn log_gaussian(x: &[f64], mean: &[f64], covariance: &[Vec<f64>]) -> f64 {
    let l = cholesky(covariance).expect("the covariance matrix must be positive definite");
    log_gaussian_with_factor(x, mean, &l)
}

/// [`log_gaussian`] for a covariance matrix that is factored already: L L'.
pub(super) fn log_gaussian_with_factor(x: &[f64], mean: &[f64], l: &[Vec<f64>]) -> f64 {
    let d = x.len() as f64;
    -0.5 * (d * std::f64::consts::TAU.ln() + log_determinant(l) + squared_distance(x, mean, l))
}

/// [`mahalanobis_squared`] for a covariance matrix that is factored already.
pub(super) fn squared_distance(x: &[f64], mean: &[f64], l: &[Vec<f64>]) -> f64 {
    let centred: Vec<f64> = x.iter().zip(mean).map(|(x, mean)| x - mean).collect();
    let squared: f64 = solve_lower(l, &centred).iter().map(|z| z * z).sum();
    // Far outside, one coordinate of z overflows and the next is inf - inf; the distance itself is then infinite.
    let is_overflow = squared.is_nan() && x.iter().chain(mean).all(|v| v.is_finite());
    if is_overflow { f64::INFINITY } else { squared }
}

/// log Σₖ exp(vₖ) = m + log Σₖ exp(vₖ - m) with m = maxₖ vₖ; -inf where all are -inf, and of nothing.
pub fn log_sum_exp(values: &[f64]) -> f64 {
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if largest.is_infinite() {
        return largest;
    }
    largest + values.iter().map(|v| (v - largest).exp()).sum::<f64>().ln()
}

/// exp(vₖ - m) / Σⱼ exp(vⱼ - m) with m = maxₖ vₖ; 0 for all where all are -inf.
///
/// Not exp(vₖ - log Σ): the rounding error of a logarithm of size 700 costs three digits there.
pub fn softmax(values: &[f64]) -> Vec<f64> {
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        return vec![0.0; values.len()];
    }
    let shifted: Vec<f64> = values.iter().map(|v| (v - largest).exp()).collect();
    let total: f64 = shifted.iter().sum();
    shifted.iter().map(|e| e / total).collect()
}
