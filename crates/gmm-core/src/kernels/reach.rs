//! About which rows of a block a component may say anything.

use pulp::{Simd, WithSimd};

use super::marks::{Marking, Marks};

/// The rows that may be near enough: those for which `constant - ½ max(0, distance + direction'zᵢ)²`, a bound on their log-density, is above
/// `reached[i] - below`. Where the bound is no number, they may.
pub(crate) struct Reach<'a> {
    /// n_features x [`BLOCK_ROWS`](crate::block::BLOCK_ROWS).
    pub(crate) z: &'a [f64],
    pub(crate) direction: &'a [f64],
    pub(crate) distance: f64,
    pub(crate) constant: f64,
    /// +∞ for rows that don't count.
    pub(crate) reached: &'a [f64],
    pub(crate) below: f64,
}

impl WithSimd for Reach<'_> {
    type Output = Marks;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Marks {
        const V: usize = 4;
        let splat = |value| simd.splat_f64s(value);
        let (zero, minus_two) = (splat(0.0), splat(-2.0));
        // A row is too far if its squared distance is at least 2 (constant + below - reached).
        let at_none = splat(2.0 * (self.constant + self.below));
        let (z, _) = S::as_simd_f64s(self.z);
        let (reached, _) = S::as_simd_f64s(self.reached);
        let stride = reached.len();
        let mut marking = Marking::<f64, S>::new(simd);
        for at in (0..stride).step_by(V) {
            let mut t = [splat(self.distance); V];
            for (lanes, e) in z.chunks_exact(stride).zip(self.direction) {
                let (lanes, e) = (&lanes[at..at + V], splat(*e));
                for v in 0..V {
                    t[v] = simd.mul_add_f64s(lanes[v], e, t[v]);
                }
            }
            for v in 0..V {
                // A row on the other side of the mean may be anywhere.
                let t = simd.select_f64s(simd.less_than_f64s(t[v], zero), zero, t[v]);
                let least = simd.mul_add_f64s(reached[at + v], minus_two, at_none);
                marking.mark(at + v, least, simd.mul_f64s(t, t));
            }
        }
        marking.finish()
    }
}

/// Raises what each row has reached to a component's log-density, where that is more and no NaN; the answer is the least that a row of positive
/// weight has reached, +∞ where there is none.
pub(crate) struct Raise<'a> {
    pub(crate) reached: &'a mut [f64],
    pub(crate) joint: &'a [f64],
    pub(crate) weights: &'a [f64],
}

impl WithSimd for Raise<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        const V: usize = 4;
        let (infinity, zero) = (simd.splat_f64s(f64::INFINITY), simd.splat_f64s(0.0));
        let (reached, _) = S::as_mut_simd_f64s(self.reached);
        let (joint, _) = S::as_simd_f64s(self.joint);
        let (weights, _) = S::as_simd_f64s(self.weights);
        let mut least = [infinity; V];
        let rows = reached
            .chunks_exact_mut(V)
            .zip(joint.chunks_exact(V).zip(weights.chunks_exact(V)));
        for (reached, (joint, weights)) in rows {
            for v in 0..V {
                let is_more = simd.greater_than_f64s(joint[v], reached[v]);
                reached[v] = simd.select_f64s(is_more, joint[v], reached[v]);
                let counts = simd.greater_than_f64s(weights[v], zero);
                let counted = simd.select_f64s(counts, reached[v], infinity);
                let is_less = simd.less_than_f64s(counted, least[v]);
                least[v] = simd.select_f64s(is_less, counted, least[v]);
            }
        }
        let mut all = least[0];
        for other in &least[1..] {
            all = simd.select_f64s(simd.less_than_f64s(*other, all), *other, all);
        }
        simd.reduce_min_f64s(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::BLOCK_ROWS;
    use crate::kernels::{Listed, instruction_sets};

    #[test]
    fn rows_are_raised_and_the_least_that_counts_is_told_on_each_instruction_set() {
        let number = |i: usize| ((i * 37) % 101) as f64 - 50.0;
        let before: Vec<f64> = (0..BLOCK_ROWS).map(number).collect();
        let joint: Vec<f64> = (0..BLOCK_ROWS)
            .map(|i| if i % 9 == 4 { f64::NAN } else { number(5 * i) })
            .collect();
        let weights: Vec<f64> = (0..BLOCK_ROWS).map(|i| [1.0, 0.0, 0.5][i % 3]).collect();
        // The larger of a number and NaN is the number.
        let expected: Vec<f64> = before.iter().zip(&joint).map(|(a, b)| a.max(*b)).collect();
        let counted = expected.iter().zip(&weights).filter(|(_, w)| **w > 0.0);
        let least = counted.fold(f64::INFINITY, |least, (value, _)| least.min(*value));
        for set in instruction_sets() {
            let mut reached = before.clone();
            let raise = |reached: &mut [f64], weights: &[f64]| {
                let joint = &joint;
                set.dispatch(Raise {
                    reached,
                    joint,
                    weights,
                })
            };
            assert_eq!(raise(&mut reached, &weights).to_bits(), least.to_bits());
            let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&reached), bits(&expected));
            let none = raise(&mut reached, &[0.0; BLOCK_ROWS]);
            assert_eq!(none.to_bits(), f64::INFINITY.to_bits());
        }
    }

    /// One row at a time reaches what is needed, does not, does not count, or is no number.
    #[test]
    fn rows_that_reach_are_marked_on_each_instruction_set() {
        let direction = [0.5, -2.0];
        let number = |i: usize| ((i * 37) % 101) as f64 / 50.0 - 1.0;
        let z: Vec<f64> = (0..2 * BLOCK_ROWS).map(number).collect();
        let bound = |z: &[f64], i: usize| {
            let t: f64 = 3.0 + direction[0] * z[i] + direction[1] * z[BLOCK_ROWS + i];
            1.5 - 0.5 * t.max(0.0).powi(2)
        };
        let reaching = |z: &[f64], reached: &[f64]| {
            let mut answers = instruction_sets().into_iter().map(|set| {
                let marks = set.dispatch(Reach {
                    z,
                    direction: &direction,
                    distance: 3.0,
                    constant: 1.5,
                    reached,
                    below: 40.0,
                });
                let mut listed = Listed::default();
                assert!(listed.take(&marks, 2));
                let mut rows = listed.rows().to_vec();
                rows.sort_unstable();
                rows
            });
            let first = answers.next().unwrap();
            assert!(answers.all(|answer| answer == first));
            first
        };
        let far: Vec<f64> = (0..BLOCK_ROWS).map(|i| bound(&z, i) + 40.5).collect();
        assert_eq!(reaching(&z, &far), [0; 0]);
        for row in [0u8, 7, 100, 255] {
            let i = usize::from(row);
            let mut reached = far.clone();
            reached[i] -= 1.0;
            assert_eq!(reaching(&z, &reached), [row]);
            reached[i] = f64::INFINITY;
            assert_eq!(reaching(&z, &reached), [0; 0]);
            let mut unknown = z.clone();
            unknown[i] = f64::NAN;
            assert_eq!(reaching(&unknown, &far), [row]);
            // Beyond the mean a row is bounded by the density there.
            let mut beyond = z.clone();
            beyond[i] = -1e9;
            let mut reached = far.clone();
            reached[i] = 41.6;
            assert_eq!(reaching(&beyond, &reached), [0; 0]);
            reached[i] = 41.4;
            assert_eq!(reaching(&beyond, &reached), [row]);
        }
    }
}
