//! From words on a command line to an exit code.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Command};
use crate::command::{self, Outcome};
use crate::console::Console;
use crate::failure::Failure;

/// The exit code of work that the user interrupted, as shells have it: 128 + SIGINT.
pub(crate) const INTERRUPTED: u8 = 130;

/// Runs the program on the words of a command line, its own name first.
pub(crate) fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and the version are results, on standard output; if nobody reads them, nothing is lost.
            let _ = error.print();
            return u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
        }
    };
    let console = Console::new(cli.global.quiet, cli.global.json);
    match dispatch(&cli, &console) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Interrupted) => ExitCode::from(INTERRUPTED),
        // Whoever read our output has seen enough: `gmm sample ... | head` is no error.
        Err(Failure::ReaderGone) => ExitCode::SUCCESS,
        Err(Failure::Refused(message)) => {
            console.error(&message);
            ExitCode::from(1)
        }
        Err(Failure::Interrupted(message)) => {
            console.error(&message);
            ExitCode::from(INTERRUPTED)
        }
        Err(Failure::Usage(message)) => {
            console.error(&message);
            ExitCode::from(2)
        }
    }
}

/// Runs the subcommand on a pool of threads of its own.
fn dispatch(cli: &Cli, console: &Console) -> Result<Outcome, Failure> {
    let n_threads = cli
        .global
        .threads
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(n_threads)
        .build()
        .map_err(|error| {
            Failure::Refused(format!(
                "cannot start {n_threads} threads: {error}; ask for fewer with --threads"
            ))
        })?;
    pool.install(|| match &cli.command {
        Command::Fit(args) => command::fit::run(args, console),
        Command::Select(args) => command::select::run(args, console),
        Command::Predict(args) => command::predict::run(args, console),
        Command::Score(args) => command::score::run(args, console),
        Command::Sample(args) => command::sample::run(args, console),
        Command::Describe(args) => command::describe::run(args, console),
        Command::Check(args) => command::check::run(args, console),
        Command::Combine(args) => command::combine::run(args, console),
        Command::Test(args) => command::test::run(args, console),
    })
}
