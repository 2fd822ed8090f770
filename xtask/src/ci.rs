//! `cargo xtask ci`: every check that a change must pass, in one list.
//!
//! The order is by price: seconds first, then the tests, which find most, then what compiles once more. The steps share
//! their builds: tests and benches one of the dev profile, clippy and the documentation one check build; only the last
//! step needs one of the release profile.

mod readme;

use std::path::PathBuf;
use std::process::Command as Process;

use crate::metadata::{self, Package};
use crate::shell::{self, Tally};
use crate::{Command, Outcome, tidy};

pub(crate) const COMMAND: Command = Command {
    name: "ci",
    about: "every check that a change must pass: format, tidy, tests, benches, clippy, documentation, ...",
    help: "\
Runs the checks that a change must pass and stops at the first that fails.

Usage: cargo xtask ci [STEP ...] [--keep-going] [--list]

  STEP          run only these, in the order of the list (`cargo xtask ci --list`)
  --keep-going  run the later steps after a failure too; the exit status is still a failure
  --list        show the steps and end

A run with nothing to compile takes the time of the tests. A first run compiles the dependencies three times, to test,
to check and for release: expect some minutes.
",
    run,
};

/// One check. What it returns beside its outcome is what it counted: tests, if it runs any.
struct Step {
    name: &'static str,
    about: &'static str,
    run: fn() -> (Tally, Outcome),
}

const STEPS: [Step; 9] = [
    Step {
        name: "format",
        about: "rustfmt would change nothing",
        run: || uncounted(format()),
    },
    Step {
        name: "tidy",
        about: "the rules of the repository hold (cargo xtask tidy)",
        run: || uncounted(tidy::check()),
    },
    Step {
        name: "tests",
        about: "unit and integration tests, examples, documentation examples, fuzz regressions",
        run: tests,
    },
    Step {
        name: "features",
        about: "the tests of the crates with optional features, all turned on",
        run: features,
    },
    Step {
        name: "benches",
        about: "every benchmark runs once, unmeasured",
        run: || uncounted(benches()),
    },
    Step {
        name: "clippy",
        about: "no lint speaks, on any target",
        run: || uncounted(clippy()),
    },
    Step {
        name: "doc",
        about: "the documentation builds without a warning",
        run: || uncounted(doc()),
    },
    Step {
        name: "alone",
        about: "each library compiles with only the crates below it, with and without its features",
        run: || uncounted(alone()),
    },
    Step {
        name: "readme",
        about: "the first command of README.md works (in the release profile)",
        run: || uncounted(readme::check()),
    },
];

fn run(arguments: &[String]) -> Outcome {
    let mut keep_going = false;
    let mut names: Vec<&str> = Vec::new();
    for word in arguments {
        match word.as_str() {
            "--keep-going" => keep_going = true,
            "--list" => {
                print!("{}", list());
                return Ok(());
            }
            name if STEPS.iter().any(|step| step.name == name) => names.push(name),
            other => {
                return Err(format!(
                    "there is no step `{other}`; the steps are:\n{}",
                    list().trim_end()
                ));
            }
        }
    }
    let steps: Vec<&Step> = STEPS
        .iter()
        .filter(|step| names.is_empty() || names.contains(&step.name))
        .collect();
    run_steps(&steps, keep_going)
}

fn list() -> String {
    STEPS
        .iter()
        .map(|step| format!("  {:<9} {}\n", step.name, step.about))
        .collect()
}

fn run_steps(steps: &[&Step], keep_going: bool) -> Outcome {
    let mut total = Tally::default();
    let mut failures: Vec<String> = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        println!(
            "\n== {}/{} {}: {}",
            number + 1,
            steps.len(),
            step.name,
            step.about
        );
        let (tally, outcome) = (step.run)();
        total.add(tally);
        if let Err(failure) = outcome {
            println!("== {} FAILED: {failure}", step.name);
            failures.push(format!("{}: {failure}", step.name));
            if !keep_going {
                break;
            }
        }
    }
    if total != Tally::default() {
        println!("\n{} passed, {} failed", total.passed, total.failed);
    }
    match failures.as_slice() {
        [] => {
            println!("ci: passed ({} of {} steps run)", steps.len(), STEPS.len());
            Ok(())
        }
        [only] => Err(format!("ci failed at the step {only}")),
        [first, rest @ ..] => Err(format!(
            "ci failed first at the step {first}\nand then at\n  {}",
            rest.join("\n  ")
        )),
    }
}

fn uncounted(outcome: Outcome) -> (Tally, Outcome) {
    (Tally::default(), outcome)
}

fn format() -> Outcome {
    shell::run(&mut shell::cargo(&["fmt", "--all", "--check"]))?;
    // The fuzz workspace is outside the main one, and `--all` ends there.
    shell::run(&mut shell::cargo(&[
        "fmt",
        "--manifest-path",
        "fuzz/Cargo.toml",
        "--check",
    ]))
}

fn tests() -> (Tally, Outcome) {
    judged(&mut shell::cargo(&["test", "--workspace"]))
}

/// Runs a test command; a run without a test, or with an ignored one, is a failure too.
fn judged(command: &mut Process) -> (Tally, Outcome) {
    let (tally, outcome) = shell::run_tests(command);
    let outcome = outcome.and_then(|()| {
        if tally.passed == 0 {
            Err(format!("`{}` ran no test", shell::line(command)))
        } else if tally.ignored > 0 {
            Err(format!(
                "{} tests are ignored: mend or remove them (`cargo xtask tidy` shows where)",
                tally.ignored
            ))
        } else {
            Ok(())
        }
    });
    (tally, outcome)
}

/// The tests of each package that has features, with all of them turned on.
///
/// The whole workspace is built, so that the dependencies keep the builds of the step before, but only the tests that
/// the features can change are run.
fn features() -> (Tally, Outcome) {
    let mut total = Tally::default();
    let outcome = test_programs().and_then(|programs| {
        for (folder, program) in programs {
            let (tally, outcome) =
                shell::run_tests(shell::program(&program, &["--quiet"]).current_dir(folder));
            total.add(tally);
            outcome?;
        }
        Ok(())
    });
    (total, outcome)
}

/// The compiled tests of the packages with features: the folder to run in, and the program.
fn test_programs() -> Outcome<Vec<(PathBuf, String)>> {
    let packages = metadata::packages()?;
    let with_options: Vec<&Package> = packages
        .iter()
        .filter(|package| has_options(package))
        .collect();
    if with_options.is_empty() {
        return Ok(Vec::new());
    }
    let mut build = shell::cargo(&["test", "--workspace", "--all-features", "--tests"]);
    build.args(["--no-run", "--message-format", "json-render-diagnostics"]);
    println!("$ {}", shell::line(&build));
    let messages = shell::output(&mut build)?;
    let root = shell::root();
    let mut programs = Vec::new();
    for message in messages.lines() {
        if let Some((manifest, program)) = metadata::test_program(message) {
            let manifest = metadata::relative(&manifest, &root);
            if let Some(package) = with_options
                .iter()
                .find(|package| package.manifest == manifest)
            {
                programs.push((root.join(package.folder()), program));
            }
        }
    }
    if programs.is_empty() {
        return Err("the packages with features have no tests".to_owned());
    }
    Ok(programs)
}

/// Whether a package has a feature that is off by default.
fn has_options(package: &Package) -> bool {
    let by_default = package
        .features
        .get("default")
        .map_or(&[][..], Vec::as_slice);
    package
        .features
        .keys()
        .any(|name| name != "default" && !by_default.contains(name))
}

fn benches() -> Outcome {
    // Without `--bench` among its arguments criterion runs each benchmark once and measures nothing. The whole
    // workspace is named so that the dependencies keep the features, and so the builds, of the step before.
    shell::run(&mut shell::cargo(&["test", "--workspace", "--benches"]))
}

fn clippy() -> Outcome {
    shell::run(&mut shell::cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--",
        "--deny",
        "warnings",
    ]))
}

fn doc() -> Outcome {
    shell::run(
        shell::cargo(&["doc", "--workspace", "--no-deps", "--all-features"])
            .env("RUSTDOCFLAGS", "--deny warnings"),
    )
}

fn alone() -> Outcome {
    for package in metadata::packages()?
        .iter()
        .filter(|package| package.is_published && package.has("lib"))
    {
        shell::run(&mut shell::cargo(&["check", "--package", &package.name]))?;
        if package.features.contains_key("default") {
            shell::run(&mut shell::cargo(&[
                "check",
                "--package",
                &package.name,
                "--no-default-features",
            ]))?;
        }
        if has_options(package) {
            shell::run(&mut shell::cargo(&[
                "check",
                "--package",
                &package.name,
                "--all-features",
            ]))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINE: Step = Step {
        name: "fine",
        about: "",
        run: || {
            (
                Tally {
                    passed: 2,
                    ..Tally::default()
                },
                Ok(()),
            )
        },
    };
    const BROKEN: Step = Step {
        name: "broken",
        about: "",
        run: || uncounted(Err("a reason".to_owned())),
    };
    const UNREACHED: Step = Step {
        name: "unreached",
        about: "",
        run: || panic!("a step ran after a failure"),
    };
    const LATE: Step = Step {
        name: "late",
        about: "",
        run: || uncounted(Err("another reason".to_owned())),
    };

    #[test]
    fn the_first_failure_ends_the_run_and_is_named() {
        let failure = run_steps(&[&FINE, &BROKEN, &UNREACHED], false).unwrap_err();
        assert_eq!(failure, "ci failed at the step broken: a reason");
    }

    #[test]
    fn keep_going_names_the_first_failure_first() {
        let failure = run_steps(&[&BROKEN, &FINE, &LATE], true).unwrap_err();
        assert_eq!(
            failure,
            "ci failed first at the step broken: a reason\nand then at\n  late: another reason"
        );
        assert_eq!(run_steps(&[&FINE], true), Ok(()));
    }

    #[test]
    fn an_unknown_step_is_an_error_and_not_an_empty_run() {
        let failure = run(&["clipy".to_owned()]).unwrap_err();
        assert!(failure.starts_with("there is no step `clipy`"), "{failure}");
    }

    #[test]
    fn only_features_off_by_default_are_options() {
        let mut package = Package::default();
        assert!(!has_options(&package));
        package
            .features
            .insert("default".to_owned(), vec!["std".to_owned()]);
        package.features.insert("std".to_owned(), Vec::new());
        assert!(!has_options(&package));
        package.features.insert("serde".to_owned(), Vec::new());
        assert!(has_options(&package));
    }
}
