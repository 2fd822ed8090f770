//! Information criteria: how a likelihood is weighed against the number of parameters. Lower is better, for all of them.

use std::fmt;
use std::str::FromStr;

use gmm_core::block::{BLOCK_ROWS, Block, Frame};
use gmm_core::{CompensatedSum, GaussianMixture, Samples, Scratch};
use rayon::prelude::*;

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
/// | [`Caic`](Self::Caic) | -2 logL + p (ln n + 1) (Bozdogan 1987) | as BIC, a little sparser |
/// | [`Sabic`](Self::Sabic) | -2 logL + p ln((n + 2) / 24) (Sclove 1987) | as BIC with few rows, where BIC keeps too few components |
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
    /// Consistent AIC.
    Caic,
    /// BIC adjusted for the number of rows.
    Sabic,
    /// Integrated completed likelihood with the entropy of the responsibilities.
    IclEntropy,
    /// Integrated completed likelihood with the hard classification.
    IclClassification,
}

impl Criterion {
    /// All criteria.
    pub const ALL: [Self; 7] = [
        Self::Bic,
        Self::Aic,
        Self::Aicc,
        Self::Caic,
        Self::Sabic,
        Self::IclEntropy,
        Self::IclClassification,
    ];

    /// The name: "bic", "aic", "aicc", "caic", "sabic", "icl-entropy", "icl-classification".
    pub fn name(self) -> &'static str {
        match self {
            Self::Bic => "bic",
            Self::Aic => "aic",
            Self::Aicc => "aicc",
            Self::Caic => "caic",
            Self::Sabic => "sabic",
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
            Self::Caic => bic + p,
            Self::Sabic => deviance + p * ((n + 2.0) / 24.0).ln(),
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
            Self::Caic => "CAIC",
            Self::Sabic => "SABIC",
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
    /// Those of [`GaussianMixture::log_likelihood`]. Nothing is kept per row.
    pub fn new<'a>(
        model: &GaussianMixture,
        x: impl Into<Samples<'a>>,
    ) -> Result<Self, gmm_core::Error> {
        let x = x.into();
        x.check_shape(model.n_features())?;
        if x.n_samples() == 0 {
            return Err(gmm_core::Error::NoSamples);
        }
        let total_weight = x.total_weight()?;
        // In parallel, added up in the order of the rows.
        let parts: Vec<Sums> = (0..Block::count(x.n_samples()).div_ceil(LEAF_BLOCKS))
            .into_par_iter()
            .map(|leaf| Sums::of_leaf(model, &x, leaf))
            .collect::<Result<_, _>>()?;
        let mut sums = Sums::default();
        parts.iter().for_each(|part| sums.merge(part));
        Ok(Self {
            log_likelihood: sums.log_likelihood.value(),
            n_free_parameters: model.n_free_parameters(),
            total_weight,
            entropy: sums.entropy.value(),
            classification_loss: sums.loss.value(),
        })
    }
}

/// Blocks that one task scores.
const LEAF_BLOCKS: usize = 16;

#[derive(Default)]
struct Sums {
    log_likelihood: CompensatedSum,
    entropy: CompensatedSum,
    loss: CompensatedSum,
}

impl Sums {
    fn of_leaf(
        model: &GaussianMixture,
        x: &Samples<'_>,
        leaf: usize,
    ) -> Result<Self, gmm_core::Error> {
        let first = leaf * LEAF_BLOCKS;
        let end = Block::count(x.n_samples()).min(first + LEAF_BLOCKS);
        let frame = Frame::identity(model.n_features());
        let (mut block, mut scratch) = (Block::new(model.n_features()), Scratch::new(model));
        let mut sums = Self::default();
        for index in first..end {
            block.fill(x, index, &frame)?;
            model.responsibilities_of_block(&block, &mut scratch);
            sums.add_block(&block, &scratch);
        }
        Ok(sums)
    }

    /// Rows of weight 0 count as left out, also where their density is 0.
    fn add_block(&mut self, block: &Block, scratch: &Scratch) {
        for i in (0..block.len()).filter(|&i| block.weights()[i] > 0.0) {
            let w = block.weights()[i];
            let shares = || scratch.joint[i..].iter().step_by(BLOCK_ROWS);
            let entropy: f64 = shares().filter(|r| **r > 0.0).map(|r| r * r.ln()).sum();
            let largest = shares().copied().fold(0.0, f64::max);
            self.log_likelihood.add(w * scratch.log_density[i]);
            self.entropy.add(-w * entropy);
            self.loss.add(-w * largest.ln());
        }
    }

    fn merge(&mut self, other: &Self) {
        self.log_likelihood.merge(&other.log_likelihood);
        self.entropy.merge(&other.entropy);
        self.loss.merge(&other.loss);
    }
}
