//! The last part of `cargo xtask bench --quality`: a search over numbers of components and forms on many rows, by scikit-learn's cells and by
//! our search.

use std::collections::BTreeMap;

use super::quality::{cells, number};
use crate::Outcome;

/// A BIC is no worse than another that is lower by so little: fits stop at a thousandth of a nat.
const EQUAL: f64 = 0.01;

/// What `quality sweep` and `sweep.py` have measured. Ours begins with a line of the seconds in all.
pub(super) fn report(ours: &str, theirs: &str) -> Outcome<String> {
    let mut lines = ours.lines();
    let seconds = number(lines.next().unwrap_or(""))?;
    let mut own: BTreeMap<(&str, &str), f64> = BTreeMap::new();
    for line in lines {
        let [form, n_components, bic] = cells(line)?;
        own.insert((form, n_components), number(bic)?);
    }
    let best = own.values().copied().fold(f64::INFINITY, f64::min);
    let (mut their_seconds, mut their_best, mut n_cells) = (0.0, f64::INFINITY, 0);
    let mut worse = Vec::new();
    for line in theirs.lines() {
        let [form, n_components, time, bic] = cells(line)?;
        let (time, bic) = (number(time)?, number(bic)?);
        let Some(of_ours) = own.get(&(form, n_components)) else {
            return Err(format!("we have no cell {form} {n_components}"));
        };
        their_seconds += time;
        their_best = their_best.min(bic);
        n_cells += 1;
        // A cell without a value is worse, too.
        if of_ours.is_nan() || *of_ours > bic + EQUAL {
            worse.push(format!("{form} {n_components} ({of_ours:.1} for {bic:.1})"));
        }
    }
    let n_equal = n_cells - worse.len();
    let worse = if worse.is_empty() {
        String::new()
    } else {
        format!("; worse: {}", worse.join(", "))
    };
    Ok(format!(
        "\n1 to 10 components of four forms from 5 starts on 100 000 rows of 8 features: ours {seconds:.2} s, scikit-learn \
         {their_seconds:.1} s ({:.1} times as long). The least BIC: {best:.1} for {their_best:.1}; equal or better in {n_equal} of {n_cells} \
         cells{worse}.\n",
        their_seconds / seconds
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worse_cells_are_named() {
        let ours = "2.0\nfull,1,10.005\nfull,2,11.0\ntied,1,NaN\n";
        let theirs = "full,1,30.0,10.0\nfull,2,10.0,10.5\n";
        let text = report(ours, theirs).unwrap();
        assert!(
            text.contains("ours 2.00 s, scikit-learn 40.0 s (20.0 times as long). The least BIC: 10.0 for 10.0;"),
            "{text}"
        );
        assert!(
            text.contains("in 1 of 2 cells; worse: full 2 (11.0 for 10.5)."),
            "{text}"
        );
        let text = report(ours, "tied,1,1.0,5.0\n").unwrap();
        assert!(
            text.contains("in 0 of 1 cells; worse: tied 1 (NaN for 5.0)."),
            "{text}"
        );
        let text = report(ours, "full,1,1.0,12.0\n").unwrap();
        assert!(text.ends_with("in 1 of 1 cells.\n"), "{text}");
        assert!(report(ours, "diag,1,1.0,5.0\n").is_err());
        assert!(report("", theirs).is_err());
    }
}
