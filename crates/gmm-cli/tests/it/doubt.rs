//! How sure a result is: `gmm combine`, `check`, `test`, and `fit --bootstrap`.

use crate::common::{Folder, cells, gmm, gmm_on};

const FAITHFUL: &str = "data/old_faithful.csv";

/// Six groups of iris, which has three species.
fn iris(folder: &Folder) -> String {
    let model = folder.word("iris.gmm");
    let fit = ["fit", "data/iris.csv", "-k", "6", "--covariance", "diag"];
    let rest = ["--exclude", "Species", "--out", &model, "--starts", "2"];
    gmm(&[&fit[..], &rest[..]].concat()).ok();
    model
}

#[test]
fn groups_are_combined_into_clusters() {
    let folder = Folder::new();
    let model = iris(&folder);
    let out = folder.word("clusters.csv");
    let args = ["combine", &model, "data/iris.csv", "--clusters", "3"];
    let text = gmm(&[&args[..], &["--out", &out]].concat()).ok();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[..2],
        [
            "iris.csv: 150 rows, 4 features",
            "6 groups, diag covariances (VVI)"
        ]
    );
    assert!(lines[2].starts_with("the entropy bends at "), "{text}");
    assert!(text.contains("\ncluster 3: group"), "{text}");
    assert!(!text.contains("\ncluster 4: group"), "{text}");
    assert!(text.ends_with(&format!("\nsaved: {out}\n")));
    // Two groups of setosa become one, and all of its fifty rows are in it.
    let csv = String::from_utf8(folder.read("clusters.csv")).unwrap();
    let (header, rows) = cells(&csv);
    assert_eq!((header, rows.len()), (vec!["cluster".to_owned()], 150));
    assert!(rows[..50].iter().all(|row| *row == rows[0]));
    assert!(rows[50..].iter().all(|row| *row != rows[0]));

    let found = gmm(&[&args[..], &["--json"]].concat()).json();
    assert_eq!(found["n_clusters"], 3);
    let entropies = found["entropies"].as_array().unwrap();
    assert!(entropies.is_sorted_by(|a, b| a.as_f64() <= b.as_f64()));
    assert_eq!((entropies.len(), &entropies[0]), (6, &0.0.into()));
    assert_eq!(found["merges"].as_array().unwrap().len(), 5);
    let groups: usize = (found["clusters"].as_array().unwrap().iter())
        .map(|cluster| cluster.as_array().unwrap().len())
        .sum();
    assert_eq!(groups, 6);
}

#[test]
fn groups_that_are_apart_are_left_alone() {
    let folder = Folder::new();
    let model = folder.faithful();
    assert_eq!(
        gmm(&["combine", &model, FAITHFUL]).ok(),
        "\
old_faithful.csv: 272 rows, 2 features
2 groups, full covariances (VVV)
the groups are apart (rows are assigned with 99.9 % certainty or more): there is nothing to combine

entropy of the assignment in nats, and what is merged to get there
clusters  entropy  merged
       2     0.69
       1     0.00  group 1 with group 2
"
    );
    gmm(&["combine", &model, FAITHFUL, "--clusters", "3"]).refused(
        2,
        "--clusters is 3 for a model of 2 groups; ask for at most as many",
    );
    let empty = gmm_on("eruptions,waiting\n", &["combine", &model, "-"]);
    assert_eq!(empty.code, Some(1));
    assert!(
        empty.err.ends_with(
            "error: standard input: the data have no rows; at least one row is needed\n"
        )
    );
}

#[test]
fn a_model_is_checked_against_its_data() {
    let folder = Folder::new();
    let model = folder.faithful();
    assert_eq!(
        gmm(&["check", &model, FAITHFUL]).ok(),
        "\
old_faithful.csv: 272 rows, 2 features
2 groups, full covariances (VVV)

groups, and how the distances of their rows compare with those of Gaussian rows
group   rows  spread  kurtosis  distance  finding
    1  175.2    1.00      0.99     0.043  Gaussian
    2   96.8    1.00      1.07     0.058  Gaussian

overlap: 0.1 % of all rows are expected to be assigned to a wrong group
"
    );
    let iris = iris(&folder);
    let text = gmm(&["check", &iris, "data/iris.csv"]).ok();
    assert!(
        text.contains("\nof the rows in group 1 are expected to belong: "),
        "{text}"
    );
    let found = gmm(&["check", &iris, "data/iris.csv", "--json"]).json();
    assert_eq!(found["groups"].as_array().unwrap().len(), 6);
    assert_eq!(found["pairs"].as_array().unwrap().len(), 15);
    for row in found["overlap"].as_array().unwrap() {
        let sum: f64 = row
            .as_array()
            .unwrap()
            .iter()
            .map(|share| share.as_f64().unwrap())
            .sum();
        // Six numbers that were rounded.
        assert!((sum - 1.0).abs() <= 1e-13);
    }
}

/// Rows spread evenly over a square: one group with edges.
fn square() -> String {
    let cell = |i: usize| format!("{},{}\n", i % 20, i / 20);
    (0..400)
        .map(cell)
        .fold("x,y\n".to_owned(), |text, line| text + &line)
}

#[test]
fn a_fit_says_which_groups_are_not_gaussian() {
    let note = "note: group 1 is not Gaussian: its tails are light (kurtosis 0.70 times that of Gaussian rows), \
                as those of a group with edges or of a part of one; see gmm combine\n";
    let fit = gmm_on(&square(), &["fit", "-", "-k", "1"]).ok();
    assert!(fit.contains(note), "{fit}");
    let few = "x,y\n1,2\n2,1\n3,5\n4,3\n5,9\n2,2\n3,1\n";
    let fit = gmm_on(few, &["fit", "-", "-k", "1"]).ok();
    assert!(
        fit.contains(
            "note: group 1 has 7.0 rows, and its covariance needs 8: leave out columns, or take a simpler form (--covariance diag)\n"
        ),
        "{fit}"
    );
}

#[test]
fn a_choice_says_which_groups_have_one_peak() {
    // Squares of logistic quantiles with their signs: one group of heavy tails, which takes several Gaussian ones.
    let quantile = |i: usize| {
        let u = (i as f64 + 0.5) / 600.0;
        let x = (u / (1.0 - u)).ln();
        format!("{}\n", x * x.abs())
    };
    let text = (0..600)
        .map(quantile)
        .fold("x\n".to_owned(), |text, line| text + &line);
    let found = gmm_on(
        &text,
        &["select", "-", "-k", "1-4", "--covariances", "full"],
    )
    .ok();
    // All six pairs of four groups on one centre.
    assert!(
        found.contains(
            " have one peak together, as have 5 other pairs: they may be one group that is not Gaussian; \
             by entropy the 4 groups form 2 clusters (gmm combine MODEL DATA)\n"
        ),
        "{found}"
    );
}

#[test]
fn parameters_come_with_standard_errors_on_request() {
    let args = ["fit", FAITHFUL, "-k", "2", "--bootstrap", "200"];
    let text = gmm(&args).ok();
    assert!(
        text.contains("\nparameters, with 95 % intervals from 200 bootstrap replicates\n"),
        "{text}"
    );
    assert!(
        text.contains("\n    2  covariance of eruptions and waiting  "),
        "{text}"
    );
    let found = gmm(&[&args[..], &["--json"]].concat()).json();
    let precision = &found["precision"];
    assert_eq!(precision["replicates"], 200);
    let group = &precision["groups"][0];
    let error = group["mean"][1]["standard_error"].as_f64().unwrap();
    // mclust's 999 replicates say 0.46; of 200 the relative error is √(1 / 400).
    assert!((error / 0.46 - 1.0).abs() < 5.0 * 0.05, "{error}");
    assert_eq!(group["covariance"][1].as_array().unwrap().len(), 2);
    assert_eq!(group["mean"][1]["value"], found["groups"][0]["mean"][1]);
    // The ends of an interval are rare replicates, of which there must be some.
    for (n, is_rough) in [("38", true), ("39", false)] {
        let text = gmm(&["fit", FAITHFUL, "-k", "2", "--bootstrap", n]).ok();
        let note = "note: intervals of 95 % take 39 replicates at least";
        assert_eq!(text.contains(note), is_rough, "{text}");
    }
    let refused = gmm(&["fit", FAITHFUL, "-k", "2", "--bootstrap", "1"]);
    assert_eq!(refused.code, Some(2));
    assert!(
        refused
            .err
            .contains("expected a whole number from 2 to 100000")
    );
}

#[test]
fn numbers_of_components_are_tested() {
    let args = [
        "test",
        FAITHFUL,
        "--covariance",
        "tied",
        "-b",
        "19",
        "--starts",
        "1",
    ];
    let text = gmm(&[&args[..], &["-k", "1-2"]].concat()).ok();
    assert_eq!(
        text,
        "\
old_faithful.csv: 272 rows, 2 features
no number of tied components that was tested is known to be enough at level 0.05: test more (-k)

components  against  likelihood ratio  p-value  tables
         1        2            299.22   0.0500      19
         2        3             27.74   0.0500      19
"
    );
    let found = gmm_on(
        &square(),
        &["test", "-", "-k", "1", "-b", "9", "--starts", "1", "--json"],
    )
    .json();
    assert_eq!(found["tests"][0]["tables"], 9);
    // Nine tables can't reject at 0.05.
    assert_eq!(found["components"], 1);
    assert_eq!(
        found["notes"][0],
        "with 9 tables no p-value is as small as 0.05: ask for at least 19 (--replicates 19)"
    );
}
