//! The one error type of this crate.

/// Why a search, or an account of how sure its result is, could not be done.
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
    /// Fewer than two replicates of a bootstrap came to an end, or none of a test.
    #[error(
        "only {n_done} replicates could be used and {n_failed} failed; ask for more, use fewer components, or let the sample weights sum to the number of rows"
    )]
    TooFewReplicates {
        /// Replicates that can be used.
        n_done: usize,
        /// Replicates that failed.
        n_failed: usize,
    },
    /// There are more replicates or starts than results that memory holds.
    #[error("the results of {n} replicates or starts do not fit into memory; ask for fewer")]
    TooMany {
        /// How many were asked for.
        n: usize,
    },
    /// The probability of an interval or a test is not between 0 and 1.
    #[error("the level is {value}; it must be above 0 and below 1, such as 0.95 for intervals")]
    Level {
        /// The level that was given.
        value: f64,
    },
    /// A test needs a likelihood, and a component at the variance floor leaves none.
    #[error(
        "the fit of {n_components} components has one at the variance floor, so that its likelihood says nothing; use a simpler covariance form, fewer components or more starts"
    )]
    Singular {
        /// Components that were asked for.
        n_components: usize,
    },
    /// Folds need at least two parts, and a row or a group for each.
    #[error(
        "{found} folds of {n_units} rows or groups; ask for at least 2 and at most one for each"
    )]
    Folds {
        /// Folds that were asked for.
        found: usize,
        /// Rows, or groups of rows.
        n_units: usize,
    },
    /// The folds are those of another table.
    #[error(
        "the folds are of {found} rows, the data have {expected}; make the folds for these data"
    )]
    FoldRows {
        /// Rows of the folds.
        found: usize,
        /// Rows of the data.
        expected: usize,
    },
    /// A name that is no criterion.
    #[error(
        "unknown criterion; known are bic, aic, aicc, caic, sabic, icl-entropy, icl-classification, nec and cv"
    )]
    UnknownCriterion,
}

impl From<gmm_core::Error> for Error {
    fn from(error: gmm_core::Error) -> Self {
        Self::Fit(error.into())
    }
}

/// Refuses more results than memory holds, before the first is computed: some 500 bytes each, what they point to apart.
pub(crate) fn check_count(n: usize) -> Result<(), Error> {
    let room = Vec::<[u64; 64]>::new().try_reserve_exact(n);
    room.map_err(|_| Error::TooMany { n })
}
