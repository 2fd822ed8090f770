//! The target `npy`: any bytes are a table of finite numbers or an error that says what is wrong.

use std::io::{self, Read};

use gmm_io::table::{Column, CsvOptions, Missing, Table, read_npy, write_npy};

use super::bytes::Bytes;
use super::{Outcome, check_message};

/// Reads the input as npy, as it is or behind a header that is nearly in order, and checks
/// - that a table has rows and columns, finite numbers, and no more cells than the file has bytes for;
/// - that the same bytes are the same table when they come in small pieces;
/// - that the table, written out, is read back bit for bit, in a file of the stated length.
pub fn npy(data: &[u8]) -> Outcome {
    let mut bytes = Bytes::new(data);
    let mut options = CsvOptions::default();
    if bytes.byte() % 2 == 1 {
        options = options.missing(Missing::SkipRows);
    }
    match bytes.byte() % 8 {
        1 => options = options.weights(Column::Number(bytes.count(0, 3))),
        2 => options = options.id(Column::Number(bytes.count(0, 3))),
        3 => options = options.exclude(Column::Number(bytes.count(0, 3)).into()),
        _ => {}
    }
    let piece = bytes.count(1, 7);
    let file = if bytes.byte() < 32 {
        bytes.rest().to_vec()
    } else {
        with_header(&mut bytes)
    };
    let pieces = Pieces {
        rest: &file,
        len: piece,
    };
    match (
        read_npy(file.as_slice(), &options),
        read_npy(pieces, &options),
    ) {
        (Ok(table), Ok(same)) => {
            assert_eq!(
                bits(&table),
                bits(&same),
                "a file in pieces is another table"
            );
            sound(&table, &file);
            round_trip(&table);
            Outcome::Checked
        }
        (Err(error), Err(same)) => {
            check_message(&error);
            assert_eq!(
                error.to_string(),
                same.to_string(),
                "a file in pieces has another error"
            );
            Outcome::Refused
        }
        (whole, pieces) => panic!("whole: {whole:?}, in pieces: {pieces:?}"),
    }
}

/// A header as NumPy writes it, with types and shapes from the input, and the rest of the input as the array.
fn with_header(bytes: &mut Bytes<'_>) -> Vec<u8> {
    let (descr, len) = bytes.pick([
        ("<f8", 8),
        (">f8", 8),
        ("<f4", 4),
        (">f4", 4),
        ("|b1", 1),
        ("|i1", 1),
        ("<u2", 2),
        (">i4", 4),
        ("<i8", 8),
        (">u8", 8),
        ("<f2", 2),
        ("|O", 8),
        ("<c16", 16),
    ]);
    let order = bytes.pick(["False", "True", "False", "None"]);
    let (mut rows, columns) = (bytes.count(0, 20) as u64, bytes.count(1, 4) as u64);
    let promise = bytes.byte();
    if promise == 0xff {
        rows = bytes.bits();
    }
    let shape = match promise % 8 {
        1 => format!("({rows},)"),
        2 => format!("({rows}, {columns}, 1)"),
        3 => "()".to_owned(),
        _ => format!("({rows}, {columns})"),
    };
    let dictionary =
        format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
    let version = bytes.pick([1_u8, 1, 1, 2, 3, 4]);
    let mut file = b"\x93NUMPY".to_vec();
    file.extend([version, 0]);
    if version == 1 {
        file.extend((dictionary.len() as u16).to_le_bytes());
    } else {
        file.extend((dictionary.len() as u32).to_le_bytes());
    }
    file.extend(dictionary.as_bytes());
    // As many bytes as the shape says; the input's end is followed by zeros, so short inputs are whole arrays, too.
    let n_cells = if promise % 8 == 1 {
        rows
    } else {
        rows.wrapping_mul(columns)
    };
    let n_bytes = n_cells.wrapping_mul(len);
    let n_bytes = if n_bytes <= 2000 {
        n_bytes as usize
    } else {
        64
    };
    file.extend((0..n_bytes).map(|_| bytes.byte()));
    if bytes.byte() == 1 {
        file.push(0);
    }
    file
}

fn sound(table: &Table, file: &[u8]) {
    let (n_samples, n_features) = (table.values.nrows(), table.values.ncols());
    assert!(n_samples > 0 && n_features > 0, "a table without cells");
    assert!(
        n_samples * n_features <= file.len(),
        "more cells than bytes"
    );
    assert_eq!(table.names.len(), n_features);
    assert!((0..n_features).all(|j| (0..n_samples).all(|i| table.values[(i, j)].is_finite())));
    let n_weights = table.weights.as_ref().map_or(n_samples, Vec::len);
    let n_ids = table.ids.as_ref().map_or(n_samples, |ids| ids.values.len());
    assert_eq!((n_weights, n_ids), (n_samples, n_samples));
}

fn round_trip(table: &Table) {
    let mut file = Vec::new();
    write_npy(&mut file, table.values.as_ref()).expect("a Vec takes all that is written");
    let n_cells = table.values.nrows() * table.values.ncols();
    assert_eq!(
        (file.len() - 8 * n_cells) % 64,
        0,
        "the array is not aligned"
    );
    let again =
        read_npy(file.as_slice(), &CsvOptions::default()).expect("what was written can be read");
    assert_eq!(
        bits(table),
        bits(&again),
        "the table changed on its way through a file"
    );
}

/// The numbers row by row, by their bits: -0 is not 0 here.
fn bits(table: &Table) -> Vec<Vec<u64>> {
    let row = |row: gmm_core::faer::RowRef<'_, f64>| row.iter().map(|v| v.to_bits()).collect();
    table.values.row_iter().map(row).collect()
}

/// A reader that hands out a few bytes at a time.
struct Pieces<'a> {
    rest: &'a [u8],
    len: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.len.min(buffer.len()).min(self.rest.len());
        buffer[..n].copy_from_slice(&self.rest[..n]);
        self.rest = &self.rest[n..];
        Ok(n)
    }
}
