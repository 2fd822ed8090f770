//! The cells of CSV files on good and bad days.

use std::io::{self, Read};

use gmm_io::table::{
    CsvOptions, Header, Missing, Separator, Table, TableError, TextColumns, read_csv,
};
use proptest::prelude::*;

pub(crate) fn read(bytes: impl AsRef<[u8]>) -> Result<Table, TableError> {
    read_csv(bytes.as_ref(), &CsvOptions::default())
}

pub(crate) fn rows(table: &Table) -> Vec<Vec<f64>> {
    let row = |i| table.values.row(i).iter().copied().collect();
    (0..table.values.nrows()).map(row).collect()
}

pub(crate) fn message(bytes: impl AsRef<[u8]>, options: &CsvOptions) -> String {
    read_csv(bytes.as_ref(), options).unwrap_err().to_string()
}

pub(crate) fn default_message(bytes: impl AsRef<[u8]>) -> String {
    message(bytes, &CsvOptions::default())
}

#[test]
fn a_text_cell_is_named_with_line_column_and_text() {
    let text = "sepal,petal\n5.1,1.4\n\n4.9,l.4\n";
    assert_eq!(
        default_message(text),
        r#"line 4, column 2 ("petal"): "l.4" is not a number; leave the column out or use it as id"#
    );
    let long = format!("1\n2\n{}\n", "long".repeat(30));
    assert_eq!(
        default_message(long),
        format!(
            "line 3, column 1: \"{}...\" is not a number; leave the column out or use it as id",
            "long".repeat(10)
        )
    );
    assert_eq!(
        default_message("1;2\n3;1,000,000\n"),
        r#"line 2, column 2: "1,000,000" is a number only without the commas between its thousands; remove them"#
    );
    // With three digits behind it a comma is as likely one between thousands.
    assert_eq!(
        default_message("a,b\n1,2\n3,\"1,000\"\n"),
        "line 3, column 2 (\"b\"): \"1,000\" is a number only without its comma, or with a decimal comma; \
         remove commas between thousands, or set the decimal sign and another separator than the comma"
    );
    assert_eq!(
        default_message("a,b\n1,2\n3,\"1,25\"\n"),
        "line 3, column 2 (\"b\"): \"1,25\" is a number only with a decimal comma; \
         set the decimal sign and another separator than the comma"
    );
}

#[test]
fn numbers_out_of_range_are_refused() {
    assert_eq!(
        default_message("1,2\n3,1e999\n"),
        r#"line 2, column 2: "1e999" is too large for a 64-bit number; rescale the column"#
    );
    assert_eq!(
        default_message("1,2\n3,-inf\n"),
        r#"line 2, column 2: "-inf" is not a finite number; leave the row or the column out"#
    );
}

#[test]
fn missing_cells_are_an_error_or_skip_their_rows() {
    let text = "a,b,c\n1,2,x\n3,,\n NA ,4,y\n5,6,\n7,NaN,z\n";
    let options = CsvOptions::default().columns("a,b".parse().unwrap());
    assert_eq!(
        message(text, &options),
        "line 3, column 2 (\"b\"): \"\" is a missing value; \
         fill the cell, leave the column out or skip rows with missing cells"
    );
    let table = read_csv(text.as_bytes(), &options.missing(Missing::SkipRows)).unwrap();
    assert_eq!(rows(&table), [[1.0, 2.0], [5.0, 6.0]]);
    assert_eq!(table.decisions.skipped, [3, 4, 6]);
    assert_eq!(
        table.decisions.to_string(),
        "header, separator: comma, 3 rows with missing cells skipped (the first: line 3)"
    );
}

#[test]
fn a_bad_cell_beside_a_missing_one_is_still_an_error() {
    let options = CsvOptions::default().missing(Missing::SkipRows);
    assert_eq!(
        message("1,2\n,bad\n", &options),
        r#"line 2, column 2: "bad" is not a number; leave the column out or use it as id"#
    );
}

#[test]
fn ids_and_weights_keep_step_with_skipped_rows() {
    let text = "id,x,w\na,1,2\nb,,3\nc,4,5\n";
    let options = CsvOptions::default()
        .id("id".parse().unwrap())
        .weights("w".parse().unwrap())
        .missing(Missing::SkipRows);
    let table = read_csv(text.as_bytes(), &options).unwrap();
    assert_eq!(table.ids.unwrap().values, ["a", "c"]);
    assert_eq!(table.weights.unwrap(), [2.0, 5.0]);
}

#[test]
fn nothing_left_is_an_error_of_its_own() {
    let skip = CsvOptions::default().missing(Missing::SkipRows);
    for (text, message) in [
        (
            "",
            "the table is empty; expected at least one line of numbers",
        ),
        (
            "\n \r\n\n",
            "the table is empty; expected at least one line of numbers",
        ),
        (
            "\u{feff}",
            "the table is empty; expected at least one line of numbers",
        ),
        (
            "a,b\n",
            "the table has a header but no rows; expected at least one line of numbers below it",
        ),
        (
            "1,\n,2\n",
            "all 2 rows have a missing cell and were skipped; choose columns with fewer gaps or fill the cells",
        ),
    ] {
        assert_eq!(
            read_csv(text.as_bytes(), &skip).unwrap_err().to_string(),
            message,
            "{text:?}"
        );
    }
}

#[test]
fn ragged_rows_are_named_by_line() {
    let text = "a,b\r\n1,2\r\n\r\n3,4,5\r\n";
    assert_eq!(
        default_message(text),
        "line 4 has 3 cells, expected 2; check its separators and quotes"
    );
    assert_eq!(
        default_message("1,2\n3\n"),
        "line 2 has 1 cell, expected 2; check its separators and quotes"
    );
}

#[test]
fn misplaced_quotes_are_never_a_short_table() {
    // The quotes are in a column that is left out: unchecked, the rows between them would be lost in silence.
    let leave = CsvOptions::default().text_columns(TextColumns::Leave);
    assert_eq!(
        message("x,name\n1,\"a\"\n2,\"b\n3,c\n4,d\n", &leave),
        "the quote opened in line 3 is never closed; close or remove it"
    );
    for text in [
        "x,name\n1,\"a\"\n2,\"b\n3,\"c\"\n4,d\n",
        "x,name\n1,\"a\"\n2,\"b\n3,\"c\n4,d\n",
        "x,name\n1,\"a\"\n2,\"b\n\"\"3\"c\"\n4,d\n",
    ] {
        assert_eq!(
            message(text, &leave),
            "line 4 has text behind a closing quote; double the quotes within a cell, and look for one left open above"
        );
    }
    assert_eq!(
        default_message("\"1,2\n3,4\n"),
        "the quote opened in line 1 is never closed; close or remove it"
    );
}

#[test]
fn quotes_in_their_place_are_no_error() {
    let text = "x,name\n1,5\" pipe\n2,\"a \"\"b\"\"\" \n\"3\",\"\"\n4, \"c\"d\n";
    let leave = CsvOptions::default().text_columns(TextColumns::Leave);
    assert_eq!(
        rows(&read_csv(text.as_bytes(), &leave).unwrap()),
        [[1.0], [2.0], [3.0], [4.0]]
    );
}

#[test]
fn the_first_error_by_line_is_the_one_reported() {
    let text = "1,2\n3\n5,\"6\"7\n";
    assert_eq!(
        message(text, &CsvOptions::default().header(Header::Absent)),
        "line 2 has 1 cell, expected 2; check its separators and quotes"
    );
}

#[test]
fn bytes_that_are_no_text_come_with_a_remedy() {
    assert_eq!(
        default_message(b"1,2\n3,\x004\n"),
        "line 2 holds a NUL byte; save the table as UTF-8 text"
    );
    let utf16: Vec<u8> = "\u{feff}1,2\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(
        default_message(utf16),
        "the table is UTF-16 text; save it as UTF-8"
    );
    let utf16: Vec<u8> = "\u{feff}1,2\n"
        .encode_utf16()
        .flat_map(u16::to_be_bytes)
        .collect();
    assert_eq!(
        default_message(utf16),
        "the table is UTF-16 text; save it as UTF-8"
    );
    let no_mark: Vec<u8> = "1,2\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(
        default_message(no_mark),
        "line 1 holds a NUL byte; save the table as UTF-8 text"
    );
    assert_eq!(
        default_message(b"gr\xf6\xdfe,b\n1,2\n"),
        "line 1, column 1 is not UTF-8 text; save the table as UTF-8"
    );
}

#[test]
fn other_encodings_are_no_matter_in_columns_left_out() {
    let options = CsvOptions::default().text_columns(TextColumns::Leave);
    let table = read_csv(b"x,stadt\n1,K\xf6ln\n".as_slice(), &options).unwrap();
    assert_eq!(rows(&table), [[1.0]]);
    assert_eq!(table.decisions.text_columns, ["stadt"]);
}

#[test]
fn columns_of_text_are_an_error_or_left_out() {
    let text = "length,width,species\n5.1,3.5,setosa\n4.9,3,setosa\n";
    assert_eq!(
        default_message(text),
        "column 3 (\"species\") holds text; choose among the columns of numbers \
         (column 1 (\"length\"), column 2 (\"width\")), or leave text columns out"
    );
    let leave = CsvOptions::default().text_columns(TextColumns::Leave);
    let table = read_csv(text.as_bytes(), &leave).unwrap();
    assert_eq!(table.names, ["length", "width"]);
    assert_eq!(
        table.decisions.to_string(),
        "header, separator: comma, text left out: species"
    );
    assert_eq!(
        message("a,b\nx,y\n", &leave),
        "no column of numbers is left to read; choose at least one"
    );
    assert_eq!(
        default_message("a,b\nx,y\n"),
        "column 1 (\"a\"), column 2 (\"b\") hold text; \
         choose among the columns of numbers (there are none), or leave text columns out"
    );
    // Chosen by the user, it is the cell that is wrong.
    assert_eq!(
        message(text, &CsvOptions::default().columns("3".parse().unwrap())),
        r#"line 2, column 3 ("species"): "setosa" is not a number; leave the column out or use it as id"#
    );
}

#[test]
fn a_slip_in_a_column_of_numbers_does_not_make_it_text() {
    let leave = CsvOptions::default().text_columns(TextColumns::Leave);
    assert_eq!(
        message("x,y\nabc,1\n2,3\n", &leave),
        r#"line 2, column 1 ("x"): "abc" is not a number; leave the column out or use it as id"#
    );
}

#[test]
fn long_tables_are_read_as_a_stream_with_the_right_lines() {
    let mut text = String::from("x,name\r\n");
    for i in 0..50_000 {
        text += &format!("{i},\"n\r\nn\"\r\n");
    }
    let leave = CsvOptions::default().text_columns(TextColumns::Leave);
    let table = read_csv(text.as_bytes(), &leave).unwrap();
    assert_eq!(table.values.nrows(), 50_000);
    assert_eq!(table.values[(49_999, 0)], 49_999.0);
    text += "bad,n\r\n";
    assert_eq!(
        message(&text, &leave),
        r#"line 100002, column 1 ("x"): "bad" is not a number; leave the column out or use it as id"#
    );
}

#[test]
fn wide_tables_are_read() {
    let line = |value: f64| vec![value.to_string(); 30_000].join("\t");
    let text = format!("{}\n{}\n", line(0.125), line(1e-3));
    let table = read(text).unwrap();
    assert_eq!(table.values.shape(), (2, 30_000));
    assert_eq!(table.values[(1, 29_999)], 1e-3);
}

/// A reader that hands out one byte at a time and fails behind the last.
struct Dripping<'a>(&'a [u8]);

impl Read for Dripping<'_> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let (&first, rest) = self.0.split_first().ok_or(io::ErrorKind::ConnectionReset)?;
        self.0 = rest;
        target[0] = first;
        Ok(1)
    }
}

#[test]
fn errors_of_the_reader_are_passed_on() {
    let error = read_csv(Dripping(b"1,2\r\n3,4\r\n"), &CsvOptions::default()).unwrap_err();
    assert!(
        matches!(&error, TableError::Read(source) if source.kind() == io::ErrorKind::ConnectionReset),
        "{error:?}"
    );
    assert_eq!(error.to_string(), "cannot read the table");
}

/// The line ends and numbers of a table, however it is written.
fn any_table() -> impl Strategy<Value = (Vec<Vec<f64>>, &'static str, &'static str)> {
    let cell = prop_oneof![
        proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL | proptest::num::f64::ZERO,
        (-1000..1000_i32).prop_map(|n| f64::from(n) / 8.0),
    ];
    let table = (1..5_usize, 1..20_usize).prop_flat_map(move |(d, n)| {
        prop::collection::vec(prop::collection::vec(cell.clone(), d), n)
    });
    let separator = prop::sample::select(vec![",", ";", "\t", " ", "|"]);
    let line_end = prop::sample::select(vec!["\n", "\r\n", "\r", "\n\n"]);
    (table, separator, line_end)
}

proptest! {
    #[test]
    fn every_finite_number_survives_being_written_and_read((table, separator, line_end) in any_table()) {
        let line = |row: &Vec<f64>| row.iter().map(|v| format!("{v:e}")).collect::<Vec<_>>().join(separator);
        let text = table.iter().map(|row| line(row) + line_end).collect::<String>();
        let read = read(&text).unwrap();
        for (i, row) in table.iter().enumerate() {
            for (j, value) in row.iter().enumerate() {
                prop_assert_eq!(read.values[(i, j)].to_bits(), value.to_bits());
            }
        }
    }

    #[test]
    fn any_bytes_are_a_table_of_finite_numbers_or_an_error(
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b"0123456789.,;\n\r\" \te-aN".to_vec())], 0..300)
    ) {
        for options in [
            CsvOptions::default(),
            CsvOptions::default().missing(Missing::SkipRows).text_columns(TextColumns::Leave).separator(Separator::Spaces),
        ] {
            if let Ok(table) = read_csv(bytes.as_slice(), &options) {
                prop_assert!(table.values.nrows() > 0 && table.values.ncols() == table.names.len());
                prop_assert!((0..table.values.ncols()).all(|j| table.values.col(j).iter().all(|v| v.is_finite())));
            }
        }
    }
}
