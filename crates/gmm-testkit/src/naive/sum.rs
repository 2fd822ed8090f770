//! Sums without rounding error before the end, for reference totals.
//!
//! # References
//! Shewchuk (1997), Adaptive precision floating-point arithmetic and fast robust geometric predicates.

/// Σ vᵢ: the exact sum, rounded to the nearest f64 (to the other neighbour at most where the two are almost equally near).
///
/// The sum is kept as parts that don't overlap, so that nothing is lost however much cancels: 1e100 + 1 - 1e100 is 1.
/// If a value is not finite or an intermediate sum overflows, the result is that of plain addition.
pub fn exact_sum(values: &[f64]) -> f64 {
    let mut parts: Vec<f64> = Vec::new();
    for &value in values {
        let mut high = value;
        let mut kept = Vec::with_capacity(parts.len() + 1);
        for part in parts {
            let (sum, error) = two_sum(high, part);
            high = sum;
            if error != 0.0 {
                kept.push(error);
            }
        }
        kept.push(high);
        parts = kept;
    }
    if parts.iter().all(|part| part.is_finite()) {
        // From the smallest part up: the parts don't overlap, so that only the last addition rounds to any effect.
        parts.iter().sum()
    } else {
        values.iter().sum()
    }
}

/// Σ aᵢ bᵢ with exact products and an exact sum, rounded at the end (as long as no product is subnormal).
///
/// # Panics
/// If the vectors differ in length.
pub fn exact_dot(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len(), "both vectors must have the same length");
    let terms: Vec<f64> = a
        .iter()
        .zip(b)
        .flat_map(|(&a, &b)| {
            let product = a * b;
            // The error of a product is an f64 itself; of an infinite product it is not a number, and 0 will do.
            let error = if product.is_finite() {
                a.mul_add(b, -product)
            } else {
                0.0
            };
            [product, error]
        })
        .collect();
    exact_sum(&terms)
}

/// a + b as the rounded sum and its exact error (Knuth).
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_in_sum = sum - a;
    (sum, (a - (sum - b_in_sum)) + (b - b_in_sum))
}
