//! Records of cells, each with the line it starts on.

use std::io::{self, Read};

use csv::ByteRecord;

use super::error::TableError;
use super::options::Separator;
use super::quotes::CheckedQuotes;
use super::text::count_lines;

/// The parser's buffer; larger than its default, for fewer calls through the chain of readers.
const BUFFER_LEN: usize = 1 << 16;

/// The records of a [cleaned text](super::text::CleanText).
pub(super) struct Records<R> {
    parser: csv::Reader<CheckedQuotes<R>>,
    spaces: bool,
    /// The line behind the last record; 0 before the first.
    next_line: u64,
    /// How many blank lines were passed over between records.
    blank_lines: u64,
    /// The record as the parser has it, and without the empty cells between two spaces.
    record: ByteRecord,
    compact: ByteRecord,
}

impl<R: Read> Records<R> {
    /// The records of a text with a separator that is known.
    pub(super) fn new(text: R, separator: Separator) -> Self {
        let (delimiter, spaces) = match separator {
            Separator::Is(byte) => (byte, false),
            Separator::Spaces => (b' ', true),
            Separator::Detect => (b',', false),
        };
        let parser = csv::ReaderBuilder::new()
            .has_headers(false)
            // Rows of other lengths are for this crate to report, with the right line.
            .flexible(true)
            .delimiter(delimiter)
            .terminator(csv::Terminator::Any(b'\n'))
            .buffer_capacity(BUFFER_LEN)
            .from_reader(CheckedQuotes::new(text, delimiter));
        Self {
            parser,
            spaces,
            next_line: 0,
            blank_lines: 0,
            record: ByteRecord::new(),
            compact: ByteRecord::new(),
        }
    }

    /// The next record that is not blank, with its line; `None` behind the last.
    pub(super) fn next(&mut self) -> Result<Option<(u64, &ByteRecord)>, TableError> {
        while self
            .parser
            .read_byte_record(&mut self.record)
            .map_err(from_csv)?
        {
            if is_blank(&self.record, self.spaces) {
                continue;
            }
            // The parser's own position of a record lies before the blank lines that it skipped, so the line is
            // counted back from the record's end: every record ends with one line end, and quoted cells hold more.
            let inside = count_lines(self.record.as_slice());
            let next_line = self.parser.position().line();
            let line = next_line.saturating_sub(1 + inside);
            if self.next_line > 0 {
                self.blank_lines += line.saturating_sub(self.next_line);
            }
            self.next_line = next_line;
            if !self.spaces {
                return Ok(Some((line, &self.record)));
            }
            self.compact.clear();
            let cells = self.record.iter().filter(|cell| !cell.is_empty());
            cells.for_each(|cell| self.compact.push_field(cell));
            return Ok(Some((line, &self.compact)));
        }
        Ok(None)
    }
}

impl<R> Records<R> {
    /// How many blank lines stand between the records so far; those before the first and behind the last don't count.
    pub(super) fn blank_lines(&self) -> u64 {
        self.blank_lines
    }
}

/// Whether a record is a line of nothing but spaces. A line of `""` is not: it is one missing cell.
fn is_blank(record: &ByteRecord, separated_by_spaces: bool) -> bool {
    if separated_by_spaces {
        return record.as_slice().trim_ascii().is_empty();
    }
    record.len() == 1 && !record[0].is_empty() && record[0].trim_ascii().is_empty()
}

/// The parser is told to accept any bytes and any number of cells, so that its errors are those of reading.
fn from_csv(error: csv::Error) -> TableError {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => from_io(error),
        other => TableError::Read(io::Error::other(format!("{other:?}"))),
    }
}

/// An error of reading, or what the cleaning of the text found wrong.
pub(super) fn from_io(error: io::Error) -> TableError {
    error
        .downcast::<TableError>()
        .unwrap_or_else(TableError::Read)
}
