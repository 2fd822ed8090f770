//! Against mclust: its tables of BIC and ICL, its criteria, and whether our search finds what it finds.

use std::path::{Path, PathBuf};

use gmm_core::CovarianceType;
use gmm_core::covariance::Variation;
use gmm_core::faer::Mat;
use gmm_em::Start;
use gmm_select::{Criterion, Scores, Search};
use gmm_testkit::oracle::{self, mclust};

use crate::{cell, matrix, plain};

const DATA_SETS: [&str; 7] = [
    "faithful",
    "iris",
    "diabetes",
    "wine",
    "acidity",
    "galaxies",
    "faithful_waiting",
];

/// mclust's default: it stops when |ΔL| / (1 + |L|) is below this.
const DEFAULT: f64 = 1e-5;
/// The oracle's tight fits.
const TIGHT: f64 = 1e-13;

/// How near criteria come to mclust's when both stop by the same rule after the same M-steps, in nats. Numbers up to 1e4 are rounded
/// at 1e-12, and a few hundred M-steps may add that up.
const SAME_STEPS: f64 = 1e-9;

/// A table of the oracle: a header and rows of cells.
struct Table {
    names: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let split = |line: &str| -> Vec<String> { line.split(',').map(str::to_owned).collect() };
        let mut lines = text.lines().map(split);
        Self {
            names: lines.next().unwrap(),
            rows: lines.collect(),
        }
    }

    /// A cell as a number; `None` for R's NA.
    fn number(&self, row: &[String], name: &str) -> Option<f64> {
        let column = self.names.iter().position(|n| n == name).unwrap();
        row[column].parse().ok()
    }
}

/// Our forms of a model. Of one feature mclust has two models, equal variances (E) and variable ones (V), which seven of our forms
/// are each.
fn forms(model: &str) -> Vec<CovarianceType> {
    let of_volume = |volume: Variation| -> Vec<CovarianceType> {
        let forms = CovarianceType::ALL.into_iter();
        forms.filter(|f| f.volume() == volume).collect()
    };
    match model {
        "E" => of_volume(Variation::Equal),
        "V" => of_volume(Variation::Variable),
        name => vec![name.parse().unwrap()],
    }
}

/// mclust ends the search within an M-step of these forms before it stands still, so that its steps, though not its maxima, are others.
fn is_searched(form: CovarianceType, x: &Mat<f64>) -> bool {
    let searched = [
        CovarianceType::Eve,
        CovarianceType::Vve,
        CovarianceType::Vee,
        CovarianceType::Vei,
        CovarianceType::Vev,
    ];
    x.ncols() > 1 && searched.contains(&form)
}

/// Whether the first M-step leaves axes open: a group of no more rows than features has directions without any spread, which EEV and VEV
/// give unlike variances of the shared shape, in an order that rounding decides.
fn has_open_axes(form: CovarianceType, labels: &[usize], n_components: usize, d: usize) -> bool {
    let n_rows = |k: usize| labels.iter().filter(|l| **l == k).count();
    matches!(form, CovarianceType::Eev | CovarianceType::Vev)
        && (0..n_components).any(|k| n_rows(k) <= d + 1)
        && d > 2
}

fn data(folder: &Path, name: &str) -> Mat<f64> {
    matrix(&mclust::data_set(folder, name).x)
}

fn folder() -> Option<PathBuf> {
    oracle::shared_oracle("mclust")
}

/// What mclust prints, from its own starts by its own stopping rule: the same M-steps, so the same numbers.
#[test]
fn bic_and_icl_tables_are_those_of_mclust() {
    let Some(folder) = folder() else { return };
    let (mut worst_bic, mut worst_icl) = (0.0f64, 0.0f64);
    let (mut n_cells, mut n_singular) = (0, 0);
    for name in DATA_SETS {
        let x = data(&folder, name);
        let starts = mclust::starts(&folder, name);
        let icl = Table::read(&folder.join(format!("tables/{name}_ICL.csv")));
        let bic = Table::read(&folder.join(format!("tables/{name}_BIC.csv")));
        for (bic_row, icl_row) in bic.rows.iter().zip(&icl.rows) {
            let k: usize = bic_row[0].parse().unwrap();
            for model in &bic.names[1..] {
                let is_comparable = |f: &CovarianceType| {
                    !is_searched(*f, &x) && !has_open_axes(*f, &starts[&k], k, x.ncols())
                };
                for form in forms(model).into_iter().filter(is_comparable) {
                    let fit = plain(k, form, DEFAULT).fit_from(&x, Start::Labels(&starts[&k]));
                    let Some(their_bic) = bic.number(bic_row, model) else {
                        // What has no maximum for mclust has none for us.
                        assert!(fit.is_err(), "{name} {form} {k}");
                        n_singular += 1;
                        continue;
                    };
                    let scores = Scores::new(fit.unwrap().model(), &x).unwrap();
                    let by_bic = (Criterion::Bic.value(&scores) + their_bic).abs();
                    let their_icl = icl.number(icl_row, model).unwrap();
                    let by_icl = (Criterion::IclClassification.value(&scores) + their_icl).abs();
                    assert!(by_bic <= SAME_STEPS, "{name} {form} {k}: {by_bic:e}");
                    assert!(by_icl <= SAME_STEPS, "{name} {form} {k}: {by_icl:e}");
                    worst_bic = worst_bic.max(by_bic);
                    worst_icl = worst_icl.max(by_icl);
                    n_cells += 1;
                }
            }
        }
    }
    eprintln!(
        "mclust's tables: {n_cells} cells, BIC off by {worst_bic:.1e} at most, ICL by {worst_icl:.1e}; {n_singular} without a maximum"
    );
    // Four tables of nine forms and nine numbers, three of two models which seven forms are each; 8 cells have no maximum, and EEV's 3
    // of more than four wines have open axes.
    assert_eq!((n_cells, n_singular), (4 * 81 + 3 * 126 - 8 - 3, 8));
}

/// The same cells at the maximum itself.
#[test]
fn converged_criteria_are_those_of_mclust() {
    let Some(folder) = folder() else { return };
    let (mut worst_bic, mut worst_icl) = (0.0f64, 0.0f64);
    let mut n_cells = 0;
    for name in DATA_SETS {
        let x = data(&folder, name);
        let starts = mclust::starts(&folder, name);
        let table = Table::read(&folder.join(format!("tables/{name}_bic_all.csv")));
        for row in &table.rows {
            let k: usize = row[1].parse().unwrap();
            // mclust's VVE has no maxima: see `gmm-em`'s test against its corrected values.
            let is_comparable = |f: &CovarianceType| {
                (*f != CovarianceType::Vve || x.ncols() == 1)
                    && !has_open_axes(*f, &starts[&k], k, x.ncols())
            };
            for form in forms(&row[0]).into_iter().filter(is_comparable) {
                let fit = plain(k, form, TIGHT).fit_from(&x, Start::Labels(&starts[&k]));
                let Some(their_bic) = table.number(row, "bic_tight") else {
                    // On the way to the maximum a component collapses, with theirs and with ours, unless our longer search within M-steps
                    // leads elsewhere.
                    assert!(fit.is_err() || is_searched(form, &x), "{name} {form} {k}");
                    continue;
                };
                let scores = Scores::new(fit.unwrap().model(), &x).unwrap();
                let by_bic = (Criterion::Bic.value(&scores) + their_bic).abs();
                let their_icl = table.number(row, "icl_me_tight").unwrap();
                let by_icl = (Criterion::IclClassification.value(&scores) + their_icl).abs();
                // A gain of 1e-13 (1 + |L|), up to 1e-9 nats, is left ten thousand times at the slowest. The likelihood is flat
                // at its top, labels are not: ICL is off by the root of what the likelihood is off by.
                assert!(by_bic <= 1e-6, "{name} {form} {k}: {by_bic:e}");
                assert!(by_icl <= 1e-3, "{name} {form} {k}: {by_icl:e}");
                worst_bic = worst_bic.max(by_bic);
                worst_icl = worst_icl.max(by_icl);
                n_cells += 1;
            }
        }
    }
    eprintln!(
        "mclust converged: {n_cells} cells, BIC off by {worst_bic:.1e} at most, ICL by {worst_icl:.1e}"
    );
    // Four tables of thirteen forms and nine numbers, three of two models which seven forms are each. Without a maximum are 19 cells and
    // four univariate ones, seven times ours; ten more have open axes.
    assert_eq!(n_cells, 4 * 117 + 3 * 126 - 25 - 28);
}

/// BIC, AIC, AICc and both ICLs of three published fits: `extras/criteria.json`.
#[test]
fn criteria_are_those_of_mclust() {
    let Some(folder) = folder() else { return };
    let text = std::fs::read_to_string(folder.join("extras/criteria.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut n_fits = 0;
    let mut worst = 0.0f64;
    for (key, fit) in json.as_object().unwrap() {
        let parts: Vec<&str> = key.split('_').collect();
        let [name, model, k] = parts[..] else {
            continue;
        };
        let (k, Some(form)) = (k.parse().unwrap(), forms(model).into_iter().next()) else {
            continue;
        };
        let x = data(&folder, name);
        let starts = mclust::starts(&folder, name);
        let ours = plain(k, form, DEFAULT)
            .fit_from(&x, Start::Labels(&starts[&k]))
            .unwrap();
        let scores = Scores::new(ours.model(), &x).unwrap();
        let theirs = |field: &str| fit[field].as_f64().unwrap();
        assert_eq!(scores.n_free_parameters as f64, theirs("df"));
        assert_eq!(scores.total_weight, theirs("n"));
        for (found, expected) in [
            (scores.log_likelihood, theirs("loglik")),
            (scores.entropy, theirs("entropy")),
            (Criterion::Bic.value(&scores), theirs("BIC")),
            (Criterion::Aic.value(&scores), theirs("AIC")),
            (Criterion::Aicc.value(&scores), theirs("AICc")),
            (Criterion::IclEntropy.value(&scores), -theirs("ICL_soft")),
            (
                Criterion::IclClassification.value(&scores),
                -theirs("ICL_mclust"),
            ),
        ] {
            // The file has 15 digits.
            assert!(
                (found - expected).abs() <= SAME_STEPS,
                "{key}: {found} {expected}"
            );
            worst = worst.max((found - expected).abs());
        }
        n_fits += 1;
    }
    assert_eq!(n_fits, 3);
    eprintln!("mclust's criteria: off by {worst:.1e} at most");
}

/// mclust stops early, so its values can be exceeded; less than a thousandth of a nat is left by ours, 2e-3 of BIC at the most.
const LEFT: f64 = 1e-3;

#[test]
fn a_search_finds_what_mclust_finds() {
    let Some(folder) = folder() else { return };
    let (mut n_better, mut n_equal, mut n_singular) = (0, 0, 0);
    let mut worse = Vec::new();
    for name in DATA_SETS {
        let x = data(&folder, name);
        let search = Search::over(1..=9).covariances(CovarianceType::ALL);
        let selection = search.run(&x).unwrap();
        let table = Table::read(&folder.join(format!("tables/{name}_BIC.csv")));
        for row in &table.rows {
            let k: usize = row[0].parse().unwrap();
            for model in &table.names[1..] {
                let Some(theirs) = table.number(row, model).map(|bic| -bic) else {
                    continue;
                };
                for form in forms(model) {
                    let candidate = cell(&selection, k, form);
                    if candidate.fitted.as_ref().unwrap().is_singular() {
                        n_singular += 1;
                        continue;
                    }
                    let ours = selection.value(candidate).unwrap();
                    if ours > theirs + LEFT {
                        worse.push(format!("{name} {form} {k}: {ours}, mclust has {theirs}"));
                    }
                    if ours < theirs - 0.1 {
                        n_better += 1;
                    } else {
                        n_equal += 1;
                    }
                }
            }
        }
    }
    eprintln!(
        "search against mclust: {n_better} cells better by more than 0.1, {n_equal} equal, {n_singular} singular"
    );
    assert_eq!(worse, Vec::<String>::new());
    assert!(n_better > n_equal);
}

/// What mclust's handbook finds in Old Faithful: three groups of one shape.
#[test]
fn old_faithful_has_three_tied_components() {
    let Some(folder) = folder() else { return };
    let selection = Search::over(1..=9).run(&data(&folder, "faithful")).unwrap();
    let best = selection.best_candidate();
    assert_eq!(
        (best.n_components, best.covariance),
        (3, CovarianceType::Tied)
    );
    let bic = selection.value(best).unwrap();
    assert!(bic <= 2314.3 && bic > 2314.2, "{bic}");
}
