//! The results as JSON: one object per command, its fields in the order of these types.
//!
//! Groups are numbered from 1; 0 is noise. A number that JSON can't write (an infinite criterion or log-density) is `null`.

use gmm_core::GaussianMixture;
use gmm_em::{Event, Stop};
use gmm_io::ModelFile;
use gmm_select::{Criterion, CrossValidation, Scores, Selection, Starts};
use serde::Serialize;
use serde_json::Value;

use crate::data::Data;
use crate::explain;
use crate::failure::Failure;
use crate::model::names_of;
use crate::precision::PrecisionAccount;
use crate::summary::{Assignment, spreads};

/// What `gmm fit` and `gmm select` found.
#[derive(Serialize)]
pub(crate) struct Fitted {
    pub(crate) command: &'static str,
    pub(crate) data: DataAccount,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) selection: Option<SelectionAccount>,
    pub(crate) fit: FitAccount,
    pub(crate) groups: Vec<Group>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) noise: Option<NoiseAccount>,
    pub(crate) assignment: AssignmentAccount,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) precision: Option<PrecisionAccount>,
    pub(crate) notes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) saved: Option<String>,
    /// What a model file of format JSON holds.
    pub(crate) model: Value,
}

#[derive(Serialize)]
pub(crate) struct DataAccount {
    source: String,
    rows: usize,
    total_weight: f64,
    features: Vec<String>,
    text_left_out: Vec<String>,
    rows_skipped: usize,
}

impl DataAccount {
    pub(crate) fn new(data: &Data) -> Self {
        Self {
            source: data.source.clone(),
            rows: data.n_rows(),
            total_weight: match &data.weights {
                Some(weights) => weights.iter().sum(),
                None => data.n_rows() as f64,
            },
            features: data.names.clone(),
            text_left_out: data.left_out.clone(),
            rows_skipped: data.n_skipped,
        }
    }
}

#[derive(Serialize)]
pub(crate) struct FitAccount {
    covariance: &'static str,
    stop: &'static str,
    iterations: usize,
    passes: usize,
    starts: usize,
    starts_agreeing: usize,
    log_likelihood: f64,
    free_parameters: usize,
    bic: f64,
    aic: f64,
    aicc: f64,
    caic: f64,
    sabic: f64,
    icl_entropy: f64,
    icl_classification: f64,
    groups_at_floor: usize,
    events: Vec<EventAccount>,
}

impl FitAccount {
    pub(crate) fn new(starts: &Starts, scores: &Scores) -> Self {
        let report = starts.best().report();
        Self {
            covariance: starts.best().model().covariance_type().name(),
            stop: stop_name(report.stop),
            iterations: report.n_iterations,
            passes: report.n_passes,
            starts: starts.starts().len(),
            starts_agreeing: starts.n_agreeing(),
            log_likelihood: report.log_likelihood,
            free_parameters: scores.n_free_parameters,
            bic: Criterion::Bic.value(scores),
            aic: Criterion::Aic.value(scores),
            aicc: Criterion::Aicc.value(scores),
            caic: Criterion::Caic.value(scores),
            sabic: Criterion::Sabic.value(scores),
            icl_entropy: Criterion::IclEntropy.value(scores),
            icl_classification: Criterion::IclClassification.value(scores),
            groups_at_floor: report.n_singular,
            events: report.events.iter().map(EventAccount::from).collect(),
        }
    }
}

/// A repair. Components are not numbered: a fit numbers them before it sorts them into groups.
#[derive(Serialize)]
struct EventAccount {
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    iteration: Option<usize>,
    /// From 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nats: Option<f64>,
}

impl From<&Event> for EventAccount {
    fn from(event: &Event) -> Self {
        let (name, iteration, row, nats) = match event {
            Event::Floored { iteration, .. } => ("floored", Some(*iteration), None, None),
            Event::Dropped { iteration, .. } => ("dropped", Some(*iteration), None, None),
            Event::Reseeded { iteration, row, .. } => {
                ("reseeded", Some(*iteration), Some(row + 1), None)
            }
            Event::FewDistinctRows { .. } => ("few-distinct-rows", None, None, None),
            Event::Fell { iteration, by } => ("fell", Some(*iteration), None, Some(*by)),
            _ => ("other", None, None, None),
        };
        Self {
            event: name,
            iteration,
            row,
            nats,
        }
    }
}

fn stop_name(stop: Stop) -> &'static str {
    match stop {
        Stop::Converged => "converged",
        Stop::MaxIterations => "max-iterations",
        Stop::Interrupted => "interrupted",
        _ => "other",
    }
}

#[derive(Serialize)]
pub(crate) struct Group {
    group: usize,
    weight: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<usize>,
    mean: Vec<f64>,
    standard_deviation: Vec<f64>,
}

/// The groups of a mixture, with their rows if these are known.
pub(crate) fn groups(model: &GaussianMixture, n_rows: Option<&[usize]>) -> Vec<Group> {
    (0..model.n_components())
        .map(|k| Group {
            group: k + 1,
            weight: model.weights()[k],
            rows: n_rows.map(|n| n[k]),
            mean: model.means().row(k).iter().copied().collect(),
            standard_deviation: spreads(model, k),
        })
        .collect()
}

#[derive(Serialize)]
pub(crate) struct NoiseAccount {
    weight: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<usize>,
    log_density: f64,
}

/// The noise of a mixture, with its rows if those of all classes are known.
pub(crate) fn noise(model: &GaussianMixture, n_rows: Option<&[usize]>) -> Option<NoiseAccount> {
    model.noise().map(|noise| NoiseAccount {
        weight: noise.weight(),
        rows: n_rows.and_then(|n| n.last()).copied(),
        log_density: noise.log_density(),
    })
}

#[derive(Serialize)]
pub(crate) struct AssignmentAccount {
    mean_largest_probability: f64,
    rows_below_0_8: usize,
}

impl From<&Assignment> for AssignmentAccount {
    fn from(assignment: &Assignment) -> Self {
        Self {
            mean_largest_probability: assignment.mean_certainty,
            rows_below_0_8: assignment.n_doubtful,
        }
    }
}

#[derive(Serialize)]
pub(crate) struct SelectionAccount {
    criterion: &'static str,
    value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    runner_up: Option<RunnerUpAccount>,
    candidates: Vec<CandidateAccount>,
}

#[derive(Serialize)]
pub(crate) struct RunnerUpAccount {
    pub(crate) components: usize,
    pub(crate) covariance: &'static str,
    pub(crate) difference: f64,
    /// Only for BIC, to which the scale belongs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) evidence: Option<&'static str>,
}

#[derive(Serialize)]
struct CandidateAccount {
    components: usize,
    covariance: &'static str,
    value: Option<f64>,
    log_likelihood: Option<f64>,
    free_parameters: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    held_out: Option<HeldOutAccount>,
    stop: Option<&'static str>,
    at_floor: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Of a row that was held out.
#[derive(Serialize)]
struct HeldOutAccount {
    mean_log_density: f64,
    standard_error: f64,
    folds: usize,
}

impl From<&CrossValidation> for HeldOutAccount {
    fn from(found: &CrossValidation) -> Self {
        Self {
            mean_log_density: found.mean,
            standard_error: found.standard_error,
            folds: found.folds.len(),
        }
    }
}

impl SelectionAccount {
    pub(crate) fn new(
        selection: &Selection,
        runner_up: Option<RunnerUpAccount>,
        data: &Data,
    ) -> Self {
        let candidates = selection.candidates().iter().map(|candidate| {
            let fitted = candidate.fitted.as_ref().ok();
            CandidateAccount {
                components: candidate.n_components,
                covariance: candidate.covariance.name(),
                value: selection.value(candidate),
                log_likelihood: fitted.map(|f| f.scores.log_likelihood),
                free_parameters: fitted.map(|f| f.scores.n_free_parameters),
                held_out: fitted
                    .and_then(|f| f.cross_validation.as_ref())
                    .map(HeldOutAccount::from),
                stop: fitted.map(|f| stop_name(f.starts.best().report().stop)),
                at_floor: fitted.is_some_and(gmm_select::Fitted::is_singular),
                error: candidate
                    .fitted
                    .as_ref()
                    .err()
                    .map(|error| explain::selection(error, data)),
            }
        });
        Self {
            criterion: selection.criterion().name(),
            value: selection.value(selection.best_candidate()),
            runner_up,
            candidates: candidates.collect(),
        }
    }
}

/// What `gmm describe` shows.
#[derive(Serialize)]
pub(crate) struct Described {
    pub(crate) command: &'static str,
    pub(crate) file: String,
    pub(crate) covariance: &'static str,
    pub(crate) features: Vec<String>,
    pub(crate) free_parameters: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bic: Option<f64>,
    pub(crate) groups: Vec<Group>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) noise: Option<NoiseAccount>,
    pub(crate) model: Value,
}

impl Described {
    pub(crate) fn new(path: &str, file: &ModelFile, bic: Option<f64>) -> Result<Self, Failure> {
        let model = file.model();
        Ok(Self {
            command: "describe",
            file: path.to_owned(),
            covariance: model.covariance_type().name(),
            features: names_of(file),
            free_parameters: model.n_free_parameters(),
            bic,
            groups: groups(model, None),
            noise: noise(model, None),
            model: model_value(file)?,
        })
    }
}

/// A model as the object that a JSON model file holds, so that it can be cut out and used as one.
pub(crate) fn model_value(file: &ModelFile) -> Result<Value, Failure> {
    let refuse = |reason: String| Failure::Refused(format!("cannot write the model: {reason}"));
    let text = gmm_io::to_json(file).map_err(|error| refuse(explain::chain(&error)))?;
    serde_json::from_str(&text).map_err(|error| refuse(error.to_string()))
}

/// What `gmm predict` found.
#[derive(Serialize)]
pub(crate) struct Predicted<'a> {
    pub(crate) command: &'static str,
    pub(crate) model: String,
    pub(crate) data: DataAccount,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ids: Option<&'a [String]>,
    pub(crate) groups: Vec<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) uncertainty: Option<Vec<f64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) probabilities: Option<Vec<Vec<f64>>>,
}

/// What `gmm score` found.
#[derive(Serialize)]
pub(crate) struct Scored<'a> {
    pub(crate) command: &'static str,
    pub(crate) model: String,
    pub(crate) data: DataAccount,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ids: Option<&'a [String]>,
    pub(crate) log_densities: &'a [f64],
    pub(crate) mean_log_density: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) anomalies: Option<AnomaliesAccount>,
}

/// Which rows are anomalies.
#[derive(Serialize)]
pub(crate) struct AnomaliesAccount {
    pub(crate) threshold: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expected: Option<f64>,
    /// Numbers of the rows, from 1.
    pub(crate) rows: Vec<usize>,
}
