//! Rows of a table to the lanes of a block.

use pulp::{Arch, Simd, WithSimd};

use super::real::{MOST_LANES, Real};
use crate::block::BLOCK_ROWS;

/// Rows and features that are turned at a time: what a line of the cache holds.
pub(crate) const SIDE: usize = 8;

/// `out[j * BLOCK_ROWS + i] = widen(row(i)[j])` for the first `n_rows` rows. What is written past them means nothing.
///
/// Squares of eight rows by eight features are turned in registers, so that each line of the cache is read once and written whole: 0.5 ns a
/// number with the change of coordinates that follows, 1.3 where one number was taken after the other (8 to 64 features).
///
/// # Panics
/// If a row is shorter than `n_features`, or `out` is too short for them.
pub(crate) fn rows_to_lanes<'a, T: Copy + 'a>(
    n_rows: usize,
    n_features: usize,
    row: impl Fn(usize) -> &'a [T],
    widen: impl Fn(T) -> f64,
    out: &mut [f64],
) {
    Arch::new().dispatch(RowsToLanes {
        n_rows,
        n_features,
        row,
        widen,
        out,
    });
}

struct RowsToLanes<'o, R, W> {
    n_rows: usize,
    n_features: usize,
    row: R,
    widen: W,
    out: &'o mut [f64],
}

/// A square, row by row.
#[repr(align(64))]
struct Square([[f64; SIDE]; SIDE]);

impl<'a, T: Copy + 'a, R: Fn(usize) -> &'a [T], W: Fn(T) -> f64> WithSimd
    for RowsToLanes<'_, R, W>
{
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let mut square = Square([[0.0; SIDE]; SIDE]);
        for i in (0..self.n_rows).step_by(SIDE) {
            // The last row again, where there are no eight.
            let rows: [&[T]; SIDE] =
                std::array::from_fn(|a| (self.row)((i + a).min(self.n_rows - 1)));
            for j in (0..self.n_features).step_by(SIDE) {
                let out = &mut self.out[j * BLOCK_ROWS + i..];
                if j + SIDE <= self.n_features {
                    for (values, row) in square.0.iter_mut().zip(&rows) {
                        let row = &row[j..j + SIDE];
                        for b in 0..SIDE {
                            values[b] = (self.widen)(row[b]);
                        }
                    }
                    turn::<S>(simd, &square, out);
                    continue;
                }
                // A square of fewer columns would be read before it is written.
                for (j, feature) in (j..self.n_features).zip(out.chunks_mut(BLOCK_ROWS)) {
                    let feature = &mut feature[..SIDE];
                    for a in 0..SIDE {
                        feature[a] = (self.widen)(rows[a][j]);
                    }
                }
            }
        }
    }
}

/// Writes a square's columns to as many features.
#[inline(always)]
fn turn<S: Simd>(simd: S, square: &Square, out: &mut [f64]) {
    let lanes = f64::lanes::<S>();
    for a in (0..SIDE).step_by(lanes) {
        for b in (0..SIDE).step_by(lanes) {
            let mut part = [f64::splat(simd, 0.0); MOST_LANES];
            for (part, row) in part.iter_mut().zip(&square.0[a..a + lanes]) {
                *part = f64::vectors::<S>(row)[b / lanes];
            }
            f64::transpose(simd, &mut part);
            for j in 0..lanes {
                let feature = &mut out[(b + j) * BLOCK_ROWS + a..][..lanes];
                f64::vectors_mut::<S>(feature)[0] = part[j];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::instruction_sets;

    /// Whole squares and less than one, of rows and of features, in both precisions; features past the last stay as they are.
    #[test]
    fn lanes_are_columns_on_each_instruction_set() {
        for n_rows in [1, 7, 8, 9, 255, BLOCK_ROWS] {
            for d in [1, 2, 7, 8, 9, 16, 19] {
                let cell = |i: usize, j: usize| (i * 100 + j) as f64;
                let row = |i: usize| (0..d).map(move |j| cell(i, j));
                let double: Vec<Vec<f64>> = (0..n_rows).map(|i| row(i).collect()).collect();
                let single: Vec<Vec<f32>> = (0..n_rows)
                    .map(|i| row(i).map(|v| v as f32).collect())
                    .collect();
                for set in instruction_sets() {
                    let mut found = [(); 2].map(|()| vec![f64::NAN; (d + 1) * BLOCK_ROWS]);
                    let [from_double, from_single] = &mut found;
                    set.dispatch(RowsToLanes {
                        n_rows,
                        n_features: d,
                        row: |i: usize| double[i].as_slice(),
                        widen: |v: f64| v,
                        out: from_double,
                    });
                    set.dispatch(RowsToLanes {
                        n_rows,
                        n_features: d,
                        row: |i: usize| single[i].as_slice(),
                        widen: f64::from,
                        out: from_single,
                    });
                    for out in &found {
                        for j in 0..d {
                            let lanes = &out[j * BLOCK_ROWS..][..n_rows];
                            assert!(
                                (0..n_rows).all(|i| lanes[i].to_bits() == cell(i, j).to_bits())
                            );
                        }
                        assert!(out[d * BLOCK_ROWS..].iter().all(|v| v.is_nan()));
                    }
                }
            }
        }
    }
}
