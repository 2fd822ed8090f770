//! Rules about packages: who may use whom, and what every manifest says.

use super::Finding;
use crate::metadata::Package;

/// What a package may use.
struct Layer {
    package: &'static str,
    /// Packages of the workspace that it may depend on.
    uses: &'static [&'static str],
    /// Packages that it may depend on behind a feature only.
    uses_optionally: &'static [&'static str],
}

/// Bottom to top. A new package gets a line here, which is where its place is decided.
const LAYERS: [Layer; 8] = [
    Layer {
        package: "gmm-core",
        uses: &[],
        uses_optionally: &[],
    },
    Layer {
        package: "gmm-em",
        uses: &["gmm-core"],
        uses_optionally: &[],
    },
    Layer {
        package: "gmm-select",
        uses: &["gmm-core", "gmm-em"],
        uses_optionally: &[],
    },
    Layer {
        package: "gmm-io",
        uses: &["gmm-core"],
        uses_optionally: &["gmm-em"],
    },
    Layer {
        package: "gmm-cli",
        uses: &["gmm-core", "gmm-em", "gmm-select", "gmm-io"],
        uses_optionally: &[],
    },
    // The textbook references share no code, and so no bug, with what they check.
    Layer {
        package: TESTKIT,
        uses: &[],
        uses_optionally: &[],
    },
    Layer {
        package: "gmm-benches",
        uses: &["gmm-core", "gmm-em", "gmm-select", "gmm-io", TESTKIT],
        uses_optionally: &[],
    },
    // The checks compile in seconds because they use nothing that they check.
    Layer {
        package: "xtask",
        uses: &[],
        uses_optionally: &[],
    },
];

const TESTKIT: &str = "gmm-testkit";

/// The one default member with a binary, so that `cargo run -- ...` at the root needs no `--bin`.
const PROGRAM: &str = "gmm-cli";

/// Checks the packages; `manifest` gives the text of a `Cargo.toml` and `exists` says whether a path is a file.
pub(super) fn check(
    packages: &[Package],
    manifest: impl Fn(&str) -> String,
    exists: impl Fn(&str) -> bool,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages {
        let text = manifest(&package.manifest);
        let mut fail = |line: usize, rule: &'static str, found: String, mend: &'static str| {
            findings.push(Finding::failure(&package.manifest, line, rule, found, mend));
        };
        check_layer(package, packages, &text, &mut fail);

        if package
            .description
            .as_deref()
            .is_none_or(|words| words.trim().is_empty())
        {
            fail(
                1,
                "manifest",
                format!("{} has no description", package.name),
                "say in `description = \"...\"` in one line what the package is for",
            );
        }
        let readme = package
            .readme
            .as_ref()
            .map(|name| format!("{}/{name}", package.folder()));
        if package.is_published && !readme.as_deref().is_some_and(&exists) {
            fail(
                1,
                "manifest",
                format!("{} has no readme file", package.name),
                "write README.md beside Cargo.toml and name it in `readme = \"README.md\"`",
            );
        }
        if !text.contains("[lints]\nworkspace = true") {
            fail(
                1,
                "manifest",
                format!("{} does not take the lints of the workspace", package.name),
                "add `[lints]` with `workspace = true`",
            );
        }
        if package.name != PROGRAM && package.folder().starts_with("crates/") && package.has("bin")
        {
            fail(
                1,
                "manifest",
                format!(
                    "{} has a binary, which makes `cargo run` at the root ambiguous",
                    package.name
                ),
                "move it into gmm-cli, or make it an example",
            );
        }
    }
    findings
}

fn check_layer(
    package: &Package,
    packages: &[Package],
    manifest: &str,
    fail: &mut impl FnMut(usize, &'static str, String, &'static str),
) {
    let Some(layer) = LAYERS.iter().find(|layer| layer.package == package.name) else {
        fail(
            1,
            "layers",
            format!("{} has no place among the layers", package.name),
            "give it a line in LAYERS (xtask/src/tidy/layers.rs) and in ARCHITECTURE.md",
        );
        return;
    };
    for dependency in &package.dependencies {
        let name = dependency.name.as_str();
        if !packages.iter().any(|package| package.name == name) {
            continue;
        }
        let allowed = layer.uses.contains(&name)
            || (layer.uses_optionally.contains(&name) && (dependency.is_optional || dependency.is_dev))
            // The testkit itself depends on nothing that could depend on it.
            || (dependency.is_dev && name == TESTKIT);
        if !allowed {
            let line = manifest
                .lines()
                .position(|line| line.trim_start().starts_with(name))
                .map_or(1, |at| at + 1);
            let found = if layer.uses_optionally.contains(&name) {
                format!(
                    "{} depends on {name} without a feature in between",
                    package.name
                )
            } else {
                format!("{} depends on {name}, which is not below it", package.name)
            };
            fail(
                line,
                "layers",
                found,
                "move the code to the layer it belongs to (ARCHITECTURE.md shows the layers)",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::{Dependency, Target};

    const MANIFEST: &str = "[package]\n[dependencies]\ngmm-core.workspace = true\ngmm-em.workspace = true\n[lints]\nworkspace = true\n";

    fn package(name: &str, dependencies: &[Dependency]) -> Package {
        Package {
            name: name.to_owned(),
            manifest: format!("crates/{name}/Cargo.toml"),
            description: Some("what it is for".to_owned()),
            readme: Some("README.md".to_owned()),
            is_published: true,
            dependencies: dependencies.to_vec(),
            ..Package::default()
        }
    }

    fn on(name: &str) -> Dependency {
        Dependency {
            name: name.to_owned(),
            is_dev: false,
            is_optional: false,
        }
    }

    /// What is found about one package, beside the packages that it might use.
    fn found(package: Package) -> Vec<String> {
        let name = package.name.clone();
        let mut packages: Vec<Package> = LAYERS
            .iter()
            .map(|layer| self::package(layer.package, &[]))
            .filter(|other| other.name != name)
            .collect();
        packages.push(package);
        let findings = check(&packages, |_| MANIFEST.to_owned(), |_| true);
        findings
            .into_iter()
            .map(|finding| format!("{}: {}", finding.line, finding.found))
            .collect()
    }

    #[test]
    fn the_layers_as_designed_pass() {
        assert!(found(package("gmm-em", &[on("gmm-core"), on("rand")])).is_empty());
        assert!(
            found(package(
                "gmm-cli",
                &[on("gmm-core"), on("gmm-em"), on("gmm-select"), on("gmm-io")]
            ))
            .is_empty()
        );
        assert!(
            found(package(
                "gmm-core",
                &[Dependency {
                    is_dev: true,
                    ..on("gmm-testkit")
                }]
            ))
            .is_empty()
        );
        assert!(
            found(package(
                "gmm-io",
                &[Dependency {
                    is_optional: true,
                    ..on("gmm-em")
                }]
            ))
            .is_empty()
        );
    }

    #[test]
    fn a_dependency_that_points_up_fails_on_its_line() {
        assert_eq!(
            found(package("gmm-core", &[on("gmm-em")])),
            ["4: gmm-core depends on gmm-em, which is not below it"]
        );
        assert_eq!(
            found(package(
                "gmm-em",
                &[Dependency {
                    is_dev: true,
                    ..on("gmm-select")
                }]
            ))
            .len(),
            1
        );
        assert_eq!(found(package("gmm-em", &[on("gmm-io")])).len(), 1);
        assert_eq!(found(package("gmm-select", &[on("gmm-io")])).len(), 1);
    }

    #[test]
    fn nobody_depends_on_the_program_and_the_testkit_on_nobody() {
        for layer in &LAYERS {
            assert!(!layer.uses.contains(&PROGRAM) && !layer.uses_optionally.contains(&PROGRAM));
        }
        assert_eq!(found(package("gmm-benches", &[on("gmm-cli")])).len(), 1);
        assert_eq!(
            found(package(
                "gmm-testkit",
                &[Dependency {
                    is_dev: true,
                    ..on("gmm-core")
                }]
            ))
            .len(),
            1
        );
        assert_eq!(found(package("gmm-core", &[on("gmm-testkit")])).len(), 1);
    }

    #[test]
    fn an_optional_layer_needs_its_feature() {
        assert_eq!(
            found(package("gmm-io", &[on("gmm-em")])),
            ["4: gmm-io depends on gmm-em without a feature in between"]
        );
    }

    #[test]
    fn a_new_package_must_be_placed() {
        assert_eq!(
            found(package("gmm-new", &[])),
            ["1: gmm-new has no place among the layers"]
        );
    }

    #[test]
    fn manifests_must_tell_what_a_package_is() {
        let bare = Package {
            description: None,
            readme: None,
            ..package("gmm-io", &[])
        };
        assert_eq!(
            found(bare),
            [
                "1: gmm-io has no description",
                "1: gmm-io has no readme file"
            ]
        );
        let findings = check(
            &[package("gmm-io", &[])],
            |_| "[package]\n".to_owned(),
            |_| false,
        );
        let found: Vec<&str> = findings
            .iter()
            .map(|finding| finding.found.as_str())
            .collect();
        assert_eq!(
            found,
            [
                "gmm-io has no readme file",
                "gmm-io does not take the lints of the workspace"
            ]
        );
    }

    #[test]
    fn a_second_binary_among_the_default_members_fails() {
        let binary = Target {
            name: "extra".to_owned(),
            kind: "bin".to_owned(),
        };
        let second = Package {
            targets: vec![binary.clone()],
            ..package("gmm-io", &[])
        };
        assert_eq!(found(second).len(), 1);
        assert!(
            found(Package {
                targets: vec![binary],
                ..package("gmm-cli", &[])
            })
            .is_empty()
        );
    }
}
