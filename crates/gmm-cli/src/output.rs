//! Where results go: standard output, or a file that is replaced only once the new one is complete.

use std::fs::{self, File};
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
        Some(path) => replace(path, write)
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

/// Writes beside the file and then takes its place. What is no plain file (a device, a pipe) is written to as it is.
fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let target = match fs::canonicalize(path) {
        Ok(target) => target,
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        Err(error) => return Err(error),
    };
    let old = fs::metadata(&target).ok();
    if old.as_ref().is_some_and(|old| !old.is_file()) {
        let mut device = BufWriter::new(File::options().write(true).open(&target)?);
        write(&mut device)?;
        return device.flush();
    }
    if old.is_some() {
        // Opened but never written to: a file that its owner has protected must not be replaced by way of its folder.
        File::options().write(true).open(&target)?;
    }
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // Asked first: the error of the temporary file would name that file.
    fs::metadata(folder)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".gmm-");
    // Temporary files are private by default; a result should be as readable as any other file the user makes.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut new = builder.tempfile_in(folder)?;
    {
        let mut buffered = BufWriter::new(&mut new);
        write(&mut buffered)?;
        buffered.flush()?;
    }
    if let Some(old) = old {
        new.as_file().set_permissions(old.permissions())?;
    }
    new.persist(target)?;
    Ok(())
}
