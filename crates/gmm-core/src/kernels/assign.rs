//! Which component each row of a block belongs to, and what the others have of it.

use pulp::{Arch, Simd, WithSimd};

use crate::block::BLOCK_ROWS;

/// `labels[i] = argmaxₖ r[k][i]`, the first of equals; `r` is n_components x [`BLOCK_ROWS`].
///
/// # Panics
/// If a buffer has another size, or there is no component.
pub fn most_probable(r: &[f64], labels: &mut [u64]) {
    check_sizes(r, labels);
    Arch::new().dispatch(MostProbable { r, labels });
}

/// `sums[i] = Σ r[k][i]` over the components k but for `labels[i]`.
///
/// # Panics
/// As [`most_probable`].
pub fn sum_others(r: &[f64], labels: &[u64], sums: &mut [f64]) {
    check_sizes(r, labels);
    assert_eq!(sums.len(), BLOCK_ROWS);
    Arch::new().dispatch(SumOthers { r, labels, sums });
}

fn check_sizes(r: &[f64], labels: &[u64]) {
    assert!(!r.is_empty() && r.len().is_multiple_of(BLOCK_ROWS));
    assert_eq!(labels.len(), BLOCK_ROWS);
}

struct MostProbable<'a> {
    r: &'a [f64],
    labels: &'a mut [u64],
}

impl WithSimd for MostProbable<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let (first, others) = self.r.split_at(BLOCK_ROWS);
        let mut largest = [0.0; BLOCK_ROWS];
        largest.copy_from_slice(first);
        self.labels.fill(0);
        for (k, r) in (1..).zip(others.chunks_exact(BLOCK_ROWS)) {
            let lanes = largest.iter_mut().zip(&mut *self.labels).zip(r);
            for ((largest, label), r) in lanes {
                // Two choices without a branch, which the compiler turns into vector code.
                let is_larger = *r > *largest;
                *label = if is_larger { k } else { *label };
                *largest = if is_larger { *r } else { *largest };
            }
        }
    }
}

struct SumOthers<'a> {
    r: &'a [f64],
    labels: &'a [u64],
    sums: &'a mut [f64],
}

impl WithSimd for SumOthers<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        self.sums.fill(0.0);
        for (k, r) in (0..).zip(self.r.chunks_exact(BLOCK_ROWS)) {
            let lanes = self.sums.iter_mut().zip(self.labels).zip(r);
            for ((sum, label), r) in lanes {
                *sum += if *label == k { 0.0 } else { *r };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::instruction_sets;

    /// Responsibilities that look random, of which many are equal or 0.
    fn responsibilities(n_components: usize) -> Vec<f64> {
        let share = |i: usize| ((i * 7919 + i * i * 31) % 11) as f64 / 16.0;
        (0..n_components * BLOCK_ROWS).map(share).collect()
    }

    #[test]
    fn labels_and_others_agree_with_row_by_row_on_each_instruction_set() {
        for n_components in [1, 2, 3, 17] {
            let r = responsibilities(n_components);
            let of = |k: usize, i: usize| r[k * BLOCK_ROWS + i];
            for set in instruction_sets() {
                let mut labels = vec![u64::MAX; BLOCK_ROWS];
                set.dispatch(MostProbable {
                    r: &r,
                    labels: &mut labels,
                });
                let mut sums = vec![f64::NAN; BLOCK_ROWS];
                set.dispatch(SumOthers {
                    r: &r,
                    labels: &labels,
                    sums: &mut sums,
                });
                for i in 0..BLOCK_ROWS {
                    let best = (1..n_components)
                        .fold(0, |best, k| if of(k, i) > of(best, i) { k } else { best });
                    assert_eq!(labels[i], best as u64, "row {i} of {n_components}");
                    let others: f64 = (0..n_components)
                        .filter(|k| *k != best)
                        .map(|k| of(k, i))
                        .sum();
                    // Sums of sixteenths are exact.
                    assert_eq!(sums[i].to_bits(), (others + 0.0).to_bits());
                }
            }
        }
    }
}
