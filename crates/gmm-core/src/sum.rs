//! A sum that keeps the digits that cancel.

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
