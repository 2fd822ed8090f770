//! The naive twin against mclust, from the same starts.

use gmm_testkit::naive::{
    Form, adjusted_rand_index, em_from_responsibilities, hard_responsibilities,
};
use gmm_testkit::oracle::{self, mclust, metrics};

use crate::assert_close;

/// Log-likelihoods are sums over some 100 rows in both programs; the values differ by at most 7 ε.
const TOLERANCE: f64 = 64.0 * f64::EPSILON;

/// Cells of the main table where both implementations agree to 1e-6, so far as they are reached in 200 steps.
#[test]
fn em_reaches_the_gold_values() {
    let Some(folder) = oracle::shared_oracle("mclust") else {
        return;
    };
    let mut n_checked = 0;
    for cell in mclust::gold(&folder) {
        let Some(form) = Form::from_name(&cell.model) else {
            continue;
        };
        if cell.n_iterations > 200 {
            continue;
        }
        let k = cell.n_components;
        let data = mclust::data_set(&folder, &cell.dataset);
        assert_eq!(
            (data.x.len(), data.columns.len()),
            (cell.n_samples, cell.n_features)
        );
        let r = hard_responsibilities(&mclust::starts(&folder, &cell.dataset)[&k], k);
        let run = em_from_responsibilities(form, &r, &data.x, None, 1e-13, 400).unwrap();
        let error = (run.log_likelihood() - cell.log_likelihood).abs();
        assert!(
            run.is_converged && error < 1e-6,
            "{cell:?}: off by {error:.2e}"
        );
        let n_parameters = form.n_free_parameters(k, cell.n_features);
        assert_eq!(n_parameters, cell.n_parameters);
        let n_samples = cell.n_samples as f64;
        let bic = 2.0 * cell.log_likelihood - n_parameters as f64 * n_samples.ln();
        assert_close(cell.bic, bic, TOLERANCE);
        n_checked += 1;
    }
    assert!(n_checked > 80, "only {n_checked} cells");
}

#[test]
fn em_walks_along_the_trajectories() {
    let Some(folder) = oracle::shared_oracle("mclust") else {
        return;
    };
    for name in ["iris", "faithful"] {
        let data = mclust::data_set(&folder, name);
        let r = hard_responsibilities(&data.labels, data.classes.len());
        let trajectory = mclust::trajectory(&folder, name);
        assert_eq!(trajectory.len(), 14);
        for form in Form::ALL {
            let expected = &trajectory[form.mclust_name()];
            let steps = expected.len() - 1;
            let run = em_from_responsibilities(form, &r, &data.x, None, -1.0, steps).unwrap();
            let error = metrics::log_values(&run.trace, expected);
            assert!(error <= TOLERANCE, "{name}, {form}: {error:.2e}");
        }
    }
}

/// The same number of steps under the same rule, and the same classification at the end.
#[test]
fn fits_from_the_classes_agree() {
    let Some(folder) = oracle::shared_oracle("mclust") else {
        return;
    };
    for name in ["iris", "faithful", "wine", "diabetes"] {
        let data = mclust::data_set(&folder, name);
        let r = hard_responsibilities(&data.labels, data.classes.len());
        for row in mclust::from_classes(&folder, name) {
            let Some(form) = Form::from_name(&row.model) else {
                continue;
            };
            let run = |tolerance| {
                em_from_responsibilities(form, &r, &data.x, None, tolerance, 1000).unwrap()
            };
            let (default, tight) = (run(1e-5), run(1e-13));
            assert_close(tight.trace[0], row.first_log_likelihood, TOLERANCE);
            assert_close(
                default.log_likelihood(),
                row.default_log_likelihood,
                TOLERANCE,
            );
            assert_close(tight.log_likelihood(), row.tight_log_likelihood, TOLERANCE);
            // mclust counts the M-step on the classes too. The tight rule is at the level of rounding, where one step more
            // or less says nothing; the other is not.
            assert_eq!(
                default.n_iterations() + 1,
                row.default_iterations,
                "{name}, {form}"
            );
            assert!((tight.n_iterations() + 1).abs_diff(row.tight_iterations) <= 1);
            let labels = tight.mixture.predict(&data.x);
            let index = adjusted_rand_index(&labels, &data.labels);
            assert_close(index, row.tight_rand_index, TOLERANCE);
            let (d, k) = (data.columns.len(), data.classes.len());
            assert_eq!(form.n_free_parameters(k, d), row.n_parameters);
            let penalty = row.n_parameters as f64 * (data.x.len() as f64).ln();
            assert_close(
                row.tight_bic,
                2.0 * row.tight_log_likelihood - penalty,
                TOLERANCE,
            );
        }
    }
}

#[test]
fn free_parameters_are_counted_alike() {
    let Some(folder) = oracle::shared_oracle("mclust") else {
        return;
    };
    let rows = mclust::parameter_counts(&folder);
    assert_eq!(rows.len(), 504);
    for row in rows {
        let (d, k) = (row.n_features, row.n_components);
        assert_eq!(row.all, row.covariances + k * d + k - 1);
        assert_eq!(row.with_equal_weights, row.covariances + k * d);
        // The volume of the noise and its weight.
        assert_eq!(row.with_noise, row.all + 2);
        if let Some(form) = Form::from_name(&row.model) {
            assert_eq!(form.n_free_parameters(k, d), row.all, "{row:?}");
        }
    }
}

#[test]
fn data_sets_and_starts_are_read() {
    let Some(folder) = oracle::shared_oracle("mclust") else {
        return;
    };
    let shapes = [
        ("iris", 150, 4, 3),
        ("faithful", 272, 2, 2),
        ("diabetes", 145, 3, 3),
        ("wine", 178, 13, 3),
        ("acidity", 155, 1, 0),
        ("galaxies", 82, 1, 0),
        ("faithful_waiting", 272, 1, 0),
        ("baudry_ex4.1", 600, 2, 0),
    ];
    for (name, n_samples, n_features, n_classes) in shapes {
        let data = mclust::data_set(&folder, name);
        assert_eq!(data.x.len(), n_samples, "{name}");
        assert!(data.x.iter().all(|row| row.len() == n_features), "{name}");
        assert_eq!(data.columns.len(), n_features, "{name}");
        assert_eq!(data.classes.len(), n_classes, "{name}");
        assert_eq!(data.labels.len(), if n_classes > 0 { n_samples } else { 0 });
        if name != "baudry_ex4.1" {
            let starts = mclust::starts(&folder, name);
            assert!(starts.keys().copied().eq(1..=9), "{name}");
            for (k, labels) in starts {
                assert_eq!(labels.len(), n_samples);
                assert!(labels.iter().all(|label| *label < k), "{name}, {k}");
            }
        }
    }
    let iris = mclust::data_set(&folder, "iris");
    assert_eq!(iris.columns[0], "Sepal.Length");
    assert_eq!(iris.classes, ["setosa", "versicolor", "virginica"]);
    assert_eq!(iris.x[0], [5.1, 3.5, 1.4, 0.2]);
    assert_eq!(
        mclust::data_set(&folder, "baudry_ex4.1").columns,
        ["X1", "X2"]
    );
}
