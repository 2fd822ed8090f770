//! Writes `tests/golden/fits.csv`: default fits of the tables in `data/`. Run by `cargo xtask golden`.

use std::fmt::Write as _;
use std::path::Path;

use gmm_core::CovarianceType;
use gmm_core::faer::Mat;
use gmm_em::Em;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut out = String::from("dataset,form,n_components,seed,iterations,log_likelihood\n");
    for name in ["old_faithful", "iris", "wine"] {
        let x = table(&std::fs::read_to_string(
            root.join(format!("../../data/{name}.csv")),
        )?);
        for form in CovarianceType::BASIC {
            for n_components in [1, 2, 3] {
                for seed in [0, 1] {
                    let fit = Em::new(n_components).covariance(form).seed(seed).fit(&x)?;
                    let report = fit.report();
                    let (n, l) = (report.n_iterations, report.log_likelihood);
                    writeln!(out, "{name},{form},{n_components},{seed},{n},{l:?}")?;
                }
            }
        }
    }
    std::fs::write(root.join("tests/golden/fits.csv"), out)?;
    Ok(())
}

/// The numeric columns but for the last one, which is the class where there is one.
fn table(text: &str) -> Mat<f64> {
    let has_class = !text.starts_with("eruptions");
    let rows: Vec<Vec<f64>> = text
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            let n = cells.len() - usize::from(has_class);
            cells[..n].iter().filter_map(|c| c.parse().ok()).collect()
        })
        .collect();
    Mat::from_fn(rows.len(), rows[0].len(), |i, j| rows[i][j])
}
