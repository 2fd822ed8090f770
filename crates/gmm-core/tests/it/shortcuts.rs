//! E-steps that take a shortcut, against the dense one: compact blocks and shared covariances.

use gmm_core::block::{BLOCK_ROWS, Block, Frame};
use gmm_core::faer::Mat;
use gmm_core::{
    CovarianceType, Covariances, Ellipsoid, GaussianMixture, NEGLIGIBLE, Noise, Samples, Scratch,
};
use gmm_testkit::naive::{Form, mahalanobis_squared};
use gmm_testkit::strategies;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::{CONDITION, joint_tolerance, mixture_of, responsibility_tolerances};

fn block_of(x: &Mat<f64>, weights: &[f64]) -> Block {
    let mut block = Block::new(x.ncols());
    let samples = Samples::from(x).with_weights(weights);
    block
        .fill(&samples, 0, &Frame::identity(x.ncols()))
        .unwrap();
    block
}

/// Components along a lattice and rows about one of its points, in units of one's own.
fn compact(
    form: CovarianceType,
    d: usize,
    spread: f64,
    units: &[f64],
    parts: &[f64],
) -> (GaussianMixture, Mat<f64>) {
    let k = 24;
    let part = |at: usize| parts[at % parts.len()];
    let unit = |j: usize| units[j % units.len()];
    let means = Mat::from_fn(k, d, |k, j| {
        unit(j) * (6.0 * ((k + j * (k / 5)) % 7) as f64 + part(k + 3 * j))
    });
    let blocks = (0..form.n_blocks(k)).map(|b| {
        let variance = |j: usize| unit(j) * unit(j) * (0.5 + part(5 * b + j).abs());
        match form.block_len(d) {
            1 => vec![variance(0)],
            len if len == d => (0..d).map(variance).collect(),
            _ => (0..d * d)
                .map(|at| match (at / d, at % d) {
                    (i, j) if i == j => variance(i),
                    (i, j) => 0.2 * unit(i) * unit(j),
                })
                .collect(),
        }
    });
    let covariances = Covariances::new(form, k, d, blocks.collect()).unwrap();
    let weights: Vec<f64> = (0..k).map(|k| 1.0 + part(k).abs()).collect();
    let sum: f64 = weights.iter().sum();
    let weights = weights.iter().map(|w| w / sum).collect();
    let model = GaussianMixture::new(weights, means, covariances).unwrap();
    let x = Mat::from_fn(40, d, |i, j| {
        model.means()[(3, j)] + unit(j) * spread * part(i * d + j)
    });
    (model, x)
}

proptest! {
    /// What a compact block leaves out is negligible for every row that counts, and the rest is that of the dense block. Sums of up to 24
    /// exponentials round by 24 ε.
    #[test]
    fn what_is_left_out_is_negligible(
        basic in prop::sample::select(CovarianceType::BASIC.to_vec()),
        d in 1usize..=4,
        spread in prop::sample::select(vec![0.0, 0.1, 1.0, 4.0]),
        parts in vec(-1.0..1.0, 64),
    ) {
        let (model, x) = compact(basic, d, spread, &[1.0], &parts);
        let weights: Vec<f64> = (0..x.nrows()).map(|i| [1.0, 0.0, 0.5][i % 3]).collect();
        let block = block_of(&x, &weights);
        let (mut scratch, mut dense) = (Scratch::new(&model), Scratch::new(&model));
        let ellipsoid = Ellipsoid::around(&block).unwrap();
        let bounds = model.bounds(&[Some(ellipsoid.clone())]);
        model.responsibilities_of_compact_block(&block, &ellipsoid, &bounds, 0, &mut scratch);
        model.responsibilities_of_block(&block, &mut dense);
        let tolerance = 32.0 * f64::EPSILON;
        for i in (0..x.nrows()).filter(|&i| weights[i] > 0.0) {
            for k in 0..model.n_components() {
                let expected = dense.joint[k * BLOCK_ROWS + i];
                match scratch.active.iter().position(|active| *active == k) {
                    Some(slot) => {
                        let found = scratch.joint[slot * BLOCK_ROWS + i];
                        prop_assert!((found - expected).abs() <= tolerance, "{k} {i}: {found} {expected}");
                        // A row that the component was not evaluated at.
                        prop_assert!(found > 0.0 || expected <= NEGLIGIBLE * model.weights()[k], "{k} {i}: {expected:e}");
                    }
                    None => prop_assert!(expected <= NEGLIGIBLE * model.weights()[k], "{k} {i}: {expected:e}"),
                }
            }
            let (found, expected) = (scratch.log_density[i], dense.log_density[i]);
            prop_assert!((found - expected).abs() <= tolerance * (1.0 + expected.abs()));
        }
    }

    /// How much is left out doesn't depend on the units of the features, unless they differ so much that the round part of an ellipsoid
    /// shows; forms of one variance keep one unit.
    #[test]
    fn what_is_left_out_is_the_same_in_all_units(
        form in prop::sample::select(vec![CovarianceType::Full, CovarianceType::Diag]),
        d in 2usize..=4,
        spread in prop::sample::select(vec![0.1, 1.0, 3.0]),
        parts in vec(-1.0..1.0, 64),
    ) {
        let active = |units: &[f64]| {
            let (model, x) = compact(form, d, spread, units, &parts);
            let block = block_of(&x, &vec![1.0; x.nrows()]);
            let mut scratch = Scratch::new(&model);
            let ellipsoid = Ellipsoid::around(&block).unwrap();
            let bounds = model.bounds(&[Some(ellipsoid.clone())]);
            model.responsibilities_of_compact_block(&block, &ellipsoid, &bounds, 0, &mut scratch);
            scratch.active.len()
        };
        // One component may lie within a thousandth of the bound.
        prop_assert!(active(&[1.0]).abs_diff(active(&[8.0, 0.125, 2.0])) <= 1);
    }

    /// About an origin, what all components share is taken out: the rounding of a distance to the origin is left, which is `spread` times
    /// that of a distance to a mean at the most.
    #[test]
    fn a_discriminant_is_the_mixture(
        (m, origin, rows) in strategies::mixture(Form::Tied, 1..=4, 1..=4, CONDITION).prop_flat_map(|m| {
            let d = m.n_features();
            (Just(m), vec(-3.0..3.0, d), vec(vec(-6.0..6.0, d), 1..=30))
        }),
    ) {
        let model = mixture_of(&m);
        let (n, d) = (m.n_components(), m.n_features());
        let x = crate::matrix(&rows);
        let block = block_of(&x, &vec![1.0; x.nrows()]);
        let mut dense = Scratch::new(&model);
        let discriminant = model.discriminant(&origin).unwrap();
        let mut scratch = discriminant.scratch();
        discriminant.responsibilities_of_block(&block, &mut scratch);
        let single = discriminant.single().unwrap();
        let mut narrow = single.scratch();
        single.responsibilities_of_block(&block, &mut narrow);
        model.responsibilities_of_block(&block, &mut dense);
        let distance = |row: &[f64], k: usize| mahalanobis_squared(row, &m.means[k], &m.covariances[k]);
        let expected = 1.0 + (0..n).map(|k| m.weights[k] * distance(&origin, k)).sum::<f64>();
        let tolerance = joint_tolerance(d, CONDITION, expected, 0.0);
        prop_assert!((discriminant.spread() - expected).abs() <= tolerance, "{} {expected}", discriminant.spread());
        for (i, row) in rows.iter().enumerate() {
            let from_origin = mahalanobis_squared(row, &origin, &m.covariances[0]);
            let squared = (0..n).map(|k| distance(row, k).max(distance(&origin, k))).fold(from_origin, f64::max);
            // ½ ‖z‖² - ν'z + ½ ‖ν‖²: four terms of that size.
            let delta = 4.0 * joint_tolerance(d, CONDITION, squared, dense.log_density[i]);
            let r: Vec<f64> = (0..n).map(|k| dense.joint[k * BLOCK_ROWS + i]).collect();
            let tolerances = responsibility_tolerances(&r, &vec![delta; n]);
            for k in 0..n {
                let found = scratch.joint[k * BLOCK_ROWS + i];
                prop_assert!((found - r[k]).abs() <= tolerances[k], "{found} {}", r[k]);
            }
            let (found, expected) = (scratch.log_density[i], dense.log_density[i]);
            prop_assert!((found - expected).abs() <= delta, "{found} {expected}");
            // In single precision y = W z is off by D + 3 roundings of |W| |z|, which is at most √(D κ) ‖y‖; a product with it, and its square, by
            // D + 2 more. Constants lie within 20 nats and half a square of each other.
            let (width, unit) = (d as f64, f64::from(f32::EPSILON));
            let roundings = (width + 3.0) * (width * CONDITION).sqrt() + width + 2.0;
            let delta = unit * (2.0 * roundings * squared + 20.0) + delta;
            let tolerances = responsibility_tolerances(&r, &vec![delta; n]);
            for (k, r) in r.iter().enumerate() {
                let found = f64::from(narrow.joint[k * BLOCK_ROWS + i]);
                prop_assert!((found - r).abs() <= tolerances[k] + (n as f64 + 8.0) * unit * r + 1e-26, "{found} {r}");
            }
            prop_assert!((narrow.log_density[i] - expected).abs() <= delta);
        }
    }
}

/// Rows on a line 12 standard deviations from a component: no ball around them would prove that it is irrelevant, 40 nats below their ends.
#[test]
fn an_ellipsoid_is_as_flat_as_its_rows() {
    let means = Mat::from_fn(2, 2, |k, j| (12 * k * j) as f64);
    let covariances = Covariances::spherical(&[1.0, 1.0], 2).unwrap();
    let model = GaussianMixture::new(vec![0.5, 0.5], means, covariances).unwrap();
    let x = Mat::from_fn(
        25,
        2,
        |i, j| {
            if j == 0 { 0.25 * i as f64 - 3.0 } else { 0.0 }
        },
    );
    let block = block_of(&x, &[1.0; 25]);
    let mut scratch = Scratch::new(&model);
    let ellipsoid = Ellipsoid::around(&block).unwrap();
    let bounds = model.bounds(&[Some(ellipsoid.clone())]);
    assert!(model.responsibilities_of_compact_block(&block, &ellipsoid, &bounds, 0, &mut scratch));
    assert_eq!(scratch.active, [0]);
    // Noise is everywhere: nothing is left out.
    let noisy = model.with_noise(Noise::new(0.1, -5.0).unwrap()).unwrap();
    let mut scratch = Scratch::new(&noisy);
    assert!(!noisy.responsibilities_of_compact_block(&block, &ellipsoid, &bounds, 0, &mut scratch));
    assert_eq!(scratch.active, [0, 1]);
    assert!(noisy.discriminant(&[0.0; 2]).is_none());
}

/// A light component may lie far out, where single precision rounds log-densities by half its squared distance.
#[test]
fn the_farthest_component_says_how_log_densities_are_rounded() {
    for far in [3.0, 6.0, 30.0] {
        let light: f64 = 2.0 / (far * far);
        let weights = vec![1.0 - 2.0 * light, light, light];
        let means = Mat::from_fn(3, 2, |k, j| match (k, j) {
            (0, _) => 0.0,
            (_, 0) => far,
            _ => k as f64 - 1.0,
        });
        let covariances = Covariances::tied(Mat::identity(2, 2).as_ref(), 3).unwrap();
        let model = GaussianMixture::new(weights, means, covariances).unwrap();
        let discriminant = model.discriminant(&[0.0; 2]).unwrap();
        assert!((discriminant.farthest() - (far * far + 1.0)).abs() <= 1e-12 * far * far);
        let x = Mat::from_fn(200, 2, |i, j| {
            let about = if j == 0 && i % 2 == 0 { far } else { 0.5 };
            about + ((i * 37 + j * 11) % 101) as f64 / 25.0 - 2.0
        });
        let block = block_of(&x, &[1.0; 200]);
        let mut dense = Scratch::new(&model);
        model.responsibilities_of_block(&block, &mut dense);
        let single = discriminant.single().unwrap();
        let mut narrow = single.scratch();
        single.responsibilities_of_block(&block, &mut narrow);
        // A constant, two products and half a square, each rounded twice at the size of the squares.
        let delta = 8.0 * f64::from(f32::EPSILON) * (discriminant.farthest() + 20.0);
        for i in 0..200 {
            assert!((narrow.log_density[i] - dense.log_density[i]).abs() <= delta);
            for k in 0..3 {
                let r = dense.joint[k * BLOCK_ROWS + i];
                let found = f64::from(narrow.joint[k * BLOCK_ROWS + i]);
                assert!(
                    (found - r).abs() <= 4.0 * r * delta + 1e-26,
                    "{far}: {found} {r}"
                );
            }
        }
    }
}

/// Only one dense matrix for all has a discriminant.
#[test]
fn matrices_that_differ_have_no_discriminant() {
    for form in CovarianceType::ALL {
        let blocks = (0..form.n_blocks(3)).map(|_| match form.block_len(2) {
            4 => vec![2.0, 0.5, 0.5, 1.0],
            len => vec![1.5; len],
        });
        let covariances = Covariances::new(form, 3, 2, blocks.collect()).unwrap();
        let means = Mat::from_fn(3, 2, |k, j| (k + j) as f64);
        let model = GaussianMixture::new(vec![0.2, 0.3, 0.5], means, covariances).unwrap();
        let is_dense = form == CovarianceType::Tied;
        assert_eq!(model.discriminant(&[0.0; 2]).is_some(), is_dense, "{form}");
    }
}
