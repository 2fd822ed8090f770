//! Hard clusterings: nearest centre, cost of k-means, agreement of two partitions.

use std::collections::BTreeMap;

/// The centre that is nearest to a row (the first one of equals) and the squared distance to it.
///
/// # Panics
/// If there is no centre.
pub fn nearest(row: &[f64], centres: &[Vec<f64>]) -> (usize, f64) {
    assert!(!centres.is_empty(), "there must be a centre");
    let squared =
        |centre: &Vec<f64>| -> f64 { row.iter().zip(centre).map(|(x, c)| (x - c) * (x - c)).sum() };
    centres
        .iter()
        .map(squared)
        .enumerate()
        .fold((0, f64::INFINITY), |best, next| {
            if next.1 < best.1 { next } else { best }
        })
}

/// Σᵢ sᵢ minₖ ‖xᵢ - cₖ‖², the objective of k-means; every sample weight sᵢ is 1 if there are none.
///
/// # Panics
/// If there is no centre.
pub fn kmeans_cost(x: &[Vec<f64>], centres: &[Vec<f64>], sample_weights: Option<&[f64]>) -> f64 {
    let weight = |i: usize| sample_weights.map_or(1.0, |s| s[i]);
    x.iter()
        .enumerate()
        .map(|(i, row)| weight(i) * nearest(row, centres).1)
        .sum()
}

/// The adjusted Rand index: 1 for the same partition up to names, about 0 for unrelated ones.
///
/// With the table nᵢⱼ of counts, its margins aᵢ and bⱼ, and C(n) = n (n - 1) / 2:
/// (Σ C(nᵢⱼ) - e) / (½ (Σ C(aᵢ) + Σ C(bⱼ)) - e) where e = Σ C(aᵢ) Σ C(bⱼ) / C(n).
/// 1 where that is 0 / 0: both partitions are then one block, or both all single rows.
///
/// # References
/// Hubert and Arabie (1985), Comparing partitions, Journal of Classification 2.
///
/// # Panics
/// If the partitions differ in length.
pub fn adjusted_rand_index(a: &[usize], b: &[usize]) -> f64 {
    assert_eq!(a.len(), b.len(), "both partitions must label the same rows");
    let pairs = |n: usize| (n * n.saturating_sub(1)) as f64 / 2.0;
    let both: f64 = counts(a.iter().zip(b)).into_values().map(pairs).sum();
    let in_a: f64 = counts(a).into_values().map(pairs).sum();
    let in_b: f64 = counts(b).into_values().map(pairs).sum();
    let all = pairs(a.len());
    let expected = if all > 0.0 { in_a * in_b / all } else { 0.0 };
    let most = 0.5 * (in_a + in_b);
    // Counts are whole numbers: where both partitions are trivial the difference is exactly 0.
    let range = most - expected;
    if range.abs() > 0.0 {
        (both - expected) / range
    } else {
        1.0
    }
}

fn counts<T: Ord>(items: impl IntoIterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    for item in items {
        *counts.entry(item).or_insert(0) += 1;
    }
    counts
}
