//! The words after `cargo xtask bench`.

use std::path::PathBuf;
use std::thread;

use super::systems::{self, System};
use crate::Outcome;

/// Which of the four ways to measure.
#[derive(Debug)]
pub(super) enum Bench {
    /// The words are criterion's.
    Criterion,
    Peers(Peers),
    Instructions(Instructions),
    Quality,
}

/// The words of `--peers`.
#[derive(Debug)]
pub(super) struct Peers {
    /// Names of workloads; none stands for all.
    pub(super) work: Vec<String>,
    /// The systems, ours first.
    pub(super) systems: Vec<&'static System>,
    pub(super) threads: usize,
    pub(super) repeats: usize,
    pub(super) save: Option<PathBuf>,
}

/// The words of `--instructions`.
#[derive(Debug)]
pub(super) struct Instructions {
    /// Parts of names of workloads; none stands for all.
    pub(super) only: Vec<String>,
    pub(super) accept: bool,
}

/// Reads the words.
pub(super) fn parse(arguments: &[String]) -> Outcome<Bench> {
    let has = |word: &str| arguments.iter().any(|argument| argument == word);
    if has("--quality") {
        return match arguments {
            [_] => Ok(Bench::Quality),
            _ => Err("`--quality` takes no other words".to_owned()),
        };
    }
    match (has("--peers"), has("--instructions")) {
        (false, false) => Ok(Bench::Criterion),
        (true, false) => peers(arguments).map(Bench::Peers),
        (false, true) => instructions(arguments).map(Bench::Instructions),
        (true, true) => {
            Err("`--peers` and `--instructions` are two measurements: choose one".to_owned())
        }
    }
}

fn peers(arguments: &[String]) -> Outcome<Peers> {
    let mut options = Peers {
        work: Vec::new(),
        systems: systems::by_default(),
        threads: thread::available_parallelism().map_or(1, usize::from),
        repeats: 5,
        save: None,
    };
    let mut words = arguments.iter().map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "--peers" => {}
            "--work" => options.work = list(word, words.next())?,
            "--only" => options.systems = systems::named(&list(word, words.next())?)?,
            "--threads" => options.threads = count(word, words.next())?,
            "--repeats" => options.repeats = count(word, words.next())?,
            "--save" => options.save = Some(value(word, words.next())?.into()),
            other => return Err(unknown(other, "--peers")),
        }
    }
    Ok(options)
}

fn instructions(arguments: &[String]) -> Outcome<Instructions> {
    let mut options = Instructions {
        only: Vec::new(),
        accept: false,
    };
    let mut words = arguments.iter().map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "--instructions" => {}
            "--only" => options.only = list(word, words.next())?,
            "--accept" => options.accept = true,
            other => return Err(unknown(other, "--instructions")),
        }
    }
    if options.accept && !options.only.is_empty() {
        return Err("`--accept` writes the whole file: leave out `--only`".to_owned());
    }
    Ok(options)
}

fn unknown(word: &str, mode: &str) -> String {
    format!(
        "`cargo xtask bench {mode}` knows no `{word}`; `cargo xtask bench --help` lists its words"
    )
}

fn value<'a>(option: &str, word: Option<&'a str>) -> Outcome<&'a str> {
    word.filter(|word| !word.starts_with("--"))
        .ok_or_else(|| format!("`{option}` needs a value"))
}

fn list(option: &str, word: Option<&str>) -> Outcome<Vec<String>> {
    let names: Vec<String> = value(option, word)?
        .split(',')
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .collect();
    if names.is_empty() {
        return Err(format!("`{option}` needs names with commas between them"));
    }
    Ok(names)
}

fn count(option: &str, word: Option<&str>) -> Outcome<usize> {
    let word = value(option, word)?;
    word.parse()
        .ok()
        .filter(|&count| count > 0)
        .ok_or_else(|| format!("`{option}` needs a number from 1, not `{word}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Outcome<Bench> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        parse(&words)
    }

    fn peers_of(line: &str) -> Peers {
        match parsed(line) {
            Ok(Bench::Peers(options)) => options,
            other => panic!("`{line}` was taken for {other:?}"),
        }
    }

    fn names(options: &Peers) -> Vec<&str> {
        options.systems.iter().map(|system| system.name).collect()
    }

    #[test]
    fn words_of_criterion_stay_its_own() {
        for line in ["", "em_pass --quick", "--save-baseline before"] {
            assert!(matches!(parsed(line), Ok(Bench::Criterion)), "{line}");
        }
    }

    #[test]
    fn the_comparison_has_defaults() {
        let options = peers_of("--peers");
        assert!(options.work.is_empty() && options.threads > 0 && options.repeats == 5);
        assert_eq!(options.save, None);
        assert_eq!(
            names(&options),
            [
                "gmm",
                "gmm-f32",
                "gmm-mixed",
                "sklearn",
                "sklearn-f32",
                "onedal"
            ]
        );
    }

    #[test]
    fn each_word_of_the_comparison_is_read() {
        let options =
            peers_of("--peers --work W2,W8 --threads 1 --repeats 3 --save t.md --only onedal");
        assert_eq!(options.work, ["W2", "W8"]);
        assert_eq!((options.threads, options.repeats), (1, 3));
        assert_eq!(options.save, Some(PathBuf::from("t.md")));
        // We are always there: the ratios are to us.
        assert_eq!(names(&options), ["gmm", "onedal"]);
        assert_eq!(
            names(&peers_of("--only mclust,gmm --peers")),
            ["gmm", "mclust"]
        );
        assert_eq!(peers_of("--peers --only all").systems.len(), 8);
    }

    #[test]
    fn a_word_that_is_wrong_is_named() {
        for (line, message) in [
            (
                "--peers --instructions",
                "`--peers` and `--instructions` are two measurements: choose one",
            ),
            ("--peers --work", "`--work` needs a value"),
            ("--peers --work --threads 2", "`--work` needs a value"),
            (
                "--peers --work ,",
                "`--work` needs names with commas between them",
            ),
            (
                "--peers --threads 0",
                "`--threads` needs a number from 1, not `0`",
            ),
            (
                "--peers --only sklern",
                "there is no system `sklern`; there are gmm, gmm-f32, gmm-mixed, sklearn, sklearn-f32, onedal, mclust, opencv",
            ),
            (
                "--peers W1",
                "`cargo xtask bench --peers` knows no `W1`; `cargo xtask bench --help` lists its words",
            ),
            (
                "--instructions --accept --only full",
                "`--accept` writes the whole file: leave out `--only`",
            ),
        ] {
            assert_eq!(parsed(line).unwrap_err(), message);
        }
    }
}
