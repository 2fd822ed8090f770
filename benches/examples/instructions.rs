//! A few passes over fixed rows, for `cargo xtask bench --instructions` to count their instructions under valgrind.
//!
//! ```text
//! instructions list              the workloads: name, and rows times components
//! instructions WORKLOAD PASSES   does so many passes and prints nothing
//! ```
//!
//! Two runs that differ only in their number of passes differ by the instructions of the passes.
#![allow(
    clippy::print_stdout,
    reason = "the list goes to the program that started this one"
)]

use std::env;
use std::error::Error;
use std::hint::black_box;

use gmm_benches::Workload;
use gmm_core::faer::Mat;
use gmm_core::{CovarianceType, GaussianMixture};
use gmm_em::{Em, Initialization};
use rayon::ThreadPoolBuilder;

/// What a pass is.
#[derive(Clone, Copy)]
enum Pass {
    /// E-step and moments of one EM iteration.
    Em,
    /// The same, from rows in single precision.
    EmOfSingle,
    /// log p of each row.
    LogDensity,
    /// The probabilities of the components of each row.
    Responsibilities,
    /// A start by k-means++ and k-means.
    KMeans,
}

/// The hot loops, each on few rows: valgrind is fifty times slower than the machine.
const WORKLOADS: [(&str, Pass, Workload); 13] = [
    (
        "em/full/d=2/k=8",
        Pass::Em,
        rows(4096, 2, 8, CovarianceType::Full),
    ),
    (
        "em/full/d=8/k=8",
        Pass::Em,
        rows(2048, 8, 8, CovarianceType::Full),
    ),
    (
        "em/full/d=16/k=16",
        Pass::Em,
        rows(2048, 16, 16, CovarianceType::Full),
    ),
    (
        "em/full/d=16/k=128",
        Pass::Em,
        rows(512, 16, 128, CovarianceType::Full),
    ),
    (
        "em/full/d=64/k=8",
        Pass::Em,
        rows(1024, 64, 8, CovarianceType::Full),
    ),
    (
        "em/full/d=128/k=4",
        Pass::Em,
        rows(512, 128, 4, CovarianceType::Full),
    ),
    (
        "em/tied/d=16/k=16",
        Pass::Em,
        rows(2048, 16, 16, CovarianceType::Tied),
    ),
    (
        "em/diag/d=16/k=32",
        Pass::Em,
        rows(1024, 16, 32, CovarianceType::Diag),
    ),
    (
        "em/spherical/d=16/k=16",
        Pass::Em,
        rows(2048, 16, 16, CovarianceType::Spherical),
    ),
    (
        "em_f32/full/d=16/k=16",
        Pass::EmOfSingle,
        rows(2048, 16, 16, CovarianceType::Full),
    ),
    (
        "log_density/full/d=16/k=16",
        Pass::LogDensity,
        rows(2048, 16, 16, CovarianceType::Full),
    ),
    (
        "responsibilities/full/d=16/k=16",
        Pass::Responsibilities,
        rows(2048, 16, 16, CovarianceType::Full),
    ),
    (
        "kmeans/d=16/k=16",
        Pass::KMeans,
        rows(1024, 16, 16, CovarianceType::Full),
    ),
];

const fn rows(
    n_samples: usize,
    n_features: usize,
    n_components: usize,
    form: CovarianceType,
) -> Workload {
    Workload {
        n_samples,
        n_features,
        n_components,
        form,
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["list"] => {
            for (name, _, workload) in WORKLOADS {
                println!("{name} {}", workload.n_samples * workload.n_components);
            }
        }
        [name, passes] => {
            let (_, pass, workload) = WORKLOADS
                .into_iter()
                .find(|(other, ..)| other == name)
                .ok_or_else(|| format!("there is no workload {name}"))?;
            // The only thread is this one: another would spin for work while it waits, more or less by chance.
            ThreadPoolBuilder::new()
                .num_threads(1)
                .use_current_thread()
                .build_global()?;
            let x = workload.data();
            let single = Mat::from_fn(x.nrows(), x.ncols(), |i, j| x[(i, j)] as f32);
            let model = workload.start(&x);
            for _ in 0..passes.parse()? {
                once(pass, &workload, black_box(&x), &single, &model)?;
            }
        }
        _ => return Err("the head of benches/examples/instructions.rs shows the calls".into()),
    }
    Ok(())
}

fn once(
    pass: Pass,
    workload: &Workload,
    x: &Mat<f64>,
    single: &Mat<f32>,
    model: &GaussianMixture,
) -> Result<(), Box<dyn Error>> {
    match pass {
        Pass::Em => drop(black_box(workload.pass(x, model))),
        Pass::EmOfSingle => drop(black_box(workload.pass(single, model))),
        Pass::LogDensity => drop(black_box(model.log_density(x)?)),
        Pass::Responsibilities => drop(black_box(model.responsibilities(x)?)),
        Pass::KMeans => {
            let em = Em::new(workload.n_components)
                .initialization(Initialization::KMeans)
                .max_iterations(0);
            drop(black_box(em.fit(x)?));
        }
    }
    Ok(())
}
