//! `cargo xtask bench`: the criterion benchmarks of the package gmm-benches.

use crate::{Command, Outcome, shell};

pub(crate) const COMMAND: Command = Command {
    name: "bench",
    about: "measure: the criterion benchmarks, all or those whose name contains FILTER",
    help: "\
Runs the criterion benchmarks of the package gmm-benches in the bench profile.

Usage: cargo xtask bench [FILTER] [CRITERION OPTIONS]

  FILTER             only the benchmarks whose name contains it (a regular expression)
  CRITERION OPTIONS  go to criterion as they are, for example
                       --quick                 a rough figure in a fraction of the time
                       --save-baseline before  keep this run under a name
                       --baseline before       compare with a kept run

Measure on a quiet machine, and compare only runs of one machine. That the benchmarks compile and run is what
`cargo xtask ci benches` checks: it takes no time for measuring.
",
    run,
};

fn run(arguments: &[String]) -> Outcome {
    let mut command = shell::cargo(&["bench", "--package", "gmm-benches", "--benches"]);
    if !arguments.is_empty() {
        command.arg("--").args(arguments);
    }
    shell::run(&mut command)
}
