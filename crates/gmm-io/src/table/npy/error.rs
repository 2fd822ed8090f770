//! What can be wrong with an npy file.

use thiserror::Error;

use super::header::MAX_HEADER_LEN;

/// What is wrong with an npy file.
///
/// Rows and columns are counted from 1, as in the rest of a table's errors.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum NpyError {
    /// The file starts as something else.
    #[error("this is no npy file: it does not start with the bytes \\x93NUMPY")]
    NotNpy,
    /// A version of the format that this reader does not know.
    #[error(
        "npy version {major}.{minor} is unknown, expected 1.0, 2.0 or 3.0; save the array again with numpy.save"
    )]
    Version {
        /// The first number.
        major: u8,
        /// The second number.
        minor: u8,
    },
    /// The header is longer than that of any array of numbers.
    #[error("the npy header claims {found} bytes, expected at most {MAX_HEADER_LEN}")]
    HeaderTooLong {
        /// The length in the file.
        found: u64,
    },
    /// The header is not what numpy.save writes.
    #[error(
        "the npy header can't be understood at byte {position}; save the array again with numpy.save"
    )]
    Header {
        /// Where in the header.
        position: usize,
    },
    /// Elements of another type than the plain numbers.
    #[error(
        "the array's elements are {descr:?}, expected integers, booleans or floats of 32 or 64 bits; \
         convert it with astype(\"f8\")"
    )]
    ElementType {
        /// The type as the file names it.
        descr: String,
    },
    /// An array that is no table.
    #[error("the array has {found} dimensions, expected 1 or 2; reshape it")]
    Dimensions {
        /// Its number of dimensions.
        found: usize,
    },
    /// A table without cells.
    #[error("the array is {n_rows} x {n_columns}, expected at least one row and one column")]
    NoCells {
        /// The number of rows.
        n_rows: u64,
        /// The number of columns.
        n_columns: u64,
    },
    /// A shape whose number of bytes overflows.
    #[error("the array claims {n_rows} x {n_columns} cells, more than any file holds")]
    TooLarge {
        /// The number of rows.
        n_rows: u64,
        /// The number of columns.
        n_columns: u64,
    },
    /// The file ends before the array does.
    #[error(
        "the npy file is cut short: found {found} bytes of the array, expected {expected}; copy it again"
    )]
    Truncated {
        /// Bytes that the shape asks for.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// The file goes on behind the array.
    #[error(
        "the npy file goes on behind its {expected} bytes of array; split files that were joined"
    )]
    TrailingBytes {
        /// Bytes that the shape asks for.
        expected: u64,
    },
    /// A NaN.
    #[error(
        "row {row}, column {column} is NaN, a missing value; \
         fill the cell, leave the column out or skip rows with missing cells"
    )]
    Missing {
        /// The row.
        row: usize,
        /// The column.
        column: usize,
    },
    /// An infinity.
    #[error(
        "row {row}, column {column} is {value}, expected a finite number; leave the row or the column out"
    )]
    NotFinite {
        /// The row.
        row: usize,
        /// The column.
        column: usize,
        /// The value.
        value: f64,
    },
    /// An integer that would be rounded.
    #[error(
        "row {row}, column {column} is {value}, beyond the integers that floats hold exactly; subtract an offset"
    )]
    Precision {
        /// The row.
        row: usize,
        /// The column.
        column: usize,
        /// The value.
        value: i128,
    },
}
