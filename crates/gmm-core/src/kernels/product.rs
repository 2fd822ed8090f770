//! Products of a matrix with the lanes of a block: linear functions of the rows, many at a time.

use pulp::{Arch, Simd, WithSimd};

use super::whiten::{ROWS, add_rectangle};
use crate::block::BLOCK_ROWS;

/// A matrix that multiplies rows, stored in the order in which the kernel reads it: groups of four of its rows, column by column.
#[derive(Clone, Debug)]
pub struct LinearMap {
    n_rows: usize,
    n_columns: usize,
    is_lower: bool,
    packed: Vec<f64>,
}

impl LinearMap {
    /// The matrix with the given entries.
    pub fn new(n_rows: usize, n_columns: usize, entry: impl Fn(usize, usize) -> f64) -> Self {
        Self::pack(n_rows, n_columns, false, entry)
    }

    /// A lower-triangular matrix: half the work. Entries above the diagonal must be 0.
    pub fn lower(n: usize, entry: impl Fn(usize, usize) -> f64) -> Self {
        Self::pack(n, n, true, entry)
    }

    fn pack(
        n_rows: usize,
        n_columns: usize,
        is_lower: bool,
        entry: impl Fn(usize, usize) -> f64,
    ) -> Self {
        let mut map = Self {
            n_rows,
            n_columns,
            is_lower,
            packed: Vec::new(),
        };
        for first in (0..n_rows).step_by(ROWS) {
            let rows = first..n_rows.min(first + ROWS);
            for column in 0..map.columns_of(rows.end) {
                let entry = &entry;
                let entries = rows.clone().map(|row| entry(row, column));
                map.packed.extend(entries);
            }
        }
        map
    }

    /// Columns that a group of rows up to `end` has.
    fn columns_of(&self, end: usize) -> usize {
        if self.is_lower { end } else { self.n_columns }
    }

    /// `out[r][i] = constants[r] + Σⱼ a[r][j] z[j][i]` over the lanes of a block: 2 n_rows n_columns flop per lane, half for a
    /// triangle.
    ///
    /// `z` is n_columns x [`BLOCK_ROWS`], `out` n_rows x [`BLOCK_ROWS`].
    ///
    /// # Panics
    /// If a buffer has another size.
    pub fn apply(&self, constants: &[f64], z: &[f64], out: &mut [f64]) {
        assert_eq!(constants.len(), self.n_rows);
        assert_eq!(z.len(), self.n_columns * BLOCK_ROWS);
        assert_eq!(out.len(), self.n_rows * BLOCK_ROWS);
        Arch::new().dispatch(Apply {
            map: self,
            constants,
            z,
            out,
        });
    }
}

#[doc(hidden)]
pub struct Apply<'a> {
    pub map: &'a LinearMap,
    pub constants: &'a [f64],
    pub z: &'a [f64],
    pub out: &'a mut [f64],
}

impl WithSimd for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // As many sums as hide the latency of a fused multiply-add and fit into the registers.
        if S::F64_LANES == 8 {
            self.run::<S, 4>(simd);
        } else {
            self.run::<S, 2>(simd);
        }
    }
}

impl Apply<'_> {
    #[inline(always)]
    fn run<S: Simd, const V: usize>(self, simd: S) {
        let stride = BLOCK_ROWS / S::F64_LANES;
        let (z, _) = S::as_simd_f64s(self.z);
        let (out, _) = S::as_mut_simd_f64s(self.out);
        for lane in (0..stride).step_by(V) {
            let mut packed = self.map.packed.as_slice();
            for first in (0..self.map.n_rows).step_by(ROWS) {
                let end = self.map.n_rows.min(first + ROWS);
                let (group, rest) = packed.split_at((end - first) * self.map.columns_of(end));
                packed = rest;
                let (constants, z) = (&self.constants[first..end], &z[lane..]);
                let out = &mut out[first * stride + lane..];
                match end - first {
                    1 => write_rows::<S, 1, V>(simd, group, constants, z, out),
                    2 => write_rows::<S, 2, V>(simd, group, constants, z, out),
                    3 => write_rows::<S, 3, V>(simd, group, constants, z, out),
                    _ => write_rows::<S, ROWS, V>(simd, group, constants, z, out),
                }
            }
        }
    }
}

#[inline(always)]
fn write_rows<S: Simd, const R: usize, const V: usize>(
    simd: S,
    group: &[f64],
    constants: &[f64],
    z: &[S::f64s],
    out: &mut [S::f64s],
) {
    let stride = BLOCK_ROWS / S::F64_LANES;
    let mut y: [[S::f64s; V]; R] = std::array::from_fn(|a| [simd.splat_f64s(constants[a]); V]);
    add_rectangle::<f64, S, R, V>(simd, group, z, stride, &mut y);
    for (out, y) in out.chunks_mut(stride).zip(&y) {
        out[..V].copy_from_slice(y);
    }
}
