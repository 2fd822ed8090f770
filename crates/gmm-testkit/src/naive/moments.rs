//! The M-step: from responsibilities to parameters by centred moments in two passes.

use super::mixture::{Form, Mixture};

/// What an M-step yields.
#[derive(Clone, Debug, PartialEq)]
pub struct MStep {
    /// nₖ = Σᵢ sᵢ rᵢₖ.
    pub occupancy: Vec<f64>,
    /// The new parameters; the mean and the covariance of a component without occupancy are NaN, since they are 0 / 0.
    pub mixture: Mixture,
}

/// Maximum-likelihood parameters from responsibilities `r` (n_samples x n_components) and sample weights sᵢ (1 if none).
///
/// πₖ = nₖ / Σⱼ nⱼ, μₖ = Σᵢ sᵢ rᵢₖ xᵢ / nₖ, Sₖ = Σᵢ sᵢ rᵢₖ (xᵢ - μₖ)(xᵢ - μₖ)' / nₖ; then full: Σₖ = Sₖ, tied: Σ = Σₖ πₖ Sₖ,
/// diag: the diagonal of Sₖ, spherical: the mean of that diagonal. Nothing is regularized.
pub fn m_step(form: Form, x: &[Vec<f64>], r: &[Vec<f64>], sample_weights: Option<&[f64]>) -> MStep {
    let n_components = r.first().map_or(0, Vec::len);
    let columns: Vec<Vec<f64>> = (0..n_components)
        .map(|k| {
            let weight = |i: usize| sample_weights.map_or(1.0, |s| s[i]);
            r.iter()
                .enumerate()
                .map(|(i, r)| weight(i) * r[k])
                .collect()
        })
        .collect();
    let occupancy: Vec<f64> = columns.iter().map(|column| column.iter().sum()).collect();
    let total: f64 = occupancy.iter().sum();
    let means: Vec<Vec<f64>> = columns.iter().map(|column| mean(x, column)).collect();
    let own: Vec<Vec<Vec<f64>>> = columns
        .iter()
        .zip(&means)
        .map(|(column, mean)| covariance(x, column, mean))
        .collect();
    let covariances = match form {
        Form::Full => own,
        Form::Tied => vec![pooled(&own, &occupancy); n_components],
        Form::Diag => own.iter().map(|c| diagonal(c, |i| c[i][i])).collect(),
        Form::Spherical => own
            .iter()
            .map(|c| {
                let trace: f64 = (0..c.len()).map(|i| c[i][i]).sum();
                diagonal(c, |_| trace / c.len() as f64)
            })
            .collect(),
    };
    MStep {
        mixture: Mixture {
            form,
            weights: occupancy.iter().map(|n| n / total).collect(),
            means,
            covariances,
        },
        occupancy,
    }
}

/// Responsibilities 1 and 0 from labels that count from 0.
pub fn hard_responsibilities(labels: &[usize], n_components: usize) -> Vec<Vec<f64>> {
    labels
        .iter()
        .map(|&label| {
            (0..n_components)
                .map(|k| f64::from(u8::from(k == label)))
                .collect()
        })
        .collect()
}

/// Σᵢ wᵢ xᵢ / Σᵢ wᵢ, corrected once by the mean of the residuals: at an offset of 1e8 the first sum is off by some 1e-8, which
/// the second removes but for the rounding of the mean itself.
fn mean(x: &[Vec<f64>], w: &[f64]) -> Vec<f64> {
    // Relative weights, so that a component of occupancy 1e-300 loses nothing to the subnormal numbers.
    let n: f64 = w.iter().sum();
    let average = |j: usize, shift: f64| -> f64 {
        x.iter().zip(w).map(|(x, w)| (w / n) * (x[j] - shift)).sum()
    };
    let n_features = x.first().map_or(0, Vec::len);
    (0..n_features)
        .map(|j| {
            let first = average(j, 0.0);
            first + average(j, first)
        })
        .collect()
}

/// Σᵢ wᵢ (xᵢ - μ)(xᵢ - μ)' / Σᵢ wᵢ.
fn covariance(x: &[Vec<f64>], w: &[f64], mean: &[f64]) -> Vec<Vec<f64>> {
    let n: f64 = w.iter().sum();
    let entry = |i: usize, j: usize| -> f64 {
        x.iter()
            .zip(w)
            .map(|(x, w)| (w / n) * (x[i] - mean[i]) * (x[j] - mean[j]))
            .sum()
    };
    (0..mean.len())
        .map(|i| (0..mean.len()).map(|j| entry(i.max(j), i.min(j))).collect())
        .collect()
}

/// Σₖ nₖ Sₖ / Σₖ nₖ over the components that have any occupancy.
fn pooled(own: &[Vec<Vec<f64>>], occupancy: &[f64]) -> Vec<Vec<f64>> {
    let total: f64 = occupancy.iter().sum();
    let d = own.first().map_or(0, Vec::len);
    let entry = |i: usize, j: usize| -> f64 {
        own.iter()
            .zip(occupancy)
            .filter(|(_, n)| **n > 0.0)
            .map(|(c, n)| n / total * c[i][j])
            .sum()
    };
    (0..d)
        .map(|i| (0..d).map(|j| entry(i, j)).collect())
        .collect()
}

fn diagonal(like: &[Vec<f64>], variance: impl Fn(usize) -> f64) -> Vec<Vec<f64>> {
    let d = like.len();
    (0..d)
        .map(|i| {
            (0..d)
                .map(|j| if i == j { variance(i) } else { 0.0 })
                .collect()
        })
        .collect()
}
