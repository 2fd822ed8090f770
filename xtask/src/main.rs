//! `cargo xtask`: the single entry for the checks and chores of this workspace.
//!
//! One file per command; each owns its help text and says by its error what failed. There is no option parser: the
//! commands take few words, and a build of the checks should take seconds.
#![allow(
    clippy::print_stdout,
    reason = "this program talks to the person at the terminal"
)]
#![allow(
    clippy::print_stderr,
    reason = "this program talks to the person at the terminal"
)]

mod bench;
mod ci;
mod fuzz;
mod golden;
mod metadata;
mod shell;
mod tidy;

use std::process::ExitCode;

/// What a command ends with; the text says what failed and, where it can, how to mend it.
type Outcome<T = ()> = Result<T, String>;

/// One word after `cargo xtask`.
struct Command {
    name: &'static str,
    about: &'static str,
    help: &'static str,
    run: fn(&[String]) -> Outcome,
}

const COMMANDS: [Command; 5] = [
    ci::COMMAND,
    tidy::COMMAND,
    fuzz::COMMAND,
    bench::COMMAND,
    golden::COMMAND,
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Outcome {
    let Some((name, rest)) = arguments.split_first() else {
        print!("{}", overview());
        return Ok(());
    };
    if matches!(name.as_str(), "help" | "--help" | "-h") && rest.is_empty() {
        print!("{}", overview());
        return Ok(());
    }
    // `cargo xtask help tidy` and `cargo xtask tidy --help` are the same question.
    let (name, asks_for_help) = match rest {
        [about] if name == "help" => (about, true),
        _ => (
            name,
            rest.iter().any(|word| word == "--help" || word == "-h"),
        ),
    };
    let command = COMMANDS
        .iter()
        .find(|command| command.name == name)
        .ok_or_else(|| format!("there is no command `{name}`; `cargo xtask --help` lists them"))?;
    if asks_for_help {
        print!("{}", command.help);
        return Ok(());
    }
    (command.run)(rest)
}

fn overview() -> String {
    let mut text = String::from(
        "The checks and chores of this workspace.\n\nUsage: cargo xtask COMMAND [WORDS]\n\nCommands:\n",
    );
    for command in &COMMANDS {
        text.push_str(&format!("  {:<8} {}\n", command.name, command.about));
    }
    text.push_str("\n`cargo xtask COMMAND --help` tells more about one.\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn an_unknown_command_names_itself_and_the_help() {
        let failure = dispatch(&words("tidi")).unwrap_err();
        assert_eq!(
            failure,
            "there is no command `tidi`; `cargo xtask --help` lists them"
        );
    }

    #[test]
    fn every_command_is_listed_and_explains_itself() {
        let overview = overview();
        for command in &COMMANDS {
            assert!(
                overview.contains(command.about),
                "{} is not listed",
                command.name
            );
            assert!(
                command
                    .help
                    .contains(&format!("cargo xtask {}", command.name)),
                "the help of {} shows no usage",
                command.name
            );
            assert!(command.help.ends_with('\n'));
        }
    }
}
