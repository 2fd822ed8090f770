//! What the criteria need to know of a mixture on data.

use gmm_core::block::{BLOCK_ROWS, Block};
use gmm_core::kernels::entropies;
use gmm_core::{CompensatedSum, GaussianMixture, Samples, Scratch};
use gmm_em::Fit;

use crate::CrossValidation;
use crate::rows::{Gather, gather};

/// All that the criteria need to know of a mixture on data.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Scores {
    /// Σᵢ wᵢ log p(xᵢ) in nats.
    pub log_likelihood: f64,
    /// Free parameters of the mixture.
    pub n_free_parameters: usize,
    /// Σᵢ wᵢ.
    pub total_weight: f64,
    /// -Σᵢₖ wᵢ rᵢₖ ln rᵢₖ ≥ 0: how soft the clustering is.
    pub entropy: f64,
    /// -Σᵢ wᵢ ln maxₖ rᵢₖ ≥ 0.
    pub classification_loss: f64,
    /// The normalized entropy criterion, where one component was fitted too ([`Scores::with_one_component`]).
    pub normalized_entropy: Option<f64>,
    /// Mean log-density in nats of rows that were held out of the fit, where there were such ([`Scores::with_held_out`]).
    pub held_out: Option<f64>,
}

impl Scores {
    /// Scores a mixture on data.
    ///
    /// # Errors
    /// Those of [`GaussianMixture::log_likelihood`]. Nothing is kept per row.
    pub fn new<'a>(
        model: &GaussianMixture,
        x: impl Into<Samples<'a>>,
    ) -> Result<Self, gmm_core::Error> {
        let x = x.into();
        let sums = gather(model, &x, Sums::default)?;
        Ok(Self {
            log_likelihood: sums.log_likelihood.value(),
            n_free_parameters: model.n_free_parameters(),
            total_weight: x.total_weight()?,
            entropy: sums.entropy.value(),
            classification_loss: sums.loss.value(),
            normalized_entropy: None,
            held_out: None,
        })
    }

    /// What a fit knows of its mixture on its data: all but how soft the clustering is, which is NaN.
    pub(crate) fn of_likelihood(fit: &Fit) -> Self {
        Self {
            log_likelihood: fit.report().log_likelihood,
            n_free_parameters: fit.model().n_free_parameters(),
            total_weight: fit.report().total_weight,
            entropy: f64::NAN,
            classification_loss: f64::NAN,
            normalized_entropy: None,
            held_out: None,
        }
    }

    /// These scores with the normalized entropy criterion NEC = E_K / (log L_K - log L_1), lower is better: the entropy of the responsibilities
    /// in units of what K components gained over one (Celeux and Soromenho 1996).
    ///
    /// One component has 0 / 0, for which 1 is taken: K components are better than one where their NEC is below 1 (Biernacki, Celeux and
    /// Govaert 1999). Of unlike covariance forms it compares the numbers of components, not the forms. +inf where K components gained nothing.
    ///
    /// `of_one` are the scores of one component on the same rows, of the same form.
    #[must_use]
    pub fn with_one_component(self, of_one: &Self) -> Self {
        let gain = self.log_likelihood - of_one.log_likelihood;
        let value = if self.n_free_parameters == of_one.n_free_parameters {
            1.0
        } else if gain > 0.0 {
            self.entropy / gain
        } else {
            f64::INFINITY
        };
        Self {
            normalized_entropy: Some(value),
            ..self
        }
    }

    /// These scores with what the rows say that were held out. Nothing, where some folds could not be fitted: the mean is of other rows then
    /// than that of a rival.
    #[must_use]
    pub fn with_held_out(self, found: &CrossValidation) -> Self {
        let is_whole = found.n_failed() == 0 && !found.mean.is_nan();
        Self {
            held_out: is_whole.then_some(found.mean),
            ..self
        }
    }
}

#[derive(Default)]
struct Sums {
    log_likelihood: CompensatedSum,
    entropy: CompensatedSum,
    loss: CompensatedSum,
}

impl Gather for Sums {
    /// Rows of weight 0 count as left out, also where their density is 0.
    fn add(&mut self, block: &Block, scratch: &Scratch) {
        let (mut entropy, mut loss) = ([0.0; BLOCK_ROWS], [0.0; BLOCK_ROWS]);
        entropies(&scratch.joint, &mut entropy, &mut loss);
        let weights = block.weights();
        self.log_likelihood
            .add_weighted(weights, &scratch.log_density);
        self.entropy.add_weighted(weights, &entropy);
        self.loss.add_weighted(weights, &loss);
    }

    fn merge(&mut self, other: &Self) {
        self.log_likelihood.merge(&other.log_likelihood);
        self.entropy.merge(&other.entropy);
        self.loss.merge(&other.loss);
    }
}
