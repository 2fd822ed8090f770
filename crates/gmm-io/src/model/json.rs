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

/// A model in version 1 or, with the fields that are only there, 2; `C` is how the covariances are nested: as scikit-learn's `covariances_`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelV1<C> {
    format: String,
    version: u64,
    covariance_type: String,
    weights: Vec<f64>,
    means: Vec<Vec<f64>>,
    covariances: C,
    /// "equal"; version 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    proportions: Option<String>,
    /// Version 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    noise: Option<NoiseV2>,
    #[serde(skip_serializing_if = "Option::is_none")]
    feature_names: Option<Vec<String>>,
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

type Matrix = Vec<Vec<f64>>;

/// Writes a model as text that ends with a line end.
pub(super) fn encode(mut parts: Parts) -> Result<String, ModelError> {
    let blocks = std::mem::take(&mut parts.blocks);
    let n_features = parts.means.first().map_or(1, Vec::len);
    let matrix = |block: Vec<f64>| {
        block
            .chunks(n_features)
            .map(<[f64]>::to_vec)
            .collect::<Matrix>()
    };
    let matrices = blocks.iter().cloned().map(matrix).collect::<Vec<Matrix>>();
    match (parts.form.structure(), parts.form.is_shared()) {
        (Structure::Dense, false) => write(parts, matrices),
        (Structure::Dense, true) => write(parts, matrices.concat()),
        (Structure::Diagonal, false) => write(parts, blocks),
        (Structure::Diagonal, true) | (Structure::Isotropic, false) => {
            write(parts, blocks.concat())
        }
        (Structure::Isotropic, true) => write(parts, blocks.concat().first().copied()),
    }
}

fn write<C: Serialize>(parts: Parts, covariances: C) -> Result<String, ModelError> {
    let model = ModelV1 {
        format: FORMAT.to_owned(),
        version: parts.version().into(),
        covariance_type: parts.form.name().to_owned(),
        weights: parts.weights,
        means: parts.means,
        covariances,
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
    match (form.structure(), form.is_shared()) {
        (Structure::Dense, false) => read(form, text, |matrices: Vec<Matrix>, n_features| {
            matrices
                .into_iter()
                .map(|matrix| flat(matrix, n_features))
                .collect()
        }),
        (Structure::Dense, true) => read(form, text, |matrix, n_features| {
            Ok(vec![flat(matrix, n_features)?])
        }),
        (Structure::Diagonal, false) => read(form, text, |variances: Matrix, _| Ok(variances)),
        (Structure::Diagonal, true) => {
            read(form, text, |variances: Vec<f64>, _| Ok(vec![variances]))
        }
        (Structure::Isotropic, false) => read(form, text, |variances: Vec<f64>, _| {
            Ok(variances
                .into_iter()
                .map(|variance| vec![variance])
                .collect())
        }),
        (Structure::Isotropic, true) => {
            read(form, text, |variance: f64, _| Ok(vec![vec![variance]]))
        }
    }
}

fn read<C: DeserializeOwned>(
    form: CovarianceType,
    text: &[u8],
    blocks: impl FnOnce(C, usize) -> Result<Vec<Vec<f64>>, ModelError>,
) -> Result<Parts, ModelError> {
    let model: ModelV1<C> = parse(text)?;
    let n_features = model.means.first().map_or(0, Vec::len);
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
        means: model.means,
        blocks: blocks(model.covariances, n_features)?,
        feature_names: model.feature_names,
        training: model.training.map(|training| TrainingParts {
            n_samples: training.n_samples,
            total_weight: training.total_weight,
            log_likelihood: training.log_likelihood,
            density_quantiles: training.density_quantiles,
        }),
    })
}

/// A matrix row by row. Its number of rows is checked with all other shapes, its rows only here.
fn flat(matrix: Matrix, n_features: usize) -> Result<Vec<f64>, ModelError> {
    match matrix.iter().find(|row| row.len() != n_features) {
        Some(odd) => Err(ModelError::Shape {
            parameter: "row of a covariance",
            found: odd.len(),
            expected: n_features,
        }),
        None => Ok(matrix.concat()),
    }
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
            reason: reason.to_owned(),
        }
    })
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
