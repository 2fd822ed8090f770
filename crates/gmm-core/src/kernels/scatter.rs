//! Weighted sums of the lanes of a block about a shift, from which its moments follow: one pass over the numbers.

use pulp::{Arch, Simd, WithSimd};

use super::differences::{Differences, InPanels, Lanes, Plain};
use super::panels::{OuterSums, PanelMemory, Panels};
use super::real::{MOST_LANES, Real};
use super::stored::{Centre, Centred};
use crate::block::BLOCK_ROWS;

/// Features per side of a tile: 4 x 4 sums are 16 independent chains.
const TILE: usize = 4;
/// Vectors that are summed side by side where there is one sum, to hide the latency of an addition.
pub(super) const CHAINS: usize = 4;

/// Up to so many features are summed without panels: beyond, sums over lanes cost more than panels do (with AVX2 from 12 to 14 features on).
#[inline(always)]
pub(super) fn most_in_registers<S: Simd>() -> usize {
    if S::F64_LANES == 8 {
        16
    } else {
        LEAST_IN_REGISTERS
    }
}

/// [`most_in_registers`] of the instruction set for which it is least.
pub(super) const LEAST_IN_REGISTERS: usize = 12;

/// Numbers in the packed lower triangle of a symmetric matrix: entry (i, j <= i) stands at `i (i + 1) / 2 + j`.
pub const fn packed_len(n_features: usize) -> usize {
    n_features * (n_features + 1) / 2
}

/// n = Σᵢ rᵢ (returned), `sums[j] = Σᵢ rᵢ zᵢⱼ` and the packed lower triangle `products = Σᵢ rᵢ zᵢ zᵢ'` with z = x - shift.
///
/// `x` is feature-major (n_features x [`BLOCK_ROWS`]), and `panels` has read it. D² + 4 D flop per row.
///
/// # Panics
/// If a buffer has another size, or `panels` has read no block of so many features.
pub fn dense_sums(
    x: &[f64],
    r: &[f64],
    shift: &[f64],
    panels: &mut Panels,
    sums: &mut [f64],
    products: &mut [f64],
) -> f64 {
    assert_eq!(x.len(), shift.len() * BLOCK_ROWS);
    assert_eq!([r.len(), sums.len()], [BLOCK_ROWS, shift.len()]);
    assert_eq!(products.len(), packed_len(shift.len()));
    assert!(
        panels.fits(shift.len()),
        "the working memory has not read this block"
    );
    let (panels, memory) = panels.about(shift);
    Arch::new().dispatch(DenseSums {
        differences: Plain { x, shift },
        panels,
        memory,
        r,
        sums,
        products,
    })
}

#[doc(hidden)]
pub struct DenseSums<'a, T: Copy + Default, D, P> {
    pub differences: D,
    /// The same in panels.
    pub panels: P,
    pub memory: &'a mut PanelMemory<T>,
    pub r: &'a [T],
    pub sums: &'a mut [f64],
    pub products: &'a mut [f64],
}

impl<T: Real, D: Differences<T>, P: InPanels<T>> WithSimd for DenseSums<'_, T, D, P> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) -> f64 {
        let d = self.sums.len();
        if d > most_in_registers::<S>() {
            OuterSums {
                panels: self.panels,
                memory: self.memory,
                r: self.r,
                sums: self.sums,
                products: self.products,
            }
            .run(simd);
            return total::<T, S>(simd, T::vectors::<S>(self.r));
        }
        for i in (0..d).step_by(TILE) {
            match TILE.min(d - i) {
                1 => self.features::<S, 1>(simd, i),
                2 => self.features::<S, 2>(simd, i),
                3 => self.features::<S, 3>(simd, i),
                _ => self.features::<S, TILE>(simd, i),
            }
        }
        total::<T, S>(simd, T::vectors::<S>(self.r))
    }
}

impl<T: Real, D: Differences<T>, P> DenseSums<'_, T, D, P> {
    /// R features from number i on: their sums, and their products with themselves and those before.
    ///
    /// What is summed stays in the registers; differences are rather taken again than stored.
    #[inline(always)]
    fn features<S: Simd, const R: usize>(&mut self, simd: S, i: usize) {
        let zero = T::splat(simd, T::default());
        let rows: [_; R] = std::array::from_fn(|a| self.differences.feature::<S>(i + a));
        // Four sums and ten products.
        let mut all = [zero; MOST_LANES];
        for (lane, r) in T::vectors::<S>(self.r).iter().enumerate() {
            let (mut z, mut scaled) = ([zero; R], [zero; R]);
            for a in 0..R {
                [z[a]] = rows[a].load::<1>(simd, lane);
                scaled[a] = T::times(simd, z[a], *r);
                all[a] = T::plus(simd, all[a], scaled[a]);
            }
            for a in 0..R {
                for b in 0..=a {
                    let product = &mut all[TILE + packed_len(a) + b];
                    *product = T::mul_add(simd, scaled[a], z[b], *product);
                }
            }
        }
        let all = T::sums(simd, all);
        for a in 0..R {
            self.sums[i + a] = all[a].to_f64();
            for b in 0..=a {
                self.products[packed_len(i + a) + i + b] = all[TILE + packed_len(a) + b].to_f64();
            }
        }
        for j in (0..i).step_by(TILE) {
            let columns: [_; TILE] = std::array::from_fn(|b| self.differences.feature::<S>(j + b));
            let mut all = [zero; MOST_LANES];
            for (lane, r) in T::vectors::<S>(self.r).iter().enumerate() {
                let mut z = [zero; TILE];
                for b in 0..TILE {
                    [z[b]] = columns[b].load::<1>(simd, lane);
                }
                for a in 0..R {
                    let [row] = rows[a].load::<1>(simd, lane);
                    let scaled = T::times(simd, row, *r);
                    for b in 0..TILE {
                        let product = &mut all[TILE * a + b];
                        *product = T::mul_add(simd, scaled, z[b], *product);
                    }
                }
            }
            let all = T::sums(simd, all);
            for a in 0..R {
                for b in 0..TILE {
                    self.products[packed_len(i + a) + j + b] = all[TILE * a + b].to_f64();
                }
            }
        }
    }
}

/// [`DenseSums`] of differences that cost several steps: those that several tiles read are taken once, into `centred`. In double precision,
/// where a difference is one step, storing it costs more than taking it again.
#[doc(hidden)]
pub struct StoredSums<'a, D, P> {
    pub sums: DenseSums<'a, f32, D, P>,
    /// n_features x [`padded`](super::stored::padded).
    pub centred: &'a mut [f32],
}

impl<D: Differences<f32>, P: InPanels<f32>> WithSimd for StoredSums<'_, D, P> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let Self { sums, centred } = self;
        if !(TILE + 1..=most_in_registers::<S>()).contains(&sums.sums.len()) {
            return sums.with_simd(simd);
        }
        let centre = Centre {
            differences: sums.differences,
            z: centred,
        };
        centre.with_simd(simd);
        let stored = DenseSums {
            differences: Centred { z: centred },
            panels: sums.panels,
            memory: sums.memory,
            r: sums.r,
            sums: sums.sums,
            products: sums.products,
        };
        stored.with_simd(simd)
    }
}

/// R x C dot products over the lanes of a block.
struct Tile<'a, V> {
    left: &'a [V],
    right: &'a [V],
}

impl<V: Copy> Tile<'_, V> {
    /// Adds to rows `i..` and columns `j..` of a matrix stored row by row.
    #[inline(always)]
    fn add<T: Real<Vector<S> = V>, S: Simd, const R: usize, const C: usize>(
        &self,
        simd: S,
        [i, j]: [usize; 2],
        matrix: &mut [f64],
        n_columns: usize,
    ) {
        for (a, sums) in self.sums::<T, S, R, C>(simd).iter().enumerate() {
            let row = &mut matrix[(i + a) * n_columns + j..];
            for (entry, sum) in row.iter_mut().zip(sums) {
                *entry += T::sum(simd, *sum).to_f64();
            }
        }
    }

    #[inline(always)]
    fn sums<T: Real<Vector<S> = V>, S: Simd, const R: usize, const C: usize>(
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
                    sums[a][b] = T::mul_add(simd, left, right[b], sums[a][b]);
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
pub fn cross_sums<T: Real>(r: &[T], z: &[T], totals: &mut [f64], sums: &mut [f64]) {
    assert_eq!(r.len(), totals.len() * BLOCK_ROWS);
    assert_eq!(sums.len() * BLOCK_ROWS, totals.len() * z.len());
    Arch::new().dispatch(CrossSums { r, z, totals, sums });
}

#[doc(hidden)]
pub struct CrossSums<'a, T> {
    pub r: &'a [T],
    pub z: &'a [T],
    pub totals: &'a mut [f64],
    pub sums: &'a mut [f64],
}

impl<T: Real> WithSimd for CrossSums<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let stride = T::stride::<S>();
        let (r, z) = (T::vectors::<S>(self.r), T::vectors::<S>(self.z));
        let [n_rows, n_columns] = [r.len() / stride, z.len() / stride];
        for (sum, r) in self.totals.iter_mut().zip(r.chunks_exact(stride)) {
            *sum += total::<T, S>(simd, r);
        }
        // Whole tiles first, then single rows and columns.
        let [rows, columns] = [n_rows / TILE * TILE, n_columns / TILE * TILE];
        let tile = |i: usize, j: usize| Tile {
            left: &r[i * stride..],
            right: &z[j * stride..],
        };
        for i in (0..rows).step_by(TILE) {
            for j in (0..columns).step_by(TILE) {
                tile(i, j).add::<T, S, TILE, TILE>(simd, [i, j], self.sums, n_columns);
            }
            for j in columns..n_columns {
                tile(i, j).add::<T, S, TILE, 1>(simd, [i, j], self.sums, n_columns);
            }
        }
        for i in rows..n_rows {
            for j in (0..columns).step_by(TILE) {
                tile(i, j).add::<T, S, 1, TILE>(simd, [i, j], self.sums, n_columns);
            }
            for j in columns..n_columns {
                tile(i, j).add::<T, S, 1, 1>(simd, [i, j], self.sums, n_columns);
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
        differences: Plain { x, shift },
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
        /// Features whose sums are summed over their lanes together.
        const GROUP: usize = MOST_LANES / 2;
        let r = T::vectors::<S>(self.r);
        let zero = T::splat(simd, T::default());
        let outputs = self
            .sums
            .chunks_mut(GROUP)
            .zip(self.squares.chunks_mut(GROUP));
        for (group, (sums, squares)) in outputs.enumerate() {
            let mut all = [zero; MOST_LANES];
            for slot in 0..sums.len() {
                let x = self.differences.feature::<S>(group * GROUP + slot);
                let (mut first, mut second) = ([zero; CHAINS], [zero; CHAINS]);
                for (at, r) in r.chunks_exact(CHAINS).enumerate() {
                    let z = x.load::<CHAINS>(simd, at * CHAINS);
                    for v in 0..CHAINS {
                        let scaled = T::times(simd, z[v], r[v]);
                        first[v] = T::plus(simd, first[v], scaled);
                        second[v] = T::mul_add(simd, scaled, z[v], second[v]);
                    }
                }
                all[2 * slot] = together::<T, S>(simd, first);
                all[2 * slot + 1] = together::<T, S>(simd, second);
            }
            let all = T::sums(simd, all);
            for (both, (sum, square)) in all.chunks_exact(2).zip(sums.iter_mut().zip(squares)) {
                (*sum, *square) = (both[0].to_f64(), both[1].to_f64());
            }
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
    T::sum(simd, together::<T, S>(simd, acc)).to_f64()
}

/// The sum of sums that were taken side by side.
#[inline(always)]
pub(super) fn together<T: Real, S: Simd>(simd: S, chains: [T::Vector<S>; CHAINS]) -> T::Vector<S> {
    let [a, b, c, d] = chains;
    T::plus(simd, T::plus(simd, a, b), T::plus(simd, c, d))
}
