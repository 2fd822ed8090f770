//! The data of a command: read from a file or from standard input, with what people call them.

use std::io::{self, Read};

use gmm_core::faer::Mat;
use gmm_core::{GaussianMixture, Samples};
use gmm_io::table::{Column, ColumnSelector, CsvOptions, Separator, Table, TableError};
use gmm_io::table::{read_csv, read_table};

use crate::args::DataOptions;
use crate::console::Console;
use crate::explain;
use crate::failure::Failure;
use crate::text::{counted, joined};

/// A table and its names.
#[derive(Debug)]
pub(crate) struct Data {
    /// What messages call it: the path as the user gave it, or "standard input".
    pub(crate) source: String,
    /// Whether the names of the features are those of the file.
    pub(crate) has_header: bool,
    pub(crate) names: Vec<String>,
    pub(crate) values: Mat<f64>,
    pub(crate) ids: Option<RowNames>,
    /// For each row a number that it shares with the rows of its group.
    pub(crate) groups: Option<Vec<usize>>,
    pub(crate) weights: Option<Vec<f64>>,
    /// Names of the columns of text that were left out.
    pub(crate) left_out: Vec<String>,
    /// Number of rows with missing cells that were skipped.
    pub(crate) n_skipped: usize,
}

/// The names of the rows.
#[derive(Debug)]
pub(crate) struct RowNames {
    /// The name of their column.
    pub(crate) column: String,
    pub(crate) values: Vec<String>,
}

impl Data {
    fn new(source: String, table: Table) -> Self {
        Self {
            source,
            has_header: table.decisions.header,
            names: table.names,
            values: table.values,
            ids: table.ids.map(|ids| RowNames {
                column: ids.name,
                values: ids.values,
            }),
            groups: table.groups.map(|groups| numbered(&groups.values)),
            weights: table.weights,
            left_out: table.decisions.text_columns,
            n_skipped: table.decisions.skipped.len(),
        }
    }

    /// The table as the libraries take it.
    pub(crate) fn samples(&self) -> Samples<'_> {
        let samples = Samples::from(&self.values);
        match &self.weights {
            Some(weights) => samples.with_weights(weights),
            None => samples,
        }
    }

    pub(crate) fn n_rows(&self) -> usize {
        self.values.nrows()
    }

    pub(crate) fn n_features(&self) -> usize {
        self.values.ncols()
    }

    /// How messages name a feature: its name, or its number in the file where that has no names.
    pub(crate) fn feature(&self, index: usize) -> String {
        match self.names.get(index) {
            Some(name) if self.has_header => format!("column {name:?}"),
            // Made-up names are x and the place in the file.
            Some(name) => format!("column {}", name.trim_start_matches('x')),
            None => format!("column {}", index + 1),
        }
    }

    /// How an option names that feature.
    pub(crate) fn feature_option(&self, index: usize) -> String {
        let Some(name) = self.names.get(index) else {
            return (index + 1).to_string();
        };
        if !self.has_header {
            return name.trim_start_matches('x').to_owned();
        }
        let is_plain = |c: char| c.is_alphabetic() || c == '.' || c == '_' || (c.is_ascii_digit());
        let is_word = name.chars().all(is_plain) && name.chars().any(char::is_alphabetic);
        if is_word {
            name.clone()
        } else {
            // Quotes for us, in quotes for the shell.
            format!("'\"{name}\"'")
        }
    }

    /// The names that a model file may keep: those of the file, if they tell the features apart.
    pub(crate) fn own_names(&self) -> Option<Vec<String>> {
        let mut sorted: Vec<&String> = self.names.iter().collect();
        sorted.sort_unstable();
        let are_unique = sorted.windows(2).all(|pair| pair[0] != pair[1]);
        (self.has_header && are_unique).then(|| self.names.clone())
    }

    /// "old_faithful.csv: 272 rows, 2 features".
    pub(crate) fn headline(&self) -> String {
        let name = self.source.rsplit(['/', '\\']).next().unwrap_or_default();
        let weighted = match &self.weights {
            Some(weights) => format!(" of total weight {}", weights.iter().sum::<f64>()),
            None => String::new(),
        };
        format!(
            "{name}: {}{weighted}, {}",
            counted(self.n_rows(), "row"),
            counted(self.n_features(), "feature")
        )
    }
}

/// Numbers for names, the same for the same name.
fn numbered(names: &[String]) -> Vec<usize> {
    let mut sorted: Vec<&String> = names.iter().collect();
    sorted.sort_unstable();
    sorted.dedup();
    let number = |name: &String| sorted.partition_point(|other| *other < name);
    names.iter().map(number).collect()
}

/// Reads the data of a fit.
pub(crate) fn read(options: &DataOptions, console: &Console) -> Result<Data, Failure> {
    read_grouped(options, None, console)
}

/// [`read`] with a column that says which rows belong together.
pub(crate) fn read_grouped(
    options: &DataOptions,
    groups: Option<&Column>,
    console: &Console,
) -> Result<Data, Failure> {
    let source = source_name(options);
    let mut csv = options.csv_options();
    if let Some(column) = groups {
        csv = csv.groups(column.clone());
    }
    let table = if is_stdin(options) {
        read_csv(io::stdin().lock(), &csv)
    } else {
        read_table(&options.path, &csv)
    };
    let table = table.map_err(|error| explain::table(&source, &error))?;
    note_decisions(&source, &table, console);
    note_same_names(&source, &table, console);
    Ok(Data::new(source, table))
}

/// Reads data for a model that exists: its features by name if both sides have names, by position otherwise.
///
/// A table without rows is no error here: a batch may be empty.
pub(crate) fn read_for(
    model: &GaussianMixture,
    names: Option<&[String]>,
    options: &DataOptions,
    console: &Console,
) -> Result<Data, Failure> {
    if options.skips_rows() && options.id.is_none() {
        return Err(Failure::Usage(
            "with --missing skip the results have fewer lines than the data, so that rows need names: add --id COLUMN"
                .to_owned(),
        ));
    }
    let source = source_name(options);
    let reader = Rereader::new(options)
        .map_err(|error| Failure::Refused(format!("cannot read {source}: {error}")))?;
    let base = options.csv_options();
    let by_name = names.filter(|_| options.columns.is_none());
    let table = match by_name {
        None => reader.read(&base),
        Some(names) => {
            let columns: ColumnSelector = names.iter().cloned().map(Column::Name).collect();
            match reader.read(&base.clone().columns(columns)) {
                // Only our own names are looked up without a header; one that the user gave fails again.
                Err(TableError::NoHeader { .. }) => {
                    let table = reader.read(&base);
                    if table.is_ok() {
                        console.note(&format!(
                            "{source} has no header: its columns are taken as the model's features in their order"
                        ));
                    }
                    table
                }
                other => other,
            }
        }
    };
    let table = match table {
        Ok(table) => table,
        Err(TableError::NoRows) => {
            console.note(&format!("{source} has no rows"));
            return Ok(empty(source, model.n_features(), options));
        }
        Err(TableError::UnknownColumn { known, .. })
            if by_name.is_some_and(|names| names.iter().any(|name| !known.contains(name))) =>
        {
            let missing = by_name
                .unwrap_or_default()
                .iter()
                .filter(|name| !known.contains(name));
            let missing: Vec<String> = missing.map(|name| format!("{name:?}")).collect();
            let known: Vec<String> = known.iter().map(|name| format!("{name:?}")).collect();
            return Err(Failure::Refused(format!(
                "{source}: the model's {} {} not among the columns {}; rename the columns, or choose them with --columns in the model's order",
                joined(&missing),
                if missing.len() == 1 { "is" } else { "are" },
                joined(&known)
            )));
        }
        Err(error) => return Err(explain::table(&source, &error)),
    };
    if table.values.ncols() != model.n_features() {
        let features = match names {
            Some(names) => format!(" ({})", joined(names)),
            None => String::new(),
        };
        return Err(Failure::Refused(format!(
            "{source}: {} ({}) for a model of {}{features}; choose them with --columns, in the model's order",
            counted(table.values.ncols(), "column"),
            joined(&table.names),
            counted(model.n_features(), "feature"),
        )));
    }
    // What is left out beside the model's features is nobody's loss, but rows that lose their line are.
    if by_name.is_none() || table.decisions.blank_lines > 0 {
        note_decisions(&source, &table, console);
    }
    if names.is_none() && table.decisions.header && options.columns.is_none() {
        console.note(&format!(
            "the model has no names of features: the columns of {source} are taken in their order"
        ));
    }
    Ok(Data::new(source, table))
}

/// Data without rows, so that a command writes nothing but its header.
fn empty(source: String, n_features: usize, options: &DataOptions) -> Data {
    Data {
        source,
        has_header: true,
        names: Vec::new(),
        values: Mat::zeros(0, n_features),
        ids: options.id.as_ref().map(|column| RowNames {
            column: match column {
                Column::Name(name) => name.clone(),
                _ => "id".to_owned(),
            },
            values: Vec::new(),
        }),
        groups: None,
        weights: None,
        left_out: Vec::new(),
        n_skipped: 0,
    }
}

fn is_stdin(options: &DataOptions) -> bool {
    options.path.as_os_str() == "-"
}

fn source_name(options: &DataOptions) -> String {
    if is_stdin(options) {
        "standard input".to_owned()
    } else {
        options.path.display().to_string()
    }
}

/// A table that may be read twice: with and without a look at its names.
enum Rereader<'a> {
    File(&'a DataOptions),
    /// Standard input can be read once only, so that its bytes are kept.
    Bytes(Vec<u8>),
}

impl<'a> Rereader<'a> {
    fn new(options: &'a DataOptions) -> io::Result<Self> {
        if !is_stdin(options) {
            return Ok(Self::File(options));
        }
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes)?;
        Ok(Self::Bytes(bytes))
    }

    fn read(&self, csv: &CsvOptions) -> Result<Table, TableError> {
        match self {
            Self::File(options) => read_table(&options.path, csv),
            Self::Bytes(bytes) => read_csv(bytes.as_slice(), csv),
        }
    }
}

/// Says that a model of these features can't keep their names, because they don't tell them apart.
fn note_same_names(source: &str, table: &Table, console: &Console) {
    if !table.decisions.header {
        return;
    }
    let mut sorted = table.names.clone();
    sorted.sort_unstable();
    let same = sorted.windows(2).filter(|pair| pair[0] == pair[1]);
    let mut same: Vec<String> = same.map(|pair| format!("{:?}", pair[0])).collect();
    same.dedup();
    if !same.is_empty() {
        console.note(&format!(
            "{source}: more than one column is named {}; rename them, or a model is saved without names",
            joined(&same)
        ));
    }
}

/// Says what was decided about a table, unless it is what everybody expects: a header and commas.
fn note_decisions(source: &str, table: &Table, console: &Console) {
    let decisions = &table.decisions;
    let is_plain = decisions.header
        && decisions.separator == Some(Separator::Is(b','))
        && !decisions.decimal_comma
        && decisions.text_columns.is_empty()
        && !decisions.row_names
        && decisions.unnamed_columns.is_empty()
        && decisions.skipped.is_empty()
        && decisions.blank_lines == 0;
    if !is_plain {
        console.note(&format!("{source}: {decisions}"));
    }
}
