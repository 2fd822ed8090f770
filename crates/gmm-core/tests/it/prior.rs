//! The conjugate prior: its density is that of the papers, and the M-step under it is the mode.

use gmm_core::covariance::{Moments, Prior, Regularizer, Structure, maximize};
use gmm_core::faer::Mat;
use gmm_core::{CovarianceType, Covariances, GaussianMixture};
use gmm_testkit::data;
use gmm_testkit::naive as linalg;
use proptest::prelude::*;
use rand::RngExt;

use crate::forms;

const SHRINKAGE: f64 = 0.7;
const DEGREES_OF_FREEDOM: f64 = 6.0;

/// A prior about a mean off the groups, whose scale has correlations where the form has.
fn prior(form: CovarianceType, k: usize, d: usize) -> Prior {
    let mean = (0..d).map(|j| 0.5 - j as f64).collect();
    let entry = |i: usize, j: usize| if i == j { 2.0 + i as f64 } else { 0.4 };
    let scale = match form.structure() {
        Structure::Dense => (0..d * d).map(|at| entry(at / d, at % d)).collect(),
        Structure::Diagonal => (0..d).map(|j| entry(j, j)).collect(),
        Structure::Isotropic => vec![3.0],
    };
    Prior::conjugate(form, k, SHRINKAGE, mean, DEGREES_OF_FREEDOM, scale)
}

/// Groups with means about shifts that are not 0.
fn groups(form: CovarianceType, k: usize, d: usize, seed: u64) -> (Mat<f64>, Vec<Moments>) {
    let mut moments = forms::groups(form, k, d, 8 + d, seed);
    let mut rng = data::generator(seed ^ 3);
    for m in &mut moments {
        m.mean.fill_with(|| rng.random::<f64>() - 0.5);
    }
    (Mat::from_fn(k, d, |k, j| k as f64 - j as f64), moments)
}

/// Entry (i, j) of a block of the form's structure, as of a matrix; one variance stands for all of a trace's parts.
fn entry(block: &[f64], d: usize, i: usize, j: usize) -> f64 {
    match (block.len(), i == j) {
        (len, _) if len == d * d => block[i * d + j],
        (_, false) => 0.0,
        (1, _) => block[0] / d as f64,
        _ => block[i],
    }
}

fn scatter(m: &Moments, i: usize, j: usize) -> f64 {
    match (m.scatter.len() == m.mean.len(), i == j) {
        (true, true) => m.scatter[i],
        (true, false) => 0.0,
        _ => m.scatter[i.max(j) * (i.max(j) + 1) / 2 + i.min(j)],
    }
}

/// log|Σ| and Σ⁻¹ of a component.
fn inverse(covariances: &Covariances, k: usize) -> (f64, Vec<Vec<f64>>) {
    let lower = linalg::cholesky(&crate::rows(&covariances.component(k))).unwrap();
    let w = linalg::invert_lower(&lower);
    let precision = linalg::product(&linalg::transpose(&w), &w);
    (linalg::log_determinant(&lower), precision)
}

/// Σᵢⱼ pᵢⱼ aᵢⱼ = tr P A.
fn trace(precision: &[Vec<f64>], a: impl Fn(usize, usize) -> f64) -> f64 {
    let d = precision.len();
    let row = |i: usize| (0..d).map(|j| precision[i][j] * a(i, j)).sum::<f64>();
    (0..d).map(row).sum()
}

/// -½ Σ over matrices of [count log|Σ| + tr Σ⁻¹Λ + κ Σₖ (μₖ - μ₀)'Σ⁻¹(μₖ - μ₀)].
fn log_prior(prior: &Prior, means: &Mat<f64>, covariances: &Covariances) -> f64 {
    let (form, n, d) = (covariances.form(), means.nrows(), means.ncols());
    let mut sum = 0.0;
    for k in 0..n {
        let (log_determinant, precision) = inverse(covariances, k);
        if k < form.n_blocks(n) {
            sum += prior.count * log_determinant
                + trace(&precision, |i, j| entry(&prior.scale, d, i, j));
        }
        let off = |j: usize| means[(k, j)] - prior.mean[j];
        sum += prior.shrinkage * trace(&precision, |i, j| off(i) * off(j));
    }
    -0.5 * sum
}

/// What the M-step raises: the expected log-likelihood of the groups and the prior.
fn objective(
    prior: &Prior,
    shifts: &Mat<f64>,
    groups: &[Moments],
    means: &Mat<f64>,
    covariances: &Covariances,
) -> f64 {
    let term = |(k, m): (usize, &Moments)| {
        let (log_determinant, precision) = inverse(covariances, k);
        let off = |j: usize| shifts[(k, j)] + m.mean[j] - means[(k, j)];
        let scatter = |i: usize, j: usize| scatter(m, i, j) + m.occupancy * off(i) * off(j);
        -0.5 * (m.occupancy * log_determinant + trace(&precision, scatter))
    };
    let likelihood: f64 = groups.iter().enumerate().map(term).sum();
    likelihood + log_prior(prior, means, covariances)
}

fn form() -> impl Strategy<Value = CovarianceType> {
    prop::sample::select(CovarianceType::ALL.to_vec())
}

proptest! {
    /// Both sides are sums of some tens of terms of matrices whose condition is below 1e3.
    #[test]
    fn the_density_is_its_formula(form in form(), k in 1usize..=4, d in 1usize..=4, seed in any::<u64>()) {
        let prior = prior(form, k, d);
        let (shifts, groups) = groups(form, k, d, seed);
        let end = maximize(form, &shifts, &groups, &Regularizer::None, None).unwrap();
        let expected = log_prior(&prior, &end.means, &end.covariances);
        let model = GaussianMixture::new(vec![1.0 / k as f64; k], end.means, end.covariances).unwrap();
        let found = prior.log_density(&model);
        prop_assert!((found - expected).abs() <= 1e-11 * (1.0 + expected.abs()), "{form}: {found} {expected}");
    }

    /// The M-step ends at the mode: neither other means nor other matrices of the form are better, for likelihood and prior together.
    #[test]
    fn no_neighbour_of_the_mode_is_better(form in form(), k in 1usize..=4, d in 1usize..=4, seed in any::<u64>()) {
        let prior = prior(form, k, d);
        let (shifts, moments) = groups(form, k, d, seed);
        let end = maximize(form, &shifts, &moments, &Regularizer::Prior(prior.clone()), None).unwrap();
        let best = objective(&prior, &shifts, &moments, &end.means, &end.covariances);
        let noise = 1e-10 * (1.0 + best.abs());
        let mut rng = data::generator(seed ^ 4);
        for _ in 0..4 {
            let means = Mat::from_fn(k, d, |k, j| end.means[(k, j)] + 1e-3 * (rng.random::<f64>() - 0.5));
            let other = objective(&prior, &shifts, &moments, &means, &end.covariances);
            prop_assert!(other <= best + noise, "{form}: {other} beside {best} for other means");
            // The matrices of the form that are nearest to the end with entries changed by a thousandth.
            let near: Vec<Moments> = (0..k).map(|k| {
                let mut m = Moments::zeros(form.structure(), d);
                let covariance = end.covariances.component(k);
                let is_diagonal = m.scatter.len() == d;
                let lower = (0..d).flat_map(|i| (0..=i).map(move |j| (i, j))).filter(|(i, j)| !is_diagonal || i == j);
                m.occupancy = moments[k].occupancy;
                for (s, (i, j)) in m.scatter.iter_mut().zip(lower) {
                    let size = (covariance[(i, i)] * covariance[(j, j)]).sqrt();
                    *s = m.occupancy * (covariance[(i, j)] + 1e-3 * size * (rng.random::<f64>() - 0.5));
                }
                m
            }).collect();
            let neighbour = forms::m_step(form, &near, &Regularizer::None, Some(&end.covariances)).covariances;
            let other = objective(&prior, &shifts, &moments, &end.means, &neighbour);
            prop_assert!(other <= best + noise, "{form}: {other} beside {best} for other matrices");
        }
    }
}

/// The modes of Fraley and Raftery (2007), tables 1 and 2, in their words: with
/// Sₖ = Wₖ + κ nₖ / (κ + nₖ) (x̄ₖ - μ₀)(x̄ₖ - μ₀)', the mean is (nₖ x̄ₖ + κ μ₀) / (κ + nₖ) and the covariance
/// (Λ + Sₖ) / (ν + D + nₖ + 2) for VVV, (ς² + diag Sₖ) / (ν + nₖ + 3) for VVI, (ς² + tr Sₖ) / (ν + (nₖ + 1) D + 2) for VII;
/// (Λ + S) / (ν + D + n + G + 1), (ς² + diag S) / (ν + n + G + 2), (ς² + tr S) / (ν + (n + G) D + 2) for EEE, EEI, EII, S and n sums over G groups.
#[test]
fn modes_are_those_of_the_paper() {
    let (n_groups, d) = (3, 2);
    let (nu, d_real, g) = (DEGREES_OF_FREEDOM, d as f64, n_groups as f64);
    for form in [
        CovarianceType::Full,
        CovarianceType::Diag,
        CovarianceType::Spherical,
        CovarianceType::Tied,
        CovarianceType::Eei,
        CovarianceType::Eii,
    ] {
        let prior = prior(form, n_groups, d);
        let (shifts, moments) = groups(form, n_groups, d, 5);
        let end = maximize(
            form,
            &shifts,
            &moments,
            &Regularizer::Prior(prior.clone()),
            None,
        )
        .unwrap();
        let total: f64 = moments.iter().map(|m| m.occupancy).sum();
        let shrunk = |k: usize, i: usize, j: usize| {
            let (m, n) = (&moments[k], moments[k].occupancy);
            let off = |j: usize| shifts[(k, j)] + m.mean[j] - prior.mean[j];
            scatter(m, i, j) + SHRINKAGE * n / (SHRINKAGE + n) * off(i) * off(j)
        };
        for (k, m) in moments.iter().enumerate() {
            let n = m.occupancy;
            for j in 0..d {
                let mean = (n * (shifts[(k, j)] + m.mean[j]) + SHRINKAGE * prior.mean[j])
                    / (SHRINKAGE + n);
                assert!((end.means[(k, j)] - mean).abs() <= 1e-14 * (1.0 + mean.abs()));
            }
            let sum = |i: usize, j: usize| {
                if form.is_shared() {
                    (0..n_groups).map(|k| shrunk(k, i, j)).sum()
                } else {
                    shrunk(k, i, j)
                }
            };
            for i in 0..d {
                for j in 0..d {
                    let in_coordinates = |count: f64| {
                        if i == j {
                            (prior.scale[i] + sum(i, i)) / count
                        } else {
                            0.0
                        }
                    };
                    let one = |count: f64| {
                        let trace: f64 = (0..d).map(|i| sum(i, i)).sum();
                        if i == j {
                            (prior.scale[0] + trace) / count
                        } else {
                            0.0
                        }
                    };
                    let dense = |count: f64| (prior.scale[i * d + j] + sum(i, j)) / count;
                    let expected = match form {
                        CovarianceType::Full => dense(nu + d_real + n + 2.0),
                        CovarianceType::Tied => dense(nu + d_real + total + g + 1.0),
                        CovarianceType::Diag => in_coordinates(nu + n + 3.0),
                        CovarianceType::Eei => in_coordinates(nu + total + g + 2.0),
                        CovarianceType::Spherical => one(nu + (n + 1.0) * d_real + 2.0),
                        _ => one(nu + (total + g) * d_real + 2.0),
                    };
                    let found = end.covariances.component(k)[(i, j)];
                    // Ten operations of half an ε each, on both sides.
                    let tolerance = 10.0 * f64::EPSILON * (1.0 + expected.abs());
                    assert!(
                        (found - expected).abs() <= tolerance,
                        "{form}: {found} {expected}"
                    );
                }
            }
        }
    }
}

/// What the paper has no prior for is as in mclust.
#[test]
fn forms_without_a_prior_in_the_paper_count_as_in_mclust() {
    let count = |form: CovarianceType| prior(form, 5, 4).count;
    assert_eq!(count(CovarianceType::Vei), (DEGREES_OF_FREEDOM + 3.0) / 4.0);
    assert_eq!(count(CovarianceType::Vev), 0.0);
}

/// Σ = (W + Ψ) / (N + 1), and means are those of the rows.
#[test]
fn a_pseudo_observation_is_one_row_of_the_given_scale() {
    let d = 3;
    let scale = [0.5, 2.0, 3.0];
    for form in [
        CovarianceType::Full,
        CovarianceType::Diag,
        CovarianceType::Spherical,
    ] {
        let (shifts, moments) = groups(form, 2, d, 9);
        let regularizer = Regularizer::Prior(Prior::pseudo_observation(form, &scale));
        let end = maximize(form, &shifts, &moments, &regularizer, None).unwrap();
        for (k, m) in moments.iter().enumerate() {
            for i in 0..d {
                let mean = shifts[(k, i)] + m.mean[i];
                assert!((end.means[(k, i)] - mean).abs() <= 4.0 * f64::EPSILON);
                for j in 0..d {
                    let own = |i: usize, j: usize| {
                        let extra = if i == j { scale[i] } else { 0.0 };
                        (scatter(m, i, j) + extra) / (m.occupancy + 1.0)
                    };
                    let expected = match (form, i == j) {
                        (CovarianceType::Spherical, true) => {
                            (0..d).map(|i| own(i, i)).sum::<f64>() / d as f64
                        }
                        _ => own(i, j),
                    };
                    let found = end.covariances.component(k)[(i, j)];
                    assert!(
                        (found - expected).abs() <= 10.0 * f64::EPSILON * (1.0 + expected.abs())
                    );
                }
            }
        }
    }
}
