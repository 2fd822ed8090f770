//! What changes nothing but what it must: the order of components, an offset, a unit, other coordinates.

use gmm_core::block::Frame;
use gmm_core::faer::Mat;
use gmm_core::{CovarianceType, Covariances, Error, GaussianMixture};
use gmm_testkit::naive::{Form, Mixture};
use gmm_testkit::strategies;
use proptest::prelude::*;

use crate::{bits, bits_of, matrix, mixture_of, mixture_with_rows};

const EPS: f64 = f64::EPSILON;

/// The mixture of 2^eⱼ xⱼ.
fn scaled(m: &Mixture, exponents: &[i32]) -> Mixture {
    let factor = |j: usize| 2f64.powi(exponents[j]);
    let mut m = m.clone();
    for (mean, c) in m.means.iter_mut().zip(&mut m.covariances) {
        for (i, row) in c.iter_mut().enumerate() {
            mean[i] *= factor(i);
            for (j, entry) in row.iter_mut().enumerate() {
                // One factor after the other: their product may leave the range.
                *entry = *entry * factor(i) * factor(j);
            }
        }
    }
    m
}

/// Exponents of a unit per feature; a spherical mixture has one unit.
fn with_exponents() -> impl Strategy<Value = (Mixture, Vec<Vec<f64>>, Vec<i32>)> {
    (
        mixture_with_rows(1..=4, 1..=3, 1..=20),
        prop::collection::vec(-450..=450, 4),
    )
        .prop_map(|((m, x), exponents)| {
            let exponent = |j: usize| {
                if m.form == Form::Spherical {
                    exponents[0]
                } else {
                    exponents[j]
                }
            };
            let exponents = (0..m.n_features()).map(exponent).collect();
            (m, x, exponents)
        })
}

fn scaled_rows(x: &[Vec<f64>], exponents: &[i32]) -> Mat<f64> {
    Mat::from_fn(x.len(), exponents.len(), |i, j| {
        x[i][j] * 2f64.powi(exponents[j])
    })
}

proptest! {
    /// logL(2^e x) = logL(x) - Σ eⱼ ln 2, and everything else is the same to the last bit.
    #[test]
    fn powers_of_two_are_exact((m, x, exponents) in with_exponents()) {
        let (a, b) = (mixture_of(&m), mixture_of(&scaled(&m, &exponents)));
        let (x, y) = (matrix(&x), scaled_rows(&x, &exponents));
        prop_assert_eq!(bits_of(&a.responsibilities(&x).unwrap()), bits_of(&b.responsibilities(&y).unwrap()));
        prop_assert_eq!(bits_of(&a.mahalanobis_squared(&x).unwrap()), bits_of(&b.mahalanobis_squared(&y).unwrap()));
        prop_assert_eq!(a.predict(&x).unwrap(), b.predict(&y).unwrap());
        prop_assert_eq!(a.variance_inflation().to_bits(), b.variance_inflation().to_bits());
        let shift = std::f64::consts::LN_2 * exponents.iter().map(|e| f64::from(*e)).sum::<f64>();
        for (found, expected) in b.log_density(&y).unwrap().iter().zip(a.log_density(&x).unwrap()) {
            // The same number plus another multiple of ln 2: three roundings at their size.
            let tolerance = 2.0 * EPS * (found.abs() + expected.abs() + shift.abs());
            prop_assert!((found + shift - expected).abs() <= tolerance, "{found} {expected} {shift}");
        }
    }

    /// Where x + offset and μ + offset are exact, so are all differences.
    #[test]
    fn exact_offsets_change_nothing(
        (m, x) in mixture_with_rows(1..=4, 1..=3, 1..=20),
        offset in prop::sample::select(vec![1.0, -1e3, 1e6, -1e8, 1e10]),
    ) {
        // Multiples of 1/1024 of at most 5 digits before the point leave room for ten more.
        let grid = |v: &f64| (v * 1024.0).round() / 1024.0;
        let on_grid = |rows: &[Vec<f64>]| -> Vec<Vec<f64>> { rows.iter().map(|r| r.iter().map(grid).collect()).collect() };
        let m = Mixture { means: on_grid(&m.means), ..m };
        let x = on_grid(&x);
        let moved = |rows: &[Vec<f64>]| -> Vec<Vec<f64>> { rows.iter().map(|r| r.iter().map(|v| v + offset).collect()).collect() };
        let (a, b) = (mixture_of(&m), mixture_of(&Mixture { means: moved(&m.means), ..m.clone() }));
        let (x, y) = (matrix(&x), matrix(&moved(&x)));
        prop_assert_eq!(bits(&a.log_density(&x).unwrap()), bits(&b.log_density(&y).unwrap()));
        prop_assert_eq!(bits_of(&a.responsibilities(&x).unwrap()), bits_of(&b.responsibilities(&y).unwrap()));
        prop_assert_eq!(bits_of(&a.covariance()), bits_of(&b.covariance()));
        for (a, b) in a.mean().iter().zip(b.mean()) {
            prop_assert!((b - offset - a).abs() <= 2.0 * EPS * (offset.abs() + 20.0));
        }
    }

    #[test]
    fn the_order_of_components_means_nothing(
        (m, x) in mixture_with_rows(1..=4, 4..=4, 1..=20),
        order in strategies::permutation(4),
    ) {
        let model = mixture_of(&m);
        let turned = model.select(&order).unwrap();
        let x = matrix(&x);
        let (a, b) = (model.log_density(&x).unwrap(), turned.log_density(&x).unwrap());
        let (r, s) = (model.responsibilities(&x).unwrap(), turned.responsibilities(&x).unwrap());
        prop_assert_eq!(
            bits_of(&turned.mahalanobis_squared(&x).unwrap()),
            bits_of(&Mat::from_fn(x.nrows(), 4, |i, k| model.mahalanobis_squared(&x).unwrap()[(i, order[k])]))
        );
        let joint = model.log_joint(&x).unwrap();
        for i in 0..x.nrows() {
            // Joint densities are kept relative to the first component's power of two: their roundings differ by 2 ε of their
            // size and of that power's logarithm, below 10 D here; the sum of four has another order.
            let constant = 10.0 * m.n_features() as f64;
            prop_assert!((a[i] - b[i]).abs() <= 4.0 * EPS * (a[i].abs() + constant + 4.0), "{} {}", a[i], b[i]);
            for k in 0..4 {
                let delta = 4.0 * EPS * (joint[(i, order[k])].abs() + a[i].abs() + constant + 4.0);
                let found = (s[(i, k)] - r[(i, order[k])]).abs();
                prop_assert!(found <= 2.0 * delta * r[(i, order[k])] + 1e-300, "{found}");
            }
        }
    }

    /// The forms are nested: what a poorer form can say, a richer one says as well.
    #[test]
    fn forms_agree_where_they_overlap(
        (m, x) in mixture_with_rows(1..=4, 1..=3, 1..=10)
            .prop_filter("circles", |(m, _)| m.form == Form::Spherical),
        variance in 0.01..100.0,
    ) {
        let (k, d) = (m.n_components(), m.n_features());
        let circles = vec![vec![variance]; k];
        let axes = vec![vec![variance; d]; k];
        let dense: Vec<f64> = (0..d * d).map(|at| if at % (d + 1) == 0 { variance } else { 0.0 }).collect();
        let model = |form, blocks| {
            let covariances = Covariances::new(form, k, d, blocks).unwrap();
            GaussianMixture::new(m.weights.clone(), matrix(&m.means), covariances).unwrap()
        };
        let models = [
            model(CovarianceType::Spherical, circles),
            model(CovarianceType::Diag, axes),
            model(CovarianceType::Tied, vec![dense.clone()]),
            model(CovarianceType::Full, vec![dense; k]),
        ];
        let x = matrix(&x);
        let expected = models[0].log_density(&x).unwrap();
        for other in &models[1..] {
            let squared = other.mahalanobis_squared(&x).unwrap();
            for (i, (a, b)) in expected.iter().zip(other.log_density(&x).unwrap()).enumerate() {
                // No correlation: only reciprocals and logarithms of the same deviations are rounded differently.
                let nearest = (0..k).map(|c| squared[(i, c)]).fold(f64::INFINITY, f64::min);
                let tolerance = 8.0 * EPS * (a.abs() + (d as f64 + 2.0) * (nearest + 8.0));
                prop_assert!((a - b).abs() <= tolerance, "{a} {b}");
            }
        }
    }

    /// log p(x) = log p'(x') + log |dx'/dx|, and back in the data's coordinates every bit is as it was.
    #[test]
    fn frames_change_coordinates_exactly((m, x, exponents) in with_exponents()) {
        let moved = scaled(&m, &exponents);
        let model = mixture_of(&moved);
        let rows = scaled_rows(&x, &exponents);
        let d = m.n_features();
        let ranges: Vec<(f64, f64)> = (0..d)
            .map(|j| {
                let values = || (0..rows.nrows()).map(|i| rows[(i, j)]).chain(moved.means.iter().map(|mean| mean[j]));
                (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max))
            })
            .collect();
        let frame = Frame::of_ranges(&ranges);
        let frame = if m.form == Form::Spherical { frame.with_one_unit() } else { frame };
        let there = model.to_frame(&frame).unwrap();
        prop_assert_eq!(&there.from_frame(&frame).unwrap(), &model);
        let framed = Mat::from_fn(rows.nrows(), d, |i, j| frame.to_frame(j, rows[(i, j)]));
        prop_assert_eq!(
            bits_of(&model.mahalanobis_squared(&rows).unwrap()),
            bits_of(&there.mahalanobis_squared(&framed).unwrap())
        );
        prop_assert_eq!(
            bits_of(&model.responsibilities(&rows).unwrap()),
            bits_of(&there.responsibilities(&framed).unwrap())
        );
        // A density is the largest joint one, a sum of at most K, and a power of two near the first |Σ|^½: numbers of these sizes are added.
        let inner = |model: &GaussianMixture, rows: &Mat<f64>| -> Vec<f64> {
            let (joint, squared) = (model.log_joint(rows).unwrap(), model.mahalanobis_squared(rows).unwrap());
            let half_log_two_pi = 0.5 * std::f64::consts::TAU.ln();
            let others = half_log_two_pi * d as f64 + std::f64::consts::LN_2 + (m.n_components() as f64).ln();
            let half_log_det = |i: usize| model.weights()[0].ln() - (joint[(i, 0)] + 0.5 * squared[(i, 0)]);
            (0..rows.nrows()).map(|i| half_log_det(i).abs() + others).collect()
        };
        let inner = [inner(&model, &rows), inner(&there, &framed)];
        let (here_density, there_density) = (model.log_density(&rows).unwrap(), there.log_density(&framed).unwrap());
        for (i, (here, there_density)) in here_density.iter().zip(&there_density).enumerate() {
            let sum = there_density + frame.log_jacobian();
            let size = here.abs() + there_density.abs() + frame.log_jacobian().abs();
            let size = size + inner[0][i] + inner[1][i];
            prop_assert!((sum - here).abs() <= 2.0 * EPS * size, "{sum} {here}");
        }
    }
}

#[test]
fn covariances_that_leave_the_range_with_their_unit_are_refused() {
    let m = Mixture {
        form: Form::Diag,
        weights: vec![1.0],
        means: vec![vec![0.0, 0.0]],
        covariances: vec![vec![vec![1.0, 0.0], vec![0.0, 1.0]]],
    };
    let model = mixture_of(&m);
    let huge = Frame::of_ranges(&[(-1.0, 1.0), (-1e200, 1e200)]);
    let expected = Error::Range {
        component: 0,
        feature: 1,
    };
    assert_eq!(model.to_frame(&huge), Err(expected.clone()));
    assert_eq!(model.from_frame(&huge), Err(expected));
    let narrow = Frame::identity(1);
    let expected = Error::FeatureCount {
        found: 1,
        expected: 2,
    };
    assert_eq!(model.to_frame(&narrow), Err(expected.clone()));
    assert_eq!(model.from_frame(&narrow), Err(expected));
    assert_eq!(
        model.to_frame(&Frame::identity(2)).as_ref(),
        Ok(&model),
        "the identity changes nothing"
    );
}

#[test]
fn mixtures_are_equal_when_their_parameters_are() {
    let m = Mixture {
        form: Form::Spherical,
        weights: vec![0.5, 0.5],
        means: vec![vec![0.0], vec![1.0]],
        covariances: vec![vec![vec![1.0]]; 2],
    };
    let model = mixture_of(&m);
    assert_eq!(model, model.clone());
    let mut other = m.clone();
    other.means[1][0] = 1.0 + EPS;
    assert_ne!(model, mixture_of(&other));
    let mut other = m.clone();
    other.weights = vec![0.5 + EPS, 0.5 - EPS];
    assert_ne!(model, mixture_of(&other));
    let other = Mixture {
        form: Form::Diag,
        ..m
    };
    assert_ne!(model, mixture_of(&other));
}
