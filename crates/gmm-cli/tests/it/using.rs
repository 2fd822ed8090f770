//! A saved model in use: `gmm predict`, `score`, `sample` and `describe`.

use crate::common::{Folder, cells, gmm, gmm_on};

const FAITHFUL: &str = "data/old_faithful.csv";

#[test]
fn every_row_gets_its_group() {
    let folder = Folder::new();
    let model = folder.faithful();
    let ran = gmm(&["predict", &model, FAITHFUL]);
    assert_eq!(ran.err, "note: 272 rows: 175 in group 1, 97 in group 2\n");
    let (header, rows) = cells(&ran.ok());
    assert_eq!(header, ["group"]);
    assert_eq!(rows.len(), 272);
    assert_eq!(rows[..3], [["1"], ["2"], ["1"]]);
    assert_eq!(gmm(&["predict", &model, FAITHFUL, "--quiet"]).err, "");
}

#[test]
fn probabilities_sum_to_one_and_agree_with_the_group() {
    let folder = Folder::new();
    let model = folder.faithful();
    let (header, rows) = cells(&gmm(&["predict", &model, FAITHFUL, "-p"]).ok());
    assert_eq!(header, ["group", "p1", "p2"]);
    for row in rows {
        let p: Vec<f64> = row[1..].iter().map(|cell| cell.parse().unwrap()).collect();
        // The rounding of two quotients.
        assert!((p[0] + p[1] - 1.0).abs() <= 2.0 * f64::EPSILON, "{row:?}");
        assert_eq!(row[0], if p[0] >= p[1] { "1" } else { "2" });
    }
}

/// The rows that are hardest to assign are those between the groups.
#[test]
fn uncertainty_is_the_probability_of_the_other_groups() {
    let folder = Folder::new();
    let model = folder.faithful();
    let (header, rows) = cells(&gmm(&["predict", &model, FAITHFUL, "-u", "-p"]).ok());
    assert_eq!(header, ["group", "uncertainty", "p1", "p2"]);
    for row in rows {
        // Of two groups it is the other one's probability, digit for digit.
        let other = if row[0] == "1" { &row[3] } else { &row[2] };
        assert_eq!(&row[1], other);
    }
    let found = gmm(&["predict", &model, FAITHFUL, "--uncertainty", "--json"]).json();
    assert_eq!(found["uncertainty"].as_array().unwrap().len(), 272);
    assert!(found["probabilities"].is_null());
}

#[test]
fn features_are_found_by_name_in_any_order() {
    let folder = Folder::new();
    let model = folder.faithful();
    let mixed = "note,waiting,eruptions,w\nfoo,79,3.6,1\nbar,54,1.8,2\n";
    let plain = "3.6,79\n1.8,54\n";
    let ran = gmm_on(mixed, &["predict", &model, "-", "-p"]);
    assert_eq!(ran.err, "note: 2 rows: 1 in group 1, 1 in group 2\n");
    let by_position = gmm_on(plain, &["predict", &model, "-", "-p"]);
    assert!(
        by_position.err.starts_with(
            "note: standard input has no header: its columns are taken as the model's features in their order\n"
        ),
        "{}",
        by_position.err
    );
    assert_eq!(ran.ok(), by_position.ok());
    // A file can be read as often as it takes.
    let file = folder.write("plain.csv", plain);
    let by_file = gmm(&["predict", &model, &file]).ok();
    assert_eq!(by_file, "group\n1\n2\n");
    // By hand, names or not.
    let chosen = gmm_on(mixed, &["predict", &model, "-", "--columns", "3,2"]).ok();
    assert_eq!(chosen, "group\n1\n2\n");
}

#[test]
fn rows_keep_their_names_on_request() {
    let folder = Folder::new();
    let model = folder.faithful();
    let text = "day,eruptions,waiting\n\"a, b\",3.6,79\nc,1.8,54\n";
    let out = gmm_on(text, &["predict", &model, "-", "--id", "day"]).ok();
    assert_eq!(out, "day,group\n\"a, b\",1\nc,2\n");
    let found = gmm_on(
        text,
        &["predict", &model, "-", "--id", "day", "-p", "--json"],
    )
    .json();
    assert_eq!(found["ids"][0], "a, b");
    assert_eq!(found["groups"][1], 2);
    assert_eq!(found["probabilities"][0].as_array().unwrap().len(), 2);
    let gaps = "day,eruptions,waiting\na,3.6,79\nb,,54\nc,1.8,54\n";
    let out = gmm_on(
        gaps,
        &["predict", &model, "-", "--id", "day", "--missing", "skip"],
    )
    .ok();
    assert_eq!(out, "day,group\na,1\nc,2\n");
}

#[test]
fn an_empty_batch_has_an_empty_result() {
    let folder = Folder::new();
    let model = folder.faithful();
    let ran = gmm_on("waiting,eruptions\n", &["predict", &model, "-", "-p"]);
    assert_eq!(ran.err, "note: standard input has no rows\n");
    assert_eq!(ran.ok(), "group,p1,p2\n");
    let ran = gmm_on(
        "waiting,eruptions\n",
        &["score", &model, "-", "--anomalies", "0.01"],
    );
    assert_eq!(ran.ok(), "log_density,anomaly\n");
}

#[test]
fn results_go_to_a_file_as_a_whole() {
    let folder = Folder::new();
    let model = folder.faithful();
    let out = folder.write("groups.csv", "old");
    assert_eq!(gmm(&["predict", &model, FAITHFUL, "--out", &out]).ok(), "");
    let written = String::from_utf8(folder.read("groups.csv")).unwrap();
    assert_eq!(written, gmm(&["predict", &model, FAITHFUL]).ok());
    assert_eq!(folder.names(), ["faithful.gmm", "groups.csv"]);
}

#[test]
fn anomalies_are_as_unlikely_as_a_share_of_the_training_rows() {
    let folder = Folder::new();
    let model = folder.faithful();
    let ran = gmm(&["score", &model, FAITHFUL, "--anomalies", "0.02"]);
    let note = ran.err.clone();
    let (header, rows) = cells(&ran.ok());
    assert_eq!(header, ["log_density", "anomaly"]);
    // 2 % of 272 rows are 5.44: the quantile is the sixth lowest.
    assert_eq!(rows.iter().filter(|row| row[1] == "1").count(), 6);
    let density = |row: &Vec<String>| row[0].parse::<f64>().unwrap();
    let marked = rows.iter().filter(|row| row[1] == "1").map(density);
    let others = rows.iter().filter(|row| row[1] == "0").map(density);
    let threshold = marked.fold(f64::MIN, f64::max);
    assert!(threshold < others.fold(f64::MAX, f64::min));
    assert_eq!(
        note,
        format!(
            "note: 6 of 272 rows marked as anomalies: log-density at or below {threshold:.4}; \
             5.4 expected if they are like the training rows\n"
        )
    );
}

#[test]
fn a_threshold_of_ones_own_is_taken_as_it_is() {
    let folder = Folder::new();
    let model = folder.faithful();
    let text = "eruptions,waiting\n4.3,80\n1,120\n1e200,80\n";
    let ran = gmm_on(text, &["score", &model, "-", "--threshold", "-6"]);
    assert_eq!(
        ran.err,
        "note: 2 of 3 rows marked as anomalies: log-density at or below -6.0000\n"
    );
    let (_, rows) = cells(&ran.ok());
    assert_eq!(rows[0][1], "0");
    assert_eq!(rows[1][1], "1");
    // So far out that the density underflows: defined all the same.
    assert_eq!(rows[2], ["-inf", "1"]);
    let found = gmm_on(text, &["score", &model, "-", "--threshold", "-6", "--json"]).json();
    assert_eq!(found["anomalies"]["rows"], serde_json::json!([2, 3]));
    assert!(found["log_densities"][2].is_null());
    let (header, _) = cells(&gmm(&["score", &model, FAITHFUL]).ok());
    assert_eq!(header, ["log_density"]);
}

#[test]
fn samples_repeat_with_their_seed() {
    let folder = Folder::new();
    let model = folder.faithful();
    let sample =
        |n: &str, seed: &str| gmm(&["sample", &model, "-n", n, "--seed", seed, "--labels"]).ok();
    let long = sample("10000", "7");
    assert_eq!(long, sample("10000", "7"));
    assert_ne!(long, sample("10000", "8"));
    // More rows than are drawn at once begin with fewer of them.
    assert!(long.starts_with(&sample("4100", "7")));
    let (header, rows) = cells(&long);
    assert_eq!(header, ["group", "eruptions", "waiting"]);
    assert_eq!(rows.len(), 10_000);
    let in_first = rows.iter().filter(|row| row[0] == "1").count();
    // A binomial count of 10000 draws of probability 0.644: five standard deviations are 240.
    assert!(in_first.abs_diff(6440) < 240, "{in_first}");
    assert!(rows.iter().all(|row| row[0] == "1" || row[0] == "2"));
}

#[test]
fn a_sample_leads_back_to_its_model() {
    let folder = Folder::new();
    let model = folder.faithful();
    let drawn = folder.word("drawn.csv");
    gmm(&["sample", &model, "-n", "2000", "--out", &drawn]).ok();
    let found = gmm(&[
        "select",
        &drawn,
        "-k",
        "1-3",
        "--covariances",
        "full",
        "--json",
    ])
    .json();
    assert_eq!(found["groups"].as_array().unwrap().len(), 2);
    // The mean of 1288 waiting times of standard deviation 6: five standard errors are 0.84.
    let waiting = found["groups"][0]["mean"][1].as_f64().unwrap();
    assert!((waiting - 79.97).abs() < 0.84, "{waiting}");
}

#[test]
fn sampled_objects_hold_the_same_numbers() {
    let folder = Folder::new();
    let model = folder.faithful();
    let found = gmm(&["sample", &model, "-n", "5", "--labels", "--json"]).json();
    let (_, rows) = cells(&gmm(&["sample", &model, "-n", "5", "--labels"]).ok());
    for (i, row) in rows.iter().enumerate() {
        assert_eq!(found["groups"][i].to_string(), row[0]);
        for j in 0..2 {
            let cell: f64 = row[j + 1].parse().unwrap();
            assert_eq!(
                found["rows"][i][j].as_f64().unwrap().to_bits(),
                cell.to_bits()
            );
        }
    }
}

#[test]
fn a_model_file_describes_itself() {
    let folder = Folder::new();
    let model = folder.faithful();
    let expected = format!(
        "\
{model}: 2 groups, full covariances (VVV)
2 features: eruptions, waiting
fitted to 272 rows: log-likelihood -1130.26, 11 parameters, BIC 2322.19

groups, with centre ± standard deviation of each feature
group  weight    eruptions     waiting
    1   0.644  4.29 ± 0.41  80.0 ± 6.0
    2   0.356  2.04 ± 0.26  54.5 ± 5.8
strongest correlation within group 1: 0.38 between eruptions and waiting
strongest correlation within group 2: 0.29 between eruptions and waiting

thresholds of `gmm score --anomalies FRACTION`: log-density -8.7986 for 0.001, -7.7748 for 0.01, -6.5043 for 0.05
"
    );
    assert_eq!(gmm(&["describe", &model]).ok(), expected);
    let found = gmm(&["describe", &model, "--json"]).json();
    assert_eq!(found["features"][0], "eruptions");
    assert_eq!(found["model"]["format"], "gmm-model");
    assert_eq!(found["groups"][1]["group"], 2);
}

#[test]
fn binary_and_readable_files_are_the_same_model() {
    let folder = Folder::new();
    let model = folder.faithful();
    let json = folder.word("faithful.json");
    gmm(&["fit", FAITHFUL, "-k", "2", "--out", &json]).ok();
    assert!(folder.read("faithful.json").starts_with(b"{"));
    assert!(!folder.read("faithful.gmm").starts_with(b"{"));
    let predict = |model: &str| gmm(&["predict", model, FAITHFUL, "-p"]).ok();
    assert_eq!(predict(&model), predict(&json));
}

#[test]
fn files_without_header_make_models_without_names() {
    let folder = Folder::new();
    let model = folder.word("m.gmm");
    let text = "1,2\n2,1\n3,3\n9,8\n8,9\n9,9.5\n";
    gmm_on(text, &["fit", "-", "-k", "1", "--out", &model]).ok();
    let described = gmm(&["describe", &model]).ok();
    assert!(
        described.contains("\n2 features without names: data are taken by position\n"),
        "{described}"
    );
    let ran = gmm_on("b,a\n1,2\n", &["predict", &model, "-"]);
    assert!(
        ran.err.starts_with(
            "note: the model has no names of features: the columns of standard input are taken in their order\n"
        ),
        "{}",
        ran.err
    );
    assert_eq!(ran.ok(), "group\n1\n");
}
