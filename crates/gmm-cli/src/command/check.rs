//! `gmm check`: a model against its data.

use gmm_core::GaussianMixture;
use gmm_select::{Diagnostics, Overlap, Pair};
use serde::Serialize;

use super::Outcome;
use crate::args::CheckArgs;
use crate::console::Console;
use crate::data::{self, Data};
use crate::doubt;
use crate::explain;
use crate::failure::Failure;
use crate::json::DataAccount;
use crate::model;
use crate::number::fixed;
use crate::output;
use crate::summary;
use crate::text::aligned;

/// Smaller shares of a group's rows are not worth a line.
const WORTH_TELLING: f64 = 0.01;

pub(crate) fn run(args: &CheckArgs, console: &Console) -> Result<Outcome, Failure> {
    let file = model::load(&args.model)?;
    let mixture = file.model();
    let data = data::read_for(mixture, file.feature_names(), &args.data, console)?;
    let refuse =
        |error| Failure::Refused(format!("{}: {}", data.source, explain::core(&error, &data)));
    let overlap = Overlap::new(mixture, data.samples()).map_err(refuse)?;
    let diagnostics = Diagnostics::new(mixture, data.samples()).map_err(refuse)?;
    let checked = Checked::new(args, &data, mixture, &overlap, &diagnostics);
    if console.is_json() {
        output::json(None, &checked)?;
    } else {
        let text = checked.text(mixture, &data);
        output::to_stdout(|stdout| stdout.write_all(text.as_bytes()))?;
    }
    Ok(Outcome::Done)
}

/// What was found; groups from 1.
#[derive(Serialize)]
struct Checked {
    command: &'static str,
    model: String,
    data: DataAccount,
    groups: Vec<Group>,
    /// The expected share of rows that are assigned to a wrong group.
    expected_error: f64,
    /// Row by row: the expected shares of the groups among the rows that are assigned to a group; `null` where none are.
    overlap: Vec<Vec<Option<f64>>>,
    pairs: Vec<PairAccount>,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct Group {
    group: usize,
    rows: f64,
    rows_needed: f64,
    spread: f64,
    kurtosis: f64,
    distance: f64,
    finding: &'static str,
}

#[derive(Serialize)]
struct PairAccount {
    groups: [usize; 2],
    bhattacharyya: f64,
    error_at_least: f64,
    error_at_most: f64,
    modes: usize,
}

impl Checked {
    fn new(
        args: &CheckArgs,
        data: &Data,
        mixture: &GaussianMixture,
        overlap: &Overlap,
        diagnostics: &Diagnostics,
    ) -> Self {
        let n = mixture.n_components();
        let pairs: Vec<PairAccount> = (Pair::all(mixture).iter())
            .map(|pair| PairAccount {
                groups: [pair.components.0 + 1, pair.components.1 + 1],
                bhattacharyya: pair.bhattacharyya,
                error_at_least: pair.error_bounds.0,
                error_at_most: pair.error_bounds.1,
                modes: pair.n_modes,
            })
            .collect();
        let mut notes = doubt::notes(mixture, diagnostics);
        for pair in pairs.iter().filter(|pair| pair.modes == 1) {
            let [a, b] = pair.groups;
            notes.push(format!(
                "groups {a} and {b} have one peak together: they may be one group that is not Gaussian (gmm combine)"
            ));
        }
        Self {
            command: "check",
            model: args.model.display().to_string(),
            data: DataAccount::new(data),
            groups: (diagnostics.components().iter().enumerate())
                .map(|(k, shape)| Group {
                    group: k + 1,
                    rows: shape.occupancy,
                    rows_needed: shape.rows_needed,
                    spread: shape.spread,
                    kurtosis: shape.kurtosis_ratio,
                    distance: shape.distance,
                    finding: doubt::word(shape.finding),
                })
                .collect(),
            expected_error: overlap.expected_error(),
            overlap: (0..n)
                .map(|label| (0..n).map(|k| overlap.share(label, k)).collect())
                .collect(),
            pairs,
            notes,
        }
    }

    fn text(&self, mixture: &GaussianMixture, data: &Data) -> String {
        let mut lines = vec![data.headline(), summary::title(mixture)];
        lines.push(String::new());
        lines.push(
            "groups, and how the distances of their rows compare with those of Gaussian rows"
                .to_owned(),
        );
        lines.push(self.table());
        lines.push(String::new());
        lines.push(format!(
            "overlap: {} of all rows are expected to be assigned to a wrong group",
            percent(self.expected_error)
        ));
        lines.extend(self.overlaps());
        if !self.notes.is_empty() {
            lines.push(String::new());
            lines.extend(self.notes.iter().map(|note| format!("note: {note}")));
        }
        lines.join("\n") + "\n"
    }

    fn table(&self) -> String {
        let header = ["group", "rows", "spread", "kurtosis", "distance", "finding"];
        let mut rows = vec![header.map(str::to_owned).to_vec()];
        for group in &self.groups {
            rows.push(vec![
                group.group.to_string(),
                fixed(group.rows, 1),
                fixed(group.spread, 2),
                fixed(group.kurtosis, 2),
                fixed(group.distance, 3),
                group.finding.to_owned(),
            ]);
        }
        aligned(&rows, true).trim_end().to_owned()
    }

    /// A line for each group whose rows belong to others, the largest shares first.
    fn overlaps(&self) -> Vec<String> {
        let line = |(label, shares): (usize, &Vec<Option<f64>>)| {
            let mut others: Vec<(usize, f64)> = (shares.iter().enumerate())
                .filter(|(k, _)| *k != label)
                .filter_map(|(k, share)| share.map(|share| (k, share)))
                .filter(|(_, share)| *share >= WORTH_TELLING)
                .collect();
            others.sort_by(|a, b| b.1.total_cmp(&a.1));
            let others: Vec<String> = (others.iter())
                .map(|(k, share)| format!("{} to group {}", percent(*share), k + 1))
                .collect();
            (!others.is_empty()).then(|| {
                format!(
                    "of the rows in group {} are expected to belong: {}",
                    label + 1,
                    others.join(", ")
                )
            })
        };
        self.overlap.iter().enumerate().filter_map(line).collect()
    }
}

/// "3.1 %".
fn percent(share: f64) -> String {
    format!("{} %", fixed(100.0 * share, 1))
}
