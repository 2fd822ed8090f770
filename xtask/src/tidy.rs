//! `cargo xtask tidy`: conventions of the repository that a program can check.
//!
//! Rules about packages are in `layers`, about Rust sources in `rules`, about links in `markdown`, about the page of bad days in `bad_days`; `source` tells code
//! from comments and the product from its tests. Each rule says where, what it found, and how to mend it.

mod bad_days;
mod layers;
mod markdown;
mod rules;
mod source;

use std::fs;
use std::path::Path;

use self::source::Source;
use crate::metadata::{self, Package};
use crate::{Command, Outcome, shell};

pub(crate) const COMMAND: Command = Command {
    name: "tidy",
    about: "the rules that no compiler knows: layers, silent libraries, messages, links, ...",
    help: "\
Checks the conventions of the repository that a program can check.

Usage: cargo xtask tidy

  layers     crates depend only downwards (the table is in xtask/src/tidy/layers.rs)
  manifest   every crate has a description, a readme and the lints of the workspace; one crate has the program
  silent     libraries read no clock and no environment, print nothing, end no process; only gmm-io opens files
  tests      no ignored test
  unfinished no todo!, unimplemented! or dbg!; no .unwrap() outside tests
  unwinding  no product code catches a panic: it works the same where a panic ends the process
  parallel   libraries never touch faer's process-wide parallelism
  bincode    one source file of gmm-io names it
  messages   error messages start in lower case and have no final full stop
  opening    every source opens with a `//!` line that says what it is for
  length     a source past 500 lines is noted, past 700 it fails
  bad-days   each line of docs/BAD-DAYS.md names tests that exist and quotes messages that they check
  links      links between files of the repository lead somewhere
",
    run,
};

/// What a rule found.
#[derive(Debug)]
struct Finding {
    path: String,
    line: usize,
    rule: &'static str,
    found: String,
    mend: &'static str,
    /// A note is worth a look; it fails nothing.
    is_note: bool,
}

impl Finding {
    fn failure(
        path: &str,
        line: usize,
        rule: &'static str,
        found: String,
        mend: &'static str,
    ) -> Self {
        Self {
            path: path.to_owned(),
            line,
            rule,
            found,
            mend,
            is_note: false,
        }
    }
}

fn run(arguments: &[String]) -> Outcome {
    if let Some(word) = arguments.first() {
        return Err(format!(
            "`cargo xtask tidy` takes no words, and `{word}` is one"
        ));
    }
    check()
}

/// Checks the whole repository and prints what was found.
pub(crate) fn check() -> Outcome {
    let root = shell::root();
    let packages = metadata::packages()?;
    let mut sources = Vec::new();
    let mut findings = layers::check(
        &packages,
        |manifest| fs::read_to_string(root.join(manifest)).unwrap_or_default(),
        |path| root.join(path).is_file(),
    );
    for path in files(&root)? {
        let read = || {
            fs::read_to_string(root.join(&path))
                .map_err(|error| format!("cannot read {path}: {error}"))
        };
        if path.ends_with(".rs") {
            sources.push(Source::new(&path, owner(&packages, &path), &read()?));
        } else if path.ends_with(".md") {
            findings.extend(markdown::check(&path, &read()?, |link| {
                root.join(link).exists()
            }));
        }
    }
    findings.extend(rules::check(&sources));
    let page = fs::read_to_string(root.join(bad_days::PAGE))
        .map_err(|error| format!("cannot read {}: {error}", bad_days::PAGE))?;
    findings.extend(bad_days::check(&page, &sources));
    findings.sort_by(|a, b| (a.is_note, &a.path, a.line).cmp(&(b.is_note, &b.path, b.line)));

    for Finding {
        path,
        line,
        rule,
        found,
        mend,
        is_note,
    } in &findings
    {
        let kind = if *is_note { "note" } else { "failure" };
        println!("{path}:{line}: {kind} [{rule}] {found}\n    to mend: {mend}");
    }
    let notes = findings.iter().filter(|finding| finding.is_note).count();
    let failures = findings.len() - notes;
    println!(
        "tidy: {} sources, {failures} failures, {notes} notes",
        sources.len()
    );
    match failures {
        0 => Ok(()),
        1 => Err("tidy found one failure, shown above".to_owned()),
        _ => Err(format!("tidy found {failures} failures, listed above")),
    }
}

/// The package whose folder holds a file; empty if there is none.
fn owner<'p>(packages: &'p [Package], path: &str) -> &'p str {
    packages
        .iter()
        .filter(|package| {
            path.strip_prefix(package.folder())
                .is_some_and(|rest| rest.starts_with('/'))
        })
        .max_by_key(|package| package.folder().len())
        .map_or("", |package| &package.name)
}

/// Every file of the repository, relative to the root, sorted; without what tools leave behind.
fn files(root: &Path) -> Outcome<Vec<String>> {
    const LEFT_BEHIND: [&str; 6] = [
        "target",
        ".git",
        "fuzz/target",
        "fuzz/corpus",
        "fuzz/artifacts",
        "fuzz/coverage",
    ];
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let cannot = |error| format!("cannot list {}: {error}", folder.display());
        for entry in fs::read_dir(&folder).map_err(cannot)? {
            let entry = entry.map_err(cannot)?;
            let path = metadata::relative(&entry.path(), root);
            let kind = entry.file_type().map_err(cannot)?;
            if kind.is_dir() && !LEFT_BEHIND.contains(&path.as_str()) {
                folders.push(entry.path());
            } else if kind.is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_belongs_to_the_innermost_package() {
        let package = |name: &str, manifest: &str| Package {
            name: name.to_owned(),
            manifest: manifest.to_owned(),
            ..Package::default()
        };
        let packages = [
            package("gmm-io", "crates/gmm-io/Cargo.toml"),
            package("deep", "crates/gmm-io/deep/Cargo.toml"),
        ];
        assert_eq!(owner(&packages, "crates/gmm-io/src/lib.rs"), "gmm-io");
        assert_eq!(owner(&packages, "crates/gmm-io/deep/src/lib.rs"), "deep");
        assert_eq!(owner(&packages, "crates/gmm-io-more/src/lib.rs"), "");
        assert_eq!(owner(&packages, "fuzz/src/lib.rs"), "");
    }

    #[test]
    fn the_walk_finds_this_file_and_nothing_that_was_built() {
        let files = files(&shell::root()).unwrap();
        assert!(files.iter().any(|path| path == "xtask/src/tidy.rs"));
        assert!(
            !files
                .iter()
                .any(|path| path.starts_with("target/") || path.starts_with(".git/"))
        );
    }
}
