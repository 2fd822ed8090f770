//! Weighted moments of the lanes of a block.

use pulp::{Arch, Simd, WithSimd};

use crate::block::BLOCK_ROWS;

/// Features per side of a tile: 4 x 4 sums are 16 independent chains.
const TILE: usize = 4;

/// Numbers in the packed lower triangle of a symmetric matrix: entry (i, j <= i) stands at `i (i + 1) / 2 + j`.
pub fn packed_len(n_features: usize) -> usize {
    n_features * (n_features + 1) / 2
}

/// The weighted mean of a block about a shift, and the block centred at it: returns n = Σᵢ rᵢ.
///
/// `mean[j] = Σᵢ rᵢ (xᵢⱼ - shiftⱼ) / n`, `centred[j][i] = xᵢⱼ - shiftⱼ - mean[j]`.
/// Where n is 0 the mean is 0. All buffers as in [`weighted_scatter`].
///
/// # Panics
/// If a buffer has another size.
pub fn weighted_mean(
    x: &[f64],
    r: &[f64],
    shift: &[f64],
    mean: &mut [f64],
    centred: &mut [f64],
) -> f64 {
    assert_eq!(x.len(), shift.len() * BLOCK_ROWS);
    assert_eq!(centred.len(), x.len());
    assert_eq!(mean.len(), shift.len());
    assert_eq!(r.len(), BLOCK_ROWS);
    Arch::new().dispatch(WeightedMean {
        x,
        r,
        shift,
        mean,
        centred,
    })
}

#[doc(hidden)]
pub struct WeightedMean<'a> {
    pub x: &'a [f64],
    pub r: &'a [f64],
    pub shift: &'a [f64],
    pub mean: &'a mut [f64],
    pub centred: &'a mut [f64],
}

impl WithSimd for WeightedMean<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let (r, _) = S::as_simd_f64s(self.r);
        let n = sum(simd, r);
        let features =
            (self.x.chunks_exact(BLOCK_ROWS)).zip(self.centred.chunks_exact_mut(BLOCK_ROWS));
        for (((x, z), shift), mean) in features.zip(self.shift).zip(self.mean) {
            let (x, _) = S::as_simd_f64s(x);
            let (z, _) = S::as_mut_simd_f64s(z);
            let total = shifted_dot(simd, x, r, simd.splat_f64s(*shift));
            *mean = if n > 0.0 { total / n } else { 0.0 };
            // (x - shift) - mean and not x - (shift + mean): the sum of shift and mean would be rounded.
            let (shift, mean) = (simd.splat_f64s(*shift), simd.splat_f64s(*mean));
            for (z, x) in z.iter_mut().zip(x) {
                *z = simd.sub_f64s(simd.sub_f64s(*x, shift), mean);
            }
        }
        n
    }
}

/// Adds Σᵢ rᵢ zᵢ zᵢ' to a packed lower triangle.
///
/// `z` is feature-major (n_features x [`BLOCK_ROWS`]), `scaled` receives r z, `packed` holds [`packed_len`] sums.
///
/// # Panics
/// If a buffer has another size.
pub fn weighted_scatter(z: &[f64], r: &[f64], scaled: &mut [f64], packed: &mut [f64]) {
    let d = z.len() / BLOCK_ROWS;
    assert_eq!(z.len(), d * BLOCK_ROWS);
    assert_eq!(scaled.len(), z.len());
    assert_eq!(r.len(), BLOCK_ROWS);
    assert_eq!(packed.len(), packed_len(d));
    Arch::new().dispatch(WeightedScatter {
        d,
        z,
        r,
        scaled,
        packed,
    });
}

#[doc(hidden)]
pub struct WeightedScatter<'a> {
    pub d: usize,
    pub z: &'a [f64],
    pub r: &'a [f64],
    pub scaled: &'a mut [f64],
    pub packed: &'a mut [f64],
}

impl WithSimd for WeightedScatter<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for (scaled, z) in self
            .scaled
            .chunks_exact_mut(BLOCK_ROWS)
            .zip(self.z.chunks_exact(BLOCK_ROWS))
        {
            for ((s, z), r) in scaled.iter_mut().zip(z).zip(self.r) {
                *s = z * r;
            }
        }
        let stride = BLOCK_ROWS / S::F64_LANES;
        let (z, _) = S::as_simd_f64s(self.z);
        let (scaled, _) = S::as_simd_f64s(self.scaled);
        for i in (0..self.d).step_by(TILE) {
            let rows = TILE.min(self.d - i);
            for j in (0..=i).step_by(TILE) {
                let columns = TILE.min(self.d - j);
                let tile = Tile {
                    left: &scaled[i * stride..],
                    right: &z[j * stride..],
                    i,
                    j,
                };
                match (rows, columns) {
                    (4, 4) => tile.add::<S, 4, 4>(simd, self.packed),
                    (3, 4) => tile.add::<S, 3, 4>(simd, self.packed),
                    (2, 4) => tile.add::<S, 2, 4>(simd, self.packed),
                    (1, 4) => tile.add::<S, 1, 4>(simd, self.packed),
                    (3, _) => tile.add::<S, 3, 3>(simd, self.packed),
                    (2, _) => tile.add::<S, 2, 2>(simd, self.packed),
                    _ => tile.add::<S, 1, 1>(simd, self.packed),
                }
            }
        }
    }
}

/// R x C dot products over the lanes of a block.
struct Tile<'a, V> {
    left: &'a [V],
    right: &'a [V],
    i: usize,
    j: usize,
}

impl<V: Copy> Tile<'_, V> {
    #[inline(always)]
    fn add<S: Simd<f64s = V>, const R: usize, const C: usize>(&self, simd: S, packed: &mut [f64]) {
        let stride = BLOCK_ROWS / S::F64_LANES;
        let left: [&[V]; R] = std::array::from_fn(|a| &self.left[a * stride..(a + 1) * stride]);
        let right: [&[V]; C] = std::array::from_fn(|b| &self.right[b * stride..(b + 1) * stride]);
        let mut sums = [[simd.splat_f64s(0.0); C]; R];
        for lane in 0..stride {
            let right: [V; C] = std::array::from_fn(|b| right[b][lane]);
            for (sums, left) in sums.iter_mut().zip(&left) {
                for (sum, right) in sums.iter_mut().zip(&right) {
                    *sum = simd.mul_add_f64s(left[lane], *right, *sum);
                }
            }
        }
        for (a, sums) in sums.iter().enumerate() {
            let row = self.i + a;
            for (b, sum) in sums.iter().enumerate() {
                let column = self.j + b;
                if column <= row {
                    packed[row * (row + 1) / 2 + column] += simd.reduce_sum_f64s(*sum);
                }
            }
        }
    }
}

/// Adds Σᵢ rᵢ zᵢⱼ² for each feature j: the diagonal of the weighted scatter.
///
/// # Panics
/// If a buffer has another size.
pub fn weighted_squares(z: &[f64], r: &[f64], sums: &mut [f64]) {
    assert_eq!(z.len(), sums.len() * BLOCK_ROWS);
    assert_eq!(r.len(), BLOCK_ROWS);
    Arch::new().dispatch(WeightedSquares { z, r, sums });
}

#[doc(hidden)]
pub struct WeightedSquares<'a> {
    pub z: &'a [f64],
    pub r: &'a [f64],
    pub sums: &'a mut [f64],
}

impl WithSimd for WeightedSquares<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (r, _) = S::as_simd_f64s(self.r);
        for (z, out) in self.z.chunks_exact(BLOCK_ROWS).zip(self.sums) {
            let (z, _) = S::as_simd_f64s(z);
            let mut acc = [simd.splat_f64s(0.0); 4];
            for (z, r) in z.chunks_exact(4).zip(r.chunks_exact(4)) {
                for (acc, (z, r)) in acc.iter_mut().zip(z.iter().zip(r)) {
                    *acc = simd.mul_add_f64s(simd.mul_f64s(*z, *r), *z, *acc);
                }
            }
            *out += reduce(simd, acc);
        }
    }
}

#[inline(always)]
fn sum<S: Simd>(simd: S, values: &[S::f64s]) -> f64 {
    let mut acc = [simd.splat_f64s(0.0); 4];
    for chunk in values.chunks_exact(4) {
        for (acc, v) in acc.iter_mut().zip(chunk) {
            *acc = simd.add_f64s(*acc, *v);
        }
    }
    reduce(simd, acc)
}

/// Σᵢ rᵢ (xᵢ - shift).
#[inline(always)]
fn shifted_dot<S: Simd>(simd: S, x: &[S::f64s], r: &[S::f64s], shift: S::f64s) -> f64 {
    let mut acc = [simd.splat_f64s(0.0); 4];
    for (x, r) in x.chunks_exact(4).zip(r.chunks_exact(4)) {
        for (acc, (x, r)) in acc.iter_mut().zip(x.iter().zip(r)) {
            *acc = simd.mul_add_f64s(simd.sub_f64s(*x, shift), *r, *acc);
        }
    }
    reduce(simd, acc)
}

#[inline(always)]
fn reduce<S: Simd>(simd: S, acc: [S::f64s; 4]) -> f64 {
    let [a, b, c, d] = acc;
    simd.reduce_sum_f64s(simd.add_f64s(simd.add_f64s(a, b), simd.add_f64s(c, d)))
}
