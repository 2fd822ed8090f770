//! A mixture from bytes: often valid, sometimes on the edge, sometimes not.

use gmm_core::faer::MatRef;
use gmm_core::{CovarianceType, Covariances, Error, GaussianMixture};

use super::bytes::Bytes;

/// A mixture of up to 4 components and 5 features, or why there is none.
pub fn mixture(bytes: &mut Bytes<'_>) -> Result<GaussianMixture, Error> {
    let form = form(bytes);
    let n_components = bytes.count(1, 4);
    let n_features = bytes.count(1, 5);
    let weights = weights(bytes, n_components);
    let means = bytes.numbers(n_components * n_features);
    let means = MatRef::from_row_major_slice(&means, n_components, n_features).to_owned();
    let blocks = (0..form.n_blocks(n_components))
        .map(|_| block(bytes, form, n_features))
        .collect();
    GaussianMixture::new(
        weights,
        means,
        Covariances::new(form, n_components, n_features, blocks)?,
    )
}

/// One of the covariance forms.
pub fn form(bytes: &mut Bytes<'_>) -> CovarianceType {
    bytes.pick(CovarianceType::ALL)
}

/// Weights that sum to 1 but for rounding; some may be 0. Now and then numbers that are no weights.
fn weights(bytes: &mut Bytes<'_>, n_components: usize) -> Vec<f64> {
    if bytes.byte() == 0xff {
        return bytes.numbers(n_components);
    }
    let mut counts: Vec<f64> = (0..n_components)
        .map(|_| f64::from(bytes.byte() / 8))
        .collect();
    let total: f64 = counts.iter().sum();
    if total == 0.0 {
        counts[0] = 1.0;
        return counts;
    }
    counts.iter().map(|count| count / total).collect()
}

/// The numbers of one covariance matrix: A A' + c, which is positive definite but for rounding, or any numbers.
fn block(bytes: &mut Bytes<'_>, form: CovarianceType, n_features: usize) -> Vec<f64> {
    let len = form.block_len(n_features);
    if bytes.byte() >= 0xf0 {
        return bytes.numbers(len);
    }
    let (ridge, scale) = if bytes.byte() < 0xc0 {
        (1.0 / 16.0, 1.0 / 64.0)
    } else {
        (bytes.size(), bytes.size())
    };
    if len < n_features * n_features || n_features == 1 {
        return (0..len)
            .map(|_| (bytes.tame().powi(2) + ridge) * scale)
            .collect();
    }
    let roots: Vec<f64> = (0..len).map(|_| bytes.tame()).collect();
    let inner = |i: usize, j: usize| -> f64 {
        (0..n_features)
            .map(|m| roots[i * n_features + m] * roots[j * n_features + m])
            .sum()
    };
    (0..len)
        .map(|at| (at / n_features, at % n_features))
        .map(|(i, j)| (inner(i, j) + if i == j { ridge } else { 0.0 }) * scale)
        .collect()
}
