//! Model files of the program: a mixture with the names of its features and what is known of its training data.

use std::path::Path;

use gmm_core::GaussianMixture;
use gmm_io::{ModelFile, Training};

use crate::data::Data;
use crate::explain;
use crate::failure::Failure;

/// Reads a model file.
pub(crate) fn load(path: &Path) -> Result<ModelFile, Failure> {
    gmm_io::load(path).map_err(|error| explain::model(path, &error))
}

/// Saves a model file: as JSON if its name ends in `.json`.
pub(crate) fn save(path: &Path, file: &ModelFile) -> Result<(), Failure> {
    gmm_io::save(path, file).map_err(|error| explain::model(path, &error))
}

/// A fitted mixture with what a later use needs: names, and the quantiles of the training rows' log-densities.
pub(crate) fn describe_training(
    model: &GaussianMixture,
    data: &Data,
) -> Result<ModelFile, Failure> {
    let log_densities = model
        .log_density(data.samples())
        .map_err(|error| Failure::Refused(explain::core(&error, data)))?;
    let mut file = ModelFile::from(model);
    if let Some(names) = data.own_names() {
        file = file
            .with_feature_names(names)
            .map_err(|error| Failure::Refused(explain::chain(&error)))?;
    }
    // A row so far out that its density underflows leaves no quantiles; the model is good without them.
    if let Ok(training) = Training::from_log_densities(&log_densities, data.weights.as_deref()) {
        file = file.with_training(training);
    }
    Ok(file)
}

/// How text and messages call the features of a model.
pub(crate) fn names_of(file: &ModelFile) -> Vec<String> {
    match file.feature_names() {
        Some(names) => names.to_vec(),
        None => (1..=file.model().n_features())
            .map(|number| format!("x{number}"))
            .collect(),
    }
}
