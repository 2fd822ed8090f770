//! The readable twin of the binary format: one JSON object, its floats written so that they read back to the last bit.
//!
//! Fields that are not known are errors: in a file that was edited by hand they are slips, and in one of a newer
//! version the version number has said so before.

use std::io;

use gmm_core::covariance::Structure;
use gmm_core::{CovarianceType, Proportions};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::ser::{Formatter, Serializer};

use super::error::ModelError;
use super::header::{OLDEST, VERSION};
use super::names::Names;
use super::nested::Nested;
use super::parts::{NoiseParts, Parts, TrainingParts};

/// The value of the field `format`.
const FORMAT: &str = "gmm-model";

/// What is read first, whatever else the object holds.
#[derive(Deserialize)]
struct Head {
    format: Option<String>,
    version: Option<u64>,
    covariance_type: Option<String>,
}

/// A model in version 1 or, with the fields that are only there, 2; the covariances are nested as scikit-learn's `covariances_`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelV1<const DEPTH: usize> {
    format: String,
    version: u64,
    covariance_type: String,
    weights: Vec<f64>,
    means: Nested<2>,
    covariances: Nested<DEPTH>,
    /// "equal"; version 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    proportions: Option<String>,
    /// Version 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    noise: Option<NoiseV2>,
    #[serde(skip_serializing_if = "Option::is_none")]
    feature_names: Option<Names>,
    #[serde(skip_serializing_if = "Option::is_none")]
    training: Option<TrainingV1>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoiseV2 {
    weight: f64,
    log_density: f64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrainingV1 {
    n_samples: u64,
    total_weight: f64,
    log_likelihood: f64,
    #[serde(default)]
    density_quantiles: Vec<f64>,
}

/// Writes a model as text that ends with a line end.
pub(super) fn encode(parts: Parts) -> Result<String, ModelError> {
    match depth(parts.form) {
        0 => write::<0>(parts),
        1 => write::<1>(parts),
        2 => write::<2>(parts),
        _ => write::<3>(parts),
    }
}

/// How deep the numbers of the covariances are nested: a number, a list for each axis, and one of the components where each has its own.
fn depth(form: CovarianceType) -> usize {
    let n_axes = match form.structure() {
        Structure::Dense => 2,
        Structure::Diagonal => 1,
        Structure::Isotropic => 0,
    };
    n_axes + usize::from(!form.is_shared())
}

fn write<const DEPTH: usize>(parts: Parts) -> Result<String, ModelError> {
    let (n_components, n_features) = (parts.weights.len(), parts.n_features);
    let mut shape = [n_features; DEPTH];
    if let Some(n_blocks) = shape.first_mut().filter(|_| !parts.form.is_shared()) {
        *n_blocks = n_components;
    }
    let model = ModelV1 {
        format: FORMAT.to_owned(),
        version: parts.version().into(),
        covariance_type: parts.form.name().to_owned(),
        weights: parts.weights,
        means: Nested {
            shape: [n_components, n_features],
            values: parts.means,
        },
        covariances: Nested {
            shape,
            values: parts.covariances,
        },
        proportions: (parts.proportions != Proportions::Free)
            .then(|| parts.proportions.name().to_owned()),
        noise: parts.noise.map(|noise| NoiseV2 {
            weight: noise.weight,
            log_density: noise.log_density,
        }),
        feature_names: parts.feature_names,
        training: parts.training.map(|training| TrainingV1 {
            n_samples: training.n_samples,
            total_weight: training.total_weight,
            log_likelihood: training.log_likelihood,
            density_quantiles: training.density_quantiles,
        }),
    };
    let mut text = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut text, Layout::default());
    model
        .serialize(&mut serializer)
        .map_err(|_| ModelError::Payload)?;
    text.push(b'\n');
    String::from_utf8(text).map_err(|_| ModelError::Payload)
}

/// Reads a model.
pub(super) fn decode(text: &[u8]) -> Result<Parts, ModelError> {
    let head: Head = parse(text)?;
    if head.format.as_deref() != Some(FORMAT) {
        return Err(ModelError::NotAModel);
    }
    match head.version {
        Some(version) if version > u64::from(VERSION) => {
            return Err(ModelError::NewerVersion {
                found: version,
                supported: VERSION.into(),
            });
        }
        Some(version) if version < u64::from(OLDEST) => {
            return Err(ModelError::HeaderField {
                field: "version",
                found: version,
                expected: OLDEST.into(),
            });
        }
        _ => {}
    }
    // Without a type the object is read as if it had one, and the parser says what is missing where.
    let name = head
        .covariance_type
        .as_deref()
        .unwrap_or(CovarianceType::Full.name());
    let form: CovarianceType = name.parse().map_err(ModelError::Invalid)?;
    match depth(form) {
        0 => read::<0>(form, text),
        1 => read::<1>(form, text),
        2 => read::<2>(form, text),
        _ => read::<3>(form, text),
    }
}

fn read<const DEPTH: usize>(form: CovarianceType, text: &[u8]) -> Result<Parts, ModelError> {
    let model: ModelV1<DEPTH> = parse(text)?;
    let [_, n_features] = model.means.shape;
    // The right number of numbers may stand in the wrong rows.
    let axes = &model.covariances.shape[usize::from(!form.is_shared())..];
    if let Some(&found) = axes.iter().find(|&&len| len != n_features) {
        return Err(ModelError::Shape {
            parameter: match axes.len() {
                1 => "variances of a component",
                _ => "rows or columns of the covariances",
            },
            found,
            expected: n_features,
        });
    }
    let is_newer = model.noise.is_some() || model.proportions.is_some();
    if is_newer && model.version < u64::from(VERSION) {
        return Err(ModelError::HeaderField {
            field: "version",
            found: model.version,
            expected: VERSION.into(),
        });
    }
    let proportions = match model.proportions {
        None => Proportions::Free,
        Some(name) => (Proportions::ALL.into_iter())
            .find(|p| p.name() == name)
            .ok_or(ModelError::Proportions)?,
    };
    Ok(Parts {
        form,
        proportions,
        noise: model.noise.map(|noise| NoiseParts {
            weight: noise.weight,
            log_density: noise.log_density,
        }),
        weights: model.weights,
        n_features,
        means: model.means.values,
        covariances: model.covariances.values,
        feature_names: model.feature_names,
        training: model.training.map(|training| TrainingParts {
            n_samples: training.n_samples,
            total_weight: training.total_weight,
            log_likelihood: training.log_likelihood,
            density_quantiles: training.density_quantiles,
        }),
    })
}

fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, ModelError> {
    serde_json::from_slice(text).map_err(|error| {
        let message = error.to_string();
        // The parser ends its message with the place, which stands at the start of ours.
        let reason = message
            .rsplit_once(" at line ")
            .map_or(message.as_str(), |(reason, _)| reason);
        ModelError::Json {
            line: error.line(),
            column: error.column(),
            reason: shortened(reason),
        }
    })
}

/// A reason without the middle of what it quotes, if that is long.
fn shortened(reason: &str) -> String {
    const HEAD: usize = 80;
    const TAIL: usize = 240;
    let at = |n: usize| reason.char_indices().nth(n).map(|(at, _)| at);
    let n_chars = reason.chars().count();
    match (at(HEAD), at(n_chars.saturating_sub(TAIL))) {
        (Some(head), Some(tail)) if head < tail => {
            format!("{}...{}", &reason[..head], &reason[tail..])
        }
        _ => reason.to_owned(),
    }
}

/// Lays out the text for readers: a field per line, a row of numbers per line.
#[derive(Default)]
struct Layout {
    depth: usize,
    /// Whether what was last written within the current list is a list itself.
    after_list: bool,
    in_list: usize,
}

impl Layout {
    fn new_line<W: ?Sized + io::Write>(&self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b"\n")?;
        (0..self.depth).try_for_each(|_| writer.write_all(b"  "))
    }
}

impl Formatter for Layout {
    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth += 1;
        writer.write_all(b"{")
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if !first {
            writer.write_all(b",")?;
        }
        self.new_line(writer)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        self.new_line(writer)?;
        writer.write_all(b"}")
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        // A list within a list starts on a line of its own; only the first in its list is not yet on one.
        if self.in_list > 0 && !self.after_list {
            self.new_line(writer)?;
        }
        self.depth += 1;
        self.in_list += 1;
        self.after_list = false;
        writer.write_all(b"[")
    }

    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if first {
            return Ok(());
        }
        if self.after_list {
            writer.write_all(b",")?;
            return self.new_line(writer);
        }
        writer.write_all(b", ")
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        self.in_list -= 1;
        if self.after_list {
            self.new_line(writer)?;
        }
        self.after_list = self.in_list > 0;
        writer.write_all(b"]")
    }
}
