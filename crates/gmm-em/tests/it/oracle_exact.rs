//! Against exact references: one EM step from parameters and from responsibilities in 2400-bit arithmetic, and
//! maximum-likelihood fits of real data to 20 digits.

use gmm_core::faer::Mat;
use gmm_core::{GaussianMixture, Samples};
use gmm_em::{Error, Regularization, Start, SufficientStatistics};
use gmm_testkit::naive::variances;
use gmm_testkit::oracle::{self, Case, Computed, Update, certified, exact};

use crate::{form_of, matrix, mixture_of, tight};

/// The inputs of a case as a caller has them: f32 cases as f32.
struct Inputs {
    f64: Mat<f64>,
    f32: Option<Mat<f32>>,
}

impl Inputs {
    fn new(case: &Case) -> Self {
        let f64 = matrix(&case.x);
        let f32 = case
            .is_f32
            .then(|| Mat::from_fn(f64.nrows(), f64.ncols(), |i, j| f64[(i, j)] as f32));
        Self { f64, f32 }
    }

    fn samples<'a>(&'a self, case: &'a Case) -> Samples<'a> {
        let x = self
            .f32
            .as_ref()
            .map_or(Samples::from(&self.f64), Samples::from);
        case.sample_weights
            .as_ref()
            .map_or(x, |w| x.with_weights(w))
    }
}

fn update(statistics: &SufficientStatistics, expected: &Update, case: &Case) -> Option<Update> {
    let is_finite = expected
        .covariances
        .iter()
        .flatten()
        .flatten()
        .all(|v| v.is_finite());
    let occupancy = statistics.occupancy();
    let total: f64 = occupancy.iter().sum();
    // Components without rows have no moments: a clear error, as the oracle's readme allows.
    let estimate = match statistics.estimate(Regularization::None) {
        Ok(estimate) => estimate,
        Err(Error::Empty { occupancy, .. }) => {
            assert!(occupancy < 1e-290, "{}", case.id);
            return None;
        }
        // A covariance of 1e400 is none that a double could hold.
        Err(Error::Data(gmm_core::Error::CovarianceEntry { .. })) if !is_finite => return None,
        Err(error) => panic!("{}: {error}", case.id),
    };
    Some(Update {
        weights: occupancy.iter().map(|n| n / total).collect(),
        occupancy,
        means: Some(gmm_testkit::rows(estimate.means.as_ref())),
        covariances: Some(estimate.covariances.blocks().to_vec()),
        log_likelihood_after: None,
    })
}

#[test]
fn one_step_passes_the_rule_on_every_case() {
    let Some(folder) = oracle::shared_oracle("exact") else {
        return;
    };
    let cases = exact(&folder.join("public.json"));
    assert_eq!(cases.len(), 76);
    // A log-likelihood, and four outputs of each of two steps; two long cases have no second step, and two that have a component without
    // occupancy no first one.
    let (n_scores, worst) = passes(&cases);
    assert_eq!(n_scores, 76 * 9 - 2 * 4 - 2 * 4);
    eprintln!("exact EM steps: {n_scores} outputs, the worst at {worst:.2} of what is allowed");
}

#[test]
fn one_step_passes_the_rule_on_more_cases() {
    let cases = oracle::more_exact();
    assert_eq!(cases.len(), 171);
    // 12 have a component without occupancy, four an outlier that no covariance could hold, one is long.
    let (n_scores, worst) = passes(&cases);
    assert_eq!(n_scores, 171 * 9 - 12 * 4 - 4 * 2 * 4 - 4);
    eprintln!("exact EM steps: {n_scores} outputs, the worst at {worst:.2} of what is allowed");
}

/// Fails with a list of what is off by more than the rule allows; else the number of outputs and the worst of them.
fn passes(cases: &[Case]) -> (usize, f64) {
    let (mut n_scores, mut worst) = (0, 0.0f64);
    let mut failed = Vec::new();
    for case in cases {
        let inputs = Inputs::new(case);
        let x = inputs.samples(case);
        let model: GaussianMixture = mixture_of(&case.mixture()).unwrap();
        let mut statistics = SufficientStatistics::zeros(&model);
        statistics.observe(&model, x).unwrap();
        let m_step = case.m_step.as_ref().and_then(|(r, expected)| {
            let form = form_of(case.form);
            update(
                &SufficientStatistics::from_responsibilities(x, form, matrix(r).as_ref()).unwrap(),
                expected,
                case,
            )
        });
        let computed = Computed {
            log_likelihood: Some(statistics.log_likelihood()),
            em: update(&statistics, &case.expected.em, case),
            m_step,
            ..Computed::default()
        };
        for score in case.scores(&computed) {
            n_scores += 1;
            let (ours, exact) = match score.output {
                "em.covariances" => (computed.em.as_ref(), Some(&case.expected.em)),
                "mstep.covariances" => {
                    (computed.m_step.as_ref(), case.m_step.as_ref().map(|m| &m.1))
                }
                _ => (None, None),
            };
            if let Some((ours, exact)) = ours.zip(exact)
                && let Some(excess) = zero_variances(case, ours, exact)
            {
                assert!(excess <= 1.0, "{}: {excess} instead of 0", score.id);
                continue;
            }
            if !score.passes_widened() {
                failed.push(score.to_string());
            }
            worst = worst.max(score.error / score.tolerance_widened);
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    (n_scores, worst)
}

/// Of a variance of 0 no relative error can be asked: where the exact step has one, the largest of ours in units of what rounding the
/// rows leaves, (8 ε max |x|)²: a mean of equal numbers is off by some units in the last place, and squared differences from it remain.
fn zero_variances(case: &Case, ours: &Update, exact: &Update) -> Option<f64> {
    let (k, d) = (case.means.len(), case.means[0].len());
    let of = |update: &Update| variances(case.form, update.covariances.as_ref().unwrap(), k, d);
    let (ours, exact) = (of(ours), of(exact));
    let size = case.x.iter().flatten().fold(0.0f64, |m, v| m.max(v.abs()));
    let pairs = ours.iter().flatten().zip(exact.iter().flatten());
    pairs
        .filter(|(_, exact)| **exact == 0.0)
        .map(|(ours, _)| ours.sqrt() / (8.0 * f64::EPSILON * size))
        .reduce(f64::max)
}

/// Certified maximum-likelihood fits: log-likelihood to 13 digits, parameters to 10.
#[test]
fn certified_fits_are_reached() {
    let (Some(folder), Some(mclust)) = (
        oracle::shared_oracle("exact"),
        oracle::shared_oracle("mclust"),
    ) else {
        return;
    };
    let mut worst = (0.0f64, 0.0f64);
    let fits = certified(&folder.join("certified_mle.json"));
    assert_eq!(fits.len(), 13);
    for fit in fits {
        let x = matrix(&fit.table(&mclust));
        let k = fit.weights.len();
        let em = tight(k, form_of(fit.form))
            .stopping(gmm_em::Stopping::RelativeChange(0.0))
            .max_iterations(3000);
        let ours = em.fit_from(&x, Start::Labels(&fit.start_labels)).unwrap();
        let relative = |a: f64, b: f64| (a - b).abs() / b.abs();
        let likelihood = relative(ours.report().log_likelihood, fit.log_likelihood);
        assert!(
            likelihood <= 1e-13,
            "{}: {}",
            fit.id,
            ours.report().log_likelihood
        );
        for (i, (a, b)) in ours
            .report()
            .trace
            .iter()
            .zip(&fit.first_log_likelihoods)
            .enumerate()
        {
            assert!(
                relative(*a, *b) <= 1e-13,
                "{}, iteration {}: {a} {b}",
                fit.id,
                i + 1
            );
        }
        let mut parameters = 0.0f64;
        for c in 0..k {
            parameters = parameters.max(relative(ours.model().weights()[c], fit.weights[c]));
            for (j, mean) in fit.means[c].iter().enumerate() {
                parameters = parameters.max(relative(ours.model().means()[(c, j)], *mean));
            }
        }
        for (block, expected) in ours
            .model()
            .covariances()
            .blocks()
            .iter()
            .zip(&fit.covariances)
        {
            let largest = expected.iter().fold(0.0f64, |m, v| m.max(v.abs()));
            for (a, b) in block.iter().zip(expected) {
                parameters = parameters.max((a - b).abs() / b.abs().max(1e-3 * largest));
            }
        }
        eprintln!(
            "{}: log-likelihood {likelihood:.1e}, parameters {parameters:.1e}",
            fit.id
        );
        worst = (worst.0.max(likelihood), worst.1.max(parameters));
    }
    eprintln!(
        "certified fits: log-likelihood {:.1e}, parameters {:.1e}",
        worst.0, worst.1
    );
    assert!(worst.1 <= 1e-10);
}
