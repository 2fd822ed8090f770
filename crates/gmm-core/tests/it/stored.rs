//! Differences that are stored once for several components: the bits of those taken anew, and what moving their origin costs.

use gmm_core::block::{BLOCK_ROWS, Block, Frame};
use gmm_core::covariance::{MomentSums, Moments, Structure};
use gmm_core::kernels::operations::{
    Centre, Centred, DenseSums, DiagonalSums, Differences, Line, Near, Plain, ScaledNorm,
    SquaredNorm, padded,
};
use gmm_core::kernels::{Panels, Whitener, packed_len};
use gmm_testkit::naive;
use proptest::collection::vec;
use proptest::prelude::*;
use pulp::Arch;

use crate::bits;
use crate::kernels::{EPS, LANES, lanes, on_each, shares};

/// x - shift, as an instruction set stores it.
fn stored(set: Arch, x: &[f64], shift: &[f64]) -> Vec<f64> {
    let mut z = vec![f64::NAN; shift.len() * padded::<f64>()];
    set.dispatch(Centre {
        differences: Plain { x, shift },
        z: &mut z,
    });
    z
}

/// All that starts from differences: distances under a dense and a diagonal matrix, sums of dense and of diagonal moments.
fn all_of(
    set: Arch,
    differences: impl Differences<f64>,
    whitener: &Whitener,
    panels: &mut Panels,
    shift: &[f64],
    r: &[f64],
) -> [Vec<u64>; 4] {
    let d = shift.len();
    let nan = |n: usize| vec![f64::NAN; n];
    let (mut squared, mut scaled) = (nan(BLOCK_ROWS), nan(BLOCK_ROWS));
    let scales: Vec<f64> = (0..d).map(|j| 0.5 + j as f64).collect();
    set.dispatch(SquaredNorm {
        whitener,
        differences,
        centred: &mut nan(d * BLOCK_ROWS),
        line: Line::squared(),
        out: &mut squared,
    });
    set.dispatch(ScaledNorm {
        differences,
        reciprocal_sd: &scales,
        line: Line::squared(),
        out: &mut scaled,
    });
    let (mut sums, mut products) = (nan(d), nan(packed_len(d)));
    let (panels, memory) = panels.about(shift);
    let n = set.dispatch(DenseSums {
        differences,
        panels,
        memory,
        r,
        sums: &mut sums,
        products: &mut products,
    });
    let dense = [vec![n], sums, products].concat();
    let (mut sums, mut squares) = (nan(d), nan(d));
    let n = set.dispatch(DiagonalSums {
        differences,
        r,
        sums: &mut sums,
        squares: &mut squares,
    });
    let diagonal = [vec![n], sums, squares].concat();
    [squared, scaled, dense, diagonal].map(|values| bits(&values))
}

fn agree(x: &[f64], shift: &[f64], r: &[f64]) {
    let whitener = Whitener::new(shift.len(), |i, j| 1.0 / (1.0 + (i + 2 * j) as f64));
    on_each(&(), |set, ()| {
        let mut panels = Panels::default();
        set.dispatch(panels.reading(x));
        let z = stored(set, x, shift);
        let anew = all_of(set, Plain { x, shift }, &whitener, &mut panels, shift, r);
        let centred = Centred { z: &z };
        let origin = &vec![0.0; shift.len()];
        let near = Near { centred, origin };
        let kept = all_of(set, near, &whitener, &mut panels, shift, r);
        assert_eq!(anew, kept, "{} features", shift.len());
    });
}

#[test]
fn many_features_are_the_same_stored() {
    for d in [64, 65, 90] {
        let number = |i: usize| ((i * 37) % 101) as f64 / 10.0 - 5.0;
        let x: Vec<f64> = (0..d * BLOCK_ROWS).map(number).collect();
        let shift: Vec<f64> = (0..d).map(|j| number(5 * j) / 2.0).collect();
        let r: Vec<f64> = (0..BLOCK_ROWS).map(|i| number(3 * i).abs()).collect();
        agree(&x, &shift, &r);
    }
}

fn block() -> impl Strategy<Value = (Vec<f64>, Vec<f64>, Vec<f64>, Vec<f64>)> {
    let of_features = |d: usize| (lanes(d), vec(-10.0..10.0, d), vec(-3.0..3.0, d), shares());
    (1usize..=20).prop_flat_map(of_features)
}

proptest! {
    #[test]
    fn stored_differences_give_the_bits_of_those_taken_anew((x, shift, _, r) in block()) {
        agree(&x, &shift, &r);
    }

    /// Distances from a mean by differences from another place.
    #[test]
    fn an_origin_stands_for_the_rest_of_the_way(
        (x, place, step, _) in block(),
        entries in vec(-2.0..2.0, 20 * 21 / 2),
    ) {
        let d = place.len();
        let entry = |i: usize, j: usize| entries[i * (i + 1) / 2 + j];
        let w: Vec<Vec<f64>> = (0..d).map(|i| (0..=i).map(|j| entry(i, j)).collect()).collect();
        let whitener = Whitener::new(d, entry);
        let scales: Vec<f64> = (0..d).map(|j| 0.1 + entry(j, j).abs()).collect();
        let mean: Vec<f64> = place.iter().zip(&step).map(|(p, s)| p - s).collect();
        let way: Vec<f64> = place.iter().zip(&mean).map(|(p, m)| p - m).collect();
        let mut origin = way.clone();
        whitener.apply(&mut origin);
        let scaled_origin: Vec<f64> = way.iter().zip(&scales).map(|(w, s)| w * s).collect();
        let buffers = [vec![f64::NAN; BLOCK_ROWS], vec![f64::NAN; BLOCK_ROWS]];
        let results = on_each(&buffers, |set, [dense, diagonal]| {
            let z = stored(set, &x, &place);
            let near = |origin| Near { centred: Centred { z: &z }, origin };
            let centred = &mut vec![f64::NAN; d * BLOCK_ROWS];
            let line = Line::squared();
            set.dispatch(SquaredNorm { whitener: &whitener, differences: near(&origin), centred, line, out: dense });
            set.dispatch(ScaledNorm { differences: near(&scaled_origin), reciprocal_sd: &scales, line, out: diagonal });
        });
        for i in 0..BLOCK_ROWS {
            let row: Vec<f64> = (0..d).map(|j| x[j * BLOCK_ROWS + i]).collect();
            let centred: Vec<Vec<f64>> = row.iter().zip(&mean).map(|(x, m)| vec![x - m]).collect();
            let expected = naive::whitened_squared_norms(&w, &centred)[0];
            // What a coordinate is summed up from: both ways from the place.
            let size = |j: usize| (row[j] - place[j]).abs() + way[j].abs();
            let magnitude: f64 = (w.iter())
                .map(|row| row.iter().enumerate().map(|(j, w)| w.abs() * size(j)).sum::<f64>().powi(2))
                .sum();
            let scaled: f64 = (0..d).map(|j| (centred[j][0] * scales[j]).powi(2)).sum();
            let scaled_magnitude: f64 = (0..d).map(|j| (size(j) * scales[j]).powi(2)).sum();
            for [dense, diagonal] in &results {
                // As for differences from the mean, with two terms for each of D and their own rounding.
                let bound = 3.0 * (2.0 * d as f64 + 3.0) * EPS * magnitude;
                prop_assert!((dense[i] - expected).abs() <= bound, "{} {expected}", dense[i]);
                let bound = (d as f64 + 8.0) * EPS * scaled_magnitude;
                prop_assert!((diagonal[i] - scaled).abs() <= bound, "{} {scaled}", diagonal[i]);
            }
        }
    }

    /// Moments by sums about a centre near the shift, or far from everything.
    #[test]
    fn moments_about_a_centre_are_those_about_the_shift(
        (x, shift, step, r) in block(),
        distance in prop_oneof![3 => Just(0.0), 1 => -1e6..1e6],
        is_diagonal in any::<bool>(),
    ) {
        let d = shift.len();
        prop_assume!(naive::exact_sum(&r) > 0.0);
        let rows: Vec<Vec<f64>> = (0..BLOCK_ROWS).map(|i| (0..d).map(|j| x[j * BLOCK_ROWS + i]).collect()).collect();
        let table = gmm_testkit::matrix(&rows);
        let mut block = Block::new(d);
        block.fill(&(&table).into(), 0, &Frame::identity(d)).unwrap();
        let structure = if is_diagonal { Structure::Diagonal } else { Structure::Dense };
        let centre: Vec<f64> = shift.iter().zip(&step).map(|(shift, step)| shift + step + distance).collect();
        let z = stored(Arch::new(), &x, &centre);
        let sums = || MomentSums::zeros(structure, d);
        let (mut found, mut expected, mut part) = (sums(), sums(), Moments::zeros(structure, d));
        let mut panels = Panels::default();
        panels.read(block.values());
        expected.observe(&block, &r, &shift, &mut part, &mut panels);
        found.observe_near(&block, (&z, &centre), &r, &shift, &mut part, &mut panels);
        let [found, expected] = [found, expected].map(|sums| sums.finish(&shift));
        // The same sum in the same order.
        prop_assert_eq!(found.occupancy.to_bits(), expected.occupancy.to_bits());
        let n = expected.occupancy;
        let sd = |j: usize| (expected.variance_sum(j) / n).sqrt();
        for i in 0..d {
            // x - place is rounded once, and so is the mean about it.
            let size = 20.0 + distance.abs();
            prop_assert!((found.mean[i] - expected.mean[i]).abs() <= 2.0 * LANES * EPS * size);
            for j in 0..=i {
                if is_diagonal && i != j {
                    continue;
                }
                let at = if is_diagonal { i } else { i * (i + 1) / 2 + j };
                // 32 times the scatter may be summed up, in 256 terms, on both sides.
                let bound = 2.0 * 33.0 * (LANES + 3.0) * EPS * n * sd(i) * sd(j)
                    + n * (EPS * 40.0).powi(2) * LANES;
                let (found, expected) = (found.scatter[at], expected.scatter[at]);
                prop_assert!((found - expected).abs() <= bound, "{found} {expected}");
            }
        }
    }

    /// Blocks about the shift, about a centre and far from both, in turns: sums are closed where the place changes, and merged where they cancel.
    #[test]
    fn sums_of_several_blocks_are_those_of_all_rows(
        (blocks, shift, step) in (1usize..=40).prop_flat_map(|d| {
            let block = (lanes(d), shares(), 0usize..3);
            (vec(block, 1..5), vec(-3.0..3.0, d), vec(-3.0..3.0, d))
        }),
        is_diagonal in any::<bool>(),
    ) {
        let d = shift.len();
        let structure = if is_diagonal { Structure::Diagonal } else { Structure::Dense };
        let centre: Vec<f64> = shift.iter().zip(&step).map(|(shift, step)| shift + step).collect();
        let (mut sums, mut part) = (MomentSums::zeros(structure, d), Moments::zeros(structure, d));
        let (mut all, mut weights) = (vec![Vec::new(); d], Vec::new());
        for (x, r, kind) in &blocks {
            let distance = if *kind == 2 { 1e4 } else { 0.0 };
            let value = |i: usize, j: usize| x[j * BLOCK_ROWS + i] + distance;
            let rows: Vec<Vec<f64>> = (0..BLOCK_ROWS).map(|i| (0..d).map(|j| value(i, j)).collect()).collect();
            let mut block = Block::new(d);
            block.fill(&(&gmm_testkit::matrix(&rows)).into(), 0, &Frame::identity(d)).unwrap();
            let mut panels = Panels::default();
            panels.read(block.values());
            if *kind == 1 {
                let z = stored(Arch::new(), block.values(), &centre);
                sums.observe_near(&block, (&z, &centre), r, &shift, &mut part, &mut panels);
            } else {
                sums.observe(&block, r, &shift, &mut part, &mut panels);
            }
            all.iter_mut().enumerate().for_each(|(j, lane)| lane.extend(block.feature(j)));
            weights.extend(r);
        }
        let n = naive::exact_sum(&weights);
        prop_assume!(n > 0.0);
        let n_terms = weights.len() as f64 + 10.0;
        let found = sums.finish(&shift);
        prop_assert!((found.occupancy - n).abs() <= n_terms * EPS * n);
        let mean = naive::weighted_mean(&all, &weights);
        let centred: Vec<Vec<f64>> =
            all.iter().zip(&mean).map(|(lane, mean)| lane.iter().map(|x| x - mean).collect()).collect();
        let expected = naive::weighted_scatter(&centred, &weights);
        let farthest = all.iter().flatten().fold(0.0f64, |most, x| most.max(x.abs()));
        for i in 0..d {
            prop_assert!((found.mean[i] + shift[i] - mean[i]).abs() <= n_terms * EPS * (10.0 + farthest));
            for j in 0..=i {
                if is_diagonal && i != j {
                    continue;
                }
                let found = found.scatter[if is_diagonal { i } else { i * (i + 1) / 2 + j }];
                // 32 times the scatter may be summed up about a place; what a mean is off by enters squared.
                let size = (expected[i][i] * expected[j][j]).sqrt();
                let tolerance = 33.0 * n_terms * EPS * size + n * (n_terms * EPS * (10.0 + farthest)).powi(2);
                prop_assert!((found - expected[i][j]).abs() <= tolerance, "{found} {}", expected[i][j]);
            }
        }
    }
}
