//! A sum that keeps the digits that cancel.

use pulp::{Arch, Simd, WithSimd};

/// A running sum with compensation: its error doesn't grow with the number of terms (Neumaier 1974).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CompensatedSum {
    sum: f64,
    compensation: f64,
}

impl CompensatedSum {
    /// The sum of parts that were kept: see [`CompensatedSum::parts`].
    pub fn from_parts(sum: f64, compensation: f64) -> Self {
        Self { sum, compensation }
    }

    /// Adds a term.
    pub fn add(&mut self, term: f64) {
        let sum = self.sum + term;
        // What the rounding of the addition lost, taken from the larger of the two.
        let lost = if self.sum.abs() >= term.abs() {
            (self.sum - sum) + term
        } else {
            (term - sum) + self.sum
        };
        self.sum = sum;
        // An infinite term leaves inf - inf behind; the sum itself is right.
        self.compensation += if lost.is_finite() { lost } else { 0.0 };
    }

    /// Adds Σᵢ wᵢ lᵢ over the lanes of a block; a weight of 0 leaves its lane out, whatever l is.
    pub fn add_weighted(&mut self, weights: &[f64], terms: &[f64]) {
        let n = weights.len().min(terms.len()) / CHAINS * CHAINS;
        let (weights, rest) = weights.split_at(n);
        let (terms, last) = terms.split_at(n);
        let part = Arch::new().dispatch(WeightedSum { weights, terms });
        if part
            .iter()
            .all(|(sum, lost)| sum.is_finite() && lost.is_finite())
        {
            for (sum, lost) in part {
                self.merge(&Self {
                    sum,
                    compensation: lost,
                });
            }
        } else {
            // An infinite term: one by one it leaves an infinite sum and no NaN.
            self.add_one_by_one(weights, terms);
        }
        self.add_one_by_one(rest, last);
    }

    fn add_one_by_one(&mut self, weights: &[f64], terms: &[f64]) {
        let counted = weights.iter().zip(terms).filter(|(w, _)| **w > 0.0);
        counted.for_each(|(w, l)| self.add(w * l));
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &Self) {
        self.add(other.sum);
        self.compensation += other.compensation;
    }

    /// Multiplies the sum.
    pub fn scale(&mut self, factor: f64) {
        self.sum *= factor;
        self.compensation *= factor;
    }

    /// The value of the sum.
    pub fn value(&self) -> f64 {
        self.sum + self.compensation
    }

    /// The rounded sum and what rounding lost.
    pub fn parts(&self) -> (f64, f64) {
        (self.sum, self.compensation)
    }
}

/// Sums that run side by side.
const CHAINS: usize = 16;

/// Compensated sums of every 16th weighted term.
struct WeightedSum<'a> {
    weights: &'a [f64],
    terms: &'a [f64],
}

impl WithSimd for WeightedSum<'_> {
    type Output = [(f64, f64); CHAINS];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        match S::F64_LANES {
            8 => self.run::<S, 2>(simd),
            4 => self.run::<S, 4>(simd),
            2 => self.run::<S, 8>(simd),
            _ => self.run::<S, CHAINS>(simd),
        }
    }
}

impl WeightedSum<'_> {
    /// [`CHAINS`] sums in V vectors, of whole sets of terms.
    #[inline(always)]
    fn run<S: Simd, const V: usize>(self, simd: S) -> [(f64, f64); CHAINS] {
        let zero = simd.splat_f64s(0.0);
        let (mut sums, mut losses) = ([zero; V], [zero; V]);
        let (weights, _) = S::as_simd_f64s(self.weights);
        let (terms, _) = S::as_simd_f64s(self.terms);
        for (weights, terms) in weights.chunks_exact(V).zip(terms.chunks_exact(V)) {
            for v in 0..V {
                let term = simd.mul_f64s(weights[v], terms[v]);
                let counts = simd.greater_than_f64s(weights[v], zero);
                let term = simd.select_f64s(counts, term, zero);
                // The rounding error of an addition, without asking which term is larger (Knuth 1969).
                let total = simd.add_f64s(sums[v], term);
                let part = simd.sub_f64s(total, sums[v]);
                let lost = simd.sub_f64s(sums[v], simd.sub_f64s(total, part));
                let lost = simd.add_f64s(lost, simd.sub_f64s(term, part));
                losses[v] = simd.add_f64s(losses[v], lost);
                sums[v] = total;
            }
        }
        let (mut all, mut all_lost) = ([0.0; CHAINS], [0.0; CHAINS]);
        S::as_mut_simd_f64s(&mut all).0.copy_from_slice(&sums);
        S::as_mut_simd_f64s(&mut all_lost)
            .0
            .copy_from_slice(&losses);
        std::array::from_fn(|i| (all[i], all_lost[i]))
    }
}
