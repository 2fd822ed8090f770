//! What can be wrong with a table, each with its place and a remedy.

use std::fmt;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a table could not be read.
///
/// Lines and columns are counted from 1, as an editor shows them.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TableError {
    /// The file could not be opened.
    #[error("cannot open {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Reading stopped with an error of the system.
    #[error("cannot read the table")]
    Read(#[source] io::Error),
    /// There is nothing but blank lines.
    #[error("the table is empty; expected at least one line of numbers")]
    Empty,
    /// There is nothing below the header.
    #[error("the table has a header but no rows; expected at least one line of numbers below it")]
    NoRows,
    /// Every row has a missing cell, and such rows were to be skipped.
    #[error(
        "all {skipped} rows have a missing cell and were skipped; \
         choose columns with fewer gaps or fill the cells"
    )]
    AllSkipped {
        /// How many rows there are.
        skipped: usize,
    },
    /// A cell that should be a number is none.
    #[error("{0} is not a number; leave the column out or use it as id")]
    NotANumber(Box<Cell>),
    /// A cell that would be a number if its comma were the decimal sign.
    #[error(
        "{0} is a number only with a decimal comma; set the decimal sign and another separator than the comma"
    )]
    DecimalComma(Box<Cell>),
    /// A cell that would be a number without its comma, and another one with a decimal comma.
    #[error(
        "{0} is a number only without its comma, or with a decimal comma; remove commas between thousands, \
         or set the decimal sign and another separator than the comma"
    )]
    CommaUnclear(Box<Cell>),
    /// A cell that would be a number without the commas between its thousands.
    #[error("{0} is a number only without the commas between its thousands; remove them")]
    Thousands(Box<Cell>),
    /// A number beyond the range of `f64`.
    #[error("{0} is too large for a 64-bit number; rescale the column")]
    Overflow(Box<Cell>),
    /// The word for infinity.
    #[error("{0} is not a finite number; leave the row or the column out")]
    Infinite(Box<Cell>),
    /// A missing cell.
    #[error(
        "{0} is a missing value; fill the cell, leave the column out or skip rows with missing cells"
    )]
    Missing(Box<Cell>),
    /// A row with more or fewer cells than the first.
    #[error("line {line} has {found} cell{}, expected {expected}; check its separators and quotes", if *found == 1 { "" } else { "s" })]
    Ragged {
        /// The line.
        line: u64,
        /// The cells of this line.
        found: usize,
        /// The cells of the first line.
        expected: usize,
    },
    /// A header with one cell fewer than the first line of data, whose first cell does not look like a row name.
    #[error(
        "line {line} has {found} cells, but the header has {expected}; check separators and quotes, \
         and give the first column a name too if it holds row names"
    )]
    ShortHeader {
        /// The line.
        line: u64,
        /// The cells of this line.
        found: usize,
        /// The cells of the header.
        expected: usize,
    },
    /// A number in a table of one column that its decimal comma splits in two.
    #[error(
        "line {line} has 2 cells, expected 1; if {text:?} is one number, say that its comma is the decimal sign"
    )]
    SplitNumber {
        /// The line.
        line: u64,
        /// The two cells with their comma.
        text: String,
    },
    /// A quote that runs to the end of the file.
    #[error("the quote opened in line {line} is never closed; close or remove it")]
    UnclosedQuote {
        /// The line of the quote.
        line: u64,
    },
    /// A quote within a quoted cell.
    #[error(
        "line {line} has text behind a closing quote; \
         double the quotes within a cell, and look for one left open above"
    )]
    StrayQuote {
        /// The line of the text.
        line: u64,
    },
    /// A byte that no text has.
    #[error("line {line} holds a NUL byte; save the table as UTF-8 text")]
    NulByte {
        /// The line.
        line: u64,
    },
    /// The text is encoded as UTF-16.
    #[error("the table is UTF-16 text; save it as UTF-8")]
    Utf16,
    /// A name or an id in another encoding.
    #[error("line {line}, column {column} is not UTF-8 text; save the table as UTF-8")]
    InvalidUtf8 {
        /// The line.
        line: u64,
        /// The column.
        column: usize,
    },
    /// The first line holds numbers and names above columns of numbers.
    #[error(
        "line {line} holds both numbers and words above columns of numbers; \
         say whether it is a header"
    )]
    HeaderUnclear {
        /// The first line that is not blank.
        line: u64,
    },
    /// Some columns hold text, and none were chosen.
    #[error(
        "{} hold{} text; choose among the columns of numbers{}, or leave text columns out",
        ColumnList(text), if text.len() == 1 { "s" } else { "" }, Parenthesis(numeric)
    )]
    TextColumns {
        /// The columns of text.
        text: Vec<ColumnId>,
        /// The columns that could be chosen.
        numeric: Vec<ColumnId>,
    },
    /// After all choices no column remains.
    #[error("no column of numbers is left to read; choose at least one")]
    NoColumns,
    /// No column has this name.
    #[error("no column is named {name:?}; the names are {}", NameList(known))]
    UnknownColumn {
        /// The name asked for.
        name: String,
        /// The names of the table.
        known: Vec<String>,
    },
    /// The table has no column of this number.
    #[error("column {number} is asked for, expected a number from 1 to {n_columns}")]
    ColumnNumber {
        /// The number asked for.
        number: usize,
        /// How many columns there are.
        n_columns: usize,
    },
    /// Two columns share the name that is asked for.
    #[error("columns {first} and {second} are both named {name:?}; choose by number")]
    AmbiguousColumn {
        /// The name asked for.
        name: String,
        /// The first column of that name.
        first: usize,
        /// The second column of that name.
        second: usize,
    },
    /// A name is asked for in a table without names.
    #[error("a column named {name:?} is asked for, but the table has no header; choose by number")]
    NoHeader {
        /// The name asked for.
        name: String,
    },
    /// A column is chosen twice, or for two purposes.
    #[error("{column} is chosen twice; choose each column once and for one purpose")]
    ColumnTwice {
        /// The column.
        column: ColumnId,
    },
    /// A separator that could be part of a number or a quoted cell.
    #[error("{:?} can't separate cells; use a comma, semicolon, tab or bar", char::from(*byte))]
    BadSeparator {
        /// The separator asked for.
        byte: u8,
    },
    /// The comma is asked for in two roles.
    #[error("a comma can't be separator and decimal sign at once; choose another separator")]
    CommaTwice,
    /// A file of another kind.
    #[error("this is {kind}, expected CSV or npy; {}", kind.remedy())]
    ForeignFile {
        /// What the file is.
        kind: ForeignKind,
    },
    /// What is wrong with an npy file.
    #[error(transparent)]
    Npy(#[from] super::npy::NpyError),
}

/// Why a choice of columns could not be understood.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SelectorError {
    /// There is no number or name between two commas.
    #[error("a column is empty; expected a number, a range such as 4-6, or a name")]
    Empty,
    /// The number 0.
    #[error("there is no column 0; columns are counted from 1")]
    Zero,
    /// A range that ends before it starts.
    #[error("columns {first}-{last} run backwards; write {last}-{first}")]
    Reversed {
        /// The first number.
        first: usize,
        /// The last number.
        last: usize,
    },
    /// A quote that is never closed.
    #[error("a quote around the name of a column is never closed; close it")]
    UnclosedQuote,
}

/// A column of a table as messages name it: by number and, if it has one, name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ColumnId {
    /// Counted from 1.
    pub number: usize,
    /// The name in the header, if there is one.
    pub name: Option<String>,
}

impl fmt::Display for ColumnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}", self.number)?;
        match &self.name {
            Some(name) => write!(f, " ({:?})", shorten(name)),
            None => Ok(()),
        }
    }
}

/// A cell of a table, as messages show it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cell {
    /// The line on which the cell's row starts, counted from 1.
    pub line: u64,
    /// The cell's column.
    pub column: ColumnId,
    /// The cell's text, shortened if it is long.
    pub text: String,
}

impl Cell {
    pub(super) fn new(line: u64, column: ColumnId, bytes: &[u8]) -> Self {
        let text = shorten(String::from_utf8_lossy(bytes).trim());
        Self { line, column, text }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, {}: {:?}", self.line, self.column, self.text)
    }
}

/// Kinds of files that are often given for a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ForeignKind {
    /// Compressed by gzip.
    Gzip,
    /// A zip archive, among them `.npz` and `.xlsx`.
    Zip,
    /// Apache Parquet.
    Parquet,
    /// HDF5.
    Hdf5,
    /// A model file of these crates.
    Model,
    /// Anything under the name of an npy file.
    NotNpy,
}

impl ForeignKind {
    /// The kind of file that starts like this, if it is a foreign one.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        let kinds: [(&[u8], Self); 5] = [
            (b"\x1f\x8b", Self::Gzip),
            (b"PK\x03\x04", Self::Zip),
            (b"PAR1", Self::Parquet),
            (b"\x89HDF", Self::Hdf5),
            (b"\x89GMM", Self::Model),
        ];
        let found = kinds.iter().find(|(magic, _)| head.starts_with(magic));
        found.map(|&(_, kind)| kind)
    }

    fn remedy(self) -> &'static str {
        match self {
            Self::Gzip => "decompress it first",
            Self::Zip => "unpack an .npz, save an .xlsx as CSV",
            Self::Parquet | Self::Hdf5 => "convert it first",
            Self::Model => "give the table of data in its place",
            Self::NotNpy => "rename it if it is CSV",
        }
    }
}

impl fmt::Display for ForeignKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip => "a gzip file",
            Self::Zip => "a zip archive",
            Self::Parquet => "a Parquet file",
            Self::Hdf5 => "an HDF5 file",
            Self::Model => "a model",
            Self::NotNpy => "no npy file in spite of its name",
        })
    }
}

/// How many columns a message lists before it counts the rest.
const LIST_LEN: usize = 8;

/// Longer text is cut for messages, at this many characters as they are shown: a control character takes five.
const SHORT_LEN: usize = 40;

/// Text that fits in a message.
pub(super) fn shorten(text: &str) -> String {
    let mut width = 0;
    let end = text.char_indices().find(|(_, letter)| {
        width += letter.escape_debug().count();
        width > SHORT_LEN
    });
    match end {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

fn write_list<T>(
    f: &mut fmt::Formatter<'_>,
    items: &[T],
    write_item: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (i, item) in items.iter().take(LIST_LEN).enumerate() {
        if i > 0 {
            f.write_str(", ")?;
        }
        write_item(f, item)?;
    }
    match items.len().saturating_sub(LIST_LEN) {
        0 => Ok(()),
        n_more => write!(f, " and {n_more} more"),
    }
}

struct ColumnList<'a>(&'a [ColumnId]);

impl fmt::Display for ColumnList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_list(f, self.0, |f, column| write!(f, "{column}"))
    }
}

/// A list of columns in parentheses; nothing if there are none.
struct Parenthesis<'a>(&'a [ColumnId]);

impl fmt::Display for Parenthesis<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str(" (there are none)");
        }
        write!(f, " ({})", ColumnList(self.0))
    }
}

struct NameList<'a>(&'a [String]);

impl fmt::Display for NameList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_list(f, self.0, |f, name| write!(f, "{:?}", shorten(name)))
    }
}
