//! Rows that lie so far out in a column that they, not the others, make its spread: slips, or codes for missing values.

use crate::data::Data;
use crate::number::{fixed, shortest};
use crate::text::counted;

/// Standard deviations of the other rows. Heavy tails hardly reach so far: of Student's distribution with three degrees of freedom one row in two million.
const FAR: f64 = 100.0;

/// A code for missing values stands in a small part of the rows.
const MOST_ROWS: f64 = 0.1;

/// Of more columns than this the first are told.
const MOST_COLUMNS: usize = 3;

/// A note for each column whose largest or smallest value is far from all others.
pub(crate) fn notes(data: &Data) -> Vec<String> {
    let found: Vec<String> = (0..data.n_features())
        .filter_map(|feature| note(data, feature))
        .collect();
    let n_more = found.len().saturating_sub(MOST_COLUMNS);
    let more = (n_more > 0).then(|| format!("{} more likewise", counted(n_more, "column")));
    found.into_iter().take(MOST_COLUMNS).chain(more).collect()
}

fn note(data: &Data, feature: usize) -> Option<String> {
    let weight = |row: usize| data.weights.as_ref().map_or(1.0, |weights| weights[row]);
    let rows: Vec<usize> = (0..data.n_rows())
        .filter(|row| weight(*row) > 0.0)
        .collect();
    let value = |row: &usize| data.values[(*row, feature)];
    let middle = mean(rows.iter().map(|row| (value(row), weight(*row))))?;
    let far = *(rows.iter()).max_by(|a, b| {
        let distance = |row| (value(row) - middle).abs();
        distance(a).total_cmp(&distance(b))
    })?;
    let extreme = value(&far);
    let is_extreme = |row: &&usize| value(row).to_bits() == extreme.to_bits();
    let n_extreme = rows.iter().filter(is_extreme).count();
    if n_extreme as f64 > MOST_ROWS * rows.len() as f64 {
        return None;
    }
    let others = || rows.iter().filter(|row| !is_extreme(row));
    let centre = mean(others().map(|row| (value(row), weight(*row))))?;
    let variance = mean(others().map(|row| ((value(row) - centre).powi(2), weight(*row))))?;
    let times = (extreme - centre).abs() / variance.sqrt();
    // Two values are a column of yes and no.
    if !(variance > 0.0 && times > FAR) {
        return None;
    }
    let first = rows
        .iter()
        .find(|row| is_extreme(row))
        .copied()
        .unwrap_or(far);
    let place = match n_extreme {
        1 => format!("row {}", first + 1),
        n => format!("{} (the first is row {})", counted(n, "row"), first + 1),
    };
    Some(format!(
        "{}: {} in {place} is {} standard deviations of the other rows from their mean; leave such rows out if it is a slip or stands for a missing value",
        data.feature(feature),
        shortest(extreme),
        if times < 1e6 {
            fixed(times, 0)
        } else {
            format!("{times:.0e}")
        },
    ))
}

/// The weighted mean; nothing where it leaves the numbers, or of no rows.
fn mean(values: impl Iterator<Item = (f64, f64)>) -> Option<f64> {
    let (sum, total) = values.fold((0.0, 0.0), |(sum, total), (value, weight)| {
        (sum + weight * value, total + weight)
    });
    Some(sum / total).filter(|mean| mean.is_finite())
}
