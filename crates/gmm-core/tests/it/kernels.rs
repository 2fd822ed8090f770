//! Every kernel against its textbook twin, on every instruction set of this machine.
//!
//! A sum of n products, in whatever order, is off by at most n ε / 2 times the sum of its absolute terms (Higham 2002, §3.1;
//! ε is twice the unit roundoff). Both sides round, so a bound is twice that: n ε.

use gmm_core::block::{BLOCK_ROWS, Block, Frame};
use gmm_core::covariance::{MomentSums, Moments, Structure};
use gmm_core::kernels::operations::{
    DenseSums, DiagonalSums, Line, Normalize, Plain, ScaledNorm, SquaredNorm,
};
use gmm_core::kernels::{
    Panels, Whitener, dense_sums, diagonal_sums, exp_nonpositive, normalize_joint, packed_len,
    scaled_norm,
};
use gmm_testkit::naive;
use proptest::collection::vec;
use proptest::prelude::*;
use pulp::Arch;

use crate::bits;

pub(crate) const EPS: f64 = f64::EPSILON;
/// Lanes of a block, as a term count in bounds.
pub(crate) const LANES: f64 = BLOCK_ROWS as f64;

/// Every instruction set that the kernels can be dispatched to here, the best one last.
pub(crate) fn instruction_sets() -> Vec<Arch> {
    let mut sets = vec![Arch::Scalar];
    #[cfg(target_arch = "x86_64")]
    {
        sets.extend(pulp::x86::V3::try_new().map(Arch::V3));
        sets.extend(pulp::x86::V4::try_new().map(Arch::V4));
    }
    #[cfg(target_arch = "aarch64")]
    sets.extend(pulp::aarch64::Neon::try_new().map(Arch::Neon));
    sets
}

/// Runs an operation on each instruction set, each time with fresh buffers, and returns what it wrote.
pub(crate) fn on_each<T: Clone>(buffers: &T, run: impl Fn(Arch, &mut T)) -> Vec<T> {
    let results: Vec<T> = instruction_sets()
        .into_iter()
        .map(|set| {
            let mut own = buffers.clone();
            run(set, &mut own);
            own
        })
        .collect();
    assert!(!results.is_empty());
    results
}

/// Numbers from -10 to 10, feature-major, for 1 to 40 features.
pub(crate) fn lanes(n_features: usize) -> impl Strategy<Value = Vec<f64>> {
    vec(-10.0..10.0, n_features * BLOCK_ROWS)
}

/// Responsibilities times sample weights: some 0, some tiny, some large.
pub(crate) fn shares() -> impl Strategy<Value = Vec<f64>> {
    let share = prop_oneof![6 => 0.0..1.0, 2 => Just(0.0), 1 => Just(1e-300), 1 => Just(1e3)];
    vec(share, BLOCK_ROWS)
}

pub(crate) fn features(values: &[f64]) -> Vec<Vec<f64>> {
    values
        .chunks_exact(BLOCK_ROWS)
        .map(<[f64]>::to_vec)
        .collect()
}

fn shifted(x: &[f64], shift: &[f64]) -> Vec<Vec<f64>> {
    let lanes = x.chunks_exact(BLOCK_ROWS).zip(shift);
    lanes
        .map(|(lane, shift)| lane.iter().map(|x| x - shift).collect())
        .collect()
}

/// Σᵢ rᵢ zᵢⱼ for each feature.
fn naive_sums(z: &[Vec<f64>], r: &[f64]) -> Vec<f64> {
    z.iter().map(|lane| naive::exact_dot(lane, r)).collect()
}

fn block() -> impl Strategy<Value = (Vec<f64>, Vec<f64>, Vec<f64>)> {
    (1usize..=40).prop_flat_map(|d| (lanes(d), vec(-10.0..10.0, d), shares()))
}

#[test]
fn a_packed_triangle_has_an_entry_per_pair() {
    for d in 0..20 {
        let pairs = (0..d).flat_map(|i| (0..=i).map(move |j| (i, j)));
        assert_eq!(packed_len(d), pairs.count());
    }
}

#[test]
fn the_best_instruction_set_is_among_those_tested() {
    // pulp has no equality for its sets; their variants have.
    let best = std::mem::discriminant(&Arch::new());
    let tested = instruction_sets();
    assert_eq!(tested.last().map(std::mem::discriminant), Some(best));
    eprintln!("kernels run on {} instruction sets", tested.len());
}

/// The sums of dense moments against their twin, on each instruction set.
fn dense_sums_agree(x: &[f64], shift: &[f64], r: &[f64]) {
    let d = shift.len();
    let z = shifted(x, shift);
    let (n, first) = (naive::exact_sum(r), naive_sums(&z, r));
    let second = naive::weighted_scatter(&z, r);
    let absolute: Vec<Vec<f64>> = (z.iter())
        .map(|lane| lane.iter().map(|v| v.abs()).collect())
        .collect();
    let sizes = naive_sums(&absolute, r);
    let magnitude = naive::weighted_scatter(&absolute, r);
    let nan = |n: usize| vec![f64::NAN; n];
    let buffers = (0.0, nan(d), nan(packed_len(d)));
    let results = on_each(&buffers, |set, (n, sums, products)| {
        let mut panels = Panels::default();
        set.dispatch(panels.reading(x));
        let (panels, memory) = panels.about(shift);
        *n = set.dispatch(DenseSums {
            differences: Plain { x, shift },
            panels,
            memory,
            r,
            sums,
            products,
        });
    });
    for (found, sums, products) in &results {
        assert!((found - n).abs() <= LANES * EPS * n);
        for i in 0..d {
            assert!((sums[i] - first[i]).abs() <= (LANES + 2.0) * EPS * sizes[i]);
            for j in 0..=i {
                // 256 products of three factors.
                let found = products[i * (i + 1) / 2 + j];
                let bound = (LANES + 3.0) * EPS * magnitude[i][j];
                assert!((found - second[i][j]).abs() <= bound, "{d}: ({i}, {j})");
            }
        }
    }
    let (_, mut sums, mut products) = buffers;
    let mut panels = Panels::default();
    panels.read(x);
    let n = dense_sums(x, r, shift, &mut panels, &mut sums, &mut products);
    let best = &results[results.len() - 1];
    let found = (n.to_bits(), bits(&sums), bits(&products));
    assert_eq!(found, (best.0.to_bits(), bits(&best.1), bits(&best.2)));
}

/// As many features as make rows go through panels 64, 32 and all 256 at a time, in one to three panels at once, with few and with many
/// features in the last.
#[test]
fn sums_of_dense_moments_of_many_features() {
    for d in [48, 63, 64, 65, 70, 100, 129] {
        let number = |i: usize| ((i * 7919 + d * 104_729) % 10_007) as f64 / 10_007.0;
        let x: Vec<f64> = (0..d * BLOCK_ROWS)
            .map(|i| 20.0 * number(i) - 10.0)
            .collect();
        let shift: Vec<f64> = (0..d).map(|j| 4.0 * number(3 * j) - 2.0).collect();
        let r: Vec<f64> = (0..BLOCK_ROWS).map(|i| number(11 * i)).collect();
        dense_sums_agree(&x, &shift, &r);
    }
}

#[test]
#[should_panic(expected = "has not read")]
fn panels_that_read_another_block_are_refused() {
    let d = 17;
    let (x, r, shift) = (
        vec![1.0; d * BLOCK_ROWS],
        vec![1.0; BLOCK_ROWS],
        vec![0.0; d],
    );
    let (mut sums, mut products) = (vec![0.0; d], vec![0.0; packed_len(d)]);
    let mut panels = Panels::default();
    dense_sums(&x, &r, &shift, &mut panels, &mut sums, &mut products);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn squared_norms(
        (x, mean, _) in block(),
        entries in vec(-2.0..2.0, 40 * 41 / 2),
    ) {
        let d = mean.len();
        let entry = |i: usize, j: usize| entries[i * (i + 1) / 2 + j];
        let w: Vec<Vec<f64>> = (0..d).map(|i| (0..=i).map(|j| entry(i, j)).collect()).collect();
        let whitener = Whitener::new(d, entry);
        prop_assert_eq!(whitener.n_features(), d);
        let centred: Vec<Vec<f64>> = features(&x)
            .iter()
            .zip(&mean)
            .map(|(lane, mean)| lane.iter().map(|x| x - mean).collect())
            .collect();
        let expected = naive::whitened_squared_norms(&w, &centred);
        let buffers = (vec![f64::NAN; d * BLOCK_ROWS], vec![f64::NAN; BLOCK_ROWS]);
        let results = on_each(&buffers, |set, (centred, squared)| {
            set.dispatch(SquaredNorm { whitener: &whitener, differences: Plain { x: &x, shift: &mean }, centred, line: Line::squared(), out: squared });
        });
        for (_, squared) in &results {
            for (i, (found, expected)) in squared.iter().zip(&expected).enumerate() {
                // A coordinate y of at most D terms is off by D ε/2 a, with a the sum of its absolute terms; its square by
                // twice that times a, and the sum of D squares by another D ε/2. Both sides: 3 D ε Σ a².
                let magnitude: f64 = w
                    .iter()
                    .map(|row| row.iter().zip(&centred).map(|(w, z)| (w * z[i]).abs()).sum::<f64>().powi(2))
                    .sum();
                prop_assert!((found - expected).abs() <= 3.0 * (d as f64 + 1.0) * EPS * magnitude, "{found} {expected}");
            }
        }
        // The function is the operation on the best set.
        let (mut z, mut squared) = buffers;
        whitener.squared_norm(&x, &mean, &mut z, &mut squared);
        prop_assert_eq!(bits(&squared), bits(&results[results.len() - 1].1));
        // One vector gives what a lane gives.
        for i in [0, BLOCK_ROWS - 1] {
            let mut one: Vec<f64> = centred.iter().map(|lane| lane[i]).collect();
            let magnitude: f64 = w
                .iter()
                .map(|row| row.iter().zip(&one).map(|(w, z)| (w * z).abs()).sum::<f64>().powi(2))
                .sum();
            whitener.apply(&mut one);
            let found: f64 = one.iter().map(|y| y * y).sum();
            prop_assert!((found - expected[i]).abs() <= 3.0 * (d as f64 + 1.0) * EPS * magnitude);
        }
    }

    #[test]
    fn scaled_norms(
        (x, mean, _) in block(),
        scales in vec(0.01..100.0, 40),
        is_isotropic in any::<bool>(),
    ) {
        let d = mean.len();
        let reciprocal_sd = &scales[..if is_isotropic { 1 } else { d }];
        let scale = |j: usize| reciprocal_sd[if is_isotropic { 0 } else { j }];
        let results = on_each(&vec![f64::NAN; BLOCK_ROWS], |set, squared| {
            set.dispatch(ScaledNorm { differences: Plain { x: &x, shift: &mean }, reciprocal_sd, line: Line::squared(), out: squared });
        });
        let features = features(&x);
        for i in 0..BLOCK_ROWS {
            let expected: f64 =
                (0..d).map(|j| ((features[j][i] - mean[j]) * scale(j)).powi(2)).sum();
            for squared in &results {
                // All terms are positive: two roundings of a square and D of the sum, on both sides.
                prop_assert!((squared[i] - expected).abs() <= (d as f64 + 2.0) * EPS * expected);
            }
        }
        let mut squared = vec![f64::NAN; BLOCK_ROWS];
        scaled_norm(&x, &mean, reciprocal_sd, &mut squared);
        // Every lane is a chain of its own: no instruction set changes a bit.
        for result in &results {
            prop_assert_eq!(bits(result), bits(&squared));
        }
    }

    #[test]
    fn sums_of_dense_moments((x, shift, r) in block()) {
        dense_sums_agree(&x, &shift, &r);
    }

    #[test]
    fn sums_of_diagonal_moments((x, shift, r) in block()) {
        let d = shift.len();
        let z = shifted(&x, &shift);
        let (n, first, second) = (naive::exact_sum(&r), naive_sums(&z, &r), naive::weighted_scatter(&z, &r));
        let absolute: Vec<Vec<f64>> = z.iter().map(|l| l.iter().map(|v| v.abs()).collect()).collect();
        let sizes = naive_sums(&absolute, &r);
        let buffers = (0.0, vec![f64::NAN; d], vec![f64::NAN; d]);
        let results = on_each(&buffers, |set, (n, sums, squares)| {
            *n = set.dispatch(DiagonalSums { differences: Plain { x: &x, shift: &shift }, r: &r, sums, squares });
        });
        for (found, sums, squares) in &results {
            prop_assert!((found - n).abs() <= LANES * EPS * n);
            for j in 0..d {
                prop_assert!((sums[j] - first[j]).abs() <= (LANES + 2.0) * EPS * sizes[j]);
                // All terms are positive.
                prop_assert!((squares[j] - second[j][j]).abs() <= (LANES + 3.0) * EPS * second[j][j]);
            }
        }
        let (_, mut sums, mut squares) = buffers;
        let n = diagonal_sums(&x, &r, &shift, &mut sums, &mut squares);
        let best = &results[results.len() - 1];
        prop_assert_eq!((n.to_bits(), bits(&sums), bits(&squares)), (best.0.to_bits(), bits(&best.1), bits(&best.2)));
    }

    /// However far the shift, the moments of a block are those about its own mean.
    #[test]
    fn moments_do_not_cancel((x, _, r) in block(), distance in prop_oneof![Just(0.0), -1e8..1e8], is_diagonal in any::<bool>()) {
        let d = x.len() / BLOCK_ROWS;
        let rows: Vec<Vec<f64>> = (0..BLOCK_ROWS).map(|i| (0..d).map(|j| x[j * BLOCK_ROWS + i]).collect()).collect();
        let table = gmm_testkit::matrix(&rows);
        let mut block = Block::new(d);
        block.fill(&(&table).into(), 0, &Frame::identity(d)).unwrap();
        let structure = if is_diagonal { Structure::Diagonal } else { Structure::Dense };
        let shift = vec![distance; d];
        let mut sums = MomentSums::zeros(structure, d);
        let (mut part, mut panels) = (Moments::zeros(structure, d), Panels::default());
        panels.read(block.values());
        sums.observe(&block, &r, &shift, &mut part, &mut panels);
        let moments = sums.finish(&shift);
        let n = naive::exact_sum(&r);
        prop_assume!(n > 0.0);
        let lanes = features(&x);
        let mean = naive::weighted_mean(&lanes, &r);
        let centred: Vec<Vec<f64>> =
            lanes.iter().zip(&mean).map(|(lane, mean)| lane.iter().map(|x| x - mean).collect()).collect();
        let expected = naive::weighted_scatter(&centred, &r);
        for i in 0..d {
            // The mean is kept relative to the shift, and x - shift is rounded once: ε of the distance.
            prop_assert!((moments.mean[i] + distance - mean[i]).abs() <= LANES * EPS * (10.0 + distance.abs()));
            for j in 0..=i {
                if is_diagonal && i != j {
                    continue;
                }
                let found = moments.scatter[if is_diagonal { i } else { i * (i + 1) / 2 + j }];
                // 32 times the scatter may be summed up about the shift, in 256 terms.
                let size = (expected[i][i] * expected[j][j]).sqrt();
                let tolerance = 33.0 * (LANES + 3.0) * EPS * size + n * (EPS * 20.0).powi(2) * LANES;
                prop_assert!((found - expected[i][j]).abs() <= tolerance, "{found} {}", expected[i][j]);
            }
        }
    }

    #[test]
    fn normalized_joints(
        (k, joint) in (1usize..=12).prop_flat_map(|k| {
            let value = prop_oneof![
                6 => -800.0..5.0,
                2 => -3.0..3.0,
                1 => -1e6..1e6,
                1 => prop::sample::select(vec![f64::NEG_INFINITY, f64::NAN, -1e300, 1e300, 0.0]),
            ];
            (Just(k), vec(value, k * BLOCK_ROWS))
        }),
        offset in prop_oneof![Just(0.0), -700.0..700.0],
    ) {
        let buffers = (joint.clone(), vec![f64::NAN; BLOCK_ROWS]);
        let results = on_each(&buffers, |set, (joint, log_density)| {
            set.dispatch(Normalize { joint, offset, log_density });
        });
        let (mut best, mut density) = buffers;
        normalize_joint(&mut best, offset, &mut density);
        let (r, log_density) = &results[results.len() - 1];
        prop_assert_eq!((bits(r), bits(log_density)), (bits(&best), bits(&density)));
        for ((best, density), i) in results.iter().flat_map(|result| (0..BLOCK_ROWS).map(move |i| (result, i))) {
            // An overflowing distance is an infinitely small density.
            let column: Vec<f64> = (0..k)
                .map(|c| joint[c * BLOCK_ROWS + i])
                .map(|v| if v.is_nan() { f64::NEG_INFINITY } else { v })
                .collect();
            let largest = column.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let expected = naive::log_sum_exp(&column) + offset;
            if largest == f64::NEG_INFINITY {
                prop_assert_eq!(density[i], f64::NEG_INFINITY);
                prop_assert!((0..k).all(|c| best[c * BLOCK_ROWS + i].to_bits() == 0));
                continue;
            }
            // Each exponential is right to two units, the sum of K to K more, the logarithm and two additions to their size.
            let terms = (k as f64 + 4.0) * EPS;
            let tolerance = terms + 2.0 * EPS * (largest.abs() + offset.abs() + (k as f64).ln());
            prop_assert!((density[i] - expected).abs() <= tolerance, "{} {expected}", density[i]);
            for (c, expected) in naive::softmax(&column).iter().enumerate() {
                let found = best[c * BLOCK_ROWS + i];
                // exp(-708) = 3e-308 is the last that is not 0.
                prop_assert!((found - expected).abs() <= 2.0 * terms * expected + 4e-308, "{found} {expected}");
            }
        }
    }
}

#[test]
fn blocks_without_weight_leave_moments_alone() {
    let x = gmm_testkit::matrix(&vec![vec![1.0, 2.0]; 300]);
    let mut block = Block::new(2);
    block.fill(&(&x).into(), 0, &Frame::identity(2)).unwrap();
    for structure in [Structure::Dense, Structure::Diagonal, Structure::Isotropic] {
        let zeros = Moments::zeros(structure, 2);
        let mut sums = MomentSums::zeros(structure, 2);
        let (mut part, mut panels) = (zeros.clone(), Panels::default());
        panels.read(block.values());
        let shift = [0.5, 0.5];
        sums.observe(&block, &[0.0; BLOCK_ROWS], &shift, &mut part, &mut panels);
        assert_eq!(sums.finish(&shift), zeros);
    }
}

#[test]
fn weights_without_a_reciprocal_still_have_a_mean() {
    // 256 weights of 1e-311 sum to 2.6e-309, whose reciprocal is infinite.
    let r = [1e-311; BLOCK_ROWS];
    let rows: Vec<Vec<f64>> = (0..BLOCK_ROWS)
        .map(|i| vec![1.0 + (i % 4) as f64])
        .collect();
    let x = gmm_testkit::matrix(&rows);
    let mut block = Block::new(1);
    block.fill(&(&x).into(), 0, &Frame::identity(1)).unwrap();
    let mut sums = MomentSums::zeros(Structure::Diagonal, 1);
    let mut part = Moments::zeros(Structure::Diagonal, 1);
    sums.observe(&block, &r, &[0.0], &mut part, &mut Panels::default());
    let moments = sums.finish(&[0.0]);
    assert!(moments.occupancy > 0.0 && moments.occupancy.recip().is_infinite());
    // Subnormal sums have an absolute error of 256 halves of the last bit of all, 5e-324.
    let tolerance = LANES * 5e-324 * (moments.mean[0] + 1.0) / moments.occupancy + 4.0 * EPS;
    assert!(
        (moments.mean[0] - 2.5).abs() <= tolerance,
        "{}",
        moments.mean[0]
    );
}

#[test]
fn exponentials_at_the_ends_of_the_range() {
    assert_eq!(exp_nonpositive(-0.0).to_bits(), 1.0f64.to_bits());
    assert_eq!(exp_nonpositive(f64::NEG_INFINITY).to_bits(), 0);
    assert_eq!(exp_nonpositive((-708.0f64).next_down()).to_bits(), 0);
    let last = exp_nonpositive(-708.0);
    assert!((last / (-708.0f64).exp() - 1.0).abs() <= 2.0 * EPS);
}
