//! Text for people: counts with their nouns, lists, tables with aligned columns.

/// "1 row", "2 rows".
pub(crate) fn counted(n: usize, noun: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{n} {noun}{plural}")
}

/// Names of a list that a message has room for; the rest is counted.
const LIST_LEN: usize = 8;

/// "a, b, c and 4 more".
pub(crate) fn joined(items: &[String]) -> String {
    let shown = items
        .iter()
        .take(LIST_LEN)
        .map(|item| printable(item))
        .collect::<Vec<_>>()
        .join(", ");
    match items.len().saturating_sub(LIST_LEN) {
        0 => shown,
        n_more => format!("{shown} and {n_more} more"),
    }
}

/// Longer names are cut.
const NAME_LEN: usize = 24;

/// A name from a file as a terminal can show it: short, and without anything that moves the cursor.
pub(crate) fn printable(name: &str) -> String {
    let mut text: String = name
        .chars()
        .take(NAME_LEN)
        .map(|c| if c.is_control() { '?' } else { c })
        .collect();
    if name.chars().nth(NAME_LEN).is_some() {
        text.push('…');
    }
    text
}

/// A path as one word of a shell, for commands to copy.
pub(crate) fn shell_word(path: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/\\._-+,:=@%".contains(c);
    if !path.is_empty() && path.chars().all(is_plain) {
        path.to_owned()
    } else {
        format!("'{}'", path.replace('\'', "'\\''"))
    }
}

/// Lines of cells, right-aligned in columns; the last column is left-aligned if `open` says so.
pub(crate) fn aligned(rows: &[Vec<String>], open: bool) -> String {
    let n_columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..n_columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            if column > 0 {
                text.push_str("  ");
            }
            if open && column + 1 == n_columns {
                text.push_str(cell);
            } else {
                text.push_str(&format!("{cell:>width$}", width = widths[column]));
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_move_the_cursor() {
        assert_eq!(printable("a\u{1b}[2Jb\n"), "a?[2Jb?");
        assert_eq!(printable(&"x".repeat(30)), format!("{}…", "x".repeat(24)));
    }

    #[test]
    fn columns_align_by_characters() {
        let rows = [
            vec!["a".to_owned(), "1.0 ± 2".to_owned()],
            vec!["bb".to_owned(), "10.0 ± 2".to_owned()],
        ];
        assert_eq!(aligned(&rows, false), " a   1.0 ± 2\nbb  10.0 ± 2\n");
        assert_eq!(aligned(&rows, true), " a  1.0 ± 2\nbb  10.0 ± 2\n");
    }

    #[test]
    fn paths_become_words() {
        assert_eq!(shell_word("data/a.csv"), "data/a.csv");
        assert_eq!(shell_word("my data.csv"), "'my data.csv'");
        assert_eq!(shell_word("it's"), "'it'\\''s'");
    }
}
