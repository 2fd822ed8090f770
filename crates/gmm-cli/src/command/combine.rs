//! `gmm combine`: clusters of several groups.

use gmm_core::GaussianMixture;
use gmm_select::Combination;
use serde::Serialize;

use super::Outcome;
use crate::args::CombineArgs;
use crate::console::Console;
use crate::data::{self, Data};
use crate::explain;
use crate::failure::Failure;
use crate::json::DataAccount;
use crate::model;
use crate::number::fixed;
use crate::output::{self, Csv};
use crate::summary;
use crate::text::{aligned, counted};

/// Nats per row of an assignment that is 99.9 % certain: below it there is nothing to make clearer.
const CERTAIN: f64 = 0.0079;

pub(crate) fn run(args: &CombineArgs, console: &Console) -> Result<Outcome, Failure> {
    output::check(
        args.out.as_deref(),
        output::Kind::TableBeside,
        &[&args.model, &args.data.path],
    )?;
    let file = model::load(&args.model)?;
    let mixture = file.model();
    if let Some(n) = args.clusters
        && n > mixture.n_components()
    {
        return Err(Failure::Usage(format!(
            "--clusters is {n} for a model of {}; ask for at most as many",
            counted(mixture.n_components(), "group")
        )));
    }
    let data = data::read_for(mixture, file.feature_names(), &args.data, console)?;
    let refuse =
        |error| Failure::Refused(format!("{}: {}", data.source, explain::core(&error, &data)));
    let combination = Combination::new(mixture, data.samples()).map_err(refuse)?;
    let total_weight = data.samples().total_weight().map_err(refuse)?;
    let account = Combined::new(args, &data, &combination, total_weight);
    if let Some(path) = &args.out {
        let labels = combination
            .predict(mixture, data.samples(), account.n_clusters)
            .map_err(refuse)?;
        output::to(Some(path), |writer| write_csv(writer, &data, &labels))?;
    }
    if console.is_json() {
        output::json(None, &account)?;
    } else {
        let text = account.text(mixture, &data);
        output::to_stdout(|stdout| stdout.write_all(text.as_bytes()))?;
    }
    Ok(Outcome::Done)
}

/// What was found; groups and clusters from 1.
#[derive(Serialize)]
struct Combined {
    command: &'static str,
    model: String,
    data: DataAccount,
    /// The number of clusters that is shown: the one asked for, or where the entropy bends.
    n_clusters: usize,
    /// Where the entropy bends; nothing for fewer than four groups.
    bend: Option<usize>,
    /// The groups of each cluster.
    clusters: Vec<Vec<usize>>,
    /// Nats, of 1, 2, ... clusters.
    entropies: Vec<f64>,
    /// From many clusters to few: the groups of the two that are merged.
    merges: Vec<[Vec<usize>; 2]>,
    is_clear: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    saved: Option<String>,
}

impl Combined {
    fn new(args: &CombineArgs, data: &Data, combination: &Combination, total_weight: f64) -> Self {
        let n_components = combination.n_components();
        let entropies = combination.entropies();
        let is_clear = entropies[n_components - 1] < CERTAIN * total_weight;
        let bend = combination.elbow().filter(|_| !is_clear);
        let n_clusters = args.clusters.or(bend).unwrap_or(n_components);
        let merges = (combination.merges().iter().enumerate())
            .map(|(step, merge)| {
                let before = groups_of(combination, n_components - step);
                let (a, b) = merge.clusters;
                [before[a].clone(), before[b].clone()]
            })
            .collect();
        Self {
            command: "combine",
            model: args.model.display().to_string(),
            data: DataAccount::new(data),
            n_clusters,
            bend,
            clusters: groups_of(combination, n_clusters),
            entropies,
            merges,
            is_clear,
            saved: args.out.as_ref().map(|path| path.display().to_string()),
        }
    }

    fn text(&self, mixture: &GaussianMixture, data: &Data) -> String {
        let mut lines = vec![data.headline(), summary::title(mixture), self.verdict()];
        for (cluster, groups) in self.clusters.iter().enumerate() {
            if self.n_clusters < self.entropies.len() {
                lines.push(format!("cluster {}: {}", cluster + 1, named(groups)));
            }
        }
        if !self.merges.is_empty() {
            lines.push(String::new());
            lines.push(
                "entropy of the assignment in nats, and what is merged to get there".to_owned(),
            );
            lines.push(self.table());
        }
        if let Some(path) = &self.saved {
            lines.push(String::new());
            lines.push(format!("saved: {path}"));
        }
        lines.join("\n") + "\n"
    }

    fn verdict(&self) -> String {
        let n = self.entropies.len();
        match self.bend {
            _ if self.is_clear => {
                "the groups are apart (rows are assigned with 99.9 % certainty or more): there is nothing to combine".to_owned()
            }
            Some(bend) => format!(
                "the entropy bends at {}: {} form {}",
                counted(bend, "cluster"),
                counted(n, "group"),
                if bend == n { "as many".to_owned() } else { bend.to_string() }
            ),
            None => format!(
                "{} are too few to tell where the entropy bends: choose with --clusters",
                counted(n, "group")
            ),
        }
    }

    fn table(&self) -> String {
        let n = self.entropies.len();
        let mut rows = vec![vec![
            "clusters".to_owned(),
            "entropy".to_owned(),
            "merged".to_owned(),
        ]];
        for n_clusters in (1..=n).rev() {
            let merged = match n - n_clusters {
                0 => String::new(),
                step => {
                    let [a, b] = &self.merges[step - 1];
                    format!("{} with {}", named(a), named(b))
                }
            };
            let entropy = fixed(self.entropies[n_clusters - 1], 2);
            rows.push(vec![n_clusters.to_string(), entropy, merged]);
        }
        let table = aligned(&rows, true);
        let lines: Vec<&str> = table.lines().map(str::trim_end).collect();
        lines.join("\n")
    }
}

/// "group 2", "groups 1, 4".
fn named(groups: &[usize]) -> String {
    let numbers: Vec<String> = groups.iter().map(usize::to_string).collect();
    let plural = if groups.len() == 1 { "" } else { "s" };
    format!("group{plural} {}", numbers.join(", "))
}

/// The groups of each cluster, from 1.
fn groups_of(combination: &Combination, n_clusters: usize) -> Vec<Vec<usize>> {
    let mut groups = vec![Vec::new(); n_clusters];
    let clusters = combination.clusters_of_components(n_clusters);
    for (group, cluster) in clusters.into_iter().enumerate() {
        groups[cluster].push(group + 1);
    }
    groups
}

fn write_csv(
    writer: &mut dyn std::io::Write,
    data: &Data,
    labels: &[usize],
) -> std::io::Result<()> {
    let mut csv = Csv::new(writer);
    let ids = data.ids.as_ref();
    let id = ids.map(|ids| ids.column.as_str());
    csv.line(id.into_iter().chain(["cluster"]))?;
    for (i, label) in labels.iter().enumerate() {
        if let Some(ids) = ids {
            csv.cell(&ids.values[i])?;
        }
        csv.cell((label + 1).to_string())?;
        csv.end_line()?;
    }
    csv.finish()
}
