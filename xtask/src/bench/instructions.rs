//! `cargo xtask bench --instructions`: the instructions of the hot loops, against a file of the repository.
//!
//! Instructions are no time, but they repeat: on any machine of the same instruction set, beside any other work. What
//! makes them grow by a twentieth was meant, and accepted, or is a mistake.

use std::fs;
use std::path::Path;

use super::options::Instructions;
use super::table::markdown;
use super::{example, target_folder};
use crate::{Outcome, shell};

/// Where the counts are kept, from the root.
const FILE: &str = "benches/instructions.csv";

const HEADER: &str = "workload,instructions_per_row_and_component";

/// Growth beyond it is a failure. A new compiler moves the counts by a percent or two.
const TOLERANCE: f64 = 0.05;

/// Passes of the two runs of a workload; what surrounds the passes cancels in their difference.
const FEW: u64 = 1;
const MANY: u64 = 3;

/// A workload and its count, per row and component.
type Count = (String, f64);

pub(super) fn run(options: &Instructions) -> Outcome {
    if !cfg!(target_arch = "x86_64") {
        return Err(format!(
            "{FILE} counts the AVX2 path of x86-64, which this machine does not have"
        ));
    }
    let version = shell::output(&mut shell::program("valgrind", &["--version"])).map_err(|_| {
        "valgrind counts the instructions and is not here: install it (Debian: apt-get install valgrind)".to_owned()
    })?;
    let compiler = shell::output(&mut shell::program("rustc", &["--version"]))?;
    println!(
        "{}, {}: on an AVX-512 machine, too, it is the AVX2 path that is counted",
        version.trim(),
        compiler.trim()
    );
    let program = example("instructions")?;
    let folder = target_folder("instructions")?;
    let list = shell::output(&mut shell::program(&program, &["list"]))?;
    let mut counts: Vec<Count> = Vec::new();
    for line in list.lines() {
        let (name, cells) = line
            .split_once(' ')
            .and_then(|(name, cells)| Some((name, cells.parse::<f64>().ok()?)))
            .ok_or_else(|| format!("the example lists no workload with `{line}`"))?;
        if !options.only.is_empty() && !options.only.iter().any(|part| name.contains(part)) {
            continue;
        }
        let few = count(&program, name, FEW, &folder)?;
        let many = count(&program, name, MANY, &folder)?;
        let passes = many.saturating_sub(few) as f64 / (MANY - FEW) as f64;
        println!("  {name}: {:.2}", passes / cells);
        counts.push((name.to_owned(), passes / cells));
    }
    if counts.is_empty() {
        return Err("no workload has such a name".to_owned());
    }
    let path = shell::root().join(FILE);
    if options.accept {
        return fs::write(&path, csv(&counts))
            .map_err(|error| format!("cannot write {FILE}: {error}"));
    }
    let kept = fs::read_to_string(&path)
        .map_err(|error| format!("cannot read {FILE} ({error}): `--accept` writes it"))?;
    let verdicts = compare(&parse(&kept)?, &counts);
    println!("\n{}", report(&verdicts));
    judge(&verdicts)
}

/// The instructions of a run of the example.
fn count(program: &str, workload: &str, passes: u64, folder: &Path) -> Outcome<u64> {
    let file = folder.join(format!("{}.{passes}.callgrind", workload.replace('/', "_")));
    let out = format!("--callgrind-out-file={}", file.display());
    let log = format!("--log-file={}.log", file.display());
    shell::output(&mut shell::program(
        "valgrind",
        &[
            "--tool=callgrind",
            &out,
            &log,
            program,
            workload,
            &passes.to_string(),
        ],
    ))?;
    let text = fs::read_to_string(&file)
        .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    total(&text).ok_or_else(|| format!("{} names no total", file.display()))
}

/// The total of the first event, instructions, in a file of callgrind.
fn total(text: &str) -> Option<u64> {
    text.lines()
        .find_map(|line| {
            line.strip_prefix("totals:")
                .or(line.strip_prefix("summary:"))
        })?
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}

fn csv(counts: &[Count]) -> String {
    let lines: String = counts
        .iter()
        .map(|(name, count)| format!("{name},{count:.2}\n"))
        .collect();
    format!("{HEADER}\n{lines}")
}

fn parse(text: &str) -> Outcome<Vec<Count>> {
    text.lines()
        .skip(1)
        .map(|line| {
            line.split_once(',')
                .and_then(|(name, count)| Some((name.to_owned(), count.parse().ok()?)))
                .ok_or_else(|| format!("{FILE} has a line that is no count: `{line}`"))
        })
        .collect()
}

/// A count beside the one that the file holds.
#[derive(Debug)]
struct Verdict {
    name: String,
    kept: Option<f64>,
    now: f64,
}

impl Verdict {
    /// 0.02 for two percent more than kept.
    fn growth(&self) -> Option<f64> {
        self.kept.map(|kept| self.now / kept - 1.0)
    }
}

fn compare(kept: &[Count], now: &[Count]) -> Vec<Verdict> {
    now.iter()
        .map(|(name, now)| Verdict {
            name: name.clone(),
            kept: kept
                .iter()
                .find(|(other, _)| other == name)
                .map(|(_, count)| *count),
            now: *now,
        })
        .collect()
}

fn report(verdicts: &[Verdict]) -> String {
    let rows: Vec<[String; 5]> = verdicts
        .iter()
        .map(|verdict| {
            let verdict_word = match verdict.growth() {
                None => "new",
                Some(growth) if growth > TOLERANCE => "MORE",
                Some(growth) if growth < -TOLERANCE => "less: accept it",
                Some(_) => "as before",
            };
            [
                verdict.name.clone(),
                verdict_word.to_owned(),
                verdict
                    .kept
                    .map_or_else(|| "-".to_owned(), |kept| format!("{kept:.2}")),
                format!("{:.2}", verdict.now),
                verdict.growth().map_or_else(|| "-".to_owned(), percent),
            ]
        })
        .collect();
    markdown(
        &[
            "instructions per row and component",
            "",
            "kept",
            "now",
            "change",
        ],
        &rows,
    )
}

/// One decimal, and no sign before what rounds to nothing.
fn percent(growth: f64) -> String {
    let text = format!("{:+.1} %", 100.0 * growth);
    match text.as_str() {
        "+0.0 %" | "-0.0 %" => "0.0 %".to_owned(),
        _ => text,
    }
}

fn judge(verdicts: &[Verdict]) -> Outcome {
    let failures: Vec<&str> = verdicts
        .iter()
        .filter(|verdict| verdict.growth().is_none_or(|growth| growth > TOLERANCE))
        .map(|verdict| verdict.name.as_str())
        .collect();
    if failures.is_empty() {
        return Ok(());
    }
    Err(format!(
        "these take over {} % more instructions than {FILE} says, or are not in it: {}; if that is meant, \
         `cargo xtask bench --instructions --accept` writes the new counts",
        100.0 * TOLERANCE,
        failures.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(counts: &[(&str, f64)]) -> Vec<Count> {
        counts
            .iter()
            .map(|(name, count)| ((*name).to_owned(), *count))
            .collect()
    }

    #[test]
    fn the_total_is_read_from_callgrind() {
        let text = "version: 1\nevents: Ir\nfn=(1)\n16 400\n\ntotals: 123456789\n";
        assert_eq!(total(text), Some(123_456_789));
        assert_eq!(total("events: Ir\nsummary: 77\n"), Some(77));
        assert_eq!(total("events: Ir\n"), None);
    }

    #[test]
    fn the_file_comes_back() {
        let some = counts(&[("em/full/d=2/k=8", 31.25), ("kmeans/d=16/k=16", 400.0)]);
        let text = csv(&some);
        assert_eq!(
            text,
            "workload,instructions_per_row_and_component\nem/full/d=2/k=8,31.25\nkmeans/d=16/k=16,400.00\n"
        );
        assert_eq!(parse(&text).unwrap(), some);
        assert_eq!(
            parse("workload,instructions\nem;3\n").unwrap_err(),
            "benches/instructions.csv has a line that is no count: `em;3`"
        );
    }

    #[test]
    fn only_growth_and_what_is_new_fail() {
        let kept = counts(&[("a", 100.0), ("b", 100.0), ("c", 100.0), ("gone", 1.0)]);
        let fine = compare(&kept, &counts(&[("a", 104.9), ("b", 20.0)]));
        assert_eq!(judge(&fine), Ok(()));
        let verdicts = compare(&kept, &counts(&[("a", 100.0), ("c", 105.1), ("new", 1.0)]));
        let failure = judge(&verdicts).unwrap_err();
        assert!(
            failure.starts_with(
                "these take over 5 % more instructions than benches/instructions.csv says, or are not in it: c, new;"
            ),
            "{failure}"
        );
        let report = report(&verdicts);
        assert_eq!([-0.0004, 0.12].map(percent), ["0.0 %", "+12.0 %"]);
        for words in ["as before", "MORE", "+5.1 %", "| new "] {
            assert!(report.contains(words), "{report}");
        }
    }
}
