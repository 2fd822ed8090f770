//! How far a computed value is from the right one. Each function returns the worst of its entries.
//!
//! A NaN counts as infinitely wrong (`f64::max` would pass over it), a value of the same infinity as right, and a table of
//! another shape as infinitely wrong too.

use crate::naive::{Form, dense_covariances};

/// |q - c| / max(1, |c|), for logarithms.
pub fn log_values(computed: &[f64], exact: &[f64]) -> f64 {
    worst(computed, exact, |q, c| difference(q, c) / c.abs().max(1.0))
}

/// |q - c|, for probabilities.
pub fn responsibilities(computed: &[Vec<f64>], exact: &[Vec<f64>]) -> f64 {
    worst_row(computed, exact, |q, c| worst(q, c, difference))
}

/// |q - c| / |c|, for occupancies and weights.
pub fn relative(computed: &[f64], exact: &[f64]) -> f64 {
    worst(computed, exact, |q, c| ratio(difference(q, c), c.abs()))
}

/// |q - c| / max(|c|, sd), for means; `variances` are the exact ones, of the same shape.
pub fn means(computed: &[Vec<f64>], exact: &[Vec<f64>], variances: &[Vec<f64>]) -> f64 {
    if variances.len() != exact.len() {
        return f64::INFINITY;
    }
    let scale = |c: &[f64], v: &[f64]| -> Vec<f64> {
        c.iter()
            .zip(v)
            .map(|(c, v)| c.abs().max(v.sqrt()))
            .collect()
    };
    (0..exact.len().max(computed.len())).fold(0.0, |so_far, k| {
        let (Some(q), Some(c)) = (computed.get(k), exact.get(k)) else {
            return f64::INFINITY;
        };
        let scale = scale(c, &variances[k]);
        if q.len() != c.len() || scale.len() != c.len() {
            return f64::INFINITY;
        }
        (0..c.len()).fold(so_far, |so_far, j| {
            larger(so_far, ratio(difference(q[j], c[j]), scale[j]))
        })
    })
}

/// |q - c| / √(Cᵢᵢ Cⱼⱼ), for covariances as blocks, with the exact variances in the root.
pub fn covariances(
    form: Form,
    n_components: usize,
    n_features: usize,
    computed: &[Vec<f64>],
    exact: &[Vec<f64>],
) -> f64 {
    let shape = |blocks: &[Vec<f64>]| blocks.iter().map(Vec::len).collect::<Vec<_>>();
    if shape(computed) != shape(exact) {
        return f64::INFINITY;
    }
    let computed = dense_covariances(form, computed, n_components, n_features);
    let exact = dense_covariances(form, exact, n_components, n_features);
    let mut so_far = 0.0;
    for (q, c) in computed.iter().zip(&exact) {
        for i in 0..n_features {
            for j in 0..n_features {
                // Two roots: the product of two variances of 1e300 is infinite.
                let scale = c[i][i].sqrt() * c[j][j].sqrt();
                so_far = larger(so_far, ratio(difference(q[i][j], c[i][j]), scale));
            }
        }
    }
    so_far
}

/// The worst of any errors; a NaN is infinitely bad.
pub fn worst_of(errors: impl IntoIterator<Item = f64>) -> f64 {
    errors.into_iter().fold(0.0, larger)
}

fn worst(computed: &[f64], exact: &[f64], error: impl Fn(f64, f64) -> f64) -> f64 {
    if computed.len() != exact.len() {
        return f64::INFINITY;
    }
    worst_of(computed.iter().zip(exact).map(|(&q, &c)| error(q, c)))
}

/// As [`worst`], over rows.
pub(super) fn worst_row(
    computed: &[Vec<f64>],
    exact: &[Vec<f64>],
    error: impl Fn(&[f64], &[f64]) -> f64,
) -> f64 {
    if computed.len() != exact.len() {
        return f64::INFINITY;
    }
    worst_of(computed.iter().zip(exact).map(|(q, c)| error(q, c)))
}

fn difference(q: f64, c: f64) -> f64 {
    if q.is_infinite() && c.is_infinite() && q.signum() * c.signum() > 0.0 {
        0.0
    } else {
        (q - c).abs()
    }
}

/// An error in units of a scale; where the scale is 0 only the value itself will do.
fn ratio(error: f64, scale: f64) -> f64 {
    if error == 0.0 { 0.0 } else { error / scale }
}

fn larger(a: f64, b: f64) -> f64 {
    if b.is_nan() { f64::INFINITY } else { a.max(b) }
}
