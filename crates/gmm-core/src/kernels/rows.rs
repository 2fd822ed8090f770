//! Some rows of a block: their distances, and their sums.
//!
//! Where a component says something about few of a block's rows, those are listed and the others are left alone.

use pulp::{Arch, Simd, WithSimd};

use super::differences::{InPanels, Lanes};
use super::marks::Marks;
use super::panels::{OuterSums, PanelMemory, Panels};
use super::real::{MOST_LANES, Real};
use super::scatter::{CHAINS, packed_len};
use super::whiten::{Line, Whitener, sum_squares};
use crate::block::BLOCK_ROWS;

/// A listed row costs as much as one of so many more features does among all: its numbers are fetched from where they stand, and what comes
/// with a list is shared by few rows.
const FETCHING: usize = 24;

fn cost(n_rows: usize, n_features: usize) -> usize {
    n_rows * (n_features + FETCHING) / n_features.max(1)
}

/// Some rows of a block.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Those past the last one stand for any row.
    rows: [u8; BLOCK_ROWS],
    len: usize,
    cost: usize,
}

impl Default for Listed {
    fn default() -> Self {
        Self {
            rows: [0; BLOCK_ROWS],
            len: 0,
            cost: 0,
        }
    }
}

impl Listed {
    /// Lists the rows that are marked, of so many features, if that is cheaper than all rows are; otherwise none.
    pub fn take(&mut self, marks: &Marks, n_features: usize) -> bool {
        (self.len, self.cost) = (0, 0);
        let cost = cost(marks.count(), n_features);
        if cost > BLOCK_ROWS {
            return false;
        }
        self.cost = cost;
        marks.for_each_row(|row| {
            self.rows[self.len] = row;
            self.len += 1;
        });
        true
    }

    /// How many rows among all cost as much.
    pub fn cost(&self) -> usize {
        self.cost
    }

    /// The rows.
    pub fn rows(&self) -> &[u8] {
        &self.rows[..self.len]
    }

    /// A multiple of so many rows: after the last one, any.
    fn padded_to(&self, multiple: usize) -> &[u8] {
        &self.rows[..self.len.next_multiple_of(multiple)]
    }
}

/// `out[i] = line(‖W (xᵢ - μ)‖²)` of each listed row i.
#[doc(hidden)]
pub struct ListedNorm<'a> {
    pub whitener: &'a Whitener,
    /// n_features x [`BLOCK_ROWS`].
    pub x: &'a [f64],
    pub mean: &'a [f64],
    pub listed: &'a Listed,
    /// Working memory, as large as x.
    pub centred: &'a mut [f64],
    pub line: Line<f64>,
    pub out: &'a mut [f64],
}

/// Vectors of listed rows at a time, as long as there are so many.
const WIDE: usize = 2;

impl WithSimd for ListedNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let lanes = S::F64_LANES;
        let rows = self.listed.padded_to(lanes);
        let mut at = 0;
        while at < rows.len() {
            if rows.len() - at >= WIDE * lanes {
                self.write::<S, WIDE>(simd, &rows[at..at + WIDE * lanes], at);
                at += WIDE * lanes;
            } else {
                self.write::<S, 1>(simd, &rows[at..at + lanes], at);
                at += lanes;
            }
        }
    }
}

impl ListedNorm<'_> {
    /// Of V vectors of rows, from number `at` of the list on.
    #[inline(always)]
    fn write<S: Simd, const V: usize>(&mut self, simd: S, rows: &[u8], at: usize) {
        let n = V * S::F64_LANES;
        let z = &mut self.centred[..self.mean.len() * n];
        let features = self.x.chunks_exact(BLOCK_ROWS).zip(self.mean);
        for (z, (x, mean)) in z.chunks_exact_mut(n).zip(features) {
            for (z, row) in z.iter_mut().zip(rows) {
                *z = x[usize::from(*row)] - mean;
            }
        }
        let z = f64::vectors::<S>(z);
        let squared = sum_squares::<f64, S, V, 0>(simd, self.whitener.map(), None, z, V);
        let mut values = [0.0; WIDE * MOST_LANES];
        f64::vectors_mut::<S>(&mut values)[..V]
            .copy_from_slice(&self.line.of::<S, V>(simd, squared));
        let listed = self.listed.rows()[at..].iter().zip(&values[..n]);
        for (row, value) in listed {
            self.out[usize::from(*row)] = *value;
        }
    }
}

/// n = Σᵢ rᵢ (returned), `sums[j] = Σᵢ rᵢ zᵢⱼ` and the packed lower triangle `products = Σᵢ rᵢ zᵢ zᵢ'` over the listed rows, with z = x - shift.
///
/// `r` has a number for each row of the block, of which `panels` have read the rows.
///
/// # Panics
/// If a buffer has another size, or `panels` have read no rows of so many features.
pub fn listed_sums(
    listed: &Listed,
    r: &[f64],
    shift: &[f64],
    panels: &mut Panels,
    sums: &mut [f64],
    products: &mut [f64],
) -> f64 {
    assert_eq!([r.len(), sums.len()], [BLOCK_ROWS, shift.len()]);
    assert_eq!(products.len(), packed_len(shift.len()));
    assert!(
        panels.hold_rows(shift.len()),
        "the working memory has not read the rows of this block"
    );
    let (panels, memory) = panels.about(shift);
    Arch::new().dispatch(ListedSums {
        panels,
        listed,
        memory,
        r,
        sums,
        products,
    })
}

#[doc(hidden)]
pub struct ListedSums<'a, T: Copy + Default, P> {
    pub panels: P,
    pub listed: &'a Listed,
    pub memory: &'a mut PanelMemory<T>,
    pub r: &'a [T],
    pub sums: &'a mut [f64],
    pub products: &'a mut [f64],
}

impl<T: Real, P: InPanels<T>> WithSimd for ListedSums<'_, T, P> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        if self.listed.len == 0 {
            self.sums.fill(0.0);
            self.products.fill(0.0);
            return 0.0;
        }
        // Whole chains of rows; those that are not listed count for nothing.
        let rows = self.listed.padded_to(CHAINS);
        let mut of_listed = [T::default(); BLOCK_ROWS];
        for (of_listed, row) in of_listed.iter_mut().zip(self.listed.rows()) {
            *of_listed = self.r[usize::from(*row)];
        }
        let r = &of_listed[..rows.len()];
        let panels = ListedPanels {
            all: self.panels,
            rows,
        };
        OuterSums {
            panels,
            r,
            memory: self.memory,
            sums: self.sums,
            products: self.products,
        }
        .run(simd);
        r.iter().map(|r| r.to_f64()).sum()
    }
}

#[derive(Clone, Copy)]
struct ListedPanels<'a, P> {
    all: P,
    rows: &'a [u8],
}

#[derive(Clone, Copy)]
struct ListedLanes<'a, L> {
    all: L,
    rows: &'a [u8],
}

impl<T: Real, P: InPanels<T>> InPanels<T> for ListedPanels<'_, P> {
    #[inline(always)]
    fn panel<S: Simd>(&self, p: usize) -> impl Lanes<T, S> {
        ListedLanes {
            all: self.all.panel::<S>(p),
            rows: self.rows,
        }
    }
}

impl<T: Real, S: Simd, L: Lanes<T, S>> Lanes<T, S> for ListedLanes<'_, L> {
    #[inline(always)]
    fn load<const N: usize>(self, simd: S, at: usize) -> [T::Vector<S>; N] {
        let mut z = [T::splat(simd, T::default()); N];
        for (z, row) in z.iter_mut().zip(&self.rows[at..at + N]) {
            [*z] = self.all.load::<1>(simd, usize::from(*row));
        }
        z
    }

    #[inline(always)]
    fn part(self, vectors: std::ops::Range<usize>) -> Self {
        Self {
            rows: &self.rows[vectors],
            ..self
        }
    }
}
