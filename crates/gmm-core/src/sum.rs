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
            weights
                .iter()
                .zip(terms)
                .filter(|(w, _)| **w > 0.0)
                .for_each(|(w, l)| self.add(w * l));
        }
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
    fn with_simd<S: Simd>(self, _simd: S) -> Self::Output {
        let (mut sums, mut losses) = ([0.0; CHAINS], [0.0; CHAINS]);
        for (weights, terms) in self.weights.chunks(CHAINS).zip(self.terms.chunks(CHAINS)) {
            for (((sum, loss), w), l) in sums.iter_mut().zip(&mut losses).zip(weights).zip(terms) {
                let term = if *w > 0.0 { w * l } else { 0.0 };
                // The rounding error of an addition, without asking which term is larger (Knuth 1969).
                let total = *sum + term;
                let part = total - *sum;
                *loss += (*sum - (total - part)) + (term - part);
                *sum = total;
            }
        }
        std::array::from_fn(|i| (sums[i], losses[i]))
    }
}
