//! Draws: the same for ever at a seed, and distributed as the mixture says.

use gmm_core::covariance::Structure;
use gmm_core::faer::{Mat, mat};
use gmm_core::{CovarianceType, Covariances, GaussianMixture};
use gmm_testkit::data::generator;

use crate::{bits_of, rows};

fn model(form: CovarianceType) -> GaussianMixture {
    // Densities and draws take any matrices of the structure, also such as a form's M-step would not give.
    let mut blocks = match form.structure() {
        Structure::Dense => vec![
            vec![1.0, 0.5, 0.5, 2.0],
            vec![0.25, 0.0, 0.0, 4.0],
            vec![9.0, -2.0, -2.0, 1.0],
        ],
        Structure::Diagonal => vec![vec![1.0, 4.0], vec![0.25, 1.0], vec![9.0, 2.0]],
        Structure::Isotropic => vec![vec![1.0], vec![0.25], vec![4.0]],
    };
    blocks.truncate(form.n_blocks(3));
    GaussianMixture::new(
        vec![0.5, 0.125, 0.375],
        mat![[0.0, 0.0], [10.0, -10.0], [-5.0, 20.0]],
        Covariances::new(form, 3, 2, blocks).unwrap(),
    )
    .unwrap()
}

/// χ² with k degrees of freedom exceeds this with a probability below 1e-6, ln 1e6 = 13.9
/// (Laurent and Massart 2000: P(χ² ≥ k + 2√(kt) + 2t) ≤ e^-t).
fn chi_square_bound(k: usize) -> f64 {
    let (k, t) = (k as f64, 1e6f64.ln());
    k + 2.0 * (k * t).sqrt() + 2.0 * t
}

/// Σ (found - expected)² / expected.
fn chi_square(found: &[usize], expected: impl Fn(usize) -> f64) -> f64 {
    (0..found.len())
        .map(|i| (found[i] as f64 - expected(i)).powi(2) / expected(i))
        .sum()
}

/// A change of these numbers changes every user's draws: it needs a major version.
#[test]
fn values_are_stable() {
    let expected: [(CovarianceType, [usize; 4], [[f64; 2]; 4]); 4] = [
        (
            CovarianceType::Full,
            [2, 2, 0, 2],
            [
                [-6.544888784441885, 21.392566801197052],
                [-2.1389993893618087, 19.568535759087577],
                [0.4144533898735936, -0.5992128176823392],
                [-4.282939636366744, 21.296938218682648],
            ],
        ),
        (
            CovarianceType::Tied,
            [2, 2, 0, 2],
            [
                [-5.514962928147295, 21.60476707202803],
                [-4.0463331297872696, 20.83945423140413],
                [0.4144533898735936, -0.5992128176823392],
                [-4.760979878788914, 22.704159474619022],
            ],
        ),
        (
            CovarianceType::Diag,
            [2, 2, 0, 2],
            [
                [-6.544888784441885, 21.990827426032514],
                [-2.1389993893618087, 20.38765793744725],
                [0.4144533898735936, -1.2192219416036394],
                [-4.282939636366744, 22.76310644918985],
            ],
        ),
        (
            CovarianceType::Spherical,
            [2, 2, 0, 2],
            [
                [-6.02992585629459, 22.8154551462395],
                [-3.092666259574539, 20.548231112699483],
                [0.4144533898735936, -0.6096109708018197],
                [-4.52195975757783, 23.90762261472485],
            ],
        ),
    ];
    for (form, labels, values) in expected {
        let sample = model(form).sample(4, &mut generator(42)).unwrap();
        assert_eq!(sample.labels, labels, "{form}");
        for (found, expected) in rows(&sample.x).iter().flatten().zip(values.as_flattened()) {
            // A Cholesky factor computed with and without fused operations may differ by a last bit.
            let tolerance = 4.0 * f64::EPSILON * expected.abs();
            assert!((found - expected).abs() <= tolerance, "{form}: {found}");
        }
    }
}

#[test]
fn a_longer_sample_begins_with_the_shorter_one() {
    for form in CovarianceType::ALL {
        let model = model(form);
        let long = model.sample(1000, &mut generator(7)).unwrap();
        for n in [0, 1, 10, 999] {
            let short = model.sample(n, &mut generator(7)).unwrap();
            assert_eq!(short.labels, long.labels[..n]);
            let part = long.x.as_ref().subrows(0, n).to_owned();
            assert_eq!(bits_of(&short.x), bits_of(&part));
        }
        // A generator that goes on gives the rows that follow.
        let mut rng = generator(7);
        let first = model.sample(400, &mut rng).unwrap();
        let second = model.sample(600, &mut rng).unwrap();
        assert_eq!([first.labels, second.labels].concat(), long.labels);
        let rest = long.x.as_ref().subrows(400, 600).to_owned();
        assert_eq!(bits_of(&second.x), bits_of(&rest));
    }
}

#[test]
fn seeds_give_different_rows() {
    let model = model(CovarianceType::Full);
    let draw = |seed| bits_of(&model.sample(5, &mut generator(seed)).unwrap().x);
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}

/// A trait object is a generator too.
#[test]
fn any_generator_will_do() {
    let model = model(CovarianceType::Diag);
    let mut rng = generator(3);
    let dynamic: &mut dyn rand::Rng = &mut rng;
    let a = model.sample(5, dynamic).unwrap();
    assert_eq!(a, model.sample(5, &mut generator(3)).unwrap());
}

#[test]
fn nothing_is_drawn_when_nothing_is_asked_for() {
    let mut rng = generator(1);
    let sample = model(CovarianceType::Full).sample(0, &mut rng).unwrap();
    assert_eq!((sample.x.nrows(), sample.x.ncols()), (0, 2));
    assert!(sample.labels.is_empty());
    assert_eq!(rng, generator(1));
}

#[test]
fn components_are_drawn_by_their_weights() {
    let n = 200_000;
    let model = model(CovarianceType::Spherical);
    let sample = model.sample(n, &mut generator(2)).unwrap();
    let mut counts = [0usize; 3];
    for label in &sample.labels {
        counts[*label] += 1;
    }
    let found = chi_square(&counts, |k| n as f64 * model.weights()[k]);
    assert!(found <= chi_square_bound(2), "{counts:?}: {found}");
    // The three lie ten deviations apart: rows are where their labels say.
    assert_eq!(model.predict(&sample.x).unwrap(), sample.labels);
}

/// Squared Mahalanobis distances to a row's own component are χ² with D degrees of freedom: for D = 2 that is an exponential
/// distribution of mean 2, whose quantiles have a formula.
#[test]
fn rows_lie_about_their_means_as_they_should() {
    let (n, n_bins) = (100_000, 50);
    for form in CovarianceType::ALL {
        let model = model(form);
        let sample = model.sample(n, &mut generator(11)).unwrap();
        let squared = model.mahalanobis_squared(&sample.x).unwrap();
        let mut bins = vec![0usize; n_bins];
        // The direction matters as well: the sign of each whitened coordinate is one of four.
        let mut quadrants = [0usize; 4];
        for (i, &k) in sample.labels.iter().enumerate() {
            let below = 1.0 - (-0.5 * squared[(i, k)]).exp();
            bins[((below * n_bins as f64) as usize).min(n_bins - 1)] += 1;
            let z = |j: usize| sample.x[(i, j)] - model.means()[(k, j)];
            let c = model.covariances().component(k);
            // Given the first coordinate the second has the mean c₀₁ / c₀₀ z₀.
            let second = z(1) - c[(0, 1)] / c[(0, 0)] * z(0);
            quadrants[usize::from(z(0) > 0.0) + 2 * usize::from(second > 0.0)] += 1;
        }
        let distances = chi_square(&bins, |_| n as f64 / n_bins as f64);
        assert!(
            distances <= chi_square_bound(n_bins - 1),
            "{form}: {distances}"
        );
        let directions = chi_square(&quadrants, |_| n as f64 / 4.0);
        assert!(directions <= chi_square_bound(3), "{form}: {directions}");
    }
}

#[test]
fn components_of_weight_zero_are_never_drawn() {
    for weights in [
        vec![0.0, 0.5, 0.0, 0.5, 0.0],
        vec![0.0, 0.0, 1.0, 0.0, 0.0],
        // A sum below 1, as after single precision: what is missing belongs to nobody.
        vec![0.5, 0.0, 0.5 - 9e-7, 0.0, 0.0],
    ] {
        let model = GaussianMixture::new(
            weights.clone(),
            Mat::zeros(5, 1),
            Covariances::spherical(&[1.0; 5], 1).unwrap(),
        )
        .unwrap();
        let sample = model.sample(100_000, &mut generator(5)).unwrap();
        assert!(
            sample.labels.iter().all(|k| weights[*k] > 0.0),
            "{weights:?}"
        );
    }
}

/// The overall moments of many draws are those that the mixture states.
#[test]
fn draws_have_the_stated_moments() {
    let n = 200_000;
    for form in CovarianceType::ALL {
        let model = model(form);
        let x = model.sample(n, &mut generator(9)).unwrap().x;
        let mean = model.mean();
        let covariance = model.covariance();
        for j in 0..2 {
            let values: Vec<f64> = (0..n).map(|i| x[(i, j)]).collect();
            let found = values.iter().sum::<f64>() / n as f64;
            // Five standard errors: 6e-7 of such tests fail.
            let error = 5.0 * (covariance[(j, j)] / n as f64).sqrt();
            assert!(
                (found - mean[j]).abs() <= error,
                "{form}: {found} {}",
                mean[j]
            );
            // Values lie within 15 deviations of the mean's component, so fourth moments are below 25² σ² here.
            let variance = values.iter().map(|v| (v - mean[j]).powi(2)).sum::<f64>() / n as f64;
            let fourth = values.iter().map(|v| (v - mean[j]).powi(4)).sum::<f64>() / n as f64;
            let error = 5.0 * (fourth / n as f64).sqrt();
            assert!(
                (variance - covariance[(j, j)]).abs() <= error,
                "{form}: {variance}"
            );
        }
    }
}
