//! Weighted sums of the lanes of a block about a shift, from which its moments follow: one pass over the numbers.

use pulp::{Arch, Simd, WithSimd};

use crate::block::BLOCK_ROWS;

/// Features per side of a tile: 4 x 4 sums are 16 independent chains.
const TILE: usize = 4;
/// Vectors that are summed side by side where there is one sum, to hide the latency of an addition.
const CHAINS: usize = 4;

/// Numbers in the packed lower triangle of a symmetric matrix: entry (i, j <= i) stands at `i (i + 1) / 2 + j`.
pub fn packed_len(n_features: usize) -> usize {
    n_features * (n_features + 1) / 2
}

/// n = Σᵢ rᵢ (returned), `sums[j] = Σᵢ rᵢ zᵢⱼ` and the packed lower triangle `products = Σᵢ rᵢ zᵢ zᵢ'` with z = x - shift.
///
/// `x` is feature-major (n_features x [`BLOCK_ROWS`]); `z` and `scaled` are buffers of its size. D² + 4 D flop per row.
///
/// # Panics
/// If a buffer has another size.
pub fn dense_sums(
    x: &[f64],
    r: &[f64],
    shift: &[f64],
    [z, scaled]: [&mut [f64]; 2],
    sums: &mut [f64],
    products: &mut [f64],
) -> f64 {
    assert_eq!(x.len(), shift.len() * BLOCK_ROWS);
    assert_eq!([z.len(), scaled.len()], [x.len(); 2]);
    assert_eq!([r.len(), sums.len()], [BLOCK_ROWS, shift.len()]);
    assert_eq!(products.len(), packed_len(shift.len()));
    Arch::new().dispatch(DenseSums {
        x,
        r,
        shift,
        z,
        scaled,
        sums,
        products,
    })
}

#[doc(hidden)]
pub struct DenseSums<'a> {
    pub x: &'a [f64],
    pub r: &'a [f64],
    pub shift: &'a [f64],
    pub z: &'a mut [f64],
    pub scaled: &'a mut [f64],
    pub sums: &'a mut [f64],
    pub products: &'a mut [f64],
}

impl WithSimd for DenseSums<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let stride = BLOCK_ROWS / S::F64_LANES;
        let d = self.shift.len();
        let (x, _) = S::as_simd_f64s(self.x);
        let (r, _) = S::as_simd_f64s(self.r);
        let (z, _) = S::as_mut_simd_f64s(self.z);
        let (scaled, _) = S::as_mut_simd_f64s(self.scaled);
        let features = x
            .chunks_exact(stride)
            .zip(z.chunks_exact_mut(stride))
            .zip(scaled.chunks_exact_mut(stride));
        for (((x, z), scaled), (shift, sum)) in features.zip(self.shift.iter().zip(self.sums)) {
            let shift = simd.splat_f64s(*shift);
            let mut acc = [simd.splat_f64s(0.0); CHAINS];
            let lanes = x
                .chunks_exact(CHAINS)
                .zip(z.chunks_exact_mut(CHAINS))
                .zip(scaled.chunks_exact_mut(CHAINS));
            for (((x, z), scaled), r) in lanes.zip(r.chunks_exact(CHAINS)) {
                for v in 0..CHAINS {
                    z[v] = simd.sub_f64s(x[v], shift);
                    scaled[v] = simd.mul_f64s(z[v], r[v]);
                    acc[v] = simd.add_f64s(acc[v], scaled[v]);
                }
            }
            *sum = reduce(simd, acc);
        }
        for i in (0..d).step_by(TILE) {
            let rows = TILE.min(d - i);
            for j in (0..i).step_by(TILE) {
                let tile = Tile {
                    left: &scaled[i * stride..],
                    right: &z[j * stride..],
                    i,
                    j,
                };
                match rows {
                    1 => tile.write::<S, 1, TILE, false>(simd, self.products),
                    2 => tile.write::<S, 2, TILE, false>(simd, self.products),
                    3 => tile.write::<S, 3, TILE, false>(simd, self.products),
                    _ => tile.write::<S, TILE, TILE, false>(simd, self.products),
                }
            }
            let tile = Tile {
                left: &scaled[i * stride..],
                right: &z[i * stride..],
                i,
                j: i,
            };
            match rows {
                1 => tile.write::<S, 1, 1, true>(simd, self.products),
                2 => tile.write::<S, 2, 2, true>(simd, self.products),
                3 => tile.write::<S, 3, 3, true>(simd, self.products),
                _ => tile.write::<S, TILE, TILE, true>(simd, self.products),
            }
        }
        total(simd, r)
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
    /// On the diagonal only the lower triangle is summed.
    #[inline(always)]
    fn write<S: Simd<f64s = V>, const R: usize, const C: usize, const DIAGONAL: bool>(
        &self,
        simd: S,
        packed: &mut [f64],
    ) {
        for (a, sums) in self.sums::<S, R, C, DIAGONAL>(simd).iter().enumerate() {
            let row = self.i + a;
            for (b, sum) in sums.iter().enumerate() {
                if !DIAGONAL || b <= a {
                    packed[row * (row + 1) / 2 + self.j + b] = simd.reduce_sum_f64s(*sum);
                }
            }
        }
    }

    /// Adds to a matrix stored row by row.
    #[inline(always)]
    fn add<S: Simd<f64s = V>, const R: usize, const C: usize>(
        &self,
        simd: S,
        matrix: &mut [f64],
        n_columns: usize,
    ) {
        for (a, sums) in self.sums::<S, R, C, false>(simd).iter().enumerate() {
            let row = &mut matrix[(self.i + a) * n_columns + self.j..];
            for (entry, sum) in row.iter_mut().zip(sums) {
                *entry += simd.reduce_sum_f64s(*sum);
            }
        }
    }

    #[inline(always)]
    fn sums<S: Simd<f64s = V>, const R: usize, const C: usize, const DIAGONAL: bool>(
        &self,
        simd: S,
    ) -> [[V; C]; R] {
        let stride = BLOCK_ROWS / S::F64_LANES;
        let left: [&[V]; R] = std::array::from_fn(|a| &self.left[a * stride..(a + 1) * stride]);
        let right: [&[V]; C] = std::array::from_fn(|b| &self.right[b * stride..(b + 1) * stride]);
        let mut sums = [[simd.splat_f64s(0.0); C]; R];
        for lane in 0..stride {
            let right: [V; C] = std::array::from_fn(|b| right[b][lane]);
            for a in 0..R {
                let left = left[a][lane];
                for b in 0..C {
                    if !DIAGONAL || b <= a {
                        sums[a][b] = simd.mul_add_f64s(left, right[b], sums[a][b]);
                    }
                }
            }
        }
        sums
    }
}

/// `sums[k][j] += Σᵢ r[k][i] z[j][i]` and `totals[k] += Σᵢ r[k][i]`: what K components take of D features, 2 K D flop per row.
///
/// `r` is K x [`BLOCK_ROWS`], `z` D x [`BLOCK_ROWS`], `sums` K x D, row by row.
///
/// # Panics
/// If a buffer has another size.
pub fn cross_sums(r: &[f64], z: &[f64], totals: &mut [f64], sums: &mut [f64]) {
    assert_eq!(r.len(), totals.len() * BLOCK_ROWS);
    assert_eq!(sums.len() * BLOCK_ROWS, totals.len() * z.len());
    Arch::new().dispatch(CrossSums { r, z, totals, sums });
}

#[doc(hidden)]
pub struct CrossSums<'a> {
    pub r: &'a [f64],
    pub z: &'a [f64],
    pub totals: &'a mut [f64],
    pub sums: &'a mut [f64],
}

impl WithSimd for CrossSums<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let stride = BLOCK_ROWS / S::F64_LANES;
        let (r, _) = S::as_simd_f64s(self.r);
        let (z, _) = S::as_simd_f64s(self.z);
        let [n_rows, n_columns] = [r.len() / stride, z.len() / stride];
        for (sum, r) in self.totals.iter_mut().zip(r.chunks_exact(stride)) {
            *sum += total(simd, r);
        }
        // Whole tiles first, then single rows and columns.
        let [rows, columns] = [n_rows / TILE * TILE, n_columns / TILE * TILE];
        let tile = |i: usize, j: usize| Tile {
            left: &r[i * stride..],
            right: &z[j * stride..],
            i,
            j,
        };
        for i in (0..rows).step_by(TILE) {
            for j in (0..columns).step_by(TILE) {
                tile(i, j).add::<S, TILE, TILE>(simd, self.sums, n_columns);
            }
            for j in columns..n_columns {
                tile(i, j).add::<S, TILE, 1>(simd, self.sums, n_columns);
            }
        }
        for i in rows..n_rows {
            for j in (0..columns).step_by(TILE) {
                tile(i, j).add::<S, 1, TILE>(simd, self.sums, n_columns);
            }
            for j in columns..n_columns {
                tile(i, j).add::<S, 1, 1>(simd, self.sums, n_columns);
            }
        }
    }
}

/// n = Σᵢ rᵢ (returned), `sums[j] = Σᵢ rᵢ zᵢⱼ` and `squares[j] = Σᵢ rᵢ zᵢⱼ²` with z = x - shift.
///
/// # Panics
/// If a buffer has another size.
pub fn diagonal_sums(
    x: &[f64],
    r: &[f64],
    shift: &[f64],
    sums: &mut [f64],
    squares: &mut [f64],
) -> f64 {
    assert_eq!(x.len(), shift.len() * BLOCK_ROWS);
    assert_eq!(
        [r.len(), sums.len(), squares.len()],
        [BLOCK_ROWS, shift.len(), shift.len()]
    );
    Arch::new().dispatch(DiagonalSums {
        x,
        r,
        shift,
        sums,
        squares,
    })
}

#[doc(hidden)]
pub struct DiagonalSums<'a> {
    pub x: &'a [f64],
    pub r: &'a [f64],
    pub shift: &'a [f64],
    pub sums: &'a mut [f64],
    pub squares: &'a mut [f64],
}

impl WithSimd for DiagonalSums<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let stride = BLOCK_ROWS / S::F64_LANES;
        let (x, _) = S::as_simd_f64s(self.x);
        let (r, _) = S::as_simd_f64s(self.r);
        let outputs = self.sums.iter_mut().zip(self.squares);
        for ((x, shift), (sum, square)) in x.chunks_exact(stride).zip(self.shift).zip(outputs) {
            let shift = simd.splat_f64s(*shift);
            let mut first = [simd.splat_f64s(0.0); CHAINS];
            let mut second = first;
            for (x, r) in x.chunks_exact(CHAINS).zip(r.chunks_exact(CHAINS)) {
                for v in 0..CHAINS {
                    let z = simd.sub_f64s(x[v], shift);
                    let scaled = simd.mul_f64s(z, r[v]);
                    first[v] = simd.add_f64s(first[v], scaled);
                    second[v] = simd.mul_add_f64s(scaled, z, second[v]);
                }
            }
            *sum = reduce(simd, first);
            *square = reduce(simd, second);
        }
        total(simd, r)
    }
}

#[inline(always)]
fn total<S: Simd>(simd: S, values: &[S::f64s]) -> f64 {
    let mut acc = [simd.splat_f64s(0.0); CHAINS];
    for chunk in values.chunks_exact(CHAINS) {
        for v in 0..CHAINS {
            acc[v] = simd.add_f64s(acc[v], chunk[v]);
        }
    }
    reduce(simd, acc)
}

#[inline(always)]
fn reduce<S: Simd>(simd: S, acc: [S::f64s; CHAINS]) -> f64 {
    let [a, b, c, d] = acc;
    simd.reduce_sum_f64s(simd.add_f64s(simd.add_f64s(a, b), simd.add_f64s(c, d)))
}
