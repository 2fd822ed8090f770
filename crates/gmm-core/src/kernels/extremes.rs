//! The largest and the least of the lanes of a block.

use pulp::{Arch, Simd, WithSimd};

/// Lanes side by side: one running extreme would wait for each comparison.
const SIDE_BY_SIDE: usize = 32;

/// The largest of 0 and the values; NaN doesn't count.
pub fn largest(values: &[f64]) -> f64 {
    Arch::new().dispatch(Largest { values })
}

/// The least of the values of positive weight, +∞ where there is none; NaN doesn't count.
pub fn least_weighted(values: &[f64], weights: &[f64]) -> f64 {
    Arch::new().dispatch(LeastWeighted { values, weights })
}

struct Largest<'a> {
    values: &'a [f64],
}

impl WithSimd for Largest<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> f64 {
        let mut lanes = [0.0f64; SIDE_BY_SIDE];
        for values in self.values.chunks(SIDE_BY_SIDE) {
            for (lane, value) in lanes.iter_mut().zip(values) {
                *lane = if *value > *lane { *value } else { *lane };
            }
        }
        reduced(lanes, |a, b| if b > a { b } else { a })
    }
}

/// One of all lanes: halves are compared with halves, since each comparison of a chain would wait for the last.
#[inline(always)]
fn reduced(mut lanes: [f64; SIDE_BY_SIDE], choose: impl Fn(f64, f64) -> f64) -> f64 {
    let mut n = SIDE_BY_SIDE;
    while n > 1 {
        n /= 2;
        let (low, high) = lanes.split_at_mut(n);
        for (a, b) in low.iter_mut().zip(high) {
            *a = choose(*a, *b);
        }
    }
    lanes[0]
}

struct LeastWeighted<'a> {
    values: &'a [f64],
    weights: &'a [f64],
}

impl WithSimd for LeastWeighted<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> f64 {
        let mut lanes = [f64::INFINITY; SIDE_BY_SIDE];
        let weights = self.weights.chunks(SIDE_BY_SIDE);
        for (values, weights) in self.values.chunks(SIDE_BY_SIDE).zip(weights) {
            for (lane, (value, weight)) in lanes.iter_mut().zip(values.iter().zip(weights)) {
                // Two choices without a branch, which the compiler turns into vector code.
                let counted = if *weight > 0.0 { *value } else { f64::INFINITY };
                *lane = if counted < *lane { counted } else { *lane };
            }
        }
        reduced(lanes, |a, b| if b < a { b } else { a })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes_are_those_of_what_counts() {
        for n in [0, 1, 31, 32, 33, 256] {
            let values: Vec<f64> = (0..n)
                .map(|i| {
                    if i % 7 == 3 {
                        f64::NAN
                    } else {
                        ((i * 37) % 101) as f64 - 50.0
                    }
                })
                .collect();
            let weights: Vec<f64> = (0..n).map(|i| [1.0, 0.0, 0.5][i % 3]).collect();
            let numbers = || values.iter().copied().filter(|v| !v.is_nan());
            assert!((largest(&values) - numbers().fold(0.0, f64::max)).abs() <= 0.0);
            let counted = (0..n).filter(|&i| weights[i] > 0.0 && !values[i].is_nan());
            let expected = counted.map(|i| values[i]).fold(f64::INFINITY, f64::min);
            assert_eq!(
                least_weighted(&values, &weights).to_bits(),
                expected.to_bits()
            );
        }
        assert!(least_weighted(&[f64::NEG_INFINITY, 1.0], &[0.0, 1.0]) >= 1.0);
    }
}
