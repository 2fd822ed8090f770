//! The target `kernels`: the vectorized loops compute what their textbook twins compute, to rounding.

use gmm_core::block::BLOCK_ROWS;
use gmm_core::kernels::{
    Panels, Whitener, dense_sums, diagonal_sums, exp_nonpositive, normalize_joint, packed_len,
    scaled_norm,
};
use gmm_testkit::naive;

use super::Outcome;
use super::bytes::Bytes;
use super::sums::{listed, side_by_side};

const EPS: f64 = f64::EPSILON;
const LANES: f64 = BLOCK_ROWS as f64;

/// Fills one block with numbers from the input and checks each kernel against its twin. A sum of n products, in whatever order, is off
/// by n ε / 2 times the sum of its absolute terms (Higham 2002, §3.1); both sides round, so that a bound is twice that.
pub fn kernels(data: &[u8]) -> Outcome {
    let mut bytes = Bytes::new(data);
    let d = bytes.count(1, 6);
    let n = bytes.count(1, 40);
    let cells: Vec<f64> = bytes.numbers(n * d).into_iter().map(bounded).collect();
    // Feature-major; the rows of the input over and over.
    let x: Vec<f64> = (0..d * BLOCK_ROWS)
        .map(|at| cells[(at % BLOCK_ROWS) % n * d + at / BLOCK_ROWS])
        .collect();
    let shift: Vec<f64> = bytes.numbers(d).into_iter().map(bounded).collect();
    let n_shares = bytes.count(1, 9);
    let shares: Vec<f64> = (0..n_shares).map(|_| bounded(bytes.size())).collect();
    let r: Vec<f64> = (0..BLOCK_ROWS).map(|i| shares[i % n_shares]).collect();
    let factor: Vec<f64> = bytes
        .numbers(packed_len(d))
        .into_iter()
        .map(bounded)
        .collect();

    let z: Vec<Vec<f64>> = x
        .chunks_exact(BLOCK_ROWS)
        .zip(&shift)
        .map(|(lane, shift)| lane.iter().map(|x| x - shift).collect())
        .collect();
    norms(&x, &shift, &z, &factor);
    moments(&x, &shift, &z, &r);
    listed(&x, &shift, &z, &r);
    side_by_side(&x, &shift, &z, &r);
    joints(&mut bytes);
    Outcome::Checked
}

/// Products of five such numbers stay in the range of f64, in which the bounds hold.
fn bounded(value: f64) -> f64 {
    let size = value.abs();
    if size == 0.0 || (1e-55..1e55).contains(&size) {
        value
    } else {
        1.5
    }
}

fn norms(x: &[f64], shift: &[f64], z: &[Vec<f64>], factor: &[f64]) {
    let d = shift.len();
    let entry = |i: usize, j: usize| factor[i * (i + 1) / 2 + j];
    let whitener = Whitener::new(d, entry);
    let (mut centred, mut squared) = (vec![f64::NAN; d * BLOCK_ROWS], vec![f64::NAN; BLOCK_ROWS]);
    whitener.squared_norm(x, shift, &mut centred, &mut squared);
    let rows: Vec<Vec<f64>> = (0..d)
        .map(|i| (0..=i).map(|j| entry(i, j)).collect())
        .collect();
    let expected = naive::whitened_squared_norms(&rows, z);
    for (i, (found, expected)) in squared.iter().zip(&expected).enumerate() {
        let size: f64 = rows
            .iter()
            .map(|w| {
                w.iter()
                    .zip(z)
                    .map(|(w, z)| (w * z[i]).abs())
                    .sum::<f64>()
                    .powi(2)
            })
            .sum();
        // A coordinate of D terms, its square, and the sum of D squares, on both sides.
        let bound = 3.0 * (d as f64 + 1.0) * EPS * size;
        assert!(
            (found - expected).abs() <= bound,
            "norm of lane {i}: {found} and {expected}"
        );
    }
    let reciprocal_sd: Vec<f64> = (0..d).map(|j| entry(j, j).abs()).collect();
    scaled_norm(x, shift, &reciprocal_sd, &mut squared);
    for (i, found) in squared.iter().enumerate() {
        let expected: f64 = (0..d).map(|j| (z[j][i] * reciprocal_sd[j]).powi(2)).sum();
        let bound = (d as f64 + 2.0) * EPS * expected;
        assert!(
            (found - expected).abs() <= bound,
            "scaled norm of lane {i}: {found} and {expected}"
        );
    }
}

fn moments(x: &[f64], shift: &[f64], z: &[Vec<f64>], r: &[f64]) {
    let d = shift.len();
    let absolute: Vec<Vec<f64>> = z
        .iter()
        .map(|l| l.iter().map(|v| v.abs()).collect())
        .collect();
    let count = naive::exact_sum(r);
    let sum =
        |z: &[Vec<f64>]| -> Vec<f64> { z.iter().map(|lane| naive::exact_dot(lane, r)).collect() };
    let (first, second) = (sum(z), naive::weighted_scatter(z, r));
    let (sizes, magnitudes) = (sum(&absolute), naive::weighted_scatter(&absolute, r));
    let close = |found: f64, expected: f64, terms: f64, size: f64, what: &str| {
        let bound = terms * EPS * size;
        assert!(
            (found - expected).abs() <= bound,
            "{what}: {found} and {expected}"
        );
    };

    let mut panels = Panels::default();
    panels.read(x);
    let (mut sums, mut products) = (vec![f64::NAN; d], vec![f64::NAN; packed_len(d)]);
    let n = dense_sums(x, r, shift, &mut panels, &mut sums, &mut products);
    close(n, count, LANES, count, "count");
    for i in 0..d {
        close(sums[i], first[i], LANES + 2.0, sizes[i], "sum");
        for j in 0..=i {
            let found = products[i * (i + 1) / 2 + j];
            close(
                found,
                second[i][j],
                LANES + 3.0,
                magnitudes[i][j],
                "product",
            );
        }
    }
    let mut squares = vec![f64::NAN; d];
    let n = diagonal_sums(x, r, shift, &mut sums, &mut squares);
    close(n, count, LANES, count, "count");
    for j in 0..d {
        close(
            sums[j],
            first[j],
            LANES + 2.0,
            sizes[j],
            "sum of a diagonal form",
        );
        close(
            squares[j],
            second[j][j],
            LANES + 3.0,
            second[j][j],
            "square",
        );
    }
}

/// Joint log-densities of any size, infinite ones and NaN among them.
fn joints(bytes: &mut Bytes<'_>) {
    let k = bytes.count(1, 6);
    let n = bytes.count(1, 12);
    let values = bytes.numbers(n * k);
    let offset = bytes.tame() * 8.0;
    let mut joint: Vec<f64> = (0..k * BLOCK_ROWS)
        .map(|at| values[(at % BLOCK_ROWS) % n * k + at / BLOCK_ROWS])
        // A density may be infinitely small, not infinitely large.
        .map(|v| if v > 1e300 { -v } else { v })
        .collect();
    let given = joint.clone();
    let mut density = vec![f64::NAN; BLOCK_ROWS];
    normalize_joint(&mut joint, offset, &mut density);
    for i in 0..BLOCK_ROWS {
        let column: Vec<f64> = (0..k)
            .map(|c| given[c * BLOCK_ROWS + i])
            .map(|v| if v.is_nan() { f64::NEG_INFINITY } else { v })
            .collect();
        let largest = column.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let found: Vec<f64> = (0..k).map(|c| joint[c * BLOCK_ROWS + i]).collect();
        if largest.is_infinite() {
            assert_eq!(density[i].to_bits(), f64::NEG_INFINITY.to_bits());
            assert!(found.iter().all(|r| r.to_bits() == 0), "{found:?}");
            continue;
        }
        // Each exponential to two units, the sum of K to K more, the logarithm and two additions to their size.
        let terms = (k as f64 + 4.0) * EPS;
        let bound = terms + 2.0 * EPS * (largest.abs() + offset.abs() + (k as f64).ln());
        let expected = naive::log_sum_exp(&column) + offset;
        assert!(
            (density[i] - expected).abs() <= bound,
            "{} and {expected}",
            density[i]
        );
        for (found, expected) in found.iter().zip(naive::softmax(&column)) {
            // exp(-708) = 3e-308 is the last that is not 0.
            let bound = 2.0 * terms * expected + 4e-308;
            assert!((found - expected).abs() <= bound, "{found} and {expected}");
        }
        for value in column {
            let power = value.min(0.0);
            let (found, expected) = (exp_nonpositive(power), power.exp());
            assert!(
                (found - expected).abs() <= 2.0 * EPS * expected + 4e-308,
                "exp({power}): {found} and {expected}"
            );
        }
    }
}
