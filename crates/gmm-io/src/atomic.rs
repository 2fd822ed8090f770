//! Replacing a file as a whole: readers see the old one or the new one, never a part.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use tempfile::NamedTempFile;

/// Replaces the file at `path` by what `write` writes, or leaves it as it was if anything fails.
///
/// The new bytes go to a temporary file in the same folder, reach the disk, and then take the old file's name and
/// permissions. What is no plain file (a pipe, a device) is written to as it is; a symbolic link stays, and the file
/// it points to is replaced.
///
/// # Errors
/// What opening, writing or renaming met; a folder that isn't there is named as such.
pub fn replace_file(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let target = match fs::canonicalize(path) {
        Ok(target) => target,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return write_new(path, None, write);
        }
        Err(error) => return Err(error),
    };
    // Opened for writing, though never written to: a file that its owner has protected must not be replaced by the
    // detour over its folder.
    let mut old = OpenOptions::new().write(true).open(&target)?;
    let metadata = old.metadata()?;
    if !metadata.is_file() {
        write(&mut old)?;
        return old.flush();
    }
    write_new(&target, Some(&metadata), write)
}

/// Whether [`replace_file`] could begin: for long work whose result will go there. Nothing is changed.
///
/// # Errors
/// What [`replace_file`] would meet before it writes.
pub fn can_replace_file(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        // A pipe would wait for its reader.
        Ok(metadata) if !metadata.is_file() && !metadata.is_dir() => Ok(()),
        Ok(_) => {
            OpenOptions::new().write(true).open(path)?;
            temporary(&fs::canonicalize(path)?).map(|_| ())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => temporary(path).map(|_| ()),
        Err(error) => Err(error),
    }
}

/// The folder in which a file stands.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// A new file in the folder of another one, which goes with its handle.
fn temporary(target: &Path) -> io::Result<NamedTempFile> {
    let folder = folder_of(target);
    // Asked first: the error of the temporary file would name that file, which nobody knows.
    fs::metadata(folder)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".gmm-");
    // Temporary files are private by default; a new file should be as readable as any other the user makes.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let new = builder.tempfile_in(folder);
    new.map_err(|error| error.kind().into())
}

fn write_new(
    target: &Path,
    old: Option<&Metadata>,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut new = temporary(target)?;
    {
        let mut buffered = io::BufWriter::new(&mut new);
        write(&mut buffered)?;
        buffered.flush()?;
    }
    if let Some(old) = old {
        new.as_file().set_permissions(old.permissions())?;
    }
    new.as_file().sync_all()?;
    new.persist(target)?;
    sync_folder(folder_of(target))
}

/// Makes the new name last through a loss of power.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        // Some network file systems can't do it for folders; the file itself is safe by then.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
            ) =>
        {
            Ok(())
        }
        result => result,
    }
}

/// Other systems have no way to ask for it.
#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_fails_halfway_leaves_the_old_file_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("old");
        fs::write(&path, "the good old bytes").unwrap();
        let error = replace_file(&path, |file| {
            file.write_all(b"half")?;
            file.flush()?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read(&path).unwrap(), b"the good old bytes");
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            1,
            "no temporary file is left"
        );
    }

    #[test]
    fn a_write_that_fails_leaves_no_new_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new");
        let error = replace_file(&path, |_| Err(io::ErrorKind::StorageFull.into()));
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn shorter_bytes_replace_longer_ones_entirely() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for bytes in [b"something long".as_slice(), b"short"] {
            replace_file(&path, |file| file.write_all(bytes)).unwrap();
            assert_eq!(fs::read(&path).unwrap(), bytes);
        }
    }
}
