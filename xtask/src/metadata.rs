//! What `cargo metadata` says about the packages of the workspace, reduced to what the commands ask.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{Outcome, shell};

/// A package of the workspace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// `Cargo.toml`, relative to the root, with `/`.
    pub(crate) manifest: String,
    pub(crate) description: Option<String>,
    pub(crate) readme: Option<String>,
    /// Whether the package may go to a registry.
    pub(crate) is_published: bool,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) targets: Vec<Target>,
    /// Each feature with what it turns on.
    pub(crate) features: BTreeMap<String, Vec<String>>,
}

/// A line of a dependency table.
#[derive(Clone, Debug)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) is_dev: bool,
    pub(crate) is_optional: bool,
}

/// Something that cargo builds: a library, a program, a test, an example, a bench.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) kind: String,
}

impl Package {
    /// The package's folder, relative to the root; empty for a package in the root itself.
    pub(crate) fn folder(&self) -> &str {
        self.manifest
            .strip_suffix("Cargo.toml")
            .unwrap_or_default()
            .trim_end_matches('/')
    }

    /// Whether the package has a target of this kind (`lib`, `bin`, `example`, ...).
    pub(crate) fn has(&self, kind: &str) -> bool {
        self.targets.iter().any(|target| target.kind == kind)
    }
}

/// All packages of the workspace, by name.
pub(crate) fn packages() -> Outcome<Vec<Package>> {
    let text = shell::output(&mut shell::cargo(&[
        "metadata",
        "--format-version",
        "1",
        "--no-deps",
    ]))?;
    parse(&text, &shell::root())
}

/// The manifest and the program of a test that cargo has compiled, from one line of its JSON messages.
pub(crate) fn test_program(message: &str) -> Option<(PathBuf, String)> {
    let value: Value = serde_json::from_str(message).ok()?;
    let is_test = value["profile"]["test"].as_bool() == Some(true);
    let program = value["executable"].as_str().filter(|_| is_test)?;
    Some((
        PathBuf::from(text(&value["manifest_path"])),
        program.to_owned(),
    ))
}

/// The program of an example that cargo has built, from one line of its JSON messages.
pub(crate) fn example_program(message: &str, name: &str) -> Option<String> {
    let value: Value = serde_json::from_str(message).ok()?;
    let target = &value["target"];
    let is_it = target["name"] == name && items(&target["kind"]).any(|kind| kind == "example");
    let program = value["executable"].as_str().filter(|_| is_it)?;
    Some(program.to_owned())
}

fn parse(text: &str, root: &Path) -> Outcome<Vec<Package>> {
    let value: Value = serde_json::from_str(text)
        .map_err(|error| format!("cargo metadata wrote no JSON: {error}"))?;
    let mut packages: Vec<Package> = items(&value["packages"])
        .map(|value| package(value, root))
        .collect();
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(packages)
}

fn package(value: &Value, root: &Path) -> Package {
    let manifest = PathBuf::from(text(&value["manifest_path"]));
    Package {
        name: text(&value["name"]),
        manifest: relative(&manifest, root),
        description: value["description"].as_str().map(str::to_owned),
        readme: value["readme"].as_str().map(str::to_owned),
        // `publish = false` is an empty list of registries; no `publish` line is null.
        is_published: value["publish"]
            .as_array()
            .is_none_or(|registries| !registries.is_empty()),
        dependencies: items(&value["dependencies"])
            .map(|value| Dependency {
                name: text(&value["name"]),
                is_dev: value["kind"].as_str() == Some("dev"),
                is_optional: value["optional"].as_bool() == Some(true),
            })
            .collect(),
        targets: items(&value["targets"])
            .map(|value| Target {
                name: text(&value["name"]),
                kind: text(&value["kind"][0]),
            })
            .collect(),
        features: value["features"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, list)| (name.clone(), items(list).map(text).collect()))
            .collect(),
    }
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A path below the root as the reports show it: relative, with `/` on every system.
pub(crate) fn relative(path: &Path, root: &Path) -> String {
    let path = path.strip_prefix(root).unwrap_or(path);
    let parts: Vec<_> = path
        .components()
        .map(|part| part.as_os_str().to_string_lossy())
        .collect();
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_read_from_the_json_of_cargo() {
        let text = r#"{"packages": [{"name": "gmm-io", "manifest_path": "/r/crates/gmm-io/Cargo.toml",
            "description": "Files", "readme": "README.md", "publish": null,
            "dependencies": [{"name": "gmm-core", "kind": null, "optional": false},
                             {"name": "gmm-em", "kind": null, "optional": true},
                             {"name": "gmm-testkit", "kind": "dev", "optional": false}],
            "targets": [{"name": "gmm_io", "kind": ["lib"]}, {"name": "golden", "kind": ["example"]}],
            "features": {"checkpoint": ["dep:gmm-em"]}}, {"name": "b", "publish": []}]}"#;
        let packages = parse(text, Path::new("/r")).unwrap();
        assert_eq!(packages.len(), 2);
        assert!(!packages[0].is_published);
        let package = &packages[1];
        assert_eq!(
            (package.name.as_str(), package.folder()),
            ("gmm-io", "crates/gmm-io")
        );
        assert_eq!(package.readme.as_deref(), Some("README.md"));
        assert!(package.is_published && package.has("lib") && !package.has("bin"));
        assert!(package.dependencies[1].is_optional && package.dependencies[2].is_dev);
        assert_eq!(package.features["checkpoint"], ["dep:gmm-em"]);
    }

    #[test]
    fn only_tests_that_were_compiled_are_programs_to_run() {
        let message = |test: bool, executable: &str| {
            format!(
                r#"{{"reason": "compiler-artifact", "manifest_path": "/r/a/Cargo.toml", "profile": {{"test": {test}}},
                    "executable": {executable}}}"#
            )
        };
        let expected = (PathBuf::from("/r/a/Cargo.toml"), "/t/it-0".to_owned());
        assert_eq!(test_program(&message(true, r#""/t/it-0""#)), Some(expected));
        assert_eq!(test_program(&message(false, r#""/t/gmm""#)), None);
        assert_eq!(test_program(&message(true, "null")), None);
        assert_eq!(test_program("   Compiling a v0.1.0"), None);
    }

    #[test]
    fn an_example_is_known_by_kind_and_name() {
        let message = |kind: &str| {
            format!(
                r#"{{"target": {{"name": "peer", "kind": ["{kind}"]}}, "executable": "/t/peer"}}"#
            )
        };
        let expected = Some("/t/peer".to_owned());
        assert_eq!(example_program(&message("example"), "peer"), expected);
        assert_eq!(example_program(&message("bin"), "peer"), None);
        assert_eq!(example_program(&message("example"), "pear"), None);
        assert_eq!(example_program("   Compiling a v0.1.0", "peer"), None);
    }

    #[test]
    fn words_that_are_no_json_are_an_error() {
        assert!(parse("error: no manifest", Path::new("/r")).is_err());
    }
}
