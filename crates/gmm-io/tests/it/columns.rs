//! Choosing columns by number, range and name.

use gmm_io::table::{
    Column, ColumnSelector, CsvOptions, Header, Missing, SelectorError, TableError, read_csv,
};

const TEXT: &str = "a,b,c,b,2020\n1,2,3,4,5\n6,7,8,9,10\n";

fn names(options: CsvOptions) -> Result<Vec<String>, String> {
    match read_csv(TEXT.as_bytes(), &options.header(Header::Present)) {
        Ok(table) => Ok(table.names),
        Err(error) => Err(error.to_string()),
    }
}

fn chosen(selector: &str) -> Result<Vec<String>, String> {
    let selector: ColumnSelector = selector
        .parse()
        .map_err(|error: SelectorError| error.to_string())?;
    names(CsvOptions::default().columns(selector))
}

#[test]
fn columns_come_in_the_order_they_are_asked_for() {
    assert_eq!(chosen("3,a").unwrap(), ["c", "a"]);
    assert_eq!(chosen(" 2-4 , 1 ").unwrap(), ["b", "c", "b", "a"]);
    assert_eq!(chosen("4-").unwrap(), ["b", "2020"]);
    assert_eq!(chosen("\"2020\",c").unwrap(), ["2020", "c"]);
}

#[test]
fn excluded_columns_are_left_out_of_all_or_of_the_chosen() {
    let exclude = |text: &str| CsvOptions::default().exclude(text.parse().unwrap());
    assert_eq!(names(exclude("2,4-")).unwrap(), ["a", "c"]);
    assert_eq!(
        names(exclude("2").columns("1-3".parse().unwrap())).unwrap(),
        ["a", "c"]
    );
    assert_eq!(
        names(exclude("1-")).unwrap_err(),
        "no column of numbers is left to read; choose at least one"
    );
}

#[test]
fn ids_and_weights_are_no_features() {
    let options = CsvOptions::default()
        .header(Header::Present)
        .id(Column::Name("a".into()))
        .weights(Column::Number(3));
    let table = read_csv(TEXT.as_bytes(), &options).unwrap();
    assert_eq!(table.names, ["b", "b", "2020"]);
    let ids = table.ids.unwrap();
    assert_eq!(
        (ids.name.as_str(), ids.values.as_slice()),
        ("a", ["1".to_owned(), "6".to_owned()].as_slice())
    );
    assert_eq!(table.weights.unwrap(), [3.0, 8.0]);
    assert_eq!(table.values[(1, 2)], 10.0);
}

/// A column of groups is text like that of ids, but a row has to belong to one.
#[test]
fn groups_are_no_features_and_have_no_gaps() {
    let text = "patient,visit,x\nanna,1,2.5\nbert,1,3.5\n,2,4.5\nanna,2,5.5\n";
    let options = CsvOptions::default()
        .groups(Column::Name("patient".into()))
        .id(Column::Name("visit".into()));
    let message = read_csv(text.as_bytes(), &options).unwrap_err().to_string();
    assert!(
        message.starts_with("line 4, column 1 (\"patient\")"),
        "{message}"
    );
    let table = read_csv(text.as_bytes(), &options.clone().missing(Missing::SkipRows)).unwrap();
    assert_eq!(table.names, ["x"]);
    assert_eq!(table.groups.unwrap().values, ["anna", "bert", "anna"]);
    assert_eq!(table.ids.unwrap().values, ["1", "1", "2"]);
    assert_eq!(
        table.values.col(0).iter().copied().collect::<Vec<_>>(),
        [2.5, 3.5, 5.5]
    );
    let twice = options.groups(Column::Name("visit".into()));
    assert!(matches!(
        read_csv(text.as_bytes(), &twice),
        Err(TableError::ColumnTwice { .. })
    ));
}

#[test]
fn a_wrong_choice_says_what_there_is() {
    assert_eq!(
        chosen("1,petal").unwrap_err(),
        r#"no column is named "petal"; the names are "a", "b", "c", "b", "2020""#
    );
    assert_eq!(
        chosen("b").unwrap_err(),
        r#"columns 2 and 4 are both named "b"; choose by number"#
    );
    assert_eq!(
        chosen("6").unwrap_err(),
        "column 6 is asked for, expected a number from 1 to 5"
    );
    assert_eq!(
        chosen("2-99999999999999999999999999").unwrap_err(),
        format!(
            "column {} is asked for, expected a number from 1 to 5",
            usize::MAX
        )
    );
    assert_eq!(
        chosen("2,1-3").unwrap_err(),
        r#"column 2 ("b") is chosen twice; choose each column once and for one purpose"#
    );
    let both = CsvOptions::default()
        .columns("1-2".parse().unwrap())
        .id(Column::Number(1));
    assert_eq!(
        names(both).unwrap_err(),
        r#"column 1 ("a") is chosen twice; choose each column once and for one purpose"#
    );
    let no_header = read_csv(
        "1,2\n3,4\n".as_bytes(),
        &CsvOptions::default().columns("x".parse().unwrap()),
    );
    assert_eq!(
        no_header.unwrap_err().to_string(),
        r#"a column named "x" is asked for, but the table has no header; choose by number"#
    );
}

#[test]
fn a_choice_that_makes_no_sense_is_refused_before_any_file_is_read() {
    for (text, message) in [
        (
            "",
            "a column is empty; expected a number, a range such as 4-6, or a name",
        ),
        (
            "1,,2",
            "a column is empty; expected a number, a range such as 4-6, or a name",
        ),
        ("0", "there is no column 0; columns are counted from 1"),
        ("0-3", "there is no column 0; columns are counted from 1"),
        ("6-4", "columns 6-4 run backwards; write 4-6"),
        (
            "\"a,b",
            "a quote around the name of a column is never closed; close it",
        ),
    ] {
        assert_eq!(
            text.parse::<ColumnSelector>().unwrap_err().to_string(),
            message,
            "{text:?}"
        );
    }
}

#[test]
fn names_with_hyphens_and_digits_stay_names() {
    let selector: ColumnSelector = "2-methylbutane,x-1,-3,\"a,b\"".parse().unwrap();
    assert_eq!(selector.to_string(), r#""2-methylbutane","x-1","-3","a,b""#);
    let again: ColumnSelector = selector.to_string().parse().unwrap();
    assert_eq!(again, selector);
}

/// Names are shortened by what a message shows: a control character takes five letters there.
#[test]
fn long_names_are_shortened_as_they_are_shown() {
    let message = |name: &str| {
        let text = format!("{name},b\n1,2\nx,4\n5,6\n");
        read_csv(text.as_bytes(), &CsvOptions::default())
            .unwrap_err()
            .to_string()
    };
    let plain = message(&"n".repeat(50));
    assert!(
        plain.contains(&format!("(\"{}...\")", "n".repeat(40))),
        "{plain}"
    );
    let odd = message(&"\u{2}".repeat(50));
    assert!(
        odd.contains(&format!("(\"{}...\")", "\\u{2}".repeat(8))),
        "{odd}"
    );
}
