//! A header that names all columns but the first, which then holds the names of the rows, as R's `write.table` writes it.

use std::collections::HashSet;

use csv::ByteRecord;

use super::counting::Counting;
use super::number::{self, Reading};
use super::options::Separator;

/// Whether the lines below a header have a row name before the cells that the header names.
///
/// A header is short for other reasons, too: a separator at the end of each line, a decimal comma or a space in a cell.
/// So the first cells must be what R makes of row names, different words or whole numbers, and where a comma or a space
/// could as well stand within a number (`1,5` below a single name) the numbers must count the rows.
pub(super) fn are_before(header: &ByteRecord, data: &[ByteRecord], separator: Separator) -> bool {
    let is_longer = |row: &ByteRecord| row.len() == header.len() + 1;
    if data.is_empty() || !data.iter().all(is_longer) {
        return false;
    }
    let ends_empty = |row: &ByteRecord| row[header.len()].trim_ascii().is_empty();
    let names: Vec<&[u8]> = data.iter().map(|row| row[0].trim_ascii()).collect();
    if data.iter().all(ends_empty) || names.contains(&&b""[..]) || !are_distinct(&names) {
        return false;
    }
    let numbers: Vec<f64> = names.iter().copied().filter_map(as_number).collect();
    let one_name = header.len() == 1;
    match separator {
        Separator::Is(b',') if one_name => false,
        _ if numbers.is_empty() => true,
        Separator::Is(b',') => are_a_count(&names),
        _ if one_name => are_a_count(&names),
        _ => numbers.iter().all(|&number| is_index(number)),
    }
}

/// A header with an empty cell for the row names before the others, so that it has as many cells as the lines below.
pub(super) fn with_cell(header: &ByteRecord) -> ByteRecord {
    let mut padded = ByteRecord::new();
    padded.push_field(b"");
    padded.extend(header);
    padded
}

fn are_distinct(names: &[&[u8]]) -> bool {
    let mut seen = HashSet::new();
    names.iter().all(|name| seen.insert(*name))
}

/// The number that a cell is, with whatever decimal sign.
fn as_number(cell: &[u8]) -> Option<f64> {
    [false, true]
        .into_iter()
        .find_map(|comma| match number::read(cell, comma) {
            Reading::Number(value) => Some(value),
            _ => None,
        })
}

fn is_index(number: f64) -> bool {
    number >= 0.0 && number.fract().abs() <= 0.0
}

/// Whether names are 0, 1, 2, ... or 1, 2, 3, ...; one alone says nothing.
fn are_a_count(names: &[&[u8]]) -> bool {
    let mut column = Counting::new(0);
    names.len() > 1
        && names
            .iter()
            .all(|name| column.goes_on(number::read(name, false)))
}
