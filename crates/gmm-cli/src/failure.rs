//! What ends the program early.

use std::io;

/// Why there is no result. Messages are one line: what, where, what to do.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The data, a model or a file was refused, or the work failed: exit code 1.
    Refused(String),
    /// Words on the command line that don't go together: exit code 2.
    Usage(String),
    /// The user asked to stop before there was anything to show: exit code 130.
    Interrupted(String),
    /// Whoever read standard output has closed it: the end, but no error.
    ReaderGone,
}

impl Failure {
    /// Standard output could not be written.
    pub(crate) fn of_stdout(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::ReaderGone,
            _ => Self::Refused(format!("cannot write to standard output: {error}")),
        }
    }
}
