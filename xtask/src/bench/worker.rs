//! A program that answers a line with a line of JSON: one system at work on one workload.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::{Outcome, shell};

/// A running system.
pub(super) struct Worker {
    child: Child,
    answers: BufReader<ChildStdout>,
    /// What it writes to its standard error.
    log: PathBuf,
}

impl Worker {
    /// Starts a program and reads its first line.
    pub(super) fn start(command: &mut Command, log: &Path) -> Outcome<(Self, Value)> {
        let file = File::create(log)
            .map_err(|error| format!("cannot write {}: {error}", log.display()))?;
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .map_err(|error| format!("cannot start `{}`: {error}", shell::line(command)))?;
        let stdout = child.stdout.take().expect("the output was set to a pipe");
        let mut worker = Self {
            child,
            answers: BufReader::new(stdout),
            log: log.to_owned(),
        };
        let hello = worker.answer()?;
        Ok((worker, hello))
    }

    /// Sends a command and waits for its answer, however long it takes.
    pub(super) fn ask(&mut self, words: &str) -> Outcome<Value> {
        let stdin = self
            .child
            .stdin
            .as_mut()
            .expect("the input was set to a pipe");
        // If it has ended, the missing answer says so.
        let _ = writeln!(stdin, "{words}").and_then(|()| stdin.flush());
        self.answer()
    }

    /// Asks for a number; nothing when the system doesn't have it.
    pub(super) fn number(&mut self, words: &str, key: &str) -> Outcome<Option<f64>> {
        Ok(self.ask(words)?[key].as_f64())
    }

    fn answer(&mut self) -> Outcome<Value> {
        let mut line = String::new();
        let is_there = self.answers.read_line(&mut line).is_ok_and(|len| len > 0);
        if !is_there {
            return Err(format!("ended early: {}", self.last_words()));
        }
        serde_json::from_str(&line).map_err(|_| format!("wrote no JSON: {}", line.trim()))
    }

    fn last_words(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let last = text.lines().rfind(|line| !line.trim().is_empty());
        let log = self.log.display();
        match last {
            Some(words) => format!("{} (all of it in {log})", words.trim()),
            None => "it said nothing".to_owned(),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Without more commands it ends by itself; one that failed to understand one has ended already.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn start(name: &str, script: &str) -> Outcome<(Worker, Value)> {
        let log = std::env::temp_dir().join(format!("xtask-worker-{name}-{}", std::process::id()));
        Worker::start(&mut shell::program("sh", &["-c", script]), &log)
    }

    #[test]
    fn commands_are_answered_one_by_one() {
        let script =
            r#"echo '{"version": "1.2"}'; while read a b; do echo "{\"seconds\": $b}"; done"#;
        let (mut worker, hello) = start("answers", script).unwrap();
        assert_eq!(hello["version"].as_str(), Some("1.2"));
        assert_eq!(worker.number("fit 2", "seconds"), Ok(Some(2.0)));
        assert_eq!(worker.number("fit 6", "seconds"), Ok(Some(6.0)));
        assert_eq!(worker.number("fit 6", "bytes"), Ok(None));
        fs::remove_file(&worker.log).unwrap();
    }

    #[test]
    fn the_last_words_of_one_that_ends_are_kept() {
        let (mut worker, _) =
            start("ends", "echo '{}'; read a; echo 'no memory left' >&2").unwrap();
        let failure = worker.ask("fit 2").unwrap_err();
        assert!(
            failure.starts_with("ended early: no memory left (all of it in "),
            "{failure}"
        );
        fs::remove_file(&worker.log).unwrap();
    }
}
