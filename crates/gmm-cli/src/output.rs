//! Where results go: standard output, or a file that is replaced only once the new one is complete.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde::Serialize;

use crate::failure::Failure;

/// What is written to the file that `--out` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Binary or JSON; standard output has the report.
    Model,
    /// CSV or JSON, in place of standard output.
    Table,
    /// CSV beside a report on standard output.
    TableBeside,
}

/// Refuses a place for a result before the work is done: one that can't be written, or that would cost what is read.
pub(crate) fn check(out: Option<&Path>, kind: Kind, inputs: &[&Path]) -> Result<(), Failure> {
    let Some(path) = out else { return Ok(()) };
    let name = path.display();
    let usage = |reason: String| Err(Failure::Usage(format!("--out {name}: {reason}")));
    if is_stdout(path) {
        return match kind {
            Kind::Table => Ok(()),
            _ => usage("standard output has the report; name a file".to_owned()),
        };
    }
    let ending = path.extension().and_then(|ending| ending.to_str());
    let is = |names: &[&str]| {
        ending.is_some_and(|ending| names.iter().any(|name| ending.eq_ignore_ascii_case(name)))
    };
    match kind {
        Kind::Model if is(&["csv", "tsv", "npy"]) => {
            return usage(
                "a model is no table; name it .gmm, or .json for a readable one".to_owned(),
            );
        }
        Kind::Table | Kind::TableBeside if is(&["npy"]) => {
            return usage("tables are written as CSV; name it .csv".to_owned());
        }
        _ => {}
    }
    let target = fs::canonicalize(path).ok();
    let is_target = |input: &&&Path| fs::canonicalize(input).ok() == target;
    if target.is_some()
        && let Some(input) = inputs.iter().find(is_target)
    {
        return usage(format!(
            "it would replace {}, which is read; name another file",
            input.display()
        ));
    }
    gmm_io::can_replace_file(path).map_err(|error| cannot_write(path, &error))
}

/// Whether a path stands for standard output.
fn is_stdout(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::Refused(format!("cannot write {}: {error}", path.display()))
}

/// Writes to standard output.
pub(crate) fn to_stdout(
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Failure> {
    let mut stdout = BufWriter::new(io::stdout().lock());
    // Flushed here: an error that only shows when a buffer is dropped would be lost.
    write(&mut stdout)
        .and_then(|()| stdout.flush())
        .map_err(|error| Failure::of_stdout(&error))
}

/// Writes to a file if one is named, and to standard output otherwise.
pub(crate) fn to(
    path: Option<&Path>,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Failure> {
    match path {
        Some(path) if !is_stdout(path) => {
            gmm_io::replace_file(path, write).map_err(|error| cannot_write(path, &error))
        }
        _ => to_stdout(write),
    }
}

/// One JSON object on a line of its own.
pub(crate) fn json(path: Option<&Path>, value: &impl Serialize) -> Result<(), Failure> {
    to(path, |out| {
        serde_json::to_writer(&mut *out, value)?;
        out.write_all(b"\n")
    })
}

/// CSV cell by cell, with the writer's own errors: a reader who has gone must be known as such.
pub(crate) struct Csv<'a> {
    writer: csv::Writer<&'a mut dyn Write>,
}

impl<'a> Csv<'a> {
    pub(crate) fn new(out: &'a mut dyn Write) -> Self {
        Self {
            writer: csv::Writer::from_writer(out),
        }
    }

    /// One more cell of the current line.
    pub(crate) fn cell(&mut self, text: impl AsRef<[u8]>) -> io::Result<()> {
        self.writer.write_field(text).map_err(io_error)
    }

    /// The end of the current line.
    pub(crate) fn end_line(&mut self) -> io::Result<()> {
        self.writer.write_record(None::<&[u8]>).map_err(io_error)
    }

    /// A whole line.
    pub(crate) fn line(&mut self, cells: impl IntoIterator<Item: AsRef<[u8]>>) -> io::Result<()> {
        cells.into_iter().try_for_each(|cell| self.cell(cell))?;
        self.end_line()
    }

    /// The end of the table.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}
