//! The kernels for many linear functions at a time and for nearest points, on every instruction set of this machine: see `kernels`.

use gmm_core::block::BLOCK_ROWS;
use gmm_core::kernels::operations::{Apply, CrossSums, KeepNearest, MostProbable, SumOthers};
use gmm_core::kernels::{LinearMap, cross_sums, keep_nearest, most_probable, sum_others};
use gmm_testkit::naive;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::bits;
use crate::kernels::{EPS, LANES, features, lanes, on_each, shares};

fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|v| *v as f32).collect()
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn linear_maps(
        (n_rows, is_lower, z) in (1usize..=13, any::<bool>(), 1usize..=13)
            .prop_flat_map(|(k, is_lower, d)| (Just(k), Just(is_lower), lanes(if is_lower { k } else { d }))),
        entries in vec(-2.0..2.0, 13 * 13),
        constants in vec(-2.0..2.0, 13),
    ) {
        let features = features(&z);
        let d = features.len();
        let entry = |r: usize, j: usize| if is_lower && j > r { 0.0 } else { entries[r * 13 + j] };
        let map = if is_lower { LinearMap::lower(d, entry) } else { LinearMap::new(n_rows, d, entry) };
        let constants = &constants[..n_rows];
        let results = on_each(&vec![f64::NAN; n_rows * BLOCK_ROWS], |set, out| {
            set.dispatch(Apply { map: &map, constants, z: &z, out });
        });
        for r in 0..n_rows {
            for i in 0..BLOCK_ROWS {
                let terms: Vec<f64> = (0..d).map(|j| features[j][i]).collect();
                let row: Vec<f64> = (0..d).map(|j| entry(r, j)).collect();
                let expected = constants[r] + naive::exact_dot(&row, &terms);
                let magnitude: f64 =
                    constants[r].abs() + row.iter().zip(&terms).map(|(a, z)| (a * z).abs()).sum::<f64>();
                for out in &results {
                    let found = out[r * BLOCK_ROWS + i];
                    prop_assert!((found - expected).abs() <= (d as f64 + 1.0) * EPS * magnitude, "{found} {expected}");
                }
            }
        }
        // The same in single precision, of numbers that are rounded to it.
        let [narrow, narrow_constants] = [&z, constants].map(single);
        let entry = |r: usize, j: usize| f64::from(entry(r, j) as f32);
        let rounded = if is_lower { LinearMap::lower(d, entry) } else { LinearMap::new(n_rows, d, entry) };
        let mut expected = vec![f64::NAN; n_rows * BLOCK_ROWS];
        rounded.apply(&wide(&narrow_constants), &wide(&narrow), &mut expected);
        let map_of_single = rounded.single();
        let results_of_single = on_each(&vec![f32::NAN; n_rows * BLOCK_ROWS], |set, out| {
            set.dispatch(Apply { map: &map_of_single, constants: &narrow_constants, z: &narrow, out });
        });
        for (found, expected) in results_of_single.iter().flat_map(|out| out.iter().zip(&expected)) {
            // Entries and constants are below 2, numbers below 10.
            let bound = (d as f64 + 1.0) * f64::from(f32::EPSILON) * (2.0 + 20.0 * d as f64);
            prop_assert!((f64::from(*found) - expected).abs() <= bound, "{found} {expected}");
        }
        let mut out = vec![f64::NAN; n_rows * BLOCK_ROWS];
        map.apply(constants, &z, &mut out);
        prop_assert_eq!(bits(&out), bits(&results[results.len() - 1]));
    }

    #[test]
    fn sums_of_components_and_features(
        z in (1usize..=10).prop_flat_map(lanes),
        r in vec(shares(), 1..=10),
        before in -5.0..5.0,
    ) {
        let features = features(&z);
        let (k, d) = (r.len(), features.len());
        let r: Vec<f64> = r.concat();
        let buffers = (vec![before; k], vec![before; k * d]);
        let results = on_each(&buffers, |set, (totals, sums)| {
            set.dispatch(CrossSums { r: &r, z: &z, totals, sums });
        });
        for (k, r) in r.chunks_exact(BLOCK_ROWS).enumerate() {
            let total = naive::exact_sum(r);
            for (totals, _) in &results {
                let bound = (LANES + 1.0) * EPS * (before.abs() + total);
                prop_assert!((totals[k] - before - total).abs() <= bound);
            }
            for (j, lane) in features.iter().enumerate() {
                let expected = naive::exact_dot(lane, r);
                let sizes: f64 = lane.iter().zip(r).map(|(z, r)| (z * r).abs()).sum();
                for (_, sums) in &results {
                    let found = sums[k * d + j] - before;
                    let bound = (LANES + 2.0) * EPS * (before.abs() + sizes);
                    prop_assert!((found - expected).abs() <= bound, "{k} {j}: {found} {expected}");
                }
            }
        }
        // In single precision each sum of a block is, and what it is added to isn't.
        let [narrow_r, narrow_z] = [&r, &z].map(|v| single(v));
        let [wide_r, wide_z] = [&narrow_r, &narrow_z].map(|v| wide(v));
        let (mut totals, mut sums) = buffers.clone();
        cross_sums(&wide_r, &wide_z, &mut totals, &mut sums);
        let of_single = on_each(&buffers, |set, (totals, sums)| {
            set.dispatch(CrossSums { r: &narrow_r, z: &narrow_z, totals, sums });
        });
        for (found_totals, found_sums) in &of_single {
            for k in 0..k {
                let unit = (LANES + 2.0) * f64::from(f32::EPSILON) * (totals[k] + before.abs());
                prop_assert!((found_totals[k] - totals[k]).abs() <= unit);
                for j in k * d..(k + 1) * d {
                    // No number is above 10.
                    prop_assert!((found_sums[j] - sums[j]).abs() <= 10.0 * unit);
                }
            }
        }
        let (mut totals, mut sums) = buffers;
        cross_sums(&r, &z, &mut totals, &mut sums);
        let best = &results[results.len() - 1];
        prop_assert_eq!((bits(&totals), bits(&sums)), (bits(&best.0), bits(&best.1)));
    }

    #[test]
    fn the_nearest_of_several_points(
        squared in vec(vec(prop_oneof![8 => 0.0..4.0, 1 => Just(1.0), 1 => Just(f64::INFINITY), 1 => Just(f64::NAN)], BLOCK_ROWS), 1..5),
    ) {
        let start = (vec![f64::INFINITY; BLOCK_ROWS], vec![0u64; BLOCK_ROWS]);
        let found = on_each(&start, |set, (least, labels)| {
            for (label, squared) in (0..).zip(&squared) {
                set.dispatch(KeepNearest { squared, label, least, labels });
            }
        });
        let mut checked = start.clone();
        for (label, squared) in (0..).zip(&squared) {
            keep_nearest(squared, label, &mut checked.0, &mut checked.1);
        }
        for (least, labels) in found.into_iter().chain([checked]) {
            for i in 0..BLOCK_ROWS {
                // The first of the least; point 0 where none is near.
                let mut nearest = (f64::INFINITY, 0);
                for (label, squared) in (0..).zip(&squared) {
                    if squared[i] < nearest.0 {
                        nearest = (squared[i], label);
                    }
                }
                prop_assert_eq!((least[i].to_bits(), labels[i]), (nearest.0.to_bits(), nearest.1));
            }
        }
    }

    #[test]
    fn the_most_probable_of_several_classes_and_the_rest(
        r in (1usize..20).prop_flat_map(|k| vec(prop_oneof![4 => 0.0..=1.0, 1 => Just(0.0), 1 => Just(0.5)], k * BLOCK_ROWS)),
    ) {
        let n_classes = r.len() / BLOCK_ROWS;
        let start = (vec![u64::MAX; BLOCK_ROWS], vec![f64::NAN; BLOCK_ROWS]);
        let found = on_each(&start, |set, (labels, sums)| {
            set.dispatch(MostProbable { r: &r, labels });
            set.dispatch(SumOthers { r: &r, labels, sums });
        });
        let mut checked = start.clone();
        most_probable(&r, &mut checked.0);
        sum_others(&r, &checked.0, &mut checked.1);
        for (labels, sums) in found.into_iter().chain([checked]) {
            for i in 0..BLOCK_ROWS {
                let of = |k: usize| r[k * BLOCK_ROWS + i];
                let best = (1..n_classes).fold(0, |best, k| if of(k) > of(best) { k } else { best });
                // Every lane is a chain of its own: no instruction set changes a bit. Without others it is 0, and not -0.
                let others = (0..n_classes).filter(|k| *k != best).fold(0.0, |sum, k| sum + of(k));
                prop_assert_eq!((labels[i], sums[i].to_bits()), (best as u64, others.to_bits()));
            }
        }
    }
}
