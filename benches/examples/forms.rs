//! Time of one EM iteration of each covariance form, relative to full covariances: `cargo run --release -p gmm-benches --example forms`.

#![allow(clippy::print_stdout, reason = "the table is the purpose")]

use std::time::Instant;

use gmm_benches::Workload;
use gmm_core::CovarianceType;
use gmm_em::{Em, Regularization, Start, Stopping};

const ROUNDS: usize = 5;
const ITERATIONS: usize = 10;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!(
        "ms per iteration (median of {ROUNDS} fits of {ITERATIONS} iterations), and relative to full\n"
    );
    println!(
        "| rows, features, components |{}",
        CovarianceType::ALL.map(|f| format!(" {f} |")).concat()
    );
    println!("|---|{}", "---:|".repeat(CovarianceType::ALL.len()));
    for (n_samples, n_features, n_components) in [
        (10_000, 4, 8),
        (10_000, 16, 8),
        (10_000, 32, 8),
        (100_000, 8, 16),
        (100_000, 16, 16),
    ] {
        let mut line = format!("| {n_samples}, {n_features}, {n_components} |");
        let mut full = f64::NAN;
        for form in CovarianceType::ALL {
            let workload = Workload {
                n_samples,
                n_features,
                n_components,
                form,
            };
            let x = workload.data();
            let start = workload.start(&x);
            // The floor is for fits that run into one; what is measured here is the form's own M-step.
            let em = Em::new(n_components)
                .covariance(form)
                .regularization(Regularization::None)
                .stopping(Stopping::MeanChange(0.0));
            let mut times = Vec::new();
            for _ in 0..ROUNDS {
                let time = |iterations: usize| -> Result<f64, gmm_em::Error> {
                    let em = em.clone().max_iterations(iterations);
                    let begin = Instant::now();
                    em.fit_from(&x, Start::Mixture(&start))?;
                    Ok(begin.elapsed().as_secs_f64())
                };
                // What is done once per fit cancels.
                times.push((time(1 + ITERATIONS)? - time(1)?) / ITERATIONS as f64);
            }
            times.sort_by(f64::total_cmp);
            let median = times[ROUNDS / 2];
            if form == CovarianceType::Full {
                full = median;
            }
            line += &format!(" {:.2} ({:.2}) |", 1e3 * median, median / full);
        }
        println!("{line}");
    }
    Ok(())
}
