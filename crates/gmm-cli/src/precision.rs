//! Standard errors and intervals of a fit's parameters, for people and for programs.

use gmm_core::GaussianMixture;
use gmm_core::covariance::Structure;
use gmm_select::{Estimate, Precision};
use serde::Serialize;

use crate::number::{fixed, with_spread};
use crate::text::{aligned, counted, printable};

/// With more features covariances are for programs: their number is the square of that of the features.
const MOST_FEATURES: usize = 3;

/// The parameters of all groups and how well they are known.
#[derive(Serialize)]
pub(crate) struct PrecisionAccount {
    level: f64,
    replicates: usize,
    replicates_failed: usize,
    replicates_stopped: usize,
    groups: Vec<GroupPrecision>,
}

#[derive(Serialize)]
struct GroupPrecision {
    group: usize,
    weight: EstimateAccount,
    mean: Vec<EstimateAccount>,
    /// The lower triangle, row by row; of diagonal matrices the diagonal alone.
    covariance: Vec<Vec<EstimateAccount>>,
}

#[derive(Serialize)]
struct EstimateAccount {
    value: f64,
    standard_error: f64,
    interval: [f64; 2],
}

impl From<Estimate> for EstimateAccount {
    fn from(estimate: Estimate) -> Self {
        Self {
            value: estimate.value,
            standard_error: estimate.standard_error,
            interval: estimate.interval.into(),
        }
    }
}

impl PrecisionAccount {
    pub(crate) fn new(model: &GaussianMixture, precision: &Precision) -> Self {
        let d = model.n_features();
        let is_dense = model.covariance_type().structure() == Structure::Dense;
        let group = |k: usize| GroupPrecision {
            group: k + 1,
            weight: precision.weight(k).into(),
            mean: (0..d).map(|j| precision.mean(k, j).into()).collect(),
            covariance: (0..d)
                .map(|i| {
                    let first = if is_dense { 0 } else { i };
                    (first..=i)
                        .map(|j| precision.covariance(k, i, j).into())
                        .collect()
                })
                .collect(),
        };
        Self {
            level: precision.level(),
            replicates: precision.n_done(),
            replicates_failed: precision.n_failed(),
            replicates_stopped: precision.n_stopped(),
            groups: (0..model.n_components()).map(group).collect(),
        }
    }

    /// What a reader should know of the replicates.
    pub(crate) fn notes(&self, cut_short: Option<&str>) -> Vec<String> {
        let mut notes = Vec::new();
        if self.replicates_failed > 0 {
            notes.push(format!(
                "{} of {} lost a group or could not be fitted: the groups hang on few rows, and the errors are larger than shown",
                self.replicates_failed,
                counted(self.replicates + self.replicates_failed, "replicate")
            ));
        }
        if self.replicates_stopped > 0 {
            notes.push(format!(
                "{}: the standard errors are those of {}",
                cut_short.unwrap_or("stopped"),
                counted(self.replicates, "replicate")
            ));
        }
        // Of B replicates the least is expected at the probability 1 / (B + 1).
        let fewest = (2.0 / (1.0 - self.level)).ceil() as usize - 1;
        if self.replicates < fewest {
            notes.push(format!(
                "intervals of {} % take {fewest} replicates at least: these end at the smallest and the largest of {}; ask for 999 \
                 (--bootstrap 999)",
                fixed(100.0 * self.level, 0),
                self.replicates
            ));
        }
        notes
    }

    pub(crate) fn text(&self, names: &[String]) -> String {
        let header = [
            "group",
            "parameter",
            "estimate ± standard error",
            "from",
            "to",
        ];
        let mut rows = vec![header.map(str::to_owned).to_vec()];
        for group in &self.groups {
            let mut row = |parameter: String, estimate: &EstimateAccount| {
                let error = estimate.standard_error;
                // The ends of the interval with as many digits as the estimate.
                let end = |value: f64| {
                    let text = with_spread(value, error);
                    text.split(" ± ").next().unwrap_or_default().to_owned()
                };
                rows.push(vec![
                    group.group.to_string(),
                    parameter,
                    with_spread(estimate.value, error),
                    end(estimate.interval[0]),
                    end(estimate.interval[1]),
                ]);
            };
            row("weight".to_owned(), &group.weight);
            let named = |j: usize| names.get(j).map_or_else(String::new, |n| printable(n));
            for (j, mean) in group.mean.iter().enumerate() {
                row(format!("mean of {}", named(j)), mean);
            }
            for (i, entries) in group.covariance.iter().enumerate() {
                let (variance, others) = match entries.split_last() {
                    Some(parts) => parts,
                    None => continue,
                };
                row(format!("variance of {}", named(i)), variance);
                if group.mean.len() <= MOST_FEATURES {
                    for (j, covariance) in others.iter().enumerate() {
                        row(
                            format!("covariance of {} and {}", named(j), named(i)),
                            covariance,
                        );
                    }
                }
            }
        }
        format!(
            "parameters, with {} % intervals from {}\n{}",
            fixed(100.0 * self.level, 0),
            counted(self.replicates, "bootstrap replicate"),
            aligned(&rows, false).trim_end()
        )
    }
}
