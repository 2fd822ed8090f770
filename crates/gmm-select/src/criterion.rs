//! Information criteria: how a likelihood is weighed against the number of parameters. Lower is better, for all of them.

use std::fmt;
use std::str::FromStr;

use gmm_core::{CompensatedSum, GaussianMixture, Samples};

/// How fitted mixtures are compared; lower is better (mclust prints BIC and ICL with the opposite sign).
///
/// With logL the total log-likelihood in nats, p the number of free parameters and n the total weight (the number of rows
/// where there are no weights; weights should sum to the number of independent observations, since weights normalized to a sum of
/// 1 leave no penalty for parameters):
///
/// | criterion | formula | answers |
/// |---|---|---|
/// | [`Bic`](Self::Bic) | -2 logL + p ln n (Schwarz 1978) | which model is true: consistent for the number of components |
/// | [`Aic`](Self::Aic) | -2 logL + 2 p (Akaike 1974) | which model predicts best; keeps too many components |
/// | [`Aicc`](Self::Aicc) | AIC + 2 p (p + 1) / (n - p - 1) (Hurvich and Tsai 1989) | the same with few rows; +inf for n ≤ p + 1 |
/// | [`IclEntropy`](Self::IclEntropy) | BIC - 2 Σᵢₖ wᵢ rᵢₖ ln rᵢₖ (Biernacki, Celeux and Govaert 2000, soft) | how many well separated groups |
/// | [`IclClassification`](Self::IclClassification) | BIC - 2 Σᵢ wᵢ ln maxₖ rᵢₖ (the same, hard; mclust's ICL) | the same |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Criterion {
    /// Bayesian information criterion.
    #[default]
    Bic,
    /// Akaike's information criterion.
    Aic,
    /// AIC corrected for small samples.
    Aicc,
    /// Integrated completed likelihood with the entropy of the responsibilities.
    IclEntropy,
    /// Integrated completed likelihood with the hard classification.
    IclClassification,
}

impl Criterion {
    /// All criteria.
    pub const ALL: [Self; 5] = [
        Self::Bic,
        Self::Aic,
        Self::Aicc,
        Self::IclEntropy,
        Self::IclClassification,
    ];

    /// The name: "bic", "aic", "aicc", "icl-entropy", "icl-classification".
    pub fn name(self) -> &'static str {
        match self {
            Self::Bic => "bic",
            Self::Aic => "aic",
            Self::Aicc => "aicc",
            Self::IclEntropy => "icl-entropy",
            Self::IclClassification => "icl-classification",
        }
    }

    /// Whether the number of rows is part of the formula.
    pub fn uses_n(self) -> bool {
        self != Self::Aic
    }

    /// The value for a fitted mixture.
    pub fn value(self, scores: &Scores) -> f64 {
        let (p, n) = (scores.n_free_parameters as f64, scores.total_weight);
        let deviance = -2.0 * scores.log_likelihood;
        let bic = deviance + p * n.ln();
        match self {
            Self::Bic => bic,
            Self::Aic => deviance + 2.0 * p,
            Self::Aicc if n > p + 1.0 => deviance + 2.0 * p + 2.0 * p * (p + 1.0) / (n - p - 1.0),
            Self::Aicc => f64::INFINITY,
            Self::IclEntropy => bic + 2.0 * scores.entropy,
            Self::IclClassification => bic + 2.0 * scores.classification_loss,
        }
    }
}

impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Bic => "BIC",
            Self::Aic => "AIC",
            Self::Aicc => "AICc",
            Self::IclEntropy => "ICL (entropy)",
            Self::IclClassification => "ICL (classification)",
        })
    }
}

impl FromStr for Criterion {
    type Err = crate::Error;

    /// Reads a name, in any case.
    fn from_str(name: &str) -> Result<Self, crate::Error> {
        Self::ALL
            .into_iter()
            .find(|c| name.eq_ignore_ascii_case(c.name()))
            .ok_or(crate::Error::UnknownCriterion)
    }
}

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
}

impl Scores {
    /// Scores a mixture on data.
    ///
    /// # Errors
    /// Those of [`GaussianMixture::log_likelihood`] and [`GaussianMixture::responsibilities`].
    pub fn new<'a>(
        model: &GaussianMixture,
        x: impl Into<Samples<'a>>,
    ) -> Result<Self, gmm_core::Error> {
        let x = x.into();
        let log_likelihood = model.log_likelihood(x)?;
        let r = model.responsibilities(x)?;
        let (mut entropy, mut loss) = (CompensatedSum::default(), CompensatedSum::default());
        for i in 0..r.nrows() {
            let w = x.weights().map_or(1.0, |w| w[i]);
            let shares = || (0..r.ncols()).map(|k| r[(i, k)]);
            entropy.add(
                -w * shares()
                    .filter(|r| *r > 0.0)
                    .map(|r| r * r.ln())
                    .sum::<f64>(),
            );
            loss.add(-w * shares().fold(0.0, f64::max).ln());
        }
        Ok(Self {
            log_likelihood,
            n_free_parameters: model.n_free_parameters(),
            total_weight: x.total_weight()?,
            entropy: entropy.value(),
            classification_loss: loss.value(),
        })
    }
}
