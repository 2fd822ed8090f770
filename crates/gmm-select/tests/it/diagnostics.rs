//! Whether components are Gaussian: the numbers by their definitions, the rate of false alarms, and what has to be found.

use gmm_core::faer::{Mat, mat};
use gmm_core::{CovarianceType, Covariances, GaussianMixture, Samples};
use gmm_em::{Em, NoiseVolume, Start};
use gmm_select::{ComponentShape, Diagnostics, Finding};
use gmm_testkit::{data, same_for_any_number_of_threads};

use crate::matrix;

/// Independent standard normal numbers, from rows of a single component of the plane that has one.
fn normal(n: usize, d: usize, seed: u64) -> Mat<f64> {
    standard(1, d, 0.0)
        .sample(n, &mut data::generator(seed))
        .unwrap()
        .x
}

/// K spheres of variance 1 on a line, so far apart.
fn standard(k: usize, d: usize, distance: f64) -> GaussianMixture {
    let means = Mat::from_fn(k, d, |k, j| if j == 0 { distance * k as f64 } else { 0.0 });
    let covariances = Covariances::spherical(&vec![1.0; k], d).unwrap();
    GaussianMixture::new(vec![1.0 / k as f64; k], means, covariances).unwrap()
}

fn shape_of(x: &Mat<f64>) -> ComponentShape {
    let model = Em::new(1).fit(x).unwrap().into_model();
    Diagnostics::new(&model, x).unwrap().components()[0]
}

/// Wherever it is: at 1e200 every density is 0 and every distance too far for its square.
#[test]
fn a_row_of_weight_0_counts_as_left_out() {
    let x = matrix(&data::overlapping(8, 300, 2, 3).rows());
    let model = Em::new(3).fit(&x).unwrap().into_model();
    let weights: Vec<f64> = (0..300).map(|i| f64::from(i % 7 != 5)).collect();
    let kept: Vec<usize> = (0..300).filter(|i| weights[*i] > 0.0).collect();
    let without = Mat::from_fn(kept.len(), 2, |i, j| x[(kept[i], j)]);
    let far = Mat::from_fn(
        300,
        2,
        |i, j| if weights[i] > 0.0 { x[(i, j)] } else { 1e200 },
    );
    let found = [&x, &far]
        .map(|x| Diagnostics::new(&model, Samples::from(x).with_weights(&weights)).unwrap());
    let expected = Diagnostics::new(&model, &without).unwrap();
    for found in found {
        for (one, other) in found.components().iter().zip(expected.components()) {
            // The same numbers, none negative, in other sums of up to 300: n ε each. The ratio is of four of them (one squared), a distance
            // is off by two at parts of the whole.
            let sum = 300.0 * f64::EPSILON;
            let near = |a: f64, b: f64, n_sums: f64| (a - b).abs() <= n_sums * sum * b.abs();
            assert!(near(one.occupancy, other.occupancy, 1.0));
            assert!(near(one.spread, other.spread, 2.0));
            assert!(near(one.kurtosis_ratio, other.kurtosis_ratio, 4.0));
            assert!((one.distance - other.distance).abs() <= 2.0 * sum);
            assert_eq!(one.finding, other.finding);
        }
    }
}

#[test]
fn numbers_are_those_of_their_definitions() {
    let x = matrix(&data::overlapping(8, 700, 2, 3).rows());
    let weights: Vec<f64> = (0..700).map(|i| f64::from(i % 4 != 0) + 0.25).collect();
    let samples = Samples::from(&x).with_weights(&weights);
    for noise in [None, Some(NoiseVolume::Box)] {
        let model = Em::new(3).noise(noise).fit(samples).unwrap().into_model();
        assert_eq!(model.n_classes(), 3 + usize::from(noise.is_some()));
        assert_definitions(&model, samples);
    }
    let model = Em::new(3).fit(&x).unwrap().into_model();
    let x = matrix(&data::overlapping(8, 20_000, 2, 3).rows());
    same_for_any_number_of_threads(|| Diagnostics::new(&model, &x).unwrap());
}

/// Moments and the largest difference, from tables of responsibilities and distances.
fn assert_definitions(model: &GaussianMixture, samples: Samples<'_>) {
    let n_samples = samples.n_samples();
    let weights = samples.weights().unwrap();
    let found = Diagnostics::new(model, samples).unwrap();
    assert_eq!(found.components().len(), model.n_components());
    let (r, squared) = (
        model.responsibilities(samples).unwrap(),
        model.mahalanobis_squared(samples).unwrap(),
    );
    for (k, shape) in found.components().iter().enumerate() {
        let sum = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
            (0..n_samples)
                .map(|i| weights[i] * f(r[(i, k)], squared[(i, k)]))
                .sum()
        };
        let n = sum(&|r, _| r);
        let (second, fourth) = (sum(&|r, s| r * s) / n, sum(&|r, s| r * s * s) / n);
        // Distances come from logarithms near 10 and are good to 1e-14; hundreds of them are summed.
        let near = |a: f64, b: f64| (a - b).abs() <= 1e-11 * b.abs();
        assert!(near(shape.occupancy, n));
        assert!(near(shape.spread, second / 2.0));
        assert!(near(shape.kurtosis_ratio, fourth / second / second / 2.0));
        let effective = n * n / sum(&|r, _| r * r);
        let score =
            (shape.kurtosis_ratio * (effective + 1.0) / (effective - 1.0)).ln() * effective.sqrt();
        assert!(near(shape.kurtosis_score, score));
        // Two features: the law is 1 - e^{-s/2}. Cells hide less than a 512th of the difference.
        let at = |row: usize| {
            let limit = squared[(row, k)];
            let law = 1.0 - (-0.5 * limit).exp();
            // The largest difference is on one of the two sides of a step.
            let before = sum(&|r, s| if s < limit { r } else { 0.0 }) / n;
            let after = sum(&|r, s| if s <= limit { r } else { 0.0 }) / n;
            (before - law).abs().max((after - law).abs())
        };
        let largest = (0..n_samples).map(at).fold(0.0, f64::max);
        assert!(shape.distance <= largest + 1e-12);
        assert!(shape.distance >= largest - 2.0 / 512.0);
        assert!(near(
            shape.distance_score,
            shape.distance * effective.sqrt()
        ));
    }
}

/// The documentation promises fewer than one false alarm in a hundred.
#[test]
fn gaussian_components_are_rarely_called_something_else() {
    let (mut n_components, mut n_alarms) = (0, 0);
    for (k, distance) in [(1, 0.0), (3, 8.0), (2, 3.0)] {
        for (d, n) in [(1, 60), (2, 150), (5, 300)] {
            for form in CovarianceType::BASIC {
                let truth = standard(k, d, distance);
                for seed in 0..25 {
                    let mut rng = data::generator(1000 * seed + n as u64);
                    let x = truth.sample(n * k, &mut rng).unwrap().x;
                    let r = truth.responsibilities(&x).unwrap();
                    let em = Em::new(k).covariance(form);
                    let fit = em
                        .fit_from(&x, Start::Responsibilities(r.as_ref()))
                        .unwrap();
                    let found = Diagnostics::new(fit.model(), &x).unwrap();
                    for shape in found.components() {
                        n_components += 1;
                        n_alarms += usize::from(!matches!(
                            shape.finding,
                            Finding::Gaussian | Finding::TooFewRows
                        ));
                    }
                }
            }
        }
    }
    assert!(n_components > 1500);
    assert!(
        100 * n_alarms < n_components,
        "{n_alarms} of {n_components}"
    );
}

#[test]
fn heavy_tails_light_tails_and_other_shapes_are_found() {
    let z = normal(400, 2, 1);
    // A t law of four degrees: a normal row over the root of a mean of four squares.
    let squares = normal(400, 4, 2);
    let t = Mat::from_fn(400, 2, |i, j| {
        let sum: f64 = (0..4).map(|c| squares[(i, c)].powi(2)).sum();
        z[(i, j)] / (0.25 * sum).sqrt()
    });
    assert_eq!(shape_of(&t).finding, Finding::HeavyTails);
    // Squares are skewed: one tail is long.
    let skewed = Mat::from_fn(400, 2, |i, j| z[(i, j)].powi(2));
    assert_eq!(shape_of(&skewed).finding, Finding::HeavyTails);
    // A ring has neither centre nor tails.
    let ring = Mat::from_fn(400, 2, |i, j| {
        let angle = 0.37 * i as f64;
        (if j == 0 { angle.cos() } else { angle.sin() }) + 0.05 * z[(i, j)]
    });
    assert_eq!(shape_of(&ring).finding, Finding::LightTails);
    // Three lumps on a line with the kurtosis of the normal law, 3: ±√3 with weight 1/6 each, and 0.
    let lumps = Mat::from_fn(600, 1, |i, _| {
        let place = [-1.0, 0.0, 0.0, 0.0, 0.0, 1.0][i % 6];
        place * 3f64.sqrt() + 0.02 * z[(i % 400, 0)]
    });
    let shape = shape_of(&lumps);
    assert!((shape.kurtosis_ratio - 1.0).abs() < 0.1);
    assert_eq!(shape.finding, Finding::OtherShape);
    assert_eq!(shape_of(&z).finding, Finding::Gaussian);
}

#[test]
fn a_harmless_difference_is_no_finding_for_many_rows() {
    let z = normal(40_000, 2, 3);
    let x = Mat::from_fn(40_000, 2, |i, j| {
        let z: f64 = z[(i, j)];
        // And a little heavier in the tails: the kurtosis is some percent more.
        z + 0.01 * z.powi(3)
    });
    let shape = shape_of(&x);
    assert!(shape.kurtosis_score > 3.5, "{shape:?}");
    assert_eq!(shape.finding, Finding::Gaussian);
}

#[test]
fn rows_that_a_form_needs() {
    let needed = |form: CovarianceType, d: usize, k: usize| {
        let truth = standard(k, d, 9.0);
        let x = truth.sample(200, &mut data::generator(4)).unwrap().x;
        let model = Em::new(k).covariance(form).fit(&x).unwrap().into_model();
        let found = Diagnostics::new(&model, &x).unwrap();
        found.components()[k - 1].rows_needed
    };
    assert_eq!(needed(CovarianceType::Full, 5, 2), 20.0);
    assert_eq!(needed(CovarianceType::Eev, 5, 2), 20.0);
    assert_eq!(needed(CovarianceType::Diag, 5, 2), 8.0);
    assert_eq!(needed(CovarianceType::Spherical, 5, 2), 2.0);
    assert_eq!(needed(CovarianceType::Tied, 5, 2), 1.0);
    assert_eq!(needed(CovarianceType::Full, 1, 2), 8.0);
    // One component shares with none.
    assert_eq!(needed(CovarianceType::Tied, 5, 1), 20.0);
    let few = normal(12, 5, 5);
    assert_eq!(shape_of(&few).finding, Finding::TooFewRows);
}

#[test]
fn a_component_without_rows_says_nothing() {
    let model = standard(2, 1, 500.0);
    let found = Diagnostics::new(&model, &mat![[0.0], [1.0], [-1.0]]).unwrap();
    assert_eq!(found.components()[1].occupancy, 0.0);
    assert_eq!(found.components()[1].finding, Finding::TooFewRows);
    // So far out that the density is 0: the distance is held at a number.
    let x = Mat::from_fn(20, 1, |i, _| if i == 0 { 1e200 } else { i as f64 - 10.0 });
    let far = Diagnostics::new(&standard(1, 1, 0.0), &x).unwrap();
    assert_eq!(far.components()[0].finding, Finding::HeavyTails);
}
