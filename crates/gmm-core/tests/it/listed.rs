//! Some rows of a block: which they are, and that they come to the same as among all rows.

use std::fmt::Debug;

use gmm_core::block::{BLOCK_ROWS, Block, Frame};
use gmm_core::covariance::{MomentSums, Moments, Structure};
use gmm_core::kernels::operations::{
    Above, DenseSums, Halves, Line, ListedNorm, ListedSums, Plain, ReadPanels, Real, SquaredNorm,
};
use gmm_core::kernels::{Listed, Panels, Whitener, above, packed_len};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::bits;
use crate::kernels::{EPS, LANES, instruction_sets, lanes, shares};

/// A listed row of so many features costs two among all.
const N_FEATURES: usize = 24;
const MOST: usize = BLOCK_ROWS / 2;

/// Panels that some features need none of for sums have not read the rows.
#[test]
#[should_panic(expected = "has not read the rows")]
fn rows_that_were_not_read_are_not_summed() {
    let d = 13;
    let rows = gmm_testkit::matrix(&vec![vec![1.0; d]; 3]);
    let mut block = Block::new(d);
    block.fill(&(&rows).into(), 0, &Frame::identity(d)).unwrap();
    let (structure, mut panels) = (Structure::Dense, Panels::default());
    panels.read_rows(block.values());
    panels.read(block.values());
    let mut part = Moments::zeros(structure, d);
    let listed = listed(&[1.0; BLOCK_ROWS]).unwrap_or_default();
    let r = [1.0; BLOCK_ROWS];
    MomentSums::zeros(structure, d).observe_listed(&listed, &r, &[0.0; 13], &mut part, &mut panels);
}

/// Which rows are marked on each instruction set, and whether and at what cost they are listed.
fn marks_agree<T: Real + Debug>(
    values: &[T],
    bound: T,
    weights: &[T],
) -> Result<(), TestCaseError> {
    let expected: Vec<u8> = (0..=u8::MAX)
        .filter(|i| weights[usize::from(*i)] > T::default())
        .filter(|i| {
            values[usize::from(*i)]
                .partial_cmp(&bound)
                .is_none_or(|o| o.is_gt())
        })
        .collect();
    for set in instruction_sets() {
        let marks = set.dispatch(Above {
            values,
            bound,
            weights,
        });
        let mut listed = Listed::default();
        prop_assert_eq!(marks.is_empty(), expected.is_empty());
        prop_assert_eq!(listed.take(&marks, N_FEATURES), expected.len() <= MOST);
        if expected.len() <= MOST {
            prop_assert_eq!(listed.cost(), 2 * expected.len());
            let mut rows = listed.rows().to_vec();
            rows.sort_unstable();
            prop_assert_eq!(&rows, &expected);
        }
    }
    Ok(())
}

/// The rows whose number is above a half.
fn listed(values: &[f64]) -> Option<Listed> {
    let mut listed = Listed::default();
    listed
        .take(&above(values, 0.5, &[1.0; BLOCK_ROWS]), N_FEATURES)
        .then_some(listed)
}

/// A block of rows with weights r, of which those of weight above a half are few.
fn block() -> impl Strategy<Value = (Vec<f64>, Vec<f64>, Vec<f64>, Vec<f64>)> {
    (1usize..=40, 0.5..1.0f64).prop_flat_map(|(d, most)| {
        let chosen = vec(0.0..1.0f64, BLOCK_ROWS).prop_map(move |mut chosen| {
            chosen
                .iter_mut()
                .for_each(|c| *c = if *c > most { 1.0 } else { 0.0 });
            chosen
        });
        (lanes(d), vec(-10.0..10.0, d), chosen, shares())
    })
}

proptest! {
    /// Each row once, whatever the number of lanes; too many are not listed, NaN is; rows of weight 0 are not.
    #[test]
    fn rows_above_a_bound_are_listed(
        values in vec(prop_oneof![8 => -1.0..1.0f64, 1 => Just(f64::NAN), 1 => Just(f64::NEG_INFINITY)], BLOCK_ROWS),
        bound in -1.5..1.5f64,
        weights in vec(prop_oneof![3 => Just(1.0), 1 => Just(0.0)], BLOCK_ROWS),
    ) {
        marks_agree(&values, bound, &weights)?;
        let single = |values: &[f64]| values.iter().map(|v| *v as f32).collect::<Vec<_>>();
        marks_agree(&single(&values), bound as f32, &single(&weights))?;
    }

    /// The bits of a row don't depend on its neighbours; other rows are left as they are.
    #[test]
    fn distances_of_listed_rows_are_those_among_all((x, mean, chosen, _) in block()) {
        let d = mean.len();
        let Some(listed) = listed(&chosen) else { return Ok(()) };
        let whitener = Whitener::new(d, |i, j| if i == j { 1.5 } else { 0.1 * (i as f64 - 2.0 * j as f64) });
        for set in instruction_sets() {
            let mut all = vec![f64::NAN; BLOCK_ROWS];
            let mut found = vec![7.0; BLOCK_ROWS];
            let mut centred = vec![f64::NAN; d * BLOCK_ROWS];
            let line = Line::log_joint(-3.0);
            set.dispatch(SquaredNorm {
                whitener: &whitener,
                differences: Plain { x: &x, shift: &mean },
                centred: &mut centred,
                line,
                out: &mut all,
            });
            set.dispatch(ListedNorm {
                whitener: &whitener,
                x: &x,
                mean: &mean,
                listed: &listed,
                centred: &mut centred,
                line,
                out: &mut found,
            });
            let expected: Vec<f64> = (0..BLOCK_ROWS)
                .map(|i| if chosen[i] > 0.5 { all[i] } else { 7.0 })
                .collect();
            prop_assert_eq!(bits(&found), bits(&expected));
        }
    }

    /// Sums of listed rows are those of all rows where the others weigh nothing, but for the order of the terms.
    #[test]
    fn sums_of_listed_rows_are_those_among_all((x, shift, chosen, shares) in block()) {
        let d = shift.len();
        let Some(listed) = listed(&chosen) else { return Ok(()) };
        let r: Vec<f64> = chosen.iter().zip(&shares).map(|(c, r)| c * r).collect();
        for set in instruction_sets() {
            let nan = |n: usize| vec![f64::NAN; n];
            let (mut sums, mut products) = (nan(d), nan(packed_len(d)));
            let (mut all_sums, mut all_products) = (nan(d), nan(packed_len(d)));
            let mut panels = Panels::default();
            let reading = panels.reading(&x);
            set.dispatch(ReadPanels { is_of_rows: true, ..reading });
            let (plain, memory) = panels.about(&shift);
            let all = set.dispatch(DenseSums {
                differences: Plain { x: &x, shift: &shift },
                panels: plain,
                memory,
                r: &r,
                sums: &mut all_sums,
                products: &mut all_products,
            });
            let n = set.dispatch(ListedSums {
                panels: plain,
                listed: &listed,
                memory,
                r: &shares,
                sums: &mut sums,
                products: &mut products,
            });
            // 256 terms on both sides; a term has up to three roundings.
            let unit = 2.0 * (LANES + 3.0) * EPS;
            let z = |i: usize, j: usize| (x[j * BLOCK_ROWS + i] - shift[j]).abs();
            prop_assert!((n - all).abs() <= unit * all);
            for a in 0..d {
                let size: f64 = (0..BLOCK_ROWS).map(|i| r[i] * z(i, a)).sum();
                prop_assert!((sums[a] - all_sums[a]).abs() <= unit * size);
                for b in 0..=a {
                    let at = packed_len(a) + b;
                    let size: f64 = (0..BLOCK_ROWS).map(|i| r[i] * z(i, a) * z(i, b)).sum();
                    prop_assert!((products[at] - all_products[at]).abs() <= unit * size);
                }
            }
        }
    }

    /// In single precision, of numbers of 24 and of 48 bits.
    #[test]
    fn sums_of_listed_rows_in_single_precision((x, shift, chosen, shares) in block()) {
        let d = shift.len();
        let Some(listed) = listed(&chosen) else { return Ok(()) };
        let single = |values: &[f64]| values.iter().map(|v| *v as f32).collect::<Vec<f32>>();
        let (high, shift, shares) = (single(&x), single(&shift), single(&shares));
        let low: Vec<f32> = x.iter().zip(&high).map(|(x, high)| (x - f64::from(*high)) as f32).collect();
        let no_low = vec![0.0; d];
        for set in instruction_sets() {
            let sums = |is_wide: bool| {
                let (mut sums, mut products) = (vec![f64::NAN; d], vec![f64::NAN; packed_len(d)]);
                let mut panels = Panels::<f32>::default();
                for reading in panels.reading_halves(Halves { high: &high, low: &low }) {
                    set.dispatch(ReadPanels { is_of_rows: true, ..reading });
                }
                let (sums_of, products_of) = (&mut sums, &mut products);
                let n = if is_wide {
                    let (panels, memory) = panels.about_halves(Halves { high: &shift, low: &no_low });
                    set.dispatch(ListedSums { panels, listed: &listed, memory, r: &shares, sums: sums_of, products: products_of })
                } else {
                    let (panels, memory) = panels.about(&shift);
                    set.dispatch(ListedSums { panels, listed: &listed, memory, r: &shares, sums: sums_of, products: products_of })
                };
                (n, sums, products)
            };
            for is_wide in [false, true] {
                let (n, sums, products) = sums(is_wide);
                let z = |i: usize, j: usize| {
                    let at = j * BLOCK_ROWS + i;
                    let x = if is_wide { x[at] } else { f64::from(high[at]) };
                    x - f64::from(shift[j])
                };
                let rows = || listed.rows().iter().map(|row| (usize::from(*row), f64::from(shares[usize::from(*row)])));
                // 256 terms; differences are rounded up to three times, a product of two of them and a share twice more.
                let unit = (LANES + 10.0) * f64::from(f32::EPSILON);
                let expected: f64 = rows().map(|(_, r)| r).sum();
                prop_assert!((n - expected).abs() <= unit * expected);
                for a in 0..d {
                    let terms = || rows().map(|(i, r)| r * z(i, a));
                    let (sum, size): (f64, f64) = (terms().sum(), terms().map(f64::abs).sum());
                    prop_assert!((sums[a] - sum).abs() <= unit * size, "{} {sum}", sums[a]);
                    for b in 0..=a {
                        let terms = || rows().map(|(i, r)| r * z(i, a) * z(i, b));
                        let (sum, size): (f64, f64) = (terms().sum(), terms().map(f64::abs).sum());
                        prop_assert!((products[packed_len(a) + b] - sum).abs() <= unit * size);
                    }
                }
            }
        }
    }

    /// Moments of listed rows, near the shift or far from it.
    #[test]
    fn moments_of_listed_rows_are_those_of_all(
        (x, shift, chosen, shares) in block(),
        distance in prop_oneof![2 => Just(0.0), 1 => -1e4..1e4],
    ) {
        let d = shift.len();
        let Some(listed) = listed(&chosen) else { return Ok(()) };
        let r: Vec<f64> = chosen.iter().zip(&shares).map(|(c, r)| c * r).collect();
        let rows: Vec<Vec<f64>> = (0..BLOCK_ROWS)
            .map(|i| (0..d).map(|j| x[j * BLOCK_ROWS + i] + distance).collect())
            .collect();
        let mut block = Block::new(d);
        block.fill(&(&gmm_testkit::matrix(&rows)).into(), 0, &Frame::identity(d)).unwrap();
        let sums = || MomentSums::zeros(Structure::Dense, d);
        let (mut found, mut expected, mut part) = (sums(), sums(), Moments::zeros(Structure::Dense, d));
        let mut panels = Panels::default();
        panels.read_rows(block.values());
        expected.observe(&block, &r, &shift, &mut part, &mut panels);
        found.observe_listed(&listed, &shares, &shift, &mut part, &mut panels);
        let [found, expected] = [found, expected].map(|sums| sums.finish(&shift));
        let n = expected.occupancy;
        prop_assert!((found.occupancy - n).abs() <= 2.0 * LANES * EPS * n);
        let sd = |j: usize| (expected.variance_sum(j) / n).sqrt();
        for i in (0..d).filter(|_| n > 0.0) {
            let size = 20.0 + distance.abs();
            prop_assert!((found.mean[i] - expected.mean[i]).abs() <= 2.0 * (LANES + 3.0) * EPS * size);
            for j in 0..=i {
                // 32 times the scatter may be summed up on both sides, and a mean is rounded.
                let bound = 2.0 * 33.0 * (LANES + 3.0) * EPS * n * sd(i) * sd(j)
                    + n * (EPS * 2.0 * size).powi(2) * LANES;
                let at = packed_len(i) + j;
                prop_assert!((found.scatter[at] - expected.scatter[at]).abs() <= bound);
            }
        }
    }
}
