//! The program `gmm`: Gaussian mixture models from the command line.

mod args;
mod command;
mod console;
mod data;
mod doubt;
mod explain;
mod failure;
mod json;
mod model;
mod notes;
mod number;
mod output;
mod precision;
mod run;
mod summary;
mod text;
mod watch;

use std::process::ExitCode;

fn main() -> ExitCode {
    run::run(std::env::args_os())
}
