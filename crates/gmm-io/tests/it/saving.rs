//! Writers, disks and processes that fail in the middle: the old model stays.

use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use gmm_core::CovarianceType;
use gmm_io::{ModelError, ModelFile, encode, load, save};
use gmm_testkit::faults::{Fault, FaultyWriter};

use crate::mixtures::{bits, small};

#[test]
fn a_writer_that_fails_at_any_byte_is_an_error() {
    let model = small(CovarianceType::Full);
    let whole = encode(&model).unwrap();
    for limit in 0..whole.len() {
        for (fault, reported) in [
            (
                Fault::Error(io::ErrorKind::StorageFull),
                io::ErrorKind::StorageFull,
            ),
            (Fault::Nothing, io::ErrorKind::WriteZero),
            (
                Fault::Flush(io::ErrorKind::BrokenPipe),
                io::ErrorKind::BrokenPipe,
            ),
        ] {
            let mut writer = FaultyWriter::new(limit, fault);
            match model.write_to(&mut writer).unwrap_err() {
                ModelError::Stream(error) => {
                    assert_eq!(error.kind(), reported, "{fault:?} after {limit} bytes")
                }
                other => panic!("{fault:?} after {limit} bytes: {other:?}"),
            }
            assert!(whole.starts_with(writer.written()));
        }
        for fault in [Fault::Short, Fault::Interrupted] {
            let mut writer = FaultyWriter::new(limit, fault);
            model.write_to(&mut writer).unwrap();
            assert!(
                writer.has_struck() && writer.written() == whole,
                "{fault:?} after {limit} bytes"
            );
        }
    }
}

/// A reader that fails behind its bytes.
struct Failing<'a>(&'a [u8]);

impl Read for Failing<'_> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        match self.0.read(target)? {
            0 => Err(io::ErrorKind::TimedOut.into()),
            n => Ok(n),
        }
    }
}

#[test]
fn a_reader_that_fails_at_any_byte_is_an_error() {
    let whole = encode(&small(CovarianceType::Tied)).unwrap();
    for len in 0..=whole.len() {
        let error = ModelFile::read_from(Failing(&whole[..len])).unwrap_err();
        assert!(
            matches!(error, ModelError::Stream(_)),
            "{len} bytes: {error:?}"
        );
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_an_error() {
    use std::os::unix::fs::FileTypeExt;

    let error = save("/dev/full", small(CovarianceType::Full)).unwrap_err();
    assert_eq!(error.to_string(), "cannot write /dev/full");
    match error {
        ModelError::Save { source, .. } => assert_eq!(source.kind(), io::ErrorKind::StorageFull),
        other => panic!("{other:?}"),
    }
    // The device is written to, not replaced.
    assert!(
        std::fs::metadata("/dev/full")
            .unwrap()
            .file_type()
            .is_char_device()
    );
}

#[test]
fn paths_that_can_not_be_written_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let model = small(CovarianceType::Full);
    let nowhere = folder.path().join("no/such/folder/a.gmm");
    let error = save(&nowhere, &model).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot write {}", nowhere.display())
    );
    assert!(matches!(
        save(folder.path(), &model).unwrap_err(),
        ModelError::Save { .. }
    ));
    let error = load(&nowhere).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot read {}", nowhere.display())
    );
    assert!(matches!(
        load(folder.path()).unwrap_err(),
        ModelError::Open { .. }
    ));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
#[cfg(unix)]
fn permissions_and_links_are_kept() {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let model = small(CovarianceType::Diag);

    fs::write(path("plain"), "").unwrap();
    save(path("new.gmm"), &model).unwrap();
    assert_eq!(
        mode(&path("new.gmm")),
        mode(&path("plain")),
        "a new file is as any other"
    );

    fs::set_permissions(path("new.gmm"), fs::Permissions::from_mode(0o640)).unwrap();
    save(path("new.gmm"), &model).unwrap();
    assert_eq!(mode(&path("new.gmm")), 0o640);

    symlink("new.gmm", path("link.gmm")).unwrap();
    fs::write(path("new.gmm"), "old").unwrap();
    save(path("link.gmm"), &model).unwrap();
    assert!(fs::symlink_metadata(path("link.gmm")).unwrap().is_symlink());
    assert_eq!(load(path("new.gmm")).unwrap(), model);
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        3,
        "nothing else is left behind"
    );
}

/// In this variable the parent tells its child to save for ever.
const CHILD: &str = "GMM_IO_TEST_SAVE_FOR_EVER";

/// Deadline for the child to come up; only a broken machine takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_killed_save_leaves_the_old_model_or_the_new() {
    let models = [
        small(CovarianceType::Full),
        small(CovarianceType::Spherical),
    ];
    // The child is this test again; a relative path takes the folder from the process.
    let path = Path::new("model.gmm");
    if std::env::var_os(CHILD).is_some() {
        loop {
            models.iter().for_each(|model| save(path, model).unwrap());
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(path);
    let known = models.each_ref().map(bits);
    for round in 0..10 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "saving::a_killed_save_leaves_the_old_model_or_the_new",
            ])
            .env(CHILD, "1")
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let start = Instant::now();
        while !path.exists() && start.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(1));
        }
        // Deaths at odd moments, spread over a few saves.
        std::thread::sleep(Duration::from_millis(7 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        let found = bits(&load(&path).unwrap());
        assert!(known.contains(&found), "round {round}");
    }
}
