//! Finding out what kind of file a path names.

use std::path::PathBuf;

use gmm_core::faer::mat;
use gmm_io::table::{CsvOptions, TableError, TextColumns, read_table, save_npy};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

fn message(path: PathBuf) -> String {
    read_table(path, &CsvOptions::default())
        .unwrap_err()
        .to_string()
}

#[test]
fn content_decides_between_csv_and_npy() {
    let folder = Folder::new();
    let path = folder.0.path().join("array.dat");
    save_npy(&path, mat![[1.0, 2.0]].as_ref()).unwrap();
    let npy = read_table(path, &CsvOptions::default()).unwrap();
    let csv = read_table(folder.file("table.dat", b"1,2\n"), &CsvOptions::default()).unwrap();
    assert_eq!(npy.values, csv.values);
    let short = read_table(folder.file("short.csv", b"7"), &CsvOptions::default()).unwrap();
    assert_eq!(short.values[(0, 0)], 7.0);
}

#[test]
fn files_of_other_kinds_are_named() {
    let folder = Folder::new();
    for (bytes, expected) in [
        (
            b"\x1f\x8b\x08\x00\x00".as_slice(),
            "this is a gzip file, expected CSV or npy; decompress it first",
        ),
        (
            b"PK\x03\x04\x14\x00",
            "this is a zip archive, expected CSV or npy; unpack an .npz, save an .xlsx as CSV",
        ),
        (
            b"PAR1\x15\x04",
            "this is a Parquet file, expected CSV or npy; convert it first",
        ),
        (
            b"\x89HDF\r\n\x1a\n",
            "this is an HDF5 file, expected CSV or npy; convert it first",
        ),
        (
            b"\x89GMM\r\n\x1a\n",
            "this is a model, expected CSV or npy; give the table of data in its place",
        ),
    ] {
        assert_eq!(message(folder.file("table.csv", bytes)), expected);
    }
    assert_eq!(
        message(folder.file("table.npy", b"1,2\n")),
        "this is no npy file in spite of its name, expected CSV or npy; rename it if it is CSV"
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = read_table("no/such/file.csv", &CsvOptions::default()).unwrap_err();
    assert!(matches!(error, TableError::Open { .. }));
    assert_eq!(error.to_string(), "cannot open no/such/file.csv");
    let folder = Folder::new();
    let error = read_table(folder.0.path(), &CsvOptions::default()).unwrap_err();
    assert!(
        matches!(error, TableError::Read(_) | TableError::Open { .. }),
        "{error:?}"
    );
}

#[test]
fn real_tables_are_read() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if !folder.is_dir() {
        eprintln!(
            "SKIPPED: real_tables_are_read needs the folder {}",
            folder.display()
        );
        return;
    }
    let options = CsvOptions::default().text_columns(TextColumns::Leave);
    for (name, n_rows, n_columns, header) in [
        ("faithful.csv", 272, 2, true),
        ("iris.csv", 150, 4, true),
        ("wine_sklearn.csv", 178, 14, true),
        ("galaxies_MASS.csv", 82, 1, true),
        ("stackloss_statsmodels.csv", 21, 4, true),
        ("sunspots_statsmodels.csv", 309, 2, true),
    ] {
        let table = read_table(folder.join(name), &options).unwrap();
        assert_eq!(table.values.shape(), (n_rows, n_columns), "{name}");
        assert_eq!(table.decisions.header, header, "{name}");
    }
    let skip = options.missing(gmm_io::table::Missing::SkipRows);
    for (name, n_rows, n_columns) in [
        ("penguins_palmer.csv", 342, 5),
        ("airquality_with_NA.csv", 111, 6),
    ] {
        let table = read_table(folder.join(name), &skip).unwrap();
        assert_eq!(table.values.shape(), (n_rows, n_columns), "{name}");
    }
}
