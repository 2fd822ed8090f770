//! `--noise` and `--proportions`: outliers in a group of their own, from a fit to what is done with the model.

use crate::common::{Folder, cells, gmm, gmm_on};

/// Two groups of 60 rows about (0, 0) and (10, 10), and 12 rows in a box around them.
fn contaminated() -> String {
    let mut text = "a,b\n".to_owned();
    let unit = |i: usize| (i as f64 * 0.618_033_988_749_895).fract() - 0.5;
    for i in 0..60 {
        // Sums of two uniform numbers, without a pattern between the columns.
        let (a, b) = (unit(i) + unit(7 * i + 3), unit(3 * i + 1) + unit(11 * i));
        text.push_str(&format!("{a:.4},{b:.4}\n{:.4},{:.4}\n", 10.0 + b, 10.0 - a));
    }
    for i in 0..12 {
        let (a, b) = (5.0 + 40.0 * unit(i), 5.0 + 40.0 * unit(5 * i + 2));
        text.push_str(&format!("{a:.4},{b:.4}\n"));
    }
    text
}

#[test]
fn outliers_are_group_0() {
    let folder = Folder::new();
    let data = folder.write("noisy.csv", contaminated());
    let model = folder.word("noisy.gmm");
    let out = gmm(&["fit", &data, "-k", "2", "--noise", "--out", &model]).ok();
    assert!(
        out.contains("\n2 groups and noise, full covariances (VVV)\n"),
        "{out}"
    );
    assert!(out.contains("13 parameters"), "{out}");
    assert!(out.lines().any(|line| line.starts_with("noise  ")), "{out}");

    let ran = gmm(&["predict", &model, &data, "-p"]);
    let note = ran.err.clone();
    let (header, rows) = cells(&ran.ok());
    assert_eq!(header, ["group", "p1", "p2", "p0"]);
    let is_noise = |row: &Vec<String>| row[0] == "0";
    assert!(rows[120..].iter().filter(|row| is_noise(row)).count() >= 11);
    assert_eq!(rows[..120].iter().filter(|row| is_noise(row)).count(), 0);
    assert!(
        note.starts_with("note: 132 rows: 60 in group 1, 60 in group 2, 12 of noise"),
        "{note}"
    );
    for row in &rows {
        let p: Vec<f64> = row[1..].iter().map(|cell| cell.parse().unwrap()).collect();
        // The rounding of three quotients.
        assert!(
            (p.iter().sum::<f64>() - 1.0).abs() <= 3.0 * f64::EPSILON,
            "{row:?}"
        );
        assert_eq!(is_noise(row), p[2] > p[0].max(p[1]));
    }
    // Far beyond the box, too.
    let far = gmm_on("a,b\n1e6,-1e9\n", &["predict", &model, "-"]).ok();
    assert_eq!(far, "group\n0\n");

    let described = gmm(&["describe", &model]).ok();
    assert!(described.contains("2 groups and noise"), "{described}");
    let json = gmm(&["describe", &model, "--json"]).json();
    assert_eq!(json["free_parameters"], 13);
    assert!(json["noise"]["weight"].as_f64().unwrap() > 0.05);
    assert_eq!(json["model"]["version"], 2);
    let fitted = gmm(&["fit", &data, "-k", "2", "--noise", "--json"]).json();
    assert_eq!(fitted["noise"]["rows"], 12);
    assert_eq!(fitted["model"]["noise"], json["model"]["noise"]);

    let ran = gmm(&["sample", &model, "-n", "50", "--labels"]);
    assert!(
        ran.err
            .starts_with("note: rows are drawn from the groups alone"),
        "{}",
        ran.err
    );
    let (_, rows) = cells(&ran.ok());
    assert!(rows.iter().all(|row| row[0] == "1" || row[0] == "2"));
}

#[test]
fn a_search_with_noise_finds_the_groups() {
    let folder = Folder::new();
    let data = folder.write("noisy.csv", contaminated());
    let search = ["select", &data, "-k", "1-4", "--starts", "2", "--json"];
    let with = gmm(&[&search[..], &["--noise"]].concat()).json();
    assert_eq!(with["groups"].as_array().unwrap().len(), 2);
    let without = gmm(&search).json();
    let bic = |found: &serde_json::Value| found["fit"]["bic"].as_f64().unwrap();
    assert!(
        bic(&with) < bic(&without) - 10.0,
        "{} {}",
        bic(&with),
        bic(&without)
    );
    assert!(without.get("noise").is_none());
}

#[test]
fn equal_weights_cost_no_parameters() {
    let folder = Folder::new();
    let model = folder.word("equal.json");
    let out = gmm(&[
        "fit",
        "data/old_faithful.csv",
        "-k",
        "2",
        "--proportions",
        "equal",
        "--out",
        &model,
    ])
    .ok();
    assert!(
        out.contains("\n2 groups of equal weight, full covariances (VVV)\n"),
        "{out}"
    );
    assert!(out.contains("10 parameters"), "{out}");
    let json = gmm(&["describe", &model, "--json"]).json();
    assert_eq!(json["model"]["weights"], serde_json::json!([0.5, 0.5]));
    assert_eq!(json["free_parameters"], 10);
}

#[test]
fn volumes_are_checked() {
    let fit = |noise: &str| gmm(&["fit", "data/old_faithful.csv", "-k", "2", noise, "--json"]);
    let given = fit("--noise=100").json();
    let log_density = given["noise"]["log_density"].as_f64().unwrap();
    assert!((log_density + 100f64.ln()).abs() <= 4.0 * f64::EPSILON * log_density.abs());
    for bad in ["--noise=0", "--noise=-3", "--noise=sphere", "--noise=inf"] {
        let ran = fit(bad);
        assert_eq!(ran.code, Some(2));
        assert!(
            ran.err
                .contains("expected box or a volume, a positive number"),
            "{}",
            ran.err
        );
    }
}
