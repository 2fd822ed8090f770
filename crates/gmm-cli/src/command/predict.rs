//! `gmm predict`: the group of each row.

use std::io;

use gmm_core::faer::Mat;

use super::Outcome;
use crate::args::PredictArgs;
use crate::console::Console;
use crate::data::{self, Data};
use crate::explain;
use crate::failure::Failure;
use crate::json;
use crate::model;
use crate::number::exact;
use crate::output::{self, Csv};
use crate::text::{counted, joined};

pub(crate) fn run(args: &PredictArgs, console: &Console) -> Result<Outcome, Failure> {
    output::check(
        args.out.as_deref(),
        output::Kind::Table,
        &[&args.model, &args.data.path],
    )?;
    let file = model::load(&args.model)?;
    let mixture = file.model();
    let data = data::read_for(mixture, file.feature_names(), &args.data, console)?;
    let refuse = |error: gmm_core::Error| {
        Failure::Refused(format!("{}: {}", data.source, explain::core(&error, &data)))
    };
    let groups = mixture.predict(&data.values).map_err(refuse)?;
    let uncertainty = match args.uncertainty {
        true => Some(mixture.uncertainty(&data.values).map_err(refuse)?),
        false => None,
    };
    let probabilities = match args.probabilities {
        true => Some(mixture.responsibilities(&data.values).map_err(refuse)?),
        false => None,
    };
    let out = args.out.as_deref();
    if console.is_json() {
        let row = |r: &Mat<f64>, i: usize| r.row(i).iter().copied().collect::<Vec<f64>>();
        let predicted = json::Predicted {
            command: "predict",
            model: args.model.display().to_string(),
            data: json::DataAccount::new(&data),
            ids: data.ids.as_ref().map(|ids| ids.values.as_slice()),
            groups: (groups.iter())
                .map(|k| number(*k, mixture.n_components()))
                .collect(),
            uncertainty,
            probabilities: probabilities.map(|r| (0..r.nrows()).map(|i| row(&r, i)).collect()),
        };
        output::json(out, &predicted)?;
    } else {
        output::to(out, |writer| {
            write_csv(
                writer,
                &data,
                &groups,
                uncertainty.as_deref(),
                probabilities.as_ref(),
                mixture.n_components(),
            )
        })?;
    }
    if !groups.is_empty() {
        console.note(&sizes(&groups, mixture.n_components()));
    }
    Ok(Outcome::Done)
}

fn write_csv(
    writer: &mut dyn io::Write,
    data: &Data,
    groups: &[usize],
    uncertainty: Option<&[f64]>,
    probabilities: Option<&Mat<f64>>,
    n_groups: usize,
) -> io::Result<()> {
    let mut csv = Csv::new(writer);
    let ids = data.ids.as_ref();
    let mut header: Vec<String> = ids.map(|ids| ids.column.clone()).into_iter().collect();
    header.push("group".to_owned());
    header.extend(uncertainty.map(|_| "uncertainty".to_owned()));
    let noise = probabilities.is_some_and(|r| r.ncols() > n_groups);
    if probabilities.is_some() {
        header.extend((1..=n_groups).map(|k| format!("p{k}")));
        header.extend(noise.then(|| "p0".to_owned()));
    }
    csv.line(&header)?;
    for (i, group) in groups.iter().enumerate() {
        if let Some(ids) = ids {
            csv.cell(&ids.values[i])?;
        }
        csv.cell(number(*group, n_groups).to_string())?;
        if let Some(uncertainty) = uncertainty {
            csv.cell(exact(uncertainty[i]))?;
        }
        if let Some(r) = probabilities {
            for value in r.row(i).iter() {
                csv.cell(exact(*value))?;
            }
        }
        csv.end_line()?;
    }
    csv.finish()
}

/// How a group is called: from 1; noise, which comes after the groups, is 0.
fn number(group: usize, n_groups: usize) -> usize {
    if group < n_groups { group + 1 } else { 0 }
}

/// "272 rows: 175 in group 1, 97 in group 2"; "272 rows: 160 in group 1, 100 in group 2, 12 of noise".
fn sizes(groups: &[usize], n_groups: usize) -> String {
    let mut sizes = vec![0usize; n_groups + 1];
    for group in groups {
        sizes[*group] += 1;
    }
    let sizes: Vec<String> = sizes
        .iter()
        .enumerate()
        .filter(|(k, n)| *k < n_groups || **n > 0)
        .map(|(k, n)| match number(k, n_groups) {
            0 => format!("{n} of noise"),
            group => format!("{n} in group {group}"),
        })
        .collect();
    format!("{}: {}", counted(groups.len(), "row"), joined(&sizes))
}
