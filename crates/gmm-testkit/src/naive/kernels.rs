//! Twins of the vectorized kernels. Data are feature-major: `centred[j][i]` is feature j of sample i.

/// ‖W zᵢ‖² for each sample zᵢ, where W is lower triangular and given by its rows; entries above the diagonal are not read.
pub fn whitened_squared_norms(w: &[Vec<f64>], centred: &[Vec<f64>]) -> Vec<f64> {
    let n_samples = centred.first().map_or(0, Vec::len);
    (0..n_samples)
        .map(|i| {
            (0..w.len())
                .map(|row| {
                    let y: f64 = (0..=row).map(|j| w[row][j] * centred[j][i]).sum();
                    y * y
                })
                .sum()
        })
        .collect()
}

/// Σᵢ rᵢ zᵢⱼ / Σᵢ rᵢ for each feature j; 0 where Σᵢ rᵢ is 0.
pub fn weighted_mean(centred: &[Vec<f64>], r: &[f64]) -> Vec<f64> {
    let n: f64 = r.iter().sum();
    let mean = |feature: &Vec<f64>| {
        if n > 0.0 {
            feature.iter().zip(r).map(|(z, r)| r * z).sum::<f64>() / n
        } else {
            0.0
        }
    };
    centred.iter().map(mean).collect()
}

/// Σᵢ rᵢ zᵢ zᵢ', n_features x n_features, both triangles.
pub fn weighted_scatter(centred: &[Vec<f64>], r: &[f64]) -> Vec<Vec<f64>> {
    let entry = |a: &[f64], b: &[f64]| a.iter().zip(b).zip(r).map(|((a, b), r)| r * a * b).sum();
    (0..centred.len())
        .map(|i| {
            // The product of a lower entry is formed in the same order as its mirror image's: the result is symmetric.
            (0..centred.len())
                .map(|j| entry(&centred[i.max(j)], &centred[i.min(j)]))
                .collect()
        })
        .collect()
}
