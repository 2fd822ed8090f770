//! What the program refuses, word by word: what is wrong, where, and what to do.

use crate::common::{Folder, gmm, gmm_on};

const FAITHFUL: &str = "data/old_faithful.csv";

#[test]
fn files_that_are_not_there() {
    // Error 2 on every system, but in its own words.
    let reason = std::io::Error::from_raw_os_error(2);
    gmm(&["fit", "nowhere.csv", "-k", "2"])
        .refused(1, &format!("cannot open nowhere.csv: {reason}"));
    gmm(&["predict", "nowhere.gmm", FAITHFUL])
        .refused(1, &format!("cannot read nowhere.gmm: {reason}"));
}

#[test]
fn cells_that_are_no_numbers() {
    let folder = Folder::new();
    let path = folder.write("bad.csv", "a,b\n1,2\n\n3,x7\n");
    gmm(&["fit", &path, "-k", "1", "--columns", "a,b"]).refused(
        1,
        &format!(
            "{path}: line 4, column 2 (\"b\"): \"x7\" is not a number; leave the column out or use it as id (--exclude, --id)"
        ),
    );
    gmm_on("a,b\n1,2\n3,\n", &["fit", "-", "-k", "1"]).refused(
        1,
        "standard input: line 3, column 2 (\"b\"): \"\" is a missing value; fill the cell, leave the column out or skip \
         rows with missing cells (--exclude, --missing skip)",
    );
    gmm_on("a,b\n1,2\n3\n", &["fit", "-", "-k", "1"]).refused(
        1,
        "standard input: line 3 has 1 cell, expected 2; check its separators and quotes",
    );
    gmm_on("a,b\n1,2\n1e999,4\n", &["fit", "-", "-k", "1"]).refused(
        1,
        "standard input: line 3, column 1 (\"a\"): \"1e999\" is too large for a 64-bit number; rescale the column (--exclude)",
    );
}

#[test]
fn tables_without_rows() {
    gmm_on("", &["fit", "-", "-k", "1"]).refused(
        1,
        "standard input: the table is empty; expected at least one line of numbers",
    );
    gmm_on("a,b\n", &["fit", "-", "-k", "1"]).refused(
        1,
        "standard input: the table has a header but no rows; expected at least one line of numbers below it",
    );
}

#[test]
fn columns_that_are_constant() {
    let named = "a,b\n1,7\n2,7\n4,7\n";
    gmm_on(named, &["fit", "-", "-k", "1"]).refused(
        1,
        "standard input: column \"b\" is constant (7 in every row); leave it out with --exclude b",
    );
    let ran = gmm_on("1,7\n2,7\n4,7\n", &["fit", "-", "-k", "1", "--quiet"]);
    ran.refused(
        1,
        "standard input: column 2 is constant (7 in every row); leave it out with --exclude 2",
    );
    // What the message says helps.
    gmm_on(named, &["fit", "-", "-k", "1", "--exclude", "b"]).ok();
    // 300 zeros would not.
    gmm_on("a,b\n1,1e300\n2,1e300\n4,1e300\n", &["fit", "-", "-k", "1"]).refused(
        1,
        "standard input: column \"b\" is constant (1e300 in every row); leave it out with --exclude b",
    );
    // These are not constant, but their squares are nothing.
    let last_bits = "a,b\n1,1e-320\n2,2e-320\n3,5e-320\n4,0\n";
    gmm_on(last_bits, &["fit", "-", "-k", "1"]).refused(
        1,
        "standard input: the variance of column \"b\" leaves the range of 64-bit numbers; rescale that column",
    );
    // To circles, which measure all columns in one unit, such a column is a constant one.
    gmm_on(last_bits, &["select", "-", "-k", "1-2"]).ok();
}

#[test]
fn columns_beyond_the_range_of_numbers() {
    let text = "a,b\n1,1e200\n2,-1e200\n4,0\n";
    gmm_on(text, &["fit", "-", "-k", "1"]).refused(
        1,
        "standard input: the variance of column \"b\" leaves the range of 64-bit numbers; rescale that column",
    );
}

#[test]
fn more_components_than_rows() {
    let text = "a\n1\n2\n4\n";
    gmm_on(text, &["fit", "-", "-k", "5"]).refused(
        1,
        "standard input: 3 rows for 5 components; give at least one row per component, or ask for fewer (-k)",
    );
    gmm_on(text, &["fit", "-", "-k", "1000000000000"]).refused(
        1,
        "standard input: 3 rows for 1000000000000 components; give at least one row per component, or ask for fewer (-k)",
    );
}

#[test]
fn columns_that_are_not_there() {
    gmm(&["fit", FAITHFUL, "-k", "2", "--columns", "eruption"]).refused(
        1,
        "data/old_faithful.csv: no column is named \"eruption\"; the names are \"eruptions\", \"waiting\"",
    );
    gmm(&["fit", FAITHFUL, "-k", "2", "--columns", "1-3"]).refused(
        1,
        "data/old_faithful.csv: column 3 is asked for, expected a number from 1 to 2",
    );
}

#[test]
fn weights_that_are_none() {
    gmm_on("a,w\n1,1\n2,-1\n3,1\n", &["fit", "-", "-k", "1", "--weights", "w"]).refused(
        1,
        "standard input: the weight of row 2 below the header is -1; weights must be finite and not negative",
    );
    gmm_on(
        "a,w\n1,0\n2,0\n",
        &["fit", "-", "-k", "1", "--weights", "w"],
    )
    .refused(
        1,
        "standard input: all sample weights are zero; at least one row needs a positive weight",
    );
}

#[test]
fn data_of_another_model() {
    let folder = Folder::new();
    let model = folder.faithful();
    gmm(&["predict", &model, "data/iris.csv"]).refused(
        1,
        "data/iris.csv: the model's \"eruptions\", \"waiting\" are not among the columns \"Sepal.Length\", \"Sepal.Width\", \
         \"Petal.Length\", \"Petal.Width\", \"Species\"; rename the columns, or choose them with --columns in the model's order",
    );
    gmm_on("waiting,duration\n80,4\n", &["predict", &model, "-"]).refused(
        1,
        "standard input: the model's \"eruptions\" is not among the columns \"waiting\", \"duration\"; rename the columns, or \
         choose them with --columns in the model's order",
    );
    gmm_on("4,80,1\n", &["predict", &model, "-", "--quiet"]).refused(
        1,
        "standard input: 3 columns (x1, x2, x3) for a model of 2 features (eruptions, waiting); choose them with --columns, \
         in the model's order",
    );
}

#[test]
fn rows_that_would_lose_their_place() {
    let folder = Folder::new();
    let model = folder.faithful();
    gmm(&["predict", &model, FAITHFUL, "--missing", "skip"]).refused(
        2,
        "with --missing skip the results have fewer lines than the data, so that rows need names: add --id COLUMN",
    );
}

#[test]
fn model_files_that_are_damaged() {
    let folder = Folder::new();
    folder.faithful();
    let good = folder.read("faithful.gmm");

    let cut = folder.write("cut.gmm", &good[..good.len() - 1]);
    gmm(&["describe", &cut]).refused(
        1,
        &format!(
            "{cut}: the model file is cut short: found {} bytes, expected {}; copy it again",
            good.len() - 1,
            good.len()
        ),
    );

    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let flipped = folder.write("flipped.gmm", flipped);
    for args in [
        vec!["describe", &flipped],
        vec!["predict", &flipped, FAITHFUL],
        vec!["score", &flipped, FAITHFUL],
        vec!["sample", &flipped, "-n", "3"],
    ] {
        let ran = gmm(&args);
        let begin = format!("error: {flipped}: the model file is damaged: the checksum of its ");
        assert!(ran.err.starts_with(&begin), "{}", ran.err);
        assert!(ran.err.ends_with("; copy it again\n"), "{}", ran.err);
        assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
    }

    gmm(&["predict", FAITHFUL, FAITHFUL]).refused(
        1,
        "data/old_faithful.csv: this is no model file: it is neither a binary model nor a JSON object of format \"gmm-model\"",
    );
    let model = folder.word("faithful.gmm");
    gmm(&["fit", &model, "-k", "1"]).refused(
        1,
        &format!(
            "{model}: this is a model, expected CSV or npy; give the table of data in its place"
        ),
    );
}

#[test]
fn models_that_know_nothing_of_their_training() {
    let folder = Folder::new();
    let bare = folder.write(
        "bare.json",
        r#"{"format": "gmm-model", "version": 1, "covariance_type": "spherical",
            "weights": [1.0], "means": [[0.0]], "covariances": [1.0]}"#,
    );
    gmm_on("0.5\n", &["score", &bare, "-", "--anomalies", "0.01"]).refused(
        1,
        &format!(
            "{bare} does not know the densities of its training rows; save it again with gmm fit --out, or give --threshold"
        ),
    );
    gmm_on("0.5\n", &["score", &bare, "-", "--threshold", "-3"]).ok();
    let described = gmm(&["describe", &bare]).ok();
    assert!(described.contains("nothing is known of the training data"));
}

/// Numbers that no machine can serve, and words that are no numbers, are wrong usage and cost nothing.
#[test]
fn options_that_make_no_sense() {
    let folder = Folder::new();
    let model = folder.faithful();
    let begin = |args: &[&str], first_line: &str| {
        let ran = gmm(args);
        assert_eq!(ran.err.lines().next(), Some(first_line), "{args:?}");
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{args:?}");
    };
    begin(
        &["fit", FAITHFUL, "-k", "0"],
        "error: invalid value '0' for '--components <K>': expected a whole number, at least 1",
    );
    begin(
        &["fit", FAITHFUL, "-k", "-2"],
        "error: invalid value '-2' for '--components <K>': expected a whole number, at least 1",
    );
    begin(
        &["test", FAITHFUL, "--noise"],
        "error: tables can't be drawn from a mixture with noise, whose place is not known; leave out --noise",
    );
    begin(
        &["fit", FAITHFUL, "-k", "2.5"],
        "error: invalid value '2.5' for '--components <K>': expected a whole number, at least 1",
    );
    begin(
        &["fit", FAITHFUL, "-k", "2", "--tolerance", "NaN"],
        "error: invalid value 'NaN' for '--tolerance <NUMBER>': expected a finite number, at least 0",
    );
    begin(
        &["fit", FAITHFUL, "-k", "2", "--covariance", "VIE"],
        "error: invalid value 'VIE' for '--covariance <FORM>': unknown covariance form; known are full, tied, diag, spherical, \
         and mclust's names from EII to VVV",
    );
    begin(
        &["fit", FAITHFUL, "-k", "2", "--threads", "1000000000"],
        "error: invalid value '1000000000' for '--threads <N>': expected a whole number from 1 to 1024",
    );
    begin(
        &["fit", FAITHFUL, "-k", "2", "--starts", "1000000000000"],
        "error: invalid value '1000000000000' for '--starts <N>': expected a whole number from 1 to 100000",
    );
    begin(
        &["fit", FAITHFUL, "-k", "2", "--columns", "0"],
        "error: invalid value '0' for '--columns <LIST>': there is no column 0; columns are counted from 1",
    );
    begin(
        &["select", FAITHFUL, "-k", "1-1000000000000"],
        "error: invalid value '1-1000000000000' for '--components <LIST>': expected at most 10000 numbers of components",
    );
    begin(
        &["select", FAITHFUL, "--criterion", "bicc"],
        "error: invalid value 'bicc' for '--criterion <CRITERION>': unknown criterion; known are bic, aic, aicc, caic, sabic, icl-entropy, \
         icl-classification, nec and cv",
    );
    begin(
        &["sample", &model, "-n", "1000000000000"],
        "error: invalid value '1000000000000' for '--rows <N>': expected a whole number from 1 to 1000000000",
    );
    begin(
        &["score", &model, FAITHFUL, "--anomalies", "1.5"],
        "error: invalid value '1.5' for '--anomalies <FRACTION>': expected a number between 0 and 1, such as 0.01 for one row \
         in a hundred",
    );
    begin(
        &[
            "score",
            &model,
            FAITHFUL,
            "--anomalies",
            "0.1",
            "--threshold",
            "-3",
        ],
        "error: the argument '--anomalies <FRACTION>' cannot be used with '--threshold <LOGDENSITY>'",
    );
    begin(
        &["fit", FAITHFUL],
        "error: the following required arguments were not provided:",
    );
    begin(&["fot"], "error: unrecognized subcommand 'fot'");
    begin(
        &[
            "fit",
            FAITHFUL,
            "-k",
            "1",
            "--separator",
            ",",
            "--decimal",
            ",",
        ],
        "error: a comma can't be separator and decimal sign at once; choose another separator",
    );
}

#[test]
fn collapses_that_are_to_be_failures() {
    let text = "a,b\n1,2\n2,4\n3,6\n4,8\n";
    let ran = gmm_on(
        text,
        &[
            "fit",
            "-",
            "-k",
            "1",
            "--regularization",
            "none",
            "--rescue",
            "fail",
        ],
    );
    ran.refused(
        1,
        "standard input: a component lost its variance in column \"b\" at iteration 1; use --regularization floor, a simpler \
         form (--covariance diag) or fewer components (-k)",
    );
}

#[test]
fn columns_that_are_nothing_next_to_others() {
    let text = "a,b\n1e-8,1e8\n2e-8,-1e8\n4e-8,3e8\n3e-8,2e8\n";
    let args = ["fit", "-", "-k", "1", "--covariance"];
    gmm_on(text, &[&args[..], &["VEV"]].concat()).refused(
        1,
        "standard input: the spread of column \"a\" is nothing next to that of column \"b\", and VEV covariances measure all columns in \
         one unit; rescale the columns, or choose a form with a unit for each (--covariance full, tied or diag)",
    );
    // What the message says helps.
    gmm_on(text, &[&args[..], &["diag"]].concat()).ok();
}

#[test]
fn noise_that_takes_all_rows() {
    let fit = ["fit", "data/old_faithful.csv", "-k", "2", "--noise=1e-300"];
    let ran = gmm(&fit);
    assert_eq!(ran.code, Some(1));
    let remedy =
        "ask for fewer components (-k), --rescue drop or, with --noise, for a larger volume\n";
    assert!(ran.err.ends_with(remedy), "{}", ran.err);
}
