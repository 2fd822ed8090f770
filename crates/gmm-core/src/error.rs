//! The one error type of this crate: every way in which data or parameters can be unusable, with the numbers that say where.

/// Why data or parameters were refused.
///
/// Rows, columns and components are counted from 0.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The table has no rows.
    #[error("the data have no rows; at least one row is needed")]
    NoSamples,
    /// The table has no columns.
    #[error("the data have no columns; at least one feature is needed")]
    NoFeatures,
    /// A cell is NaN or infinite.
    #[error(
        "row {row}, column {column} is {value} (counted from 0); every cell must be a finite number, so remove the row or fill the cell"
    )]
    NonFinite {
        /// Row of the first bad cell.
        row: usize,
        /// Column of the first bad cell.
        column: usize,
        /// What stands there.
        value: f64,
    },
    /// The data have another number of features than the model.
    #[error(
        "the data have {found} features, the model {expected}; give the columns the model was fitted on, in their order"
    )]
    FeatureCount {
        /// Number of columns of the data.
        found: usize,
        /// Number of features of the model.
        expected: usize,
    },
    /// There are not as many sample weights as rows.
    #[error("{found} sample weights for {expected} rows; give one weight per row")]
    SampleWeightCount {
        /// Number of weights.
        found: usize,
        /// Number of rows.
        expected: usize,
    },
    /// A sample weight is negative, NaN or infinite.
    #[error(
        "the sample weight of row {row} is {value} (counted from 0); weights must be finite and not negative"
    )]
    SampleWeight {
        /// Row of the first bad weight.
        row: usize,
        /// Its value.
        value: f64,
    },
    /// All sample weights are zero.
    #[error("all sample weights are zero; at least one row needs a positive weight")]
    NoWeight,
    /// The sum of the sample weights overflows.
    #[error("the sum of the sample weights is not finite; divide all weights by a common factor")]
    WeightOverflow,
    /// The sum of the sample weights is so small or so large that products with it leave the range of f64.
    #[error(
        "the sum of the sample weights is {sum:e}; it must lie between 1e-280 and 1e280, so multiply all weights by a common factor"
    )]
    WeightRange {
        /// The sum.
        sum: f64,
    },
    /// A mixture without components.
    #[error("a mixture needs at least one component")]
    NoComponents,
    /// Parameters that belong together have different numbers of components.
    #[error(
        "{found} components in the {parameter}, {expected} in the weights; give each component one of both"
    )]
    ComponentCount {
        /// Which parameter is off: "means" or "covariances".
        parameter: &'static str,
        /// Its number of components.
        found: usize,
        /// Number of weights.
        expected: usize,
    },
    /// Means and covariances have different numbers of features.
    #[error("the covariances have {found} features, the means {expected}; they must agree")]
    ParameterFeatures {
        /// Number of features of the covariances.
        found: usize,
        /// Number of features of the means.
        expected: usize,
    },
    /// A mixture weight is negative, NaN or infinite.
    #[error("the weight of component {component} is {value}; weights must lie between 0 and 1")]
    Weight {
        /// Component of the bad weight.
        component: usize,
        /// Its value.
        value: f64,
    },
    /// The mixture weights don't sum to 1.
    #[error("the weights sum to {sum}; they must sum to 1")]
    WeightSum {
        /// The sum that was found.
        sum: f64,
    },
    /// The weight of a class of noise is negative, not below 1, or NaN.
    #[error(
        "the weight of the noise is {value}; it must be 0 or more and below 1, so that something is left to the components"
    )]
    NoiseWeight {
        /// Its value.
        value: f64,
    },
    /// The log-density of a class of noise is NaN or infinite.
    #[error(
        "the log-density of the noise is {value}; it must be finite, minus the logarithm of a volume"
    )]
    NoiseDensity {
        /// Its value.
        value: f64,
    },
    /// Something was asked for that depends on where noise lies, which a mixture doesn't know.
    #[error(
        "a mixture with noise has no {operation}, since the place of the noise is not known; take the mixture without noise"
    )]
    Noise {
        /// "sample", "marginal" or "conditional".
        operation: &'static str,
    },
    /// Weights that are to be held equal are not equal.
    #[error(
        "the weight of component {component} is {value} where equal weights are {expected}; equal proportions need equal weights"
    )]
    UnequalWeights {
        /// First component whose weight is off.
        component: usize,
        /// Its weight.
        value: f64,
        /// The mean weight.
        expected: f64,
    },
    /// A mean is NaN or infinite.
    #[error(
        "the mean of component {component}, feature {feature} is {value}; means must be finite"
    )]
    Mean {
        /// Component of the bad mean.
        component: usize,
        /// Feature of the bad mean.
        feature: usize,
        /// Its value.
        value: f64,
    },
    /// The covariances of a form have the wrong number of numbers.
    #[error(
        "a {form} covariance of {n_components} components and {n_features} features has {expected} blocks of {expected_len} numbers; found {found} blocks, the first odd one of {found_len}"
    )]
    CovarianceShape {
        /// The covariance form.
        form: crate::CovarianceType,
        /// Number of components.
        n_components: usize,
        /// Number of features.
        n_features: usize,
        /// Number of blocks the form has.
        expected: usize,
        /// Numbers per block.
        expected_len: usize,
        /// Number of blocks that were given.
        found: usize,
        /// Length of the first block that is off (or of the first block).
        found_len: usize,
    },
    /// A covariance matrix is not square, or has another size than the first one.
    #[error(
        "the covariance of component {component} is a matrix of {rows} x {columns}, expected {expected} x {expected}; give a row and a column per feature"
    )]
    MatrixShape {
        /// Component (0 for a covariance that all components share).
        component: usize,
        /// Rows of the matrix.
        rows: usize,
        /// Columns of the matrix.
        columns: usize,
        /// Rows of the first matrix, which are the features.
        expected: usize,
    },
    /// A covariance entry is NaN or infinite.
    #[error(
        "the covariance of component {component} has the entry {value} at ({row}, {column}); entries must be finite"
    )]
    CovarianceEntry {
        /// Component (0 for a covariance that all components share).
        component: usize,
        /// Row of the entry.
        row: usize,
        /// Column of the entry.
        column: usize,
        /// Its value.
        value: f64,
    },
    /// A covariance matrix is not symmetric.
    #[error(
        "the covariance of component {component} is not symmetric: ({row}, {column}) and ({column}, {row}) differ; give (A + A')/2"
    )]
    Asymmetric {
        /// Component (0 for a covariance that all components share).
        component: usize,
        /// Row of the entry.
        row: usize,
        /// Column of the entry.
        column: usize,
    },
    /// A covariance matrix is not positive definite (to rounding).
    #[error(
        "the covariance of component {component} is not positive definite (pivot {pivot}); regularize it or leave out features that depend on others"
    )]
    NotPositiveDefinite {
        /// Component (0 for a covariance that all components share).
        component: usize,
        /// First feature whose conditional variance given the ones before it is not positive.
        pivot: usize,
    },
    /// A variance floor is not positive and finite.
    #[error(
        "the variance floor of feature {feature} is {value}; it must be positive and finite, so leave out a feature without variance"
    )]
    Floor {
        /// The feature.
        feature: usize,
        /// Its floor.
        value: f64,
    },
    /// A name that is no covariance form.
    #[error(
        "unknown covariance form; known are full, tied, diag, spherical, and mclust's names from EII to VVV"
    )]
    UnknownForm,
    /// A caller's buffer has the wrong shape.
    #[error(
        "the output has room for {found} values, {expected} are written; give a buffer of that size"
    )]
    OutputSize {
        /// Size of the buffer.
        found: usize,
        /// Size that is needed.
        expected: usize,
    },
    /// A list of features is empty, repeats one, or names one the mixture hasn't.
    #[error(
        "feature {feature} is repeated or outside of 0..{n_features}; name each feature once and keep at least one"
    )]
    FeatureIndex {
        /// The offending feature (0 if the list is empty or nothing is left).
        feature: usize,
        /// Number of features of the mixture.
        n_features: usize,
    },
    /// A value to condition on is NaN or infinite.
    #[error("the value given for feature {feature} is {value}; condition on finite values")]
    ConditionValue {
        /// The feature.
        feature: usize,
        /// Its value.
        value: f64,
    },
    /// The requested result does not fit into memory.
    #[error("a table of {rows} x {columns} does not fit into memory; ask for fewer rows")]
    TooLarge {
        /// Rows of the table.
        rows: usize,
        /// Columns of the table.
        columns: usize,
    },
    /// Rows are so wide that the working memory of one thread does not fit into memory.
    #[error("256 rows of {n_features} features do not fit into memory; use fewer features")]
    TooWide {
        /// Number of features.
        n_features: usize,
    },
    /// The parameters leave the range of f64 when the units change.
    #[error(
        "the covariance of component {component} leaves the range of f64 at feature {feature}; rescale that column"
    )]
    Range {
        /// The component.
        component: usize,
        /// The feature.
        feature: usize,
    },
}
