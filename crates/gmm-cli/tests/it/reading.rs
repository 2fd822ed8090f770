//! How tables are read, and what is told of it.

use gmm_core::faer::Mat;

use crate::common::{Folder, gmm, gmm_on};

const COUNTED: &str = ",a,b\n0,1,2\n1,2,1\n2,3,3\n3,9,8\n4,8,9\n5,9,9.5\n";

const COUNTS: &str = "column 1 has no name and counts the rows: left out";

#[test]
fn a_column_that_counts_the_rows_is_no_feature() {
    let folder = Folder::new();
    let data = folder.write("counted.csv", COUNTED);
    let model = folder.word("m.gmm");
    let ran = gmm(&["fit", &data, "-k", "1", "--out", &model]);
    assert_eq!(
        ran.err,
        format!("note: {data}: header, separator: comma, {COUNTS}\n")
    );
    assert!(ran.ok().starts_with("counted.csv: 6 rows, 2 features\n"));
    // By name nothing but the model's features is looked at.
    let ran = gmm(&["predict", &model, &data]);
    assert_eq!(ran.err, "note: 6 rows: 6 in group 1\n");
    assert_eq!(ran.ok(), "group\n1\n1\n1\n1\n1\n1\n");
    let all = gmm(&["fit", &data, "-k", "1", "--columns", "1-"]).ok();
    assert!(
        all.starts_with("counted.csv: 6 rows, 3 features\n"),
        "{all}"
    );
}

/// A model without names takes the columns by their order, without the one that counts here as there.
#[test]
fn a_column_that_counts_the_rows_is_left_out_by_position_too() {
    let folder = Folder::new();
    let data = folder.write("same.csv", COUNTED.replace("a,b", "a,a"));
    let model = folder.word("m.gmm");
    let ran = gmm(&["fit", &data, "-k", "1", "--out", &model]);
    assert!(
        ran.err.ends_with(&same_names("\"a\"", &data)),
        "{}",
        ran.err
    );
    ran.ok();
    let described = gmm(&["describe", &model]).ok();
    assert!(
        described.contains("\n2 features without names"),
        "{described}"
    );
    let ran = gmm(&["predict", &model, &data]);
    assert!(ran.err.contains(COUNTS), "{}", ran.err);
    assert!(!ran.err.contains("more than one"), "{}", ran.err);
    assert_eq!(ran.ok(), "group\n1\n1\n1\n1\n1\n1\n");
    let gap = COUNTED.replace("3,9,8", "3,,8");
    let skip = ["predict", &model, "-", "--missing", "skip", "--id", "1"];
    assert_eq!(
        gmm_on(&gap, &skip).ok(),
        "x1,group\n0,1\n1,1\n2,1\n4,1\n5,1\n"
    );
}

/// What R's `write.table` writes by default.
const OF_R: &str = r#""a" "b"
"Mazda RX4" 1 2
"Fiat" 2 1
"Volvo 142E" 3 3
"Merc" 9 8
"#;

#[test]
fn row_names_without_a_cell_in_the_header_are_no_feature() {
    let folder = Folder::new();
    let data = folder.write("r.txt", OF_R);
    let model = folder.word("m.gmm");
    let ran = gmm(&["fit", &data, "-k", "1", "--out", &model]);
    let note = "header, separator: spaces, column 1 holds row names: left out";
    assert_eq!(ran.err, format!("note: {data}: {note}\n"));
    assert!(ran.ok().starts_with("r.txt: 4 rows, 2 features\n"));
    let groups = "group\n1\n1\n1\n1\n";
    assert_eq!(gmm(&["predict", &model, &data]).ok(), groups);
    let named = "x1,group\nMazda RX4,1\nFiat,1\nVolvo 142E,1\nMerc,1\n";
    assert_eq!(gmm(&["predict", &model, &data, "--id", "1"]).ok(), named);
    // By position as by name.
    let same = folder.write("same.txt", OF_R.replace("\"b\"", "\"a\""));
    gmm(&["fit", &same, "-k", "1", "--out", &model]).ok();
    assert_eq!(gmm(&["predict", &model, &same]).ok(), groups);
}

#[test]
fn a_header_that_is_short_for_another_reason_is_refused() {
    gmm_on("a,b\n1,5,\n2,6,\n", &["fit", "-", "-k", "1"]).refused(
        1,
        "standard input: line 2 has 3 cells, but the header has 2; check separators and quotes, and give the first column \
         a name too if it holds row names",
    );
}

#[test]
fn a_single_column_of_decimal_commas_is_asked_about() {
    let text = "a\n1,5\n3,5\n2,5\n";
    gmm_on(text, &["fit", "-", "-k", "1"]).refused(
        1,
        "standard input: line 2 has 2 cells, expected 1; if \"1,5\" is one number, say that its comma is the decimal sign \
         (--decimal ,)",
    );
    // What the message says helps.
    let ran = gmm_on(text, &["fit", "-", "-k", "1", "--decimal", ","]).ok();
    assert!(
        ran.starts_with("standard input: 3 rows, 1 feature\n"),
        "{ran}"
    );
}

#[test]
fn commas_between_thousands_are_told_from_decimal_ones() {
    let fit = ["fit", "-", "-k", "1"];
    gmm_on("a,b\n1,2\n3,\"1,000\"\n", &fit).refused(
        1,
        "standard input: line 3, column 2 (\"b\"): \"1,000\" is a number only without its comma, or with a decimal comma; \
         remove commas between thousands, or set the decimal sign and another separator than the comma (--decimal , --separator ';')",
    );
    gmm_on("a,b\n1,2\n3,\"1,234,567.8\"\n", &fit).refused(
        1,
        "standard input: line 3, column 2 (\"b\"): \"1,234,567.8\" is a number only without the commas between its thousands; \
         remove them",
    );
}

#[test]
fn gaps_in_npy_files_come_with_the_same_options_as_in_text() {
    let folder = Folder::new();
    let path = folder.word("x.npy");
    let write = |cell: f64| {
        let x = Mat::from_fn(4, 2, |i, j| {
            if i == 1 && j == 0 {
                cell
            } else {
                (i * i + j) as f64
            }
        });
        gmm_io::table::save_npy(&path, x.as_ref()).unwrap();
    };
    write(f64::NAN);
    let fit = ["fit", &path, "-k", "1", "--covariance", "spherical"];
    gmm(&fit).refused(
        1,
        &format!(
            "{path}: row 2, column 1 is NaN, a missing value; fill the cell, leave the column out or skip rows with missing \
             cells (--exclude, --missing skip)"
        ),
    );
    // What the message says helps.
    let ran = gmm(&[&fit[..], &["--missing", "skip"]].concat());
    assert!(ran.ok().starts_with("x.npy: 3 rows, 2 features\n"));
    write(f64::INFINITY);
    gmm(&fit).refused(
        1,
        &format!("{path}: row 2, column 1 is inf, expected a finite number; leave the row or the column out (--exclude)"),
    );
}

fn same_names(names: &str, source: &str) -> String {
    format!(
        "note: {source}: more than one column is named {names}; rename them, or a model is saved without names\n"
    )
}

#[test]
fn names_that_a_model_cannot_keep_are_told() {
    let select = ["select", "-", "-k", "1", "--covariances", "diag"];
    let text = "a,b,a,c,b,a\n1,2,5,1,4,2\n2,1,4,1.5,3,3\n4,3,4.5,2,1,1\n";
    let ran = gmm_on(text, &select);
    assert_eq!(ran.err, same_names("\"a\", \"b\"", "standard input"));
    ran.ok();
    // The features count, not what is beside them; made-up names are never the same.
    assert_eq!(
        gmm_on(text, &[&select[..], &["--columns", "1,2,4"]].concat()).err,
        ""
    );
    let bare = text.split_once('\n').unwrap().1;
    let ran = gmm_on(bare, &select);
    assert_eq!(
        ran.err,
        "note: standard input: no header, separator: comma\n"
    );
}

#[test]
fn blank_lines_of_a_single_column_are_told() {
    let folder = Folder::new();
    let model = folder.word("m.gmm");
    let ran = gmm_on("a\n1\n\n2\n4\n", &["fit", "-", "-k", "1", "--out", &model]);
    let note = "note: standard input: header, separator: comma, 1 blank line passed over\n";
    assert_eq!(ran.err, note);
    ran.ok();
    let ran = gmm_on("a\n1\n\n2\n4\n\n", &["predict", &model, "-"]);
    assert!(ran.err.starts_with(note), "{}", ran.err);
    assert_eq!(ran.ok(), "group\n1\n1\n1\n");
}
