//! How often a start of its own leads a fit with noise to the optimum that the true classes lead to, on groups with rows that belong to none.
//!
//! ```text
//! cargo run --release -p gmm-benches --example noise
//! ```
#![allow(clippy::print_stdout, reason = "the table is the purpose")]

use std::error::Error;

use gmm_em::{Em, Initialization, NoiseVolume, Start};
use gmm_testkit::data::{self, Data};

type Generator = fn(u64, usize, usize, usize) -> Data;

const SHAPES: [(&str, Generator, usize, usize); 8] = [
    ("separated", data::separated, 1, 3),
    ("separated", data::separated, 2, 3),
    ("overlapping", data::overlapping, 2, 3),
    ("separated", data::separated, 3, 8),
    ("separated", data::separated, 5, 4),
    ("overlapping", data::overlapping, 5, 4),
    ("separated", data::separated, 10, 4),
    ("separated", data::separated, 20, 5),
];
const N_GROUPED: usize = 600;
const N_NOISE: [usize; 3] = [15, 60, 300];
const N_TABLES: u64 = 20;
/// Nats per row: a fit that is lower by more has ended in another optimum.
const WORSE: f64 = 1e-3;

fn main() -> Result<(), Box<dyn Error>> {
    println!(
        "groups       features  components  noise rows   split: lost, mean gap  kmeans: lost, mean gap"
    );
    for (name, generate, d, k) in SHAPES {
        for n_noise in N_NOISE {
            let mut row = format!("{name:<11}  {d:>8}  {k:>10}  {n_noise:>10}");
            for start in [Initialization::Split, Initialization::KMeans] {
                let (mut n_lost, mut gap) = (0, 0.0);
                for seed in 0..N_TABLES {
                    let set = generate(seed, N_GROUPED, d, k).contaminated(n_noise, seed + 1000);
                    let em = Em::new(k).noise(NoiseVolume::Box).initialization(start);
                    let truth = em.fit_from(&set.x, Start::Labels(&set.labels))?;
                    let own = em.fit(&set.x)?;
                    let lost = (truth.report().log_likelihood - own.report().log_likelihood)
                        / set.x.nrows() as f64;
                    n_lost += usize::from(lost > WORSE);
                    gap += lost.max(0.0) / N_TABLES as f64;
                }
                row += &format!("   {n_lost:>8} of {N_TABLES}, {gap:.4}");
            }
            println!("{row}");
        }
    }
    Ok(())
}
