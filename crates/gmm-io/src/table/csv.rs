//! Reading CSV.

use std::io::Read;

use csv::ByteRecord;
use gmm_core::faer::Mat;

use super::columns::HeaderNames;
use super::counting::Counting;
use super::detect::{self, Layout};
use super::error::{Cell, TableError, shorten};
use super::number::{self, Reading};
use super::options::{CsvOptions, Decisions, Missing, Separator};
use super::records::Records;
use super::roles::Roles;
use super::row_names;
use super::text::CleanText;
use super::{Ids, Table, default_name};

/// Reads a table of comma- (or otherwise) separated values.
///
/// Cells may be quoted; line ends may be `\n`, `\r\n` or `\r`; blank lines and a byte-order mark are skipped (in a table
/// of one column, where a blank line may have been a missing cell, those between others are counted). Numbers
/// are written as Rust, C or Python would (`1`, `-1.5`, `2e-3`), whatever the locale, or with a decimal comma. The
/// file is read as a stream: memory holds the numbers, not the text.
///
/// ```
/// use gmm_io::table::{CsvOptions, read_csv};
///
/// let text = "height;weight\n1,80;75\n1,65;62,5\n";
/// let table = read_csv(text.as_bytes(), &CsvOptions::default())?;
/// assert_eq!(table.names, ["height", "weight"]);
/// assert_eq!(table.values[(1, 1)], 62.5);
/// assert_eq!(table.decisions.to_string(), "header, separator: semicolon, decimal commas");
/// # Ok::<(), gmm_io::table::TableError>(())
/// ```
///
/// # Errors
/// [`TableError`] names the line, the column and the remedy.
pub fn read_csv(reader: impl Read, options: &CsvOptions) -> Result<Table, TableError> {
    options.check()?;
    let mut text = CleanText::new(reader);
    let head = detect::read_head(&mut text)?;
    let layout = detect::layout(&head, options)?;
    let mut records = Records::new(head.chain(text), layout.separator);

    let Some((line, first)) = records.next()? else {
        return Err(TableError::Empty);
    };
    let with_cell = layout.row_names.then(|| row_names::with_cell(first));
    let top = with_cell.as_ref().unwrap_or(first);
    let names = column_names(line, top, layout.header)?;
    let unnamed = unnamed_columns(top, layout.header);
    let header = HeaderNames {
        names: &names,
        present: layout.header,
        unnamed: &unnamed,
    };
    let roles = Roles::resolve(options, &header, &layout)?;
    let mut rows = Rows::new(&header, &roles, &layout, options.missing);
    if !layout.header {
        rows.push(line, first)?;
    }
    while let Some((line, record)) = records.next()? {
        rows.push(line, record)?;
    }
    rows.finish(records.blank_lines())
}

/// The names in a header, made up where a cell is empty or there is no header.
fn column_names(line: u64, first: &ByteRecord, header: bool) -> Result<Vec<String>, TableError> {
    let name = |(index, cell): (usize, &[u8])| match cell.trim_ascii() {
        [] => Ok(default_name(index)),
        _ if !header => Ok(default_name(index)),
        cell => utf8(line, index, cell),
    };
    first.iter().enumerate().map(name).collect()
}

/// For each column whether a header has no name for it.
fn unnamed_columns(first: &ByteRecord, header: bool) -> Vec<bool> {
    let is_unnamed = |cell: &[u8]| header && cell.trim_ascii().is_empty();
    first.iter().map(is_unnamed).collect()
}

fn utf8(line: u64, index: usize, cell: &[u8]) -> Result<String, TableError> {
    let text = std::str::from_utf8(cell).map_err(|_| TableError::InvalidUtf8 {
        line,
        column: index + 1,
    })?;
    Ok(text.to_owned())
}

/// The rows read so far.
struct Rows<'a> {
    header: &'a HeaderNames<'a>,
    roles: &'a Roles,
    layout: &'a Layout,
    missing: Missing,
    /// The features and, behind them, the weights: where each stands in the file, and its numbers.
    columns: Vec<(usize, Vec<f64>)>,
    ids: Vec<String>,
    groups: Vec<String>,
    skipped: Vec<u64>,
    /// Those of the columns that have done nothing but count the rows so far.
    counting: Vec<Counting>,
    /// The numbers of one row, which is kept or skipped as a whole.
    row: Vec<f64>,
}

impl<'a> Rows<'a> {
    fn new(
        header: &'a HeaderNames<'a>,
        roles: &'a Roles,
        layout: &'a Layout,
        missing: Missing,
    ) -> Self {
        let indices = roles.features.iter().copied().chain(roles.weights);
        Self {
            header,
            roles,
            layout,
            missing,
            columns: indices.map(|index| (index, Vec::new())).collect(),
            ids: Vec::new(),
            groups: Vec::new(),
            skipped: Vec::new(),
            counting: roles.unnamed.iter().copied().map(Counting::new).collect(),
            row: Vec::new(),
        }
    }

    fn push(&mut self, line: u64, record: &ByteRecord) -> Result<(), TableError> {
        let expected = self.header.names.len();
        if record.len() != expected {
            return Err(self.uneven(line, record));
        }
        let decimal_comma = self.layout.decimal_comma;
        self.counting.retain_mut(|column| {
            column.goes_on(number::read(&record[column.index], decimal_comma))
        });
        self.row.clear();
        let mut has_gap = false;
        for &(index, _) in &self.columns {
            match number::read(&record[index], self.layout.decimal_comma) {
                Reading::Number(value) => self.row.push(value),
                Reading::Missing if self.missing == Missing::SkipRows => has_gap = true,
                reading => return Err(self.bad_cell(line, index, &record[index], reading)),
            }
        }
        // Rows without a group are not a group.
        if let Some(index) = self.roles.groups
            && let reading @ Reading::Missing = number::read(&record[index], false)
        {
            if self.missing != Missing::SkipRows {
                return Err(self.bad_cell(line, index, &record[index], reading));
            }
            has_gap = true;
        }
        if has_gap {
            self.skipped.push(line);
            return Ok(());
        }
        for (index, names) in [
            (self.roles.id, &mut self.ids),
            (self.roles.groups, &mut self.groups),
        ] {
            if let Some(index) = index {
                names.push(utf8(line, index, record[index].trim_ascii())?);
            }
        }
        for ((_, values), &value) in self.columns.iter_mut().zip(&self.row) {
            values.push(value);
        }
        Ok(())
    }

    /// What is wrong with a line of another number of cells than the first.
    fn uneven(&self, line: u64, record: &ByteRecord) -> TableError {
        let (found, expected) = (record.len(), self.header.names.len());
        let whole = || record.iter().collect::<Vec<_>>().join(&b',');
        let has_rows =
            !self.skipped.is_empty() || (self.columns.iter()).any(|(_, values)| !values.is_empty());
        let comma = Separator::Is(b',');
        if self.layout.separator == comma
            && (found, expected) == (2, 1)
            && number::needs_decimal_comma(&whole())
        {
            let text = shorten(String::from_utf8_lossy(&whole()).trim());
            TableError::SplitNumber { line, text }
        } else if self.layout.header && !has_rows && found == expected + 1 {
            TableError::ShortHeader {
                line,
                found,
                expected,
            }
        } else {
            TableError::Ragged {
                line,
                found,
                expected,
            }
        }
    }

    fn bad_cell(&self, line: u64, index: usize, bytes: &[u8], reading: Reading) -> TableError {
        let cell = Box::new(Cell::new(line, self.header.id(index), bytes));
        match reading {
            Reading::Missing => TableError::Missing(cell),
            Reading::Overflow => TableError::Overflow(cell),
            Reading::Infinite => TableError::Infinite(cell),
            _ if self.layout.decimal_comma => TableError::NotANumber(cell),
            _ => {
                let thousands = number::groups_thousands(bytes);
                match (thousands, number::needs_decimal_comma(bytes)) {
                    (true, true) => TableError::CommaUnclear(cell),
                    (true, false) => TableError::Thousands(cell),
                    (false, true) => TableError::DecimalComma(cell),
                    (false, false) => TableError::NotANumber(cell),
                }
            }
        }
    }

    fn finish(mut self, blank_lines: u64) -> Result<Table, TableError> {
        let n_rows = self.columns.first().map_or(0, |(_, values)| values.len());
        if n_rows == 0 {
            return Err(match self.skipped.len() {
                0 => TableError::NoRows,
                skipped => TableError::AllSkipped { skipped },
            });
        }
        let weights = self.roles.weights.and_then(|_| self.columns.pop());
        let counting: Vec<usize> = self.counting.iter().map(|column| column.index).collect();
        // Those of the features' order, which is the file's where nobody chose.
        self.columns
            .retain(|(index, _)| counting.binary_search(index).is_err());
        if self.columns.is_empty() {
            return Err(TableError::NoColumns);
        }
        let row_names = self.roles.leaves_row_names.then_some(0);
        let left_out = row_names.into_iter().chain(counting);
        let name = |&index: &usize| self.header.names[index].clone();
        let named = |index: Option<usize>, values| {
            index.map(|index| Ids {
                name: name(&index),
                values,
            })
        };
        Ok(Table {
            names: self.columns.iter().map(|(index, _)| name(index)).collect(),
            values: Mat::from_fn(n_rows, self.columns.len(), |i, j| self.columns[j].1[i]),
            ids: named(self.roles.id, self.ids),
            groups: named(self.roles.groups, self.groups),
            weights: weights.map(|(_, values)| values),
            decisions: Decisions {
                header: self.layout.header,
                separator: Some(self.layout.separator),
                decimal_comma: self.layout.decimal_comma,
                text_columns: self.roles.text.iter().map(name).collect(),
                row_names: self.layout.row_names,
                unnamed_columns: left_out.map(|index| index + 1).collect(),
                skipped: self.skipped,
                // Between rows of several cells a blank line is nothing; of a single cell it may be a missing one.
                blank_lines: match self.header.names.len() {
                    1 => blank_lines,
                    _ => 0,
                },
            },
        })
    }
}
