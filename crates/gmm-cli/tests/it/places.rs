//! Where results may go: asked before the work is done, and never where it costs what is read.
#![cfg(unix)]

use crate::common::{Folder, gmm};

const FAITHFUL: &str = "data/old_faithful.csv";

/// A fit of a billion components would take years; what is wrong with its place is told at once.
#[test]
fn places_are_checked_before_the_work() {
    for (out, code, message) in [
        (
            "/nowhere/x.gmm",
            1,
            "cannot write /nowhere/x.gmm: No such file or directory (os error 2)",
        ),
        ("data", 1, "cannot write data: Is a directory (os error 21)"),
        (
            "-",
            2,
            "--out -: standard output has the report; name a file",
        ),
        (
            "x.csv",
            2,
            "--out x.csv: a model is no table; name it .gmm, or .json for a readable one",
        ),
    ] {
        for command in [
            ["fit", FAITHFUL, "-k", "1000000000"],
            ["select", FAITHFUL, "-k", "1000000000"],
        ] {
            gmm(&[&command[..], &["--out", out]].concat()).refused(code, message);
        }
    }
    gmm(&["sample", "no.gmm", "-n", "3", "--out", "x.NPY"])
        .refused(2, "--out x.NPY: tables are written as CSV; name it .csv");
}

#[test]
fn what_is_read_is_never_replaced() {
    let folder = Folder::new();
    let model = folder.faithful();
    let table = folder.write("table", "a,b\n1,2\n2,1\n3,4\n4,4\n9,9\n");
    let again = folder.write("again", "");
    std::fs::remove_file(&again).unwrap();
    std::os::unix::fs::symlink(&table, &again).unwrap();
    let (old_model, old_table) = (folder.read("faithful.gmm"), folder.read("table"));
    for (args, out, read) in [
        (vec!["fit", &table, "-k", "1"], &table, &table),
        (vec!["select", &table], &again, &table),
        (vec!["predict", &model, FAITHFUL], &model, &model),
        (vec!["score", &model, &table], &table, &table),
        (vec!["combine", &model, &again], &table, &again),
        (vec!["sample", &model, "-n", "3"], &model, &model),
    ] {
        let message =
            format!("--out {out}: it would replace {read}, which is read; name another file");
        gmm(&[&args[..], &["--out", out]].concat()).refused(2, &message);
    }
    assert_eq!(folder.read("faithful.gmm"), old_model);
    assert_eq!(folder.read("table"), old_table);
}

/// As with other programs of the command line.
#[test]
fn a_hyphen_is_standard_output_for_tables() {
    let folder = Folder::new();
    let model = folder.faithful();
    for args in [
        vec!["predict", &model, FAITHFUL],
        vec!["score", &model, FAITHFUL, "--json"],
        vec!["sample", &model, "-n", "5"],
    ] {
        let plain = gmm(&args).ok();
        assert_eq!(gmm(&[&args[..], &["--out", "-"]].concat()).ok(), plain);
    }
    gmm(&["combine", &model, FAITHFUL, "--out", "-"])
        .refused(2, "--out -: standard output has the report; name a file");
}
