//! Passes over components near one centre, most of which are summed side by side.

use gmm_core::block::{Block, Frame};
use gmm_core::{GaussianMixture, Samples, Scratch};
use gmm_em::{Em, Precision, Regularization, Start, SufficientStatistics};
use gmm_testkit::data;
use gmm_testkit::naive::{self, Form, Mixture};

use crate::{matrix, mixture_of};

const N_SAMPLES: usize = 700;
const N_COMPONENTS: usize = 13;
/// Those that are not near the centre.
const FAR: [usize; 2] = [4, 9];

/// Means within two standard deviations of each other, but for two that are far away.
fn mixture(form: Form, n_features: usize) -> Mixture {
    let mean = |k: usize, j: usize| {
        let far = if FAR.contains(&k) { 40.0 } else { 0.0 };
        ((7 * k + 3 * j) % 5) as f64 / 2.0 - 1.0 + far
    };
    let covariance = |i: usize, j: usize| match (form, i == j) {
        (_, true) if form != Form::Spherical => 1.0 + 0.25 * i as f64,
        (_, true) => 1.5,
        (Form::Full | Form::Tied, false) => 0.3,
        (_, false) => 0.0,
    };
    let row = |i: usize| (0..n_features).map(|j| covariance(i, j)).collect();
    Mixture {
        form,
        weights: vec![1.0 / N_COMPONENTS as f64; N_COMPONENTS],
        means: (0..N_COMPONENTS)
            .map(|k| (0..n_features).map(|j| mean(k, j)).collect())
            .collect(),
        covariances: vec![(0..n_features).map(row).collect(); N_COMPONENTS],
    }
}

/// How many components share the centre.
fn n_near(model: &GaussianMixture, samples: &Samples<'_>) -> usize {
    let (mut scratch, mut block) = (Scratch::new(model), Block::new(model.n_features()));
    let frame = Frame::identity(model.n_features());
    block.fill(samples, 0, &frame).unwrap();
    model.responsibilities_of_block(&block, &mut scratch);
    let near = (0..N_COMPONENTS).filter(|k| scratch.about_centre.near(*k).is_some());
    near.count()
}

/// The largest difference of weights, and of means and covariances in units of at least 1.
fn difference(found: &GaussianMixture, expected: &Mixture) -> f64 {
    let d = found.n_features();
    let mut largest = 0.0f64;
    for k in 0..N_COMPONENTS {
        largest = largest.max((found.weights()[k] - expected.weights[k]).abs());
        let covariance = found.covariances().component(k);
        for i in 0..d {
            let mean = expected.means[k][i];
            largest = largest.max((found.means()[(k, i)] - mean).abs() / mean.abs().max(1.0));
            for j in 0..d {
                let entry = expected.covariances[k][i][j];
                largest = largest.max((covariance[(i, j)] - entry).abs() / entry.abs().max(1.0));
            }
        }
    }
    largest
}

#[test]
fn a_step_is_that_of_the_textbook_in_both_precisions() {
    let weights: Vec<f64> = (0..N_SAMPLES).map(|i| 0.25 + (i % 5) as f64).collect();
    for form in Form::ALL {
        for d in [1, 3, 8, 13, 17] {
            let start = mixture(form, d);
            let rows = data::draw(&start, N_SAMPLES, 5).rows();
            let expected = naive::em_step(&start, &rows, Some(&weights)).mixture;
            let model = mixture_of(&start).unwrap();
            let x = matrix(&rows);
            let samples = Samples::from(&x).with_weights(&weights);
            assert_eq!(n_near(&model, &samples), N_COMPONENTS - FAR.len());

            let mut statistics = SufficientStatistics::zeros(&model);
            statistics.observe(&model, samples).unwrap();
            let next = statistics.maximize(Regularization::None).unwrap();
            // Sums of 700 terms about a place, of which 32 times the scatter may be summed up; distances lose two bits.
            let n_terms = (N_SAMPLES + 3) as f64;
            let exact = 33.0 * n_terms * f64::EPSILON * (d as f64 + 4.0);
            let found = difference(&next, &expected);
            assert!(found <= exact, "{form:?} {d}: {found:e} {exact:e}");

            // The same of 256 terms with the unit of single precision, and a distance of D terms that are squared.
            let em = Em::new(N_COMPONENTS)
                .covariance(model.covariance_type())
                .regularization(Regularization::None)
                .max_iterations(1);
            let fit = |precision: Precision| {
                let em = em.clone().precision(precision);
                let fit = em.fit_from(samples, Start::Mixture(&model)).unwrap();
                fit.into_model()
            };
            let bound = 33.0 * 259.0 * f64::from(f32::EPSILON) * (d as f64 + 4.0);
            let [single, double] = [fit(Precision::Mixed), fit(Precision::Double)];
            let found = difference(&single, &expected);
            assert!(found <= bound, "{form:?} {d}: {found:e} {bound:e}");
            assert!(form == Form::Tied || single != double);
            // A fit lists rows of the components that are far from the others.
            let found = difference(&double, &expected);
            assert!(found <= exact, "{form:?} {d}: {found:e} {exact:e}");
        }
    }
}
