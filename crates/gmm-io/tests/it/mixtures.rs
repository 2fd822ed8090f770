//! Mixtures for the tests: one small model of each form, and random ones.

use gmm_core::covariance::Structure;
use gmm_core::faer::Mat;
use gmm_core::{CovarianceType, Covariances, GaussianMixture, Noise};
use gmm_io::{ModelFile, Training};
use proptest::prelude::*;

/// A model of two components and two features, with names and a training.
pub(crate) fn small(form: CovarianceType) -> ModelFile {
    let blocks = match (form.structure(), form.is_shared()) {
        (Structure::Dense, false) => {
            vec![vec![0.07, 0.44, 0.44, 33.7], vec![0.17, 0.94, 0.94, 36.0]]
        }
        (Structure::Dense, true) => vec![vec![0.125, -0.5, -0.5, 35.1]],
        (Structure::Diagonal, false) => vec![vec![0.07, 33.7], vec![0.17, 36.0]],
        (Structure::Diagonal, true) => vec![vec![0.125, 35.1]],
        (Structure::Isotropic, false) => vec![vec![1e-300], vec![1e300]],
        (Structure::Isotropic, true) => vec![vec![0.125]],
    };
    // Means that decimal digits and careless arithmetic would change: 0.1, a negative zero, the extremes.
    let means = Mat::from_fn(2, 2, |k, j| [[0.1, -0.0], [5e-324, f64::MAX]][k][j]);
    let covariances = Covariances::new(form, 2, 2, blocks).unwrap();
    let model = GaussianMixture::new(vec![0.36, 0.64], means, covariances).unwrap();
    let log_densities: Vec<f64> = (0..272).map(|i| -0.1 * f64::from(i)).collect();
    ModelFile::from(model)
        .with_feature_names(vec!["éruptions".into(), "waiting, \"min\"".into()])
        .unwrap()
        .with_training(Training::from_log_densities(&log_densities, None).unwrap())
}

/// [`small`] with what version 2 adds: noise, equal weights or both.
pub(crate) fn small_of_version_2(form: CovarianceType, equal: bool, noisy: bool) -> ModelFile {
    let plain = small(form);
    let mut model = plain.model().clone();
    if equal {
        model = model.with_equal_weights();
    }
    if noisy {
        model = model.with_noise(Noise::new(0.1, -5.6).unwrap()).unwrap();
    }
    let names = plain.feature_names().unwrap().to_vec();
    let file = ModelFile::from(model).with_feature_names(names).unwrap();
    file.with_training(plain.training().unwrap().clone())
}

/// Random models of all forms, with and without noise, equal weights, names and training.
pub(crate) fn any_model() -> impl Strategy<Value = ModelFile> {
    let form = prop::sample::select(CovarianceType::ALL.to_vec());
    let shape = (form, 1..5_usize, 1..5_usize);
    shape.prop_flat_map(|(form, n_components, n_features)| {
        let mixture = any_mixture(form, n_components, n_features);
        // NUL is the one character that names can't hold.
        let name = any::<String>().prop_map(|name| name.replace('\0', ""));
        let names = prop::option::of(prop::collection::vec(name, n_features));
        let training = prop::option::of(any_training());
        let noise = prop::option::of((0.0..1.0, any_finite()));
        let classes = (any::<bool>(), noise);
        (mixture, names, training, classes).prop_map(|(mut mixture, names, training, classes)| {
            if classes.0 {
                mixture = mixture.with_equal_weights();
            }
            if let Some((weight, log_density)) = classes.1 {
                let noise = Noise::new(weight, log_density).unwrap();
                mixture = mixture.with_noise(noise).unwrap();
            }
            let mut file = ModelFile::from(mixture);
            if let Some(names) = names {
                file = file.with_feature_names(names).unwrap();
            }
            match training {
                Some(training) => file.with_training(training),
                None => file,
            }
        })
    })
}

/// Any finite number, the subnormal ones and both zeros included.
fn any_finite() -> impl Strategy<Value = f64> {
    use proptest::num::f64::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    NORMAL | SUBNORMAL | ZERO | POSITIVE | NEGATIVE
}

fn any_mixture(
    form: CovarianceType,
    n_components: usize,
    n_features: usize,
) -> impl Strategy<Value = GaussianMixture> {
    let masses = prop::collection::vec(prop_oneof![4 => 0.001..1.0, 1 => Just(0.0)], n_components);
    let means = prop::collection::vec(any_finite(), n_components * n_features);
    let roots = prop::collection::vec(-1.0..1.0, n_components * n_features * n_features);
    // Powers of two move the covariances through most of the range of f64 without touching their digits.
    let exponents = prop::collection::vec(-400..400_i32, n_components);
    (masses, means, roots, exponents).prop_map(move |(masses, means, roots, exponents)| {
        let total: f64 = masses.iter().sum();
        let weights = match total {
            0.0 => vec![1.0 / n_components as f64; n_components],
            total => masses.iter().map(|mass| mass / total).collect(),
        };
        let block = |k: usize| -> Vec<f64> {
            let root = &roots[k * n_features * n_features..][..n_features * n_features];
            let scale = 2.0_f64.powi(exponents[k]);
            let dot = |i: usize, j: usize| -> f64 {
                (0..n_features)
                    .map(|l| root[i * n_features + l] * root[j * n_features + l])
                    .sum()
            };
            let entry = |i: usize, j: usize| {
                scale * (dot(i.min(j), i.max(j)) + f64::from(u8::from(i == j)))
            };
            let len = form.block_len(n_features);
            match form.structure() {
                Structure::Dense => (0..len)
                    .map(|at| entry(at / n_features, at % n_features))
                    .collect(),
                _ => (0..len).map(|i| entry(i, i)).collect(),
            }
        };
        let blocks = (0..form.n_blocks(n_components)).map(block).collect();
        let covariances = Covariances::new(form, n_components, n_features, blocks).unwrap();
        let means = Mat::from_fn(n_components, n_features, |k, j| means[k * n_features + j]);
        GaussianMixture::new(weights, means, covariances).unwrap()
    })
}

fn any_training() -> impl Strategy<Value = Training> {
    let total = proptest::num::f64::POSITIVE | proptest::num::f64::NORMAL;
    let n_quantiles = prop::sample::select(vec![0, Training::QUANTILE_LEVELS.len()]);
    let quantiles = n_quantiles.prop_flat_map(|n| prop::collection::vec(any_finite(), n));
    (1..u64::MAX, total, any_finite(), quantiles).prop_map(
        |(n, total, log_likelihood, mut quantiles)| {
            quantiles.sort_by(f64::total_cmp);
            let training = Training::new(n, total, log_likelihood).unwrap();
            training.with_density_quantiles(quantiles).unwrap()
        },
    )
}

/// Every number of a model file, as bits, with the shapes that give them meaning.
pub(crate) fn bits(file: &ModelFile) -> (String, Vec<u64>) {
    let model = file.model();
    let mut numbers = model.weights().to_vec();
    (0..model.n_components()).for_each(|k| numbers.extend(model.means().row(k).iter()));
    numbers.extend(model.covariances().blocks().concat());
    numbers.extend((model.noise().iter()).flat_map(|n| [n.weight(), n.log_density()]));
    let classes = (model.proportions(), model.noise().is_some());
    let shape = format!(
        "{:?} {:?} {classes:?}",
        model.covariance_type(),
        model.means().shape()
    );
    let training = file.training().map(|training| {
        numbers.extend([training.total_weight(), training.log_likelihood()]);
        numbers.extend(training.density_quantiles());
        training.n_samples()
    });
    let words = format!("{shape} {:?} {training:?}", file.feature_names());
    (words, numbers.into_iter().map(f64::to_bits).collect())
}
