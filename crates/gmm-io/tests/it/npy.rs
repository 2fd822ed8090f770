//! NumPy's arrays, from bytes written by hand.

use gmm_core::faer::{Mat, mat};
use gmm_io::table::{
    CsvOptions, Missing, NpyError, Table, TableError, read_npy, save_npy, write_npy,
};
use gmm_testkit::faults::{Fault, FaultyWriter};
use proptest::prelude::*;

/// A file of version 1.0 with this dictionary and these bytes of array.
fn file(dictionary: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((dictionary.len() as u16).to_le_bytes());
    bytes.extend(dictionary.as_bytes());
    bytes.extend(data);
    bytes
}

fn dictionary(descr: &str, by_columns: bool, shape: &str) -> String {
    let order = if by_columns { "True" } else { "False" };
    format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}          \n")
}

fn read(bytes: &[u8]) -> Result<Table, TableError> {
    read_npy(bytes, &CsvOptions::default())
}

fn rows(table: &Table) -> Vec<Vec<f64>> {
    let row = |i| table.values.row(i).iter().copied().collect();
    (0..table.values.nrows()).map(row).collect()
}

fn npy_error(bytes: &[u8]) -> NpyError {
    match read(bytes).unwrap_err() {
        TableError::Npy(error) => error,
        other => panic!("expected an npy error, found {other:?}"),
    }
}

#[test]
fn all_types_of_elements_are_read_in_both_byte_orders() {
    // (description, little-endian bytes of three elements, their values)
    let f8 = [1.5, -0.0, f64::MAX].map(f64::to_le_bytes).concat();
    let f4 = [0.1_f32, -2.5, f32::MIN_POSITIVE]
        .map(f32::to_le_bytes)
        .concat();
    let cases: [(&str, usize, Vec<u8>, [f64; 3]); 11] = [
        ("f8", 8, f8, [1.5, -0.0, f64::MAX]),
        (
            "f4",
            4,
            f4,
            [f64::from(0.1_f32), -2.5, f64::from(f32::MIN_POSITIVE)],
        ),
        ("i1", 1, vec![0xff, 0x80, 0x7f], [-1.0, -128.0, 127.0]),
        ("u1", 1, vec![0xff, 0x80, 0x7f], [255.0, 128.0, 127.0]),
        ("b1", 1, vec![1, 0, 1], [1.0, 0.0, 1.0]),
        (
            "i2",
            2,
            vec![0xfe, 0xff, 0, 0x80, 2, 1],
            [-2.0, -32768.0, 258.0],
        ),
        (
            "u2",
            2,
            vec![0xfe, 0xff, 0, 0x80, 2, 1],
            [65534.0, 32768.0, 258.0],
        ),
        (
            "i4",
            4,
            [-3_i32, i32::MIN, 7].map(i32::to_le_bytes).concat(),
            [-3.0, -2147483648.0, 7.0],
        ),
        (
            "u4",
            4,
            [u32::MAX, 0, 7].map(u32::to_le_bytes).concat(),
            [4294967295.0, 0.0, 7.0],
        ),
        (
            "i8",
            8,
            [-(1_i64 << 53), 1 << 53, 7].map(i64::to_le_bytes).concat(),
            [-9007199254740992.0, 9007199254740992.0, 7.0],
        ),
        (
            "u8",
            8,
            [1_u64 << 53, 0, 7].map(u64::to_le_bytes).concat(),
            [9007199254740992.0, 0.0, 7.0],
        ),
    ];
    for (kind, len, little, expected) in cases {
        let big: Vec<u8> = little
            .chunks(len)
            .flat_map(|chunk| chunk.iter().rev().copied())
            .collect();
        let mut files = vec![
            (format!("<{kind}"), little.clone()),
            (format!(">{kind}"), big),
        ];
        if len == 1 {
            files.push((format!("|{kind}"), little));
        }
        for (descr, data) in files {
            let table = read(&file(&dictionary(&descr, false, "(3,)"), &data)).unwrap();
            let column: Vec<u64> = table.values.col(0).iter().map(|v| v.to_bits()).collect();
            assert_eq!(column, expected.map(f64::to_bits), "{descr}");
        }
    }
}

#[test]
fn rows_and_columns_come_out_right_in_both_orders() {
    let data: Vec<u8> = (1..=6).collect();
    let by_rows = read(&file(&dictionary("|u1", false, "(2, 3)"), &data)).unwrap();
    assert_eq!(rows(&by_rows), [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    let by_columns = read(&file(&dictionary("|u1", true, "(2, 3)"), &data)).unwrap();
    assert_eq!(rows(&by_columns), [[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]]);
    assert_eq!(by_columns.names, ["x1", "x2", "x3"]);
    assert_eq!(by_columns.decisions.to_string(), "npy");
}

#[test]
fn longer_headers_of_versions_2_and_3_are_read() {
    let text = dictionary("|u1", false, "(1, 2)");
    for major in [2, 3] {
        let mut bytes = b"\x93NUMPY".to_vec();
        bytes.extend([major, 0]);
        bytes.extend((text.len() as u32).to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes.extend([7, 8]);
        assert_eq!(rows(&read(&bytes).unwrap()), [[7.0, 8.0]]);
    }
}

#[test]
fn the_dictionary_may_be_spaced_and_ordered_freely() {
    for text in [
        "{\"shape\":(2,1),\"fortran_order\":False,\"descr\":\"|u1\"}",
        "  { 'fortran_order' : True , 'descr' : '|u1' , 'shape' : ( 2 , ) }\n",
    ] {
        assert_eq!(
            rows(&read(&file(text, &[7, 8])).unwrap()),
            [[7.0], [8.0]],
            "{text}"
        );
    }
}

#[test]
fn columns_ids_weights_and_gaps_work_as_in_csv() {
    let data: Vec<u8> = [1.0, 2.0, 3.5, 4.0, f64::NAN, 6.0, 7.0, 8.0, 9.0]
        .into_iter()
        .flat_map(f64::to_le_bytes)
        .collect();
    let bytes = file(&dictionary("<f8", false, "(3, 3)"), &data);
    let options = CsvOptions::default()
        .columns("2".parse().unwrap())
        .id("3".parse().unwrap())
        .weights("1".parse().unwrap())
        .missing(Missing::SkipRows);
    let table = read_npy(bytes.as_slice(), &options).unwrap();
    assert_eq!(rows(&table), [[2.0], [8.0]]);
    assert_eq!(table.names, ["x2"]);
    assert_eq!(table.weights.unwrap(), [1.0, 7.0]);
    assert_eq!(table.ids.unwrap().values, ["3.5", "9"]);
    assert_eq!(
        table.decisions.to_string(),
        "npy, 1 row with missing cells skipped (the first: row 2)"
    );
    let grouped = CsvOptions::default()
        .columns("3".parse().unwrap())
        .groups("2".parse().unwrap())
        .missing(Missing::SkipRows);
    let table = read_npy(bytes.as_slice(), &grouped).unwrap();
    assert_eq!(table.groups.unwrap().values, ["2", "8"]);
    // The gap is in no column that is read.
    let other = CsvOptions::default().columns("1,3".parse().unwrap());
    assert_eq!(
        read_npy(bytes.as_slice(), &other).unwrap().values.nrows(),
        3
    );
    let named = CsvOptions::default().columns("height".parse().unwrap());
    assert_eq!(
        read_npy(bytes.as_slice(), &named).unwrap_err().to_string(),
        r#"a column named "height" is asked for, but the table has no header; choose by number"#
    );
}

#[test]
fn values_that_no_table_holds_are_named_by_place() {
    let data = [1.0, 2.0, 3.0, f64::INFINITY]
        .map(f64::to_le_bytes)
        .concat();
    assert_eq!(
        npy_error(&file(&dictionary("<f8", true, "(2, 2)"), &data)).to_string(),
        "row 2, column 2 is inf, expected a finite number; leave the row or the column out"
    );
    let data = [1.0, 2.0, f64::NAN, 4.0].map(f64::to_le_bytes).concat();
    assert_eq!(
        npy_error(&file(&dictionary("<f8", false, "(2, 2)"), &data)).to_string(),
        "row 2, column 1 is NaN, a missing value; \
         fill the cell, leave the column out or skip rows with missing cells"
    );
    let data = [1_u64, 2, (1 << 53) + 1, 4].map(u64::to_le_bytes).concat();
    assert_eq!(
        npy_error(&file(&dictionary("<u8", true, "(2, 2)"), &data)).to_string(),
        "row 1, column 2 is 9007199254740993, beyond the integers that floats hold exactly; subtract an offset"
    );
    let data = [i64::MIN, 0].map(i64::to_le_bytes).concat();
    assert_eq!(
        npy_error(&file(&dictionary("<i8", false, "(2,)"), &data)),
        NpyError::Precision {
            row: 1,
            column: 1,
            value: i128::from(i64::MIN)
        }
    );
}

#[test]
fn arrays_that_are_no_tables_are_refused() {
    for (descr, shape, message) in [
        (
            "<f8",
            "()",
            "the array has 0 dimensions, expected 1 or 2; reshape it",
        ),
        (
            "<f8",
            "(1, 2, 3)",
            "the array has 3 dimensions, expected 1 or 2; reshape it",
        ),
        (
            "<f8",
            "(0, 3)",
            "the array is 0 x 3, expected at least one row and one column",
        ),
        (
            "<f8",
            "(4294967296, 4294967296)",
            "the array claims 4294967296 x 4294967296 cells, more than any file holds",
        ),
        (
            "<c16",
            "(1,)",
            "the array's elements are \"<c16\", expected integers, booleans or floats of 32 or 64 bits; \
             convert it with astype(\"f8\")",
        ),
    ] {
        let bytes = file(&dictionary(descr, false, shape), &[0; 64]);
        assert_eq!(npy_error(&bytes).to_string(), message);
    }
    for descr in ["<f2", "|f8", "<O8", "<U5", "=f8", "f8", "", "<i3", "<b2"] {
        let bytes = file(&dictionary(descr, false, "(1,)"), &[0; 64]);
        assert_eq!(
            npy_error(&bytes),
            NpyError::ElementType {
                descr: descr.into()
            }
        );
    }
    let record =
        "{'descr': [('x', '<f8'), ('y', '<f8')], 'fortran_order': False, 'shape': (1,), }\n";
    assert_eq!(
        npy_error(&file(record, &[0; 16])),
        NpyError::ElementType {
            descr: "[('x', '<f8'), ('y', '<f8')]".into()
        }
    );
}

#[test]
fn headers_that_numpy_does_not_write_are_refused() {
    for text in [
        "",
        "{",
        "{}",
        "[1]",
        "{'descr': '<f8', 'fortran_order': False}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), 'more': 1}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), 'shape': (1,)}",
        "{'descr': '<f8', 'fortran_order': 0, 'shape': (1,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1,)} x",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1,",
        "{'descr: ",
        "{'descr': [",
    ] {
        let error = npy_error(&file(text, &[0; 8]));
        assert!(
            matches!(error, NpyError::Header { .. }),
            "{text:?}: {error:?}"
        );
    }
    assert_eq!(
        npy_error(&file("{'a'", &[])).to_string(),
        "the npy header can't be understood at byte 4; save the array again with numpy.save"
    );
    assert_eq!(
        npy_error(b"\x93NUMPY\x04\x00").to_string(),
        "npy version 4.0 is unknown, expected 1.0, 2.0 or 3.0; save the array again with numpy.save"
    );
    assert_eq!(
        npy_error(b"\x93NUMPY\x02\x00\xff\xff\xff\xff").to_string(),
        "the npy header claims 4294967295 bytes, expected at most 65536"
    );
    assert_eq!(
        npy_error(b"1,2\n3,4\n").to_string(),
        "this is no npy file: it does not start with the bytes \\x93NUMPY"
    );
}

#[test]
fn every_cut_is_an_error_and_so_is_a_byte_too_many() {
    let whole = file(&dictionary("<f4", false, "(2, 2)"), &[0; 16]);
    assert!(read(&whole).is_ok());
    for len in 0..whole.len() {
        assert!(read(&whole[..len]).is_err(), "cut to {len} bytes");
    }
    assert_eq!(
        npy_error(&whole[..whole.len() - 5]).to_string(),
        "the npy file is cut short: found 11 bytes of the array, expected 16; copy it again"
    );
    assert_eq!(
        npy_error(&[whole.as_slice(), b"x"].concat()).to_string(),
        "the npy file goes on behind its 16 bytes of array; split files that were joined"
    );
}

#[test]
fn a_promise_of_terabytes_costs_nothing() {
    // 2^44 bytes of array are claimed, 8 are there; believed, the claim would end the process.
    for shape in [
        "(1048576, 2097152)",
        "(1, 2199023255552)",
        "(2199023255552,)",
    ] {
        let bytes = file(&dictionary("<f8", false, shape), &[0; 8]);
        assert!(matches!(
            npy_error(&bytes),
            NpyError::Truncated { found: 8, .. }
        ));
    }
}

#[test]
fn what_is_written_is_what_numpy_writes() {
    // numpy.save of numpy.array([[1.0, 2.0]]) with NumPy 2.
    let mut expected =
        b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2), }"
            .to_vec();
    expected.resize(127, b' ');
    expected.push(b'\n');
    expected.extend([1.0, 2.0].map(f64::to_le_bytes).concat());
    let mut written = Vec::new();
    write_npy(&mut written, mat![[1.0, 2.0]].as_ref()).unwrap();
    assert_eq!(written, expected);
}

#[test]
fn a_writer_that_fails_at_any_byte_is_an_error() {
    let values = mat![[1.0, 2.0], [3.0, 4.0]];
    for limit in 0..128 + 32 {
        for fault in [
            Fault::Error(std::io::ErrorKind::StorageFull),
            Fault::Nothing,
        ] {
            assert!(
                write_npy(FaultyWriter::new(limit, fault), values.as_ref()).is_err(),
                "{limit}"
            );
        }
    }
}

#[test]
fn files_are_replaced_by_save() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    for values in [mat![[1.0, 2.0], [3.0, 4.0]], mat![[5.0]]] {
        save_npy(&path, values.as_ref()).unwrap();
        let table = read(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(table.values, values);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

proptest! {
    #[test]
    fn arrays_survive_being_written_and_read(
        (n, d, cells) in (1..9_usize, 1..9_usize).prop_flat_map(|(n, d)| {
            let cell = proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL | proptest::num::f64::ZERO;
            (Just(n), Just(d), prop::collection::vec(cell, n * d))
        })
    ) {
        let values = Mat::from_fn(n, d, |i, j| cells[i * d + j]);
        let mut bytes = Vec::new();
        write_npy(&mut bytes, values.as_ref()).unwrap();
        prop_assert_eq!(bytes.len() % 64, (8 * n * d) % 64);
        let read = read(&bytes).unwrap();
        for (i, &cell) in cells.iter().enumerate() {
            prop_assert_eq!(read.values[(i / d, i % d)].to_bits(), cell.to_bits());
        }
    }

    #[test]
    fn any_header_is_a_table_or_an_error(text in "[{}()':, <f8A-Za-z0-9]{0,60}", data in prop::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(table) = read(&file(&text, &data)) {
            prop_assert!(table.values.nrows() * table.values.ncols() <= data.len());
        }
    }
}
