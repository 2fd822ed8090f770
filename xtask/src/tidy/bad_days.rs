//! The rule about `docs/BAD-DAYS.md`: every line of its tables names tests that exist, and quotes messages that they check.

use super::Finding;
use super::source::Source;

/// The page.
pub(super) const PAGE: &str = "docs/BAD-DAYS.md";

/// Checks the page against the sources of the tests.
///
/// A line of a table is `| case | result | tests |`. A test is `` `crate::file::function` ``, for `crates/crate/tests/it/file.rs`, or for
/// `crates/crate/tests/file/main.rs` where tests need a program of their own. What stands in the result between backticks and has a blank in it is a message, which one of the files holds word by word.
pub(super) fn check(text: &str, sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let ["", case, result, tests, ""] = cells[..] else {
            continue;
        };
        // The head of a table, and the line below it.
        if case.starts_with("---") || tests == "test" {
            continue;
        }
        let mut fail = |found: String, mend: &'static str| {
            findings.push(Finding::failure(PAGE, at + 1, "bad-days", found, mend));
        };
        let mut files: Vec<&Source> = Vec::new();
        let named = quoted(tests);
        if named.is_empty() {
            fail(
                format!("no test is named for {case:?}"),
                "name the test that shows the result, as `crate::file::function`",
            );
        }
        for name in named {
            let found = files_of(name).and_then(|(paths, function)| {
                let source = sources.iter().find(|source| paths.contains(&source.path))?;
                source
                    .code
                    .contains(&format!("fn {function}("))
                    .then_some(source)
            });
            match found {
                Some(source) => files.push(source),
                None => fail(
                    format!("there is no test `{name}`"),
                    "name a test that exists, as `crate::file::function`",
                ),
            }
        }
        for message in quoted(result)
            .into_iter()
            .filter(|words| words.contains(' '))
        {
            if !files
                .iter()
                .any(|source| joined(&source.text).contains(message))
            {
                fail(
                    format!("the message \"{message}\" is in none of the tests"),
                    "quote the message that the test expects, word by word",
                );
            }
        }
    }
    findings
}

/// The paths that a test may have and the name of its function.
fn files_of(name: &str) -> Option<(Vec<String>, &str)> {
    let [package, file, function] = name.split("::").collect::<Vec<_>>()[..] else {
        return None;
    };
    let paths = match package {
        "fuzz" => vec!["fuzz/replay.rs".to_owned()],
        _ => ["it/{file}", "{file}/main"]
            .map(|place| {
                format!(
                    "crates/{package}/tests/{}.rs",
                    place.replace("{file}", file)
                )
            })
            .to_vec(),
    };
    Some((paths, function))
}

/// What stands between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// A source with its literals as they are in a program: continued lines in one, quotes without backslashes.
fn joined(text: &str) -> String {
    let mut pieces = text.split("\\\n");
    let mut joined = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        joined.push_str(piece.trim_start());
    }
    joined.replace("\\\"", "\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> Vec<String> {
        let test = Source::new(
            "crates/gmm-em/tests/it/bad.rs",
            "gmm-em",
            "//! A test.\n#[test]\nfn zero() { check(\"no \\\n   \\\"rows\\\" here\"); }\n",
        );
        let page = format!("| case | result | test |\n|---|---|---|\n{line}\n");
        let findings = check(&page, &[test]);
        findings
            .into_iter()
            .map(|f| format!("{}: {}", f.line, f.found))
            .collect()
    }

    #[test]
    fn a_line_names_a_test_that_exists() {
        assert!(found("| no rows | an error | `gmm-em::bad::zero` |").is_empty());
        assert_eq!(
            found("| no rows | an error | `gmm-em::bad::one` |"),
            ["3: there is no test `gmm-em::bad::one`"]
        );
        assert_eq!(
            found("| no rows | an error | somewhere |"),
            ["3: no test is named for \"no rows\""]
        );
    }

    #[test]
    fn a_message_is_quoted_word_by_word() {
        assert!(found("| no rows | `no \"rows\" here` | `gmm-em::bad::zero` |").is_empty());
        assert!(found("| no rows | a `Stop` | `gmm-em::bad::zero` |").is_empty());
        assert_eq!(
            found("| no rows | `no rows here` | `gmm-em::bad::zero` |"),
            ["3: the message \"no rows here\" is in none of the tests"]
        );
    }
}
