//! Information criteria: how a likelihood is weighed against the number of parameters. Lower is better, for all of them.

use std::fmt;
use std::str::FromStr;

use crate::Scores;

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
/// | [`Nec`](Self::Nec) | Σᵢₖ -wᵢ rᵢₖ ln rᵢₖ / (logL - logL of one component) (Celeux and Soromenho 1996) | how many groups a form tells apart; 1 for one component |
/// | [`CrossValidation`](Self::CrossValidation) | -2 n m, with m the mean log-density of held-out rows (Stone 1974; Smyth 2000) | which model predicts best, without a theory |
///
/// The last two need more than the mixture and the data: one component as well, and fits that didn't see all rows. A
/// [`Search`](crate::Search) sees to that; elsewhere their value is NaN until [`Scores::with_one_component`] and
/// [`Scores::with_held_out`] have said it.
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
    /// Normalized entropy criterion.
    Nec,
    /// Log-likelihood of rows that were held out.
    CrossValidation,
}

impl Criterion {
    /// All criteria.
    pub const ALL: [Self; 9] = [
        Self::Bic,
        Self::Aic,
        Self::Aicc,
        Self::Caic,
        Self::Sabic,
        Self::IclEntropy,
        Self::IclClassification,
        Self::Nec,
        Self::CrossValidation,
    ];

    /// The name: "bic", "aic", "aicc", "caic", "sabic", "icl-entropy", "icl-classification", "nec", "cv".
    pub fn name(self) -> &'static str {
        match self {
            Self::Bic => "bic",
            Self::Aic => "aic",
            Self::Aicc => "aicc",
            Self::Caic => "caic",
            Self::Sabic => "sabic",
            Self::IclEntropy => "icl-entropy",
            Self::IclClassification => "icl-classification",
            Self::Nec => "nec",
            Self::CrossValidation => "cv",
        }
    }

    /// Whether the number of rows is part of the formula.
    pub fn uses_n(self) -> bool {
        !matches!(self, Self::Aic | Self::Nec | Self::CrossValidation)
    }

    /// Whether it asks how soft the clustering is, not for the likelihood alone.
    pub(crate) fn is_of_responsibilities(self) -> bool {
        matches!(self, Self::IclEntropy | Self::IclClassification)
    }

    /// Whether it is a penalized deviance, on the scale of -2 logL: then a difference of 2 is small whatever the data.
    pub fn is_penalized_deviance(self) -> bool {
        !matches!(self, Self::Nec | Self::CrossValidation)
    }

    /// A value or a difference of values as a table shows it: two decimals, since less than 0.01 nats mean nothing; NEC, which has no unit and is
    /// near 0 for clear groups, with two digits at least.
    pub fn text(self, value: f64) -> String {
        match self {
            Self::Nec if value > 0.0 && value < 1e-3 => format!("{value:.1e}"),
            Self::Nec => format!("{value:.4}"),
            _ if value.abs() < 1e12 => format!("{value:.2}"),
            _ => format!("{value:.6e}"),
        }
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
            Self::Nec => scores.normalized_entropy.unwrap_or(f64::NAN),
            Self::CrossValidation => scores.held_out.map_or(f64::NAN, |mean| -2.0 * n * mean),
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
            Self::Nec => "NEC",
            Self::CrossValidation => "CV",
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
