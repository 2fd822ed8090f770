//! `gmm describe`: what is in a model file.

use gmm_core::GaussianMixture;
use gmm_core::covariance::Structure;
use gmm_io::{ModelFile, Training};

use super::Outcome;
use crate::args::DescribeArgs;
use crate::console::Console;
use crate::failure::Failure;
use crate::json::Described;
use crate::model;
use crate::number::{fixed, nats};
use crate::output;
use crate::summary;
use crate::text::{counted, joined, printable};

/// Shares of the training rows for which thresholds are shown.
const SHARES: [f64; 3] = [0.001, 0.01, 0.05];

pub(crate) fn run(args: &DescribeArgs, console: &Console) -> Result<Outcome, Failure> {
    let file = model::load(&args.model)?;
    let path = args.model.display().to_string();
    if console.is_json() {
        output::json(None, &Described::new(&path, &file, bic(&file))?)?;
    } else {
        let text = text(&path, &file);
        output::to_stdout(|stdout| stdout.write_all(text.as_bytes()))?;
    }
    Ok(Outcome::Done)
}

/// -2 log L + p log n on the training data.
fn bic(file: &ModelFile) -> Option<f64> {
    file.training().map(|training| {
        -2.0 * training.log_likelihood()
            + file.model().n_free_parameters() as f64 * training.total_weight().ln()
    })
}

fn text(path: &str, file: &ModelFile) -> String {
    let mixture = file.model();
    let names = model::names_of(file);
    let mut lines = vec![
        format!("{path}: {}", summary::title(mixture)),
        match file.feature_names() {
            Some(names) => format!("{}: {}", counted(names.len(), "feature"), joined(names)),
            None => format!(
                "{} without names: data are taken by position",
                counted(mixture.n_features(), "feature")
            ),
        },
    ];
    match file.training() {
        Some(training) => lines.push(training_line(training, mixture, bic(file))),
        None => lines.push("nothing is known of the training data".to_owned()),
    }
    lines.push(String::new());
    lines.push(summary::groups(mixture, &names, None).trim_end().to_owned());
    lines.extend(correlations(mixture, &names));
    if let Some(line) = file.training().and_then(thresholds) {
        lines.push(String::new());
        lines.push(line);
    }
    lines.join("\n") + "\n"
}

fn training_line(training: &Training, mixture: &GaussianMixture, bic: Option<f64>) -> String {
    let n_samples = training.n_samples();
    let rows = counted(usize::try_from(n_samples).unwrap_or(usize::MAX), "row");
    let weight = training.total_weight();
    let weighted = if (weight - n_samples as f64).abs() > 0.0 {
        format!(" of total weight {weight}")
    } else {
        String::new()
    };
    format!(
        "fitted to {rows}{weighted}: log-likelihood {}, {}{}",
        nats(training.log_likelihood()),
        counted(mixture.n_free_parameters(), "parameter"),
        bic.map_or_else(String::new, |bic| format!(", BIC {}", nats(bic)))
    )
}

/// The strongest correlation within each group, for forms that have correlations.
fn correlations(mixture: &GaussianMixture, names: &[String]) -> Vec<String> {
    let form = mixture.covariance_type();
    let d = mixture.n_features();
    if form.structure() != Structure::Dense || d < 2 {
        return Vec::new();
    }
    let strongest = |group: usize| {
        let covariance = mixture.covariances().component(group);
        let correlation = |i: usize, j: usize| {
            covariance[(i, j)] / (covariance[(i, i)].sqrt() * covariance[(j, j)].sqrt())
        };
        (0..d)
            .flat_map(|i| (0..i).map(move |j| (j, i)))
            .map(|(i, j)| (i, j, correlation(i, j)))
            .max_by(|a, b| a.2.abs().total_cmp(&b.2.abs()))
            .map(|(i, j, r)| {
                format!(
                    "{} between {} and {}",
                    fixed(r, 2),
                    printable(&names[i]),
                    printable(&names[j])
                )
            })
    };
    if form.n_blocks(mixture.n_components()) == 1 {
        return strongest(0)
            .map(|text| format!("strongest correlation within every group: {text}"))
            .into_iter()
            .collect();
    }
    (0..mixture.n_components())
        .filter_map(|group| {
            strongest(group)
                .map(|text| format!("strongest correlation within group {}: {text}", group + 1))
        })
        .collect()
}

fn thresholds(training: &Training) -> Option<String> {
    let parts: Option<Vec<String>> = SHARES
        .iter()
        .map(|share| {
            let quantile = training.log_density_quantile(*share)?;
            Some(format!("{} for {share}", fixed(quantile, 4)))
        })
        .collect();
    parts.map(|parts| {
        format!(
            "thresholds of `gmm score --anomalies FRACTION`: log-density {}",
            parts.join(", ")
        )
    })
}
