//! Columns that name or count the rows, as pandas and R write them before the data.

use gmm_io::table::{Column, CsvOptions, Header, Missing, Table, TextColumns, read_csv};

use crate::csv::{message, read, rows};

fn read_with(text: &str, options: &CsvOptions) -> Table {
    read_csv(text.as_bytes(), options).unwrap()
}

#[test]
fn a_column_without_a_name_that_counts_the_rows_is_left_out() {
    for (text, separator) in [
        (",a,b\n0,5,7\n1,6,9\n2,8,8\n", "comma"),
        (
            "\"\",\"a\",\"b\"\n\"1\",5,7\n\"2\",6,9\n\"3\",8,8\n",
            "comma",
        ),
        (
            "\"\";\"a\";\"b\"\n\"1\";5;7\n\"2\";6;9\n\"3\";8;8\n",
            "semicolon",
        ),
        (" \ta\tb\n1\t5\t7\n2\t6\t9\n3\t8\t8\n", "tab"),
    ] {
        let table = read(text).unwrap();
        assert_eq!(table.names, ["a", "b"], "{text:?}");
        assert_eq!(
            rows(&table),
            [[5.0, 7.0], [6.0, 9.0], [8.0, 8.0]],
            "{text:?}"
        );
        assert_eq!(table.decisions.unnamed_columns, [1], "{text:?}");
        assert_eq!(
            table.decisions.to_string(),
            format!(
                "header, separator: {separator}, column 1 has no name and counts the rows: left out"
            )
        );
    }
    // In any place, and beside columns of text.
    let leave = CsvOptions::default().text_columns(TextColumns::Leave);
    let table = read_with(
        "s,a,,w\nx,5,1,2\ny,6,2,4\n",
        &leave.weights("w".parse().unwrap()),
    );
    assert_eq!(table.names, ["a"]);
    assert_eq!(rows(&table), [[5.0], [6.0]]);
    assert_eq!(table.weights.unwrap(), [2.0, 4.0]);
    assert_eq!(
        table.decisions.to_string(),
        "header, separator: comma, text left out: s, column 3 has no name and counts the rows: left out"
    );
}

#[test]
fn a_column_that_does_not_count_or_has_a_name_is_a_feature() {
    for text in [
        ",a\n2,5\n3,6\n",
        ",a\n0,5\n2,6\n",
        ",a\n1,5\n0,6\n",
        ",a\n0.5,5\n1.5,6\n",
        "n,a\n0,5\n1,6\n",
    ] {
        let table = read(text).unwrap();
        assert_eq!(table.values.ncols(), 2, "{text:?}");
        assert!(table.decisions.unnamed_columns.is_empty(), "{text:?}");
    }
    // Without a header no column has a name, and nothing is guessed.
    assert_eq!(read("0,5\n1,6\n").unwrap().values.ncols(), 2);
}

#[test]
fn a_count_is_taken_where_it_is_asked_for() {
    let text = ",a\n0,5\n1,6\n";
    let chosen = CsvOptions::default().columns("1-".parse().unwrap());
    let table = read_with(text, &chosen);
    assert_eq!(table.names, ["x1", "a"]);
    assert_eq!(rows(&table), [[0.0, 5.0], [1.0, 6.0]]);
    let id = CsvOptions::default().id(Column::Number(1));
    let table = read_with(text, &id);
    assert_eq!(table.ids.unwrap().values, ["0", "1"]);
    assert!(table.decisions.unnamed_columns.is_empty());
    let exclude = CsvOptions::default().exclude("1".parse().unwrap());
    assert!(
        read_with(text, &exclude)
            .decisions
            .unnamed_columns
            .is_empty()
    );
}

/// The count is one of all rows of the file, those that are skipped among them.
#[test]
fn a_count_goes_on_over_rows_that_are_skipped() {
    let skip = CsvOptions::default().missing(Missing::SkipRows);
    let table = read_with(",a\n0,\n1,6\n2,NA\n3,8\n", &skip);
    assert_eq!(table.names, ["a"]);
    assert_eq!(rows(&table), [[6.0], [8.0]]);
    assert_eq!(table.decisions.unnamed_columns, [1]);
    assert_eq!(table.decisions.skipped, [2, 4]);
    // A count with a gap of its own is none.
    let table = read_with(",a\n0,5\n,6\n2,7\n", &skip);
    assert_eq!(rows(&table), [[0.0, 5.0], [2.0, 7.0]]);
}

#[test]
fn a_count_alone_is_no_table() {
    let options = CsvOptions::default().header(Header::Present);
    assert_eq!(
        message("\"\"\n1\n2\n", &options),
        "no column of numbers is left to read; choose at least one"
    );
}
