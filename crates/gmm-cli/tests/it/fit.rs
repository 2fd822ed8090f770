//! `gmm fit`: what it reads, finds and says.

use gmm_core::faer::Mat;
use serde_json::Value;

use crate::common::{Folder, Ran, command, gmm, gmm_on};

fn log_likelihood(found: &Value) -> f64 {
    found["fit"]["log_likelihood"].as_f64().unwrap()
}

#[test]
fn the_summary_is_one_screen() {
    let folder = Folder::new();
    let model = folder.word("faithful.gmm");
    let ran = gmm(&["fit", "data/old_faithful.csv", "-k", "2", "--out", &model]);
    assert_eq!(ran.err, "");
    let expected = format!(
        "\
old_faithful.csv: 272 rows, 2 features
2 groups, full covariances (VVV)
converged after 5 iterations; 5 of 5 starts agree
log-likelihood -1130.26, 11 parameters, BIC 2322.19

groups, with centre ± standard deviation of each feature
group  weight  rows    eruptions     waiting
    1   0.644   175  4.29 ± 0.41  80.0 ± 6.0
    2   0.356    97  2.04 ± 0.26  54.5 ± 5.8
assignment: the most probable group of a row has probability 0.999 on average; 1 of 272 rows is below 0.8

saved: {model}
next: gmm predict {model} data/old_faithful.csv
"
    );
    assert_eq!(ran.ok(), expected);
}

/// `--form` is to `--covariance` what `--forms` is to `--covariances`.
#[test]
fn options_have_a_short_name_for_covariances() {
    let fit = |option| {
        gmm(&[
            "fit",
            "data/old_faithful.csv",
            "-k",
            "2",
            option,
            "tied",
            "--json",
        ])
        .ok()
    };
    let found = fit("--covariance");
    assert!(found.contains("\"tied\""), "{found}");
    assert_eq!(fit("--form"), found);
    let select = |option| {
        gmm(&[
            "select",
            "data/old_faithful.csv",
            "-k",
            "1-2",
            option,
            "diag",
        ])
        .ok()
    };
    assert_eq!(select("--forms"), select("--covariances"));
}

#[test]
fn a_weight_is_the_row_that_many_times() {
    let folder = Folder::new();
    let text = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../data/old_faithful.csv"
    ))
    .unwrap();
    let (mut weighted, mut repeated) = (
        "eruptions,waiting,w\n".to_owned(),
        "eruptions,waiting\n".to_owned(),
    );
    for (i, line) in text.lines().skip(1).enumerate() {
        let weight = i % 3;
        weighted.push_str(&format!("{line},{weight}\n"));
        for _ in 0..weight {
            repeated.push_str(&format!("{line}\n"));
        }
    }
    let weighted = folder.write("weighted.csv", weighted);
    let repeated = folder.write("repeated.csv", repeated);
    let a = gmm(&["fit", &weighted, "-k", "2", "--weights", "w", "--json"]).json();
    let b = gmm(&["fit", &repeated, "-k", "2", "--json"]).json();
    assert_eq!(a["data"]["total_weight"], 271.0);
    assert_eq!(a["data"]["rows"], 272);
    assert_eq!(a["data"]["features"], b["data"]["features"]);
    // Each run may end within 0.001 nat of the optimum, which is what the stopping rule promises.
    assert!((log_likelihood(&a) - log_likelihood(&b)).abs() < 2e-3);
    let bic = |found: &Value| found["fit"]["bic"].as_f64().unwrap();
    assert!((bic(&a) - bic(&b)).abs() < 4e-3);
}

#[test]
fn standard_input_is_a_table_like_any_other() {
    let text = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../data/old_faithful.csv"
    ))
    .unwrap();
    let from_pipe = gmm_on(&text, &["fit", "-", "-k", "2"]).ok();
    let from_file = gmm(&["fit", "data/old_faithful.csv", "-k", "2"]).ok();
    let below_headline = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    let (mut pipe, mut file) = (below_headline(&from_pipe), below_headline(&from_file));
    assert_eq!(
        from_pipe.lines().next(),
        Some("standard input: 272 rows, 2 features")
    );
    assert!(pipe.pop().unwrap().ends_with("gmm predict model.gmm DATA"));
    file.pop();
    assert_eq!(pipe, file);
}

#[test]
fn an_npy_file_gives_the_same_fit() {
    let folder = Folder::new();
    let rows: Vec<[f64; 2]> = (0..60)
        .map(|i| {
            let (a, b) = (f64::from(i % 7), f64::from(i % 5));
            if i % 2 == 0 {
                [a, b]
            } else {
                [20.0 + b, 30.0 - a]
            }
        })
        .collect();
    let values = Mat::from_fn(60, 2, |i, j| rows[i][j]);
    gmm_io::table::save_npy(folder.path("x.npy"), values.as_ref()).unwrap();
    let csv: String = rows.iter().map(|[a, b]| format!("{a},{b}\n")).collect();
    let csv = folder.write("x.csv", csv);
    let fit = |path: &str| gmm(&["fit", path, "-k", "2", "--json"]).json();
    let (a, b) = (fit(&folder.word("x.npy")), fit(&csv));
    assert_eq!(a["model"], b["model"]);
    assert_eq!(a["groups"], b["groups"]);
}

#[test]
fn columns_are_chosen_by_name_number_and_range() {
    let features = |args: &[&str]| {
        let mut words = vec!["fit", "data/iris.csv", "-k", "2", "--json"];
        words.extend(args);
        let found = gmm(&words).json();
        let names = found["data"]["features"].as_array().unwrap().clone();
        names
            .iter()
            .map(|name| name.as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        features(&["--columns", "3-4,Sepal.Length"]),
        ["Petal.Length", "Petal.Width", "Sepal.Length"]
    );
    assert_eq!(
        features(&["--exclude", "1-2"]),
        ["Petal.Length", "Petal.Width"]
    );
    assert_eq!(
        features(&["--id", "Species", "--columns", "1"]),
        ["Sepal.Length"]
    );
}

#[test]
fn european_tables_are_read_and_said_to_be() {
    let ran = gmm_on(
        "h;w\n1,8;75\n1,6;62,5\n1,7;70\n1,9;91\n",
        &["fit", "-", "-k", "1"],
    );
    assert_eq!(
        ran.err,
        "note: standard input: header, separator: semicolon, decimal commas\n"
    );
    assert!(ran.ok().starts_with("standard input: 4 rows, 2 features\n"));
}

#[test]
fn rows_with_gaps_are_skipped_on_request_only() {
    let text = "a,b\n1,2\n2,NA\n3,1\n4,4\n5,2\n";
    let ran = gmm_on(text, &["fit", "-", "-k", "1", "--missing", "skip"]);
    assert_eq!(
        ran.err,
        "note: standard input: header, separator: comma, 1 row with missing cells skipped (the first: line 3)\n"
    );
    assert!(ran.ok().starts_with("standard input: 4 rows, 2 features\n"));
}

#[test]
fn what_the_fit_did_is_told_with_a_remedy() {
    let notes = |text: &str, args: &[&str]| {
        let mut words = vec!["fit", "-"];
        words.extend(args);
        let out = gmm_on(text, &words).ok();
        out.lines()
            .filter(|line| line.starts_with("note: "))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let faithful = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../data/old_faithful.csv"
    ))
    .unwrap();
    assert_eq!(
        notes(&faithful, &["-k", "3", "--max-iterations", "2"])[0],
        "note: not converged within 2 iterations: allow more (--max-iterations 20)"
    );
    assert_eq!(
        notes("x\n1\n1\n1\n2\n2\n2\n9\n9\n", &["-k", "5", "--starts", "1"])[0],
        "note: only 3 distinct rows for 5 components: the model has one group for each"
    );
    let few = notes("a,b\n1,2\n3,1\n4,7\n", &["-k", "1"]);
    assert_eq!(
        few,
        [
            "note: 5 parameters from 3 rows: ask for fewer groups (-k), a simpler form (--covariance diag), or fewer columns"
        ]
    );
}

#[test]
fn repairs_are_events_in_the_object() {
    let text = "x\n1\n1\n1\n2\n2\n2\n9\n9\n";
    let found = gmm_on(text, &["fit", "-", "-k", "5", "--starts", "1", "--json"]).json();
    let events = found["fit"]["events"].as_array().unwrap();
    assert_eq!(events[0], serde_json::json!({"event": "few-distinct-rows"}));
    // Each of the three groups is a point, which the floor holds up.
    assert_eq!(found["fit"]["groups_at_floor"], 3);
    assert!(
        events[1..].iter().all(|event| event["event"] == "floored"),
        "{events:?}"
    );
}

#[test]
fn every_option_of_a_fit_is_taken() {
    let base = gmm(&["fit", "data/old_faithful.csv", "-k", "2", "--json"]).json();
    for option in [
        ["--init", "kmeans++"],
        ["--init", "random-from-data"],
        ["--regularization", "none"],
        ["--regularization", "floor=1e-6"],
        ["--rescue", "reseed"],
        ["--rescue", "fail"],
        ["--tolerance", "1e-6"],
        ["--starts", "1"],
        ["--seed", "7"],
    ] {
        let mut words = vec!["fit", "data/old_faithful.csv", "-k", "2", "--json"];
        words.extend(option);
        let found = gmm(&words).json();
        // All of them find the one optimum that these data have, to what two stopping rules leave.
        let difference = log_likelihood(&found) - log_likelihood(&base);
        assert!(difference.abs() < 2e-3, "{option:?}: {difference}");
    }
    for option in [
        ["--regularization", "ridge=0.5"],
        ["--regularization", "prior"],
    ] {
        let mut words = vec!["fit", "data/old_faithful.csv", "-k", "2", "--json"];
        words.extend(option);
        let found = gmm(&words).json();
        // These maximize something else, so that the likelihood is lower.
        assert!(
            log_likelihood(&found) < log_likelihood(&base) - 1e-3,
            "{option:?}"
        );
    }
    let loose = |rule: &str| {
        let words = [
            "fit",
            "data/old_faithful.csv",
            "-k",
            "3",
            "--json",
            "--starts",
            "1",
            "--stopping",
            rule,
        ];
        gmm(&words).json()["fit"]["iterations"].as_u64().unwrap()
    };
    // The looser rules of other programs stop earlier.
    assert!(loose("mean") < loose("relative"));
    assert!(loose("relative") < loose("remaining"));
}

#[test]
fn values_of_any_size_are_written_readably() {
    let rows: String = (0..40)
        .map(|i| format!("{}e-150,{}e150\n", 1 + i % 7, 3 + i % 5))
        .collect();
    let out = gmm_on(&format!("tiny,huge\n{rows}"), &["fit", "-", "-k", "1"]).ok();
    let row = out.lines().find(|line| line.starts_with("    1")).unwrap();
    assert_eq!(
        row.split("  ")
            .filter(|c| !c.is_empty())
            .collect::<Vec<_>>()[3..],
        ["3.9e-150 ± 2.0e-150", "5.0e150 ± 1.4e150"]
    );
}

/// Numbers are read and written the same way whatever the language of the system is.
#[test]
fn a_foreign_locale_changes_nothing() {
    let args = ["fit", "data/old_faithful.csv", "-k", "2", "--json"];
    let expected = gmm(&args).ok();
    let output = command(&args)
        .env("LC_ALL", "de_DE.UTF-8")
        .env("LANG", "tr_TR.UTF-8")
        .output()
        .unwrap();
    assert_eq!(Ran::from(output).ok(), expected);
}

/// Slips, and codes for missing values: they are named, also where there are several, and a column of two values or a far group is none.
#[test]
fn outliers_that_make_the_spread_are_named() {
    let faithful = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../data/old_faithful.csv"
    ))
    .unwrap();
    let notes = |text: &str| {
        let out = gmm_on(text, &["fit", "-", "-k", "2", "-q"]).ok();
        let far = out
            .lines()
            .filter(|line| line.contains("of the other rows"));
        far.map(str::to_owned).collect::<Vec<_>>()
    };
    let end = "leave such rows out if they are slips or stand for missing values";
    assert!(notes(&faithful).is_empty());
    for (more, expected) in [
        (
            "9999999,80\n",
            "note: column \"eruptions\": 9999999 in row 273 is an outlier, 9e6 standard deviations of the other rows from their mean",
        ),
        (
            "2,-9999\n2,-9999\n2,-999\n",
            "note: column \"waiting\": -9999 in row 274 is an outlier, 742 standard deviations of the other rows from their mean, and 1 more row so far",
        ),
        (
            "1e5,54\n-9e4,54\n100001,54\n",
            "note: column \"eruptions\": 100001 in row 275 is an outlier, 87773 standard deviations of the other rows from their mean, and 2 more rows so far",
        ),
    ] {
        assert_eq!(
            notes(&format!("{faithful}{more}")),
            [format!("{expected}; {end}")]
        );
    }
    let out = gmm_on(
        &format!("{faithful}9999999,9999999\n"),
        &["fit", "-", "-k", "3", "-q"],
    )
    .ok();
    let cause = "at the variance floor, a part of the columns' variances, which the outliers make large: leave them out first";
    assert!(out.contains(cause), "{out}");
    let few = notes("a,b\n1,4\n2,6\n3,5\n4,9\n5,7\n6,9\n7,8\n8,-9999\n");
    assert!(
        few.len() == 1 && few[0].contains("-9999 in row 8"),
        "{few:?}"
    );
    let yes_or_no = format!("a,b\n{}1,1\n", "0.5,0\n0.7,0\n0.1,0\n".repeat(20));
    assert!(notes(&yes_or_no).is_empty());
    let far_group = format!(
        "a\n{}{}",
        "0.5\n0.7\n0.1\n".repeat(60),
        "900\n901\n902\n".repeat(5)
    );
    assert!(notes(&far_group).is_empty());
}
