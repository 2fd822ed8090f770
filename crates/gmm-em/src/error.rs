//! The one error type of this crate.

/// Why a fit could not be done. Rows, features and components are counted from 0.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The data or the parameters were refused.
    #[error(transparent)]
    Data(#[from] gmm_core::Error),
    /// There are more components than rows (of positive weight).
    #[error("{found} rows for {n_components} components; give at least one row per component")]
    TooFewRows {
        /// Rows of positive weight.
        found: usize,
        /// Components that were asked for.
        n_components: usize,
    },
    /// There are fewer distinct rows than components, and the rescue policy is to fail.
    #[error("only {found} distinct rows for {n_components} components; use fewer components")]
    TooFewDistinctRows {
        /// Distinct rows that the start found.
        found: usize,
        /// Components that were asked for.
        n_components: usize,
    },
    /// A feature has the same value in every row, so that no density exists.
    #[error(
        "feature {feature} is constant ({}); leave that column out or use a ridge",
        shortest(*value)
    )]
    ConstantFeature {
        /// The feature.
        feature: usize,
        /// Its value.
        value: f64,
    },
    /// Next to the widest feature this one has no spread, under a form that measures all features in one unit.
    #[error(
        "the spread of feature {feature} is nothing next to that of feature {widest}, and {form} covariances measure all features in one unit; rescale the columns, or use a form with a unit for each (full, tied, diag)"
    )]
    NegligibleFeature {
        /// The feature.
        feature: usize,
        /// The feature of the largest variance.
        widest: usize,
        /// The form.
        form: gmm_core::CovarianceType,
    },
    /// A component lost its variance, and the rescue policy is to fail (or nothing can be rescued).
    #[error(
        "component {component} collapsed at iteration {iteration} (covariance pivot {pivot} is not positive); add regularization or use fewer components"
    )]
    Collapsed {
        /// The component.
        component: usize,
        /// M-steps done, this one included; 0 outside of a fit.
        iteration: usize,
        /// First feature without variance of its own.
        pivot: usize,
    },
    /// A component lost its rows, and the rescue policy is to fail (or nothing can be rescued).
    #[error(
        "component {component} is empty at iteration {iteration} (occupancy {occupancy:e}); use fewer components or another start"
    )]
    Empty {
        /// The component.
        component: usize,
        /// M-steps done, this one included; 0 outside of a fit.
        iteration: usize,
        /// What is left of it.
        occupancy: f64,
    },
    /// The watcher asked to stop before there was anything to return.
    #[error("interrupted before the first iteration; there is no model yet")]
    Interrupted,
    /// Zero components.
    #[error("the number of components is 0; ask for at least one")]
    NoComponents,
    /// A setting is out of its range.
    #[error("{name} is {value}; {expected}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What it must be, with a remedy.
        expected: &'static str,
    },
    /// A given start has not one label or row of responsibilities per row of data.
    #[error(
        "the start has {found} rows, the data {expected}; give one label or one row of responsibilities per row"
    )]
    StartRows {
        /// Rows of the start.
        found: usize,
        /// Rows of the data.
        expected: usize,
    },
    /// A given start has another number of components.
    #[error("the start has {found} components, the settings ask for {expected}; they must agree")]
    StartComponents {
        /// Components of the start.
        found: usize,
        /// Components of the settings.
        expected: usize,
    },
    /// A given mixture has another covariance form.
    #[error(
        "the start is a {found} mixture, the settings ask for {expected}; ask for the start's form, or start from its responsibilities"
    )]
    StartForm {
        /// Form of the start.
        found: gmm_core::CovarianceType,
        /// Form of the settings.
        expected: gmm_core::CovarianceType,
    },
    /// A label is not below the number of components.
    #[error(
        "row {row} of the start has label {label}, but there are {n_components} components; labels run from 0"
    )]
    StartLabel {
        /// The row.
        row: usize,
        /// Its label.
        label: usize,
        /// Number of components.
        n_components: usize,
    },
    /// A responsibility is negative or not finite, or a row's don't sum to 1.
    #[error(
        "the responsibilities of row {row} are not probabilities (component {component}: {value}, sum {sum}); they must not be negative and must sum to 1"
    )]
    StartResponsibilities {
        /// The row.
        row: usize,
        /// The first component that is off, or 0.
        component: usize,
        /// Its responsibility.
        value: f64,
        /// The row's sum.
        sum: f64,
    },
    /// Statistics of different shapes can't be merged or used with a model.
    #[error(
        "statistics of {found_components} components and {found_features} features ({found_form}) don't go with {expected_components} and {expected_features} ({expected_form}); gather both with the same model"
    )]
    StatisticsShape {
        /// Components of the one.
        found_components: usize,
        /// Features of the one.
        found_features: usize,
        /// Form of the one.
        found_form: gmm_core::CovarianceType,
        /// Components of the other.
        expected_components: usize,
        /// Features of the other.
        expected_features: usize,
        /// Form of the other.
        expected_form: gmm_core::CovarianceType,
    },
    /// Statistics of models with other noise or other proportions can't be merged or used with a model.
    #[error(
        "statistics of models with other noise or other proportions don't go together; gather both with the same model"
    )]
    StatisticsClasses,
    /// The statistics don't fit into memory.
    #[error(
        "{n_components} {form} covariances of {n_features} features don't fit into memory; use a simpler form or fewer features"
    )]
    TooLarge {
        /// Number of components.
        n_components: usize,
        /// Number of features.
        n_features: usize,
        /// The form.
        form: gmm_core::CovarianceType,
    },
}

/// The shortest text for a number: 300 zeros tell nobody how large it is.
fn shortest(value: f64) -> String {
    if value.abs() > 0.0 && !(1e-5..1e16).contains(&value.abs()) {
        format!("{value:e}")
    } else {
        value.to_string()
    }
}
