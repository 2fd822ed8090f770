//! What can be wrong with a model file, and what to do about it.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a model could not be read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A file could not be read.
    #[error("cannot read {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file could not be written; what stood there before still does.
    #[error("cannot write {}", path.display())]
    Save {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A reader or writer failed.
    #[error("cannot read or write the model")]
    Stream(#[source] io::Error),
    /// The bytes are neither kind of model.
    #[error(
        "this is no model file: it is neither a binary model nor a JSON object of format \"gmm-model\""
    )]
    NotAModel,
    /// The file is of a version that did not exist when this was compiled.
    #[error(
        "the model was made by a newer version of gmm (format {found}, known up to {supported}); update gmm"
    )]
    NewerVersion {
        /// The version in the file.
        found: u64,
        /// The newest version that this reads.
        supported: u64,
    },
    /// A field of the header has a value without meaning.
    #[error("the model file's {field} is {found}, expected {expected}; write the model again")]
    HeaderField {
        /// Which field.
        field: &'static str,
        /// Its value.
        found: u64,
        /// What it should be.
        expected: u64,
    },
    /// A payload longer than any that is written.
    #[error("the model takes {n_bytes} bytes, more than the {limit} of a model file")]
    TooLarge {
        /// Its length.
        n_bytes: u64,
        /// The longest payload that is written or read.
        limit: u64,
    },
    /// The file ends too early.
    #[error("the model file is cut short: found {found} bytes, expected {expected}; copy it again")]
    Truncated {
        /// The length that its header asks for.
        expected: u64,
        /// The length that it has.
        found: u64,
    },
    /// The file goes on behind the model.
    #[error("the model file goes on behind its {expected} bytes; remove what was appended")]
    TrailingBytes {
        /// The length that its header asks for.
        expected: u64,
    },
    /// Some byte has changed since the file was written.
    #[error(
        "the model file is damaged: the checksum of its {part} is {found:08x}, expected {expected:08x}; copy it again"
    )]
    Checksum {
        /// "header" or "payload".
        part: &'static str,
        /// The checksum of the bytes that are there.
        found: u32,
        /// The checksum in the file.
        expected: u32,
    },
    /// The payload has a good checksum but is not laid out as a model.
    #[error("the model file's payload is not laid out as a model; write the model again")]
    Payload,
    /// The JSON text is not a model.
    #[error("line {line}, column {column} of the JSON model: {reason}")]
    Json {
        /// The line, counted from 1.
        line: usize,
        /// The column, counted from 1.
        column: usize,
        /// What the parser expected there.
        reason: String,
    },
    /// Parameters whose lengths don't go together.
    #[error("found {found} numbers in the {parameter}, expected {expected}")]
    Shape {
        /// "means", "covariances" and the like.
        parameter: &'static str,
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// The file says it is a mixture, but its parameters are not those of one.
    #[error("the parameters are not those of a mixture")]
    Invalid(#[source] gmm_core::Error),
    /// A name that stands for no proportions.
    #[error("unknown proportions; known are free and equal")]
    Proportions,
    /// Not as many names as features.
    #[error("found {found} feature names for {expected} features; name every feature or none")]
    FeatureNames {
        /// The number of names.
        found: usize,
        /// The number of features.
        expected: usize,
    },
    /// A name that a model file can't hold.
    #[error("the name of feature {feature} (counted from 0) holds a NUL character; rename it")]
    FeatureName {
        /// Which feature, counted from 0.
        feature: usize,
    },
    /// A number in the record of the training that is no such number.
    #[error("the training's {field} is {value}, expected {expected}")]
    TrainingNumber {
        /// Which number.
        field: &'static str,
        /// Its value.
        value: f64,
        /// What it should be.
        expected: &'static str,
    },
    /// Quantiles that are not those of the documented levels.
    #[error("found {found} density quantiles, expected {expected} or none")]
    QuantileCount {
        /// How many there are.
        found: usize,
        /// How many levels there are.
        expected: usize,
    },
    /// Quantiles that fall.
    #[error(
        "density quantile {position} (counted from 0) is less than the one before it; sort them"
    )]
    QuantileOrder {
        /// Which quantile.
        position: usize,
    },
    /// Log-densities and sample weights that don't belong together.
    #[error("found {found} sample weights for {expected} log-densities; give one for each")]
    SampleWeightCount {
        /// The number of weights.
        found: usize,
        /// The number of log-densities.
        expected: usize,
    },
    /// A training without a sample of positive weight.
    #[error("no training sample has a positive weight; give at least one")]
    NoSamples,
}
