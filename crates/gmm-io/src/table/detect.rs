//! Finding out how a CSV file is written, from its first lines.

use std::collections::HashSet;
use std::io::Read;

use csv::ByteRecord;

use super::error::TableError;
use super::number::{self, Reading};
use super::options::{CsvOptions, Decimal, Header, Separator};
use super::records::{Records, from_io};
use super::row_names;
use super::text::count_lines;

/// The first lines of a text: this many bytes at least...
const HEAD_LEN: usize = 1 << 16;

/// ...and this many lines, so that wide tables show more than their header.
const HEAD_LINES: u64 = 100;

/// What is tried for a separator; of equally good ones the first.
const SEPARATORS: [Separator; 5] = [
    Separator::Is(b','),
    Separator::Is(b';'),
    Separator::Is(b'\t'),
    Separator::Is(b'|'),
    Separator::Spaces,
];

/// How a CSV file is written.
#[derive(Debug, Default)]
pub(super) struct Layout {
    pub(super) separator: Separator,
    pub(super) decimal_comma: bool,
    pub(super) header: bool,
    /// Whether the header has no cell for the first column, which holds row names.
    pub(super) row_names: bool,
    /// For each column whether its first cells are text without a single number.
    pub(super) text_columns: Vec<bool>,
}

/// Reads the first lines of a text; all of it if it is short.
pub(super) fn read_head(text: &mut impl Read) -> Result<Vec<u8>, TableError> {
    let mut head = Vec::new();
    let mut n_lines = 0;
    loop {
        let known = head.len();
        let n_read = text
            .by_ref()
            .take(HEAD_LEN as u64)
            .read_to_end(&mut head)
            .map_err(from_io)?;
        n_lines += count_lines(&head[known..]);
        if n_read < HEAD_LEN || n_lines >= HEAD_LINES {
            return Ok(head);
        }
    }
}

/// Finds out what the options leave open.
pub(super) fn layout(head: &[u8], options: &CsvOptions) -> Result<Layout, TableError> {
    // The head may end within a line, the whole text can't.
    let n_whole = head
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |i| i + 1);
    let head = &head[..n_whole];
    let (separator, sample) = match options.separator {
        Separator::Detect => best_separator(head, options),
        known => (known, Sample::new(head, known)),
    };
    let sample = sample.beside_row_names(separator, options.header);
    let decimal_comma = match options.decimal {
        Decimal::Point => false,
        Decimal::Comma => true,
        Decimal::Detect => separator != Separator::Is(b',') && sample.has_decimal_commas(),
    };
    let header = match options.header {
        Header::Present => true,
        Header::Absent => false,
        Header::Detect => sample.has_header(options, decimal_comma)?,
    };
    let data = sample.rows.get(usize::from(header)..).unwrap_or_default();
    let kinds = Kinds::of_columns(data, sample.n_columns(), decimal_comma);
    let text_columns = kinds.iter().map(Kinds::is_text).collect();
    Ok(Layout {
        separator,
        decimal_comma,
        header,
        row_names: sample.row_names,
        text_columns,
    })
}

fn best_separator(head: &[u8], options: &CsvOptions) -> (Separator, Sample) {
    let decimal = options.decimal;
    let plain = fittest(decimal, |separator| Sample::new(head, separator));
    if plain.fitness.0 > 0.0 {
        return (plain.separator, plain.sample);
    }
    // No separator splits numbers as it splits the first line: that may be a header without a cell for row names.
    let beside_names =
        |separator| Sample::new(head, separator).beside_row_names(separator, options.header);
    let best = match fittest(decimal, beside_names) {
        padded if padded.fitness.0 > 0.0 => padded,
        _ => plain,
    };
    (best.separator, best.sample)
}

/// A separator, the first lines as it splits them, and how well it does.
struct Split {
    separator: Separator,
    sample: Sample,
    fitness: (f64, usize),
}

/// The separator that fits best, or what is usual if none fits at all.
fn fittest(decimal: Decimal, sample: impl Fn(Separator) -> Sample) -> Split {
    let usual = match decimal {
        Decimal::Comma => Separator::Is(b';'),
        _ => Separator::Is(b','),
    };
    let mut best = Split {
        separator: usual,
        sample: sample(usual),
        fitness: (0.0, 0),
    };
    for separator in SEPARATORS {
        if separator == Separator::Is(b',') && decimal == Decimal::Comma {
            continue;
        }
        let sample = sample(separator);
        let fitness = sample.fitness(separator, decimal);
        if fitness > best.fitness {
            best = Split {
                separator,
                sample,
                fitness,
            };
        }
    }
    best
}

/// The records of the first lines, under one separator.
struct Sample {
    first_line: u64,
    rows: Vec<ByteRecord>,
    /// Whether there are quotes in the first lines.
    quoted: bool,
    /// Whether the first row was given an empty cell for the row names below.
    row_names: bool,
}

impl Sample {
    fn new(head: &[u8], separator: Separator) -> Self {
        let mut first_line = 1;
        let mut rows = Vec::new();
        let mut records = Records::new(head, separator);
        loop {
            match records.next() {
                Ok(Some((line, record))) => {
                    if rows.is_empty() {
                        first_line = line;
                    }
                    // Not a clone, which would be as large as the longest record so far.
                    rows.push(record.iter().collect());
                }
                Ok(None) => break,
                // A quote is open where the head ends, or is misplaced, which the reading itself will report.
                Err(_) => break,
            }
        }
        Self {
            first_line,
            rows,
            quoted: head.contains(&b'"'),
            row_names: false,
        }
    }

    /// This sample with a cell for row names in its header, if that is what the header lacks.
    fn beside_row_names(mut self, separator: Separator, header: Header) -> Self {
        let Some(first) = self.rows.first() else {
            return self;
        };
        let may_be_header = match header {
            Header::Present => true,
            Header::Absent => false,
            Header::Detect => first.iter().all(|cell| is_text(cell, false)),
        };
        // R quotes names unless it is told not to. Without quotes and between separators that can be counted, a line of
        // another length than the first is a damaged one, and not to be read in silence.
        let may_be_of_r = self.quoted || separator == Separator::Spaces;
        if may_be_header
            && may_be_of_r
            && !self.row_names
            && row_names::are_before(first, self.below_first(), separator)
        {
            self.rows[0] = row_names::with_cell(first);
            self.row_names = true;
        }
        self
    }

    fn n_columns(&self) -> usize {
        self.rows.first().map_or(0, ByteRecord::len)
    }

    /// The rows that are data whatever the first row is.
    fn below_first(&self) -> &[ByteRecord] {
        self.rows.get(1..).unwrap_or_default()
    }

    /// How well a separator fits: the number of rows that it splits into as many cells as the first one, each
    /// counted by its share of numbers; among equals the plain number of such rows.
    ///
    /// The share keeps `1,5;2,5` from being split at its commas, and a space within a name from ruling the table.
    fn fitness(&self, separator: Separator, decimal: Decimal) -> (f64, usize) {
        let n_columns = self.n_columns();
        if n_columns < 2 {
            return (0.0, 0);
        }
        let comma_allowed = separator != Separator::Is(b',') && decimal != Decimal::Point;
        let is_number = |cell: &[u8]| {
            let as_point = decimal != Decimal::Comma && !is_text(cell, false);
            as_point || (comma_allowed && !is_text(cell, true))
        };
        let share = |row: &ByteRecord| {
            row.iter().filter(|cell| is_number(cell)).count() as f64 / n_columns as f64
        };
        let data = match self.below_first() {
            [] => &self.rows[..],
            below => below,
        };
        let same = data.iter().filter(|row| row.len() == n_columns);
        (same.clone().map(share).sum(), same.count())
    }

    /// Whether some cells are numbers only with a decimal comma, and none only with a point.
    fn has_decimal_commas(&self) -> bool {
        let mut cells = self.rows.iter().flatten();
        let needs_point = |cell: &[u8]| is_number(cell, false) && !is_number(cell, true);
        cells.clone().any(number::needs_decimal_comma) && !cells.any(needs_point)
    }

    fn has_header(&self, options: &CsvOptions, decimal_comma: bool) -> Result<bool, TableError> {
        let Some(first) = self.rows.first() else {
            return Ok(false);
        };
        let mut names = options.names().peekable();
        if names.peek().is_some()
            && let known = first.iter().map(<[u8]>::trim_ascii).collect::<HashSet<_>>()
            && names.all(|name| known.contains(name.as_bytes()))
        {
            return Ok(true);
        }
        let below = self.below_first();
        // The first cell says something about a column only where numbers stand below it. A table of one line, or
        // without any column of numbers, is judged by the line alone.
        let kinds = Kinds::of_columns(below, first.len(), decimal_comma);
        let alone = !kinds.iter().any(|kinds| kinds.numbers);
        let (mut numbers, mut words) = (false, false);
        for (kinds, cell) in kinds.iter().zip(first) {
            if !alone && !kinds.numbers {
                continue;
            }
            match number::read(cell, decimal_comma) {
                Reading::Missing => {}
                Reading::Text => words = true,
                _ => numbers = true,
            }
        }
        match (words, numbers) {
            (true, true) if !alone => Err(TableError::HeaderUnclear {
                line: self.first_line,
            }),
            (words, numbers) => Ok(words && !numbers),
        }
    }
}

/// What the cells of a column read as.
#[derive(Clone, Default)]
struct Kinds {
    numbers: bool,
    words: bool,
}

impl Kinds {
    /// Of each column; cells beyond them, and columns of short rows, say nothing.
    fn of_columns(rows: &[ByteRecord], n_columns: usize, decimal_comma: bool) -> Vec<Self> {
        let mut columns = vec![Self::default(); n_columns];
        for row in rows {
            for (kinds, cell) in columns.iter_mut().zip(row) {
                match number::read(cell, decimal_comma) {
                    Reading::Missing => {}
                    Reading::Text => kinds.words = true,
                    _ => kinds.numbers = true,
                }
            }
        }
        columns
    }

    fn is_text(&self) -> bool {
        self.words && !self.numbers
    }
}

fn is_text(cell: &[u8], decimal_comma: bool) -> bool {
    matches!(number::read(cell, decimal_comma), Reading::Text)
}

fn is_number(cell: &[u8], decimal_comma: bool) -> bool {
    matches!(number::read(cell, decimal_comma), Reading::Number(_))
}
