//! `gmm score`: how likely each row is under a model, and which rows are anomalies.

use std::io;

use gmm_core::CompensatedSum;
use gmm_io::ModelFile;

use super::Outcome;
use crate::args::ScoreArgs;
use crate::console::Console;
use crate::data::{self, Data};
use crate::explain;
use crate::failure::Failure;
use crate::json;
use crate::model;
use crate::number::{exact, fixed};
use crate::output::{self, Csv};
use crate::text::counted;

pub(crate) fn run(args: &ScoreArgs, console: &Console) -> Result<Outcome, Failure> {
    output::check(
        args.out.as_deref(),
        output::Kind::Table,
        &[&args.model, &args.data.path],
    )?;
    let file = model::load(&args.model)?;
    let threshold = threshold(args, &file)?;
    let data = data::read_for(file.model(), file.feature_names(), &args.data, console)?;
    let log_densities = file.model().log_density(&data.values).map_err(|error| {
        Failure::Refused(format!("{}: {}", data.source, explain::core(&error, &data)))
    })?;
    let anomalies: Option<Vec<usize>> = threshold.map(|threshold| {
        let is_anomaly = |row: &usize| log_densities[*row] <= threshold;
        (0..log_densities.len()).filter(is_anomaly).collect()
    });
    let expected = args
        .anomalies
        .map(|share| share * log_densities.len() as f64);
    let out = args.out.as_deref();
    if console.is_json() {
        let scored = json::Scored {
            command: "score",
            model: args.model.display().to_string(),
            data: json::DataAccount::new(&data),
            ids: data.ids.as_ref().map(|ids| ids.values.as_slice()),
            log_densities: &log_densities,
            mean_log_density: mean(&log_densities),
            anomalies: threshold.zip(anomalies.as_ref()).map(|(threshold, rows)| {
                json::AnomaliesAccount {
                    threshold,
                    expected,
                    rows: rows.iter().map(|row| row + 1).collect(),
                }
            }),
        };
        output::json(out, &scored)?;
    } else {
        output::to(out, |writer| {
            write_csv(writer, &data, &log_densities, threshold)
        })?;
    }
    match (threshold, anomalies) {
        _ if log_densities.is_empty() => {}
        (Some(threshold), Some(rows)) => {
            let expected = match expected {
                Some(n) => format!(
                    "; {} expected if they are like the training rows",
                    fixed(n, 1)
                ),
                None => String::new(),
            };
            console.note(&format!(
                "{} of {} rows marked as {}: log-density at or below {}{expected}",
                rows.len(),
                log_densities.len(),
                if rows.len() == 1 {
                    "an anomaly"
                } else {
                    "anomalies"
                },
                fixed(threshold, 4)
            ));
        }
        _ => console.note(&format!(
            "{}: mean log-density {}",
            counted(log_densities.len(), "row"),
            fixed(mean(&log_densities), 4)
        )),
    }
    Ok(Outcome::Done)
}

/// The log-density at or below which a row is an anomaly, if rows are to be marked.
fn threshold(args: &ScoreArgs, file: &ModelFile) -> Result<Option<f64>, Failure> {
    let Some(share) = args.anomalies else {
        return Ok(args.threshold);
    };
    let learned = file
        .training()
        .and_then(|training| training.log_density_quantile(share));
    learned.map(Some).ok_or_else(|| {
        Failure::Refused(format!(
            "{} does not know the densities of its training rows; save it again with gmm fit --out, or give --threshold",
            args.model.display()
        ))
    })
}

fn mean(values: &[f64]) -> f64 {
    let mut sum = CompensatedSum::default();
    values.iter().for_each(|value| sum.add(*value));
    sum.value() / values.len() as f64
}

fn write_csv(
    writer: &mut dyn io::Write,
    data: &Data,
    log_densities: &[f64],
    threshold: Option<f64>,
) -> io::Result<()> {
    let mut csv = Csv::new(writer);
    let ids = data.ids.as_ref();
    let mut header: Vec<&str> = ids.map(|ids| ids.column.as_str()).into_iter().collect();
    header.push("log_density");
    header.extend(threshold.map(|_| "anomaly"));
    csv.line(&header)?;
    for (i, log_density) in log_densities.iter().enumerate() {
        if let Some(ids) = ids {
            csv.cell(&ids.values[i])?;
        }
        csv.cell(exact(*log_density))?;
        if let Some(threshold) = threshold {
            csv.cell(if *log_density <= threshold { "1" } else { "0" })?;
        }
        csv.end_line()?;
    }
    csv.finish()
}
