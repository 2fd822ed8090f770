//! How the time of an EM iteration grows with the number of components, on groups far apart and on groups that overlap: the fit, which
//! leaves out what is proved irrelevant, beside the dense pass, and how far their parameters are apart.
//!
//! ```text
//! cargo run --release -p gmm-benches --example scaling [K ...]
//! ```
#![allow(clippy::print_stdout, reason = "the table is the purpose")]

use std::env;
use std::error::Error;
use std::time::Instant;

use gmm_benches::comparison::separated_by;
use gmm_core::GaussianMixture;
use gmm_core::faer::Mat;
use gmm_em::{Em, Regularization, Start, Stopping, SufficientStatistics};

const N_SAMPLES: usize = 100_000;
const N_FEATURES: usize = 16;
/// Iterations of a fit; one that goes on for `N_LONG` instead of `N_SHORT` tells the time of one apart from the start's.
const N_SHORT: usize = 1;
const N_LONG: usize = 5;
const N_RUNS: usize = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let given: Vec<usize> = env::args()
        .skip(1)
        .map(|word| word.parse())
        .collect::<Result<_, _>>()?;
    let components = if given.is_empty() {
        (3..=12).map(|power| 1 << power).collect()
    } else {
        given
    };
    println!(
        "{N_SAMPLES} rows, {N_FEATURES} features, full covariances; milliseconds per iteration"
    );
    println!("   K  groups        dense     fit  ratio  parameters differ by");
    for n_components in components {
        for (name, distance) in [
            ("far apart", 30.0),
            ("separated", 20.0),
            ("near", 12.0),
            ("overlapping", 3.0),
        ] {
            let (x, start) = separated_by(distance, [N_SAMPLES, N_FEATURES, n_components])?;
            let (mut fit, mut dense) = (f64::INFINITY, f64::INFINITY);
            for _ in 0..N_RUNS {
                let [long, short] = [
                    fit_time(&x, &start, N_LONG)?,
                    fit_time(&x, &start, N_SHORT)?,
                ];
                // Where groups are far apart a fit ends at its limit, to the last bit, after a few iterations.
                let n_more = long.1.saturating_sub(short.1).max(1);
                fit = fit.min((long.0 - short.0) / n_more as f64);
                dense = dense.min(dense_step(&x, &start)?.0);
            }
            let [ours, theirs] = [one_step(&x, &start)?, dense_step(&x, &start)?.1];
            println!(
                "{n_components:>4}  {name:<11} {:>7.1} {:>7.1} {:>6.1}  {:.1e}",
                1e3 * dense,
                1e3 * fit,
                dense / fit,
                difference(&ours, &theirs)
            );
        }
    }
    Ok(())
}

fn em(start: &GaussianMixture, n_iterations: usize) -> Em {
    Em::new(start.n_components())
        .stopping(Stopping::MeanChange(0.0))
        .max_iterations(n_iterations)
}

/// Seconds and passes of a fit.
fn fit_time(
    x: &Mat<f64>,
    start: &GaussianMixture,
    n_iterations: usize,
) -> Result<(f64, usize), Box<dyn Error>> {
    let begin = Instant::now();
    let fit = em(start, n_iterations).fit_from(x, Start::Mixture(start))?;
    Ok((begin.elapsed().as_secs_f64(), fit.report().n_passes))
}

fn one_step(x: &Mat<f64>, start: &GaussianMixture) -> Result<GaussianMixture, Box<dyn Error>> {
    let fit = em(start, 1).fit_from(x, Start::Mixture(start))?;
    Ok(fit.into_model())
}

/// Statistics that are gathered apart from a fit take every component into account.
fn dense_step(
    x: &Mat<f64>,
    start: &GaussianMixture,
) -> Result<(f64, GaussianMixture), Box<dyn Error>> {
    let begin = Instant::now();
    let mut statistics = SufficientStatistics::zeros(start);
    statistics.observe(start, x)?;
    let next = statistics.maximize(Regularization::default())?;
    Ok((begin.elapsed().as_secs_f64(), next))
}

/// The largest relative difference of weights, and of means and covariances in standard deviations.
fn difference(a: &GaussianMixture, b: &GaussianMixture) -> f64 {
    let mut largest = 0.0f64;
    for k in 0..a.n_components() {
        let (one, other) = (a.covariances().component(k), b.covariances().component(k));
        largest = largest.max((a.weights()[k] / b.weights()[k] - 1.0).abs());
        for i in 0..a.n_features() {
            let sd = |j: usize| other[(j, j)].sqrt();
            largest = largest.max((a.means()[(k, i)] - b.means()[(k, i)]).abs() / sd(i));
            for j in 0..=i {
                largest = largest.max((one[(i, j)] - other[(i, j)]).abs() / (sd(i) * sd(j)));
            }
        }
    }
    largest
}
