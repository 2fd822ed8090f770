//! The kernels and the E-step in single precision, against those in double precision, on every instruction set of this machine.
//!
//! With u = 2^-24, half the distance from 1 to the next f32: a difference x - μ of 48-bit numbers is off by 3 u of itself (two
//! roundings, and the low parts) and by 2^-46 of x and μ, which is nothing here.

use gmm_core::block::{BLOCK_ROWS, Block, Frame};
use gmm_core::covariance::{MomentSums, Moments, Structure};
use gmm_core::faer::Mat;
use gmm_core::kernels::operations::{
    Centre, DenseSums, DiagonalSums, Halves, Line, Narrow, Normalize, Plain, ScaledNorm, Single,
    StoredSums, padded,
};
use gmm_core::kernels::{Listed, Panels, above, dense_sums, exp_nonpositive_single, packed_len};
use gmm_core::{CovarianceType, Covariances, GaussianMixture, Samples, Scratch, SingleScratch};
use proptest::collection::vec;
use proptest::prelude::*;
use pulp::Arch;

use crate::kernels::{LANES, lanes, on_each};

const U: f64 = 1.0 / 16_777_216.0;

fn halves(values: &[f64]) -> [Vec<f32>; 2] {
    let high: Vec<f32> = values.iter().map(|v| *v as f32).collect();
    let low = values.iter().zip(&high);
    let low = low.map(|(v, h)| (v - f64::from(*h)) as f32).collect();
    [high, low]
}

fn view(parts: &[Vec<f32>; 2]) -> Halves<'_> {
    let [high, low] = parts;
    Halves { high, low }
}

#[test]
fn exponentials_have_the_digits_of_single_precision() {
    for i in 0..600_000 {
        let x = -(i as f32) * 1e-4;
        let expected = f64::from(x).exp();
        let found = f64::from(exp_nonpositive_single(x));
        // The argument is right to the last bit; the reduction and eight roundings of the sum.
        assert!(
            (found - expected).abs() <= 4.0 * U * expected,
            "{x}: {found} {expected}"
        );
    }
    assert_eq!(exp_nonpositive_single(0.0).to_bits(), 1f32.to_bits());
    for x in [-60.001, -87.5, -1e30, f32::NEG_INFINITY] {
        assert_eq!(exp_nonpositive_single(x).to_bits(), 0);
    }
}

/// The sums of dense moments in single precision against those in double precision, which it answers: n and the products.
fn dense_sums_agree(x: &[f64], shift: &[f64], r: &[f32]) -> (f64, Vec<f64>) {
    let d = shift.len();
    let wide: Vec<f64> = r.iter().map(|r| f64::from(*r)).collect();
    let (parts, shift_parts) = (halves(x), halves(shift));
    let single = Single {
        x: view(&parts),
        shift: view(&shift_parts),
    };
    let (mut sums, mut products) = (vec![0.0; d], vec![0.0; packed_len(d)]);
    let mut panels = Panels::default();
    panels.read(x);
    let n = dense_sums(x, &wide, shift, &mut panels, &mut sums, &mut products);
    // 256 products, each off by at most 3 u per difference and 2 u for themselves; the sums add a rounding each.
    let bound = (LANES + 10.0) * U;
    let buffers = (0.0, vec![0.0; d], vec![0.0; packed_len(d)]);
    let found = on_each(&buffers, |set, (n, sums, products)| {
        let mut panels = Panels::default();
        for part in panels.reading_halves(single.x) {
            set.dispatch(part);
        }
        let (panels, memory) = panels.about_halves(single.shift);
        *n = set.dispatch(DenseSums {
            differences: single,
            panels,
            memory,
            r,
            sums,
            products,
        });
    });
    // |z| is below 20 and r below 1.
    for (found, found_sums, found_products) in &found {
        assert!((found - n).abs() <= bound * n);
        for (found, expected) in found_sums.iter().zip(&sums) {
            let close = (found - expected).abs() <= bound * 20.0 * n;
            assert!(close, "{d}: {found} {expected}");
        }
        for (found, expected) in found_products.iter().zip(&products) {
            let close = (found - expected).abs() <= bound * 400.0 * n;
            assert!(close, "{d}: {found} {expected}");
        }
    }
    (n, products)
}

/// As many features as make rows go through panels 64, 32 and all 256 at a time, with few and with many features in the last.
#[test]
fn sums_of_dense_moments_of_many_features() {
    for d in [48, 65, 70, 100, 129] {
        let number = |i: usize| ((i * 7919 + d * 104_729) % 10_007) as f64 / 10_007.0;
        let x: Vec<f64> = (0..d * BLOCK_ROWS)
            .map(|i| 20.0 * number(i) - 10.0)
            .collect();
        let shift: Vec<f64> = (0..d).map(|j| 4.0 * number(3 * j) - 2.0).collect();
        let r: Vec<f32> = (0..BLOCK_ROWS).map(|i| number(11 * i) as f32).collect();
        dense_sums_agree(&x, &shift, &r);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn sums_and_norms(
        (x, shift) in (1usize..=40).prop_flat_map(|d| (lanes(d), vec(-10.0..10.0, d))),
        r in vec(0.0f32..1.0, BLOCK_ROWS),
        scale in 0.01f32..10.0,
    ) {
        let d = shift.len();
        let (parts, shift_parts) = (halves(&x), halves(&shift));
        let single = Single { x: view(&parts), shift: view(&shift_parts) };
        let double = Plain { x: &x, shift: &shift };
        let bound = (LANES + 10.0) * U;
        let (n, products) = dense_sums_agree(&x, &shift, &r);
        let diagonal = on_each(&(0.0, vec![0.0; d], vec![0.0; d]), |set, (n, sums, squares)| {
            *n = set.dispatch(DiagonalSums { differences: single, r: &r, sums, squares });
        });
        for (found, _, squares) in &diagonal {
            prop_assert!((found - n).abs() <= bound * n);
            for (j, found) in squares.iter().enumerate() {
                let expected = products[j * (j + 1) / 2 + j];
                // All terms are positive.
                prop_assert!((found - expected).abs() <= bound * expected, "{found} {expected}");
            }
        }
        let mut expected = vec![0.0; BLOCK_ROWS];
        Arch::new().dispatch(ScaledNorm { differences: double, reciprocal_sd: &[f64::from(scale)], line: Line::squared(), out: &mut expected });
        let norms = on_each(&vec![0f32; BLOCK_ROWS], |set, squared| {
            set.dispatch(ScaledNorm { differences: single, reciprocal_sd: &[scale], line: Line::squared(), out: squared });
        });
        for (found, expected) in norms.iter().flat_map(|norms| norms.iter().zip(&expected)) {
            prop_assert!((f64::from(*found) - expected).abs() <= (d as f64 + 10.0) * U * expected);
        }
    }

    /// Of rows in single precision less is computed: the same differences, or a shift of single precision, or differences that are there.
    #[test]
    fn rows_of_single_precision(
        (x, shift) in (1usize..=40).prop_flat_map(|d| (lanes(d), vec(-10.0..10.0, d))),
        r in vec(0.0f32..1.0, BLOCK_ROWS),
        scale in 0.01f32..10.0,
    ) {
        let d = shift.len();
        let [x, _] = halves(&x);
        let wide: Vec<f64> = x.iter().map(|x| f64::from(*x)).collect();
        let shift_parts = halves(&shift);
        let (zeros, shift_of_48_bits) = (vec![0.0; x.len()], view(&shift_parts));
        let narrow = Narrow { x: &x, shift: shift_of_48_bits };
        let single = Single { x: Halves { high: &x, low: &zeros }, shift: shift_of_48_bits };
        // NaN never equals, so that what is not written is found.
        let nan = vec![f32::NAN; d * padded::<f32>()];
        let centred = on_each(&[nan.clone(), nan], |set, [one, other]| {
            set.dispatch(Centre { differences: narrow, z: one });
            set.dispatch(Centre { differences: single, z: other });
        });
        for [one, other] in &centred {
            for (one, other) in one.chunks_exact(padded::<f32>()).zip(other.chunks_exact(padded::<f32>())) {
                prop_assert!(one[..BLOCK_ROWS] == other[..BLOCK_ROWS]);
            }
        }
        let double = Plain { x: &wide, shift: &shift };
        let mut expected = vec![0.0; BLOCK_ROWS];
        Arch::new().dispatch(ScaledNorm { differences: double, reciprocal_sd: &[f64::from(scale)], line: Line::squared(), out: &mut expected });
        let norms = on_each(&vec![0f32; BLOCK_ROWS], |set, squared| {
            set.dispatch(ScaledNorm { differences: narrow, reciprocal_sd: &[scale], line: Line::squared(), out: squared });
        });
        for (found, expected) in norms.iter().flat_map(|norms| norms.iter().zip(&expected)) {
            // The low part of the shift, which is at most U of 10, times the scale is rounded apart.
            let small = d as f64 * (20.0 * U * f64::from(scale)).powi(2);
            prop_assert!((f64::from(*found) - expected).abs() <= (d as f64 + 10.0) * U * expected + small);
        }
        // A shift without low parts.
        let [shift, _] = shift_parts;
        let plain = Plain { x: &x, shift: &shift };
        let shift: Vec<f64> = shift.iter().map(|s| f64::from(*s)).collect();
        let wide_r: Vec<f64> = r.iter().map(|r| f64::from(*r)).collect();
        let (mut sums, mut products) = (vec![0.0; d], vec![0.0; packed_len(d)]);
        let mut panels = Panels::default();
        panels.read(&wide);
        let n = dense_sums(&wide, &wide_r, &shift, &mut panels, &mut sums, &mut products);
        let bound = (LANES + 10.0) * U;
        let buffers = (vec![0.0; d], vec![0.0; d], vec![0.0; packed_len(d)]);
        let found = on_each(&buffers, |set, (squares, sums, products)| {
            set.dispatch(DiagonalSums { differences: plain, r: &r, sums, squares });
            let mut panels = Panels::default();
            for part in panels.reading_halves(Halves { high: &x, low: &zeros }) {
                set.dispatch(part);
            }
            let (panels, memory) = panels.about(plain.shift);
            let sums = DenseSums { differences: plain, panels, memory, r: &r, sums, products };
            set.dispatch(StoredSums { sums, centred: &mut vec![0.0; shift.len() * padded::<f32>()] });
        });
        for (squares, found_sums, found_products) in &found {
            for (j, found) in squares.iter().enumerate() {
                let expected = products[j * (j + 1) / 2 + j];
                prop_assert!((found - expected).abs() <= bound * expected, "{found} {expected}");
            }
            for (found, expected) in found_sums.iter().zip(&sums) {
                prop_assert!((found - expected).abs() <= bound * 20.0 * n, "{found} {expected}");
            }
            for (found, expected) in found_products.iter().zip(&products) {
                prop_assert!((found - expected).abs() <= bound * 400.0 * n, "{found} {expected}");
            }
        }
    }

    #[test]
    fn normalized(joint in vec(-80.0f32..0.0, 3 * BLOCK_ROWS)) {
        let wide: Vec<f64> = joint.iter().map(|v| f64::from(*v)).collect();
        let mut expected = (wide, vec![0.0; BLOCK_ROWS]);
        Arch::new().dispatch(Normalize { joint: &mut expected.0, offset: 2.5, log_density: &mut expected.1 });
        let found = on_each(&(joint, vec![0.0; BLOCK_ROWS]), |set, (joint, log_density)| {
            set.dispatch(Normalize { joint, offset: 2.5, log_density });
        });
        for (joint, log_density) in &found {
            for (found, expected) in joint.iter().zip(&expected.0) {
                // The difference of the exponent from the largest is rounded at up to 80.
                prop_assert!((f64::from(*found) - expected).abs() <= 100.0 * U, "{found} {expected}");
            }
            for (found, expected) in log_density.iter().zip(&expected.1) {
                prop_assert!((found - expected).abs() <= 100.0 * U);
            }
        }
    }
}

/// Three components with standard deviations down to 1e-3 at an offset of 1, and rows near them.
fn mixture(form: CovarianceType, d: usize) -> (GaussianMixture, Mat<f64>) {
    let noise = |i: usize| {
        (((i + 1) as f64) * 12.9898)
            .sin()
            .mul_add(43_758.545, 0.5)
            .rem_euclid(1.0)
    };
    let variances = [1.0, 1e-2, 1e-6];
    let blocks = (0..form.n_blocks(3))
        .map(|b| {
            let v = variances[b % 3];
            match form.structure() {
                Structure::Dense => (0..d * d)
                    .map(|e| if e / d == e % d { v } else { 0.3 * v })
                    .collect(),
                structure => vec![v; structure.block_len(d)],
            }
        })
        .collect();
    let covariances = Covariances::new(form, 3, d, blocks).unwrap();
    let means = Mat::from_fn(3, d, |k, j| 1.0 + 0.1 * noise(7 * k + j));
    let x = Mat::from_fn(200, d, |i, j| {
        let sd = variances[i % 3].sqrt();
        means[(i % 3, j)] + sd * 4.0 * (noise(i * d + j) - 0.5)
    });
    let model = GaussianMixture::new(vec![0.5, 0.3, 0.2], means, covariances).unwrap();
    (model, x)
}

#[test]
fn a_block_agrees_with_double_precision() {
    let sizes = [1, 2, 5, 8, 17]
        .into_iter()
        .flat_map(|d| [(d, false), (d, true)]);
    for form in CovarianceType::ALL {
        for (d, is_narrow) in sizes.clone() {
            let (model, mut x) = mixture(form, d);
            if is_narrow {
                x.col_iter_mut()
                    .for_each(|column| column.iter_mut().for_each(|x| *x = f64::from(*x as f32)));
            }
            let weights: Vec<f64> = (0..200).map(|i| [1.0, 2.0][i % 2]).collect();
            let mut block = Block::new(d);
            let samples = Samples::from(&x).with_weights(&weights);
            block.fill(&samples, 0, &Frame::identity(d)).unwrap();
            let single = model.single().unwrap();
            let (mut narrow, mut wide) = (SingleScratch::new(&model), Scratch::new(&model));
            assert!(single.responsibilities_of_block(&block, &mut narrow));
            model.responsibilities_of_block(&block, &mut wide);
            let squared = model.mahalanobis_squared(&x).unwrap();
            for i in 0..200 {
                // A distance of D whitened coordinates, of a matrix whose condition is below 10 (D + 2); the constant is below 100.
                let largest = (0..3)
                    .map(|k| squared[(i, k)].min(200.0))
                    .fold(0.0, f64::max);
                let bound =
                    U * (10.0 * (d as f64 + 10.0) * (d as f64 + 2.0) * (1.0 + largest) + 200.0);
                let (found, expected) = (narrow.log_density[i], wide.log_density[i]);
                assert!(
                    (found - expected).abs() <= bound,
                    "{form} {d} {i}: {found} {expected}"
                );
                for k in 0..3 {
                    let at = k * BLOCK_ROWS + i;
                    let (found, expected) = (f64::from(narrow.joint[at]), wide.joint[at]);
                    assert!(
                        (found - expected).abs() <= bound,
                        "{form} {d} {i}: {found} {expected}"
                    );
                }
            }
            // Moments, with responsibilities that are the same on both sides.
            for k in 0..3 {
                let r: Vec<f64> = narrow.joint[k * BLOCK_ROWS..(k + 1) * BLOCK_ROWS]
                    .iter()
                    .map(|r| f64::from(*r))
                    .collect();
                let zeros = || Moments::zeros(form.structure(), d);
                let shift: Vec<f64> = (0..d)
                    .map(|j| model.means()[(k, j)])
                    .map(|m| if is_narrow { f64::from(m as f32) } else { m })
                    .collect();
                let sums = || MomentSums::zeros(form.structure(), d);
                let (mut found, mut expected, mut part) = (sums(), sums(), zeros());
                found.observe_single((&block, &mut narrow), k, 2.0, &shift, &mut part);
                let doubled: Vec<f64> = r.iter().map(|r| 2.0 * r).collect();
                wide.panels.read(block.values());
                expected.observe(&block, &doubled, &shift, &mut part, &mut wide.panels);
                let [found, expected] = [found, expected].map(|sums| sums.finish(&shift));
                let bound = 20.0 * (LANES + 10.0) * U;
                assert!((found.occupancy - expected.occupancy).abs() <= bound * expected.occupancy);
                let size = expected.scatter.iter().fold(0.0f64, |m, s| m.max(s.abs()));
                for (found, expected) in found.scatter.iter().zip(&expected.scatter) {
                    assert!(
                        (found - expected).abs() <= bound * size,
                        "{form} {d}: {found} {expected}"
                    );
                }
                let n = expected.occupancy;
                for (found, expected) in found.mean.iter().zip(&expected.mean) {
                    // Differences are below the root of their mean square on average.
                    let distance = (size / n + expected * expected).sqrt();
                    assert!(
                        (found - expected).abs() <= bound * distance,
                        "{form} {d}: {found} {expected}"
                    );
                }
            }
        }
    }
}

/// Moments of some rows of a block against those of all in double precision where the others weigh nothing, near the shift or far from it.
#[test]
fn moments_of_listed_rows_are_those_of_all() {
    let sizes = [1, 8, 12, 13, 17, 40];
    let cases = sizes.into_iter().flat_map(|d| {
        [(false, 0.0), (true, 0.0), (false, 1e3), (true, 1024.0)]
            .map(|(is_narrow, distance)| (d, is_narrow, distance))
    });
    for (d, is_narrow, distance) in cases {
        let (model, mut x) = mixture(CovarianceType::Full, d);
        if is_narrow {
            x.col_iter_mut()
                .for_each(|column| column.iter_mut().for_each(|x| *x = f64::from(*x as f32)));
        }
        let mut block = Block::new(d);
        block
            .fill(&Samples::from(&x), 0, &Frame::identity(d))
            .unwrap();
        let mut scratch = SingleScratch::new(&model);
        let single = model.single().unwrap();
        assert!(single.responsibilities_of_block(&block, &mut scratch));
        let r = scratch.responsibilities(0);
        let some: Vec<f32> = (0..BLOCK_ROWS)
            .map(|i| if i % 29 == 3 { 1.0 } else { 0.0 })
            .collect();
        let mut listed = Listed::default();
        assert!(listed.take(&above(&some, 0.5, &some), d));
        assert_eq!(listed.rows().len(), 9);
        let r: Vec<f64> = r
            .iter()
            .zip(&some)
            .map(|(r, s)| f64::from(2.0 * r * s))
            .collect();
        let shift: Vec<f64> = (0..d)
            .map(|j| model.means()[(0, j)] + distance)
            .map(|m| if is_narrow { f64::from(m as f32) } else { m })
            .collect();
        let zeros = || Moments::zeros(Structure::Dense, d);
        let sums = || MomentSums::zeros(Structure::Dense, d);
        let (mut found, mut expected, mut part) = (sums(), sums(), zeros());
        // Sums of all rows don't leave the rows of a block of few features in the panels.
        sums().observe_single((&block, &mut scratch), 0, 2.0, &shift, &mut part);
        found.observe_single_listed((&block, &mut scratch), (&listed, 0), 2.0, &shift, &mut part);
        let mut panels = Panels::default();
        panels.read(block.values());
        expected.observe(&block, &r, &shift, &mut part, &mut panels);
        let [found, expected] = [found, expected].map(|sums| sums.finish(&shift));
        let bound = 20.0 * (LANES + 10.0) * U;
        let n = expected.occupancy;
        assert!((found.occupancy - n).abs() <= bound * n);
        let size = expected.scatter.iter().fold(0.0f64, |m, s| m.max(s.abs()));
        for (found, expected) in found.scatter.iter().zip(&expected.scatter) {
            let close = (found - expected).abs() <= bound * size;
            assert!(close, "{d} {distance}: {found} {expected}");
        }
        for (found, expected) in found.mean.iter().zip(&expected.mean) {
            // The mean of what was summed about the shift, or about a place nearby.
            let close = (found - expected).abs() <= bound * (size / n).sqrt() + U * distance;
            assert!(close, "{d} {distance}: {found} {expected}");
        }
    }
}

#[test]
fn what_is_out_of_range_has_no_answer() {
    let (model, _) = mixture(CovarianceType::Full, 2);
    let mut block = Block::new(2);
    let x = Mat::from_fn(3, 2, |i, _| [0.0, 1e25, 1.0][i]);
    block
        .fill(&Samples::from(&x), 0, &Frame::identity(2))
        .unwrap();
    let single = model.single().unwrap();
    assert!(!single.responsibilities_of_block(&block, &mut SingleScratch::new(&model)));
    let tiny = Covariances::spherical(&[1e-40], 2).unwrap();
    let model = GaussianMixture::new(vec![1.0], Mat::zeros(1, 2), tiny).unwrap();
    assert!(model.single().is_none());
}
