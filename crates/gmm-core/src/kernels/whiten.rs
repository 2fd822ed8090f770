//! Squared Mahalanobis distances of the lanes of a block.

use pulp::{Arch, Simd, WithSimd};

use crate::block::BLOCK_ROWS;

/// Rows of the whitening matrix that are multiplied at a time: 4 rows x 4 vectors are 16 independent sums, enough to hide
/// the latency of a fused multiply-add, and fit into the 32 registers of AVX-512.
pub(super) const ROWS: usize = 4;

/// A lower-triangular whitening matrix W (Σ⁻¹ = W'W), stored in the order in which the kernel reads it:
/// groups of four rows, column by column, zeros above the diagonal included.
#[derive(Clone, Debug, PartialEq)]
pub struct Whitener {
    n_features: usize,
    packed: Vec<f64>,
}

impl Whitener {
    /// Packs the lower triangle of a matrix given by its entries.
    pub fn new(n_features: usize, entry: impl Fn(usize, usize) -> f64) -> Self {
        let mut packed = Vec::new();
        for first in (0..n_features).step_by(ROWS) {
            let rows = ROWS.min(n_features - first);
            for column in 0..first + rows {
                packed.extend((first..first + rows).map(|row| {
                    if column <= row {
                        entry(row, column)
                    } else {
                        0.0
                    }
                }));
            }
        }
        Self { n_features, packed }
    }

    /// Number of features.
    pub fn n_features(&self) -> usize {
        self.n_features
    }

    /// `squared[i] = ‖W (xᵢ - μ)‖²` over the lanes of a block.
    ///
    /// `x` is feature-major, n_features x [`BLOCK_ROWS`]; `centred`, of the same size, is working memory. D² flop per row
    /// and the subtraction first, so that an offset costs no digits.
    ///
    /// # Panics
    /// If a buffer has another size.
    pub fn squared_norm(&self, x: &[f64], mean: &[f64], centred: &mut [f64], squared: &mut [f64]) {
        assert_eq!(x.len(), self.n_features * BLOCK_ROWS);
        assert_eq!(centred.len(), x.len());
        assert_eq!(mean.len(), self.n_features);
        assert_eq!(squared.len(), BLOCK_ROWS);
        Arch::new().dispatch(SquaredNorm {
            whitener: self,
            x,
            mean,
            centred,
            squared,
        });
    }

    /// `out = W'z` for one vector.
    #[inline(always)]
    pub fn apply_transposed(&self, z: &[f64], out: &mut [f64]) {
        out.fill(0.0);
        let mut packed = self.packed.as_slice();
        for first in (0..self.n_features).step_by(ROWS) {
            let rows = ROWS.min(self.n_features - first);
            let (group, rest) = packed.split_at(rows * (first + rows));
            packed = rest;
            for (coefficients, sum) in group.chunks_exact(rows).zip(out.iter_mut()) {
                for (c, z) in coefficients.iter().zip(&z[first..]) {
                    *sum += c * z;
                }
            }
        }
    }

    /// W z for one vector, in place: row i needs only the entries up to i, so it goes from the last row to the first.
    #[inline(always)]
    pub fn apply(&self, z: &mut [f64]) {
        let mut end = self.packed.len();
        for first in (0..self.n_features).step_by(ROWS).rev() {
            let rows = ROWS.min(self.n_features - first);
            let group = &self.packed[end - rows * (first + rows)..end];
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

#[doc(hidden)]
pub struct SquaredNorm<'a> {
    pub whitener: &'a Whitener,
    pub x: &'a [f64],
    pub mean: &'a [f64],
    pub centred: &'a mut [f64],
    pub squared: &'a mut [f64],
}

impl WithSimd for SquaredNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (x, _) = S::as_simd_f64s(self.x);
        let (z, _) = S::as_mut_simd_f64s(self.centred);
        let (squared, _) = S::as_mut_simd_f64s(self.squared);
        // AVX2 has 16 registers: two vectors a row there.
        if S::F64_LANES == 8 {
            squared_norm::<S, 4>(simd, self.whitener, x, self.mean, z, squared);
        } else {
            squared_norm::<S, 2>(simd, self.whitener, x, self.mean, z, squared);
        }
    }
}

/// V vectors of rows at a time: their differences from the mean, D x V vectors side by side, stay in the first cache.
#[inline(always)]
fn squared_norm<S: Simd, const V: usize>(
    simd: S,
    whitener: &Whitener,
    x: &[S::f64s],
    mean: &[f64],
    z: &mut [S::f64s],
    squared: &mut [S::f64s],
) {
    let stride = BLOCK_ROWS / S::F64_LANES;
    let d = whitener.n_features;
    for (lane, squared) in squared.chunks_exact_mut(V).enumerate() {
        let features = x[lane * V..].chunks(stride).zip(mean);
        for ((x, mean), z) in features.zip(z.chunks_exact_mut(V)) {
            let mean = simd.splat_f64s(*mean);
            let x = &x[..V];
            for v in 0..V {
                z[v] = simd.sub_f64s(x[v], mean);
            }
        }
        let mut sum = [simd.splat_f64s(0.0); V];
        let mut packed = whitener.packed.as_slice();
        for first in (0..d).step_by(ROWS) {
            let rows = ROWS.min(d - first);
            let (group, rest) = packed.split_at(rows * (first + rows));
            packed = rest;
            match rows {
                1 => add_rows::<S, 1, V>(simd, group, z, &mut sum),
                2 => add_rows::<S, 2, V>(simd, group, z, &mut sum),
                3 => add_rows::<S, 3, V>(simd, group, z, &mut sum),
                _ => add_rows::<S, 4, V>(simd, group, z, &mut sum),
            }
        }
        squared.copy_from_slice(&sum);
    }
}

/// Adds the squares of R whitened coordinates of V vectors of rows.
#[inline(always)]
fn add_rows<S: Simd, const R: usize, const V: usize>(
    simd: S,
    group: &[f64],
    z: &[S::f64s],
    sum: &mut [S::f64s; V],
) {
    let mut y = [[simd.splat_f64s(0.0); V]; R];
    // The last R columns are the triangle on the diagonal: column b has zeros in its first b rows, which are skipped.
    let (rectangle, triangle) = group.split_at(group.len() - R * R);
    let n_before = rectangle.len() / R;
    add_rectangle::<S, R, V>(simd, rectangle, z, V, &mut y);
    let column = |b: usize| (&triangle[b * R..(b + 1) * R], &z[(n_before + b) * V..][..V]);
    let (c, z0) = column(0);
    add_column::<S, R, V, 0>(simd, c, z0, &mut y);
    if R > 1 {
        let (c, z1) = column(1);
        add_column::<S, R, V, 1>(simd, c, z1, &mut y);
    }
    if R > 2 {
        let (c, z2) = column(2);
        add_column::<S, R, V, 2>(simd, c, z2, &mut y);
    }
    if R > 3 {
        let (c, z3) = column(3);
        add_column::<S, R, V, 3>(simd, c, z3, &mut y);
    }
    for y in y {
        for (sum, y) in sum.iter_mut().zip(y) {
            *sum = simd.mul_add_f64s(y, y, *sum);
        }
    }
}

/// Adds the products of R rows of a matrix, stored column by column, with V vectors of each feature, which stand `stride` apart.
#[inline(always)]
pub(super) fn add_rectangle<S: Simd, const R: usize, const V: usize>(
    simd: S,
    columns: &[f64],
    z: &[S::f64s],
    stride: usize,
    y: &mut [[S::f64s; V]; R],
) {
    for (coefficients, z) in columns.chunks_exact(R).zip(z.chunks(stride)) {
        add_column::<S, R, V, 0>(simd, coefficients, &z[..V], y);
    }
}

/// Adds one column's contribution to the rows from number FIRST on.
#[inline(always)]
fn add_column<S: Simd, const R: usize, const V: usize, const FIRST: usize>(
    simd: S,
    coefficients: &[f64],
    z: &[S::f64s],
    y: &mut [[S::f64s; V]; R],
) {
    // Bounds known at compile time keep the sums in registers.
    let coefficients = &coefficients[..R];
    let z = &z[..V];
    for a in FIRST..R {
        let c = simd.splat_f64s(coefficients[a]);
        for v in 0..V {
            y[a][v] = simd.mul_add_f64s(c, z[v], y[a][v]);
        }
    }
}

/// `squared[i] = Σⱼ ((xᵢⱼ - μⱼ) sⱼ)²`: the distance under a diagonal covariance, `reciprocal_sd` holding sⱼ = 1/σⱼ
/// (one number for all features where it has length 1).
///
/// # Panics
/// If a buffer has another size.
pub fn scaled_norm(x: &[f64], mean: &[f64], reciprocal_sd: &[f64], squared: &mut [f64]) {
    assert_eq!(x.len(), mean.len() * BLOCK_ROWS);
    assert!(reciprocal_sd.len() == mean.len() || reciprocal_sd.len() == 1);
    assert_eq!(squared.len(), BLOCK_ROWS);
    Arch::new().dispatch(ScaledNorm {
        x,
        mean,
        reciprocal_sd,
        squared,
    });
}

#[doc(hidden)]
pub struct ScaledNorm<'a> {
    pub x: &'a [f64],
    pub mean: &'a [f64],
    pub reciprocal_sd: &'a [f64],
    pub squared: &'a mut [f64],
}

impl WithSimd for ScaledNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        const V: usize = 4;
        let stride = BLOCK_ROWS / S::F64_LANES;
        let (x, _) = S::as_simd_f64s(self.x);
        let (squared, _) = S::as_mut_simd_f64s(self.squared);
        // The sums of V vectors of rows stay in registers over all features.
        for (lane, squared) in squared.chunks_exact_mut(V).enumerate() {
            let mut sums = [simd.splat_f64s(0.0); V];
            let scales = self.reciprocal_sd.iter().cycle();
            for ((x, mean), scale) in x[lane * V..].chunks(stride).zip(self.mean).zip(scales) {
                let (mean, scale) = (simd.splat_f64s(*mean), simd.splat_f64s(*scale));
                let x = &x[..V];
                for v in 0..V {
                    let y = simd.mul_f64s(simd.sub_f64s(x[v], mean), scale);
                    sums[v] = simd.mul_add_f64s(y, y, sums[v]);
                }
            }
            squared.copy_from_slice(&sums);
        }
    }
}
