//! `cargo xtask fuzz`: a time of fuzzing, and the way from a crasher to a regression test.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::{Command, Outcome, shell};

pub(crate) const COMMAND: Command = Command {
    name: "fuzz",
    about: "fuzz one target for a time; crashers are shrunk and become regressions",
    help: "\
Feeds one fuzz target with inputs that look for a panic, an endless loop or a broken property.

Usage: cargo xtask fuzz [TARGET] [--time SECONDS]

  TARGET          one of the targets; without it they are listed
  --time SECONDS  how long (default 60); compiling comes before and takes some minutes the first time

Runs on stable without a sanitizer: what we look for are panics and broken promises, and the libraries have no unsafe
code of their own. cargo-fuzz is installed if it's missing; libFuzzer needs a C++ compiler.

A crasher is shrunk (`cargo fuzz tmin`) and copied to fuzz/regressions/TARGET/. The ordinary tests replay that folder,
so that the crasher fails `cargo test --workspace` from then on: mend the bug and commit both. For the run itself
fuzz/corpus/TARGET keeps what reached new code; it's not committed.
",
    run,
};

/// How long without `--time`.
const DEFAULT_SECONDS: u32 = 60;

fn run(arguments: &[String]) -> Outcome {
    let targets = targets(&shell::root())?;
    let Request { target, seconds } = parse(arguments)?;
    let Some(target) = target else {
        println!("the fuzz targets, for `cargo xtask fuzz TARGET`:");
        for target in &targets {
            println!("  {target}");
        }
        return Ok(());
    };
    if !targets.contains(&target) {
        return Err(format!(
            "there is no fuzz target `{target}`; there are: {}",
            targets.join(", ")
        ));
    }
    install()?;
    fuzz(&target, seconds)
}

#[derive(Debug, PartialEq, Eq)]
struct Request {
    target: Option<String>,
    seconds: u32,
}

fn parse(arguments: &[String]) -> Outcome<Request> {
    let mut request = Request {
        target: None,
        seconds: DEFAULT_SECONDS,
    };
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        if word == "--time" {
            let value = words
                .next()
                .ok_or("`--time` needs a number of seconds behind it")?;
            request.seconds = value
                .parse()
                .ok()
                .filter(|&seconds| seconds > 0)
                .ok_or_else(|| {
                    format!("`--time` takes a number of seconds above 0, and `{value}` is none")
                })?;
        } else if word.starts_with('-') || request.target.is_some() {
            return Err(format!(
                "`{word}` is one word too many; see `cargo xtask fuzz --help`"
            ));
        } else {
            request.target = Some(word.clone());
        }
    }
    Ok(request)
}

/// The names of the targets: a file of fuzz/fuzz_targets each.
fn targets(root: &Path) -> Outcome<Vec<String>> {
    let names = listed(&root.join("fuzz/fuzz_targets"))?;
    let is_source = |path: &PathBuf| path.extension() == Some(OsStr::new("rs"));
    Ok(names
        .iter()
        .filter(|path| is_source(path))
        .map(|path| stem(path))
        .collect())
}

fn stem(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// The files of a folder, sorted; none if there is no such folder.
fn listed(folder: &Path) -> Outcome<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let cannot = |error| format!("cannot list {}: {error}", folder.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        if path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn install() -> Outcome {
    if shell::output(shell::cargo(&["fuzz", "--version"]).stderr(std::process::Stdio::null()))
        .is_ok()
    {
        return Ok(());
    }
    println!("cargo-fuzz is not installed yet");
    shell::run(&mut shell::cargo(&["install", "cargo-fuzz", "--locked"]))
}

fn fuzz(target: &str, seconds: u32) -> Outcome {
    let root = shell::root();
    let fuzz = root.join("fuzz");
    let regressions = fuzz.join("regressions").join(target);
    let corpus = fuzz.join("corpus").join(target);
    for folder in [&regressions, &corpus] {
        fs::create_dir_all(folder)
            .map_err(|error| format!("cannot create {}: {error}", folder.display()))?;
    }
    let artifacts = fuzz.join("artifacts").join(target);
    let before = listed(&artifacts)?;

    let mut command = shell::cargo(&["fuzz", "run", "--sanitizer", "none", target]);
    // libFuzzer writes to the first folder and reads all; the regressions are good seeds.
    command.args([corpus.as_os_str(), regressions.as_os_str()]);
    command.args(["--", &format!("-max_total_time={seconds}")]);
    // Inputs of full length from the start: the bodies read zeros behind the end, and zeros make dull arguments.
    command.args([
        "-timeout=10",
        "-rss_limit_mb=2048",
        "-max_len=1024",
        "-len_control=0",
    ]);
    let outcome = shell::run(&mut command);

    let crashers: Vec<PathBuf> = listed(&artifacts)?
        .into_iter()
        .filter(|path| !before.contains(path))
        .collect();
    if crashers.is_empty() {
        outcome?;
        println!("{target}: no crasher in {seconds} seconds");
        return Ok(());
    }
    let mut report = format!("{target} has crashers, shrunk and copied:");
    for crasher in &crashers {
        let shrunk = shrink(target, crasher, &artifacts)?;
        let copy = regressions.join(regression_name(crasher));
        fs::copy(&shrunk, &copy)
            .map_err(|error| format!("cannot copy to {}: {error}", copy.display()))?;
        report.push_str(&format!("\n  {}", crate::metadata::relative(&copy, &root)));
    }
    report.push_str("\n`cargo test --workspace` replays them: mend the bug, then commit both");
    Err(report)
}

/// Runs `cargo fuzz tmin` and returns the smallest input that still crashes; the crasher itself if none is smaller.
fn shrink(target: &str, crasher: &Path, artifacts: &Path) -> Outcome<PathBuf> {
    let before = listed(artifacts)?;
    let mut command = shell::cargo(&[
        "fuzz",
        "tmin",
        "--sanitizer",
        "none",
        "--runs",
        "2000",
        target,
    ]);
    command.arg(crasher);
    // A failure here (a slow input, say) only means that the crasher stays as it is.
    if let Err(failure) = shell::run(&mut command) {
        println!("{failure}; the crasher stays as it is");
    }
    let new = listed(artifacts)?
        .into_iter()
        .filter(|path| !before.contains(path));
    Ok(new
        .filter_map(|path| {
            fs::metadata(&path)
                .ok()
                .map(|metadata| (metadata.len(), path))
        })
        .min()
        .map_or_else(|| crasher.to_path_buf(), |(_, path)| path))
}

/// libFuzzer names a crasher by kind and hash (`crash-0123456789abcdef...`); eight digits tell it apart.
fn regression_name(crasher: &Path) -> String {
    let name = stem(crasher);
    match name.split_once('-') {
        Some((kind, hash)) => format!("{kind}-{}", hash.chars().take(8).collect::<String>()),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_request_is_a_target_and_a_time() {
        let request = |target: Option<&str>, seconds| Request {
            target: target.map(str::to_owned),
            seconds,
        };
        assert_eq!(parse(&words("")), Ok(request(None, DEFAULT_SECONDS)));
        assert_eq!(parse(&words("csv --time 5")), Ok(request(Some("csv"), 5)));
        assert_eq!(parse(&words("--time 5 csv")), Ok(request(Some("csv"), 5)));
    }

    #[test]
    fn a_request_that_makes_no_sense_says_why() {
        for (line, why) in [
            ("csv --time", "`--time` needs a number of seconds behind it"),
            (
                "csv --time 0",
                "`--time` takes a number of seconds above 0, and `0` is none",
            ),
            (
                "csv --time soon",
                "`--time` takes a number of seconds above 0, and `soon` is none",
            ),
            (
                "csv load",
                "`load` is one word too many; see `cargo xtask fuzz --help`",
            ),
            (
                "--jobs",
                "`--jobs` is one word too many; see `cargo xtask fuzz --help`",
            ),
        ] {
            assert_eq!(parse(&words(line)), Err(why.to_owned()), "{line}");
        }
    }

    #[test]
    fn a_regression_keeps_the_kind_and_the_start_of_the_hash() {
        assert_eq!(
            regression_name(Path::new("a/crash-0123456789abcdef")),
            "crash-01234567"
        );
        assert_eq!(regression_name(Path::new("a/input")), "input");
    }

    #[test]
    fn a_folder_that_is_not_there_is_empty() {
        assert_eq!(
            listed(&shell::root().join("no such folder")),
            Ok(Vec::new())
        );
    }
}
