//! The target `csv`: any bytes, read in any way, are a table of finite numbers or an error that says what is wrong.

use std::fmt::Write;
use std::io::{self, Read};

use gmm_io::table::{
    Column, ColumnSelector, CsvOptions, Decimal, Header, Missing, Separator, Table, TextColumns,
    read_csv,
};

use super::bytes::Bytes;
use super::{Outcome, check_message};

/// Reads the input as CSV, with options from its first bytes, and checks
/// - that a table has rows and columns, finite numbers, and a name for each of its columns;
/// - that every line of the text has as many cells as the table says, counted here in the plainest way;
/// - that the same text is read as the same table when it comes in small pieces;
/// - that the table, written out, is read back bit for bit.
pub fn csv(data: &[u8]) -> Outcome {
    let mut bytes = Bytes::new(data);
    let options = options(&mut bytes);
    let piece = bytes.count(1, 7);
    let text = bytes.rest();
    let whole = read_csv(text, &options);
    let pieces = read_csv(
        Pieces {
            rest: text,
            len: piece,
        },
        &options,
    );
    match (whole, pieces) {
        (Ok(table), Ok(same)) => {
            assert_eq!(
                bits(&table),
                bits(&same),
                "a text in pieces is another table"
            );
            assert_eq!(table.names, same.names);
            assert_eq!(table.decisions, same.decisions);
            sound(&table);
            even_lines(text, &table);
            round_trip(&table);
            Outcome::Checked
        }
        (Err(error), Err(same)) => {
            check_message(&error);
            assert_eq!(
                error.to_string(),
                same.to_string(),
                "a text in pieces has another error"
            );
            Outcome::Refused
        }
        (whole, pieces) => panic!("whole: {whole:?}, in pieces: {pieces:?}"),
    }
}

fn options(bytes: &mut Bytes<'_>) -> CsvOptions {
    let separators = [
        Separator::Detect,
        Separator::Is(b','),
        Separator::Is(b';'),
        Separator::Spaces,
    ];
    let mut options = CsvOptions::default()
        .header(bytes.pick([
            Header::Detect,
            Header::Detect,
            Header::Present,
            Header::Absent,
        ]))
        .separator(bytes.pick(separators))
        .decimal(bytes.pick([
            Decimal::Detect,
            Decimal::Detect,
            Decimal::Point,
            Decimal::Comma,
        ]))
        .missing(bytes.pick([Missing::Error, Missing::SkipRows]))
        .text_columns(bytes.pick([TextColumns::Error, TextColumns::Leave]));
    let roles = bytes.byte();
    if roles % 8 == 1 {
        options = options.separator(Separator::Is(bytes.byte()));
    }
    if roles % 8 == 2 {
        options = options.id(Column::Number(bytes.count(0, 3)));
    }
    if roles % 8 == 3 {
        options = options.weights(Column::Number(bytes.count(0, 3)));
    }
    if roles % 8 == 4 {
        let list = [
            Column::Number(bytes.count(0, 3)),
            Column::Name("a".to_owned()),
        ];
        options = options.columns(ColumnSelector::from_iter(list));
    }
    if roles % 8 == 5 {
        options = options.exclude(Column::Number(bytes.count(0, 3)).into());
    }
    options
}

fn sound(table: &Table) {
    let (n_samples, n_features) = (table.values.nrows(), table.values.ncols());
    assert!(n_samples > 0 && n_features > 0, "a table without cells");
    assert_eq!(table.names.len(), n_features);
    assert!((0..n_features).all(|j| (0..n_samples).all(|i| table.values[(i, j)].is_finite())));
    assert!(
        table
            .ids
            .as_ref()
            .is_none_or(|ids| ids.values.len() == n_samples)
    );
    assert!(
        table
            .weights
            .as_ref()
            .is_none_or(|weights| weights.len() == n_samples)
    );
    assert!(!table.decisions.to_string().is_empty());
}

/// Where no quote can hide a separator or a line end, the lines can be counted and cut without a parser.
fn even_lines(text: &[u8], table: &Table) {
    let Some(Separator::Is(separator)) = table.decisions.separator else {
        return;
    };
    if text.contains(&b'"') {
        return;
    }
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let lines: Vec<&[u8]> = text
        .split(|&byte| byte == b'\n' || byte == b'\r')
        // A line of spaces is blank, unless the separators among them make cells.
        .filter(|line| line.contains(&separator) || !line.trim_ascii().is_empty())
        .collect();
    let count = |line: &[u8]| line.iter().filter(|&&byte| byte == separator).count() + 1;
    let expected = count(lines[0]);
    assert!(
        lines.iter().all(|line| count(line) == expected),
        "lines of other lengths went unnoticed"
    );
    let n_rows = lines.len() - usize::from(table.decisions.header) - table.decisions.skipped.len();
    assert_eq!(table.values.nrows(), n_rows, "a line was lost or made up");
}

/// The shortest decimal form of an f64 is read back as that f64.
fn round_trip(table: &Table) {
    let mut text = String::new();
    for i in 0..table.values.nrows() {
        let cells: Vec<String> = table
            .values
            .row(i)
            .iter()
            .map(|cell| format!("{cell:?}"))
            .collect();
        writeln!(text, "{}", cells.join(",")).expect("a String takes all that is written");
    }
    let plain = CsvOptions::default()
        .header(Header::Absent)
        .separator(Separator::Is(b','))
        .decimal(Decimal::Point);
    let again =
        read_csv(text.as_bytes(), &plain).expect("a table that was read can be written and read");
    assert_eq!(
        bits(table),
        bits(&again),
        "the table changed on its way through text"
    );
}

/// The numbers row by row, by their bits: -0 is not 0 here.
fn bits(table: &Table) -> Vec<Vec<u64>> {
    table
        .values
        .row_iter()
        .map(|row| row.iter().map(|cell| cell.to_bits()).collect())
        .collect()
}

/// A reader that hands out a few bytes at a time.
struct Pieces<'a> {
    rest: &'a [u8],
    len: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.len.min(buffer.len()).min(self.rest.len());
        buffer[..n].copy_from_slice(&self.rest[..n]);
        self.rest = &self.rest[n..];
        Ok(n)
    }
}
