//! `cargo xtask golden`: regenerates the golden files and shows what that changed.
//!
//! A generator is an example target whose name starts with `golden`; it writes its files into the repository and needs
//! no arguments, so that this command finds and runs every one without a list to keep.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::metadata::{self, Package};
use crate::{Command, Outcome, shell};

pub(crate) const COMMAND: Command = Command {
    name: "golden",
    about: "regenerate the golden files and show what changed; --check fails when anything did",
    help: "\
Runs every generator of golden files (each example target whose name starts with `golden`), then shows what changed.

Usage: cargo xtask golden [--check]

  --check  fail when a generator changed a file: the golden files of the repository are not what it writes

A changed golden file is a changed promise: look at `git diff`, and say in CHANGELOG.md why the numbers moved.
",
    run,
};

fn run(arguments: &[String]) -> Outcome {
    let check = match arguments {
        [] => false,
        [word] if word == "--check" => true,
        _ => return Err("`cargo xtask golden` takes at most `--check`".to_owned()),
    };
    let generators = generators(&metadata::packages()?);
    if generators.is_empty() {
        println!("no generator yet: an example target whose name starts with `golden` is one");
        return Ok(());
    }
    let before = work_tree()?;
    for (package, example) in &generators {
        shell::run(&mut shell::cargo(&[
            "run",
            "--release",
            "--package",
            package,
            "--example",
            example,
        ]))?;
    }
    let changed = differences(&before, &work_tree()?);
    if changed.is_empty() {
        println!(
            "the golden files are what their {} generators write",
            generators.len()
        );
        return Ok(());
    }
    shell::run(&mut shell::program(
        "git",
        &["--no-pager", "diff", "--stat"],
    ))?;
    let list = changed.join("\n  ");
    if check {
        return Err(format!(
            "the generators write other golden files than the repository holds:\n  {list}"
        ));
    }
    println!("changed by the generators:\n  {list}");
    Ok(())
}

/// Package and name of every generator.
fn generators(packages: &[Package]) -> Vec<(String, String)> {
    packages
        .iter()
        .flat_map(|package| package.targets.iter().map(move |target| (package, target)))
        .filter(|(_, target)| target.kind == "example" && target.name.starts_with("golden"))
        .map(|(package, target)| (package.name.clone(), target.name.clone()))
        .collect()
}

/// Each file that differs from the last commit, with a hash of its bytes (0 for a deleted file).
///
/// The state before is compared with the state after, so that work under way elsewhere in the tree is not laid at the
/// generators' door.
fn work_tree() -> Outcome<BTreeMap<String, u64>> {
    let status = shell::output(&mut shell::program(
        "git",
        &[
            "status",
            "--porcelain=v1",
            "-z",
            "--no-renames",
            "--untracked-files=all",
        ],
    ))?;
    let root = shell::root();
    Ok(changed_paths(&status)
        .map(|path| {
            let hash = fs::read(root.join(path)).map_or(0, |bytes| {
                let mut hasher = DefaultHasher::new();
                bytes.hash(&mut hasher);
                hasher.finish()
            });
            (path.to_owned(), hash)
        })
        .collect())
}

/// The paths of `git status --porcelain=v1 -z`: two letters, a space, the path, a zero byte.
fn changed_paths(status: &str) -> impl Iterator<Item = &str> {
    status.split('\0').filter_map(|entry| entry.get(3..))
}

/// The paths that are in only one of the two states, or in both with other bytes.
fn differences(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> Vec<String> {
    let mut paths: Vec<String> = before.keys().chain(after.keys()).cloned().collect();
    paths.sort();
    paths.dedup();
    paths.retain(|path| before.get(path) != after.get(path));
    paths
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Target;

    #[test]
    fn generators_are_the_examples_named_golden() {
        let target = |name: &str, kind: &str| Target {
            name: name.to_owned(),
            kind: kind.to_owned(),
        };
        let package = Package {
            name: "gmm-testkit".to_owned(),
            targets: vec![
                target("golden_density", "example"),
                target("tour", "example"),
                target("golden", "test"),
                target("golden", "example"),
            ],
            ..Package::default()
        };
        let found = generators(&[package]);
        let names: Vec<&str> = found.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!(names, ["golden_density", "golden"]);
    }

    #[test]
    fn only_what_the_generators_touched_counts_as_changed() {
        let state = |entries: &[(&str, u64)]| -> BTreeMap<String, u64> {
            entries
                .iter()
                .map(|&(path, hash)| (path.to_owned(), hash))
                .collect()
        };
        let before = state(&[("notes.md", 1), ("a.json", 2), ("gone.json", 3)]);
        let after = state(&[("notes.md", 1), ("a.json", 5), ("new.json", 4)]);
        assert_eq!(
            differences(&before, &after),
            ["a.json", "gone.json", "new.json"]
        );
        assert!(differences(&before, &before).is_empty());
    }

    #[test]
    fn paths_with_spaces_survive_the_porcelain() {
        let paths: Vec<&str> = changed_paths(" M a b.json\0?? c.json\0").collect();
        assert_eq!(paths, ["a b.json", "c.json"]);
    }
}
