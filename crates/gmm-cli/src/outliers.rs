//! Outliers that lie so far out in a column that they, not the other rows, make its spread: slips, or codes for missing values.

use crate::data::Data;
use crate::number::{fixed, shortest};
use crate::text::counted;

/// Standard deviations of the other rows. Heavy tails hardly reach so far: of Student's distribution with three degrees of freedom one row in two million.
const FAR: f64 = 100.0;

/// Distances between the quartiles, from the median, within which the bulk of the rows lies (40 standard deviations of Gaussian rows): one
/// farther out would hide itself and others in the deviation that they are measured by.
const BULK: f64 = 30.0;

/// Codes for missing values stand in a small part of the rows, or in one; more are a group.
const MOST_ROWS: f64 = 0.05;

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
    let rows: Vec<(usize, f64)> = (0..data.n_rows())
        .filter(|row| weight(*row) > 0.0)
        .map(|row| (row, data.values[(row, feature)]))
        .collect();
    let mut sorted: Vec<f64> = rows.iter().map(|(_, value)| *value).collect();
    let n = sorted.len();
    // What lies apart from the median by many times the distance of the quartiles is no part of the bulk, of which mean and deviation are taken.
    let mut quantile = |rank: usize| *sorted.select_nth_unstable_by(rank, f64::total_cmp).1;
    let [low, middle, high] =
        [n / 4, n / 2, (3 * n) / 4].map(|rank| (rank < n).then(|| quantile(rank)));
    let (low, middle, high) = (low?, middle?, high?);
    let bulk = || {
        let is_near =
            move |(_, value): &&(usize, f64)| (value - middle).abs() <= BULK * (high - low);
        rows.iter().filter(is_near)
    };
    let centre = mean(bulk().map(|&(row, value)| (value, weight(row))))?;
    let variance = mean(bulk().map(|&(row, value)| ((value - centre).powi(2), weight(row))))?;
    let times = |value: f64| (value - centre).abs() / variance.sqrt();
    // With half of the rows equal there is no bulk to be far from.
    if variance <= 0.0 {
        return None;
    }
    let far: Vec<(usize, f64)> = (rows.iter().copied())
        .filter(|(_, value)| times(*value) > FAR)
        .collect();
    let &(row, value) = far
        .iter()
        .max_by(|a, b| times(a.1).total_cmp(&times(b.1)))?;
    if far.len() as f64 > (MOST_ROWS * n as f64).max(1.0) {
        return None;
    }
    let others = match far.len() {
        1 => String::new(),
        n => format!(", and {} so far", counted(n - 1, "more row")),
    };
    Some(format!(
        "{}: {} in row {} is an outlier, {} standard deviations of the other rows from their mean{others}; leave such rows out if they are slips or stand for \
         missing values",
        data.feature(feature),
        shortest(value),
        row + 1,
        match times(value) {
            times if times < 1e6 => fixed(times, 0),
            times => format!("{times:.0e}"),
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
