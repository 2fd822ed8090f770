//! `cargo xtask fuzz`: a time of fuzzing, and the way from a crasher to a regression test.

mod seeds;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::{Command, Outcome, shell};

pub(crate) const COMMAND: Command = Command {
    name: "fuzz",
    about: "fuzz one target for a time; crashers are shrunk and become regressions",
    help: "\
Feeds one fuzz target with inputs that look for a panic, an endless loop or a broken property.

Usage: cargo xtask fuzz [TARGET] [--time SECONDS] [--sanitizer NAME] [--keep]

  TARGET            one of the targets; without it they are listed
  --time SECONDS    how long (default 60); compiling comes before and takes some minutes the first time
  --sanitizer NAME  none (the default) or address
  --keep            after the run, choose as few inputs as reach all that was reached, for fuzz/seeds/TARGET.bin

Runs on stable without a sanitizer: what we look for are panics and broken promises, and the libraries have no unsafe
code of their own. `--sanitizer address` watches the memory of what they depend on, too (half as fast, compiled apart; stable
with its unstable options let loose). cargo-fuzz is installed if it's missing; libFuzzer needs a C++ compiler.

The last line says how many inputs were tried, and how many of the places that libFuzzer counts (edges between basic blocks, those
of the dependencies included) were reached.

A crasher is shrunk (`cargo fuzz tmin`) and copied to fuzz/regressions/TARGET/. The ordinary tests replay that folder,
so that the crasher fails `cargo test --workspace` from then on: mend the bug and commit both. For the run itself
fuzz/corpus/TARGET keeps what reached new code; it's not committed. It begins with the inputs of fuzz/seeds/TARGET.bin, which is, and which
the ordinary tests replay, too.
",
    run,
};

/// How long without `--time`.
const DEFAULT_SECONDS: u32 = 60;

fn run(arguments: &[String]) -> Outcome {
    let targets = targets(&shell::root())?;
    let Request {
        target,
        seconds,
        sanitizer,
        keep,
    } = parse(arguments)?;
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
    fuzz(&target, seconds, sanitizer)?;
    if keep {
        let fuzz = shell::root().join("fuzz");
        let corpus = fuzz.join("corpus").join(&target);
        seeds::keep(&fuzz, &target, &corpus)?;
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
struct Request {
    target: Option<String>,
    seconds: u32,
    sanitizer: Sanitizer,
    keep: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sanitizer {
    None,
    Address,
}

impl Sanitizer {
    /// `cargo fuzz` with a subcommand. What is compiled with other flags lies in a folder of its own, so that neither undoes the other.
    fn cargo_fuzz(self, subcommand: &str) -> std::process::Command {
        let mut command = shell::cargo(&["fuzz", subcommand, "--sanitizer"]);
        match self {
            Self::None => command.arg("none"),
            Self::Address => command
                .args(["address", "--target-dir", "fuzz/target/address"])
                // The runtime comes with stable, the option to link it (-Zsanitizer) doesn't.
                .env("RUSTC_BOOTSTRAP", "1"),
        };
        command
    }
}

fn parse(arguments: &[String]) -> Outcome<Request> {
    let mut request = Request {
        target: None,
        seconds: DEFAULT_SECONDS,
        sanitizer: Sanitizer::None,
        keep: false,
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
        } else if word == "--sanitizer" {
            request.sanitizer = match words.next().map(String::as_str) {
                Some("none") => Sanitizer::None,
                Some("address") => Sanitizer::Address,
                _ => return Err("`--sanitizer` takes none or address".to_owned()),
            };
        } else if word == "--keep" {
            request.keep = true;
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

fn fuzz(target: &str, seconds: u32, sanitizer: Sanitizer) -> Outcome {
    let root = shell::root();
    let fuzz = root.join("fuzz");
    let regressions = fuzz.join("regressions").join(target);
    let corpus = fuzz.join("corpus").join(target);
    for folder in [&regressions, &corpus] {
        fs::create_dir_all(folder)
            .map_err(|error| format!("cannot create {}: {error}", folder.display()))?;
    }
    seeds::lay_out(&fuzz, target, &corpus)?;
    let artifacts = fuzz.join("artifacts").join(target);
    let before = listed(&artifacts)?;

    let mut command = sanitizer.cargo_fuzz("run");
    command.arg(target);
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
    let mut reach = Reach::default();
    let outcome = shell::run_watched(&mut command, |line| reach.add_line(line));
    println!("{target}: {}", reach.line());

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
        let shrunk = shrink(target, crasher, &artifacts, sanitizer)?;
        let copy = regressions.join(regression_name(crasher));
        fs::copy(&shrunk, &copy)
            .map_err(|error| format!("cannot copy to {}: {error}", copy.display()))?;
        report.push_str(&format!("\n  {}", crate::metadata::relative(&copy, &root)));
    }
    report.push_str("\n`cargo test --workspace` replays them: mend the bug, then commit both");
    Err(report)
}

/// How far a run got, by what libFuzzer writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Reach {
    n_executions: u64,
    /// Counters that are not 0.
    n_edges: u64,
    /// All counters.
    n_counters: u64,
}

impl Reach {
    /// Adds a line such as `INFO: Loaded 1 modules   (5678 inline 8-bit counters): 5678 [...]` or
    /// `#4096  pulse  cov: 1234 ft: 2345 corp: 99/12Kb exec/s: 2048 rss: 99Mb`.
    fn add_line(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |word: &str| word.parse::<u64>().ok();
        for pair in words.windows(2) {
            match pair {
                ["cov:", count] => self.n_edges = number(count).unwrap_or(self.n_edges),
                [count, "inline"] => {
                    let count = count.strip_prefix('(').and_then(number);
                    self.n_counters = count.unwrap_or(self.n_counters);
                }
                _ => {}
            }
        }
        if let Some(count) = words.first().and_then(|word| word.strip_prefix('#')) {
            self.n_executions = number(count).unwrap_or(self.n_executions);
        }
    }

    fn line(&self) -> String {
        let share = 100.0 * self.n_edges as f64 / self.n_counters.max(1) as f64;
        format!(
            "{} executions, {} of {} edges ({share:.1} %)",
            self.n_executions, self.n_edges, self.n_counters
        )
    }
}

/// Runs `cargo fuzz tmin` and returns the smallest input that still crashes; the crasher itself if none is smaller.
fn shrink(
    target: &str,
    crasher: &Path,
    artifacts: &Path,
    sanitizer: Sanitizer,
) -> Outcome<PathBuf> {
    let before = listed(artifacts)?;
    let mut command = sanitizer.cargo_fuzz("tmin");
    command.args(["--runs", "2000", target]).arg(crasher);
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
            sanitizer: Sanitizer::None,
            keep: false,
        };
        assert_eq!(parse(&words("")), Ok(request(None, DEFAULT_SECONDS)));
        assert_eq!(parse(&words("csv --time 5")), Ok(request(Some("csv"), 5)));
        assert_eq!(parse(&words("--time 5 csv")), Ok(request(Some("csv"), 5)));
        let watched = Request {
            sanitizer: Sanitizer::Address,
            ..request(Some("csv"), DEFAULT_SECONDS)
        };
        assert_eq!(parse(&words("csv --sanitizer address")), Ok(watched));
        let kept = Request {
            keep: true,
            ..request(Some("csv"), 5)
        };
        assert_eq!(parse(&words("csv --keep --time 5")), Ok(kept));
        assert_eq!(
            parse(&words("csv --sanitizer none")),
            Ok(request(Some("csv"), DEFAULT_SECONDS))
        );
    }

    #[test]
    fn the_reach_of_a_run_is_that_of_its_last_line() {
        let mut reach = Reach::default();
        for line in [
            "INFO: Running with entropic power schedule (0xFF, 100).",
            "INFO: Loaded 1 modules   (5678 inline 8-bit counters): 5678 [0x1, 0x2), ",
            "#2\tINITED cov: 100 ft: 101 corp: 1/1b exec/s: 0 rss: 40Mb",
            "#4096\tNEW    cov: 1234 ft: 2345 corp: 99/12Kb lim: 1024 exec/s: 2048 rss: 99Mb L: 3/9 MS: 1 CopyPart-",
            "Done 4096 runs in 2 second(s)",
        ] {
            reach.add_line(line);
        }
        assert_eq!(reach.line(), "4096 executions, 1234 of 5678 edges (21.7 %)");
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
                "csv --sanitizer thread",
                "`--sanitizer` takes none or address",
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
