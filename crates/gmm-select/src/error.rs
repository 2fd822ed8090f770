//! The one error type of this crate.

/// Why a search could not be done.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No candidate could be fitted; this is the first candidate's reason.
    #[error(transparent)]
    Fit(#[from] gmm_em::Error),
    /// There is nothing to search.
    #[error(
        "the search has no candidates; give at least one number of components, one covariance form and one start"
    )]
    NoCandidates,
    /// A name that is no criterion.
    #[error(
        "unknown criterion; known are bic, aic, aicc, caic, sabic, icl-entropy and icl-classification"
    )]
    UnknownCriterion,
}

impl From<gmm_core::Error> for Error {
    fn from(error: gmm_core::Error) -> Self {
        Self::Fit(error.into())
    }
}
