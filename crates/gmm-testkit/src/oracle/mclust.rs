//! Data, starts and results of the R package mclust: the folder `mclust` of the oracle.
//!
//! BIC is mclust's here, 2 log L - p log n: larger is better. Models have mclust's three letters, of which VVV, EEE, VVI and
//! VII are full, tied, diag and spherical; univariate tables say V and E. A `folder` is what
//! [`shared_oracle`](super::shared_oracle)`("mclust")` returns. Every function panics if a file is not what its readme says.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;

use serde_json::Value;

use super::json;

/// A table of numbers and, if they are known, the classes of its rows.
#[derive(Clone, Debug)]
pub struct DataSet {
    /// Names of the columns of `x`.
    pub columns: Vec<String>,
    /// n_samples x n_features.
    pub x: Vec<Vec<f64>>,
    /// Names of the classes in alphabetical order, as R orders them; empty if there are none.
    pub classes: Vec<String>,
    /// The class of each row as its place in `classes`; empty if there are none.
    pub labels: Vec<usize>,
}

/// A cell of the main regression table: the value that two implementations reach from the same start.
#[derive(Clone, Debug)]
pub struct Gold {
    /// The name of the data set.
    pub dataset: String,
    /// Number of samples.
    pub n_samples: usize,
    /// Number of features.
    pub n_features: usize,
    /// Three letters.
    pub model: String,
    /// Number of components; the start is `starts(folder, dataset)[&n_components]`.
    pub n_components: usize,
    /// Free parameters.
    pub n_parameters: usize,
    /// log L at the maximum (both implementations agree to less than 1e-6).
    pub log_likelihood: f64,
    /// 2 log L - p log n.
    pub bic: f64,
    /// The difference between the two implementations.
    pub disagreement: f64,
    /// EM steps that the slower of them took.
    pub n_iterations: usize,
}

/// A fit from the true classes.
#[derive(Clone, Debug)]
pub struct FromClasses {
    /// Three letters.
    pub model: String,
    /// Free parameters.
    pub n_parameters: usize,
    /// log L after one M-step on the classes.
    pub first_log_likelihood: f64,
    /// log L at mclust's default tolerance, |ΔL| / (1 + |L|) <= 1e-5.
    pub default_log_likelihood: f64,
    /// Iterations to get there.
    pub default_iterations: usize,
    /// log L at the tolerance 1e-13.
    pub tight_log_likelihood: f64,
    /// Iterations to get there.
    pub tight_iterations: usize,
    /// 2 log L - p log n at the tight tolerance.
    pub tight_bic: f64,
    /// Adjusted Rand index of the tight fit's classification and the classes.
    pub tight_rand_index: f64,
}

/// A row of the table of parameter counts.
#[derive(Clone, Debug)]
pub struct ParameterCounts {
    /// Three letters.
    pub model: String,
    /// Number of features.
    pub n_features: usize,
    /// Number of components.
    pub n_components: usize,
    /// Parameters of the covariances.
    pub covariances: usize,
    /// All of them.
    pub all: usize,
    /// All of them if the weights are equal.
    pub with_equal_weights: usize,
    /// All of them with a component of uniform noise.
    pub with_noise: usize,
}

/// Fits with a component of uniform noise: Old Faithful with uniform points appended, from its two groups and these points.
#[derive(Clone, Debug)]
pub struct NoiseFits {
    /// n_samples x n_features.
    pub x: Vec<Vec<f64>>,
    /// 0 for a waiting time up to 68, 1 for longer ones, 2 for the appended rows.
    pub labels: Vec<usize>,
    /// mclust's `hypvol` of `x`.
    pub volume: f64,
    /// The 14 fits.
    pub fits: Vec<NoiseFit>,
}

/// One of them.
#[derive(Clone, Debug)]
pub struct NoiseFit {
    /// Three letters.
    pub model: String,
    /// Free parameters.
    pub n_parameters: usize,
    /// log L at the tolerance 1e-13.
    pub log_likelihood: f64,
    /// Weights of the components, that of the noise last.
    pub weights: Vec<f64>,
}

/// A data set by its name: iris, faithful, diabetes, wine, acidity, galaxies, faithful_waiting or baudry_ex4.1.
///
/// # Panics
/// If there is no such file, or a cell is not a number.
pub fn data_set(folder: &Path, name: &str) -> DataSet {
    let table = Table::read(&folder.join(format!("data/{name}.csv")));
    let is_labelled = table.names.last().is_some_and(|name| name == "class");
    let n_features = table.names.len() - usize::from(is_labelled);
    let of_rows: Vec<&String> = table
        .rows
        .iter()
        .filter_map(|row| row.get(n_features))
        .collect();
    let mut classes: Vec<String> = of_rows.iter().map(|class| (*class).clone()).collect();
    classes.sort();
    classes.dedup();
    DataSet {
        columns: table.names[..n_features].to_vec(),
        x: (0..table.rows.len())
            .map(|i| (0..n_features).map(|j| table.cell(i, j)).collect())
            .collect(),
        labels: of_rows
            .iter()
            .filter_map(|class| classes.iter().position(|name| name == *class))
            .collect(),
        classes,
    }
}

/// mclust's default starts of a data set: for each number of components the label of each row, counted from 0.
///
/// They come from hierarchical clustering (VVV, SVD), or from quantiles for the data sets of one column.
///
/// # Panics
/// If there is no such file, or a cell is not a number.
pub fn starts(folder: &Path, name: &str) -> BTreeMap<usize, Vec<usize>> {
    let several = folder.join(format!("init/{name}_hclass_VVV_SVD.csv"));
    let single = folder.join(format!("init/{name}_qclass.csv"));
    let table = Table::read(if several.exists() { &several } else { &single });
    (0..table.names.len())
        .map(|column| {
            let labels = (0..table.rows.len()).map(|row| table.cell::<usize>(row, column) - 1);
            (
                parse(&table.names[column], "a number of components"),
                labels.collect(),
            )
        })
        .collect()
}

/// The main regression table, `gold.csv`.
///
/// # Panics
/// If there is no such file, or a cell is not a number.
pub fn gold(folder: &Path) -> Vec<Gold> {
    let table = Table::read(&folder.join("gold.csv"));
    let columns = table.columns([
        "dataset",
        "n",
        "d",
        "model",
        "G",
        "df",
        "loglik",
        "bic",
        "abs_diff_two_implementations",
        "iters_ref14",
    ]);
    let [
        dataset,
        n,
        d,
        model,
        g,
        df,
        loglik,
        bic,
        difference,
        iterations,
    ] = columns;
    (0..table.rows.len())
        .map(|row| Gold {
            dataset: table.cell(row, dataset),
            n_samples: table.cell(row, n),
            n_features: table.cell(row, d),
            model: table.cell(row, model),
            n_components: table.cell(row, g),
            n_parameters: table.cell(row, df),
            log_likelihood: table.cell(row, loglik),
            bic: table.cell(row, bic),
            disagreement: table.cell(row, difference),
            n_iterations: table.cell(row, iterations),
        })
        .collect()
}

/// Fits of a data set from its classes, `tables/*_fromz.csv`.
///
/// # Panics
/// If there is no such file, or a cell is not a number.
pub fn from_classes(folder: &Path, name: &str) -> Vec<FromClasses> {
    let table = Table::read(&folder.join(format!("tables/{name}_fromz.csv")));
    let columns = table.columns([
        "model",
        "df",
        "loglik_after_1_mstep",
        "loglik_default",
        "iters_default",
        "loglik_tight",
        "iters_tight",
        "bic_tight",
        "ari_tight",
    ]);
    let [
        model,
        df,
        first,
        default,
        default_iterations,
        tight,
        tight_iterations,
        bic,
        rand_index,
    ] = columns;
    (0..table.rows.len())
        .map(|row| FromClasses {
            model: table.cell(row, model),
            n_parameters: table.cell(row, df),
            first_log_likelihood: table.cell(row, first),
            default_log_likelihood: table.cell(row, default),
            default_iterations: table.cell(row, default_iterations),
            tight_log_likelihood: table.cell(row, tight),
            tight_iterations: table.cell(row, tight_iterations),
            tight_bic: table.cell(row, bic),
            tight_rand_index: table.cell(row, rand_index),
        })
        .collect()
}

/// Per model log L after each of the first twelve M-steps from the classes, `tables/*_trajectory.csv` (iris and faithful).
///
/// # Panics
/// If there is no such file, or a cell is not a number.
pub fn trajectory(folder: &Path, name: &str) -> BTreeMap<String, Vec<f64>> {
    let table = Table::read(&folder.join(format!("tables/{name}_trajectory.csv")));
    // The first column counts the steps.
    (1..table.names.len())
        .map(|column| {
            let values = (0..table.rows.len())
                .map(|row| table.cell(row, column))
                .collect();
            (table.names[column].clone(), values)
        })
        .collect()
}

/// Parameter counts of the 14 models, `tables/nparams.csv`.
///
/// # Panics
/// If there is no such file, or a cell is not a number.
pub fn parameter_counts(folder: &Path) -> Vec<ParameterCounts> {
    let table = Table::read(&folder.join("tables/nparams.csv"));
    let [model, d, g, covariances, all, equal, noise] = table.columns([
        "model",
        "d",
        "G",
        "nVarParams",
        "nMclustParams",
        "nParams_equalPro",
        "nParams_noise",
    ]);
    (0..table.rows.len())
        .map(|row| ParameterCounts {
            model: table.cell(row, model),
            n_features: table.cell(row, d),
            n_components: table.cell(row, g),
            covariances: table.cell(row, covariances),
            all: table.cell(row, all),
            with_equal_weights: table.cell(row, equal),
            with_noise: table.cell(row, noise),
        })
        .collect()
}

/// `extras/faithful_noise.json`.
///
/// # Panics
/// If there is no such file, or it has other fields.
pub fn noise_fits(folder: &Path) -> NoiseFits {
    let file = json::read(&folder.join("extras/faithful_noise.json"));
    let number = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{value}"));
    let numbers = |value: &Value| -> Vec<f64> { array(value).iter().map(number).collect() };
    let mut x = data_set(folder, "faithful").x;
    let mut labels: Vec<usize> = x.iter().map(|row| usize::from(row[1] > 68.0)).collect();
    let added = array(&file["added_points"]);
    x.extend(added.iter().map(numbers));
    labels.extend(added.iter().map(|_| 2));
    let models = file["models"].as_object().into_iter().flatten();
    let fit = |(model, fit): (&String, &Value)| NoiseFit {
        model: model.clone(),
        n_parameters: number(&fit["df"]) as usize,
        log_likelihood: number(&fit["loglik_tight"]),
        weights: numbers(&fit["pro"]),
    };
    NoiseFits {
        x,
        labels,
        volume: number(&file["hypvol"]),
        fits: models.map(fit).collect(),
    }
}

fn array(value: &Value) -> &Vec<Value> {
    value
        .as_array()
        .unwrap_or_else(|| panic!("{value} is no array"))
}

/// A CSV file as R writes it: a header, no commas inside of cells, quotes at most around names.
struct Table {
    names: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
        let split = |line: &str| -> Vec<String> {
            line.split(',')
                .map(|cell| cell.trim_matches('"').to_owned())
                .collect()
        };
        let mut lines = text.lines().map(split);
        let names = lines.next().unwrap_or_default();
        let rows: Vec<Vec<String>> = lines.collect();
        assert!(
            rows.iter().all(|row| row.len() == names.len()),
            "{} has rows of another length than its header",
            path.display()
        );
        Self { names, rows }
    }

    fn columns<const N: usize>(&self, names: [&str; N]) -> [usize; N] {
        names.map(|wanted| {
            (self.names.iter().position(|name| name == wanted))
                .unwrap_or_else(|| panic!("there is no column {wanted} in {:?}", self.names))
        })
    }

    fn cell<T: FromStr>(&self, row: usize, column: usize) -> T {
        parse(&self.rows[row][column], &self.names[column])
    }
}

fn parse<T: FromStr>(cell: &str, what: &str) -> T {
    cell.parse()
        .unwrap_or_else(|_| panic!("the oracle has {cell} where {what} is expected"))
}
