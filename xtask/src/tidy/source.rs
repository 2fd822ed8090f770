//! A Rust source as the rules see it: code apart from comments and literals, and product apart from tests.
//!
//! A small lexer is enough: it knows comments, strings, raw strings and characters, so that a word in a sentence or in
//! a message is not taken for code.

use std::ops::Range;

/// One `.rs` file.
#[derive(Debug)]
pub(crate) struct Source {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    /// The package whose folder holds it; empty for files of no workspace member.
    pub(crate) package: String,
    /// The file as it is.
    pub(crate) text: String,
    /// The file with the insides of comments and literals replaced by spaces: same length, same lines.
    pub(crate) code: String,
    /// Where the insides of the string literals are in `text`.
    pub(crate) literals: Vec<Range<usize>>,
    /// Where the comments are in `text`, delimiters included.
    pub(crate) comments: Vec<Range<usize>>,
    is_test_file: bool,
    test_regions: Vec<Range<usize>>,
}

impl Source {
    pub(crate) fn new(path: &str, package: &str, text: &str) -> Self {
        let Lexed {
            code,
            literals,
            comments,
        } = lex(text);
        let test_regions = test_regions(&code);
        let inside_package = path
            .split('/')
            .any(|part| matches!(part, "tests" | "benches" | "fuzz"));
        Self {
            path: path.to_owned(),
            package: package.to_owned(),
            text: text.to_owned(),
            is_test_file: inside_package || path.ends_with("/tests.rs"),
            code,
            literals,
            comments,
            test_regions,
        }
    }

    /// Whether a position belongs to a test: a file of tests, a `#[cfg(test)]` item or a `#[test]` function.
    pub(crate) fn is_test(&self, at: usize) -> bool {
        self.is_test_file || self.test_regions.iter().any(|region| region.contains(&at))
    }

    /// The number of the line that holds a position, from 1.
    pub(crate) fn line(&self, at: usize) -> usize {
        line_of(&self.text, at)
    }

    /// Where a word or phrase stands in the code, as a whole: `Instant` is not found in `Instantaneous`.
    pub(crate) fn find<'s>(&'s self, needle: &'s str) -> impl Iterator<Item = usize> + 's {
        let bytes = self.code.as_bytes();
        self.code
            .match_indices(needle)
            .map(|(at, _)| at)
            .filter(move |&at| {
                let end = at + needle.len();
                let joins = |left: Option<&u8>, right: Option<&u8>| {
                    left.is_some_and(|&byte| is_word(byte))
                        && right.is_some_and(|&byte| is_word(byte))
                };
                !joins(
                    at.checked_sub(1).and_then(|before| bytes.get(before)),
                    bytes.get(at),
                ) && !joins(bytes.get(end - 1), bytes.get(end))
            })
    }

    /// Every module of `std` that the code names, also inside `use std::{env, fs::File}`, with its position.
    pub(crate) fn std_modules(&self) -> Vec<(usize, &str)> {
        let mut found = Vec::new();
        for at in self.find("std::") {
            let start = at + "std::".len();
            if self.code[start..].starts_with('{') {
                let mut depth = 0;
                let mut expects_name = false;
                for (offset, byte) in self.code.as_bytes().iter().enumerate().skip(start) {
                    match byte {
                        b'{' => {
                            depth += 1;
                            expects_name = depth == 1;
                        }
                        b'}' => depth -= 1,
                        b',' => expects_name = depth == 1,
                        _ if expects_name && is_word(*byte) => {
                            found.push((offset, word_at(&self.code, offset)));
                            expects_name = false;
                        }
                        _ => {}
                    }
                    if depth == 0 {
                        break;
                    }
                }
            } else {
                found.push((start, word_at(&self.code, start)));
            }
        }
        found
    }
}

/// The number of the line that holds a byte, from 1.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()
        .iter()
        .take(at)
        .filter(|&&byte| byte == b'\n')
        .count()
        + 1
}

fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric() || !byte.is_ascii()
}

fn word_at(code: &str, start: usize) -> &str {
    let rest = &code[start..];
    let end = rest
        .bytes()
        .position(|byte| !is_word(byte))
        .unwrap_or(rest.len());
    &rest[..end]
}

struct Lexed {
    code: String,
    literals: Vec<Range<usize>>,
    comments: Vec<Range<usize>>,
}

fn lex(text: &str) -> Lexed {
    let bytes = text.as_bytes();
    let mut literals = Vec::new();
    let mut comments = Vec::new();
    let mut blanks: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        if rest.starts_with(b"//") {
            let end = at
                + rest
                    .iter()
                    .position(|&byte| byte == b'\n')
                    .unwrap_or(rest.len());
            comments.push(at..end);
            blanks.push(at..end);
            at = end;
        } else if rest.starts_with(b"/*") {
            let end = at + block_comment_length(rest);
            comments.push(at..end);
            blanks.push(at..end);
            at = end;
        } else if rest[0] == b'"' {
            let inside = at + 1;
            let (end, next) = match raw_hashes(&bytes[..at]) {
                Some(hashes) => raw_string_end(bytes, inside, hashes),
                None => string_end(bytes, inside),
            };
            literals.push(inside..end);
            blanks.push(inside..end);
            at = next;
        } else if rest[0] == b'\'' {
            // A quote opens a character if an escape follows or if a second quote closes it; else it's a lifetime.
            let character = text[at + 1..].chars().next().unwrap_or(' ');
            let closing = at + 1 + character.len_utf8();
            if character == '\\' {
                // The escaped byte itself may be a quote: the search for the closing one starts after it.
                let tail = bytes.get(at + 3..).unwrap_or_default();
                let end = at
                    + 3
                    + tail
                        .iter()
                        .position(|&byte| byte == b'\'')
                        .unwrap_or(tail.len());
                blanks.push(at + 1..end.min(bytes.len()));
                at = end + 1;
            } else if bytes.get(closing) == Some(&b'\'') {
                blanks.push(at + 1..closing);
                at = closing + 1;
            } else {
                at += 1;
            }
        } else {
            at += 1;
        }
    }
    let mut code = bytes.to_vec();
    for byte in blanks.iter().flat_map(|range| range.clone()) {
        if code[byte] != b'\n' {
            code[byte] = b' ';
        }
    }
    // Only whole characters were blanked, so the rest is still UTF-8.
    Lexed {
        code: String::from_utf8_lossy(&code).into_owned(),
        literals,
        comments,
    }
}

/// The length of a block comment at the start of `bytes`; Rust's block comments nest.
fn block_comment_length(bytes: &[u8]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    bytes.len()
}

/// The number of `#` if what stands before a quote makes it a raw string: `r`, `br` or `cr`, then any number of `#`.
fn raw_hashes(before: &[u8]) -> Option<usize> {
    let hashes = before
        .iter()
        .rev()
        .take_while(|&&byte| byte == b'#')
        .count();
    let before = &before[..before.len() - hashes];
    let before = before.strip_suffix(b"r")?;
    let before = before
        .strip_suffix(b"b")
        .or_else(|| before.strip_suffix(b"c"))
        .unwrap_or(before);
    // The `r` of a longer word, as in `number"`, opens nothing; that is no Rust either.
    if before.last().is_some_and(|&byte| is_word(byte)) {
        None
    } else {
        Some(hashes)
    }
}

/// Where a raw string's inside ends and where the code goes on.
fn raw_string_end(bytes: &[u8], inside: usize, hashes: usize) -> (usize, usize) {
    let mut closing = vec![b'"'];
    closing.resize(hashes + 1, b'#');
    match bytes[inside..]
        .windows(closing.len())
        .position(|window| window == closing)
    {
        Some(length) => (inside + length, inside + length + closing.len()),
        None => (bytes.len(), bytes.len()),
    }
}

/// Where a string's inside ends and where the code goes on.
fn string_end(bytes: &[u8], inside: usize) -> (usize, usize) {
    let mut at = inside;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return (at, at + 1),
            _ => at += 1,
        }
    }
    (bytes.len(), bytes.len())
}

/// The items behind `#[cfg(test)]`, `#[cfg(all(test, ...))]` and `#[test]`: from the attribute to the closing brace.
fn test_regions(code: &str) -> Vec<Range<usize>> {
    let bytes = code.as_bytes();
    let mut regions: Vec<Range<usize>> = Vec::new();
    for opening in ["#[cfg(test)]", "#[cfg(all(test", "#[test]"] {
        for (start, _) in code.match_indices(opening) {
            let mut depth = 0_usize;
            let mut at = start + opening.len();
            while at < bytes.len() {
                match bytes[at] {
                    b'{' => depth += 1,
                    b'}' => {
                        depth = depth.saturating_sub(1);
                        if depth == 0 {
                            break;
                        }
                    }
                    // An item without a body, such as `mod tests;` or a `use`.
                    b';' if depth == 0 => break,
                    _ => {}
                }
                at += 1;
            }
            regions.push(start..(at + 1).min(bytes.len()));
        }
    }
    regions
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::new("crates/a/src/lib.rs", "a", text)
    }

    fn count(text: &str, needle: &str) -> usize {
        source(text).find(needle).count()
    }

    #[test]
    fn words_in_comments_and_literals_are_not_code() {
        assert_eq!(count("let a = todo!();", "todo!"), 1);
        assert_eq!(
            count(
                "// todo!()\n/* todo!() /* todo!() */ todo!() */ let a;",
                "todo!"
            ),
            0
        );
        assert_eq!(
            count(
                r##"let a = "todo!() \" todo!()"; let b = r#"todo!() " todo!()"#;"##,
                "todo!"
            ),
            0
        );
        assert_eq!(
            count(
                r#"let a = b"todo!()"; let b = br"todo!()\"; todo!();"#,
                "todo!"
            ),
            1
        );
    }

    #[test]
    fn characters_and_lifetimes_are_told_apart() {
        // A quote taken for the start of a string would hide all that follows.
        assert_eq!(
            count(
                "let q = '\"'; todo!(); let e = '\\''; todo!(); let u = '\\u{1F600}'; todo!();",
                "todo!"
            ),
            3
        );
        assert_eq!(
            count("fn f<'a>(x: &'a str) -> &'a str { todo!() }", "todo!"),
            1
        );
        assert_eq!(count("let e = 'é'; let q = '\"'; todo!();", "todo!"), 1);
    }

    #[test]
    fn lines_and_positions_survive() {
        let source = source("/* a\nb */\nlet x = \"1\n2\";\ntodo!();\n");
        assert_eq!(source.text.len(), source.code.len());
        let at = source.find("todo!").next().unwrap();
        assert_eq!(source.line(at), 5);
    }

    #[test]
    fn words_are_found_whole() {
        assert_eq!(
            count("Instant::now(); Instantaneous; my_Instant", "Instant"),
            1
        );
        assert_eq!(count("eprintln!(); println!()", "println!"), 1);
        assert_eq!(
            count("a.unwrap(); a.unwrap_or(1); a.unwrap_err()", ".unwrap()"),
            1
        );
    }

    #[test]
    fn the_modules_of_std_are_found_in_every_spelling() {
        let source = source(
            "use std::{env, fs::{self, File}, fmt};\nfn f() { std::time::Instant::now(); ::std::process::exit(1) }",
        );
        let modules: Vec<&str> = source
            .std_modules()
            .into_iter()
            .map(|(_, name)| name)
            .collect();
        assert_eq!(modules, ["env", "fs", "fmt", "time", "process"]);
    }

    #[test]
    fn tests_are_told_from_the_product() {
        let text = "fn a() { one(); }\n#[cfg(test)]\nmod tests { fn b() { { two(); } } }\nfn c() { three(); }\n";
        let inside = source(text);
        let is_test = |word| inside.is_test(inside.find(word).next().unwrap());
        assert!(!is_test("one") && is_test("two") && !is_test("three"));
        let elsewhere = Source::new("crates/a/tests/it/main.rs", "a", text);
        assert!(elsewhere.is_test(0));
        let declared = source("#[cfg(test)]\nmod tests;\nfn c() { three(); }\n");
        assert!(!declared.is_test(declared.find("three").next().unwrap()));
    }

    #[test]
    fn unfinished_text_ends_the_lexer() {
        for text in ["\"", "'", "'\\", "/*", "r#\"", "//", "b'", "'\\u", "\"\\"] {
            assert_eq!(source(text).text, text);
        }
    }
}
