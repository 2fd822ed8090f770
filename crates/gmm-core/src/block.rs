//! Expert layer: a block of 256 rows, feature by feature, and the exact change of coordinates in which fits are computed.
//!
//! Everything that touches all rows works on [`Block`]s: the values of one feature lie side by side, so that the kernels
//! run over the samples. Blocks are fixed parts of the table (rows 0..256, 256..512, ...), whatever the number of threads.

use std::ops::Range;

use faer::MatRef;

use crate::ahead::Ahead;
use crate::kernels::to_frame;
use crate::{Aligned, Error, Samples};

/// Rows per block. 256 rows of up to about 250 features stay in a second-level cache of 512 KiB.
pub const BLOCK_ROWS: usize = 256;

/// An exact change of coordinates, feature by feature: `x' = (x - offset) * 2^-exponent`.
///
/// Fits run in the coordinates of the frame of their data, so that a result does not depend on the units or on a large
/// offset. Both steps are exact: the offset is 0 unless the values are large against their range, and then it is a
/// multiple of a power of two at least as large as the range, so that `x - offset` has no rounding error (the difference is
/// a multiple of the last bit of x and needs no more than 53 bits); the scale is a power of two. Only where a column spans
/// the whole range of f64 are its smallest values, those below 2^-1022 of its unit, rounded as subnormal numbers are.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    offsets: Vec<f64>,
    exponents: Vec<i32>,
}

impl Frame {
    /// The frame that changes nothing.
    pub fn identity(n_features: usize) -> Self {
        Self {
            offsets: vec![0.0; n_features],
            exponents: vec![0; n_features],
        }
    }

    /// The frame of data whose feature j lies in `ranges[j] = (smallest, largest)`: values become at most 2 in size.
    pub fn of_ranges(ranges: &[(f64, f64)]) -> Self {
        let (offsets, exponents) = ranges
            .iter()
            .map(|&(low, high)| frame_of_range(low, high))
            .unzip();
        Self { offsets, exponents }
    }

    /// The frame with the same offsets and one unit for all features, the largest: for covariance forms that features of
    /// different units would change.
    #[must_use]
    pub fn with_one_unit(mut self) -> Self {
        let largest = self.exponents.iter().copied().max().unwrap_or(0);
        self.exponents.fill(largest);
        self
    }

    /// Number of features.
    pub fn n_features(&self) -> usize {
        self.offsets.len()
    }

    /// What is subtracted from each feature.
    pub fn offsets(&self) -> &[f64] {
        &self.offsets
    }

    /// The binary logarithm of each feature's unit.
    pub fn exponents(&self) -> &[i32] {
        &self.exponents
    }

    /// A value of a feature in the frame's coordinates.
    pub fn to_frame(&self, feature: usize, value: f64) -> f64 {
        scale_by_power(value - self.offsets[feature], -self.exponents[feature])
    }

    /// A value of a feature in the coordinates of the data.
    pub fn from_frame(&self, feature: usize, value: f64) -> f64 {
        scale_by_power(value, self.exponents[feature]) + self.offsets[feature]
    }

    /// log |dx'/dx| = -ln 2 · Σⱼ exponentⱼ: what a log-density in the frame has more than one in the data's coordinates is its negative.
    pub fn log_jacobian(&self) -> f64 {
        -std::f64::consts::LN_2 * self.exponents.iter().map(|&e| f64::from(e)).sum::<f64>()
    }
}

/// Multiplies by 2^exponent; in two steps, because 2^exponent itself may lie outside of the range of f64.
pub(crate) fn scale_by_power(value: f64, exponent: i32) -> f64 {
    let half = exponent / 2;
    value * power_of_two(half) * power_of_two(exponent - half)
}

/// 2^e for |e| <= 1022, built from its bits.
fn power_of_two(e: i32) -> f64 {
    f64::from_bits(((e.clamp(-1022, 1023) + 1023) as u64) << 52)
}

/// The exponent e with 2^(e-1) <= |x| < 2^e, and 0 for x = 0; works for subnormal numbers.
pub(crate) fn exponent_of(x: f64) -> i32 {
    if x == 0.0 || !x.is_finite() {
        return 0;
    }
    let biased = |v: f64| ((v.to_bits() >> 52) & 0x7ff) as i32 - 1022;
    if x.is_subnormal() {
        biased(x * power_of_two(64)) - 64
    } else {
        biased(x)
    }
}

fn frame_of_range(low: f64, high: f64) -> (f64, i32) {
    // Halves, so that a range from -1.7e308 to 1.7e308 doesn't overflow.
    let half_range = 0.5 * high - 0.5 * low;
    let middle = 0.5 * high + 0.5 * low;
    // A grid of at least twice the range. Where every |x| >= 4 grids, x - offset is exact (see the type's docs).
    let grid_exponent = exponent_of(half_range) + 2;
    let grid = scale_by_power(1.0, grid_exponent.clamp(-1022, 1023));
    let offset = if half_range > 0.0 && middle.abs() >= 8.0 * grid {
        // The quotient is an integer below 2^53 or the grid is finer than the last bit of the middle, which then is on the grid.
        let steps = middle / grid;
        if steps.abs() < 9e15 {
            steps.round() * grid
        } else {
            middle
        }
    } else if half_range == 0.0 {
        low
    } else {
        0.0
    };
    let largest = (low - offset).abs().max((high - offset).abs());
    let reach = if largest > 0.0 { largest } else { low.abs() };
    (offset, exponent_of(reach).clamp(-1000, 1024))
}

/// Up to [`BLOCK_ROWS`] rows in feature-major order: `values()[j * BLOCK_ROWS + i]` is feature j of row i.
///
/// Lanes past the last row hold zeros and have weight 0.
#[derive(Clone, Debug)]
pub struct Block {
    n_features: usize,
    start: usize,
    len: usize,
    values: Aligned<f64>,
    weights: Aligned<f64>,
    is_weighted: bool,
    /// Rows that will be read next.
    ahead: Ahead,
}

impl Block {
    /// An empty block for a number of features, to be filled again and again.
    pub fn new(n_features: usize) -> Self {
        Self {
            n_features,
            start: 0,
            len: 0,
            values: Aligned::zeros(n_features * BLOCK_ROWS),
            weights: Aligned::zeros(BLOCK_ROWS),
            is_weighted: true,
            ahead: Ahead::default(),
        }
    }

    /// Number of blocks of a table.
    pub fn count(n_samples: usize) -> usize {
        n_samples.div_ceil(BLOCK_ROWS)
    }

    /// Reads block number `index` of the table in the coordinates of the frame.
    ///
    /// # Errors
    /// [`Error::NonFinite`] with the row and column in the table.
    ///
    /// # Panics
    /// If the table or the frame has another number of features than the block, or fewer blocks.
    pub fn fill(
        &mut self,
        samples: &Samples<'_>,
        index: usize,
        frame: &Frame,
    ) -> Result<(), Error> {
        assert_eq!(samples.n_features(), self.n_features);
        assert_eq!(frame.n_features(), self.n_features);
        self.start = index * BLOCK_ROWS;
        self.len = (samples.n_samples() - self.start).min(BLOCK_ROWS);
        samples.pack(self.start, self.len, &mut self.values);
        let start = self.start;
        self.finish(samples, frame, |lane| start + lane)
    }

    /// Reads the rows at some places of an order: place i holds row `order[i]` of the table. [`Block::rows`] are places then.
    ///
    /// # Errors
    /// As [`Block::fill`].
    ///
    /// # Panics
    /// As [`Block::fill`], or if there are more than [`BLOCK_ROWS`] places, or a place or its row is out of range.
    pub fn fill_ordered(
        &mut self,
        samples: &Samples<'_>,
        order: &[u32],
        places: Range<usize>,
        frame: &Frame,
    ) -> Result<(), Error> {
        assert_eq!(samples.n_features(), self.n_features);
        assert_eq!(frame.n_features(), self.n_features);
        assert!(places.len() <= BLOCK_ROWS);
        (self.start, self.len) = (places.start, places.len());
        let rows = &order[places];
        samples.pack_rows(rows, &mut self.values);
        self.finish(samples, frame, |lane| rows[lane] as usize)
    }

    /// Lets each of some blocks ask for the next one ahead of time, while it is evaluated: for passes over blocks that are kept.
    pub fn look_ahead_in(blocks: &mut [Self]) {
        let column = |block: &Self| {
            let values = &block.values;
            Ahead::of(MatRef::from_column_major_slice(values, values.len(), 1))
        };
        let next: Vec<Ahead> = blocks.iter().skip(1).map(column).collect();
        blocks
            .iter_mut()
            .zip(next)
            .for_each(|(block, next)| block.ahead = next);
    }

    /// Asks for the rows after these ahead of time, while the block is evaluated: for passes that read one block after the other.
    pub fn look_ahead(&mut self, samples: &Samples<'_>) {
        self.ahead = samples.ahead(self.start.saturating_add(BLOCK_ROWS));
    }

    /// Asks for a part of the rows that come next.
    pub(crate) fn fetch_ahead(&self, part: usize, n_parts: usize) {
        self.ahead.fetch(part, n_parts);
    }

    /// Moves the values into the frame and takes over the weights of the rows.
    fn finish(
        &mut self,
        samples: &Samples<'_>,
        frame: &Frame,
        row: impl Fn(usize) -> usize,
    ) -> Result<(), Error> {
        self.ahead = Ahead::default();
        for (lane, (offset, exponent)) in (self.values.chunks_exact_mut(BLOCK_ROWS))
            .zip(frame.offsets.iter().zip(&frame.exponents))
        {
            let (lane, padding) = lane.split_at_mut(self.len);
            let half = -exponent / 2;
            let units = [power_of_two(half), power_of_two(-exponent - half)];
            if !to_frame(lane, *offset, units) {
                return Err(samples.first_non_finite());
            }
            padding.fill(0.0);
        }
        self.is_weighted = samples.weights().is_some() || self.len < BLOCK_ROWS;
        match samples.weights() {
            Some(weights) => {
                let lanes = self.weights[..self.len].iter_mut().enumerate();
                lanes.for_each(|(lane, w)| *w = weights[row(lane)]);
            }
            None => self.weights[..self.len].fill(1.0),
        }
        self.weights[self.len..].fill(0.0);
        Ok(())
    }

    /// Puts the rows of weight 0 at the origin, for sums over the rows: such a row may lie anywhere, also where its squares
    /// overflow, and 0 · ∞ is not a number.
    pub fn hide_weightless(&mut self) {
        if !self.is_weighted {
            return;
        }
        for i in (0..self.len).filter(|&i| self.weights[i] == 0.0) {
            for lane in self.values.chunks_exact_mut(BLOCK_ROWS) {
                lane[i] = 0.0;
            }
        }
    }

    /// Number of features.
    pub fn n_features(&self) -> usize {
        self.n_features
    }

    /// Number of rows that are filled.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no row is filled.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The rows of the table that the block holds, or their places in the order it was filled by.
    pub fn rows(&self) -> Range<usize> {
        self.start..self.start + self.len
    }

    /// The values, feature by feature.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The values of one feature.
    pub fn feature(&self, j: usize) -> &[f64] {
        &self.values[j * BLOCK_ROWS..(j + 1) * BLOCK_ROWS]
    }

    /// Whether any lane has another weight than 1.
    pub fn is_weighted(&self) -> bool {
        self.is_weighted
    }

    /// The sample weights: 1 where the table has none, 0 past the last row.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_blocks_ask_for_the_next_one() {
        let mut blocks = [2, 2, 33].map(Block::new);
        Block::look_ahead_in(&mut blocks);
        let values: Vec<MatRef<'_, f64>> = blocks
            .iter()
            .map(|block| MatRef::from_column_major_slice(&block.values, block.values.len(), 1))
            .collect();
        // 33 features are too many.
        let expected = [Ahead::of(values[1]), Ahead::default(), Ahead::default()];
        assert!(expected[0] != Ahead::default());
        for (block, expected) in blocks.iter().zip(expected) {
            assert_eq!(block.ahead, expected);
        }
        Block::look_ahead_in(&mut []);
    }

    #[test]
    fn exponents_are_those_of_frexp() {
        for (x, e) in [
            (1.0, 1),
            (0.5, 0),
            (0.75, 0),
            (-8.0, 4),
            (1e-310, -1029),
            (f64::MAX, 1024),
            (0.0, 0),
        ] {
            assert_eq!(exponent_of(x), e, "{x}");
        }
    }

    #[test]
    fn a_frame_is_exact_and_undone_exactly() {
        let cases = [
            (-1.0, 2.0),
            (1e8, 1e8 + 3.25),
            (1e16, 1e16 + 2.0),
            (-1e300, 1e300),
            (-f64::MAX, f64::MAX),
            (3e-310, 5e-310),
            (7.0, 7.0),
            (-0.1, 1e-20),
            (1e10, 1.5e10),
        ];
        for (low, high) in cases {
            let frame = Frame::of_ranges(&[(low, high)]);
            for x in [low, high, 0.5 * low + 0.5 * high] {
                let there = frame.to_frame(0, x);
                assert!(there.abs() <= 2.0, "{low} {high}: {x} became {there}");
                assert_eq!(
                    frame.from_frame(0, there).to_bits(),
                    x.to_bits(),
                    "{low} {high}: {x}"
                );
            }
        }
    }

    #[test]
    fn a_power_of_two_scale_gives_the_same_values_in_the_frame() {
        let data = [1.25, 3.5, -2.0, 1000.0];
        let frame = |s: f64| Frame::of_ranges(&[(-2.0 * s, 1000.0 * s)]);
        for e in [-300, -1, 1, 300] {
            let s = scale_by_power(1.0, e);
            for x in data {
                assert_eq!(
                    frame(1.0).to_frame(0, x).to_bits(),
                    frame(s).to_frame(0, x * s).to_bits()
                );
            }
        }
    }
}
