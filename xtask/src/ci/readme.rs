//! The step `readme`: what README.md tells a newcomer to type works as it stands there.

use std::fs;

use crate::{Outcome, shell};

/// What a user types first starts with this.
const PROGRAM: &str = "cargo run --release -- ";

/// What a contributor types first; the step `tests` runs it.
const TESTS: &str = "cargo test --workspace";

pub(super) fn check() -> Outcome {
    let path = shell::root().join("README.md");
    let text =
        fs::read_to_string(&path).map_err(|error| format!("cannot read README.md: {error}"))?;
    let arguments = first_command(&text)?;
    let mut command = shell::cargo(&["run", "--release", "--"]);
    let written = shell::output(command.args(&arguments))?;
    println!("$ {PROGRAM}{}\n{written}", arguments.join(" "));
    if written.trim().is_empty() {
        return Err(format!(
            "`{PROGRAM}{}`, the first command of README.md, prints nothing",
            arguments.join(" ")
        ));
    }
    Ok(())
}

/// The words behind `--` of the first command that runs the program.
fn first_command(readme: &str) -> Outcome<Vec<String>> {
    let mut commands = readme
        .lines()
        .map(|line| line.trim().trim_start_matches("$ "));
    if !commands.clone().any(|line| line.starts_with(TESTS)) {
        return Err(format!(
            "README.md has no line `{TESTS}`, which is how to test this repository"
        ));
    }
    let words = commands
        .find_map(|line| line.strip_prefix(PROGRAM))
        .ok_or_else(|| {
            format!("README.md has no line that starts with `{PROGRAM}`, a newcomer's first one")
        })?;
    // A comment behind the command is for the reader. There is no shell here, so that quotes would not be understood.
    let command = words.split(" #").next().unwrap_or_default();
    if command.contains(['\'', '"', '|', '>', '\\', '$', '*']) {
        return Err(format!(
            "the first command of README.md needs a shell, keep it plain: `{PROGRAM}{command}`"
        ));
    }
    Ok(command.split_whitespace().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_command_is_found_in_its_block() {
        let readme = "# gmm\n```console\n$ cargo run --release -- select data/a.csv  # chooses\n$ cargo run --release -- fit\n```\n    cargo test --workspace\n";
        assert_eq!(
            first_command(readme),
            Ok(vec!["select".to_owned(), "data/a.csv".to_owned()])
        );
    }

    #[test]
    fn a_readme_without_its_commands_fails() {
        let no_program = first_command("cargo test --workspace").unwrap_err();
        assert!(
            no_program.contains("cargo run --release -- "),
            "{no_program}"
        );
        let no_tests = first_command("cargo run --release -- fit data/a.csv").unwrap_err();
        assert!(no_tests.contains("cargo test --workspace"), "{no_tests}");
    }

    #[test]
    fn a_command_for_a_shell_is_refused() {
        let readme = "cargo test --workspace\ncargo run --release -- fit 'a file.csv'\n";
        assert!(
            first_command(readme)
                .unwrap_err()
                .contains("needs a shell, keep it plain")
        );
    }
}
