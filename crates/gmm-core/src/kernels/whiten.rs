//! Squared Mahalanobis distances of the lanes of a block.

use pulp::{Arch, Simd, WithSimd};

use super::differences::{Differences, Lanes as _, Plain};
use super::product::{LinearMap, ROWS, add_column, add_rectangle};
use super::real::Real;
use super::stored::padded;
use crate::block::BLOCK_ROWS;

/// What is written for a squared distance s: `addend + factor * s`, rounded once.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Line<T> {
    factor: T,
    addend: T,
}

impl<T: Real> Line<T> {
    /// The squared distance itself.
    pub fn squared() -> Self {
        Self {
            factor: T::ONE,
            addend: T::default(),
        }
    }

    /// `constant - ½ s`, the log of a density times a weight.
    pub fn log_joint(constant: T) -> Self {
        Self {
            factor: T::MINUS_HALF,
            addend: constant,
        }
    }

    #[inline(always)]
    pub(super) fn of<S: Simd, const V: usize>(
        self,
        simd: S,
        mut squared: [T::Vector<S>; V],
    ) -> [T::Vector<S>; V] {
        let (factor, addend) = (T::splat(simd, self.factor), T::splat(simd, self.addend));
        // A loop and no `map`, whose closure would be a call here.
        for s in &mut squared {
            *s = T::mul_add(simd, *s, factor, addend);
        }
        squared
    }
}

/// A lower-triangular whitening matrix W: Σ⁻¹ = W'W.
#[derive(Clone, Debug, PartialEq)]
pub struct Whitener<T = f64> {
    map: LinearMap<T>,
}

impl Whitener {
    /// Packs the lower triangle of a matrix given by its entries.
    pub fn new(n_features: usize, entry: impl Fn(usize, usize) -> f64) -> Self {
        Self {
            map: LinearMap::lower(n_features, entry),
        }
    }

    /// W as a map of many rows.
    pub(crate) fn map(&self) -> &LinearMap {
        &self.map
    }

    /// The largest entry in size.
    pub(crate) fn largest(&self) -> f64 {
        self.map.largest()
    }

    /// The matrix in single precision; its entries may be out of range.
    pub(crate) fn single(&self) -> Whitener<f32> {
        Whitener {
            map: self.map.single(),
        }
    }

    /// Number of features.
    pub fn n_features(&self) -> usize {
        self.map.n_rows()
    }

    /// `squared[i] = ‖W (xᵢ - μ)‖²` over the lanes of a block.
    ///
    /// `x` is feature-major, n_features x [`BLOCK_ROWS`]; `centred`, of the same size, is working memory. D² flop per row
    /// and the subtraction first, so that an offset costs no digits.
    ///
    /// # Panics
    /// If a buffer has another size.
    pub fn squared_norm(&self, x: &[f64], mean: &[f64], centred: &mut [f64], squared: &mut [f64]) {
        assert_eq!(x.len(), self.n_features() * BLOCK_ROWS);
        assert_eq!(centred.len(), x.len());
        assert_eq!(mean.len(), self.n_features());
        assert_eq!(squared.len(), BLOCK_ROWS);
        Arch::new().dispatch(SquaredNorm {
            whitener: self,
            differences: Plain { x, shift: mean },
            centred,
            line: Line::squared(),
            out: squared,
        });
    }

    /// `out = W z` of several z, whose numbers lie in the lanes of V vectors.
    #[inline(always)]
    pub(crate) fn apply_lanes<S: Simd, const V: usize>(
        &self,
        simd: S,
        z: &[[S::f64s; V]],
        out: &mut [[S::f64s; V]],
    ) {
        for (rows, group) in self.map.groups() {
            let out = &mut out[rows];
            match out.len() {
                1 => apply_rows::<S, 1, V>(simd, group, z, out),
                2 => apply_rows::<S, 2, V>(simd, group, z, out),
                3 => apply_rows::<S, 3, V>(simd, group, z, out),
                _ => apply_rows::<S, ROWS, V>(simd, group, z, out),
            }
        }
    }

    /// `out = W'z` of several z.
    #[inline(always)]
    pub(crate) fn apply_lanes_transposed<S: Simd, const V: usize>(
        &self,
        simd: S,
        z: &[[S::f64s; V]],
        out: &mut [[S::f64s; V]],
    ) {
        out.fill([simd.splat_f64s(0.0); V]);
        for (rows, group) in self.map.groups() {
            let z = &z[rows];
            match z.len() {
                1 => apply_columns::<S, 1, V>(simd, group, z, out),
                2 => apply_columns::<S, 2, V>(simd, group, z, out),
                3 => apply_columns::<S, 3, V>(simd, group, z, out),
                _ => apply_columns::<S, ROWS, V>(simd, group, z, out),
            }
        }
    }

    /// W z for one vector, in place: row i needs only the entries up to i, so it goes from the last row to the first.
    #[inline(always)]
    pub fn apply(&self, z: &mut [f64]) {
        let (d, packed) = (self.n_features(), self.map.packed());
        let mut end = packed.len();
        for first in (0..d).step_by(ROWS).rev() {
            let rows = ROWS.min(d - first);
            let group = &packed[end - rows * (first + rows)..end];
            end -= group.len();
            let mut y = [0.0; ROWS];
            for (coefficients, value) in group.chunks_exact(rows).zip(z.iter()) {
                for (sum, c) in y.iter_mut().zip(coefficients) {
                    *sum += c * value;
                }
            }
            z[first..first + rows].copy_from_slice(&y[..rows]);
        }
    }
}

/// R rows of a product, each with V vectors.
#[inline(always)]
fn apply_rows<S: Simd, const R: usize, const V: usize>(
    simd: S,
    group: &[f64],
    z: &[[S::f64s; V]],
    out: &mut [[S::f64s; V]],
) {
    let mut sums = [[simd.splat_f64s(0.0); V]; R];
    for (coefficients, z) in group.chunks_exact(R).zip(z) {
        for a in 0..R {
            let c = simd.splat_f64s(coefficients[a]);
            for v in 0..V {
                sums[a][v] = simd.mul_add_f64s(c, z[v], sums[a][v]);
            }
        }
    }
    out.copy_from_slice(&sums);
}

/// Adds what R rows of a matrix contribute to the product of its transpose.
#[inline(always)]
fn apply_columns<S: Simd, const R: usize, const V: usize>(
    simd: S,
    group: &[f64],
    z: &[[S::f64s; V]],
    out: &mut [[S::f64s; V]],
) {
    let z = &z[..R];
    for (coefficients, out) in group.chunks_exact(R).zip(out) {
        for a in 0..R {
            let c = simd.splat_f64s(coefficients[a]);
            for v in 0..V {
                out[v] = simd.mul_add_f64s(c, z[a][v], out[v]);
            }
        }
    }
}

/// `‖W zᵢ + origin‖²` of differences zᵢ.
#[doc(hidden)]
pub struct SquaredNorm<'a, T, D> {
    pub whitener: &'a Whitener<T>,
    pub differences: D,
    /// Working memory, n_features x [`BLOCK_ROWS`].
    pub centred: &'a mut [T],
    pub line: Line<T>,
    pub out: &'a mut [T],
}

impl<T: Real, D: Differences<T>> WithSimd for SquaredNorm<'_, T, D> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // AVX2 has 16 registers: two vectors a row there.
        if S::F64_LANES == 8 {
            self.by_rows::<S, 4>(simd);
        } else {
            self.by_rows::<S, 2>(simd);
        }
    }
}

impl<T: Real, D: Differences<T>> SquaredNorm<'_, T, D> {
    #[inline(always)]
    fn by_rows<S: Simd, const V: usize>(self, simd: S) {
        match self.whitener.map.n_rows() {
            1 => self.run::<S, V, 1>(simd),
            2 => self.run::<S, V, 2>(simd),
            3 => self.run::<S, V, 3>(simd),
            ROWS => self.run::<S, V, ROWS>(simd),
            _ => self.run::<S, V, 0>(simd),
        }
    }

    /// V vectors of rows at a time. Their differences, D x V vectors side by side, stay in the first cache; stored ones are read where they stand.
    /// W has R rows, or any number of them if R is 0: of few the loops are known to the compiler.
    #[inline(always)]
    fn run<S: Simd, const V: usize, const R: usize>(self, simd: S) {
        let Self {
            whitener: Whitener { map },
            differences,
            centred,
            line,
            out,
        } = self;
        let origin = differences.origin();
        let out = T::vectors_mut::<S>(out).chunks_exact_mut(V).enumerate();
        if let Some(z) = differences.stored::<S>() {
            let stride = padded::<T>() / T::lanes::<S>();
            for (lane, out) in out {
                let z = &z[lane * V..];
                let sum = sum_squares::<T, S, V, R>(simd, map, origin, z, stride);
                out.copy_from_slice(&line.of::<S, V>(simd, sum));
            }
            return;
        }
        let z = T::vectors_mut::<S>(centred);
        for (lane, out) in out {
            for (z, lanes) in z.chunks_exact_mut(V).zip(differences.features::<S>()) {
                z.copy_from_slice(&lanes.load::<V>(simd, lane * V));
            }
            let sum = sum_squares::<T, S, V, R>(simd, map, origin, z, V);
            out.copy_from_slice(&line.of::<S, V>(simd, sum));
        }
    }
}

/// `‖W z + origin‖²` of V vectors of rows, of which feature j starts at vector `j stride` of `z`. W has R rows, or any number of them if R is 0.
#[inline(always)]
pub(super) fn sum_squares<T: Real, S: Simd, const V: usize, const R: usize>(
    simd: S,
    map: &LinearMap<T>,
    origin: Option<&[T]>,
    z: &[T::Vector<S>],
    stride: usize,
) -> [T::Vector<S>; V] {
    let mut sum = [T::splat(simd, T::default()); V];
    if R > 0 {
        let triangle = &map.packed()[..R * R];
        let mut y = start::<T, S, R, V>(simd, origin);
        add_triangle::<T, S, R, V>(simd, triangle, z, 0, stride, &mut y);
        add_squares::<T, S, R, V>(simd, y, &mut sum);
        return sum;
    }
    for (rows, group) in map.groups() {
        let n_rows = rows.len();
        let part = Part {
            group,
            origin: origin.map(|origin| &origin[rows]),
            z,
            stride,
        };
        match n_rows {
            1 => part.add_rows::<S, 1, V>(simd, &mut sum),
            2 => part.add_rows::<S, 2, V>(simd, &mut sum),
            3 => part.add_rows::<S, 3, V>(simd, &mut sum),
            _ => part.add_rows::<S, ROWS, V>(simd, &mut sum),
        }
    }
    sum
}

/// Some rows of a whitening matrix and of W z + origin.
struct Part<'a, T, V> {
    group: &'a [T],
    origin: Option<&'a [T]>,
    z: &'a [V],
    stride: usize,
}

impl<T: Real, V: Copy> Part<'_, T, V> {
    /// Adds the squares of R whitened coordinates of N vectors of rows.
    #[inline(always)]
    fn add_rows<S: Simd, const R: usize, const N: usize>(self, simd: S, sum: &mut [V; N])
    where
        T: Real<Vector<S> = V>,
    {
        let Self {
            group,
            origin,
            z,
            stride,
        } = self;
        let mut y = start::<T, S, R, N>(simd, origin);
        let (rectangle, triangle) = group.split_at(group.len() - R * R);
        let n_before = rectangle.len() / R;
        add_rectangle::<T, S, R, N>(simd, rectangle, z, stride, &mut y);
        add_triangle::<T, S, R, N>(simd, triangle, z, n_before, stride, &mut y);
        add_squares::<T, S, R, N>(simd, y, sum);
    }
}

/// What R whitened coordinates start from.
#[inline(always)]
fn start<T: Real, S: Simd, const R: usize, const N: usize>(
    simd: S,
    origin: Option<&[T]>,
) -> [[T::Vector<S>; N]; R] {
    let mut y = [[T::splat(simd, T::default()); N]; R];
    if let Some(origin) = origin {
        for (y, origin) in y.iter_mut().zip(origin) {
            *y = [T::splat(simd, *origin); N];
        }
    }
    y
}

/// Adds the products of the last R columns of R rows with the features that follow on `n_before` others: the triangle on the diagonal, whose
/// column b has zeros in its first b rows, which are skipped.
#[inline(always)]
fn add_triangle<T: Real, S: Simd, const R: usize, const N: usize>(
    simd: S,
    triangle: &[T],
    z: &[T::Vector<S>],
    n_before: usize,
    stride: usize,
    y: &mut [[T::Vector<S>; N]; R],
) {
    let column = |b: usize| {
        (
            &triangle[b * R..(b + 1) * R],
            &z[(n_before + b) * stride..][..N],
        )
    };
    let (c, z0) = column(0);
    add_column::<T, S, R, N, 0>(simd, c, z0, y);
    if R > 1 {
        let (c, z1) = column(1);
        add_column::<T, S, R, N, 1>(simd, c, z1, y);
    }
    if R > 2 {
        let (c, z2) = column(2);
        add_column::<T, S, R, N, 2>(simd, c, z2, y);
    }
    if R > 3 {
        let (c, z3) = column(3);
        add_column::<T, S, R, N, 3>(simd, c, z3, y);
    }
}

#[inline(always)]
fn add_squares<T: Real, S: Simd, const R: usize, const N: usize>(
    simd: S,
    y: [[T::Vector<S>; N]; R],
    sum: &mut [T::Vector<S>; N],
) {
    for y in y {
        for (sum, y) in sum.iter_mut().zip(y) {
            *sum = T::mul_add(simd, y, y, *sum);
        }
    }
}
