//! Standard error: errors, and notes about what was decided.

use std::io::Write;

/// How much the user wants to be told, and in which form.
pub(crate) struct Console {
    quiet: bool,
    json: bool,
}

impl Console {
    pub(crate) fn new(quiet: bool, json: bool) -> Self {
        Self { quiet, json }
    }

    /// Whether neither notes nor progress are to be shown.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Whether the result is to be JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Something worth knowing beside the result.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            say("note", text);
        }
    }

    /// Why there is no result.
    pub(crate) fn error(&self, text: &str) {
        say("error", text);
    }
}

fn say(kind: &str, text: &str) {
    // File names may hold line ends; a message is one line.
    let line = text.replace(['\n', '\r'], " ");
    // Where standard error itself is closed there is nobody to tell.
    let _ = writeln!(std::io::stderr().lock(), "{kind}: {line}");
}
