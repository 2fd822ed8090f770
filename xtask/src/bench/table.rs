//! The comparison as a Markdown table.

use super::figures::{Spread, three_digits, two_digits};

/// What the numbers of a group are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Unit {
    /// Seconds of an EM iteration, by fits of so many, a few and more.
    Iteration([usize; 2]),
    /// Seconds of a whole call of so many iterations.
    Call(usize),
    /// Seconds to compute the probabilities of so many rows.
    Prediction(usize),
}

/// One system on one workload.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    pub(super) system: String,
    /// Nothing stands for what the system can't do.
    pub(super) seconds: Option<Spread>,
    /// Bytes beyond the data.
    pub(super) memory: Option<f64>,
    /// The relative difference of its log-likelihood to ours.
    pub(super) difference: Option<f64>,
}

/// All systems on one workload; the first is we.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) title: String,
    pub(super) unit: Unit,
    /// Floating-point operations that the work is counted as, where it is mostly matrix products.
    pub(super) operations: Option<f64>,
    /// Operations per second of the machine's matrix product, beside the other measurements.
    pub(super) gemm: Option<Spread>,
    pub(super) rows: Vec<Row>,
}

const HEADER: [&str; 8] = [
    "workload",
    "system",
    "s per iteration",
    "range",
    "to ours",
    "of GEMM",
    "memory",
    "log p",
];

const NOTHING: &str = "-";

/// The table of all groups.
pub(super) fn table(groups: &[Group]) -> String {
    let rows: Vec<[String; 8]> = groups.iter().flat_map(cells).collect();
    markdown(&HEADER, &rows)
}

fn cells(group: &Group) -> Vec<[String; 8]> {
    let ours = group.rows.first().and_then(|row| row.seconds);
    group
        .rows
        .iter()
        .enumerate()
        .map(|(number, row)| {
            let or_nothing = |cell: Option<String>| cell.unwrap_or_else(|| NOTHING.to_owned());
            let shown = row.seconds.map(|seconds| show(seconds, group.unit));
            let ratio = row
                .seconds
                .zip(ours)
                .map(|(theirs, ours)| format!("{}×", two_digits(theirs.median / ours.median)));
            let part = row
                .seconds
                .zip(group.operations)
                .zip(group.gemm)
                .map(|((seconds, operations), gemm)| operations / seconds.median / gemm.median);
            [
                if number == 0 {
                    group.title.clone()
                } else {
                    String::new()
                },
                row.system.clone(),
                or_nothing(shown.clone().map(|(median, _)| median)),
                or_nothing(shown.map(|(_, range)| range)),
                or_nothing(ratio),
                or_nothing(part.map(|part| format!("{} %", two_digits(100.0 * part)))),
                or_nothing(
                    row.memory
                        .map(|bytes| format!("{} MB", two_digits(bytes / 1e6))),
                ),
                or_nothing(row.difference.map(agreement)),
            ]
        })
        .collect()
}

/// How many iterations the fits had that were measured, those of most workloads first: ", of 6 and 2 iterations (3 and 1 for W6f)".
pub(super) fn fits(groups: &[Group]) -> String {
    let mut fits: Vec<([usize; 2], Vec<&str>)> = Vec::new();
    for group in groups {
        let Unit::Iteration(these) = group.unit else {
            continue;
        };
        let (name, _) = group.title.split_once(':').unwrap_or((&group.title, ""));
        match fits.iter_mut().find(|(others, _)| *others == these) {
            Some((_, names)) => names.push(name),
            None => fits.push((these, vec![name])),
        }
    }
    fits.sort_by_key(|(_, names)| std::cmp::Reverse(names.len()));
    let texts = fits.iter().enumerate();
    let texts = texts.map(|(at, ([few, more], names))| match at {
        0 => format!(", of {more} and {few} iterations"),
        _ => format!(" ({more} and {few} for {})", names.join(", ")),
    });
    texts.collect()
}

/// The median and the range. Seconds per iteration are the column's own unit; others are said.
fn show(seconds: Spread, unit: Unit) -> (String, String) {
    let (spread, name) = match unit {
        Unit::Iteration(_) => (seconds, ""),
        Unit::Call(_) => (seconds.scaled(1e3), " ms"),
        Unit::Prediction(n) => (
            seconds.reversed(|seconds| n as f64 / seconds / 1e6),
            " Mrows/s",
        ),
    };
    (
        format!("{}{name}", three_digits(spread.median)),
        format!(
            "{}..{}",
            three_digits(spread.least),
            three_digits(spread.most)
        ),
    )
}

/// Differences of rounding are none.
fn agreement(difference: f64) -> String {
    if difference < 1e-12 {
        "same".to_owned()
    } else {
        format!("{difference:.0e}")
    }
}

/// A Markdown table whose columns line up also as text: numbers, from the third column on, to the right.
pub(super) fn markdown<const N: usize>(header: &[&str; N], rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .chain([header[column].chars().count(), 3])
            .max()
            .unwrap_or(3)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |cell: &dyn Fn(usize) -> String| {
        let cells: Vec<String> = (0..N)
            .map(|column| {
                let (text, width) = (cell(column), widths[column]);
                if column < 2 {
                    format!("{text:<width$}")
                } else {
                    format!("{text:>width$}")
                }
            })
            .collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let mut text = line(&|column| header[column].to_owned());
    text.push_str(&line(&|column| {
        let dashes = "-".repeat(widths[column] - 1);
        if column < 2 {
            format!("{dashes}-")
        } else {
            format!("{dashes}:")
        }
    }));
    for row in rows {
        text.push_str(&line(&|column| row[column].clone()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(system: &str, seconds: &[f64]) -> Row {
        Row {
            system: system.to_owned(),
            seconds: Spread::of(seconds),
            ..Row::default()
        }
    }

    fn group(unit: Unit) -> Group {
        Group {
            title: "W0".to_owned(),
            unit,
            operations: None,
            gemm: None,
            rows: vec![row("gmm", &[0.02, 0.03, 0.01]), row("other", &[0.05])],
        }
    }

    #[test]
    fn columns_line_up() {
        let rows = [
            ["a".to_owned(), "×".to_owned(), "1.25".to_owned()],
            [String::new(), "long".to_owned(), "-".to_owned()],
        ];
        let expected = "\
| one | two  |    s |
| --- | ---- | ---: |
| a   | ×    | 1.25 |
|     | long |    - |
";
        assert_eq!(markdown(&["one", "two", "s"], &rows), expected);
    }

    #[test]
    fn a_group_is_compared_with_its_first_row() {
        let cells = cells(&Group {
            operations: Some(1e9),
            gemm: Spread::of(&[1e11]),
            ..group(Unit::Iteration([2, 6]))
        });
        assert_eq!(
            cells[0],
            [
                "W0",
                "gmm",
                "0.0200",
                "0.0100..0.0300",
                "1.0×",
                "50 %",
                "-",
                "-"
            ]
        );
        assert_eq!(
            cells[1],
            [
                "",
                "other",
                "0.0500",
                "0.0500..0.0500",
                "2.5×",
                "20 %",
                "-",
                "-"
            ]
        );
    }

    #[test]
    fn fits_that_were_compared_are_said() {
        let named = |name: &str, unit: Unit| Group {
            title: format!("{name}: rows"),
            ..group(unit)
        };
        let usual = |name: &str| named(name, Unit::Iteration([2, 6]));
        let far = named("W6f", Unit::Iteration([1, 3]));
        let call = named("W7", Unit::Call(25));
        assert_eq!(
            fits(&[far, usual("W1"), call.clone(), usual("W2")]),
            ", of 6 and 2 iterations (3 and 1 for W6f)"
        );
        assert_eq!(fits(&[call]), "");
    }

    #[test]
    fn other_units_are_said() {
        assert_eq!(
            cells(&group(Unit::Call(25)))[0][2..4],
            ["20.0 ms", "10.0..30.0"]
        );
        // Rates: the shortest time is the highest.
        let rates = cells(&group(Unit::Prediction(1_000_000)));
        assert_eq!(rates[0][2..5], ["50.0 Mrows/s", "33.3..100", "1.0×"]);
        assert_eq!(rates[1][4], "2.5×");
    }

    #[test]
    fn what_is_not_there_is_a_dash() {
        let mut group = group(Unit::Iteration([2, 6]));
        group.rows[1] = Row {
            memory: Some(2.5e6),
            difference: Some(3e-9),
            ..row("other", &[])
        };
        assert_eq!(
            cells(&group)[1],
            ["", "other", "-", "-", "-", "-", "2.5 MB", "3e-9"]
        );
        assert_eq!(agreement(0.0), "same");
    }
}
