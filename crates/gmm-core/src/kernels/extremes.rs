//! The largest and the least of the lanes of a block, and what is not above a bound.

use pulp::{Arch, Simd, WithSimd};

use super::real::Real as _;

/// Vectors side by side: one running extreme would wait for each comparison.
const CHAINS: usize = 4;

/// The largest of 0 and the values; NaN doesn't count.
pub fn largest(values: &[f64]) -> f64 {
    Arch::new().dispatch(Largest { values })
}

/// The least and the largest of the values of positive weight, +∞ and -∞ where there is none; NaN doesn't count.
pub fn weighted_range(values: &[f64], weights: &[f64]) -> (f64, f64) {
    Arch::new().dispatch(WeightedRange { values, weights })
}

/// Makes 0 of the values that are not above a bound, and of NaN.
pub fn clear_up_to(values: &mut [f64], bound: f64) {
    Arch::new().dispatch(ClearUpTo { values, bound });
}

struct Largest<'a> {
    values: &'a [f64],
}

impl WithSimd for Largest<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let (vectors, rest) = S::as_simd_f64s(self.values);
        let (groups, single) = vectors.as_chunks::<CHAINS>();
        let mut all = [simd.splat_f64s(0.0); CHAINS];
        for group in groups {
            for v in 0..CHAINS {
                all[v] = f64::larger(simd, group[v], all[v]);
            }
        }
        let [a, b, c, d] = all;
        let [ab, cd] = [f64::larger(simd, a, b), f64::larger(simd, c, d)];
        let mut all = f64::larger(simd, ab, cd);
        for value in single {
            all = f64::larger(simd, *value, all);
        }
        let rest = rest.iter().copied().fold(0.0, f64::max);
        simd.reduce_max_f64s(all).max(rest)
    }
}

struct ClearUpTo<'a> {
    values: &'a mut [f64],
    bound: f64,
}

impl WithSimd for ClearUpTo<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (vectors, rest) = S::as_mut_simd_f64s(self.values);
        for value in vectors {
            *value = f64::where_above(simd, *value, self.bound, *value);
        }
        for value in rest {
            *value = if *value > self.bound { *value } else { 0.0 };
        }
    }
}

struct WeightedRange<'a> {
    values: &'a [f64],
    weights: &'a [f64],
}

impl WithSimd for WeightedRange<'_> {
    type Output = (f64, f64);

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> (f64, f64) {
        let (infinity, zero) = (simd.splat_f64s(f64::INFINITY), simd.splat_f64s(0.0));
        let (values, rest) = S::as_simd_f64s(self.values);
        let (weights, other) = S::as_simd_f64s(self.weights);
        // The largest is the least of the opposite numbers.
        let mut least = [infinity; 2];
        for (value, weight) in values.iter().zip(weights) {
            let counts = simd.greater_than_f64s(*weight, zero);
            for (least, value) in least.iter_mut().zip([*value, simd.neg_f64s(*value)]) {
                let value = simd.select_f64s(counts, value, infinity);
                *least = simd.select_f64s(simd.less_than_f64s(value, *least), value, *least);
            }
        }
        let [low, high] = least;
        let mut range = (simd.reduce_min_f64s(low), -simd.reduce_min_f64s(high));
        for (value, _) in rest.iter().zip(other).filter(|(_, w)| **w > 0.0) {
            range = (range.0.min(*value), range.1.max(*value));
        }
        range
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::instruction_sets;

    #[test]
    fn extremes_are_those_of_what_counts_on_each_instruction_set() {
        for n in [0, 1, 31, 32, 33, 256] {
            let values: Vec<f64> = (0..n)
                .map(|i| match i % 7 {
                    3 => f64::NAN,
                    _ => f64::from((i * 37) % 101) - 50.0,
                })
                .collect();
            let weights: Vec<f64> = (0..values.len()).map(|i| [1.0, 0.0, 0.5][i % 3]).collect();
            let numbers = values.iter().copied().filter(|v| !v.is_nan());
            let most = numbers.fold(0.0, f64::max);
            let counted = values.iter().zip(&weights).filter(|(_, w)| **w > 0.0);
            // The minimum of a number and NaN is the number.
            let range = counted.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), (v, _)| {
                (low.min(*v), high.max(*v))
            });
            for set in instruction_sets() {
                let values = &values;
                let found = set.dispatch(Largest { values });
                assert_eq!(found.to_bits(), most.to_bits());
                let weights = &weights;
                let found = set.dispatch(WeightedRange { values, weights });
                assert_eq!(found, range);
                for bound in [0.0, 12.0, 50.0] {
                    let mut kept = values.clone();
                    set.dispatch(ClearUpTo {
                        values: &mut kept,
                        bound,
                    });
                    let above = |v: &f64| if *v > bound { *v } else { 0.0 };
                    let expected: Vec<f64> = values.iter().map(above).collect();
                    assert_eq!(kept, expected);
                }
            }
        }
        let weights = [0.0, 1.0, 2.0, 0.0];
        let values = [f64::NEG_INFINITY, 1.0, 3.0, f64::INFINITY];
        assert_eq!(weighted_range(&values, &weights), (1.0, 3.0));
        assert!(largest(&[f64::NAN, -1.0]) <= 0.0);
    }
}
