//! We as one of the systems that `cargo xtask bench --peers` compares, and the referee between them.
//!
//! ```text
//! peer list                                  the workloads, a line of JSON each
//! peer prepare FOLDER WORKLOAD               writes rows and start, unless they are there
//! peer gmm FOLDER WORKLOAD THREADS f64|f32|mixed   fits on command; mixed: rows in f32, passes in single precision
//! peer referee FOLDER WORKLOAD THREADS       measures matrix products and judges the parameters of all
//! ```
//!
//! The last two read a command a line and answer each with a line of JSON; `benches/peers/worker.py` speaks the same:
//! `fit N`, `keep N STEM` (and write the parameters), `predict`, `memory`; the referee `gemm` and `judge STEM`.
#![allow(
    clippy::print_stdout,
    reason = "the answers go to the program that started this one"
)]

use std::error::Error;
use std::fmt::Write as _;
use std::hint::black_box;
use std::io::BufRead as _;
use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{env, fs, io};

use gmm_benches::Workload;
use gmm_benches::comparison::{self, Comparison, Measure};
use gmm_benches::files::{read_mixture, read_numbers, write_mixture};
use gmm_benches::memory::Baseline;
use gmm_core::faer::linalg::matmul::matmul;
use gmm_core::faer::{Accum, Mat, MatMut, MatRef, Par};
use gmm_core::{GaussianMixture, Samples};
use gmm_em::{Em, Fit, Precision, Start, Stopping};
use gmm_io::table::save_npy;
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> Outcome {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["list"] => list(),
        ["prepare", folder, name] => prepare(Path::new(folder), &named(name)?)?,
        ["gmm", folder, name, threads, precision] => {
            let mut system = System::new(Path::new(folder), &named(name)?, threads, precision)?;
            println!("{{\"version\": \"{}\"}}", env!("CARGO_PKG_VERSION"));
            serve(|words| system.answer(words))?;
        }
        ["referee", folder, name, threads] => {
            let referee = Referee::new(Path::new(folder), &named(name)?, threads)?;
            println!("{{}}");
            serve(|words| referee.answer(words))?;
        }
        _ => return Err("the head of benches/examples/peer.rs shows the calls".into()),
    }
    Ok(())
}

fn named(name: &str) -> Outcome<Comparison> {
    Comparison::named(name).ok_or_else(|| format!("there is no workload {name}").into())
}

fn list() {
    for comparison in comparison::ALL {
        let Workload {
            n_samples,
            n_features,
            n_components,
            form,
        } = comparison.workload;
        let (fits, call) = match comparison.measure {
            Measure::Iteration(fits) => (fits, 0),
            Measure::Call(n_iterations) => ([n_iterations; 2], n_iterations),
        };
        println!(
            "{{\"name\": \"{}\", \"n\": {n_samples}, \"d\": {n_features}, \"k\": {n_components}, \"form\": \"{form}\", \
             \"fits\": {fits:?}, \"call\": {call}, \"predicts\": {}, \"remark\": \"{}\"}}",
            comparison.name, comparison.predicts, comparison.remark
        );
    }
}

/// Rows, start, and last a file that says by which recipe: a run that was cut short is begun anew.
fn prepare(folder: &Path, comparison: &Comparison) -> Outcome {
    let stamp = folder.join(format!("{}.recipe", comparison.name));
    let recipe = format!("{} {comparison:?}\n", comparison::RECIPE);
    if fs::read_to_string(&stamp).is_ok_and(|text| text == recipe) {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    let (x, start) = comparison.generate()?;
    save_npy(table_file(folder, comparison), x.as_ref())?;
    write_mixture(&start_stem(folder, comparison), &start)?;
    fs::write(stamp, recipe)?;
    Ok(())
}

fn table_file(folder: &Path, comparison: &Comparison) -> PathBuf {
    folder.join(format!("{}.x.npy", comparison.name))
}

fn start_stem(folder: &Path, comparison: &Comparison) -> PathBuf {
    folder.join(format!("{}.start", comparison.name))
}

/// Answers commands until there are no more.
fn serve(mut answer: impl FnMut(&[&str]) -> Outcome<String>) -> Outcome {
    for line in io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        println!("{}", answer(&words)?);
    }
    Ok(())
}

fn pool(threads: &str) -> Outcome<ThreadPool> {
    Ok(ThreadPoolBuilder::new()
        .num_threads(threads.parse()?)
        .build()?)
}

fn seconds(work: impl FnOnce()) -> String {
    let clock = Instant::now();
    work();
    format!("{{\"seconds\": {:e}}}", clock.elapsed().as_secs_f64())
}

/// The rows in one of the precisions that we take.
enum Table {
    F64(Vec<f64>),
    F32(Vec<f32>),
}

impl Table {
    /// Only one precision is left in memory at the end: the memory of a system counts from there.
    fn read(folder: &Path, comparison: &Comparison, precision: &str) -> Outcome<Self> {
        let len = comparison.workload.n_samples * comparison.workload.n_features;
        let x = read_numbers(&table_file(folder, comparison), len)?;
        match precision {
            "f64" => Ok(Self::F64(x)),
            "f32" | "mixed" => Ok(Self::F32(x.iter().map(|value| *value as f32).collect())),
            other => Err(format!("the precision is f64, f32 or mixed, not {other}").into()),
        }
    }

    fn samples(&self, workload: &Workload) -> Samples<'_> {
        let (n, d) = (workload.n_samples, workload.n_features);
        match self {
            Self::F64(x) => MatRef::from_row_major_slice(x, n, d).into(),
            Self::F32(x) => MatRef::from_row_major_slice(x, n, d).into(),
        }
    }
}

/// We, with rows and start in memory.
struct System {
    workload: Workload,
    table: Table,
    precision: Precision,
    start: GaussianMixture,
    pool: ThreadPool,
    baseline: Baseline,
    last: Option<Fit>,
}

impl System {
    fn new(
        folder: &Path,
        comparison: &Comparison,
        threads: &str,
        precision: &str,
    ) -> Outcome<Self> {
        let workload = comparison.workload;
        Ok(Self {
            workload,
            table: Table::read(folder, comparison, precision)?,
            precision: match precision {
                "mixed" => Precision::Mixed,
                _ => Precision::Double,
            },
            start: read_mixture(&start_stem(folder, comparison), &workload)?,
            pool: pool(threads)?,
            baseline: Baseline::now(),
            last: None,
        })
    }

    fn answer(&mut self, words: &[&str]) -> Outcome<String> {
        match words {
            ["fit", n] => self.fit(n.parse()?),
            ["keep", n, stem] => {
                let answer = self.fit(n.parse()?)?;
                if let Some(fit) = &self.last {
                    write_mixture(Path::new(stem), fit.model())?;
                }
                Ok(answer)
            }
            ["predict"] => self.predict(),
            ["memory"] => Ok(match self.baseline.peak_beyond() {
                Some(bytes) => format!("{{\"bytes\": {bytes}}}"),
                None => "{}".to_owned(),
            }),
            _ => Err(format!("there is no command {words:?}").into()),
        }
    }

    fn fit(&mut self, n_iterations: usize) -> Outcome<String> {
        let em = Em::new(self.workload.n_components)
            .covariance(self.workload.form)
            .stopping(Stopping::MeanChange(0.0))
            .precision(self.precision)
            .max_iterations(n_iterations);
        let x = self.table.samples(&self.workload);
        // The last fit is dropped outside the clock.
        self.last = None;
        let mut outcome = None;
        let answer = seconds(|| {
            outcome = Some(
                self.pool
                    .install(|| em.fit_from(x, Start::Mixture(&self.start))),
            );
        });
        if let Some(fit) = outcome {
            let fit = fit?;
            if fit.report().n_iterations != n_iterations || !fit.report().events.is_empty() {
                let mut text = String::new();
                write!(
                    text,
                    "not {n_iterations} plain iterations: {}",
                    fit.report()
                )?;
                return Err(text.into());
            }
            self.last = Some(fit);
        }
        Ok(answer)
    }

    fn predict(&self) -> Outcome<String> {
        let model = self.last.as_ref().ok_or("nothing was fitted yet")?.model();
        let x = self.table.samples(&self.workload);
        let (n, k) = (x.n_samples(), model.n_components());
        let mut outcome = Ok(());
        // New memory in each call, as the others take it.
        let answer = seconds(|| {
            let mut values = vec![0.0; n * k];
            let out = MatMut::from_column_major_slice_mut(&mut values, n, k);
            outcome = self.pool.install(|| model.responsibilities_into(x, out));
            black_box(values);
        });
        outcome?;
        Ok(answer)
    }
}

/// Who measures the machine and judges all systems by the same densities.
struct Referee {
    workload: Workload,
    table: Table,
    pool: ThreadPool,
}

impl Referee {
    fn new(folder: &Path, comparison: &Comparison, threads: &str) -> Outcome<Self> {
        let workload = comparison.workload;
        Ok(Self {
            workload,
            table: Table::read(folder, comparison, "f64")?,
            pool: pool(threads)?,
        })
    }

    fn answer(&self, words: &[&str]) -> Outcome<String> {
        match words {
            ["gemm"] => Ok(format!("{{\"flops\": {:e}}}", gemm(&self.pool))),
            // Parameters that are no mixture are their system's fault and not the referee's end.
            ["judge", stem] => Ok(match self.judge(Path::new(stem)) {
                Ok(mean) => format!("{{\"mean_log_likelihood\": {mean:e}}}"),
                Err(_) => "{}".to_owned(),
            }),
            _ => Err(format!("there is no command {words:?}").into()),
        }
    }

    fn judge(&self, stem: &Path) -> Outcome<f64> {
        let model = read_mixture(stem, &self.workload)?;
        let x = self.table.samples(&self.workload);
        Ok(self.pool.install(|| model.mean_log_likelihood(x))?)
    }
}

/// Floating-point operations per second of faer's f64 matrix product: one product of 1024 x 1024 per thread at a time,
/// so that no thread waits for another. What the machine can do at best, less a few percent.
fn gemm(pool: &ThreadPool) -> f64 {
    const SIZE: usize = 1024;
    const PRODUCTS: usize = 4;
    let a = Mat::from_fn(SIZE, SIZE, |i, j| 1.0 / (1 + i + j) as f64);
    let n_threads = pool.current_num_threads();
    let mut results = vec![Mat::<f64>::zeros(SIZE, SIZE); n_threads];
    let mut multiply = |products: usize| {
        let clock = Instant::now();
        pool.install(|| {
            results.par_iter_mut().with_max_len(1).for_each(|result| {
                for _ in 0..products {
                    let (a, par) = (a.as_ref(), Par::Seq);
                    matmul(result.as_mut(), Accum::Replace, a, a, 1.0, par);
                }
            });
        });
        clock.elapsed().as_secs_f64()
    };
    // The first product touches the memory.
    multiply(1);
    let elapsed = multiply(PRODUCTS);
    black_box(&results);
    (2 * SIZE.pow(3) * PRODUCTS * n_threads) as f64 / elapsed
}
