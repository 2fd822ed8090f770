//! `cargo xtask bench`: measures, in one of four ways.

mod figures;
mod instructions;
mod machine;
mod options;
mod peers;
mod quality;
mod sweep;
mod systems;
mod table;
mod worker;
mod workload;

use std::path::PathBuf;
use std::{env, fs};

use crate::{Command, Outcome, metadata, shell};

pub(crate) const COMMAND: Command = Command {
    name: "bench",
    about: "measure: criterion benchmarks, other systems beside ours, or instruction counts",
    help: "\
Measures, on a quiet machine; compare only runs of one machine.

Usage: cargo xtask bench [FILTER] [CRITERION OPTIONS]
       cargo xtask bench --peers [--work W1,W2,...] [--only NAMES] [--threads N] [--repeats R] [--save FILE]
       cargo xtask bench --quality
       cargo xtask bench --instructions [--only NAMES] [--accept]

Without one of these words: the criterion benchmarks of the package gmm-benches, in the bench profile.

  FILTER             only the benchmarks whose name contains it (a regular expression)
  CRITERION OPTIONS  go to criterion as they are, for example
                       --quick                 a rough figure in a fraction of the time
                       --save-baseline before  keep this run under a name
                       --baseline before       compare with a kept run
  That the benchmarks compile and run is what `cargo xtask ci benches` checks: it takes no time for measuring.

--peers: other systems and we fit the same rows from the same start, taking turns, and one Markdown table compares them.

  --work W1,W2,...   only these workloads (benches/comparison.rs describes them)
  --only NAMES       only these systems, beside ours: gmm-f32, gmm-mixed, sklearn, sklearn-f32, onedal, mclust, opencv;
                     `all` for all. By default all but mclust and opencv, which take minutes
  --threads N        threads for each system, all cores by default
  --repeats R        rounds in which each system has its turn, 5 by default
  --save FILE        write the table to a file, too
  The systems are installed from PyPI into target/peers/, a folder of their own; mclust is R's (Debian: r-cran-mclust).
  What can't be installed is named and left out. The variables OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE, which tie NumPy
  to slower routines than it would choose, are not passed on. mlpack is not compared: it fits from no start but its own.

--quality: the default call, scikit-learn (three starts, each once, 5 and 20 times) and, where R has it, mclust fit the tables of a suite, and a table
shows how far each is from the best optimum known, and in what time. Then a search over 1 to 10 components of four forms on 100 000 rows, ours
and scikit-learn's. It takes some minutes and is kept as
target/quality/quality.md.

--instructions: the instructions of one EM pass, counted by valgrind, against benches/instructions.csv. They hardly
depend on what else the machine does, so that a slower kernel shows where a clock would not.

  --only NAMES       only the workloads whose names contain one of these
  --accept           write the counts to benches/instructions.csv in place of comparing
  More than 5 % above the file is a failure. Valgrind up to 3.26 knows no AVX-512: it is the AVX2 path that is counted.
",
    run,
};

fn run(arguments: &[String]) -> Outcome {
    match options::parse(arguments)? {
        options::Bench::Criterion => criterion(arguments),
        options::Bench::Peers(options) => peers::run(&options),
        options::Bench::Instructions(options) => instructions::run(&options),
        options::Bench::Quality => quality::run(),
    }
}

fn criterion(arguments: &[String]) -> Outcome {
    let mut command = shell::cargo(&["bench", "--package", "gmm-benches", "--benches"]);
    if !arguments.is_empty() {
        command.arg("--").args(arguments);
    }
    shell::run(&mut command)
}

/// Builds an example of gmm-benches for release and returns its program.
fn example(name: &str) -> Outcome<String> {
    let mut build = shell::cargo(&["build", "--release", "--package", "gmm-benches"]);
    build.args(["--example", name]);
    build.args(["--message-format", "json-render-diagnostics"]);
    println!("$ {}", shell::line(&build));
    shell::output(&mut build)?
        .lines()
        .find_map(|message| metadata::example_program(message, name))
        .ok_or_else(|| format!("cargo built no program of the example {name}"))
}

/// A folder below cargo's target folder, made if it isn't there.
fn target_folder(name: &str) -> Outcome<PathBuf> {
    let target =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| shell::root().join("target"), PathBuf::from);
    // A relative path counts from where the person stands, and the programs that we start run in the root.
    let folder = std::path::absolute(target.join(name))
        .map_err(|error| format!("there is no current folder: {error}"))?;
    fs::create_dir_all(&folder)
        .map_err(|error| format!("cannot make the folder {}: {error}", folder.display()))?;
    Ok(folder)
}
