//! How well a mixture predicts rows that it has not seen.

use std::ops::ControlFlow;

use gmm_core::block::Block;
use gmm_core::{CompensatedSum, GaussianMixture, Samples, Scratch};
use gmm_em::{Em, derived_seed};
use rayon::prelude::*;

use crate::rows::{Gather, gather};
use crate::{Error, Folds, MultiStart, Starts};

/// The log-likelihood of held-out rows.
///
/// With m_f = Σᵢ wᵢ log p_f(xᵢ) / W_f over the rows i of fold f, whose weights sum to W_f, and p_f the mixture fitted to the other folds
/// (Stone 1974; for mixtures Smyth 2000), the estimate of the mean log-density of a new row is Σ_f W_f m_f / W, and its standard error the
/// root of V / (V - 1) Σ_f (W_f / W)² (m_f - mean)², which is s / √V for V folds of one size. Rows of one fold share their mixture, and with groups
/// they are not independent: folds are what is nearly so.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CrossValidation {
    /// Mean log-density of a held-out row in nats: higher is better. NaN where no fold could be fitted.
    pub mean: f64,
    /// Its standard error over the folds; NaN for fewer than two.
    pub standard_error: f64,
    /// The outcome of each fold with rows of positive weight.
    pub folds: Vec<FoldOutcome>,
}

/// A fold that was held out.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FoldOutcome {
    /// Σᵢ wᵢ of its rows.
    pub weight: f64,
    /// Mean log-density of its rows under the mixture of the others, or why that could not be fitted.
    pub mean_log_likelihood: Result<f64, Error>,
    /// Whether that mixture has a component at the variance floor.
    pub is_singular: bool,
}

impl CrossValidation {
    pub(crate) fn new(folds: Vec<FoldOutcome>) -> Self {
        let done = || {
            let means = folds.iter().map(|f| (f.weight, &f.mean_log_likelihood));
            means.filter_map(|(weight, mean)| mean.as_ref().ok().map(|m| (weight, *m)))
        };
        let total: f64 = done().map(|(weight, _)| weight).sum();
        let mean = done().map(|(weight, m)| weight / total * m).sum::<f64>();
        let n = done().count() as f64;
        let squares: f64 = done()
            .map(|(weight, m)| (weight / total * (m - mean)).powi(2))
            .sum();
        Self {
            mean: if n > 0.0 { mean } else { f64::NAN },
            standard_error: if n > 1.0 {
                (squares * n / (n - 1.0)).sqrt()
            } else {
                f64::NAN
            },
            folds,
        }
    }

    /// Folds whose mixture could not be fitted: with some, the mean is of other rows than that of a rival.
    pub fn n_failed(&self) -> usize {
        let is_failed = |f: &&FoldOutcome| f.mean_log_likelihood.is_err();
        self.folds.iter().filter(is_failed).count()
    }
}

/// Cross-validates a fit: each fold is held out once, and the others are fitted from so many starts. All folds run in parallel.
///
/// ```
/// use gmm_core::faer::Mat;
/// use gmm_em::Em;
/// use gmm_select::{Folds, cross_validate};
///
/// let x = Mat::from_fn(60, 1, |i, _| (i % 2) as f64 * 9.0 + (i as f64 * 0.7).sin());
/// let folds = Folds::of_rows_at_random(60, 5, 1)?;
/// let [one, two] = [1, 2].map(|k| cross_validate(&Em::new(k), 2, &x, &folds));
/// assert!(two?.mean > one?.mean + 0.5);
/// # Ok::<(), gmm_select::Error>(())
/// ```
///
/// # Errors
/// [`Error::NoCandidates`] for zero starts, [`Error::FoldRows`] for folds of another table, and those of bad data. A fold that can't be
/// fitted is an outcome.
pub fn cross_validate<'a>(
    em: &Em,
    n_starts: usize,
    x: impl Into<Samples<'a>>,
    folds: &Folds,
) -> Result<CrossValidation, Error> {
    cross_validate_watched(em, n_starts, x, folds, &|| ControlFlow::Continue(()))
}

/// [`cross_validate`] under the eyes of a watcher, which is asked at each iteration of each fit and may stop them: then
/// [`gmm_em::Error::Interrupted`].
///
/// # Errors
/// As [`cross_validate`].
pub fn cross_validate_watched<'a>(
    em: &Em,
    n_starts: usize,
    x: impl Into<Samples<'a>>,
    folds: &Folds,
    watcher: &(dyn Fn() -> ControlFlow<()> + Sync),
) -> Result<CrossValidation, Error> {
    let x = x.into();
    if n_starts == 0 {
        return Err(Error::NoCandidates);
    }
    x.total_weight()?;
    folds.check(x.n_samples())?;
    let hold_out = |fold: usize| {
        let held_out = HeldOut::new(&x, folds, fold)?;
        let em = em.clone().seed(derived_seed(em.base_seed(), fold as u64));
        let others = x.with_weights(&held_out.others);
        let starts = MultiStart::new(em, n_starts).run_watched(others, &|_, _| watcher());
        Some(held_out.outcome(&x, starts))
    };
    let outcomes: Vec<Option<FoldOutcome>> =
        (0..folds.n_folds()).into_par_iter().map(hold_out).collect();
    if watcher().is_break() {
        return Err(gmm_em::Error::Interrupted.into());
    }
    Ok(CrossValidation::new(
        outcomes.into_iter().flatten().collect(),
    ))
}

/// One fold and the others, by their weights: rows that are left out have weight 0, so that nothing is copied.
pub(crate) struct HeldOut {
    /// The weights of the rows that are seen.
    pub(crate) others: Vec<f64>,
    held_out: Vec<f64>,
    /// The sum of the weights that are held out.
    weight: f64,
}

impl HeldOut {
    /// `None` where the fold has no weight.
    pub(crate) fn new(x: &Samples<'_>, folds: &Folds, fold: usize) -> Option<Self> {
        let weights = |is_taken: &dyn Fn(usize) -> bool| -> Vec<f64> {
            let rows = folds.of_rows().iter().enumerate();
            rows.map(|(row, f)| if is_taken(*f) { x.weight(row) } else { 0.0 })
                .collect()
        };
        let held_out = weights(&|f| f == fold);
        let weight: f64 = held_out.iter().sum();
        (weight > 0.0).then(|| Self {
            others: weights(&|f| f != fold),
            held_out,
            weight,
        })
    }

    /// What the best fit of the others says of the fold.
    pub(crate) fn outcome(&self, x: &Samples<'_>, starts: Result<Starts, Error>) -> FoldOutcome {
        let is_singular = starts
            .as_ref()
            .is_ok_and(|s| s.best().report().n_singular > 0);
        let mean = starts.and_then(|starts| {
            let rows = x.with_weights(&self.held_out);
            Ok(log_likelihood(starts.best().model(), &rows)? / self.weight)
        });
        FoldOutcome {
            weight: self.weight,
            mean_log_likelihood: mean,
            is_singular,
        }
    }
}

/// Σᵢ wᵢ log p(xᵢ).
fn log_likelihood(model: &GaussianMixture, x: &Samples<'_>) -> Result<f64, gmm_core::Error> {
    Ok(gather(model, x, LogLikelihood::default)?.0.value())
}

#[derive(Default)]
struct LogLikelihood(CompensatedSum);

impl Gather for LogLikelihood {
    fn add(&mut self, block: &Block, scratch: &Scratch) {
        self.0.add_weighted(block.weights(), &scratch.log_density);
    }

    fn merge(&mut self, later: &Self) {
        self.0.merge(&later.0);
    }
}

/// Among candidates as (free parameters, cross-validation) the simplest one whose mean is within one standard error of the best mean (Breiman,
/// Friedman, Olshen and Stone 1984): its place in the list. Candidates with failed folds are left out; `None` if none is left.
pub fn one_standard_error_rule(candidates: &[(usize, &CrossValidation)]) -> Option<usize> {
    let usable = || {
        let all = candidates.iter().enumerate();
        all.filter(|(_, (_, c))| c.n_failed() == 0 && !c.mean.is_nan())
    };
    let (_, (_, best)) = usable().max_by(|a, b| a.1.1.mean.total_cmp(&b.1.1.mean))?;
    // A standard error that isn't known allows nothing but the best itself.
    let allowed = if best.standard_error.is_finite() {
        best.mean - best.standard_error
    } else {
        best.mean
    };
    usable()
        .filter(|(_, (_, c))| c.mean >= allowed)
        .min_by(|(_, a), (_, b)| (a.0.cmp(&b.0)).then(b.1.mean.total_cmp(&a.1.mean)))
        .map(|(place, _)| place)
}
