//! Rules about Rust sources, each a function from a source to what it found.

use super::Finding;
use super::source::{Source, line_of};

/// The libraries that a program builds on: they compute, and the program talks.
const LIBRARIES: [&str; 4] = ["gmm-core", "gmm-em", "gmm-select", "gmm-io"];

/// The only library that opens files.
const FILES: &str = "gmm-io";

/// From here on a file is worth a look for its second idea.
const NOTED_LINES: usize = 500;

/// No file is longer.
const MOST_LINES: usize = 700;

/// Checks all sources.
pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources {
        silent(source, &mut findings);
        unfinished(source, &mut findings);
        ignored(source, &mut findings);
        unwinding(source, &mut findings);
        parallel(source, &mut findings);
        messages(source, &mut findings);
        opening(source, &mut findings);
        length(source, &mut findings);
    }
    one_codec(sources, &mut findings);
    findings
}

fn fail(
    findings: &mut Vec<Finding>,
    source: &Source,
    at: usize,
    rule: &'static str,
    found: impl Into<String>,
    mend: &'static str,
) {
    findings.push(Finding::failure(
        &source.path,
        source.line(at),
        rule,
        found.into(),
        mend,
    ));
}

/// Whether a position is in the product code of a library.
fn is_library(source: &Source, at: usize) -> bool {
    LIBRARIES.contains(&source.package.as_str())
        && source.path.split('/').nth(2) == Some("src")
        && !source.is_test(at)
}

/// Libraries read no clock and no environment, print nothing, end no process, and only one opens files.
fn silent(source: &Source, findings: &mut Vec<Finding>) {
    for (at, module) in source.std_modules() {
        let (what, mend) = match module {
            "time" => (
                "reads the clock",
                "time is the caller's: let it measure, or pass a callback that may stop",
            ),
            "env" => ("reads the environment", "take the value as an option"),
            "process" => (
                "starts or ends processes",
                "return an error and let the program decide",
            ),
            "net" => (
                "uses the network",
                "let the program fetch, and take the bytes",
            ),
            "fs" if source.package != FILES => (
                "opens files",
                "move it to gmm-io, or take a reader or a table",
            ),
            _ => continue,
        };
        if is_library(source, at) {
            fail(
                findings,
                source,
                at,
                "silent",
                format!("a library {what}: `std::{module}`"),
                mend,
            );
        }
    }
    for name in ["Instant", "SystemTime"] {
        for at in source.find(name).filter(|&at| is_library(source, at)) {
            let mend = "time is the caller's: let it measure, or pass a callback that may stop";
            fail(
                findings,
                source,
                at,
                "silent",
                format!("a library reads the clock: `{name}`"),
                mend,
            );
        }
    }
    for name in [
        "println!",
        "eprintln!",
        "print!",
        "eprint!",
        "process::exit",
    ] {
        for at in source.find(name).filter(|&at| is_library(source, at)) {
            let mend = "return what there is to say as a value or an error";
            fail(
                findings,
                source,
                at,
                "silent",
                format!("a library talks over the program's head: `{name}`"),
                mend,
            );
        }
    }
}

fn unfinished(source: &Source, findings: &mut Vec<Finding>) {
    for name in ["todo!", "unimplemented!", "dbg!"] {
        for at in source.find(name) {
            let mend = "finish it, or leave it out and say in the documentation what is not there";
            fail(
                findings,
                source,
                at,
                "unfinished",
                format!("`{name}` is left in the code"),
                mend,
            );
        }
    }
    for at in source.find(".unwrap()").filter(|&at| !source.is_test(at)) {
        let mend =
            "return an error; where only our own bug can lead, say so with `expect(\"...\")`";
        fail(
            findings,
            source,
            at,
            "unfinished",
            "`.unwrap()` outside tests",
            mend,
        );
    }
}

/// A test that is not run proves nothing, and neither does a documentation example.
fn ignored(source: &Source, findings: &mut Vec<Finding>) {
    let mend = "make it pass, make it fast, or remove it";
    for at in source.find("#[ignore") {
        fail(findings, source, at, "tests", "a test is ignored", mend);
    }
    for comment in &source.comments {
        let text = source.text[comment.clone()].trim_start_matches(['/', '!', '*', ' ']);
        let is_ignored = text
            .strip_prefix("```")
            .is_some_and(|words| words.split([',', ' ']).any(|word| word == "ignore"));
        if is_ignored {
            fail(
                findings,
                source,
                comment.start,
                "tests",
                "a documentation example is ignored",
                mend,
            );
        }
    }
}

/// With `panic = "abort"` nothing can be caught, and what a caught panic leaves behind may be half done.
fn unwinding(source: &Source, findings: &mut Vec<Finding>) {
    let is_product = |at: &usize| source.path.starts_with("crates/") && !source.is_test(*at);
    for name in ["catch_unwind", "resume_unwind", "panicking"] {
        for at in source.find(name).filter(is_product) {
            let mend = "return an error; programs of others may be built so that a panic ends them";
            let found = format!("the product relies on unwinding: `{name}`");
            fail(findings, source, at, "unwinding", found, mend);
        }
    }
}

/// faer's high-level operations read a process-wide setting, and its barriers can deadlock inside rayon's workers.
fn parallel(source: &Source, findings: &mut Vec<Finding>) {
    for name in ["set_global_parallelism", "Par::rayon", "Par::Rayon"] {
        for at in source.find(name).filter(|&at| is_library(source, at)) {
            let mend =
                "call the low-level function with `Par::Seq` inside the library's own rayon chunks";
            fail(
                findings,
                source,
                at,
                "parallel",
                format!("a library uses faer's own threads: `{name}`"),
                mend,
            );
        }
    }
}

/// `#[error("...")]`: lower case, no final full stop, since callers put their own words around it.
fn messages(source: &Source, findings: &mut Vec<Finding>) {
    for at in source.find("#[error(") {
        let inside = at + "#[error(".len();
        let first = source.code[inside..]
            .find(|character: char| !character.is_whitespace())
            .map(|skip| inside + skip);
        let Some(literal) = source
            .literals
            .iter()
            .find(|literal| Some(literal.start - 1) == first)
        else {
            // `#[error(transparent)]` has no message of its own.
            continue;
        };
        let message = source.text[literal.clone()].trim_end();
        let word: String = message
            .chars()
            .take_while(|character| character.is_alphanumeric())
            .collect();
        // `CSV` and `JSON` are names; `Sample` is a sentence's first word.
        let is_name =
            word.chars().count() > 1 && word.chars().all(|character| !character.is_lowercase());
        if message.starts_with(char::is_uppercase) && !is_name {
            fail(
                findings,
                source,
                literal.start,
                "messages",
                format!("the message starts with a capital: \"{message}\""),
                "start in lower case: the message may stand inside another sentence",
            );
        }
        if message.ends_with('.') {
            fail(
                findings,
                source,
                literal.start,
                "messages",
                format!("the message ends with a full stop: \"{message}\""),
                "leave the full stop to whoever prints the message",
            );
        }
    }
}

fn opening(source: &Source, findings: &mut Vec<Finding>) {
    if !source.text.starts_with("//!") {
        let mend = "open the file with a `//!` line that says what it is for";
        fail(
            findings,
            source,
            0,
            "opening",
            "the file does not say what it is for",
            mend,
        );
    }
}

fn length(source: &Source, findings: &mut Vec<Finding>) {
    let lines = line_of(source.text.trim_end(), usize::MAX);
    if lines > NOTED_LINES {
        let found = format!("the file has {lines} lines");
        let mend = "look for the second idea in it and give that a file of its own";
        let finding = Finding::failure(&source.path, NOTED_LINES + 1, "length", found, mend);
        findings.push(Finding {
            is_note: lines <= MOST_LINES,
            ..finding
        });
    }
}

/// bincode is no longer developed, so that what must be replaced one day stays in one place.
fn one_codec(sources: &[Source], findings: &mut Vec<Finding>) {
    let mend = "go through gmm-io's one file that encodes and decodes";
    let mut home: Option<&Source> = None;
    for source in sources {
        let Some(at) = source.find("bincode").find(|&at| !source.is_test(at)) else {
            continue;
        };
        match home {
            _ if source.package != FILES => {
                fail(
                    findings,
                    source,
                    at,
                    "bincode",
                    "bincode is named outside gmm-io",
                    mend,
                );
            }
            Some(first) => {
                let found = format!("bincode is named in a second file, after {}", first.path);
                fail(findings, source, at, "bincode", found, mend);
            }
            None => home = Some(source),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIBRARY: &str = "crates/gmm-em/src/em.rs";

    /// What is found in one file that opens as it should, with the lines counted from the text itself.
    fn found(path: &str, text: &str) -> Vec<String> {
        let package = path.split('/').nth(1).unwrap_or_default();
        let source = Source::new(path, package, &format!("//! For a test.\n{text}"));
        let findings = check(&[source]);
        findings
            .iter()
            .map(|finding| format!("{}: [{}] {}", finding.line - 1, finding.rule, finding.found))
            .collect()
    }

    #[test]
    fn a_library_that_reads_the_clock_or_the_environment_fails() {
        assert_eq!(
            found(LIBRARY, "\nuse std::time::Duration;"),
            ["2: [silent] a library reads the clock: `std::time`"]
        );
        assert_eq!(found(LIBRARY, "let start = Instant::now();").len(), 1);
        assert_eq!(found(LIBRARY, "let start = SystemTime::now();").len(), 1);
        assert_eq!(found(LIBRARY, "use std::{env, fmt};").len(), 1);
        assert_eq!(found(LIBRARY, "use std::net::TcpStream;").len(), 1);
        assert!(found(LIBRARY, "const FILE: &str = env!(\"CARGO_MANIFEST_DIR\");").is_empty());
    }

    #[test]
    fn a_library_that_talks_or_exits_fails() {
        assert_eq!(found(LIBRARY, "println!(\"converged\");").len(), 1);
        assert_eq!(found(LIBRARY, "eprintln!(\"converged\");").len(), 1);
        // Both the module and the call are named.
        assert_eq!(found(LIBRARY, "std::process::exit(1);").len(), 2);
        assert!(found(LIBRARY, "/// println!(\"an example\");\nwriteln!(f)?;").is_empty());
    }

    #[test]
    fn only_gmm_io_opens_files() {
        let text = "let file = std::fs::File::open(path)?;";
        assert_eq!(
            found(LIBRARY, text),
            ["1: [silent] a library opens files: `std::fs`"]
        );
        assert!(found("crates/gmm-io/src/table.rs", text).is_empty());
        assert!(found("crates/gmm-cli/src/main.rs", text).is_empty());
        assert!(found("crates/gmm-em/tests/it/main.rs", text).is_empty());
        assert!(found(LIBRARY, &format!("#[cfg(test)]\nmod tests {{ {text} }}")).is_empty());
    }

    #[test]
    fn what_is_unfinished_fails_everywhere() {
        for name in ["todo!()", "unimplemented!()", "dbg!(x)"] {
            assert_eq!(found(LIBRARY, name).len(), 1, "{name}");
            assert_eq!(
                found("crates/gmm-em/tests/it/main.rs", name).len(),
                1,
                "{name}"
            );
        }
    }

    #[test]
    fn unwrap_fails_outside_tests() {
        assert_eq!(
            found(LIBRARY, "x.unwrap();"),
            ["1: [unfinished] `.unwrap()` outside tests"]
        );
        assert_eq!(found("xtask/src/main.rs", "x.unwrap();").len(), 1);
        assert!(found("crates/gmm-em/tests/it/main.rs", "x.unwrap();").is_empty());
        assert!(found(LIBRARY, "#[test]\nfn t() { x.unwrap(); }").is_empty());
    }

    #[test]
    fn ignored_tests_and_examples_fail() {
        assert_eq!(
            found(
                "crates/gmm-em/tests/it/main.rs",
                "#[test]\n#[ignore = \"slow\"]\nfn t() {}"
            )
            .len(),
            1
        );
        assert_eq!(
            found(
                LIBRARY,
                "/// ```rust,ignore\n/// let x = 1;\n/// ```\nfn f() {}"
            )
            .len(),
            1
        );
        assert!(found(LIBRARY, "/// ```text\n/// ignore\n/// ```\nfn f() {}").is_empty());
    }

    #[test]
    fn catching_a_panic_fails_outside_tests() {
        let text = "let outcome = std::panic::catch_unwind(fit);";
        assert_eq!(
            found(LIBRARY, text),
            ["1: [unwinding] the product relies on unwinding: `catch_unwind`"]
        );
        assert_eq!(found("crates/gmm-cli/src/main.rs", text).len(), 1);
        assert!(found("crates/gmm-em/tests/it/main.rs", text).is_empty());
        assert!(found("fuzz/replay.rs", text).is_empty());
    }

    #[test]
    fn faers_own_threads_fail_in_libraries() {
        assert_eq!(found(LIBRARY, "matmul(a, b, Par::rayon(0));").len(), 1);
        assert_eq!(found(LIBRARY, "match par { Par::Rayon(n) => n }").len(), 1);
        assert_eq!(
            found(LIBRARY, "faer::set_global_parallelism(Par::Seq);").len(),
            1
        );
        assert!(found(LIBRARY, "matmul(a, b, Par::Seq);").is_empty());
    }

    #[test]
    fn messages_fail_by_their_first_and_last_character() {
        let message = |words: &str| {
            found(
                LIBRARY,
                &format!("#[error(\n    \"{words}\"\n)]\nNoSamples,"),
            )
        };
        assert_eq!(
            message("There are no samples"),
            ["2: [messages] the message starts with a capital: \"There are no samples\""]
        );
        assert_eq!(
            message("there are no samples."),
            ["2: [messages] the message ends with a full stop: \"there are no samples.\""]
        );
        assert!(message("there are no samples").is_empty());
        assert!(message("{found} columns, expected {expected}").is_empty());
        assert!(message("CSV row {row} is too short").is_empty());
        assert!(
            found(
                LIBRARY,
                "#[error(transparent)]\nCore(#[from] Error),\nconst A: &str = \"A full stop.\";"
            )
            .is_empty()
        );
    }

    #[test]
    fn a_file_without_an_opening_line_fails() {
        let findings = check(&[Source::new(
            LIBRARY,
            "gmm-em",
            "use std::fmt;\n//! Too late.\n",
        )]);
        assert_eq!(findings.len(), 1);
        assert_eq!((findings[0].rule, findings[0].line), ("opening", 1));
    }

    #[test]
    fn long_files_are_noted_and_longer_ones_fail() {
        let of_length = |lines: usize| {
            let text = format!("//! For a test.{}", "\nfn f() {}".repeat(lines - 1));
            check(&[Source::new(LIBRARY, "gmm-em", &text)])
        };
        assert!(of_length(NOTED_LINES).is_empty());
        assert!(of_length(NOTED_LINES + 1)[0].is_note);
        assert!(of_length(MOST_LINES)[0].is_note);
        assert!(!of_length(MOST_LINES + 1)[0].is_note);
    }

    #[test]
    fn bincode_has_one_home() {
        let text = "//! For a test.\nuse bincode::config;\n";
        let in_io = |name: &str| Source::new(&format!("crates/gmm-io/{name}"), "gmm-io", text);
        assert!(check(&[in_io("src/codec.rs"), in_io("tests/it/codec.rs")]).is_empty());
        let findings = check(&[in_io("src/codec.rs"), in_io("src/model.rs")]);
        assert_eq!(
            findings[0].found,
            "bincode is named in a second file, after crates/gmm-io/src/codec.rs"
        );
        assert_eq!(
            found(LIBRARY, "use bincode::config;"),
            ["1: [bincode] bincode is named outside gmm-io"]
        );
    }
}
