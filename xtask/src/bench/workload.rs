//! A workload of the comparison, as the example `peer` of gmm-benches lists it.

use serde_json::Value;

use crate::Outcome;

/// A workload, as the example `peer` lists it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Workload {
    pub(super) name: String,
    pub(super) n: usize,
    pub(super) d: usize,
    pub(super) k: usize,
    pub(super) form: String,
    /// Iterations of a short and of a long fit, whose difference is measured: what is before and after the loop cancels.
    pub(super) fits: [usize; 2],
    /// Iterations of a whole call, or 0 where iterations are measured.
    pub(super) call: usize,
    pub(super) predicts: bool,
    /// A word about it, or nothing.
    pub(super) remark: String,
}

impl Workload {
    /// The E-step's whitening and the M-step's scatter are N·K·D² multiplications and additions each, at their best: both
    /// matrices are triangles.
    pub(super) fn operations(&self) -> Option<f64> {
        let is_dense = matches!(self.form.as_str(), "full" | "tied");
        // A call is so short that it is no matter of arithmetic.
        (is_dense && self.call == 0)
            .then(|| 2.0 * self.n as f64 * self.k as f64 * (self.d as f64).powi(2))
    }

    /// For the table.
    pub(super) fn title(&self) -> String {
        let mut title = format!(
            "{}: N={}, D={}, K={}, {}",
            self.name,
            power(self.n),
            self.d,
            self.k,
            self.form
        );
        if !self.remark.is_empty() {
            title.push_str(", ");
            title.push_str(&self.remark);
        }
        title
    }
}

/// Round numbers in the short form of the field: 1e6, 2e4.
fn power(n: usize) -> String {
    let short = format!("{:e}", n as f64);
    if short.len() < n.to_string().len() {
        short
    } else {
        n.to_string()
    }
}

/// Reads the list: a line of JSON for each.
pub(super) fn read(list: &str) -> Outcome<Vec<Workload>> {
    list.lines()
        .map(|line| {
            let value: Value = serde_json::from_str(line)
                .map_err(|error| format!("the list of workloads is no JSON: {error}"))?;
            let count = |key: &str| value[key].as_u64().unwrap_or_default() as usize;
            let fits = [0, 1].map(|i| value["fits"][i].as_u64().unwrap_or_default() as usize);
            if fits[0] == 0 || fits[0] >= fits[1] && count("call") == 0 {
                return Err(format!(
                    "a long fit has more iterations than a short one, not {fits:?}"
                ));
            }
            let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
            Ok(Workload {
                name: text("name"),
                n: count("n"),
                d: count("d"),
                k: count("k"),
                form: text("form"),
                fits,
                call: count("call"),
                predicts: value["predicts"].as_bool().unwrap_or_default(),
                remark: text("remark"),
            })
        })
        .collect()
}

/// The workloads of these names, or all.
pub(super) fn chosen(workloads: &[Workload], names: &[String]) -> Outcome<Vec<Workload>> {
    for name in names {
        if !workloads.iter().any(|workload| workload.name == *name) {
            let known: Vec<&str> = workloads.iter().map(|workload| &*workload.name).collect();
            return Err(format!(
                "there is no workload `{name}`; there are {}",
                known.join(", ")
            ));
        }
    }
    Ok(workloads
        .iter()
        .filter(|workload| names.is_empty() || names.contains(&workload.name))
        .cloned()
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"{"name": "W2", "n": 100000, "d": 16, "k": 16, "form": "full", "fits": [2, 6], "call": 0, "predicts": true}
{"name": "W7", "n": 150, "d": 4, "k": 3, "form": "full", "fits": [25, 25], "call": 25, "predicts": false, "remark": "25 iterations"}
{"name": "W9", "n": 100000, "d": 16, "k": 16, "form": "spherical", "fits": [1, 3], "call": 0, "predicts": false}"#;

    #[test]
    fn workloads_are_read_named_and_counted() {
        let all = read(LIST).unwrap();
        assert_eq!(all[0].title(), "W2: N=1e5, D=16, K=16, full");
        assert_eq!(all[1].title(), "W7: N=150, D=4, K=3, full, 25 iterations");
        assert_eq!(all[0].operations(), Some(2.0 * 1e5 * 16.0 * 256.0));
        assert_eq!((all[1].operations(), all[2].operations()), (None, None));
        assert_eq!(
            [&all[0], &all[2]].map(|workload| workload.fits),
            [[2, 6], [1, 3]]
        );
        assert!(all[0].predicts && !all[1].predicts);
        assert!(read("no list").is_err());
        assert!(read(&LIST.replace("[2, 6]", "[6, 6]")).is_err());
    }

    #[test]
    fn workloads_are_chosen_by_name() {
        let all = read(LIST).unwrap();
        assert_eq!(chosen(&all, &[]).unwrap(), all);
        assert_eq!(chosen(&all, &["W9".to_owned()]).unwrap(), all[2..]);
        assert_eq!(
            chosen(&all, &["W1".to_owned()]).unwrap_err(),
            "there is no workload `W1`; there are W2, W7, W9"
        );
    }

    #[test]
    fn sizes_are_short() {
        assert_eq!(
            [150, 20_000, 1_000_000, 123_456].map(power),
            ["150", "2e4", "1e6", "123456"]
        );
    }
}
