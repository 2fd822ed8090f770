//! The rule about Markdown: a link to a file of the repository leads to one.

use super::Finding;

/// Checks one Markdown file; `exists` says whether a path, relative to the root, is there.
pub(super) fn check(path: &str, text: &str, exists: impl Fn(&str) -> bool) -> Vec<Finding> {
    links(text)
        .into_iter()
        .filter(|(_, target)| is_local(target))
        .filter_map(|(line, target)| {
            let file = target.split('#').next().unwrap_or_default();
            let leads_somewhere =
                resolve(path, file).is_some_and(|file| file.is_empty() || exists(&file));
            (!leads_somewhere).then(|| {
                Finding::failure(
                    path,
                    line,
                    "links",
                    format!("the link to `{target}` leads nowhere"),
                    "correct the path (it counts from the folder of the file that holds the link)",
                )
            })
        })
        .collect()
}

fn is_local(target: &str) -> bool {
    // A scheme is letters, then a colon; `#part` stays inside the file.
    let scheme = target.split(':').next().unwrap_or_default();
    let has_scheme =
        scheme.len() < target.len() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric());
    !target.is_empty() && !has_scheme && !target.starts_with('#')
}

/// A link's path counted from the root, without `.` and `..`; nothing when it leaves the root.
fn resolve(from: &str, link: &str) -> Option<String> {
    let (mut parts, link): (Vec<&str>, &str) = match link.strip_prefix('/') {
        Some(link) => (Vec::new(), link),
        None => (from.split('/').collect(), link),
    };
    // What is left of the file's own path is its folder.
    parts.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// The targets of `[words](target)` and of `[label]: target`, with their lines, outside of code.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut fence: Option<&str> = None;
    for (number, line) in text.lines().enumerate() {
        let start = line.trim_start();
        let marker = ["```", "~~~"]
            .into_iter()
            .find(|marker| start.starts_with(marker));
        match (fence, marker) {
            (None, Some(marker)) => fence = Some(marker),
            (Some(open), Some(marker)) if open == marker => fence = None,
            _ => {}
        }
        if fence.is_some() || marker.is_some() {
            continue;
        }
        let prose = without_code_spans(line);
        for (at, _) in prose.match_indices("](") {
            found.extend(target(&prose[at + 2..]).map(|target| (number + 1, target)));
        }
        if let Some((label, rest)) = start
            .strip_prefix('[')
            .and_then(|rest| rest.split_once("]:"))
            && !label.contains(']')
            && let Some(target) = rest.split_whitespace().next()
        {
            found.push((number + 1, target.trim_matches(['<', '>']).to_owned()));
        }
    }
    found
}

/// A link's target up to its closing parenthesis, without a title.
fn target(rest: &str) -> Option<String> {
    if let Some(rest) = rest.strip_prefix('<') {
        return rest.split_once('>').map(|(target, _)| target.to_owned());
    }
    let mut depth = 0_usize;
    let end = rest.find(|character| match character {
        '(' => {
            depth += 1;
            false
        }
        ')' if depth == 0 => true,
        ')' => {
            depth -= 1;
            false
        }
        _ => character == ' ',
    })?;
    Some(rest[..end].to_owned())
}

/// The line with what stands between backticks replaced by spaces.
fn without_code_spans(line: &str) -> String {
    let parts: Vec<&str> = line.split('`').collect();
    let last = parts.len() - 1;
    parts
        .iter()
        .enumerate()
        // Odd parts stand between two backticks, unless the closing one is missing.
        .map(|(index, part)| {
            if index % 2 == 1 && index < last {
                " ".repeat(part.len())
            } else {
                (*part).to_owned()
            }
        })
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        let there = ["README.md", "docs/format.md", "crates/a/README.md", "docs"];
        let findings = check(path, text, |path| there.contains(&path));
        findings
            .into_iter()
            .map(|finding| format!("{}: {}", finding.line, finding.found))
            .collect()
    }

    #[test]
    fn links_to_files_that_are_there_pass() {
        assert!(
            found(
                "README.md",
                "See [a](docs/format.md#header \"title\"), [b](<docs/format.md>), [c](docs/)."
            )
            .is_empty()
        );
        assert!(
            found(
                "crates/a/README.md",
                "[up](../../README.md) [root](/README.md) [here](./README.md)"
            )
            .is_empty()
        );
        assert!(found("docs/format.md", "[words]: ../README.md\n[self](#part)").is_empty());
    }

    #[test]
    fn links_that_lead_nowhere_fail_on_their_line() {
        assert_eq!(
            found("README.md", "text\n[a](docs/gone.md)"),
            ["2: the link to `docs/gone.md` leads nowhere"]
        );
        assert_eq!(found("crates/a/README.md", "[a](docs/format.md)").len(), 1);
        assert_eq!(found("README.md", "[words]: gone.md").len(), 1);
        assert_eq!(
            found("README.md", "[a](../README.md)"),
            ["1: the link to `../README.md` leads nowhere"]
        );
        assert_eq!(
            found("README.md", "[![badge](gone.svg)](docs/format.md)").len(),
            1
        );
    }

    #[test]
    fn the_world_and_code_are_left_alone() {
        assert!(
            found(
                "README.md",
                "[a](https://example.org/x) <b@c.de> [d](mailto:b@c.de)"
            )
            .is_empty()
        );
        assert!(
            found(
                "README.md",
                "`[a](gone.md)` and\n```text\n[a](gone.md)\n```\n"
            )
            .is_empty()
        );
        assert!(found("README.md", "[wiki](https://example.org/a_(b))").is_empty());
    }
}
