//! Columns that name or count the rows, as pandas and R write them before the data.

use gmm_io::table::{Column, CsvOptions, Header, Missing, Separator, Table, TextColumns, read_csv};

use crate::csv::{message, read, rows};

fn read_with(text: &str, options: &CsvOptions) -> Table {
    read_csv(text.as_bytes(), options).unwrap()
}

/// The table of a text, whose features are the same in all of these.
fn read_features(text: &str) -> Table {
    let table = read(text).unwrap();
    assert_eq!(table.names, ["a", "b"], "{text:?}");
    assert_eq!(
        rows(&table),
        [[5.0, 7.0], [6.0, 9.0], [8.0, 8.0]],
        "{text:?}"
    );
    table
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
        let table = read_features(text);
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

/// R's `write.table` gives the header one cell fewer than the lines below.
#[test]
fn row_names_that_the_header_has_no_cell_for_are_left_out() {
    for (text, separator) in [
        ("\"a\" \"b\"\n\"1\" 5 7\n\"2\" 6 9\n\"4\" 8 8\n", "spaces"),
        ("a b\n1 5 7\n2 6 9\n4 8 8\n", "spaces"),
        (
            "\"a\" \"b\"\n\"Mazda RX4\" 5 7\n\"Fiat\" 6 9\n\"Volvo 142E\" 8 8\n",
            "spaces",
        ),
        ("\"a\"\tb\nMazda RX4\t5\t7\nFiat\t6\t9\nNA\t8\t8\n", "tab"),
        (
            "\"a\";\"b\"\n\"30\";5;7\n\"7\";6;9\n\"x\";8;8\n",
            "semicolon",
        ),
        ("\"a\",\"b\"\n\"1\",5,7\n\"2\",6,9\n\"3\",8,8\n", "comma"),
        ("\"a\",b\nr,5,7\ns,6,9\nt,8,8\n", "comma"),
    ] {
        let table = read_features(text);
        assert!(table.decisions.row_names);
        assert_eq!(
            table.decisions.to_string(),
            format!("header, separator: {separator}, column 1 holds row names: left out")
        );
    }
    // `write.table(col.names = NA)` has an empty cell there, which between spaces is as good as none.
    assert_eq!(read("\"\" \"a\"\n\"1\" 5\n\"2\" 6\n").unwrap().names, ["a"]);
    let table = read("x\nr 1,5\ns 2\n").unwrap();
    assert_eq!(rows(&table), [[1.5], [2.0]]);
    assert!(table.decisions.decimal_comma);
}

/// Columns are counted as the lines of data have them.
#[test]
fn row_names_are_taken_where_they_are_asked_for() {
    let text = "\"a\" \"s\"\n\"1\" 5 u\n\"2\" 6 v\n";
    let leave = CsvOptions::default().text_columns(TextColumns::Leave);
    let table = read_with(text, &leave.clone().id(Column::Number(1)));
    assert_eq!(table.ids.unwrap().values, ["1", "2"]);
    assert_eq!(
        table.decisions.to_string(),
        "header, separator: spaces, text left out: s, row names in column 1"
    );
    let chosen = leave.clone().columns("1,a".parse().unwrap());
    assert_eq!(rows(&read_with(text, &chosen)), [[1.0, 5.0], [2.0, 6.0]]);
    assert_eq!(
        read_with(text, &leave).decisions.to_string(),
        "header, separator: spaces, text left out: s, column 1 holds row names: left out"
    );
    // The separator may be known, and the header may be numbers if that is said.
    let known = CsvOptions::default()
        .separator(Separator::Spaces)
        .header(Header::Present);
    assert_eq!(
        read_with("2019 2020\n1 5 7\n2 6 9\n", &known).names,
        ["2019", "2020"]
    );
}

/// A header is short for other reasons, too, and then the cells must not move under other names.
#[test]
fn a_short_header_is_not_always_one_of_row_names() {
    let short = "but the header has 2; check separators and quotes, \
                 and give the first column a name too if it holds row names";
    for text in [
        // A separator at the end of each line.
        "\"a\",b\n1,5,\n2,6,\n",
        "\"a\";b\n1;5;\n2;6;\n",
        // Decimal commas.
        "\"a\",b\n1,5,7\n1,6,9\n",
        "\"a\",b\n3,5,7\n4,6,9\n",
        "\"a\",b\n1,5,7\n",
        // R would have quoted the names.
        "a,b\n1,5,7\n2,6,9\n",
        // No row names: there are two of the same, a fraction, a negative number, an empty one.
        "a b\n1 5 7\n1 6 9\n",
        "\"a\";b\n1.5;5;7\n2;6;9\n",
        "\"a\";b\n-1;5;7\n2;6;9\n",
        "\"a\";b\n;5;7\n2;6;9\n",
    ] {
        let separator = [',', ';', ' '].into_iter().find(|&c| text.contains(c));
        let options = CsvOptions::default().separator(match separator {
            Some(' ') | None => Separator::Spaces,
            Some(separator) => Separator::Is(separator as u8),
        });
        assert_eq!(
            message(text, &options),
            format!("line 2 has 3 cells, {short}"),
            "{text:?}"
        );
    }
    // Spaces between thousands.
    let chosen = CsvOptions::default().columns("x".parse().unwrap());
    assert_eq!(
        message("x\n1 234\n5 678\n", &chosen),
        "line 2, column 1 (\"x\"): \"1 234\" is not a number; leave the column out or use it as id"
    );
    // Below the first lines each line is held to the same number of cells.
    let mut long = String::from("a b\n");
    (1..200_000).for_each(|i| long += &format!("{i} 5 7\n"));
    assert_eq!(read(&long).unwrap().values.shape(), (199_999, 2));
    long += "5 7\n";
    assert_eq!(
        message(&long, &CsvOptions::default()),
        "line 200001 has 2 cells, expected 3; check its separators and quotes"
    );
}

#[test]
fn a_decimal_comma_in_the_only_column_is_named_as_one() {
    let split = |line, text| {
        format!(
            "line {line} has 2 cells, expected 1; if {text:?} is one number, say that its comma is the decimal sign"
        )
    };
    let options = CsvOptions::default();
    assert_eq!(message("a\n1,5\n3,5\n", &options), split(2, "1,5"));
    assert_eq!(message("a\n1,5\n2,5\n", &options), split(2, "1,5"));
    assert_eq!(message("a\n1\n-2,5e3\n", &options), split(3, "-2,5e3"));
    assert_eq!(
        message("a\n1\n2,x\n", &options),
        "line 3 has 2 cells, expected 1; check its separators and quotes"
    );
}
