//! Columns without a name that do nothing but count the rows, as pandas and R put one before the data they write.

use super::number::Reading;

/// A column that has counted the rows so far.
#[derive(Debug)]
pub(super) struct Counting {
    /// The column's index (from 0) in the file.
    pub(super) index: usize,
    /// What the next row must hold to go on counting; unknown before the first row.
    next: Option<f64>,
}

impl Counting {
    /// A column of which no row was seen.
    pub(super) fn new(index: usize) -> Self {
        Self { index, next: None }
    }

    /// Whether a cell goes on counting; the first row is 0 or 1.
    ///
    /// Rows that are skipped for a gap elsewhere count like all others, or a gap would make a feature of the count.
    pub(super) fn goes_on(&mut self, cell: Reading) -> bool {
        let Reading::Number(value) = cell else {
            return false;
        };
        let is = |expected: f64| value.to_bits() == expected.to_bits();
        let goes_on = self.next.map_or(is(0.0) || is(1.0), is);
        self.next = Some(value + 1.0);
        goes_on
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(cells: &[Reading]) -> bool {
        let mut column = Counting::new(0);
        cells.iter().all(|&cell| column.goes_on(cell))
    }

    #[test]
    fn only_steps_of_one_from_zero_or_one_count() {
        let numbers = |values: &[f64]| values.iter().map(|&v| Reading::Number(v)).collect();
        for (cells, expected) in [
            (numbers(&[0.0, 1.0, 2.0]), true),
            (numbers(&[1.0, 2.0, 3.0]), true),
            (numbers(&[2.0, 3.0]), false),
            (numbers(&[0.0, 2.0]), false),
            (numbers(&[1.0, 1.0]), false),
            (numbers(&[1.0, 0.0]), false),
            (numbers(&[0.5, 1.5]), false),
            (numbers(&[-1.0, 0.0]), false),
            (vec![Reading::Number(0.0), Reading::Missing], false),
            (vec![Reading::Text], false),
        ] {
            let cells: Vec<Reading> = cells;
            assert_eq!(counts(&cells), expected, "{cells:?}");
        }
    }
}
