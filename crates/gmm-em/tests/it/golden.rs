//! Golden values that live in the repository: see `tests/golden/README.md`.

use std::path::{Path, PathBuf};

use gmm_core::faer::Mat;
use gmm_em::{Em, Start};

use crate::tight;

fn golden(file: &str) -> String {
    std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/golden")
            .join(file),
    )
    .unwrap()
}

fn table(name: &str) -> Mat<f64> {
    let path: PathBuf =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../data/{name}.csv"));
    let text = std::fs::read_to_string(path).unwrap();
    // Iris and wine have their class in the last column.
    let n_columns = if name == "old_faithful" {
        2
    } else {
        text.lines().next().unwrap().split(',').count() - 1
    };
    let rows: Vec<Vec<f64>> = text
        .lines()
        .skip(1)
        .map(|line| {
            line.split(',')
                .take(n_columns)
                .map(|c| c.parse().unwrap())
                .collect()
        })
        .collect();
    crate::matrix(&rows)
}

#[test]
fn default_fits_keep_their_values() {
    let mut n_rows = 0;
    for line in golden("fits.csv").lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let [name, form, n_components, seed, iterations, log_likelihood] = cells[..] else {
            panic!("{line}")
        };
        let em = Em::new(n_components.parse().unwrap())
            .covariance(form.parse().unwrap())
            .seed(seed.parse().unwrap());
        let fit = em.fit(&table(name)).unwrap();
        let expected: f64 = log_likelihood.parse().unwrap();
        // Whether the last step still changes a bit depends on the order of summation.
        let iterations: usize = iterations.parse().unwrap();
        assert!(
            fit.report().n_iterations.abs_diff(iterations) <= 1,
            "{line}: {}",
            fit.report()
        );
        // Instruction sets sum in different orders; a few hundred iterations may magnify the last digits.
        assert!(
            (fit.report().log_likelihood - expected).abs() <= 1e-10 * expected.abs(),
            "{line}"
        );
        n_rows += 1;
    }
    assert_eq!(n_rows, 3 * 4 * 3 * 2);
}

#[test]
fn mclust_is_reached_from_its_own_partitions() {
    let mut n_rows = 0;
    for line in golden("mclust.csv").lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let [name, model, n_components, log_likelihood, labels] = cells[..] else {
            panic!("{line}")
        };
        let labels: Vec<usize> = labels.bytes().map(|b| usize::from(b - b'1')).collect();
        let em = tight(n_components.parse().unwrap(), model.parse().unwrap());
        let fit = em.fit_from(&table(name), Start::Labels(&labels)).unwrap();
        let expected: f64 = log_likelihood.parse().unwrap();
        // What the two implementations behind the file agree to.
        assert!(
            (fit.report().log_likelihood - expected).abs() <= 1e-6,
            "{name} {model}: {}",
            fit.report()
        );
        n_rows += 1;
    }
    assert_eq!(n_rows, 24);
}
