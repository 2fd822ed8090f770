//! The payload of a binary model: the one place that uses bincode.
//!
//! The bytes are specified in `FORMAT.md` and pinned by old files in the tests, so that another implementation of the
//! same two rules (integers of variable length, floats as they are) could take bincode's place without breaking a file.

use bincode::config;
use gmm_core::{CovarianceType, Proportions};
use serde::{Deserialize, Serialize};

use super::error::ModelError;
use super::header::{MAX_PAYLOAD_LEN, OLDEST};
use super::names::Names;
use super::parts::{NoiseParts, Parts, TrainingParts};

/// bincode stops at this many bytes. It guards against a length that is not covered by bytes; the schema below does so,
/// too: lists grow with their elements, and text is borrowed from the payload.
const LIMIT: usize = if usize::BITS < 64 {
    usize::MAX / 2
} else {
    MAX_PAYLOAD_LEN as usize
};

/// A mixture in version 1 of the format: plain numbers, apart from the types of the program, so that those can change.
#[derive(Serialize, Deserialize)]
struct MixtureV1<'a> {
    form: u8,
    weights: Vec<f64>,
    /// Component by component.
    means: Vec<f64>,
    /// Block by block.
    covariances: Vec<f64>,
    /// Joined by NUL characters: a list of strings would let a short file ask for many times its own memory.
    #[serde(borrow)]
    feature_names: Option<&'a str>,
    training: Option<TrainingV1>,
}

/// A mixture in version 2: what version 1 has, and then how the weights are free, and noise.
#[derive(Serialize, Deserialize)]
struct MixtureV2<'a> {
    #[serde(borrow)]
    mixture: MixtureV1<'a>,
    proportions: u8,
    noise: Option<NoiseV2>,
}

#[derive(Serialize, Deserialize)]
struct NoiseV2 {
    weight: f64,
    log_density: f64,
}

#[derive(Serialize, Deserialize)]
struct TrainingV1 {
    n_samples: u64,
    total_weight: f64,
    log_likelihood: f64,
    density_quantiles: Vec<f64>,
}

/// The numbers that stand for the forms; they never change.
const FORMS: [(u8, CovarianceType); 14] = [
    (0, CovarianceType::Full),
    (1, CovarianceType::Tied),
    (2, CovarianceType::Diag),
    (3, CovarianceType::Spherical),
    (4, CovarianceType::Evv),
    (5, CovarianceType::Vev),
    (6, CovarianceType::Eev),
    (7, CovarianceType::Vve),
    (8, CovarianceType::Eve),
    (9, CovarianceType::Vee),
    (10, CovarianceType::Evi),
    (11, CovarianceType::Vei),
    (12, CovarianceType::Eei),
    (13, CovarianceType::Eii),
];

/// The numbers that stand for the proportions.
const PROPORTIONS: [(u8, Proportions); 2] = [(0, Proportions::Free), (1, Proportions::Equal)];

/// Encodes a payload of version [`Parts::version`].
pub(super) fn encode(parts: Parts) -> Result<Vec<u8>, ModelError> {
    let form = FORMS.iter().find(|(_, form)| *form == parts.form);
    let version = parts.version();
    let proportions = PROPORTIONS.iter().find(|(_, p)| *p == parts.proportions);
    let mixture = MixtureV1 {
        // A form that this version has no number for can't be written until a later one has.
        form: form.ok_or(ModelError::Payload)?.0,
        weights: parts.weights,
        means: parts.means,
        covariances: parts.covariances,
        feature_names: parts.feature_names.as_ref().map(Names::joined),
        training: parts.training.map(|training| TrainingV1 {
            n_samples: training.n_samples,
            total_weight: training.total_weight,
            log_likelihood: training.log_likelihood,
            density_quantiles: training.density_quantiles,
        }),
    };
    let encoded = if version == OLDEST {
        bincode::serde::encode_to_vec(&mixture, config::standard())
    } else {
        let mixture = MixtureV2 {
            mixture,
            proportions: proportions.ok_or(ModelError::Payload)?.0,
            noise: parts.noise.map(|noise| NoiseV2 {
                weight: noise.weight,
                log_density: noise.log_density,
            }),
        };
        bincode::serde::encode_to_vec(&mixture, config::standard())
    };
    encoded.map_err(|_| ModelError::Payload)
}

/// Decodes a payload of a version, all of it.
pub(super) fn decode(version: u16, payload: &[u8]) -> Result<Parts, ModelError> {
    let (decoded, used) = if version == OLDEST {
        let (mixture, used) = fields::<MixtureV1<'_>>(payload)?;
        let decoded = MixtureV2 {
            mixture,
            proportions: 0,
            noise: None,
        };
        (decoded, used)
    } else {
        fields::<MixtureV2<'_>>(payload)?
    };
    let known = (PROPORTIONS.iter()).find(|(number, _)| *number == decoded.proportions);
    let &(_, proportions) = known.ok_or(ModelError::Payload)?;
    let MixtureV2 { mixture, noise, .. } = decoded;
    let form = FORMS.iter().find(|(number, _)| *number == mixture.form);
    let &(_, form) = form.ok_or(ModelError::Payload)?;
    if used != payload.len() {
        return Err(ModelError::Payload);
    }

    Ok(Parts {
        form,
        n_features: mixture.means.len() / mixture.weights.len().max(1),
        means: mixture.means,
        covariances: mixture.covariances,
        proportions,
        noise: noise.map(|noise| NoiseParts {
            weight: noise.weight,
            log_density: noise.log_density,
        }),
        weights: mixture.weights,
        feature_names: mixture.feature_names.map(Names::of_joined),
        training: mixture.training.map(|training| TrainingParts {
            n_samples: training.n_samples,
            total_weight: training.total_weight,
            log_likelihood: training.log_likelihood,
            density_quantiles: training.density_quantiles,
        }),
    })
}

/// The fields at the start of a payload, and how many bytes they take.
fn fields<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Result<(T, usize), ModelError> {
    let config = config::standard().with_limit::<LIMIT>();
    bincode::serde::borrow_decode_from_slice(payload, config).map_err(|_| ModelError::Payload)
}
