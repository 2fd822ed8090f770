//! How a table is to be read, and what was decided where the reader was left to find out.

use std::fmt;

use super::columns::{Column, ColumnSelector};
use super::error::TableError;

/// How to read a table; the default finds out what it can and is strict about the rest.
///
/// ```
/// use gmm_io::table::{CsvOptions, Header, Missing};
///
/// let options = CsvOptions::default()
///     .header(Header::Present)
///     .columns("2-4".parse()?)
///     .id("name".parse()?)
///     .missing(Missing::SkipRows);
/// # let _ = options;
/// # Ok::<(), gmm_io::table::SelectorError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct CsvOptions {
    pub(super) header: Header,
    pub(super) separator: Separator,
    pub(super) decimal: Decimal,
    pub(super) columns: Option<ColumnSelector>,
    pub(super) exclude: Option<ColumnSelector>,
    pub(super) id: Option<Column>,
    pub(super) groups: Option<Column>,
    pub(super) weights: Option<Column>,
    pub(super) missing: Missing,
    pub(super) text_columns: TextColumns,
}

impl CsvOptions {
    /// Whether the first line holds names; found out by default.
    pub fn header(mut self, header: Header) -> Self {
        self.header = header;
        self
    }

    /// What separates the cells of a line; found out by default.
    pub fn separator(mut self, separator: Separator) -> Self {
        self.separator = separator;
        self
    }

    /// The decimal sign; found out by default.
    pub fn decimal(mut self, decimal: Decimal) -> Self {
        self.decimal = decimal;
        self
    }

    /// The columns to read as features, in this order.
    ///
    /// By default all, apart from a column without a name that only counts the rows from 0 or 1, as pandas and R
    /// write one, and from one of row names that the header has no cell for, as R writes it: they are left out and
    /// recorded.
    pub fn columns(mut self, columns: ColumnSelector) -> Self {
        self.columns = Some(columns);
        self
    }

    /// Columns to leave out, from all or from those chosen.
    pub fn exclude(mut self, columns: ColumnSelector) -> Self {
        self.exclude = Some(columns);
        self
    }

    /// The column that names the rows; it is kept as text and is no feature.
    pub fn id(mut self, column: Column) -> Self {
        self.id = Some(column);
        self
    }

    /// The column that says which rows belong together; it is kept as text and is no feature.
    pub fn groups(mut self, column: Column) -> Self {
        self.groups = Some(column);
        self
    }

    /// The column of sample weights; it comes back as [`Table::weights`](super::Table::weights) and is no feature.
    pub fn weights(mut self, column: Column) -> Self {
        self.weights = Some(column);
        self
    }

    /// What to do with rows that have missing cells; an error by default.
    pub fn missing(mut self, missing: Missing) -> Self {
        self.missing = missing;
        self
    }

    /// What to do with columns of text when no columns were chosen; an error by default.
    pub fn text_columns(mut self, text_columns: TextColumns) -> Self {
        self.text_columns = text_columns;
        self
    }

    /// Whether the options contradict each other.
    pub(super) fn check(&self) -> Result<(), TableError> {
        match self.separator {
            Separator::Is(b',') if self.decimal == Decimal::Comma => Err(TableError::CommaTwice),
            Separator::Is(byte)
                if !byte.is_ascii()
                    || byte.is_ascii_alphanumeric()
                    || b"\0\r\n\".+-".contains(&byte) =>
            {
                Err(TableError::BadSeparator { byte })
            }
            _ => Ok(()),
        }
    }

    /// The names of columns that the options mention.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let selected = [&self.columns, &self.exclude].into_iter().flatten();
        let single = [&self.id, &self.groups, &self.weights];
        let single = single.into_iter().flatten();
        selected
            .flat_map(ColumnSelector::names)
            .chain(single.filter_map(|column| match column {
                Column::Name(name) => Some(name.as_str()),
                Column::Number(_) => None,
            }))
    }
}

/// Whether the first line of a table holds the names of its columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Header {
    /// It does if it holds words above columns of numbers, or a name that the options ask for.
    ///
    /// A first line of nothing but numbers is data.
    #[default]
    Detect,
    /// It does.
    Present,
    /// It is the first row of data.
    Absent,
}

/// What separates the cells of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Separator {
    /// The comma, semicolon, tab, bar or space that splits the first lines into equally many cells, most of them
    /// numbers.
    #[default]
    Detect,
    /// This byte.
    Is(u8),
    /// One or more spaces, also before the first and behind the last cell.
    Spaces,
}

impl fmt::Display for Separator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Detect => f.write_str("to be found"),
            Self::Is(b',') => f.write_str("comma"),
            Self::Is(b';') => f.write_str("semicolon"),
            Self::Is(b'\t') => f.write_str("tab"),
            Self::Is(byte) => write!(f, "{:?}", char::from(*byte)),
            Self::Spaces => f.write_str("spaces"),
        }
    }
}

/// The decimal sign of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Decimal {
    /// A comma if cells of the first lines are numbers only with one, and the comma does not separate cells.
    #[default]
    Detect,
    /// A point, as in `1.5`.
    Point,
    /// A comma, as in `1,5`.
    Comma,
}

/// What to do with a row that has a missing cell: an empty one or one of `NA`, `NaN`, `N/A`, `null`, `none`, `?`.
///
/// Only the columns that are read as features or weights count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Missing {
    /// Refuse the table and name the cell.
    #[default]
    Error,
    /// Leave the row out and record its line.
    SkipRows,
}

/// What to do with columns of text when no columns were chosen.
///
/// A column is text if its first cells (a hundred rows and more) hold words and not a single number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TextColumns {
    /// Refuse the table and list the columns of numbers.
    #[default]
    Error,
    /// Leave them out and record their names.
    Leave,
}

/// What was decided while a table was read; its text form is one line for a user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Decisions {
    /// Whether the first line was taken for a header.
    pub header: bool,
    /// What separates cells; `None` in an npy file.
    pub separator: Option<Separator>,
    /// Whether the decimal sign is a comma.
    pub decimal_comma: bool,
    /// The names of columns of text that were left out.
    pub text_columns: Vec<String>,
    /// Whether the header names all columns but the first, which then holds row names, as R writes them.
    pub row_names: bool,
    /// The numbers (from 1) of columns without a name that were left out: they hold row names, or count the rows.
    pub unnamed_columns: Vec<usize>,
    /// The rows with missing cells that were skipped: lines of a CSV file, rows counted from 1 of an npy file.
    pub skipped: Vec<u64>,
    /// How many blank lines between the lines of a single column were passed over: rows are fewer than lines then.
    pub blank_lines: u64,
}

impl fmt::Display for Decisions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.separator {
            Some(separator) => {
                let header = if self.header { "header" } else { "no header" };
                write!(f, "{header}, separator: {separator}")?;
            }
            None => f.write_str("npy")?,
        }
        if self.decimal_comma {
            f.write_str(", decimal commas")?;
        }
        if !self.text_columns.is_empty() {
            write!(f, ", text left out: {}", self.text_columns.join(", "))?;
        }
        if self.row_names && !self.unnamed_columns.contains(&1) {
            f.write_str(", row names in column 1")?;
        }
        for column in &self.unnamed_columns {
            let what = match column {
                1 if self.row_names => "holds row names",
                _ => "has no name and counts the rows",
            };
            write!(f, ", column {column} {what}: left out")?;
        }
        if let Some(first) = self.skipped.first() {
            let n = self.skipped.len();
            let (rows, unit) = (
                if n == 1 { "row" } else { "rows" },
                if self.separator.is_some() {
                    "line"
                } else {
                    "row"
                },
            );
            write!(
                f,
                ", {n} {rows} with missing cells skipped (the first: {unit} {first})"
            )?;
        }
        match self.blank_lines {
            0 => Ok(()),
            1 => f.write_str(", 1 blank line passed over"),
            n => write!(f, ", {n} blank lines passed over"),
        }
    }
}
