//! The words of the command line.

mod data;
mod doubt;
mod fitting;
mod values;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use gmm_core::CovarianceType;
use gmm_io::table::Column;
use gmm_select::Criterion;

pub(crate) use self::data::DataOptions;
pub(crate) use self::doubt::{CheckArgs, CombineArgs, TestArgs};
pub(crate) use self::fitting::FittingOptions;
pub(crate) use self::values::{ComponentCounts, Forms};

/// What every page of help ends with.
const EXIT_CODES: &str = "\
Groups are numbered from 1, the heaviest first, in text, CSV and JSON alike; 0 is noise, in a model fitted with --noise. Log-densities are in nats.

Exit codes:
    0  done
    1  the data, a model or a file was refused, or the work failed
    2  wrong usage
  130  interrupted (the first Ctrl-C stops a fit and prints the best so far)";

/// Gaussian mixture models: find groups in a table of numbers, and use them.
#[derive(Debug, Parser)]
#[command(name = "gmm", version, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every subcommand.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Number of threads; all cores by default. Results don't depend on it, to the last bit
    #[arg(long, global = true, value_name = "N", value_parser = values::threads, allow_negative_numbers = true)]
    pub(crate) threads: Option<usize>,
    /// No notes and no progress on standard error
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// The result as one JSON object
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Select(SelectArgs),
    Fit(FitArgs),
    Predict(PredictArgs),
    Score(ScoreArgs),
    Sample(SampleArgs),
    Describe(DescribeArgs),
    Check(CheckArgs),
    Combine(CombineArgs),
    Test(TestArgs),
}

/// Find out how many groups the data have: fit many mixtures and choose by an information criterion
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  gmm select data/old_faithful.csv
  gmm select data/iris.csv -k 1-6 --covariances full,tied --out iris.gmm
  gmm select visits.csv --criterion cv --folds 10 --groups patient

Fits every number of components with every covariance form, each from several starts, and shows the best by the \
criterion (lower is better; mclust prints BIC and ICL with the opposite sign), how clearly it won, and the whole table.")]
pub(crate) struct SelectArgs {
    #[command(flatten)]
    pub(crate) data: DataOptions,
    /// Numbers of components to try: 5, 1-9 (or 1..9, both ends included), 2,3,5
    #[arg(short = 'k', long, value_name = "LIST", default_value = "1-9", value_parser = values::component_counts, allow_negative_numbers = true)]
    pub(crate) components: ComponentCounts,
    /// Covariance forms to try: basic (full, tied, diag, spherical), all (mclust's fourteen, from VVV to EII), or a list of names
    #[arg(long, visible_alias = "forms", value_name = "LIST", default_value = "basic", value_parser = values::forms)]
    pub(crate) covariances: Forms,
    /// What decides: bic, aic, aicc, caic, sabic, icl-entropy, icl-classification, nec (normalized entropy) or cv (the density
    /// of rows that were held out)
    #[arg(long, default_value = "bic")]
    pub(crate) criterion: Criterion,
    /// With --criterion cv: how many parts the rows are dealt to, each of which is held out once; by default 5
    #[arg(long, value_name = "N", value_parser = values::folds, allow_negative_numbers = true)]
    pub(crate) folds: Option<usize>,
    /// With --criterion cv: a column that says which rows belong together (one patient, one day) and are held out
    /// together; it is no feature
    #[arg(long, value_name = "COLUMN")]
    pub(crate) groups: Option<Column>,
    #[command(flatten)]
    pub(crate) fitting: FittingOptions,
    /// Save the chosen model (as JSON if the name ends in .json)
    #[arg(long, value_name = "MODEL")]
    pub(crate) out: Option<PathBuf>,
}

/// Fit a mixture of a given number of components by the EM algorithm
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  gmm fit data/old_faithful.csv -k 2 --out faithful.gmm
  gmm fit data/wine.csv -k 3 --covariance diag --exclude cultivar --starts 20
  gmm fit data/old_faithful.csv -k 2 --bootstrap 999
  gmm fit measured.csv -k 3 --noise --out robust.gmm")]
pub(crate) struct FitArgs {
    #[command(flatten)]
    pub(crate) data: DataOptions,
    /// Number of components
    #[arg(short = 'k', long, value_name = "K", value_parser = values::count, allow_negative_numbers = true)]
    pub(crate) components: usize,
    /// Covariance form: full, tied, diag, spherical, or mclust's letters (EII to VVV) for volume, shape and orientation: E shared,
    /// V each its own, I spheres or axes of the coordinates
    #[arg(
        long,
        visible_alias = "form",
        value_name = "FORM",
        default_value = "full"
    )]
    pub(crate) covariance: CovarianceType,
    /// Standard errors and 95 % intervals of all parameters, from so many bootstrap replicates (999 are good)
    #[arg(long, value_name = "N", value_parser = values::bootstrap_replicates, allow_negative_numbers = true)]
    pub(crate) bootstrap: Option<usize>,
    #[command(flatten)]
    pub(crate) fitting: FittingOptions,
    /// Save the model (as JSON if the name ends in .json)
    #[arg(long, value_name = "MODEL")]
    pub(crate) out: Option<PathBuf>,
}

/// Assign rows to the groups of a model
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  gmm predict faithful.gmm data/old_faithful.csv
  gmm predict faithful.gmm data/old_faithful.csv --uncertainty
  gmm predict faithful.gmm new.csv --id name --probabilities --out groups.csv

Writes CSV with the column group (then uncertainty with --uncertainty, and p1, p2, ... with --probabilities), one line per row of the data (rows of group 0 are noise, p0 is its probability), and in front \
the id column if --id names one. If the model knows the names of its features and the data have a header, columns are \
found by name, in any order, and others are ignored; --columns chooses by hand, in the order of the model's features.")]
pub(crate) struct PredictArgs {
    /// Model file, as `gmm fit --out` or `gmm select --out` save it
    #[arg(value_name = "MODEL")]
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) data: DataOptions,
    /// Also write the probability of each group
    #[arg(long, short)]
    pub(crate) probabilities: bool,
    /// Also write the probability that the row belongs to another group than the one that is named
    #[arg(long, short)]
    pub(crate) uncertainty: bool,
    /// Write to a file
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// Log-densities of rows under a model, and which rows are anomalies
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  gmm score faithful.gmm data/old_faithful.csv
  gmm score faithful.gmm new.csv --anomalies 0.01

Writes CSV with the column log_density, and the column anomaly (1 or 0) if a threshold is asked for. With \
--anomalies 0.01 the threshold is the log-density at or below which 1 % of the training rows lay; the model file holds \
such thresholds for 21 fractions, dense near 0, and between them they are interpolated. Rows of one log-density (those of \
noise nearly are) are marked together. Columns are found as for `gmm predict`.")]
pub(crate) struct ScoreArgs {
    /// Model file, as `gmm fit --out` or `gmm select --out` save it
    #[arg(value_name = "MODEL")]
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) data: DataOptions,
    /// Mark rows that are as unlikely as this fraction of the training rows
    #[arg(long, value_name = "FRACTION", value_parser = values::fraction, allow_negative_numbers = true)]
    pub(crate) anomalies: Option<f64>,
    /// Mark rows whose log-density is at or below this
    #[arg(long, value_name = "LOGDENSITY", value_parser = values::finite, allow_negative_numbers = true, conflicts_with = "anomalies")]
    pub(crate) threshold: Option<f64>,
    /// Write to a file
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// Draw random rows from a model
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  gmm sample faithful.gmm -n 1000 --out simulated.csv
  gmm sample faithful.gmm -n 10 --seed 7 --labels

The same seed gives the same rows, and a longer sample begins with the shorter one. Rows come from the groups alone: a \
model knows how dense its noise is, not where it ends.")]
pub(crate) struct SampleArgs {
    /// Model file, as `gmm fit --out` or `gmm select --out` save it
    #[arg(value_name = "MODEL")]
    pub(crate) model: PathBuf,
    /// Number of rows
    #[arg(short = 'n', long, value_name = "N", value_parser = values::sample_rows, allow_negative_numbers = true)]
    pub(crate) rows: usize,
    /// Seed of the random numbers
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        allow_negative_numbers = true
    )]
    pub(crate) seed: u64,
    /// Also write the group each row was drawn from, in the column group
    #[arg(long)]
    pub(crate) labels: bool,
    /// Write to a file
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// Show what is in a model file
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  gmm describe faithful.gmm
  gmm describe faithful.gmm --json")]
pub(crate) struct DescribeArgs {
    /// Model file, as `gmm fit --out` or `gmm select --out` save it
    #[arg(value_name = "MODEL")]
    pub(crate) model: PathBuf,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_definitions_are_consistent() {
        Cli::command().debug_assert();
    }
}
