//! Weighted sums of outer products, row by row: the scatter of many features.
//!
//! The rows of a block lie in panels: as many features as a vector has lanes, row after row. The product of a feature with a panel is then
//! one multiply-add with the feature in all lanes, and what it adds to stays in registers over many rows, as in a product of matrices
//! (Goto and van de Geijn 2008). Dot products over the rows need no panels, but each ends with a sum over lanes, and they read twice as many
//! vectors: 27 ns a row and component of 32 features for 21, 88 for 68 of 64, 1080 for 910 of 256; at 16 features, where nothing is stored
//! on the way, 6.1 for 7.2.

use pulp::{Arch, Simd, WithSimd};

use super::differences::{Halves, InPanels, Lanes, Plain, Single};
use super::real::{MOST_LANES, Real};
use super::scatter::{CHAINS, LEAST_IN_REGISTERS, most_in_registers, packed_len, together};
use crate::Aligned;
use crate::block::BLOCK_ROWS;

/// Numbers of a panel's rows that stay in the first cache beside the rest: 16 KiB of f64.
const CACHED: usize = 2048;
/// Features whose products with some panels are summed at a time.
const HALF: usize = 8;
/// Fewer rows at a time don't pay for loading and storing what they add to.
const LEAST_ROWS: usize = 32;

/// A block in panels, and the working memory of its sums. Few features need none of both.
#[derive(Clone, Debug, Default)]
pub struct Panels<T: Copy + Default = f64> {
    /// The values, or their high and their low parts.
    x: [Aligned<T>; 2],
    shift: [Aligned<T>; 2],
    memory: PanelMemory<T>,
    /// Whether they hold the rows of the last block, however few features it had.
    has_rows: bool,
}

#[doc(hidden)]
#[derive(Clone, Debug, Default)]
pub struct PanelMemory<T: Copy + Default> {
    /// x - shift, in panels.
    z: Aligned<T>,
    /// r (x - shift) of one panel.
    weighted: Aligned<T>,
    /// The products, row by row, with room for whole panels.
    square: Aligned<T>,
}

impl<T: Real> Panels<T> {
    /// The block about a shift; without its low parts, if it has such.
    #[doc(hidden)]
    pub fn about(&mut self, shift: &[T]) -> (Plain<'_, T>, &mut PanelMemory<T>) {
        let ([x, _], [own, _]) = (&self.x, &mut self.shift);
        own.iter_mut().zip(shift).for_each(|(own, s)| *own = *s);
        (Plain { x, shift: own }, &mut self.memory)
    }

    /// Numbers in a row of all panels.
    fn width(n_features: usize) -> usize {
        n_features.next_multiple_of(MOST_LANES)
    }

    /// Whether there is room for blocks of so many features.
    fn has_room(&self, n_features: usize) -> bool {
        let [shift, _] = &self.shift;
        shift.len() == Self::width(n_features)
    }

    /// Whether they hold the rows of a block of so many features.
    pub(crate) fn hold_rows(&self, n_features: usize) -> bool {
        self.has_rows && self.has_room(n_features)
    }

    /// Whether blocks of so many features may be summed in panels.
    pub fn are_needed(n_features: usize) -> bool {
        n_features > LEAST_IN_REGISTERS
    }

    /// Whether blocks of so many features can be summed.
    pub(super) fn fits(&self, n_features: usize) -> bool {
        !Self::are_needed(n_features) || self.has_room(n_features)
    }

    /// Room for blocks of another size than the last.
    fn resize(&mut self, n_lanes: usize, n_parts: usize) {
        let n_features = n_lanes / BLOCK_ROWS;
        if self.has_room(n_features) {
            return;
        }
        let width = Self::width(n_features);
        let parts =
            |len: usize| [0, 1].map(|part| Aligned::zeros(if part < n_parts { len } else { 0 }));
        *self = Self {
            x: parts(width * BLOCK_ROWS),
            shift: parts(width),
            memory: PanelMemory {
                z: Aligned::zeros(width * BLOCK_ROWS),
                weighted: Aligned::zeros(MOST_LANES * BLOCK_ROWS),
                square: Aligned::zeros(width * width),
            },
            has_rows: false,
        };
    }
}

impl Panels {
    /// Takes the values of a block, feature-major (n_features x [`BLOCK_ROWS`]), if they are to be summed in panels.
    pub fn read(&mut self, x: &[f64]) {
        self.has_rows = false;
        if Self::are_needed(x.len() / BLOCK_ROWS) {
            Arch::new().dispatch(self.reading(x));
        }
    }

    /// Takes the values of a block, however few features it has.
    pub fn read_rows(&mut self, x: &[f64]) {
        let reading = self.reading(x);
        Arch::new().dispatch(ReadPanels {
            is_of_rows: true,
            ..reading
        });
        self.has_rows = true;
    }

    #[doc(hidden)]
    pub fn reading<'a>(&'a mut self, x: &'a [f64]) -> ReadPanels<'a, f64> {
        self.resize(x.len(), 1);
        let [panels, _] = &mut self.x;
        ReadPanels {
            x,
            panels,
            is_of_rows: false,
        }
    }
}

impl Panels<f32> {
    /// Takes the values of a block, on request so that rows of it can be summed, however few features it has.
    pub(crate) fn read_halves(&mut self, x: Halves<'_>, is_of_rows: bool) {
        for reading in self.reading_halves(x) {
            Arch::new().dispatch(ReadPanels {
                is_of_rows,
                ..reading
            });
        }
        self.has_rows = is_of_rows;
    }

    #[doc(hidden)]
    pub fn reading_halves<'a>(&'a mut self, x: Halves<'a>) -> [ReadPanels<'a, f32>; 2] {
        self.resize(x.high.len(), 2);
        let [high, low] = &mut self.x;
        [(x.high, high), (x.low, low)].map(|(x, panels)| ReadPanels {
            x,
            panels,
            is_of_rows: false,
        })
    }

    #[doc(hidden)]
    pub fn about_halves(&mut self, shift: Halves<'_>) -> (Single<'_>, &mut PanelMemory<f32>) {
        self.take_shift(shift);
        let [x, shift] = [&self.x, &self.shift].map(|[high, low]| Halves { high, low });
        (Single { x, shift }, &mut self.memory)
    }

    fn take_shift(&mut self, shift: Halves<'_>) {
        for (own, part) in self.shift.iter_mut().zip([shift.high, shift.low]) {
            own.iter_mut().zip(part).for_each(|(own, s)| *own = *s);
        }
    }
}

/// From features to panels.
#[doc(hidden)]
pub struct ReadPanels<'a, T> {
    pub x: &'a [T],
    pub panels: &'a mut [T],
    /// Also where sums of so few features need none.
    pub is_of_rows: bool,
}

impl<T: Real> WithSimd for ReadPanels<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (lanes, stride) = (T::lanes::<S>(), T::stride::<S>());
        if !self.is_of_rows && self.x.len() <= most_in_registers::<S>() * BLOCK_ROWS {
            return;
        }
        let x = T::vectors::<S>(self.x).chunks(lanes * stride);
        let panels = T::vectors_mut::<S>(self.panels).chunks_exact_mut(BLOCK_ROWS);
        for (x, panel) in x.zip(panels) {
            for (at, panel) in panel.chunks_exact_mut(lanes).enumerate() {
                let mut square = [T::splat(simd, T::default()); MOST_LANES];
                for (j, row) in square.iter_mut().enumerate().take(x.len() / stride) {
                    *row = x[j * stride + at];
                }
                T::transpose(simd, &mut square);
                panel.copy_from_slice(&square[..lanes]);
            }
        }
    }
}

/// `sums[j] = Σᵢ rᵢ zᵢⱼ` and the packed lower triangle `products = Σᵢ rᵢ zᵢ zᵢ'`.
pub(super) struct OuterSums<'a, T: Copy + Default, P> {
    pub(super) panels: P,
    pub(super) r: &'a [T],
    pub(super) memory: &'a mut PanelMemory<T>,
    pub(super) sums: &'a mut [f64],
    pub(super) products: &'a mut [f64],
}

impl<T: Real, P: InPanels<T>> OuterSums<'_, T, P> {
    #[inline(always)]
    pub(super) fn run<S: Simd>(mut self, simd: S) {
        let d = self.sums.len();
        let lanes = T::lanes::<S>();
        let width = d.next_multiple_of(lanes);
        let n_rows = match (CACHED / width).next_power_of_two() {
            n if n >= LEAST_ROWS => n.min(BLOCK_ROWS / 4),
            // They come from the second cache anyway.
            _ => BLOCK_ROWS,
        };
        self.sums.fill(0.0);
        for first in (0..self.r.len()).step_by(n_rows) {
            let rows = Rows {
                first,
                n: n_rows.min(self.r.len() - first),
                width,
            };
            for panel in 0..width / lanes {
                // As many features of the panel as there are, or as there can be few of.
                match (d - panel * lanes).min(lanes) {
                    1 => self.add_panel::<S, 1>(simd, &rows, panel),
                    2 => self.add_panel::<S, 2>(simd, &rows, panel),
                    3 | 4 => self.add_panel::<S, 4>(simd, &rows, panel),
                    5..=8 => self.add_panel::<S, 8>(simd, &rows, panel),
                    _ => self.add_panel::<S, 16>(simd, &rows, panel),
                }
            }
        }
        let square = self.memory.square.chunks_exact(width).take(d).enumerate();
        for (i, row) in square {
            let packed = &mut self.products[packed_len(i)..packed_len(i + 1)];
            packed
                .iter_mut()
                .zip(row)
                .for_each(|(entry, sum)| *entry = sum.to_f64());
        }
    }

    /// Adds the sums of a panel's first R features, and their products with it and all panels before.
    #[inline(always)]
    fn add_panel<S: Simd, const R: usize>(&mut self, simd: S, rows: &Rows, panel: usize) {
        let lanes = T::lanes::<S>();
        if R > lanes {
            return;
        }
        self.weigh_panel::<S>(simd, rows, panel);
        if R > HALF {
            // Sixteen features against one panel would load more than they multiply.
            self.add_features::<S, HALF, 0>(simd, rows, panel);
            self.add_features::<S, HALF, HALF>(simd, rows, panel);
        } else {
            self.add_features::<S, R, 0>(simd, rows, panel);
        }
    }

    /// Adds the products of a panel's R features from number FIRST on with it and all panels before.
    #[inline(always)]
    fn add_features<S: Simd, const R: usize, const FIRST: usize>(
        &mut self,
        simd: S,
        rows: &Rows,
        panel: usize,
    ) {
        let lanes = T::lanes::<S>();
        // What is added to has to fit into 32 registers, or 16.
        let most = match (S::F64_LANES == 8, R) {
            (false, 8..) => 1,
            (true, 8..) => 3,
            (false, _) => 2,
            _ => 4,
        };
        let z = T::vectors::<S>(&self.memory.z);
        let mut before = 0;
        while before <= panel {
            // Two and two instead of three and one.
            let left = panel + 1 - before;
            let n = left.div_ceil(left.div_ceil(most));
            let z = &z[before * rows.n..(before + n) * rows.n];
            let at = (panel * lanes + FIRST) * rows.width + before * lanes;
            let square = &mut self.memory.square[at..];
            let weighted = &self.memory.weighted;
            match n {
                1 => rows.add_products::<T, S, R, FIRST, 1, 2>(simd, weighted, z, square),
                2 => rows.add_products::<T, S, R, FIRST, 2, 1>(simd, weighted, z, square),
                3 => rows.add_products::<T, S, R, FIRST, 3, 1>(simd, weighted, z, square),
                _ => rows.add_products::<T, S, R, FIRST, 4, 1>(simd, weighted, z, square),
            }
            before += n;
        }
    }

    /// The differences of a panel and their weighted copies, which all that follows reads, and its sums.
    #[inline(always)]
    fn weigh_panel<S: Simd>(&mut self, simd: S, rows: &Rows, panel: usize) {
        let (lanes, n) = (T::lanes::<S>(), rows.n);
        let x = self
            .panels
            .panel::<S>(panel)
            .part(rows.first..rows.first + n);
        let r = &self.r[rows.first..][..n];
        let z = &mut T::vectors_mut::<S>(&mut self.memory.z)[panel * n..][..n];
        let weighted = &mut T::vectors_mut::<S>(&mut self.memory.weighted)[..n];
        let mut sums = [T::splat(simd, T::default()); CHAINS];
        let each = z
            .chunks_exact_mut(CHAINS)
            .zip(weighted.chunks_exact_mut(CHAINS));
        for (i, ((z, weighted), r)) in each.zip(r.chunks_exact(CHAINS)).enumerate() {
            let here = x.load::<CHAINS>(simd, CHAINS * i);
            for v in 0..CHAINS {
                z[v] = here[v];
                weighted[v] = T::times(simd, here[v], T::splat(simd, r[v]));
                sums[v] = T::plus(simd, sums[v], weighted[v]);
            }
        }
        let mut of_lanes = [T::default(); MOST_LANES];
        T::vectors_mut::<S>(&mut of_lanes)[0] = together::<T, S>(simd, sums);
        let sums = self.sums[panel * lanes..].iter_mut();
        for (total, sum) in sums.zip(&of_lanes[..lanes]) {
            *total += sum.to_f64();
        }
    }
}

/// Some rows of a block.
struct Rows {
    first: usize,
    n: usize,
    /// Numbers in a row of the square of products.
    width: usize,
}

impl Rows {
    /// Adds the products of R features from number FIRST on with V panels; U rows side by side, so that no sum waits for itself.
    #[inline(always)]
    fn add_products<
        T: Real,
        S: Simd,
        const R: usize,
        const FIRST: usize,
        const V: usize,
        const U: usize,
    >(
        &self,
        simd: S,
        weighted: &[T],
        z: &[T::Vector<S>],
        square: &mut [T],
    ) {
        let (lanes, n) = (T::lanes::<S>(), self.n);
        let zero = T::splat(simd, T::default());
        let mut products = [[[zero; V]; R]; U];
        let z: [&[T::Vector<S>]; V] = std::array::from_fn(|v| &z[v * n..(v + 1) * n]);
        for (at, weighted) in weighted.chunks_exact(U * lanes).take(n / U).enumerate() {
            for u in 0..U {
                let weighted = &weighted[u * lanes + FIRST..][..R];
                for a in 0..R {
                    let weighted = T::splat(simd, weighted[a]);
                    for v in 0..V {
                        let z = z[v][at * U + u];
                        products[u][a][v] = T::mul_add(simd, weighted, z, products[u][a][v]);
                    }
                }
            }
        }
        let mut total = products[0];
        for other in &products[1..] {
            for a in 0..R {
                for v in 0..V {
                    total[a][v] = T::plus(simd, total[a][v], other[a][v]);
                }
            }
        }
        self.store::<T, S, V, R>(simd, total, square);
    }

    /// Writes what the first rows of a block add, adds what the others do.
    #[inline(always)]
    fn store<T: Real, S: Simd, const V: usize, const R: usize>(
        &self,
        simd: S,
        products: [[T::Vector<S>; V]; R],
        square: &mut [T],
    ) {
        for (row, products) in square.chunks_mut(self.width).zip(products) {
            let row = &mut T::vectors_mut::<S>(row)[..V];
            for v in 0..V {
                row[v] = if self.first == 0 {
                    products[v]
                } else {
                    T::plus(simd, row[v], products[v])
                };
            }
        }
    }
}
