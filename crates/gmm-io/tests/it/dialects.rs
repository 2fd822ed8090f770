//! How a CSV file is written: line ends, quotes, separators, headers and decimal signs are found, or asked about.

use gmm_io::table::{CsvOptions, Decimal, Header, Missing, Separator, TableError, read_csv};

use crate::csv::{default_message, message, read, rows};

#[test]
fn the_ways_to_end_a_line_make_no_difference() {
    let expected = [[1.0, 2.0], [3.0, 4.0]];
    for text in [
        "a,b\n1,2\n3,4\n",
        "a,b\n1,2\n3,4",
        "a,b\r\n1,2\r\n3,4\r\n",
        "a,b\r1,2\r3,4\r",
        "\u{feff}a,b\n1,2\n3,4\n",
        "\n\na,b\n\n1,2\n   \n3,4\n\n\n",
        "\"a\",\"b\"\n\"1\",\"2\"\n3 , 4\n",
        "a,b\r\n\r\n1,2\r\n\t\r\n3,4\r\n\r\n",
    ] {
        let table = read(text).unwrap();
        assert_eq!(rows(&table), expected, "{text:?}");
        assert_eq!(table.names, ["a", "b"], "{text:?}");
        assert!(table.decisions.header);
    }
}

#[test]
fn quoted_cells_may_hold_separators_line_ends_and_quotes() {
    let text = "\"a, \"\"first\"\"\",b\n1,\"x\ny\"\n2,\"z,\"\n3,w\nbad,v\n";
    let options = CsvOptions::default().id("b".parse().unwrap());
    assert_eq!(
        message(text, &options),
        r#"line 6, column 1 ("a, \"first\""): "bad" is not a number; leave the column out or use it as id"#
    );
    let table = read_csv(&text.as_bytes()[..text.len() - 6], &options).unwrap();
    assert_eq!(table.names, ["a, \"first\""]);
    assert_eq!(table.ids.unwrap().values, ["x\ny", "z,", "w"]);
}

#[test]
fn separators_are_found() {
    for (text, separator) in [
        ("x,y\n1,2\n3,4\n", Separator::Is(b',')),
        ("x;y\n1;2\n3;4\n", Separator::Is(b';')),
        ("x\ty\n1\t2\n3\t4\n", Separator::Is(b'\t')),
        ("x|y\n1|2\n3|4\n", Separator::Is(b'|')),
        ("x y\n1 2\n3 4\n", Separator::Spaces),
        (" x   y\n 1   2 \n 3  4\n", Separator::Spaces),
        ("x, y\n1, 2\n3, 4\n", Separator::Is(b',')),
    ] {
        let table = read(text).unwrap();
        assert_eq!(rows(&table), [[1.0, 2.0], [3.0, 4.0]], "{text:?}");
        assert_eq!(table.names, ["x", "y"], "{text:?}");
        assert_eq!(table.decisions.separator, Some(separator), "{text:?}");
    }
}

#[test]
fn a_space_in_every_name_does_not_rule_the_table() {
    let text = "Ada Lovelace,1,2\nCarl Gauss,3,4\nKarl Pearson,5\n";
    let options = CsvOptions::default().id("1".parse().unwrap());
    assert_eq!(
        message(text, &options),
        "line 3 has 2 cells, expected 3; check its separators and quotes"
    );
}

#[test]
fn a_single_column_needs_no_separator() {
    let table = read("x\n9172\n9350\n").unwrap();
    assert_eq!(rows(&table), [[9172.0], [9350.0]]);
    assert_eq!(table.names, ["x"]);
}

/// They are skipped as in any table, but results then don't stand beside the lines of the file.
#[test]
fn blank_lines_in_a_single_column_are_told() {
    for (text, n_blank) in [
        ("x\n1\n2\n", 0),
        ("\n\nx\n1\n2\n\n \n\n", 0),
        ("x\n1\n\n2\n", 1),
        ("x\n1\n  \n2\n", 1),
        ("x\r\n\r\n1\r\n\r\n\r\n2", 3),
        ("\"x\n\ny\"\n1\n2\n\n", 0),
        ("1\n\n2\n", 1),
    ] {
        let table = read(text).unwrap();
        assert_eq!(rows(&table), [[1.0], [2.0]], "{text:?}");
        assert_eq!(table.decisions.blank_lines, n_blank, "{text:?}");
    }
    assert_eq!(
        read("x\n1\n\n\n2\n").unwrap().decisions.to_string(),
        "header, separator: comma, 2 blank lines passed over"
    );
    // An empty cell in quotes is a missing one.
    assert!(matches!(
        read("x\n1\n\"\"\n2\n"),
        Err(TableError::Missing(_))
    ));
    assert_eq!(read("x,y\n1,2\n\n3,4\n").unwrap().decisions.blank_lines, 0);
}

#[test]
fn headers_are_found_where_words_stand_above_numbers() {
    for (text, header, names) in [
        ("1,2\n3,4\n", false, ["x1", "x2"]),
        ("a,b\n3,4\n", true, ["a", "b"]),
        (",b\n3,4\n", true, ["x1", "b"]),
        ("NA,2\n3,4\n5,6\n", false, ["x1", "x2"]),
        ("2019,2020\n3,4\n", false, ["x1", "x2"]),
    ] {
        let options = CsvOptions::default().missing(Missing::SkipRows);
        let table = read_csv(text.as_bytes(), &options).unwrap();
        assert_eq!(table.decisions.header, header, "{text:?}");
        assert_eq!(table.names, names, "{text:?}");
    }
}

#[test]
fn a_header_of_numbers_is_believed_when_its_names_are_asked_for() {
    let options = CsvOptions::default().columns("\"2020\"".parse().unwrap());
    let table = read_csv("2019,2020\n3,4\n".as_bytes(), &options).unwrap();
    assert_eq!(table.names, ["2020"]);
    assert_eq!(rows(&table), [[4.0]]);
}

#[test]
fn a_first_line_of_words_and_numbers_is_asked_about() {
    let text = "x1.5,2\n3,4\n5,6\n";
    assert_eq!(
        default_message(text),
        "line 1 holds both numbers and words above columns of numbers; say whether it is a header"
    );
    let present = read_csv(
        text.as_bytes(),
        &CsvOptions::default().header(Header::Present),
    )
    .unwrap();
    assert_eq!(present.names, ["x1.5", "2"]);
    assert_eq!(
        message(text, &CsvOptions::default().header(Header::Absent)),
        r#"line 1, column 1: "x1.5" is not a number; leave the column out or use it as id"#
    );
}

#[test]
fn decimal_commas_are_found_and_told() {
    let table = read("1,5;2,5\n3;4,25\n").unwrap();
    assert_eq!(rows(&table), [[1.5, 2.5], [3.0, 4.25]]);
    assert_eq!(
        table.decisions.to_string(),
        "no header, separator: semicolon, decimal commas"
    );
    let table = read("x y\n1,5 2\n3 4\n").unwrap();
    assert_eq!(rows(&table), [[1.5, 2.0], [3.0, 4.0]]);
    let options = CsvOptions::default().decimal(Decimal::Comma);
    let table = read_csv("x\n1,5\n2\n".as_bytes(), &options).unwrap();
    assert_eq!(rows(&table), [[1.5], [2.0]]);
}

#[test]
fn a_lone_decimal_comma_is_told_and_not_guessed() {
    let text = "x;y\n1.5;2.5\n3,5;4\n";
    assert_eq!(
        default_message(text),
        "line 3, column 1 (\"x\"): \"3,5\" is a number only with a decimal comma; \
         set the decimal sign and another separator than the comma"
    );
    let commas = CsvOptions::default().decimal(Decimal::Comma);
    assert_eq!(
        message(text, &commas),
        r#"line 2, column 1 ("x"): "1.5" is not a number; leave the column out or use it as id"#
    );
    assert_eq!(
        message("1,2\n", &commas.separator(Separator::Is(b','))),
        "a comma can't be separator and decimal sign at once; choose another separator"
    );
}

#[test]
fn separators_that_could_stand_within_a_number_are_refused() {
    for byte in [b'.', b'-', b'5', b'e', b'"', b'\n', 0xff] {
        let options = CsvOptions::default().separator(Separator::Is(byte));
        let error = read_csv("1,2\n".as_bytes(), &options).unwrap_err();
        assert!(
            matches!(error, TableError::BadSeparator { byte: b } if b == byte),
            "{error}"
        );
    }
    assert_eq!(
        message(
            "1,2\n",
            &CsvOptions::default().separator(Separator::Is(b'.'))
        ),
        "'.' can't separate cells; use a comma, semicolon, tab or bar"
    );
}
