//! NumPy's `.npy`: one array of numbers behind a short header.
//!
//! The format is described in NumPy's documentation of `numpy.lib.format`, versions 1, 2 and 3.

mod element;
mod error;
mod header;

use std::io::{self, Read, Write};
use std::path::Path;

use gmm_core::faer::{Mat, MatRef};

use self::header::Header;
use super::columns::HeaderNames;
use super::detect::Layout;
use super::error::TableError;
use super::options::{CsvOptions, Decisions, Missing};
use super::roles::Roles;
use super::{Ids, Table, default_name};

pub use self::error::NpyError;
pub(super) use self::header::MAGIC;

/// Arrays are read in pieces of this size, so that memory grows with the bytes that are there, not with the promise of
/// a header. A multiple of every element size.
const CHUNK_LEN: usize = 1 << 16;

/// Reads a one- or two-dimensional array of numbers as a table; a one-dimensional one is a single column.
///
/// All integers, booleans and floats of 32 or 64 bits are read, in either byte order, by rows or by columns, and
/// widened to `f64`; integers beyond 2^53 are refused because they would be rounded. Of the options, the choice of
/// columns by number and the treatment of missing values (NaN) apply.
///
/// # Errors
/// [`TableError::Npy`] for what is wrong with the file, other variants for the choice of columns.
pub fn read_npy(mut reader: impl Read, options: &CsvOptions) -> Result<Table, TableError> {
    let header = Header::read(&mut reader)?;
    // Before anything else is made of the shape, the cells that it promises must be there.
    let values = header.read_values(&mut reader)?;
    let names: Vec<String> = (0..header.n_columns).map(default_name).collect();
    let header_names = HeaderNames {
        names: &names,
        present: false,
        unnamed: &[],
    };
    let roles = Roles::resolve(options, &header_names, &Layout::default())?;
    let array = Array { header, values };

    let mut indices = roles.features.clone();
    indices.extend(roles.groups.into_iter().chain(roles.weights));
    let (rows, skipped) = array.usable_rows(&indices, options.missing)?;
    if rows.is_empty() {
        return Err(TableError::AllSkipped {
            skipped: skipped.len(),
        });
    }
    let array = &array;
    let column = |index| rows.iter().map(move |&row| array.value(row, index));
    let text = |index| Ids {
        name: default_name(index),
        values: column(index).map(|value| value.to_string()).collect(),
    };
    Ok(Table {
        values: Mat::from_fn(rows.len(), roles.features.len(), |i, j| {
            array.value(rows[i], roles.features[j])
        }),
        ids: roles.id.map(text),
        groups: roles.groups.map(text),
        weights: roles.weights.map(|index| column(index).collect()),
        names: roles.features.into_iter().map(default_name).collect(),
        decisions: Decisions {
            header: false,
            separator: None,
            decimal_comma: false,
            text_columns: Vec::new(),
            row_names: false,
            unnamed_columns: Vec::new(),
            skipped,
            blank_lines: 0,
        },
    })
}

/// Writes a matrix as a two-dimensional array of `float64`, by rows, in npy version 1.0.
///
/// # Errors
/// Whatever the writer reports.
pub fn write_npy(mut writer: impl Write, values: MatRef<'_, f64>) -> io::Result<()> {
    let (n_rows, n_columns) = values.shape();
    let dictionary =
        format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({n_rows}, {n_columns}), }}");
    // Magic, version and length take 10 bytes; with the line end the array starts at a multiple of 64, which lets
    // others map the file into memory.
    let used = 10 + dictionary.len() + 1;
    let padding = used.next_multiple_of(64) - used;
    let header_len = (dictionary.len() + padding + 1) as u16;

    writer.write_all(MAGIC)?;
    writer.write_all(&[1, 0])?;
    writer.write_all(&header_len.to_le_bytes())?;
    writer.write_all(dictionary.as_bytes())?;
    writer.write_all(&vec![b' '; padding])?;
    writer.write_all(b"\n")?;
    let mut row_bytes = Vec::with_capacity(8 * n_columns);
    for row in values.row_iter() {
        row_bytes.clear();
        row_bytes.extend(row.iter().flat_map(|value| value.to_le_bytes()));
        writer.write_all(&row_bytes)?;
    }
    Ok(())
}

/// Writes a matrix to an npy file, which is replaced only once the new one is complete.
///
/// # Errors
/// [`TableError::Write`].
pub fn save_npy(path: impl AsRef<Path>, values: MatRef<'_, f64>) -> Result<(), TableError> {
    let path = path.as_ref();
    crate::replace_file(path, |file| write_npy(file, values)).map_err(|source| TableError::Write {
        path: path.to_owned(),
        source,
    })
}

/// An array in the order of its file.
struct Array {
    header: Header,
    values: Vec<f64>,
}

impl Array {
    fn value(&self, row: usize, column: usize) -> f64 {
        let Header {
            n_rows, n_columns, ..
        } = self.header;
        if self.header.by_columns {
            self.values[column * n_rows + row]
        } else {
            self.values[row * n_columns + column]
        }
    }

    /// The rows whose values in these columns are finite, and the numbers (from 1) of those skipped.
    fn usable_rows(
        &self,
        columns: &[usize],
        missing: Missing,
    ) -> Result<(Vec<usize>, Vec<u64>), NpyError> {
        let mut rows = Vec::new();
        let mut skipped = Vec::new();
        'rows: for row in 0..self.header.n_rows {
            for &column in columns {
                let value = self.value(row, column);
                if value.is_nan() {
                    if missing != Missing::SkipRows {
                        return Err(NpyError::Missing {
                            row: row + 1,
                            column: column + 1,
                        });
                    }
                    skipped.push(row as u64 + 1);
                    continue 'rows;
                }
                if !value.is_finite() {
                    return Err(NpyError::NotFinite {
                        row: row + 1,
                        column: column + 1,
                        value,
                    });
                }
            }
            rows.push(row);
        }
        Ok((rows, skipped))
    }
}

impl Header {
    /// The numbers behind the header, all of them and nothing more.
    fn read_values(&self, reader: &mut impl Read) -> Result<Vec<f64>, TableError> {
        let expected = self.n_rows * self.n_columns * self.element.len();
        let mut values = Vec::new();
        let mut found = 0;
        while found < expected {
            let wanted = CHUNK_LEN.min(expected - found);
            let chunk = read_up_to(reader, wanted)?;
            found += chunk.len();
            if chunk.len() < wanted {
                return Err(NpyError::Truncated {
                    expected: expected as u64,
                    found: found as u64,
                }
                .into());
            }
            self.decode(&chunk, &mut values)?;
        }
        if !read_up_to(reader, 1)?.is_empty() {
            return Err(NpyError::TrailingBytes {
                expected: expected as u64,
            }
            .into());
        }
        Ok(values)
    }

    fn decode(&self, chunk: &[u8], values: &mut Vec<f64>) -> Result<(), NpyError> {
        for bytes in chunk.chunks_exact(self.element.len()) {
            // Elements are at most 8 bytes long; as the low bytes of one integer they all decode alike.
            let mut little = [0; 8];
            for (to, from) in little.iter_mut().zip(0..) {
                let Some(last) = bytes.len().checked_sub(from + 1) else {
                    break;
                };
                *to = bytes[if self.big_endian { last } else { from }];
            }
            let value = self.element.value(u64::from_le_bytes(little));
            values.push(value.map_err(|value| self.precision_error(values.len(), value))?);
        }
        Ok(())
    }

    fn precision_error(&self, position: usize, value: i128) -> NpyError {
        let (row, column) = if self.by_columns {
            (position % self.n_rows, position / self.n_rows)
        } else {
            (position / self.n_columns, position % self.n_columns)
        };
        NpyError::Precision {
            row: row + 1,
            column: column + 1,
            value,
        }
    }
}

/// As many bytes as there are, up to this number.
fn read_up_to(reader: &mut impl Read, len: usize) -> Result<Vec<u8>, TableError> {
    let mut bytes = Vec::new();
    reader
        .take(len as u64)
        .read_to_end(&mut bytes)
        .map_err(TableError::Read)?;
    Ok(bytes)
}
