//! Sums of several components that are taken side by side: those of each alone, by the textbook.

use gmm_core::block::{BLOCK_ROWS, Block, Frame};
use gmm_core::covariance::{MomentSums, Moments, SharedSums, Structure};
use gmm_core::kernels::operations::{Centre, Centred, Plain, Real, SumsSideBySide, padded};
use gmm_core::kernels::{Panels, packed_len};
use gmm_testkit::naive;
use proptest::collection::vec;
use proptest::prelude::*;
use pulp::Arch;

use crate::kernels::{EPS, LANES, lanes, on_each, shares};

/// Components of which some are summed.
const N_COMPONENTS: usize = 10;

/// What a component's sums should be, feature-major differences given, and the sizes of what they are sums of: n, sums, products.
fn expected(z: &[Vec<f64>], r: &[f64], is_diagonal: bool) -> Vec<[f64; 2]> {
    let weighted = |values: &dyn Fn(usize) -> f64| {
        let terms: Vec<f64> = r.iter().enumerate().map(|(i, r)| r * values(i)).collect();
        let sizes: Vec<f64> = terms.iter().map(|t| t.abs()).collect();
        [naive::exact_sum(&terms), naive::exact_sum(&sizes)]
    };
    let mut all = vec![weighted(&|_| 1.0)];
    all.extend(z.iter().map(|lane| weighted(&|i| lane[i])));
    for (i, one) in z.iter().enumerate() {
        let first = if is_diagonal { i } else { 0 };
        all.extend((z[first..=i].iter()).map(|other| weighted(&|lane| one[lane] * other[lane])));
    }
    all
}

/// Mostly few, and up to a number whose columns are many.
fn n_features() -> impl Strategy<Value = usize> {
    prop_oneof![5 => 1usize..=18, 1 => 19usize..=40]
}

/// A block, the place its rows are summed about, the responsibilities of all components, and some of these.
fn workload() -> impl Strategy<Value = (Vec<f64>, Vec<f64>, Vec<Vec<f64>>, Vec<usize>)> {
    let of_features = |d: usize| {
        let components = Just((0..N_COMPONENTS).collect::<Vec<_>>()).prop_shuffle();
        let joint = vec(shares(), N_COMPONENTS);
        (lanes(d), vec(-10.0..10.0, d), joint, components)
    };
    n_features().prop_flat_map(of_features)
}

/// The sums as an instruction set takes them, of numbers of either precision.
fn summed<T: Real>(
    set: Arch,
    z: &[T],
    joint: &[T],
    components: &[usize],
    is_diagonal: bool,
) -> Vec<f64> {
    let d = z.len() / padded::<T>();
    let n_numbers = 1 + d + if is_diagonal { d } else { packed_len(d) };
    let mut sums = vec![f64::NAN; components.len() * n_numbers];
    set.dispatch(SumsSideBySide {
        z: Centred { z },
        joint,
        components,
        is_diagonal,
        sums: &mut sums,
    });
    sums
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn sums_are_those_of_each_component((x, place, joint, components) in workload(), is_diagonal in any::<bool>()) {
        let features = x.chunks_exact(BLOCK_ROWS).zip(&place);
        let z: Vec<Vec<f64>> = features.map(|(x, place)| x.iter().map(|x| x - place).collect()).collect();
        for g in [4, 8] {
            let components = &components[..g];
            let results = on_each(&Vec::new(), |set, sums| {
                let mut z = vec![f64::NAN; place.len() * padded::<f64>()];
                set.dispatch(Centre { differences: Plain { x: &x, shift: &place }, z: &mut z });
                *sums = summed(set, &z, &joint.concat(), components, is_diagonal);
            });
            for (slot, k) in components.iter().enumerate() {
                for (number, [value, size]) in expected(&z, &joint[*k], is_diagonal).into_iter().enumerate() {
                    for sums in &results {
                        let found = sums[number * g + slot];
                        // 256 products of three factors.
                        prop_assert!((found - value).abs() <= (LANES + 3.0) * EPS * size, "{number}: {found} {value}");
                    }
                }
            }
        }
    }

    /// As in double precision, with a unit roundoff of 2^-24 on one side only.
    #[test]
    fn sums_in_single_precision((x, _, joint, components) in workload(), is_diagonal in any::<bool>()) {
        let single = |value: f64| value as f32;
        let d = x.len() / BLOCK_ROWS;
        let z: Vec<Vec<f64>> =
            x.chunks_exact(BLOCK_ROWS).map(|lane| lane.iter().map(|x| f64::from(single(*x))).collect()).collect();
        // What is smaller than 1e-30 is no normal number when it is multiplied.
        let joint: Vec<Vec<f64>> = joint
            .iter()
            .map(|r| r.iter().map(|r| f64::from(single(if *r < 1e-30 { 0.0 } else { *r }))).collect())
            .collect();
        let mut stored = vec![f32::NAN; d * padded::<f32>()];
        for (lane, z) in stored.chunks_exact_mut(padded::<f32>()).zip(&z) {
            lane.iter_mut().zip(z).for_each(|(stored, z)| *stored = single(*z));
        }
        let narrow: Vec<f32> = joint.iter().flatten().map(|r| single(*r)).collect();
        let components = &components[..8];
        let results = on_each(&Vec::new(), |set, sums| *sums = summed(set, &stored, &narrow, components, is_diagonal));
        for (slot, k) in components.iter().enumerate() {
            for (number, [value, size]) in expected(&z, &joint[*k], is_diagonal).into_iter().enumerate() {
                for sums in &results {
                    let found = sums[number * 8 + slot];
                    let bound = (LANES + 3.0) * f64::from(f32::EPSILON) * size;
                    prop_assert!((found - value).abs() <= bound, "{number}: {found} {value}");
                }
            }
        }
    }

    /// Blocks near the centre and blocks that cancel about it, gathered as a pass does, are the moments of all rows.
    #[test]
    fn shared_sums_become_the_moments_of_each_component(
        (blocks, shift, step) in n_features().prop_flat_map(|d| {
            let block = (lanes(d), vec(shares(), 8), prop_oneof![4 => Just(0.0), 1 => Just(1e4)]);
            (vec(block, 1..4), vec(-3.0..3.0, d), vec(-3.0..3.0, d))
        }),
        is_diagonal in any::<bool>(),
    ) {
        let d = shift.len();
        let structure = if is_diagonal { Structure::Diagonal } else { Structure::Dense };
        let centre: Vec<f64> = shift.iter().zip(&step).map(|(shift, step)| shift + step).collect();
        let components: Vec<usize> = (0..8).collect();
        let mut shared = SharedSums::of_first::<f64>(&components, &centre, structure).unwrap();
        let members = shared.components().to_vec();
        prop_assert!(members == components || members == components[..4]);
        let mut sums = vec![MomentSums::zeros(structure, d); 8];
        let (mut part, mut panels) = (Moments::zeros(structure, d), Panels::default());
        let (mut all, mut weights) = (vec![Vec::new(); d], vec![Vec::new(); 8]);
        for (x, joint, distance) in &blocks {
            let rows: Vec<Vec<f64>> =
                (0..BLOCK_ROWS).map(|i| (0..d).map(|j| x[j * BLOCK_ROWS + i] + distance).collect()).collect();
            let mut block = Block::new(d);
            block.fill(&(&gmm_testkit::matrix(&rows)).into(), 0, &Frame::identity(d)).unwrap();
            let mut z = vec![f64::NAN; d * padded::<f64>()];
            Arch::new().dispatch(Centre { differences: Plain { x: block.values(), shift: &centre }, z: &mut z });
            panels.read(block.values());
            let are_all_added = shared.observe(&z, &joint.concat());
            let mut n_refused = 0;
            shared.add_refused(&mut sums, |k, sums| {
                n_refused += 1;
                sums.observe(&block, &joint[k], &shift, &mut part, &mut panels);
            });
            prop_assert_eq!(are_all_added, n_refused == 0);
            // Four digits are lost 1e4 away.
            prop_assert!(*distance == 0.0 || n_refused > 0 || joint.iter().flatten().all(|r| *r == 0.0));
            all.iter_mut().enumerate().for_each(|(j, lane)| lane.extend(block.feature(j)));
            weights.iter_mut().zip(joint).for_each(|(weights, r)| weights.extend(r));
        }
        let shifts = vec![shift.clone(); 8];
        shared.finish(&shifts, &mut sums);
        for k in members {
            let (r, found) = (&weights[k], sums[k].clone().finish(&shift));
            let n = naive::exact_sum(r);
            let n_terms = r.len() as f64 + 10.0;
            prop_assert!((found.occupancy - n).abs() <= n_terms * EPS * n);
            if n == 0.0 {
                continue;
            }
            let mean = naive::weighted_mean(&all, r);
            let centred: Vec<Vec<f64>> =
                all.iter().zip(&mean).map(|(lane, mean)| lane.iter().map(|x| x - mean).collect()).collect();
            let scatter = naive::weighted_scatter(&centred, r);
            let farthest = all.iter().flatten().fold(0.0f64, |most, x| most.max(x.abs()));
            for i in 0..d {
                prop_assert!((found.mean[i] + shift[i] - mean[i]).abs() <= n_terms * EPS * (10.0 + farthest));
                for j in if is_diagonal { i..=i } else { 0..=i } {
                    let found = found.scatter[if is_diagonal { i } else { i * (i + 1) / 2 + j }];
                    // 32 times the scatter may be summed up about a place; what a mean is off by enters squared.
                    let size = (scatter[i][i] * scatter[j][j]).sqrt();
                    let bound = 33.0 * n_terms * EPS * size + n * (n_terms * EPS * (10.0 + farthest)).powi(2);
                    prop_assert!((found - scatter[i][j]).abs() <= bound, "{k}: {found} {}", scatter[i][j]);
                }
            }
        }
    }
}

/// Eight where they fit into the registers, else four, where they are cheaper than one by one.
#[test]
fn components_are_taken_by_fours_or_eights() {
    #[cfg(target_arch = "x86_64")]
    let takes_eight = pulp::x86::V4::try_new().is_some();
    #[cfg(not(target_arch = "x86_64"))]
    let takes_eight = false;
    let components: Vec<usize> = (3..17).collect();
    for structure in [Structure::Dense, Structure::Diagonal, Structure::Isotropic] {
        for (d, are_cheaper_alone) in [
            (1, false),
            (6, false),
            (7, true),
            (16, true),
            (17, false),
            (40, true),
        ] {
            let fours = !takes_eight || structure != Structure::Dense || !are_cheaper_alone;
            for n in 0..=components.len() {
                let expected = match n {
                    8.. if takes_eight => 8,
                    4.. if fours => 4,
                    _ => 0,
                };
                let (some, centre) = (&components[..n], vec![0.0; d]);
                let shared = SharedSums::of_first::<f64>(some, &centre, structure);
                let taken = shared.as_ref().map_or(&[][..], SharedSums::components);
                assert_eq!(taken, &components[..expected], "{structure:?} {d} {n}");
                let narrow = SharedSums::of_first::<f32>(some, &centre, structure);
                assert_eq!(narrow.is_some(), n >= 4, "{structure:?} {d} {n}");
            }
        }
    }
}

/// What is little beside blocks that were refused is not refused for digits that are none of the whole.
#[test]
fn what_was_summed_elsewhere_counts_as_known() {
    let (d, components) = (1, [0, 1, 2, 3]);
    let observe = |shared: &mut SharedSums, x: &[f64], r: &[f64]| {
        let mut z = vec![0.0; padded::<f64>()];
        z[..BLOCK_ROWS].copy_from_slice(x);
        shared.observe(&z, &r.repeat(4))
    };
    let fresh = || SharedSums::of_first::<f64>(&components, &[0.0], Structure::Diagonal).unwrap();
    // Ten away from the centre with a standard deviation of 1.5: 45 times the scatter.
    let far: Vec<f64> = (0..BLOCK_ROWS)
        .map(|i| 10.0 + if i % 2 == 0 { 1.5 } else { -1.5 })
        .collect();
    let mut few = [0.0; BLOCK_ROWS];
    few[7] = 0.1;
    assert!(!observe(&mut fresh(), &far, &few));

    let mut shared = fresh();
    assert!(!observe(&mut shared, &far, &[1.0; BLOCK_ROWS]));
    let mut block = Block::new(d);
    let rows: Vec<Vec<f64>> = far.iter().map(|x| vec![*x]).collect();
    block
        .fill(
            &(&gmm_testkit::matrix(&rows)).into(),
            0,
            &Frame::identity(d),
        )
        .unwrap();
    let mut sums = vec![MomentSums::zeros(Structure::Diagonal, d); 4];
    let (mut part, mut panels) = (Moments::zeros(Structure::Diagonal, d), Panels::default());
    shared.add_refused(&mut sums, |_, sums| {
        sums.observe(&block, &[1.0; BLOCK_ROWS], &[10.0], &mut part, &mut panels);
    });
    assert!(observe(&mut shared, &far, &few));
}

/// Differences of another number of features would be summed to the wrong places.
#[test]
#[should_panic(expected = "assertion")]
fn differences_of_another_size_are_refused() {
    let mut shared =
        SharedSums::of_first::<f64>(&[0, 1, 2, 3], &[0.0; 2], Structure::Diagonal).unwrap();
    shared.observe(&vec![0.0; padded::<f64>()], &[0.0; 4 * BLOCK_ROWS]);
}
