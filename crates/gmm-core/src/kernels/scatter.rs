//! Weighted sums of the lanes of a block about a shift, from which its moments follow: one pass over the numbers.

use pulp::{Arch, Simd, WithSimd};

use super::real::{Differences, Double, Lanes, Real};
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
        differences: Double { x, shift },
        r,
        z,
        scaled,
        sums,
        products,
    })
}

#[doc(hidden)]
pub struct DenseSums<'a, T, D> {
    pub differences: D,
    pub r: &'a [T],
    pub z: &'a mut [T],
    pub scaled: &'a mut [T],
    pub sums: &'a mut [f64],
    pub products: &'a mut [f64],
}

impl<T: Real, D: Differences<T>> WithSimd for DenseSums<'_, T, D> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let stride = T::stride::<S>();
        let d = self.sums.len();
        let r = T::vectors::<S>(self.r);
        let z = T::vectors_mut::<S>(self.z);
        let scaled = T::vectors_mut::<S>(self.scaled);
        let features = z
            .chunks_exact_mut(stride)
            .zip(scaled.chunks_exact_mut(stride));
        let differences = self.differences.features::<S>();
        for (((z, scaled), sum), x) in features.zip(self.sums).zip(differences) {
            let mut acc = [T::splat(simd, T::default()); CHAINS];
            let lanes = z
                .chunks_exact_mut(CHAINS)
                .zip(scaled.chunks_exact_mut(CHAINS));
            for (at, ((z, scaled), r)) in lanes.zip(r.chunks_exact(CHAINS)).enumerate() {
                let loaded = x.load::<CHAINS>(simd, at * CHAINS);
                for v in 0..CHAINS {
                    z[v] = loaded[v];
                    scaled[v] = T::times(simd, loaded[v], r[v]);
                    acc[v] = T::plus(simd, acc[v], scaled[v]);
                }
            }
            *sum = reduce::<T, S>(simd, acc);
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
                    1 => tile.write::<T, S, 1, TILE, false>(simd, self.products),
                    2 => tile.write::<T, S, 2, TILE, false>(simd, self.products),
                    3 => tile.write::<T, S, 3, TILE, false>(simd, self.products),
                    _ => tile.write::<T, S, TILE, TILE, false>(simd, self.products),
                }
            }
            let tile = Tile {
                left: &scaled[i * stride..],
                right: &z[i * stride..],
                i,
                j: i,
            };
            match rows {
                1 => tile.write::<T, S, 1, 1, true>(simd, self.products),
                2 => tile.write::<T, S, 2, 2, true>(simd, self.products),
                3 => tile.write::<T, S, 3, 3, true>(simd, self.products),
                _ => tile.write::<T, S, TILE, TILE, true>(simd, self.products),
            }
        }
        total::<T, S>(simd, r)
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
    fn write<
        T: Real<Vector<S> = V>,
        S: Simd,
        const R: usize,
        const C: usize,
        const DIAGONAL: bool,
    >(
        &self,
        simd: S,
        packed: &mut [f64],
    ) {
        for (a, sums) in self.sums::<T, S, R, C, DIAGONAL>(simd).iter().enumerate() {
            let row = self.i + a;
            for (b, sum) in sums.iter().enumerate() {
                if !DIAGONAL || b <= a {
                    packed[row * (row + 1) / 2 + self.j + b] = T::sum(simd, *sum).to_f64();
                }
            }
        }
    }

    /// Adds to a matrix stored row by row.
    #[inline(always)]
    fn add<T: Real<Vector<S> = V>, S: Simd, const R: usize, const C: usize>(
        &self,
        simd: S,
        matrix: &mut [f64],
        n_columns: usize,
    ) {
        for (a, sums) in self.sums::<T, S, R, C, false>(simd).iter().enumerate() {
            let row = &mut matrix[(self.i + a) * n_columns + self.j..];
            for (entry, sum) in row.iter_mut().zip(sums) {
                *entry += T::sum(simd, *sum).to_f64();
            }
        }
    }

    #[inline(always)]
    fn sums<
        T: Real<Vector<S> = V>,
        S: Simd,
        const R: usize,
        const C: usize,
        const DIAGONAL: bool,
    >(
        &self,
        simd: S,
    ) -> [[V; C]; R] {
        let stride = T::stride::<S>();
        let left: [&[V]; R] = std::array::from_fn(|a| &self.left[a * stride..(a + 1) * stride]);
        let right: [&[V]; C] = std::array::from_fn(|b| &self.right[b * stride..(b + 1) * stride]);
        let mut sums = [[T::splat(simd, T::default()); C]; R];
        for lane in 0..stride {
            let right: [V; C] = std::array::from_fn(|b| right[b][lane]);
            for a in 0..R {
                let left = left[a][lane];
                for b in 0..C {
                    if !DIAGONAL || b <= a {
                        sums[a][b] = T::mul_add(simd, left, right[b], sums[a][b]);
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
            *sum += total::<f64, S>(simd, r);
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
                tile(i, j).add::<f64, S, TILE, TILE>(simd, self.sums, n_columns);
            }
            for j in columns..n_columns {
                tile(i, j).add::<f64, S, TILE, 1>(simd, self.sums, n_columns);
            }
        }
        for i in rows..n_rows {
            for j in (0..columns).step_by(TILE) {
                tile(i, j).add::<f64, S, 1, TILE>(simd, self.sums, n_columns);
            }
            for j in columns..n_columns {
                tile(i, j).add::<f64, S, 1, 1>(simd, self.sums, n_columns);
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
        differences: Double { x, shift },
        r,
        sums,
        squares,
    })
}

#[doc(hidden)]
pub struct DiagonalSums<'a, T, D> {
    pub differences: D,
    pub r: &'a [T],
    pub sums: &'a mut [f64],
    pub squares: &'a mut [f64],
}

impl<T: Real, D: Differences<T>> WithSimd for DiagonalSums<'_, T, D> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let r = T::vectors::<S>(self.r);
        let outputs = self.sums.iter_mut().zip(self.squares);
        for ((sum, square), x) in outputs.zip(self.differences.features::<S>()) {
            let mut first = [T::splat(simd, T::default()); CHAINS];
            let mut second = first;
            for (at, r) in r.chunks_exact(CHAINS).enumerate() {
                let z = x.load::<CHAINS>(simd, at * CHAINS);
                for v in 0..CHAINS {
                    let scaled = T::times(simd, z[v], r[v]);
                    first[v] = T::plus(simd, first[v], scaled);
                    second[v] = T::mul_add(simd, scaled, z[v], second[v]);
                }
            }
            *sum = reduce::<T, S>(simd, first);
            *square = reduce::<T, S>(simd, second);
        }
        total::<T, S>(simd, r)
    }
}

#[inline(always)]
fn total<T: Real, S: Simd>(simd: S, values: &[T::Vector<S>]) -> f64 {
    let mut acc = [T::splat(simd, T::default()); CHAINS];
    for chunk in values.chunks_exact(CHAINS) {
        for v in 0..CHAINS {
            acc[v] = T::plus(simd, acc[v], chunk[v]);
        }
    }
    reduce::<T, S>(simd, acc)
}

#[inline(always)]
fn reduce<T: Real, S: Simd>(simd: S, acc: [T::Vector<S>; CHAINS]) -> f64 {
    let [a, b, c, d] = acc;
    let sum = T::plus(simd, T::plus(simd, a, b), T::plus(simd, c, d));
    T::sum(simd, sum).to_f64()
}
