//! Options that say how a table of data is to be read.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use gmm_io::table::{
    Column, ColumnSelector, CsvOptions, Decimal, Header, Missing, Separator, TextColumns,
};

use super::values;

/// The data and how to read them; what is not said is found out, and notes tell what was decided.
#[derive(Debug, Args)]
pub(crate) struct DataOptions {
    /// Table of numbers: CSV, or NumPy's .npy; - for CSV on standard input
    #[arg(value_name = "DATA")]
    pub(crate) path: PathBuf,
    /// Columns to use as features: names, numbers from 1, ranges (2,4-6,width); all columns of numbers by default
    #[arg(long, value_name = "LIST", help_heading = "Data")]
    pub(crate) columns: Option<ColumnSelector>,
    /// Columns to leave out
    #[arg(long, value_name = "LIST", help_heading = "Data")]
    pub(crate) exclude: Option<ColumnSelector>,
    /// Column that names the rows; it is no feature
    #[arg(long, value_name = "COLUMN", help_heading = "Data")]
    pub(crate) id: Option<Column>,
    /// Column of sample weights (a row of weight 2 counts as two rows); it is no feature
    #[arg(long, value_name = "COLUMN", help_heading = "Data")]
    pub(crate) weights: Option<Column>,
    /// Whether the first line holds the names of the columns
    #[arg(
        long,
        value_name = "WHETHER",
        default_value = "auto",
        help_heading = "Data"
    )]
    header: HeaderChoice,
    /// What separates cells: auto, comma, semicolon, tab, bar, spaces, or a character
    #[arg(long, value_name = "CHARACTER", default_value = "auto", value_parser = values::separator, help_heading = "Data")]
    separator: Separator,
    /// The decimal sign: auto, point or comma (or the sign itself)
    #[arg(long, value_name = "SIGN", default_value = "auto", value_parser = values::decimal, help_heading = "Data")]
    decimal: Decimal,
    /// What to do with a row that has a missing cell: refuse the table, or skip the row
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "error",
        help_heading = "Data"
    )]
    missing: MissingChoice,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum HeaderChoice {
    Auto,
    Yes,
    No,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum MissingChoice {
    Error,
    Skip,
}

impl DataOptions {
    /// Whether rows may be left out, so that results don't stand beside the lines of the file.
    pub(crate) fn skips_rows(&self) -> bool {
        self.missing == MissingChoice::Skip
    }

    /// These options as the reader takes them. Text columns are left out; a note says so.
    pub(crate) fn csv_options(&self) -> CsvOptions {
        let mut options = CsvOptions::default()
            .header(match self.header {
                HeaderChoice::Auto => Header::Detect,
                HeaderChoice::Yes => Header::Present,
                HeaderChoice::No => Header::Absent,
            })
            .separator(self.separator)
            .decimal(self.decimal)
            .missing(match self.missing {
                MissingChoice::Error => Missing::Error,
                MissingChoice::Skip => Missing::SkipRows,
            })
            .text_columns(TextColumns::Leave);
        if let Some(columns) = &self.columns {
            options = options.columns(columns.clone());
        }
        if let Some(columns) = &self.exclude {
            options = options.exclude(columns.clone());
        }
        if let Some(column) = &self.id {
            options = options.id(column.clone());
        }
        if let Some(column) = &self.weights {
            options = options.weights(column.clone());
        }
        options
    }
}
