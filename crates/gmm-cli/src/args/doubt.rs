//! The words of the commands that say how sure a result is.

use std::path::PathBuf;

use clap::Args;
use gmm_core::CovarianceType;

use super::values::{self, ComponentCounts};
use super::{DataOptions, FittingOptions};

/// Combine groups that overlap into clusters: a cluster that is not Gaussian takes several groups
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  gmm combine iris.gmm data/iris.csv
  gmm combine iris.gmm data/iris.csv --clusters 3 --out clusters.csv

Merges the two groups whose merging makes the assignment of the rows clearer by most (lowers its entropy), again and \
again (Baudry, Raftery, Celeux, Lo and Gottardo 2010). Where the entropy, as a function of the number of clusters, \
bends, lies a reasonable number of clusters. With --out the cluster of each row is written as CSV.")]
pub(crate) struct CombineArgs {
    /// Model file, as `gmm fit --out` or `gmm select --out` save it
    #[arg(value_name = "MODEL")]
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) data: DataOptions,
    /// Number of clusters; by default where the entropy bends
    #[arg(long, value_name = "N", value_parser = values::count, allow_negative_numbers = true)]
    pub(crate) clusters: Option<usize>,
    /// Write the cluster of each row to a file
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// Check a model against its data: how the groups overlap, whether they are Gaussian, whether they have rows enough
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  gmm check faithful.gmm data/old_faithful.csv

For each group the distances of its rows from its centre are compared with those of Gaussian rows. The kurtosis is \
1 for Gaussian rows, more for heavy tails, less for light ones; the distance is the largest difference of the \
distribution functions. Of Gaussian groups fewer than one in a hundred are called something else, on the data that the \
model was fitted to. Overlap is the share of a group's rows that is expected to belong to another one.")]
pub(crate) struct CheckArgs {
    /// Model file, as `gmm fit --out` or `gmm select --out` save it
    #[arg(value_name = "MODEL")]
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) data: DataOptions,
}

/// Test numbers of components: K against K + 1 by the likelihood ratio, with p-values from the bootstrap
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  gmm test data/old_faithful.csv --covariance tied --starts 2
  gmm test data/old_faithful.csv -k 1-3 --replicates 999 --starts 4

For K = 1, 2, ... tables are drawn from the mixture of K components, and both mixtures are fitted to each (McLachlan \
1987): the p-value is the share of tables whose likelihood ratio reaches that of the data. The test ends at the first K that is \
not rejected. Every fit of every table starts as often as --starts says.")]
pub(crate) struct TestArgs {
    #[command(flatten)]
    pub(crate) data: DataOptions,
    /// Numbers of components to test, each against one more: 5, 1-9 (or 1..9, both ends included), 2,3,5
    #[arg(short = 'k', long, value_name = "LIST", default_value = "1-9", value_parser = values::component_counts, allow_negative_numbers = true)]
    pub(crate) components: ComponentCounts,
    /// Covariance form: full, tied, diag, spherical, or mclust's letters (EII to VVV)
    #[arg(
        long,
        visible_alias = "form",
        value_name = "FORM",
        default_value = "full"
    )]
    pub(crate) covariance: CovarianceType,
    /// Number of tables per test; the smallest p-value is one over one more
    #[arg(long, short = 'b', value_name = "N", default_value = "199", value_parser = values::replicates, allow_negative_numbers = true)]
    pub(crate) replicates: usize,
    /// The p-value at or below which a number of components is rejected
    #[arg(long, value_name = "P", default_value = "0.05", value_parser = values::fraction, allow_negative_numbers = true)]
    pub(crate) level: f64,
    #[command(flatten)]
    pub(crate) fitting: FittingOptions,
}
