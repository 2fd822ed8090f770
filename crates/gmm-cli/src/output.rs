//! Where results go: standard output, or a file that is replaced only once the new one is complete.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde::Serialize;

use crate::failure::Failure;

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
        None => to_stdout(write),
        Some(path) => gmm_io::replace_file(path, write)
            .map_err(|error| Failure::Refused(format!("cannot write {}: {error}", path.display()))),
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
