//! How tables are read, and what is told of it.

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
    gmm(&["fit", &data, "-k", "1", "--out", &model]).ok();
    let described = gmm(&["describe", &model]).ok();
    assert!(
        described.contains("\n2 features without names"),
        "{described}"
    );
    let ran = gmm(&["predict", &model, &data]);
    assert!(ran.err.contains(COUNTS), "{}", ran.err);
    assert_eq!(ran.ok(), "group\n1\n1\n1\n1\n1\n1\n");
    let gap = COUNTED.replace("3,9,8", "3,,8");
    let skip = ["predict", &model, "-", "--missing", "skip", "--id", "1"];
    assert_eq!(
        gmm_on(&gap, &skip).ok(),
        "x1,group\n0,1\n1,1\n2,1\n4,1\n5,1\n"
    );
}
