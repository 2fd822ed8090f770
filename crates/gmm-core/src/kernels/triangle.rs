//! Cholesky factors and their inverses: D³/6 multiply-adds each, four lines of the result at a time.

use std::ops::Range;

use faer::MatRef;
use pulp::{Arch, Simd, WithSimd};

/// Lines that are taken from at a time; a line is a column of L or a row of L⁻¹.
const LINES: usize = 4;
/// Vectors of a line that are held in registers at a time: 16 independent sums in all.
const VECTORS: usize = 4;
/// A line is padded to so many numbers, whole vectors of any instruction set.
const PADDING: usize = 8;

/// Lines of n numbers, padded with zeros.
#[derive(Clone, Debug)]
struct Lines {
    stride: usize,
    values: Vec<f64>,
}

impl Lines {
    fn zeros(n: usize) -> Self {
        let stride = n.max(1).next_multiple_of(PADDING);
        Self {
            stride,
            values: vec![0.0; n.next_multiple_of(LINES) * stride],
        }
    }

    fn at(&self, line: usize, number: usize) -> f64 {
        self.values[line * self.stride + number]
    }

    fn part_mut(&mut self, line: usize, part: Range<usize>) -> &mut [f64] {
        &mut self.values[line * self.stride..][part]
    }
}

/// The factor L of a symmetric matrix A = L L'.
#[derive(Clone, Debug)]
pub(crate) struct Triangle {
    n: usize,
    /// Column by column.
    columns: Lines,
}

impl Triangle {
    /// Factors a matrix, which `column` writes column by column from the diagonal on; `Err(i)` names the first pivot Lᵢᵢ² that isn't larger than `least` times
    /// Aᵢᵢ.
    pub(crate) fn factor(
        n: usize,
        least: f64,
        column: impl Fn(usize, &mut [f64]),
    ) -> Result<Self, usize> {
        Self::factor_on(Arch::new(), n, least, column)
    }

    fn factor_on(
        set: Arch,
        n: usize,
        least: f64,
        column: impl Fn(usize, &mut [f64]),
    ) -> Result<Self, usize> {
        let mut columns = Lines::zeros(n);
        for j in 0..n {
            column(j, columns.part_mut(j, j..n));
        }
        let bounds = (0..n).map(|j| least * columns.at(j, j)).collect();
        set.dispatch(Factor {
            columns: &mut columns,
            bounds,
        })?;
        for j in 0..n {
            // What elimination leaves above the diagonal.
            columns.part_mut(j, 0..j).fill(0.0);
        }
        Ok(Self { n, columns })
    }

    /// Lᵢⱼ.
    pub(crate) fn entry(&self, i: usize, j: usize) -> f64 {
        self.columns.at(j, i)
    }

    /// L⁻¹.
    pub(crate) fn inverse(&self) -> Inverse {
        self.inverse_on(Arch::new())
    }

    fn inverse_on(&self, set: Arch) -> Inverse {
        let mut rows = Lines::zeros(self.n);
        for i in 0..self.n {
            rows.part_mut(i, i..i + 1).fill(1.0);
        }
        set.dispatch(Invert {
            n: self.n,
            lower: &self.columns,
            rows: &mut rows,
        });
        Inverse { n: self.n, rows }
    }

    /// Multiplies each row by a number.
    pub(crate) fn scale_rows(&mut self, factors: &[f64]) {
        for column in self.columns.values.chunks_exact_mut(self.columns.stride) {
            column.iter_mut().zip(factors).for_each(|(v, f)| *v *= f);
        }
    }
}

/// The inverse of a [`Triangle`], lower triangular as well.
#[derive(Clone, Debug)]
pub(crate) struct Inverse {
    n: usize,
    /// Row by row.
    rows: Lines,
}

impl Inverse {
    /// Row i up to the diagonal.
    pub(crate) fn row(&self, i: usize) -> &[f64] {
        &self.rows.values[i * self.rows.stride..][..=i]
    }

    /// The whole, zeros above the diagonal.
    pub(crate) fn matrix(&self) -> MatRef<'_, f64> {
        let Lines { stride, values } = &self.rows;
        MatRef::from_row_major_slice_with_stride(values, self.n, self.n, *stride)
    }

    /// Multiplies each column by a number; `Err(i)` names the first row that leaves the range of f64.
    pub(crate) fn scale_columns(&mut self, factors: &[f64]) -> Result<(), usize> {
        for (i, row) in self
            .rows
            .values
            .chunks_exact_mut(self.rows.stride)
            .enumerate()
        {
            row.iter_mut().zip(factors).for_each(|(v, f)| *v *= f);
            if !row.iter().all(|v| v.is_finite()) {
                return Err(i);
            }
        }
        Ok(())
    }
}

/// Columns of L from those of A: L·ⱼ = (A·ⱼ - Σ_{k<j} Lⱼₖ L·ₖ) / Lⱼⱼ.
struct Factor<'a> {
    columns: &'a mut Lines,
    /// What each pivot has to exceed.
    bounds: Vec<f64>,
}

impl WithSimd for Factor<'_> {
    type Output = Result<(), usize>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let n = self.bounds.len();
        let stride = self.columns.stride;
        let n_vectors = stride / S::F64_LANES;
        for first in (0..n).step_by(LINES) {
            let (done, rest) = self.columns.values.split_at_mut(first * stride);
            let block = &mut rest[..LINES * stride];
            let above = first / S::F64_LANES;
            for start in (above..n_vectors).step_by(VECTORS) {
                let coefficients = Coefficients {
                    lines: done,
                    stride,
                    first,
                };
                let vectors = start..n_vectors.min(start + VECTORS);
                subtract(simd, coefficients, done, 0..first, vectors, block);
            }
            for line in 0..LINES.min(n - first) {
                let j = first + line;
                let (before, here) = block.split_at_mut(line * stride);
                for before in before.chunks_exact(stride) {
                    subtract_line(simd, before[j], before, &mut here[..stride], above);
                }
                let pivot = here[j];
                if pivot.is_nan() || pivot <= self.bounds[j] {
                    return Err(j);
                }
                divide(simd, &mut here[..stride], pivot.sqrt(), above);
                here[j] = pivot.sqrt();
            }
        }
        Ok(())
    }
}

/// Rows of W = L⁻¹ from those of the unit matrix: Wᵢ· = (Iᵢ· - Σ_{k<i} Lᵢₖ Wₖ·) / Lᵢᵢ.
struct Invert<'a> {
    n: usize,
    lower: &'a Lines,
    rows: &'a mut Lines,
}

impl WithSimd for Invert<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let stride = self.lower.stride;
        let lanes = S::F64_LANES;
        for first in (0..self.n).step_by(LINES) {
            let (done, rest) = self.rows.values.split_at_mut(first * stride);
            let block = &mut rest[..LINES * stride];
            let lower = &self.lower.values;
            let n_vectors = first.div_ceil(lanes);
            for start in (0..n_vectors).step_by(VECTORS) {
                let coefficients = Coefficients {
                    lines: lower,
                    stride,
                    first,
                };
                let vectors = start..n_vectors.min(start + VECTORS);
                // Rows before have zeros there.
                let known = start * lanes..first;
                subtract(simd, coefficients, done, known, vectors, block);
            }
            for line in 0..LINES.min(self.n - first) {
                let i = first + line;
                let (before, here) = block.split_at_mut(line * stride);
                for (k, before) in (first..).zip(before.chunks_exact(stride)) {
                    let coefficient = self.lower.at(k, i);
                    subtract_line(simd, coefficient, before, &mut here[..stride], 0);
                }
                divide(simd, &mut here[..stride], self.lower.at(i, i), 0);
            }
        }
    }
}

/// Lⱼₖ for the four lines j from `first` on: side by side in column k.
#[derive(Clone, Copy)]
struct Coefficients<'a> {
    lines: &'a [f64],
    stride: usize,
    first: usize,
}

/// Takes the lines of a range, each times its coefficients, from vectors of the four lines of a block.
#[inline(always)]
fn subtract<S: Simd>(
    simd: S,
    coefficients: Coefficients<'_>,
    lines: &[f64],
    range: Range<usize>,
    vectors: Range<usize>,
    block: &mut [f64],
) {
    let start = vectors.start;
    match vectors.len() {
        1 => subtract_vectors::<S, 1>(simd, coefficients, lines, range, start, block),
        2 => subtract_vectors::<S, 2>(simd, coefficients, lines, range, start, block),
        3 => subtract_vectors::<S, 3>(simd, coefficients, lines, range, start, block),
        _ => subtract_vectors::<S, VECTORS>(simd, coefficients, lines, range, start, block),
    }
}

#[inline(always)]
fn subtract_vectors<S: Simd, const V: usize>(
    simd: S,
    coefficients: Coefficients<'_>,
    lines: &[f64],
    range: Range<usize>,
    start: usize,
    block: &mut [f64],
) {
    let Coefficients {
        lines: of,
        stride,
        first,
    } = coefficients;
    let n_vectors = stride / S::F64_LANES;
    let (lines, _) = S::as_simd_f64s(lines);
    let mut sums = [[simd.splat_f64s(0.0); V]; LINES];
    let lines = lines[range.start * n_vectors..range.end * n_vectors].chunks_exact(n_vectors);
    let of = of[range.start * stride..range.end * stride].chunks_exact(stride);
    for (line, of) in lines.zip(of) {
        let line = &line[start..start + V];
        for (sums, factor) in sums.iter_mut().zip(&of[first..first + LINES]) {
            let factor = simd.splat_f64s(*factor);
            for v in 0..V {
                sums[v] = simd.mul_add_f64s(line[v], factor, sums[v]);
            }
        }
    }
    let (block, _) = S::as_mut_simd_f64s(block);
    for (sums, line) in sums.iter().zip(block.chunks_exact_mut(n_vectors)) {
        let line = &mut line[start..start + V];
        for v in 0..V {
            line[v] = simd.sub_f64s(line[v], sums[v]);
        }
    }
}

/// Takes a line times a coefficient from another one, from a vector on.
#[inline(always)]
fn subtract_line<S: Simd>(simd: S, factor: f64, line: &[f64], from: &mut [f64], start: usize) {
    let factor = simd.splat_f64s(-factor);
    let (line, _) = S::as_simd_f64s(line);
    let (from, _) = S::as_mut_simd_f64s(from);
    for (from, line) in from[start..].iter_mut().zip(&line[start..]) {
        *from = simd.mul_add_f64s(*line, factor, *from);
    }
}

#[inline(always)]
fn divide<S: Simd>(simd: S, line: &mut [f64], divisor: f64, start: usize) {
    let divisor = simd.splat_f64s(divisor);
    let (line, _) = S::as_mut_simd_f64s(line);
    for v in &mut line[start..] {
        *v = simd.div_f64s(*v, divisor);
    }
}

#[cfg(test)]
mod tests {
    use gmm_testkit::naive;
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::kernels::instruction_sets;

    type Rows = Vec<Vec<f64>>;

    fn factor(set: Arch, a: &Rows, least: f64) -> Result<Triangle, usize> {
        let column = |j: usize, out: &mut [f64]| {
            for (out, row) in out.iter_mut().zip(&a[j..]) {
                *out = row[j];
            }
        };
        Triangle::factor_on(set, a.len(), least, column)
    }

    fn rows_of(n: usize, entry: impl Fn(usize, usize) -> f64) -> Rows {
        (0..n)
            .map(|i| (0..n).map(|j| entry(i, j)).collect())
            .collect()
    }

    /// Entry (i, j) of the product of lower triangles, the second one turned if need be, without rounding; and of that of their sizes.
    fn product(a: &Rows, b: &Rows, i: usize, j: usize) -> [f64; 2] {
        let column: Vec<f64> = b.iter().map(|row| row[j]).collect();
        let sizes = |v: &[f64]| v.iter().map(|v| v.abs()).collect::<Vec<_>>();
        [
            naive::exact_dot(&a[i], &column),
            naive::exact_dot(&sizes(&a[i]), &sizes(&column)),
        ]
    }

    /// B B' of a random B, whose rows have scales of their own: from hardly singular to nearly.
    fn matrices() -> impl Strategy<Value = Rows> {
        let row = |n: usize| (vec(-1.0..1.0f64, n), -20..20i32);
        (1..=40usize)
            .prop_flat_map(move |n| vec(row(n), n))
            .prop_map(|b| {
                let n = b.len();
                let entry = |i: usize, j: usize| {
                    let scale = 2f64.powi(b[i].1 + b[j].1);
                    let unit = f64::from(u8::from(i == j)) * 1e-3;
                    scale * (unit + naive::exact_dot(&b[i].0, &b[j].0))
                };
                rows_of(n, |i, j| entry(i.max(j), i.min(j)))
            })
    }

    proptest! {
        /// Each entry of L L' is off by γ |L| |L'| at the most (Higham 2002, theorem 10.3), γ for the sum of n products, a root and a
        /// division; that of L W by γ |L| |W|, as each row of W comes from a sum of such products. So is what the
        /// textbook computes.
        #[test]
        fn products_of_the_factors_are_the_matrix_and_1(a in matrices()) {
            let n = a.len();
            let gamma = (n + 4) as f64 * f64::EPSILON / 2.0 * 1.01;
            let naive = naive::cholesky(&a).unwrap();
            let inverse = naive::invert_lower(&naive);
            let mut pairs = vec![(naive, inverse)];
            for set in instruction_sets() {
                let lower = factor(set, &a, 0.0).unwrap();
                let inverse = lower.inverse_on(set);
                let rows = |i: usize, j: usize| inverse.row(i).get(j).copied().unwrap_or(0.0);
                let matrix = rows_of(n, |i, j| inverse.matrix()[(i, j)]);
                prop_assert_eq!(&matrix, &rows_of(n, rows));
                pairs.push((rows_of(n, |i, j| lower.entry(i, j)), matrix));
            }
            for (l, w) in &pairs {
                let turned = rows_of(n, |i, j| l[j][i]);
                for i in 0..n {
                    for j in 0..n {
                        prop_assert!(j <= i || (l[i][j] == 0.0 && w[i][j] == 0.0));
                        let [sum, size] = product(l, &turned, i, j);
                        prop_assert!((sum - a[i][j]).abs() <= gamma * size, "L L' at ({i}, {j})");
                        let [sum, size] = product(l, w, i, j);
                        let unit = f64::from(u8::from(i == j));
                        prop_assert!((sum - unit).abs() <= gamma * size, "L W at ({i}, {j})");
                    }
                }
            }
        }

        /// A row that is the sum of two others leaves a pivot of rounding errors, whatever follows.
        #[test]
        fn the_first_bad_pivot_is_named(mut a in matrices(), at in 0..40usize) {
            let n = a.len();
            prop_assume!(n > 2);
            let at = 2 + at % (n - 2);
            // Sums of whole numbers are exact: what is left of the pivot is rounding of the factor, below n ε.
            for row in &mut a {
                row.iter_mut().for_each(|v| *v = (*v * 64.0).round().clamp(-9.0, 9.0));
            }
            let least = n as f64 * f64::EPSILON;
            for (j, row) in a.iter_mut().enumerate() {
                row[j] = row.iter().map(|v| v.abs()).sum::<f64>() + 1.0;
            }
            let a = rows_of(n, |i, j| a[i.max(j)][i.min(j)]);
            for set in instruction_sets() {
                let dominant = rows_of(n, |i, j| if i == j { a[i][i] * n as f64 } else { a[i][j] });
                prop_assert!(factor(set, &dominant, least).is_ok());
                let mut singular = dominant.clone();
                let twin: Vec<f64> = (0..n).map(|j| dominant[0][j] + dominant[1][j]).collect();
                for j in 0..n {
                    (singular[at][j], singular[j][at]) = (twin[j], twin[j]);
                }
                singular[at][at] = twin[0] + twin[1];
                prop_assert_eq!(factor(set, &singular, least).map(|_| ()), Err(at));
                for bad in [f64::NAN, -1.0, 0.0, f64::NEG_INFINITY] {
                    let mut broken = dominant.clone();
                    broken[at][at] = bad;
                    prop_assert_eq!(factor(set, &broken, least).map(|_| ()), Err(at));
                }
            }
        }
    }

    #[test]
    fn scaled_rows_and_columns() {
        let a = vec![vec![4.0, 2.0], vec![2.0, 10.0]];
        let mut lower = factor(Arch::new(), &a, 0.0).unwrap();
        let mut inverse = lower.inverse();
        lower.scale_rows(&[2.0, 0.5]);
        assert_eq!(
            rows_of(2, |i, j| lower.entry(i, j)),
            [[4.0, 0.0], [0.5, 1.5]]
        );
        assert_eq!(inverse.row(1).len(), 2);
        assert_eq!(inverse.scale_columns(&[2.0, 3.0]), Ok(()));
        assert_eq!((inverse.row(0), inverse.row(1)[1]), (&[1.0][..], 1.0));
        // 1/2 of the largest number is in range, twice of it is not.
        let a = vec![vec![4.0, 0.0], vec![0.0, 0.25]];
        let mut inverse = factor(Arch::new(), &a, 0.0).unwrap().inverse();
        assert_eq!(inverse.scale_columns(&[f64::MAX, f64::MAX]), Err(1));
        let none = Triangle::factor(0, 0.0, |_, _| ()).unwrap();
        assert_eq!(none.inverse().matrix().nrows(), 0);
    }
}
