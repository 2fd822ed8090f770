//! Every kernel against its textbook twin, on every instruction set of this machine.
//!
//! A sum of n products, in whatever order, is off by at most n ε / 2 times the sum of its absolute terms (Higham 2002, §3.1;
//! ε is twice the unit roundoff). Both sides round, so a bound is twice that: n ε.

use gmm_core::block::BLOCK_ROWS;
use gmm_core::kernels::operations::{
    Normalize, ScaledNorm, SquaredNorm, WeightedMean, WeightedScatter, WeightedSquares,
};
use gmm_core::kernels::{
    Whitener, exp_nonpositive, normalize_joint, packed_len, scaled_norm, weighted_mean,
    weighted_scatter, weighted_squares,
};
use gmm_testkit::naive;
use proptest::collection::vec;
use proptest::prelude::*;
use pulp::Arch;

use crate::bits;

const EPS: f64 = f64::EPSILON;
/// Lanes of a block, as a term count in bounds.
const LANES: f64 = BLOCK_ROWS as f64;

/// Every instruction set that the kernels can be dispatched to here, the best one last.
fn instruction_sets() -> Vec<Arch> {
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
fn on_each<T: Clone>(buffers: &T, run: impl Fn(Arch, &mut T)) -> Vec<T> {
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
fn lanes(n_features: usize) -> impl Strategy<Value = Vec<f64>> {
    vec(-10.0..10.0, n_features * BLOCK_ROWS)
}

/// Responsibilities times sample weights: some 0, some tiny, some large.
fn shares() -> impl Strategy<Value = Vec<f64>> {
    let share = prop_oneof![6 => 0.0..1.0, 2 => Just(0.0), 1 => Just(1e-300), 1 => Just(1e3)];
    vec(share, BLOCK_ROWS)
}

fn features(values: &[f64]) -> Vec<Vec<f64>> {
    values
        .chunks_exact(BLOCK_ROWS)
        .map(<[f64]>::to_vec)
        .collect()
}

fn block() -> impl Strategy<Value = (Vec<f64>, Vec<f64>, Vec<f64>)> {
    (1usize..=40).prop_flat_map(|d| (lanes(d), vec(-10.0..10.0, d), shares()))
}

#[test]
fn the_best_instruction_set_is_among_those_tested() {
    // pulp has no equality for its sets; their variants have.
    let best = std::mem::discriminant(&Arch::new());
    let tested = instruction_sets();
    assert_eq!(tested.last().map(std::mem::discriminant), Some(best));
    eprintln!("kernels run on {} instruction sets", tested.len());
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
            set.dispatch(SquaredNorm { whitener: &whitener, x: &x, mean: &mean, centred, squared });
        });
        for (z, squared) in &results {
            prop_assert_eq!(bits(z), bits(centred.iter().flatten()));
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
            set.dispatch(ScaledNorm { x: &x, mean: &mean, reciprocal_sd, squared });
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
    fn weighted_means((x, shift, r) in block()) {
        let d = shift.len();
        let z: Vec<Vec<f64>> = features(&x)
            .iter()
            .zip(&shift)
            .map(|(lane, shift)| lane.iter().map(|x| x - shift).collect())
            .collect();
        let expected = naive::weighted_mean(&z, &r);
        let n = naive::exact_sum(&r);
        let buffers = (0.0, vec![f64::NAN; d], vec![f64::NAN; d * BLOCK_ROWS]);
        let results = on_each(&buffers, |set, (n, mean, centred)| {
            *n = set.dispatch(WeightedMean { x: &x, r: &r, shift: &shift, mean, centred });
        });
        for (found, mean, centred) in &results {
            prop_assert!((found - n).abs() <= LANES * EPS * n);
            for (j, lane) in centred.chunks_exact(BLOCK_ROWS).enumerate() {
                // The sums above and below the line have 256 terms each, then there is one division (or two, with a reciprocal).
                let magnitude: f64 = z[j].iter().zip(&r).map(|(z, r)| r * z.abs()).sum();
                let tolerance = (2.0 * LANES + 3.0) * EPS * magnitude;
                prop_assert!((mean[j] - expected[j]).abs() * n <= tolerance, "{} {}", mean[j], expected[j]);
                let about: Vec<f64> = z[j].iter().map(|z| z - mean[j]).collect();
                prop_assert_eq!(bits(lane), bits(&about));
            }
        }
        let (_, mut mean, mut centred) = buffers;
        let n = weighted_mean(&x, &r, &shift, &mut mean, &mut centred);
        let best = &results[results.len() - 1];
        prop_assert_eq!((n.to_bits(), bits(&mean), bits(&centred)), (best.0.to_bits(), bits(&best.1), bits(&best.2)));
    }

    #[test]
    fn weighted_scatters((z, _, r) in block(), before in -5.0..5.0) {
        let d = z.len() / BLOCK_ROWS;
        let lanes = features(&z);
        let expected = naive::weighted_scatter(&lanes, &r);
        let absolute: Vec<Vec<f64>> = lanes.iter().map(|l| l.iter().map(|v| v.abs()).collect()).collect();
        let magnitude = naive::weighted_scatter(&absolute, &r);
        let buffers = (vec![f64::NAN; z.len()], vec![before; packed_len(d)]);
        let results = on_each(&buffers, |set, (scaled, packed)| {
            set.dispatch(WeightedScatter { d, z: &z, r: &r, scaled, packed });
        });
        for (_, packed) in &results {
            for i in 0..d {
                for j in 0..=i {
                    let found = packed[i * (i + 1) / 2 + j];
                    // 256 products of three factors, and what stood there before.
                    let tolerance = (LANES + 3.0) * EPS * (magnitude[i][j] + f64::abs(before));
                    prop_assert!((found - (before + expected[i][j])).abs() <= tolerance, "({i}, {j})");
                }
            }
        }
        let (mut scaled, mut packed) = buffers;
        weighted_scatter(&z, &r, &mut scaled, &mut packed);
        prop_assert_eq!(bits(&packed), bits(&results[results.len() - 1].1));
    }

    #[test]
    fn weighted_sums_of_squares((z, _, r) in block(), before in 0.0..5.0) {
        let lanes = features(&z);
        let expected = naive::weighted_scatter(&lanes, &r);
        let results = on_each(&vec![before; lanes.len()], |set, sums| {
            set.dispatch(WeightedSquares { z: &z, r: &r, sums });
        });
        for sums in &results {
            for (j, found) in sums.iter().enumerate() {
                // All terms are positive.
                let expected = before + expected[j][j];
                prop_assert!((found - expected).abs() <= (LANES + 3.0) * EPS * expected);
            }
        }
        let mut sums = vec![before; lanes.len()];
        weighted_squares(&z, &r, &mut sums);
        prop_assert_eq!(bits(&sums), bits(&results[results.len() - 1]));
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
        for (r, log_density) in &results {
            // Every lane is a chain of its own: no instruction set changes a bit.
            prop_assert_eq!((bits(r), bits(log_density)), (bits(&best), bits(&density)));
        }
        for i in 0..BLOCK_ROWS {
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
fn blocks_without_weight_have_the_mean_zero() {
    let x: Vec<f64> = (0..2 * BLOCK_ROWS).map(|i| i as f64).collect();
    let (shift, r) = ([1.0, 2.0], [0.0; BLOCK_ROWS]);
    let buffers = (0.0, vec![f64::NAN; 2], vec![f64::NAN; x.len()]);
    for (n, mean, centred) in on_each(&buffers, |set, (n, mean, centred)| {
        *n = set.dispatch(WeightedMean {
            x: &x,
            r: &r,
            shift: &shift,
            mean,
            centred,
        });
    }) {
        assert_eq!((n.to_bits(), bits(&mean)), (0, vec![0, 0]));
        assert!(centred.iter().all(|z| z.is_finite()));
    }
}

#[test]
fn weights_without_a_reciprocal_still_have_a_mean() {
    // 256 weights of 1e-311 sum to 2.6e-309, whose reciprocal is infinite.
    let r = [1e-311; BLOCK_ROWS];
    let x: Vec<f64> = (0..BLOCK_ROWS).map(|i| 1.0 + (i % 4) as f64).collect();
    let buffers = (0.0, vec![f64::NAN], vec![f64::NAN; BLOCK_ROWS]);
    for (n, mean, _) in on_each(&buffers, |set, (n, mean, centred)| {
        *n = set.dispatch(WeightedMean {
            x: &x,
            r: &r,
            shift: &[0.0],
            mean,
            centred,
        });
    }) {
        assert!(n > 0.0 && n.recip().is_infinite());
        // Subnormal sums have an absolute error of 256 halves of the last bit of all, 5e-324.
        let tolerance = LANES * 5e-324 * (mean[0] + 1.0) / n + 4.0 * EPS;
        assert!((mean[0] - 2.5).abs() <= tolerance, "{}", mean[0]);
    }
}

#[test]
fn exponentials_at_the_ends_of_the_range() {
    assert_eq!(exp_nonpositive(-0.0).to_bits(), 1.0f64.to_bits());
    assert_eq!(exp_nonpositive(f64::NEG_INFINITY).to_bits(), 0);
    assert_eq!(exp_nonpositive((-708.0f64).next_down()).to_bits(), 0);
    let last = exp_nonpositive(-708.0);
    assert!((last / (-708.0f64).exp() - 1.0).abs() <= 2.0 * EPS);
}
