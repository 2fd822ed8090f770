//! Products of a matrix with the lanes of a block: linear functions of the rows, many at a time.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::real::Real;
use crate::block::BLOCK_ROWS;

/// Rows of a matrix that are multiplied at a time: 4 rows x 4 vectors are 16 independent sums, enough to hide the latency of a fused
/// multiply-add, and fit into the 32 registers of AVX-512.
pub(super) const ROWS: usize = 4;

/// A matrix that multiplies rows, stored in the order in which the kernels read it: groups of four of its rows, column by column. A
/// group of a lower triangle ends with the column of its last row, zeros above the diagonal included.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearMap<T = f64> {
    n_rows: usize,
    n_columns: usize,
    is_lower: bool,
    packed: Vec<T>,
}

impl LinearMap {
    /// The matrix with the given entries.
    pub fn new(n_rows: usize, n_columns: usize, entry: impl Fn(usize, usize) -> f64) -> Self {
        Self::pack(n_rows, n_columns, false, entry)
    }

    /// A lower-triangular matrix: half the work. Only entries up to the diagonal are asked for.
    pub fn lower(n: usize, entry: impl Fn(usize, usize) -> f64) -> Self {
        Self::pack(n, n, true, |row, column| {
            if column <= row {
                entry(row, column)
            } else {
                0.0
            }
        })
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
        let groups = (0..n_rows).step_by(ROWS);
        let groups = groups.map(|first| first..n_rows.min(first + ROWS));
        // Grown step by step it would hold twice the room.
        let len = |rows: Range<usize>| rows.len() * map.columns_of(rows.end);
        map.packed.reserve_exact(groups.clone().map(len).sum());
        for rows in groups {
            for column in 0..map.columns_of(rows.end) {
                let entry = &entry;
                let entries = rows.clone().map(|row| entry(row, column));
                map.packed.extend(entries);
            }
        }
        map
    }

    /// The largest entry, by size.
    pub(crate) fn largest(&self) -> f64 {
        self.packed.iter().fold(0.0, |m, c| m.max(c.abs()))
    }

    /// The matrix in single precision; its entries may be out of range.
    pub fn single(&self) -> LinearMap<f32> {
        LinearMap {
            n_rows: self.n_rows,
            n_columns: self.n_columns,
            is_lower: self.is_lower,
            packed: self.packed.iter().map(|c| *c as f32).collect(),
        }
    }
}

impl<T: Real> LinearMap<T> {
    /// `out[r][i] = constants[r] + Σⱼ a[r][j] z[j][i]` over the lanes of a block: 2 n_rows n_columns flop per lane, half for a
    /// triangle.
    ///
    /// `z` is n_columns x [`BLOCK_ROWS`], `out` n_rows x [`BLOCK_ROWS`].
    ///
    /// # Panics
    /// If a buffer has another size.
    pub fn apply(&self, constants: &[T], z: &[T], out: &mut [T]) {
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

impl<T> LinearMap<T> {
    pub(super) fn n_rows(&self) -> usize {
        self.n_rows
    }

    pub(super) fn packed(&self) -> &[T] {
        &self.packed
    }

    /// Columns that a group of rows up to `end` has.
    #[inline(always)]
    fn columns_of(&self, end: usize) -> usize {
        if self.is_lower { end } else { self.n_columns }
    }

    /// The groups of rows, each with its entries.
    #[inline(always)]
    pub(super) fn groups(&self) -> Groups<'_, T> {
        Groups {
            map: self,
            first: 0,
            rest: &self.packed,
        }
    }
}

/// See [`LinearMap::groups`].
pub(super) struct Groups<'a, T> {
    map: &'a LinearMap<T>,
    first: usize,
    rest: &'a [T],
}

impl<'a, T> Iterator for Groups<'a, T> {
    type Item = (Range<usize>, &'a [T]);

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        let rows = self.first..self.map.n_rows.min(self.first + ROWS);
        if rows.is_empty() {
            return None;
        }
        let (group, rest) = (self.rest).split_at(rows.len() * self.map.columns_of(rows.end));
        (self.first, self.rest) = (rows.end, rest);
        Some((rows, group))
    }
}

#[doc(hidden)]
pub struct Apply<'a, T> {
    pub map: &'a LinearMap<T>,
    pub constants: &'a [T],
    pub z: &'a [T],
    pub out: &'a mut [T],
}

impl<T: Real> WithSimd for Apply<'_, T> {
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

impl<T: Real> Apply<'_, T> {
    #[inline(always)]
    fn run<S: Simd, const V: usize>(self, simd: S) {
        let stride = T::stride::<S>();
        let z = T::vectors::<S>(self.z);
        let out = T::vectors_mut::<S>(self.out);
        for lane in (0..stride).step_by(V) {
            for (rows, group) in self.map.groups() {
                let (constants, z) = (&self.constants[rows.clone()], &z[lane..]);
                let out = &mut out[rows.start * stride + lane..];
                match rows.len() {
                    1 => write_rows::<T, S, 1, V>(simd, group, constants, z, out),
                    2 => write_rows::<T, S, 2, V>(simd, group, constants, z, out),
                    3 => write_rows::<T, S, 3, V>(simd, group, constants, z, out),
                    _ => write_rows::<T, S, ROWS, V>(simd, group, constants, z, out),
                }
            }
        }
    }
}

#[inline(always)]
fn write_rows<T: Real, S: Simd, const R: usize, const V: usize>(
    simd: S,
    group: &[T],
    constants: &[T],
    z: &[T::Vector<S>],
    out: &mut [T::Vector<S>],
) {
    let stride = T::stride::<S>();
    let mut y: [[T::Vector<S>; V]; R] = std::array::from_fn(|a| [T::splat(simd, constants[a]); V]);
    add_rectangle::<T, S, R, V>(simd, group, z, stride, &mut y);
    for (out, y) in out.chunks_mut(stride).zip(&y) {
        out[..V].copy_from_slice(y);
    }
}

/// Adds the products of R rows of a matrix, stored column by column, with V vectors of each feature, which stand `stride` apart.
#[inline(always)]
pub(super) fn add_rectangle<T: Real, S: Simd, const R: usize, const V: usize>(
    simd: S,
    columns: &[T],
    z: &[T::Vector<S>],
    stride: usize,
    y: &mut [[T::Vector<S>; V]; R],
) {
    for (coefficients, z) in columns.chunks_exact(R).zip(z.chunks(stride)) {
        add_column::<T, S, R, V, 0>(simd, coefficients, &z[..V], y);
    }
}

/// Adds one column's contribution to the rows from number FIRST on.
#[inline(always)]
pub(super) fn add_column<T: Real, S: Simd, const R: usize, const V: usize, const FIRST: usize>(
    simd: S,
    coefficients: &[T],
    z: &[T::Vector<S>],
    y: &mut [[T::Vector<S>; V]; R],
) {
    // Bounds known at compile time keep the sums in registers.
    let coefficients = &coefficients[..R];
    let z = &z[..V];
    for a in FIRST..R {
        let c = T::splat(simd, coefficients[a]);
        for v in 0..V {
            y[a][v] = T::mul_add(simd, c, z[v], y[a][v]);
        }
    }
}
