//! The target `json`: texts that are nearly models in JSON are read as models or refused with a reason.

use gmm_io::{ModelFile, encode, from_json, to_json};

use super::bytes::Bytes;
use super::{Outcome, check_message, model};

/// Writes a model from the input as JSON, changes tokens of the text as the input says, and checks
/// - that the text is a model or an error, the same from memory and from a reader;
/// - that blanks between tokens and the order of a model's fields mean nothing;
/// - that a model that was read is kept by both formats, and its text is stable.
pub fn json(data: &[u8]) -> Outcome {
    let mut bytes = Bytes::new(data);
    let n_changes = bytes.count(0, 6);
    let Ok(model) = model::mixture(&mut bytes) else {
        return Outcome::Refused;
    };
    let text = to_json(&ModelFile::from(model)).expect("a small model can be written");
    let mut tokens = tokens(&text);
    for _ in 0..n_changes {
        change(&mut tokens, &mut bytes);
    }
    let text = tokens.concat();
    let spaced = tokens.join(bytes.pick([" ", "\n", "\t", "\r\n  "]));
    match (from_json(&text), from_json(&spaced)) {
        (Ok(file), Ok(same)) => {
            assert_eq!(file, same, "blanks change the model");
            let read = ModelFile::read_from(text.as_bytes()).expect("the content tells the format");
            assert_eq!(read, file, "a reader reads another model");
            let bytes = encode(&file).expect("a small model can be written");
            assert_eq!(
                gmm_io::decode(&bytes).expect("what was written can be read"),
                file
            );
            let again = to_json(&file).expect("a small model can be written");
            assert_eq!(
                from_json(&again).expect("what was written can be read"),
                file
            );
            Outcome::Checked
        }
        (Err(error), Err(same)) => {
            check_message(&error);
            check_message(&same);
            assert!(ModelFile::read_from(text.as_bytes()).is_err());
            Outcome::Refused
        }
        // Two numbers that touch are one: a change may have put them side by side.
        (Ok(_), Err(_)) | (Err(_), Ok(_)) => {
            assert!(
                touches(&tokens),
                "blanks decide whether {text:?} is a model"
            );
            Outcome::Refused
        }
    }
}

/// Whether two neighbours would be one token without a blank between them.
fn touches(tokens: &[String]) -> bool {
    let is_word = |token: &String, at_end: bool| {
        let letter = if at_end {
            token.chars().last()
        } else {
            token.chars().next()
        };
        letter.is_some_and(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    };
    let pairs = tokens.windows(2);
    pairs
        .into_iter()
        .any(|pair| is_word(&pair[0], true) && is_word(&pair[1], false))
}

/// Braces, brackets, commas and colons, strings, and what stands between them.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut is_open = false;
    let mut is_string = false;
    for letter in text.chars() {
        if is_string {
            tokens.last_mut().expect("a string has begun").push(letter);
            is_string = letter != '"';
            is_open = false;
        } else if letter == '"' {
            tokens.push(letter.to_string());
            is_string = true;
        } else if letter.is_whitespace() {
            is_open = false;
        } else if "{}[],:".contains(letter) {
            tokens.push(letter.to_string());
            is_open = false;
        } else if is_open {
            tokens.last_mut().expect("a word has begun").push(letter);
        } else {
            tokens.push(letter.to_string());
            is_open = true;
        }
    }
    tokens
}

/// One token is replaced, doubled, removed, exchanged with another, or many brackets are put before it.
fn change(tokens: &mut Vec<String>, bytes: &mut Bytes<'_>) {
    if tokens.is_empty() {
        return;
    }
    let at = usize::from(bytes.byte()) * 256 + usize::from(bytes.byte());
    let at = at % tokens.len();
    let odd = [
        "0",
        "-0",
        "1",
        "0.5",
        "-1",
        "1e999",
        "1e-999",
        "5e-324",
        "1.7976931348623157e308",
        "01",
        "1.",
        "NaN",
        "Infinity",
        "-Infinity",
        "null",
        "true",
        "\"\"",
        "\"weights\"",
        "\"means\"",
        "\"full\"",
        "\"EVE\"",
        "\"format\"",
        "\"version\"",
        "\"covariance_type\"",
        "\"training\"",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        "[[]]",
        "{}",
        "18446744073709551616",
    ];
    match bytes.byte() % 8 {
        0 => {
            tokens.remove(at);
        }
        1 => tokens.insert(at, tokens[at].clone()),
        2 => {
            let other = usize::from(bytes.byte()) % tokens.len();
            tokens.swap(at, other);
        }
        3 => {
            let depth = usize::from(bytes.byte()) * 64;
            tokens.insert(at, "[".repeat(depth));
        }
        4 => tokens[at] = format!("{:?}", bytes.number()),
        _ => tokens[at] = bytes.pick(odd).to_owned(),
    }
}
