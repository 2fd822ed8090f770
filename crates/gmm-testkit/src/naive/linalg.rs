//! Small dense matrices as rows: Cholesky factors, triangular solves, products.

/// The lower Cholesky factor L of a symmetric A = L L', as full rows with zeros above the diagonal.
///
/// Lᵢⱼ = (Aᵢⱼ - Σ_{m<j} Lᵢₘ Lⱼₘ) / Lⱼⱼ and Lⱼⱼ = √(Aⱼⱼ - Σ_{m<j} Lⱼₘ²). Only the lower triangle of A is read.
/// `None` if a pivot is not positive and finite: then A is not positive definite (to rounding).
pub fn cholesky(a: &[Vec<f64>]) -> Option<Vec<Vec<f64>>> {
    let d = a.len();
    let mut l = vec![vec![0.0; d]; d];
    for i in 0..d {
        for j in 0..=i {
            let rest = a[i][j] - (0..j).map(|m| l[i][m] * l[j][m]).sum::<f64>();
            if i > j {
                l[i][j] = rest / l[j][j];
            } else if rest > 0.0 && rest.is_finite() {
                l[i][i] = rest.sqrt();
            } else {
                return None;
            }
        }
    }
    Some(l)
}

/// z with L z = b, by forward substitution.
pub fn solve_lower(l: &[Vec<f64>], b: &[f64]) -> Vec<f64> {
    let mut z = Vec::with_capacity(b.len());
    for (i, row) in l.iter().enumerate() {
        let known: f64 = row.iter().zip(&z).map(|(l, z)| l * z).sum();
        z.push((b[i] - known) / row[i]);
    }
    z
}

/// W = L⁻¹, which is lower triangular too and whitens: Σ⁻¹ = W'W for Σ = L L'.
pub fn invert_lower(l: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let d = l.len();
    let columns: Vec<Vec<f64>> = (0..d)
        .map(|j| {
            let unit: Vec<f64> = (0..d).map(|i| f64::from(u8::from(i == j))).collect();
            solve_lower(l, &unit)
        })
        .collect();
    transpose(&columns)
}

/// log|L L'| = 2 Σᵢ log Lᵢᵢ.
pub fn log_determinant(l: &[Vec<f64>]) -> f64 {
    2.0 * (0..l.len()).map(|i| l[i][i].ln()).sum::<f64>()
}

/// A'.
pub fn transpose(a: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let n_columns = a.first().map_or(0, Vec::len);
    (0..n_columns)
        .map(|j| a.iter().map(|row| row[j]).collect())
        .collect()
}

/// A B.
pub fn product(a: &[Vec<f64>], b: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let columns = transpose(b);
    a.iter()
        .map(|row| {
            columns
                .iter()
                .map(|column| row.iter().zip(column).map(|(a, b)| a * b).sum())
                .collect()
        })
        .collect()
}
